"""What a ledger remembers: records of things, writes that nobody can say were done, and how often it applied."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Row, Table, select

from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.attempt import Attempt
from reconciler.core.model.change import LOSING, Action, Change
from reconciler.core.model.record import LinkOrigin, Record, with_link
from reconciler.core.model.recorded import Other, Recorded, ReplyMatch
from reconciler.core.model.scalars import same
from reconciler.ledger import tables
from reconciler.ledger.database import engine_for
from reconciler.ledger.digests import Digests
from reconciler.ledger.ledger import Ledger
from reconciler.ledger.run import PlannedWrite, Settlement
from reconciler.ledger.tables import RUNS, WRITES
from tests.desk.clock import Clock
from tests.desk.soak import times
from tests.unit.ledger.changes import APP, HEAD, HOBAN, TAGS, VIP, a_change, a_record, an_attach, attempt, is_lost_create, live_id_of, write

THINGS = [HOBAN, Address("contact", "25"), Address("company", "acme")]
BESIDE = replace(HEAD, name="beside")
DAY = 86400.0


def rows_of(folder: Path, table: Table) -> Sequence[Row[Any]]:
    engine = engine_for(f"sqlite:///{folder}/ledger.db")
    with engine.begin() as connection:
        rows = connection.execute(select(table)).all()
    engine.dispose()
    return rows


# ── records ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_created_contact_is_recorded_by_its_address_and_by_its_id(ledger: Ledger) -> None:
    write(ledger, live_id="c-1")
    memory = ledger.read_recorded(APP)
    assert memory.at(HOBAN) == memory.of("contact", "c-1") == a_record(ledger.digests)
    assert (memory.at(VIP), memory.of("contact", "c-2"), memory.of("contact", None)) == (None, None, None)


def test_an_empty_ledger_is_there_and_remembers_nothing(ledger: Ledger) -> None:
    assert ledger.read_recorded(APP) == Recorded(APP, ledger.digests, there=True)


def test_another_workspace_knows_nothing_of_it(ledger: Ledger) -> None:
    write(ledger)
    attempt(ledger, a_change(address=VIP), proof=True)
    assert ledger.read_recorded("another") == Recorded("another", ledger.digests, there=True)


def test_what_another_name_recorded_is_only_said_to_be_its_own(ledger: Ledger) -> None:
    write(ledger, live_id="c-1")
    attempt(ledger, a_change(address=VIP), None, proof=True)
    assert ledger.read_recorded(APP, "beside") == Recorded(APP, ledger.digests, others={("contact", "c-1"): Other("default")}, there=True)


def test_of_several_names_that_recorded_a_thing_the_one_that_owns_it_is_named(ledger: Ledger) -> None:
    owned = a_record(ledger.digests)
    for name, record in [("a", replace(owned, owned=False)), ("b", owned), ("c", replace(owned, owned=False))]:
        ledger.record(APP, name, [record])
    assert {name: other.name for name, other in ledger.read_recorded(APP).others.items()} == {owned.name: "b"}
    assert {name: other.name for name, other in ledger.read_recorded(APP, "b").others.items()} == {owned.name: "c"}


def test_of_what_another_key_wrote_no_more_is_known_than_which_other_name_has_it(ledger: Ledger, folder: Path) -> None:
    for head in (HEAD, BESIDE):
        write(ledger, head=head)
        attempt(ledger, a_change(address=VIP), None, proof=True, head=head)
    other = Ledger.open(folder, create=False, environ={"RECONCILER_LEDGER_KEY": "0f" * 32})
    assert other
    with other:
        assert other.read_recorded(APP) == Recorded(APP, other.digests, others={("contact", "c-1"): Other("beside")}, there=True)


def test_a_record_takes_the_place_of_the_one_before(ledger: Ledger) -> None:
    first = with_link(a_record(ledger.digests, values={"name": "Hoban", "phone": "+1555"}), "tags", "t-1", LinkOrigin.OWNED)
    ledger.record(APP, "default", [first])
    second = replace(a_record(ledger.digests, values={"name": "Wash"}), protected=True, deleted=True, owned=False)
    ledger.record(APP, "default", [second])
    assert ledger.read_recorded(APP).records == {second.name: second}


def test_what_is_let_go_is_not_recorded_any_more(ledger: Ledger) -> None:
    hoban, vip = a_record(ledger.digests), a_record(ledger.digests, VIP, "t-1")
    ledger.record(APP, "default", [hoban, vip])
    ledger.record(APP, "beside", [hoban])
    ledger.record(APP, "default", [], names_gone=[hoban.name, ("tag", "t-2")])
    assert list(ledger.read_recorded(APP).records) == [vip.name]
    assert list(ledger.read_recorded(APP, "beside").records) == [hoban.name]


def test_of_two_records_of_one_thing_the_last_stays_also_when_it_is_let_go_meanwhile(ledger: Ledger) -> None:
    first, last = (a_record(ledger.digests, values={"name": name}) for name in ("Hoban", "Wash"))
    ledger.record(APP, "default", [first, last], names_gone=[first.name])
    assert ledger.read_recorded(APP).records == {last.name: last}


def test_of_two_things_of_one_address_the_one_that_is_not_deleted_is_meant(ledger: Ledger) -> None:
    gone = replace(a_record(ledger.digests, id="c-1"), deleted=True, written=9.0)
    ledger.record(APP, "default", [gone])
    assert ledger.read_recorded(APP).at(HOBAN) == gone
    ledger.record(APP, "default", [a_record(ledger.digests, id="c-2")])
    assert live_id_of(ledger) == "c-2"


def test_records_come_with_what_became_of_the_writes(ledger: Ledger) -> None:
    ledger.record(APP, "default", [a_record(ledger.digests, VIP, "t-1")])
    run = ledger.begin(HEAD)
    [number] = ledger.plan(run, [PlannedWrite(a_change())])
    ledger.settle(run, [Settlement(number, "applied", "c-1", 200)], [a_record(ledger.digests)], [("tag", "t-1")])
    assert list(ledger.read_recorded(APP).records) == [("contact", "c-1")]
    ledger.settle(run, [], names_gone=[("contact", "c-1")])
    assert not ledger.read_recorded(APP).records


def test_more_things_than_a_statement_takes_parameters(ledger: Ledger) -> None:
    addresses = [Address("contact", str(n)) for n in range(1234)]
    run = ledger.begin(HEAD)
    numbers = ledger.plan(run, [PlannedWrite(a_change(address=a), proof=True) for a in addresses])
    ledger.intend({n: a_change(address=a) for n, a in zip(numbers, addresses, strict=True)})
    records = [a_record(ledger.digests, a, f"c-{a.key}") for a in addresses[:-1]]
    ledger.settle(run, [Settlement(n, "applied") for n in numbers[:-1]], records)
    memory = ledger.read_recorded(APP)
    assert [record.id if (record := memory.at(a)) else None for a in addresses] == [*(r.id for r in records), None]
    assert [a for a in addresses if memory.has_lost_create(a)] == addresses[-1:]
    ledger.record(APP, "default", [], names_gone=[r.name for r in records[1:]])
    assert list(ledger.read_recorded(APP).records) == [records[0].name]


def test_a_list_without_ties_says_nothing_and_is_not_kept(ledger: Ledger) -> None:
    ledger.record(APP, "default", [replace(a_record(ledger.digests), links={"tags": {}, "companies": {}}, policies={"companies": "exact"})])
    record = ledger.read_recorded(APP).records["contact", "c-1"]
    assert (record.links, record.policies) == ({}, {"companies": "exact"})


def test_what_is_no_field_and_no_link_stands_among_them_in_the_ledger_as_it_ever_did(ledger: Ledger, folder: Path) -> None:
    record = replace(a_record(ledger.digests), fields={"name": "n1"}, links={"tags": {"t-1": "found"}}, files=("a.yaml", "b.yaml"))
    record = replace(record, end_digest="e1", former=frozenset({"f1"}), shown_as="s1", policies={"tags": "exact"})
    ledger.record(APP, "default", [record])
    [row] = rows_of(folder, tables.THINGS)
    assert json.loads(row.fields) == {"name": "n1", "was f1": "f1", "state": "e1", "shown as": "s1"}
    assert (json.loads(row.links), row.file) == ({"tags": {"t-1": "found", "*": "exact"}}, "a.yaml\nb.yaml")
    assert ledger.read_recorded(APP).records[record.name] == record


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="@\n*"), max_size=8)
# What a ledger writes beside fields and lists has these words; no kind has such a field or list.
FIELDS = WORDS.filter(lambda word: word not in {"state", "shown as", "carried by"} and not word.startswith("was "))
LISTS = WORDS.filter(lambda word: not word.endswith(" since"))
TIES = st.dictionaries(WORDS, st.sampled_from(LinkOrigin).map(str), min_size=1, max_size=3)
RECORDS = st.builds(
    Record,
    kind=WORDS,
    id=WORDS,
    thing=WORDS,
    address=WORDS,
    owned=st.booleans(),
    protected=st.booleans(),
    deleted=st.booleans(),
    files=st.lists(WORDS.filter(bool), max_size=2).map(tuple),
    run=WORDS,
    written=st.floats(0, 1e12),
    fields=st.dictionaries(FIELDS, WORDS, max_size=3),
    links=st.dictionaries(LISTS, TIES, max_size=2),
    policies=st.dictionaries(LISTS, WORDS, max_size=2),
    end_digest=WORDS,
    former=st.frozensets(WORDS.filter(bool), max_size=2),
    shown_as=WORDS,
)
_apps = count()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    opened = Ledger.open(tmp_path_factory.mktemp("shared"), create=True, now=Clock(1_767_225_600.0), environ={})
    assert opened
    with opened:
        yield opened


@settings(max_examples=times(60))
@given(records=st.lists(RECORDS, max_size=4, unique_by=lambda record: record.name))
def test_every_record_comes_back_as_it_was(shared: Ledger, records: list[Record]) -> None:
    app = f"app-{next(_apps)}"
    shared.record(app, "default", records)
    by_id = shared.read_recorded(app).records
    assert {name: replace(r, fields=dict(r.fields), links=dict(r.links), policies=dict(r.policies)) for name, r in by_id.items()} == {
        r.name: r for r in records
    }


# ── attempts ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_what_was_planned_and_never_sent_is_an_attempt_of_no_time(ledger: Ledger) -> None:
    change = a_change(name="Hoban")
    ledger.plan(ledger.begin(HEAD), [PlannedWrite(change, proof=True)])
    claim = ledger.digests.claim(ledger.digests.thing(APP, HOBAN), "name", "Hoban")
    assert ledger.read_recorded(APP).attempt(HOBAN) == Attempt("create", 0.0, True, False, {"name": claim}, "contact")
    assert not is_lost_create(ledger)


def test_a_lost_create_is_told_with_the_time_of_its_last_intent(ledger: Ledger, clock: Clock) -> None:
    for _ in range(2):
        clock.now += 60
        attempt(ledger, a_change(), None, proof=True)
    intended, clock.now = clock.now, clock.now + 60
    assert ledger.read_recorded(APP).attempt(HOBAN) == Attempt("create", intended, True, False, {}, "contact")
    assert is_lost_create(ledger)


@pytest.mark.parametrize(
    ("action", "outcome", "proof", "made"),
    [
        (Action.CREATE, None, True, True),
        (Action.CREATE, None, False, False),
        (Action.CREATE, "failed", True, False),
        (Action.CREATE, "skipped", True, False),
        (Action.UPDATE, None, True, False),
    ],
)
def test_only_a_create_without_an_answer_and_with_proof_made_what_is_there(
    ledger: Ledger, action: Action, outcome: str | None, proof: bool, made: bool
) -> None:
    attempt(ledger, a_change(action), outcome, proof)
    assert is_lost_create(ledger) is made
    last = ledger.read_recorded(APP).attempt(HOBAN)
    assert last
    assert (last.action, last.answered, last.proof) == (action, outcome is not None, proof)


@pytest.mark.parametrize("outcome", ["applied", "ineffective"])
def test_a_write_that_was_done_is_no_attempt(ledger: Ledger, outcome: str) -> None:
    attempt(ledger, a_change(), outcome, proof=True)
    assert not ledger.read_recorded(APP).attempts


@pytest.mark.parametrize("outcome", ["applied", "ineffective", "failed", "skipped", None])
@pytest.mark.parametrize("action", [Action.CREATE, Action.UPDATE])
def test_only_a_write_that_was_done_settles_an_earlier_lost_create(ledger: Ledger, action: Action, outcome: str | None) -> None:
    attempt(ledger, a_change(), None, proof=True)
    attempt(ledger, a_change(action), outcome)
    assert is_lost_create(ledger) is (outcome not in ("applied", "ineffective"))


def test_what_is_done_elsewhere_settles_no_lost_create(ledger: Ledger) -> None:
    attempt(ledger, a_change(), None, proof=True)
    attempt(ledger, an_attach(), "applied")
    attempt(ledger, a_change(address=VIP), "applied")
    attempt(ledger, a_change(), "applied", head=replace(HEAD, app_id="another"))
    assert is_lost_create(ledger)


def test_what_was_done_before_settles_no_lost_create(ledger: Ledger) -> None:
    run = ledger.begin(HEAD)
    first, second = ledger.plan(run, [PlannedWrite(a_change(Action.DELETE)), PlannedWrite(a_change(), proof=True)])
    ledger.intend({second: a_change()})
    ledger.settle(run, [Settlement(first, "applied")])
    assert is_lost_create(ledger)


def test_a_later_proof_that_nothing_is_there_takes_a_lost_create_back(ledger: Ledger) -> None:
    attempt(ledger, a_change(), None, proof=True)
    attempt(ledger, a_change(), "failed", proof=True)
    assert not is_lost_create(ledger)


@pytest.mark.parametrize(("outcome", "made"), [(None, False), ("failed", True), ("skipped", True)])
def test_a_delete_that_may_have_been_done_takes_a_lost_create_back(ledger: Ledger, outcome: str | None, made: bool) -> None:
    attempt(ledger, a_change(), None, proof=True)
    attempt(ledger, a_change(Action.DELETE, id="c-1"), outcome)
    assert is_lost_create(ledger) is made


@pytest.mark.parametrize(("outcome", "proof"), [(None, False), ("failed", True), ("unsent", True)])
def test_what_was_last_tried_is_told_where_nothing_before_it_may_be_ours(ledger: Ledger, outcome: str | None, proof: bool) -> None:
    if outcome == "unsent":
        ledger.plan(ledger.begin(HEAD), [PlannedWrite(a_change(), proof)])
    else:
        attempt(ledger, a_change(), outcome, proof)
    attempt(ledger, a_change(Action.UPDATE, id="c-1"), "failed")
    last = ledger.read_recorded(APP).attempt(HOBAN)
    assert last
    assert (last.action, last.answered) == ("update", True)


def test_a_lost_create_and_what_was_tried_since_are_one_attempt_with_all_its_values(ledger: Ledger) -> None:
    attempt(ledger, a_change(name="Hoban", phone="+1555"), None, proof=True)
    ledger.plan(ledger.begin(HEAD), [PlannedWrite(a_change(Action.UPDATE, id="c-1", name="Wash"))])
    last, thing = ledger.read_recorded(APP).attempt(HOBAN), ledger.digests.thing(APP, HOBAN)
    assert last
    assert last.fields == {path: ledger.digests.claim(thing, path, value) for path, value in [("name", "Wash"), ("phone", "+1555")]}
    assert is_lost_create(ledger)


def tie(ledger: Ledger) -> str | None:
    return ledger.read_recorded(APP).link_origin(TAGS, HOBAN, "c-1", VIP, "t-1")


@pytest.mark.parametrize(
    ("outcome", "proof", "value"), [(None, True, "owned"), (None, False, None), ("failed", True, None), ("skipped", True, None)]
)
def test_only_an_attach_without_an_answer_and_with_proof_made_the_link(
    ledger: Ledger, outcome: str | None, proof: bool, value: str | None
) -> None:
    attempt(ledger, an_attach(), outcome, proof)
    assert tie(ledger) == value
    assert not is_lost_create(ledger)


@pytest.mark.parametrize(("outcome", "value"), [("applied", None), (None, None), ("failed", "owned"), ("skipped", "owned")])
def test_a_detach_takes_a_lost_attach_back_unless_it_was_not_done(ledger: Ledger, outcome: str | None, value: str | None) -> None:
    attempt(ledger, an_attach(), None, proof=True)
    attempt(ledger, an_attach(action=Action.DETACH), outcome)
    assert tie(ledger) == value


def test_a_detach_that_was_only_planned_leaves_a_lost_attach_ours(ledger: Ledger) -> None:
    attempt(ledger, an_attach(), None, proof=True)
    ledger.plan(ledger.begin(HEAD), [PlannedWrite(an_attach(action=Action.DETACH))])
    assert tie(ledger) == LinkOrigin.OWNED


def test_a_link_to_another_thing_or_from_another_is_another_place(ledger: Ledger) -> None:
    attempt(ledger, an_attach(), None, proof=True)
    attempt(ledger, an_attach(target=Address("tag", "crew")), "applied")
    attempt(ledger, an_attach(THINGS[1]), "applied")
    attempt(ledger, replace(an_attach(), link=LinkName("contact", "labels")), "applied")
    attempt(ledger, a_change(), "applied")
    assert tie(ledger) == LinkOrigin.OWNED
    assert ledger.read_recorded(APP).link_origin(TAGS, HOBAN, "c-1", Address("tag", "crew"), "t-2") is None


@pytest.mark.parametrize(
    ("recorded", "origin"),
    [
        (LinkOrigin.OWNED, LinkOrigin.OWNED),
        (LinkOrigin.FOUND, LinkOrigin.FOUND),
        (LinkOrigin.ABSENT, LinkOrigin.OWNED),
        (None, LinkOrigin.OWNED),
    ],
)
def test_what_is_recorded_of_a_live_link_goes_before_a_lost_attach(ledger: Ledger, recorded: LinkOrigin | None, origin: LinkOrigin) -> None:
    attempt(ledger, an_attach(), None, proof=True)
    record = a_record(ledger.digests)
    ledger.record(APP, "default", [with_link(record, "tags", "t-1", recorded) if recorded else record])
    assert tie(ledger) == origin


Told = tuple[str, Address, Action, str | None, bool]
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["default", "beside"]),
        st.sampled_from(THINGS[:2]),
        st.sampled_from(Action),
        st.sampled_from(["applied", "ineffective", "failed", "skipped", None, "unsent"]),
        st.booleans(),
    ),
    max_size=8,
)
_HOBAN_IS_LOST: Told = ("default", HOBAN, Action.CREATE, None, True)


def may_make(events: list[Told], name: str, address: Address, links: bool) -> bool:
    """Whether a write of ours may have made what is there, told from the end."""
    for whose, where, action, outcome, proof in reversed(events):
        if where != address or (action in (Action.ATTACH, Action.DETACH)) is not links:
            continue
        if outcome in ("applied", "ineffective"):
            return False
        if whose != name:
            continue
        if outcome is None and proof:
            return action is (Action.ATTACH if links else Action.CREATE)
        if proof or (outcome is None and action in LOSING):
            return False
    return False


@settings(max_examples=times(100))
@given(events=EVENTS)
@example(events=[_HOBAN_IS_LOST, ("default", HOBAN, Action.UPDATE, "failed", False)])
@example(events=[_HOBAN_IS_LOST, ("beside", HOBAN, Action.UPDATE, "applied", False)])
@example(events=[_HOBAN_IS_LOST, ("beside", HOBAN, Action.DELETE, None, True)])
def test_what_may_be_ours_follows_from_the_order_of_writes(shared: Ledger, events: list[Told]) -> None:
    app = f"app-{next(_apps)}"
    runs = {name: shared.begin(replace(HEAD, app_id=app, name=name)) for name in ("default", "beside")}
    for name, address, action, outcome, proof in events:
        linking = action in (Action.ATTACH, Action.DETACH)
        change: Change = an_attach(address, action=action) if linking else a_change(action, address, "c-1")
        [number] = shared.plan(runs[name], [PlannedWrite(change, proof)])
        if outcome != "unsent":
            shared.intend({number: change})
        if outcome not in ("unsent", None):
            shared.settle(runs[name], [Settlement(number, outcome)])
    for name in runs:
        memory = shared.read_recorded(app, name)
        for address in THINGS:
            assert memory.has_lost_create(address) is may_make(events, name, address, links=False)
            assert (memory.link_origin(TAGS, address, "c-1", VIP, "t-1") == LinkOrigin.OWNED) is may_make(events, name, address, links=True)


# ── runs ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_writes_are_numbered_in_the_order_of_the_changes(ledger: Ledger) -> None:
    run, other = ledger.begin(HEAD), ledger.begin(HEAD)
    first, second = ledger.plan(run, [PlannedWrite(a_change()), PlannedWrite(an_attach())]), ledger.plan(other, [PlannedWrite(a_change())])
    third = ledger.plan(run, [PlannedWrite(an_attach())])
    assert [*first, *second, *third] == sorted({*first, *second, *third})
    assert ledger.plan(run, []) == []


def test_runs_of_a_later_time_sort_later(ledger: Ledger, clock: Clock) -> None:
    runs = []
    for _ in range(5):
        runs.append(ledger.begin(HEAD))
        clock.now += 0.002
    assert runs == sorted(set(runs))
    assert runs[0].startswith("20260101T000000000-")


def test_only_what_applies_and_undoes_counts_as_a_run(ledger: Ledger) -> None:
    for verb in ("apply", "apply", "undo", "adopt", "forget", "plan"):
        ledger.end(ledger.begin(replace(HEAD, verb=verb)), 0, {})
    ledger.end(ledger.begin(BESIDE), 5, {})
    ledger.end(ledger.begin(BESIDE), 3, {})
    assert [ledger.read_recorded(APP, name).runs for name in ("default", "beside", "third")] == [3, 1, 0]


def test_a_run_is_kept_with_its_head_its_end_and_its_counts(ledger: Ledger, folder: Path, clock: Clock) -> None:
    policy = MappingProxyType({"links": {"contact.tags": "owned"}, "protect": ("tag/vip",), "max_deletes": 5, "budget": None})
    head = replace(HEAD, verb="undo", who="wash on serenity", revision="6d08ec2", files=("a.yaml", "crew/b.yaml"), policy=policy)
    run = ledger.begin(head)
    started, clock.now = clock.now, clock.now + 60
    ledger.end(run, 5, {"applied": 2, "failed": 1})
    [row] = rows_of(folder, RUNS)
    assert (row.id, row.app_id, row.region, row.name, row.key) == (run, APP, "us", "default", ledger.digests.fingerprint)
    assert (row.verb, row.who, row.revision, row.files) == ("undo", "wash on serenity", "6d08ec2", ["a.yaml", "crew/b.yaml"])
    assert row.policy == {"links": {"contact.tags": "owned"}, "protect": ["tag/vip"], "max_deletes": 5, "budget": None}
    assert (row.manifest_digest, row.plan_digest, row.exit_code) == ("manifest-digest", "plan-digest", 5)
    assert (row.counts, row.started, row.ended) == ({"applied": 2, "failed": 1}, started, clock.now)


def test_the_head_of_a_run_holds_no_email(ledger: Ledger, folder: Path) -> None:
    mail = "wash@serenity.example"
    policy = {"protect": [f"contact/{mail}"], mail: {"who": (mail, f"<{mail}>")}}
    run = ledger.begin(replace(HEAD, name=mail, who=f"Wash {mail}", revision=mail, files=[f"crew/{mail}.yaml"], policy=policy))
    ledger.end(run, 0, {})
    [row] = rows_of(folder, RUNS)
    assert "@" not in f"{row.name} {row.who} {row.revision} {row.files} {row.policy}"
    assert row.who == f"Wash {ledger.digests.plain(mail)}"
    assert ledger.read_recorded(APP, mail).runs == 1


def test_a_planned_write_is_kept_with_ids_places_and_digests_and_its_outcome_with_the_status(
    ledger: Ledger, folder: Path, clock: Clock
) -> None:
    run = ledger.begin(HEAD)
    changes: list[Change] = [a_change(Action.UPDATE, id="c-1", name="Hoban"), replace(an_attach(), id=None, target_id=None)]
    numbers = ledger.plan(run, [PlannedWrite(change) for change in changes])
    clock.now += 1
    ledger.intend({numbers[0]: changes[0], numbers[1]: an_attach()})
    clock.now += 1
    ledger.settle(run, [Settlement(numbers[0], "failed", None, 422), Settlement(numbers[1], "applied", None, 200)])
    first, second = rows_of(folder, WRITES)
    thing = ledger.digests.thing(APP, HOBAN)
    assert (first.action, first.kind, first.thing, first.thing_id) == ("update", "contact", thing, "c-1")
    assert (first.address, first.fields) == (ledger.digests.address(HOBAN), {"name": ledger.digests.claim(thing, "name", "Hoban")})
    assert (first.outcome, first.status, first.live_id) == ("failed", 422, None)
    assert (second.link, second.thing_id, second.target_id, second.target_address) == ("tags", "c-1", "t-1", "tag/vip")
    assert (second.thing, second.target, second.fields) == (thing, ledger.digests.thing(APP, VIP), None)
    assert (second.intended, second.settled) == (clock.now - 1, clock.now)


def test_outcomes_go_after_thirty_days_when_a_run_begins(ledger: Ledger, folder: Path, clock: Clock) -> None:
    write(ledger)
    clock.now += 30 * DAY
    ledger.end(ledger.begin(HEAD), 0, {})
    assert len(rows_of(folder, WRITES)) == 1
    clock.now += 1
    ledger.end(ledger.begin(HEAD), 0, {})
    assert rows_of(folder, WRITES) == []
    assert live_id_of(ledger) == "c-1"
    assert ledger.read_recorded(APP).runs == 2


@pytest.mark.parametrize("outcome", ["failed", "skipped", None])
def test_what_was_never_done_stays_until_something_else_is_done_there(
    ledger: Ledger, folder: Path, clock: Clock, outcome: str | None
) -> None:
    attempt(ledger, a_change(), outcome)
    ledger.plan(ledger.begin(HEAD), [PlannedWrite(a_change())])
    clock.now += 99 * DAY
    attempt(ledger, a_change(), "applied")
    assert len(rows_of(folder, WRITES)) == 3
    ledger.begin(HEAD)
    assert len(rows_of(folder, WRITES)) == 1


def test_a_word_that_is_no_outcome_is_refused_and_not_repeated(ledger: Ledger) -> None:
    run = ledger.begin(HEAD)
    [number] = ledger.plan(run, [PlannedWrite(a_change(), proof=True)])
    ledger.intend({number: a_change()})
    with pytest.raises(ValueError, match="no outcomes: 1 of 1") as refused:
        ledger.settle(run, [Settlement(number, "hoban@serenity.example is taken")], [a_record(ledger.digests)])
    assert "hoban" not in str(refused.value)
    assert is_lost_create(ledger)
    assert live_id_of(ledger) is None


# ── what Intercom does not take ────────────────────────────────────────────────────────────────────────────────────────────
def test_an_ineffective_value_is_remembered_until_the_field_is_reached(ledger: Ledger) -> None:
    ledger.note_ineffective(APP, HOBAN, "phone", "+1555")
    assert ledger.read_recorded(APP).reply_match(HOBAN, "phone", "+1555", "1") is ReplyMatch.ONCE
    assert [ledger.read_recorded(APP).reply_match(address, path, "+1555", "1") for address, path in ((HOBAN, "name"), (VIP, "phone"))] == [
        None,
        None,
    ]
    assert ledger.read_recorded("another").reply_match(HOBAN, "phone", "+1555", "1") is None
    ledger.forget_ineffective(APP, [(VIP, "phone"), (HOBAN, "phone")])
    assert ledger.read_recorded(APP).reply_match(HOBAN, "phone", "+1555", "1") is None


def test_it_is_remembered_with_what_live_showed_instead(ledger: Ledger) -> None:
    ledger.note_ineffective(APP, HOBAN, "options", ["b", "a"], ["a", "b"])
    for live, reply_match in ((["a", "b"], ReplyMatch.SAME), (["a"], ReplyMatch.OTHER), (None, ReplyMatch.OTHER)):
        assert ledger.read_recorded(APP).reply_match(HOBAN, "options", ["b", "a"], live) is reply_match
    assert ledger.read_recorded(APP).reply_match(HOBAN, "options", ["b"], ["a", "b"]) is None


def test_another_value_of_the_field_takes_the_place_of_the_first(ledger: Ledger) -> None:
    for value in ["+1555", "+1556", "+1556"]:
        ledger.note_ineffective(APP, HOBAN, "phone", value)
    assert [ledger.read_recorded(APP).reply_match(HOBAN, "phone", value, None) for value in ("+1555", "+1556")] == [None, ReplyMatch.ONCE]


SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, "", "1", "a"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2))


@given(VALUES, VALUES)
def test_digests_of_values_are_equal_where_the_values_are(one: Any, other: Any) -> None:
    digests = Digests(b"k" * 32)
    assert (digests.claim("contact/c-1", "name", one) == digests.claim("contact/c-1", "name", other)) is same(one, other)


def test_digests_of_one_value_differ_by_thing_and_by_path() -> None:
    digests = Digests(b"k" * 32)
    asked = [("contact/c-1", "name"), ("contact/c-2", "name"), ("contact/c-1", "phone"), ("company/c-1", "name")]
    assert len({digests.claim(salt, path, "Hoban") for salt, path in asked}) == 4
