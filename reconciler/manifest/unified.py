"""What splices change in a text, as a unified diff: made from the splices, since a search for what differs takes long in large files."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from reconciler.manifest.splicing import Splice

CONTEXT = 3
CR = "\r"


class _Edit(NamedTuple):
    """Lines that change."""

    # The number of the first line.
    start: int
    # The number of the line behind the last.
    end: int
    # What stands there instead.
    new: Sequence[str]


# How a line of the text is shown, by its number from 0; a new line has that of the one before which it stands.
Show = Callable[[int, str], str]


def diff_lines(text: str, splices: Sequence[Splice], show: Show = lambda number, line: line) -> Iterator[str]:
    """The hunks of a unified diff, a line at a time and without line breaks; `splices` stand in the order of the text."""
    lines = text.removesuffix("\n").split("\n") if text else []
    shift = 0
    for hunk in _hunks(list(_edits(text, lines, splices))):
        first, last = max(hunk[0].start - CONTEXT, 0), min(hunk[-1].end + CONTEXT, len(lines))
        growth = sum(len(edit.new) - (edit.end - edit.start) for edit in hunk)
        yield f"@@ -{_range(first, last - first)} +{_range(first + shift, last - first + growth)} @@"
        shift += growth
        yield from (f"{sign}{show(number, line.removesuffix(CR))}" for sign, number, line in _body(lines, hunk, first, last))


def _range(first: int, number: int) -> str:
    """Lines as a hunk's head says them: the first, counted from 1, and how many; for none the line before."""
    return f"{first + 1 if number else first},{number}" if number != 1 else str(first + 1)


def _body(lines: Sequence[str], hunk: Sequence[_Edit], first: int, last: int) -> Iterator[tuple[str, int, str]]:
    """The sign, the number and the text of every line of a hunk."""
    at = first
    for edit in hunk:
        yield from ((" ", number, lines[number]) for number in range(at, edit.start))
        yield from (("-", number, lines[number]) for number in range(edit.start, edit.end))
        yield from (("+", edit.start, line) for line in edit.new)
        at = edit.end
    yield from ((" ", number, lines[number]) for number in range(at, last))


def _hunks(edits: Sequence[_Edit]) -> Iterator[Sequence[_Edit]]:
    """Edits whose surroundings touch, together."""
    hunk: list[_Edit] = []
    for edit in edits:
        if hunk and edit.start - hunk[-1].end > 2 * CONTEXT:
            yield hunk
            hunk = []
        hunk.append(edit)
    if hunk:
        yield hunk


def _edits(text: str, lines: Sequence[str], splices: Sequence[Splice]) -> Iterator[_Edit]:
    """The lines that splices touch, each run of them once."""
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    group: list[Splice] = []
    end = 0
    for splice in splices:
        if group and bisect_right(starts, splice[0]) - 1 > end + 1:
            yield _edit(text, lines, starts, group)
            group = []
        end = max(end if group else 0, bisect_right(starts, splice[1]) - 1)
        group.append(splice)
    if group:
        yield _edit(text, lines, starts, group)


def _edit(text: str, lines: Sequence[str], starts: Sequence[int], group: Sequence[Splice]) -> _Edit:
    """What becomes of the lines that some splices touch; lines at both ends that stay are none of them."""
    first, last = (min(bisect_right(starts, at) - 1, len(lines)) for at in (group[0][0], max(end for _, end, _ in group)))
    last = min(last + 1, len(lines))
    parts, at = [], starts[first]
    for start, end, insert in group:
        parts += [text[at : max(at, start)], insert]
        at = max(at, end)
    parts.append(text[at : starts[last]])
    old, new = lines[first:last], "".join(parts)
    new_lines = new.removesuffix("\n").split("\n") if new else []
    head = next((n for n, pair in enumerate(zip(old, new_lines, strict=False)) if pair[0] != pair[1]), min(len(old), len(new_lines)))
    rest = min(len(old), len(new_lines)) - head
    tail = next((n for n in range(rest) if old[-1 - n] != new_lines[-1 - n]), rest)
    return _Edit(first + head, last - tail, new_lines[head : len(new_lines) - tail])
