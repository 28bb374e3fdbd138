"""Changes in the order in which people should read them: what takes away stands first; many equal links are one row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType

from reconciler.core.compare.trail import OFTEN
from reconciler.core.model.change import Action
from reconciler.core.plan.schema import ChangeDocument, NoteDocument
from reconciler.kinds import KINDS
from reconciler.report.outcomes import ENDS
from reconciler.report.signs import count
from reconciler.report.terminal import clean, reveal

# The headings, and under each its actions.
RISKS: Mapping[str, Sequence[Action]] = MappingProxyType(
    {
        "takes away": (Action.DELETE, Action.ARCHIVE, Action.DETACH),
        "alters": (Action.RENAME, Action.UPDATE),
        "adds": (Action.UNARCHIVE, Action.CREATE, Action.ATTACH),
    }
)
ORDER: Sequence[Action] = tuple(action for actions in RISKS.values() for action in actions)
_HEADINGS: Mapping[str, str] = {action: heading for heading, actions in RISKS.items() for action in actions}
# The heading of what is moved again and again; it stands before the others.
TUG = "tug of war"
# What moved is no deed of a plan: there a heading says what becomes of it.
_FIX = "putting it right "
# So many equal links are told one by one, and so many of more of them are named.
FEW = 3

# One change, or equal links: they differ by their sources alone.
Row = Sequence[ChangeDocument]


def by_risk(changes: Sequence[ChangeDocument]) -> Mapping[str, Sequence[Row]]:
    """The rows by heading: a tug of war first, then in the order of ORDER, within an action in that of the plan.

    What we do not know takes away.
    """
    ranks: dict[str, int] = {action: rank for rank, action in enumerate(ORDER)}
    first = next(iter(RISKS))

    def heading(change: ChangeDocument) -> str:
        return TUG if is_tug(change) else (_FIX if "moved" in change else "") + _HEADINGS.get(change["action"], first)

    in_order = sorted(changes, key=lambda change: (not is_tug(change), ranks.get(change["action"], -1)))
    groups = groupby(in_order, key=heading)
    return {heading: [*_rows([*group])] for heading, group in groups}


def is_tug(change: ChangeDocument) -> bool:
    """Whether it was put right again and again, and moved again."""
    return "moved" in change and change["moved"]["put_right"] >= OFTEN


def is_open(heading: str) -> bool:
    """Whether a part stands open where the others are folded: what takes away, and what moves again and again."""
    return heading in (TUG, *(f"{fix}{next(iter(RISKS))}" for fix in ("", _FIX)))


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
    return (change["action"], change["target"], kind_of(change), change["cause"], change.get("origin"), change.get("remark"))


def kind_of(change: ChangeDocument) -> str:
    """The first word of its address."""
    return change["address"].partition("/")[0]


def describe_target(change: ChangeDocument, between: str = "") -> str:
    """`tag/vip to `, which stands before the source of a link; empty for a change of one thing. `between` stands instead of `to`."""
    return "" if change["target"] is None else f"{reveal(change['target'])} {between or ENDS.get(change['action'], 'and')} "


def describe_source(row: Row) -> str:
    """`contact/25`, or `3,442 contacts`."""
    if len(row) == 1:
        return reveal(row[0]["address"])
    kind = KINDS.get(kind_of(row[0]))
    return f"{len(row):,} {kind.section}" if kind else count(len(row), clean(kind_of(row[0])))


def count_changes(rows: Sequence[Row]) -> str:
    """`12 changes`, of all rows together."""
    return count(sum(map(len, rows)), "change")


def name_some(items: Sequence[ChangeDocument | NoteDocument]) -> str:
    """`contact/1, contact/2, contact/3 and 3,439 more`."""
    some = ", ".join(reveal(item["address"] or "") for item in items[:FEW])
    return some + (f" and {len(items) - FEW:,} more" if len(items) > FEW else "")


def describe_places(row: Row) -> str:
    """`growth.yaml:12`, or `growth.yaml:12-30`: where a row was declared; the first of several files, and how many more there are."""
    lines: dict[str, set[int]] = {}
    for source in (change["source"] for change in row):
        if source and source["file"]:
            lines.setdefault(source["file"], set()).update({source["line"]} if source["line"] else ())
    if not lines:
        return ""
    (file, numbers), *others = lines.items()
    span = f":{'-'.join(map(str, sorted({min(numbers), max(numbers)})))}" if numbers else ""
    return clean(file + span) + (f" and {count(len(others), 'more file')}" if others else "")
