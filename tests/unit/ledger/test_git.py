"""The ledger in a ref of a git remote: commits as its history, and nothing of the repository around us touched."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.core.model.address import Address
from reconciler.ledger.homes.file import FileHome
from reconciler.ledger.homes.git import IMAGES, LEDGER, GitHome
from reconciler.ledger.homes.lines import file_of, load, take_changes
from reconciler.ledger.ledger import Ledger
from tests.desk.clock import Clock
from tests.desk.repositories import KEY, a_clone, a_home, a_ledger, around, git, log
from tests.desk.soak import times
from tests.unit.ledger.changes import APP, HEAD, HOBAN, VIP, a_record, live_id_of, write
from tests.unit.ledger.shared import WASH, ZOE, Opened, make_ledger, tick


# ── what is touched ────────────────────────────────────────────────────────────────────────────────────────────────────────
def look_at_clone(clone: Path) -> Mapping[str, object]:
    """All that a user of a clone can see of it, but our own refs."""
    refs = [line for line in git(clone, "for-each-ref").splitlines() if "refs/reconciler/" not in line]
    inside = clone / ".git"
    files = {
        name: (inside / name).read_bytes() if (inside / name).exists() else b""
        for name in ("index", "HEAD", "config", "FETCH_HEAD", "shallow")
    }
    return {"refs": refs, "status": git(clone, "status", "--porcelain", "--ignored"), "stash": git(clone, "stash", "list"), **files}


def test_a_subfolder_of_the_repository_has_the_whole_ledger(
    clone: Path, opened: Opened, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As git sees it, for which a listing ends at the folder that it was asked in."""
    make_ledger(opened, clock)
    (clone / "intercom").mkdir()
    monkeypatch.chdir(clone / "intercom")
    with a_ledger(GitHome("origin", {**around(clone), "GIT_DIR": str(clone / ".git"), "GIT_WORK_TREE": str(clone)}), clock) as below:
        assert live_id_of(below) == "c-1"


def test_nothing_of_the_work_tree_the_index_or_the_branches_changes(clone: Path, opened: Opened, clock: Clock) -> None:
    (clone / "reconciler.yaml").write_text("tags: [edited]\n")
    (clone / "new.yaml").write_text("")
    git(clone, "add", "new.yaml")
    before = look_at_clone(clone)
    ledger = make_ledger(opened, clock)
    ledger.home.put_preimage("r-1", "{}", clock())
    with opened() as again:
        assert live_id_of(again) == "c-1"
    assert look_at_clone(clone) == before


def test_the_branches_of_the_remote_stay_too(remote: Path, opened: Opened, clock: Clock) -> None:
    before = git(remote, "for-each-ref", "refs/heads", "refs/tags")
    make_ledger(opened, clock)
    assert git(remote, "for-each-ref", "refs/heads", "refs/tags") == before
    assert git(remote, "for-each-ref", "--format=%(refname)", "refs/reconciler").split() == [LEDGER]


@pytest.mark.parametrize("options", [["--depth=1"], ["--bare"], ["--mirror"], ["--filter=blob:none", "--no-checkout"], []], ids=str)
def test_it_works_in_every_sort_of_clone(remote: Path, opened: Opened, clock: Clock, options: list[str]) -> None:
    git(remote, "config", "uploadpack.allowFilter", "true")
    make_ledger(opened, clock)
    other = a_clone(remote, "other", *options)
    if not options:
        git(other, "checkout", "--quiet", "--detach")
    for number in range(2):
        ledger = opened(other)
        with ledger.lock(APP, ZOE, clock.waiting()):
            write(ledger, VIP, f"t-{number}")
    assert "?" not in git(other, "rev-list", "--objects", "--missing=print", LEDGER)
    with opened() as ledger:
        assert (live_id_of(ledger, HOBAN), live_id_of(ledger, VIP)) == ("c-1", "t-1")


def test_a_full_clone_does_not_become_shallow(clone: Path, opened: Opened, clock: Clock) -> None:
    make_ledger(opened, clock)
    assert git(clone, "rev-parse", "--is-shallow-repository").strip() == "false"


def test_no_hook_of_the_user_runs(clone: Path, opened: Opened, clock: Clock) -> None:
    for name in ("pre-push", "reference-transaction", "post-commit"):
        hook = clone / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {clone}/ran\nexit 1\n")
        hook.chmod(0o755)
    make_ledger(opened, clock)
    assert not (clone / "ran").exists()


def test_another_remote_may_be_named(remote: Path, clone: Path, opened: Opened, clock: Clock, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "second.git")
    git(clone, "remote", "add", "second", str(tmp_path / "second.git"))
    ledger = opened(remote="second")
    with ledger.lock(APP, WASH, clock.waiting()):
        write(ledger)
    assert log(tmp_path / "second.git")
    assert not a_home(clone).exists()


