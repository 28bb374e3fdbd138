"""Edits of one YAML text, as splices of it: comments, order, quotes and line ends stay as they are."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any

from reconciler.core.model.written import Plain, as_yaml
from reconciler.manifest.nodes import Node, Tree
from reconciler.manifest.sentences import Loc

# The first character, the one behind the last, and what stands there instead.
Splice = tuple[int, int, str]

# A new entry is written in one line unless that would be longer.
WIDTH = 120
# Between a key and its value: the colon, and an anchor.
_COLON = re.compile(r"\s*:(?:[ \t]+&\S+)?")
_REST = re.compile(r"[ \t]*,?[ \t]*(?:#[^\n]*)?(?:\n|\Z)")


def inline(value: Any) -> str:
    """A value as YAML on one line, which every reader of YAML reads as this value."""
    if isinstance(value, Plain):
        return str(value)
    if isinstance(value, str):
        return as_yaml(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{as_yaml(key)}: {inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(inline, value)) + "]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def in_lines(value: Mapping[str, Any] | Sequence[Any], column: int) -> list[str]:
    """A map or list as lines that begin at a column, as `fmt` writes them: what fits on one line stands on one."""
    lines: list[str] = []
    is_map = isinstance(value, Mapping)
    for key, item in value.items() if isinstance(value, Mapping) else enumerate(value):
        head, text = " " * column + (f"{as_yaml(str(key))}:" if is_map else "-"), inline(item)
        holds = isinstance(item, Mapping | list | tuple) and len(item) > 0
        if not holds or (len(head) + 1 if is_map else column) + len(text) <= WIDTH:
            lines.append(f"{head} {text}")
            continue
        body = in_lines(item, column + 2)
        lines += [head, *body] if is_map else [f"{head} {body[0].lstrip()}", *body[1:]]
    return lines


class Splices:
    """A text, and what is to become of parts of it. All places are those of the text as it was read."""

    def __init__(self, text: str) -> None:
        self.newline = "\r\n" if "\r\n" in text else "\n"
        # Every line has an end here; `done` takes the last one away again.
        self._open = text != "" and not text.endswith("\n")
        self.text = text + self.newline if self._open else text
        # What an anchor holds is reached more than once.
        self._cuts: dict[Splice, None] = {}
        # Each with the depth of what it is put into: at one place what is deeper comes first.
        self._inserts: list[tuple[int, Splice]] = []
        # Keys at the top level that are not there yet, with the items of their lists.
        self._new: dict[str, list[Any]] = {}

    @cached_property
    def _tree(self) -> Tree | None:
        return Tree(self.text) if says_anything(self.text) else None

    @property
    def root(self) -> Node | None:
        """The document; None where there is none yet."""
        return self._at(())

    def _at(self, loc: Loc) -> Node | None:
        return self._tree.at(loc) if self._tree else None

    def splices(self) -> list[Splice]:
        """All of them in the order of the text; what is put into one thing stands in the order of the calls."""
        inserts = [splice for _, splice in sorted((*self._inserts, *self._sections()), key=lambda insert: -insert[0])]
        return sorted((*inserts, *self._cuts), key=lambda splice: splice[:2])

    def result(self) -> str:
        """The text with all that was asked for."""
        parts, at = [], 0
        for start, end, new in self.splices():
            parts += [self.text[at : max(at, start)], new]
            at = max(at, end)
        text = "".join(parts) + self.text[at:]
        return text.removesuffix(self.newline) if self._open else text

    def replace(self, loc: Loc, value: Any) -> None:
        """Write another value at a place; a text in the quotes that the one before had."""
        node = self._at(loc)
        if node:
            self._instead(loc, node, _quote(value, node.style))

    def append(self, loc: Loc, value: Any) -> None:
        """Add an item to the end of a list; one at the top level is made if it is not there."""
        node = self._at(loc)
        if not node:
            self._new.setdefault(str(loc[0]), []).append(value)
        elif node.items and not node.flow:
            column = self._column(node.start)
            block = node.items[-1].mapping and not node.items[-1].flow
            self._add_line(node.end, column, f"- {self._item(value, column, block)}", len(loc))
        elif node.flow and not node.items and len(loc) == 1 and self.root and not self.root.flow:
            # Brackets after which lines can stand.
            self._cut(len(self.text[: node.start].rstrip(" ")), node.end, "")
            self._add_line(node.end, 2, f"- {self._item(value, 2, False)}", len(loc))
        elif node.flow:
            self._into_flow(node, inline(value), len(loc))

    def put(self, loc: Loc, key: str, value: Any, after: str = "") -> None:
        """Set a key of a map: its value is replaced, or it is added, behind the key `after` or at the end."""
        node = self._at(loc)
        line = f"{as_yaml(key)}: {inline(value)}"
        if node and node.index(key) is not None:
            self.replace((*loc, key), value)
        elif node and node.flow:
            self._into_flow(node, line, len(loc), after)
        elif node and node.mapping:
            behind, column = node.units[(node.index(after) or 0) if after else -1][1].end, self._column(node.start)
            self._add_line(behind, column, self.newline.join(in_lines({key: value}, column)).lstrip(), len(loc))
        elif not loc:
            self._insert(len(self.text), line + self.newline, 0)

    def drop(self, loc: Loc, steps: Collection[str | int]) -> None:
        """Take items out of a list or keys out of a map. What is then empty is written `[]` or `{}`."""
        node = self._at(loc)
        numbers = sorted({number for step in steps if (number := node.index(step)) is not None}) if node else []
        if not node or not numbers:
            return
        if len(numbers) == len(node.units):
            self._instead(loc, node, "{}" if node.mapping else "[]")
            return
        runs = [[number for _, number in run] for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])]
        for run in runs:
            self._cut(*(self._flow_run if node.flow else self._block_run)(node, run[0], run[-1]), "")

    # ── where ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _column(self, at: int) -> int:
        return at - self._line_start(at)

    def _line_start(self, at: int) -> int:
        return self.text.rfind("\n", 0, at) + 1

    def _next_line(self, at: int) -> int:
        return self.text.find("\n", at) + 1

    def _alone(self, at: int) -> bool:
        """Whether nothing stands before a place on its line."""
        return not self.text[self._line_start(at) : at].strip()

    def _end_of_root(self) -> int:
        """Where a section more may stand: before what ends the document, if anything does."""
        ending = re.compile(r"^\.\.\.", re.MULTILINE).search(self.text, self.root.end) if self.root else None
        return ending.start() if ending else len(self.text)

    def _begin(self, node: Node, number: int) -> int:
        """Where an item of a block begins: at its dash or key."""
        if node.mapping or number == 0:
            return node.start if number == 0 else node.items[2 * number].start
        column, line = self._column(node.start), self._line_start(node.items[number].start)
        while self.text[line : line + column + 1].strip() != "-":
            line = self._line_start(line - 1)
        return line + column

    # ── what ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _cut(self, start: int, end: int, new: str) -> None:
        self._cuts[start, end, new] = None

    def _insert(self, at: int, new: str, depth: int) -> None:
        self._inserts.append((depth, (at, at, new)))

    def _add_line(self, behind: int, column: int, line: str, depth: int) -> None:
        """Put a line, or several, below that of a place."""
        self._insert(self._next_line(behind), f"{' ' * column}{line}{self.newline}", depth)

    def _item(self, value: Any, column: int, block: bool) -> str:
        """An item of a block list as it stands behind its dash."""
        text = inline(value)
        if not isinstance(value, Mapping) or not value or (not block and len(text) + column <= WIDTH):
            return text
        return self.newline.join(in_lines(value, column + 2)).lstrip()

    def _sections(self) -> Iterator[tuple[int, Splice]]:
        """What puts in the keys that are new at the top level, as lists in lines."""
        if self.root and self.root.flow and self._new:
            text = ", ".join(f"{as_yaml(key)}: {inline(items)}" for key, items in self._new.items())
            yield 0, ((at := self.root.end - 1), at, f", {text}" if self.root.items else text)
            return
        at = self._end_of_root()
        for key, items in self._new.items():
            lines = (as_yaml(key) + ":", *(f"  - {self._item(item, 2, False)}" for item in items), "")
            yield 0, (at, at, self.newline.join(lines))

    def _into_flow(self, node: Node, text: str, depth: int, after: str = "") -> None:
        """Put an item into brackets: behind the key `after`, or at the end; on a line of its own where its neighbour has one."""
        if not node.items:
            second = any(splice[0] == node.start + 1 for _, splice in self._inserts)
            self._insert(node.start + 1, f", {text}" if second else text, depth)
            return
        first, last = node.units[node.index(after) or 0 if after else -1]
        gap = f"{self.newline}{' ' * self._column(first.start)}" if self._alone(first.start) else " "
        self._insert(last.end, f",{gap}{text}", depth)

    def _flow_run(self, node: Node, first: int, last: int) -> tuple[int, int]:
        """What goes with items of brackets that do not all go: with the comma behind them, or else the one before."""
        start, end = node.units[first][0].start, node.units[last][1].end
        if last + 1 < len(node.units):
            return start, node.units[last + 1][0].start
        rest = _REST.match(self.text, end)
        if self._alone(start) and rest:
            return self._line_start(start), rest.end()
        return node.units[first - 1][1].end, end

    def _block_run(self, node: Node, first: int, last: int) -> tuple[int, int]:
        """What goes with items of a block that do not all go: their lines, with the comments behind them."""
        begin = self._begin(node, first)
        if not self._alone(begin):
            return begin, self._begin(node, last + 1)
        return self._line_start(begin), self._next_line(node.units[last][1].end)

    def _instead(self, loc: Loc, node: Node, text: str) -> None:
        """Write something on one line in place of a value; the lines of a block go."""
        above = self._at(loc[:-1]) if loc else None
        number = above.index(loc[-1]) if above and above.mapping else None
        block = node.items and not node.flow and self._alone(node.start)
        colon = _COLON.match(self.text, above.units[number][0].end) if block and above and number is not None else None
        if colon is None:
            self._cut(node.start, node.end, text)
            return
        self._insert(colon.end(), f" {text}", len(loc))
        self._cut(*self._block_run(node, 0, len(node.units) - 1), "")


def says_anything(text: str) -> bool:
    """Whether a text has more than blanks, comments and the mark of where a document begins."""
    return any(line.strip() not in ("", "---") and not line.lstrip().startswith("#") for line in text.splitlines())


def _quote(value: Any, style: str) -> str:
    """A value, a text in quotes of this style if it can stand in them as it is."""
    if not isinstance(value, str) or not value.isprintable() or style not in ("'", '"') or (style == '"' and set(value) & set('"\\')):
        return inline(value)
    return f'"{value}"' if style == '"' else "'" + value.replace("'", "''") + "'"
