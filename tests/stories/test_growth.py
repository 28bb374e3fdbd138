"""Nothing grows faster than its work: twice as much of it takes no function more than twice as long, counted in lines, by no clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reconciler.report import RENDERERS
from reconciler.workflow.undo import propose_undo
from tests.conftest import MakeRoute
from tests.desk.counting import Lines, find_faster
from tests.desk.route import WIDE, Route
from tests.desk.soak import SOAKS

Doc = dict[str, Any]
Work = Callable[[], object]
# Links of one contact, or people; then twice as many.
SIZES = (10, 100) if SOAKS else (16,)


def names(size: int) -> list[str]:
    return [f"t{n}" for n in range(size)]


def many_links(size: int, *, attached: bool) -> Doc:
    """One contact with many links."""
    return {"tags": names(size), "contacts": [{"external_id": "25", "tags": names(size) if attached else []}]}


def many_people(size: int, **fields: Any) -> Doc:
    return {"tags": ["vip"], "contacts": [{"external_id": f"u{n}", **fields} for n in range(size)]}


def converge(route: Route, declared: Doc) -> None:
    route.converge(route.manifest({"policy": WIDE, **declared}))


def attach_links(make_route: MakeRoute, size: int) -> Work:
    route = make_route(many_links(size, attached=False), ledger=True)
    return lambda: converge(route, many_links(size, attached=True))


def plan_to_detach(make_route: MakeRoute, size: int) -> Work:
    route = make_route(many_links(size, attached=False), ledger=True)
    converge(route, many_links(size, attached=True))
    route.clock.now += 3600
    path = route.manifest({"policy": WIDE, **many_links(size, attached=False)})
    return lambda: route.saved(path)


def take_back(make_route: MakeRoute, size: int) -> Work:
    route = make_route(many_links(size, attached=False), ledger=True)
    converge(route, many_links(size, attached=True))
    assert route.ledger
    run = route.ledger.runs()[0].run

    def propose() -> object:
        with route.session() as session:
            return propose_undo(session, run)

    return propose


def tag_people(make_route: MakeRoute, size: int) -> Work:
    route = make_route(many_people(size), ledger=True)
    return lambda: converge(route, many_people(size, tags=["vip"]))


def recall_people(make_route: MakeRoute, size: int) -> Work:
    """Rows of which nothing was ever written, and of which a plan asks each."""
    people = many_people(size, tags=["vip"])
    route = make_route(people, ledger=True)
    converge(route, people)
    path = route.manifest({"policy": WIDE, **people})
    return lambda: route.document(path)


def show_notes(make_route: MakeRoute, size: int) -> Work:
    """In the soak 50,000 and 100,000 of them."""
    route = make_route(ledger=True)
    document = route.document(route.manifest(many_people(1)))
    note = next(note for note in document["notes"] if note["address"])
    number = size * 500 if SOAKS else size
    document["notes"] = [{**note, "address": f"contact/u{n}"} for n in range(number)]
    return lambda: [render(document) for render in RENDERERS.values()]


@pytest.mark.parametrize("begin", [attach_links, plan_to_detach, take_back, tag_people, recall_people, show_notes])
@pytest.mark.parametrize("size", SIZES)
def test_twice_the_work_is_at_most_twice_the_lines(begin: Callable[[MakeRoute, int], Work], size: int, make_route: MakeRoute) -> None:
    counts = []
    for number in (size, 2 * size):
        work = begin(make_route, number)
        with Lines() as lines:
            work()
        counts.append(lines)
    assert counts[0].total() > 1000
    assert find_faster(*counts) == {}
