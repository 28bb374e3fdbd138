"""Changes in the order in which people should read them: what takes away stands first; many equal links are one row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType

from reconciler.core.model.change import Action
from reconciler.core.plan.schema import ChangeDocument, NoteDocument
from reconciler.kinds import KINDS
from reconciler.report.outcomes import ENDS
from reconciler.report.signs import count
from reconciler.report.terminal import clean

# The headings, and under each its actions.
RISKS: Mapping[str, Sequence[Action]] = MappingProxyType(
    {
        "takes away": (Action.DELETE, Action.ARCHIVE, Action.DETACH),
        "alters": (Action.RENAME, Action.UPDATE),
        "adds": (Action.UNARCHIVE, Action.CREATE, Action.ATTACH),
    }
)
ORDER: Sequence[str] = tuple(action for actions in RISKS.values() for action in actions)
_HEADINGS: Mapping[str, str] = {action: heading for heading, actions in RISKS.items() for action in actions}
# So many equal links are told one by one, and so many of more of them are named.
FEW = 3

# One change, or equal links: they differ by their sources alone.
Row = Sequence[ChangeDocument]


def by_risk(changes: Sequence[ChangeDocument]) -> Mapping[str, Sequence[Row]]:
    """The rows by heading, in the order of ORDER, and within an action in that of the plan. What we do not know takes away."""
    ranks = {action: rank for rank, action in enumerate(ORDER)}
    ranked = sorted(changes, key=lambda change: ranks.get(change["action"], -1))
    first = next(iter(RISKS))
    grouped = groupby(ranked, key=lambda change: _HEADINGS.get(change["action"], first))
    return {heading: [*_rows([*group])] for heading, group in grouped}


def _rows(changes: Sequence[ChangeDocument]) -> Iterator[Row]:
    """Each row where its first change stands."""
    alike: dict[tuple[str | None, ...], list[ChangeDocument]] = {}
    for change in changes:
        alike.setdefault(_likeness(change), []).append(change)
    for change in changes:
        row = alike[_likeness(change)]
        if change["target"] is None or len(row) <= FEW:
            yield (change,)
        elif row[0] is change:
            yield row


def _likeness(change: ChangeDocument) -> tuple[str | None, ...]:
    """What equal links have in common."""
    return (change["action"], change["target"], _kind(change), change["cause"], change.get("origin"), change.get("remark"))


def _kind(change: ChangeDocument) -> str:
    return change["address"].partition("/")[0]


def describe_subject(row: Row) -> str:
    """`tag/vip`, `tag/vip to contact/25`, `tag/vip to 3,442 contacts`: what a row is about."""
    change, kind = row[0], KINDS.get(_kind(row[0]))
    source = clean(change["address"])
    if len(row) > 1:
        source = f"{len(row):,} {kind.section}" if kind else count(len(row), clean(_kind(change)))
    return source if change["target"] is None else f"{clean(change['target'])} {ENDS.get(change['action'], 'and')} {source}"


def name_some(items: Sequence[ChangeDocument | NoteDocument]) -> str:
    """`contact/1, contact/2, contact/3 and 3,439 more`."""
    some = ", ".join(clean(item["address"] or "") for item in items[:FEW])
    return some + (f" and {len(items) - FEW:,} more" if len(items) > FEW else "")


def describe_places(row: Row) -> str:
    """`growth.yaml:12`, or `growth.yaml:12-30`: where a row was declared; the first of several files, and how many more there are."""
    lines: dict[str, list[int]] = {}
    for source in (change["source"] for change in row):
        if source and source["file"]:
            lines.setdefault(source["file"], []).append(source["line"] or 0)
    if not lines:
        return ""
    (file, numbers), *others = lines.items()
    first, last = min(numbers), max(numbers)
    place = file + (f":{first}" if first else "") + (f"-{last}" if last > first else "")
    return clean(place) + (f" and {count(len(others), 'more file')}" if others else "")
