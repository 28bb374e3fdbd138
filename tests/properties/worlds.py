"""Random worlds: what is live and what is declared, over a pool so small that they collide: names, identities, e-mails, links."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from reconciler.ledger.ledger import Ledger
from reconciler.sandbox.app import Sandbox
from tests.desk.clock import Clock
from tests.desk.ledgers import a_new_ledger
from tests.desk.route import WIDE, Route

Doc = dict[str, Any]
Pick = st.DataObject

TAGS = ("vip", "trial", "Beta", "über uns", "a/b")
COMPANIES = ("6", "acme", "x/1")
EXTERNAL = ("25", "007", "x.y")
EMAILS = ("ann@mail.example", "bob@mail.example", "cy@mail.example")
IDS = tuple(f"{n:024x}" for n in range(0xA1, 0xA7))
LIMITS = {**WIDE["limits"], "contact_deletes": 100, "missing": 1000}
ATTRIBUTES = {"paid": ("company", "boolean"), "score": ("contact", "integer"), "plan_b": ("contact", "string")}
VALUES = {"paid": st.booleans(), "score": st.sampled_from((0, 1, 7)), "plan_b": st.sampled_from(("", "no", "x"))}


@dataclass
class World:
    """A seed for the sandbox, its knobs, and a manifest as YAML would read it."""

    seed: Doc
    manifest: Doc
    how: Doc = field(default_factory=dict)
    ledger: bool = False


def cased(text: str) -> st.SearchStrategy[str]:
    """The same name in some case; `ß` and the like are left out, since what Intercom folds is not known."""
    return st.sampled_from(list(dict.fromkeys((text, text.upper(), text.lower()))))


def some(pool: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(pool), unique=True, max_size=len(pool))


def maybe(draw: Any, into: Doc, key: str, values: st.SearchStrategy[Any], odds: int = 3) -> None:
    """Write a key in one of `odds` cases: what is not written is not ours."""
    if draw(st.integers(1, odds)) == 1:
        into[key] = draw(values)


@st.composite
def seeds(draw: Any) -> Doc:
    """What is live. Users share an e-mail only where their external_ids tell them apart, as Intercom has it."""
    tags = [draw(cased(name)) for name in draw(some(TAGS))]
    return {
        "tags": tags,
        "attributes": [{"name": n, "model": m, "data_type": t} for n, (m, t) in ATTRIBUTES.items()],
        "companies": [_live_company(draw, key, tags) for key in draw(some(COMPANIES))],
        "contacts": _live_contacts(draw, tags),
    }


def _live_company(draw: Any, key: str, tags: list[str]) -> Doc:
    company: Doc = {"company_id": key}
    maybe(draw, company, "name", st.sampled_from(("Blue Sun", "ACME")))
    maybe(draw, company, "plan", st.sampled_from(("p1", "p2")))
    maybe(draw, company, "size", st.sampled_from((0, 85)))
    maybe(draw, company, "website", st.just("https://a.example"))
    maybe(draw, company, "custom_attributes", st.fixed_dictionaries({"paid": VALUES["paid"]}))
    maybe(draw, company, "tags", some(tuple(tags)) if tags else st.just([]))
    return company


def _live_contacts(draw: Any, tags: list[str]) -> list[Doc]:
    contacts: list[Doc] = []
    for live_id in draw(some(IDS)):
        new: Doc = {"id": live_id, "role": draw(st.sampled_from(("user", "user", "lead")))}
        maybe(draw, new, "external_id", st.sampled_from(EXTERNAL), 2)
        maybe(draw, new, "email", st.sampled_from(EMAILS).flatmap(cased), 2)
        maybe(draw, new, "archived", st.just(True), 6)
        maybe(draw, new, "name", st.sampled_from(("Ann", "Bob")))
        maybe(draw, new, "phone", st.just("+15550001"))
        maybe(draw, new, "avatar", st.just("https://a.example/1.png"))
        maybe(draw, new, "signed_up_at", st.sampled_from((1, 1_700_000_000)))
        maybe(draw, new, "custom_attributes", _custom("contact"))
        maybe(draw, new, "tags", some(tuple(tags)) if tags else st.just([]), 2)
        maybe(draw, new, "companies", some(COMPANIES), 2)
        if _possible(new, contacts):
            contacts.append(new)
    return contacts


def _possible(new: Doc, others: list[Doc]) -> bool:
    if any(new.get("external_id") and new["external_id"] == other.get("external_id") for other in others):
        return False
    twins = [o for o in others if new.get("email") and new["email"].lower() == o.get("email", "").lower()]
    users = [o for o in twins if o["role"] == "user"] if new["role"] == "user" else []
    return all(new.get("external_id") and o.get("external_id") for o in users)


def _custom(model: str) -> st.SearchStrategy[Doc]:
    names = [name for name, (of, _) in ATTRIBUTES.items() if of == model]
    return st.fixed_dictionaries({}, optional={name: VALUES[name] for name in names})


def _claimed_custom(model: str) -> st.SearchStrategy[Doc]:
    names = [name for name, (of, _) in ATTRIBUTES.items() if of == model]
    optional = {name: VALUES[name] | st.none() for name in names}
    return st.fixed_dictionaries({}, optional=optional).map(lambda found: {k: v for k, v in found.items() if v != ""})


@st.composite
def manifests(draw: Any, links: str | None = None) -> Doc:
    """What is declared; nothing in it contradicts itself, so that it always loads."""
    tags = [_tag(draw, name) for name in draw(some(TAGS))]
    _rename(draw, tags)
    usable = tuple(t["name"] for t in tags if t.get("state") != "absent")
    companies = [_company(draw, key, usable) for key in draw(some(COMPANIES))]
    present = tuple(c["company_id"] for c in companies if c.get("state") != "absent")
    manifest: Doc = {
        "policy": {"links": links or draw(st.sampled_from(("additive", "declared", "exact"))), "limits": LIMITS},
        "attributes": [{"name": n, "model": m, "data_type": t} for n, (m, t) in ATTRIBUTES.items() if draw(st.booleans())],
        "tags": tags,
        "companies": companies,
        "contacts": _contacts(draw, usable, present),
    }
    maybe(draw, manifest["policy"], "missing_contacts", st.sampled_from(("skip", "create", "create")), 2)
    return manifest


def _tag(draw: Any, name: str) -> Doc:
    tag: Doc = {"name": draw(cased(name))}
    maybe(draw, tag, "state", st.sampled_from(("present", "absent", "absent")))
    maybe(draw, tag, "members", st.just("free"), 6)
    return tag


def _rename(draw: Any, tags: list[Doc]) -> None:
    """One of the declared tags may have been another, that nobody else is now."""
    declared = {tag["name"].lower() for tag in tags}
    free = [name for name in TAGS if name.lower() not in declared]
    staying = [tag for tag in tags if tag.get("state") != "absent"]
    if free and staying and draw(st.booleans()):
        draw(st.sampled_from(staying))["renamed_from"] = draw(st.sampled_from(free))


def _links(draw: Any, names: tuple[str, ...], key: str) -> list[Any]:
    written: list[Any] = []
    for name in draw(some(names)) if names else []:
        spelled = draw(cased(name)) if key == "tag" else name
        written.append({key: spelled, "state": "absent"} if draw(st.integers(1, 4)) == 1 else spelled)
    return written


def _company(draw: Any, key: str, tags: tuple[str, ...]) -> Doc:
    company: Doc = {"company_id": key}
    maybe(draw, company, "state", st.sampled_from(("present", "absent", "absent")), 4)
    if company.get("state") == "absent":
        return company
    maybe(draw, company, "name", st.sampled_from(("Blue Sun", "ACME")))
    maybe(draw, company, "plan", st.sampled_from(("p1", "p2")))
    maybe(draw, company, "size", st.sampled_from((0, 85)))
    maybe(draw, company, "website", st.sampled_from(("https://a.example", "https://b.example")))
    maybe(draw, company, "industry", st.just("Metal"))
    maybe(draw, company, "monthly_spend", st.sampled_from((0, 49)))
    maybe(draw, company, "remote_created_at", st.sampled_from((1, 1_400_000_000)))
    maybe(draw, company, "custom_attributes", _claimed_custom("company"))
    if draw(st.booleans()):
        company["tags"] = _links(draw, tags, "tag")
    return company


def _contacts(draw: Any, tags: tuple[str, ...], companies: tuple[str, ...]) -> list[Doc]:
    entries: list[Doc] = [{"external_id": key} for key in draw(some(EXTERNAL))]
    entries += [{"email": draw(cased(mail))} for mail in draw(some(EMAILS))]
    entries += [{"id": live_id} for live_id in draw(some(IDS[:3]))]
    for entry in entries:
        _contact(draw, entry, tags, companies)
    taken = {named(entry) for entry in entries} | {("email", entry["email"].lower()) for entry in entries if "email" in entry}
    for entry in entries:
        if "id" not in entry and entry.get("state") not in ("archived", "absent"):
            _was(draw, entry, taken)
    return entries


def named(entry: Mapping[str, Any]) -> tuple[str, str]:
    """What names an entry."""
    by = next(name for name in ("external_id", "email", "id") if name in entry)
    return by, str(entry[by]).lower()


def _contact(draw: Any, entry: Doc, tags: tuple[str, ...], companies: tuple[str, ...]) -> None:
    by_id = "id" in entry
    maybe(draw, entry, "state", st.sampled_from(("present", "present", "archived", "absent")), 2)
    if entry.get("state") in ("archived", "absent"):
        return
    if not by_id:
        maybe(draw, entry, "missing", st.sampled_from(("skip", "create")), 2)
    if "external_id" in entry:
        maybe(draw, entry, "email", st.sampled_from(EMAILS).flatmap(cased), 4)
    maybe(draw, entry, "role", st.sampled_from(("user", "lead")), 4)
    maybe(draw, entry, "name", st.sampled_from(("Ann", "Bob", None)))
    maybe(draw, entry, "phone", st.sampled_from(("+15550001", "+15550002", None)))
    maybe(draw, entry, "avatar", st.sampled_from(("https://a.example/1.png", None)), 5)
    maybe(draw, entry, "signed_up_at", st.sampled_from((1, 1_700_000_000, None)), 4)
    maybe(draw, entry, "unsubscribed_from_emails", st.booleans(), 4)
    maybe(draw, entry, "custom_attributes", _claimed_custom("contact"))
    if draw(st.booleans()):
        entry["tags"] = _links(draw, tags, "tag")
    if draw(st.booleans()):
        entry["companies"] = _links(draw, companies, "company")


def _was(draw: Any, entry: Doc, taken: set[tuple[str, str]]) -> None:
    names = [("external_id", key) for key in EXTERNAL] + [("email", mail) for mail in EMAILS]
    free = [name for name in names if name not in taken]
    if free and draw(st.integers(1, 4)) == 1:
        by, key = draw(st.sampled_from(free))
        entry["was"] = {by: key}
        taken.add((by, key))


@st.composite
def worlds(draw: Any, links: str | None = None) -> World:
    how: Doc = {"search_delay": draw(st.sampled_from((0.0, 600.0))), "fold_email": draw(st.booleans())}
    return World(draw(seeds()), draw(manifests(links)), how, ledger=bool(how["search_delay"]))


@contextmanager
def on_route(world: World) -> Iterator[tuple[Route, Path]]:
    """The world as a route over a sandbox, and its manifest as a file."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        clock = Clock()
        box = stack.enter_context(Sandbox(now=clock, **world.how))
        box.seed(world.seed)
        ledger = Ledger.open(a_new_ledger(folder / ".reconciler"), create=True, now=clock) if world.ledger else None
        if ledger:
            stack.enter_context(ledger)
        route = Route(box, folder, clock, ledger)
        yield route, route.manifest(world.manifest)
