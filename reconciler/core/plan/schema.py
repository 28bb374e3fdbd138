"""The keys of a plan as a JSON document, and whether what a file holds is one."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, NotRequired, TypeGuard

from pydantic import ConfigDict, Strict, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict


class WorkspaceDocument(TypedDict):
    """The workspace that a plan is for."""

    # Intercom's app id.
    app_id: str
    # us, eu or au.
    region: str


class ManifestDocument(TypedDict):
    """The manifest that a plan is of."""

    # The paths as they were given.
    paths: list[str]
    # Of what was loaded, not of the bytes.
    digest: str
    # The environment that it was read for.
    env: NotRequired[str]


class DriftDocument(TypedDict):
    """How far live moved away from what was applied."""

    # Changes that put it right.
    moved: int
    # Changes that were never applied.
    pending: int
    # Live things that nobody declares.
    undeclared: int
    # Whether an apply is on record.
    recorded: bool
    # Entries of which nothing can be said.
    refused: NotRequired[int]
    # Entries for which a call was sent whose end is unknown.
    unproven: NotRequired[int]
    # Whether that is so of all of them.
    blind: NotRequired[bool]
    # Places that the policy ignores.
    ignored: NotRequired[int]


class SourceDocument(TypedDict):
    """Where something is declared."""

    # The file.
    file: str | None
    # The line, from 1.
    line: int | None


class FieldDocument(TypedDict):
    """One field that a change sets. In a plan that can be applied it has no values."""

    # The field; a dot leads to a key of a map.
    path: str
    # The old value, masked where it is personal.
    before: NotRequired[Any]
    # The new value, masked like the old one.
    after: NotRequired[Any]
    # Why it is needed; null where nothing is on record.
    cause: str | None
    # Of `drift`: what it was as applied, where that is known, masked like the others.
    was: NotRequired[Any]
    # The salted digest of the value before.
    before_digest: NotRequired[str]


class MovedDocument(TypedDict):
    """Since when something is no longer as applied, and by whom."""

    # How it was, in a word.
    was: str
    # How it is now.
    now: str
    # When it changed, if that is known exactly; else when it was last known to be as applied; null where nothing is known.
    since: str | None
    # Whether Intercom says when it moved.
    exact: bool
    # Who changed it; null where Intercom does not say.
    by: str | None
    # How often it was put right within thirty days.
    put_right: int
    # What it is about, as `policy: ignore_drift` calls it.
    fields: list[str]
    # The keyed digest of what is live; empty without a ledger.
    seen: str


# A keyword of Python: such a key cannot stand in a class.
_Either = TypedDict("_Either", {"or": NotRequired[str]})


class ChangeDocument(_Either):
    """One change; `or` says what a create may turn out to be."""

    # The thing; of a link its source.
    address: str
    # What is done.
    action: str
    # The other end of a link.
    target: str | None
    # The gravest cause of its fields.
    cause: str | None
    # The fields that it sets.
    fields: list[FieldDocument]
    # Where it is declared.
    source: SourceDocument | None
    # How many people it touches; null where nobody knows.
    people: int | None
    # Where to see the live thing in Intercom.
    page: NotRequired[str | None]
    # How often the thing is used, by where; null where nobody can count it.
    uses: NotRequired[dict[str, int | None]]
    # Which of these counts are minima.
    at_least: NotRequired[list[str]]
    # Other places where it may be used, which nobody can count.
    uncounted: NotRequired[list[str]]
    # Of a link: the thing that is merged into its other end, where the link is made for that.
    merges: NotRequired[str]
    # Of a link: whether a rule says so, and no entry.
    by_rule: NotRequired[bool]
    # What else to know of it.
    remark: NotRequired[str]
    # Of `drift`: since when it is needed, and by whom.
    moved: NotRequired[MovedDocument]
    # With `--base`: where it comes from.
    origin: NotRequired[str]
    # The salted digest of the live id.
    id_digest: NotRequired[str | None]
    # The salted digest of what the thing was called.
    name_digest: NotRequired[str | None]


class PeopleDocument(TypedDict):
    """How many people lose a tag, a company or themselves."""

    # How many.
    losing: int
    # Whether it is exactly that many, or at most.
    exact: bool


class CostDocument(TypedDict):
    """What the plan costs."""

    # Calls to Intercom, the reads among them.
    calls: int
    # How long they take at the limit, in seconds.
    seconds: float
    # How often each route is called.
    routes: NotRequired[dict[str, int]]
    # The action that takes longest.
    slowest: NotRequired[str | None]
    # How many of the calls only read.
    reads: NotRequired[int]


class WayDocument(TypedDict):
    """A way to read what was asked for."""

    # `list`, `search` or `one by one`, for example.
    way: str
    # How many calls it takes; null where nobody knows.
    calls: int | None
    # Whether it may take more.
    at_least: bool


class QuestionDocument(TypedDict):
    """What was asked of one kind at once."""

    # The kind.
    kind: str
    # The identity by which it was asked; null for all of a kind.
    by: str | None
    # How many declared things were asked for.
    things: int
    # The ways that there were.
    ways: list[WayDocument]
    # The one that was taken.
    taken: str


class RefusalDocument(TypedDict):
    """Why the plan is refused, or a part of it."""

    # The gate that says no.
    gate: str
    # Why, and what to do.
    message: str
    # What to give to `--approve`; null where no approval helps.
    approve: NotRequired[str | None]
    # The entries concerned; none where the whole plan is.
    entries: NotRequired[list[str]]


class UnprovenDocument(TypedDict):
    """What was sent and never answered, or is declared and cannot be done now."""

    # The thing; null for the whole.
    address: str | None
    # What happened.
    reason: str
    # When to try again.
    until: str | None


class NoteDocument(TypedDict):
    """Something to know of the plan."""

    # What it is about, in one word.
    topic: str
    # The thing; null for the whole.
    address: str | None
    # What is to be known.
    message: str
    # Where that is declared.
    source: SourceDocument | None


class ScopeDocument(TypedDict):
    """What a partial plan is limited to."""

    # The globs of `--target`.
    target: list[str]
    # The globs of `--exclude`.
    exclude: list[str]
    # Of what: `explained`, with `--base`, or `rules`.
    only: NotRequired[str]


class DoubtsDocument(TypedDict):
    """What the ledger was seen to be wrong about. JSON has lists where these are tuples."""

    # Writes that are known not to be done: the place, and when they were sent.
    disproved: list[Annotated[tuple[str, str, str, float], Strict(False)]]
    # Links that we made and somebody took away: a LiveLink each.
    undone: list[Annotated[tuple[str, str, str, str], Strict(False)]]


class SavedDocument(TypedDict):
    """What a plan that can be applied begins with."""

    # Whether it holds the manifest's texts.
    confidential: NotRequired[bool]
    # Whether it can be applied: false in one that was saved and is shown.
    applicable: NotRequired[bool]
    # Of the digests.
    salt: NotRequired[str]
    # The approvals that it was made under.
    approved: NotRequired[list[str]]
    # Whether it is of what moved alone.
    moved: NotRequired[bool]
    # Whether what Intercom did not take is tried again.
    retry: NotRequired[bool]
    # What the base does not explain of the changed things: action, ends and fields.
    rest: NotRequired[list[Annotated[tuple[str, str, str | None, list[str]], Strict(False)]]]


class SubjectDocument(TypedDict):
    """What a plan is of."""

    # The version of this format.
    format_version: str
    # The workspace that it is for.
    workspace: WorkspaceDocument
    # The run that it takes back, instead of a manifest.
    run: NotRequired[str]
    # The manifest that it carries out.
    manifest: NotRequired[ManifestDocument]
    # Of `drift` alone.
    drift: NotRequired[DriftDocument]
    # Whether refused entries are left out, and the rest is applied.
    held: NotRequired[bool]


# Strict in all its parts: no number is taken for a text, and no text for a number.
@with_config(ConfigDict(strict=True))
class PlanDocument(SavedDocument, SubjectDocument):
    """A plan."""

    # Whether `--target` or `--exclude` narrowed it.
    partial: NotRequired[bool]
    # In the order in which they are carried out.
    changes: list[ChangeDocument]
    # How many changes each action has.
    summary: dict[str, int]
    # How many people lose something by it.
    people: NotRequired[PeopleDocument]
    # The calls and the time that it takes.
    cost: CostDocument
    # Why it may not be carried out, or a part of it.
    refused: list[RefusalDocument]
    unproven: NotRequired[list[UnprovenDocument]]
    # How much was done that Intercom does not show yet.
    waiting: NotRequired[int]
    # What else people are told.
    notes: list[NoteDocument]
    # What it is limited to.
    scope: NotRequired[ScopeDocument]
    # With `--calls`: the HTTP calls.
    calls: NotRequired[list[str]]
    # With `--explain`: how live was read, and why so.
    explain: NotRequired[list[QuestionDocument]]
    # With `--rehearse`: what became of it on a private copy.
    rehearsal: NotRequired[dict[str, Any]]
    # The live ids of what was as declared when it was made, by address.
    as_declared: NotRequired[dict[str, str]]
    # What the ledger was seen to be wrong about.
    doubts: NotRequired[DoubtsDocument]
    # The manifest's own texts, by path.
    files: NotRequired[dict[str, str]]
    # The rules that were read for it, by what their people have, as the day that was today for their relative times: null for none.
    rules: NotRequired[dict[str, str | None]]
    # A digest over all of it: an edit by hand shows.
    seal: NotRequired[str]


@cache
def _adapter() -> TypeAdapter[PlanDocument]:
    # Built when the first plan file is read: others need not wait for it.
    return TypeAdapter(PlanDocument)


def is_plan(value: Any) -> TypeGuard[PlanDocument]:
    """Whether a value from a JSON file is a plan. A plan names a manifest or a run. One that can be applied holds digests instead of
    values."""
    try:
        _adapter().validate_python(value)
    except ValidationError:
        return False
    applicable, manifest, run = value.get("applicable"), value.get("manifest"), value.get("run")
    fields: list[FieldDocument] = [field for change in value["changes"] for field in change["fields"]]
    bare = [field for field in fields if field.keys() <= {"path", "cause", "before_digest"}]
    if applicable and not (value.get("salt") and len(bare) == len(fields) and all(field.get("before_digest") for field in fields)):
        return False
    has_source = run or (manifest and (manifest["paths"] or not applicable))
    return bool(has_source) and all({"before", "after"} <= field.keys() for field in fields if field not in bare)
