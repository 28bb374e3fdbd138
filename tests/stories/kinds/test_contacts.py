"""Contacts in full: every writable field, every way to name somebody, every form of 409, and who was merged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reconciler.core.model.outcome import Status
from reconciler.errors import Stale
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes, lines
from tests.desk.telling import contact, gates, invalid, notes, one, people, refusals, settles, statuses

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


# ---- fields
@pytest.mark.parametrize("version", VERSIONS)
def test_a_contact_with_every_writable_field_is_created_and_converges(route: MakeRoute, version: str) -> None:
    told = route(WORLD, version=version)
    settles(told, {"contacts": [{"external_id": "25", "missing": "create", **EVERY_FIELD}]})
    live = contact(told.box, external_id="25")
    assert {name: live[name] for name in EVERY_FIELD} == EVERY_FIELD


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("field", [name for name in EVERY_FIELD if name != "role"])
def test_each_writable_field_is_updated_alone(route: MakeRoute, field: str, version: str) -> None:
    told = route({**WORLD, "contacts": [{"external_id": "25"}]}, version=version)
    settles(told, {"contacts": [{"external_id": "25", field: EVERY_FIELD[field]}]})
    (write,) = told.box.writes
    assert (write.method, list(write.body)) == ("PUT", [field])
    assert contact(told.box, external_id="25")[field] == EVERY_FIELD[field]


@pytest.mark.parametrize(("version", "on_the_wire"), [("2.14", 456), ("2.15", 456), ("2.16", "456")])
def test_owner_id_is_a_number_before_2_16_and_a_text_since(route: MakeRoute, version: str, on_the_wire: object) -> None:
    told = route({**WORLD, "contacts": [{"external_id": "25"}]}, version=version)
    for written in ("456", '"456"'):
        settles(told, f"contacts: [{{external_id: '25', owner_id: {written}}}]\n")
    (write,) = told.box.writes
    assert write.body == {"owner_id": on_the_wire}


def test_an_owner_id_is_a_number_as_intercom_gives_them(route: MakeRoute) -> None:
    assert "owner_id" in invalid(route(), {"contacts": [{"external_id": "25", "owner_id": "zoe@serenity.example"}]})
    assert "owner_id" in invalid(route(), "contacts: [{external_id: '25', owner_id: ''}]\n")


def test_an_owner_who_is_no_member_fails_with_what_intercom_says(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25"}]})
    (outcome,) = told.converge(told.manifest({"contacts": [{"external_id": "25", "owner_id": "999"}]}))
    assert outcome.status is Status.FAILED
    assert "The owner specified is not a member of the workspace" in outcome.reason


def test_an_avatar_is_written_as_a_text_and_read_as_an_object(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25"}]})
    settles(told, {"contacts": [{"external_id": "25", "avatar": "https://serenity.example/a.png"}]})
    assert told.box.writes[-1].body == {"avatar": "https://serenity.example/a.png"}
    settles(told, "contacts: [{external_id: '25', avatar: null}]\n")
    assert told.box.writes[-1].body == {"avatar": None}


def test_custom_attributes_are_merged_key_by_key(route: MakeRoute) -> None:
    told = route({**WORLD, "contacts": [{"external_id": "25", "custom_attributes": {"dinosaurs": 2, "pilot": True, "title": "pilot"}}]})
    path = told.manifest("contacts: [{external_id: '25', custom_attributes: {dinosaurs: 3, pilot: true, title: null}}]\n")
    assert changes(told.document(path)) == ["update contact/25 custom_attributes.dinosaurs=3 custom_attributes.title=None"]
    told.converge(path)
    assert told.box.writes[-1].body == {"custom_attributes": {"dinosaurs": 3, "title": None}}
    assert contact(told.box, external_id="25")["custom_attributes"] == {"dinosaurs": 3, "pilot": True}
    assert changes(told.document(path)) == []


def test_clearing_what_is_not_there_is_no_change(route: MakeRoute) -> None:
    told = route({**WORLD, "contacts": [{"external_id": "25"}]})
    path = told.manifest("contacts: [{external_id: '25', name: null, phone: ~, owner_id: Null, custom_attributes: {title: null}}]\n")
    assert changes(told.document(path)) == []


@pytest.mark.parametrize("field", ["name", "phone", "avatar", "signed_up_at", "last_seen_at", "owner_id"])
def test_null_clears_each_field_that_the_description_marks_nullable(route: MakeRoute, field: str) -> None:
    told = route({**WORLD, "contacts": [{"external_id": "25", field: EVERY_FIELD[field]}]})
    settles(told, f"contacts: [{{external_id: '25', {field}: null}}]\n")
    assert contact(told.box, external_id="25")[field] is None


@pytest.mark.parametrize("field", ["external_id", "email", "role", "custom_attributes"])
def test_null_is_invalid_for_every_other_field(route: MakeRoute, field: str) -> None:
    assert "intercom.yaml:1" in invalid(route(), f"contacts: [{{id: 6762f0dd1bb69f9f00000001, {field}: null}}]\n")


def test_a_null_that_a_lead_refuses_fails_with_the_message_and_the_user_is_cleared(route: MakeRoute) -> None:
    """intercom-node#215."""
    seed = [
        {"external_id": "u", "custom_attributes": {"title": "cook"}},
        {"email": "l@x.example", "role": "lead", "custom_attributes": {"title": "cook"}},
    ]
    told = route({"contacts": seed}, leads_refuse_null=True)
    path = told.manifest(
        "contacts: [{external_id: u, custom_attributes: {title: null}}, {email: l@x.example, custom_attributes: {title: null}}]\n"
    )
    told_of = {str(o.change.address): o for o in told.converge(path)}
    assert told_of["contact/u"].status is Status.APPLIED
    assert told_of["contact/l@x.example"].status is Status.FAILED
    assert "must not be null" in told_of["contact/l@x.example"].reason


