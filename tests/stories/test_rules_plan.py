"""Gates, limits, scopes, saved plans: what a plan may do, and how an apply is held to it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.model.address import Address
from reconciler.core.model.privacy import shown
from reconciler.core.plan.document import document
from reconciler.core.plan.saved import saved
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.plan.scope import Scope
from reconciler.errors import Invalid, ReconcilerError, Refused, Stale
from reconciler.workflow.lookup import raw_request
from reconciler.workflow.planfile import applicable, read_plan, save
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes, lines

Doc = dict[str, Any]


def gates(found: PlanDocument) -> list[str]:
    return [refusal["gate"] for refusal in found["refused"]]


def refused_to_apply(told: Route, manifest: Path) -> None:
    """An apply of a refused plan ends with 3 and writes nothing."""
    with pytest.raises(Refused) as refused:
        told.converge(manifest)
    assert refused.value.exit_code == 3
    assert told.box.writes == []


# ---- limits
NO_TRIAL = "tags: [{tag: trial, state: absent}]"
OVER: tuple[tuple[str, str], ...] = (
    ("creates", "tags: [a, b]\n"),
    ("creates", "contacts: [{external_id: '1', missing: create}, {external_id: '2', state: present}]\n"),
    ("attaches", "tags: [vip]\ncontacts: [{external_id: '25', tags: [vip]}, {external_id: '26', tags: [vip]}]\n"),
    ("deletes", "tags: [{name: vip, state: absent}]\ncompanies: [{company_id: '6', state: absent}]\n"),
    ("contact_deletes", "contacts: [{external_id: '25', state: absent}, {external_id: '26', state: absent}]\n"),
    ("archives", "contacts: [{external_id: '25', state: archived}, {external_id: '26', state: archived}]\n"),
    ("detaches", f"tags: [trial]\ncontacts: [{{external_id: '25', {NO_TRIAL}}}, {{external_id: '26', {NO_TRIAL}}}]\n"),
    ("people", f"tags: [trial]\ncontacts: [{{external_id: '25', {NO_TRIAL}}}, {{external_id: '26', state: archived}}]\n"),
    ("missing", "contacts: [{external_id: '1'}, {email: no@s.example}]\n"),
)
PEOPLE: Doc = {
    "tags": ["vip", "trial"],
    "companies": [{"company_id": "6"}],
    "contacts": [{"external_id": "25", "tags": ["trial"]}, {"external_id": "26", "tags": ["trial"]}],
}


@pytest.mark.parametrize(("limit", "desired"), OVER, ids=[f"{limit}-{n}" for n, (limit, _) in enumerate(OVER)])
def test_one_more_than_the_limit_is_refused_and_the_limit_itself_is_not(limit: str, desired: str, route: MakeRoute) -> None:
    told = route(PEOPLE)
    other = "" if limit == "contact_deletes" else "contact_deletes: 9, "
    over = told.manifest(f"policy: {{limits: {{{other}{limit}: 1}}}}\n{desired}")
    assert gates(told.document(over)) == [f"limits.{limit}"]
    refused_to_apply(told, over)
    within = told.manifest(f"policy: {{limits: {{{other}{limit}: 2}}}}\n{desired}")
    assert gates(told.document(within)) == []


def test_no_contact_is_deleted_unless_the_limit_is_raised(route: MakeRoute) -> None:
    told = route(PEOPLE)
    manifest = told.manifest("contacts: [{external_id: '25', state: absent}]\n")
    assert gates(told.document(manifest)) == ["limits.contact_deletes"]
    refused_to_apply(told, manifest)


def test_updates_and_renames_and_what_a_deletion_implies_never_count(route: MakeRoute) -> None:
    told = route(PEOPLE)
    manifest = told.manifest(
        "policy: {limits: {creates: 0, attaches: 0, detaches: 0, archives: 0, missing: 0, deletes: 1, people: 2}}\n"
        "tags: [{name: best, renamed_from: vip}, {name: trial, state: absent}]\ncompanies: [{company_id: '6', name: New}]\n"
        "contacts: [{external_id: '25', name: A}, {external_id: '26', name: B}, {external_id: '7', state: archived}]\n"
    )
    assert gates(told.document(manifest)) == []
    assert {outcome.status for outcome in told.converge(manifest)} == {"applied"}


def test_people_are_counted_once_however_much_they_lose(route: MakeRoute) -> None:
    told = route({"companies": [{"company_id": "6"}], "contacts": [{"external_id": "25", "tags": ["a", "b"], "companies": ["6"]}]})
    manifest = told.manifest(
        "policy: {links: exact, limits: {people: 1, detaches: 3}}\ntags: [a, b]\ncompanies: [{company_id: '6'}]\n"
        "contacts: [{external_id: '25', tags: [], companies: []}]\n"
    )
    found = told.document(manifest)
    assert (gates(found), len(changes(found))) == ([], 3)


def test_created_and_unproven_contacts_are_not_missing(route: MakeRoute) -> None:
    told = route(PEOPLE)
    manifest = told.manifest(
        "policy: {limits: {missing: 0}}\n"
        "contacts: [{external_id: '1', missing: create}, {external_id: '2', state: archived}, {external_id: '3', state: absent}]\n"
    )
    assert gates(told.document(manifest)) == []


NO_X = "tags: [{tag: x, state: absent}]"
PERCENT: tuple[tuple[str, int, str, list[str]], ...] = (
    ("deletes: 10%", 10, "tags: [{name: t00, state: absent}]", []),
    ("deletes: 10%", 10, "tags: [{name: t00, state: absent}, {name: t01, state: absent}]", ["limits.deletes"]),
    ("deletes: 10%", 9, "tags: [{name: t00, state: absent}, {name: t01, state: absent}]", []),
    ("deletes: 0%", 10, "tags: [{name: t00, state: absent}]", ["limits.deletes"]),
    ("creates: 50%", 10, "tags: [a, b, c, d, e]", []),
    ("creates: 50%", 10, "tags: [a, b, c, d, e, f]", ["limits.creates"]),
    ("archives: 10%", 10, "contacts: [{external_id: c00, state: archived}, {external_id: c01, state: archived}]", ["limits.archives"]),
    ("archives: 20%", 10, "contacts: [{external_id: c00, state: archived}, {external_id: c01, state: archived}]", []),
    (
        "contact_deletes: 10%",
        10,
        "contacts: [{external_id: c00, state: absent}, {external_id: c01, state: absent}]",
        ["limits.contact_deletes"],
    ),
    ("missing: 10%", 10, "contacts: [{external_id: x}, {external_id: y}]", ["limits.missing"]),
    ("people: 10%", 10, f"tags: [x]\ncontacts: [{{external_id: c00, {NO_X}}}, {{external_id: c01, {NO_X}}}]", ["limits.people"]),
    ("detaches: 10%", 10, f"tags: [x]\ncontacts: [{{external_id: c00, {NO_X}}}, {{external_id: c01, {NO_X}}}]", []),
    ("missing: 20%", 10, "contacts: [{external_id: x}, {external_id: y}]", []),
)


@pytest.mark.parametrize(("limit", "live", "desired", "wanted"), PERCENT, ids=[f"{p[0]} of {p[1]} {n}" for n, p in enumerate(PERCENT)])
def test_a_percentage_is_of_what_is_live_and_not_applied_below_ten(
    limit: str, live: int, desired: str, wanted: list[str], route: MakeRoute
) -> None:
    people = [{"external_id": f"c{n:02}", "tags": ["x"] if n < 2 else []} for n in range(live)]
    told = route({"tags": [f"t{n:02}" for n in range(live - 1)], "contacts": people})
    assert gates(told.document(told.manifest(f"policy: {{limits: {{{limit}}}}}\n{desired}\n"))) == wanted


# ---- pin
@pytest.mark.parametrize("pin", ["{app_id: other}", "{app_id: sandbox1, region: eu}", "{region: au}"])
def test_a_pin_refuses_every_other_workspace(pin: str, route: MakeRoute) -> None:
    told = route()
    manifest = told.manifest(f"workspace: {pin}\ntags: [vip]\n")
    assert gates(told.document(manifest)) == ["workspace"]
    refused_to_apply(told, manifest)


def test_a_plan_without_a_pin_warns_and_says_what_to_write(route: MakeRoute) -> None:
    told = route()
    [note] = [n for n in told.document(told.manifest("tags: []\n"))["notes"] if n["topic"] == "pin"]
    assert "workspace: {app_id: sandbox1, region: us}" in note["message"]
    pinned = told.manifest("workspace: {app_id: sandbox1, region: us}\ntags: []\n")
    assert [n for n in told.document(pinned)["notes"] if n["topic"] == "pin"] == []


# ---- what a refusal says
def test_every_refusal_of_a_run_is_listed_with_its_place(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "a", "email": "h@s.example"}, {"external_id": "b", "email": "h@s.example"}]})
    manifest = told.manifest(
        "policy: {missing_contacts: error, limits: {creates: 0}}\ntags: [vip]\ncontacts:\n- {email: h@s.example}\n- {external_id: nobody}\n"
        "- {external_id: a, custom_attributes: {colour: red}}\n"
    )
    found = told.document(manifest)
    assert sorted(gates(found)) == ["attribute", "identity", "limits.creates", "missing"]
    by_gate = {refusal["gate"]: refusal["message"] for refusal in found["refused"]}
    assert f"{manifest}:4:3" in by_gate["identity"]
    assert f"{manifest}:5:3" in by_gate["missing"]
    assert f"{manifest}:6:3" in by_gate["attribute"]
    assert "colour" in by_gate["attribute"]
    ids = [contact["id"] for contact in told.box.ws.store.table("contact").in_order()]
    assert all(live_id in by_gate["identity"] for live_id in ids)


# ---- scopes
SCOPED = (
    "tags: [vip, {name: beta, renamed_from: Old}, lone]\ncompanies: [{company_id: '6', tags: [vip]}, {company_id: '7'}]\n"
    "contacts:\n- {external_id: '25', tags: [vip, beta], companies: ['6'], missing: create}\n- {external_id: '26', tags: [vip], name: X}\n"
    "- {external_id: patients/42, name: Y}\n- {email: hoban@s.example, name: Z}\n"
)
SCOPED_LIVE: Doc = {"tags": ["Old"], "contacts": [{"external_id": "26"}, {"external_id": "patients/42"}, {"email": "hoban@s.example"}]}
HOBAN = shown(Address("contact", "hoban@s.example"), "sandbox1")
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
    target: tuple[str, ...], exclude: tuple[str, ...], wanted: list[str], route: MakeRoute
) -> None:
    told = route(SCOPED_LIVE)
    manifest = told.manifest(SCOPED)
    scope = Scope(target, exclude)
    found = told.document(manifest, scope=scope)
    assert sorted(changes(found)) == sorted(wanted)
    assert found["partial"] is True
    told.apply(told.saved(manifest, scope=scope))
    assert changes(told.document(manifest, scope=scope)) == []


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
def test_a_name_full_of_glob_signs_can_be_targeted_and_left_out_alone(glob: str, wanted: list[str], route: MakeRoute) -> None:
    """An address written exactly means itself and nothing else; a backslash takes a sign as it stands."""
    told = route()
    manifest = told.manifest({"tags": list(ODD)})
    scope = Scope((f"tag/{glob}",))
    assert sorted(changes(told.document(manifest, scope=scope))) == sorted(f"create tag/{name}" for name in wanted)
    left = Scope(("tag/*",), (f"tag/{glob}",))
    assert sorted(changes(told.document(manifest, scope=left))) == sorted(f"create tag/{name}" for name in ODD if name not in wanted)
    told.apply(told.saved(manifest, scope=scope))
    assert changes(told.document(manifest, scope=scope)) == []


def test_a_live_name_written_exactly_means_itself_though_nobody_declares_it(route: MakeRoute) -> None:
    told = route({"tags": [{"name": "old*"}, {"name": "older"}]}, ledger=True)
    told.converge(told.manifest("tags: [vip]\n"))
    manifest = told.manifest("policy: {prune: {tags: all}, scope: {tags: ['**']}}\ntags: [vip]\n")
    assert changes(told.document(manifest, scope=Scope((), ("tag/old*",)))) == ["delete tag/older"]


def test_an_email_with_a_star_is_targeted_alone_and_never_shown(route: MakeRoute) -> None:
    told = route()
    manifest = told.manifest("contacts:\n- {email: a*b@s.example, missing: create}\n- {email: axb@s.example, missing: create}\n")
    found = told.saved(manifest, scope=Scope(("contact/a*b@s.example",)))
    assert len(found["changes"]) == 1
    assert found["scope"]["target"] == [found["changes"][0]["address"]]
    assert len(told.apply(found)) == 1


@pytest.mark.parametrize("policy", ["additive", "declared", "exact"])
def test_a_target_is_compared_as_in_the_whole_plan(policy: str, route: MakeRoute) -> None:
    told = route(
        {
            "companies": [{"company_id": "6"}, {"company_id": "7"}, {"company_id": "8"}],
            "contacts": [{"external_id": "25", "tags": ["vip", "theirs"], "companies": ["6", "7", "8"]}, {"external_id": "26"}],
        }
    )
    manifest = told.manifest(
        f"policy: {{links: {policy}}}\ntags: [vip, trial]\ncompanies: [{{company_id: '6'}}, {{company_id: '7', name: X}}]\n"
        "contacts: [{external_id: '25', tags: [trial], companies: ['6']}, {external_id: '26', tags: [vip]}]\n"
    )
    whole = [line for line in changes(told.document(manifest)) if "contact/25" in line or "tag/trial" in line]
    assert changes(told.document(manifest, scope=Scope(("contact/25",)))) == whole


# ---- determinism
def test_a_plan_does_not_depend_on_the_order_of_files_and_entries(route: MakeRoute) -> None:
    told = route({"tags": ["trial", "x"], "contacts": [{"external_id": "1", "tags": ["x"]}, {"external_id": "2"}]})
    entries = {
        "tags": ["vip", "{name: beta, renamed_from: trial}", "x", "'10'", "'9'"],
        "companies": ["{company_id: '6', tags: [x, vip]}", "{company_id: '10', name: T, size: 3}"],
        "contacts": ["{external_id: '1', name: A, tags: [vip, beta], companies: ['6', '10']}", "{external_id: '2', tags: [vip]}"],
    }
    shuffled = random.Random(3)
    seen = set()
    for _ in range(6):
        parts = [f"{section}: [{', '.join(shuffled.sample(items, len(items)))}]\n" for section, items in entries.items()]
        files = [told.manifest(part, f"{n}.yaml") for n, part in enumerate(shuffled.sample(parts, len(parts)))]
        found = told.document(*shuffled.sample(files, len(files)))
        seen.add(json.dumps([lines(found), found["manifest"]["digest"], found["summary"], found["cost"]]))
    assert len(seen) == 1


def test_the_same_inputs_give_the_same_bytes(route: MakeRoute) -> None:
    told = route(SCOPED_LIVE)
    manifest = told.manifest(SCOPED)
    assert len({json.dumps(told.document(manifest)) for _ in range(3)}) == 1


def test_line_ends_comments_and_a_byte_order_mark_do_not_count(route: MakeRoute) -> None:
    told = route(SCOPED_LIVE)
    before = told.saved(told.manifest(SCOPED))
    told.manifest("\ufeff# hello\r\n" + SCOPED.replace("\n", "\r\n"))
    assert {outcome.status for outcome in told.apply(before)} == {"applied"}


# ---- saved plans
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


def live_id(told: Route, kind: str, field: str, value: str) -> str:
    return str(next(doc["id"] for doc in told.box.ws.store.table(kind).in_order() if doc.get(field) == value))


def by_hand(told: Route, method: str, path: str, body: Any = None) -> None:
    """Somebody else's write."""
    with told.session() as session:
        session.client.send(raw_request(method, path, [], body))
    told.box.forget_requests()


