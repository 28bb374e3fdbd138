"""Data attributes as Intercom describes them (API 2.16)."""

from __future__ import annotations

import pytest

from reconciler.sandbox.app import Sandbox
from tests.desk.calling import Caller


def attribute(name: str = "paid", **fields: object) -> dict[str, object]:
    return {"name": name, "model": "contact", "data_type": "string", **fields}


def test_names_are_unique_over_contacts_and_companies(call: Caller) -> None:
    """API 2.16, POST /data_attributes."""
    call.ok("POST", "/data_attributes", attribute("The One Ring", model="company"))
    refused = call("POST", "/data_attributes", attribute("The One Ring"))
    assert (refused.status, refused.code) == (400, "parameter_invalid")
    assert refused.message == (
        "You already have 'The One Ring' in your company data. To save this as new people data, use a different name."
    )


def test_a_list_is_written_as_objects_and_read_as_texts(call: Caller) -> None:
    """API 2.16, PUT /data_attributes/{id}, example."""
    made = call.ok("POST", "/data_attributes", attribute(data_type="options", options=[{"value": "a"}, {"value": "b"}]))
    assert (made["data_type"], made["options"], made["full_name"]) == ("string", ["a", "b"], "custom_attributes.paid")
    changed = call.ok("PUT", f"/data_attributes/{made['id']}", {"options": [{"value": "a"}, {"value": "b"}, {"value": "c"}]})
    assert changed["options"] == ["a", "b", "c"]


def test_an_attribute_in_use_cannot_be_archived(call: Caller, box: Sandbox) -> None:
    """API 2.16, PUT /data_attributes/{id}."""
    box.seed({"attributes": [{"id": 7, "name": "paid", "segments": ["Paying"]}]})
    refused = call("PUT", "/data_attributes/7", {"archived": True})
    assert (refused.status, refused.code) == (422, "data_invalid")


def test_archiving_hides_it_from_the_list_unless_asked_for(call: Caller) -> None:
    id = call.ok("POST", "/data_attributes", attribute())["id"]
    assert call.ok("PUT", f"/data_attributes/{id}", {"archived": True})["archived"] is True
    assert id not in [a.get("id") for a in call.ok("GET", "/data_attributes")["data"]]
    assert id in [a.get("id") for a in call.ok("GET", "/data_attributes?include_archived=true")["data"]]


def test_name_and_type_stay_as_they_were_made(call: Caller) -> None:
    """API 2.16, PUT /data_attributes/{id}."""
    id = call.ok("POST", "/data_attributes", attribute())["id"]
    changed = call.ok("PUT", f"/data_attributes/{id}", {"name": "x", "data_type": "integer", "description": "Pays"})
    assert (changed["name"], changed["data_type"], changed["description"]) == ("paid", "string", "Pays")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (attribute(model="conversation"), "The Data Attribute model field must be either contact or company"),
        (attribute("a.b"), "Your name for this attribute must only contain alphanumeric characters, currency symbols, and hyphens"),
        (attribute(data_type="text"), "Data Type isn't an option"),
        (attribute(data_type="options", options=[{"value": "a"}]), "You must have at least two options on a list type data attribute"),
        (attribute(data_type="options"), "Options isn't an array"),
        (attribute("email"), "'email' is one of our standard attributes. Please use a different name."),
    ],
)
def test_what_cannot_be_an_attribute_is_refused(call: Caller, body: object, message: str) -> None:
    refused = call("POST", "/data_attributes", body)
    assert (refused.status, refused.code, refused.message) == (400, "parameter_invalid", message)


def test_the_list_has_the_standard_ones_and_takes_a_model(call: Caller, call_2_15: Caller) -> None:
    names = {a["full_name"] for a in call.ok("GET", "/data_attributes?model=company")["data"]}
    assert {"name", "company_id", "plan.name", "monthly_spend"} <= names
    assert "email" not in names
    assert call("GET", "/data_attributes?model=conversation").status == 422
    assert call_2_15.ok("GET", "/data_attributes?model=conversation")["data"] == []


def test_an_unknown_attribute_cannot_be_updated(call: Caller) -> None:
    refused = call("PUT", "/data_attributes/1", {"description": "x"})
    assert (refused.status, refused.code) == (404, "field_not_found")


def test_250_custom_attributes_are_the_limit(call: Caller, box: Sandbox) -> None:
    box.seed({"attributes": [{"name": f"a{n}"} for n in range(250)]})
    assert call("POST", "/data_attributes", attribute()).status == 400
