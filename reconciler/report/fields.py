"""A field that changes: what it was and what it is to be, and what that means inside of a list or a map."""

from __future__ import annotations

import json
import os.path
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from reconciler.core.compare.inside import Part, look_inside
from reconciler.core.model.change import Action
from reconciler.core.model.privacy import is_mask
from reconciler.core.model.spelling import differs_invisibly
from reconciler.core.plan.schema import ChangeDocument, FieldDocument
from reconciler.report.terminal import clean

# A value with more characters is cut; so many that both sides share stand before the difference.
LONGEST, CONTEXT = 200, 20
# A personal value that changes, and whose masks read the same.
HIDDEN = "changed (hidden)"
# So many parts are named of those that were added, and so on.
NAMED = 10


def show_move(change: ChangeDocument, field: FieldDocument) -> str:
    """`7 → 8`, cut around the difference where it is long; then what that means inside of it."""
    before, after = sides(field)
    cause = f" ({clean(field['cause'])})" if field["cause"] and field["cause"] != change["cause"] else ""
    if change["action"] == Action.CREATE and field["before"] is None:
        return _cut(after, 0) + cause
    if before == after:
        return HIDDEN + cause
    long = max(len(before), len(after)) > LONGEST
    start = max(0, len(os.path.commonprefix((before, after))) - CONTEXT) if long else 0
    inside = show_inside(field)
    return f"{_cut(before, start)} → {_cut(after, start)}{f'; {inside}' if inside else ''}{cause}"


def show_inside(field: FieldDocument) -> str:
    """`added "c"; removed "a"`: what changes inside a list or a map; empty for any other value."""
    inside = look_inside(field["before"], field["after"])
    groups = {"added": inside.added, "removed": inside.removed, "moved": inside.moved}
    texts = [_as_json(part.value) for parts in groups.values() for part in parts[:NAMED]]
    plain = any(differs_invisibly(one, other) for one, other in combinations(texts, 2) if not (one + other).isascii())
    return "; ".join(f"{word} {_list_parts(parts, plain)}" for word, parts in groups.items() if parts)


def show_values(one: Any, other: Any) -> tuple[str, str]:
    """Two values that are compared, each as `show_value` shows it, unless nobody could see how they differ."""
    texts = _tell_apart(one, other)
    return _cut(texts[0], 0), _cut(texts[1], 0)


def show_value(value: Any) -> str:
    """One value, cut where it is long."""
    return _cut(_as_json(value), 0)


def _list_parts(parts: Sequence[Part], plain: bool) -> str:
    texts = (f"{clean('.'.join(part.path))}{': ' if part.path else ''}{_cut(_as_json(part.value, plain), 0)}" for part in parts[:NAMED])
    return ", ".join(texts) + (f" and {len(parts) - NAMED:,} more" if len(parts) > NAMED else "")


def sides(field: FieldDocument) -> tuple[str, str]:
    """What a field was and is to be; where nobody can see the difference, both without a character that is not plain."""
    return _tell_apart(field["before"], field["after"])


def _tell_apart(one: Any, other: Any) -> tuple[str, str]:
    texts = _as_json(one), _as_json(other)
    if "".join(texts).isascii() or not differs_invisibly(*texts):
        return texts
    return _as_json(one, True), _as_json(other, True)


def _as_json(value: Any, plain: bool = False) -> str:
    """As JSON writes it, so that 7 and "7" differ, in ASCII if asked; a mask stands as it is, being no value."""
    return clean(value if isinstance(value, str) and is_mask(value) and not plain else json.dumps(value, ensure_ascii=plain))


def _cut(text: str, start: int) -> str:
    end = start + LONGEST
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")
