"""A saved plan is applied while what it touches is as it was, and otherwise stale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reconciler.errors import Refused, Stale
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes
from tests.stories.plan.by_hand import by_hand, company, contact, tag, the_company

Doc = dict[str, Any]

LIVE: Doc = {
    "tags": ["vip", "trial", "old"],
    "companies": [{"company_id": "6", "name": "Blue Sun", "plan": "free"}, {"company_id": "7"}],
    "contacts": [
        {"external_id": "25", "name": "Wash", "phone": "+15551234567", "tags": ["trial"]},
        {"external_id": "26", "tags": ["trial"]},
        {"external_id": "27"},
    ],
}

PLANNED = (
    "tags: [vip, trial, new, {name: older, renamed_from: old}]\n"
    "companies: [{company_id: '6', plan: pro}, {company_id: '7', state: absent}]\n"
    "contacts:\n- {external_id: '25', name: Hoban, tags: [vip, {tag: trial, state: absent}], companies: ['6']}\n"
    "- {external_id: '26', state: archived}\n- {external_id: '28', missing: create, tags: [vip]}\n"
)

MOVES: tuple[tuple[str, Callable[[Route], None], str], ...] = (
    ("a before-value that is another one", lambda t: by_hand(t, "PUT", contact(t, "25"), {"name": "Zoe"}), "name is no longer what it was"),
    ("a company's before-value", lambda t: company(t, {"plan": "basic"}), "plan is no longer what it was"),
    ("an updated contact that is gone", lambda t: by_hand(t, "DELETE", contact(t, "25")), "contact/25"),
    ("an updated contact that is archived", lambda t: by_hand(t, "POST", contact(t, "25") + "/archive"), "contact/25"),
    ("an updated company that is gone", lambda t: by_hand(t, "DELETE", the_company(t, "6")), "company/6"),
    ("a renamed tag that is gone", lambda t: by_hand(t, "DELETE", f"/tags/{tag(t, 'old')}"), "tag/older"),
    ("a renamed tag that has another name", lambda t: by_hand(t, "POST", "/tags", {"id": tag(t, "old"), "name": "x"}), "tag/older"),
    ("an attached tag that is gone", lambda t: by_hand(t, "DELETE", f"/tags/{tag(t, 'vip')}"), "tag/vip"),
    ("a created contact whom somebody made otherwise", lambda t: by_hand(t, "POST", "/tags", {"name": "NEW"}), "tag/new"),
)


@pytest.mark.parametrize(("what", "move", "told_of"), MOVES, ids=[what for what, _, _ in MOVES])
def test_a_plan_is_stale_when_what_it_touches_moved(what: str, move: Callable[[Route], None], told_of: str, make_route: MakeRoute) -> None:
    route = make_route(LIVE)
    plan = route.saved(route.manifest(PLANNED))
    route.box.forget_requests()
    move(route)
    with pytest.raises(Stale, match=told_of) as stale:
        route.apply(plan)
    assert stale.value.exit_code == 4
    assert route.box.writes == []


DONE: tuple[tuple[str, Callable[[Route], None]], ...] = (
    ("a planned delete whose company is gone", lambda t: by_hand(t, "DELETE", the_company(t, "7"))),
    ("a planned archive whose contact is gone", lambda t: by_hand(t, "DELETE", contact(t, "26"))),
    ("a planned archive that is done", lambda t: by_hand(t, "POST", contact(t, "26") + "/archive")),
    ("a planned detach that is done", lambda t: by_hand(t, "DELETE", f"{contact(t, '25')}/tags/{tag(t, 'trial')}")),
    ("a planned attach that is done", lambda t: by_hand(t, "POST", f"{contact(t, '25')}/tags", {"id": tag(t, "vip")})),
    ("a planned update that is done", lambda t: by_hand(t, "PUT", contact(t, "25"), {"name": "Hoban"})),
    ("a planned rename that is done", lambda t: by_hand(t, "POST", "/tags", {"id": tag(t, "old"), "name": "older"})),
    ("a planned create that is done", lambda t: by_hand(t, "POST", "/tags", {"name": "new"})),
    ("fields that nobody claimed", lambda t: by_hand(t, "PUT", contact(t, "25"), {"phone": "+15550000000"})),
    ("links that nobody claimed", lambda t: by_hand(t, "POST", f"{contact(t, '27')}/tags", {"id": tag(t, "vip")})),
    ("links of a declared contact that nobody claimed", lambda t: by_hand(t, "POST", f"{contact(t, '25')}/tags", {"id": tag(t, "old")})),
    ("a company's name that nobody claimed", lambda t: company(t, {"name": "Red Sun"})),
)


@pytest.mark.parametrize(("what", "move"), DONE, ids=[what for what, _ in DONE])
def test_a_plan_fits_when_its_work_is_done_or_what_moved_is_not_ours(
    what: str, move: Callable[[Route], None], make_route: MakeRoute
) -> None:
    route = make_route(LIVE)
    manifest = route.manifest(PLANNED)
    plan = route.saved(manifest)
    move(route)
    assert {outcome.status for outcome in route.apply(plan)} == {"applied"}
    assert changes(route.document(manifest)) == []


def test_a_plan_applied_again_writes_nothing(make_route: MakeRoute) -> None:
    route = make_route(LIVE)
    plan = route.saved(route.manifest(PLANNED))
    assert {outcome.status for outcome in route.apply(plan)} == {"applied"}
    route.box.forget_requests()
    assert route.apply(plan) == []
    assert route.box.writes == []


@pytest.mark.parametrize("broken", ["^/contacts$", "^/tags$", "^/companies/.*", "^/contacts/[^/]*/(tags|companies)", "/archive$"])
def test_a_plan_applied_in_part_is_finished_by_applying_it_again(broken: str, make_route: MakeRoute) -> None:
    route = make_route(LIVE)
    manifest = route.manifest(PLANNED)
    plan = route.saved(manifest)
    fault = [route.box.faults.add(method, broken, status=400, times=None) for method in ("POST", "PUT", "DELETE")]
    assert fault
    assert "failed" in {outcome.status for outcome in route.apply(plan)}
    route.box.faults.clear()
    assert {outcome.status for outcome in route.apply(plan)} == {"applied"}
    assert route.apply(plan) == []
    assert changes(route.document(manifest)) == []


def test_an_apply_is_held_to_its_plan_alone_not_to_what_else_went_astray(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["b", "c"], "contacts": [{"external_id": "25"}]})
    manifest = route.manifest("policy: {limits: {creates: 1}}\ntags: [a, b, c]\ncontacts: [{external_id: '25', name: X}]\n")
    plan = route.saved(manifest)
    for name in ("b", "c"):
        by_hand(route, "DELETE", f"/tags/{tag(route, name)}")
    assert [f"{o.change.action} {o.change.address} {o.status}" for o in route.apply(plan)] == [
        "create tag/a applied",
        "update contact/25 applied",
    ]
    assert changes(route.document(manifest)) == ["create tag/b", "create tag/c"]


def test_a_before_value_that_only_looks_otherwise_is_the_same(make_route: MakeRoute) -> None:
    route = make_route(
        {"attributes": [{"name": "rate", "data_type": "float"}], "contacts": [{"external_id": "25", "custom_attributes": {"rate": 2}}]}
    )
    plan = route.saved(route.manifest("contacts: [{external_id: '25', custom_attributes: {rate: 3}}]\n"))
    by_hand(route, "PUT", contact(route, "25"), {"custom_attributes": {"rate": 2.0}})
    assert {outcome.status for outcome in route.apply(plan)} == {"applied"}


def test_another_manifest_is_stale(make_route: MakeRoute) -> None:
    route = make_route(LIVE)
    plan = route.saved(route.manifest(PLANNED))
    route.manifest(PLANNED.replace("Hoban", "Zoe"))
    with pytest.raises(Stale, match="the manifest is not the one that was planned"):
        route.apply(plan)
    assert route.box.writes == []


@pytest.mark.parametrize("other", [{"app_id": "other"}, {"region": "EU"}])
@pytest.mark.parametrize("desired", ["tags: [brand-new]\n", "workspace: {app_id: sandbox1, region: us}\ntags: [brand-new]\n"])
def test_another_workspace_is_refused_pin_or_no_pin(other: Doc, desired: str, make_route: MakeRoute) -> None:
    here, there = make_route(), make_route(**other)
    plan = here.saved(here.manifest(desired))
    with pytest.raises(Refused, match="workspace"):
        there.apply(plan)
    assert there.box.writes == []
