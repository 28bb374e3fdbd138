"""The big story: a workspace that has drifted, a manifest with one of each trap in it, and what the workspace must be in the end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import yaml

from tests.over_http.driving import Doc, Workspace

TAGS = tuple(f"t{n:02}" for n in range(1, 15))
COMPANIES = tuple(f"c{n:02}" for n in range(1, 14))
USERLESS = "c12"
MANY, HIDDEN, ARCHIVED, CASED, LEAD = "many", "hidden@story.example", "archived", "zoe@story.example", "badger@story.example"
STRANGER = "stranger"
TRAPS = (MANY, "unseen", HIDDEN, ARCHIVED, CASED, LEAD)


def key_of(entry: Mapping[str, Any]) -> str:
    """How a contact is called here, live or declared."""
    return str(entry.get("external_id") or entry["email"]).lower()


def _plain(number: int) -> list[Doc]:
    """Contacts without a trap: every second is to be created, every fifth is known by e-mail alone."""
    found: list[Doc] = []
    for n in range(number):
        who = {"email": f"p{n}@story.example"} if n % 5 == 0 else {"external_id": f"p{n}"}
        missing = {"missing": "create"} if n % 2 else {}
        found.append({**who, **missing, "name": f"Person {n}", "tags": ["vip", TAGS[n % 14]], "companies": [COMPANIES[n % 11]]})
    return found


def manifest(contacts: int = 40) -> Doc:
    """So many contacts, the traps among them."""
    special: list[Doc] = [
        {"external_id": MANY, "tags": list(TAGS), "companies": list(COMPANIES)},
        {"external_id": "unseen", "tags": ["vip"], "companies": [USERLESS]},
        {"email": HIDDEN, "missing": "create", "name": "Hidden", "tags": ["vip"], "companies": [USERLESS]},
        {"external_id": ARCHIVED, "state": "present", "name": "Back again", "tags": ["vip"]},
        {"email": CASED, "name": "Zoe", "tags": ["beta"]},
        {"email": LEAD, "role": "lead", "tags": ["trial"]},
    ]
    return {
        "workspace": {"app_id": "sandbox1", "region": "us"},
        "tags": [*TAGS, "vip", "trial", "beta", {"name": "old-promo", "state": "absent"}],
        "companies": [{"company_id": c, "name": f"Company {c}", "size": n + 1, "tags": ["vip"]} for n, c in enumerate(COMPANIES)],
        "contacts": [*special, *_plain(contacts - len(special))],
    }


def seed(contacts: int = 40) -> Doc:
    """What is live before: half of it, some of it wrong, and things that nobody declares."""
    plain = [
        {**{k: c[k] for k in ("external_id", "email") if k in c}, "name": "Somebody", "tags": ["old-promo"] if n % 3 == 0 else []}
        for n, c in enumerate(_plain(contacts - len(TRAPS)))
        if "missing" not in c
    ]
    special: list[Doc] = [
        {"external_id": MANY, "tags": [*TAGS[:11], "untouched"], "companies": list(COMPANIES[:11])},
        {"external_id": "unseen", "email": "unseen@story.example", "hidden_from_search": 600},
        {"email": HIDDEN, "name": "Hidden", "hidden_from_search": 600},
        {"external_id": ARCHIVED, "name": "Gone", "archived": True},
        {"email": "Zoe@Story.Example", "tags": ["Beta"]},
        {"email": LEAD, "role": "lead"},
        {"external_id": STRANGER, "name": "Nobody of ours", "tags": ["untouched", "Beta"], "companies": ["other"]},
    ]
    live = [{"company_id": c, "name": f"Old {c}"} for c in COMPANIES[:12]]
    return {"tags": ["vip", "Beta", "untouched", "old-promo"], "companies": [*live, {"company_id": "other"}], "contacts": special + plain}


def written(contacts: int = 40) -> str:
    return yaml.safe_dump(manifest(contacts), sort_keys=False)


def declared(contacts: int = 40) -> Doc:
    """The workspace as the manifest has it, with what it says nothing about as it was."""
    wanted = manifest(contacts)
    people = {
        key_of(c): (c.get("name"), sorted(c["tags"]), sorted(c.get("companies", []))) for c in wanted["contacts"]
    }  # fmt: skip
    people[MANY] = (None, sorted([*TAGS, "untouched"]), sorted(COMPANIES))
    people[STRANGER] = ("Nobody of ours", ["beta", "untouched"], ["other"])
    companies = {c["company_id"]: (c["name"], c["size"], ["vip"]) for c in wanted["companies"]}
    return {
        "tags": sorted([*TAGS, "vip", "trial", "beta", "untouched"]),
        "companies": companies | {"other": ("other", None, [])},
        "contacts": people,
    }


def live(workspace: Workspace) -> Doc:
    """The workspace as raw calls show it, once search and lists show everything. A thing that is there twice counts twice."""
    workspace.set(clock_offset=3600.0)
    contacts, companies = _contacts(workspace), _companies(workspace)
    people = [(key_of(c), _contact(workspace, c)) for c in contacts]
    firms = [(c["company_id"], (c["name"], c.get("size"), sorted(t["name"] for t in c["tags"]["tags"]))) for c in companies]
    tags = [t["name"] for t in workspace.ask("GET", "/tags")["data"]]
    workspace.set(clock_offset=0.0)
    for found in (people, firms):
        assert not [key for key, n in Counter(key for key, _ in found).items() if n > 1]
    return {"tags": sorted(tags), "companies": dict(firms), "contacts": dict(people)}


def _contacts(workspace: Workspace) -> list[Doc]:
    query = {"query": {"field": "created_at", "operator": ">", "value": 0}, "pagination": {"per_page": 150}}
    found = workspace.ask("POST", "/contacts/search", query)
    assert not found["pages"].get("next")
    return list(found["data"])


def _companies(workspace: Workspace) -> Iterator[Doc]:
    """Userless ones are in no list: each is asked for."""
    for company_id in (*COMPANIES, "other"):
        if found := workspace.ask("GET", f"/companies?company_id={company_id}", absent=404):
            yield found


def _contact(workspace: Workspace, contact: Doc) -> tuple[Any, list[str], list[str]]:
    tags = workspace.ask("GET", f"/contacts/{contact['id']}/tags")["data"]
    listed = workspace.pages(f"/contacts/{contact['id']}/companies", "data", 50)
    return contact["name"], sorted(t["name"] for t in tags), sorted(c["company_id"] for c in listed)


def names(workspace: Workspace) -> dict[str, str]:
    """Every id, and what it is called here: ids differ from run to run."""
    workspace.set(clock_offset=3600.0)
    found = {c["id"]: key_of(c) for c in _contacts(workspace)} | {c["id"]: str(c["company_id"]) for c in _companies(workspace)}
    found |= {t["id"]: str(t["name"]) for t in workspace.ask("GET", "/tags")["data"]}
    workspace.set(clock_offset=0.0)
    return found


def done(writes: Iterable[Doc], called: Mapping[str, str]) -> Counter[str]:
    """What writes did, link by link, in words that mean the same in every run: bulk calls are cut differently each time."""
    return Counter(atom for write in writes if write["status"] == 200 for atom in _atoms(write, called))


def _atoms(write: Doc, called: Mapping[str, str]) -> Iterator[str]:
    body = write["body"] or {}
    path = "/".join(called.get(part, part) for part in unquote(write["path"]).split("/"))
    members = [item for field in ("users", "companies") for item in body.get(field, ())]
    if members:
        yield from (f"tag {called.get(item['id'], item['id'])} with {body['name']}" for item in members)
        return
    if write["method"] == "POST" and path.endswith("/tags") and path != "/tags":
        yield f"tag {path.split('/')[2]} with {called.get(body['id'], body['id'])}"
        return
    about = {name: called.get(value, value) for name, value in body.items() if name in ("id", "name", "external_id", "email", "company_id")}
    yield f"{write['method']} {path} {json.dumps(about, sort_keys=True)}"
