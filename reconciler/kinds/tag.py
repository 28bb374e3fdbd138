"""Tags: a name, and nothing else that Intercom keeps."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema

from reconciler.core.entry import Entry
from reconciler.core.kind import Body, Count, Field, Identity, Kind, Listing, Write
from reconciler.core.values import Name, NotNull, Text, fold, skeleton


def _names(value: Any) -> Any:
    """One former name, or a list of them."""
    return value if isinstance(value, list) else [value]


Names = Annotated[tuple[Name, ...], BeforeValidator(_names), WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}})]


class TagEntry(Entry):
    """A tag as people write it: a name, or this."""

    name: Annotated[Name, Field()]
    state: Annotated[Literal["present", "absent"] | None, NotNull] = None
    renamed_from: Names = ()
    members: Annotated[Literal["free"] | None, NotNull] = None
    owner: Text = ""
    description: Text = ""


def _page_of_one(field: str) -> Body:
    return {"query": {"field": field, "operator": "=", "value": "{id}"}, "pagination": {"per_page": 1}}


# There is no PUT: POST /tags creates by name and renames by id. Names are unique whatever their case (API 2.16, POST /tags).
# GET /tags answers with all of them in one page.
TAG = Kind(
    name="tag",
    section="tags",
    entry=TagEntry,
    short="name",
    identities=(Identity("name", fold=fold, visible=skeleton),),
    listing=Listing("GET /tags"),
    whole=True,
    get="GET /tags/{id}",
    create=Write("POST /tags", carries=None),
    rename=Write("POST /tags", {"id": "{id}"}, carries=None),
    delete=Write("DELETE /tags/{id}"),
    undeclared=True,
    counts=(
        Count("contacts", "POST /contacts/search", _page_of_one("tag_id"), people=True),
        # Whether this list hides companies without users, as the others do, is not documented.
        Count("companies", "GET /companies?tag_id={id}&per_page=1", least=True),
        Count("conversations", "POST /conversations/search", _page_of_one("tag_ids")),
        # Articles, internal articles, snippets, external pages and files; needs the scope read_content (API 2.16 only).
        Count("content items", "GET /content/search?any_tag_ids={id}&per_page=1", since="2.16"),
    ),
    # POST /tickets/search has no field for tags (API 2.16).
    uncounted=("tickets",),
    page="/a/apps/{app_id}/settings/data/tags",
    former=lambda entry: (("name", name) for name in entry.renamed_from),
)
