"""A story of 40 contacts and everything that makes a naive tool create twice or delete by surprise."""

from __future__ import annotations

import json
import re
from collections import Counter

from tests.desk.driving import Box, Doc

TAGS = [f"t{n:02}" for n in range(1, 15)]
COMPANIES = [f"c{n:02}" for n in range(1, 14)]
PEOPLE = [f"p{n:02}" for n in range(1, 36)]
LIVE = PEOPLE[:24]


def seed() -> Doc:
    """Live: most of it there and a little off."""
    people: list[Doc] = [{"external_id": key, "name": "Old", "tags": ["t01"], "companies": ["c01"]} for key in LIVE]
    people[0] |= {"tags": [*TAGS[:11], "theirs"], "companies": COMPANIES[:11]}
    people += [
        {"external_id": "hidden", "hidden_from_search": 600},
        {"external_id": "gone", "archived": True, "email": "gone@mail.example"},
        {"email": "Mixed.Case@Mail.Example", "name": "Mixed"},
        {"external_id": "stranger", "email": "stranger@mail.example", "tags": ["t01", "theirs"]},
    ]
    companies: list[Doc] = [{"company_id": key, "name": "Old"} for key in COMPANIES[:11]]
    companies += [{"company_id": "lonely", "name": "Lonely", "size": 1}]
    return {"tags": ["VIP", "old-promo", "theirs", *TAGS[:12]], "companies": companies, "contacts": people}


def manifest() -> Doc:
    people: list[Doc] = [{"external_id": key, "missing": "create", "name": "New", "tags": ["vip"]} for key in PEOPLE]
    people[0] |= {"tags": [*TAGS], "companies": [*COMPANIES]}
    people += [
        {"external_id": "hidden", "missing": "create", "tags": ["vip"]},
        {"external_id": "gone", "state": "present", "name": "Back", "tags": ["vip"]},
        {"email": "mixed.case@mail.example", "tags": ["vip", {"tag": "t01", "state": "absent"}]},
        {"email": "new@mail.example", "missing": "create", "name": "New", "companies": ["c13"]},
        {"external_id": "p02b", "missing": "create", "email": "p02b@mail.example", "tags": ["t14"]},
    ]
    assert len(people) == 40
    companies: list[Doc] = [{"company_id": key, "name": f"Company {key}", "tags": ["vip"]} for key in COMPANIES]
    companies += [{"company_id": "lonely", "size": 0}]
    return {
        "workspace": {"app_id": "sandbox1", "region": "us"},
        "tags": ["vip", *TAGS, {"name": "old-promo", "state": "absent"}],
        "companies": companies,
        "contacts": people,
    }


def assert_as_declared(box: Box) -> None:
    """Asked of the API directly, thing by thing: none of our code reads here."""
    tags = {tag["name"]: tag["id"] for tag in box.call("GET", "/tags")["data"]}
    assert set(tags) == {"vip", "theirs", *TAGS}
    names = {live_id: name for name, live_id in tags.items()}
    companies = {key: box.call("GET", f"/companies?company_id={key}") for key in (*COMPANIES, "lonely")}
    assert (companies["lonely"]["name"], companies["lonely"]["size"], companies["lonely"]["tags"]["tags"]) == ("Lonely", 0, [])
    for key in COMPANIES:
        assert (companies[key]["name"], [t["name"] for t in companies[key]["tags"]["tags"]]) == (f"Company {key}", ["vip"])
    keys = {company["id"]: key for key, company in companies.items()}
    everybody = people(box)
    for entry in manifest()["contacts"]:
        _assert_contact(box, entry, everybody, names, keys)
    stranger = box.call("GET", "/contacts/find_by_external_id/stranger")
    assert {names[t["id"]] for t in stranger["tags"]["data"]} == {"t01", "theirs"}


def _assert_contact(box: Box, entry: Doc, everybody: list[Doc], names: dict[str, str], keys: dict[str, str]) -> None:
    by = "external_id" if "external_id" in entry else "email"
    people = [c for c in everybody if (c[by] or "").lower() == entry[by]]
    assert len(people) == 1, entry
    live = people[0]
    was: Doc = next((c for c in seed()["contacts"] if (c.get(by) or "").lower() == entry[by]), {})
    assert live["name"] == entry.get("name", was.get("name"))
    assert {names[i] for i in _whole(box, live, "tags")} == _wanted(was, entry, "tags", "tag")
    assert {keys[i] for i in _whole(box, live, "companies")} == _wanted(was, entry, "companies", "company")


def _wanted(was: Doc, entry: Doc, field: str, target: str) -> set[str]:
    """The links of a contact: what nobody claimed stays, what is declared comes, what is declared absent goes."""
    written = entry.get(field, ())
    absent = {one[target] for one in written if isinstance(one, dict)}
    return {*was.get(field, ()), *(one for one in written if isinstance(one, str))} - absent


def _whole(box: Box, live: Doc, links: str) -> list[str]:
    """The ids of all links of a contact, which itself shows ten."""
    shown = live[links]
    if shown["has_more"]:
        shown = box.call("GET", f"/contacts/{live['id']}/{links}?per_page=50")
    return [item["id"] for item in shown["data"]]


def people(box: Box) -> list[Doc]:
    """All live contacts, those that search cannot see included: the sandbox's clock is put forward for a moment."""
    box.call("POST", "/_sandbox/settings", {"clock_offset": 3600})
    query = {"query": {"field": "created_at", "operator": ">", "value": 1}, "pagination": {"per_page": 150}}
    answer: list[Doc] = box.call("POST", "/contacts/search", query)["data"]
    box.call("POST", "/_sandbox/settings", {"clock_offset": 0})
    return answer


def told(box: Box, writes: list[Doc], before: dict[str, str]) -> Counter[str]:
    """Writes that were carried out, in words that do not depend on ids, so that two runs can be compared."""
    names = before | ids(box)
    return Counter(_line(names, write) for write in writes if write["status"] == 200)


def _line(names: dict[str, str], write: Doc) -> str:
    """Bulk calls list their things in any order."""
    named = json.loads(re.sub(r"\w+", lambda m: names.get(m[0], m[0]), json.dumps([write["method"], write["path"], write["body"]])))
    if isinstance(named[2], dict):
        named[2] = {k: sorted(v, key=json.dumps) if isinstance(v, list) else v for k, v in named[2].items()}
    return json.dumps(named, sort_keys=True)


def ids(box: Box) -> dict[str, str]:
    """What every live id is called."""
    names = {c["id"]: f"<{c['external_id'] or c['email']}>".lower() for c in people(box)}
    names |= {t["id"]: f"<{t['name']}>" for t in box.call("GET", "/tags")["data"]}
    for key in (*COMPANIES, "lonely"):
        if company := box.call("GET", f"/companies?company_id={key}"):
            names[company["id"]] = f"<{key}>"
    return names