@pytest.mark.parametrize("key", ["email_verified", "language_override", "created_at", "location"])
def test_what_cannot_be_written_or_read_back_cannot_be_declared(route: MakeRoute, key: str) -> None:
    """email_verified is in no reply (contact, API 2.16): nothing could tell whether it is so."""
    assert f"unknown key '{key}'" in invalid(route(), {"contacts": [{"external_id": "25", key: True}]})


# ---- role
def test_a_lead_becomes_a_user(route: MakeRoute) -> None:
    told = route({"contacts": [{"email": "l@x.example", "role": "lead"}]})
    settles(told, {"contacts": [{"email": "l@x.example", "role": "user"}]})
    assert contact(told.box, email="l@x.example")["role"] == "user"


def test_a_user_does_not_become_a_lead_and_the_plan_says_so(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25"}]})
    found = told.document(told.manifest({"contacts": [{"external_id": "25", "role": "lead", "name": "X"}]}))
    ((gate, message),) = refusals(found)
    assert gate == "fixed"
    assert "intercom.yaml:2" in message
    assert "a user cannot become a lead" in message
    assert not told.box.writes


# ---- who is who
@pytest.mark.parametrize(
    ("live", "entry", "written"),
    [
        ({"external_id": "25"}, {"external_id": "26", "was": {"external_id": "25"}}, {"external_id": "26"}),
        ({"email": "old@x.example"}, {"email": "new@x.example", "was": {"email": "old@x.example"}}, {"email": "new@x.example"}),
        ({"email": "old@x.example"}, {"external_id": "25", "was": {"email": "old@x.example"}}, {"external_id": "25"}),
        (
            {"id": "6762f0dd1bb69f9f000000aa", "role": "lead"},
            {"email": "new@x.example", "was": {"id": "6762f0dd1bb69f9f000000aa"}},
            {"email": "new@x.example"},
        ),
    ],
    ids=["external_id", "email", "email-to-external_id", "id-to-email"],
)
def test_was_moves_an_identity_in_one_update_and_keeps_the_links(route: MakeRoute, live: Any, entry: Any, written: Any) -> None:
    told = route({"tags": ["vip"], "contacts": [{**live, "tags": ["vip"]}]})
    settles(told, {"tags": ["vip"], "contacts": [{**entry, "missing": "create", "tags": ["vip"]}]})
    assert [(w.method, w.body) for w in told.box.writes] == [("PUT", written)]
    assert people(told.box) == 1


def test_was_moves_nothing_once_the_new_identity_is_live(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25"}, {"external_id": "26"}]})
    assert changes(told.document(told.manifest({"contacts": [{"external_id": "26", "was": {"external_id": "25"}}]}))) == []


def test_was_names_exactly_one_former_identity(route: MakeRoute) -> None:
    assert "one former identity" in invalid(route(), {"contacts": [{"external_id": "26", "was": {"external_id": "1", "email": "a@b.c"}}]})


def test_an_id_names_a_lead_without_anything_else(route: MakeRoute) -> None:
    told = route({"tags": ["vip"], "contacts": [{"id": "6762f0dd1bb69f9f000000aa", "role": "lead"}]})
    settles(told, {"tags": ["vip"], "contacts": [{"id": "6762f0dd1bb69f9f000000aa", "name": "Nobody", "tags": ["vip"]}]})
    assert contact(told.box, name="Nobody")["tags"]


def test_an_id_is_never_created_and_must_look_like_one(route: MakeRoute) -> None:
    told = route()
    assert "cannot be created" in invalid(told, {"contacts": [{"id": "6762f0dd1bb69f9f000000aa", "missing": "create"}]})
    assert "is not the id of a contact" in invalid(told, {"contacts": [{"id": "../companies"}]})
    assert "beside another name" in invalid(told, {"contacts": [{"id": "6762f0dd1bb69f9f000000aa", "email": "a@b.c"}]})
    found = told.document(told.manifest({"contacts": [{"id": "6762f0dd1bb69f9f000000aa", "name": "X"}]}))
    assert lines(found) == ["note missing contact/id:6762f0dd1bb69f9f000000aa"]


def test_a_lead_is_found_by_e_mail_and_a_user_comes_first(route: MakeRoute) -> None:
    told = route(
        {
            "contacts": [
                {"email": "a@x.example", "role": "lead"},
                {"email": "a@x.example", "external_id": "u"},
                {"email": "b@x.example", "role": "lead"},
            ]
        }
    )
    settles(told, {"contacts": [{"email": "A@x.example", "name": "User"}, {"email": "b@x.example", "name": "Lead"}]})
    assert contact(told.box, name="User")["external_id"] == "u"
    assert contact(told.box, name="Lead")["role"] == "lead"


def test_several_leads_with_one_e_mail_are_refused_with_their_ids(route: MakeRoute) -> None:
    twins = [{"id": f"6762f0dd1bb69f9f0000000{n}", "email": "twin@x.example", "role": "lead"} for n in (1, 2, 3)]
    told = route({"contacts": twins})
    found = told.document(told.manifest({"contacts": [{"email": "twin@x.example", "missing": "create", "name": "X"}]}))
    ((gate, message),) = refusals(found)
    assert gate == "identity"
    assert all(str(twin["id"]) in message for twin in twins)
    assert "intercom.yaml:2" in message
    assert changes(found) == []
    settles(told, {"contacts": [{"id": str(twins[1]["id"]), "name": "X"}]})


# ---- archive, bring back, delete
def test_a_contact_is_archived_once(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "31"}]})
    path = told.manifest({"contacts": [{"external_id": "31", "state": "archived"}]})
    assert changes(told.document(path)) == ["archive contact/31"]
    assert statuses(told.converge(path)) == {"archive contact/31": "applied"}
    assert contact(told.box, external_id="31")["archived"] is True
    assert lines(told.document(path)) == ["note unproven contact/31"]