def contact(told: Route, external_id: str) -> str:
    return "/contacts/" + live_id(told, "contact", "external_id", external_id)


def tag(told: Route, name: str) -> str:
    return live_id(told, "tag", "name", name)


def the_company(told: Route, company_id: str) -> str:
    return "/companies/" + live_id(told, "company", "company_id", company_id)


def company(told: Route, fields: Doc) -> None:
    by_hand(told, "POST", "/companies", {"company_id": "6", **fields})


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
def test_a_plan_is_stale_when_what_it_touches_moved(what: str, move: Callable[[Route], None], told_of: str, route: MakeRoute) -> None:
    told = route(LIVE)
    found = told.saved(told.manifest(PLANNED))
    told.box.forget_requests()
    move(told)
    with pytest.raises(Stale, match=told_of) as stale:
        told.apply(found)
    assert stale.value.exit_code == 4
    assert told.box.writes == []


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
def test_a_plan_fits_when_its_work_is_done_or_what_moved_is_not_ours(what: str, move: Callable[[Route], None], route: MakeRoute) -> None:
    told = route(LIVE)
    manifest = told.manifest(PLANNED)
    found = told.saved(manifest)
    move(told)
    assert {outcome.status for outcome in told.apply(found)} == {"applied"}
    assert changes(told.document(manifest)) == []


