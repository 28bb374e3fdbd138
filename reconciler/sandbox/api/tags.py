"""Tags, and the tags of a contact."""

from __future__ import annotations

from reconciler.sandbox.api.people import require_live, save, save_without
from reconciler.sandbox.api.versions import V2_16
from reconciler.sandbox.names import fold, rewrite
from reconciler.sandbox.request import Refusal, Request, invalid, not_found, require
from reconciler.sandbox.store import Doc
from reconciler.sandbox.workspace import Workspace

# A name that is no longer is taken as written, as far as any recorded example goes (POST /tags).
SHORT = 40
HTML = frozenset("&<>")


def show(tag: Doc) -> Doc:
    return {"type": "tag", "id": tag["id"], "name": tag["name"]}


def find(ws: Workspace, name: str) -> Doc | None:
    """The tag of that name in any case: there is one at most (POST /tags)."""
    if "fold" in ws.settings.rewrites.split():
        return next((tag for tag in ws.store.table("tag").in_order() if fold(tag["name"]) == fold(name)), None)
    return ws.store.table("tag").first("name", name.lower())


def create(ws: Workspace, name: str, id: str | None = None) -> Doc:
    while id is None or ws.store.get("tag", id):
        id = str(100 + ws.store.number("tag"))
    return ws.store.put("tag", {"id": id, "seq": ws.number(), "name": name})


def listing(request: Request) -> Doc:
    return {"type": "list", "data": [show(tag) for tag in request.ws.store.table("tag").in_order()]}


def get(request: Request) -> Doc:
    return show(require(request.ws, "tag", request.id))


def delete(request: Request) -> Doc:
    ws = request.ws
    tag = require(ws, "tag", request.id)
    if tag.get("segments"):
        names = ", ".join(tag["segments"])
        raise Refusal(400, "tag_has_dependent_objects", f"Unable to delete Tag with dependent objects. Segments: {names}.")
    ws.rest_on("segments")
    for kind in ("contact", "company", "conversation"):
        for id in list(ws.store.table(kind).ids("tag", tag["id"])):
            _remove(ws, kind, ws.store.table(kind).docs[id], tag)
    ws.store.drop("tag", tag["id"])
    return {}


def _remove(ws: Workspace, kind: str, doc: Doc, tag: Doc) -> None:
    ws.store.put(kind, doc | {"tags": {id: how for id, how in doc["tags"].items() if id != tag["id"]}})


def write(request: Request) -> Doc:
    """POST /tags: its keys say whether it creates, renames, tags or untags."""
    ws, body = request.ws, request.body
    name = body.get("name")
    name = rewrite(ws, name) if isinstance(name, str) else None
    longest = ws.settings.name_length if ws.settings.name_beyond == "refused" else None
    if not name or (longest and len(name) > longest):
        raise invalid("invalid tag parameters")
    if body.get("id") is not None:
        return _show_result(request, _rename(ws, body["id"], name), [], [])
    companies, users = (_entries(body, key) for key in ("companies", "users"))
    tag = find(ws, name) or _create_new(ws, name)
    if tag["name"] != name:
        ws.rest_on("spelling")
    if ws.settings.name_spelling == "last" and tag["name"] != name:
        tag = ws.store.put("tag", tag | {"name": name})
    return _show_result(request, tag, _tag_users(request, tag, users), _tag_companies(request, tag, companies))


def _create_new(ws: Workspace, name: str) -> Doc:
    _rest_on_name(ws, name)
    return create(ws, name)


def _rest_on_name(ws: Workspace, name: str) -> None:
    for reading, rests in (("folding", not name.isascii()), ("length", len(name) > SHORT), ("html", not HTML.isdisjoint(name))):
        if rests:
            ws.rest_on(reading)


