"""The reply to a write is the proof of the write: what it does not show is named, now and by every later plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from reconciler.core.model.outcome import Status
from reconciler.core.plan.scope import Scope
from reconciler.kinds import KINDS
from reconciler.sandbox.api import contacts as sandbox_contacts
from reconciler.sandbox.request import Request
from reconciler.sandbox.routes import Answer
from reconciler.sandbox.routes import Route as SandboxRoute
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes, lines
from tests.desk.telling import company, contact, notes, one

ODD = ["007", "no", "~", "1e5", "=1+1", "<b>&amp;", "a\tb", 'it\'s "so"', "Ünï ✂️ 名前", "x" * 500]
TEXTS: list[Any] = ["usual", "", *ODD]
TIMES: list[Any] = [1394531169, 0, "2014-03-11T09:49:18+02:00", "1969-07-20"]
NUMBERS: list[Any] = [85, 0, 2**31 - 1]
CUSTOM: dict[str, list[Any]] = {
    "string": [*TEXTS, None],
    "integer": [7, 0, -1, 2**53 + 1, None],
    "float": [0.5, 0, -0.25, 1e21, None],
    "boolean": [True, False, None],
    "date": [*TIMES, None],
    "options": ["a", "b", None],
}
FIELDS: dict[str, dict[str, list[Any]]] = {
    "contacts": {
        "role": ["user", "lead"],
        "email": ["usual@x.example", "Odd+tag@Ünï.example", "'@x.example"],
        "name": [*TEXTS, None],
        "phone": ["+15551234567", "", "call me", None],
        "avatar": ["https://x.example/a.png", "", "no url", None],
        "signed_up_at": [*TIMES, None],
        "last_seen_at": [*TIMES, None],
        "owner_id": ["456", "0", None],
        "unsubscribed_from_emails": [True, False, None],
    },
    "companies": {
        "name": TEXTS,
        "plan": TEXTS,
        "size": [*NUMBERS, 2**53 + 1],
        "website": TEXTS,
        "industry": TEXTS,
        "monthly_spend": [*NUMBERS, 2**31],
        "remote_created_at": TIMES,
    },
    "attributes": {"description": TEXTS, "messenger_writable": [True, False], "options": [["a", "b"], ["b", "a"], ["", "0"], ODD[:-1]]},
}
MODEL = {"contacts": "contact", "companies": "company", "attributes": "contact"}
CUSTOMIZED = {"x_string": "o", "x_integer": 1, "x_float": 1.5, "x_boolean": True, "x_date": 9, "x_options": "b"}
SET: dict[str, dict[str, Any]] = {
    "contacts": {
        "name": "Old", "phone": "1", "avatar": "https://x.example/o.png", "signed_up_at": 5, "last_seen_at": 6, "owner_id": "457",
        "unsubscribed_from_emails": True, "custom_attributes": CUSTOMIZED,
    },
    "companies": {
        "name": "Old", "plan": "old", "size": 1, "website": "old", "industry": "old", "monthly_spend": 1, "remote_created_at": 5,
        "custom_attributes": CUSTOMIZED,
    },
    "attributes": {"description": "Old", "messenger_writable": True},
}  # fmt: skip
# Refused by Intercom each time in its own words, so nothing of it is hidden.
REFUSED: list[dict[str, Any]] = [{"owner_id": "0"}, {"monthly_spend": 2**31}]


def _named(section: str, n: int, field: str) -> dict[str, Any]:
    """What names the n-th thing of a section, and makes it valid."""
    if section == "contacts":
        return {"external_id": f"{field}-{n}"}
    if section == "companies":
        return {"company_id": f"{field}-{n}"}
    return {"name": f"{field}-{n}", "model": "contact", "data_type": "options", "options": ["x", "y"]}


def _claims(section: str, start: str) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Every value of every field of a section: the field, the number of the value, and what is written of it."""
    for field, values in FIELDS[section].items():
        # A user that is live becomes no lead: told by the plan.
        for n, value in enumerate(values[:1] if field == "role" and start != "created" else values):
            yield field, n, {field: value}
    for data_type, values in CUSTOM.items() if section != "attributes" else ():
        for n, value in enumerate(values):
            yield data_type, n, {"custom_attributes": {f"x_{data_type}": value}}


