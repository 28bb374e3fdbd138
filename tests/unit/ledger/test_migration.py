"""A ledger that the first release wrote, schema 1, in the hands of this one."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.core.model.address import Address
from reconciler.core.model.attempt import Attempt
from reconciler.ledger.digests import Digests
from reconciler.ledger.errors import LedgerUnusable
from reconciler.ledger.ledger import Ledger
from tests.unit.ledger.changes import APP, HEAD, HOBAN, VIP, a_change, a_record, attempt, known, lost, write

# As SQLAlchemy wrote them for the first release.
FIRST = """
CREATE TABLE ledger_schema (version INTEGER NOT NULL);
CREATE TABLE ledger_keys (fingerprint VARCHAR NOT NULL, since FLOAT NOT NULL, PRIMARY KEY (fingerprint));
CREATE TABLE runs (id VARCHAR NOT NULL, app_id VARCHAR NOT NULL, region VARCHAR NOT NULL, name VARCHAR NOT NULL,
  manifest_digest VARCHAR NOT NULL, plan_digest VARCHAR NOT NULL, started FLOAT NOT NULL, ended FLOAT, exit_code INTEGER, counts JSON,
  PRIMARY KEY (id));
CREATE INDEX runs_by_owner ON runs (app_id, name, started);
CREATE TABLE writes (id INTEGER NOT NULL, run VARCHAR NOT NULL, seq INTEGER NOT NULL, action VARCHAR NOT NULL, kind VARCHAR NOT NULL,
  thing VARCHAR NOT NULL, thing_id VARCHAR, link VARCHAR, target VARCHAR, target_id VARCHAR, fields JSON, intended FLOAT NOT NULL,
  outcome VARCHAR, status INTEGER, live_id VARCHAR, settled FLOAT, PRIMARY KEY (id), UNIQUE (run, seq),
  FOREIGN KEY(run) REFERENCES runs (id));
CREATE INDEX writes_by_thing ON writes (thing, id);
CREATE TABLE ineffective (id INTEGER NOT NULL, place VARCHAR NOT NULL, claim VARCHAR NOT NULL, noted FLOAT NOT NULL, PRIMARY KEY (id));
CREATE INDEX ineffective_by_claim ON ineffective (claim);
CREATE INDEX ineffective_by_place ON ineffective (place);
INSERT INTO ledger_schema VALUES (1);
"""
KEY = "0f" * 32
ACME, CREW, ZOE = Address("company", "acme"), Address("tag", "crew"), Address("contact", "25")
DIGESTS, EARLIER = Digests(bytes.fromhex(KEY)), Digests(bytes.fromhex("1e" * 32))

# Action, address, id before the call, id in the reply, outcome.
Old = tuple[str, Address, str | None, str | None, str | None]


class First:
    """The first release, as far as it wrote."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._database, self._at = sqlite3.connect(folder / "ledger.db"), 100.0
        self._database.execute("PRAGMA journal_mode = WAL").close()
        self._database.executescript(FIRST)

    def run(self, writes: Iterable[Old], name: str = "default", app_id: str = APP, digests: Digests = DIGESTS) -> str:
        self._at += 10
        run = f"20260101T000000{self._at:03.0f}-1a2b3c4d"
        key = (digests.fingerprint, self._at)
        self._database.execute("INSERT OR IGNORE INTO ledger_keys VALUES (?, ?)", key)
        ended = (run, app_id, "us", name, "m", "p", self._at, self._at + 5, 0, '{"applied": 1}')
        self._database.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", ended)
        for seq, (action, address, before, after, outcome) in enumerate(writes):
            link = ("tags", digests.thing(app_id, VIP), "t-1") if action in ("attach", "detach") else (None, None, None)
            row = (run, seq, action, address.kind, digests.thing(app_id, address), before, *link, '["name"]', self._at + seq)
            row += (outcome, 200, after, self._at + seq + 1) if outcome else (None, None, None, None)
            self._database.execute(f"INSERT INTO writes VALUES (NULL, {', '.join('?' * 15)})", row)
        self._database.commit()
        return run

    def close(self) -> None:
        self._database.close()


@pytest.fixture
def first(folder: Path) -> Iterable[First]:
    with closing(First(folder)) as release:
        yield release


def opened(folder: Path, create: bool = False) -> Ledger:
    ledger = Ledger.open(folder, create=create, environ={"RECONCILER_LEDGER_KEY": KEY})
    assert ledger
    return ledger


def test_its_runs_are_still_there_and_count_as_applies(first: First, folder: Path) -> None:
    runs = [first.run([]), first.run([]), first.run([], name="beside")]
    with opened(folder) as ledger:
        assert ledger.warning == ""
        assert [ledger.read_recorded(APP, name).runs for name in ("default", "beside", "third")] == [2, 1, 0]
    with closing(sqlite3.connect(folder / "ledger.db")) as database:
        rows = database.execute("SELECT id, verb, key, exit_code, counts FROM runs ORDER BY id").fetchall()
    assert rows == [(run, "apply", DIGESTS.fingerprint, 0, '{"applied": 1}') for run in runs]


