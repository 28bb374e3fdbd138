"""What else carries tags: conversations and content."""

from __future__ import annotations

from operator import itemgetter

from reconciler.sandbox.api import tags
from reconciler.sandbox.api.paging import Ranked, answer_cursor, answer_page
from reconciler.sandbox.request import Refusal, Request, invalid, mapping, page_size
from reconciler.sandbox.store import Doc

OPERATORS = ("=", "!=", "IN", "NIN", "~", "!~", "^", "$")


def search_conversations(request: Request) -> Doc:
    """POST /conversations/search, here by the one field `tag_ids`. `=` on a list means that it contains the value."""
    ws = request.ws
    if ws.settings.plan_restricted:
        raise Refusal(403, "api_plan_restricted", "Active subscription needed.")
    query, paging = mapping(request.body, "query"), mapping(request.body, "pagination")
    if query.get("field") != "tag_ids":
        raise Refusal(400, "invalid_field", "the sandbox searches conversations by tag_ids only")
    operator, value = query.get("operator"), query.get("value")
    if operator not in OPERATORS:
        raise invalid(f"operator '{operator}' is not supported for field 'tag_ids'")
    values = {str(v) for v in (value if isinstance(value, list) else [value])}
    contained = operator not in ("!=", "NIN", "!~")
    rows = [row for row in ws.store.table("conversation").in_order() if bool(values & set(row["tags"])) == contained]
    ranked, size = Ranked.of(rows, itemgetter("seq")), page_size(paging, 20, 150)
    answer = answer_cursor(request, ranked, _show_conversation, paging.get("starting_after"), size, ascending=True)
    answer["pages"].setdefault("next", None)
    conversations = answer.pop("data")
    return answer | {"type": "conversation.list", "conversations": conversations}


def _show_conversation(request: Request, conversation: Doc) -> Doc:
    existing = [tags.show(tag) for id in conversation["tags"] if (tag := request.ws.store.get("tag", id))]
    return {"type": "conversation", "id": conversation["id"], "tags": {"type": "tag.list", "tags": existing}}


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
