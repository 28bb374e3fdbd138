"""Answers that lie, by chance: one answer of a plan and its apply, or all of its kind, has one value that is not as it should be.

What an honest apply may do is known beforehand: nothing else may be done, whatever the lie was.
"""

from __future__ import annotations

import copy
import random
import shutil
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.core.model.outcome import Status
from reconciler.core.plan.schema import PlanDocument
from reconciler.errors import ReconcilerError
from reconciler.ledger.ledger import Ledger
from reconciler.sandbox.app import Sandbox
from tests.desk.clock import Clock
from tests.desk.liar import Liar
from tests.desk.route import WIDE, Route

Doc = dict[str, Any]
State = dict[tuple[str, str], list[Doc]]
"""What is live, by kind and by what people call it: more than one thing where several are called so."""

ENDS = frozenset({0, 1, 3, 4, 5})
SEED: Doc = {
    "attributes": [
        {"name": "score", "model": "contact", "data_type": "integer"},
        {"name": "size", "model": "company", "data_type": "options", "options": ["s", "m"]},
    ],
    "tags": ["vip", "Beta", "promo", "stray", "twelve", *(f"t{n}" for n in range(11))],
    "companies": [
        {"company_id": "6", "name": "Blue Sun", "plan": "p1", "tags": ["vip", "stray"]},
        {"company_id": "7", "name": "Heart of Gold", "tags": ["promo"]},
        {"company_id": "quiet"},
    ],
    "contacts": [
        {"id": f"{0xA1:024x}", "external_id": "25", "email": "wash@serenity.example", "tags": ["vip", "promo"], "companies": ["6"]},
        {"id": f"{0xA2:024x}", "external_id": "26", "name": "Zoe", "tags": [f"t{n}" for n in range(11)], "companies": ["6", "7"]},
        {"id": f"{0xA3:024x}", "role": "lead", "email": "ops@serenity.example", "tags": ["stray"]},
        {"id": f"{0xA4:024x}", "external_id": "27", "email": "mal@serenity.example", "archived": True},
        {"id": f"{0xA5:024x}", "role": "user", "email": "kaylee@serenity.example", "custom_attributes": {"score": 7}},
        {"id": f"{0xA6:024x}", "external_id": "40", "tags": ["twelve"], "companies": ["7"]},
    ],
}
POLICY: Doc = {**WIDE, "links": "owned", "prune": {"tags": "owned", "companies": "owned"}, "missing_contacts": "create"}
BEFORE: Doc = {
    "policy": POLICY,
    "tags": ["vip", "old", "past"],
    "companies": [{"company_id": "6", "tags": ["past"]}, {"company_id": "gone"}],
    "contacts": [{"external_id": "25", "tags": ["vip", "past"]}, {"external_id": "40", "tags": ["old"], "companies": ["gone"]}],
}
AFTER: Doc = {
    "policy": POLICY,
    "attributes": [
        {"name": "tier", "model": "contact", "data_type": "string"},
        {"name": "size", "model": "company", "data_type": "options", "options": ["s", "m", "l"]},
    ],
    "tags": ["vip", {"name": "beta-2026", "renamed_from": "Beta"}, {"name": "promo", "state": "absent"}, "past", "new"],
    "companies": [
        {"company_id": "6", "name": "Blue Sun Inc", "tags": ["vip", "new"], "custom_attributes": {"size": "m"}},
        {"company_id": "7", "state": "absent"},
        {"company_id": "9", "name": "Nine", "plan": "p2"},
        {"company_id": "quiet", "size": 3},
    ],
    "contacts": [
        {"external_id": "25", "name": "Wash", "tags": ["vip", "new"], "companies": ["6", "9"], "custom_attributes": {"score": 1}},
        {"external_id": "26", "tags": ["new", {"tag": "vip", "state": "absent"}], "companies": [{"company": "6", "state": "absent"}]},
        {"email": "ops@serenity.example", "role": "lead", "name": "Ops", "tags": ["new"]},
        {"email": "new@serenity.example", "role": "lead", "missing": "create", "tags": ["new"]},
        {"external_id": "27", "state": "present"},
        {"email": "kaylee@serenity.example", "custom_attributes": {"score": None}},
        {"external_id": "28", "email": "book@serenity.example", "missing": "create"},
        {"external_id": "40", "state": "archived"},
    ],
}


