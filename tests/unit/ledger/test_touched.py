"""A ledger that was rolled back where no machine remembers it: what would go because it is ours is held against Intercom's own word."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.core.model.address import Address
from reconciler.core.model.facts import Facts
from reconciler.core.plan.approvals import NO_APPROVALS, Approvals, parse_approval
from reconciler.core.plan.schema import PlanDocument
from reconciler.ledger.ledger import Ledger
from reconciler.workflow.adopt import judge, seek_named, take_in
from reconciler.workflow.apply import prepare
from reconciler.workflow.lookup import raw_answers, raw_request
from reconciler.workflow.planfile import planned_manifest
from tests.conftest import MakeRoute
from tests.desk.postgres import Cluster
from tests.desk.repositories import KEY
from tests.desk.route import Route, changes

HEAD = "name: growth\npolicy: {links: owned, prune: {tags: owned}}\ncompanies: [{company_id: '6', name: Blue Sun}]\n"
BOTH = HEAD + "tags: [vip, promo]\ncontacts: [{external_id: '25', tags: [vip, promo], companies: ['6']}]\n"
ONE = HEAD + "tags: [vip, promo]\ncontacts: [{external_id: '25', tags: [vip], companies: ['6']}]\n"
GOING = ["detach contact/25 tag/promo"]
SEED = {"contacts": [{"external_id": "25"}], "admins": [{"id": "456", "name": "Zoe", "email": "zoe@serenity.example"}]}


@pytest.fixture
def route(make_route: MakeRoute, tmp_path: Path, postgres: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Route]:
    """A workspace in which BOTH was applied an hour ago, by a machine that is gone."""
    seeded = make_route(SEED)
    monkeypatch.chdir(tmp_path)
    ledger = Ledger.open(
        tmp_path / "gone", create=True, address=postgres.database(), now=seeded.clock, environ={"RECONCILER_LEDGER_KEY": KEY}
    )
    assert ledger
    with ledger:
        seeded.ledger = ledger
        seeded.converge(seeded.manifest(BOTH))
        seeded.clock.now += 3600
        yield seeded


def by_hand(route: Route, method: str, path: str, body: object = None) -> None:
    with route.session() as session:
        list(raw_answers(session, raw_request(method, path, [], body), all_pages=False))


def touch(route: Route) -> None:
    """Somebody takes the tag away and gives it again: it is theirs now."""
    contact, tag = route.id_of(Address("contact", "25")), route.id_of(Address("tag", "promo"))
    by_hand(route, "DELETE", f"/contacts/{contact}/tags/{tag}")
    by_hand(route, "POST", f"/contacts/{contact}/tags", {"id": tag})


def touches(plan: PlanDocument) -> list[str]:
    return [note["message"] for note in plan["notes"] if note["topic"] == "touched since"]


def test_what_nobody_touched_goes_and_is_asked_about_only_then(route: Route) -> None:
    route.box.forget_requests()
    assert changes(route.document(route.manifest(BOTH))) == []
    assert not [request for request in route.box.requests if request.path.endswith("/tags") and request.path != "/tags"]
    plan = route.document(route.manifest(ONE))
    assert (changes(plan), touches(plan)) == (GOING, [])
    assert [o.status for o in route.converge(route.manifest(ONE))] == ["applied"]


def test_what_somebody_touched_since_stays_and_is_told_until_it_is_approved(route: Route) -> None:
    touch(route)
    path = route.manifest(ONE)
    for _ in range(2):
        document = route.document(path)
        assert changes(document) == []
        (text,) = touches(document)
        assert text.startswith("the link to tag/promo is ours, and was made by ")
        assert ", after it became ours: it stays; `--approve " in text
        assert route.converge(path) == []
    word = text.partition("--approve ")[2].partition("`")[0]
    route.rules = Approvals(on_command_line=(parse_approval(word),))
    plan = route.saved(path)
    assert changes(plan) == GOING
    assert [note for note in plan["notes"] if note["topic"] == "unused"] == []
    with route.session() as session:
        assert prepare(session, plan, planned_manifest(plan), route.rules).warnings == ()
    route.rules = NO_APPROVALS
    assert [o.status for o in route.apply(plan)] == ["applied"]
    assert (changes(route.document(path)), touches(route.document(path))) == ([], [])


def test_what_was_perhaps_only_attached_again_is_told_so(route: Route) -> None:
    route.box.settings.change({"attached_again": "moves"})
    contact, tag = route.id_of(Address("contact", "25")), route.id_of(Address("tag", "promo"))
    by_hand(route, "POST", f"/contacts/{contact}/tags", {"id": tag})
    assert touches(route.document(route.manifest(ONE)))[0].startswith("the link to tag/promo is ours, and was made by ")
    route.facts = Facts(attached_again="moves")
    (text,) = touches(route.document(route.manifest(ONE)))
    assert text.startswith("the link to tag/promo is ours, and was made, or only attached again, by ")


@pytest.mark.parametrize("at", [1_790_000_000_000, 1e300, 10**400], ids=("milliseconds", "float", "whole"))
def test_a_time_that_is_none_of_this_world_is_told_as_a_number(route: Route, at: float) -> None:
    tag = route.id_of(Address("tag", "promo"))
    rows = [{"type": "tag", "id": tag, "name": "promo", "applied_at": at}]
    route.box.faults.add("GET", "^/contacts/[^/]+/tags$", status=200, body=json.dumps({"type": "list", "data": rows}).encode())
    plan = route.document(route.manifest(ONE))
    assert changes(plan) == []
    assert touches(plan)[0].startswith(f"the link to tag/promo is ours, and was made at {float(min(at, 2**53))}, after it became ours")


def test_who_touched_many_is_asked_for_once(route: Route) -> None:
    more = BOTH.replace("tags: [vip, promo]\n", "tags: [vip, promo, late]\n").replace("tags: [vip, promo],", "tags: [vip, promo, late],")
    route.converge(route.manifest(more))
    route.clock.now += 3600
    contact = route.id_of(Address("contact", "25"))
    for key in ("promo", "late"):
        tag = route.id_of(Address("tag", key))
        by_hand(route, "DELETE", f"/contacts/{contact}/tags/{tag}")
        by_hand(route, "POST", f"/contacts/{contact}/tags", {"id": tag})
    route.box.forget_requests()
    plan = route.document(route.manifest(more.replace("tags: [vip, promo, late],", "tags: [vip],")))
    assert len(touches(plan)) == 2
    assert len([request for request in route.box.requests if request.path.startswith("/admins/")]) == 1


def test_adopting_says_that_it_is_ours_all_the_same(route: Route) -> None:
    touch(route)
    with route.session() as session:
        sought = seek_named(session, [Address("contact", "25")], "growth")
        take_in(session, sought, judge(session, sought))
    assert changes(route.document(route.manifest(ONE))) == GOING


def test_a_touch_between_plan_and_apply_of_something_else_does_not_make_it_stale(route: Route) -> None:
    touch(route)
    text = ONE.replace("external_id: '25'", "external_id: '25', name: Kay")
    assert [o.change.action for o in route.converge(route.manifest(text))] == ["update"]
    # What else was written there since makes it no more ours.
    assert changes(route.document(route.manifest(text))) == []


def test_what_an_older_release_recorded_is_ours_since_it_was_recorded(route: Route) -> None:
    assert route.ledger
    records = route.ledger.read_recorded(route.app_id(), "growth").records.values()
    route.ledger.record(route.app_id(), "growth", [replace(record, since={}, written=0.0) for record in records])
    assert changes(route.document(route.manifest(ONE))) == GOING
    touch(route)
    assert changes(route.document(route.manifest(ONE))) == []
    # What a run writes there proves no more of it.
    text = ONE.replace("external_id: '25'", "external_id: '25', name: Kay")
    assert [o.change.action for o in route.converge(route.manifest(text))] == ["update"]
    assert changes(route.document(route.manifest(text))) == []


@pytest.mark.parametrize(("late", "taken"), [(599.0, True), (602.0, False)])
def test_ten_minutes_lie_between_what_is_ours_and_what_is_not(route: Route, late: float, taken: bool) -> None:
    route.clock.now += late - 3600
    touch(route)
    assert changes(route.document(route.manifest(ONE))) == (GOING if taken else [])


def test_a_long_run_records_each_write_when_it_was_made(route: Route) -> None:
    """What comes last in a run of an hour is as much ours as what came first."""
    route.box.faults.add(
        "POST", "^/contacts/[^/]+/tags$", status=429, headers={"X-RateLimit-Reset": str(int(route.clock.now) + 9)}, times=80
    )
    more = BOTH.replace("vip, promo]\n", "vip, promo, late]\n").replace("[vip, promo]", "[vip, promo, late]")
    route.converge(route.manifest(more))
    assert changes(route.document(route.manifest(BOTH.replace("[vip, promo]\n", "[vip, promo, late]\n")))) == ["detach contact/25 tag/late"]


def test_a_link_whose_answer_was_lost_is_ours_since_it_was_sent(route: Route) -> None:
    late = BOTH.replace("[vip, promo]\n", "[vip, promo, late]\n")
    route.box.faults.add("POST", "^/contacts/[^/]+/tags$", drop="after", times=None)
    route.converge(route.manifest(late.replace("[vip, promo]", "[vip, promo, late]")))
    route.box.faults.clear()
    plan = route.document(route.manifest(late))
    assert (changes(plan), touches(plan)) == (["detach contact/25 tag/late"], [])


def test_a_company_link_goes_unless_the_ledger_lacks_runs(route: Route, postgres: Cluster) -> None:
    without = route.manifest(BOTH.replace("['6']", "[]"))
    assert changes(route.document(without)) == ["detach contact/25 company/6"]
    postgres.run("ALTER TABLE reconciler.writes DROP CONSTRAINT writes_run_fkey; DELETE FROM reconciler.runs", "ledger")
    text = BOTH.replace("['6']", "['7']").replace("[{company_id", "[{company_id: '7'}, {company_id")
    text = text.replace("'25'", "'25', name: Kay").replace("Blue Sun", "Blue Moon").replace("tags: [vip, promo]\n", "tags: [VIP, Promo]\n")
    for _ in range(2):
        # A run that writes to all there is makes the ledger no more whole.
        plan = route.document(route.manifest(text))
        assert "detach contact/25 company/6" not in changes(plan)
        assert touches(plan)[0].startswith("the link to company/6 is ours, and the ledger lacks runs")
        route.converge(route.manifest(text))
    assert changes(route.document(route.manifest(text.replace("['7']", "[]")))) == ["detach contact/25 company/7"]


def test_the_ledger_of_a_machine_that_remembers_asks_nobody(make_route: MakeRoute, monkeypatch: pytest.MonkeyPatch) -> None:
    route = make_route(SEED, ledger=True)
    route.converge(route.manifest(BOTH))
    route.box.forget_requests()
    assert changes(route.document(route.manifest(ONE))) == GOING
    assert not [request for request in route.box.requests if request.path.endswith("/tags") and request.path != "/tags"]
