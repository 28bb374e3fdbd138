"""POST /contacts/search: a query becomes a predicate; an index narrows the contacts down where one can."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from operator import contains, eq, ge, gt, le, lt, ne
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from reconciler.sandbox.api import people
from reconciler.sandbox.api.paging import Ranked, answer_cursor
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
_NUMBER = ("=", "!=", "IN", "NIN", "<", ">", "<=", ">=")
OPERATORS = {
    "string": ("=", "!=", "IN", "NIN", "~", "!~", "^", "$"),
    "tag_id": ("=", "!="),
    "boolean": ("=", "!=", "IN", "NIN"),
    "integer": _NUMBER,
    "float": _NUMBER,
    "date": ("=", "<", ">"),
}
DATES = OPERATORS["date"]
EXACT_DATES = (*DATES, ">=", "<=", "!=")  # Preview: the exact second, UTC
COMPARE: dict[str, Callable[[float, float], bool]] = {"=": eq, "!=": ne, "<": lt, ">": gt, "<=": le, ">=": ge}
PARTS: dict[str, Callable[[str, str], bool]] = {"~": contains, "^": str.startswith, "$": str.endswith}
INDEXED = {"external_id": "external_id", "email": "email", "tag_id": "tag"}

Predicate = Callable[[Doc], bool]
Getter = Callable[[Doc], Any]


class Filter(NamedTuple):
    """One condition, or a group of them."""

    # whether a contact fulfils it
    passes: Predicate
    # ids of all contacts that can fulfil it; None: no index tells
    candidates: set[str] | None = None


def contacts(request: Request) -> Doc:
    ws, body = request.ws, request.body
    if "query" not in body:
        raise invalid("query is required")
    paging = mapping(body, "pagination")
    size = page_size(paging, 50, 150)
    field, ascending = _sort(request)
    name = "search " + json.dumps([body["query"], field, request.version, ws.settings.fold_email], sort_keys=True)
    stamp = [ws.store.table(kind).changes for kind in ("contact", "attribute", "segment")]
    ranking = people.reuse(ws, name, stamp, lambda: _search(request, field))
    # The cursor is read from the body; in the URL it is ignored (reported: community.intercom.com/2038).
    answer = answer_cursor(request, ranking, people.show, paging.get("starting_after"), size, ascending=ascending)
    if ws.settings.total_count == "capped":
        answer["total_count"] = min(answer["total_count"], ws.settings.count_cap)
    return answer


def _sort(request: Request) -> tuple[str, bool]:
    """The field to sort by, and whether the order is ascending."""
    sort = mapping(request.body, "sort")
    order = sort.get("order", "descending")
    if order not in ("ascending", "descending") and request.version >= V2_16:
        raise Refusal(400, "invalid_sort_order", f"Invalid sort order '{order}'. Must be one of: ascending, descending")
    return str(sort.get("field", "created_at")), order == "ascending"


def _search(request: Request, field: str) -> Ranked:
    ws = request.ws
    condition = _compile(request, request.body["query"], 1)
    if condition.candidates is None:
        pool = people.see_all(ws)
    else:
        docs = ws.store.table("contact").docs
        ids = condition.candidates | set(ws.stale)
        pool = [contact for id in ids if id in docs and (contact := people.see(ws, docs[id]))]
    return Ranked.of([contact for contact in pool if condition.passes(contact)], _getter(ws, field))


def _compile(request: Request, query: object, depth: int) -> Filter:
    """The filter that a query describes. Raises Refusal."""
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
    narrow = [f.candidates for f in filters if f.candidates is not None]
    if query["operator"] == "AND":
        return Filter(lambda c: all(f.passes(c) for f in filters), min(narrow, key=len, default=None))
    union = set().union(*narrow) if len(narrow) == len(filters) else None
    return Filter(lambda c: any(f.passes(c) for f in filters), union)


def _single(request: Request, query: Doc) -> Filter:
    ws, field, operator, value = request.ws, str(query.get("field")), query.get("operator"), query.get("value")
    if field == "formatted_phone" and request.version < V2_16:
        raise Refusal(400, "invalid_field", f"Invalid search field: {field}")
    kind, getter = _kind(ws, field), _getter(ws, field)
    exact = kind == "date" and request.version >= PREVIEW and not field.startswith("custom_attributes.")
    if operator not in (EXACT_DATES if exact else OPERATORS[kind]):
        raise invalid(f"operator '{operator}' is not supported for field '{field}'")
    if operator in ("IN", "NIN") and not isinstance(value, list):
        raise invalid(f"value must be an array for operator {operator}")
    if kind == "date":
        return Filter(test_date(getter, operator, value, None if exact else zone(ws)))
    if kind in ("string", "tag_id"):
        if field == "email" and ws.settings.fold_email:
            return Filter(_test_text(getter, operator, value, str.lower))
        return Filter(_test_text(getter, operator, value, str), _candidates(ws, field, operator, value))
    return Filter(_test_value(getter, operator, value))


def _kind(ws: Workspace, field: str) -> str:
    if field in FIELDS:
        return FIELDS[field]
    prefix, _, name = field.partition(".")
    if prefix == "custom_attributes":
        attribute = ws.store.table("attribute").first("name", ("contact", name))
        if attribute:
            return str(attribute["data_type"])
    raise Refusal(400, "invalid_field", f"Invalid search field: {field}")


def _getter(ws: Workspace, field: str) -> Getter:
    prefix, _, name = field.partition(".")
    if prefix in ("custom_attributes", "location"):
        return lambda contact: contact.get(prefix, {}).get(name)
    if field == "tag_id":
        return lambda contact: list(contact["tags"])
    if field == "email_domain":
        return lambda contact: (contact.get("email") or "").rpartition("@")[2] or None
    if field == "segment_id":
        members = {s["id"]: set(s["contacts"]) for s in ws.store.table("segment").docs.values()}
        return lambda contact: [id for id, contacts in members.items() if contact["id"] in contacts]
    if FIELDS.get(field) == "boolean":
        return lambda contact: bool(contact.get(field))
    return lambda contact: contact.get(field)


def _candidates(ws: Workspace, field: str, operator: str, value: Any) -> set[str] | None:
    """Ids of the contacts that an index has under the value."""
    if field not in INDEXED or operator not in ("=", "IN") or value is None:
        return None
    table = ws.store.table("contact")
    return {id for key in (value if operator == "IN" else [value]) for id in table.ids(INDEXED[field], str(key))}


def _test_value(getter: Getter, operator: str, value: Any) -> Predicate:
    """A test of a number or a boolean."""
    if operator in ("=", "!=", "IN", "NIN"):
        values = value if operator in ("IN", "NIN") else [value]
        return lambda c: (getter(c) in values) == (operator in ("=", "IN"))
    limit, compare = _number(value), COMPARE[operator]
    return lambda c: (own := getter(c)) is not None and compare(own, limit)


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise invalid(f"value '{value}' is not a number") from None


def _test_text(getter: Getter, operator: str, value: Any, fold: Callable[[str], str]) -> Predicate:
    """A test of a text or a list of texts; null stands for no text. `fold` makes texts equal that count as the same."""
    if value is None:
        return lambda c: (not _texts(getter(c))) == (operator == "=")
    if operator in ("=", "!=", "IN", "NIN"):
        values = {fold(text) for text in _texts(value)}
        return lambda c: any(fold(text) in values for text in _texts(getter(c))) == (operator in ("=", "IN"))
    part, test = str(value).lower(), PARTS[operator.lstrip("!")]
    return lambda c: any(test(text.lower(), part) for text in _texts(getter(c))) == (operator != "!~")


def _texts(value: object) -> list[str]:
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def zone(ws: Workspace) -> tzinfo:
    name = ws.app().get("timezone", "UTC")
    return UTC if name == "UTC" else ZoneInfo(name)


def test_date(getter: Getter, operator: str, value: object, by_day_in: tzinfo | None) -> Predicate:
    """By calendar day in the workspace's time zone: `>` begins with the next day (POST /contacts/search). Without a zone by second."""
    at, compare = int(_number(value)), COMPARE[operator]
    start, end = (at, at + 1) if by_day_in is None else _day(at, by_day_in)
    # A time counts as 0 before the day, 1 within it, 2 after it.
    return lambda c: (own := getter(c)) is not None and compare((int(own) >= start) + (int(own) >= end), 1)


def _day(at: int, tz: tzinfo) -> tuple[int, int]:
    """When the day of that second starts, and when the next one does."""
    try:
        midnight = datetime.fromtimestamp(at, tz).replace(hour=0, minute=0, second=0, microsecond=0)
        return int(midnight.timestamp()), int((midnight + timedelta(days=1)).timestamp())
    except (OverflowError, OSError, ValueError):
        raise invalid(f"value '{at}' is not a time") from None
