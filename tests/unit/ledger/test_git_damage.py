"""A ledger in git whose files nobody of ours wrote."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.ledger.errors import LedgerUnusable
from reconciler.ledger.homes.file import FileHome
from reconciler.ledger.homes.git import LEDGER
from reconciler.ledger.homes.lines import Damaged, file_of, load, take_changes
from reconciler.ledger.homes.remote import Remote
from reconciler.ledger.ledger import Ledger
from tests.desk.clock import Clock
from tests.desk.repositories import KEY, around, git
from tests.desk.soak import times
from tests.unit.ledger.changes import APP, live_id_of, write
from tests.unit.ledger.shared import ZOE, Opened, make_ledger


def tamper(clone: Path, changes: Mapping[str, bytes | None]) -> None:
    """Let somebody else push a ledger in which these files are others, or gone."""
    there = Remote("origin", around(clone), "there")
    tree = there.tree(LEDGER)
    kept = {path: content for path, content in changes.items() if content is not None}
    files = {path: blob for path, blob in tree.files.items() if path not in changes} | dict(
        zip(kept, there.keep(list(kept.values())), strict=True)
    )
    commit = there.commit(files, tree.tip, "by hand", 0)
    assert there.swap(LEDGER, commit, tree.tip) == commit


THING = file_of("things", "contact", "c-1")


def content(remote: Path, path: str) -> bytes:
    return git(remote, "show", f"{LEDGER}:{path}").encode()


@pytest.fixture(scope="module")
def whole() -> Mapping[str, bytes]:
    """The files of a ledger with one run and one thing."""
    with tempfile.TemporaryDirectory() as folder:
        engine = load(f"{folder}/ledger.db", "the ref", {})
        with Ledger(FileHome(Path(folder)), engine, bytes.fromhex(KEY), Clock(1_767_225_600.0)) as ledger:
            write(ledger)
            return take_changes(engine)


def load_files(files: Mapping[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        load(f"{folder}/ledger.db", "the ref", files).dispose()


@pytest.mark.parametrize(
    ("path", "damage"),
    [
        (THING, lambda old: old[:-20]),
        (THING, lambda old: b"\xff\xfe" + old),
        (THING, lambda old: old + old),
        (THING, lambda old: b"[]\n"),
        (THING, lambda old: b"7\n"),
        (THING, lambda old: old.replace(b'"key"', b'"quay"')),
        (THING, lambda old: old.replace(b"true", b'"yes"')),
        (THING, lambda old: old.replace(b'"c-1"', b"null")),
        ("runs.jsonl", lambda old: old.replace(b'"exit_code":null', b'"exit_code":"five"')),
        ("runs.jsonl", lambda old: old.replace(b'"started":', b'"started":"x","ended":')),
        ("runs.jsonl", lambda old: b""),
        ("ledger_schema.jsonl", lambda old: b"{"),
    ],
)
def test_files_that_no_release_wrote_are_damage(whole: Mapping[str, bytes], path: str, damage: Callable[[bytes], bytes]) -> None:
    load_files(whole)
    assert damage(whole[path]) != whole[path]
    with pytest.raises(Damaged):
        load_files({**whole, path: damage(whole[path])})


def test_a_damaged_tree_is_one_sentence(remote: Path, clone: Path, opened: Opened, clock: Clock) -> None:
    make_ledger(opened, clock)
    tamper(clone, {THING: content(remote, THING)[:-20]})
    with pytest.raises(LedgerUnusable) as said:
        opened()
    assert str(said.value) == (
        "the ledger refs/reconciler/ledger of origin cannot be used: it is damaged; push an older commit back to it "
        "(git log refs/reconciler/ledger), or delete the ref to start anew"
    )


@settings(max_examples=times(25))
@given(path=st.sampled_from([THING, "runs.jsonl", "ledger_keys.jsonl"]), at=st.integers(0, 700), junk=st.binary(max_size=6))
def test_bytes_that_changed_anywhere_are_a_ledger_or_damage(whole: Mapping[str, bytes], path: str, at: int, junk: bytes) -> None:
    changed = whole[path][:at] + junk + whole[path][at + len(junk) :]
    damaged = False
    try:
        load_files({**whole, path: changed})
    except Damaged:
        damaged = True
    # Anything but the one sentence would have ended this test, and what is whole is never called damaged.
    assert not (damaged and changed == whole[path])


def test_a_lease_that_cannot_be_read_is_damage_and_not_a_free_lock(clone: Path, opened: Opened, clock: Clock) -> None:
    make_ledger(opened, clock)
    for lease in (b"{}", b"[", b"[" * 100_000, b'{"who":"x","since":1e300,"renewed":1,"nonce":""}'):
        tamper(clone, {"lease.json": lease})
        with pytest.raises(LedgerUnusable, match="it is damaged"):
            opened().home.lock(APP, ZOE, clock.waiting())


def test_a_newer_schema_asks_for_an_upgrade(clone: Path, opened: Opened, clock: Clock) -> None:
    make_ledger(opened, clock)
    tamper(clone, {"ledger_schema.jsonl": b'{"version":9}\n', THING: b'{"new":1}\n'})
    with pytest.raises(LedgerUnusable, match="it was made by a newer reconciler, or by one from before 0.1.0; upgrade, or move it away$"):
        opened()


def test_a_tree_without_a_schema_is_refused(clone: Path, opened: Opened, clock: Clock) -> None:
    make_ledger(opened, clock)
    tamper(clone, {"ledger_schema.jsonl": None})
    with pytest.raises(LedgerUnusable, match="it names no schema version"):
        opened()


def test_files_of_somebody_else_in_the_tree_do_no_harm(clone: Path, opened: Opened, clock: Clock) -> None:
    make_ledger(opened, clock)
    tamper(clone, {"README.md": b"our ledger\n", "things/.jsonl.old": b"?", "others/a.jsonl": b"?", "writes.jsonl": b"?"})
    with opened() as ledger, ledger.lock(APP, ZOE, clock.waiting()):
        assert live_id_of(ledger) == "c-1"
