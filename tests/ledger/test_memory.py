"""What a ledger says about an address after what was written to it."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from reconciler.core.change import Action
from reconciler.core.resource import Address
from reconciler.core.values import same
from reconciler.ledger import Known, Ledger, Settlement
from reconciler.ledger.database import engine_for
from reconciler.ledger.digests import Digests
from reconciler.ledger.tables import RUNS, WRITES
from tests.ledger.changes import APP, HEAD, HOBAN, VIP, a_change, an_attach, write
from tests.ledger.conftest import Clock

THINGS = [HOBAN, Address("contact", "25"), Address("company", "acme")]


def test_a_created_contact_is_known_by_its_address(ledger: Ledger, clock: Clock) -> None:
    write(ledger, live_id="c-1")
    assert ledger.known(APP, [HOBAN, VIP]) == {HOBAN: Known("c-1", clock.at)}


def test_another_workspace_knows_nothing_of_it(ledger: Ledger) -> None:
    write(ledger, live_id="c-1")
    assert ledger.known("another", [HOBAN]) == {}


def test_a_create_that_missed_a_field_is_known_too(ledger: Ledger) -> None:
    write(ledger, outcome="ineffective", live_id="c-1")
    assert ledger.known(APP, [HOBAN])[HOBAN].id == "c-1"


@pytest.mark.parametrize("outcome", ["failed", "skipped", None])
def test_what_was_not_done_makes_nothing_known(ledger: Ledger, outcome: str | None) -> None:
    write(ledger, outcome=outcome, live_id="c-1")
    assert ledger.known(APP, [HOBAN]) == {}


def test_an_update_whose_reply_named_no_id_is_known_by_the_id_it_went_to(ledger: Ledger) -> None:
    write(ledger, Action.UPDATE, id="c-1")
    assert ledger.known(APP, [HOBAN])[HOBAN].id == "c-1"


def test_what_was_deleted_is_not_known_and_what_was_archived_is(ledger: Ledger) -> None:
    for action, address in [(Action.DELETE, HOBAN), (Action.ARCHIVE, THINGS[1])]:
        write(ledger, address=address, live_id="c-1")
        write(ledger, action, address, id="c-1")
    assert list(ledger.known(APP, THINGS)) == [THINGS[1]]


def test_a_lost_create_is_told_with_the_time_of_its_last_intent(ledger: Ledger, clock: Clock) -> None:
    write(ledger, outcome=None)
    clock.at += 60
    write(ledger, outcome=None)
    intended, clock.at = clock.at, clock.at + 60
    assert ledger.lost_creates(APP, [HOBAN, VIP]) == {HOBAN: intended}


@pytest.mark.parametrize(
    ("action", "outcome", "lost"), [("create", "applied", False), ("update", "applied", False), ("create", "failed", True)]
)
def test_only_a_write_that_was_done_settles_an_earlier_lost_create(ledger: Ledger, action: str, outcome: str, lost: bool) -> None:
    write(ledger, outcome=None)
    write(ledger, Action(action), id="c-1", outcome=outcome)
    assert bool(ledger.lost_creates(APP, [HOBAN])) is lost


@pytest.mark.parametrize("outcome", ["applied", "ineffective", "failed", "skipped"])
def test_a_create_with_an_outcome_is_not_lost(ledger: Ledger, outcome: str) -> None:
    write(ledger, outcome=outcome)
    assert ledger.lost_creates(APP, [HOBAN]) == {}


def test_an_update_without_an_outcome_is_no_lost_create(ledger: Ledger) -> None:
    write(ledger, Action.UPDATE, id="c-1", outcome=None)
    assert ledger.lost_creates(APP, [HOBAN]) == {}


def test_more_addresses_than_a_statement_takes_parameters(ledger: Ledger) -> None:
    many = [Address("contact", str(n)) for n in range(1234)]
    run = ledger.begin(HEAD)
    writes = ledger.intend_many(run, [a_change(address=a) for a in many])
    ledger.settle_many([Settlement(w, "applied", f"c-{a.key}") for w, a in zip(writes[:-1], many[:-1], strict=True)])
    assert {a: k.id for a, k in ledger.known(APP, many).items()} == {a: f"c-{a.key}" for a in many[:-1]}
    assert list(ledger.lost_creates(APP, many)) == many[-1:]


def test_writes_are_numbered_in_the_order_of_the_changes(ledger: Ledger) -> None:
    run, other = ledger.begin(HEAD), ledger.begin(HEAD)
    first, second = ledger.intend_many(run, [a_change(), an_attach()]), ledger.intend_many(other, [a_change()])
    third = ledger.intend_many(run, [an_attach()])
    assert [*first, *second, *third] == sorted({*first, *second, *third})
    assert ledger.intend_many(run, []) == []


def test_runs_of_a_later_time_sort_later(ledger: Ledger, clock: Clock) -> None:
    runs = []
    for _ in range(5):
        runs.append(ledger.begin(HEAD))
        clock.at += 0.002
    assert runs == sorted(set(runs))
    assert runs[0].startswith("20260101T000000000-")


def test_a_run_is_kept_with_its_head_its_end_and_its_counts(ledger: Ledger, folder: Path, clock: Clock) -> None:
    run = ledger.begin(HEAD)
    ledger.end(run, 5, {"applied": 2, "failed": 1})
    ledger.close()
    engine = engine_for(f"sqlite:///{folder}/ledger.db")
    with engine.begin() as connection:
        row = connection.execute(select(RUNS)).one()
    engine.dispose()
    assert (row.id, row.app_id, row.name, row.plan_digest, row.exit_code) == (run, APP, "default", "plan-digest", 5)
    assert (row.counts, row.started, row.ended) == ({"applied": 2, "failed": 1}, clock.at, clock.at)


def test_an_intent_holds_ids_action_and_paths_and_its_outcome_the_status(ledger: Ledger, folder: Path, clock: Clock) -> None:
    run = ledger.begin(HEAD)
    writes = ledger.intend_many(run, [a_change(Action.UPDATE, id="c-1", name="Hoban"), an_attach()])
    ledger.settle_many([Settlement(writes[0], "failed", None, 422), Settlement(writes[1], "applied", None, 200)])
    ledger.close()
    engine = engine_for(f"sqlite:///{folder}/ledger.db")
    with engine.begin() as connection:
        update, attach = connection.execute(select(WRITES).order_by(WRITES.c.id)).all()
    engine.dispose()
    assert (update.action, update.kind, update.thing_id, update.fields) == ("update", "contact", "c-1", ["name"])
    assert (update.outcome, update.status, update.live_id) == ("failed", 422, None)
    assert (attach.link, attach.thing_id, attach.target_id, attach.fields, attach.settled) == ("tags", "c-1", "t-1", None, clock.at)
    assert attach.thing == update.thing != attach.target


def test_a_word_that_is_no_outcome_is_refused_and_not_repeated(ledger: Ledger) -> None:
    write_id = ledger.intend(ledger.begin(HEAD), a_change())
    with pytest.raises(ValueError, match="no outcomes: 1 of 1") as refused:
        ledger.settle(write_id, "hoban@serenity.example is taken")
    assert "hoban" not in str(refused.value)
    assert HOBAN in ledger.lost_creates(APP, [HOBAN])


def test_an_ineffective_value_is_remembered_until_the_field_is_reached(ledger: Ledger) -> None:
    ledger.note_ineffective(APP, HOBAN, "phone", "+1555")
    claims = [(HOBAN, "phone", "+1555"), (HOBAN, "name", "+1555"), (VIP, "phone", "+1555")]
    assert ledger.is_ineffective(APP, claims) == {(HOBAN, "phone")}
    assert ledger.is_ineffective("another", claims) == set()
    ledger.forget_ineffective(APP, [(VIP, "phone"), (HOBAN, "phone")])
    assert ledger.is_ineffective(APP, claims) == set()


def test_another_value_of_the_field_takes_the_place_of_the_first(ledger: Ledger) -> None:
    for value in ["+1555", "+1556", "+1556"]:
        ledger.note_ineffective(APP, HOBAN, "phone", value)
    assert ledger.is_ineffective(APP, [(HOBAN, "phone", "+1555")]) == set()
    assert ledger.is_ineffective(APP, [(HOBAN, "phone", "+1556")]) == {(HOBAN, "phone")}


SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, "", "1", "a"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2))


@given(VALUES, VALUES)
def test_digests_of_values_are_equal_where_the_values_are(one: Any, other: Any) -> None:
    digests = Digests(b"k" * 32)
    assert (digests.claim(APP, HOBAN, "name", one) == digests.claim(APP, HOBAN, "name", other)) is same(one, other)


EVENTS = st.lists(st.tuples(st.sampled_from(THINGS), st.sampled_from(Action), st.sampled_from(["applied", "ineffective", "failed", None])))
_apps = count()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    opened = Ledger.open(tmp_path_factory.mktemp("shared"), create=True, now=Clock(), environ={})
    assert opened
    with opened:
        yield opened


def _told_by(action: Action, address: Address, number: int) -> str | None:
    """The live id that a write that was done tells."""
    if action in (Action.ATTACH, Action.DETACH):
        return an_attach(address).id
    return f"c-{number}" if action in (Action.CREATE, Action.UNARCHIVE, Action.RENAME, Action.UPDATE) else None


@settings(max_examples=60, deadline=None)
@given(events=EVENTS)
def test_known_and_lost_follow_from_the_order_of_writes(shared: Ledger, events: list[tuple[Address, Action, str | None]]) -> None:
    app = f"app-{next(_apps)}"
    run = shared.begin(replace(HEAD, app_id=app))
    known, lost = dict[Address, str](), set[Address]()
    for number, (address, action, outcome) in enumerate(events):
        if action in (Action.ATTACH, Action.DETACH):
            write_id = shared.intend(run, an_attach(address))
        else:
            write_id = shared.intend(run, a_change(action, address, f"c-{number}"))
        if outcome:
            shared.settle(write_id, outcome)
        done = outcome in ("applied", "ineffective")
        if action is Action.CREATE and outcome is None:
            lost.add(address)
        if done:
            lost.discard(address)
        if done:
            known.update({address: told} if (told := _told_by(action, address, number)) else {})
        if done and action is Action.DELETE:
            known.pop(address, None)
    assert {a: k.id for a, k in shared.known(app, THINGS).items()} == known
    assert set(shared.lost_creates(app, THINGS)) == lost
