"""The state behind the calls: documents, knobs, clock, and the few things every endpoint asks for."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from reconciler.sandbox.store import Doc, KeysOf, Store

FIRST_ADMIN = "991267459"


@dataclass
class Settings:
    """Knobs that a test may turn while the sandbox runs."""

    app_id: str = "sandbox1"
    region: str = "US"
    search_delay: float = 0.0
    update_delay: float = 0.0
    archive_delay: float = 0.0
    rate_limit: int | None = None
    clock_offset: float = 0.0
    default_version: str = "2.16"
    trim: bool = False  # blanks around tag and company names are cut
    rewrites: str = ""  # what becomes of names, by words of `names.REWRITES`
    fold_email: bool = False  # search for an e-mail ignores case
    hide_userless: str = "all"  # "all" listings of companies, or only POST /companies/"list"
    contact_order: str = "updated_at"  # GET /contacts, newest first: "updated_at" or "created_at"
    leads_refuse_null: bool = False  # a null custom attribute on a lead is 400 (reported: intercom-node#215)
    options_bind: bool = True  # a value outside a list attribute's options is 400 (announced April 2026, then withdrawn: not established)
    plan_restricted: bool = False  # conversations answer 403 api_plan_restricted

    def change(self, values: dict[str, Any]) -> None:
        known = {field.name for field in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"unknown setting {name!r}; known are {', '.join(sorted(known))}")
            setattr(self, name, value)


def is_live(doc: Doc) -> bool:
    return not doc.get("archived") and not doc.get("merged_into")


def _one(field: str) -> KeysOf:
    def keys(doc: Doc) -> Iterable[Hashable]:
        value = doc.get(field)
        return () if value is None else (value,)

    return keys


INDEXES: dict[str, dict[str, KeysOf]] = {
    "contact": {
        "external_id": _one("external_id"),
        "email": _one("email"),
        "mailbox": lambda doc: (doc["email"].lower(),) if doc.get("email") else (),
        "tag": lambda doc: doc["tags"],
        "company": lambda doc: doc["companies"],
        "company_user": lambda doc: doc["companies"] if is_live(doc) and doc["role"] == "user" else (),
        "late": lambda doc: (True,) if doc.get("visible_at") else (),
    },
    "company": {
        "company_id": _one("company_id"),
        "name": _one("name"),
        "tag": lambda doc: doc["tags"],
        "leaving": lambda doc: (True,) if doc.get("leaves_at") else (),
    },
    "tag": {"name": lambda doc: (doc["name"].lower(),)},
    "plan": {"name": _one("name")},
    "segment": {"name": _one("name")},
    "attribute": {"model": _one("model"), "name": lambda doc: ((doc["model"], doc["name"]),)},
    "note": {"of": _one("of")},
    "conversation": {"tag": lambda doc: doc["tags"]},
}


class Workspace:
    def __init__(self, path: Path | None, now: Callable[[], float], settings: Settings) -> None:
        self.store = Store(path, INDEXES)
        self.settings = settings
        self._now = now
        self.scroll: Doc | None = None  # the one open scroll of this app
        self.stale: dict[str, list[tuple[float, Doc]]] = {}  # what search still sees of updated contacts
        self._built: dict[str, tuple[object, Any]] = {}

    def now(self) -> float:
        return self._now() + self.settings.clock_offset

    def clock(self) -> int:
        return int(self.now())

    def number(self) -> int:
        """Age: later documents have larger numbers."""
        return self.store.number("seq")

    def prepare(self) -> None:
        """A workspace is never without an admin and its subscription types, and remembers its own name."""
        self.settings.region = self.app().get("region", self.settings.region)
        self.settings.app_id = self.app().get("id_code", self.settings.app_id)
        if not self.store.table("admin").docs:
            self.store.put("admin", {"id": FIRST_ADMIN, "seq": self.number(), "name": "Ciaran1 Lee", "email": "admin1@email.com"})
        if not self.store.table("subscription").docs:
            for id, consent, content in (("91", "opt_out", "email"), ("93", "opt_in", "sms_message")):
                self.store.put("subscription", {"id": id, "seq": self.number(), "consent_type": consent, "content_types": [content]})

    def admin_id(self) -> str:
        """The admin the token belongs to."""
        return str(self.store.table("admin").in_order()[0]["id"])

    def app(self) -> Doc:
        """What a seed said about the app itself."""
        return self.store.get("app", "app") or {"id": "app"}

    def built(self, name: str, stamp: object, build: Callable[[], Any]) -> Any:
        """The same answer as long as the stamp is the same."""
        if name not in self._built or self._built[name][0] != stamp:
            if len(self._built) > 64:
                self._built.clear()
            self._built[name] = (stamp, build())
        return self._built[name][1]

    def forget(self) -> None:
        self.scroll = None
        self.stale.clear()
        self._built.clear()
