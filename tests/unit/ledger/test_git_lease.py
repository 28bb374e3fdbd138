"""The lock of a ledger in git: a lease that is renewed, lost and taken over."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import Locked
from reconciler.ledger.errors import LedgerUnusable
from reconciler.ledger.homes.git import LEDGER, GitHome
from reconciler.ledger.homes.home import Lock, LockLost, Waiting
from reconciler.ledger.run import PlannedWrite, Settlement
from tests.desk.clock import Clock
from tests.desk.repositories import a_clone, a_home, around, git, log
from tests.unit.ledger.changes import APP, HEAD, HOBAN, VIP, a_change, a_record, is_lost_create, live_id_of, write
from tests.unit.ledger.shared import WASH, ZOE, Opened, make_ledger, tick


def test_a_lease_that_was_not_renewed_for_a_minute_is_taken_over_and_its_holder_told(opened: Opened, clock: Clock) -> None:
    first = opened()
    with first.lock(APP, WASH, clock.waiting()):
        clock.now += 60
        with pytest.raises(Locked, match="wash on serenity, since 2026-01-01 00:00:00 UTC, holds the lock"):
            opened().home.lock(APP, ZOE, clock.waiting())
        clock.now += 1
        with opened().lock(APP, ZOE, clock.waiting()) as taken:
            assert taken.taken_over == (
                "wash on serenity, since 2026-01-01 00:00:00 UTC, held the lock of refs/reconciler/ledger of origin "
                "and renewed it last 61 s ago: it is taken over"
            )
            with pytest.raises(LockLost, match="could not be renewed for 61 s"):
                first.check()
            tick(first)
            with pytest.raises(LockLost, match="went to another run: nothing more is written to Intercom; run again"):
                first.check()
            with pytest.raises(LockLost):
                first.home.publish()
            taken.check()
        taken.check()


def test_what_the_loser_still_wrote_is_not_in_the_ledger_of_the_winner(remote: Path, opened: Opened, clock: Clock) -> None:
    first, second = opened(), opened(a_clone(remote, "other"))
    with first.lock(APP, WASH, clock.waiting()):
        write(first, HOBAN, "c-1")
        first.home.publish()
        clock.now += 61
        with second.lock(APP, ZOE, clock.waiting()):
            first.record(APP, "default", [a_record(first.digests, HOBAN, "c-lost")], [("contact", "c-1")])
            assert live_id_of(second) == "c-1"
            write(second, VIP, "t-1")
    assert (live_id_of(opened()), live_id_of(opened(), VIP)) == ("c-1", "t-1")


def test_whoever_waits_takes_over_a_lease_of_a_clock_far_ahead_when_nobody_renews_it(opened: Opened, clock: Clock) -> None:
    ahead = Clock(clock.now + 1e6)

    def leap(seconds: float) -> None:
        clock.now += 25

    with opened().lock(APP, WASH, ahead.waiting()):
        with pytest.raises(Locked):
            opened().home.lock(APP, ZOE, Waiting(50, leap, clock, clock))
        opened().home.lock(APP, ZOE, Waiting(70, leap, clock, clock)).release()


def test_a_renewal_is_a_push_of_what_was_written(remote: Path, opened: Opened, clock: Clock) -> None:
    ledger = opened()
    with ledger.lock(APP, WASH, clock.waiting()):
        for _ in range(4):
            clock.now += 40
            tick(ledger)
            ledger.check()
        write(ledger)
        tick(ledger)
        assert live_id_of(opened(a_clone(remote, "other"))) == "c-1"
        with pytest.raises(Locked, match="wash on serenity"):
            opened().home.lock(APP, ZOE, clock.waiting())


def test_an_outcome_that_comes_after_a_push_goes_with_the_next(opened: Opened, clock: Clock) -> None:
    ledger = opened()
    with ledger.lock(APP, WASH, clock.waiting()):
        run, change = ledger.begin(HEAD), a_change()
        [number] = ledger.plan(run, [PlannedWrite(change, proof=True)])
        ledger.intend({number: change})
        tick(ledger)
        assert is_lost_create(opened())
        ledger.settle(run, [Settlement(number, "failed")])
        tick(ledger)
        assert not is_lost_create(opened())


def test_a_thread_renews_it_until_it_is_released(clone: Path, remote: Path, clock: Clock) -> None:
    waits: list[float] = []

    def twice(ended: object, seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) > 2

    home = GitHome("origin", around(clone), waits=twice)
    lock = home.lock(APP, WASH, clock.waiting())
    while len(waits) < 3:
        pass
    lock.release()
    home.close()
    assert (waits, log(remote)) == ([10.0] * 3, ["ledger: lease"] * 4)


def test_a_remote_that_is_away_for_less_than_fifty_seconds_does_no_harm(remote: Path, opened: Opened, clock: Clock) -> None:
    ledger = opened()
    with ledger.lock(APP, WASH, clock.waiting()):
        write(ledger)
        gone = remote.rename(remote.with_name("gone.git"))
        clock.now += 50
        tick(ledger)
        ledger.check()
        clock.now += 1
        with pytest.raises(LockLost, match="could not be renewed for 51 s: nothing more is written to Intercom; run again"):
            ledger.check()
        gone.rename(remote)
        tick(ledger)
        ledger.check()
    assert live_id_of(opened()) == "c-1"


def test_a_machine_that_slept_has_lost_it_though_its_own_clock_stood_still(opened: Opened, clock: Clock) -> None:
    awake = Clock(0.0)
    with opened().lock(APP, WASH, Waiting(0, clock.sleep, awake, clock)) as lock:
        clock.now += 51
        with pytest.raises(LockLost, match="for 51 s"):
            lock.check()
        clock.now, awake.now = clock.now - 51, 51.0
        with pytest.raises(LockLost, match="for 51 s"):
            lock.check()


def test_what_could_not_be_published_is_said_and_the_lock_is_let_go_without_a_word(remote: Path, opened: Opened, clock: Clock) -> None:
    ledger = opened()
    with ledger.lock(APP, WASH, clock.waiting()):
        write(ledger)
        gone = remote.rename(remote.with_name("gone.git"))
        with pytest.raises(LedgerUnusable, match="ledger of origin cannot be used: the remote origin cannot be reached"):
            ledger.home.publish()
    gone.rename(remote)
    with ledger.lock(APP, WASH, Waiting(99, clock.sleep, clock, clock)):
        assert live_id_of(ledger) == "c-1"
    assert live_id_of(opened()) == "c-1"


def test_a_push_whose_answer_was_lost_is_known_again(remote: Path, clone: Path, opened: Opened, clock: Clock, tmp_path: Path) -> None:
    ledger = opened()
    with ledger.lock(APP, WASH, clock.waiting()):
        (tmp_path / "cut").write_text(f'#!/bin/sh\ngit-receive-pack "$@"\nmv {remote} {remote}.gone\nexit 1\n')
        (tmp_path / "cut").chmod(0o755)
        git(clone, "config", "remote.origin.receivepack", str(tmp_path / "cut"))
        write(ledger)
        clock.now += 40
        tick(ledger)
        git(clone, "config", "--unset", "remote.origin.receivepack")
        assert not remote.exists()
        Path(f"{remote}.gone").rename(remote)
        tick(ledger)
        clock.now += 40
        ledger.check()
    assert live_id_of(opened()) == "c-1"
    assert [line.partition("-")[0][:14] for line in log(remote)] == ["ledger: lease", "ledger: lease", "ledger: 202601", "ledger: lease"]


@pytest.mark.parametrize("first", [True, False])
def test_of_two_that_are_as_fast_one_has_the_lock(clone: Path, opened: Opened, clock: Clock, first: bool) -> None:
    if not first:
        make_ledger(opened, clock)
    other, taken = a_home(clone), list[Lock]()

    def now() -> float:
        if not taken:
            taken.append(opened().home.lock(APP, WASH, clock.waiting()))
        return clock()

    with pytest.raises(Locked, match="wash on serenity"):
        other.lock(APP, WASH, Waiting(0, clock.sleep, clock, now))
    taken[0].check()
    other.close()


def test_a_ref_that_was_deleted_under_a_holder_is_a_lock_that_is_lost(remote: Path, opened: Opened, clock: Clock) -> None:
    ledger = opened()
    with ledger.lock(APP, WASH, clock.waiting()):
        git(remote, "update-ref", "-d", LEDGER)
        tick(ledger)
        with pytest.raises(LockLost):
            ledger.check()
    assert not ledger.home.exists()
