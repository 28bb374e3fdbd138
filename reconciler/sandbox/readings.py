"""What neither Intercom's description nor reports establish, and how the sandbox reads it.

It does what is hardest for a client: one that copes with it copes with the rest. A setting changes it where one is named. A name in front
marks what an answer to a write can rest on: `Workspace.rest_on` is told of it where it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Reading:
    """One case that is not established."""

    what: str  # the case
    here: str  # what the sandbox does
    settings: tuple[str, ...] = ()  # that change it, or facts that establish it


# What nobody can read of a workspace before a call: a copy of one knows nothing of it.
UNSEEN: Mapping[str, Reading] = MappingProxyType(
    {
        "archive": Reading(
            "whether somebody in the archive, or blocked, holds an external_id or e-mail (409, 400)", "nobody but who was read does"
        ),
        "archived": Reading("whether who is brought back is archived, and not deleted or merged", "archived, with what was written of it"),
        "brought_back": Reading("the tags, companies and values of who is brought back", "none"),
        "segments": Reading("whether a segment or another object depends on a tag (400 tag_has_dependent_objects)", "none does"),
        "dependants": Reading("whether something depends on a data attribute (422 data_invalid)", "nothing does"),
    }
)

# What an answer to a write can rest on.
RESTED_ON: Mapping[str, Reading] = MappingProxyType(
    {
        "spelling": Reading("casing of a tag posted again", "the first one stays", ("name_spelling",)),
        "folding": Reading("names with letters beyond ASCII", "folded with lower(), no Unicode form", ("rewrites", "name_folding")),
        "length": Reading("length of a tag name", "no limit", ("rewrites", "name_beyond", "name_length")),
        "html": Reading("signs of HTML in names", "kept", ("rewrites", "name_html")),
        "renamed_to_another": Reading("rename onto another tag's name", "400 parameter_invalid", ("rename_taken",)),
        "missing_tagged": Reading("404 of POST /tags up to 2.15", "what stands before the missing one is tagged, the tag is created"),
        "attached_again": Reading("tag attached twice", "200, the first applied_at stays", ("attached_again",)),
        "detached_missing": Reading(
            "tag not on the contact detached", "404 Resource Not Found; company likewise 404 company_not_found", ("detached_missing",)
        ),
        "company_by_name": Reading("POST /companies with a name only", "always a new company, its company_id is its id; with neither 400"),
        "company_by_id": Reading("POST /companies with a company_id only", "its name is the company_id"),
        "company_null": Reading("null in a company field", "ignored, 200", ("company_null",)),
        "spend": Reading("monthly_spend above 2^31-1", "400 bad_request"),
        "company_deleted": Reading(
            "company deleted, id and company_id", "404 at once, or after `archive_delay`; created again it has a new id", ("archive_delay",)
        ),
        "unknown_attribute": Reading(
            "unknown custom attribute", "400 parameter_invalid, on both; an archived one too", ("unknown_attribute",)
        ),
        "wrong_value": Reading("value of the wrong type, outside the options", "400 parameter_invalid"),
        "null_attribute": Reading("null custom attribute", "the key disappears, on leads too", ("leads_refuse_null",)),
        "null_field": Reading("null for a contact's field", "it is cleared; 400 parameter_invalid for email, external_id and role"),
        "email_case": Reading("stored case of an e-mail", "as written", ("email_case",)),
        "shared_email": Reading(
            "who may share an e-mail", "users whose external_ids both are set and differ; leads always; case is ignored", ("shared_email",)
        ),
        "lead_external_id": Reading(
            "lead with an external_id", "accepted, but find_by_external_id is 404; none is invented", ("lead_external_id",)
        ),
        "search_delay": Reading("how long search and the lists are blind to what was written", "not at all", ("search_delay",)),
        "unarchived": Reading("unarchive of a live contact, archive twice", "200"),
        "attribute_limit": Reading("limit of 250 attributes", "400 parameter_invalid; a name is compared exactly"),
        "conversation_attached": Reading("a tag that a conversation has attached again", "200", ("attached_again",)),
        "conversation_detached": Reading("a tag that a conversation has not detached", "404", ("detached_missing",)),
    }
)

# What else the sandbox decides.
OTHERS: Mapping[str, Reading] = MappingProxyType(
    {
        "version": Reading("unknown version in the header", "400 intercom_version_invalid; so are versions below 2.14"),
        "window": Reading("calls per window of the documented limit", "1667; `Retry-After` is never sent, nor a request-id header"),
        "scopes": Reading(
            "which scope an endpoint needs", "families: read/write users, tags; write attributes; read admins, conversations, content"
        ),
        "slashes": Reading("path with a trailing or double slash", "as without it"),
        "blanks": Reading("blanks around names", "kept", ("rewrites", "name_blanks")),
        "tag_deleted_body": Reading("body of DELETE /tags/{id}", "`{}`"),
        "updated_at": Reading("a tag or company attached or detached", "counts as an update of the contact (`updated_at`)"),
        "company_put": Reading("company_id, remote_created_at in PUT", "400 bad_request, as every unknown key"),
        "companies_named": Reading("several companies of one ?name=", "the oldest"),
        "userless": Reading("GET /companies, ?tag_id=, scroll", "hide companies without users too", ("hide_userless", "userless_tagged")),
        "listed": Reading("whom a company needs to be listed, and counts", "users, not leads"),
        "company_pages": Reading("companies per page", "at most 60, larger is cut down; scroll pages have 100"),
        "unknown_key": Reading("unknown key in a contact", "ignored, 200; tags, companies, language_override among them", ("unknown_key",)),
        "email_search": Reading("an e-mail in search", "exact case for = and IN; ~ ^ $ ignore case", ("fold_email",)),
        "contact_order": Reading("order of GET /contacts", "last change first, so rows move", ("contact_order",)),
        "default_sort": Reading("default sort of search; unset values", "created_at; lowest"),
        "update_delay": Reading("delay of updates in search and list", "none; until then both show the old state", ("update_delay",)),
        "query": Reading("query too deep or wide, bad operator; unknown field", "400 parameter_invalid; 400 invalid_field"),
        "sort_order": Reading("invalid sort order before 2.16", "descending"),
        "search_cap": Reading("cap of search, size above 150", "none; cut down to 150", ("total_count", "count_cap")),
        "cursor": Reading("broken cursor", "400 parameter_invalid"),
        "merge": Reading("merge of anything but a lead into a user", "400 invalid_merge; the user keeps what it has, gaps are filled"),
        "blocked": Reading("blocked contact", "hidden like an archived one; creating or unarchiving: 400 not_restorable"),
        "attribute_dots": Reading("dot in the name of an attribute", "400 parameter_invalid", ("attribute_dots",)),
        "consent": Reading("consent_type that is not the type's", "taken as the type's"),
        "tag_ids": Reading("`=` on tag_ids of conversations", "contains"),
        "conversation_admin": Reading("admin_id for the tags of conversations", "missing: 400 parameter_missing; unknown: 404 not_found"),
        "uninstall": Reading("reply of POST /auth/uninstall", "`{}`"),
    }
)

READINGS: Mapping[str, Reading] = MappingProxyType({**UNSEEN, **RESTED_ON, **OTHERS})
