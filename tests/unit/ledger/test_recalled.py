"""What is recalled of many: a record is made of what somebody asks for, and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from sqlite3 import Connection

import pytest

from reconciler.core.model.record import Record
from reconciler.core.model.records import Records
from reconciler.ledger.ledger import Ledger
from tests.conftest import MakeRoute
from tests.desk.counting import Lines
from tests.unit.ledger.changes import APP

FOUND = Record("contact", "c1", "digest", "contact/25", files=("./people.yaml",), run="r1", links={"tags": {"t1": "found"}})


def recall(ledger: Ledger, *records: Record) -> Records:
    ledger.record(APP, "default", records)
    return ledger.read_recorded(APP).records


@pytest.mark.parametrize(
    "more",
    [
        {"owned": True},
        {"protected": True},
        {"deleted": True},
        {"written": 1.5},
        {"links": {"tags": {"t1": "found", "t2": "owned"}}},
        {"policies": {"rule contact tags": "digest"}},
    ],
)
def test_what_the_whole_ledger_is_asked_for_is_read_at_once(ledger: Ledger, more: dict[str, object]) -> None:
    other = replace(FOUND, id="c2", files=("./more.yaml",), **more)  # type: ignore[arg-type] # of fields that a record has
    records = recall(ledger, FOUND, other)
    assert list(records.notable.values()) == [other]
    assert dict(records) == {FOUND.name: FOUND, other.name: other}
    assert records.files == {"./people.yaml", "./more.yaml"}


def test_an_address_has_the_record_that_is_not_deleted_and_was_written_last(ledger: Ledger) -> None:
    late, gone = replace(FOUND, id="c0", written=2.0), replace(FOUND, id="c9", written=3.0, deleted=True)
    records = recall(ledger, FOUND, replace(FOUND, id="c2"), gone, late, replace(FOUND, id="c3", kind="lead"))
    assert [record.id for record in records.under("contact", "digest")] == ["c0", "c2", "c1", "c9"]
    assert records.under("contact", "other") == []
    assert [record.id for record in records.of_kind("lead")] == ["c3"]


def test_of_many_records_that_come_one_by_one_the_last_of_one_thing_stays(ledger: Ledger) -> None:
    recall(ledger, FOUND, replace(FOUND, id="left"))
    first, last = replace(FOUND, run="r2"), replace(FOUND, run="r3")
    ledger.record(
        APP, "default", iter([first, *(replace(FOUND, id=f"d{n}") for n in range(2000)), last]), names_gone=iter([("contact", "left")])
    )
    records = ledger.read_recorded(APP).records
    assert (len(records), records[FOUND.name]) == (2001, last)


def test_what_is_let_go_or_written_again_is_of_its_kind_alone(ledger: Ledger) -> None:
    company = replace(FOUND, kind="company", address="company/7")
    recall(ledger, FOUND, company)
    again = replace(FOUND, run="r2")
    assert dict(recall(ledger, again)) == {again.name: again, company.name: company}
    ledger.record(APP, "default", (), [company.name])
    assert dict(ledger.read_recorded(APP).records) == {again.name: again}
    ledger.forget(APP, "default", [company])
    assert dict(ledger.read_recorded(APP).records) == {again.name: again}


@pytest.mark.parametrize("names_gone", [False, True], ids=["written", "let go"])
def test_twice_as_many_records_take_no_more_than_twice_the_steps_of_the_database(ledger: Ledger, names_gone: bool) -> None:
    def steps(number: int) -> int:
        """So many new ones, beside those that are there; in steps of SQLite's machine, by the hundred."""
        records = [replace(FOUND, id=f"{number}-{n}") for n in range(number)]
        with count_steps(ledger) as counted:
            ledger.record(APP, f"of {number}", records)
        assert len(ledger.read_recorded(APP, f"of {number}").records) == number
        if names_gone:
            with count_steps(ledger) as counted:
                ledger.record(APP, f"of {number}", (), [record.name for record in records])
            assert len(ledger.read_recorded(APP, f"of {number}").records) == 0
        return len(counted)

    assert steps(4000) < 2.5 * steps(2000)


@contextmanager
def count_steps(ledger: Ledger) -> Iterator[list[int]]:
    counted: list[int] = []
    with ledger._engine.connect() as connection:
        sqlite = connection.connection.driver_connection
    assert isinstance(sqlite, Connection)
    sqlite.set_progress_handler(lambda: counted.append(1), 100)
    yield counted
    sqlite.set_progress_handler(None, 0)


def test_nobody_who_is_as_declared_costs_a_digest_or_a_record(make_route: MakeRoute) -> None:
    people = {"tags": ["vip"], "contacts": [{"external_id": f"u{n}", "tags": ["vip"]} for n in range(10)]}
    route = make_route(people, ledger=True)
    path = route.manifest(people)
    route.converge(path)
    with Lines() as lines:
        planned = route.planned(path)
    assert (len(planned.comparison.recorded.records), planned.plan.changes) == (11, ())
    assert lines["ledger/rows.py _read_records"]
    assert {where for where in lines if where.endswith((" _read_record", " Digests.thing", " Digests.claim", " _Texts._map"))} == set()
