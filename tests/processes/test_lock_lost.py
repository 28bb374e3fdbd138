"""A lock that is lost in the middle of an apply: nothing more is written to Intercom, nor to the ledger, and the next apply finishes."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from reconciler.ledger.homes.git import GitLock
from reconciler.ledger.ledger import Ledger
from tests.desk.desk import Desk
from tests.desk.postgres import Cluster
from tests.desk.repositories import KEY, a_clone, a_home
from tests.processes.oracle import assert_ledger_is_true, check_ledger, live_in
from tests.processes.racing import AT_ONCE, Opens, Side, read

# One call after the other: a tag, its link, the deletion of another tag.
CALLS = 3
SEED = {"tags": ["old", "theirs"], "contacts": [{"external_id": "1", "tags": ["old", "theirs"]}]}
WANTED = """
name: growth
workspace: {app_id: sandbox1, region: us}
tags: [new, {name: old, state: absent}]
contacts: [{external_id: "1", tags: [new]}]
"""
LOCKS = """
SELECT pg_terminate_backend(pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE locktype = 'advisory' AND datname = 'ledger'
"""
ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'ledger' AND pid <> pg_backend_pid()"


NEWER = WANTED.replace("tags: [new, {", "tags: [new, more, {").replace("tags: [new]", "tags: [new, more]")


def at(desk: Desk, number: int, happens: Callable[[], object], look: str = "^/companies$") -> None:
    """With this call in flight, counted from 1; 0 is the look under the lock, before the first of them.

    An apply that has planned itself counts again who has the tag; one that was handed a plan lists the tags again.
    """
    method, path, after = (
        ("GET", look, 1),
        ("POST", "^/tags$", 0),
        ("POST", "^/contacts/.*/tags$", 0),
        ("DELETE", "^/tags/", 0),
    )[number]
    desk.box.faults.add(method, path, after=after, run=happens)


@pytest.mark.parametrize("home", ["postgresql"])
@pytest.mark.parametrize("sql", [LOCKS, ALL], ids=["its connection", "all connections"])
@pytest.mark.parametrize("number", range(CALLS + 1))
def test_a_connection_that_is_gone_ends_the_writing(desk: Desk, postgres: Cluster, number: int, sql: str) -> None:
    desk.seed(**SEED)
    before = live_in(desk.box)
    at(desk, number, lambda: postgres.run(sql, "ledger"))
    code, said = 5, "/ledger, which held its lock, is gone: nothing more is written to Intercom; run again"
    if (number, sql) == (0, ALL):
        # Nothing was begun.
        code, said = 1, "/ledger cannot be used: the connection was lost; run again"
    assert desk("apply", "m.yaml", "--auto-approve", m=WANTED) == code, desk.err
    assert len(desk.writes) == number
    assert f"127.0.0.1:{postgres.port}{said}" in desk.err
    assert desk("apply", "m.yaml", *AT_ONCE) == 0, desk.err
    assert len(desk.writes) == CALLS
    check_ledger(desk, before)


@pytest.mark.parametrize("home", ["postgresql"])
@pytest.mark.parametrize("number", range(CALLS + 1))
def test_whoever_takes_over_is_not_disturbed_by_who_lost_it(desk: Desk, postgres: Cluster, number: int) -> None:
    desk.seed(**SEED)
    before, written = live_in(desk.box), list[int]()
    desk.write("m.yaml", WANTED)
    with ExitStack() as stack:
        zoe = Side("zoe on serenity", desk.box, desk.opens, stack, timeout=10)

        def happens() -> None:
            postgres.run(LOCKS, "ledger")
            assert zoe.apply(read(desk.folder, "m.yaml", NEWER)).code == 0
            written.append(len(desk.writes))

        at(desk, number, happens)
        assert desk("apply", "m.yaml", "--auto-approve") == 5
    assert len(desk.writes) == written[0] + bool(number), "none but the one in flight"
    check_ledger(desk, before)
    assert desk("plan", "m.yaml", "--detailed-exitcode") == 0, desk.out


def opened(clone: Path) -> Opens:
    """Opens the ledger in the remote of a clone; its lease is renewed when a test says so."""

    def opens(create: bool) -> Ledger | None:
        home = a_home(clone)
        return Ledger(home, home.engine(create=create), bytes.fromhex(KEY), folder=clone / ".reconciler")

    return opens


@pytest.mark.parametrize("home", ["git"])
@pytest.mark.parametrize("number", range(CALLS + 1))
def test_a_lease_that_was_stolen_ends_the_writing_with_the_next_renewal(desk: Desk, number: int) -> None:
    desk.seed(**SEED)
    before, written = live_in(desk.box), list[int]()
    other = a_clone(desk.folder.with_name("remote.git"), "other")
    with ExitStack() as stack:
        wash = Side("wash on serenity", desk.box, opened(desk.folder), stack)
        zoe = Side("zoe on serenity", desk.box, opened(other), stack, now=lambda: time.time() + 61)

        def happens() -> None:
            assert zoe.apply(read(desk.folder, "m.yaml", NEWER)).code == 0
            written.append(len(desk.writes))
            assert wash.ledger
            assert isinstance(wash.ledger._held, GitLock)
            wash.ledger._held.tick()

        at(desk, number, happens, look="^/tags$")
        lost = wash.apply(read(desk.folder, "m.yaml", WANTED))
    assert (lost.code, len(desk.writes)) == (5, written[0] + bool(number)), "none but the one in flight"
    assert lost.said == (
        "the lock of the ledger refs/reconciler/ledger of origin went to another run: nothing more is written to Intercom; run again"
    )
    assert desk("apply", "m.yaml", *AT_ONCE) == 0, desk.err
    assert len(desk.writes) == written[0] + bool(number)
    # What the loser had written since his last push is not in the ledger of the winner: less is called ours than is, never more.
    assert_ledger_is_true(desk.recorded("growth"), before, live_in(desk.box))
