"""What else carries tags: conversations and content."""

from __future__ import annotations

from operator import itemgetter

from reconciler.sandbox.api import tags
from reconciler.sandbox.api.paging import Ranked, answer_cursor, answer_page
from reconciler.sandbox.api.search import DATES, Predicate, test_date, zone
from reconciler.sandbox.request import Refusal, Request, invalid, mapping, not_found, page_size, require
from reconciler.sandbox.store import Doc
from reconciler.sandbox.workspace import Workspace

OPERATORS = ("=", "!=", "IN", "NIN", "~", "!~", "^", "$")


def search_conversations(request: Request) -> Doc:
    """POST /conversations/search, here by `tag_ids` and `created_at`, one of them or both under AND. `=` on a list means that it contains
    the value."""
    ws = request.ws
    if ws.settings.plan_restricted:
        raise Refusal(403, "api_plan_restricted", "Active subscription needed.")
    passes, paging = _read_query(request, mapping(request.body, "query")), mapping(request.body, "pagination")
    rows = [row for row in ws.store.table("conversation").in_order() if passes(row)]
    ranking, size = Ranked.of(rows, itemgetter("seq")), page_size(paging, 20, 150)
    answer = answer_cursor(request, ranking, _show_conversation, paging.get("starting_after"), size, ascending=True)
    answer["pages"].setdefault("next", None)
    conversations = answer.pop("data")
    return answer | {"type": "conversation.list", "conversations": conversations}


def _read_query(request: Request, query: Doc) -> Predicate:
    """The test of a condition, or of a group of them. Raises Refusal."""
    operator, value = query.get("operator"), query.get("value")
    if operator not in ("AND", "OR"):
        return _read_condition(request, query)
    if not isinstance(value, list) or not all(isinstance(part, dict) for part in value):
        raise invalid("value of a group must be a list of filters")
    parts = [_read_query(request, part) for part in value]
    return lambda row: (all if operator == "AND" else any)(passes(row) for passes in parts)


def _read_condition(request: Request, query: Doc) -> Predicate:
    """The test of one condition. Raises Refusal."""
    field, operator, value = query.get("field"), query.get("operator"), query.get("value")
    if field not in ("tag_ids", "created_at"):
        raise Refusal(400, "invalid_field", "the sandbox searches conversations by tag_ids and created_at only")
    if operator not in (OPERATORS if field == "tag_ids" else DATES):
        raise invalid(f"operator '{operator}' is not supported for field '{field}'")
    if field == "created_at":
        return test_date(lambda row: row.get("created_at"), operator, value, zone(request.ws))
    values = {str(v) for v in (value if isinstance(value, list) else [value])}
    is_positive = operator not in ("!=", "NIN", "!~")
    return lambda row: bool(values & _list_seen(request.ws, row)) == is_positive


def _show_conversation(request: Request, conversation: Doc) -> Doc:
    tag_list = {"type": "tag.list", "tags": [tags.show(require(request.ws, "tag", id)) for id in conversation["tags"]]}
    return {"type": "conversation", "id": conversation["id"], "created_at": conversation.get("created_at"), "tags": tag_list}


def _show_tag(tag: Doc, how: list[object]) -> Doc:
    return tags.show(tag) | {"applied_at": how[0], "applied_by": {"type": "admin", "id": how[1]}}


def get_conversation(request: Request) -> Doc:
    return _show_conversation(request, _require_conversation(request))


def _require_conversation(request: Request) -> Doc:
    if request.ws.settings.plan_restricted:
        raise Refusal(403, "api_plan_restricted", "Active subscription needed.")
    return require(request.ws, "conversation", request.id, "Conversation not found")


def _require_admin(request: Request) -> str:
    """The id of the admin in whose name the call is made: it is required, in a DELETE too."""
    admin_id = request.body.get("admin_id")
    if admin_id is None:
        raise Refusal(400, "parameter_missing", "admin_id is missing")
    return str(require(request.ws, "admin", admin_id, "Admin not found")["id"])


def attach_to_conversation(request: Request) -> Doc:
    """POST /conversations/{id}/tags, API 2.16."""
    ws, conversation, admin = request.ws, _require_conversation(request), _require_admin(request)
    tag = require(ws, "tag", request.body.get("id"))
    if tag["id"] in conversation["tags"]:
        ws.rest_on("conversation_attached")
    if tag["id"] not in conversation["tags"] or ws.settings.attached_again == "moves":
        conversation = _save(ws, conversation, {**conversation["tags"], tag["id"]: [ws.clock(), admin]})
    return _show_tag(tag, conversation["tags"][tag["id"]])


def detach_from_conversation(request: Request) -> Doc:
    """DELETE /conversations/{id}/tags/{tag_id}, API 2.16."""
    ws, conversation = request.ws, _require_conversation(request)
    _require_admin(request)
    tag = require(ws, "tag", request.params["tag_id"])
    how = conversation["tags"].get(tag["id"])
    if how is None:
        ws.rest_on("conversation_detached")
        if ws.settings.detached_missing == 404:
            raise not_found()
        return tags.show(tag)
    _save(ws, conversation, {id: other for id, other in conversation["tags"].items() if id != tag["id"]})
    return _show_tag(tag, how)


def _save(ws: Workspace, conversation: Doc, stamps: Doc) -> Doc:
    """Store it with these tags. Search shows the old ones for `update_delay` seconds more."""
    lasting = [pair for pair in conversation.get("stale", ()) if pair[0] > ws.now()]
    if ws.settings.update_delay > 0:
        lasting = [*lasting, [ws.now() + ws.settings.update_delay, list(conversation["tags"])]]
    return ws.store.put("conversation", conversation | {"tags": stamps, "stale": lasting})


def _list_seen(ws: Workspace, conversation: Doc) -> set[str]:
    """The tags with which search shows it now."""
    return set(next((old for until, old in conversation.get("stale", ()) if until > ws.now()), conversation["tags"]))


def search_content(request: Request) -> Doc:
    """GET /content/search by tags, since 2.16."""
    query = request.query
    ids, types = (_words(query.get(name)) for name in ("any_tag_ids" if query.get("any_tag_ids") else "tag_ids", "content_types"))
    is_positive = query.get("tag_operator", "IN") != "NIN"
    rows = [row for row in request.ws.store.table("content").in_order() if not types or row["type"] in types]
    rows = [row for row in rows if not ids or bool(ids & set(row["tags"])) == is_positive]
    return answer_page(request, rows, lambda _, row: {"type": row["type"], "id": row["id"], "title": row["title"]}, 20, 50, url=True)


def _words(text: str | None) -> set[str]:
    return {word for word in (text or "").split(",") if word}
