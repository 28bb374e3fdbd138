"""A kind's routes with their values filled in become requests, and replies are read only in the shape that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qsl, urlsplit

from reconciler.core.model import body as door
from reconciler.core.model.address import LinkName
from reconciler.core.model.kind import Kind
from reconciler.core.model.live import Live
from reconciler.core.model.route import Listing
from reconciler.intercom import totals
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.errors import BadAnswer
from reconciler.intercom.http.request import Parse, Reply, Request, path
from reconciler.intercom.totals import Implausible, Tally

# The ids at the other ends of the links that a body shows, by their list, and whether these are all.
Links = Mapping[LinkName, tuple[frozenset[str], bool]]
Query = tuple[tuple[str, str], ...]
Body = dict[str, Any]
# Told, of one sort of things, how many were read, and how many more are known to come.
Count = Callable[[int, int], None]
T = TypeVar("T")
NOTHING: Mapping[str, str] = MappingProxyType({})


class Tick(Protocol):
    """Told of what is read, for progress."""

    def __call__(self, name: str, n: int = 1, more: int = 0) -> None:
        """`n` of the things called `name` are read, and `more` of them are known to come."""


def silent(name: str, n: int = 1, more: int = 0) -> None:
    """Tells nobody."""


def tell_nobody(n: int, more: int) -> None:
    """Tells nobody."""


def request(route: str, values: Mapping[str, str], body: Any = None, query: Query = (), repeatable: bool = True) -> Request:
    """`GET /companies?company_id={key}` and its values as a request; each value is one path segment or one query value."""
    method, _, template = route.partition(" ")
    template, _, query_text = template.partition("?")
    pairs = tuple((name, value.format_map(values)) for name, value in parse_qsl(query_text))
    return Request(method, path(template, **values), pairs + query, body, repeatable)


def bad(client: Client, request: Request, why: str) -> BadAnswer:
    """The error of an answer that is not what was asked for."""
    return BadAnswer(client.describe(request), why, not request.reads_only)


def items(client: Client, request: Request, listing: Listing, reply: Reply) -> list[dict[str, Any]]:
    """The array of a list answer. Raises BadAnswer where there is none, or what is in it is not things."""
    for key in listing.items:
        value = reply.body.get(key)
        if isinstance(value, list):
            if not all(isinstance(item, dict) for item in value):
                raise bad(client, request, f"the list {key!r} holds something that is no object")
            return value
    raise bad(client, request, f"the answer has no list ({' or '.join(listing.items)}); nothing can be said of what is live")


def ids(client: Client, listing: Listing, bodies: Iterable[Body], values: Mapping[str, str] = NOTHING) -> frozenset[str]:
    """The ids of what a list shows. Raises BadAnswer where one has not Intercom's shape: who that is cannot be told."""
    request = request_of(listing, values)
    return frozenset([id_of(client, request, body) for body in bodies])


def request_of(listing: Listing, values: Mapping[str, str] = NOTHING) -> Request:
    """What a listing asks for, as people see it where it failed."""
    method, _, template = listing.route.partition(" ")
    return Request(method, path(template.partition("?")[0], **values))


def thing(client: Client, request: Request, kind: Kind, body: Any) -> Live:
    """One thing of a kind. Raises BadAnswer for a body that cannot be one."""
    return _check_shape(client, request, lambda: door.thing(kind, body), f"the answer is no {kind.name} that can be read")


def things(client: Client, listing: Listing, kind: Kind, bodies: Iterable[Body]) -> Iterator[Live]:
    """The things of a kind among what a list shows. Raises BadAnswer for a body that cannot be one."""
    request = request_of(listing)
    return (thing(client, request, kind, body) for body in bodies if kind.admits(body))


def links(client: Client, request: Request, kind: Kind, body: Body) -> Links:
    """The links that a thing's own body shows, by their list, and whether these are all. Raises BadAnswer for what cannot be such."""
    return _check_shape(client, request, lambda: door.links(kind, body), f"the answer is no {kind.name} that can be read")


def things_with_links(client: Client, kind: Kind, bodies: Iterable[Body], asked: Callable[[], Request]) -> Iterator[tuple[Live, Links]]:
    """The things of a kind among what was `asked`, each with the links in it. Raises BadAnswer for a body that cannot be one."""
    try:
        yield from ((door.thing(kind, body), door.links(kind, body)) for body in bodies if kind.admits(body))
    except door.Misshapen as error:
        raise bad(client, asked(), f"the answer is no {kind.name} that can be read: it {error}") from None


def id_of(client: Client, request: Request, body: Any) -> str:
    """The id of an object in an answer. Raises BadAnswer where it has none."""
    return _check_shape(client, request, lambda: door.read_id(body), "what the answer shows cannot be read")


def _check_shape(client: Client, request: Request, read: Callable[[], T], problem: str) -> T:
    try:
        return read()
    except door.Misshapen as error:
        raise bad(client, request, f"{problem}: it {error}") from None


def next_page(reply: Reply, page: int) -> dict[str, str] | None:
    """What to ask for next, from `pages`: an object, a URL, null, or a count of pages. Only the parameters of a URL are used."""
    pages = reply.body.get("pages")
    if not isinstance(pages, dict):
        return None
    following = pages.get("next")
    if isinstance(following, str) and following:
        return dict(_read_query(following)) or None
    if isinstance(following, dict):
        return {k: str(v) for k, v in following.items() if k in ("page", "starting_after", "per_page") and v not in (None, "")} or None
    total = totals.whole(pages.get("total_pages"))
    return {"page": str(page + 1)} if total is not None and page < total else None