def test_a_plan_applied_again_writes_nothing(route: MakeRoute) -> None:
    told = route(LIVE)
    found = told.saved(told.manifest(PLANNED))
    assert {outcome.status for outcome in told.apply(found)} == {"applied"}
    told.box.forget_requests()
    assert told.apply(found) == []
    assert told.box.writes == []


@pytest.mark.parametrize("broken", ["^/contacts$", "^/tags$", "^/companies/.*", "^/contacts/[^/]*/(tags|companies)", "/archive$"])
def test_a_plan_applied_in_part_is_finished_by_applying_it_again(broken: str, route: MakeRoute) -> None:
    told = route(LIVE)
    manifest = told.manifest(PLANNED)
    found = told.saved(manifest)
    fault = [told.box.faults.add(method, broken, status=400, times=None) for method in ("POST", "PUT", "DELETE")]
    assert fault
    assert "failed" in {outcome.status for outcome in told.apply(found)}
    told.box.faults.clear()
    assert {outcome.status for outcome in told.apply(found)} == {"applied"}
    assert told.apply(found) == []
    assert changes(told.document(manifest)) == []


def test_an_apply_is_held_to_its_plan_alone_not_to_what_else_went_astray(route: MakeRoute) -> None:
    told = route({"tags": ["b", "c"], "contacts": [{"external_id": "25"}]})
    manifest = told.manifest("policy: {limits: {creates: 1}}\ntags: [a, b, c]\ncontacts: [{external_id: '25', name: X}]\n")
    found = told.saved(manifest)
    for name in ("b", "c"):
        by_hand(told, "DELETE", f"/tags/{tag(told, name)}")
    assert [f"{o.change.action} {o.change.address} {o.status}" for o in told.apply(found)] == [
        "create tag/a applied",
        "update contact/25 applied",
    ]
    assert changes(told.document(manifest)) == ["create tag/b", "create tag/c"]


