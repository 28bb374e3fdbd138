"""What lies in our folder is a regular file, or nothing goes on: no link is followed, no pipe waited for, whatever a checkout brought."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.errors import Locked
from reconciler.ledger import door
from reconciler.ledger.door import FOLDERS
from reconciler.ledger.errors import NotAFile
from reconciler.ledger.homes.file import FileHome
from reconciler.ledger.homes.home import Waiting
from reconciler.ledger.ledger import Ledger
from tests import ROOT
from tests.desk.clock import Clock
from tests.desk.desk import Desk

# All that may lie in the folder, SQLite's own files too.
FILES = ("ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db-journal", "ledger.lock", "key", "last")
FIRST = "tags: [vip]\n"
NEXT = "tags: [{name: vip, state: absent}]\n"


def a_socket(path: Path) -> None:
    # The path of a socket has at most 107 bytes: man 7 unix.
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))


THINGS: dict[str, Callable[[Path, Path], object]] = {
    "a link to a file": lambda path, other: path.symlink_to(other / "victim.json"),
    "a link to a folder": lambda path, other: path.symlink_to(other),
    "a link to nothing": lambda path, other: path.symlink_to(other / "nothing"),
    "a pipe": lambda path, _: os.mkfifo(path),
    "a socket": lambda path, _: a_socket(path),
}


def make_folder(path: Path, _: Path) -> None:
    path.mkdir()


def make_file(path: Path, _: Path) -> None:
    path.write_text("x")


REASONS = {
    "a link": "it is a link, and none is followed here (Too many levels of symbolic links)",
    "a pipe": "it is a pipe (Illegal seek)",
    "a socket": "it is a socket (No such device or address)",
    "a folder": "it is a folder (Is a directory)",
    "a file": "it is no folder (Not a directory)",
}


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A folder of somebody else, with a file that is older than any of ours is kept."""
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "victim.json").write_text("theirs")
    os.utime(folder / "victim.json", (0, 0))
    return folder


def reason(what: str) -> str:
    return next(text for name, text in REASONS.items() if what.startswith(name))


CASES = [(name, what, make) for name in (*FILES, *FOLDERS, ".") for what, make in THINGS.items()]
CASES += [(name, "a folder", make_folder) for name in FILES] + [(name, "a file", make_file) for name in (*FOLDERS, ".")]


def test_what_is_no_file_of_ours_ends_every_verb_in_one_sentence_and_stays_as_it_is(desk: Desk, other: Path) -> None:
    ours = desk.folder / ".reconciler"
    assert desk("apply", "m.yaml", "--auto-approve", m=FIRST) == 0, desk.err
    shutil.copytree(ours, whole := other.parent / "whole")
    for name, what, make in CASES:
        shutil.rmtree(ours) if not ours.is_symlink() and ours.is_dir() else ours.unlink()
        shutil.copytree(whole, ours)
        place = ours / name
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
        make(place, other)
        desk.box.forget_requests()
        for verb in ("plan", "apply") if what in ("a pipe", "a link to a file") else ("apply",):
            code = desk(verb, "m.yaml", *(("--auto-approve",) if verb == "apply" else ()), m=NEXT)
            assert (code, reason(what) in desk.err, desk.err.count("\n")) == (1, True, 1), (name, what, verb, desk.err)
        assert desk.box.writes == []
        assert [(path.name, path.read_text()) for path in other.iterdir()] == [("victim.json", "theirs")]
        assert place.is_symlink() or not what.startswith("a link")


@pytest.mark.parametrize("make", [THINGS["a link to a file"], THINGS["a pipe"]], ids=["a link", "a pipe"])
def test_what_takes_the_place_of_a_file_after_the_look_is_not_opened(
    folder: Path, other: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path, Path], object]
) -> None:
    folder.mkdir(exist_ok=True)
    monkeypatch.setattr(door, "check_file", lambda path: make(path, other))
    with pytest.raises((NotAFile, OSError)):
        door.reader(folder / "key")
    assert (other / "victim.json").read_text() == "theirs"