def test_an_archived_contact_is_brought_back_by_its_id(route: MakeRoute) -> None:
    told = route({"tags": ["vip"], "contacts": [{"id": "6762f0dd1bb69f9f000000aa", "external_id": "31", "archived": True}]})
    entry = {"id": "6762f0dd1bb69f9f000000aa", "state": "present", "name": "Back", "tags": ["vip"]}
    path = told.manifest({"tags": ["vip"], "contacts": [entry]})
    name = "contact/id:6762f0dd1bb69f9f000000aa"
    assert changes(told.document(path)) == [f"unarchive {name}", f"attach {name} tag/vip"]
    settles(told, {"tags": ["vip"], "contacts": [entry]})
    live = contact(told.box, external_id="31")
    assert (live["archived"], live["name"], bool(live["tags"])) == (False, "Back", True)


def test_an_archived_contact_without_state_present_is_not_brought_back_by_its_id(route: MakeRoute) -> None:
    told = route({"contacts": [{"id": "6762f0dd1bb69f9f000000aa", "archived": True}]})
    assert lines(told.document(told.manifest({"contacts": [{"id": "6762f0dd1bb69f9f000000aa", "name": "X"}]}))) == [
        "note missing contact/id:6762f0dd1bb69f9f000000aa"
    ]


@pytest.mark.parametrize("by", [{"external_id": "31"}, {"email": "kaylee@x.example"}], ids=["external_id", "email"])
def test_an_archived_contact_is_brought_back_by_the_409(route: MakeRoute, by: dict[str, str]) -> None:
    told = route({"tags": ["vip"], "contacts": [{**by, "archived": True, "name": "Old"}]})
    path = told.manifest({"tags": ["vip"], "contacts": [{**by, "state": "present", "name": "New", "tags": ["vip"]}]})
    assert told.document(path)["changes"][0]["or"] == "unarchive"
    outcomes = told.converge(path)
    assert one(outcomes, "create").reason == "brought back from the archive"
    assert {o.status for o in outcomes} == {Status.APPLIED}
    assert people(told.box) == 1
    assert contact(told.box, **by)["name"] == "New"
    assert changes(told.document(path)) == []


def test_deleting_a_contact_is_refused_until_its_own_limit_allows_it(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "31"}]})
    entry = {"contacts": [{"external_id": "31", "state": "absent"}]}
    assert gates(told.document(told.manifest(entry))) == ["limits.contact_deletes"]
    settles(told, {**entry, "policy": {"limits": {"contact_deletes": 1}}})
    assert people(told.box) == 0
    assert [(w.method, w.status) for w in told.box.writes] == [("DELETE", 200)]


