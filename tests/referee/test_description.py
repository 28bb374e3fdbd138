"""The check against Intercom's description sees what it is there to see, and says so when the description is not there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox.app import Sandbox
from tests import ROOT
from tests.desk.calling import Caller
from tests.referee.description import DESCRIPTION, Description, absent, beside, needs_description
from tests.referee.recording import LISTED, Exchange, heard, shape, slim


@pytest.fixture(scope="module")
def description() -> Description:
    return Description.read()


def sent(method: str, path: str, body: object, **query: str) -> Exchange:
    """By our client; its answer was lost."""
    return replace(heard(method, path, 0, b""), ours=True, query=query, body=json.dumps(body) if body is not None else "", reply=None)


def a_contact_read(**planted: Any) -> Exchange:
    with Sandbox() as box:
        call = Caller(box)
        id = call.ok("POST", "/contacts", {"external_id": "25"})["id"]
        contact = {key: value for key, value in (call.ok("GET", f"/contacts/{id}") | planted).items() if value != "missing"}
    return heard("GET", f"/contacts/{id}", 200, json.dumps(contact).encode())


def test_without_the_description_the_reason_names_the_place(tmp_path: Path) -> None:
    reason = absent(beside(tmp_path / "repository"))
    assert reason == f"Intercom's description of its API is not at {tmp_path / 'shared/openapi/intercom-2.16.strict.json'}: " + (
        "what the tests send and get is not held against it"
    )
    assert needs_description.kwargs["reason"] == absent(DESCRIPTION)
    beside(tmp_path / "repository").parent.mkdir(parents=True)
    beside(tmp_path / "repository").write_text("{}")
    assert absent(beside(tmp_path / "repository")) == ""


def test_the_description_is_never_part_of_the_repository() -> None:
    root = ROOT
    assert not DESCRIPTION.is_relative_to(root)
    assert [path for path in root.rglob("intercom-2.16*") if ".venv" not in path.parts] == []


def test_lists_are_recorded_with_one_of_each_shape() -> None:
    users = [{"type": "user", "name": str(number)} for number in range(100)]
    value = {"data": [*users, {"type": "lead", "name": "Wash"}, {"type": "lead", "name": None}], "custom_attributes": {"a": 1}}
    assert [(item["type"], type(item["name"])) for item in slim(value)["data"]] == [("user", str), ("lead", str), ("lead", type(None))]
    whole, wholes, broken = ({"custom_attributes": attributes} for attributes in ({"b": 2}, {"a": 1, "c": 3}, {"b": 2.5}))
    assert shape(whole) == shape(wholes) != shape(broken)


@needs_description
def test_every_listed_word_is_part_of_a_shape(description: Description) -> None:
    assert set(listed(description.document)) <= LISTED | {"Intercom-Version"}


def listed(node: Any, name: str = "") -> list[str]:
    """The keys whose values the description lists."""
    if isinstance(node, list):
        return [names for item in node for names in listed(item, name)]
    if not isinstance(node, dict):
        return []
    names = [name] if isinstance(node.get("enum"), list) and name not in ("schemas", "intercom_version") else []
    words = ("items", "schema", "oneOf", "anyOf", "allOf")
    return names + [key for word, item in node.items() for key in listed(item, str(node.get("name", name)) if word in words else word)]


@needs_description
def test_a_wrong_type_and_a_missing_key_in_a_reply_are_seen(description: Description) -> None:
    assert description.violations(a_contact_read()) == []
    assert description.violations(a_contact_read(id=7)) == ["the reply 200: $.id: 7 is not of type 'string'"]
    assert description.violations(a_contact_read(role="missing")) == ["the reply 200: $: 'role' is a required property"]
    deep = a_contact_read(tags={"type": "list", "data": [], "url": "/x", "total_count": "0", "has_more": False})
    assert description.violations(deep) == ["the reply 200: $.tags.total_count: '0' is not of type 'integer'"]
    assert description.violations(heard("GET", "/tags", 418, b"{}")) == ["the reply 418: Unknown response http status: 418"]


@needs_description
def test_a_wrong_type_and_a_missing_key_in_a_request_are_seen(description: Description) -> None:
    assert description.violations(sent("POST", "/contacts/1/tags", {"id": "81"})) == []
    assert description.violations(sent("POST", "/contacts/1/tags", {"id": True})) == [
        "the request: $.id: True is not valid under any of the given schemas"
    ]
    assert description.violations(sent("POST", "/contacts/1/tags", {})) == ["the request: $: 'id' is a required property"]
    assert description.violations(sent("GET", "/companies", None, page="one")) != []
    assert description.violations(sent("PUT", "/companies/1", {"size": "85"})) == ["the request: $.size: '85' is not of type 'integer'"]


SEARCH = {"field": "role", "operator": "=", "value": "user"}
BODIES = [
    ("PUT", "/contacts/1", {"name": "Wash", "custom_attributes": {"anything": {"deep": 1}}}, []),
    ("PUT", "/contacts/1", {"nme": "Wash", "tags": []}, [".nme", ".tags"]),
    ("PUT", "/companies/1", {"company_id": "6", "custom_attributes": {"anything": 1}}, [".company_id"]),
    ("POST", "/tags", {"name": "VIP", "users": [{"id": "1"}, {"id": "2", "untag": True}]}, [".users"]),
    ("POST", "/tags", {"name": "VIP", "companies": [{"id": "1", "untag": True}]}, []),
    ("POST", "/tags", {"id": "1", "name": "VIP", "companies": [{"id": "1"}]}, [".companies"]),
    ("POST", "/contacts/search", {"query": SEARCH, "pagination": {"per_page": 1}}, []),
    ("POST", "/contacts/search", {"query": {"operator": "AND", "value": [SEARCH, SEARCH | {"fold": 1}]}}, [".query.value[].fold"]),
    ("POST", "/contacts/search", {"query": SEARCH, "pagination": {"page": 2}}, [".pagination.page"]),
]  # fmt: skip


@needs_description
@pytest.mark.parametrize(("method", "path", "body", "unknown"), BODIES)
def test_keys_that_no_schema_declares_are_named(method: str, path: str, body: object, unknown: list[str], description: Description) -> None:
    assert description.violations(sent(method, path, body)) == [f"the request: undeclared key {key}" for key in unknown]


@needs_description
def test_undeclared_queries_and_bodies_are_named(description: Description) -> None:
    assert description.violations(sent("GET", "/tags", None, name="VIP")) == ["the request: undeclared query key name"]
    assert description.violations(sent("GET", "/contacts", None, per_page="150", starting_after="x")) == []
    assert description.violations(sent("POST", "/contacts/1/archive", {"id": "1"})) == ["the request: a body where none is declared"]


@needs_description
def test_what_the_description_does_not_cover_is_told_apart(description: Description) -> None:
    assert description.operation("GET", "/companies/scroll") == "GET /companies/scroll"
    assert description.operation("GET", "/companies/1") == "GET /companies/{company_id}"
    assert (description.operation("GET", "/admins"), description.operation("PATCH", "/tags")) == (None, None)
    error = b'{"type":"error.list","errors":[{"code":"client_error","message":"Not Acceptable"}]}'
    assert description.violations(heard("GET", "/me", 406, error)) == []