def test_what_is_to_be_new_takes_the_place_of_nothing(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "key").write_text("old")
    with pytest.raises(FileExistsError):
        door.writer(folder / "key", new=True)
    assert (folder / "key").read_text() == "old"


def test_there_is_no_other_door() -> None:
    sources = (ROOT / "reconciler" / "ledger").rglob("*.py")
    opens = re.compile(r"os\.open|\.(read|write)_(text|bytes)|\.touch\(|[^\w.]open\(")
    # The one of a git remote is in a temporary folder of this process; of our folder a .gitignore is made where nothing is; the file of
    # private keys lies where somebody says.
    others = {"folder.py", "git.py", "sealing.py"}
    assert {path.name for path in sources if opens.search(path.read_text().replace("def open(", ""))} == {"door.py", *others}


def test_what_becomes_a_link_while_the_ledger_is_open_is_not_followed(folder: Path, other: Path, clock: Clock) -> None:
    ledger, home, victim = Ledger.open(folder, create=True, now=clock, environ={}), FileHome(folder), other / "victim.json"
    assert ledger
    with ledger:
        home.put_preimage("r-1", "{}", clock())
        (folder / "images" / "r-2.json").symlink_to(victim)
        (folder / "images" / "old.json").symlink_to(victim)
        (folder / "ledger.lock").symlink_to(victim)
        for use in (
            lambda: home.put_preimage("r-2", "{}", clock()),
            lambda: home.read_preimage("r-2"),
            lambda: home.lock("", "wash", clock.waiting()),
        ):
            with pytest.raises(NotAFile, match="it is a link"):
                use()
        home.drop_preimages(clock() + 90 * 86400)
        shutil.rmtree(folder / "images")
        (folder / "images").symlink_to(other)
        for use in (
            lambda: home.put_preimage("r-3", "{}", clock()),
            lambda: home.drop_preimages(clock()),
            lambda: home.read_preimage("victim"),
        ):
            with pytest.raises(NotAFile, match="it is a link"):
                use()
    assert [(path.name, path.read_text()) for path in other.iterdir()] == [("victim.json", "theirs")]


def test_what_has_another_name_too_is_written_anew_and_keeps_what_it_held_there(desk: Desk, other: Path) -> None:
    """Git brings no hard link; `cp -al` makes one of every file, and such a backup is nothing to refuse."""
    ours, victim = desk.folder / ".reconciler", other / "victim.json"
    assert desk("apply", "m.yaml", "--auto-approve", m=FIRST) == 0, desk.err
    (ours / "ledger.lock").unlink()
    for path in (ours / "ledger.lock", ours / "images" / "r-1.json"):
        path.parent.mkdir(exist_ok=True)
        path.hardlink_to(victim)
    backup = {path.name: path.read_bytes() for path in ours.iterdir() if path.is_file() and path.name in ("ledger.lock", "key", "last")}
    subprocess.run(["cp", "-al", str(ours), str(other.parent / "backup")], check=True, timeout=60)
    FileHome(ours).put_preimage("r-1", "{}", 0.0)
    assert desk("apply", "m.yaml", "--auto-approve", m=NEXT) == 0, desk.err
    assert (victim.read_text(), victim.stat().st_nlink) == ("theirs", 3)
    assert (ours / "images" / "r-1.json").read_text() == "{}"
    assert {name: (other.parent / "backup" / name).read_bytes() for name in backup} == backup


def test_a_lock_that_was_let_go_with_its_name_is_no_lock(folder: Path, other: Path, clock: Clock) -> None:
    """Whoever waits for a lock of two names may get it after its holder put a new file in its place."""
    home, victim, lock = FileHome(folder), other / "victim.json", folder / "ledger.lock"
    folder.mkdir()
    lock.hardlink_to(victim)
    with victim.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        def let_go(seconds: float) -> None:
            lock.unlink()
            fcntl.flock(held, fcntl.LOCK_UN)

        taken = home.lock("", "wash", Waiting(1, let_go, clock, clock))
    with pytest.raises(Locked, match="wash"):
        home.lock("", "zoe", clock.waiting())
    taken.release()
    assert (victim.read_text(), lock.stat().st_nlink) == ("theirs", 1)
