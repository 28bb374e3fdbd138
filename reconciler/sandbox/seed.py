"""A workspace to start from: YAML or JSON that names live things the way people do, laid over what is there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from reconciler.sandbox.api import attributes, companies, oauth, people, tags
from reconciler.sandbox.store import Doc
from reconciler.sandbox.workspace import Workspace


def load_seed(path: Path) -> Doc:
    text = path.read_text(encoding="utf-8-sig")
    try:
        found = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path} is not readable: {error}") from error
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path} must be a mapping of sections such as tags, companies, contacts")
    return found


def _seconds(value: object) -> int:
    """A YAML time as Intercom's: whole Unix seconds, UTC where nothing else is said."""
    if not isinstance(value, date):
        raise ValueError(f"{value!r} is not a value for a seed")
    at = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def sow(ws: Workspace, mapping: Mapping[str, Any]) -> None:
    """Adds to what is there, merging by name, company_id, external_id or id; stops at the first mistake with a ValueError."""
    mapping = json.loads(json.dumps(mapping, default=_seconds))
    for section in mapping:
        if section not in SECTIONS:
            raise ValueError(f"unknown section {section!r} in the seed; known are {', '.join(SECTIONS)}")
    for section, sower in SECTIONS.items():
        entries = mapping.get(section)
        if entries is None:
            continue
        if section == "app":
            _app(ws, entries)
            continue
        for entry in _list(entries, section):
            sower(ws, entry)


def _list(entries: object, what: str) -> list[Any]:
    if not isinstance(entries, list):
        raise ValueError(f"{what} must be a list")
    return entries


def _mapping(entry: object, section: str, keys: Iterable[str]) -> Doc:
    if not isinstance(entry, dict):
        raise ValueError(f"each of {section} must be a mapping, not {entry!r}")
    unknown = sorted(set(entry) - set(keys))
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r} in {section}: {entry!r}")
    return entry


def _app(ws: Workspace, entry: object) -> None:
    given = _mapping(entry, "app", ("name", "timezone", "region", "id_code", "created_at"))
    ws.settings.region = given.get("region", ws.settings.region)
    ws.settings.app_id = given.get("id_code", ws.settings.app_id)
    ws.store.put("app", ws.app() | given | {"seq": 0})


def _admin(ws: Workspace, entry: object) -> None:
    given = _mapping(entry, "admins", ("id", "name", "email"))
    id = str(given.get("id") or 456 + ws.store.number("admin"))
    blank = {"seq": ws.number(), "name": f"Admin {id}", "email": f"admin{id}@email.com"}
    ws.store.put("admin", blank | (ws.store.get("admin", id) or {}) | given | {"id": id})


def _subscription(ws: Workspace, entry: object) -> None:
    given = _mapping(entry, "subscription_types", ("id", "name", "description", "consent_type", "content_types"))
    id = str(given.get("id") or 100 + ws.store.number("subscription"))
    blank = {"seq": ws.number(), "consent_type": "opt_out", "content_types": ["email"]}
    ws.store.put("subscription", blank | given | {"id": id})


def _attribute(ws: Workspace, entry: object) -> None:
    keys = ("id", "name", "model", "data_type", "description", "options", "messenger_writable", "archived", "segments")
    given = {"model": "contact", "data_type": "string"} | _mapping(entry, "attributes", keys)
    if given["model"] not in attributes.MODELS or not given.get("name"):
        raise ValueError(f"an attribute needs a name and a model contact or company: {entry!r}")
    if given.get("options"):
        given["data_type"] = "options"
    if given["data_type"] not in attributes.WRITTEN_TYPES:
        raise ValueError(f"data_type {given['data_type']!r} is not one of {', '.join(attributes.WRITTEN_TYPES)}")
    found = ws.store.table("attribute").find("name", (given["model"], given["name"]))
    fresh = found[0] if found else attributes.put_new(ws, given | {"id": str(given["id"]) if "id" in given else None})
    kept = {key: given[key] for key in ("description", "messenger_writable", "archived", "segments") if key in given}
    ws.store.put("attribute", fresh | kept)
    _ensure_segments(ws, kept.get("segments", ()))


