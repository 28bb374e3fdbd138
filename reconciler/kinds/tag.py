"""Tags: a name, and nothing else that Intercom keeps."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema

from reconciler.core.entry import Entry
from reconciler.core.kind import Field, Identity, Kind, Listing, Write
from reconciler.core.values import Name, Text, fold, skeleton


def _names(value: Any) -> Any:
    """One former name, or a list of them."""
    return value if isinstance(value, list) else [value]


Names = Annotated[tuple[Name, ...], BeforeValidator(_names), WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}})]


class TagEntry(Entry):
    """A tag as people write it: a name, or this."""

    name: Annotated[Name, Field()]
    state: Literal["present", "absent"] | None = None
    renamed_from: Names = ()
    members: Literal["free"] | None = None
    owner: Text = ""
    description: Text = ""


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
    former=lambda entry: (("name", name) for name in entry.renamed_from),
)
