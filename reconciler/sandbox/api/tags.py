"""Tags, and the tags of a contact."""

from __future__ import annotations

from reconciler.sandbox.api.people import live, save
from reconciler.sandbox.api.versions import V2_16
from reconciler.sandbox.names import folded, rewritten
from reconciler.sandbox.request import Refusal, Request, invalid, not_found
from reconciler.sandbox.store import Doc
from reconciler.sandbox.workspace import Workspace


def basic(tag: Doc) -> Doc:
    return {"type": "tag", "id": tag["id"], "name": tag["name"]}


def by_name(ws: Workspace, name: str) -> Doc | None:
    """One tag per name in any case (POST /tags)."""
    if "fold" in ws.settings.rewrites.split():
        found = [tag for tag in ws.store.table("tag").in_order() if folded(tag["name"]) == folded(name)]
    else:
        found = ws.store.table("tag").find("name", name.lower())
    return found[0] if found else None


def create_tag(ws: Workspace, name: str, id: str | None = None) -> Doc:
    while id is None or ws.store.get("tag", id):
        id = str(100 + ws.store.number("tag"))
    return ws.store.put("tag", {"id": id, "seq": ws.number(), "name": name})


def listing(request: Request) -> Doc:
    return {"type": "list", "data": [basic(tag) for tag in request.ws.store.table("tag").in_order()]}


def get(request: Request) -> Doc:
    return basic(_tag(request.ws, request.params["id"]))


def _tag(ws: Workspace, id: object) -> Doc:
    tag = ws.store.get("tag", id)
    if tag is None:
        raise not_found()
    return tag


def delete(request: Request) -> Doc:
    ws = request.ws
    tag = _tag(ws, request.params["id"])
    if tag.get("segments"):
        names = ", ".join(tag["segments"])
        raise Refusal(400, "tag_has_dependent_objects", f"Unable to delete Tag with dependent objects. Segments: {names}.")
    for kind in ("contact", "company"):
        for id in list(ws.store.table(kind).ids("tag", tag["id"])):
            _untag(ws, kind, id, tag["id"])
    ws.store.drop("tag", tag["id"])
    return {}


def _untag(ws: Workspace, kind: str, id: str, tag_id: str) -> None:
    doc = ws.store.table(kind).docs[id]
    ws.store.put(kind, doc | {"tags": {other: how for other, how in doc["tags"].items() if other != tag_id}})


def write(request: Request) -> Doc:
    """POST /tags is five calls told apart by their keys."""
    body = request.body
    name = body.get("name")
    if isinstance(name, str):
        name = rewritten(request.ws, name)
    if not isinstance(name, str) or not name:
        raise invalid("invalid tag parameters")
    if body.get("id") is not None:
        return _shown(request, _rename(request.ws, body["id"], name), [], [])
    companies, users = (_entries(body, key) for key in ("companies", "users"))
    tag = by_name(request.ws, name) or create_tag(request.ws, name)
    return _shown(request, tag, _tag_users(request, tag, users), _tag_companies(request, tag, companies))


def _rename(ws: Workspace, id: object, name: str) -> Doc:
    tag = _tag(ws, id)
    holder = by_name(ws, name)
    if holder is not None and holder["id"] != tag["id"]:
        raise invalid("invalid tag parameters")
    return ws.store.put("tag", tag | {"name": name})


def _shown(request: Request, tag: Doc, users: list[Doc], companies: list[Doc]) -> Doc:
    if request.version < V2_16:
        return basic(tag)
    return basic(tag) | {"users": users, "companies": companies}


def _entries(body: Doc, key: str) -> list[Doc]:
    entries = body.get(key) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise invalid("invalid tag parameters")
    return entries


def _tag_users(request: Request, tag: Doc, entries: list[Doc]) -> list[Doc]:
    tagged = []
    for entry in entries:
        try:
            contact = live(request.ws, entry.get("id"))
        except Refusal:
            if request.version < V2_16:
                raise
            continue  # POST /tags, API 2.16: an id that does not exist is skipped, still 200
        attach(request.ws, contact, tag)
        tagged.append({"id": contact["id"], "tagged": True})
    return tagged


def _tag_companies(request: Request, tag: Doc, entries: list[Doc]) -> list[Doc]:
    tagged = []
    for entry in entries:
        company = _company(request.ws, entry)
        if company is None and request.version < V2_16:
            raise Refusal(404, "company_not_found", "Company Not Found")
        if company is not None:
            tagged.append({"id": company["id"], "tagged": _mark(request.ws, company, tag, entry)})
    return tagged


def _company(ws: Workspace, entry: Doc) -> Doc | None:
    if entry.get("id") is not None:
        return ws.store.get("company", entry["id"])
    found = ws.store.table("company").find("company_id", str(entry.get("company_id")))
    return found[0] if found else None


def _mark(ws: Workspace, company: Doc, tag: Doc, entry: Doc) -> bool:
    """Whether the company is tagged afterwards."""
    if entry.get("untag") is True:
        if tag["id"] in company["tags"]:
            _untag(ws, "company", company["id"], tag["id"])
        return False
    if tag["id"] not in company["tags"]:
        ws.store.put("company", company | {"tags": {**company["tags"], tag["id"]: ws.clock()}})
    return True


def attach(ws: Workspace, contact: Doc, tag: Doc) -> Doc:
    """Attaching again keeps the first time."""
    if tag["id"] in contact["tags"]:
        return contact
    return save(ws, contact | {"tags": {**contact["tags"], tag["id"]: [ws.clock(), ws.admin_id()]}})


def _applied(ws: Workspace, tag: Doc, how: list[object]) -> Doc:
    """applied_at and applied_by are shown only here (tag, API 2.16)."""
    return basic(tag) | {"applied_at": how[0], "applied_by": {"type": "admin", "id": how[1]}}


def of_contact(request: Request) -> Doc:
    ws = request.ws
    contact = live(ws, request.params["id"])
    data = [_applied(ws, _tag(ws, id), how) for id, how in contact["tags"].items()]
    return {"type": "list", "data": data}


def attach_to_contact(request: Request) -> Doc:
    ws = request.ws
    contact = live(ws, request.params["id"])
    tag = _tag(ws, request.body.get("id"))
    return _applied(ws, tag, attach(ws, contact, tag)["tags"][tag["id"]])


def detach_from_contact(request: Request) -> Doc:
    ws = request.ws
    contact = live(ws, request.params["id"])
    tag = _tag(ws, request.params["tag_id"])
    how = contact["tags"].get(tag["id"])
    if how is None:
        raise not_found()
    save(ws, contact | {"tags": {id: kept for id, kept in contact["tags"].items() if id != tag["id"]}})
    return _applied(ws, tag, how)
