"""Whatever a server makes of names, nothing is written on or deleted from a thing that the plan does not show by its id."""

from __future__ import annotations

from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from reconciler.core.model.address import LinkName
from reconciler.core.model.change import Action, LinkChange
from reconciler.core.model.spelling import fold
from reconciler.core.plan.order import Step
from reconciler.workflow.apply import carry_out, prepare
from reconciler.workflow.planfile import planned_manifest
from tests.desk.route import Route
from tests.desk.soak import times
from tests.properties.worlds import LIMITS, Doc, World, on_route, some

LONG = "x" * 60
# Names that one server or another takes for one; those with blanks at their ends nobody can declare.
ALIKE = (
    ("istanbul", "İstanbul", "ISTANBUL"),
    (LONG + "a", LONG + "b", LONG),
    ("a < b", "a &lt; b", "A < B"),
    ("Café", "Cafe\u0301", "cafe", "cafe "),
    ("vip", "VIP", " vip"),
)
NAMES = tuple(name for family in ALIKE for name in family)
WRITTEN = tuple(name for name in NAMES if name == name.strip())
SERVERS = ("fold", "lower", "cut", "escape", "trim", "fold cut escape", "lower cut", "trim fold")
PEOPLE, COMPANIES = ("1", "2", "3"), ("6", "7")
Pair = tuple[LinkName, str, str]


@st.composite
def seeds(draw: Any) -> Doc:
    """Tags alike may be live at the same time, from before the server took them for one."""
    family = draw(st.sampled_from(ALIKE))
    names = list(dict.fromkeys([*draw(some(family)), *draw(st.lists(st.sampled_from(NAMES), max_size=3))]))
    return {
        "tags": [{"name": name, "id": str(5 + n)} for n, name in enumerate(names)],
        "companies": [{"company_id": key} for key in COMPANIES],
        "contacts": [{"external_id": key} for key in PEOPLE],
    }


@st.composite
def manifests(draw: Any) -> Doc:
    family = tuple(name for name in draw(st.sampled_from(ALIKE)) if name in WRITTEN)
    drawn = [*draw(st.lists(st.sampled_from(family), max_size=3)), *draw(st.lists(st.sampled_from(WRITTEN), max_size=3))]
    names = list({fold(name): name for name in drawn}.values())
    gone = [name for name in names if draw(st.integers(1, 4)) == 1]
    tags: list[Any] = [{"name": name, "state": "absent"} if name in gone else name for name in names]
    free = [name for name in WRITTEN if fold(name) not in {fold(other) for other in names}]
    kept = [name for name in names if name not in gone]
    if free and kept and draw(st.integers(1, 4)) == 1:
        tags[names.index(kept[0])] = {"name": kept[0], "renamed_from": draw(st.sampled_from(free))}
    linked = st.lists(st.sampled_from(kept), unique=True) if kept else st.just([])
    return {
        "policy": {
            "links": draw(st.sampled_from(("owned", "additive", "declared", "exact"))),
            "prune": {"tags": draw(st.sampled_from(("never", "owned")))},
            "limits": LIMITS,
        },
        "tags": tags,
        "companies": [{"company_id": key, "tags": draw(linked)} for key in COMPANIES],
        "contacts": [{"external_id": key, "tags": draw(linked)} for key in PEOPLE],
    }


def _pairs(route: Route) -> set[Pair]:
    store = route.box.ws.store
    kinds = ("contact", "company")
    return {(LinkName(kind, "tags"), id, end) for kind in kinds for id, doc in store.table(kind).docs.items() for end in doc["tags"]}


def _names(route: Route) -> dict[str, str]:
    return {id: str(doc["name"]) for id, doc in route.box.ws.store.table("tag").docs.items()}


def _carry_out(route: Route, manifest: Doc) -> tuple[tuple[Step, ...], set[str | None]]:
    """Plan and apply; what the plan showed, and the ids of what its creates made. What is refused is not applied."""
    made: set[str | None] = set()
    plan = route.saved(route.manifest(manifest))
    if plan["refused"]:
        event(f"refused {plan['refused'][0]['gate']}")
        return (), made
    with route.session() as session:
        work = prepare(session, plan, planned_manifest(plan))
        for outcome in carry_out(session, work, route.stop):
            event(f"{outcome.status} {outcome.change.action}: {outcome.reason[:30]}")
            made |= {outcome.id} if outcome.change.action is Action.CREATE else set()
        return work.proposal.plan.steps, made


def _shown(steps: tuple[Step, ...], *actions: Action) -> set[str | None]:
    return {step.change.id for step in steps if step.change.action in actions and step.change.target is None}


def _check(route: Route, manifest: Doc) -> None:
    names, pairs = _names(route), _pairs(route)
    steps, made = _carry_out(route, manifest)
    now = _names(route)
    assert now.keys() - names.keys() <= made, (names, now)
    gone, renamed = names.keys() - now.keys(), {id for id in names.keys() & now.keys() if names[id] != now[id]}
    assert gone <= _shown(steps, Action.DELETE)
    assert renamed <= _shown(steps, Action.RENAME)
    links = {(c.link, c.id, c.target_id, c.action) for step in steps if isinstance(c := step.change, LinkChange)}
    for link, source, end in _pairs(route) - pairs:
        assert end not in names or (link, source, end, Action.ATTACH) in links, (names, now, end)
    for link, source, end in pairs - _pairs(route):
        assert end in gone or (link, source, end, Action.DETACH) in links, (names, now, end)


@settings(max_examples=times(10))
@given(seeds(), st.lists(manifests(), min_size=1, max_size=3), st.sampled_from(SERVERS))
def test_whatever_a_server_makes_of_names_only_what_the_plan_shows_by_its_id_is_touched(seed: Doc, written: list[Doc], server: str) -> None:
    with on_route(World(seed, {}, {}, ledger=True)) as (route, _):
        route.box.settings.rewrites = server
        for manifest in (*written, written[-1]):
            _check(route, manifest)
            route.clock.now += 3600
