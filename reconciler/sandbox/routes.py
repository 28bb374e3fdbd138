"""Every endpoint as one line: method, path, what answers it, the scope it needs, the first version that has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from reconciler.sandbox.api import around, attributes, companies, contacts, oauth, search, tags
from reconciler.sandbox.api.versions import PREVIEW, V2_14, V2_15, V2_16
from reconciler.sandbox.store import Doc

Answer = Doc | tuple[int, Any]  # a body, answered 200; or a status with its body
Answering = Callable[..., Answer]  # (Request) → Answer

# Families of scopes; how scopes map to endpoints is documented only in outline (Intercom developer hub, OAuth scopes).
SCOPES = ("read_users", "write_users", "read_tags", "write_tags", "write_attributes", "read_admins", "read_conversations", "read_content")


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    answering: Answering
    scope: str | None = None
    since: int = V2_14
    until: int = PREVIEW
    public: bool = False  # answers without a token
    reads: bool = False  # a POST that only reads

    @cached_property
    def pieces(self) -> list[str]:
        return [piece for piece in self.path.split("/") if piece]

    def match(self, pieces: list[str]) -> dict[str, str] | None:
        """The named pieces of a path of the same length, or nothing."""
        params = {}
        for own, given in zip(self.pieces, pieces, strict=True):
            if own[0] == "{":
                params[own[1:-1]] = given
            elif own != given:
                return None
        return params


def split(raw_path: str) -> list[str]:
    """Decoded piece by piece, so that %2F stays inside its piece; empty pieces vanish, as behind Rails."""
    return [unquote(piece) for piece in raw_path.split("/") if piece]


class Routes:
    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_shape: dict[tuple[str, int], list[Route]] = {}
        for route in routes:
            self.add(route)

    def add(self, route: Route) -> None:
        self._by_shape.setdefault((route.method, len(route.pieces)), []).append(route)

    def find(self, method: str, raw_path: str) -> tuple[Route, dict[str, str]] | None:
        pieces = split(raw_path)
        for route in self._by_shape.get((method, len(pieces)), ()):
            params = route.match(pieces)
            if params is not None:
                return route, params
        return None


# Fixed paths stand before those with a name in the same place.
TABLE = (
    Route("GET", "/me", around.me),
    Route("GET", "/admins", around.admins, "read_admins"),
    Route("GET", "/admins/{id}", around.admin, "read_admins"),
    Route("GET", "/tags", tags.listing, "read_tags"),
    Route("GET", "/tags/{id}", tags.get, "read_tags"),
    Route("POST", "/tags", tags.write, "write_tags"),
    Route("DELETE", "/tags/{id}", tags.delete, "write_tags"),
    Route("GET", "/contacts/{id}/tags", tags.of_contact, "read_tags"),
    Route("POST", "/contacts/{id}/tags", tags.attach_to_contact, "write_tags"),
    Route("DELETE", "/contacts/{id}/tags/{tag_id}", tags.detach_from_contact, "write_tags"),
    Route("POST", "/companies/list", companies.listing, "read_users", reads=True),
    Route("GET", "/companies/scroll", companies.scroll, "read_users"),
    Route("GET", "/companies", companies.retrieve, "read_users"),
    Route("POST", "/companies", companies.upsert, "write_users"),
    Route("GET", "/companies/{id}", companies.get, "read_users"),
    Route("PUT", "/companies/{id}", companies.update, "write_users"),
    Route("DELETE", "/companies/{id}", companies.delete, "write_users"),
    Route("GET", "/companies/{id}/contacts", companies.contacts_of, "read_users"),
    Route("GET", "/companies/{id}/segments", companies.segments, "read_users"),
    Route("GET", "/companies/{id}/notes", around.notes_of_company, "read_users", since=V2_15),
    Route("POST", "/companies/{id}/notes", around.note_on_company, "write_users", since=V2_16),
    Route("GET", "/contacts/{id}/companies", companies.of_contact, "read_users"),
    Route("POST", "/contacts/{id}/companies", companies.attach, "write_users"),
    Route("DELETE", "/contacts/{id}/companies/{company_id}", companies.detach, "write_users"),
    Route("POST", "/contacts/search", search.contacts, "read_users", reads=True),
    Route("POST", "/contacts/merge", contacts.merge, "write_users"),
    Route("GET", "/contacts/find_by_external_id/{external_id}", contacts.find_by_external_id, "read_users"),
    Route("GET", "/contacts", contacts.listing, "read_users"),
    Route("POST", "/contacts", contacts.create, "write_users"),
    Route("GET", "/contacts/{id}", contacts.get, "read_users"),
    Route("PUT", "/contacts/{id}", contacts.update, "write_users"),
    Route("DELETE", "/contacts/{id}", contacts.delete, "write_users"),
    Route("POST", "/contacts/{id}/archive", contacts.archive, "write_users"),
    Route("POST", "/contacts/{id}/unarchive", contacts.unarchive, "write_users"),
    Route("POST", "/contacts/{id}/block", contacts.block, "write_users"),
    Route("GET", "/contacts/{id}/merge_history", contacts.merge_history, "read_users", since=V2_16),
    Route("GET", "/contacts/{id}/segments", around.segments_of_contact, "read_users"),
    Route("GET", "/contacts/{id}/subscriptions", around.subscriptions_of_contact, "read_users"),
    Route("POST", "/contacts/{id}/subscriptions", around.subscribe, "write_users"),
    Route("DELETE", "/contacts/{id}/subscriptions/{subscription_id}", around.unsubscribe, "write_users"),
    Route("GET", "/contacts/{id}/notes", around.notes_of_contact, "read_users"),
    Route("POST", "/contacts/{id}/notes", around.note_on_contact, "write_users"),
    Route("GET", "/notes/{id}", around.note, "read_users"),
    Route("GET", "/data_attributes", attributes.listing, "read_users"),
    Route("POST", "/data_attributes", attributes.create, "write_attributes"),
    Route("PUT", "/data_attributes/{id}", attributes.update, "write_attributes"),
    Route("GET", "/segments", around.segments, "read_users"),
    Route("GET", "/segments/{id}", around.segment, "read_users"),
    Route("GET", "/subscription_types", around.subscription_types, "read_users"),
    Route("POST", "/conversations/search", around.conversations, "read_conversations", reads=True),
    Route("GET", "/content/search", around.content, "read_content", since=V2_16),
    Route("GET", "/oauth", oauth.authorize, public=True),
    Route("POST", "/auth/eagle/token", oauth.exchange, public=True),
    Route("POST", "/auth/uninstall", oauth.uninstall),
)
