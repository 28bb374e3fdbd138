"""Contacts: every writable field, their role, their end and their return, and all of their links."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.core.model.outcome import Status
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes, lines
from tests.desk.telling import contact, gates, invalid, one, people, refusals, settles, statuses

ADMIN = "456"

VERSIONS = ("2.14", "2.15", "2.16")

EVERY_FIELD = {
    "email": "hoban@serenity.example",
    "role": "user",
    "name": "Hoban Washburn",
    "phone": "+15551234567",
    "avatar": "https://serenity.example/wash.png",
    "signed_up_at": 1394531169,
    "last_seen_at": 1400000000,
    "owner_id": ADMIN,
    "unsubscribed_from_emails": True,
    "custom_attributes": {"dinosaurs": 2, "pilot": True, "title": "pilot"},
}

WORLD = {
    "admins": [{"id": ADMIN, "name": "Zoe"}],
    "attributes": [
        {"name": "dinosaurs", "data_type": "integer"},
        {"name": "pilot", "data_type": "boolean"},
        {"name": "title"},
    ],
}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_contact_with_every_writable_field_is_created_and_converges(make_route: MakeRoute, version: str) -> None:
    route = make_route(WORLD, version=version)
    settles(route, {"contacts": [{"external_id": "25", "missing": "create", **EVERY_FIELD}]})
    live = contact(route.box, external_id="25")
    assert {name: live[name] for name in EVERY_FIELD} == EVERY_FIELD


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("field", [name for name in EVERY_FIELD if name != "role"])
def test_each_writable_field_is_updated_alone(make_route: MakeRoute, field: str, version: str) -> None:
    route = make_route({**WORLD, "contacts": [{"external_id": "25"}]}, version=version)
    settles(route, {"contacts": [{"external_id": "25", field: EVERY_FIELD[field]}]})
    (write,) = route.box.writes
    assert (write.method, list(write.body)) == ("PUT", [field])
    assert contact(route.box, external_id="25")[field] == EVERY_FIELD[field]


@pytest.mark.parametrize(("version", "on_the_wire"), [("2.14", 456), ("2.15", 456), ("2.16", "456")])
def test_owner_id_is_a_number_before_2_16_and_a_text_since(make_route: MakeRoute, version: str, on_the_wire: object) -> None:
    route = make_route({**WORLD, "contacts": [{"external_id": "25"}]}, version=version)
    for written in ("456", '"456"'):
        settles(route, f"contacts: [{{external_id: '25', owner_id: {written}}}]\n")
    (write,) = route.box.writes
    assert write.body == {"owner_id": on_the_wire}


def test_an_owner_id_is_a_number_as_intercom_gives_them(make_route: MakeRoute) -> None:
    assert "owner_id" in invalid(make_route(), {"contacts": [{"external_id": "25", "owner_id": "zoe@serenity.example"}]})
    assert "owner_id" in invalid(make_route(), "contacts: [{external_id: '25', owner_id: ''}]\n")


def test_an_owner_who_is_no_member_fails_with_what_intercom_says(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25"}]})
    (outcome,) = route.converge(route.manifest({"contacts": [{"external_id": "25", "owner_id": "999"}]}))
    assert outcome.status is Status.FAILED
    assert "The owner specified is not a member of the workspace" in outcome.reason


def test_an_avatar_is_written_as_a_text_and_read_as_an_object(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25"}]})
    settles(route, {"contacts": [{"external_id": "25", "avatar": "https://serenity.example/a.png"}]})
    assert route.box.writes[-1].body == {"avatar": "https://serenity.example/a.png"}
    settles(route, "contacts: [{external_id: '25', avatar: null}]\n")
    assert route.box.writes[-1].body == {"avatar": None}


def test_custom_attributes_are_merged_key_by_key(make_route: MakeRoute) -> None:
    route = make_route(
        {**WORLD, "contacts": [{"external_id": "25", "custom_attributes": {"dinosaurs": 2, "pilot": True, "title": "pilot"}}]}
    )
    path = route.manifest("contacts: [{external_id: '25', custom_attributes: {dinosaurs: 3, pilot: true, title: null}}]\n")
    assert changes(route.document(path)) == ["update contact/25 custom_attributes.dinosaurs=3 custom_attributes.title=None"]
    route.converge(path)
    assert route.box.writes[-1].body == {"custom_attributes": {"dinosaurs": 3, "title": None}}
    assert contact(route.box, external_id="25")["custom_attributes"] == {"dinosaurs": 3, "pilot": True}
    assert changes(route.document(path)) == []


def test_clearing_what_is_not_there_is_no_change(make_route: MakeRoute) -> None:
    route = make_route({**WORLD, "contacts": [{"external_id": "25"}]})
    path = route.manifest("contacts: [{external_id: '25', name: null, phone: ~, owner_id: Null, custom_attributes: {title: null}}]\n")
    assert changes(route.document(path)) == []


@pytest.mark.parametrize("field", ["name", "phone", "avatar", "signed_up_at", "last_seen_at", "owner_id"])
def test_null_clears_each_field_that_the_description_marks_nullable(make_route: MakeRoute, field: str) -> None:
    route = make_route({**WORLD, "contacts": [{"external_id": "25", field: EVERY_FIELD[field]}]})
    settles(route, f"contacts: [{{external_id: '25', {field}: null}}]\n")
    assert contact(route.box, external_id="25")[field] is None


@pytest.mark.parametrize("field", ["external_id", "email", "role", "custom_attributes"])
def test_null_is_invalid_for_every_other_field(make_route: MakeRoute, field: str) -> None:
    assert "intercom.yaml:1" in invalid(make_route(), f"contacts: [{{id: 6762f0dd1bb69f9f00000001, {field}: null}}]\n")


def test_a_null_that_a_lead_refuses_fails_with_the_message_and_the_user_is_cleared(make_route: MakeRoute) -> None:
    """intercom-node#215."""
    seed = [
        {"external_id": "u", "custom_attributes": {"title": "cook"}},
        {"email": "l@x.example", "role": "lead", "custom_attributes": {"title": "cook"}},
    ]
    route = make_route({"contacts": seed}, leads_refuse_null=True)
    path = route.manifest(
        "contacts: [{external_id: u, custom_attributes: {title: null}}, {email: l@x.example, custom_attributes: {title: null}}]\n"
    )
    told_of = {str(o.change.address): o for o in route.converge(path)}
    assert told_of["contact/u"].status is Status.APPLIED
    assert told_of["contact/l@x.example"].status is Status.FAILED
    assert "must not be null" in told_of["contact/l@x.example"].reason


@pytest.mark.parametrize("key", ["email_verified", "language_override", "created_at", "location"])
def test_what_cannot_be_written_or_read_back_cannot_be_declared(make_route: MakeRoute, key: str) -> None:
    """email_verified is in no reply (contact, API 2.16): nothing could tell whether it is so."""
    assert f"unknown key '{key}'" in invalid(make_route(), {"contacts": [{"external_id": "25", key: True}]})


def test_a_lead_becomes_a_user(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"email": "l@x.example", "role": "lead"}]})
    settles(route, {"contacts": [{"email": "l@x.example", "role": "user"}]})
    assert contact(route.box, email="l@x.example")["role"] == "user"


def test_a_user_does_not_become_a_lead_and_the_plan_says_so(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25"}]})
    plan = route.document(route.manifest({"contacts": [{"external_id": "25", "role": "lead", "name": "X"}]}))
    ((gate, message),) = refusals(plan)
    assert gate == "fixed"
    assert "intercom.yaml:2" in message
    assert "a user cannot become a lead" in message
    assert not route.box.writes


def test_a_contact_is_archived_once(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "31"}]})
    path = route.manifest({"contacts": [{"external_id": "31", "state": "archived"}]})
    assert changes(route.document(path)) == ["archive contact/31"]
    assert statuses(route.converge(path)) == {"archive contact/31": "applied"}
    assert contact(route.box, external_id="31")["archived"] is True
    assert lines(route.document(path)) == ["note unproven contact/31"]


def test_an_archived_contact_is_brought_back_by_its_id(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip"], "contacts": [{"id": "6762f0dd1bb69f9f000000aa", "external_id": "31", "archived": True}]})
    entry = {"id": "6762f0dd1bb69f9f000000aa", "state": "present", "name": "Back", "tags": ["vip"]}
    path = route.manifest({"tags": ["vip"], "contacts": [entry]})
    name = "contact/id:6762f0dd1bb69f9f000000aa"
    assert changes(route.document(path)) == [f"unarchive {name}", f"attach {name} tag/vip"]
    settles(route, {"tags": ["vip"], "contacts": [entry]})
    live = contact(route.box, external_id="31")
    assert (live["archived"], live["name"], bool(live["tags"])) == (False, "Back", True)


def test_an_archived_contact_without_state_present_is_not_brought_back_by_its_id(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"id": "6762f0dd1bb69f9f000000aa", "archived": True}]})
    assert lines(route.document(route.manifest({"contacts": [{"id": "6762f0dd1bb69f9f000000aa", "name": "X"}]}))) == [
        "note missing contact/id:6762f0dd1bb69f9f000000aa"
    ]


@pytest.mark.parametrize("by", [{"external_id": "31"}, {"email": "kaylee@x.example"}], ids=["external_id", "email"])
def test_an_archived_contact_is_brought_back_by_the_409(make_route: MakeRoute, by: dict[str, str]) -> None:
    route = make_route({"tags": ["vip"], "contacts": [{**by, "archived": True, "name": "Old"}]})
    path = route.manifest({"tags": ["vip"], "contacts": [{**by, "state": "present", "name": "New", "tags": ["vip"]}]})
    assert route.document(path)["changes"][0]["or"] == "unarchive"
    outcomes = route.converge(path)
    assert one(outcomes, "create").reason == "brought back from the archive"
    assert {o.status for o in outcomes} == {Status.APPLIED}
    assert people(route.box) == 1
    assert contact(route.box, **by)["name"] == "New"
    assert changes(route.document(path)) == []


def test_deleting_a_contact_is_refused_until_its_own_limit_allows_it(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "31"}]})
    entry = {"contacts": [{"external_id": "31", "state": "absent"}]}
    assert gates(route.document(route.manifest(entry))) == ["limits.contact_deletes"]
    settles(route, {**entry, "policy": {"limits": {"contact_deletes": 1}}})
    assert people(route.box) == 0
    assert [(w.method, w.status) for w in route.box.writes] == [("DELETE", 200)]


def test_a_contact_that_went_before_us_is_deleted(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "31"}]})
    plan = route.saved(
        route.manifest({"contacts": [{"external_id": "31", "state": "absent"}], "policy": {"limits": {"contact_deletes": 1}}})
    )
    route.box.faults.add("DELETE", "^/contacts/", status=404, message="User Not Found")
    (outcome,) = route.apply(plan)
    assert (outcome.status, outcome.reason) == (Status.APPLIED, "was gone already")


def _blind(make_route: MakeRoute, seed: dict[str, Any], **how: Any) -> Route:
    """A workspace whose search has not seen anybody yet."""
    for entry in seed["contacts"]:
        entry.setdefault("hidden_from_search", 600)
    return make_route(seed, **how)


def test_a_contact_known_only_by_external_id_is_found_while_search_is_blind(make_route: MakeRoute) -> None:
    """rudder-transformer#5090."""
    route = make_route({"tags": ["vip"], "contacts": [{"external_id": "u-100", "hidden_from_search": 600}]})
    path = route.manifest(
        {"tags": ["vip"], "contacts": [{"external_id": "u-100", "email": "zoe@x.example", "missing": "create", "tags": ["vip"]}]}
    )
    assert [line.partition(" ")[0] for line in changes(route.document(path))] == ["update", "attach"]
    assert {o.status for o in route.converge(path)} == {Status.APPLIED}
    assert changes(route.document(path)) == []


def test_a_contact_with_more_than_ten_links_is_read_whole(make_route: MakeRoute) -> None:
    tags = [f"t{n}" for n in range(31)]
    companies = [f"c{n}" for n in range(31)]
    route = make_route(
        {
            "tags": tags,
            "companies": [{"company_id": c} for c in companies],
            "contacts": [{"external_id": "25", "tags": tags, "companies": companies}],
        }
    )
    written = {
        "tags": tags,
        "companies": [{"company_id": c} for c in companies],
        "contacts": [{"external_id": "25", "tags": tags, "companies": companies}],
    }
    assert changes(route.document(route.manifest(written))) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_a_lead_that_search_does_not_show_yet_is_not_created_again(make_route: MakeRoute, version: str) -> None:
    route = make_route(version=version, ledger=True, search_delay=600)
    path = route.manifest({"contacts": [{"email": "lead@x.example", "role": "lead", "missing": "create", "name": "X"}]})
    assert {o.status for o in route.converge(path)} == {Status.APPLIED}
    assert changes(route.document(path)) == []
    assert people(route.box) == 1


def test_who_was_blocked_cannot_be_created_and_intercom_says_why(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "9", "blocked": True, "archived": True}]})
    (outcome,) = route.converge(route.manifest({"contacts": [{"external_id": "9", "state": "present"}]}))
    assert (outcome.status, outcome.reason) == (Status.FAILED, "400 User was blocked and cannot be recreated")