def _seed(section: str, start: str, named: list[dict[str, Any]]) -> dict[str, Any]:
    """A workspace with things as they are at first: not there, with nothing, or with something in every field."""
    options = {"options": {"options": ["a", "b"]}}
    attributes = [{"name": f"x_{t}", "model": MODEL[section], "data_type": t, **options.get(t, {})} for t in CUSTOM]
    seed: dict[str, Any] = {"admins": [{"id": "456"}, {"id": "457"}], "attributes": attributes}
    if start != "created":
        more = SET[section] if start == "set" else {}
        seed[section] = [*seed.get(section, []), *({k: v for k, v in name.items() if k != "data_type"} | more for name in named)]
    return seed


@pytest.mark.parametrize("start", ["created", "unset", "set"])
@pytest.mark.parametrize("section", FIELDS)
def test_after_one_apply_the_second_plan_is_empty_or_names_it(make_route: MakeRoute, section: str, start: str) -> None:
    claims = {f"{field}-{n}": (_named(section, n, field), claim) for field, n, claim in _claims(section, start)}
    route = make_route(_seed(section, start, [name for name, _ in claims.values()]), ledger=True)
    more = {"missing": "create"} if section == "contacts" else {}
    every = {"creates": len(claims)}
    path = route.manifest({"policy": {"limits": every}, section: [{**name, **more, **claim} for name, claim in claims.values()]})
    outcomes = route.converge(path)
    refused = {key for key, (_, claim) in claims.items() if claim in REFUSED}
    assert {o.change.address.key: o.reason[:4] for o in outcomes if o.status is Status.FAILED} == dict.fromkeys(refused, "400 ")
    unshown = {o.change.address.key for o in outcomes if o.status is Status.INEFFECTIVE}
    for _ in range(2):
        after = route.document(path)
        assert {change["address"].partition("/")[2] for change in after["changes"]} == refused
        assert {str(n["address"]).partition("/")[2] for n in after["notes"] if n["topic"] == "ineffective"} == unshown
    route.box.forget_requests()
    route.converge(path)
    assert len(route.box.writes) == len(refused)


def test_the_matrix_holds_every_field_that_can_be_written() -> None:
    for kind in KINDS:
        written = set(FIELDS.get(kind.section, {})) | ({"custom_attributes"} if kind.section in ("contacts", "companies") else set())
        names = {identity.field for identity in kind.identities} - {"email"}
        assert set(kind.fields) - names - kind.required_keys == written


# ---- what Intercom answers 200 for and does not take
def reply_match(route: Route, method: str, path: str, answering: Callable[[Request], Answer], *fields: str) -> Callable[[], None]:
    """An endpoint that does not hear some fields any more; what comes back makes it hear again."""

    def handler(request: Request) -> Answer:
        return answering(replace(request, body={key: value for key, value in request.body.items() if key not in fields}))

    routes = route.box.routes
    one_more = SandboxRoute(method, path, handler)
    routes.insert(0, one_more)
    return lambda: routes.remove(one_more)


def _deaf_phone(make_route: MakeRoute) -> tuple[Route, Callable[[], None]]:
    route = make_route({"contacts": [{"external_id": "25", "phone": "1", "name": "Old"}]}, ledger=True)
    return route, reply_match(route, "PUT", "/contacts/{id}", sandbox_contacts.update, "phone")


PHONE = {"contacts": [{"external_id": "25", "phone": "2", "name": "New"}]}


def test_what_the_reply_does_not_show_is_ineffective_and_named_with_its_field(make_route: MakeRoute) -> None:
    route, _ = _deaf_phone(make_route)
    outcome = one(route.converge(route.manifest(PHONE)), "update")
    assert (outcome.status, outcome.fields) == (Status.INEFFECTIVE, ("phone",))
    assert "phone" in outcome.reason
    assert contact(route.box, external_id="25")["name"] == "New"


