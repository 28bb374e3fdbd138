"""What is ours: what we created, and nothing that was there or that only might be ours."""

from __future__ import annotations

import json
from pathlib import Path

from reconciler.core.model.record import Record
from reconciler.core.plan.approvals import Approvals, parse_approval
from reconciler.ledger.ledger import Ledger
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes, lines
from tests.desk.telling import notes
from tests.stories.ledger.records import PRUNING, by_hand, contact_id, meanwhile, one, record, tag_id


def test_what_was_there_is_recorded_and_not_owned(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip"], "contacts": [{"external_id": "25", "tags": ["vip"]}]}, ledger=True)
    route.converge(route.manifest("tags: [vip, new]\ncontacts: [{external_id: '25', tags: [vip, new]}]\n"))
    vip, new, contact = (record(route, address) for address in ("tag/vip", "tag/new", "contact/25"))
    assert vip
    assert new
    assert contact
    assert (vip.owned, new.owned, contact.owned) == (False, True, False)
    assert {vip.id: "found", new.id: "owned"} == dict(contact.links["tags"])
    assert [Path(file).name for file in vip.files] == ["intercom.yaml"]


def test_what_a_saved_plan_does_not_touch_is_recorded_as_it_was_found(make_route: MakeRoute) -> None:
    """So that a pipeline, which applies saved plans only, can tell drift."""
    route = make_route({"tags": ["vip"], "companies": [{"company_id": "6", "name": "Blue Sun"}]}, ledger=True)
    path = route.manifest("tags: [vip, new]\ncompanies: [{company_id: '6', name: Blue Sun}]\n")
    route.apply(route.saved(path))
    assert record(route, "company/6") is not None
    route.box.seed({"companies": [{"company_id": "6", "name": "Firefly"}]})
    assert lines(route.document(path)) == ["update company/6 name='Blue Sun' (drift)"]


def test_a_company_that_somebody_made_meanwhile_is_recorded_only(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    path = route.manifest("companies: [{company_id: '6', name: Blue Sun}]\n")
    made = route.clock.now - 60
    meanwhile(route, "^/companies$", {"companies": [{"company_id": "6", "created_at": int(made)}]})
    outcome = one(route.converge(path))
    assert (outcome.status, outcome.reason) == ("applied", "existed already")
    row = record(route, "company/6")
    assert row
    assert not row.owned


def meet_meanwhile(route: Route, path: Path) -> Record:
    """What is recorded by an apply whose create meets somebody that another one made meanwhile."""
    meanwhile(route, "^/contacts$", {"contacts": [{"external_id": "25"}]})
    assert one(route.converge(path)).reason == "existed already"
    row = record(route, "contact/25")
    assert row
    return row


def test_a_contact_that_the_create_met_is_recorded_only(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    path = route.manifest("contacts: [{external_id: '25', missing: create, name: Zoe}]\n")
    assert not meet_meanwhile(route, path).owned


def test_a_create_whose_answer_was_lost_is_ours_when_it_is_found(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    path = route.manifest(PRUNING + "tags: [vip, old]\n")
    route.box.faults.add("POST", "^/tags$", drop="after", times=None)
    route.converge(path)
    route.box.faults.clear()
    route.converge(path)
    row = record(route, "tag/old")
    assert row
    assert row.owned
    route.manifest(PRUNING + "tags: [vip]\n")
    assert changes(route.document(path)) == ["delete tag/old"]


def test_a_ledger_that_is_lost_owns_nothing_and_tombstones_go_on(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    text = "policy: {prune: {tags: owned}}\ntags: [vip, old, {name: gone, state: %s}]\n"
    route.converge(route.manifest(text % "present"))
    assert route.ledger
    route.ledger.close()
    (route.folder / ".reconciler" / "key").unlink()
    route.ledger = Ledger.open(route.folder / ".reconciler", create=True, now=route.clock)
    assert route.ledger
    with route.ledger:
        assert "written with another key" in route.ledger.warning
        plan = route.document(route.manifest((text % "absent").replace("old, ", "")))
        assert changes(plan) == ["delete tag/gone"]
        assert plan["changes"][0]["remark"] == "never ours"


def test_a_lost_attach_makes_only_the_link_of_its_very_ids_ours(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25"}], "tags": ["vip"]}, ledger=True)
    path = route.manifest("tags: [vip]\ncontacts: [{external_id: '25', tags: [vip]}]\n")
    route.box.faults.add("POST", "^/contacts/[^/]+/tags$", drop="after", times=None)
    route.converge(path)
    route.box.faults.clear()
    route.manifest("tags: [vip]\ncontacts: [{external_id: '25', tags: []}]\n")
    assert changes(route.document(path)) == ["detach contact/25 tag/vip"]
    by_hand(route, "DELETE", f"/tags/{tag_id(route, 'vip')}")
    by_hand(route, "POST", "/tags", {"name": "vip"})
    by_hand(route, "POST", f"/contacts/{contact_id(route)}/tags", {"id": tag_id(route, "vip")})
    assert changes(route.document(path)) == []


def with_key(route: Route, key: str | None = None) -> None:
    """From now on the ledger is opened with this key, else with the one that lies beside it."""
    if route.ledger:
        route.ledger.close()
    environ = {"RECONCILER_LEDGER_KEY": key} if key else {}
    route.ledger = Ledger.open(route.folder / ".reconciler", create=True, now=route.clock, environ=environ)


def test_a_run_with_a_wrong_key_takes_nothing_from_those_who_have_the_right_one(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    path = route.manifest(PRUNING + "tags: [vip, trial]\n")
    route.converge(path)
    with_key(route, "0f" * 32)
    assert changes(route.document(route.manifest(PRUNING + "tags: [vip]\n"))) == []
    route.converge(path)
    with_key(route)
    assert route.ledger
    with route.ledger:
        assert route.ledger.warning == ""
        assert changes(route.document(path)) == ["delete tag/trial"]


def test_what_a_run_with_a_wrong_key_detached_is_not_ours_when_somebody_attached_it_again(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25"}], "tags": ["vip"]}, ledger=True)
    text = "tags: [vip]\ncontacts: [{external_id: '25', tags: [%s]}]\n"
    route.converge(route.manifest(text % "vip"))
    assert changes(route.document(route.manifest(text % ""))) == ["detach contact/25 tag/vip"]
    with_key(route, "0f" * 32)
    route.clock.now += 60
    route.converge(route.manifest("policy: {links: exact}\n" + text % ""))
    by_hand(route, "POST", f"/contacts/{contact_id(route)}/tags", {"id": tag_id(route, "vip")})
    with_key(route)
    assert route.ledger
    with route.ledger:
        assert changes(route.document(route.manifest(text % ""))) == []


def test_a_lost_attach_that_a_later_run_saw_undone_makes_nothing_ours(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25"}], "tags": ["vip"]}, ledger=True)
    path = route.manifest("tags: [vip]\ncontacts: [{external_id: '25', tags: [vip]}]\n")
    route.box.faults.add("POST", "^/contacts/[^/]+/tags$", drop="before", times=None)
    route.converge(path)
    route.box.faults.clear()
    route.manifest("tags: [vip]\ncontacts: [{external_id: '25', tags: []}]\n")
    route.converge(path)
    by_hand(route, "POST", f"/contacts/{contact_id(route)}/tags", {"id": tag_id(route, "vip")})
    assert changes(route.document(path)) == []


def test_a_lost_create_that_a_later_run_did_not_find_makes_nothing_ours(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    path = route.manifest(PRUNING + "tags: [vip, other]\n")
    route.box.faults.add("POST", "^/tags$", drop="before", times=None)
    route.converge(path)
    route.box.faults.clear()
    route.manifest(PRUNING + "tags: [other]\n")
    route.converge(path)
    route.box.seed({"tags": ["vip"]})
    assert changes(route.document(path)) == []


def test_what_a_lost_create_made_is_an_orphan_when_its_entry_is_gone(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    path = route.manifest(PRUNING + "tags: [vip, other]\n")
    route.box.faults.add("POST", "^/tags$", drop="after", times=None)
    route.converge(path)
    route.box.faults.clear()
    route.manifest(PRUNING + "tags: [other]\n")
    assert changes(route.document(path)) == ["delete tag/vip"]


def test_a_ledger_restored_from_before_owns_nothing_and_says_so(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25"}]}, ledger=True)
    path = route.manifest(PRUNING + "tags: [vip, beta]\ncontacts: [{external_id: '25', tags: [beta]}]\n")
    route.converge(path)
    assert route.ledger
    route.ledger.close()
    folder = route.folder / ".reconciler"
    old = (folder / "ledger.db").read_bytes()
    route.ledger = Ledger.open(folder, create=True, now=route.clock)
    route.clock.now += 60
    route.converge(path)
    assert route.ledger
    route.ledger.close()
    (folder / "ledger.db").write_bytes(old)
    route.manifest(PRUNING + "tags: [vip]\ncontacts: [{external_id: '25', tags: []}]\n")
    for _ in range(2):
        route.ledger = Ledger.open(folder, create=True, now=route.clock)
        assert route.ledger
        assert changes(route.document(path)) == []
        (said,) = notes(route.document(path), "touched since")
        assert ("is older than the last run here" in route.ledger.warning) is (_ == 0)
        route.converge(path)
        route.ledger.close()
    route.ledger = Ledger.open(folder, create=True, now=route.clock)
    word = said.partition("--approve ")[2].partition("`")[0]
    route.rules = Approvals(on_command_line=(parse_approval(word),))
    assert [str(outcome.change.target) for outcome in route.converge(path)] == ["tag/beta"]
    assert (changes(route.document(path)), notes(route.document(path), "touched since")) == ([], [])


def test_what_somebody_makes_after_a_create_of_ours_was_lost_and_undone_is_recorded_only(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    path = route.manifest("contacts: [{external_id: '25', missing: create, name: Zoe}]\n")
    route.box.faults.add("POST", "^/contacts$", drop="before", times=None)
    assert one(route.converge(path)).status == "failed"
    route.box.faults.clear()
    assert not meet_meanwhile(route, path).owned


def test_what_we_made_is_ours_however_long_its_answer_took(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    body = {"type": "company", "id": "6762f0dd1bb69f9f00000aa1", "company_id": "6", "created_at": int(route.clock.now)}
    route.box.faults.add("POST", "^/companies$", body=json.dumps(body).encode(), run=lambda: route.clock.sleep(30))
    assert one(route.converge(route.manifest("companies: [{company_id: '6'}]\n"))).reason == ""
    row = record(route, "company/6")
    assert row
    assert row.owned
