"""A body counts only in its shape: what cannot be a thing, its fields or its links, is no such thing."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from reconciler.core.model.address import LinkName
from reconciler.core.model.body import Misshapen, links, read_id, thing
from reconciler.kinds import KINDS
from reconciler.sandbox.app import Sandbox
from tests.desk.route import Route

SEED: dict[str, Any] = {
    "attributes": [{"name": "tier", "model": "company", "data_type": "string"}, {"name": "size", "options": ["a", "b"]}],
    "tags": ["vip"],
    "companies": [{"company_id": "6", "name": "Blue Sun", "plan": "p1", "custom_attributes": {"tier": "a"}, "tags": ["vip"]}],
    "contacts": [{"external_id": "25", "name": "Ann", "avatar": "https://a.example/1.png", "tags": ["vip"], "companies": ["6"]}],
}
ODD: list[Any] = [True, 7, 7.5, "text", [1], {"a": {"b": 1}}, [{"id": None}]]


@cache
def _bodies() -> dict[str, dict[str, Any]]:
    """What the sandbox shows of one thing of each kind."""
    with Sandbox() as box:
        box.seed(SEED)
        route = Route(box, None)  # type: ignore[arg-type]  # nothing is written
        with route.session() as session:
            asked = {"tag": "/tags", "attribute": "/data_attributes", "company": "/companies?company_id=6"}
            from reconciler.intercom import routes

            bodies = {k: session.client.send(routes.request(f"GET {path}", {})).body for k, path in asked.items()}
            one = {"tag": bodies["tag"]["data"][0], "attribute": bodies["attribute"]["data"][-1], "company": bodies["company"]}
            contact = session.client.send(routes.request("GET /contacts/find_by_external_id/25", {})).body
        return one | {"contact": contact}


def test_whatever_stands_in_a_body_it_is_a_thing_or_misshapen() -> None:
    """Every part of every body as every odd value: nothing but Misshapen is raised, and no live value has another type than its field."""
    for name, body in _bodies().items():
        kind = KINDS[name]
        assert thing(kind, body).id == str(body["id"])
        links(kind, body)
        for key in body:
            for odd in (None, *ODD):
                _enter(kind, {**body, key: odd})
                if isinstance(body[key], dict):
                    for inner in body[key]:
                        _enter(kind, {**body, key: {**body[key], inner: odd}})
        for odd in (None, *ODD[:5]):
            with pytest.raises(Misshapen):
                thing(kind, odd)


def _enter(kind: Any, body: dict[str, Any]) -> bool:
    """Whether a body gets in."""
    try:
        live = thing(kind, body)
        for ids, whole in links(kind, body).values():
            assert isinstance(whole, bool)
            assert all(ids)
    except Misshapen:
        return False
    assert all(type(value) in kind.shapes[name] for name, value in live.fields.items())
    return True


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("tag", {"name": 5}),
        ("tag", {"name": None}),
        ("tag", {"name": ""}),
        ("tag", {"id": True}),
        ("tag", {"id": ""}),
        ("tag", {"id": "../5"}),
        ("company", {"company_id": None}),
        ("company", {"custom_attributes": [1]}),
        ("company", {"size": "85"}),
        ("company", {"plan": {"name": 7}}),
        ("company", {"tags": {"tags": [1]}}),
        ("contact", {"name": ["Ann"]}),
        ("contact", {"unsubscribed_from_emails": "false"}),
        ("contact", {"owner_id": [1]}),
        ("contact", {"tags": {"data": [{"id": None}]}}),
        ("contact", {"tags": [1]}),
        ("contact", {"companies": ""}),
        ("attribute", {"options": [{"value": 7}]}),
        ("attribute", {"archived": "false"}),
    ],
)
def test_a_value_of_another_type_is_no_value(kind: str, part: dict[str, Any]) -> None:
    body = _bodies()[kind] | part
    assert not _enter(KINDS[kind], body)


def test_what_is_unset_or_written_in_another_number_is_a_value() -> None:
    body = _bodies()["company"]
    assert thing(KINDS["company"], {**body, "size": None, "monthly_spend": 49.0, "plan": {}}).fields["monthly_spend"] == 49.0
    contact = _bodies()["contact"]
    assert thing(KINDS["contact"], {**contact, "owner_id": 7, "avatar": None}).fields["owner_id"] == "7"
    assert links(KINDS["contact"], {**contact, "tags": None})[LinkName("contact", "tags")] == (frozenset(), True)
    assert read_id({"id": 5}) == "5"


@pytest.mark.parametrize("odd", [True, 1.0])
def test_an_end_that_only_equals_an_id_is_none_though_that_one_was_seen_before(odd: Any) -> None:
    def show(end: Any) -> dict[str, Any]:
        return {**_bodies()["contact"], "tags": {"type": "list", "data": [{"id": end}, {"id": 2}], "total_count": 2, "has_more": False}}

    assert links(KINDS["contact"], show(1))[LinkName("contact", "tags")] == (frozenset({"1", "2"}), True)
    with pytest.raises(Misshapen):
        links(KINDS["contact"], show(odd))