def test_a_contact_that_went_before_us_is_deleted(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "31"}]})
    found = told.saved(
        told.manifest({"contacts": [{"external_id": "31", "state": "absent"}], "policy": {"limits": {"contact_deletes": 1}}})
    )
    told.box.faults.add("DELETE", "^/contacts/", status=404, message="User Not Found")
    (outcome,) = told.apply(found)
    assert (outcome.status, outcome.reason) == (Status.APPLIED, "was gone already")


# ---- 409 in all its forms
def _blind(route: MakeRoute, seed: dict[str, Any], **how: Any) -> Route:
    """A workspace whose search has not seen anybody yet."""
    for entry in seed["contacts"]:
        entry.setdefault("hidden_from_search", 600)
    return route(seed, **how)


def test_409_with_the_one_who_is_meant_is_taken_and_made_as_declared(route: MakeRoute) -> None:
    told = _blind(route, {"contacts": [{"email": "zoe@x.example", "name": "Old"}]}, ledger=True)
    path = told.manifest({"contacts": [{"email": "zoe@x.example", "missing": "create", "name": "New"}]})
    outcome = one(told.converge(path), "create")
    assert (outcome.status, outcome.reason) == (Status.APPLIED, "existed already")
    assert contact(told.box, email="zoe@x.example")["name"] == "New"
    assert people(told.box) == 1
    assert changes(told.document(path)) == []


def test_409_with_an_archived_one_stops_where_nobody_wrote_state_present(route: MakeRoute) -> None:
    told = route({"contacts": [{"id": "6762f0dd1bb69f9f000000aa", "email": "zoe@x.example", "archived": True}]})
    outcome = one(told.converge(told.manifest({"contacts": [{"email": "zoe@x.example", "missing": "create"}]})), "create")
    assert outcome.status is Status.FAILED
    assert "6762f0dd1bb69f9f000000aa" in outcome.reason
    assert "state: present" in outcome.reason
    assert contact(told.box, email="zoe@x.example")["archived"] is True


def test_409_that_matched_by_e_mail_is_not_the_external_id_that_is_meant(route: MakeRoute) -> None:
    told = _blind(route, {"contacts": [{"email": "zoe@x.example", "name": "Zoe"}]})
    outcome = one(
        told.converge(told.manifest({"contacts": [{"external_id": "25", "email": "zoe@x.example", "missing": "create"}]})), "create"
    )
    assert outcome.status is Status.FAILED
    assert "is not the one meant" in outcome.reason
    live = contact(told.box, email="zoe@x.example")
    assert live["id"] in outcome.reason
    assert live.get("external_id") is None


def test_an_e_mail_that_somebody_holds_is_refused_in_the_plan_with_the_id(route: MakeRoute) -> None:
    told = route({"contacts": [{"id": "6762f0dd1bb69f9f000000aa", "email": "zoe@x.example"}]})
    found = told.document(told.manifest({"contacts": [{"external_id": "25", "email": "zoe@x.example", "missing": "create"}]}))
    ((gate, message),) = refusals(found)
    assert gate == "identity"
    assert "6762f0dd1bb69f9f000000aa" in message


def test_an_archived_one_who_is_somebody_else_is_put_back(route: MakeRoute) -> None:
    told = route({"contacts": [{"email": "zoe@x.example", "archived": True}]})
    outcome = one(
        told.converge(told.manifest({"contacts": [{"external_id": "25", "email": "zoe@x.example", "state": "present"}]})), "create"
    )
    assert outcome.status is Status.FAILED
    assert "is not the one meant" in outcome.reason
    assert contact(told.box, email="zoe@x.example")["archived"] is True


STRANGER = {"contacts": [{"email": "zoe@x.example", "archived": True}]}
TAKES = {"contacts": [{"external_id": "25", "email": "zoe@x.example", "state": "present"}]}


@pytest.mark.parametrize("trouble", ["", "/archive$"], ids=["put back", "left awake"])
def test_who_was_seen_to_be_somebody_else_is_never_brought_back_again(route: MakeRoute, trouble: str) -> None:
    told = route(STRANGER, ledger=True)
    if trouble:
        told.box.faults.add("POST", trouble, status=403, code="forbidden", message="no")
    path = told.manifest(TAKES)
    first = one(told.converge(path), "create")
    live = contact(told.box, email="zoe@x.example")["id"]
    assert f"another contact (id {live})" in first.reason
    assert "was brought back from the archive" in first.reason
    told.box.seed({"contacts": [{"id": live, "archived": True}]})
    for _ in range(3):
        told.clock.sleep(86400)
        told.box.forget_requests()
        outcome = one(told.converge(path), "create")
        assert outcome.status is Status.FAILED
        assert f"another contact (id {live})" in outcome.reason
        assert "was brought back from the archive once to see that, and is left alone now" in outcome.reason
        assert [r.path for r in told.box.writes] == ["/contacts"]
    assert contact(told.box, email="zoe@x.example")["archived"] is True


