"""POST /contacts/search as described for API 2.7 to 2.16 and corrected on 2026-08-19: grammar, paging, lag."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.sandbox.app import Sandbox
from tests.desk.calling import Answered, Caller
from tests.desk.clock import Clock

DAY = 86_400
NOON = 1_763_985_600  # 2025-11-24, 12:00 UTC

CREW = {
    "attributes": [{"name": "paid", "model": "contact", "data_type": "boolean"}],
    "contacts": [
        {"id": "wash", "external_id": "1", "email": "Wash@serenity.example", "name": "Hoban", "tags": ["vip"], "created_at": NOON - DAY},
        {"id": "zoe", "external_id": "2", "email": "zoe@serenity.example", "custom_attributes": {"seats": 3}, "created_at": NOON},
        {"id": "badger", "role": "lead", "email": "b@persephone.example", "custom_attributes": {"paid": True}, "created_at": NOON + DAY},
    ],
}


def where(field: str, operator: str, value: object) -> dict[str, object]:
    return {"field": field, "operator": operator, "value": value}


def ask(call: Caller, query: object, **more: Any) -> Answered:
    return call("POST", "/contacts/search", {"query": query, **more})


def ids(call: Caller, query: object, **more: Any) -> list[str]:
    return [contact["id"] for contact in ask(call, query, **more).json["data"]]


@pytest.fixture
def crew(call: Caller, box: Sandbox) -> Caller:
    box.seed(CREW)
    return call


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        (where("external_id", "=", "1"), {"wash"}),
        (where("external_id", "IN", ["1", "2", "3"]), {"wash", "zoe"}),
        (where("external_id", "!=", "1"), {"zoe", "badger"}),
        (where("external_id", "NIN", ["1"]), {"zoe", "badger"}),
        (where("external_id", "=", None), {"badger"}),
        (where("email", "=", "wash@serenity.example"), set()),
        (where("email", "~", "SERENITY"), {"wash", "zoe"}),
        (where("email", "!~", "serenity"), {"badger"}),
        (where("email", "^", "zoe"), {"zoe"}),
        (where("email", "$", "persephone.example"), {"badger"}),
        (where("email_domain", "=", "persephone.example"), {"badger"}),
        (where("role", "=", "lead"), {"badger"}),
        (where("custom_attributes.seats", ">=", 3), {"zoe"}),
        (where("custom_attributes.seats", "<", "3"), set()),
        (where("custom_attributes.paid", "=", True), {"badger"}),
        (where("unsubscribed_from_emails", "=", False), {"wash", "zoe", "badger"}),
        (where("id", "IN", ["zoe"]), {"zoe"}),
        ({"operator": "AND", "value": [where("role", "=", "user"), where("email", "~", "zoe")]}, {"zoe"}),
        ({"operator": "OR", "value": [where("external_id", "=", "1"), where("email", "=", "zoe@serenity.example")]}, {"wash", "zoe"}),
    ],
)
def test_operators_find(crew: Caller, query: object, keys: set[str]) -> None:
    assert set(ids(crew, query)) == keys


def test_email_ignores_case_where_the_knob_says_so(crew: Caller, box: Sandbox) -> None:
    box.settings.fold_email = True
    assert ids(crew, where("email", "=", "wash@Serenity.example")) == ["wash"]


def test_dates_are_compared_by_day(crew: Caller) -> None:
    """API 2.16, POST /contacts/search; intercom/Intercom-OpenAPI 528b0f2."""
    assert ids(crew, where("created_at", ">", NOON - 3600)) == ["badger"]
    assert ids(crew, where("created_at", "<", NOON + 3600)) == ["wash"]
    assert ids(crew, where("created_at", "=", NOON + 3600)) == ["zoe"]


def test_the_day_is_that_of_the_workspaces_time_zone(crew: Caller, box: Sandbox) -> None:
    """API 2.16, POST /contacts/search; intercom/Intercom-OpenAPI 528b0f2."""
    box.seed({"app": {"timezone": "Pacific/Auckland"}})  # there it is 01:00 of the next day
    assert ids(crew, where("created_at", "=", NOON + 22 * 3600)) == ["zoe"]


def test_preview_compares_dates_by_the_second(crew: Caller, box: Sandbox) -> None:
    assert ids(Caller(box, version="Preview"), where("created_at", ">=", NOON)) == ["badger", "zoe"]


@pytest.mark.parametrize(("field", "operator"), [("created_at", ">="), ("tag_id", "IN"), ("email", "<"), ("role", "==")])
def test_an_operator_that_the_type_does_not_have_is_refused(crew: Caller, field: str, operator: str) -> None:
    """API 2.16, POST /contacts/search; intercom/Intercom-OpenAPI 528b0f2."""
    assert ask(crew, where(field, operator, [1])).status == 400


def test_tags_are_found_by_id_with_two_operators(crew: Caller) -> None:
    """API 2.16, POST /contacts/search."""
    tag = crew.ok("GET", "/tags")["data"][0]["id"]
    assert ids(crew, where("tag_id", "=", tag)) == ["wash"]
    assert set(ids(crew, where("tag_id", "!=", tag))) == {"zoe", "badger"}


def test_there_is_no_field_for_companies(crew: Caller) -> None:
    assert ask(crew, where("company_id", "=", "6")).status == 400


def group(*parts: object) -> dict[str, object]:
    return {"operator": "AND", "value": list(parts)}


def test_groups_nest_twice_and_hold_fifteen_filters(crew: Caller) -> None:
    """API 2.16, POST /contacts/search."""
    one = where("role", "=", "user")
    assert ask(crew, group(group(one), one)).status == 200
    assert ask(crew, group(group(group(one)))).status == 400
    assert ask(crew, group(*[one] * 15)).status == 200
    assert ask(crew, group(*[one] * 16)).status == 400


def test_an_invalid_sort_order_is_refused_from_2_16(crew: Caller, call_2_15: Caller) -> None:
    """API 2.16, POST /contacts/search."""
    sort = {"field": "created_at", "order": "desc"}
    refused = ask(crew, where("role", "=", "user"), sort=sort)
    assert (refused.status, refused.code) == (400, "invalid_sort_order")
    assert refused.message == "Invalid sort order 'desc'. Must be one of: ascending, descending"
    assert ids(call_2_15, where("role", "=", "user"), sort=sort) == ["zoe", "wash"]


def test_sorting_goes_both_ways_with_the_unset_at_the_low_end(crew: Caller) -> None:
    everybody = where("email", "~", "example")
    assert ids(crew, everybody, sort={"field": "name", "order": "ascending"})[-1] == "wash"
    assert ids(crew, everybody, sort={"field": "name", "order": "descending"})[0] == "wash"


def test_the_cursor_belongs_into_the_body_and_is_ignored_in_the_url(call: Caller, box: Sandbox) -> None:
    """Reported: community.intercom.com/2038."""
    box.seed({"contacts": [{"external_id": f"u{n}"} for n in range(120)]})
    query = where("role", "=", "user")
    first = ask(call, query).json
    after = first["pages"]["next"]["starting_after"]
    assert (len(first["data"]), first["total_count"]) == (50, 120)
    in_url = call.ok("POST", f"/contacts/search?starting_after={after}", {"query": query})
    assert in_url["data"] == first["data"]
    ids, page = [c["id"] for c in first["data"]], first
    while "next" in page["pages"]:
        page = ask(call, query, pagination={"starting_after": page["pages"]["next"]["starting_after"]}).json
        ids += [c["id"] for c in page["data"]]
    assert len(ids) == len(set(ids)) == 120
    assert ask(call, query, pagination={"per_page": 500}).json["pages"]["per_page"] == 150


def test_a_new_contact_stays_invisible_for_the_delay_but_can_be_read(call: Caller, box: Sandbox, clock: Clock) -> None:
    """API 2.16, POST /contacts/search."""
    box.settings.search_delay = 120
    id = call.ok("POST", "/contacts", {"external_id": "25"})["id"]
    query = where("external_id", "=", "25")
    assert ids(call, query) == [] == call.ok("GET", "/contacts")["data"]
    assert call.ok("GET", "/contacts/find_by_external_id/25")["id"] == id
    clock.forward(120)
    assert ids(call, query) == [id] == [c["id"] for c in call.ok("GET", "/contacts")["data"]]


def test_an_update_can_lag_too(call: Caller, box: Sandbox, clock: Clock) -> None:
    id = call.ok("POST", "/contacts", {"email": "old@serenity.example"})["id"]
    box.settings.update_delay = 60
    call.ok("PUT", f"/contacts/{id}", {"email": "new@serenity.example"})
    assert ids(call, where("email", "=", "old@serenity.example")) == [id]
    assert ids(call, where("email", "=", "new@serenity.example")) == []
    clock.forward(60)
    assert ids(call, where("email", "=", "new@serenity.example")) == [id]
    assert ids(call, where("email", "=", "old@serenity.example")) == []


def test_a_seeded_contact_can_be_hidden_from_search(call: Caller, box: Sandbox, clock: Clock) -> None:
    box.seed({"contacts": [{"external_id": "25", "hidden_from_search": 600}]})
    assert ids(call, where("external_id", "=", "25")) == []
    clock.forward(600)
    assert len(ids(call, where("external_id", "=", "25"))) == 1


def test_neither_archived_nor_merged_contacts_are_found(call: Caller, box: Sandbox) -> None:
    """Reported: intercom-node#333, intercom-ruby#561."""
    box.seed({"contacts": [{"id": "a", "external_id": "1"}, {"external_id": "2", "archived": True}]})
    box.seed({"contacts": [{"external_id": "3", "merged_into": "a"}]})
    assert ids(call, where("external_id", "IN", ["1", "2", "3"])) == ["a"]


def test_a_query_is_required_and_a_cursor_checked(call: Caller) -> None:
    assert call("POST", "/contacts/search", {}).status == 400
    assert ask(call, where("role", "=", "user"), pagination={"starting_after": "nonsense"}).status == 400