def test_every_later_plan_names_it_again_and_sends_nothing(make_route: MakeRoute) -> None:
    route, _ = _deaf_phone(make_route)
    path = route.manifest(PHONE)
    route.converge(path)
    route.box.forget_requests()
    for _ in range(3):
        route.clock.sleep(3600)
        plan = route.document(path)
        assert lines(plan) == ["note ineffective contact/25"]
        assert notes(plan, "ineffective")[0].startswith("phone: ")
        assert route.converge(path) == []
    assert not route.box.writes


def test_another_declared_value_is_sent(make_route: MakeRoute) -> None:
    route, _ = _deaf_phone(make_route)
    route.converge(route.manifest(PHONE))
    path = route.manifest({"contacts": [{"external_id": "25", "phone": "3", "name": "New"}]})
    assert lines(route.document(path)) == ["update contact/25 phone='***' (config)"]
    assert one(route.converge(path), "update").status is Status.INEFFECTIVE
    assert lines(route.document(path)) == ["note ineffective contact/25"]


def test_a_write_that_the_thing_gets_anyway_tries_the_ineffective_field_again(make_route: MakeRoute) -> None:
    route, hears = _deaf_phone(make_route)
    route.converge(route.manifest(PHONE))
    path = route.manifest({"contacts": [{"external_id": "25", "phone": "2", "name": "Newer"}]})
    assert changes(route.document(path)) == ["update contact/25 name='***' phone='***'"]
    outcome = one(route.converge(path), "update")
    assert (outcome.status, outcome.fields) == (Status.INEFFECTIVE, ("phone",))
    assert lines(route.document(path)) == ["note ineffective contact/25"]
    hears()
    path = route.manifest({"contacts": [{"external_id": "25", "phone": "2", "name": "Newest"}]})
    assert one(route.converge(path), "update").status is Status.APPLIED
    assert lines(route.document(path)) == []


def test_live_showing_another_value_than_it_showed_then_is_drift_and_is_tried_again(make_route: MakeRoute) -> None:
    route, hears = _deaf_phone(make_route)
    path = route.manifest(PHONE)
    route.converge(path)
    assert route.document(path, scope=Scope(moved=True))["drift"]["moved"] == 0
    route.box.seed({"contacts": [{"external_id": "25", "phone": "a colleague's"}]})
    assert lines(route.document(path)) == ["update contact/25 phone='***' (drift)"]
    assert route.document(path, scope=Scope(moved=True))["drift"]["moved"] == 1
    hears()
    assert one(route.converge(path), "update").status is Status.APPLIED
    assert contact(route.box, external_id="25")["phone"] == "2"


def test_the_order_of_a_list_that_live_shows_otherwise_is_held_to_what_it_showed(make_route: MakeRoute) -> None:
    from reconciler.sandbox.api import attributes

    options = [{"value": "a"}, {"value": "b"}]
    route = make_route({"attributes": [{"name": "meal", "options": options}]}, ledger=True)
    reply_match(route, "PUT", "/data_attributes/{id}", attributes.update, "options")
    path = route.manifest({"attributes": [{"name": "meal", "model": "contact", "data_type": "options", "options": ["b", "a"]}]})
    assert one(route.converge(path), "update").status is Status.INEFFECTIVE
    assert lines(route.document(path)) == ["note ineffective attribute/meal"]
    (live,) = (doc for doc in route.box.ws.store.table("attribute").in_order() if doc["name"] == "meal")
    route.box.ws.store.put("attribute", {**live, "options": [*live["options"], "c"]})
    assert changes(route.document(path)) == ["update attribute/meal options=['b', 'a']"]


def test_what_is_asked_to_be_tried_again_is_and_by_a_saved_plan_too(make_route: MakeRoute) -> None:
    route, hears = _deaf_phone(make_route)
    path = route.manifest(PHONE)
    route.converge(path)
    hears()
    kept = route.saved(path, scope=Scope(retry=True))
    assert [change["action"] for change in kept["changes"]] == ["update"]
    assert one(route.apply(kept), "update").status is Status.APPLIED
    assert lines(route.document(path)) == []