def test_live_ids_are_recorded_and_not_owned(first: First, folder: Path) -> None:
    first.run([("create", HOBAN, None, "c-1", "applied"), ("create", ACME, None, "f-1", "ineffective")])
    run = first.run([("update", CREW, "t-2", None, "applied"), ("attach", ZOE, "c-2", None, "applied")])
    with opened(folder) as ledger:
        memory = ledger.read_recorded(APP)
        assert {a: known(ledger, a) for a in (HOBAN, ACME, CREW, ZOE)} == {HOBAN: "c-1", ACME: "f-1", CREW: "t-2", ZOE: "c-2"}
        assert replace(memory.records["tag", "t-2"], fields={}, links={}) == replace(
            a_record(DIGESTS, CREW, "t-2"), owned=False, address="", run=run, written=121.0
        )
        assert not any(r.owned or r.protected or r.deleted or r.fields or r.links for r in memory.records.values())
        assert not memory.attempts


@pytest.mark.parametrize(
    ("writes", "wanted"),
    [
        ([("create", HOBAN, None, "c-1", "applied"), ("archive", HOBAN, "c-1", None, "applied")], ["c-1"]),
        ([("create", HOBAN, None, "c-1", "applied"), ("create", HOBAN, None, "c-2", "applied")], ["c-2"]),
        ([("update", HOBAN, "c-1", "c-1", "applied"), ("update", HOBAN, "c-2", None, "failed")], ["c-1"]),
        ([("create", HOBAN, None, "c-1", "applied"), ("delete", HOBAN, "c-1", None, "applied")], []),
        ([("create", HOBAN, None, "c-1", "applied"), ("rename", ZOE, "c-1", None, "applied")], ["c-1"]),
        ([("create", HOBAN, None, "c-1", "applied"), ("rename", ZOE, "c-1", None, "applied"), ("delete", ZOE, "c-1", None, "applied")], []),
        ([("delete", HOBAN, "c-1", None, "applied"), ("create", HOBAN, None, "c-2", "applied")], ["c-2"]),
        ([("delete", HOBAN, "c-1", None, "applied"), ("unarchive", HOBAN, "c-1", "c-1", "applied")], ["c-1"]),
        ([("create", HOBAN, None, "c-1", "applied"), ("delete", HOBAN, "c-1", None, "failed")], ["c-1"]),
        ([("create", HOBAN, None, "c-1", "failed"), ("create", ZOE, None, None, "skipped"), ("update", ACME, "f-1", None, None)], []),
        ([("create", HOBAN, None, None, "applied"), ("attach", ZOE, None, None, "applied")], []),
    ],
)
def test_what_its_writes_say_of_live_ids_is_recorded_and_nothing_else(
    first: First, folder: Path, writes: list[Old], wanted: list[str]
) -> None:
    first.run(writes)
    with opened(folder) as ledger:
        assert [live_id for _, live_id in ledger.read_recorded(APP).records] == wanted


def test_a_renamed_thing_has_its_last_address(first: First, folder: Path) -> None:
    first.run([("create", HOBAN, None, "c-1", "applied"), ("rename", ZOE, "c-1", None, "applied")])
    with opened(folder) as ledger:
        assert (known(ledger, HOBAN), known(ledger, ZOE)) == (None, "c-1")


def test_every_name_and_every_workspace_has_what_it_wrote_unless_another_deleted_it(first: First, folder: Path) -> None:
    first.run([("create", VIP, None, "t-1", "applied"), ("create", CREW, None, "t-2", "applied")])
    first.run([("update", VIP, "t-1", None, "applied"), ("delete", CREW, "t-2", None, "applied")], name="beside")
    first.run([("delete", VIP, "t-1", None, "applied"), ("update", CREW, "t-9", None, "applied")], app_id="another")
    with opened(folder) as ledger:
        for name in ("default", "beside"):
            assert list(ledger.read_recorded(APP, name).records) == [("tag", "t-1")]
        assert ledger.read_recorded(APP, "third").others[("tag", "t-1")].name == "default"
        assert list(ledger.read_recorded("another").records) == [("tag", "t-9")]


def test_a_create_without_an_answer_is_an_attempt_without_proof(first: First, folder: Path) -> None:
    first.run([("create", HOBAN, None, None, None), ("update", ZOE, "c-2", None, None), ("create", VIP, None, None, "failed")])
    with opened(folder) as ledger:
        assert list(ledger.read_recorded(APP).attempts.values()) == [Attempt("create", 110.0, False, False, {}, "contact")]
        assert ledger.read_recorded(APP).attempt(HOBAN)
        assert not lost(ledger)


