"""What two plans, manifests or runs do not have in common, as text or as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reconciler.core.plan.side_by_side import ELSE, SET, Part, Unlike
from reconciler.report.fields import HIDDEN, show_inside, show_value
from reconciler.report.json import deep
from reconciler.report.signs import GREEN, RED, YELLOW, count, paint
from reconciler.report.terminal import clean, reveal

_MARKS = {"a": ("-", RED), "b": ("+", GREEN), "": ("~", YELLOW)}


def lines(unlike: Sequence[Unlike], *, color: bool = False) -> Iterator[str]:
    """A line for each subject, `-` where only the first side has it, `+` only the second, `~` both; then how many there are."""
    for one in unlike:
        mark, style = _MARKS[one.only]
        yield f"{paint(mark, style, color)} {reveal(_describe(one))}"
        yield from (f"    {clean(part.path)}: {_describe_part(part)}" for part in one.parts)
    if unlike:
        sides = [sum(one.only == side for one in unlike) for side in ("a", "b", "")]
        yield f"{count(len(unlike), 'difference')}: {sides[0]:,} only in the first, {sides[1]:,} only in the second, {sides[2]:,} in both."
    else:
        yield "No differences."


def as_json(unlike: Sequence[Unlike]) -> str:
    """One object; `only` is `a`, `b` or null, and a value that a saved plan or a ledger does not hold is `set`."""
    rows = as_rows(unlike)
    return deep({"same": not rows, "differences": rows})


def as_rows(unlike: Sequence[Unlike]) -> list[dict[str, Any]]:
    """The differences as programs read them."""
    return [
        {**one.subject._asdict(), "only": one.only or None, "parts": [{"path": p.path, "a": p.a, "b": p.b} for p in one.parts]}
        for one in unlike
    ]


def _describe(one: Unlike) -> str:
    return " ".join(filter(None, one.subject))


def _describe_part(part: Part) -> str:
    a, b = _show(part.a), _show(part.b)
    inside = show_inside({"path": part.path, "before": part.a, "after": part.b, "cause": None}) if _is_plain(part) else ""
    return HIDDEN if a == b else f"{a} | {b}{f'; {inside}' if inside else ''}"


def _is_plain(part: Part) -> bool:
    """Whether both are values, and no steps from one value to another."""
    return not any(isinstance(side, dict) and side.keys() == {"before", "after"} for side in (part.a, part.b))


def _show(side: Any) -> str:
    if side is None:
        return "not there"
    if isinstance(side, dict) and side.keys() == {"before", "after"}:
        return f"{show_value(side['before'])} → {show_value(side['after'])}"
    return side if side in (SET, ELSE) else show_value(side)
