"""What the ledger calls ours: never what was there before us, never lost by a crash, and nothing goes without both keys."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hypothesis import assume, event, given
from hypothesis import strategies as st

from reconciler.core.model.address import LinkName
from reconciler.core.model.change import Action
from reconciler.core.model.record import LinkOrigin
from reconciler.core.model.recorded import Recorded
from reconciler.ledger.ledger import Ledger
from tests.desk.route import Route, changes
from tests.properties.test_convergence import carried_along
from tests.properties.worlds import LIMITS, Doc, World, manifests, on_route, seeds
from tests.stories.plan.test_saved_plans import Killed, kill_after, kill_before

PRUNES = st.fixed_dictionaries({"tags": st.sampled_from(("never", "owned", "all")), "companies": st.sampled_from(("never", "owned"))})
Ids = set[tuple[str, str]]
LinkOrigins = set[tuple[LinkName, str, str]]


@st.composite
def remembered(draw: Any, links: str = "owned") -> World:
    """A world with a ledger, where search sees all at once."""
    return World(draw(seeds()), draw(manifests(links)), {}, ledger=True)


def live(route: Route) -> tuple[Ids, LinkOrigins]:
    """All that is live, by id, as the sandbox keeps it."""
    store = route.box.ws.store
    ids = {(kind, id) for kind in ("tag", "company", "contact") for id in store.table(kind).docs}
    contacts, companies = store.table("contact").docs, store.table("company").docs
    ties = {(LinkName("contact", field), id, end) for field in ("tags", "companies") for id, doc in contacts.items() for end in doc[field]}
    return ids, ties | {(LinkName("company", "tags"), id, end) for id, doc in companies.items() for end in doc["tags"]}


def memory(route: Route) -> Recorded:
    assert route.ledger
    return route.ledger.read_recorded(route.app_id())


def owned(recorded: Recorded) -> tuple[Ids, LinkOrigins]:
    """What the ledger calls ours."""
    ties = {
        (LinkName(record.kind, field), record.id, end)
        for record in recorded.records.values()
        for field, held in record.links.items()
        for end, tie in held.items()
        if tie == LinkOrigin.OWNED
    }
    return {name for name, record in recorded.records.items() if record.owned}, ties


def fewer(draw: Any, manifest: Doc) -> Doc:
    """The manifest with some entries, keys and links of it dropped."""
    kept = copy.deepcopy(manifest)
    for section in ("tags", "companies", "contacts"):
        if draw(st.integers(1, 6)) == 1:
            del kept[section]
        else:
            kept[section] = [entry for entry in kept[section] if draw(st.integers(1, 3)) > 1]
    return _consistent(draw, kept)


def _consistent(draw: Any, kept: Doc) -> Doc:
    """Links to what is no longer declared go too, and some lists."""
    tags = {entry["name"].lower() for entry in kept.get("tags", ())}
    companies = {entry["company_id"] for entry in kept.get("companies", ())}
    for entry in (*kept.get("companies", ()), *kept.get("contacts", ())):
        for field, names, key in (("tags", tags, "tag"), ("companies", companies, "company")):
            if field in entry and draw(st.integers(1, 5)) == 1:
                del entry[field]
            elif field in entry:
                entry[field] = [link for link in entry[field] if _end(link, key).lower() in {name.lower() for name in names}]
    return kept


def _end(link: Any, key: str) -> str:
    return str(link[key] if isinstance(link, dict) else link)


def applied(route: Route, path: Path) -> bool:
    """Whether the manifest could be applied, in full or in part."""
    plan = route.saved(path)
    if not plan["refused"]:
        route.apply(plan)
    return not plan["refused"]


@given(remembered())
def test_nothing_that_was_there_before_is_ever_called_ours(world: World) -> None:
    with on_route(world) as (route, path):
        before_ids, before_ties = live(route)
        assume(applied(route, path))
        ids, ties = owned(memory(route))
        event(f"{bool(ids)} {bool(ties)}")
        assert ids & before_ids == set()
        assert ties & before_ties == set()
        assert ids <= live(route)[0]


@given(st.data())
def test_dropping_a_file_an_entry_or_a_key_never_deletes_without_both_keys(data: st.DataObject) -> None:
    world = data.draw(remembered())
    with on_route(world) as (route, path):
        before_ids, before_ties = live(route)
        assume(applied(route, path))
        later = fewer(data.draw, world.manifest)
        prune = data.draw(PRUNES)
        later["policy"] = {"links": "owned", "prune": prune, "scope": {"tags": ["vip", "a/*"]}, "limits": LIMITS}
        mine, ties = owned(memory(route))
        _check_losses(route, route.manifest(later), later, mine, ties)


def _check_losses(route: Route, path: Path, later: Doc, mine: Ids, ties: LinkOrigins) -> None:
    written = {f"tag/{entry['name']}" for entry in later.get("tags", ()) if entry.get("state") == "absent"}
    written |= {f"company/{entry['company_id']}" for entry in later.get("companies", ()) if entry.get("state") == "absent"}
    for step in route.planned(path).plan.steps:
        change = step.change
        if change.action is Action.DELETE and change.address.kind in ("tag", "company") and str(change.address) not in written:
            section = {"tag": "tags", "company": "companies"}[change.address.kind]
            event(f"prune {later['policy']['prune'][section]}")
            assert section in later
            assert later["policy"]["prune"][section] != "never"
            assert (change.address.kind, str(change.id)) in mine or change.address.key.lower() in ("vip", "a/b")
        if change.action is Action.DETACH and not _written_absent(later, change):
            event("detach")
            assert change.target is not None
            assert (change.link, str(change.id), str(change.target_id)) in ties


def _written_absent(later: Doc, change: Any) -> bool:
    absent = [
        _end(link, key).lower()
        for entry in (*later.get("companies", ()), *later.get("contacts", ()))
        for field, key in (("tags", "tag"), ("companies", "company"))
        for link in entry.get(field, ())
        if isinstance(link, dict)
    ]
    return change.target.key.lower() in absent


@given(st.data())
def test_to_declare_one_more_tag_detaches_nobody(data: st.DataObject) -> None:
    world = data.draw(remembered())
    with on_route(world) as (route, path):
        assume(applied(route, path))
        again = route.document(path)
        assume(not again["refused"])
        declared = {entry["name"].lower() for entry in world.manifest["tags"]}
        former = {str(entry.get("renamed_from", "")).lower() for entry in world.manifest["tags"]}
        more = [name for name in ("vip", "trial", "Beta", "fresh") if name.lower() not in declared | former]
        assume(more)
        later = {**world.manifest, "tags": [*world.manifest["tags"], data.draw(st.sampled_from(more))]}
        plan = route.document(route.manifest(later))
        assert {line for line in changes(plan) if line.startswith("detach")} <= set(changes(again))


@given(st.data())
def test_without_a_ledger_nothing_is_pruned_and_nothing_that_is_not_written_detached(data: st.DataObject) -> None:
    world = data.draw(remembered())
    with on_route(World(world.seed, world.manifest, {})) as (route, _):
        later = {**fewer(data.draw, world.manifest)}
        later["policy"] = {"links": "owned", "prune": data.draw(PRUNES), "scope": {"tags": ["*", "**"]}, "limits": LIMITS}
        _check_losses(route, route.manifest(later), {**later, "policy": {"prune": {"tags": "never", "companies": "never"}}}, set(), set())


def reopen(route: Route) -> None:
    """The next process, with what is on the disk."""
    assert route.ledger
    route.ledger.close()
    route.ledger = Ledger.open(route.folder / ".reconciler", create=True, now=route.clock)


@given(st.data())
def test_after_a_crash_between_any_two_calls_an_apply_ends_as_declared_with_a_ledger_equal_to_live(data: st.DataObject) -> None:
    world = data.draw(remembered())
    with on_route(world) as (route, path):
        before_ids, before_ties = live(route)
        plan = route.saved(path)
        assume(plan["changes"] and not plan["refused"])
        number = data.draw(st.integers(0, len(plan["changes"])))
        killed = data.draw(st.sampled_from((kill_before, kill_after)))
        with killed(route, number):
            try:
                route.apply(plan)
            except Killed:
                event(killed.__name__)
        reopen(route)
        route.clock.now += 3600
        if route.saved(path)["refused"]:
            return
        outcomes = route.converge(path)
        if any(o.status != "applied" for o in outcomes):
            return
        if not carried_along(route, path, outcomes, route.document(path)):
            assert changes(route.document(path)) == []
        _check_ledger(route, memory(route), before_ids, before_ties)
        assert route.ledger
        route.ledger.close()


def _check_ledger(route: Route, memory: Recorded, before_ids: Ids, before_ties: LinkOrigins) -> None:
    ids, ties = live(route)
    mine, made = owned(memory)
    assert mine & before_ids == set()
    assert made & before_ties == set()
    assert mine <= ids
    # What came up since and whose absence was proved is ours, whenever the crash came; of an e-mail there is no proof.
    proved = {name for name in ids - before_ids if name[0] != "contact"}
    assert proved <= mine
    recorded = set(_ties(memory.records))
    assert {tie for tie in recorded if tie in before_ties or tie in made} == recorded
    assert recorded <= ties


def _ties(records: Mapping[Any, Any]) -> Iterator[tuple[LinkName, str, str]]:
    for record in records.values():
        for field, held in record.links.items():
            yield from (
                (LinkName(record.kind, field), record.id, end) for end, tie in held.items() if tie in (LinkOrigin.OWNED, LinkOrigin.FOUND)
            )
