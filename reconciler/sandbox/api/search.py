"""POST /contacts/search: the query grammar as predicates, with indexes where they decide."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from datetime import UTC, datetime, timedelta, tzinfo
from operator import contains, ge, gt, le, lt
from typing import Any
from zoneinfo import ZoneInfo

from reconciler.sandbox.api import people
from reconciler.sandbox.api.paging import Ranked, cursor_pages
from reconciler.sandbox.api.versions import PREVIEW, V2_16
from reconciler.sandbox.request import Refusal, Request, invalid, mapping, page_size
from reconciler.sandbox.store import Doc
from reconciler.sandbox.workspace import Workspace

DEPTH, WIDTH = 2, 15  # nesting of groups, filters per group (POST /contacts/search)

_TYPES = {
    "string": """id role name avatar owner_id email email_domain phone formatted_phone external_id language_override browser
        browser_language os location.country location.region location.city ios_app_name ios_app_version ios_device
        ios_app_device ios_os_version ios_sdk_version android_app_name android_app_version android_device android_os_version
        android_sdk_version segment_id""",
    "date": """created_at signed_up_at updated_at last_seen_at last_contacted_at last_replied_at last_email_opened_at
        last_email_clicked_at ios_last_seen_at android_last_seen_at""",
    "boolean": "unsubscribed_from_emails marked_email_as_spam has_hard_bounced",
    "tag_id": "tag_id",
}
FIELDS = {name: kind for kind, names in _TYPES.items() for name in names.split()}
# POST /contacts/search as corrected on 2026-08-19 (API 2.7 to 2.16).
OPERATORS = {
    "string": ("=", "!=", "IN", "NIN", "~", "!~", "^", "$"),
    "tag_id": ("=", "!="),
    "boolean": ("=", "!=", "IN", "NIN"),
    "integer": ("=", "!=", "IN", "NIN", "<", ">", "<=", ">="),
    "float": ("=", "!=", "IN", "NIN", "<", ">", "<=", ">="),
    "date": ("=", "<", ">"),
}
EXACT_DATES = (*OPERATORS["date"], ">=", "<=", "!=")  # Preview: the exact second, UTC
COMPARE: dict[str, Callable[[float, float], bool]] = {"<": lt, ">": gt, "<=": le, ">=": ge}
PARTS: dict[str, Callable[[str, str], bool]] = {"~": contains, "^": str.startswith, "$": str.endswith}
INDEXED = {"external_id": "external_id", "email": "email", "tag_id": "tag"}

Predicate = Callable[[Doc], bool]
Getter = Callable[[Doc], Any]


class Filter:
    """One condition: a predicate and, where an index knows, the ids that can pass."""

    def __init__(self, passes: Predicate, candidates: set[str] | None = None) -> None:
        self.passes, self.candidates = passes, candidates


def contacts(request: Request) -> Doc:
    ws, body = request.ws, request.body
    if "query" not in body:
        raise invalid("query is required")
    paging = mapping(body, "pagination")
    size = page_size(paging, 50, 150)
    field, ascending = _sort(request)
    ranked = _found(request, field)
    # The cursor is read from the body; in the URL it is ignored (reported: community.intercom.com/2038).
    rows, pages = cursor_pages(ranked, paging.get("starting_after"), size, ascending=ascending)
    data = [people.show(ws, row, request.version) for row in rows]
    return {"type": "list", "data": data, "total_count": len(ranked.rows), "pages": pages}


def _sort(request: Request) -> tuple[str, bool]:
    sort = mapping(request.body, "sort")
    order = sort.get("order", "descending")
    if order not in ("ascending", "descending") and request.version >= V2_16:
        raise Refusal(400, "invalid_sort_order", f"Invalid sort order '{order}'. Must be one of: ascending, descending")
    return str(sort.get("field", "created_at")), order == "ascending"


def _found(request: Request, field: str) -> Ranked:
    """Kept while nothing changes, so that paging through a large answer costs little per page."""
    ws = request.ws
    if people.lagging(ws):
        return _search(request, field)
    name = "search " + json.dumps([request.body["query"], field, request.version, ws.settings.fold_email], sort_keys=True)
    stamp = (ws.store.table("contact").changed, ws.store.table("attribute").changed, ws.store.table("segment").changed)
    ranked: Ranked = ws.built(name, stamp, lambda: _search(request, field))
    return ranked


def _search(request: Request, field: str) -> Ranked:
    ws = request.ws
    wanted = _compile(request, request.body["query"], 1)
    if wanted.candidates is None:
        pool = people.all_seen(ws)
    else:
        docs = ws.store.table("contact").docs
        known = (docs[id] for id in wanted.candidates | set(ws.stale) if id in docs)
        pool = [shown for contact in known if (shown := people.seen(ws, contact)) is not None]
    return Ranked.of([contact for contact in pool if wanted.passes(contact)], _getter(ws, field))


def _compile(request: Request, query: object, depth: int) -> Filter:
    if not isinstance(query, dict):
        raise invalid("query must be an object")
    if query.get("operator") in ("AND", "OR"):
        return _group(request, query, depth)
    return _single(request, query)


def _group(request: Request, query: Doc, depth: int) -> Filter:
    parts = query.get("value")
    if not isinstance(parts, list) or not parts:
        raise invalid("value of a group must be a list of filters")
    if depth > DEPTH:
        raise invalid(f"query is nested deeper than {DEPTH} levels")
    if len(parts) > WIDTH:
        raise invalid(f"a group must not have more than {WIDTH} filters")
    filters = [_compile(request, part, depth + 1) for part in parts]
    known = [f.candidates for f in filters if f.candidates is not None]
    if query["operator"] == "AND":
        return Filter(lambda c: all(f.passes(c) for f in filters), min(known, key=len, default=None))
    union = set().union(*known) if len(known) == len(filters) else None
    return Filter(lambda c: any(f.passes(c) for f in filters), union)


def _single(request: Request, query: Doc) -> Filter:
    ws, field, operator, value = request.ws, query.get("field"), query.get("operator"), query.get("value")
    if field == "formatted_phone" and request.version < V2_16:
        raise Refusal(400, "invalid_field", f"Invalid search field: {field}")
    kind = _kind(ws, str(field))
    exact = kind == "date" and request.version >= PREVIEW and not str(field).startswith("custom_attributes.")
    if operator not in (EXACT_DATES if exact else OPERATORS[kind]):
        raise invalid(f"operator '{operator}' is not supported for field '{field}'")
    if operator in ("IN", "NIN") and not isinstance(value, list):
        raise invalid(f"value must be an array for operator {operator}")
    if kind == "tag_id":
        return _tagged(ws, operator, value)
    getter = _getter(ws, str(field))
    if kind == "date":
        return Filter(_dated(getter, operator, value, None if exact else zone(ws)))
    passes = _text(ws, getter, str(field), operator, value) if kind == "string" else _plain(getter, operator, value)
    return Filter(passes, _candidates(ws, str(field), operator, value))


def _kind(ws: Workspace, field: str) -> str:
    if field in FIELDS:
        return FIELDS[field]
    prefix, _, name = field.partition(".")
    if prefix == "custom_attributes":
        found = ws.store.table("attribute").find("name", ("contact", name))
        if found:
            return str(found[0]["data_type"])
    raise Refusal(400, "invalid_field", f"Invalid search field: {field}")


def _getter(ws: Workspace, field: str) -> Getter:
    prefix, _, name = field.partition(".")
    if prefix in ("custom_attributes", "location"):
        return lambda contact: contact.get(prefix, {}).get(name)
    if field == "email_domain":
        return lambda contact: (contact.get("email") or "").rpartition("@")[2] or None
    if field == "segment_id":
        members = {s["id"]: set(s["contacts"]) for s in ws.store.table("segment").docs.values()}
        return lambda contact: [id for id, contacts in members.items() if contact["id"] in contacts]
    if FIELDS.get(field) == "boolean":
        return lambda contact: bool(contact.get(field))
    return lambda contact: contact.get(field)


def _tagged(ws: Workspace, operator: str, value: object) -> Filter:
    tag = str(value)
    if operator == "=":
        return Filter(lambda c: tag in c["tags"], set(ws.store.table("contact").ids("tag", tag)))
    return Filter(lambda c: tag not in c["tags"])


def _candidates(ws: Workspace, field: str, operator: str, value: Any) -> set[str] | None:
    index = INDEXED.get(field)
    if index is None or operator not in ("=", "IN") or value is None or (field == "email" and ws.settings.fold_email):
        return None
    table = ws.store.table("contact")
    keys: list[Hashable] = [str(v) for v in value] if operator == "IN" else [str(value)]
    return {id for key in keys for id in table.ids(index, key)}


def _plain(getter: Getter, operator: str, value: Any) -> Predicate:
    if operator in ("IN", "NIN"):
        return lambda c: (getter(c) in value) == (operator == "IN")
    if operator in ("=", "!="):
        return lambda c: (getter(c) == value) == (operator == "=")
    limit = _number(value)
    compare = COMPARE[operator]
    return lambda c: (found := getter(c)) is not None and compare(found, limit)


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise invalid(f"value '{value}' is not a number") from None


def _texts(found: object) -> list[str]:
    if found is None:
        return []
    return [str(item) for item in found] if isinstance(found, list) else [str(found)]


def _text(ws: Workspace, getter: Getter, field: str, operator: str, value: Any) -> Predicate:
    if value is None:
        return lambda c: (not _texts(getter(c))) == (operator == "=")
    fold: Callable[[str], str] = str.lower if field == "email" and ws.settings.fold_email else str
    wanted = {fold(str(v)) for v in (value if isinstance(value, list) else [value])}
    if operator in ("=", "!=", "IN", "NIN"):
        return lambda c: any(fold(text) in wanted for text in _texts(getter(c))) == (operator in ("=", "IN"))
    part = str(value).lower()
    test = PARTS[operator.lstrip("!")]
    return lambda c: any(test(text.lower(), part) for text in _texts(getter(c))) == (operator != "!~")


def zone(ws: Workspace) -> tzinfo:
    name = ws.app().get("timezone", "UTC")
    return UTC if name == "UTC" else ZoneInfo(name)


def _dated(getter: Getter, operator: str, value: object, by_day_in: tzinfo | None) -> Predicate:
    """By calendar day in the workspace's time zone: `>` begins with the next day (POST /contacts/search)."""
    at = int(_number(value))
    start, end = (at, at + 1) if by_day_in is None else _day(at, by_day_in)
    tests: dict[str, Callable[[int], bool]] = {
        "=": lambda t: start <= t < end,
        "!=": lambda t: not start <= t < end,
        "<": lambda t: t < start,
        "<=": lambda t: t < end,
        ">": lambda t: t >= end,
        ">=": lambda t: t >= start,
    }
    test = tests[operator]
    return lambda c: (found := getter(c)) is not None and test(int(found))


def _day(at: int, tz: tzinfo) -> tuple[int, int]:
    try:
        midnight = datetime.fromtimestamp(at, tz).replace(hour=0, minute=0, second=0, microsecond=0)
    except (OverflowError, OSError, ValueError):
        raise invalid(f"value '{at}' is not a time") from None
    following = (midnight + timedelta(days=1)).replace(tzinfo=tz)
    return int(midnight.timestamp()), int(following.timestamp())