def test_who_is_somebody_else_to_one_entry_may_be_the_one_that_another_means(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "26", "email": "zoe@x.example", "archived": True}]}, ledger=True)
    one(told.converge(told.manifest(TAKES)), "create")
    back = one(told.converge(told.manifest({"contacts": [{"external_id": "26", "state": "present"}]})), "create")
    assert (back.status, back.reason) == (Status.APPLIED, "brought back from the archive")


def test_a_stranger_is_no_thing_of_a_run_in_its_history(route: MakeRoute) -> None:
    told = route(STRANGER, ledger=True)
    told.converge(told.manifest(TAKES))
    assert told.ledger
    (run,) = told.ledger.runs()
    assert [(done.outcome, done.id) for done in told.ledger.done(run.run)] == [("failed", None)]


def test_an_archived_one_who_cannot_be_put_back_is_named_as_brought_back(route: MakeRoute) -> None:
    told = route({"contacts": [{"email": "zoe@x.example", "archived": True}]})
    told.box.faults.add("POST", "/archive$", status=403, code="forbidden", message="no")
    outcome = one(
        told.converge(told.manifest({"contacts": [{"external_id": "25", "email": "zoe@x.example", "state": "present"}]})), "create"
    )
    live = contact(told.box, email="zoe@x.example")
    assert outcome.status is Status.FAILED
    assert f"id {live['id']}" in outcome.reason
    assert "could not be archived again" in outcome.reason


def test_archived_and_merged_fails_with_both_messages_and_the_next_apply_makes_the_two_calls_again(route: MakeRoute) -> None:
    """forum.intercom.com, "How to unarchive a contact?"."""
    seed = {
        "tags": ["vip"],
        "contacts": [{"external_id": "1"}, {"external_id": "2"}, {"external_id": "9", "archived": True, "merged_into": "1"}],
    }
    told = route(seed, version="2.16", ledger=True)
    # What is merged answers 410; here it is as reported: archived first, and nothing says where it went.
    told.box.faults.add("GET", "find_by_external_id/9$", status=404, code="not_found", times=None)
    written = {"tags": ["vip"], "contacts": [{"external_id": "9", "state": "present", "missing": "create", "tags": ["vip"]}]}
    written["contacts"] += [{"external_id": key, "tags": ["vip"]} for key in ("1", "2")]  # type: ignore[operator]
    path = told.manifest(written)
    outcomes = told.converge(path)
    failed = one(outcomes, "create")
    assert failed.status is Status.FAILED
    assert "An archived contact matching those details already exists" in failed.reason
    assert "User has been merged and is not restorable." in failed.reason
    by_link = {o.change.address.key: o for o in outcomes if o.change.action == "attach"}
    assert (by_link["1"].status, by_link["2"].status, by_link["9"].status) == ("applied", "applied", "skipped")
    assert "create of the contact" in by_link["9"].reason
    told.box.forget_requests()
    told.converge(path)
    assert [w.path.partition("/contacts")[2] for w in told.box.writes] == ["", f"/{contact(told.box, external_id='9')['id']}/unarchive"]


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("A contact matching those details already exists with id={id}", "applied"),
        ("A contact matching those details already exists with id={id}.", "applied"),
        ("A Contact matching those details already exists with id={id} in this workspace", "applied"),
        ("A user matching those details already exists with id={id}", "applied"),
        ("A contact matching those details already exists", "failed"),
        ("A contact matching those details already exists with id=", "failed"),
        ("A contact matching those details already exists with id={other}", "failed"),
        ("A contact matching those details already exists with id=000000000000000000000000", "failed"),
    ],
)
def test_the_id_stands_only_in_the_message_of_the_409(route: MakeRoute, message: str, status: str) -> None:
    told = route({"contacts": [{"email": "zoe@x.example", "hidden_from_search": 600}, {"external_id": "other"}]})
    ids = {"id": contact(told.box, email="zoe@x.example")["id"], "other": contact(told.box, external_id="other")["id"]}
    told.box.faults.add("POST", "^/contacts$", status=409, code="conflict", message=message.format(**ids))
    outcome = one(told.converge(told.manifest({"contacts": [{"email": "zoe@x.example", "missing": "create", "name": "New"}]})), "create")
    assert outcome.status == status
    assert contact(told.box, external_id="other").get("name") is None
    assert people(told.box) == 2