def test_a_before_value_that_only_looks_otherwise_is_the_same(route: MakeRoute) -> None:
    told = route(
        {"attributes": [{"name": "rate", "data_type": "float"}], "contacts": [{"external_id": "25", "custom_attributes": {"rate": 2}}]}
    )
    found = told.saved(told.manifest("contacts: [{external_id: '25', custom_attributes: {rate: 3}}]\n"))
    by_hand(told, "PUT", contact(told, "25"), {"custom_attributes": {"rate": 2.0}})
    assert {outcome.status for outcome in told.apply(found)} == {"applied"}


def test_another_manifest_is_stale(route: MakeRoute) -> None:
    told = route(LIVE)
    found = told.saved(told.manifest(PLANNED))
    told.manifest(PLANNED.replace("Hoban", "Zoe"))
    with pytest.raises(Stale, match="the manifest is not the one that was planned"):
        told.apply(found)
    assert told.box.writes == []


@pytest.mark.parametrize("other", [{"app_id": "other"}, {"region": "EU"}])
@pytest.mark.parametrize("desired", ["tags: [brand-new]\n", "workspace: {app_id: sandbox1, region: us}\ntags: [brand-new]\n"])
def test_another_workspace_is_refused_pin_or_no_pin(other: Doc, desired: str, route: MakeRoute) -> None:
    here, there = route(), route(**other)
    found = here.saved(here.manifest(desired))
    with pytest.raises(Refused, match="workspace"):
        there.apply(found)
    assert there.box.writes == []


