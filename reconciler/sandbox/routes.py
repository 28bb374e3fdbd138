"""Every endpoint as one line: method, path, what answers it, the scope it needs, the versions that have it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from reconciler.sandbox.api import admins, attributes, companies, contacts, notes, oauth, search, segments, subscriptions, tagged, tags
from reconciler.sandbox.api.versions import PREVIEW, V2_14, V2_15, V2_16
from reconciler.sandbox.call import Reply
from reconciler.sandbox.store import Doc

Answer = Doc | tuple[int, Any] | Reply  # a body, answered 200; a status with its body; or the whole reply


@dataclass(frozen=True)
class Route:
    """One endpoint."""

    method: str  # GET, POST, PUT or DELETE
    path: str  # a piece in braces stands for any piece, and gives it a name
    handler: Callable[..., Answer]  # from a Request to the answer
    scope: str | None = None  # that a token needs, by families (Intercom developer hub, OAuth scopes, has only an outline); None: any token
    since: int = V2_14  # the first version that has it
    until: int = PREVIEW  # the last version that has it
    public: bool = False  # whether it answers without a token
    reads: bool = False  # whether it is a POST that only reads

    @cached_property
    def pieces(self) -> list[str]:
        return split(self.path)

    @cached_property
    def size(self) -> tuple[str, int]:
        """What can be told apart at once: the method, and how many pieces the path has."""
        return self.method, len(self.pieces)

    def match(self, pieces: list[str]) -> dict[str, str] | None:
        """The named pieces of a path of this size; None if this endpoint does not answer it."""
        pairs = list(zip(self.pieces, pieces, strict=True))
        if any(own[0] != "{" and own != piece for own, piece in pairs):
            return None
        return {own[1:-1]: piece for own, piece in pairs if own[0] == "{"}


def split(raw_path: str) -> list[str]:
    """The pieces of a path, decoded one by one so that %2F stays in its piece. Empty pieces vanish, as in Rails."""
    return [unquote(piece) for piece in raw_path.split("/") if piece]


class Routes(list[Route]):
    """Endpoints. The first one that matches answers a call."""

    def find(self, method: str, raw_path: str) -> tuple[Route, dict[str, str]] | None:
        """The endpoint that answers the call, and the named pieces of its path."""
        pieces = split(raw_path)
        size = (method, len(pieces))
        return next(((route, params) for route in self if route.size == size and (params := route.match(pieces)) is not None), None)

    def reads(self, method: str, raw_path: str) -> bool:
        """Whether the call only reads, although it is a POST."""
        match = self.find(method, raw_path)
        return match is not None and match[0].reads


# A fixed path stands before one with a named piece in the same place.
TABLE = (
    Route("GET", "/me", admins.me),
    Route("GET", "/admins", admins.listing, "read_admins"),
    Route("GET", "/admins/{id}", admins.get, "read_admins"),
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
    Route("GET", "/companies/{id}/segments", companies.segments_of, "read_users"),
    Route("GET", "/companies/{id}/notes", notes.of_company, "read_users", since=V2_15),
    Route("POST", "/companies/{id}/notes", notes.create_for_company, "write_users", since=V2_16),
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
    Route("GET", "/contacts/{id}/segments", segments.of_contact, "read_users"),
    Route("GET", "/contacts/{id}/subscriptions", subscriptions.of_contact, "read_users"),
    Route("POST", "/contacts/{id}/subscriptions", subscriptions.attach, "write_users"),
    Route("DELETE", "/contacts/{id}/subscriptions/{subscription_id}", subscriptions.detach, "write_users"),
    Route("GET", "/contacts/{id}/notes", notes.of_contact, "read_users"),
    Route("POST", "/contacts/{id}/notes", notes.create_for_contact, "write_users"),
    Route("GET", "/notes/{id}", notes.get, "read_users"),
    Route("GET", "/data_attributes", attributes.listing, "read_users"),
    Route("POST", "/data_attributes", attributes.create, "write_attributes"),
    Route("PUT", "/data_attributes/{id}", attributes.update, "write_attributes"),
    Route("GET", "/segments", segments.listing, "read_users"),
    Route("GET", "/segments/{id}", segments.get, "read_users"),
    Route("GET", "/subscription_types", subscriptions.listing, "read_users"),
    Route("POST", "/conversations/search", tagged.search_conversations, "read_conversations", reads=True),
    Route("GET", "/conversations/{id}", tagged.get_conversation, "read_conversations"),
    Route("POST", "/conversations/{id}/tags", tagged.attach_to_conversation, "write_conversations"),
    Route("DELETE", "/conversations/{id}/tags/{tag_id}", tagged.detach_from_conversation, "write_conversations"),
    Route("GET", "/content/search", tagged.search_content, "read_content", since=V2_16),
    Route("GET", "/oauth", oauth.authorize, public=True),
    Route("POST", "/auth/eagle/token", oauth.exchange, public=True),
    Route("POST", "/auth/uninstall", oauth.uninstall),
)