def _tag(ws: Workspace, entry: object) -> None:
    given: Doc = {"name": entry} if isinstance(entry, str) else _mapping(entry, "tags", ("name", "id", "segments"))
    name = given.get("name")
    if not isinstance(name, str) or not name:
        raise ValueError(f"a tag needs a name: {entry!r}")
    # Two tags of one name in different cases can only come from a seed that gives them ids.
    found = ws.store.get("tag", given["id"]) if "id" in given else tags.by_name(ws, name)
    tag = found or tags.create_tag(ws, name, str(given["id"]) if "id" in given else None)
    users = given.get("segments") or tag.get("segments") or []
    ws.store.put("tag", tag | {"name": name, "segments": _list(users, "segments of a tag")})
    _ensure_segments(ws, users)


def _ensure_segments(ws: Workspace, names: Iterable[str]) -> None:
    for name in names:
        if not ws.store.table("segment").count("name", name):
            _segment(ws, {"name": name})


def _segment(ws: Workspace, entry: object) -> None:
    given = _mapping(entry, "segments", ("id", "name", "person_type", "contacts", "companies"))
    if not given.get("name"):
        raise ValueError(f"a segment needs a name: {entry!r}")
    found = ws.store.table("segment").find("name", given["name"])
    members = {
        "contacts": [_contact_id(ws, reference) for reference in given.get("contacts", ())],
        "companies": [_company(ws, reference)["id"] for reference in given.get("companies", ())],
    }
    now = ws.clock()
    blank = {"id": f"6762f25c1bb69f9f{ws.store.number('segment'):08x}", "seq": ws.number(), "person_type": "user"}
    blank |= {"created_at": now, "updated_at": now}
    ws.store.put("segment", blank | (found[0] if found else {}) | given | members)


def _tag_ids(ws: Workspace, names: object, what: str) -> list[str]:
    ids = []
    for name in _list(names, what):
        if not isinstance(name, str) or not name:
            raise ValueError(f"{what} must be a list of names, not {name!r}")
        ids.append((tags.by_name(ws, name) or tags.create_tag(ws, name))["id"])
    return ids


def _learn_attributes(ws: Workspace, model: str, custom: object) -> Doc:
    if not isinstance(custom, dict):
        raise ValueError(f"custom_attributes of a {model} must be a mapping, not {custom!r}")
    for name, value in custom.items():
        if not ws.store.table("attribute").count("name", (model, name)):
            attributes.put_new(ws, {"name": name, "model": model, "data_type": attributes.infer(value)})
    return custom


COMPANY_KEYS = frozenset(companies.CREATABLE) | {"id", "tags", "created_at", "updated_at", "last_request_at", "session_count"}


def _company_entry(ws: Workspace, entry: object) -> None:
    given = dict(_mapping(entry, "companies", COMPANY_KEYS))
    if not isinstance(given.get("company_id"), str):
        raise ValueError(f"a company needs a company_id that is a text: {entry!r}")
    doc = _company(ws, given["company_id"], given.get("id"))
    custom = _learn_attributes(ws, "company", given.pop("custom_attributes", {}))
    tagged = _tag_ids(ws, given.pop("tags", []), "tags of a company")
    companies.learn_plan(ws, given.get("plan"))
    doc = doc | given | {"id": doc["id"], "custom_attributes": {**doc["custom_attributes"], **custom}}
    ws.store.put("company", doc | {"tags": {**doc["tags"], **dict.fromkeys(tagged, ws.clock())}})


def _company(ws: Workspace, company_id: object, id: str | None = None) -> Doc:
    found = ws.store.table("company").find("company_id", str(company_id))
    return found[0] if found else ws.store.put("company", companies.blank(ws, str(company_id), None, id))