def _rename(ws: Workspace, id: object, name: str) -> Doc:
    tag = require(ws, "tag", id)
    holder = find(ws, name)
    _rest_on_name(ws, name)
    if holder is not None and holder["id"] != tag["id"]:
        ws.rest_on("renamed_to_another")
        if ws.settings.rename_taken == "refused":
            raise invalid("invalid tag parameters")
    return ws.store.put("tag", tag | {"name": name})


def _show_result(request: Request, tag: Doc, users: list[Doc], companies: list[Doc]) -> Doc:
    return show(tag) | ({"users": users, "companies": companies} if request.version >= V2_16 else {})


def _entries(body: Doc, key: str) -> list[Doc]:
    entries = body.get(key) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise invalid("invalid tag parameters")
    return entries


def _tag_users(request: Request, tag: Doc, entries: list[Doc]) -> list[Doc]:
    rows = []
    for entry in entries:
        try:
            contact = require_live(request.ws, entry.get("id"))
        except Refusal:
            if request.version < V2_16:
                request.ws.rest_on("missing_tagged")
                raise
            continue  # POST /tags, API 2.16: an id that does not exist is skipped, still 200
        attach(request.ws, contact, tag)
        rows.append({"id": contact["id"], "tagged": True})
    return rows


def _tag_companies(request: Request, tag: Doc, entries: list[Doc]) -> list[Doc]:
    rows = []
    for entry in entries:
        company = _company(request.ws, entry)
        if company is None and request.version < V2_16:
            request.ws.rest_on("missing_tagged")
            raise Refusal(404, "company_not_found", "Company Not Found")
        if company is not None:
            rows.append({"id": company["id"], "tagged": _mark(request.ws, company, tag, entry)})
    return rows


def _company(ws: Workspace, entry: Doc) -> Doc | None:
    if entry.get("id") is not None:
        return ws.store.get("company", entry["id"])
    return ws.store.table("company").first("company_id", str(entry.get("company_id")))


def _mark(ws: Workspace, company: Doc, tag: Doc, entry: Doc) -> bool:
    """Tag or untag the company, as the entry says. Returns whether it is tagged now."""
    untag = entry.get("untag") is True
    if untag and tag["id"] in company["tags"]:
        _remove(ws, "company", company, tag)
    if not untag and tag["id"] not in company["tags"]:
        ws.store.put("company", company | {"tags": {**company["tags"], tag["id"]: ws.clock()}})
    return not untag


def attach(ws: Workspace, contact: Doc, tag: Doc) -> Doc:
    """The contact with the tag."""
    if tag["id"] in contact["tags"]:
        ws.rest_on("attached_again")
        if ws.settings.attached_again == "keeps":
            return contact
    return save(ws, contact | {"tags": {**contact["tags"], tag["id"]: [ws.clock(), ws.admin()["id"]]}})


def _show_link(tag: Doc, how: list[object]) -> Doc:
    """Only the tags of a contact show applied_at and applied_by (tag, API 2.16)."""
    return show(tag) | {"applied_at": how[0], "applied_by": {"type": "admin", "id": how[1]}}


def of_contact(request: Request) -> Doc:
    contact = require_live(request.ws, request.id)
    tags = request.ws.store.table("tag").docs
    data = [_show_link(tags[id], how) for id, how in contact["tags"].items() if id in tags]
    return {"type": "list", "data": data}


def attach_to_contact(request: Request) -> Doc:
    ws = request.ws
    contact = require_live(ws, request.id)
    tag = require(ws, "tag", request.body.get("id"))
    return _show_link(tag, attach(ws, contact, tag)["tags"][tag["id"]])


def detach_from_contact(request: Request) -> Doc:
    ws = request.ws
    contact = require_live(ws, request.id)
    tag = require(ws, "tag", request.params["tag_id"])
    if tag["id"] not in contact["tags"]:
        ws.rest_on("detached_missing")
        if ws.settings.detached_missing == 404:
            raise not_found()
        return show(tag)
    save_without(ws, contact, "tags", tag["id"])
    return _show_link(tag, contact["tags"][tag["id"]])
