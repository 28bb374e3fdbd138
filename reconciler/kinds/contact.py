"""Contacts: people, users and leads, with their tags and companies."""

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, PlainValidator, model_validator

from reconciler.core.model.ability import Archive, Conflict, Person, Search, Searched
from reconciler.core.model.entry import (
    DECIMAL,
    HEX,
    Attributes,
    Entry,
    LinkItem,
    NullableFlag,
    NullableText,
    NullableTime,
    Values,
    id_of,
    id_schema,
    link_schema,
    link_to,
)
from reconciler.core.model.facts import Facts
from reconciler.core.model.kind import Field, Identity, Kind
from reconciler.core.model.live import Live
from reconciler.core.model.policy import StrictModel
from reconciler.core.model.route import Body, Bulk, LinkKind, Listing, Write
from reconciler.core.model.scalars import Email, Flag, Name, NotNull, doc
from reconciler.core.model.spelling import fold

ContactId = Annotated[str, PlainValidator(id_of("contact", HEX)), id_schema(HEX)]
TagLink = Annotated[LinkItem, PlainValidator(link_to("tag", DECIMAL)), link_schema("tag", DECIMAL, "vip")]
CompanyLink = Annotated[LinkItem, PlainValidator(link_to("company", HEX)), link_schema("company", HEX, "6")]


def _admin_id(value: str | None) -> str | None:
    """Admin ids are decimal (recorded examples, API 2.16)."""
    if value is not None and not (value.isascii() and value.isdigit()):
        raise ValueError(f"{value!r} is not the id of an admin; write the number that Intercom shows, or null for nobody")
    return value


def _mailbox(value: Any) -> Any:
    """An e-mail in any case is one mailbox."""
    return fold(value) if isinstance(value, str) else value


def _image(value: Any) -> Any:
    """An avatar is written as a URL and read as `{type, image_url}` (API 2.16, contact)."""
    return value.get("image_url") if isinstance(value, dict) else value


def _text(value: Any) -> Any:
    """owner_id is a string from 2.16 on and a number before."""
    return str(value) if type(value) is int else value


def _number(value: Any) -> Any:
    """owner_id in a body before 2.16."""
    return None if value is None else int(value)


def _one_way(before: Any, after: Any) -> str:
    """400 "Contact with user role can't be converted to a lead" (developers.intercom.com, update-contact, API 2.3)."""
    return "a user cannot become a lead" if before == "user" and after == "lead" else ""


def _may_share(one: Mapping[str, Any], other: Mapping[str, Any], facts: Facts) -> bool:
    """Two users may share an e-mail when their external_ids differ (Intercom help, article 5053685), leads always (reported:
    segmentio/action-destinations#627)."""
    ids = [person["external_id"] for person in (one, other) if person.get("external_id")]
    apart = len(set(ids)) > (0 if facts.shared_email == "any_external_id" and len(ids) == 1 else 1)
    return (apart and facts.shared_email != "never") or "lead" in (one.get("role"), other.get("role"))


class Was(StrictModel):
    """The former identity of a contact, one of these keys. The contact is updated; none is created."""

    external_id: Annotated[Name, doc("The former `external_id`.", "24")] = ""
    email: Annotated[Email, doc("The former e-mail.", "old@serenity.example")] = ""
    id: Annotated[ContactId, doc("The Intercom id, of somebody who had no other name.", "6762f0dd1bb69f9f00000002")] = ""

    @model_validator(mode="after")
    def _one(self) -> "Was":
        if len(self.model_fields_set) != 1:
            raise ValueError("names one former identity; write external_id, email or id")
        return self


_NAMES = {"external_id", "email", "id"}