EDITS: tuple[tuple[str, Callable[[Doc], object]], ...] = (
    ("the workspace", lambda d: d["workspace"].update(app_id="other")),
    ("the manifest", lambda d: d["manifest"].update(digest="0" * 64)),
    ("a change taken out", lambda d: d["changes"].pop()),
    ("a before-value", lambda d: d["changes"][0].update(action="delete")),
    ("a refusal taken out", lambda d: d.update(refused=[])),
    ("the seal", lambda d: d.update(seal="0" * 64)),
    ("no seal", lambda d: d.pop("seal")),
)


@pytest.mark.parametrize(("what", "edit"), EDITS, ids=[what for what, _ in EDITS])
def test_an_edited_plan_is_refused(what: str, edit: Callable[[Doc], object], route: MakeRoute, tmp_path: Path) -> None:
    told = route(LIVE)
    path = tmp_path / "plan.json"
    save(told.planned(told.manifest("policy: {limits: {creates: 0}}\n" + PLANNED)), path)
    assert path.stat().st_mode & 0o777 == 0o600
    found = json.loads(path.read_bytes())
    edit(found)
    path.write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(Invalid, match="edited"):
        read_plan(path)


def test_a_plan_to_look_at_is_not_applied_and_holds_no_digest(route: MakeRoute, tmp_path: Path) -> None:
    told = route(LIVE)
    planned = told.planned(told.manifest(PLANNED))
    found = document(told.kinds, planned.plan)
    assert "digest" not in json.dumps({**found, "manifest": {}})
    path = tmp_path / "look.json"
    path.write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(Invalid, match="not one to apply"):
        applicable(read_plan(path), path)


