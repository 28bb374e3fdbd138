"""Rollouts in the tables: whatever is called when, by whom, and how often, each wave begins once, and each workspace is run once."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, update

from reconciler.errors import Locked, ReconcilerError, Refused, Usage
from reconciler.fleet.entries import TokenEntry
from reconciler.fleet.fleet import Fleet, Wave, Workspace
from reconciler.fleet.rollout import (
    Claim,
    approve,
    begin,
    begin_nightly,
    claim,
    halt,
    list_ready,
    move_on,
    promote,
    reclaim,
    resume,
    settle,
)
from reconciler.fleet.shape import EMPTY
from reconciler.fleet.states import TRIES, Phase, Result, State, Verb
from reconciler.fleet.store import Store
from reconciler.fleet.tables import LAST, RUNS, SCHEMA
from reconciler.fleet.view import One, exit_code, view_now, view_rollout
from tests.desk.soak import times

WAVES = (Wave("canary"), Wave("50%", failures="25%", refused="25%"), Wave("rest", failures=2, refused=2))


@dataclass
class Starts:
    """An engine that only notes what it was asked for."""

    started: list[str] = field(default_factory=list)
    stopped: int = 0
    later: float = 0.0

    def start(self, connection: Connection, rollout: str, app_ids: Sequence[str], *, writes: bool, later: float = 0.0) -> None:
        self.started += app_ids
        self.later = later

    def stop(self, connection: Connection, rollout: str) -> None:
        self.stopped += 1


@dataclass
class Rig:
    """A fleet whose workspaces are run by hand."""

    fleet: Fleet
    store: Store
    engine: Starts
    now: list[float]
    run: str = ""

    def begin(self, verb: Verb = Verb.APPLY) -> str:
        self.run = begin(self.store, self.engine, self.fleet, verb, None, "me")
        return self.run

    def claim(self, app_id: str) -> Claim | None:
        return claim(self.store, self.run, app_id, "me")

    def end(self, app_id: str, state: State = State.DONE, code: int = 0, shape: str | None = EMPTY, **more: Any) -> Phase:
        claimed = self.claim(app_id)
        assert claimed, app_id
        settle(self.store, self.engine, claimed, Result(state, code, "why" if code else "", shape, **more))
        return self.move_on()

    def move_on(self) -> Phase:
        return move_on(self.store, self.engine, self.run)

    def ready(self) -> list[str]:
        return list(list_ready(self.store, self.run, 99)[0])

    def states(self) -> dict[str, State]:
        return {one.app_id: one.state for one in self.view()}

    def view(self) -> Sequence[One]:
        return view_rollout(self.store, self.fleet, self.run).workspaces

    def code(self) -> int:
        return exit_code(view_rollout(self.store, self.fleet, self.run))

    def finish(self) -> Phase:
        """Run all that is queued, whatever comes next, until nothing is."""
        while ready := self.ready():
            for app_id in ready:
                self.end(app_id)
        return self.move_on()


@contextmanager
def rig_in(folder: Path, waves: Sequence[Wave] = WAVES, number: int = 7, address: str = "") -> Iterator[Rig]:
    workspaces = tuple(Workspace(f"w{at}", groups=("canary",) if at < 2 else ()) for at in range(number))
    now = [1_000_000.0]
    store = Store(address or str(folder / "fleet.db"), folder / ".reconciler", lambda: now[0])
    fleet = Fleet("acme", str(folder / "fleet.yaml"), "local", "", (), {}, TokenEntry(keyring=True), tuple(waves), workspaces)
    try:
        yield Rig(fleet, store, Starts(), now)
    finally:
        store.close()


@pytest.fixture
def rig(home: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    address = request.getfixturevalue("postgres").database() if home else ""
    with rig_in(tmp_path, address=address) as made:
        yield made


# The same functions work on both.
in_both = pytest.mark.parametrize("home", ["", "postgresql"])


def test_waves_begin_one_after_the_other_and_each_once(rig: Rig) -> None:
    rig.begin()
    assert (rig.ready(), rig.engine.started) == (["w0", "w1"], ["w0", "w1"])
    assert rig.end("w0") == Phase.RUNNING
    assert [rig.move_on() for _ in range(3)] == [Phase.RUNNING] * 3
    assert rig.end("w1") == Phase.RUNNING
    assert rig.engine.started == ["w0", "w1", "w2", "w3", "w4"]
    assert rig.finish() == Phase.DONE
    assert Counter(rig.engine.started) == dict.fromkeys(rig.states(), 1)
    assert (rig.code(), rig.move_on(), rig.claim("w0")) == (0, Phase.DONE, None)


@in_both
def test_a_result_that_nobody_followed_up_is_followed_up_by_whoever_comes_next(rig: Rig) -> None:
    rig.begin()
    for app_id in ("w0", "w1"):
        claimed = rig.claim(app_id)
        assert claimed
        # Whoever wrote it was killed here.
        settle(rig.store, rig.engine, claimed, Result(State.DONE, 0))
    assert rig.ready() == []
    threads = [threading.Thread(target=rig.move_on) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert Counter(rig.engine.started) == dict.fromkeys(("w0", "w1", "w2", "w3", "w4"), 1)


class Crowd:
    """Workers, people and passers-by, who do things to one rollout in any order."""

    def __init__(self, rig: Rig, rand: random.Random) -> None:
        self.rig, self.rand = rig, rand
        self.claims, self.runs = list[Claim](), Counter[str]()
        self.failing = {app_id for app_id in ("w2", "w5") if rand.random() < 0.4}

    def act(self) -> None:
        acts: list[Callable[[], object]] = [self.settle, self.claim, self.rig.move_on, self.interrupt, self.stop_and_go]
        self.rand.choices(acts, [8, 8, 4, 1, 0.3])[0]()

    def settle(self) -> None:
        if self.claims:
            one = self.claims.pop(self.rand.randrange(len(self.claims)))
            failed = one.app_id in self.failing and self.runs[one.app_id] == 1
            self.keep(one, Result(State.FAILED, 1) if failed else Result(State.DONE, 0))
            # A second time, as from a worker that had been frozen: it is too late.
            self.keep(one, Result(State.FAILED, 1))

    def keep(self, one: Claim, result: Result) -> None:
        settle(self.rig.store, self.rig.engine, one, result)

    def claim(self) -> None:
        if ready := self.rig.ready():
            claimed = self.rig.claim(self.rand.choice(ready))
            assert claimed
            self.runs[claimed.app_id] += 1
            self.claims.append(claimed)
            assert self.rig.claim(claimed.app_id) is None

    def interrupt(self) -> None:
        if self.claims:
            one = self.claims.pop()
            self.runs[one.app_id] -= 1
            self.keep(one, Result(State.QUEUED))

    def stop_and_go(self) -> None:
        halt(self.rig.store, self.rig.engine, self.rig.fleet, self.rig.run, "by people")
        assert self.rig.move_on() in (Phase.STOPPED, Phase.DONE)
        assert self.rig.ready() == []
        while self.claims:
            self.settle()
        self.resume()

    def resume(self) -> None:
        resume(self.rig.store, self.rig.engine, self.rig.fleet, self.rig.run)

    def end(self) -> None:
        while self.rig.move_on() not in (Phase.DONE, Phase.STOPPED):
            self.claim()
            self.settle()

    def check(self) -> None:
        """No wave has begun while one before it is not done."""
        with self.rig.store.reading() as connection:
            rows = connection.execute(select(RUNS.c.app_id, RUNS.c.wave, RUNS.c.state)).all()
        last = max((row.wave for row in rows if self.runs[row.app_id]), default=0)
        left = {row.wave for row in rows if row.state in (State.QUEUED, State.RUNNING)}
        assert min(left, default=last) >= last or self.failing


@settings(max_examples=times(5))
@given(seed=st.integers(0, 2**32))
def test_each_wave_begins_once_whatever_is_called_when_and_by_whom(seed: int) -> None:
    with TemporaryDirectory() as folder, rig_in(Path(folder)) as rig:
        rig.begin()
        crowd = Crowd(rig, random.Random(seed))
        for _ in range(50):
            crowd.act()
            crowd.check()
        crowd.end()
        crowd.resume()
        crowd.end()
        assert set(rig.states().values()) == {State.DONE}
        assert all(crowd.runs[app_id] == 1 + (app_id in crowd.failing) for app_id in rig.states()), crowd.runs


def test_a_wave_over_its_budget_stops_at_once_and_what_is_queued_is_held(rig: Rig) -> None:
    rig.begin()
    assert rig.end("w0", State.FAILED, 65) == Phase.STOPPED
    assert rig.states() == {"w0": State.FAILED, **dict.fromkeys(("w1", "w2", "w3", "w4", "w5", "w6"), State.HELD)}
    view = view_rollout(rig.store, rig.fleet, rig.run)
    assert (view.reason, rig.engine.stopped, rig.code()) == ("wave canary: 1 of 2 failed, and its budget is 0", 1, 5)
    assert rig.claim("w1") is None


def test_what_runs_when_a_rollout_is_stopped_ends_by_itself(rig: Rig) -> None:
    rig.begin()
    claimed = rig.claim("w0")
    halt(rig.store, rig.engine, rig.fleet, rig.run, "stopped by people")
    assert claimed
    settle(rig.store, rig.engine, claimed, Result(State.DONE, 0))
    assert (rig.move_on(), rig.states()["w0"], rig.states()["w1"]) == (Phase.STOPPED, State.DONE, State.HELD)
    assert resume(rig.store, rig.engine, rig.fleet, rig.run) == Phase.RUNNING
    assert rig.ready() == ["w1"]
    assert rig.finish() == Phase.DONE


@in_both
def test_failures_within_the_budget_go_on_and_resume_runs_nothing_but_them(rig: Rig) -> None:
    rig.begin()
    for app_id in ("w0", "w1", "w2", "w3", "w4"):
        rig.end(app_id)
    assert rig.end("w5", State.FAILED, 1) == Phase.RUNNING
    assert rig.end("w6", State.REFUSED, 3) == Phase.DONE
    assert rig.code() == 5
    assert resume(rig.store, rig.engine, rig.fleet, rig.run) == Phase.RUNNING
    assert rig.ready() == ["w5"]
    assert rig.end("w5") == Phase.DONE
    assert (rig.states()["w6"], rig.code()) == (State.REFUSED, 5)


def test_who_resumes_goes_on_in_spite_of_what_is_refused(rig: Rig) -> None:
    rig.begin()
    rig.end("w0")
    assert rig.end("w1", State.REFUSED, 3) == Phase.STOPPED
    assert resume(rig.store, rig.engine, rig.fleet, rig.run) == Phase.RUNNING
    assert rig.finish() == Phase.DONE
    assert Counter(rig.states().values()) == {State.DONE: 6, State.REFUSED: 1}


def test_a_lock_is_no_failure_before_the_last_try(rig: Rig) -> None:
    rig.begin()
    rig.end("w1")
    for turn in range(1, TRIES):
        claimed = rig.claim("w0")
        assert claimed
        settle(rig.store, rig.engine, claimed, Result(State.QUEUED, 6, "locked", later=True))
        assert (rig.states()["w0"], rig.claim("w0")) == (State.QUEUED, None)
        assert rig.engine.later == rig.now[0] + 30 * 2 ** (turn - 1) == list_ready(rig.store, rig.run, 9)[1]
        rig.now[0] = rig.engine.later
    claimed = rig.claim("w0")
    assert claimed
    settle(rig.store, rig.engine, claimed, Result(State.QUEUED, 6, "locked", later=True))
    assert (rig.states()["w0"], rig.move_on()) == (State.FAILED, Phase.STOPPED)


def test_a_worker_that_died_counts_as_a_try_and_the_last_one_fails(rig: Rig) -> None:
    rig.begin()
    rig.end("w1")
    for _ in range(TRIES):
        assert rig.claim("w0")
        reclaim(rig.store, rig.engine, rig.run)
    assert (rig.states()["w0"], rig.move_on()) == (State.FAILED, Phase.STOPPED)


def test_who_is_interrupted_in_a_rollout_that_was_stopped_is_held(rig: Rig) -> None:
    rig.begin()
    claimed = rig.claim("w0")
    assert claimed
    halt(rig.store, rig.engine, rig.fleet, rig.run, "stopped by people")
    settle(rig.store, rig.engine, claimed, Result(State.QUEUED))
    assert (rig.states()["w0"], rig.ready(), rig.engine.started) == (State.HELD, [], ["w0", "w1"])


def test_what_a_dead_worker_had_is_taken_back_once_and_held_where_its_rollout_was_stopped(rig: Rig) -> None:
    rig.begin()
    assert rig.claim("w0")
    assert rig.claim("w1")
    assert reclaim(rig.store, rig.engine, rig.run, ["w0"]) == ["w0"]
    assert reclaim(rig.store, rig.engine, rig.run, ["w0"]) == ()
    halt(rig.store, rig.engine, rig.fleet, rig.run, "stopped by people")
    assert reclaim(rig.store, rig.engine, rig.run) == ["w1"]
    assert (set(rig.states().values()), rig.engine.started) == ({State.HELD}, ["w0", "w1", "w0"])


def test_a_worker_that_wakes_after_its_workspace_went_to_another_changes_nothing(rig: Rig) -> None:
    rig.begin()
    frozen = rig.claim("w0")
    reclaim(rig.store, rig.engine, rig.run)
    other = rig.claim("w0")
    assert frozen
    assert other
    settle(rig.store, rig.engine, frozen, Result(State.FAILED, 1))
    assert (rig.states()["w0"], rig.move_on()) == (State.RUNNING, Phase.RUNNING)
    settle(rig.store, rig.engine, other, Result(State.DONE, 0))
    assert rig.states()["w0"] == State.DONE


def test_an_interruption_is_no_try(rig: Rig) -> None:
    rig.begin()
    for _ in range(TRIES + 2):
        claimed = rig.claim("w0")
        assert claimed
        assert claimed.turn == 1
        settle(rig.store, rig.engine, claimed, Result(State.QUEUED))


def test_a_wave_waits_as_long_as_the_one_before_it_says(tmp_path: Path) -> None:
    with rig_in(tmp_path, (Wave("canary", wait=60), Wave("rest"))) as rig:
        rig.begin()
        rig.end("w0")
        assert rig.end("w1") == Phase.WAITING
        assert view_rollout(rig.store, rig.fleet, rig.run).reason == "until 1970-01-12T13:47:40Z"
        rig.now[0] += 59
        assert (rig.move_on(), rig.ready()) == (Phase.WAITING, [])
        rig.now[0] += 1
        assert (rig.move_on(), len(rig.ready())) == (Phase.RUNNING, 5)


def test_nobody_waits_after_a_wave_without_workspaces_nor_before_one(tmp_path: Path) -> None:
    waves = (Wave("nobody", wait=3600), Wave("canary", wait=60), Wave("rest", wait=60))
    with rig_in(tmp_path, waves, number=2) as rig:
        rig.begin()
        assert rig.ready() == ["w0", "w1"]
        assert (rig.end("w0"), rig.end("w1")) == (Phase.RUNNING, Phase.DONE)


def test_no_more_are_under_way_than_the_wave_says(tmp_path: Path) -> None:
    with rig_in(tmp_path, (Wave("rest", in_flight=2),)) as rig:
        rig.begin()
        assert (len(rig.ready()), rig.claim("w0") is None, rig.claim("w1") is None) == (2, False, False)
        assert (rig.ready(), rig.claim("w2")) == ([], None)


def test_plans_of_a_wave_that_asks_wait_for_people_and_are_let_go_by_shape(tmp_path: Path) -> None:
    with rig_in(tmp_path, (Wave("canary"), Wave("rest", approve=True))) as rig:
        rig.begin()
        rig.end("w0")
        rig.end("w1")
        for app_id, shape in (("w2", "a"), ("w3", "a"), ("w4", "b"), ("w5", "b")):
            claimed = rig.claim(app_id)
            assert claimed
            assert claimed.asks
            settle(rig.store, rig.engine, claimed, Result(State.HELD, None, "", shape, people=4))
        assert rig.end("w6") == Phase.WAITING
        assert rig.code() == 5
        args = rig.store, rig.engine, rig.fleet, rig.run
        with pytest.raises(Refused, match="2 workspaces wait so, where 8 people lose something; --up-to allows 2:7"):
            approve(*args, "a", (2, 7))
        with pytest.raises(Refused, match="--up-to allows 1:99"):
            approve(*args, "a", (1, 99))
        with pytest.raises(Usage, match="no plan of"):
            approve(*args, "c", (9, 9))
        assert approve(*args, "a", (2, 8)) == (2, Phase.RUNNING)
        assert sorted(rig.ready()) == ["w2", "w3"]
        claimed = rig.claim("w2")
        assert claimed
        assert (claimed.asks, claimed.approved) == (False, "a")
        # It moved after people had seen it.
        settle(rig.store, rig.engine, claimed, Result(State.STALE, 4, "", "c"))
        assert rig.end("w3") == Phase.WAITING
        assert approve(*args, None, None) == (3, Phase.RUNNING)
        assert (sorted(rig.ready()), rig.finish(), rig.code()) == (["w2", "w4", "w5"], Phase.DONE, 0)


@in_both
def test_what_was_planned_is_carried_out_with_the_shapes_that_people_saw(rig: Rig) -> None:
    rig.begin(Verb.PLAN)
    assert len(rig.ready()) == 7
    with pytest.raises(Usage, match="has not planned all"):
        promote(rig.store, rig.engine, rig.fleet, rig.run, reviewed=True)
    for app_id in ("w1", "w2", "w3", "w4", "w5", "w6"):
        rig.end(app_id, State.DONE, 2, "a")
    assert rig.end("w0", State.FAILED, 1, shape=None) == Phase.DONE
    assert rig.code() == 1
    assert promote(rig.store, rig.engine, rig.fleet, rig.run, reviewed=True) == Phase.RUNNING
    assert rig.ready() == ["w0", "w1"]
    claims = [rig.claim("w0"), rig.claim("w1")]
    # Nobody saw a plan of the one that could not be read.
    assert [one.approved for one in claims if one] == ["", "a"]
    assert promote(rig.store, rig.engine, rig.fleet, rig.run, reviewed=True) == Phase.RUNNING


def test_nothing_is_approved_in_a_rollout_that_was_stopped(rig: Rig) -> None:
    rig.begin()
    rig.end("w0", State.STALE, 4, "a")
    halt(rig.store, rig.engine, rig.fleet, rig.run, "stopped by people")
    with pytest.raises(Usage, match="was stopped; `reconciler fleet resume .*` goes on with it"):
        approve(rig.store, rig.engine, rig.fleet, rig.run, None, None)
    assert rig.ready() == []


def test_a_wave_that_asks_asks_for_plans_that_people_saw_before_too(tmp_path: Path) -> None:
    with rig_in(tmp_path, (Wave("canary"), Wave("rest", approve=True))) as rig:
        rig.begin(Verb.PLAN)
        for app_id in rig.ready():
            rig.end(app_id, State.DONE, 2, "a")
        promote(rig.store, rig.engine, rig.fleet, rig.run, reviewed=True)
        rig.end("w0")
        rig.end("w1")
        claimed = rig.claim("w2")
        assert claimed
        assert (claimed.asks, claimed.approved) == (True, None)


@in_both
def test_what_is_known_of_a_fleet_is_how_the_last_runs_ended(rig: Rig) -> None:
    assert {one.state for one in view_now(rig.store, rig.fleet).workspaces} == {State.HELD}
    rig.begin(Verb.DRIFT)
    rig.end("w0", State.DONE, 2, "a", changes=3)
    rig.end("w1", State.FAILED, 1)
    rig.begin(Verb.PLAN)
    rig.end("w0", State.DONE, 0)
    now = {one.app_id: one for one in view_now(rig.store, rig.fleet).workspaces}
    assert (now["w0"].exit, now["w0"].drifted, now["w1"].state, now["w2"].state) == (0, True, State.FAILED, State.HELD)
    with rig.store.reading() as connection:
        assert connection.execute(select(LAST)).all()
        assert "plan" not in LAST.c
        assert "plan" in RUNS.c


@in_both
def test_one_rollout_and_one_workspace_are_held_by_one_at_a_time(rig: Rig) -> None:
    with rig.store.hold("workspace", "w0", "ann"):
        with pytest.raises(Locked, match="ann, since .* works on the workspace w0 now"), rig.store.hold("workspace", "w0", "bob"):
            pytest.fail("both have it")
        with rig.store.hold("workspace", "w1", "bob"):
            pass
    with rig.store.hold("workspace", "w0", "bob"):
        pass


def test_a_store_that_is_none_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "fleet.db").write_bytes(b"no database" * 1000)
    with pytest.raises(
        ReconcilerError, match="the rollouts in .*fleet.db cannot be read or kept: it is not a store of rollouts; see to that store"
    ):
        rig_in(tmp_path).__enter__()
    with pytest.raises(Usage, match="the folder of the store .* does not exist"):
        rig_in(tmp_path / "nowhere").__enter__()
    with rig_in(tmp_path, address=str(tmp_path / "x.db")) as rig, rig.store.writing() as connection:
        connection.execute(update(SCHEMA).values(version=99))
    with pytest.raises(ReconcilerError, match="are of another version"):
        rig_in(tmp_path, address=str(tmp_path / "x.db")).__enter__()


def test_a_database_of_something_else_is_no_store_and_stays_as_it_is(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.db"
    with closing(sqlite3.connect(theirs)) as database:
        database.execute("CREATE TABLE people (name)")
    before = theirs.read_bytes()
    with pytest.raises(ReconcilerError, match="theirs.db is a database of something else; name another store$"):
        rig_in(tmp_path, address=str(theirs)).__enter__()
    assert theirs.read_bytes() == before


def test_nobody_gets_a_rollout_of_another_fleet(rig: Rig) -> None:
    run = rig.begin()
    other = Fleet(**{**vars(rig.fleet), "name": "other"})
    for act in (lambda: resume(rig.store, rig.engine, other, run), lambda: view_rollout(rig.store, other, run)):
        with pytest.raises(Usage, match="has no rollout"):
            act()
    with pytest.raises(Usage, match="--group x: no such group"):
        begin(rig.store, rig.engine, rig.fleet, Verb.PLAN, "x", "me")


def test_a_wave_puts_no_more_jobs_into_the_queue_than_may_be_under_way_in_turns_of_its_groups(tmp_path: Path) -> None:
    with rig_in(tmp_path, (Wave("rest", in_flight=3),)) as rig:
        rig.begin()
        # The groups take turns: w0 and w1 are of one, the others of none.
        assert rig.engine.started == ["w0", "w2", "w1"]
        assert [rig.move_on() for _ in range(2)] == [Phase.RUNNING] * 2
        assert rig.end("w2") == Phase.RUNNING
        assert rig.engine.started == ["w0", "w2", "w1", "w3"]
        claimed = rig.claim("w0")
        assert claimed
        # Who waits for a lock makes room for another.
        settle(rig.store, rig.engine, claimed, Result(State.QUEUED, 6, "locked", later=True))
        rig.move_on()
        assert rig.engine.started[4:] == ["w0", "w4"]
        # Stopped and gone on with, the wave is filled anew.
        halt(rig.store, rig.engine, rig.fleet, rig.run, "by people")
        resume(rig.store, rig.engine, rig.fleet, rig.run)
        assert rig.engine.started[6:] == ["w0", "w1", "w3"]
        assert rig.finish() == Phase.DONE
        assert rig.engine.started[9:] == ["w4", "w5", "w6"]


@in_both
def test_the_look_of_a_night_leaves_out_who_still_waits_and_begins_once(rig: Rig) -> None:
    night = rig.now[0]

    def look(since: float) -> str | None:
        return begin_nightly(rig.store, rig.engine, rig.fleet, since)

    rig.begin()
    rig.end("w0")
    assert rig.claim("w1")
    other = rig.run
    first = look(night)
    assert first
    rig.run = first
    # w1 is under way in the other rollout; w2 to w6 are held for later waves of it.
    assert sorted(rig.states()) == ["w0", "w2", "w3", "w4", "w5", "w6"]
    rig.end("w0", State.DONE, 2)
    # A second worker, or the same one after it was killed in the middle.
    assert look(night) is None
    rig.now[0] += 86_400
    second = look(night + 86_400)
    assert second
    rig.run = second
    assert sorted(rig.states()) == ["w0"]
    assert rig.claim("w0")
    rig.now[0] += 86_400
    # All wait.
    assert look(night + 2 * 86_400) is None
    rig.run = other
    assert rig.states()["w1"] == State.RUNNING