@dataclass
class World:
    """A workspace on disk, and perhaps a ledger, as it is before and after an honest apply, and what its plan and it ask."""

    folder: Path
    ledger: bool
    before: State
    after: State
    asked: list[str]
    # What the honest plan asked of that, how often, and what it is.
    planning: Counter[str]
    plan: PlanDocument


@contextmanager
def opened(folder: Path, *, ledger: bool) -> Iterator[Route]:
    clock = Clock()
    with ExitStack() as stack:
        box = stack.enter_context(Sandbox(folder / "sandbox.db", now=clock, hide_userless="list"))
        kept = Ledger.open(folder / ".reconciler", create=True, now=clock) if ledger else None
        yield Route(box, folder, clock, stack.enter_context(kept) if kept else None)


def prepare(folder: Path, *, ledger: bool) -> World:
    """The world that is lied about: after one apply, with another one to come."""
    start, live = folder / "start", folder / "live"
    live.mkdir(parents=True)
    with opened(live, ledger=ledger) as route:
        route.box.seed(SEED)
        route.converge(route.manifest(BEFORE))
        route.manifest(AFTER)
        before = state(route.box)
    live.rename(start)
    asked: list[str] = []

    def note(what: str, body: Any) -> Any:
        asked.append(what)
        return body

    with a_copy(start, ledger=ledger) as route:
        route.between = lambda app: Liar(app, note)
        plan = route.saved(route.folder / "intercom.yaml")
        planning = Counter(asked)
        assert end_of(route, plan) == 0
        return World(start, ledger, before, state(route.box), asked, planning, plan)


@contextmanager
def a_copy(start: Path, *, ledger: bool) -> Iterator[Route]:
    """The world again, at the place where it was made: the ledger knows the manifest by it."""
    folder = start.with_name("live")
    shutil.copytree(start, folder)
    try:
        with opened(folder, ledger=ledger) as route:
            yield route
    finally:
        shutil.rmtree(folder)


def end_of(route: Route, plan: PlanDocument | None) -> int:
    """Plan, unless a plan is given, and apply: the exit code of the command line. What nobody foresaw is no ReconcilerError."""
    try:
        outcomes = route.apply(plan or route.saved(route.folder / "intercom.yaml"))
    except ReconcilerError as error:
        return error.exit_code
    strange = [o.reason for o in outcomes if "unforeseen" in o.reason]
    assert not strange, strange
    return 0 if all(outcome.status is Status.APPLIED for outcome in outcomes) else 5


# ---- what is live
def state(box: Sandbox) -> State:
    """All that is live, by names: ids differ from run to run."""
    docs: dict[str, Mapping[str, Doc]] = {kind: box.ws.store.table(kind).docs for kind in ("tag", "company", "contact", "attribute")}
    names = {
        "tag": {i: tag["name"] for i, tag in docs["tag"].items()},
        "company": {i: company["company_id"] for i, company in docs["company"].items()},
    }
    by_id: State = {}
    for kind, things in docs.items():
        for doc in things.values():
            by_id.setdefault((kind, _called(kind, doc)), []).append(_seen(doc, names))
    return by_id


def _called(kind: str, doc: Doc) -> str:
    if kind == "contact":
        return str(doc.get("external_id") or str(doc.get("email") or doc["id"]).casefold())
    return str(doc["company_id"] if kind == "company" else doc["name"])


_TEXT = "role email name phone external_id archived plan size website industry monthly_spend data_type description options"
_SHOWN = _TEXT.split()


def _seen(doc: Doc, names: Mapping[str, Mapping[str, str]]) -> Doc:
    values = {name: doc[name] for name in _SHOWN if doc.get(name) not in (None, "", False)}
    values |= {f"custom.{name}": value for name, value in (doc.get("custom_attributes") or {}).items() if value is not None}
    for kind, key in (("tag", "tags"), ("company", "companies")):
        values |= {f"{key}.{names[kind][i]}": True for i in doc.get(key) or () if i in names[kind]}
    return values


def strange(before: State, after: State, now: State) -> list[str]:
    """What is live and was neither before nor is after an honest apply."""
    return [said for name in sorted(before.keys() | after.keys() | now.keys()) for said in _strange_thing(name, before, after, now)]


