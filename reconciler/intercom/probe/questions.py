"""The questions of a probe: each makes what it takes, asks, and gives the facts that follow."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any

from reconciler.intercom.probe.bench import CONFLICT, MISSING, NOT_TAKEN, Bench, Unsettled, require, rows

Found = Mapping[str, Any]
# The longest name that is tried, in characters.
LONGEST = 300
# `applied_at` has whole seconds: so long until it would show another one, in seconds.
NEXT_SECOND = 1.1


def ask_folding(bench: Bench) -> Found:
    """One tag under several spellings has one id."""
    name = bench.name("caf")
    first, large, plain = (require(bench.tag(name + end))["id"] for end in ("é", "É", "e"))
    if first != large:
        raise Unsettled("letters beyond ASCII are two in another case")
    return {"name_folding": "accents" if plain == first else "case"}


def ask_spelling(bench: Bench) -> Found:
    first, last = bench.name("spelling"), bench.name("SPELLING")
    live_id = require(bench.tag(first))["id"]
    bench.tag(last)
    name = bench.must("GET /tags/{id}", id=str(live_id)).get("name")
    return {"name_spelling": _one_of(name, {first: "first", last: "last"})}


def ask_blanks(bench: Bench) -> Found:
    name = f" {bench.name('blank')} "
    return {"name_blanks": _one_of(require(bench.tag(name)).get("name"), {name: "kept", name.strip(): "trimmed"})}


def ask_html(bench: Bench) -> Found:
    name = bench.name("<b> & c")
    return {"name_html": _one_of(require(bench.tag(name)).get("name"), {name: "kept", html.escape(name, quote=False): "escaped"})}


def ask_length(bench: Bench) -> Found:
    """The longest name first; what is refused is halved, what is cut says where."""
    start, low, high = bench.name("l"), 1, LONGEST
    if tag := bench.tag(start.ljust(LONGEST, "l")):
        name = str(tag.get("name"))
        if not start.ljust(LONGEST, "l").startswith(name):
            raise Unsettled("a long name became another one")
        return {"name_beyond": "taken" if len(name) == LONGEST else "cut", "name_length": len(name)}
    low = len(start)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if bench.tag(start.ljust(middle, "l")) else (low, middle)
    return {"name_beyond": "refused", "name_length": low}


def ask_rename(bench: Bench) -> Found:
    source, target = require(bench.tag(bench.name("from"))), require(bench.tag(bench.name("to")))
    if bench.ask("POST /tags", {"id": source["id"], "name": target["name"]}, (*NOT_TAKEN, *CONFLICT)) is None:
        return {"rename_taken": "refused"}
    tags = [row for row in rows(bench.must("GET /tags")) if row.get("id") in (source["id"], target["id"])]
    return {"rename_taken": "twins" if len(tags) == 2 else "merged"}


def ask_attached_again(bench: Bench) -> Found:
    contact, tag = str(bench.user["id"]), {"id": bench.one["id"]}
    before = bench.must("POST /contacts/{id}/tags", tag, id=contact).get("applied_at")
    bench.sleep(NEXT_SECOND)
    bench.must("POST /contacts/{id}/tags", tag, id=contact)
    tags = [row for row in rows(bench.must("GET /contacts/{id}/tags", id=contact)) if row.get("id") == tag["id"]]
    after = tags[0].get("applied_at") if tags else None
    if not isinstance(before, int) or not isinstance(after, int):
        raise Unsettled("the answers show no applied_at")
    return {"attached_again": "keeps" if after == before else "moves"}


def ask_detached_missing(bench: Bench) -> Found:
    route = "DELETE /contacts/{id}/tags/{tag}"
    reply = bench.ask(route, None, MISSING, id=str(bench.user["id"]), tag=str(bench.two["id"]))
    return {"detached_missing": reply.status if reply else 404}


def ask_shared_email(bench: Bench) -> Found:
    """Two with external_ids; then one with, beside one without."""
    email = bench.email("user")
    other = bench.person("other", CONFLICT, role="user", external_id=bench.name("other"), email=email) if bench.user else None
    if other is None:
        return {"shared_email": "never"}
    alone = require(bench.person("alone", role="user", email=bench.email("alone")))
    beside = bench.person("beside", CONFLICT, role="user", external_id=bench.name("beside"), email=bench.email("alone"))
    if beside and beside.get("id") in (alone["id"], bench.user["id"]):
        raise Unsettled("a create was answered with somebody who was there")
    return {"shared_email": "any_external_id" if beside else "other_external_ids"}


def ask_email_case(bench: Bench) -> Found:
    email = bench.email("MIXED")
    person = require(bench.person("mixed", role="user", external_id=bench.name("mixed"), email=email))
    return {"email_case": _one_of(person.get("email"), {email: "kept", email.lower(): "lowered"})}


def ask_lead(bench: Bench) -> Found:
    key = bench.name("lead")
    lead = bench.person("lead", NOT_TAKEN, role="lead", external_id=key, email=bench.email("lead"))
    if lead is None:
        return {"lead_external_id": "refused"}
    return {"lead_external_id": _one_of(lead.get("external_id"), {key: "taken", None: "dropped", "": "dropped"})}


def ask_unknown_key(bench: Bench) -> Found:
    answer = bench.ask("PUT /contacts/{id}", {"zz_reconciler": "x"}, id=str(bench.user["id"]))
    return {"unknown_key": "ignored" if answer else "refused"}


def ask_unknown_attribute(bench: Bench) -> Found:
    key = bench.name("unknown")
    reply = bench.ask("PUT /contacts/{id}", {"custom_attributes": {key: "x"}}, (*NOT_TAKEN, *MISSING), id=str(bench.user["id"]))
    if reply and key in (reply.body.get("custom_attributes") or {}):
        raise Unsettled("Intercom made the attribute")
    return {"unknown_attribute": "ignored" if reply else "refused"}


def ask_company_null(bench: Bench) -> Found:
    reply = bench.ask("POST /companies", {"company_id": bench.firm["company_id"], "industry": None})
    if reply is None:
        return {"company_null": "refused"}
    return {"company_null": _one_of(reply.body.get("industry"), {"Freight": "ignored", None: "cleared", "": "cleared"})}


def ask_userless(bench: Bench) -> Found:
    bench.must("POST /tags", {"name": bench.one["name"], "companies": [{"id": bench.firm["id"]}]})
    reply = bench.ask("GET /companies?tag_id={id}", None, MISSING, id=str(bench.one["id"]))
    return {"userless_tagged": "shown" if reply and rows(reply.body) else "hidden"}


def ask_dots(bench: Bench) -> Found:
    if not bench.attributes:
        raise Unsettled("an attribute that is taken can only be archived, never deleted: asked with --may-archive alone")
    name = bench.name("a.b")
    body = {"name": name, "model": "contact", "data_type": "string"}
    try:
        bench.make("attribute", name, "POST /data_attributes", body, ())
    except Unsettled as why:
        # There is a limit too, and who may make them.
        if "alphanumeric" not in str(why):
            raise
        return {"attribute_dots": "refused"}
    return {"attribute_dots": "taken"}


def ask_total(bench: Bench) -> Found:
    every = {"query": {"field": "created_at", "operator": ">", "value": 0}, "pagination": {"per_page": 1}}
    by_search, by_list = (
        bench.must(*call).get("total_count") for call in (("POST /contacts/search", every), ("GET /contacts?per_page=1",))
    )
    if isinstance(by_search, int) and by_search > bench.cap:
        return {"total_count": "exact"}
    if by_search == bench.cap and isinstance(by_list, int) and by_list > bench.cap:
        return {"total_count": "capped"}
    raise Unsettled(f"it takes more than {bench.cap:,} contacts to see it")


def _one_of(answer: object, meanings: Mapping[str | None, str]) -> str:
    """What an answer means. Raises Unsettled for one that nobody thought of."""
    if isinstance(answer, str | None) and answer in meanings:
        return meanings[answer]
    raise Unsettled("the answer shows something else")


# By the fact that each is about; the one that waits last.
QUESTIONS: Mapping[str, Callable[[Bench], Found]] = {
    "name_folding": ask_folding,
    "name_spelling": ask_spelling,
    "name_blanks": ask_blanks,
    "name_html": ask_html,
    "name_beyond": ask_length,
    "rename_taken": ask_rename,
    "detached_missing": ask_detached_missing,
    "shared_email": ask_shared_email,
    "email_case": ask_email_case,
    "lead_external_id": ask_lead,
    "unknown_key": ask_unknown_key,
    "unknown_attribute": ask_unknown_attribute,
    "company_null": ask_company_null,
    "userless_tagged": ask_userless,
    "attribute_dots": ask_dots,
    "total_count": ask_total,
    "attached_again": ask_attached_again,
}
