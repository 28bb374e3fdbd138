"""Absorb: what each answer of another workspace shows, as documents of a sandbox."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.sandbox.api import people
from reconciler.sandbox.box import Box
from reconciler.sandbox.store import Doc

# What a contact or a company shows and is kept elsewhere, or follows from what is.
_LISTS = frozenset(
    {"type", "workspace_id", "app_id", "tags", "companies", "notes", "segments", "plan", "custom_attributes", "social_profiles", "url"}
    | {"user_count", "owner_id", "avatar", "opted_out_subscription_types", "opted_in_subscription_types"}
)
_CANONICAL = re.compile(r"/contacts/([0-9A-Za-z]+)>")


@dataclass(frozen=True)
class Exchange:
    """What was asked of the other workspace, and its answer."""

    method: str  # in capitals
    path: str  # as sent, percent-encoded
    query: tuple[tuple[str, str], ...] = ()  # names and values, decoded
    body: Any = None  # as JSON; None for none
    status: int = 200  # of the answer
    answer: Doc = field(default_factory=dict)  # its body
    link: str = ""  # its header Link

    @property
    def counts_more(self) -> bool:
        """Whether the answer says that there is more than it shows."""
        total = self.answer.get("total_count")
        return isinstance(total, int) and total > max((len(rows) for rows in self.answer.values() if isinstance(rows, list)), default=0)

    @property
    def key(self) -> str:
        """What tells it from others."""
        return name_call(self.method, self.path, dict(self.query), self.body)


def name_call(method: str, path: str, query: Mapping[str, str], body: object) -> str:
    return json.dumps([method, path, sorted(query.items()), body], sort_keys=True)


class Absorber:
    """Takes answers of another workspace into a box. Whoever calls it holds the store's lock."""

    def __init__(self, box: Box) -> None:
        self.box, self.ws = box, box.ws
        self._nobody = str(self.ws.admin()["id"])  # the admin that every sandbox has, until the token's own is known
        self._users: dict[str, int] = {}  # by id of a company: how many users it says that it has
        self._links: dict[tuple[str, str], int] = {}  # by list and id of a contact: how many it says that it has
        self.asked: set[tuple[str, str]] = set()  # the fields and values that contacts were searched by
        self.lists_read: set[str] = set()  # the lists that were read whole
        self._takers: Mapping[str, Callable[[Exchange, Mapping[str, str]], object]] = {
            "GET /me": self._take_me,
            "GET /admins": self._take_admins,
            "GET /tags": self._take_tags,
            "GET /data_attributes": self._take_attributes,
            "GET /contacts": self._take_contacts,
            "POST /contacts/search": self._take_search,
            "GET /contacts/{id}": lambda exchange, _: self._put_contact(exchange.answer),
            "GET /contacts/find_by_external_id/{external_id}": lambda exchange, _: self._put_contact(exchange.answer),
            "GET /contacts/{id}/tags": self._take_tags_of,
            "GET /contacts/{id}/companies": self._take_companies_of,
            "GET /companies/{id}/contacts": self._take_contacts_of,
            "POST /companies/list": self._take_companies,
            "GET /companies": self._take_companies,
            "GET /companies/scroll": self._take_companies,
            "GET /companies/{id}": lambda exchange, _: self._put_company(exchange.answer),
            "POST /conversations/search": self._take_conversations,
            "GET /conversations/{id}": lambda exchange, _: self._put_conversation(exchange.answer),
            "GET /content/search": self._take_content,
        }

    def take(self, method: str, path: str, exchange: Exchange) -> None:
        """Take in one answer."""
        match = self.box.routes.find(method, path)
        if match is None:
            return
        route, params = match
        if exchange.status == 410:
            self._put_merged(path, exchange.link)
        elif exchange.status == 403:
            self._lack(route.scope, exchange.answer)
        elif taker := self._takers.get(f"{route.method} {route.path}") if exchange.status == 200 else None:
            taker(exchange, params)

    def _lack(self, scope: str | None, answer: Doc) -> None:
        """What the token may not do there, it may not do here."""
        codes = {error.get("code") for error in answer.get("errors") or () if isinstance(error, dict)}
        if "api_plan_restricted" in codes:
            self.ws.settings.plan_restricted = True
        elif scope:
            self.box.tokens[self.box.token] |= {scope}

    def _take_me(self, exchange: Exchange, _: object) -> None:
        body, app = exchange.answer, exchange.answer.get("app") or {}
        names = ("name", "timezone", "region", "id_code", "created_at")
        self.ws.store.put("app", {"id": "app", "seq": 0} | {name: app[name] for name in names if app.get(name) is not None})
        self.ws.settings.region, self.ws.settings.app_id = app.get("region") or "US", app["id_code"]
        if self._nobody and self._nobody != str(body["id"]):
            self.ws.store.drop("admin", self._nobody)
        self._nobody = ""
        self.put_admin(body)

    def _take_admins(self, exchange: Exchange, _: object) -> None:
        self.lists_read.add("admins")
        for admin in exchange.answer.get("admins") or ():
            self.put_admin(admin)

    def put_admin(self, admin: Doc) -> None:
        seq = self._seq("admin", admin["id"])
        self.ws.store.put("admin", {"id": str(admin["id"]), "seq": seq, "name": admin.get("name"), "email": admin.get("email")})

    def _seq(self, kind: str, id: object) -> int:
        row = self.ws.store.get(kind, id)
        return int(row["seq"]) if row else self.ws.number()

    def _take_tags(self, exchange: Exchange, _: object) -> None:
        self.lists_read.add("tags")
        self._put_tags(exchange.answer.get("data") or ())

    def _put_tags(self, tags: Iterable[Doc]) -> None:
        for tag in tags:
            self.ws.store.put("tag", {"id": str(tag["id"]), "seq": self._seq("tag", tag["id"]), "name": tag["name"]})

    def _take_attributes(self, exchange: Exchange, _: object) -> None:
        self.lists_read.add("attributes")
        for body in exchange.answer.get("data") or ():
            if body.get("custom"):
                self.put_attribute(body)

    def put_attribute(self, body: Doc) -> None:
        now = self.ws.clock()
        blank: Doc = {"description": None, "options": None, "messenger_writable": False, "archived": False, "admin_id": None}
        blank |= {"created_at": now, "updated_at": now}
        names = ("name", "model", "data_type", *blank)
        values = {name: body[name] for name in names if name in body}
        self.ws.store.put("attribute", blank | values | {"id": str(body["id"]), "seq": self._seq("attribute", body["id"])})

    def _take_contacts(self, exchange: Exchange, _: object) -> None:
        for contact in exchange.answer.get("data") or ():
            self._put_contact(contact)

    def _take_search(self, exchange: Exchange, _: object) -> None:
        """Who is found fulfils all that the query asks for, also in what is not shown."""
        query = exchange.body.get("query") if isinstance(exchange.body, dict) else None
        conditions = list(_list_conditions(query))
        for condition in conditions:
            values = condition.get("value")
            self.asked.update((str(condition.get("field")), str(v).lower()) for v in (values if isinstance(values, list) else [values]))
        alone = [c for c in conditions if c.get("operator") == "="] if _is_conjunction(query) else []
        for contact in exchange.answer.get("data") or ():
            self._put_contact(contact)
            for condition in alone:
                self._fulfil(str(contact["id"]), condition)
            if len(conditions) == 1 and conditions[0].get("field") == "email" and conditions[0].get("operator") in ("=", "IN"):
                self._learn_folding(str(contact.get("email")), conditions[0]["value"])

    def _learn_folding(self, email: str, value: object) -> None:
        """Whoever is found by an e-mail in another case shows that search ignores it there."""
        values = {str(one) for one in (value if isinstance(value, list) else [value])}
        if email not in values and email.lower() in {one.lower() for one in values}:
            self.ws.settings.fold_email = True

    def _fulfil(self, contact_id: str, condition: Doc) -> None:
        value = str(condition.get("value"))
        if condition.get("field") == "tag_id":
            self._link(contact_id, "tags", {value: None})
        elif condition.get("field") == "segment_id":
            now = self.ws.clock()
            blank = {"id": value, "name": value, "person_type": "user", "created_at": now, "updated_at": now, "companies": []}
            segment: Doc = self.ws.store.get("segment", value) or blank | {"seq": self.ws.number(), "contacts": []}
            self.ws.store.put("segment", segment | {"contacts": list(dict.fromkeys((*segment["contacts"], contact_id)))})

    def _take_tags_of(self, exchange: Exchange, params: Mapping[str, str]) -> None:
        rows = exchange.answer.get("data") or ()
        how = {str(row["id"]): [row.get("applied_at"), (row.get("applied_by") or {}).get("id")] for row in rows}
        self._link(params["id"], "tags", how, count=len(how))

    def _take_companies_of(self, exchange: Exchange, params: Mapping[str, str]) -> None:
        rows = exchange.answer.get("data") or exchange.answer.get("companies") or ()
        for company in rows:
            self._put_company(company)
        self._link(params["id"], "companies", {str(row["id"]): None for row in rows})

    def _take_contacts_of(self, exchange: Exchange, params: Mapping[str, str]) -> None:
        for contact in exchange.answer.get("data") or ():
            self._put_contact(contact)
            self._link(str(contact["id"]), "companies", {params["id"]: None})

    def _put_contact(self, body: Doc) -> None:
        id, seq = str(body["id"]), self._seq("contact", body["id"])
        old = self.ws.store.get("contact", id) or {"rank": seq, "tags": {}, "companies": {}}
        values = {name: value for name, value in body.items() if name not in _LISTS and name in _KEPT and value is not None}
        owner, avatar = body.get("owner_id"), body.get("avatar")
        image = avatar.get("image_url") if isinstance(avatar, dict) else avatar
        more = {"owner_id": None if owner is None else str(owner), "avatar": image, "location": body.get("location") or {}}
        links = {name: old[name] for name in ("tags", "companies", "rank")}
        contact = {"id": id, "seq": seq, "custom_attributes": dict(body.get("custom_attributes") or {}), "role": "user"} | links
        self.ws.store.put("contact", contact | values | {name: value for name, value in more.items() if value})
        for name in ("tags", "companies"):
            part = body.get(name) or {}
            count = part.get("total_count")
            self._link(id, name, {str(row["id"]): None for row in part.get("data") or ()}, count=count if isinstance(count, int) else None)

    def _link(self, contact_id: str, name: str, item: Mapping[str, Any], count: int | None = None) -> None:
        """What a contact is linked to, as far as an answer shows it; `count`: how many there are."""
        contact = self.ws.store.get("contact", contact_id)
        if contact is None:
            return
        default = [contact.get("updated_at"), self.ws.admin()["id"]] if name == "tags" else contact.get("updated_at")
        old = contact[name] if count is None or count > len(item) else {id: how for id, how in contact[name].items() if id in item}
        fresh = {id: how or old.get(id) or default for id, how in item.items()}
        if count is not None:
            self._links[name, contact_id] = count
        self.ws.store.put("contact", contact | {name: {**old, **fresh}})

    def _put_merged(self, path: str, link: str) -> None:
        """Somebody who was merged into another one is known by that, under the name that was asked for."""
        target = _CANONICAL.search(link)
        *_, before, name = path.split("/")
        key = {"external_id": name} if before == "find_by_external_id" else {"id": name}
        if target:
            id = key.get("id") or people.new_id(self.ws)
            blank = {"seq": self.ws.number(), "rank": 0, "role": "lead", "custom_attributes": {}, "tags": {}, "companies": {}}
            self.ws.store.put("contact", blank | key | {"id": id, "merged_into": target[1]})

    def put_archived(self, contact: Doc) -> None:
        """Somebody who is taken to be in the archive, unless an answer showed them."""
        if self.ws.store.get("contact", contact["id"]) is None:
            now, seq = self.ws.clock(), self.ws.number()
            blank = {"seq": seq, "rank": seq, "role": "user", "created_at": now, "updated_at": now}
            blank |= {"custom_attributes": {}, "tags": {}, "companies": {}}
            self.ws.store.put("contact", blank | contact | {"archived": True})

    def _take_companies(self, exchange: Exchange, _: object) -> None:
        body = exchange.answer
        for company in body["data"] if isinstance(body.get("data"), list) else [body] if body.get("type") == "company" else ():
            self._put_company(company)

    def _put_company(self, body: Doc) -> None:
        id, plan = str(body["id"]), body.get("plan") or {}
        name = plan.get("name") if isinstance(plan, dict) else plan
        if name and not self.ws.store.table("plan").ids("name", name):
            self.ws.store.put("plan", {"id": str(plan.get("id")), "seq": self.ws.number(), "name": name})
        rows = (body.get("tags") or {}).get("tags") or ()
        self._put_tags(rows)
        tags = {str(tag["id"]): body.get("updated_at") for tag in rows}
        blank = {"company_id": id, "name": None, "remote_created_at": None, "created_at": None, "updated_at": None}
        values = {name: value for name, value in body.items() if name not in _LISTS and value is not None}
        parts = {"custom_attributes": dict(body.get("custom_attributes") or {}), "tags": tags, "plan": name or None}
        self.ws.store.put("company", blank | values | parts | {"id": id, "seq": self._seq("company", id)})
        self._users[id] = int(body.get("user_count") or 0)

    def _take_conversations(self, exchange: Exchange, _: object) -> None:
        for conversation in exchange.answer.get("conversations") or ():
            self._put_conversation(conversation)

    def _put_conversation(self, body: Doc) -> None:
        rows = (body.get("tags") or {}).get("tags") or ()
        self._put_tags(rows)
        stamps = {str(row["id"]): [row.get("applied_at"), (row.get("applied_by") or {}).get("id")] for row in rows}
        doc = {"id": str(body["id"]), "seq": self._seq("conversation", body["id"]), "tags": stamps, "created_at": body.get("created_at")}
        self.ws.store.put("conversation", doc)

    def _take_content(self, exchange: Exchange, _: object) -> None:
        query = dict(exchange.query)
        ids = [id for id in (query.get("any_tag_ids") or query.get("tag_ids") or "").split(",") if id]
        for row in exchange.answer.get("data") or ():
            doc = {"id": str(row["id"]), "seq": self._seq("content", row["id"]), "type": row.get("type"), "title": row.get("title")}
            self.ws.store.put("content", doc | {"tags": dict.fromkeys(ids)})

    def settle(self) -> None:
        """What counts say beyond what was shown: users whom nobody read, and links to what nobody read."""
        companies, contacts = self.ws.store.table("company"), self.ws.store.table("contact")
        for id, users in self._users.items():
            if id in companies.docs:
                unseen = users - len(contacts.ids("company_user", id))
                self.ws.store.put("company", companies.docs[id] | {"unseen_users": max(unseen, 0)})
        for (name, id), count in self._links.items():
            links = contacts.docs[id][name] if id in contacts.docs else {}
            if id in contacts.docs and len(links) < count:
                unseen_ends = {f"unseen{n}": links.get("", [None, None]) for n in range(count - len(links))}
                self.ws.store.put("contact", contacts.docs[id] | {name: {**links, **unseen_ends}})


_KEPT = people.FIELDS | {"id"}


def _list_conditions(query: object) -> Iterator[Doc]:
    """The conditions of a query, those in its groups too."""
    if isinstance(query, dict) and isinstance(query.get("value"), list) and query.get("operator") in ("AND", "OR"):
        for part in query["value"]:
            yield from _list_conditions(part)
    elif isinstance(query, dict):
        yield query


def _is_conjunction(query: object) -> bool:
    """Whether who fulfils a query fulfils each of its conditions."""
    if not isinstance(query, dict) or query.get("operator") == "OR":
        return False
    return query.get("operator") != "AND" or all(_is_conjunction(part) for part in query.get("value") or ())