def test_its_copy_is_readable_by_nobody_else_and_goes_with_it(
    opened: Opened, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with opened() as ledger:
        write(ledger)
        [folder] = tmp_path.glob("reconciler-*")
        modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        assert (stat.S_IMODE(folder.stat().st_mode), modes) == (0o700, {0o600})
    assert not folder.exists()


# ── what is kept ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_looking_makes_and_pushes_nothing(clone: Path, remote: Path, opened: Opened, clock: Clock) -> None:
    assert not a_home(clone).exists()
    with opened() as ledger:
        write(ledger)
        ledger.home.publish()
    assert not a_home(clone).exists()
    make_ledger(opened, clock)
    before = log(remote)
    assert a_home(clone).exists()
    with opened(a_clone(remote, "other")) as looking:
        assert live_id_of(looking) == "c-1"
    assert log(remote) == before


def test_every_push_is_a_commit_of_ours_that_names_the_run(remote: Path, opened: Opened, clock: Clock) -> None:
    ledger = opened()
    with ledger.lock(APP, WASH, clock.waiting()):
        run = ledger.begin(HEAD)
        write(ledger)
        ledger.end(run, 0, {})
    last, mine, first = log(remote)
    assert (last, first) == ("ledger: lease", "ledger: lease")
    assert mine.startswith(f"ledger: {run[:18]}")
    assert set(git(remote, "log", "--format=%an <%ae> %cn <%ce> %ct", LEDGER).splitlines()) == {
        f"reconciler <reconciler@localhost> reconciler <reconciler@localhost> {int(clock())}"
    }


def test_the_same_rows_are_the_same_files(remote: Path, opened: Opened, clock: Clock) -> None:
    make_ledger(opened, clock)
    before = git(remote, "rev-parse", f"{LEDGER}^{{tree}}")
    with opened().lock(APP, ZOE, clock.waiting()):
        clock.now += 5
    assert git(remote, "rev-parse", f"{LEDGER}^{{tree}}") == before


def test_a_push_holds_only_the_files_that_changed(remote: Path, opened: Opened, clock: Clock) -> None:
    ledger = opened()
    with ledger.lock(APP, WASH, clock.waiting()):
        ledger.record(APP, "default", [a_record(ledger.digests, Address("contact", f"{n}"), f"c-{n}") for n in range(2000)])
        tick(ledger)
        ledger.record(APP, "default", [a_record(ledger.digests, Address("contact", "7"), "c-7", {"name": "Wash"})])
        tick(ledger)
    changed = git(remote, "diff", "--name-only", f"{LEDGER}~2", f"{LEDGER}~1").split()
    assert changed == ["lease.json", file_of("things", "contact", "c-7")]
    assert len(git(remote, "ls-tree", LEDGER, "things/").split("\n")) == 257
    assert len(opened(a_clone(remote, "other")).read_recorded(APP).records) == 2000


def test_what_is_let_go_leaves_its_file(remote: Path, opened: Opened, clock: Clock) -> None:
    ledger = make_ledger(opened, clock)
    with ledger.lock(APP, WASH, clock.waiting()):
        ledger.record(APP, "default", [], [("contact", "c-1")])
    assert live_id_of(opened()) is None
    assert "things" not in git(remote, "ls-tree", "--name-only", LEDGER).split()


@settings(max_examples=times(4))
@given(
    names=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8), unique=True, max_size=4
    ),
    values=st.dictionaries(st.text(max_size=4), st.none() | st.booleans() | st.integers() | st.text(max_size=4), max_size=3),
)
@example(names=["a\nb", "\u2028", '"\\', "é", "\U0001f680"], values={"": None})
def test_every_record_comes_back_as_it_was(names: list[str], values: Mapping[str, object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = load(f"{folder}/first.db", "the ref", {})
        with Ledger(FileHome(Path(folder)), engine, bytes.fromhex(KEY)) as ledger:
            ledger.record(APP, "default", [a_record(ledger.digests, Address("contact", name), name, values) for name in names])
            before, files = ledger.read_recorded(APP).records, take_changes(engine)
        with Ledger(FileHome(Path(folder)), load(f"{folder}/second.db", "the ref", files), bytes.fromhex(KEY)) as again:
            after = again.read_recorded(APP).records
    assert {id: (r, dict(r.fields)) for id, r in after.items()} == {id: (r, dict(r.fields)) for id, r in before.items()}
    assert len(after) == len(names)


# ── pre-images ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_images_are_kept_for_thirty_days_in_a_commit_without_history(remote: Path, clone: Path, clock: Clock) -> None:
    home, other = a_home(clone), a_home(a_clone(remote, "other"))
    assert home.read_preimage("r-1") is None
    home.put_preimage("r-1", '{"tag": "vip"}', clock())
    other.put_preimage("r-2", "é\n", clock() + 29 * 86400)
    assert [other.read_preimage(run) for run in ("r-1", "r-2", "stored", "../r-1")] == ['{"tag": "vip"}', "é\n", None, None]
    home.put_preimage("r-3", "{}", clock() + 31 * 86400)
    assert [home.read_preimage(run) for run in ("r-1", "r-2", "r-3")] == [None, "é\n", "{}"]
    tip = git(remote, "rev-parse", IMAGES)
    other.drop_preimages(clock() + 32 * 86400)
    assert git(remote, "rev-parse", IMAGES) == tip, "nothing is pushed where nothing is too old"
    other.drop_preimages(clock() + 60 * 86400)
    assert [home.read_preimage(run) for run in ("r-2", "r-3")] == [None, "{}"]
    assert git(remote, "rev-list", "--count", IMAGES).strip() == "1"


def test_two_that_store_an_image_at_the_same_moment_both_do(remote: Path, clone: Path, clock: Clock) -> None:
    homes = [a_home(clone), a_home(a_clone(remote, "other"))]
    threads = [Thread(target=home.put_preimage, args=(f"r-{n}", "{}", clock())) for n, home in enumerate(homes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [homes[0].read_preimage(f"r-{n}") for n in range(2)] == ["{}", "{}"]
