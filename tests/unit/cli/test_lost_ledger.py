"""A ledger that is gone, damaged, or written with another key: what adopt makes of it, and what it never moves."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.ledger.homes.home import Waiting
from reconciler.ledger.homes.mend import set_aside
from tests.desk.desk import Desk
from tests.unit.cli.serenity import ALL, answer, seeded


@pytest.fixture
def desk(desk: Desk) -> Iterator[Desk]:
    with seeded(desk) as live:
        yield live


def test_a_ledger_that_is_gone_is_rebuilt(desk: Desk) -> None:
    desk("adopt", "--all", "m.yaml", "--auto-approve", m=ALL)
    for path in (desk.folder / ".reconciler").iterdir():
        path.unlink()
    assert desk("adopt", "--all", "m.yaml", "--auto-approve") == 0
    assert len(desk.ours()) == 5


def test_a_ledger_that_is_gone_is_missed_by_whoever_looks(desk: Desk) -> None:
    desk("apply", "m.yaml", "--auto-approve", m="tags: [vip, trial]\n")
    assert desk.err.startswith("no ledger here yet: ")
    ((desk.folder / ".reconciler") / "ledger.db").unlink()
    for verb, code in (("plan", 0), ("drift", 2)):
        assert desk(verb, "m.yaml", m="policy: {prune: {tags: owned}}\ntags: [vip, new]\n") == code
        assert "ledger.db is gone, though runs were recorded in it: it counts as lost; " in desk.err
    assert "No apply or adoption is on record under this name" in desk.out
    for verb, code in (("history", 0), ("forget", 1)):
        assert desk(verb, *(("tag/vip",) if code else ())) == code
        assert "ledger.db is gone, though runs were recorded in it: it counts as lost; " in desk.err
    assert desk("apply", "m.yaml", "--auto-approve") == 0
    assert "is older than the last run here" in desk.err
    assert "no ledger here yet" not in desk.err
    assert desk("plan", "m.yaml") == 0
    assert desk.err == "ledger: .reconciler/ledger.db\n"


def test_drift_of_a_link_that_we_made_is_put_right_by_its_plan(desk: Desk) -> None:
    text = "tags: [vip, onboard]\ncontacts: [{external_id: '25', tags: [vip, onboard]}]\n"
    assert desk("apply", "m.yaml", "--auto-approve", m=text) == 0
    contact, tag = desk.id("contact", external_id="25"), desk.id("tag", name="onboard")
    assert desk("api", "DELETE", f"/contacts/{contact}/tags/{tag}", "--allow-write") == 0
    assert desk("drift", "m.yaml", "--fix", "-o", "fix.json") == 2
    assert desk("show", "fix.json") == 0
    assert desk("apply", "fix.json") == 0, desk.err
    assert desk("drift", "m.yaml") == 0


@pytest.mark.parametrize("loses", ["the key", "to another key"])
def test_what_another_key_wrote_is_adopted_under_the_new_one(desk: Desk, loses: str) -> None:
    desk("adopt", "--all", "m.yaml", "--auto-approve", m=ALL)
    if loses == "the key":
        ((desk.folder / ".reconciler") / "key").unlink()
    else:
        desk.patch.setenv("RECONCILER_LEDGER_KEY", "ab" * 32)
    assert desk.ours() == set()
    assert desk("adopt", "--all", "m.yaml", "--auto-approve") == 0
    assert "written with another key" in desk.err
    assert len(desk.ours()) == 5
    assert len(desk.json("history")) == 2


def _scribble(path: Path) -> None:
    path.write_bytes(b"no database at all" * 400)


def _spoil(path: Path) -> None:
    """A page in the midst of it is torn."""
    text = bytearray(path.read_bytes())
    for at in range(4096, len(text), 4096):
        text[at : at + 64] = b"\xff" * 64
    path.write_bytes(text)


def _spoil_an_index(path: Path) -> None:
    """All rows can still be read."""
    with sqlite3.connect(path) as connection:
        [(page, size)] = connection.execute("SELECT rootpage, page_size FROM sqlite_master, pragma_page_size WHERE name = 'writes_by_run'")
    connection.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


def _tear(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE things SET links = '{\"tags'")
    connection.close()


def _empty(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE things")
    connection.close()


@pytest.mark.parametrize("harm", [_scribble, _spoil, _spoil_an_index, _tear, _empty])
def test_a_damaged_file_is_moved_aside_and_a_new_one_begins(desk: Desk, harm: Any) -> None:
    desk("adopt", "--all", "m.yaml", "--auto-approve", m=ALL)
    harm((desk.folder / ".reconciler") / "ledger.db")
    damaged = ((desk.folder / ".reconciler") / "ledger.db").read_bytes()
    assert desk("adopt", "--all", "m.yaml", "--auto-approve") == 0, desk.err
    [aside] = [path for path in (desk.folder / ".reconciler").iterdir() if re.fullmatch(r"ledger\.db\.damaged-\d{8}T\d{6}Z", path.name)]
    assert f"ledger.db is {aside.relative_to(desk.folder)} now; a new ledger begins" in desk.err
    assert aside.read_bytes() == damaged
    assert len(desk.ours()) == 5
    assert [run["verb"] for run in desk.json("history")] == ["adopt"]
    assert not [path for path in (desk.folder / ".reconciler").glob("ledger.db-*")]


def test_a_damaged_file_stays_while_nothing_is_adopted_and_for_every_other_verb(desk: Desk) -> None:
    desk("adopt", "--all", "m.yaml", "--auto-approve", m=ALL)
    _scribble((desk.folder / ".reconciler") / "ledger.db")
    answer(desk, "n\n")
    assert desk("adopt", "--all", "m.yaml") == 1
    assert "counts as lost, and will be moved aside: it is not a ledger" in desk.err
    assert desk("forget", "tag/vip") == 1
    assert desk("history") == 1
    assert not list((desk.folder / ".reconciler").glob("*damaged*"))


def test_two_damaged_files_of_one_second_are_both_kept(desk: Desk) -> None:
    (desk.folder / ".reconciler").mkdir()
    waiting = Waiting(0, time.sleep, time.monotonic, lambda: 1_790_000_000.0)
    for _ in range(3):
        _scribble((desk.folder / ".reconciler") / "ledger.db")
        ((desk.folder / ".reconciler") / "ledger.db-wal").write_bytes(b"its log")
        assert set_aside((desk.folder / ".reconciler"), "a test", waiting, lambda: True)
    stamp = "ledger.db.damaged-20260921T141320Z"
    names = {f"{stamp}{nth}{suffix}" for nth in ("", "-1", "-2") for suffix in ("", "-wal")}
    assert {path.name for path in (desk.folder / ".reconciler").iterdir()} == {*names, "ledger.lock", ".gitignore"}


def test_a_ledger_of_a_newer_release_is_never_moved(desk: Desk) -> None:
    desk("adopt", "tag/vip")
    with sqlite3.connect((desk.folder / ".reconciler") / "ledger.db") as connection:
        connection.execute("UPDATE ledger_schema SET version = 99")
    connection.close()
    for verb in (("adopt", "tag/vip"), ("adopt", "--all", "m.yaml", "--auto-approve"), ("forget", "tag/vip"), ("history",)):
        assert desk(*verb, m=ALL) == 1
        assert "made by a newer reconciler, or by one from before 0.1.0; upgrade, or move it away" in desk.err
    assert not list((desk.folder / ".reconciler").glob("*damaged*"))


def test_a_database_of_something_else_is_never_moved(desk: Desk) -> None:
    (desk.folder / ".reconciler").mkdir()
    with sqlite3.connect((desk.folder / ".reconciler") / "ledger.db") as connection:
        connection.execute("CREATE TABLE recipes (name)")
    connection.close()
    assert desk("adopt", "tag/vip") == 1
    assert "it is a database of something else; move it away" in desk.err
    assert not list((desk.folder / ".reconciler").glob("*damaged*"))