def _strange_thing(name: tuple[str, str], before: State, after: State, now: State) -> Iterator[str]:
    here, sides = now.get(name, []), (before.get(name, []), after.get(name, []))
    if not min(map(len, sides)) <= len(here) <= max(map(len, sides)):
        yield f"{name}: {len(here)} of them"
    for thing in here:
        honest = [side for known in sides for side in known] or [{}]
        for path in sorted(thing.keys() | {key for side in honest for key in side}):
            if thing.get(path) not in [side.get(path) for side in honest] and not _half_made(name, thing, path, before):
                yield f"{name} {path}: {thing.get(path)!r}"


def _half_made(name: tuple[str, str], thing: Doc, path: str, before: State) -> bool:
    """What was made and did not get everything yet."""
    return name not in before and path not in thing


# ---- lies
OTHERS: tuple[Any, ...] = (None, True, False, 0, -1, 7, 2.5, 10**30, "", "x", "7", "None", [], [1], [None], {}, {"a": 1}, [{}], [[]])
_LIES: dict[str, tuple[Any, ...]] = {
    "total_count": (0, 1, 3, 10**6, -1, None, True, "2", 1.5),
    "has_more": (True, False, None, "yes", 1),
    "pages": (None, [], {"next": None}, {"next": {"page": 2}}, {"next": {"starting_after": "x"}}, {"total_pages": 3}, {"next": 7}),
    "next_cursor": ("x", None),
    "scroll_param": ("x", None),
}
TOTALS = tuple((key, value) for key, values in _LIES.items() for value in values)


@dataclass
class Lie:
    """One lie: where it is told (the n-th answer to a question, or all to it), and what is done to that answer."""

    where: str
    nth: int
    always: bool
    how: str
    seed: int
    told: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    def edit(self, asked: str, body: Any) -> Any:
        self.seen[asked] += 1
        if asked != self.where or not (self.always or self.seen[asked] == self.nth):
            return body
        # The same lie each time.
        return WAYS[self.how](copy.deepcopy(body), random.Random(self.seed), self.told)


Place = tuple[Any, Any]
# What an answer is used for; the rest of a body is lied about less.
_KEYS = """id type data name email external_id company_id role custom_attributes tags companies users tagged pages next total_count
    total_pages has_more page per_page starting_after scroll_param app id_code region custom archived model data_type options plan
    created_at deleted"""
_NAMING = ("id", "email", "external_id", "company_id", "name", "data", "role", "tags", "companies", "total_count")
_USED = frozenset(_KEYS.split())


def places(body: Any, chance: random.Random) -> list[Place]:
    """Values in a body, as their container and their key."""
    spots: list[Place] = []
    rest = [body]
    while rest:
        value = rest.pop()
        for key in value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            spots.append((value, key))
            rest.append(value[key])
    used = [(container, key) for container, key in spots if key in _USED]
    return used if used and chance.random() < 0.8 else spots


def _retyped(body: Any, chance: random.Random, told: list[str]) -> Any:
    container, key = chance.choice(places(body, chance) or [([body], 0)])
    old = container[key]
    container[key] = chance.choice([v for v in OTHERS if type(v) is not type(old) or v != old])
    told.append(f"{key}: {old!r:.60} -> {container[key]!r}")
    return body


def _whole(body: Any, chance: random.Random, told: list[str]) -> Any:
    told.append("the body")
    return chance.choice(OTHERS)


def _missing(body: Any, chance: random.Random, told: list[str]) -> Any:
    if spots := [(c, k) for c, k in places(body, chance) if isinstance(c, dict)]:
        container, key = chance.choice(spots)
        told.append(f"without {key}: {container[key]!r:.60}")
        del container[key]
    return body


def _null(body: Any, chance: random.Random, told: list[str]) -> Any:
    if spots := places(body, chance):
        container, key = chance.choice(spots)
        told.append(f"{key}: {container[key]!r:.60} -> null")
        container[key] = None
    return body


