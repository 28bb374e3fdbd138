"""Companies: create or update, read, the three ways to list them, and their links to contacts."""

from __future__ import annotations

import math
import uuid

from reconciler.sandbox.api import people, segments, tags
from reconciler.sandbox.api.paging import answer_page
from reconciler.sandbox.api.values import Check, is_flag, is_integer, is_number, is_text, merge_custom
from reconciler.sandbox.api.versions import V2_16
from reconciler.sandbox.names import rewrite
from reconciler.sandbox.request import Refusal, Request, invalid
from reconciler.sandbox.store import Doc
from reconciler.sandbox.workspace import Workspace, is_live

CAP = 10_000  # companies that POST /companies/list reaches (API 2.16)
MOST = 60  # per page
SCROLL_SIZE = 100  # companies per page
SCROLL_LIFE = 60.0  # seconds after its last use
LINKS = 1000  # companies per contact
LARGEST = 2**31 - 1  # monthly_spend

UPDATABLE: dict[str, Check] = {
    "name": is_text,
    "plan": is_text,
    "size": is_integer,
    "website": is_text,
    "industry": is_text,
    "monthly_spend": lambda value: is_number(value) and math.trunc(float(str(value))) <= LARGEST,
    "custom_attributes": lambda value: isinstance(value, dict),
}
CREATABLE = UPDATABLE | {"company_id": is_text, "remote_created_at": is_integer}
ALWAYS = ("company_id", "id", "name", "remote_created_at", "created_at", "updated_at", "custom_attributes")
WHERE_SET = ("last_request_at", "size", "website", "industry")


def show(request: Request, company: Doc) -> Doc:
    """Unset fields are missing, not null (recorded examples of POST /companies, API 2.16)."""
    ws, id = request.ws, company["id"]
    plan = ws.store.table("plan").first("name", company.get("plan"))
    body = {"type": "company", "app_id": ws.settings.app_id} | {name: company[name] for name in ALWAYS}
    body |= {name: company[name] for name in WHERE_SET if company.get(name) is not None}
    body |= {name: company.get(name, 0) for name in ("monthly_spend", "session_count")}
    body["user_count"] = len(ws.store.table("contact").ids("company_user", id)) + company.get("unseen_users", 0)
    body["tags"] = {"type": "tag.list", "tags": [tags.show(ws.store.table("tag").docs[tag]) for tag in company["tags"]]}
    body["segments"] = {"type": "segment.list", "segments": segments.show_those_of(ws, "companies", company)}
    body["plan"] = {"type": "plan", "id": plan["id"], "name": plan["name"]} if plan else {}  # callers write its name
    if request.version >= V2_16:
        notes = [{"type": "note", "id": note["id"], "body": note["body"]} for note in ws.store.table("note").find("of", id)]
        body["notes"] = {"type": "note.list", "notes": notes}
    return body


def learn_plan(ws: Workspace, name: str | None) -> None:
    """Give a plan an id when a company first names it."""
    if name and not ws.store.table("plan").ids("name", name):
        ws.store.put("plan", {"id": str(2000 + ws.store.number("plan")), "seq": ws.number(), "name": name})


def require_company(ws: Workspace, id: object) -> Doc:
    """The company with that id. Raises Refusal with 404."""
    return _refuse_missing(ws.store.get("company", id))


def _refuse_missing(company: Doc | None) -> Doc:
    if company is None:
        raise Refusal(404, "company_not_found", "Company Not Found")
    return company


def sweep(ws: Workspace) -> None:
    """Delete the companies whose time has come. Their contacts stay, without them."""
    table, contacts = ws.store.table("company"), ws.store.table("contact")
    for id in [id for id in table.ids("leaving", True) if table.docs[id]["leaves_at"] <= ws.now()]:
        for contact_id in list(contacts.ids("company", id)):
            people.save_without(ws, contacts.docs[contact_id], "companies", id)
        ws.store.drop("company", id)