CONTACT_KEYS = people.FIELDS | {"tags", "companies", "custom_attributes", "location"}
CONTACT_KEYS |= {"archived", "blocked", "merged_into", "hidden_from_search"}


def _contact_id(ws: Workspace, reference: object) -> str:
    """By external_id, by e-mail, or by id."""
    if ws.store.get("contact", reference):
        return str(reference)
    for index in ("external_id", "email"):
        found = ws.store.table("contact").find(index, str(reference))
        if found:
            return str(found[0]["id"])
    raise ValueError(f"there is no contact {reference!r} in the seed or the workspace")


def _contact(ws: Workspace, entry: object) -> None:
    given = dict(_mapping(entry, "contacts", CONTACT_KEYS))
    contact = _contact_like(ws, given)
    custom = _learn_attributes(ws, "contact", given.pop("custom_attributes", {}))
    how = [ws.clock(), ws.admin_id()]
    tagged = dict.fromkeys(_tag_ids(ws, given.pop("tags", []), "tags of a contact"), how)
    links = [_company(ws, reference)["id"] for reference in _list(given.pop("companies", []), "companies of a contact")]
    hidden, into = given.pop("hidden_from_search", None), given.pop("merged_into", None)
    contact |= given | {"custom_attributes": {**contact["custom_attributes"], **custom}, "tags": {**contact["tags"], **tagged}}
    contact["companies"] = {**contact["companies"], **dict.fromkeys(links, ws.clock())}
    if hidden is not None:
        contact["visible_at"] = ws.now() + hidden
    if into is not None:
        contact["merged_into"] = _contact_id(ws, into)
    ws.store.put("contact", contact)


def _contact_like(ws: Workspace, given: Doc) -> Doc:
    """The contact that the entry means, by id or external_id, or a new one."""
    for name in ("id", "external_id", "email", "owner_id"):
        if given.get(name) is not None:
            given[name] = str(given[name])
    if not any(given.get(name) for name in ("id", "external_id", "email", "role")):
        raise ValueError(f"a contact needs an id, external_id, email or role: {given!r}")
    found = ws.store.get("contact", given.get("id"))
    if found is None and given.get("external_id"):
        found = next(iter(ws.store.table("contact").find("external_id", given["external_id"])), None)
    if found is not None:
        return found | {"rank": ws.number()}
    now, seq = ws.clock(), ws.number()
    blank: Doc = {"id": given.get("id") or people.new_id(ws), "seq": seq, "rank": seq, "role": "user", "created_at": now}
    blank["updated_at"] = now
    return blank | {"custom_attributes": {}, "tags": {}, "companies": {}}


def _carrier(ws: Workspace, kind: str, entry: object) -> None:
    given = _mapping(entry, kind, ("tags", "count", "type", "title"))
    ids = _tag_ids(ws, given.get("tags", []), f"tags of {kind}")
    for _ in range(int(given.get("count", 1))):
        number = ws.store.number(kind)
        doc = {"id": str(number), "seq": ws.number(), "tags": ids, "type": given.get("type", "article")}
        ws.store.put(kind, doc | {"title": given.get("title", f"{kind} {number}")})


def _conversation(ws: Workspace, entry: object) -> None:
    _carrier(ws, "conversation", entry)


def _content(ws: Workspace, entry: object) -> None:
    _carrier(ws, "content", entry)


def _oauth_app(ws: Workspace, entry: object) -> None:
    oauth.register(ws, _mapping(entry, "oauth_apps", ("client_id", "client_secret", "redirect_uris")))


SECTIONS: dict[str, Callable[[Workspace, object], None]] = {
    "app": _app,
    "admins": _admin,
    "subscription_types": _subscription,
    "attributes": _attribute,
    "tags": _tag,
    "companies": _company_entry,
    "contacts": _contact,
    "segments": _segment,
    "conversations": _conversation,
    "content": _content,
    "oauth_apps": _oauth_app,
}
