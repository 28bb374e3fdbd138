"""The scroll: the only way past the first 10,000 of a listing. One may be open per app, it expires, and trouble means start again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.core.model.route import Listing
from reconciler.errors import IntercomError
from reconciler.intercom import routes
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.errors import HttpError, NoAnswer
from reconciler.intercom.http.request import Request
from reconciler.intercom.totals import Tally

Body = dict[str, Any]

# An unused scroll expires after a minute (API 2.16, GET /companies/scroll), so somebody else's is gone by then.
EXPIRY = 61.0
# One that breaks costs two: it stays open until it expires, and the next start meets it.
STARTS = 5
# A scroll does not say how much it will show, so it ends here.
MOST = 1_000_000


def scroll(client: Client, listing: Listing) -> Iterator[Body]:
    """Every item, once. Raises IntercomError when no scroll came to its end in five starts."""
    found: set[str] = set()
    for _ in range(STARTS):
        try:
            for body in _from_the_start(client, listing):
                if (live_id := str(body.get("id"))) not in found:
                    found.add(live_id)
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


def _from_the_start(client: Client, listing: Listing) -> Iterator[Body]:
    """The pages of one scroll; an empty one is the last."""
    query: tuple[tuple[str, str], ...] = ()
    tally = Tally(most=MOST)
    while True:
        # Not to be sent again by the client: after a 500 the scroll must be restarted (API 2.16).
        method, _, path = listing.route.partition(" ")
        asked = Request(method, path, query, repeatable=False, read=False)
        reply = client.send(asked)
        page = routes.items(client, asked, listing, reply)
        routes.counted(client, asked, reply.body, page, tally, last_page=not page)
        if not page:
            return
        yield from page
        param = reply.body.get("scroll_param")
        if not isinstance(param, str) or not param:
            raise routes.bad(client, asked, "the answer has no scroll_param")
        query = (("scroll_param", param),)