def upsert(request: Request) -> Doc:
    """Create a company, or update the one with that company_id."""
    ws, body = request.ws, dict(request.body)
    seen_now = body.pop("update_last_request_at", None) if request.version >= V2_16 else None
    if seen_now is not None and not is_flag(seen_now):
        raise _bad("update_last_request_at")
    changes = _check(ws, body, CREATABLE)
    company_id, name = body.get("company_id"), body.get("name")
    if not company_id and not name:
        raise _bad("company_id")
    company = ws.store.table("company").first("company_id", company_id or None)
    if company is None:
        if not company_id or not name:
            ws.rest_on("company_by_id" if company_id else "company_by_name")
        company = blank(ws, company_id, name)
    company = _merge(ws, company, changes)
    if seen_now:
        company["last_request_at"] = ws.clock()
    company.pop("leaves_at", None)  # a write to a company that is being deleted keeps it
    return show(request, ws.store.put("company", company))


def blank(ws: Workspace, company_id: str | None, name: str | None, id: str | None = None) -> Doc:
    while id is None or ws.store.get("company", id):
        id = f"6762f0761bb69f9f{ws.store.number('company'):08x}"
    now = ws.clock()
    doc = {"id": id, "seq": ws.number(), "company_id": company_id or id, "name": name or company_id, "tags": {}, "custom_attributes": {}}
    return doc | {"remote_created_at": now, "created_at": now, "updated_at": now}


def _bad(name: str) -> Refusal:
    return Refusal(400, "bad_request", f"bad '{name}' parameter")


def _check(ws: Workspace, body: Doc, checks: dict[str, Check]) -> Doc:
    """What the body changes. Raises Refusal for a key that is not allowed and for a wrong type."""
    if None in body.values():
        ws.rest_on("company_null")
    for name, value in body.items():
        if name == "monthly_spend" and is_number(value) and float(str(value)) > LARGEST:
            ws.rest_on("spend")
        if name not in checks or (value is not None and not checks[name](value)):
            raise _bad(name)
    if ws.settings.company_null == "refused" and None in body.values():
        raise _bad(next(name for name, value in body.items() if value is None))
    changes = {name: value for name, value in body.items() if value is not None or ws.settings.company_null == "cleared"}
    if changes.get("name"):
        changes["name"] = rewrite(ws, changes["name"])
    if changes.get("monthly_spend") is not None:
        changes["monthly_spend"] = math.trunc(changes["monthly_spend"])
    return changes


def _merge(ws: Workspace, company: Doc, changes: Doc) -> Doc:
    custom = merge_custom(ws, "company", company["custom_attributes"], changes.get("custom_attributes", {}))
    learn_plan(ws, changes.get("plan"))
    return company | changes | {"custom_attributes": custom, "updated_at": ws.clock()}


def update(request: Request) -> Doc:
    ws = request.ws
    company = require_company(ws, request.id)
    return show(request, ws.store.put("company", _merge(ws, company, _check(ws, request.body, UPDATABLE))))


def get(request: Request) -> Doc:
    return show(request, require_company(request.ws, request.id))


def delete(request: Request) -> Doc:
    """The company is gone after `archive_delay`. The key is `object`, not `type` (DELETE /companies/{id})."""
    ws = request.ws
    company = require_company(ws, request.id)
    ws.rest_on("company_deleted")
    ws.store.put("company", company | {"leaves_at": ws.now() + ws.settings.archive_delay})
    sweep(ws)
    return {"id": company["id"], "object": "company", "deleted": True}


def retrieve(request: Request) -> Doc:
    """One company for company_id or name, otherwise a list (GET /companies)."""
    ws, query = request.ws, request.query
    for field in ("company_id", "name"):
        if field in query:
            return show(request, _refuse_missing(ws.store.table("company").first(field, query[field])))
    rows = _visible(ws, everywhere=False)
    if "tag_id" in query:
        rows = [row for row in rows if query["tag_id"] in row["tags"]]
    if "segment_id" in query:
        segment = ws.store.get("segment", query["segment_id"]) or {"companies": []}
        rows = [row for row in rows if row["id"] in segment["companies"]]
    return _list(request, rows)


