"""A saved plan can be cut off anywhere and applied again: both runs together do what the plan says, once, and edits are refused."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.model.outcome import Outcome
from reconciler.core.plan.approvals import NO_APPROVALS, Approvals
from reconciler.core.plan.gates import Approval
from reconciler.core.plan.saved import seal, write_saved
from reconciler.core.plan.schema import PlanDocument
from reconciler.errors import Invalid, Refused
from reconciler.manifest.read import read_manifest
from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.call import Call, Reply
from reconciler.workflow.apply import carry_out, prepare
from reconciler.workflow.plan import propose
from reconciler.workflow.planfile import planned_manifest, read_plan
from tests.conftest import MakeRoute
from tests.desk.desk import Desk
from tests.desk.route import Route, changes
from tests.desk.soak import SOAKS

SEED = {
    "tags": ["vip", "Beta", "promo"],
    "companies": [{"company_id": "6", "name": "Red"}, {"company_id": "7"}],
    "contacts": [
        {"external_id": "25", "name": "Wash", "tags": ["vip", "promo"], "companies": ["7"]},
        {"external_id": "26", "name": "Zoe", "tags": ["promo"]},
        {"external_id": "27", "tags": ["Beta"]},
    ],
}
# One change of every action but unarchive; two of them are over a limit.
MANIFEST = """
policy: {links: declared, limits: {deletes: 0, archives: 0}}
tags: [vip, new, {name: beta-2026, renamed_from: Beta}, {name: promo, state: absent}]
companies:
  - {company_id: '6', name: Blue Sun, tags: [vip]}
  - {company_id: '8', name: Fresh}
contacts:
  - {external_id: '25', name: Hoban, tags: [new], companies: ['6', '8']}
  - {external_id: '26', name: Zoe Washburne, tags: [vip, new]}
  - {external_id: '27', state: archived}
  - {external_id: '28', missing: create, name: River, tags: [beta-2026]}
