"""The state behind the calls: documents, settings and clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from reconciler.sandbox.store import Doc, KeysOf, Store

FIRST_ADMIN = "991267459"


# What a fact about names is called in `rewrites`.
_REWRITES = {
    ("name_folding", "accents"): "fold",
    ("name_blanks", "trimmed"): "trim",
    ("name_html", "escaped"): "escape",
    ("name_beyond", "cut"): "cut",
}


@dataclass
class Settings:
    """What a test may change while the sandbox runs. `readings` lists what each choice stands for."""

    # the workspace that GET /me names
    app_id: str = "sandbox1"
    # US, EU or AU
    region: str = "US"
    # seconds until search and the list show a new contact
    search_delay: float = 0.0
    # seconds until search and the list show a change of a contact
    update_delay: float = 0.0
    # seconds until a deleted company is gone
    archive_delay: float = 0.0
    # calls per ten seconds; None: no call is refused
    rate_limit: int | None = None
    # seconds by which the sandbox's clock is ahead
    clock_offset: float = 0.0
    # of the API, for calls that name none
    default_version: str = "2.16"
    # what becomes of the names of tags and companies: words of `names.REWRITES`, with blanks between
    rewrites: str = ""
    # search for an e-mail address ignores case
    fold_email: bool = False
    # which lists leave out companies without users: "all", or "list" for POST /companies/list alone
    hide_userless: str = "all"
    # GET /contacts, newest first: "updated_at" or "created_at"
    contact_order: str = "updated_at"
    # a null custom attribute on a lead is 400 (reported: intercom-node#215)
    leads_refuse_null: bool = False
    # conversations answer 403 api_plan_restricted
    plan_restricted: bool = False
    # names of tags that are longer: "taken" or "refused" (`rewrites` cuts them)
    name_beyond: str = "taken"
    # how many characters a name may have; None: any number
    name_length: int | None = None
    # which spelling stays when a tag is posted again: "first" or "last"
    name_spelling: str = "first"
    # a tag renamed to the name of another one: "refused", or "twins"
    rename_taken: str = "refused"
    # `applied_at` of a tag attached again: "keeps" or "moves"
    attached_again: str = "keeps"
    # the status when a tag is detached that is not on the contact: 404 or 200
    detached_missing: int = 404
    # two users with one e-mail: "never", "other_external_ids" or "any_external_id"
    shared_email: str = "other_external_ids"
    # how an e-mail is kept: "kept" as written or "lowered"
    email_case: str = "kept"
    # the external_id of a lead: "taken", "dropped" or "refused"
    lead_external_id: str = "taken"
    # an unknown key in a contact: "ignored" or "refused"
    unknown_key: str = "ignored"
    # a custom attribute that nobody made: "ignored" or "refused"
    unknown_attribute: str = "refused"
    # null in a field of a company: "ignored", "cleared" or "refused"
    company_null: str = "ignored"
    # a dot in the name of an attribute: "taken" or "refused"
    attribute_dots: str = "refused"
    # whether search counts on beyond so many contacts: "exact" or "capped"
    total_count: str = "exact"
    # how many contacts a capped search counts
    count_cap: int = 10_000

    def change(self, values: Doc) -> None:
        """Raises ValueError for the name of no setting."""
        for name, value in values.items():
            if name not in vars(self):
                raise ValueError(f"unknown setting {name!r}; known are {', '.join(sorted(vars(self)))}")
            setattr(self, name, value)

    def follow(self, facts: Doc) -> None:
        """Do as a workspace was found to do, as far as there is a setting for it."""
        settings = {name: value for name, value in facts.items() if value is not None}
        words = [word for pair, word in _REWRITES.items() if pair in settings.items()]
        hides = {"shown": "list", "hidden": "all"}.get(str(settings.get("userless_tagged")), self.hide_userless)
        own = {name: value for name, value in settings.items() if name in vars(self) and value != "cut"}
        self.change(own | {"rewrites": " ".join(words) or self.rewrites, "hide_userless": hides})


def is_live(doc: Doc) -> bool:
    return not doc.get("archived") and not doc.get("merged_into")


def _by(field: str) -> KeysOf:
    return lambda doc: () if doc.get(field) is None else (doc[field],)


INDEXES: dict[str, dict[str, KeysOf]] = {
    "contact": {
        "external_id": _by("external_id"),
        "email": _by("email"),
        "mailbox": lambda doc: (doc["email"].lower(),) if doc.get("email") else (),
        "tag": lambda doc: doc["tags"],
        "company": lambda doc: doc["companies"],
        "company_user": lambda doc: doc["companies"] if is_live(doc) and doc["role"] == "user" else (),
        "late": lambda doc: (True,) if doc.get("visible_at") else (),
    },
    "company": {
        "company_id": _by("company_id"),
        "name": _by("name"),
        "tag": lambda doc: doc["tags"],
        "leaving": lambda doc: (True,) if doc.get("leaves_at") else (),
    },
    "conversation": {"tag": lambda doc: doc["tags"]},
    "tag": {"name": lambda doc: (doc["name"].lower(),)},
    "plan": {"name": _by("name")},
    "segment": {"name": _by("name")},
    "attribute": {"name": lambda doc: ((doc["model"], doc["name"]),)},
    "note": {"of": _by("of")},
}


T = TypeVar("T")


class Workspace:
    def __init__(self, path: Path | None, now: Callable[[], float], settings: Settings) -> None:
        self.store = Store(path, INDEXES)
        self.settings = settings
        self._now = now
        self.scroll: Doc | None = None  # the one open scroll of this app
        self.stale: dict[str, list[tuple[float, Doc]]] = {}  # by id of a contact: until when search sees which old state of it
        self._built: dict[str, tuple[object, Any]] = {}  # by name: the stamp, and what was built
        self.rested: dict[str, None] = {}  # the names of the readings on which answers rested, until somebody clears them

    def now(self) -> float:
        return self._now() + self.settings.clock_offset

    def clock(self) -> int:
        """The time as Intercom writes it: whole seconds since 1970."""
        return int(self.now())

    def number(self) -> int:
        """The number that tells age: a newer document has a larger one."""
        return self.store.number("seq")

    def prepare(self) -> None:
        """Take the app's name from the file, and add an admin and subscription types where there are none."""
        self.settings.region = self.app().get("region", self.settings.region)
        self.settings.app_id = self.app().get("id_code", self.settings.app_id)
        if not self.store.table("admin").docs:
            self.store.put("admin", {"id": FIRST_ADMIN, "seq": self.number(), "name": "Ciaran1 Lee", "email": "admin1@email.com"})
        if not self.store.table("subscription").docs:
            for id, consent, content in (("91", "opt_out", "email"), ("93", "opt_in", "sms_message")):
                self.store.put("subscription", {"id": id, "seq": self.number(), "consent_type": consent, "content_types": [content]})

    def admin(self) -> Doc:
        """The admin that the token belongs to."""
        return self.store.table("admin").in_order()[0]

    def app(self) -> Doc:
        """What a seed says about the app itself."""
        return self.store.get("app", "app") or {"id": "app"}

    def rest_on(self, reading: str) -> None:
        """An answer rests on what is not established, or on what nobody can see."""
        self.rested[reading] = None

    def reuse(self, name: str, stamp: object, build: Callable[[], T]) -> T:
        """What `build` returns; what it returned before under this name, as long as the stamp is the same."""
        if name not in self._built or self._built[name][0] != stamp:
            if len(self._built) > 64:
                self._built.clear()
            self._built[name] = (stamp, build())
        value: T = self._built[name][1]
        return value

    def forget(self) -> None:
        """Drop what is not in the store."""
        self.scroll = None
        self.stale.clear()
        self._built.clear()
