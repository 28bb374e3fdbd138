"""Tags: a name, and nothing else that Intercom keeps."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, PlainValidator, WithJsonSchema

from reconciler.core.model.ability import Begun, Count, Loss, Members, Merge, Prune, Retirement, Trace, Uses
from reconciler.core.model.address import LinkName
from reconciler.core.model.entry import DECIMAL, Entry, LinkItem, LiveName, end_of, end_schema, id_of, id_schema, unwritten
from reconciler.core.model.kind import Field, Identity, Kind
from reconciler.core.model.policy import StrictModel
from reconciler.core.model.route import Body, Listing, Write
from reconciler.core.model.scalars import NotNull, Period, Text, doc
from reconciler.core.model.spelling import fold, skeleton
from reconciler.core.model.written import quote
from reconciler.kinds.conversation import CONVERSATION


def _names(value: Any) -> Any:
    """One former name, or a list of them."""
    return value if isinstance(value, list) else [value]


def _others(value: Any) -> tuple[str, ...]:
    """What else a merge moves: one section, or a list of them."""
    for item in (words := _names(value)):
        if item != CONVERSATION.section:
            raise ValueError(f"{quote(str(item))} is nothing that a merge can move; write {CONVERSATION.section}")
    return tuple(dict.fromkeys(words))


_OTHER = {"enum": [CONVERSATION.section]}
Places = Annotated[tuple[Text, ...], WithJsonSchema({"type": "array", "items": {"type": "string"}})]
Names = Annotated[tuple[LiveName, ...], BeforeValidator(_names), WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}})]


class RetireAfter(StrictModel):
    """When a deprecated tag is due to go. Nothing deletes it then: `tag report --due` lists it, `tag retire --due` writes its tombstone."""

    no_new_use_for: Annotated[Period, doc("For so many days nobody got it, and no conversation that has it began.", "90d")]


class TagEntry(Entry):
    """A tag: its name alone, or a map of these keys. `name` or `id` is required."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["name"]}, {"required": ["id"]}]})

    id: Annotated[
        str, PlainValidator(id_of("tag", DECIMAL)), id_schema(DECIMAL), doc("The live tag with this id alone, whatever its name.", "5")
    ] = ""
    name: Annotated[LiveName, Field(), doc("The name. Two names that differ only in case are one tag.", "vip")] = unwritten()
    state: Annotated[
        Literal["present", "deprecated", "absent"] | None,
        NotNull,
        doc("`absent` is a tombstone: the tag is deleted if it is there. `deprecated`: it stays, and goes out of use.", "absent"),
    ] = None
    replaced_by: Annotated[
        LinkItem | None,
        PlainValidator(end_of("tag", DECIMAL)),
        end_schema(DECIMAL),
        doc("The declared tag that is used instead; with `state: deprecated`.", "vip"),
    ] = None
    retire_after: Annotated[
        RetireAfter | None, NotNull, doc("When it is due to go; with `state: deprecated`.", {"no_new_use_for": "90d"})
    ] = None
    renamed_from: Annotated[Names, doc("Its former name, or a list of them. The first one that is live is renamed.", "Beta")] = ()
    merged_from: Annotated[
        Names, doc("Tags that go into this one: whoever has one of them gets this one, then they are deleted.", ["VIP client", "v.i.p."])
    ] = ()
    also: Annotated[
        tuple[str, ...],
        PlainValidator(_others),
        WithJsonSchema({"anyOf": [_OTHER, {"type": "array", "items": _OTHER}]}),
        doc("What else moves from those tags to this one. What is not named here keeps the old tag, which stays.", ["conversations"]),
    ] = ()
    members: Annotated[Literal["free"] | None, NotNull, doc("`free`: only the name is managed, who has the tag is left alone.", "free")] = (
        None
    )
    used_by: Annotated[
        Places,
        doc("Who uses it where Intercom shows nobody. It is not deleted or renamed until nothing stands here.", ["workflow: VIP routing"]),
    ] = ()
    owner: Annotated[Text, doc("Who answers for the tag. Kept in the manifest, not in Intercom.", "growth")] = ""
    description: Annotated[Text, doc("What the tag means. Kept in the manifest, not in Intercom.", "In the beta")] = ""