@pytest.mark.parametrize(
    "message", ["An archived contact matching those details already exists with id={id}", "Archived contact already exists with id={id}"]
)
def test_the_word_archived_in_the_409_is_enough_to_bring_back(route: MakeRoute, message: str) -> None:
    told = route({"contacts": [{"external_id": "25", "archived": True}]})
    live = contact(told.box, external_id="25")
    told.box.faults.add("POST", "^/contacts$", status=409, code="conflict", message=message.format(id=live["id"]))
    settles(told, {"contacts": [{"external_id": "25", "state": "present", "name": "Back"}]})
    assert contact(told.box, external_id="25")["name"] == "Back"


def test_a_409_that_does_not_say_archived_of_one_who_is_is_no_success(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25", "archived": True}]})
    text = f"A contact matching those details already exists with id={contact(told.box, external_id='25')['id']}"
    told.box.faults.add("POST", "^/contacts$", status=409, code="conflict", message=text)
    outcome = one(told.converge(told.manifest({"contacts": [{"external_id": "25", "missing": "create"}]})), "create")
    assert outcome.status is Status.FAILED
    assert "cannot be read" in outcome.reason


def test_a_409_on_an_update_fails_with_what_intercom_says(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25"}, {"email": "zoe@x.example", "hidden_from_search": 600}]})
    outcome = one(told.converge(told.manifest({"contacts": [{"external_id": "25", "email": "zoe@x.example"}]})), "update")
    assert outcome.status is Status.FAILED
    other = contact(told.box, email="zoe@x.example")
    assert f"409 A contact matching those details already exists with id={other['id']}" in outcome.reason


def test_nobody_is_deleted_for_a_value_that_cannot_be_taken_then(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "1", "email": "free@x.example"}, {"external_id": "2"}]})
    told.box.faults.add("POST", "^/data_attributes$", status=400, message="You have reached the limit of 250 custom attributes")
    attributes = [{"name": "tier", "model": "contact", "data_type": "string"}]
    people = [
        {"external_id": "1", "state": "absent"},
        {"external_id": "2", "email": "free@x.example", "custom_attributes": {"tier": "gold"}},
    ]
    written = {"policy": {"limits": {"contact_deletes": 1}}, "attributes": attributes, "contacts": people}
    outcomes = told.converge(told.manifest(written))
    assert statuses(outcomes) == {"create attribute/tier": "failed", "delete contact/1": "skipped", "update contact/2": "skipped"}
    assert contact(told.box, email="free@x.example")["external_id"] == "1"


def test_nobody_is_deleted_for_somebody_who_is_refused(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "1", "email": "free@x.example"}, {"external_id": "2"}, {"external_id": "3"}]})
    people = [
        {"external_id": "1", "state": "absent"},
        {"external_id": "2", "email": "free@x.example", "custom_attributes": {"nobody": "knows"}},
        {"external_id": "3", "name": "Three"},
    ]
    policy = {"refused_entries": "hold", "limits": {"contact_deletes": 1}}
    outcomes = told.converge(told.manifest({"policy": policy, "contacts": people}))
    assert statuses(outcomes) == {"update contact/3": "applied"}
    assert contact(told.box, email="free@x.example")["external_id"] == "1"


def test_who_is_told_to_free_a_value_is_named_with_both_places_and_no_e_mail(route: MakeRoute) -> None:
    told = route({"contacts": [{"email": "ops@x.example"}, {"external_id": "2"}]})
    people = "contacts:\n  - {email: ops@x.example, state: archived}\n  - {external_id: '2', email: ops@x.example}\n"
    found = told.document(told.manifest(people))
    ((gate, message),) = refusals(found)
    assert gate == "taken"
    assert "intercom.yaml:2" in message
    assert "intercom.yaml:3" in message
    assert "ops@" not in message


def test_a_contact_known_only_by_external_id_is_found_while_search_is_blind(route: MakeRoute) -> None:
    """rudder-transformer#5090."""
    told = route({"tags": ["vip"], "contacts": [{"external_id": "u-100", "hidden_from_search": 600}]})
    path = told.manifest(
        {"tags": ["vip"], "contacts": [{"external_id": "u-100", "email": "zoe@x.example", "missing": "create", "tags": ["vip"]}]}
    )
    assert [line.partition(" ")[0] for line in changes(told.document(path))] == ["update", "attach"]
    assert {o.status for o in told.converge(path)} == {Status.APPLIED}
    assert changes(told.document(path)) == []