"""
IDS = re.compile(r"[0-9a-f]{24}|(?<=/)\d+")


class Killed(BaseException):
    """The process is gone: nothing catches this."""


def approving(plan: PlanDocument) -> Approvals:
    words = {str(refusal["approve"]) for refusal in plan["refused"]} | set(plan["approved"])
    return Approvals(on_command_line=tuple(Approval(word.partition(":")[0], int(word.partition(":")[2])) for word in words))


def apply(route: Route, plan: PlanDocument, rules: Approvals) -> list[Outcome]:
    manifest = planned_manifest(plan)
    with route.session() as session:
        return list(carry_out(session, prepare(session, plan, manifest, rules), threading.Event()))


def plan(route: Route, path: Path, rules: Approvals = NO_APPROVALS) -> PlanDocument:
    with route.session() as session:
        planned = propose(session, read_manifest([str(path)]), approvals=rules)
    return write_saved(route.kinds, planned.plan, "salt")


def count_writes(route: Route) -> Counter[str]:
    """The writes that were carried out, ids left away."""
    return Counter(f"{w.method} {IDS.sub('*', w.path)}" for w in route.box.writes if w.status < 400)


@contextmanager
def kill_before(route: Route, number: int) -> Iterator[None]:
    """The connection and we die before so many writes and one have arrived."""

    left, lock = [number], threading.Lock()

    def kill() -> None:
        with lock:
            left[0] -= 1
            if left[0] < 0:
                raise Killed

    for method in ("POST", "PUT", "DELETE"):
        route.box.faults.add(method, READS_NOT, run=kill, times=None)
    yield
    route.box.faults.clear()


READS_NOT = "(?<!/search)(?<!/list)$"


@contextmanager
def kill_after(route: Route, number: int) -> Iterator[None]:
    """We die after so many writes and one were carried out, and never see the answer."""
    seen: list[str] = []
    lock = threading.Lock()

    def watch(box: Sandbox, call: Call, reply: Reply | None) -> None:
        endpoint = box.routes.find(call.method, call.path)
        if box is route.box and call.method != "GET" and not (endpoint and endpoint[0].reads):
            with lock:
                seen.append(call.path)
                if len(seen) > number:
                    raise Killed

    Sandbox.watchers.append(watch)
    try:
        yield
    finally:
        Sandbox.watchers.remove(watch)


Kill = Callable[[Route, int], Any]


def touch(route: Route) -> None:
    """Somebody writes what nobody claims: on every contact, company, and beside them."""
    store = route.box.ws.store
    for number, person in enumerate(list(store.table("contact").in_order())):
        store.put("contact", {**person, "phone": f"+1555000{number:04}", "custom_attributes": {"seen": number}, "updated_at": 1})
    for company in list(store.table("company").in_order()):
        store.put("company", {**company, "website": "https://elsewhere.example", "size": 99})
    route.box.seed({"tags": ["theirs"], "contacts": [{"external_id": "somebody"}]})


@pytest.fixture
def undisturbed(make_route: MakeRoute) -> Counter[str]:
    route = make_route(SEED, ledger=True)
    document = plan(route, route.manifest(MANIFEST))
    assert {o.status for o in apply(route, document, approving(document))} == {"applied"}
    return count_writes(route)


@pytest.mark.parametrize(
    ("ledger", "approved"), [(True, True), (False, False)], ids=["memory, approved when planned", "no memory, approved when applied"]
)
@pytest.mark.parametrize("kill", [kill_before, kill_after])
def test_killed_after_any_call_it_finishes_with_the_writes_of_the_plan(
    kill: Kill, approved: bool, ledger: bool, undisturbed: Counter[str], make_route: MakeRoute
) -> None:
    # Each of the four ways takes another quarter of the calls, which all have a turn in a soak.
    turn = 2 * approved + (kill is kill_after)
    for number in range(0 if SOAKS else turn, undisturbed.total(), 1 if SOAKS else 4):
        route = make_route(SEED, ledger=ledger)
        path = route.manifest(MANIFEST)
        document = plan(route, path)
        rules = approving(document)
        if approved:
            document = plan(route, path, rules)
            assert document["refused"] == []
        with kill(route, number), pytest.raises(Killed):
            apply(route, document, rules)
        touch(route)
        assert {o.status for o in apply(route, document, rules)} <= {"applied"}, number
        assert count_writes(route) == undisturbed, number
        route.box.forget_requests()
        assert apply(route, document, rules) == []
        assert count_writes(route) == Counter()
        assert changes(route.document(path)) == []
        if route.ledger:
            route.ledger.close()


def test_what_is_left_of_it_is_not_applied_without_the_approval(make_route: MakeRoute) -> None:
    route = make_route(SEED)
    document = plan(route, route.manifest(MANIFEST))
    with kill_after(route, 3), pytest.raises(Killed):
        apply(route, document, approving(document))
    route.box.forget_requests()
    with pytest.raises(Refused):
        apply(route, document, NO_APPROVALS)
    assert count_writes(route) == Counter()


@pytest.mark.parametrize("number", [5, 26])
def test_unclaimed_fields_of_everybody_may_move_before_it_is_applied(number: int, desk: Desk) -> None:
    people = [{"external_id": f"p{n:02}", "name": "Old", "tags": ["promo"]} for n in range(number)]
    desk.seed(tags=["vip", "promo"], contacts=people)
    entries = [{"external_id": f"p{n:02}", "name": "New", "tags": ["vip", {"tag": "promo", "state": "absent"}]} for n in range(number)]
    assert desk.plan(m={"tags": ["vip", "promo"], "contacts": entries}) == 2
    desk.seed(tags=["theirs"], contacts=[{**one, "name": "Old", "phone": "+15550001", "tags": ["theirs"]} for one in people])
    assert desk("apply", "plan.json") == 0
    assert len([write for write in desk.writes if write.startswith("PUT /contacts/")]) == number
    assert {person["phone"] for person in desk.box.ws.store.table("contact").in_order()} == {"+15550001"}


def leaves(plan: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = plan.items() if isinstance(plan, dict) else enumerate(plan) if isinstance(plan, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from leaves(value, (*path, key))


def edited(plan: Any, path: tuple[Any, ...]) -> Any:
    copy = json.loads(json.dumps(plan))
    place = copy
    for key in path[:-1]:
        place = place[key]
    value = place[path[-1]]
    place[path[-1]] = not value if isinstance(value, bool) else 1 if value in (None, 0) else None
    return copy


def test_an_edit_anywhere_is_refused(desk: Desk) -> None:
    desk.seed(**SEED)
    desk.plan(m=MANIFEST)
    plan = desk.saved()
    paths = [path for path in leaves(plan) if path != ("applicable",)]
    assert len(paths) > 100
    for path in paths:
        desk.write("edited.json", json.dumps(edited(plan, path)))
        with pytest.raises(Invalid):
            read_plan(desk.folder / "edited.json")
    without = {key: value for key, value in plan.items() if key not in ("applicable", "seal")}
    for text in (json.dumps(without), json.dumps({**plan, "applicable": False}), json.dumps(plan)[:-10], "[]", "null", "", "{"):
        desk.write("edited.json", text)
        assert desk("apply", "edited.json") == 65, text
    assert desk.writes == []


def without_digests(document: dict[str, Any]) -> None:
    for field in (field for change in document["changes"] for field in change["fields"]):
        field.pop("before_digest", None)


def with_values(document: dict[str, Any]) -> None:
    for change in document["changes"]:
        change["fields"] = [{"path": f["path"], "before": None, "after": 1, "cause": None} for f in change["fields"]]


def names(*paths: object) -> Callable[[dict[str, Any]], object]:
    return lambda plan: plan["manifest"].update(paths=list(paths))


ODD: tuple[Callable[[dict[str, Any]], object], ...] = (
    without_digests,
    lambda plan: plan.pop("notes"),
    lambda plan: plan.update(files=None),
    with_values,
    names(),
    names(1),
    names("a\0.yaml"),
    names("\ud800.yaml"),
    names(""),
    names("-"),
    names("m.yaml", None),
    lambda plan: plan["manifest"].update(paths="m.yaml"),
    lambda plan: plan["manifest"].update(digest=7),
    lambda plan: plan["manifest"].pop("paths"),
    lambda plan: plan["manifest"].pop("digest"),
    lambda plan: plan.pop("salt"),
    lambda plan: plan.update(salt=1),
    lambda plan: plan.update(files=["m.yaml"]),
    lambda plan: plan.update(files={"m.yaml": 1}),
    lambda plan: plan.update(approved=1),
    lambda plan: plan.update(scope={"target": [1]}),
    lambda plan: plan.update(as_declared={"tag/vip": 1}),
    lambda plan: plan["changes"][0].update(id_digest=1),
)


@pytest.mark.parametrize("edit", ODD)
def test_a_plan_that_was_sealed_anew_without_what_it_needs_is_no_plan(edit: Callable[[dict[str, Any]], object], desk: Desk) -> None:
    """Somebody else's program may write one, seal and all: it is refused in a sentence, never an internal error."""
    desk.seed(companies=[{"company_id": "6", "name": "Red"}])
    assert desk.plan(m="companies: [{company_id: '6', name: Blue}]\n") == 2
    plan = desk.saved()
    edit(plan)
    desk.write("odd.json", json.dumps({**plan, "seal": seal(plan)}))
    assert desk("apply", "odd.json") == 65
    assert "internal error" not in desk.err
    assert desk.writes == []


def test_another_layout_of_the_same_plan_is_the_same_plan(desk: Desk) -> None:
    desk.seed(tags=["vip"])
    desk.plan(m="tags: [vip, new]\n")
    desk.write("plan.json", json.dumps(desk.saved(), separators=(",", ":"), sort_keys=True))
    assert desk("apply", "plan.json") == 0


DELETING = "tags: [{name: promo, state: absent}]\npolicy: {limits: {deletes: 0}}\n"


def test_a_plan_that_was_approved_and_carried_out_is_done_without_its_approval_too(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["promo"]})
    document = plan(route, route.manifest(DELETING))
    with pytest.raises(Refused):
        apply(route, document, NO_APPROVALS)
    assert {outcome.status for outcome in apply(route, document, approving(document))} == {"applied"}
    route.box.forget_requests()
    assert apply(route, document, NO_APPROVALS) == []
    assert route.box.writes == []
