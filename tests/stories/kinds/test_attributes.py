"""Custom attributes as a kind: made, updated, archived and brought back; what Intercom never changes; who uses them."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.core.model.outcome import Status
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes, lines
from tests.desk.telling import asked, gates, invalid, refusals, settles, statuses
from tests.stories.undo.taking_back import take_back

TYPES = ("string", "integer", "float", "boolean", "date", "datetime")
VERSIONS = ("2.14", "2.15", "2.16")


def attribute(route: Route, name: str, model: str = "contact") -> dict[str, Any]:
    (doc,) = route.box.ws.store.table("attribute").find("name", (model, name))
    return doc


# ---- create
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("model", ["contact", "company"])
@pytest.mark.parametrize("data_type", TYPES)
def test_an_attribute_of_every_type_is_created_and_converges(make_route: MakeRoute, data_type: str, model: str, version: str) -> None:
    route = make_route(version=version)
    settles(route, {"attributes": [{"name": "paid subscriber", "model": model, "data_type": data_type}]})
    assert attribute(route, "paid subscriber", model)["data_type"] == ("date" if data_type == "datetime" else data_type)


def test_a_list_is_created_from_options_that_are_objects_and_read_as_texts(make_route: MakeRoute) -> None:
    route = make_route()
    written = {
        "name": "tier",
        "model": "company",
        "data_type": "options",
        "options": ["gold", "007", "no"],
        "description": "Of service",
        "messenger_writable": True,
    }
    settles(route, {"attributes": [written]})
    (write,) = route.box.writes
    assert write.body["options"] == [{"value": "gold"}, {"value": "007"}, {"value": "no"}]
    assert attribute(route, "tier", "company")["options"] == ["gold", "007", "no"]
    assert (attribute(route, "tier", "company")["description"], attribute(route, "tier", "company")["messenger_writable"]) == (
        "Of service",
        True,
    )


# ---- update
@pytest.mark.parametrize(
    ("field", "value"),
    [("description", "New"), ("description", ""), ("messenger_writable", True), ("options", ["a", "b", "c"]), ("options", ["b", "a"])],
)
def test_what_can_change_is_updated_alone(make_route: MakeRoute, field: str, value: Any) -> None:
    live = {"name": "tier", "model": "contact", "description": "Old", "options": ["a", "b"]}
    route = make_route({"attributes": [live]})
    entry = {"name": "tier", "model": "contact", "data_type": "options", "options": ["a", "b"], field: value}
    settles(route, {"attributes": [entry]})
    (write,) = route.box.writes
    assert (write.method, set(write.body)) == ("PUT", {field})
    assert attribute(route, "tier")[field] == value


@pytest.mark.parametrize("entry", [{"data_type": "integer"}, {"data_type": "options", "options": ["a", "b"]}, {"data_type": "boolean"}])
def test_another_type_than_the_live_one_is_refused_in_the_plan(make_route: MakeRoute, entry: dict[str, Any]) -> None:
    route = make_route({"attributes": [{"name": "title", "data_type": "string"}]})
    plan = route.document(route.manifest({"attributes": [{"name": "title", "model": "contact", **entry}]}))
    ((gate, message),) = refusals(plan)
    assert gate == "fixed"
    assert "data_type" in message
    assert "Intercom lets nobody change it" in message
    assert "intercom.yaml:2" in message
    assert not route.box.writes


def test_a_list_is_no_text(make_route: MakeRoute) -> None:
    """A list attribute is read with data_type string (API 2.16, PUT /data_attributes)."""
    route = make_route({"attributes": [{"name": "tier", "options": ["a", "b"]}]})
    assert gates(route.document(route.manifest({"attributes": [{"name": "tier", "model": "contact", "data_type": "string"}]}))) == ["fixed"]


def test_a_name_that_the_other_model_has_is_refused_in_the_plan(make_route: MakeRoute) -> None:
    route = make_route({"attributes": [{"name": "tier", "model": "company"}]})
    plan = route.document(route.manifest({"attributes": [{"name": "tier", "model": "contact", "data_type": "string"}]}))
    ((gate, message),) = refusals(plan)
    assert gate == "fixed"
    assert "model" in message
    assert changes(plan) == []


@pytest.mark.parametrize("wrong", [{"model": "company"}, {"data_type": "integer"}])
def test_an_attribute_of_another_model_or_type_is_not_archived_for_the_declared_one(make_route: MakeRoute, wrong: dict[str, str]) -> None:
    route = make_route({"attributes": [{"name": "tier", "model": "contact", "data_type": "string"}]})
    entry = {"name": "tier", "model": "contact", "data_type": "string", "state": "archived", **wrong}
    plan = route.document(route.manifest({"attributes": [entry]}))
    assert gates(plan) == ["fixed"]
    assert changes(plan) == []


# ---- archive and bring back
def test_an_attribute_is_archived_and_stays_so(make_route: MakeRoute) -> None:
    route = make_route({"attributes": [{"name": "tier"}]})
    written = {"attributes": [{"name": "tier", "model": "contact", "data_type": "string", "state": "archived"}]}
    assert changes(route.document(route.manifest(written))) == ["archive attribute/tier"]
    settles(route, written)
    assert attribute(route, "tier")["archived"] is True
    assert lines(route.document(route.manifest(written))) == []


def test_an_attribute_that_never_was_is_archived_already(make_route: MakeRoute) -> None:
    route = make_route()
    entry = {"name": "tier", "model": "contact", "data_type": "string", "state": "archived"}
    assert lines(route.document(route.manifest({"attributes": [entry]}))) == []


@pytest.mark.parametrize("state", [{}, {"state": "present"}], ids=["unset", "present"])
def test_an_archived_attribute_comes_back_with_its_fields(make_route: MakeRoute, state: dict[str, str]) -> None:
    route = make_route({"attributes": [{"name": "tier", "options": ["a", "b"], "archived": True, "description": "Old"}]})
    entry = {"name": "tier", "model": "contact", "data_type": "options", "options": ["a", "c"], "description": "New", **state}
    settles(route, {"attributes": [entry]})
    live = attribute(route, "tier")
    assert (live["archived"], live["options"], live["description"]) == (False, ["a", "c"], "New")
    assert len(route.box.ws.store.table("attribute").docs) == 1


def test_archiving_one_in_use_fails_with_what_intercom_says(make_route: MakeRoute) -> None:
    route = make_route({"attributes": [{"name": "tier", "segments": ["Gold"]}]})
    path = route.manifest({"attributes": [{"name": "tier", "model": "contact", "data_type": "string", "state": "archived"}]})
    (outcome,) = route.converge(path)
    assert outcome.status is Status.FAILED
    assert outcome.reason == "422 The Data Attribute you are trying to archive has a dependant object"
    assert outcome.request_id


# ---- what the reader refuses
def test_renamed_from_explains_that_an_attribute_keeps_its_name(make_route: MakeRoute) -> None:
    said = invalid(make_route(), {"attributes": [{"name": "tier", "model": "contact", "data_type": "string", "renamed_from": "level"}]})
    assert "keeps its name in Intercom" in said
    assert "archive it and declare another" in said
    assert "intercom.yaml:2" in said


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"data_type": "options"}, "without options"),
        ({"data_type": "options", "options": ["a"]}, "fewer than two options"),
        ({"data_type": "string", "options": ["a", "b"]}, "write data_type: options"),
        ({"data_type": "list"}, "data_type"),
        ({}, "`data_type` is missing"),
        ({"data_type": "string", "model": "conversation"}, "model"),
        ({"data_type": "string", "state": "absent"}, "state"),
        ({"data_type": "string", "state": "archived", "description": "x"}, "keep one of them"),
    ],
)
def test_what_can_be_seen_offline_is_65(make_route: MakeRoute, entry: dict[str, Any], said: str) -> None:
    assert said in invalid(make_route(), {"attributes": [{"name": "tier", "model": "contact", **entry}]})


def test_the_standard_attributes_are_not_ours(make_route: MakeRoute) -> None:
    route = make_route()
    (outcome,) = route.converge(route.manifest({"attributes": [{"name": "email", "model": "contact", "data_type": "string"}]}))
    assert outcome.status is Status.FAILED
    assert "is one of our standard attributes" in outcome.reason


# ---- who uses them
@pytest.mark.parametrize(
    ("section", "entry", "model", "other"),
    [("contacts", {"external_id": "25"}, "contact", "company"), ("companies", {"company_id": "6"}, "company", "contact")],
)
@pytest.mark.parametrize("name", ["nowhere", "elsewhere", "old"])
def test_an_unknown_attribute_fails_in_the_plan_with_file_and_line(
    make_route: MakeRoute, section: str, entry: dict[str, str], model: str, other: str, name: str
) -> None:
    live = [{"name": "elsewhere", "model": other}, {"name": "old", "model": model, "archived": True}]
    route = make_route({section: [entry], "attributes": live})
    plan = route.document(route.manifest({section: [{**entry, "custom_attributes": {name: "x"}}]}))
    ((gate, message),) = refusals(plan)
    assert gate == "attribute"
    assert "intercom.yaml:2" in message
    assert f"'{name}'" in message
    assert "`attributes:`" in message
    assert not route.box.writes


def test_every_unknown_attribute_is_told_at_once(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25"}, {"external_id": "26"}]})
    written = {"contacts": [{"external_id": key, "custom_attributes": {"a": 1, "b": 2}} for key in ("25", "26")]}
    assert gates(route.document(route.manifest(written))) == ["attribute"] * 4


def test_an_attribute_declared_for_the_other_model_is_65_with_both_places(make_route: MakeRoute) -> None:
    said = invalid(
        make_route(),
        "attributes:\n  - {name: tier, model: company, data_type: string}\n"
        "contacts:\n  - {external_id: '25', custom_attributes: {tier: x}}\n",
    )
    assert "intercom.yaml:4" in said
    assert "intercom.yaml:2" in said


def test_an_attribute_that_is_declared_archived_and_used_is_65_with_both_places(make_route: MakeRoute) -> None:
    said = invalid(
        make_route(),
        "attributes:\n  - {name: tier, model: contact, data_type: string, state: archived}\n"
        "contacts:\n  - {external_id: '25', custom_attributes: {tier: x}}\n",
    )
    assert "intercom.yaml:4" in said
    assert "declared archived at" in said
    assert "intercom.yaml:2" in said


@pytest.mark.parametrize("archived", [False, True], ids=["created", "brought back"])
def test_an_attribute_is_made_before_what_uses_it(make_route: MakeRoute, archived: bool) -> None:
    seed: dict[str, Any] = {"companies": [{"company_id": "6"}], "contacts": [{"external_id": "25"}]}
    if archived:
        seed["attributes"] = [
            {"name": n, "model": m, "data_type": "integer", "archived": True} for n, m in (("zz", "contact"), ("aa", "company"))
        ]
    route = make_route(seed)
    written = {
        "attributes": [
            {"name": "zz", "model": "contact", "data_type": "integer"},
            {"name": "aa", "model": "company", "data_type": "integer"},
        ],
        "companies": [{"company_id": "6", "custom_attributes": {"aa": 0}}, {"company_id": "7", "custom_attributes": {"aa": 7}}],
        "contacts": [
            {"external_id": "25", "custom_attributes": {"zz": 0}},
            {"external_id": "26", "missing": "create", "custom_attributes": {"zz": 26}},
        ],
    }
    assert settles(route, written)


def test_what_uses_an_attribute_that_failed_is_skipped_with_the_reason(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25"}, {"external_id": "26"}]})
    route.box.faults.add("POST", "^/data_attributes$", status=400, message="You have reached the limit of 250 custom attributes")
    written = {
        "attributes": [{"name": "tier", "model": "contact", "data_type": "string"}],
        "contacts": [{"external_id": "25", "custom_attributes": {"tier": "x"}}, {"external_id": "26", "name": "Y"}],
    }
    outcomes = route.converge(route.manifest(written))
    assert statuses(outcomes) == {"create attribute/tier": "failed", "update contact/25": "skipped", "update contact/26": "applied"}
    skipped = next(o for o in outcomes if o.status is Status.SKIPPED)
    assert "limit of 250 custom attributes" in skipped.reason


@pytest.mark.parametrize(
    ("data_type", "written", "sent"),
    [
        ("string", "007", "007"),
        ("string", "no", "no"),
        ("integer", "7", 7),
        ("float", "7", 7),
        ("float", "0.5", 0.5),
        ("boolean", "false", False),
        ("date", "2014-03-11", 1394496000),
        ("string", "''", ""),
        ("integer", "0", 0),
        ("options", "1.10", "1.10"),
    ],
)
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "live"])
def test_the_type_decides_what_a_value_is(make_route: MakeRoute, data_type: str, written: str, sent: Any, declared: bool) -> None:
    options = {"options": ["1.10", "x"]} if data_type == "options" else {}
    made = {"name": "x", "model": "contact", "data_type": data_type, **options}
    route = make_route({"attributes": [made], "contacts": [{"external_id": "25"}]})
    section = (
        f"attributes: [{{name: x, model: contact, data_type: {data_type}{', options: [1.10, x]' if options else ''}}}]\n"
        if declared
        else ""
    )
    settles(route, f"{section}contacts: [{{external_id: '25', custom_attributes: {{x: {written}}}}}]\n")
    assert route.box.writes[-1].body == {"custom_attributes": {"x": sent}}


def test_a_value_that_is_not_of_the_live_type_is_refused_in_the_plan(make_route: MakeRoute) -> None:
    route = make_route({"attributes": [{"name": "seats", "data_type": "integer"}], "contacts": [{"external_id": "25"}]})
    ((gate, message),) = refusals(
        route.document(route.manifest({"contacts": [{"external_id": "25", "custom_attributes": {"seats": "many"}}]}))
    )
    assert gate == "attribute"
    assert "seats" in message
    assert "intercom.yaml:2" in message


def test_the_attributes_are_read_only_where_something_needs_them(make_route: MakeRoute) -> None:
    route = make_route({"attributes": [{"name": "seats", "data_type": "integer"}], "contacts": [{"external_id": "25"}]})
    route.document(route.manifest({"contacts": [{"external_id": "25", "name": "X"}]}))
    assert not [line for line in asked(route.box) if "data_attributes" in line]


SWAPPED: dict[str, Any] = {
    "attributes": [{"name": "tier", "model": "contact", "data_type": "options", "options": ["gold", "iron"]}],
    "contacts": [{"external_id": key, "custom_attributes": {"tier": "iron"}} for key in ("25", "26")],
}


def route_with_tiers(make_route: MakeRoute, **how: Any) -> Route:
    people = [{"external_id": key, "custom_attributes": {"tier": "silver"}} for key in ("25", "26")]
    return make_route({"attributes": [{"name": "tier", "options": ["gold", "silver"]}], "contacts": people}, **how)


def test_an_option_stays_while_one_who_should_leave_it_did_not_and_the_same_plan_finishes_it(make_route: MakeRoute) -> None:
    route = route_with_tiers(make_route, ledger=True)
    plan = route.saved(route.manifest(SWAPPED))
    fault = route.box.faults.add("PUT", "^/contacts/", status=400, after=1)
    outcomes = route.apply(plan)
    assert [str(o.status) for o in outcomes if o.change.address.kind == "attribute"] == ["applied", "skipped"]
    assert fault.hits == 1
    assert attribute(route, "tier")["options"] == ["gold", "iron", "silver"]
    route.box.forget_requests()
    assert {str(o.status) for o in route.apply(plan)} == {"applied"}
    assert [w.body for w in route.box.writes][1:] == [{"options": [{"value": "gold"}, {"value": "iron"}]}]
    assert changes(route.document(route.manifest(SWAPPED))) == []


def test_who_takes_an_option_that_could_not_be_added_is_skipped(make_route: MakeRoute) -> None:
    route = route_with_tiers(make_route)
    route.box.faults.add("PUT", "^/data_attributes/", status=400)
    outcomes = route.converge(route.manifest(SWAPPED))
    assert [str(o.status) for o in outcomes if o.change.address.kind == "contact"] == ["skipped", "skipped"]
    assert [w.path.split("/")[1] for w in route.box.writes] == ["data_attributes"]


def test_options_that_were_swapped_are_taken_back_to_what_they_were_first(make_route: MakeRoute) -> None:
    route = route_with_tiers(make_route, ledger=True)
    route.converge(route.manifest(SWAPPED))
    take_back(route)
    assert attribute(route, "tier")["options"] == ["gold", "silver"]
    assert {c["custom_attributes"]["tier"] for c in route.box.ws.store.table("contact").docs.values()} == {"silver"}


@pytest.mark.parametrize("delay", [0.0, 600.0], ids=["seen", "search lags"])
def test_who_leaves_an_option_in_the_same_plan_is_not_counted_and_who_stays_is(make_route: MakeRoute, delay: float) -> None:
    route = route_with_tiers(make_route)
    route.box.settings.change({"update_delay": delay})
    written = {**SWAPPED, "contacts": SWAPPED["contacts"][:1]}
    ((gate, message),) = refusals(route.document(route.manifest(written)))
    assert gate == "limits.options"
    assert "contacts with 'silver': 1)" in message
    assert not route.box.writes


def test_an_option_that_a_company_has_is_in_use_and_one_that_none_shows_is_unknown(make_route: MakeRoute) -> None:
    """Companies without users are in no list (API 2.16, POST /companies/list)."""
    live = [{"company_id": "6", "custom_attributes": {"tier": "silver"}}]
    route = make_route({"attributes": [{"name": "tier", "model": "company", "options": ["gold", "silver", "iron"]}], "companies": live})
    entry = {"name": "tier", "model": "company", "data_type": "options", "options": ["gold", "iron"]}
    path = route.manifest({"policy": {"limits": {"options": 5}}, "attributes": [entry]})
    assert gates(route.document(path)) == ["unknown"]
    route.box.seed({"contacts": [{"external_id": "25", "companies": ["6"]}]})
    assert gates(route.document(path)) == []
    plan = route.document(route.manifest({"attributes": [entry]}))
    assert gates(plan) == ["limits.options"]
    (change,) = plan["changes"]
    assert (change["uses"], change["at_least"]) == ({"companies with 'silver'": 1}, ["companies with 'silver'"])


def test_an_option_that_is_taken_away_from_what_is_brought_back_is_in_use_too(make_route: MakeRoute) -> None:
    route = route_with_tiers(make_route)
    route.box.seed({"attributes": [{"name": "tier", "archived": True}]})
    plan = route.document(route.manifest({"attributes": SWAPPED["attributes"]}))
    assert changes(plan) == ["unarchive attribute/tier"]
    assert gates(plan) == ["limits.options"]


def test_a_use_of_options_that_cannot_be_counted_is_unknown(make_route: MakeRoute) -> None:
    route = route_with_tiers(make_route)
    route.box.faults.add("POST", "^/contacts/search$", status=403, times=None)
    plan = route.document(route.manifest({"attributes": SWAPPED["attributes"]}))
    assert gates(plan) == ["unknown"]
    assert plan["refused"][0]["approve"]


def test_an_approval_that_one_option_goes_is_none_that_another_one_goes(make_route: MakeRoute) -> None:
    route = make_route({"attributes": [{"name": "tier", "model": "company", "options": ["gold", "silver", "iron"]}]})

    def word(*left: str) -> str:
        entry = {"name": "tier", "model": "company", "data_type": "options", "options": list(left)}
        (refused,) = route.document(route.manifest({"attributes": [entry]}))["refused"]
        return str(refused["approve"])

    assert word("gold", "iron") == word("iron", "gold")
    assert word("gold", "iron") != word("gold", "silver")
