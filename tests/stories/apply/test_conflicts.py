"""What an apply does with what it meets: the archived, the merged, the ones already there, the ones already gone."""

from __future__ import annotations

import json

import pytest

from reconciler.core.model.outcome import Status
from tests.conftest import MakeRoute
from tests.desk.route import changes, lines
from tests.stories.apply.results import describe_outcomes, people, wrote

TWIN = "6762f0dd1bb69f9f00000aa1"


def test_an_archived_contact_declared_present_is_brought_back_and_made_as_declared(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip"], "contacts": [{"external_id": "9", "name": "Old", "archived": True}]})
    manifest = route.manifest("tags: [vip]\ncontacts: [{external_id: '9', state: present, name: New, tags: [vip]}]\n")
    plan = route.document(manifest)
    assert [(c["action"], c.get("or")) for c in plan["changes"]][0] == ("create", "unarchive")
    outcomes = describe_outcomes(route.converge(manifest))
    assert outcomes["create contact/9"] == ("applied", "brought back from the archive")
    assert outcomes["attach contact/9 tag/vip"][0] == "applied"
    assert [(p["name"], p["archived"]) for p in people(route)] == [("New", False)]
    assert lines(route.document(manifest)) == []


def test_an_archived_contact_named_by_its_id_is_brought_back(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip"], "contacts": [{"id": TWIN, "role": "lead", "name": "Old", "archived": True}]})
    manifest = route.manifest(f"tags: [vip]\ncontacts: [{{id: {TWIN}, state: present, name: New, tags: [vip]}}]\n")
    assert changes(route.document(manifest)) == [f"unarchive contact/id:{TWIN}", f"attach contact/id:{TWIN} tag/vip"]
    assert {o.status for o in route.converge(manifest)} == {"applied"}
    assert lines(route.document(manifest)) == []


def test_with_the_state_unset_an_archived_contact_stays_and_the_outcome_says_what_to_write(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip"], "contacts": [{"external_id": "9", "archived": True}]})
    outcomes = describe_outcomes(
        route.converge(route.manifest("tags: [vip]\ncontacts: [{external_id: '9', missing: create, tags: [vip]}]\n"))
    )
    status, why = outcomes["create contact/9"]
    assert status == "failed"
    assert "write `state: present` to bring it back" in why
    assert outcomes["attach contact/9 tag/vip"][0] == "skipped"
    assert people(route)[0]["archived"] is True
    assert wrote(route) == ["POST /contacts"]


def test_an_archived_somebody_else_is_put_back(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"email": "h@s.example", "name": "Old", "archived": True}]})
    outcomes = describe_outcomes(route.converge(route.manifest("contacts: [{external_id: new, email: h@s.example, state: present}]\n")))
    status, why = outcomes["create contact/new"]
    assert status == "failed"
    assert "is not the one meant" in why
    assert [(p["archived"], p["name"]) for p in people(route)] == [(True, "Old")]


def test_an_archived_and_merged_contact_cannot_come_back_and_the_others_do(make_route: MakeRoute) -> None:
    route = make_route(
        {
            "tags": ["vip"],
            "contacts": [
                {"external_id": "1"},
                {"external_id": "2"},
                {"external_id": "9", "archived": True, "merged_into": "1", "role": "lead"},
            ],
        }
    )
    route.box.faults.add("GET", "^/contacts/find_by_external_id/9$", status=404, times=None)
    manifest = route.manifest(
        "tags: [vip]\ncontacts: [{external_id: '9', state: present, missing: create, tags: [vip]}, {external_id: '1', tags: [vip]},"
        " {external_id: '2', tags: [vip]}]\n"
    )
    for _ in range(2):
        outcomes = describe_outcomes(route.converge(manifest))
        status, why = outcomes["create contact/9"]
        assert status == "failed"
        assert "already exists" in why
        assert "merged and is not restorable" in why
        assert outcomes["attach contact/9 tag/vip"][0] == "skipped"
        assert wrote(route).count("POST /contacts") == 1
        assert sum(path.endswith("/unarchive") for path in wrote(route)) == 1
        route.box.forget_requests()
    assert lines(route.document(manifest)) == ["create contact/9", "attach contact/9 tag/vip"]


@pytest.mark.parametrize("version", ["2.14", "2.16"])
def test_whoever_was_merged_is_followed_and_never_created(version: str, make_route: MakeRoute) -> None:
    seed = {"tags": ["vip"], "contacts": [{"external_id": "1"}, {"external_id": "9", "role": "lead", "merged_into": "1"}]}
    route = make_route(seed, version=version)
    manifest = route.manifest("tags: [vip]\ncontacts: [{external_id: '9', state: present, tags: [vip]}]\n")
    assert lines(route.document(manifest)) == ["attach contact/9 tag/vip", "note merged contact/9"]
    route.converge(manifest)
    assert [len(person["tags"]) for person in people(route)] == [1, 0]
    assert lines(route.document(manifest)) == ["note merged contact/9"]