def _visible(ws: Workspace, *, everywhere: bool) -> list[Doc]:
    """The companies of a list, most recent request first: those without users are left out (POST /companies/list)."""
    companies, contacts = ws.store.table("company"), ws.store.table("contact")
    hide = everywhere or ws.settings.hide_userless == "all"

    def build() -> list[Doc]:
        rows = [c for c in companies.docs.values() if not hide or contacts.ids("company_user", c["id"]) or c.get("unseen_users")]
        return sorted(rows, key=lambda c: (c.get("last_request_at") or 0, c["seq"]), reverse=True)

    return ws.reuse(f"companies {hide}", (companies.changes, contacts.changes), build)


def _list(request: Request, rows: list[Doc]) -> Doc:
    answer = answer_page(request, rows[:CAP], show, 15, MOST)
    # Past the cap an empty list with total_count 0 was reported (intercom-ruby#274).
    beyond = len(rows) > CAP and not answer["data"]
    return answer | {"total_count": 0 if beyond else len(rows)}


def listing(request: Request) -> Doc:
    order = request.query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise invalid("order must be asc or desc")
    rows = _visible(request.ws, everywhere=True)
    return _list(request, rows if order == "desc" else rows[::-1])


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
        ws.scroll = {"param": str(uuid.UUID(int=ws.store.number("scroll"))), "ids": ids}
    elif ws.scroll is None or ws.scroll["param"] != param:
        raise Refusal(404, "not_found", "scroll parameter not found")  # reported: airbyte#9339
    return _next_scroll_page(request, ws.scroll)


def _next_scroll_page(request: Request, scroll: Doc) -> Doc:
    ws, ids = request.ws, scroll["ids"][:SCROLL_SIZE]
    ws.scroll = scroll | {"ids": scroll["ids"][SCROLL_SIZE:], "until": ws.now() + SCROLL_LIFE} if ids else None
    docs = ws.store.table("company").docs
    data = [show(request, docs[id]) for id in ids if id in docs]
    return {"type": "list", "data": data, "pages": None, "total_count": None, "scroll_param": scroll["param"]}


def contacts_of(request: Request) -> Doc:
    company = require_company(request.ws, request.id)
    rows = [contact for contact in request.ws.store.table("contact").find("company", company["id"]) if is_live(contact)]
    answer = answer_page(request, rows, people.show)
    if answer["pages"]["next"] is None:
        del answer["pages"]["next"]
    return answer


def of_contact(request: Request) -> Doc:
    contact = people.require_live(request.ws, request.id)
    rows = [company for id in contact["companies"] if (company := request.ws.store.get("company", id))]
    return answer_page(request, rows, show, url=True)


def attach(request: Request) -> Doc:
    ws, id = request.ws, request.body.get("id")
    if id is None:
        raise Refusal(400, "parameter_not_found", "company not specified")
    contact, company = people.require_live(ws, request.id), require_company(ws, id)
    if company["id"] not in contact["companies"]:
        if len(contact["companies"]) >= LINKS:
            message = f"Contact has reached the maximum of {LINKS} company associations"
            raise Refusal(400, "contact_company_limit_exceeded", message)
        people.save(ws, contact | {"companies": {**contact["companies"], company["id"]: ws.clock()}})
    return show(request, company)


def detach(request: Request) -> Doc:
    ws = request.ws
    contact, company = people.require_live(ws, request.id), require_company(ws, request.params["company_id"])
    if company["id"] not in contact["companies"]:
        ws.rest_on("detached_missing")
        raise Refusal(404, "company_not_found", "Company Not Found")
    people.save_without(ws, contact, "companies", company["id"])
    return show(request, company)


def segments_of(request: Request) -> Doc:
    return {"type": "list", "data": segments.show_those_of(request.ws, "companies", require_company(request.ws, request.id))}