def test_it_is_named_no_longer_once_live_takes_it(make_route: MakeRoute) -> None:
    route, hears = _deaf_phone(make_route)
    path = route.manifest(PHONE)
    route.converge(path)
    route.box.seed({"contacts": [{"external_id": "25", "phone": "2"}]})
    assert lines(route.document(path)) == []
    hears()
    route.converge(route.manifest({"contacts": [{"external_id": "25", "phone": "4"}]}))
    # A value that a later write showed is no longer remembered as ineffective.
    route.converge(route.manifest({"contacts": [{"external_id": "25", "phone": "2"}]}))


def test_a_write_that_shows_the_field_forgets(make_route: MakeRoute) -> None:
    route, hears = _deaf_phone(make_route)
    route.converge(route.manifest(PHONE))
    hears()
    route.converge(route.manifest({"contacts": [{"external_id": "25", "phone": "4"}]}))
    path = route.manifest(PHONE)
    assert changes(route.document(path)) == ["update contact/25 phone='***'"]
    assert one(route.converge(path), "update").status is Status.APPLIED


def test_what_was_taken_without_a_ledger_is_only_told_by_the_outcome(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25", "phone": "1"}]})
    reply_match(route, "PUT", "/contacts/{id}", sandbox_contacts.update, "phone")
    path = route.manifest({"contacts": [{"external_id": "25", "phone": "2"}]})
    assert one(route.converge(path), "update").status is Status.INEFFECTIVE
    assert changes(route.document(path)) == ["update contact/25 phone='***'"]


def test_a_create_that_does_not_show_a_field_is_remembered_too(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    reply_match(route, "POST", "/contacts", sandbox_contacts.create, "phone")
    path = route.manifest({"contacts": [{"external_id": "25", "missing": "create", "phone": "2"}]})
    assert one(route.converge(path), "create").status is Status.INEFFECTIVE
    assert lines(route.document(path)) == ["note ineffective contact/25"]


def test_a_thing_that_must_be_made_again_is_made_with_all_that_is_declared(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    hears = reply_match(route, "POST", "/contacts", sandbox_contacts.create, "phone", "name")
    path = route.manifest({"contacts": [{"external_id": "25", "missing": "create", "phone": "2", "name": "X", "recreate": True}]})
    route.converge(path)
    hears()
    route.box.ws.store.drop("contact", contact(route.box, external_id="25")["id"])
    route.clock.sleep(3600)
    assert changes(route.document(path)) == ["unarchive contact/25"]
    assert one(route.converge(path), "unarchive").status is Status.APPLIED
    assert contact(route.box, external_id="25")["phone"] == "2"


def test_a_thing_whose_field_is_ineffective_is_still_brought_back(make_route: MakeRoute) -> None:
    from reconciler.sandbox.api import attributes

    route = make_route({"attributes": [{"name": "tier", "description": "Old"}]}, ledger=True)
    reply_match(route, "PUT", "/data_attributes/{id}", attributes.update, "description")
    entry = {"name": "tier", "model": "contact", "data_type": "string", "description": "New"}
    path = route.manifest({"attributes": [entry]})
    assert one(route.converge(path), "update").status is Status.INEFFECTIVE
    route.box.seed({"attributes": [{"name": "tier", "archived": True}]})
    assert changes(route.document(path)) == ["unarchive attribute/tier"]
    assert one(route.converge(path), "unarchive").status is Status.INEFFECTIVE
    assert lines(route.document(path)) == ["note ineffective attribute/tier"]


def test_one_key_of_the_custom_attributes_is_named_alone(make_route: MakeRoute) -> None:
    route = make_route({"companies": [{"company_id": "6", "custom_attributes": {"tier": "a", "seats": 1}}]}, ledger=True)
    from reconciler.sandbox.api import companies

    def update(request: Request) -> Answer:
        custom = {key: value for key, value in request.body["custom_attributes"].items() if key != "tier"}
        return companies.update(replace(request, body={"custom_attributes": custom}))

    route.box.routes.insert(0, SandboxRoute("PUT", "/companies/{id}", update))
    path = route.manifest({"companies": [{"company_id": "6", "custom_attributes": {"tier": "b", "seats": 2}}]})
    outcome = one(route.converge(path), "update")
    assert (outcome.status, outcome.fields) == (Status.INEFFECTIVE, ("custom_attributes.tier",))
    assert company(route.box, "6")["custom_attributes"] == {"tier": "a", "seats": 2}
    assert notes(route.document(path), "ineffective")[0].startswith("custom_attributes.tier: ")


def test_a_link_that_the_reply_does_not_show_is_tried_once_more_and_then_named(make_route: MakeRoute) -> None:
    route = make_route({"tags": [{"name": "vip", "id": "5"}], "companies": [{"company_id": "6"}]}, ledger=True)
    live_id = company(route.box, "6")["id"]
    body = f'{{"type":"tag","id":"5","name":"vip","companies":[{{"id":"{live_id}","tagged":false}}]}}'
    route.box.faults.add("POST", "/tags$", body=body.encode(), times=None)
    path = route.manifest({"tags": ["vip"], "companies": [{"company_id": "6", "tags": ["vip"]}]})
    outcome = one(route.converge(path), "attach")
    assert (outcome.status, outcome.fields) == (Status.INEFFECTIVE, ("tags",))
    assert changes(route.document(path)) == ["attach company/6 tag/vip"]
    assert one(route.converge(path), "attach").status is Status.INEFFECTIVE
    route.box.forget_requests()
    assert lines(route.document(path)) == ["note ineffective company/6"]
    assert "tag/vip" in notes(route.document(path), "ineffective")[0]
    assert route.converge(path) == []
    assert not route.box.writes
    # Somebody made the link and took it away again: that is drift, and tried.
    route.box.faults.clear()
    route.box.seed({"companies": [{"company_id": "6", "tags": ["vip"]}]})
    route.converge(path)
    route.box.ws.store.put("company", {**company(route.box, "6"), "tags": {}})
    assert lines(route.document(path)) == ["attach company/6 tag/vip (drift)"]
    assert one(route.converge(path), "attach").status is Status.APPLIED


def test_a_tagging_that_lists_the_contact_as_untagged_is_ineffective(make_route: MakeRoute) -> None:
    route = make_route({"tags": [{"name": "vip", "id": "5"}], "contacts": [{"external_id": "25"}, {"external_id": "26"}]}, ledger=True)
    ids = {key: contact(route.box, external_id=key)["id"] for key in ("25", "26")}
    body = f'{{"type":"tag","id":"5","name":"vip","users":[{{"id":"{ids["25"]}","tagged":true}},{{"id":"{ids["26"]}","tagged":false}}]}}'
    route.box.faults.add("POST", "^/tags$", body=body.encode())
    path = route.manifest({"tags": ["vip"], "contacts": [{"external_id": key, "tags": ["vip"]} for key in ("25", "26")]})
    told_of = {o.change.address.key: o.status.value for o in route.converge(path)}
    assert told_of == {"25": "applied", "26": "ineffective"}


def test_an_answer_about_somebody_else_is_a_failure(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25"}, {"external_id": "26"}]}, ledger=True)
    other = contact(route.box, external_id="26")["id"]
    body = f'{{"type":"contact","id":"{other}","external_id":"26","name":"X"}}'.encode()
    route.box.faults.add("PUT", "^/contacts/", body=body)
    outcome = one(route.converge(route.manifest({"contacts": [{"external_id": "25", "name": "X"}]})), "update")
    assert outcome.status is Status.FAILED
    assert "is about another contact" in outcome.reason


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"<html>", b'{"type":"error.list","errors":[{"code":"x"}]}', b'{"id":"6762f0dd1bb69f9f00000001"']
)
def test_a_200_that_proves_nothing_is_no_success(make_route: MakeRoute, body: bytes) -> None:
    route = make_route({"contacts": [{"external_id": "25"}]}, ledger=True)
    route.box.faults.add("PUT", "^/contacts/", body=body, times=None)
    outcome = one(route.converge(route.manifest({"contacts": [{"external_id": "25", "name": "X"}]})), "update")
    assert outcome.status is Status.FAILED
    assert len(outcome.reason) < 200