def test_a_create_that_meets_the_one_whom_search_did_not_show_takes_him(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip"], "contacts": [{"email": "Hoban@s.example", "hidden_from_search": 600}]})
    manifest = route.manifest("tags: [vip]\ncontacts: [{email: hoban@s.example, name: Hoban, missing: create, tags: [vip]}]\n")
    plan = route.document(manifest)
    assert [note["topic"] for note in plan["notes"] if note["topic"] != "pin"] == ["lag"]
    assert {o.status for o in route.converge(manifest)} == {"applied"}
    [person] = people(route)
    assert (person["name"], len(person["tags"])) == ("Hoban", 1)
    route.clock.now += 700
    assert lines(route.document(manifest)) == []


def test_what_we_created_is_found_again_while_search_is_blind(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip"]}, ledger=True, search_delay=600)
    manifest = route.manifest(
        "policy: {missing_contacts: create}\ntags: [vip]\ncontacts: [{email: h@s.example, tags: [vip]}, {email: l@s.example, role: lead}]\n"
    )
    route.converge(manifest)
    assert lines(route.document(manifest)) == []
    assert len(people(route)) == 2


def test_a_create_that_meets_somebody_else_by_email_fails_and_touches_nobody(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"email": "h@s.example", "name": "Old", "hidden_from_search": 600}]})
    outcomes = describe_outcomes(
        route.converge(route.manifest("contacts: [{external_id: new, email: h@s.example, name: New, missing: create}]\n"))
    )
    assert outcomes["create contact/new"][0] == "failed"
    assert "is not the one meant" in outcomes["create contact/new"][1]
    assert people(route)[0]["name"] == "Old"


@pytest.mark.parametrize("archived", [False, True])
def test_a_conflict_that_names_somebody_with_another_identity_is_not_taken(archived: bool, make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"id": TWIN, "external_id": "other", "name": "Old", "archived": archived}]})
    article = "An archived" if archived else "A"
    message = f"{article} contact matching those details already exists with id={TWIN}"
    route.box.faults.add("POST", "^/contacts$", status=409, code="conflict", message=message)
    outcomes = describe_outcomes(route.converge(route.manifest("contacts: [{external_id: new, name: New, state: present}]\n")))
    assert outcomes["create contact/new"][0] == "failed"
    assert [(person["name"], person["archived"]) for person in people(route)] == [("Old", archived)]


