"""What moved, in words: what was, what is now, since when, by whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reconciler.core.compare.trail import OFTEN
from reconciler.core.model.written import as_yaml
from reconciler.core.plan.schema import ChangeDocument, FieldDocument
from reconciler.report import risk
from reconciler.report.fields import HIDDEN, show_value, show_values
from reconciler.report.terminal import clean

UNKNOWN = "not known"


def describe_moved(row: risk.Row) -> Iterator[str]:
    """How the changes of a row came to be needed, and the head of what putting it right does; nothing but of a drift report."""
    first = row[0]
    if "moved" not in first:
        return
    yield from describe_history(row)
    if len(row) == 1 and (line := ignoring(first)):
        yield f"to ignore it for a while: {line}"
    yield f"putting it right: {clean(first['action'])} {risk.describe_target(first)}{risk.describe_source(row)}"


def describe_history(row: risk.Row) -> Iterator[str]:
    """What was, what is now, since when and by whom; nothing of what did not move."""
    first = row[0]
    if "moved" not in first:
        return
    if first["moved"]["put_right"] >= OFTEN:
        yield f"tug of war: put right {first['moved']['put_right']} times within thirty days, and moved again"
    yield from _sides(first)
    yield f"since: {_since(row)}; by: {_by(row)}"


def ignoring(change: ChangeDocument) -> str:
    """The line for `policy: ignore_drift` that hides a change; empty where nothing says what is live by a digest."""
    move = change["moved"]
    if not move["seen"]:
        return ""
    fields = f"fields: [{', '.join(map(as_yaml, move['fields']))}], " if move["fields"] else ""
    return clean(f"- {{address: {as_yaml(change['address'])}, {fields}until: YYYY-MM-DD, reason: WHY, seen: '{move['seen']}'}}")


def _sides(change: ChangeDocument) -> Iterator[str]:
    fields = [field for field in change["fields"] if "after" in field]
    if fields and change["moved"]["now"] == "changed":
        yield from (f"{clean(field['path'])}: {_values(field)}" for field in fields)
    else:
        yield f"was {clean(change['moved']['was'])}, is {clean(change['moved']['now'])} now"


def _values(field: FieldDocument) -> str:
    if "was" not in field:
        return f"what it was is {UNKNOWN}, is {show_value(field['before'])} now"
    was, now = show_values(field["was"], field["before"])
    return HIDDEN if was == now else f"was {was}, is {now} now"


def _since(row: risk.Row) -> str:
    times = sorted({(move["since"] or "", move["exact"]) for change in row if (move := change.get("moved"))})
    since, exact = times[0]
    if not since:
        return UNKNOWN
    more = f" and later, up to {clean(times[-1][0])}" if len(times) > 1 else ""
    return f"{'' if exact else 'after '}{clean(since)}{more}"


def _by(row: risk.Row) -> str:
    people = Counter(clean(change["moved"]["by"] or UNKNOWN) for change in row if "moved" in change)
    return ", ".join(f"{name} ({number:,})" if len(people) > 1 else name for name, number in people.most_common(risk.FEW))
