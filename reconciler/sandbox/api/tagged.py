"""What else carries tags: conversations and content."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter

from reconciler.sandbox.api import tags
from reconciler.sandbox.api.paging import Ranked, answer_cursor, answer_page
from reconciler.sandbox.api.search import DATES, Predicate, test_date, zone
from reconciler.sandbox.request import Refusal, Request, invalid, mapping, page_size
from reconciler.sandbox.store import Doc

OPERATORS = ("=", "!=", "IN", "NIN", "~", "!~", "^", "$")


def search_conversations(request: Request) -> Doc:
    """POST /conversations/search, here by `tag_ids` and `created_at`, one of them or both under AND. `=` on a list means that it contains
    the value."""
    ws = request.ws
    if ws.settings.plan_restricted:
        raise Refusal(403, "api_plan_restricted", "Active subscription needed.")
    rows, paging = ws.store.table("conversation").in_order(), mapping(request.body, "pagination")
    for query in _conditions(mapping(request.body, "query")):
        passes = _condition(request, query)
        rows = [row for row in rows if passes(row)]
    ranked, size = Ranked.of(rows, itemgetter("seq")), page_size(paging, 20, 150)
    answer = answer_cursor(request, ranked, _show_conversation, paging.get("starting_after"), size, ascending=True)
    answer["pages"].setdefault("next", None)
    conversations = answer.pop("data")
    return answer | {"type": "conversation.list", "conversations": conversations}


def _conditions(query: Doc) -> Iterator[Doc]:
    parts = query.get("value") if query.get("operator") == "AND" else [query]
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise invalid("value of a group must be a list of filters")
    yield from parts


def _condition(request: Request, query: Doc) -> Predicate:
    """The test of one condition. Raises Refusal."""
    field, operator, value = query.get("field"), query.get("operator"), query.get("value")
    if field not in ("tag_ids", "created_at"):
        raise Refusal(400, "invalid_field", "the sandbox searches conversations by tag_ids and created_at only")
    if operator not in (OPERATORS if field == "tag_ids" else DATES):
        raise invalid(f"operator '{operator}' is not supported for field '{field}'")
    if field == "created_at":
        return test_date(lambda row: row.get("created_at"), operator, value, zone(request.ws))
    values = {str(v) for v in (value if isinstance(value, list) else [value])}
    contained = operator not in ("!=", "NIN", "!~")
    return lambda row: bool(values & set(row["tags"])) == contained


def _show_conversation(request: Request, conversation: Doc) -> Doc:
    existing = [tags.show(tag) for id in conversation["tags"] if (tag := request.ws.store.get("tag", id))]
    tagged = {"type": "tag.list", "tags": existing}
    return {"type": "conversation", "id": conversation["id"], "created_at": conversation.get("created_at"), "tags": tagged}


def search_content(request: Request) -> Doc:
    """GET /content/search by tags, since 2.16."""
    query = request.query
    ids, types = (_words(query.get(name)) for name in ("any_tag_ids" if query.get("any_tag_ids") else "tag_ids", "content_types"))
    contained = query.get("tag_operator", "IN") != "NIN"
    rows = [row for row in request.ws.store.table("content").in_order() if not types or row["type"] in types]
    rows = [row for row in rows if not ids or bool(ids & set(row["tags"])) == contained]
    return answer_page(request, rows, lambda _, row: {"type": row["type"], "id": row["id"], "title": row["title"]}, 20, 50, url=True)


def _words(text: str | None) -> set[str]:
    return {word for word in (text or "").split(",") if word}
