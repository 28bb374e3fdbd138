"""Companies: upsert, point reads, the three ways to list them, and their links to contacts."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Sequence

from reconciler.sandbox.api import people, tags
from reconciler.sandbox.api.paging import numbered_pages
from reconciler.sandbox.api.values import is_flag, is_integer, is_number, is_text, merged_custom
from reconciler.sandbox.api.versions import V2_16
from reconciler.sandbox.names import rewritten
from reconciler.sandbox.request import Refusal, Request, invalid
from reconciler.sandbox.store import Doc
from reconciler.sandbox.workspace import Workspace, is_live

CAP = 10_000  # companies that POST /companies/list reaches (API 2.16)
MOST = 60  # per page
SCROLL_SIZE = 100
SCROLL_LIFE = 60.0
LINKS = 1000  # companies per contact
LARGEST = 2**31 - 1

UPDATABLE: dict[str, Callable[[object], bool]] = {
    "name": is_text,
    "plan": is_text,
    "size": is_integer,
    "website": is_text,
    "industry": is_text,
    "monthly_spend": lambda value: is_number(value) and math.trunc(float(str(value))) <= LARGEST,
    "custom_attributes": lambda value: isinstance(value, dict),
}
CREATABLE = UPDATABLE | {"company_id": is_text, "remote_created_at": is_integer}
PLAIN = ("last_request_at", "size", "website", "industry")


def absent() -> Refusal:
    return Refusal(404, "company_not_found", "Company Not Found")


def show(ws: Workspace, company: Doc, version: int) -> Doc:
    """Unset fields are missing, not null (recorded examples of POST /companies, API 2.16)."""
    id = company["id"]
    tagged = [tags.basic(ws.store.table("tag").docs[tag]) for tag in company["tags"]]
    shown = {"type": "company", "company_id": company["company_id"], "id": id, "app_id": ws.settings.app_id, "name": company["name"]}
    shown |= {name: company[name] for name in ("remote_created_at", "created_at", "updated_at")}
    shown |= {name: company[name] for name in PLAIN if company.get(name) is not None}
    shown |= {name: company.get(name, 0) for name in ("monthly_spend", "session_count")}
    shown["user_count"] = ws.store.table("contact").count("company_user", id)
    shown["tags"] = {"type": "tag.list", "tags": tagged}
    shown["segments"] = {"type": "segment.list", "segments": [_segment(s) for s in segments_of(ws, "companies", company)]}
    shown["plan"] = _plan(ws, company.get("plan"))
    shown["custom_attributes"] = company["custom_attributes"]
    if version >= V2_16:
        notes = [{"type": "note", "id": note["id"], "body": note["body"]} for note in ws.store.table("note").find("of", id)]
        shown["notes"] = {"type": "note.list", "notes": notes}
    return shown


def segments_of(ws: Workspace, members: str, doc: Doc) -> list[Doc]:
    return [segment for segment in ws.store.table("segment").in_order() if doc["id"] in segment[members]]


def _segment(segment: Doc) -> Doc:
    return {"type": "segment"} | {name: segment[name] for name in ("id", "name", "created_at", "updated_at", "person_type")}


def _plan(ws: Workspace, name: str | None) -> Doc:
    """Written as a name, read as an object."""
    if not name:
        return {}
    found = ws.store.table("plan").find("name", name)
    return {"type": "plan", "id": found[0]["id"], "name": name} if found else {}


def learn_plan(ws: Workspace, name: str | None) -> None:
    if name and not ws.store.table("plan").count("name", name):
        ws.store.put("plan", {"id": str(2000 + ws.store.number("plan")), "seq": ws.number(), "name": name})


def company(request: Request, id: object) -> Doc:
    found = request.ws.store.get("company", id)
    if found is None:
        raise absent()
    return found


def sweep(ws: Workspace) -> None:
    """Carry out the deletions whose time has come: contacts are detached and stay."""
    table = ws.store.table("company")
    for id in [id for id in table.ids("leaving", True) if table.docs[id]["leaves_at"] <= ws.now()]:
        for contact_id in list(ws.store.table("contact").ids("company", id)):
            unlink(ws, ws.store.table("contact").docs[contact_id], id)
        ws.store.drop("company", id)


def unlink(ws: Workspace, contact: Doc, company_id: str) -> None:
    people.save(ws, contact | {"companies": {id: at for id, at in contact["companies"].items() if id != company_id}})


def upsert(request: Request) -> Doc:
    """Create, or update the one with that company_id."""
    ws, body = request.ws, dict(request.body)
    seen_now = body.pop("update_last_request_at", None) if request.version >= V2_16 else None
    if seen_now is not None and not is_flag(seen_now):
        raise _bad("update_last_request_at")
    changes = _checked(ws, body, CREATABLE)
    if not body.get("company_id") and not body.get("name"):
        raise _bad("company_id")
    old = ws.store.table("company").find("company_id", body["company_id"])[:1] if body.get("company_id") else []
    doc = old[0] if old else blank(ws, body.get("company_id"), body.get("name"))
    doc = _written(ws, doc, changes)
    if seen_now:
        doc["last_request_at"] = ws.clock()
    doc.pop("leaves_at", None)  # a company written again while it is going stays
    return show(ws, ws.store.put("company", doc), request.version)


def blank(ws: Workspace, company_id: str | None, name: str | None, id: str | None = None) -> Doc:
    while id is None or ws.store.get("company", id):
        id = f"6762f0761bb69f9f{ws.store.number('company'):08x}"
    now = ws.clock()
    doc = {"id": id, "seq": ws.number(), "company_id": company_id or id, "name": name or company_id, "tags": {}, "custom_attributes": {}}
    return doc | {"remote_created_at": now, "created_at": now, "updated_at": now}


def _bad(name: str) -> Refusal:
    return Refusal(400, "bad_request", f"bad '{name}' parameter")


def _checked(ws: Workspace, body: Doc, allowed: dict[str, Callable[[object], bool]]) -> Doc:
    for name, value in body.items():
        if name not in allowed or (value is not None and not allowed[name](value)):
            raise _bad(name)
    changes = {name: value for name, value in body.items() if value is not None}
    if "name" in changes:
        changes["name"] = rewritten(ws, changes["name"])
    if "monthly_spend" in changes:
        changes["monthly_spend"] = math.trunc(changes["monthly_spend"])
    return changes


def _written(ws: Workspace, doc: Doc, changes: Doc) -> Doc:
    custom = changes.pop("custom_attributes", None)
    written = doc | changes | {"updated_at": ws.clock()}
    if custom is not None:
        written["custom_attributes"] = merged_custom(ws, "company", doc["custom_attributes"], custom)
    learn_plan(ws, changes.get("plan"))
    return written


def update(request: Request) -> Doc:
    ws = request.ws
    doc = company(request, request.params["id"])
    return show(ws, ws.store.put("company", _written(ws, doc, _checked(ws, request.body, UPDATABLE))), request.version)


def get(request: Request) -> Doc:
    return show(request.ws, company(request, request.params["id"]), request.version)


def delete(request: Request) -> Doc:
    """Archived later; the key is `object`, not `type` (DELETE /companies/{id})."""
    ws = request.ws
    doc = company(request, request.params["id"])
    ws.store.put("company", doc | {"leaves_at": ws.now() + ws.settings.archive_delay})
    sweep(ws)
    return {"id": doc["id"], "object": "company", "deleted": True}


def retrieve(request: Request) -> Doc:
    """One company for company_id or name, otherwise a list (GET /companies)."""
    ws, query = request.ws, request.query
    for field in ("company_id", "name"):
        if field in query:
            found = ws.store.table("company").find(field, query[field])
            if not found:
                raise absent()
            return show(ws, found[0], request.version)
    rows = _visible(ws, everywhere=False)
    if "tag_id" in query:
        rows = [row for row in rows if query["tag_id"] in row["tags"]]
    if "segment_id" in query:
        segment = ws.store.get("segment", query["segment_id"]) or {"companies": []}
        rows = [row for row in rows if row["id"] in segment["companies"]]
    return _page(request, rows)


def _visible(ws: Workspace, *, everywhere: bool) -> list[Doc]:
    """Companies without users are left out of lists (POST /companies/list); most recent request first."""
    companies, contacts = ws.store.table("company"), ws.store.table("contact")
    hide = everywhere or ws.settings.hide_userless == "all"

    def build() -> list[Doc]:
        rows = [c for c in companies.docs.values() if not hide or contacts.count("company_user", c["id"])]
        return sorted(rows, key=lambda c: (c.get("last_request_at") or 0, c["seq"]), reverse=True)

    rows: list[Doc] = ws.built(f"companies {hide}", (companies.changed, contacts.changed), build)
    return rows


def _page(request: Request, rows: Sequence[Doc]) -> Doc:
    page, size = request.number("page", 1), request.number("per_page", 15, MOST)
    reachable = rows[:CAP]
    part, pages = numbered_pages(reachable, page, size)
    data = [show(request.ws, row, request.version) for row in part]
    # Past the cap an empty list with total_count 0 was reported (intercom-ruby#274).
    beyond = len(rows) > CAP and (page - 1) * size >= CAP
    return {"type": "list", "data": data, "pages": pages, "total_count": 0 if beyond else len(rows)}


def listing(request: Request) -> Doc:
    order = request.query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise invalid("order must be asc or desc")
    rows = _visible(request.ws, everywhere=True)
    return _page(request, rows if order == "desc" else rows[::-1])


def scroll(request: Request) -> Doc:
    """One scroll per app, which expires a minute after its last use (GET /companies/scroll)."""
    ws = request.ws
    if ws.scroll is not None and ws.scroll["until"] <= ws.now():
        ws.scroll = None
    param = request.query.get("scroll_param")
    if not param:
        if ws.scroll is not None:
            raise Refusal(400, "scroll_exists", "scroll already exists for this workspace")  # reported: airbyte#8395
        ids = [row["id"] for row in _visible(ws, everywhere=False)]
        ws.scroll = {"param": str(uuid.UUID(int=ws.store.number("scroll"))), "ids": ids, "at": 0}
    elif ws.scroll is None or ws.scroll["param"] != param:
        raise Refusal(404, "not_found", "scroll parameter not found")  # reported: airbyte#9339
    return _next_scroll_page(request, ws.scroll)


def _next_scroll_page(request: Request, state: Doc) -> Doc:
    ws = request.ws
    ids = state["ids"][state["at"] : state["at"] + SCROLL_SIZE]
    state |= {"at": state["at"] + SCROLL_SIZE, "until": ws.now() + SCROLL_LIFE}
    if not ids:
        ws.scroll = None
    docs = ws.store.table("company").docs
    data = [show(ws, docs[id], request.version) for id in ids if id in docs]
    return {"type": "list", "data": data, "pages": None, "total_count": None, "scroll_param": state["param"]}


def contacts_of(request: Request) -> Doc:
    ws = request.ws
    doc = company(request, request.params["id"])
    rows = [contact for contact in ws.store.table("contact").find("company", doc["id"]) if is_live(contact)]
    part, pages = numbered_pages(rows, request.number("page", 1), request.number("per_page", 50, 150))
    if pages["next"] is None:
        del pages["next"]
    data = [people.show(ws, row, request.version) for row in part]
    return {"type": "list", "data": data, "total_count": len(rows), "pages": pages}


def of_contact(request: Request) -> Doc:
    ws = request.ws
    contact = people.live(ws, request.params["id"])
    rows = [found for id in contact["companies"] if (found := ws.store.get("company", id))]
    page, size = request.number("page", 1), request.number("per_page", 50, 150)
    part, pages = numbered_pages(rows, page, size)
    if pages["next"] is not None:  # a URL here (pages_link, API 2.16)
        pages["next"] = f"{request.base}/contacts/{contact['id']}/companies?page={page + 1}&per_page={size}"
    data = [show(ws, row, request.version) for row in part]
    return {"type": "list", "data": data, "pages": pages, "total_count": len(rows)}


def attach(request: Request) -> Doc:
    ws, id = request.ws, request.body.get("id")
    if id is None:
        raise Refusal(400, "parameter_not_found", "company not specified")
    contact = people.live(ws, request.params["id"])
    doc = company(request, id)
    if doc["id"] not in contact["companies"]:
        if len(contact["companies"]) >= LINKS:
            message = f"Contact has reached the maximum of {LINKS} company associations"
            raise Refusal(400, "contact_company_limit_exceeded", message)
        people.save(ws, contact | {"companies": {**contact["companies"], doc["id"]: ws.clock()}})
    return show(ws, doc, request.version)


def detach(request: Request) -> Doc:
    ws = request.ws
    contact = people.live(ws, request.params["id"])
    doc = company(request, request.params["company_id"])
    if doc["id"] not in contact["companies"]:
        raise absent()
    unlink(ws, contact, doc["id"])
    return show(ws, doc, request.version)


def segments(request: Request) -> Doc:
    doc = company(request, request.params["id"])
    return {"type": "list", "data": [_segment(s) for s in segments_of(request.ws, "companies", doc)]}
