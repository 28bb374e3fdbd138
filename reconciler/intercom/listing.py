"""All that a listing shows: page by page, and by the scroll where the pages would end too early.

The scroll is the only way past the first 10,000 of a listing. One may be open per app, it expires, and trouble means start again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from reconciler.core.model.kind import Kind
from reconciler.core.model.live import Live
from reconciler.core.model.route import Listing
from reconciler.errors import IntercomError
from reconciler.intercom import routes, totals
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.errors import HttpError, NoAnswer
from reconciler.intercom.http.request import Request
from reconciler.intercom.routes import Body, Count, Tick, silent, tell_nobody
from reconciler.intercom.totals import Tally

# Seconds. An unused scroll expires after a minute (API 2.16, GET /companies/scroll), so somebody else's is gone by then.
EXPIRY = 61.0
# How often a scroll is started. One that breaks costs two starts: it stays open until it expires, and the next start meets it.
STARTS = 5
# The most items of one scroll: a scroll does not say how much it will show.
MOST = 1_000_000


def everything(client: Client, kind: Kind, tick: Tick = silent) -> Iterator[Live]:
    """All things that the listing of a kind shows, page by page."""
    assert kind.listing is not None
    return routes.things(client, kind.listing, kind, read_all(client, kind.listing, partial(tick, kind.section)))


def read_all(client: Client, listing: Listing, count: Count = tell_nobody, first: Sequence[Body] = ()) -> Iterator[Body]:
    """All bodies of a listing, after the `first` page where that was read already.

    Numbered pages shift while they are read: an item that moved onto a later page is shown once.
    """
    ids, shown = {str(body.get("id")) for body in first}, len(first)
    try:
        for reply, page in routes.list_pages(client, listing, count=count, first=first):
            if _ends_early(listing, totals.whole(reply.body.get("total_count")) or 0):
                break
            ids.update(str(body.get("id")) for body in page)
            # What is shown again takes the place of another one up to the cap.
            shown += totals.rows(reply.body)
            yield from page
        else:
            if not _ends_early(listing, shown):
                return
    except routes.Contradicted:
        if not listing.scroll:
            raise
    assert listing.scroll
    yield from (body for body in scroll(client, listing.scroll) if str(body.get("id")) not in ids)


def _ends_early(listing: Listing, number: int) -> bool:
    """Whether a listing ends at so many though there may be more, which a scroll shows: a count at the cap is no count."""
    return listing.scroll is not None and listing.hides(number)


def scroll(client: Client, listing: Listing) -> Iterator[Body]:
    """Every item, once. Raises IntercomError when no scroll came to its end in five starts."""
    ids: set[str] = set()
    for _ in range(STARTS):
        try:
            for body in _scroll_once(client, listing):
                if (live_id := str(body.get("id"))) not in ids:
                    ids.add(live_id)
                    yield body
            return
        except (HttpError, NoAnswer) as error:
            trouble = error
            if isinstance(error, HttpError) and error.code == "scroll_exists":
                client.pause(EXPIRY, "another scroll is open, and Intercom admits one at a time")
            elif isinstance(error, HttpError) and error.status != 404 and error.status < 500:
                raise
    text = f"no scroll came to its end in {STARTS} starts; another program may be scrolling, try again later"
    raise IntercomError(f"{listing.route}: {text} (the last one: {trouble})")


def _scroll_once(client: Client, listing: Listing) -> Iterator[Body]:
    """The pages of one scroll; an empty one is the last."""
    query: tuple[tuple[str, str], ...] = ()
    tally = Tally(most=MOST)
    while True:
        # Not to be sent again by the client: after a 500 the scroll must be restarted (API 2.16).
        method, _, path = listing.route.partition(" ")
        request = Request(method, path, query, repeatable=False, read=False)
        reply = client.send(request)
        page = routes.items(client, request, listing, reply)
        routes.check_page(client, request, reply.body, page, tally, last_page=not page)
        if not page:
            return
        yield from page
        param = reply.body.get("scroll_param")
        if not isinstance(param, str) or not param:
            raise routes.bad(client, request, "the answer has no scroll_param")
        query = (("scroll_param", param),)