def test_a_saved_plan_holds_no_values_and_is_salted_anew(route: MakeRoute, tmp_path: Path) -> None:
    told = route(LIVE)
    planned = told.planned(told.manifest(PLANNED))
    one, two = (saved(told.kinds, planned.plan, salt) for salt in ("a", "b"))
    text = json.dumps(one["changes"])
    assert not [value for value in ("Wash", "Hoban", "+15551234567", "pro", "free") if value in text]
    digests = [[f["before_digest"] for c in plan["changes"] for f in c["fields"]] for plan in (one, two)]
    assert not set(digests[0]) & set(digests[1])


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "not json", '{"changes": []}', '{"format_version": "2.0", "changes": []}'])
def test_what_is_no_plan_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Invalid):
        applicable(read_plan(path), path)


def test_a_refused_plan_is_refused_again_when_applied(route: MakeRoute) -> None:
    told = route(LIVE)
    refused_to_apply(told, told.manifest("policy: {limits: {creates: 0}}\n" + PLANNED))
    assert told.box.writes == []


# ---- reads
FLAWS: tuple[tuple[str, Doc], ...] = (
    ("a page of HTML", {"body": b"<html>busy</html>", "headers": {"Content-Type": "text/html"}}),
    ("an empty body", {"body": b""}),
    ("an error inside", {"body": b'{"type":"error.list","errors":[{"code":"server_error"}]}'}),
    ("no list", {"body": b"{}"}),
    ("a list that is none", {"body": b'{"type":"list","data":null}'}),
    ("a cut body", {"body": b'{"type":"list","data":[{"type":"tag","id":'}),
    ("a 204", {"status": 204, "body": b""}),
    ("a 500", {"status": 500}),
    ("a 403", {"status": 403}),
    ("a dropped connection", {"drop": "before"}),
)
READS = ("^/tags$", "^/contacts/search$", "^/companies/list$", "^/contacts/[^/]*/tags$", "^/contacts/[^/]*/companies$", "^/data_attributes")
MANY: Doc = {
    "tags": [f"t{n}" for n in range(12)],
    "attributes": [{"name": "tier", "model": "contact"}],
    "companies": [{"company_id": f"c{n}"} for n in range(12)],
    "contacts": [{"external_id": "25", "tags": [f"t{n}" for n in range(12)], "companies": [f"c{n}" for n in range(12)]}],
}
CONVERGED: Doc = {
    "policy": {"links": "exact", "missing_contacts": "create"},
    "tags": MANY["tags"],
    "companies": MANY["companies"],
    "contacts": [{**MANY["contacts"][0], "custom_attributes": {"tier": None}}],
}


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize(("what", "flaw"), FLAWS, ids=[what for what, _ in FLAWS])
def test_an_answer_that_is_not_what_was_asked_for_is_an_error_never_absence(what: str, flaw: Doc, path: str, route: MakeRoute) -> None:
    told = route(MANY)
    manifest = told.manifest(CONVERGED)
    assert changes(told.document(manifest)) == []
    told.box.faults.add(path=path, times=None, **flaw)
    with pytest.raises(ReconcilerError) as failed:
        told.document(manifest)
    assert failed.value.exit_code == 1
    assert "<html" not in str(failed.value)
    assert len(str(failed.value)) < 500
    assert told.box.writes == []


