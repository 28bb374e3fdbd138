"""Rules: who has a tag by what is true of them instead of by a list."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema, model_validator

from reconciler.core.model.ability import Ruling, Searched
from reconciler.core.model.address import LinkName
from reconciler.core.model.entry import HEX, id_of, id_schema
from reconciler.core.model.kind import Field
from reconciler.core.model.policy import Limit, Number, StrictModel, parse_count
from reconciler.core.model.scalars import Name, NotNull, Text, doc
from reconciler.core.model.texts import parse_email, parse_name

_read_id = id_of("contact or company", HEX)


def _read_person(value: Any) -> tuple[str, str]:
    """A name and what it is; "" for the one by which most are named."""
    if not isinstance(value, dict):
        return "", parse_name(value)
    if value.keys() == {"email"}:
        return "email", parse_email(value["email"])
    if value.keys() == {"id"}:
        return "id", _read_id(value["id"])
    raise ValueError("names nobody; write an external_id or {email: ADDRESS} of a contact, a company_id of a company, or {id: ID}")


_WAYS: list[dict[str, Any]] = [
    {"type": ["string", "number", "boolean"]},
    {
        "type": "object",
        "properties": {
            "email": {"type": "string", "description": "The e-mail.", "examples": ["zoe@serenity.example"]},
            "id": (id_schema(HEX).json_schema or {}) | {"description": "The Intercom id.", "examples": ["6762f0dd1bb69f9f00000003"]},
        },
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    },
]
Person = Annotated[tuple[str, str], PlainValidator(_read_person), WithJsonSchema({"anyOf": _WAYS})]


def _read_most(value: Any) -> Any:
    return value if value == "all" else parse_count(value)


# None where it is not written.
RuleLimit = Annotated[int | str | None, *Limit.__metadata__]
Most = Annotated[
    int | str | None, BeforeValidator(_read_most), WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"const": "all"}]})
]


def _read_share(value: Any) -> Any:
    if isinstance(value, str) and value.endswith("%"):
        return value
    raise ValueError("is no percentage; write one from 0% to 100%")


class RuleLimits(StrictModel):
    """How many links one run makes or undoes by this rule at most. A percentage is taken of those who have the tag."""

    attaches: Annotated[RuleLimit, doc("Links made. It counts instead of `policy: limits: attaches`.", 500)] = None
    detaches: Annotated[RuleLimit, doc("Links undone. It counts instead of `policy: limits: detaches` and `people`.", "10%")] = None


class RuleExpect(StrictModel):
    """Whom a rule is to reach when it is new, or another one. A plan of another rule is refused."""

    min: Annotated[Number, doc("At least so many match.", 0)] = 1
    max: Annotated[
        Most,
        doc("At most so many match. Where it is not written, all contacts but one; `all` is all of them.", "all"),
    ] = None
    keep: Annotated[Limit, BeforeValidator(_read_share), doc("Of those who have the tag, from ten on, at least so many match.", "0%")] = (
        "50%"
    )


class RuleEntry(StrictModel):
    """A rule. Whoever matches has the tag; whoever has it and does not match loses it."""

    tag: Annotated[Name, doc("The tag, as its own entry names it. Each has one rule at most.", "enterprise")]
    on: Annotated[Literal["contacts", "companies"], doc("Who has the tag by it.", "contacts")]
    where: Annotated[
        Text | None,
        NotNull,
        doc(
            "A condition on these, in the language of `get --where`. On companies it may name what `company_where` may.",
            "custom_attributes.plan = pro and role = user",
        ),
    ] = None
    company_where: Annotated[
        Text | None,
        NotNull,
        doc(
            "With `on: contacts`, a condition on companies: who belongs to one for which it holds. It may name company_id, name, plan, "
            "size, industry, monthly_spend, user_count, created_at and custom_attributes.",
            "plan = Enterprise and monthly_spend >= 1000",
        ),
    ] = None
    include: Annotated[
        tuple[Person, ...],
        Field(personal=True),
        doc("Who has the tag whatever the conditions say: an external_id, `{email}` or `{id}`; a company_id or `{id}`.", ["25"]),
    ] = ()
    exclude: Annotated[
        tuple[Person, ...], Field(personal=True), doc("Who has not, whatever they say.", [{"email": "zoe@serenity.example"}])
    ] = ()
    links: Annotated[
        Literal["additive", "owned", "declared", "exact"] | None,
        NotNull,
        doc(
            "Who does not match keeps the tag (`additive`), loses it only if we gave it (`owned`), or loses it (`declared`; `exact` means "
            "the same). Where it is not written, what `policy: links` says, else `declared`.",
            "owned",
        ),
    ] = None
    limits: Annotated[RuleLimits, doc("The rule's own limits.", {"attaches": 500, "detaches": "10%"})] = RuleLimits()
    expect: Annotated[RuleExpect, doc("What a new or changed rule is to reach.", {"min": 0, "max": "all", "keep": "0%"})] = RuleExpect()

    @model_validator(mode="after")
    def _says_whom(self) -> "RuleEntry":
        if self.where is None and self.company_where is None and not self.include:
            raise ValueError("says nobody; write where, company_where or include")
        return self


_COMPANIES: Mapping[str, Searched] = {
    **dict.fromkeys(("company_id", "name", "plan", "industry"), Searched("string")),
    **dict.fromkeys(("size", "monthly_spend", "user_count"), Searched("integer")),
    "created_at": Searched("date"),
}

RULES = Ruling(
    section="rules",
    entry=RuleEntry,
    target="tag",
    on={"contacts": LinkName("contact", "tags"), "companies": LinkName("company", "tags")},
    through={"company_where": LinkName("contact", "companies")},
    filtered={"company": _COMPANIES},
)
