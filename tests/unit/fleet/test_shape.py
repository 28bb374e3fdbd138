"""The shape of a plan: two workspaces whose plans differ by nothing but ids and people have the same."""

from __future__ import annotations

from typing import Any

from reconciler.fleet.shape import EMPTY, lines_of, shape_of


def change(action: str, address: str, target: str | None = None, *fields: str) -> Any:
    return {"action": action, "address": address, "target": target, "fields": [{"path": path, "after": "x"} for path in fields]}


def plan(*changes: Any) -> Any:
    return {"changes": list(changes)}


def test_ids_people_and_their_number_are_no_part_of_it() -> None:
    one = plan(change("create", "tag/vip", None, "name"), change("attach", "contact/25", "tag/vip"))
    other = plan(
        change("attach", "contact/a***@x#1", "tag/vip"), change("attach", "contact/7", "tag/vip"), change("create", "tag/vip", None, "name")
    )
    assert shape_of(one) == shape_of(other) != EMPTY
    assert list(map(str, lines_of(other["changes"]))) == ["attach tag/vip to contact", "create tag/vip"]


def test_names_actions_and_fields_are_part_of_it() -> None:
    plans = [
        plan(change("create", "tag/vip")),
        plan(change("create", "tag/trial")),
        plan(change("delete", "tag/vip")),
        plan(change("update", "company/6", None, "name")),
        plan(change("update", "company/6", None, "name", "plan")),
        plan(change("detach", "contact/6", "tag/vip")),
        plan(),
    ]
    assert len({shape_of(one) for one in plans}) == len(plans)
    assert str(lines_of(plans[4]["changes"])[0]) == "update company (name, plan)"
    assert str(lines_of(plans[5]["changes"])[0]) == "detach tag/vip from contact"
    assert shape_of(plan()) == EMPTY


def test_fields_stand_in_one_order_in_every_process() -> None:
    assert lines_of([change("update", "company/6", None, *"hgfedcba")])[0].fields == tuple("abcdefgh")
