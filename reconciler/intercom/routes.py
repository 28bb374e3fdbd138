"""A kind's routes with their values filled in become requests, and replies are read only in the shape that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from reconciler.core.kind import Kind, Listing, decode
from reconciler.core.resource import Live
from reconciler.intercom.http import BadAnswer, Call, Client, Reply, Request, path

Query = tuple[tuple[str, str], ...]
Body = dict[str, Any]
Tick = Callable[[str], None]
NOTHING: Mapping[str, str] = MappingProxyType({})


def silent(_: str) -> None:
    """Tells nobody."""


def request(route: str, values: Mapping[str, str], body: Any = None, query: Query = (), repeatable: bool = True) -> Request:
    """`GET /companies?company_id={key}` and its values as a request; each value is one path segment or one query value."""
    method, _, template = route.partition(" ")
    template, _, asked = template.partition("?")
    filled = tuple((name, value.format_map(values)) for name, value in parse_qsl(asked))
    return Request(method, path(template, **values), filled + query, body, repeatable)


def bad(client: Client, asked: Request, why: str) -> BadAnswer:
    """The error of an answer that is not what was asked for."""
    return BadAnswer(Call(asked.method, client.host, asked.path), why)


def items(client: Client, asked: Request, listing: Listing, reply: Reply) -> list[dict[str, Any]]:
    """The array of a list answer. Raises BadAnswer where there is none, or what is in it is not things."""
    for key in listing.items:
        found = reply.body.get(key)
        if isinstance(found, list):
            if not all(isinstance(item, dict) for item in found):
                raise bad(client, asked, f"the list {key!r} holds something that is no object")
            return found
    raise bad(client, asked, f"the answer has no list ({' or '.join(listing.items)}); nothing can be said of what is live")


def thing(client: Client, asked: Request, kind: Kind, body: Any) -> Live:
    """One thing of a kind. Raises BadAnswer for a body that cannot be one."""
    if not isinstance(body, dict) or not isinstance(body.get("id"), (str, int)):
        raise bad(client, asked, f"the answer is no {kind.name}")
    try:
        return decode(kind, body)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise bad(client, asked, f"the answer is no {kind.name} that can be read") from None


def next_page(reply: Reply, page: int) -> dict[str, str] | None:
    """What to ask for next, from `pages`: an object, a URL, null, or a count of pages. Only the parameters of a URL are used."""
    pages = reply.body.get("pages")
    if not isinstance(pages, dict):
        return None
    following = pages.get("next")
    if isinstance(following, str) and following:
        return dict(parse_qsl(urlsplit(following).query)) or None
    if isinstance(following, dict):
        return {k: str(v) for k, v in following.items() if k in ("page", "starting_after", "per_page") and v not in (None, "")} or None
    total = pages.get("total_pages")
    if isinstance(total, int) and page < total:
        return {"page": str(page + 1)}
    return None


def listed(client: Client, listing: Listing, values: Mapping[str, str] = NOTHING) -> Iterator[Body]:
    """Every item that a listing shows, page by page."""
    for asked, reply in list_pages(client, listing, values):
        yield from items(client, asked, listing, reply)


def list_pages(
    client: Client, listing: Listing, values: Mapping[str, str] = NOTHING, tick: Tick = silent
) -> Iterator[tuple[Request, Reply]]:
    """Every page of a listing; `tick` is told before each."""

    def make(following: dict[str, str]) -> Request:
        tick(listing.route)
        query = {"per_page": str(listing.per_page)} if listing.style != "whole" else {}
        return request(listing.route, values, query=tuple({**query, **following}.items()))

    yield from pages(client, make)


def searched(client: Client, listing: Listing, query: Body, tick: Tick = silent) -> Iterator[Body]:
    """Every item that a search finds, page by page; `tick` is told before each."""

    def make(following: dict[str, str]) -> Request:
        tick(listing.route)
        # starting_after counts in the body only: in the URL it silently returns page 1 (community.intercom.com 2038).
        paging: Body = {"per_page": listing.per_page}
        if "starting_after" in following:
            paging["starting_after"] = following["starting_after"]
        return request(listing.route, {}, {"query": query, "pagination": paging})

    for asked, reply in pages(client, make):
        yield from items(client, asked, listing, reply)


def pages(client: Client, make: Callable[[dict[str, str]], Request]) -> Iterator[tuple[Request, Reply]]:
    """Every page of a listing, one after the other. `make` builds the request from the parameters of the next page."""
    following: dict[str, str] = {}
    seen: Steps = set()
    page = 1
    while True:
        asked = make(following)
        reply = client.send(asked)
        yield asked, reply
        step = checked(client, asked, reply, next_page(reply, page), seen)
        if step is None:
            return
        following, page = step, page + 1


Steps = set[tuple[tuple[str, str], ...]]


def checked(client: Client, asked: Request, reply: Reply, step: dict[str, str] | None, seen: Steps) -> dict[str, str] | None:
    """The step to the next page. Raises BadAnswer where a list goes on without saying how, or goes round in circles."""
    if step is None:
        if reply.body.get("has_more") is True:
            raise bad(client, asked, "the list says has_more and does not say how to go on")
        return None
    key = tuple(sorted(step.items()))
    if key in seen:
        raise bad(client, asked, "the list names the same next page again and again")
    seen.add(key)
    return step
