"""Trace: who put a thing on somebody last, where Intercom says. A few reads for each thing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from reconciler.core.compare.since import Ends, Made
from reconciler.core.model.ability import Trace
from reconciler.core.model.kind import Kind
from reconciler.core.model.route import LinkKind, fill
from reconciler.intercom import routes
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.errors import HttpError
from reconciler.intercom.http.pool import reading

# No time is later, and a larger whole number may be no float.
LATEST = 2**53
# So many of those who carry it are asked, those that changed last first: Intercom has no list of who applied a tag to whom.
ASKED = 5


def traced(client: Client, kind: Kind, live_id: str) -> str:
    """`applied last on 2026-11-24 by Zoe`, as far as it can be seen; empty where Intercom does not say."""
    if kind.uses.trace is None:
        return ""
    try:
        seen = sorted(_applied(client, kind.uses.trace, live_id))
        if not seen:
            return ""
        when, who = seen[-1]
        return f"seen applied last on {datetime.fromtimestamp(when, UTC):%Y-%m-%d}{_by(client, kind.uses.trace, who)}"
    except (HttpError, OverflowError, ValueError, OSError):  # what stands there may be no time
        return ""


def _applied(client: Client, trace: Trace, live_id: str) -> Iterator[tuple[float, str]]:
    """When, and by whose id, it was put on each of a few who carry it."""
    found = client.send(routes.request(trace.carriers, {}, fill(trace.body, {"id": live_id})))
    for carrier in _rows(found.body)[:ASKED]:
        reply = client.send(routes.request(trace.route, {"source": str(carrier.get("id"))}))
        for row in _rows(reply.body):
            when, who = row.get("applied_at"), row.get("applied_by")
            if str(row.get("id")) == live_id and isinstance(when, (int, float)):
                yield float(when), str(who.get("id") or "") if isinstance(who, Mapping) else ""


def made(client: Client, asked: Sequence[tuple[LinkKind, str]]) -> Mapping[Ends, Made]:
    """When these lists of links say that each of them was made, and by whose id; what does not say so is left out."""
    found: dict[Ends, Made] = {}
    with reading(client) as pool:
        lists = pool.map(lambda job: list(routes.listed(client, job[0].listing, {"source": job[1]})) if job[0].listing else [], asked)
        for (_, source), rows in zip(asked, lists, strict=True):
            for row in rows:
                when, who = row.get("applied_at"), row.get("applied_by")
                if isinstance(when, (int, float)) and not isinstance(when, bool):
                    by = str(who.get("id") or "") if isinstance(who, Mapping) else ""
                    found[source, str(row.get("id"))] = Made(float(min(when, LATEST)), by)
    return found


def named(client: Client, kind: Kind, who: str) -> str:
    """` by Zoe`, as far as Intercom says who that is."""
    return _by(client, kind.uses.trace, who) if kind.uses.trace else ""


def _by(client: Client, trace: Trace, who: str) -> str:
    if not who:
        return ""
    try:
        name = client.send(routes.request(trace.admin, {"id": who})).body.get("name")
    except HttpError:
        name = None
    return f" by {name}" if name else f" by admin {who}"


def _rows(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = body.get("data")
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []
