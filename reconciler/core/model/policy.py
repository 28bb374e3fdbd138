"""What a manifest allows: the policy block, as people write it and as the gates read it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator

from reconciler.core.model.globs import matches, plain
from reconciler.core.model.recipient import Recipient
from reconciler.core.model.scalars import Name, Text, Time, Whole, doc, not_null
from reconciler.core.model.texts import parse_text
from reconciler.core.model.times import format_time
from reconciler.core.model.written import quote

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)%")


def _limit(value: Any) -> Any:
    not_null(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        if value.isascii() and value.isdigit():
            return int(value)
        if (percent := _PERCENT.fullmatch(value)) and float(percent[1]) <= 100:
            return value
    name = "a list" if isinstance(value, list) else "a map" if isinstance(value, dict) else quote(str(value))
    raise ValueError(f"{name} is no limit; write a whole number from 0 up, or a percentage from 0% to 100%")


Limit = Annotated[
    int | str,
    BeforeValidator(_limit),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^\d+(\.\d+)?%$"}]}),
]


def parse_count(value: Any) -> Any:
    """A whole number from 0 up. Raises ValueError for anything else."""
    limit = _limit(value)
    if isinstance(limit, str):
        raise ValueError(f"{limit!r} is a percentage, of which nothing is known here; write a whole number from 0 up")
    return limit


Number = Annotated[int, BeforeValidator(parse_count), WithJsonSchema({"type": "integer", "minimum": 0})]


class StrictModel(BaseModel):
    """Base of everything people write: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# Of the declared contacts, whichever is more: ten of ten thousand say nothing, ten of forty do.
MISSING = "10 or 2%"
FEW_MISSING, SHARE_MISSING = 10, 0.02


def _missing(value: Any) -> Any:
    return value if value == MISSING else _limit(value)


MissingLimit = Annotated[
    int | str,
    BeforeValidator(_missing),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^\d+(\.\d+)?%$"}, {"const": MISSING}]}),
]


def is_share(limit: int | str) -> bool:
    """Whether a limit is a share of what is live, which then must be counted."""
    return isinstance(limit, str) and limit != MISSING


class Limits(StrictModel):
    """How much one plan may do; a plan that goes over is refused. A percentage is taken of what is live."""

    # The places in braces are filled with the words of the kinds.

    creates: Annotated[Limit, doc("Things created, of all kinds.", 20)] = 100
    attaches: Annotated[Limit, doc("Links made.", "10%")] = 1000
    deletes: Annotated[Limit, doc("{Things} deleted.", 2)] = 10
    contact_deletes: Annotated[Limit, doc("{People} deleted for ever.", 1)] = 0
    archives: Annotated[Limit, doc("{People} archived.", 5)] = 10
    detaches: Annotated[Limit, doc("Links undone. Links that a deletion takes with it do not count.", "1%")] = 100
    people: Annotated[Limit, doc("{People} that lose {held}, or are archived or deleted.", 50)] = 500
    missing: Annotated[
        MissingLimit,
        doc("Declared {people} that are not found and are left out. The default is 10, or 2 % of those declared if that is more.", 25),
    ] = MISSING
    conversations: Annotated[
        Number, doc("Conversations that a merge moves, with two calls each. Their links count under no other limit.", 500)
    ] = 100
    options: Annotated[Number, doc("Options removed from an {typing} while {owners} still have them.", 3)] = 0


class Prune(StrictModel):
    """What is deleted when no file declares it: `owned` means what we created or adopted, `all` also what others made, within `scope`."""


class Reach(StrictModel):
    """What `prune: all` may delete. It is required there."""


class Strictness(StrictModel):
    """The keys of a policy that come before those of its kinds."""

    links: Annotated[
        Literal["owned", "additive", "declared", "exact"],
        doc(
            "Which links a written list removes: `owned` those that we attached, `additive` only those with `state: absent`, "
            "`declared` those to any declared thing, `exact` all others.",
            "additive",
        ),
    ] = "owned"
    prune: Annotated[Prune, Field(description="What happens to things that no file declares any more.")] = Prune()
    scope: Annotated[Reach, Field(description="The names that `prune: all` may delete.")] = Reach()


Level = Literal["error", "warning", "off"]


class Lint(StrictModel):
    """How grave each rule of `lint` is. `plan` and `apply` ask none of them."""

    naming: Annotated[Level, doc("A name that its pattern does not match.", "warning")] = "error"
    similar: Annotated[Level, doc("Two names that may be one: another case, plural, spacing, or a letter or two.", "error")] = "warning"
    owner: Annotated[Level, doc("An entry that says no `owner`, where it can.", "error")] = "warning"
    description: Annotated[Level, doc("An entry that says no `description`, where it can.", "off")] = "warning"
    dead: Annotated[Level, doc("What nobody uses in any place that is counted; `lint --live` asks.", "off")] = "warning"
    deprecated_use: Annotated[Level, doc("An entry that names what is deprecated.", "error")] = "warning"
    successor: Annotated[Level, doc("What is deprecated, and says nothing of what replaces it.", "off")] = "warning"
    done: Annotated[Level, doc("A tombstone of what is gone, as the ledger says, or `lint --live`.", "error")] = "warning"


def _pattern(value: Any) -> str:
    text = parse_text(value)
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{quote(text)} is no regular expression ({error}); write one, as in '^[a-z][a-z0-9-]*$'") from None
    return text


# How the names of the settings begin that are patterns of names, one for each section.
PATTERN = "pattern_"
Pattern = Annotated[str, PlainValidator(_pattern), WithJsonSchema({"type": "string", "format": "regex"})]


def _check_digest(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-f]{16}", value):
        raise ValueError("is no digest of a live value; copy the sixteen hex digits that `drift` prints")
    return str(value)


def _as_shown(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("is no address, field or link; copy what `drift` prints")
    return str(value)


# As reports show it: in an address there, an e-mail is masked.
Shown = Annotated[str, PlainValidator(_as_shown), WithJsonSchema({"type": "string", "minLength": 1})]


class IgnoredDrift(StrictModel):
    """Drift that is known, and hidden for a while. `drift` prints the line; `plan` and `apply` do not read it."""

    address: Annotated[Shown, doc("The thing that moved, as `drift` prints it.", "company/acme")]
    fields: Annotated[tuple[Shown, ...], doc("The fields that moved, or the link; none: the thing itself.", ["name"])] = ()
    until: Annotated[Time, doc("From when on it is drift again. Without an offset it is UTC.", "2026-12-31")]
    reason: Annotated[Text, doc("Why it may stay so long.", "Sales tries another name")]
    seen: Annotated[
        str,
        PlainValidator(_check_digest),
        WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]{16}$"}),
        doc("A keyed digest of the live value: any other one is drift again.", "0c6e5d1f9a2b4e37"),
    ]

    def __str__(self) -> str:
        fields = f" ({', '.join(self.fields)})" if self.fields else ""
        return f"{self.address}{fields} until {format_time(self.until)}"


class Policy(Strictness):
    """How strict the manifest is, and what one plan may do. The same key in two files is an error."""

    missing_contacts: Annotated[
        Literal["skip", "error", "create"],
        doc("Declared contacts that are not found: list and leave out, refuse, or create.", "error"),
    ] = "skip"
    refused_entries: Annotated[
        Literal["stop", "hold"],
        doc("Where single entries are refused: write nothing, or apply the rest and end with exit code 5.", "hold"),
    ] = "stop"
    former_names: Annotated[
        Literal["refuse", "accept"],
        doc("References to a thing by a name it had before a rename: refuse, or read as the new name.", "accept"),
    ] = "refuse"
    limits: Annotated[Limits, doc("How much one plan may do. More is refused.", {"deletes": 2, "attaches": "10%"})] = Limits()
    ignore_drift: Annotated[
        tuple[IgnoredDrift, ...],
        doc(
            "Drift that is known, and hidden until a day.",
            [{"address": "company/acme", "fields": ["name"], "until": "2026-12-31", "reason": "A trial", "seen": "0c6e5d1f9a2b4e37"}],
        ),
    ] = ()
    undo_keys: Annotated[
        tuple[Recipient, ...],
        doc(
            "Public keys of age: what `undo` needs of people is encrypted to them and kept with the ledger.",
            ["age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa"],
        ),
    ] = ()
    lint: Annotated[Lint, doc("What `lint` finds amiss, and how grave that is.", {"owner": "error", "description": "off"})] = Lint()

    @model_validator(mode="after")
    def _check_scopes(self) -> Policy:
        """Whatever is not declared and not ours is pruned only where its names are written down."""
        for section in type(self.prune).model_fields:
            if self.pruning(section) == "all" and not self.reach(section):
                raise ValueError(f'prune: {section}: all needs a scope; write `scope: {{{section}: ["growth/*"]}}` under policy')
        return self

    def pruning(self, section: str) -> str:
        """Which things of a section are deleted when no file declares them: `never`, `owned` or `all`."""
        return str(getattr(self.prune, section, "never"))

    def reach(self, section: str) -> tuple[str, ...]:
        """The names that `prune: all` may delete in a section, as globs."""
        return tuple(getattr(self.scope, section, ()))

    def on_undeclared(self, section: str) -> str:
        """What is done about live things of a section that nobody declared: `ignore`, `report` or `drift`."""
        return str(getattr(self, f"undeclared_{section}", "ignore"))

    def pattern(self, section: str) -> str:
        """The regular expression that the names of a section are to match; empty where there is none."""
        return str(getattr(self.lint, f"{PATTERN}{section}", ""))


def _hash(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-f]{12}", value):
        raise ValueError("is no approval; copy the twelve hex digits that the refused plan prints, in quotes")
    return str(value)