class ContactEntry(Entry):
    """A contact. `external_id` says who it is, else `email`, else `id`."""

    external_id: Annotated[Name, Field(moves=True), doc("Your own key of the person. Where it is written, it alone says who.", "25")] = ""
    email: Annotated[
        Email,
        Field(form=_mailbox, personal=True, moves=True, may_share=_may_share),
        doc("The e-mail. It says who is meant where no `external_id` is written.", "wash@serenity.example"),
    ] = ""
    id: Annotated[ContactId, doc("The Intercom id, for somebody whom nothing else names.", "6762f0dd1bb69f9f00000003")] = ""
    was: Annotated[
        Was | None, NotNull, doc("The former identity of a contact that gets another one.", {"email": "old@serenity.example"})
    ] = None
    state: Annotated[
        Literal["present", "archived", "absent"] | None,
        NotNull,
        doc("`present` creates it or brings it back, `archived` archives it, `absent` deletes it for ever.", "archived"),
    ] = None
    missing: Annotated[
        Literal["skip", "error", "create"] | None,
        NotNull,
        doc("What to do if the contact is not found. It wins over `policy: missing_contacts`.", "create"),
    ] = None
    recreate: Annotated[Flag, doc("Create the contact again after somebody deleted it for ever.", True)] = False
    role: Annotated[Literal["user", "lead"], Field(refuses=_one_way), doc("A lead can become a user, a user no lead.", "lead")] = "user"
    name: Annotated[NullableText, Field(personal=True), doc("The name of the person.", "Hoban Washburne")] = None
    phone: Annotated[NullableText, Field(personal=True), doc("The phone number.", "+15550107")] = None
    avatar: Annotated[
        NullableText, Field(read=_image, personal=True), doc("The address of a picture.", "https://serenity.example/wash.png")
    ] = None
    signed_up_at: Annotated[
        NullableTime, Field(time=True), doc("When the person signed up: ISO 8601, or Unix seconds.", "2026-03-11T09:49:18Z")
    ] = None
    last_seen_at: Annotated[
        NullableTime, Field(time=True, fleeting=True), doc("When the person was last seen.", "2026-11-25T03:02:13Z")
    ] = None
    owner_id: Annotated[
        NullableText,
        AfterValidator(_admin_id),
        Field(read=_text, older=("2.16", _number)),
        doc("The id of the admin who owns the contact.", "127"),
    ] = None
    # A choice that was cleared is read as false.
    unsubscribed_from_emails: Annotated[NullableFlag, Field(form=bool), doc("Whether the person gets no e-mails.", True)] = None
    custom_attributes: Annotated[
        Attributes,
        Field(merged=True, typed_by="attribute"),
        doc("Values of custom attributes. Only those that are written are compared; `null` clears one.", {"seats": 5, "shoe_size": None}),
    ] = {}
    tags: Annotated[
        tuple[TagLink, ...],
        doc("The tags of the contact. `[]`: none of those that `policy: links` governs.", ["vip", {"tag": "trial", "state": "absent"}]),
    ] = ()
    companies: Annotated[
        tuple[CompanyLink, ...],
        doc("The companies of the contact, by `company_id`. `[]`: none of those that `policy: links` governs.", ["6"]),
    ] = ()

    @classmethod
    def check_values(cls, values: Values) -> None:
        names = _NAMES & values.keys()
        if not names:
            raise ValueError("says nobody; write an external_id, an email, or an id")
        if "id" in names and len(names) > 1:
            raise ValueError("has an id beside another name; write id only where nothing else names the contact")
        if "id" in names and values.get("missing") == "create":
            raise ValueError("cannot be created: Intercom gives the ids; write an external_id or an email, or remove `missing: create`")


def _former(values: Values) -> Iterable[tuple[str, str]]:
    was = values.get("was")
    return ((by, getattr(was, by)) for by in sorted(was.model_fields_set)) if was else ()


def _rank(thing: Live) -> int:
    """Of several with one identity a user counts before a lead."""
    return 1 if thing.fields.get("role") == "lead" else 0


# A contact shows at most so many of its tags and companies (API 2.16, contact).
SHOWN = 10


def _read_embedded(field: str, body: Body) -> tuple[Iterable[Any], bool]:
    """Some of the tags and companies of a contact; `has_more` says that there are others (API 2.16, contact)."""
    part = body.get(field)
    part = {} if part is None else part
    items = part.get("data", ())
    return items, not part.get("has_more") and len(items) >= (part.get("total_count") or 0)


# "An archived contact matching those details already exists with id=…": the id stands only in the message of the 409 (POST /contacts).
_CONFLICT = re.compile(r"already exists with id=([0-9a-f]{24})\b")