# ---- merged
MERGED = {
    "tags": ["vip"],
    "contacts": [
        {"id": "6762f0dd1bb69f9f000000bb", "external_id": "25", "name": "Survivor"},
        {"id": "6762f0dd1bb69f9f000000aa", "external_id": "9", "merged_into": "25"},
    ],
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "entry",
    [
        {"external_id": "9", "missing": "create"},
        {"external_id": "9", "state": "present"},
        {"external_id": "9"},
        {"id": "6762f0dd1bb69f9f000000aa", "state": "present"},
        {"id": "6762f0dd1bb69f9f000000aa"},
    ],
    ids=["create", "present", "unset", "id-present", "id"],
)
def test_a_merged_contact_is_followed_said_and_never_a_twin(route: MakeRoute, version: str, entry: dict[str, str]) -> None:
    told = route(MERGED, version=version)
    written = {"tags": ["vip"], "contacts": [{**entry, "name": "Kaylee", "tags": ["vip"]}]}
    path = told.manifest(written)
    found = told.document(path)
    assert [change["action"] for change in found["changes"]] == ["update", "attach"]
    (said,) = notes(found, "merged")
    assert "6762f0dd1bb69f9f000000bb" in said
    settles(told, written)
    assert people(told.box) == 2
    assert contact(told.box, external_id="25")["name"] == "Kaylee"
    assert contact(told.box, external_id="9")["tags"] == {}


def test_under_an_older_version_one_get_under_2_16_tells_who_was_merged(route: MakeRoute) -> None:
    told = route(MERGED, version="2.14")
    told.document(told.manifest({"contacts": [{"external_id": "9", "missing": "create"}]}))
    looks = [(r.status, r.headers["intercom-version"]) for r in told.box.requests if r.path.endswith("find_by_external_id/9")]
    assert looks == [(404, "2.14"), (410, "2.16")]


@pytest.mark.parametrize("version", ["2.14", "2.15"])
@pytest.mark.parametrize(
    "answer", [{"status": 400, "code": "intercom_version_invalid"}, {"status": 403, "code": "forbidden"}], ids=["400", "403"]
)
def test_where_2_16_is_refused_nothing_is_proven_and_nobody_is_created(route: MakeRoute, version: str, answer: dict[str, Any]) -> None:
    told = route({"tags": ["vip"], **MERGED}, version=version)
    path = told.manifest({"tags": ["vip"], "contacts": [{"external_id": "9", "missing": "create", "tags": ["vip"]}]})

    def refuse() -> None:
        told.box.faults.clear()
        told.box.faults.add("GET", "find_by_external_id/9$", after=1, **answer)

    refuse()
    found = told.document(path)
    assert lines(found) == ["note unproven contact/9"]
    assert "2.16" in notes(found, "unproven")[0]
    refuse()
    saved = told.saved(path)
    refuse()
    assert told.apply(saved) == []
    assert people(told.box) == 2
    assert not told.box.writes


def test_a_410_that_does_not_say_into_whom_creates_nobody(route: MakeRoute) -> None:
    told = route(MERGED)
    told.box.faults.add("GET", "find_by_external_id/9$", headers={"Link": None}, times=None)
    found = told.document(told.manifest({"contacts": [{"external_id": "9", "missing": "create"}]}))
    assert lines(found) == ["note unproven contact/9"]


