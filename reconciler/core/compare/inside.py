"""What was added, removed and moved inside a nested value: a list, a map, or maps in maps. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from operator import itemgetter
from typing import Any, NamedTuple

# How many maps deep is looked; what lies deeper is one value.
_DEEPEST = 10

Path = tuple[str, ...]
"""The keys of the maps that lead to a part; none where the whole value is a list."""


class Part(NamedTuple):
    """An item of a list, or what stands at a key of a map."""

    # Where it stands.
    path: Path
    # What stands there.
    value: Any


@dataclass(frozen=True, slots=True)
class Inside:
    """What became of the parts of a nested value, by path."""

    # Parts of the new value that the old one does not have; what stands at a key with another value is removed and added.
    added: tuple[Part, ...] = ()
    # Parts of the old value that the new one does not have.
    removed: tuple[Part, ...] = ()
    # Items that both lists have, and whose place among the others is another one.
    moved: tuple[Part, ...] = ()


def look_inside(before: Any, after: Any) -> Inside:
    """The parts in which two lists, or two maps, differ; none for any other pair."""
    if not _are_alike(before, after):
        return Inside()
    # It takes 0.1 s to import, and few plans change a nested value.
    from deepdiff import DeepDiff

    old, new = _write(before), _write(after)
    differences = DeepDiff(
        old,
        new,
        view="tree",
        ignore_order=True,
        report_repetition=True,
        # An item that looks like another is another one.
        cutoff_intersection_for_pairs=0,
        threshold_to_diff_deeper=0,
        ignore_private_variables=False,
    )
    new_parts: list[Part] = []
    old_parts: list[Part] = []
    for kind, level in ((kind, level) for kind, levels in differences.items() for level in levels):
        path = level.path(output_format="list")
        where = tuple(path[:-1] if isinstance(level.up.t1, list) else path)
        if kind == "repetition_change":
            times = level.additional["repetition"]["new_repeat"] - level.additional["repetition"]["old_repeat"]
            (new_parts if times > 0 else old_parts).extend([_read(where, level.t1)] * abs(times))
            continue
        if not kind.endswith("_removed"):
            new_parts.append(_read(where, level.t2))
        if not kind.endswith("_added"):
            old_parts.append(_read(where, level.t1))
    return Inside(*(tuple(sorted(parts, key=itemgetter(0))) for parts in (new_parts, old_parts, _find_moved(old, new, ()))))


def _are_alike(before: Any, after: Any) -> bool:
    return isinstance(before, (list, tuple)) and isinstance(after, (list, tuple)) or isinstance(before, dict) and isinstance(after, dict)


def _write(value: Any, depth: int = 0) -> Any:
    """A value whose parts are JSON texts: DeepDiff takes true for 1, and 2**53 for its neighbour."""
    if isinstance(value, dict) and depth < _DEEPEST:
        return {key: _write(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and depth < _DEEPEST:
        return [json.dumps(_make_whole(item), sort_keys=True) for item in value]
    return json.dumps(_make_whole(value), sort_keys=True)


def _make_whole(value: Any) -> Any:
    """1.0 is 1."""
    if isinstance(value, dict):
        return {key: _make_whole(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_make_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _read(path: Path, value: Any) -> Part:
    return Part(path, _read_value(value))


def _read_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _read_value(item) for key, item in value.items()}
    return [_read_value(item) for item in value] if isinstance(value, list) else json.loads(value)


def _find_moved(old: Any, new: Any, path: Path) -> Iterator[Part]:
    """What stands in another order, in all lists that both sides have at one place."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() & new.keys():
            yield from _find_moved(old[key], new[key], (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
        stays = Counter(item for block in blocks for item in old[block.a : block.a + block.size])
        both = Counter(old) & Counter(new)
        yield from (_read(path, item) for item in (both - stays).elements())
