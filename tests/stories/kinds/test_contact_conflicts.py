"""A contact whose create or update is answered with 409: every form of it, and who is meant."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.core.model.outcome import Status
from tests.conftest import MakeRoute
from tests.desk.route import changes
from tests.desk.telling import contact, notes, one, people, refusals, settles, statuses
from tests.stories.kinds.test_contacts import _blind


def test_409_with_the_one_who_is_meant_is_taken_and_made_as_declared(make_route: MakeRoute) -> None:
    route = _blind(make_route, {"contacts": [{"email": "zoe@x.example", "name": "Old"}]}, ledger=True)
    path = route.manifest({"contacts": [{"email": "zoe@x.example", "missing": "create", "name": "New"}]})
    outcome = one(route.converge(path), "create")
    assert (outcome.status, outcome.reason) == (Status.APPLIED, "existed already")
    assert contact(route.box, email="zoe@x.example")["name"] == "New"
    assert people(route.box) == 1
    assert changes(route.document(path)) == []


def test_409_with_an_archived_one_stops_where_nobody_wrote_state_present(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"id": "6762f0dd1bb69f9f000000aa", "email": "zoe@x.example", "archived": True}]})
    outcome = one(route.converge(route.manifest({"contacts": [{"email": "zoe@x.example", "missing": "create"}]})), "create")
    assert outcome.status is Status.FAILED
    assert "6762f0dd1bb69f9f000000aa" in outcome.reason
    assert "state: present" in outcome.reason
    assert contact(route.box, email="zoe@x.example")["archived"] is True


def test_409_with_an_archived_one_who_may_hold_only_the_e_mail_is_not_said_to_be_the_one_who_is_meant(make_route: MakeRoute) -> None:
    """The 409 does not say by which value; to follow a wrong hint would wake a stranger."""
    route = make_route(STRANGER, ledger=True)
    path = route.manifest({"contacts": [{"external_id": "25", "email": "zoe@x.example", "missing": "create"}]})
    who, now = f"an archived contact (id {contact(route.box, email='zoe@x.example')['id']})", "write another email here, or let that one go"
    outcome = one(route.converge(path), "create")
    assert outcome.reason.startswith(f"{who} holds the external_id or email of this entry, and Intercom does not say which")
    assert f"; if it is somebody else, {now} by hand" in outcome.reason
    assert outcome.reason.endswith("; if it is the one meant, write `state: present`")
    route.converge(route.manifest(TAKES, "other.yaml"))
    outcome = one(route.converge(path), "create")
    assert outcome.reason.startswith(f"{who} holds the email of this entry, and an earlier run saw that it is somebody else; {now}")
    assert "state: present" not in outcome.reason


def test_409_that_matched_by_e_mail_is_not_the_external_id_that_is_meant(make_route: MakeRoute) -> None:
    route = _blind(make_route, {"contacts": [{"email": "zoe@x.example", "name": "Zoe"}]})
    outcome = one(
        route.converge(route.manifest({"contacts": [{"external_id": "25", "email": "zoe@x.example", "missing": "create"}]})), "create"
    )
    assert outcome.status is Status.FAILED
    assert "is not the one meant" in outcome.reason
    live = contact(route.box, email="zoe@x.example")
    assert live["id"] in outcome.reason
    assert live.get("external_id") is None


def test_the_name_of_who_is_in_the_way_is_not_told(make_route: MakeRoute) -> None:
    live = {"id": "6762f0dd1bb69f9f000000aa", "email": "zoe@x.example", "name": "Zoe Alleyne"}
    route = _blind(make_route, {"contacts": [live]})
    message = f"A contact matching those details already exists with id={live['id']}: Zoe Alleyne"
    route.box.faults.add("POST", "^/contacts$", status=409, code="conflict", message=message)
    entry = {"external_id": "25", "email": "zoe@x.example", "missing": "create"}
    outcome = one(route.converge(route.manifest({"contacts": [entry]})), "create")
    assert outcome.status is Status.FAILED
    assert outcome.reason.endswith(f"id={live['id']}: ***")


def test_an_e_mail_that_somebody_holds_is_refused_in_the_plan_with_the_id(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"id": "6762f0dd1bb69f9f000000aa", "email": "zoe@x.example"}]})
    plan = route.document(route.manifest({"contacts": [{"external_id": "25", "email": "zoe@x.example", "missing": "create"}]}))
    ((gate, message),) = refusals(plan)
    assert gate == "identity"
    assert "6762f0dd1bb69f9f000000aa" in message


def test_an_archived_one_who_is_somebody_else_is_put_back(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"email": "zoe@x.example", "archived": True}]})
    outcome = one(
        route.converge(route.manifest({"contacts": [{"external_id": "25", "email": "zoe@x.example", "state": "present"}]})), "create"
    )
    assert outcome.status is Status.FAILED
    assert "is not the one meant" in outcome.reason
    assert contact(route.box, email="zoe@x.example")["archived"] is True


def test_who_takes_the_e_mail_of_somebody_who_is_deleted_comes_after_that(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"email": "zoe@x.example"}, {"external_id": "25"}]})
    entries = [{"email": "zoe@x.example", "state": "absent"}, {"external_id": "25", "email": "zoe@x.example"}]
    outcomes = route.converge(route.manifest({"policy": {"limits": {"contact_deletes": 1}}, "contacts": entries}))
    assert {str(outcome.status) for outcome in outcomes} == {"applied"}
    assert [request.method for request in route.box.writes] == ["DELETE", "PUT"]


STRANGER = {"contacts": [{"email": "zoe@x.example", "archived": True}]}

TAKES = {"contacts": [{"external_id": "25", "email": "zoe@x.example", "state": "present"}]}


@pytest.mark.parametrize("trouble", ["", "/archive$"], ids=["put back", "left awake"])
def test_who_was_seen_to_be_somebody_else_is_never_brought_back_again(make_route: MakeRoute, trouble: str) -> None:
    route = make_route(STRANGER, ledger=True)
    if trouble:
        route.box.faults.add("POST", trouble, status=403, code="forbidden", message="no")
    path = route.manifest(TAKES)
    first = one(route.converge(path), "create")
    live = contact(route.box, email="zoe@x.example")["id"]
    assert f"another contact (id {live})" in first.reason
    assert "was brought back from the archive" in first.reason
    route.box.seed({"contacts": [{"id": live, "archived": True}]})
    for _ in range(3):
        route.clock.sleep(86400)
        route.box.forget_requests()
        outcome = one(route.converge(path), "create")
        assert outcome.status is Status.FAILED
        assert f"another contact (id {live})" in outcome.reason
        assert "was brought back from the archive once to see that, and is left alone now" in outcome.reason
        assert [r.path for r in route.box.writes] == ["/contacts"]
    (said,) = notes(route.document(path), "held")
    assert f"an archived contact (id {live}) holds the external_id or email of this entry; write another email here" in said
    assert contact(route.box, email="zoe@x.example")["archived"] is True


def test_who_is_somebody_else_to_one_entry_may_be_the_one_that_another_means(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "26", "email": "zoe@x.example", "archived": True}]}, ledger=True)
    one(route.converge(route.manifest(TAKES)), "create")
    back = one(route.converge(route.manifest({"contacts": [{"external_id": "26", "state": "present"}]})), "create")
    assert (back.status, back.reason) == (Status.APPLIED, "brought back from the archive")


def test_whom_the_ledger_knows_by_another_name_is_not_brought_back_to_see_who_it_is(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "1", "email": "zoe@x.example"}]}, ledger=True, shared_email="never")
    away = {"external_id": "1", "state": "archived"}
    route.converge(route.manifest({"contacts": [away]}))
    route.box.forget_requests()
    path = route.manifest({"contacts": [away, *TAKES["contacts"]]})
    for _ in range(2):
        outcome = one(route.converge(path), "create")
        assert outcome.status is Status.FAILED
        assert "and is known as somebody else, by the ledger or since an earlier run brought it back once" in outcome.reason
    assert {request.path for request in route.box.writes} == {"/contacts"}


def test_who_was_seen_to_be_somebody_else_is_not_brought_back_for_the_next_entry_of_whatever_name_on_the_ledger(
    make_route: MakeRoute,
) -> None:
    route = make_route(STRANGER, ledger=True)
    for name, key in (("a", "25"), ("b", "25"), ("b", "26")):
        route.converge(route.manifest({"name": name, "contacts": [{**TAKES["contacts"][0], "external_id": key}]}))
    assert len([request for request in route.box.writes if request.path.endswith("/unarchive")]) == 1


@pytest.mark.parametrize("action", ["create", "update"])
def test_an_archived_holder_of_whom_no_entry_speaks_is_told_by_the_next_plans_until_the_value_is_had(
    make_route: MakeRoute, action: str
) -> None:
    live = [{"external_id": "25"}] if action == "update" else []
    route = make_route({"contacts": [*STRANGER["contacts"], *live]}, ledger=True)
    written = {"external_id": "25", "email": "zoe@x.example", "missing": "create"}
    path = route.manifest({"contacts": [written]})
    holder = contact(route.box, email="zoe@x.example")["id"]
    assert not notes(route.document(path), "held")
    for _ in range(2):
        assert one(route.converge(path), action).status is Status.FAILED
        (said,) = notes(route.document(path), "held")
        assert f"an archived contact (id {holder}) holds the " in said
        assert said.startswith("answered with 409 since 2026-09-21T14:13:2")
        assert "write another email here, or let that one go by hand: bring it back and change it, or delete it for good" in said
        assert "zoe@" not in said
        route.clock.sleep(86400)
    # What was not tried with another value is not known to be held.
    assert not notes(route.document(route.manifest({"contacts": [{**written, "email": "other@x.example"}]}, "other.yaml")), "held")
    route.box.ws.store.drop("contact", holder)
    assert one(route.converge(path), action).status is Status.APPLIED
    assert not notes(route.document(path), "held")


def test_whom_the_ledger_saw_archived_by_an_e_mail_is_told_before_the_first_409(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"email": "zoe@x.example"}]}, ledger=True)
    route.converge(route.manifest({"contacts": [{"email": "zoe@x.example", "state": "archived"}]}))
    path = route.manifest({"contacts": [{"external_id": "25", "email": "zoe@x.example", "missing": "create"}]})
    (said,) = notes(route.document(path), "held")
    assert f"an archived contact (id {contact(route.box, email='zoe@x.example')['id']}) holds the external_id or email of this" in said
    assert said.startswith("may be answered with 409: archived by us at 2026-09-21T14:13:2")


def test_who_is_on_record_by_the_e_mail_is_brought_back_under_an_external_id(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25", "email": "zoe@x.example"}]}, ledger=True)
    route.converge(route.manifest({"contacts": [{"email": "zoe@x.example", "state": "archived"}]}))
    back = one(route.converge(route.manifest(TAKES)), "create")
    assert (back.status, back.reason) == (Status.APPLIED, "brought back from the archive")


def test_a_stranger_is_no_thing_of_a_run_in_its_history(make_route: MakeRoute) -> None:
    route = make_route(STRANGER, ledger=True)
    route.converge(route.manifest(TAKES))
    assert route.ledger
    (run,) = route.ledger.runs()
    assert [(done.outcome, done.id) for done in route.ledger.read_done(run.run)] == [("failed", None)]


def test_an_archived_one_who_cannot_be_put_back_is_named_as_brought_back(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"email": "zoe@x.example", "archived": True}]})
    route.box.faults.add("POST", "/archive$", status=403, code="forbidden", message="no")
    outcome = one(
        route.converge(route.manifest({"contacts": [{"external_id": "25", "email": "zoe@x.example", "state": "present"}]})), "create"
    )
    live = contact(route.box, email="zoe@x.example")
    assert outcome.status is Status.FAILED
    assert f"id {live['id']}" in outcome.reason
    assert "could not be archived again" in outcome.reason


def test_archived_and_merged_fails_with_both_messages_and_the_next_apply_makes_the_two_calls_again(make_route: MakeRoute) -> None:
    """forum.intercom.com, "How to unarchive a contact?"."""
    seed = {
        "tags": ["vip"],
        "contacts": [{"external_id": "1"}, {"external_id": "2"}, {"external_id": "9", "archived": True, "merged_into": "1"}],
    }
    route = make_route(seed, version="2.16", ledger=True)
    # What is merged answers 410; here it is as reported: archived first, and nothing says where it went.
    route.box.faults.add("GET", "find_by_external_id/9$", status=404, code="not_found", times=None)
    written: dict[str, Any] = {
        "tags": ["vip"],
        "contacts": [{"external_id": "9", "state": "present", "missing": "create", "tags": ["vip"]}],
    }
    written["contacts"] += [{"external_id": key, "tags": ["vip"]} for key in ("1", "2")]
    path = route.manifest(written)
    outcomes = route.converge(path)
    failed = one(outcomes, "create")
    assert failed.status is Status.FAILED
    assert "An archived contact matching those details already exists" in failed.reason
    assert "User has been merged and is not restorable." in failed.reason
    by_link = {o.change.address.key: o for o in outcomes if o.change.action == "attach"}
    assert (by_link["1"].status, by_link["2"].status, by_link["9"].status) == ("applied", "applied", "skipped")
    assert "create of the contact" in by_link["9"].reason
    route.box.forget_requests()
    route.converge(path)
    assert [w.path.partition("/contacts")[2] for w in route.box.writes] == ["", f"/{contact(route.box, external_id='9')['id']}/unarchive"]


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
def test_the_id_stands_only_in_the_message_of_the_409(make_route: MakeRoute, message: str, status: str) -> None:
    route = make_route({"contacts": [{"email": "zoe@x.example", "hidden_from_search": 600}, {"external_id": "other"}]})
    ids = {"id": contact(route.box, email="zoe@x.example")["id"], "other": contact(route.box, external_id="other")["id"]}
    route.box.faults.add("POST", "^/contacts$", status=409, code="conflict", message=message.format(**ids))
    outcome = one(route.converge(route.manifest({"contacts": [{"email": "zoe@x.example", "missing": "create", "name": "New"}]})), "create")
    assert outcome.status == status
    assert contact(route.box, external_id="other").get("name") is None
    assert people(route.box) == 2


@pytest.mark.parametrize(
    "message", ["An archived contact matching those details already exists with id={id}", "Archived contact already exists with id={id}"]
)
def test_the_word_archived_in_the_409_is_enough_to_bring_back(make_route: MakeRoute, message: str) -> None:
    route = make_route({"contacts": [{"external_id": "25", "archived": True}]})
    live = contact(route.box, external_id="25")
    route.box.faults.add("POST", "^/contacts$", status=409, code="conflict", message=message.format(id=live["id"]))
    settles(route, {"contacts": [{"external_id": "25", "state": "present", "name": "Back"}]})
    assert contact(route.box, external_id="25")["name"] == "Back"


def test_a_409_that_does_not_say_archived_of_one_who_is_is_no_success(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25", "archived": True}]})
    text = f"A contact matching those details already exists with id={contact(route.box, external_id='25')['id']}"
    route.box.faults.add("POST", "^/contacts$", status=409, code="conflict", message=text)
    outcome = one(route.converge(route.manifest({"contacts": [{"external_id": "25", "missing": "create"}]})), "create")
    assert outcome.status is Status.FAILED
    assert "cannot be read" in outcome.reason


def test_a_409_on_an_update_fails_with_what_intercom_says(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25"}, {"email": "zoe@x.example", "hidden_from_search": 600}]})
    outcome = one(route.converge(route.manifest({"contacts": [{"external_id": "25", "email": "zoe@x.example"}]})), "update")
    assert outcome.status is Status.FAILED
    other = contact(route.box, email="zoe@x.example")
    assert f"409 A contact matching those details already exists with id={other['id']}" in outcome.reason


def test_nobody_is_deleted_for_a_value_that_cannot_be_taken_then(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "1", "email": "free@x.example"}, {"external_id": "2"}]})
    route.box.faults.add("POST", "^/data_attributes$", status=400, message="You have reached the limit of 250 custom attributes")
    attributes = [{"name": "tier", "model": "contact", "data_type": "string"}]
    people = [
        {"external_id": "1", "state": "absent"},
        {"external_id": "2", "email": "free@x.example", "custom_attributes": {"tier": "gold"}},
    ]
    written = {"policy": {"limits": {"contact_deletes": 1}}, "attributes": attributes, "contacts": people}
    outcomes = route.converge(route.manifest(written))
    assert statuses(outcomes) == {"create attribute/tier": "failed", "delete contact/1": "skipped", "update contact/2": "skipped"}
    assert contact(route.box, email="free@x.example")["external_id"] == "1"


def test_nobody_is_deleted_for_somebody_who_is_refused(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "1", "email": "free@x.example"}, {"external_id": "2"}, {"external_id": "3"}]})
    people = [
        {"external_id": "1", "state": "absent"},
        {"external_id": "2", "email": "free@x.example", "custom_attributes": {"nobody": "knows"}},
        {"external_id": "3", "name": "Three"},
    ]
    policy = {"refused_entries": "hold", "limits": {"contact_deletes": 1}}
    outcomes = route.converge(route.manifest({"policy": policy, "contacts": people}))
    assert statuses(outcomes) == {"update contact/3": "applied"}
    assert contact(route.box, email="free@x.example")["external_id"] == "1"


def test_who_is_told_to_free_a_value_is_named_with_both_places_and_no_e_mail(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"email": "ops@x.example"}, {"external_id": "2"}]})
    people = "contacts:\n  - {email: ops@x.example, state: archived}\n  - {external_id: '2', email: ops@x.example}\n"
    plan = route.document(route.manifest(people))
    ((gate, message),) = refusals(plan)
    assert gate == "taken"
    assert "intercom.yaml:2" in message
    assert "intercom.yaml:3" in message
    assert "ops@" not in message