def test_who_was_merged_into_somebody_archived_is_not_created(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25", "archived": True}, {"external_id": "9", "merged_into": "25"}]})
    found = told.document(told.manifest({"contacts": [{"external_id": "9", "missing": "create"}]}))
    assert lines(found) == ["note unproven contact/9"]


def test_a_chain_of_merges_is_followed_past_the_three_hops_of_the_link(route: MakeRoute) -> None:
    chain = [{"external_id": "0", "name": "Last"}] + [{"external_id": str(n), "merged_into": str(n - 1)} for n in range(1, 7)]
    told = route({"contacts": chain})
    settles(told, {"contacts": [{"external_id": "6", "missing": "create", "name": "Found"}]})
    assert contact(told.box, external_id="0")["name"] == "Found"
    assert people(told.box) == 7


def test_two_entries_that_were_merged_into_one_are_refused(route: MakeRoute) -> None:
    told = route(MERGED)
    found = told.document(told.manifest({"contacts": [{"external_id": "9", "name": "A"}, {"external_id": "25", "name": "B"}]}))
    assert gates(found) == ["identity"]
    assert changes(found) == []


def _merging(told: Route, source: str, into: str) -> Callable[[], object]:
    def merge() -> None:
        store = told.box.ws.store
        doc = contact(told.box, external_id=source)
        store.put("contact", doc | {"merged_into": contact(told.box, external_id=into)["id"]})

    return merge


@pytest.mark.parametrize("version", VERSIONS)
def test_merged_in_the_middle_of_an_apply(route: MakeRoute, version: str) -> None:
    told = route({"tags": ["vip"], "contacts": [{"external_id": "25"}, {"external_id": "9"}, {"external_id": "30"}]}, version=version)
    written = {"tags": ["vip"], "contacts": [{"external_id": key, "name": "X", "tags": ["vip"]} for key in ("9", "30")]}
    path = told.manifest(written)
    nine = contact(told.box, external_id="9")["id"]
    told.box.faults.add("PUT", f"/{nine}$", run=_merging(told, "9", "25"))
    outcomes = statuses(told.converge(path))
    assert outcomes == {
        "update contact/9": "failed",
        "update contact/30": "applied",
        "attach contact/30 tag/vip": "applied",
        "attach contact/9 tag/vip": "skipped",
    }
    assert people(told.box) == 3
    found = told.document(path)
    assert notes(found, "merged")
    settles(told, written)
    assert contact(told.box, external_id="25")["name"] == "X"


def test_merged_between_the_plan_and_its_apply_the_plan_is_stale_or_harmless(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25", "name": "Other"}, {"external_id": "9", "name": "Old"}]})
    found = told.saved(told.manifest({"contacts": [{"external_id": "9", "name": "New"}]}))
    _merging(told, "9", "25")()
    with pytest.raises(Stale):
        told.apply(found)
    assert not told.box.writes


def test_merged_while_it_is_created_is_no_success_and_no_twin(route: MakeRoute) -> None:
    told = _blind(route, {"contacts": [{"external_id": "25"}, {"email": "zoe@x.example", "external_id": "9"}]})
    nine = contact(told.box, external_id="9")["id"]
    text = f"A contact matching those details already exists with id={nine}"
    told.box.faults.add("POST", "^/contacts$", status=409, code="conflict", message=text, run=_merging(told, "9", "25"))
    outcome = one(told.converge(told.manifest({"contacts": [{"email": "zoe@x.example", "missing": "create", "name": "X"}]})), "create")
    assert outcome.status is Status.FAILED
    assert nine in outcome.reason
    assert "merged" in outcome.reason
    assert people(told.box) == 2


# ---- what a listing of a contact's links does not show
def test_a_contact_with_more_than_ten_links_is_read_whole(route: MakeRoute) -> None:
    tags = [f"t{n}" for n in range(31)]
    companies = [f"c{n}" for n in range(31)]
    told = route(
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
    assert changes(told.document(told.manifest(written))) == []


@pytest.mark.parametrize("state", ["archived", "absent"])
def test_the_end_of_one_who_was_merged_is_not_the_end_of_the_other(route: MakeRoute, state: str) -> None:
    told = route(MERGED)
    path = told.manifest({"contacts": [{"external_id": "9", "state": state}], "policy": {"limits": {"contact_deletes": 5}}})
    found = told.document(path)
    assert lines(found) == ["note merged contact/9"]
    assert "stays as it is" in notes(found, "merged")[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_lead_that_we_created_and_that_was_merged_since_is_no_twin(route: MakeRoute, version: str) -> None:
    """Nothing but the id that we remember tells who it was: the e-mail is nobody's any more."""
    told = route({"contacts": [{"external_id": "25", "email": "mal@x.example"}]}, version=version, ledger=True)
    path = told.manifest({"contacts": [{"email": "lead@x.example", "role": "lead", "missing": "create"}]})
    told.converge(path)
    lead = contact(told.box, email="lead@x.example")
    told.box.ws.store.put("contact", lead | {"merged_into": contact(told.box, external_id="25")["id"]})
    found = told.document(path)
    assert not [change for change in found["changes"] if change["action"] == "create"]
    assert contact(told.box, external_id="25")["id"] in notes(found, "merged")[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_lead_that_search_does_not_show_yet_is_not_created_again(route: MakeRoute, version: str) -> None:
    told = route(version=version, ledger=True, search_delay=600)
    path = told.manifest({"contacts": [{"email": "lead@x.example", "role": "lead", "missing": "create", "name": "X"}]})
    assert {o.status for o in told.converge(path)} == {Status.APPLIED}
    assert changes(told.document(path)) == []
    assert people(told.box) == 1


def test_who_was_blocked_cannot_be_created_and_intercom_says_why(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "9", "blocked": True, "archived": True}]})
    (outcome,) = told.converge(told.manifest({"contacts": [{"external_id": "9", "state": "present"}]}))
    assert (outcome.status, outcome.reason) == (Status.FAILED, "400 User was blocked and cannot be recreated")


def test_a_lead_that_we_created_and_of_whom_nobody_can_say_whether_it_was_merged_is_not_created_again(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25"}]}, version="2.14", ledger=True)
    path = told.manifest({"contacts": [{"email": "lead@x.example", "role": "lead", "missing": "create"}]})
    told.converge(path)
    lead = contact(told.box, email="lead@x.example")
    told.box.ws.store.put("contact", lead | {"merged_into": contact(told.box, external_id="25")["id"]})
    told.box.faults.add("GET", f"^/contacts/{lead['id']}$", status=403, code="forbidden", after=1)
    found = told.document(path)
    assert changes(found) == []
    assert notes(found, "unproven")
