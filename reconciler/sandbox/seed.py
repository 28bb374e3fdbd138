"""A workspace to start from: YAML or JSON that names live things the way people do. A seed adds to what is there."""

from __future__ import annotations

import json
from calendar import timegm
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from reconciler.sandbox.api import attributes, companies, oauth, people, tags
from reconciler.sandbox.store import Doc
from reconciler.sandbox.workspace import Workspace


def load_seed(path: Path) -> Doc:
    """Raises ValueError that names the file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        seed = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path} is not readable: {error}") from error
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply") from None
    if not isinstance(seed, dict):
        raise ValueError(f"{path} must be a mapping of sections such as tags, companies, contacts")
    return seed


def sow(ws: Workspace, seed: Mapping[str, Any]) -> None:
    """Add what the seed names; what is there already, by name, company_id, external_id or id, is changed. Raises ValueError."""
    seed = json.loads(json.dumps(seed, default=_seconds))
    for section in seed:
        if section not in SECTIONS:
            raise ValueError(f"unknown section {section!r} in the seed; known are {', '.join(SECTIONS)}")
    for section, (keys, store) in SECTIONS.items():
        entries = seed.get(section)
        if entries is None:
            continue
        for entry in [entries] if section == "app" else _list(entries, section):
            store(ws, _mapping({"name": entry} if section == "tags" and isinstance(entry, str) else entry, section, keys))


def _seconds(value: object) -> int:
    """A time of YAML as Intercom writes it: whole seconds since 1970. A time without a zone is in UTC."""
    if not isinstance(value, date):
        raise ValueError(f"{value!r} is not a value for a seed")
    return timegm(value.utctimetuple() if isinstance(value, datetime) else value.timetuple())


def _list(entries: object, name: str) -> list[Any]:
    if not isinstance(entries, list):
        raise ValueError(f"{name} must be a list")
    return entries


def _mapping(entry: object, section: str, keys: Iterable[str]) -> Doc:
    if not isinstance(entry, dict):
        raise ValueError(f"each of {section} must be a mapping, not {entry!r}")
    unknown = sorted(set(entry) - set(keys))
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r} in {section}: {entry!r}")
    return entry


def _put_app(ws: Workspace, entry: Doc) -> None:
    ws.settings.region = entry.get("region", ws.settings.region)
    ws.settings.app_id = entry.get("id_code", ws.settings.app_id)
    ws.store.put("app", ws.app() | entry | {"seq": 0})


def _put_admin(ws: Workspace, entry: Doc) -> None:
    id = str(entry.get("id") or 456 + ws.store.number("admin"))
    admin = ws.store.get("admin", id) or {"seq": ws.number(), "name": f"Admin {id}", "email": f"admin{id}@email.com"}
    ws.store.put("admin", admin | entry | {"id": id})


def _put_subscription(ws: Workspace, entry: Doc) -> None:
    id = str(entry.get("id") or 100 + ws.store.number("subscription"))
    blank = {"seq": ws.number(), "consent_type": "opt_out", "content_types": ["email"]}
    ws.store.put("subscription", blank | entry | {"id": id})


def _put_attribute(ws: Workspace, entry: Doc) -> None:
    entry = {"model": "contact", "data_type": "string"} | entry
    if entry["model"] not in attributes.MODELS or not entry.get("name"):
        raise ValueError(f"an attribute needs a name and a model contact or company: {entry!r}")
    if entry.get("options"):
        entry["data_type"] = "options"
    if entry["data_type"] not in attributes.WRITTEN_TYPES:
        raise ValueError(f"data_type {entry['data_type']!r} is not one of {', '.join(attributes.WRITTEN_TYPES)}")
    attribute = ws.store.table("attribute").first("name", (entry["model"], entry["name"]))
    if attribute is None:
        attribute = attributes.put_new(ws, entry | {"id": str(entry["id"]) if "id" in entry else None})
    changes = {key: entry[key] for key in ("description", "messenger_writable", "archived", "segments") if key in entry}
    ws.store.put("attribute", attribute | changes)
    _ensure_segments(ws, changes.get("segments", ()))


def _put_tag(ws: Workspace, entry: Doc) -> None:
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        raise ValueError(f"a tag needs a name: {entry!r}")
    # Two tags whose names differ only in case come from a seed that gives them ids, and from nowhere else.
    tag = ws.store.get("tag", entry["id"]) if "id" in entry else tags.find(ws, name)
    tag = tag or tags.create(ws, name, str(entry["id"]) if "id" in entry else None)
    segments = _list(entry.get("segments") or tag.get("segments") or [], "segments of a tag")
    ws.store.put("tag", tag | {"name": name, "segments": segments})
    _ensure_segments(ws, segments)


def _ensure_segments(ws: Workspace, names: Iterable[str]) -> None:
    for name in names:
        if not ws.store.table("segment").ids("name", name):
            _put_segment(ws, {"name": name})


def _put_segment(ws: Workspace, entry: Doc) -> None:
    if not entry.get("name"):
        raise ValueError(f"a segment needs a name: {entry!r}")
    members = {
        "contacts": [_contact_id(ws, reference) for reference in entry.get("contacts", ())],
        "companies": [_ensure_company(ws, reference)["id"] for reference in entry.get("companies", ())],
    }
    now = ws.clock()
    blank = {"id": f"6762f25c1bb69f9f{ws.store.number('segment'):08x}", "seq": ws.number(), "person_type": "user"}
    segment = ws.store.table("segment").first("name", entry["name"]) or blank | {"created_at": now, "updated_at": now}
    ws.store.put("segment", segment | entry | members)


def _ensure_tags(ws: Workspace, entry: Doc, name: str) -> dict[str, int]:
    """The ids of the tags that the entry names, with when it got each: now, or as `{tag: NAME, applied_at: TIME}` says; they leave the
    entry."""
    items = [item if isinstance(item, dict) else {"tag": item} for item in _list(entry.pop("tags", []), f"tags of {name}")]
    for item in items:
        if not isinstance(item.get("tag"), str) or not item["tag"] or item.keys() - {"tag", "applied_at"}:
            raise ValueError(f"tags of {name} must be a list of names, not {item.get('tag', item)!r}")
    pairs = (((tags.find(ws, item["tag"]) or tags.create(ws, item["tag"]))["id"], item) for item in items)
    return {id: item.get("applied_at", ws.clock()) for id, item in pairs}


def _ensure_attributes(ws: Workspace, entry: Doc, model: str) -> Doc:
    """The custom attributes of the entry; they leave the entry. Those that nobody defined are defined by their values."""
    custom = entry.pop("custom_attributes", {})
    if not isinstance(custom, dict):
        raise ValueError(f"custom_attributes of a {model} must be a mapping, not {custom!r}")
    for name, value in custom.items():
        if not ws.store.table("attribute").ids("name", (model, name)):
            attributes.put_new(ws, {"name": name, "model": model, "data_type": attributes.infer(value)})
    return custom


def _put_company(ws: Workspace, entry: Doc) -> None:
    if not isinstance(entry.get("company_id"), str):
        raise ValueError(f"a company needs a company_id that is a text: {entry!r}")
    company = _ensure_company(ws, entry["company_id"], entry.get("id"))
    custom, tag_ids = _ensure_attributes(ws, entry, "company"), _ensure_tags(ws, entry, "a company")
    companies.learn_plan(ws, entry.get("plan"))
    parts = {"custom_attributes": company["custom_attributes"] | custom, "tags": company["tags"] | tag_ids}
    ws.store.put("company", company | entry | {"id": company["id"]} | parts)


def _ensure_company(ws: Workspace, company_id: object, id: str | None = None) -> Doc:
    company = ws.store.table("company").first("company_id", str(company_id))
    return company or ws.store.put("company", companies.blank(ws, str(company_id), None, id))


def _contact_id(ws: Workspace, reference: object) -> str:
    """The id of the contact with that id, external_id or e-mail."""
    table = ws.store.table("contact")
    contact = ws.store.get("contact", reference) or table.first("external_id", str(reference)) or table.first("email", str(reference))
    if contact is None:
        raise ValueError(f"there is no contact {reference!r} in the seed or the workspace")
    return str(contact["id"])


def _put_contact(ws: Workspace, entry: Doc) -> None:
    contact = _find_or_blank(ws, entry)
    custom, tag_times = _ensure_attributes(ws, entry, "contact"), _ensure_tags(ws, entry, "a contact")
    company_ids = [_ensure_company(ws, reference)["id"] for reference in _list(entry.pop("companies", []), "companies of a contact")]
    hiding, into = entry.pop("hidden_from_search", None), entry.pop("merged_into", None)
    contact |= entry
    contact["custom_attributes"] = contact["custom_attributes"] | custom
    contact["tags"] = contact["tags"] | {id: [at, ws.admin()["id"]] for id, at in tag_times.items()}
    contact["companies"] = contact["companies"] | dict.fromkeys(company_ids, ws.clock())
    if hiding is not None:
        contact["visible_at"] = ws.now() + hiding
    if into is not None:
        contact["merged_into"] = _contact_id(ws, into)
    ws.store.put("contact", contact)


def _find_or_blank(ws: Workspace, entry: Doc) -> Doc:
    """A copy of the contact that the entry means, by id or external_id, or a new one."""
    for name in ("id", "external_id", "email", "owner_id"):
        if entry.get(name) is not None:
            entry[name] = str(entry[name])
    if not any(entry.get(name) for name in ("id", "external_id", "email", "role")):
        raise ValueError(f"a contact needs an id, external_id, email or role: {entry!r}")
    contact = ws.store.get("contact", entry.get("id")) or ws.store.table("contact").first("external_id", entry.get("external_id") or None)
    if contact is not None:
        return contact | {"rank": ws.number()}
    now, seq = ws.clock(), ws.number()
    blank = {"id": entry.get("id") or people.new_id(ws), "seq": seq, "rank": seq, "role": "user", "created_at": now, "updated_at": now}
    return blank | {"custom_attributes": {}, "tags": {}, "companies": {}}


def _put_tagged(kind: str, ws: Workspace, entry: Doc) -> None:
    ids = list(_ensure_tags(ws, entry, kind))
    for _ in range(int(entry.get("count", 1))):
        number = ws.store.number(kind)
        stamps, created_at = dict.fromkeys(ids, [ws.clock(), ws.admin()["id"]]), entry.get("created_at", ws.clock())
        doc = {"id": str(number), "seq": ws.number(), "tags": stamps, "type": entry.get("type", "article"), "created_at": created_at}
        ws.store.put(kind, doc | {"title": entry.get("title", f"{kind} {number}")})


_ATTRIBUTE = ("id", "name", "model", "data_type", "description", "options", "messenger_writable", "archived", "segments")
_COMPANY = {*companies.CREATABLE, "id", "tags", "created_at", "updated_at", "last_request_at", "session_count"}
_STATES = ("archived", "blocked", "merged_into", "hidden_from_search")
_CONTACT = {*people.FIELDS, *_STATES, "tags", "companies", "custom_attributes", "location"}
_TAGGED = ("tags", "count", "type", "title", "created_at")

# The keys of an entry, and what stores it.
SECTIONS: dict[str, tuple[Iterable[str], Callable[[Workspace, Doc], object]]] = {
    "app": (("name", "timezone", "region", "id_code", "created_at"), _put_app),
    "admins": (("id", "name", "email"), _put_admin),
    "subscription_types": (("id", "name", "description", "consent_type", "content_types"), _put_subscription),
    "attributes": (_ATTRIBUTE, _put_attribute),
    "tags": (("name", "id", "segments"), _put_tag),
    "companies": (_COMPANY, _put_company),
    "contacts": (_CONTACT, _put_contact),
    "segments": (("id", "name", "person_type", "contacts", "companies"), _put_segment),
    "conversations": (_TAGGED, partial(_put_tagged, "conversation")),
    "content": (_TAGGED, partial(_put_tagged, "content")),
    "oauth_apps": (("client_id", "client_secret", "redirect_uris"), oauth.register),
}