def _read_query(url: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(url).query)
    except ValueError:
        return []


def read_list(client: Client, listing: Listing, values: Mapping[str, str] = NOTHING, first: Sequence[Body] = ()) -> Iterator[Body]:
    """Every item that a listing shows, page by page; after the `first` page, where that was read already."""
    for _, page in list_pages(client, listing, values, first=first):
        yield from page


def list_pages(
    client: Client, listing: Listing, values: Mapping[str, str] = NOTHING, count: Count = tell_nobody, first: Sequence[Body] = ()
) -> Iterator[tuple[Reply, list[Body]]]:
    """Every page of a listing with what it shows; `count` is told before each and after it."""

    def make(following: Mapping[str, str]) -> Request:
        count(0, 0)
        query = {"per_page": str(listing.per_page)} if listing.style != "one" else {}
        return request(listing.route, values, query=tuple({**query, **following}.items()))

    yield from _count_pages(pages(client, listing, make, first), count)


def read_search(client: Client, listing: Listing, query: Body, count: Count = tell_nobody, parse: Parse | None = None) -> Iterator[Body]:
    """Every item that a search finds, page by page; `count` is told before each and after it. `parse` reads the pages."""

    def make(following: Mapping[str, str]) -> Request:
        count(0, 0)
        # starting_after counts in the body only: in the URL it silently returns page 1 (community.intercom.com 2038).
        paging: Body = {"per_page": listing.per_page}
        if "starting_after" in following:
            paging["starting_after"] = following["starting_after"]
        return replace(request(listing.route, {}, {"query": query, "pagination": paging}), parse=parse)

    for _, page in _count_pages(pages(client, listing, make), count):
        yield from page


def _count_pages(pages: Iterator[tuple[Reply, list[Body]]], count: Count) -> Iterator[tuple[Reply, list[Body]]]:
    """The same pages; what each shows is counted, and what is to come as far as the answers say."""
    so_far = last = 0
    for reply, page in pages:
        so_far += len(page)
        total = max(so_far, last, totals.whole(reply.body.get("total_count")) or 0)
        count(len(page), total - last)
        last = total
        yield reply, page


Make = Callable[[Mapping[str, str]], Request]
# A list that does not add up is read once more: it may have moved while it was read.
LOOKS = 2


def pages(
    client: Client, listing: Listing, make: Make, first: Sequence[Body] = (), answer: Reply | None = None
) -> Iterator[tuple[Reply, list[Body]]]:
    """Every page of a listing with what it shows that no page before it did. `make` builds the request from the parameters of a page;
    of the first page the items, or the whole answer, may be known already.

    Raises Contradicted where the answers say that there is more than they show, or go on for ever.
    """
    ids = {str(item.get("id")) for item in first}
    for look in range(LOOKS):
        try:
            for reply, page in _look(client, listing, make, *(((), None) if look else (first, answer))):
                new = [item for item in page if item.get("id") is None or str(item["id"]) not in ids] if ids else page
                ids.update([str(item["id"]) for item in new if item.get("id") is not None])
                yield reply, new
            return
        except Contradicted:
            if look == LOOKS - 1:
                raise


def _look(client: Client, listing: Listing, make: Make, first: Sequence[Body], answer: Reply | None) -> Iterator[tuple[Reply, list[Body]]]:
    """One look at a listing, from its start, from its first answer, or after a first page with these items."""
    tally, page = Tally(), 1
    following: dict[str, str] = {}
    if first:
        tally.add(first)
        following, page = {"page": "2"}, 2
    while True:
        request = make(following)
        reply, answer = answer or client.send(request), None
        things = items(client, request, listing, reply)
        step = _step(client, request, listing, reply, page)
        check_page(client, request, reply.body, things, tally, last_page=step is None)
        yield reply, things
        if step is None:
            break
        following, page = step, page + 1
    if tally.is_short:
        raise contradiction(client, request, f"the list says that there are {tally.total} and showed {tally.count}")


class Contradicted(BadAnswer):
    """A list whose totals are not what it shows, or that has no end."""


def contradiction(client: Client, request: Request, why: str) -> Contradicted:
    """The error of a list that does not add up."""
    return Contradicted(client.describe(request), f"{why}; nothing can be said of what is not in it")


def check_page(client: Client, request: Request, body: Mapping[str, Any], page: Sequence[Body], tally: Tally, *, last_page: bool) -> None:
    """Hold one page of a list against its own totals and against those before it. Raises Contradicted."""
    if problem := totals.flaw(body, len(page)):
        raise contradiction(client, request, problem)
    try:
        tally.take(body, page, last_page)
    except Implausible as error:
        raise contradiction(client, request, str(error)) from None


def _step(client: Client, request: Request, listing: Listing, reply: Reply, page: int) -> dict[str, str] | None:
    """The step to the next page of a listing. Raises Contradicted where a list goes on without saying how."""
    step = next_page(reply, page)
    by_cursor = listing.style in ("search", "cursor")
    if (step is None and goes_on(reply)) or (step is not None and by_cursor and "starting_after" not in step):
        raise contradiction(client, request, "the list says that it goes on, and not how")
    return step


def goes_on(reply: Reply) -> bool:
    """Whether a list says that it is not whole."""
    pages = reply.body.get("pages")
    return reply.body.get("has_more") not in (None, False) or bool(isinstance(pages, dict) and pages.get("next"))
