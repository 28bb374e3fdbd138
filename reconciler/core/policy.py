"""What a manifest allows: the policy block, as people write it and as the gates read it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)%")


def _limit(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        if value.isascii() and value.isdigit():
            return int(value)
        if (found := _PERCENT.fullmatch(value)) and float(found[1]) <= 100:
            return value
    raise ValueError(f"{str(value)!r} is no limit; write a whole number from 0 up, or a percentage from 0% to 100%")


Limit = Annotated[
    int | str,
    BeforeValidator(_limit),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^\d+(\.\d+)?%$"}]}),
]


class Written(BaseModel):
    """Base of everything people write: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(Written):
    """How much one plan may do; over it the plan is refused. A percentage is taken of what is live."""

    creates: Limit = 100
    attaches: Limit = 1000
    deletes: Limit = 10
    contact_deletes: Limit = 0
    archives: Limit = 10
    detaches: Limit = 100
    people: Limit = 500
    missing: Limit = 10


class Prune(Written):
    """Which kinds may lose owned things that are no longer declared."""

    tags: Literal["never"] = "never"
    companies: Literal["never"] = "never"


class Policy(Written):
    """How strictly the manifest rules the workspace."""

    links: Literal["additive", "declared", "exact"] = "additive"
    prune: Prune = Prune()
    undeclared_tags: Literal["ignore", "report"] = "report"
    missing_contacts: Literal["skip", "error", "create"] = "skip"
    limits: Limits = Limits()