def test_a_create_without_an_answer_is_none_where_something_was_done_later(first: First, folder: Path) -> None:
    first.run([("create", HOBAN, None, None, None), ("create", ZOE, None, "c-2", "applied"), ("create", ZOE, None, None, None)])
    first.run([("update", HOBAN, "c-1", None, "applied")])
    with opened(folder) as ledger:
        assert [ledger.read_recorded(APP).attempt(address) is not None for address in (HOBAN, ZOE)] == [False, True]


def test_everything_works_in_it_afterwards(first: First, folder: Path) -> None:
    first.run([("create", HOBAN, None, "c-1", "applied"), ("create", ZOE, None, None, None), ("create", CREW, None, None, None)])
    with opened(folder, create=True) as ledger:
        write(ledger, ZOE, "c-2")
        attempt(ledger, a_change(address=VIP), None, proof=True)
        ledger.record(APP, "default", [a_record(ledger.digests, id="c-1", values={"name": "Hoban"})])
        ledger.note_ineffective(APP, HOBAN, "phone", "+1555")
        ledger.end(ledger.begin(HEAD), 0, {})
    with opened(folder) as ledger:
        memory = ledger.read_recorded(APP)
        assert {r.id: r.owned for r in memory.records.values()} == {"c-1": True, "c-2": True}
        assert [memory.attempt(address) is not None for address in (HOBAN, ZOE, CREW, VIP)] == [False, False, True, True]
        assert (memory.created(VIP), memory.runs) == (True, 4)
        assert ledger.read_recorded(APP).reply_match(HOBAN, "phone", "+1555", None)


def test_its_tables_become_those_of_a_new_ledger(first: First, folder: Path, tmp_path: Path) -> None:
    first.run([("create", HOBAN, None, "c-1", "applied")])
    columns = []
    for place in (folder, tmp_path / "new"):
        opened(place, create=True).close()
        with closing(sqlite3.connect(place / "ledger.db")) as database:
            named = (
                "SELECT m.type, m.name, c.name FROM sqlite_master m LEFT JOIN pragma_table_info(m.name) c WHERE m.name NOT LIKE 'sqlite%'"
            )
            columns.append(sorted(map(str, database.execute(named))))
            assert database.execute("SELECT version FROM ledger_schema").fetchall() == [(4,)]
            assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    assert columns[0] == columns[1]


def test_what_a_key_wrote_stays_its_own(first: First, folder: Path) -> None:
    first.run([("create", HOBAN, None, "c-1", "applied"), ("create", CREW, None, None, None)], digests=EARLIER)
    first.run([("create", ZOE, None, "c-2", "applied"), ("create", ACME, None, None, None)])
    with opened(folder) as ledger:
        memory = ledger.read_recorded(APP)
        assert (list(memory.records), memory.runs, memory.others) == ([("contact", "c-2")], 1, {})
        assert [memory.attempt(address) is not None for address in (CREW, ACME)] == [False, True]
    earlier = Ledger.open(folder, create=False, environ={"RECONCILER_LEDGER_KEY": "1e" * 32})
    assert earlier
    with earlier:
        assert "recorded with another key" in earlier.warning
        assert list(earlier.read_recorded(APP).records) == [("contact", "c-1")]


def test_one_without_any_run_is_taken_forward_too(first: First, folder: Path) -> None:
    first.close()
    with opened(folder) as ledger:
        assert (ledger.warning, ledger.read_recorded(APP).runs) == ("", 0)


def test_many_writes_take_no_longer_than_a_breath(first: First, folder: Path) -> None:
    first.run(("create", Address("contact", f"{n}"), None, f"c-{n}", "applied") for n in range(20_000))
    first.run(("delete", Address("contact", f"{n}"), f"c-{n}", None, "applied") for n in range(10_000))
    begun = time.perf_counter()
    with opened(folder) as ledger:
        assert len(ledger.read_recorded(APP).records) == 10_000
    assert time.perf_counter() - begun < 5


def test_a_migration_that_dies_halfway_changed_nothing(first: First, folder: Path) -> None:
    first.run([("create", HOBAN, None, "c-1", "applied")])
    with closing(sqlite3.connect(folder / "ledger.db")) as database:
        database.execute("CREATE TABLE things (app_id TEXT)")
    with pytest.raises(LedgerUnusable, match="its tables are not those of a ledger"):
        opened(folder)
    with closing(sqlite3.connect(folder / "ledger.db")) as database:
        database.execute("DROP TABLE things")
    with opened(folder) as ledger:
        assert known(ledger) == "c-1"


def test_a_schema_of_a_later_release_is_refused(first: First, folder: Path) -> None:
    opened(folder).close()
    with closing(sqlite3.connect(folder / "ledger.db")) as database, database:
        database.execute("UPDATE ledger_schema SET version = 5")
    with pytest.raises(LedgerUnusable, match=r"a newer reconciler wrote it \(schema 5, this one knows 4\); upgrade reconciler$"):
        opened(folder, create=True)
