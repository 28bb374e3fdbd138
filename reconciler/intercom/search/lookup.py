"""Lookups: live things by their keys or by a search; and raw calls, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from reconciler.core.compare.index import Index
from reconciler.core.model.ability import Searched
from reconciler.core.model.address import ID, Address
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.kind import Identity, Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Workspace
from reconciler.core.model.policy import Policy
from reconciler.core.search import query as where
from reconciler.core.search.query import Query
from reconciler.errors import Mark
from reconciler.intercom import me, routes
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.errors import HttpError
from reconciler.intercom.http.request import Reply, Request
from reconciler.intercom.listing import everything
from reconciler.intercom.observe import Observer
from reconciler.intercom.routes import Body, Tick, silent
from reconciler.intercom.totals import Tally


@dataclass
class KeyLookup:
    """What keys lead to."""

    # The things that have them.
    things: list[Live] = field(default_factory=list)
    # Keys that nothing has.
    missing: list[str] = field(default_factory=list)
    # Keys whose bearer was merged into another, with the id of that one.
    merged: dict[str, str] = field(default_factory=dict)


def read_search(client: Client, kind: Kind, query: Query, tick: Tick = silent) -> Iterator[Live]:
    """All things that a kind's search finds, page by page."""
    assert kind.search is not None
    listing = kind.search.listing
    return routes.things(client, listing, kind, routes.read_search(client, listing, query, partial(tick, kind.section)))


def find_by_keys(observer: Observer, kind: Kind, keys: Sequence[str], here: Workspace) -> KeyLookup:
    """The things that keys mean, by the first identity of their kind by which anything is found; in the order of the keys."""
    things_by_key: dict[str, list[Live]] = {}
    heirs: dict[str, str] = {}
    for identity in kind.identities:
        questions = [key for key in keys if key not in things_by_key and _can_be(kind, identity, _strip_prefix(identity, key))]
        for key, things in _ask(observer, kind, identity, questions, here, heirs):
            things_by_key[key] = things
    by_id = {thing.id: thing for key in keys for thing in things_by_key.get(key, ())}
    return KeyLookup(list(by_id.values()), [key for key in dict.fromkeys(keys) if key not in things_by_key], heirs)


def _can_be(kind: Kind, identity: Identity, key: str) -> bool:
    """Whether a manifest could name a thing so: nothing else is ever asked for."""
    try:
        kind.entry.model_validate({identity.field: key})
    except ValidationError as error:
        # What else an entry must have says nothing of its name.
        return all(problem["type"] == "missing" for problem in error.errors(include_url=False, include_input=False))
    return True


def _strip_prefix(identity: Identity, key: str) -> str:
    """A key as an identity has it: an id stands behind `id:` in an address."""
    return key.removeprefix(ID) if identity.field == "id" else key


def _ask(
    observer: Observer, kind: Kind, identity: Identity, keys: Sequence[str], here: Workspace, heirs: dict[str, str]
) -> Iterator[tuple[str, list[Live]]]:
    if not keys:
        return
    addresses = [Address(kind.name, key) for key in keys]
    resources = {a: Resource(a, identity.field, _strip_prefix(identity, a.key), {}, Mark("")) for a in addresses}
    live = observer.observe(Manifest(resources, Policy()), here, None)
    index = Index(kind, live.things[kind.name].values())
    for address, resource in resources.items():
        survivor = live.of(address) if address in live.merged else None
        if survivor:
            heirs[address.key] = survivor.id
        things = [survivor] if survivor else list(index.get((identity.field, identity.fold(resource.key))))
        if things:
            yield address.key, things


def list_searchable(client: Client, kinds: Kinds, kind: Kind) -> dict[str, Searched]:
    """All that a kind's search takes in this workspace: its own fields, and those that live things describe."""
    return dict(kind.search.fields if kind.search else {}) | list_custom(client, kinds, kind)


def list_custom(client: Client, kinds: Kinds, kind: Kind) -> dict[str, Searched]:
    """The fields of a kind that live things describe, with their types."""
    fields: dict[str, Searched] = {}
    for prefix, typing in where.list_prefixes(kind).items():
        for thing in everything(client, kinds[typing]):
            if thing.fields.get("model") in (None, kind.name):
                fields[prefix + thing.key] = Searched(str(thing.fields.get("data_type")))
    return fields


def read_time_zone(client: Client) -> tuple[tzinfo, str]:
    """The workspace's time zone, and its name: "" where it has none that is known here."""
    name = me.ask(client).time_zone
    try:
        return ZoneInfo(name), name
    except (KeyError, ValueError, OSError):
        return UTC, ""


def read_answers(client: Client, request: Request, *, all_pages: bool) -> Iterator[tuple[Reply, HttpError | None]]:
    """The answer to a raw call, or those for all its pages; with the error where Intercom said no, which is then the last."""
    tally, page = Tally(), 0
    while True:
        reply, error = client.exchange(request)
        yield reply, error
        page += 1
        if error or not all_pages:
            return
        step = _next_scroll(reply) or _next_step(reply, page)
        if step is None and routes.goes_on(reply):
            raise routes.contradiction(client, request, "the list says that it goes on, and not how")
        routes.check_page(client, request, reply.body, _list_items(reply.body), tally, last_page=step is None)
        if step is None:
            return
        request = _continue(request, step)


def _list_items(body: Body) -> list[Body]:
    """What an answer lists, whatever it calls it."""
    return next(([item for item in value if isinstance(item, dict)] for value in body.values() if isinstance(value, list)), [])


def _next_step(reply: Reply, page: int) -> dict[str, str] | None:
    """What to ask for next: by `pages`, or by a cursor that stands alone (GET /contacts/{id}/merge_history, API 2.16)."""
    body = reply.body
    pages: Any = body.get("pages")
    here = pages.get("page") if isinstance(pages, dict) else None
    if step := routes.next_page(reply, here if isinstance(here, int) else page):
        return step
    if body.get("has_more") is True and body.get("next_cursor"):
        return {"cursor": str(body["next_cursor"])}
    return None


def _next_scroll(reply: Reply) -> dict[str, str] | None:
    """A scroll keeps its parameter from page to page, and ends with an empty one (GET /companies/scroll)."""
    param = reply.body.get("scroll_param")
    return {"scroll_param": str(param)} if param and reply.body.get("data") else None


def _continue(request: Request, step: Mapping[str, str]) -> Request:
    """The request for the next page: a search takes its cursor in the body, all others in the query."""
    if request.method == "POST" and request.path.endswith("/search"):
        body: Any = request.body or {}
        return replace(request, body={**body, "pagination": {**(body.get("pagination") or {}), **_write_step(step)}})
    query = tuple((name, value) for name, value in request.query if name not in step)
    return replace(request, query=(*query, *step.items()))


def _write_step(step: Mapping[str, str]) -> dict[str, Any]:
    if "starting_after" in step:
        return {"starting_after": step["starting_after"]}
    return {name: int(value) if value.isdecimal() else value for name, value in step.items()}
