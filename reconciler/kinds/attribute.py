"""Custom attributes of contacts and companies: made once, archived but never deleted."""

from typing import Annotated, Any, Literal

from pydantic import model_validator

from reconciler.core.model.ability import Archive, Loss, Wire
from reconciler.core.model.entry import Entry, Values
from reconciler.core.model.kind import Field, Identity, Kind
from reconciler.core.model.route import Body, Listing, Write
from reconciler.core.model.scalars import AttributeName, Flag, NotNull, Text, doc

_FIXED = "Intercom lets nobody change it; archive this attribute and declare another name"


def _prepare(body: Body) -> Body:
    """A list attribute is written `data_type: options` and read `string` with options (API 2.16, PUT /data_attributes)."""
    options = [option["value"] if isinstance(option, dict) else option for option in body.get("options") or ()]
    data_type = "options" if options and body.get("data_type") == "string" else body.get("data_type")
    return {**body, "options": tuple(options), "data_type": data_type}


def _option_objects(values: Any) -> Any:
    return [{"value": value} for value in values]


def _type(data_type: Any) -> Any:
    """`datetime` is written and `date` is read (API 2.16, data attribute types)."""
    return "date" if data_type == "datetime" else data_type


DataType = Literal["string", "integer", "float", "boolean", "datetime", "date", "options"]


class AttributeEntry(Entry):
    """A custom attribute. `name`, `model` and `data_type` are required."""

    name: Annotated[AttributeName, Field(), doc("The name, without `.` and `$`. It never changes.", "sector")]
    model: Annotated[
        Literal["contact", "company"], Field(refuses=lambda before, after: _FIXED), doc("Who has it. It never changes.", "company")
    ]
    data_type: Annotated[
        DataType,
        Field(refuses=lambda before, after: _FIXED, form=_type),
        doc("The type of its values; `options`: one value of a list. It never changes.", "string"),
    ]
    options: Annotated[
        tuple[Text, ...],
        Field(write=_option_objects, choices=True),
        doc("The values of an attribute with `data_type: options`, two or more.", ["space", "catering"]),
    ] = ()
    description: Annotated[Text, Field(), doc("What the attribute means.", "What the company does")] = ""
    messenger_writable: Annotated[Flag, Field(), doc("Whether the Messenger may write it from a web page.", True)] = False
    state: Annotated[
        Literal["present", "archived"] | None, NotNull, doc("`archived` archives it: Intercom deletes no attribute.", "archived")
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _never_renamed(cls, values: Any) -> Any:
        if isinstance(values, dict) and "renamed_from" in values:
            raise ValueError("has `renamed_from`, but an attribute keeps its name in Intercom; archive it and declare another")
        return values

    @classmethod
    def check_values(cls, values: Values) -> None:
        is_list, options = values["data_type"] == "options", values.get("options", ())
        if is_list and "options" in values and len(options) < 2:
            raise ValueError("has fewer than two options; a list needs two or more")
        if not is_list and options:
            raise ValueError(f"has options, but its data_type is {values['data_type']}; write data_type: options")
        if is_list and "options" not in values and values.get("state") != "archived":
            raise ValueError("is a list without options; write options: [..]")


_UPDATABLE = frozenset({"description", "messenger_writable", "options"})

ATTRIBUTE = Kind(
    name="attribute",
    section="attributes",
    entry=AttributeEntry,
    identities=(Identity("name"),),
    listing=Listing("GET /data_attributes?include_archived=true", whole=True),
    create=Write("POST /data_attributes", carries=None),
    update=(Write("PUT /data_attributes/{id}", carries=_UPDATABLE),),
    archive=Archive(
        Write("PUT /data_attributes/{id}", {"archived": True}), Write("PUT /data_attributes/{id}", {"archived": False}), flag="archived"
    ),
    # When the attribute was created (API 2.16, data attribute).
    born="created_at",
    loss=Loss(bound="the values that people and companies have in it"),
    # Standard attributes stand in the same list and have no id (API 2.16, GET /data_attributes).
    wire=Wire(_prepare, admits=lambda body: bool(body.get("custom"))),
)