@pytest.mark.parametrize(
    ("desired", "path"),
    [
        ("tags: [{name: vip, state: absent}]\n", "^/tags/"),
        ("companies: [{company_id: '6', state: absent}]\n", "^/companies/"),
        ("policy: {limits: {contact_deletes: 1}}\ncontacts: [{external_id: '25', state: absent}]\n", "^/contacts/"),
        ("tags: [vip]\ncontacts: [{external_id: '25', tags: [{tag: vip, state: absent}]}]\n", "^/contacts/[^/]*/tags/"),
    ],
)
def test_what_is_gone_already_is_done(desired: str, path: str, make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip"], "companies": [{"company_id": "6"}], "contacts": [{"external_id": "25", "tags": ["vip"]}]})
    manifest = route.manifest(desired)
    plan = route.saved(manifest)
    route.box.faults.add("DELETE", path, status=404, code="not_found", message="Resource Not Found")
    [outcome] = route.apply(plan)
    assert (outcome.status, outcome.reason) == ("applied", "was gone already")


def test_a_link_to_a_contact_that_went_meanwhile_is_skipped_and_named(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip"], "companies": [{"company_id": "6"}], "contacts": [{"external_id": "25"}, {"external_id": "26"}]})
    manifest = route.manifest(
        "tags: [vip]\ncompanies: [{company_id: '6'}]\n"
        "contacts: [{external_id: '25', tags: [vip], companies: ['6']}, {external_id: '26', tags: [vip]}]\n"
    )
    plan = route.saved(manifest)
    box = route.box
    gone = people(route)[0]["id"]

    def archive() -> None:
        box.ws.store.put("contact", {**box.ws.store.table("contact").docs[gone], "archived": True})

    box.faults.add("POST", "^/(tags|contacts/[^/]*/(tags|companies))$", run=archive)
    outcomes = describe_outcomes(route.apply(plan))
    assert outcomes["attach contact/25 tag/vip"][0] == "skipped"
    assert "archived, merged or deleted" in outcomes["attach contact/25 tag/vip"][1]
    assert outcomes["attach contact/25 company/6"][0] == "skipped"
    assert outcomes["attach contact/26 tag/vip"][0] == "applied"


@pytest.mark.parametrize(("role", "sent"), [("lead", 1), ("user", 2)])
def test_the_create_of_a_lead_whose_answer_was_lost_is_not_repeated(role: str, sent: int, make_route: MakeRoute) -> None:
    route = make_route()
    route.box.faults.add("POST", "^/contacts$", drop="after")
    route.converge(route.manifest(f"contacts: [{{email: h@s.example, role: {role}, missing: create}}]\n"))
    assert wrote(route).count("POST /contacts") == sent
    assert len(people(route)) == 1


def test_what_depends_on_a_failure_is_skipped_and_the_rest_goes_on(make_route: MakeRoute) -> None:
    route = make_route()
    manifest = route.manifest(
        "tags: [vip]\ncompanies: [{company_id: '6', tags: [vip]}, {company_id: '7', tags: [vip]}]\n"
        "contacts: [{external_id: '25', missing: create, tags: [vip], companies: ['6', '7']}]\n"
    )
    route.box.faults.add("POST", "^/companies$", status=400, message="bad 'name' parameter")
    outcomes = describe_outcomes(route.converge(manifest))
    failed = [name for name, (status, _) in outcomes.items() if status == "failed"]
    skipped = {name: why for name, (status, why) in outcomes.items() if status == "skipped"}
    assert len(failed) == 1
    address = failed[0].removeprefix("create ")
    assert set(skipped) == {f"attach {address} tag/vip", f"attach contact/25 {address}"}
    assert all("bad 'name' parameter" in why for why in skipped.values())
    assert {o.status for o in route.converge(manifest)} == {"applied"}
    assert lines(route.document(manifest)) == []


def test_a_tag_that_a_segment_uses_fails_with_intercoms_words(make_route: MakeRoute) -> None:
    route = make_route({"tags": [{"name": "vip", "segments": ["Seg 1"]}]})
    [outcome] = route.converge(route.manifest("tags: [{name: vip, state: absent}]\n"))
    assert outcome.status is Status.FAILED
    assert "Segments: Seg 1" in outcome.reason
    assert outcome.request_id


def test_null_is_cleared_for_users_and_refused_by_intercom_for_leads(make_route: MakeRoute) -> None:
    cook = {"custom_attributes": {"title": "cook"}}
    route = make_route({"contacts": [{"external_id": "u", **cook}, {"id": TWIN, "role": "lead", **cook}]}, leads_refuse_null=True)
    title = "custom_attributes: {title: null}"
    manifest = route.manifest(f"contacts: [{{external_id: u, {title}}}, {{id: {TWIN}, {title}}}]\n")
    outcomes = describe_outcomes(route.converge(manifest))
    assert outcomes["update contact/u"][0] == "applied"
    assert outcomes[f"update contact/id:{TWIN}"][0] == "failed"
    assert "must not be null" in outcomes[f"update contact/id:{TWIN}"][1]


def test_a_field_that_intercom_does_not_take_is_ineffective_once_and_no_change_again(make_route: MakeRoute) -> None:
    route = make_route({"companies": [{"company_id": "6", "name": "Red"}]}, ledger=True)
    manifest = route.manifest("companies: [{company_id: '6', name: Blue Sun}]\n")
    body = {"type": "company", "id": route.box.ws.store.table("company").in_order()[0]["id"], "company_id": "6", "name": "Red"}
    route.box.faults.add("PUT", "^/companies/", body=json.dumps(body).encode(), times=None)
    [outcome] = route.converge(manifest)
    assert (outcome.status, outcome.fields) == ("ineffective", ("name",))
    assert lines(route.document(manifest)) == ["note ineffective company/6"]
    assert changes(route.document(route.manifest("companies: [{company_id: '6', name: Green}]\n"))) == ["update company/6 name='Green'"]


def test_a_company_that_is_still_there_is_named_and_only_the_next_plan_shows_it_again(make_route: MakeRoute) -> None:
    route = make_route({"companies": [{"company_id": "6"}], "contacts": [{"external_id": "25", "companies": ["6"]}]}, archive_delay=100)
    manifest = route.manifest("companies: [{company_id: '6', state: absent}]\n")
    with route.session() as session:
        from reconciler.intercom.perform import Performer
        from reconciler.manifest.read import read_manifest
        from reconciler.workflow.apply import prepare

        work = prepare(session, route.saved(manifest), read_manifest([str(manifest)]))
        steps, resources = work.proposal.plan.steps, work.proposal.manifest.resources
        performer = Performer(session.client, route.kinds, steps, resources, work.ids, route.clock.sleep, route.clock)
        [outcome] = performer.perform(work.jobs[0], work.ids)
        assert outcome.settling
        [late] = performer.settle([outcome])
    assert late.reason.startswith("being archived")
    assert changes(route.document(manifest)) == ["delete company/6"]
    route.clock.now += 200
    assert changes(route.document(manifest)) == []


def test_of_two_creates_that_meet_one_and_the_same_only_one_is_it(make_route: MakeRoute) -> None:
    route = make_route()
    somebody = {"contacts": [{"external_id": "25", "email": "h@s.example"}]}
    route.box.faults.add("POST", "^/contacts$", run=lambda: route.box.seed(somebody), times=1)
    manifest = route.manifest("policy: {missing_contacts: create}\ncontacts: [{external_id: '25'}, {email: h@s.example}]\n")
    outcomes = describe_outcomes(route.converge(manifest))
    (failed,) = [why for status, why in outcomes.values() if status == "failed"]
    assert "is not the one meant" in failed
    assert [status for status, _ in outcomes.values()].count("applied") == 1
