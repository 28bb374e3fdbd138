"""A number that decides a gate is believed only where nothing that was seen speaks against it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import Any
from wsgiref.types import WSGIApplication

import pytest

from reconciler.core.model.outcome import Status
from reconciler.core.plan.approvals import NO_APPROVALS
from reconciler.core.plan.work import Proposal
from reconciler.errors import IntercomError, Refused
from reconciler.manifest.rules import read_approvals
from reconciler.workflow.apply import carry_out, prepare
from reconciler.workflow.planfile import planned_manifest
from tests.conftest import MakeRoute
from tests.desk.liar import Liar
from tests.desk.route import Route
from tests.desk.soak import only_in_soak

CROWD: dict[str, Any] = {
    "tags": ["promo", "vip"],
    "companies": [{"company_id": "6"}],
    "contacts": [{"external_id": str(n), "tags": ["promo"], "companies": ["6"]} for n in range(14)],
}
GONE: dict[str, dict[str, Any]] = {
    "tag": {"tags": [{"name": "promo", "state": "absent"}]},
    "company": {"companies": [{"company_id": "6", "state": "absent"}]},
}
FEW = {"limits": {"people": 3}}


def plan_deletion(route: Route, kind: str, **rest: Any) -> Proposal:
    """The plan that deletes the tag or the company, where at most three people may lose something."""
    return route.planned(route.manifest({"policy": FEW, **GONE[kind], **rest}))


def apply(route: Route, kind: str, approve: Sequence[str] = ()) -> list[Status]:
    rules = read_approvals(None, tuple(approve), None)
    plan = route.saved(route.manifest({"policy": FEW, **GONE[kind]}))
    with route.session() as session:
        work = prepare(session, plan, planned_manifest(plan), rules if approve else NO_APPROVALS)
        return [outcome.status for outcome in carry_out(session, work, threading.Event())]


def counting(rows: int | None = None, **what: Any) -> Callable[[WSGIApplication], Liar]:
    """Answers of 25 rows, which only count people, say this; `rows` of them are shown."""

    def edit(asked: str, body: Any) -> Any:
        people = re.search("/contacts(/search)?([?]|$)", asked) and body.get("pages", {}).get("per_page") == 25
        return {**body, **what, "data": body["data"][:rows]} if people else body

    return lambda app: Liar(app, edit)


PLAUSIBLE: dict[str, Any] = {"rows": 1, "total_count": 1, "pages": {"type": "pages", "page": 1, "per_page": 1, "total_pages": 1}}


NO_COUNTS: tuple[Any, ...] = (0, -1000, True, False, None, "3", 2.5, [], {})
# One answer is read as the other is.
ALIKE = {(kind, index) for kind in list(GONE)[1:] for index in range(1, len(NO_COUNTS))}


@pytest.mark.parametrize(
    ("kind", "total"),
    [
        pytest.param(kind, total, id=f"{kind}-{total!r}", marks=only_in_soak if (kind, index) in ALIKE else ())
        for kind in GONE
        for index, total in enumerate(NO_COUNTS)
    ],
)
def test_a_count_that_is_no_number_of_at_least_what_is_shown_is_unknown(make_route: MakeRoute, kind: str, total: Any) -> None:
    route = make_route(CROWD)
    route.between = counting(total_count=total)
    assert {refusal.gate for refusal in plan_deletion(route, kind).plan.refusals} == {"unknown"}
    with pytest.raises(Refused, match="is unknown"):
        apply(route, kind)
    assert not route.box.writes


@pytest.mark.parametrize(("rows", "flag"), [(1, True), (0, False)])
def test_a_flag_is_no_count_though_python_takes_it_for_one_that_fits(make_route: MakeRoute, rows: int, flag: bool) -> None:
    route = make_route(CROWD)
    route.between = counting(**{**PLAUSIBLE, "rows": rows, "total_count": flag})
    assert {refusal.gate for refusal in plan_deletion(route, "tag").plan.refusals} == {"unknown"}


@pytest.mark.parametrize("kind", GONE)
def test_a_count_that_its_own_pages_deny_is_unknown(make_route: MakeRoute, kind: str) -> None:
    route = make_route(CROWD)
    route.between = counting(total_count=1)
    plan = plan_deletion(route, kind).plan
    assert {refusal.gate for refusal in plan.refusals} == {"unknown"}
    assert [change.people for change in plan.changes] == [None]


@pytest.mark.parametrize("lie", [{"total_count": 10**6}, {"total_count": 1000, "data": [], "pages": None}], ids=["its pages", "no row"])
def test_a_share_is_taken_of_no_more_than_all_of_an_answer_says(make_route: MakeRoute, lie: dict[str, Any]) -> None:
    route = make_route({"contacts": [{"external_id": str(n)} for n in range(30)]})
    gone = [{"external_id": str(n), "state": "absent"} for n in range(6)]
    path = route.manifest({"policy": {"limits": {"contact_deletes": "10%"}}, "contacts": gone})
    route.between = lambda app: Liar(app, lambda asked, body: {**body, **lie} if asked == "GET /contacts?per_page=1" else body)
    with pytest.raises(IntercomError, match="GET .*/contacts: the answer has no total_count that can be believed"):
        route.planned(path)


@pytest.mark.parametrize("kind", GONE)
def test_what_was_read_to_be_kept_is_held_against_the_gates_before_the_first_write(make_route: MakeRoute, kind: str) -> None:
    route = make_route(CROWD, ledger=True)
    route.between = counting(**PLAUSIBLE)
    assert plan_deletion(route, kind).plan.refusals == ()
    with pytest.raises(Refused, match="14 people lose a tag, a company or themselves, the limit is 3") as refused:
        apply(route, kind)
    assert not route.box.writes
    assert route.ledger
    assert not route.ledger.runs()
    word = str(refused.value).rpartition("--approve ")[2].rstrip(")")
    fewer = word.replace(":14", ":3")
    with pytest.raises(Refused, match=f"--approve {fewer} covers fewer people than the 14 that this touches"):
        apply(route, kind, [fewer])
    assert apply(route, kind, [word]) == [Status.APPLIED]


@pytest.mark.parametrize("kind", GONE)
def test_a_count_is_no_less_than_the_links_that_the_plan_saw(make_route: MakeRoute, kind: str) -> None:
    route = make_route(CROWD)
    route.between = counting(**{**PLAUSIBLE, "rows": 0})
    links = {"tag": "tags", "company": "companies"}[kind]
    seen = [{"external_id": str(n), links: []} for n in range(5)]
    (refusal,) = plan_deletion(route, kind, contacts=seen).plan.refusals
    assert (refusal.gate, refusal.message.partition(",")[0]) == ("limits.people", "5 people lose a tag")
