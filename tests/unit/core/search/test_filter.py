"""A condition as a filter finds what Intercom's search (the sandbox's) finds for the same."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from hypothesis import given, settings

from reconciler.core.search import query as where
from reconciler.core.search.filter import holds
from tests.desk.soak import times
from tests.unit.core.search.test_where import CREW, FIELDS, TREES, All, Ask, compile_text

CALENDAR = where.Calendar.at(1_764_000_000.0, UTC)


def reads(contact: dict[str, Any]) -> Any:
    def read(field: str) -> Any:
        name, _, key = field.partition(".")
        if field == "email_domain":
            return contact["email"].partition("@")[2]
        return contact["custom_attributes"].get(key) if key else contact.get(name)

    return read


@settings(max_examples=times(10))
@given(TREES)
def test_a_filter_finds_what_a_plain_one_finds(asked: Ask | All) -> None:
    query = compile_text(asked.text(), "2.15")
    # To a filter what is empty is not set: Intercom shows an empty text for either.
    crew = [c for c in CREW if "" not in (c.get("name"), c["custom_attributes"].get("plan"))]
    assert {c["id"] for c in crew if holds(query, FIELDS, CALENDAR, reads(c))} == {c["id"] for c in crew if asked.holds(c)}
