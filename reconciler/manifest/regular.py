"""Entries of a regular form, each key with a plain value on a line of its own or all of them in braces on one line, read by pattern: that
takes a quarter of the time that a parser of YAML takes.

Only runs of such entries are read so. Each is taken out of the text, a word and empty lines standing in for it, and the parser says of that
word whether it is an item of a list: then the entries are such items, too."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from reconciler.core.model.written import Plain
from reconciler.manifest.marks import IN_BRACES, ON_LINES, Inside, Spot

# What stands in for a run.
STAND_IN = "x"
# Fewer entries in a row are not worth it.
FEWEST = 4

# Words on one line, none of which means anything to YAML; null is none of them.
_BARE = r"(?!(?:null|Null|NULL)[\n,\]}])\w[\w./@+-]*+(?: [\w./@+-]++)*+"
# Without escapes, and without what could be a variable.
_QUOTED = r"""\"[^"\\$\n\t]*+"|'[^'$\n\t]*+'"""
_ITEM = f"(?:{_BARE}|{_QUOTED})"
# No key of a manifest is so long, and the parser takes none of more than 1,024 characters.
_KEY, _VALUE = "[a-z_]{1,100}+", rf"(?:{_BARE}|{_QUOTED}|\[(?:{_ITEM}(?:, {_ITEM})*+)?\])"
_PAIR = f"{_KEY}: {_VALUE}"
# Behind an entry nothing stands that could belong to its last value.
_ENTRY = rf"\1- (?:{_PAIR}\n(?:\1  {_PAIR}\n)*+|\{{{_PAIR}(?:, {_PAIR})*+\}}\n)(?=(?!\1 ) *[^\s#]|\Z)"
_RUN = re.compile(rf"^(?=( *)- )(?:{_ENTRY}){{{FEWEST},}}+", re.MULTILINE)
_PAIRS, _ITEMS = re.compile(f"({_KEY}): ({_VALUE})"), re.compile(_ITEM)
# The same pairs where each has a line.
_LINES = re.compile(f"({_KEY}): (.*)")


class _Lists(dict[str, list[str]]):
    """Lists by how they are written: thousands of entries have the same one."""

    def __missing__(self, written: str) -> list[str]:
        self[written] = items = [item[1:-1] if item[0] in "\"'" else Plain(item) for item in _ITEMS.findall(written)]
        return items


@dataclass(frozen=True, slots=True)
class Run:
    """Regular entries that follow each other."""

    # What is written in each.
    entries: Sequence[dict[str, Any]]
    # All that, as text.
    text: str
    # Where each begins in it, behind its dash, and where one more would.
    starts: Sequence[int]
    # The line of each, counted from 1.
    lines: Sequence[int]
    # The column of each, behind its dash, counted from 0.
    column: int

    @property
    def rows(self) -> list[int]:
        """The rows of the entries in the table of places."""
        forms = (IN_BRACES if self.text[start] == "{" else ON_LINES for start in self.starts)
        return [cell for line, form in zip(self.lines, forms, strict=False) for cell in (line, self.column + 1, form)]

    def count_nodes(self) -> int:
        """How many values the entries are."""
        values = [value for entry in self.entries for value in entry.values()]
        return len(self.entries) + len(values) + sum(len(value) for value in values if isinstance(value, list))

    def places(self, number: int) -> Iterator[Inside]:
        """Where the keys of an entry stand, each with the places of its items."""
        for pair in _PAIRS.finditer(self.text, self.starts[number], self.starts[number + 1]):
            items = _ITEMS.finditer(pair[2]) if pair[2][0] == "[" else ()
            yield self._spot(number, pair.start()), [self._spot(number, pair.start(2) + item.start()) for item in items]

    def _spot(self, number: int, at: int) -> Spot:
        above = self.text.count("\n", self.starts[number], at)
        return self.lines[number] + above, at - self.text.rfind("\n", 0, at)


def take_out(text: str) -> tuple[dict[int, Run], str]:
    """The runs in a text, and the text that has stand-ins for them, each on the line that its run is found by, counted from 0."""
    runs: dict[int, Run] = {}
    rest: list[str] = []
    lists, keys = _Lists(), dict[str, str]()
    at = line = 0
    # What else ends a line is counted nowhere here.
    for match in () if "\r" in text else _RUN.finditer(text):
        line += text.count("\n", at, match.start())
        if run := _read(match, line, lists, keys):
            runs[line] = run
            rest += (text[at : match.start()], f"{match[1]}- {STAND_IN}")
            at, height = match.end(), match[0].count("\n")
            rest.append("\n" * height)
            line += height
        else:
            rest.append(text[at : match.start()])
            at = match.start()
    return runs, "".join((*rest, text[at:]))


def _read(match: re.Match[str], line: int, lists: _Lists, keys: dict[str, str]) -> Run | None:
    """The entries of a run that begins on this line, counted from 0; None where a key stands twice in one. `keys` has each key once."""
    text, dash = match[0], f"{match[1]}- "
    bodies = text[len(dash) : -1].split(f"\n{dash}")
    entries: list[dict[str, Any]] = []
    for body in bodies:
        pairs = (_PAIRS if body[0] == "{" else _LINES).findall(body)
        entry = {
            keys.setdefault(key, key): lists[value] if value[0] == "[" else value[1:-1] if value[0] in "\"'" else Plain(value)
            for key, value in pairs
        }
        if len(entry) < len(pairs):
            return None
        entries.append(entry)
    starts = array("I", accumulate((len(body) + 1 + len(dash) for body in bodies), initial=len(dash)))
    lines = array("I", accumulate((body.count("\n") + 1 for body in bodies[:-1]), initial=line + 1))
    return Run(entries, text, starts, lines, len(dash))
