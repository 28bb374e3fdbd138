"""Companies: known by the `company_id` that the customer gave them, which never changes."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, PlainValidator, model_validator

from reconciler.core.model.ability import Count, Loss, Members, Prune, Uses
from reconciler.core.model.address import LinkName
from reconciler.core.model.entry import (
    DECIMAL,
    HEX,
    Attributes,
    Entry,
    LinkItem,
    LiveName,
    id_of,
    id_schema,
    link_schema,
    link_to,
    unwritten,
)
from reconciler.core.model.kind import Field, Identity, Kind
from reconciler.core.model.route import Body, Bulk, LinkKind, Listing, Write
from reconciler.core.model.scalars import NotNull, Text, Time, Whole, doc


def _plan_name(value: Any) -> Any:
    """A plan is written as a text and read as an object, `{}` where there is none (API 2.16, company)."""
    return value.get("name") or "" if isinstance(value, dict) else value


def read_tags(body: Body) -> tuple[Iterable[Any], bool]:
    """The tags of a company stand whole in it, as `{tags: [..]}`; so do those of a conversation (API 2.16, company, conversation)."""
    part = body.get("tags")
    return ({} if part is None else part).get("tags", ()), True


TagLink = Annotated[LinkItem, PlainValidator(link_to("tag", DECIMAL)), link_schema("tag", DECIMAL, "vip")]


class CompanyEntry(Entry):
    """A company. `company_id` or `id` is required."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["company_id"]}, {"required": ["id"]}]})

    id: Annotated[
        str,
        PlainValidator(id_of("company", HEX)),
        id_schema(HEX),
        doc("The live company with this Intercom id alone, whatever its company_id.", "6762f0dd1bb69f9f00000007"),
    ] = ""
    company_id: Annotated[LiveName, Field(), doc("Your own key of the company. It never changes.", "6")] = unwritten()
    state: Annotated[
        Literal["present", "absent"] | None, NotNull, doc("`absent` is a tombstone: the company is deleted if it is there.", "absent")
    ] = None
    name: Annotated[Text, Field(telling=True), doc("The name that people see.", "Blue Sun")] = ""
    plan: Annotated[Text, Field(read=_plan_name), doc("The name of the plan that the company is on.", "Enterprise")] = ""
    size: Annotated[Whole, Field(), doc("How many people work there.", 85)] = 0
    website: Annotated[Text, Field(), doc("The address of the web site.", "https://bluesun.example")] = ""
    industry: Annotated[Text, Field(), doc("The industry.", "Manufacturing")] = ""
    monthly_spend: Annotated[Whole, Field(), doc("What the company pays a month, a whole number.", 49)] = 0
    remote_created_at: Annotated[
        Time, Field(time=True), doc("When the company came to you: ISO 8601, or Unix seconds.", "2014-03-11T09:49:18Z")
    ] = 0
    custom_attributes: Annotated[
        Attributes,
        Field(merged=True, typed_by="attribute"),
        doc("Values of custom attributes. Only those that are written are compared; `null` clears one.", {"paid": True, "sector": None}),
    ] = {}
    tags: Annotated[
        tuple[TagLink, ...],
        doc("The tags of the company. `[]`: none of those that `policy: links` governs.", ["vip", {"tag": "trial", "state": "absent"}]),
    ] = ()

    @model_validator(mode="before")
    @classmethod
    def _never_renamed(cls, values: Any) -> Any:
        if isinstance(values, dict) and "was" in values:
            text = "has `was`, but a company_id never changes in Intercom"
            raise ValueError(f"{text}; declare the new company, move its contacts, then remove this one")
        return values


# PUT /companies/{id} takes all of these; remote_created_at only the upsert by company_id (API 2.16).
_PUT = frozenset({"name", "plan", "size", "website", "industry", "monthly_spend", "custom_attributes"})

# Companies are tagged by the tag's name: POST /tags {name, companies: [{id, untag?}]} (API 2.16, POST /tags).
_TAG = Write("POST /tags", {"name": "{name}", "companies": [{"id": "{source}"}]})
_UNTAG = Write("POST /tags", {"name": "{name}", "companies": [{"id": "{source}", "untag": True}]})

COMPANY = Kind(
    name="company",
    section="companies",
    entry=CompanyEntry,
    identities=(Identity("company_id", find="GET /companies?company_id={key}"), Identity("id", find="GET /companies/{key}")),
    # Companies without users are in no list (API 2.16, POST /companies/list); 60 is the largest page ever reported.
    # No more than 10,000 can be reached by pages; the scroll reaches all.
    listing=Listing(
        "POST /companies/list",
        style="pages",
        per_page=60,
        most=10_000,
        scroll=Listing("GET /companies/scroll", items=("data", "companies")),
        blind="not in this list: companies without users",
    ),
    get="GET /companies/{id}",
    create=Write("POST /companies", carries=None),
    update=(
        Write("PUT /companies/{id}", carries=_PUT),
        Write("POST /companies", {"company_id": "{key}"}, frozenset({"remote_created_at"})),
    ),
    delete=Write("DELETE /companies/{id}"),
    prune=Prune("never", "test-*"),
    # POST /companies takes over a company of the same company_id, which keeps its created_at (API 2.16).
    born="created_at",
    uses=Uses(
        (Count("contacts", "GET /companies/{id}/contacts?per_page=25", people=True),),
        # Contacts can be searched by no field of a company; 50 a page is what the recorded example shows (API 2.16).
        members=(Members(LinkName("contact", "companies"), Listing("GET /companies/{id}/contacts", style="pages", per_page=50)),),
    ),
    loss=Loss(
        unrestored="segments, notes and counts stay bound to that one, which Intercom may still be archiving",
        bound="its segments, notes and counts",
        # API 2.16, company: without a time its own is taken; without a name it is called as its company_id.
        defaults=frozenset({"name", "remote_created_at"}),
        # A deletion archives the company some time later and detaches its contacts (API 2.16, DELETE /companies/{id}).
        settles=True,
    ),
    page="/a/apps/{app_id}/companies/{id}",
    after=("attribute",),
    links=(
        LinkKind(
            source="company",
            target="tag",
            field="tags",
            attach=_TAG,
            detach=_UNTAG,
            read_embedded=read_tags,
            bulk_attach=Bulk(_TAG, "companies", 50, "2.16"),
            bulk_detach=Bulk(_UNTAG, "companies", 50, "2.16"),
            # A tag of that name is the answer, and stays as it is (API 2.16, POST /tags).
            names=Write("POST /tags", {"name": "{name}"}),
            # Up to 2.15 an unknown company is a 404 (API 2.14, POST /tags).
            lost_source="Company Not Found",
        ),
    ),
)