class ApprovalEntry(StrictModel):
    """A committed approval of changes that a gate refused. The refused plan prints its `hash` and its `people`."""

    hash: Annotated[
        str,
        PlainValidator(_hash),
        WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]{12}$"}),
        doc("The twelve hex digits that the refused plan prints. They stand for exactly the refused changes.", "40ad9ed865cf"),
    ]
    people: Annotated[Whole, doc("How many people these changes touch, as the refused plan prints it. 5 % more are refused again.", 2)]
    reason: Annotated[Text, doc("Why the changes are meant.", "The trials are over")]
    by: Annotated[Name, doc("Who approves them.", "Inara Serra")]
    expires: Annotated[Time, doc("When the approval ends by itself. Without an offset it is UTC.", "2026-12-31")]


# The setting that is a list of maps.
IGNORED = "ignore_drift"
# The setting that says who may read what is kept for undo.
KEYS = "undo_keys"
# From the strictest word to the loosest, by the first word of a setting's name.
_RANKS: Mapping[str, Sequence[str]] = {
    "links": ("additive", "owned", "declared", "exact"),
    "prune": ("never", "owned", "all"),
    "undeclared": ("drift", "report", "ignore"),
    "missing": ("error", "skip", "create"),
    "refused": ("stop", "hold"),
    "former": ("refuse", "accept"),
    "lint": ("error", "warning", "off"),
}


Setting = int | str | tuple[str, ...] | tuple[IgnoredDrift, ...]


def settings(policy: Policy, *, written: bool = False) -> Iterator[tuple[str, Setting]]:
    """The leaves of a policy as (`limits.deletes`, value); only what was written, if that is asked."""
    for name in type(policy).model_fields:
        value = getattr(policy, name)
        if written and name not in policy.model_fields_set:
            continue
        if isinstance(value, BaseModel):
            leaves = value.model_fields_set if written else set(type(value).model_fields)
            yield from ((f"{name}.{leaf}", getattr(value, leaf)) for leaf in type(value).model_fields if leaf in leaves)
        else:
            yield name, value


def looser(name: str, base: Setting, here: Setting) -> bool:
    """Whether a setting allows more than another. A number and a percentage cannot be compared, so that counts as looser."""
    if base == here:
        return False
    if name.startswith(f"lint.{PATTERN}"):
        # Which of two patterns admits more is not known; any is stricter than none.
        return bool(base)
    if ranks := _RANKS.get(re.split("[._]", name)[0]):
        return ranks.index(str(here)) > ranks.index(str(base))
    if isinstance(base, tuple) and isinstance(here, tuple):
        return _wider(name, base, here)
    if isinstance(base, int) and isinstance(here, int):
        return here > base
    if base == MISSING:
        # What its percentage comes to is not known here; ten it allows always.
        return not (isinstance(here, int) and here <= FEW_MISSING)
    if isinstance(base, str) and isinstance(here, str) and here != MISSING:
        return float(here.rstrip("%")) > float(base.rstrip("%"))
    return True


def _wider(name: str, base: tuple[Any, ...], here: tuple[Any, ...]) -> bool:
    """Whether a list allows more than another."""
    if name == IGNORED:
        return not set(here) <= set(base)
    if name == KEYS:
        # One key more lets somebody read, and one less lets somebody read no more.
        return set(here) != set(base)
    # Without a scope in the base nothing is pruned that is not owned, whatever is written here.
    return bool(base) and (not here or not all(_within(glob, base) for glob in here))


def _within(glob: str, base: Sequence[str]) -> bool:
    """Whether what a glob means is certainly among what others mean: it is one of them, or a plain name that they match."""
    name = plain(glob)
    return glob in base or (name is not None and matches(base, [name]))


def _say_setting(value: Setting) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)


def tighten(base: Policy, here: Policy) -> tuple[Policy, tuple[str, ...]]:
    """The base policy with what a manifest makes stricter, and a line for every setting that it would loosen, which is not taken."""
    settings_both: dict[str, Any] = {**base.model_dump(), IGNORED: base.ignore_drift}
    lines = []
    base_settings = dict(settings(base))
    for name, value in settings(here, written=True):
        if looser(name, base_settings[name], value):
            lines.append(f"{name}: {_say_setting(value)} (allowed: {_say_setting(base_settings[name])})")
            continue
        section, _, leaf = name.partition(".")
        if leaf:
            settings_both[section][leaf] = value
        else:
            settings_both[section] = value
    return type(base).model_validate(settings_both), tuple(lines)


def list_moved(base: Policy, here: Policy) -> tuple[str, ...]:
    """A line for every setting that is another one than before."""
    before = dict(settings(base))
    return tuple(
        f"{name}: {_say_setting(before[name])} -> {_say_setting(value)}" for name, value in settings(here) if value != before[name]
    )
