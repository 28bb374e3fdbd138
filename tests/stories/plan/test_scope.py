"""--target and --exclude: what a part of a plan holds, whatever names look like."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.core.model.address import Address
from reconciler.core.model.privacy import show_address
from reconciler.core.plan.scope import Scope
from tests.conftest import MakeRoute
from tests.desk.route import changes

Doc = dict[str, Any]

SCOPED = (
    "tags: [vip, {name: beta, renamed_from: Old}, lone]\ncompanies: [{company_id: '6', tags: [vip]}, {company_id: '7'}]\n"
    "contacts:\n- {external_id: '25', tags: [vip, beta], companies: ['6'], missing: create}\n- {external_id: '26', tags: [vip], name: X}\n"
    "- {external_id: patients/42, name: Y}\n- {email: hoban@s.example, name: Z}\n"
)

SCOPED_LIVE: Doc = {"tags": ["Old"], "contacts": [{"external_id": "26"}, {"external_id": "patients/42"}, {"email": "hoban@s.example"}]}

HOBAN = show_address(Address("contact", "hoban@s.example"), "sandbox1")

WHOLE_25 = [
    *("rename tag/beta name='beta'", "create tag/vip", "create company/6", "create contact/25"),
    *("attach contact/25 company/6", "attach contact/25 tag/beta", "attach contact/25 tag/vip"),
]

UPDATES = ["update contact/26 name='***'", f"update {HOBAN} name='***'", "update contact/patients/42 name='***'"]

WITHOUT_VIP = [
    *("rename tag/beta name='beta'", "create tag/lone", "create company/6", "create company/7", "create contact/25"),
    *("attach contact/25 company/6", "attach contact/25 tag/beta"),
]

TARGETS: tuple[tuple[tuple[str, ...], tuple[str, ...], list[str]], ...] = (
    (("contact/25",), (), WHOLE_25),
    (("company/6",), (), ["create tag/vip", "create company/6", "attach company/6 tag/vip"]),
    (("tag/*",), (), ["rename tag/beta name='beta'", "create tag/lone", "create tag/vip"]),
    (("contact/patients/42",), (), ["update contact/patients/42 name='***'"]),
    (("contact/p*",), (), []),
    (("contact/p**",), (), ["update contact/patients/42 name='***'"]),
    (("**/42",), (), ["update contact/patients/42 name='***'"]),
    (("contact/hoban@s.example",), (), [f"update {HOBAN} name='***'"]),
    ((HOBAN,), (), [f"update {HOBAN} name='***'"]),
    (("CONTACT/25",), (), []),
    ((), ("tag/vip", "contact/26"), [*WITHOUT_VIP, *UPDATES[1:]]),
    ((), ("tag/**", "company/**"), ["create contact/25", *UPDATES]),
    (("contact/*",), ("contact/2?", "contact/h*"), []),
    (("contact/25",), ("tag/beta", "company/6"), ["create tag/vip", "create contact/25", "attach contact/25 tag/vip"]),
)


@pytest.mark.parametrize(("target", "exclude", "wanted"), TARGETS, ids=[f"{t} not {e}" for t, e, _ in TARGETS])
def test_a_target_brings_what_it_needs_and_an_exclusion_what_needs_it(
    target: tuple[str, ...], exclude: tuple[str, ...], wanted: list[str], make_route: MakeRoute
) -> None:
    route = make_route(SCOPED_LIVE)
    manifest = route.manifest(SCOPED)
    scope = Scope(target, exclude)
    plan = route.document(manifest, scope=scope)
    assert sorted(changes(plan)) == sorted(wanted)
    assert plan["partial"] is True
    route.apply(route.saved(manifest, scope=scope))
    assert changes(route.document(manifest, scope=scope)) == []


ODD = ("a*", "ab", "[x]", "x", "q?", "qq", "b\\*", "b*", "**")


@pytest.mark.parametrize(
    ("glob", "wanted"),
    [
        *((name, [name]) for name in ODD),
        (r"a\*", ["a*"]),
        ("a?", ["a*", "ab"]),
        (r"\[x\]", ["[x]"]),
        (r"q\?", ["q?"]),
        (r"b\\*", ["b\\*"]),
        (r"b\\\*", ["b\\*"]),
        (r"?\*", ["a*", "b*", "**"]),
        ("[ab]*", []),
        ("b**", ["b*", "b\\*"]),
    ],
)
def test_a_name_full_of_glob_signs_can_be_targeted_and_left_out_alone(glob: str, wanted: list[str], make_route: MakeRoute) -> None:
    """An address written exactly means itself and nothing else; a backslash takes a sign as it stands."""
    route = make_route()
    manifest = route.manifest({"tags": list(ODD)})
    scope = Scope((f"tag/{glob}",))
    assert sorted(changes(route.document(manifest, scope=scope))) == sorted(f"create tag/{name}" for name in wanted)
    left = Scope(("tag/*",), (f"tag/{glob}",))
    assert sorted(changes(route.document(manifest, scope=left))) == sorted(f"create tag/{name}" for name in ODD if name not in wanted)


def test_what_a_name_full_of_glob_signs_targets_is_applied_alone(make_route: MakeRoute) -> None:
    route = make_route()
    manifest, scope = route.manifest({"tags": list(ODD)}), Scope(("tag/a*",))
    route.apply(route.saved(manifest, scope=scope))
    assert changes(route.document(manifest, scope=scope)) == []
    assert [tag["name"] for tag in route.box.ws.store.table("tag").in_order()] == ["a*"]


def test_a_live_name_written_exactly_means_itself_though_nobody_declares_it(make_route: MakeRoute) -> None:
    route = make_route({"tags": [{"name": "old*"}, {"name": "older"}]}, ledger=True)
    route.converge(route.manifest("tags: [vip]\n"))
    manifest = route.manifest("policy: {prune: {tags: all}, scope: {tags: ['**']}}\ntags: [vip]\n")
    assert changes(route.document(manifest, scope=Scope((), ("tag/old*",)))) == ["delete tag/older"]


def test_an_email_with_a_star_is_targeted_alone_and_never_shown(make_route: MakeRoute) -> None:
    route = make_route()
    manifest = route.manifest("contacts:\n- {email: a*b@s.example, missing: create}\n- {email: axb@s.example, missing: create}\n")
    plan = route.saved(manifest, scope=Scope(("contact/a*b@s.example",)))
    assert len(plan["changes"]) == 1
    assert plan["scope"]["target"] == [plan["changes"][0]["address"]]
    assert len(route.apply(plan)) == 1


@pytest.mark.parametrize("policy", ["additive", "declared", "exact"])
def test_a_target_is_compared_as_in_the_whole_plan(policy: str, make_route: MakeRoute) -> None:
    route = make_route(
        {
            "companies": [{"company_id": "6"}, {"company_id": "7"}, {"company_id": "8"}],
            "contacts": [{"external_id": "25", "tags": ["vip", "theirs"], "companies": ["6", "7", "8"]}, {"external_id": "26"}],
        }
    )
    manifest = route.manifest(
        f"policy: {{links: {policy}}}\ntags: [vip, trial]\ncompanies: [{{company_id: '6'}}, {{company_id: '7', name: X}}]\n"
        "contacts: [{external_id: '25', tags: [trial], companies: ['6']}, {external_id: '26', tags: [vip]}]\n"
    )
    whole = [line for line in changes(route.document(manifest)) if "contact/25" in line or "tag/trial" in line]
    assert changes(route.document(manifest, scope=Scope(("contact/25",)))) == whole


def test_who_has_what_the_scope_leaves_out_is_not_counted(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["old", "gone"], "contacts": [{"external_id": "26", "tags": ["old", "gone"]}]})
    path = route.manifest("tags: [{name: old, state: absent}, {name: gone, state: absent}]\ncontacts: [{external_id: '26', name: X}]\n")

    def counts(scope: Scope) -> int:
        route.box.forget_requests()
        route.document(path, scope=scope)
        return sum(record.path == "/conversations/search" for record in route.box.requests)

    scopes = (Scope(), Scope(target=("tag/old",)), Scope(exclude=("tag/*",)), Scope(target=("contact/26",)))
    assert [counts(scope) for scope in scopes] == [2, 1, 0, 0]