def test_a_second_page_that_nobody_documented_is_followed(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25", "tags": ["a", "b", "c"]}]})
    manifest = told.manifest("policy: {links: exact}\ntags: [a, b, c]\ncontacts: [{external_id: '25', tags: [a, b, c]}]\n")
    tags = [{"type": "tag", "id": doc["id"], "name": doc["name"]} for doc in told.box.ws.store.table("tag").in_order()]
    for part, following in ((tags[:1], {"page": 2}), (tags[1:], None)):
        body = {"type": "list", "data": part, "pages": {"type": "pages", "next": following}}
        told.box.faults.add("GET", "^/tags$", body=json.dumps(body).encode())
    assert changes(told.document(manifest)) == []


@pytest.mark.parametrize("pages", [{"has_more": True}, {"pages": {"next": {"page": 2}}}])
def test_a_list_that_never_ends_or_does_not_say_how_is_an_error(pages: Doc, route: MakeRoute) -> None:
    told = route()
    told.box.faults.add("GET", "^/tags$", body=json.dumps({"type": "list", "data": [], **pages}).encode(), times=None)
    with pytest.raises(ReconcilerError):
        told.document(told.manifest("tags: [vip]\n"))


def test_more_than_one_page_of_everything_is_converged(route: MakeRoute) -> None:
    names = [f"n{n:03}" for n in range(161)]
    people = [{"external_id": name, "companies": ["n000"]} for name in names]
    people[0] = {"external_id": "n000", "tags": names[:31], "companies": names[:61]}
    seed = {"tags": names, "companies": [{"company_id": name} for name in names], "contacts": people}
    told = route(seed)
    assert lines(told.document(told.manifest({"policy": {"links": "exact", "missing_contacts": "error"}, **seed}))) == []


def test_rows_that_move_between_two_pages_are_not_missing(route: MakeRoute) -> None:
    people = [{"external_id": f"u{n:03}", "companies": [f"c{n:03}"]} for n in range(300)]
    companies = [{"company_id": f"c{n:03}"} for n in range(300)]
    told = route({"companies": companies, "contacts": people})

    def touch() -> None:
        for n in range(0, 300, 15):
            doc = told.box.ws.store.table("company").find("company_id", f"c{n:03}")[0]
            told.box.ws.store.put("company", {**doc, "last_request_at": 1_790_000_000 + n})

    told.box.faults.add("POST", "^/companies/list$", run=touch, after=1)
    manifest = told.manifest({"policy": {"missing_contacts": "error"}, "companies": companies, "contacts": people})
    assert lines(told.document(manifest)) == []


@pytest.mark.parametrize("others", [0, 3])
def test_who_loses_several_things_is_one_person(route: MakeRoute, others: int) -> None:
    """Of a deletion the count's own answer says who they are, as far as one page shows them."""
    names = [f"t{n}" for n in range(15)]
    people = [{"external_id": "25", "tags": names, "companies": ["6"]}, *({"external_id": f"o{n}", "tags": ["t0"]} for n in range(others))]
    told = route({"tags": names, "companies": [{"company_id": "6"}], "contacts": people})
    entries = [{"name": name, "state": "absent"} for name in names[:14]] + ["t14"]
    limits = {"deletes": 20, "people": 1 + others}
    written = {
        "policy": {"limits": limits},
        "tags": entries,
        "companies": [{"company_id": "6", "state": "absent"}],
        "contacts": [{"external_id": "25", "tags": [{"tag": "t14", "state": "absent"}]}],
    }
    found = told.document(told.manifest(written))
    assert found["people"] == {"losing": 1 + others, "exact": True}
    assert found["refused"] == []