def _conflict(message: str) -> tuple[str, bool] | None:
    match = _CONFLICT.search(message)
    return (match[1], "archived" in message.lower()) if match else None


def _lead(body: Body) -> bool:
    """Several leads may share an e-mail, so a second create of one is never stopped by a conflict."""
    return body.get("role") == "lead"


_TEXTS = """id name avatar owner_id email email_domain phone external_id language_override browser browser_language os
    location.country location.region location.city ios_app_name ios_app_version ios_device ios_app_device ios_os_version
    ios_sdk_version android_app_name android_app_version android_device android_sdk_version segment_id"""
_TIMES = """created_at signed_up_at updated_at last_seen_at last_contacted_at last_replied_at last_email_opened_at
    last_email_clicked_at ios_last_seen_at android_last_seen_at"""
_FLAGS = "unsubscribed_from_emails marked_email_as_spam has_hard_bounced"

# "Accepted Fields" of POST /contacts/search, API 2.14 to 2.16; there is none for companies.
_SEARCHABLE = {
    "role": Searched("string", ("user", "lead")),
    "tag_id": Searched("tag_id"),
    "formatted_phone": Searched("string", since="2.16"),
    **dict.fromkeys(_TEXTS.split(), Searched("string")),
    **dict.fromkeys(_TIMES.split(), Searched("date")),
    **dict.fromkeys(_FLAGS.split(), Searched("boolean")),
}

CONTACT = Kind(
    name="contact",
    section="contacts",
    entry=ContactEntry,
    identities=(
        # Finds users only, not leads (API 2.16).
        Identity("external_id", find="GET /contacts/find_by_external_id/{key}", search=True),
        Identity("email", fold=fold, search=True, loose=True, stable=True),
        Identity("id", find="GET /contacts/{key}", search=True),
    ),
    listing=Listing("GET /contacts", style="cursor", blind="not in this list: archived contacts, and perhaps those of the last minutes"),
    search=Search(Listing("POST /contacts/search", style="search"), _SEARCHABLE),
    get="GET /contacts/{id}",
    create=Write("POST /contacts", carries=None),
    update=(Write("PUT /contacts/{id}", carries=None),),
    delete=Write("DELETE /contacts/{id}"),
    archive=Archive(Write("POST /contacts/{id}/archive"), Write("POST /contacts/{id}/unarchive")),
    after=("attribute",),
    conflict=Conflict(_conflict, never=_lead),
    # Before 2.16 a merged contact is a plain 404 (API 2.16, GET /contacts/{id}).
    person=Person(_rank, merges="2.16"),
    former=_former,
    page="/a/apps/{app_id}/users/{id}",
    # When the contact was created (API 2.16, contact).
    born="created_at",
    links=(
        LinkKind(
            source="contact",
            target="tag",
            field="tags",
            attach=Write("POST /contacts/{source}/tags", {"id": "{target}"}),
            detach=Write("DELETE /contacts/{source}/tags/{target}"),
            read_embedded=partial(_read_embedded, "tags"),
            most_shown=SHOWN,
            listing=Listing("GET /contacts/{source}/tags"),
            has_dates=True,
            # There is no bulk untag for contacts; before 2.16 one unknown id fails the whole call (API 2.14 and 2.16, POST /tags).
            bulk_attach=Bulk(Write("POST /tags", {"name": "{name}", "users": [{"id": "{source}"}]}), "users", 50, "2.16"),
            lost_source="User Not Found",
        ),
        LinkKind(
            source="contact",
            target="company",
            field="companies",
            attach=Write("POST /contacts/{source}/companies", {"id": "{target}"}),
            detach=Write("DELETE /contacts/{source}/companies/{target}"),
            read_embedded=partial(_read_embedded, "companies"),
            most_shown=SHOWN,
            listing=Listing("GET /contacts/{source}/companies", items=("companies", "data"), style="pages", per_page=50),
            lost_source="User Not Found",
            # 400 contact_company_limit_exceeded (API 2.16; developers.intercom.com, unversioned changes, February 2026).
            most=1000,
        ),
    ),
)