def _query(field: str) -> Body:
    return {"field": field, "operator": "=", "value": "{id}"}


def _page(field: str, size: int) -> Body:
    return {"query": _query(field), "pagination": {"per_page": size}}


# So many people are told apart by the read that counts them: who loses several tags counts once.
TOLD = 25


_LAST_CHANGED: Body = {
    "query": {"field": "tag_id", "operator": "=", "value": "{id}"},
    "sort": {"field": "updated_at", "order": "descending"},
    "pagination": {"per_page": 5},
}


# created_at is compared by days (API 2.16, POST /conversations/search); 150 is the largest page.
_BEGUN: Body = {
    "query": {"operator": "AND", "value": [_query("tag_ids"), {"field": "created_at", "operator": ">", "value": "{since}"}]},
    "pagination": {"per_page": 150},
}


# There is no PUT: POST /tags creates by name and renames by id. Names are unique whatever their case (API 2.16, POST /tags).
# GET /tags answers with all of them in one page.
TAG = Kind(
    name="tag",
    section="tags",
    entry=TagEntry,
    short="name",
    identities=(Identity("name", fold=fold, visible=skeleton), Identity("id")),
    listing=Listing("GET /tags", whole=True),
    get="GET /tags/{id}",
    create=Write("POST /tags", carries=None),
    rename=Write("POST /tags", {"id": "{id}"}, carries=None),
    delete=Write("DELETE /tags/{id}"),
    reports_undeclared=True,
    prune=Prune("owned", "growth/*"),
    uses=Uses(
        (
            Count("contacts", "POST /contacts/search", _page("tag_id", TOLD), people=True),
            # Whether this list hides companies without users, as the others do, is not documented.
            Count("companies", "GET /companies?tag_id={id}&per_page=1", least=True),
            Count("conversations", "POST /conversations/search", _page("tag_ids", 1)),
            # Articles, internal articles, snippets, external pages and files; needs the scope read_content (API 2.16 only).
            Count("content items", "GET /content/search?any_tag_ids={id}&per_page=1", since="2.16"),
        ),
        # POST /tickets/search has no field for tags, and nothing lists what the others name (API 2.16).
        uncounted=("tickets", "workflows", "series", "views", "macros"),
        members=(
            # tag_id knows = and != only; 150 is the largest page (API 2.16, POST /contacts/search).
            Members(LinkName("contact", "tags"), Listing("POST /contacts/search", style="search", per_page=150), _query("tag_id")),
            Members(LinkName("company", "tags"), Listing("GET /companies?tag_id={id}", style="pages", per_page=60)),
        ),
        # applied_at and applied_by stand only in a contact's own list of tags (API 2.16, tag).
        trace=Trace("POST /contacts/search", _LAST_CHANGED, "GET /contacts/{source}/tags", "GET /admins/{id}"),
    ),
    loss=Loss(
        unrestored="segments, campaigns and counts stay bound to that one, and conversations that no merge moved, tickets, content, "
        "archived contacts and companies without users do not get it again"
    ),
    merge=Merge(
        "merged_from",
        "also",
        # 150 is the largest page. Whether `=` finds a conversation that has other tags too is not documented, so IN is asked as well
        # (API 2.16, POST /conversations/search). POST /tickets/search has no field for tags.
        (
            Members(
                LinkName("conversation", "tags"),
                Listing("POST /conversations/search", items=("conversations",), style="search", per_page=150),
                {"operator": "OR", "value": [_query("tag_ids"), {"field": "tag_ids", "operator": "IN", "value": ["{id}"]}]},
            ),
        ),
    ),
    retirement=Retirement(
        "replaced_by", "retire_after", (Begun("conversations", "conversation", "POST /conversations/search", _BEGUN, "created_at"),)
    ),
    page="/a/apps/{app_id}/settings/data/tags",
    former=lambda values: (("name", name) for name in values.get("renamed_from", ())),
)