def _extra(body: Any, chance: random.Random, told: list[str]) -> Any:
    containers = [c[k] for c, k in places(body, chance) if isinstance(c[k], (dict, list))] + ([body] if isinstance(body, dict) else [])
    if containers:
        into = chance.choice(containers)
        what = chance.choice(OTHERS)
        told.append(f"more: {what!r}")
        if isinstance(into, dict):
            into[chance.choice(("surprise", "data", "errors", "tags", "companies", "archived", "merged"))] = what
        else:
            into.insert(chance.randint(0, len(into)), copy.deepcopy(chance.choice([what, *into])))
    return body


def _totals(body: Any, chance: random.Random, told: list[str]) -> Any:
    holders = [body, *(c[k] for c, k in places(body, chance) if isinstance(c[k], dict) and k in ("tags", "companies", "pages"))]
    into = chance.choice([holder for holder in holders if isinstance(holder, dict)] or [{}])
    key, value = chance.choice(TOTALS)
    told.append(f"{key}: {into.get(key)!r:.60} -> {value!r}")
    into[key] = value
    return body


def _everywhere(body: Any, chance: random.Random, told: list[str]) -> Any:
    """One key, wherever it stands."""
    key = chance.choice(sorted(_USED) if chance.random() < 0.3 else _NAMING)
    value = chance.choice(OTHERS)
    gone = chance.random() < 0.3
    told.append(f"every {key} {'missing' if gone else f'-> {value!r}'}")
    for container, name in places(body, chance):
        if name == key and isinstance(container, dict) and gone:
            container.pop(name, None)
        elif name == key and isinstance(container, dict):
            container[name] = copy.deepcopy(value)
    return body


def _shorter(body: Any, chance: random.Random, told: list[str]) -> Any:
    """A list that lost some or all of what it says that it has."""
    lists = [c[k] for c, k in places(body, chance) if isinstance(c[k], list) and c[k]]
    if lists:
        top = [items for items in lists if isinstance(body, dict) and any(items is value for value in body.values())]
        cut = chance.choice(top if top and chance.random() < 0.7 else lists)
        kept = chance.choice((0, chance.randrange(len(cut))))
        told.append(f"{kept} of {len(cut)}")
        del cut[kept:]
    return body


WAYS: dict[str, Callable[[Any, random.Random, list[str]], Any]] = {
    "type": _retyped, "body": _whole, "missing": _missing, "null": _null, "extra": _extra, "totals": _totals,
    "everywhere": _everywhere, "shorter": _shorter,
}  # fmt: skip
_ODDS = """type type type missing missing null null extra totals totals everywhere everywhere everywhere shorter shorter shorter
    body"""


def a_lie(world: World, seed: int) -> Lie:
    chance = random.Random(seed)
    at = chance.randrange(len(world.asked))
    always = chance.random() < 0.5
    nth = 1 if always else world.asked[: at + 1].count(world.asked[at])
    return Lie(world.asked[at], nth, always, chance.choice(_ODDS.split()), seed)


def lied_to(world: World, seed: int) -> str:
    """What is wrong with an apply that was lied to; "" where nothing is."""
    lie = a_lie(world, seed)
    with a_copy(world.folder, ledger=world.ledger) as route:
        route.between = lambda app: Liar(app, lie.edit)
        try:
            ended = end_of(route, _honest_plan(world, lie))
            wrong = "; ".join([*strange(world.before, world.after, state(route.box)), *([] if ended in ENDS else [f"ended with {ended}"])])
        except Exception as error:
            wrong = f"{type(error).__name__}: {error} in {traceback.extract_tb(error.__traceback__)[-1]}"
        which = f"{lie.how} in {'every answer' if lie.always else f'answer {lie.nth}'} to {lie.where}"
        return f"{seed}, {'with' if world.ledger else 'without'} a ledger, {which}, {lie.told[:2]}: {wrong}" if wrong else ""


def _honest_plan(world: World, lie: Lie) -> PlanDocument | None:
    """The plan, where the lie is told after it: its answers have been given."""
    if lie.nth <= world.planning[lie.where]:
        return None
    lie.seen.update(world.planning)
    return world.plan


def runs(number: int) -> Iterator[tuple[bool, range]]:
    """So many lies, as seeds: one of twenty is told with a ledger, which takes three times as long."""
    part = 19 * number // 60
    yield from ((False, range(n * part, (n + 1) * part)) for n in range(3))
    yield True, range(3 * part, number)
