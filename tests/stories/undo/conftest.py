"""A workspace with a little of everything, and the runs that the tests take back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

import tests.properties.conftest  # noqa: F401  its profile says how many worlds are tried
from tests.conftest import MakeRoute
from tests.desk.desk import Desk
from tests.desk.route import Route

WASH, ZOE, MAL = (f"{n:024x}" for n in (0xA1, 0xA2, 0xA3))
SEED: dict[str, Any] = {
    "attributes": [{"name": "score", "model": "contact", "data_type": "integer"}],
    "tags": ["vip", "Beta"],
    "companies": [
        {"company_id": "6", "name": "Blue Sun", "plan": "p1", "size": 85, "tags": ["vip"]},
        {"company_id": "7", "name": "Heart of Gold"},
    ],
    "contacts": [
        {"id": WASH, "external_id": "25", "email": "wash@serenity.example", "name": "Wash", "phone": "+15550107", "tags": ["vip"]},
        {"id": ZOE, "external_id": "26", "email": "zoe@serenity.example", "name": "Zoe", "tags": ["vip", "Beta"], "companies": ["6"]},
        {"id": MAL, "external_id": "27", "name": "Mal", "companies": ["6", "7"], "custom_attributes": {"score": 7}},
    ],
}


@pytest.fixture
def route(make_route: MakeRoute) -> Route:
    """The workspace, with a ledger."""
    return make_route(SEED, ledger=True, hide_userless="list")


@pytest.fixture
def workspace() -> Mapping[str, Any]:
    return {"hide_userless": "list"}


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """A desk at that workspace."""
    desk.box.seed(SEED)
    return desk
