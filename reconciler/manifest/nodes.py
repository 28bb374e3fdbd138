"""Where every value of a YAML text begins and ends, for edits that leave the rest as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import yaml

from reconciler.manifest.reader import fastest

# An anchor, and what stands between it and its value.
_ANCHOR = re.compile(r"&\S+(?:\s+(?:#[^\n]*)?)*")


@dataclass(slots=True)
class Node:
    """A value in a text."""

    # The number of its first character, behind an anchor.
    start: int
    # The number of the character behind its last.
    end: int
    # What a scalar says; None for what is none.
    value: str | None = None
    # How a scalar is written: `'`, `"`, `|`, `>` or nothing.
    style: str = ""
    # A list or map in brackets.
    flow: bool = False
    # A map: keys and values stand in turn in `items`.
    mapping: bool = False
    # Items of a list or map.
    items: list[Node] = field(default_factory=list)
    # It has items that were not kept.
    folded: bool = False

    @property
    def units(self) -> Sequence[tuple[Node, Node]]:
        """First and last part of each item: key and value in a map, twice the same in a list."""
        return list(zip(self.items[::2], self.items[1::2], strict=True)) if self.mapping else [(item, item) for item in self.items]

    def index(self, step: str | int) -> int | None:
        """The number of the item that a key or number means."""
        if self.mapping:
            return next((number for number, key in enumerate(self.items[::2]) if key.value == step), None)
        return step if isinstance(step, int) and step < len(self.items) else None

    def move(self, by: int) -> None:
        """Count all characters from another beginning."""
        self.start += by
        self.end += by
        for item in self.items:
            item.move(by)


# So deep stand the entries of a manifest; of many of them few are looked into.
ENTRIES = 2


class Tree:
    """The values of a text that the reader took for one document."""

    def __init__(self, text: str, fold: int | None = ENTRIES) -> None:
        """What stands so deep is not looked into before it is asked for."""
        self.text, self.root = text, _Walk(text, fold).whole()

    def at(self, loc: Sequence[str | int]) -> Node | None:
        """The value at a place; None where there is none, or an alias stands before it."""
        node = self.root
        for step in loc:
            number = self._unfold(node).index(step)
            if number is None:
                return None
            node = node.items[2 * number + 1 if node.mapping else number]
        return self._unfold(node)

    def _unfold(self, node: Node) -> Node:
        if node.folded:
            # The lines of a block go by the column of the first.
            column = 0 if node.flow else node.start - (self.text.rfind("\n", 0, node.start) + 1)
            node.items = _Walk(" " * column + self.text[node.start : node.end] + "\n").whole().items
            for item in node.items:
                item.move(node.start - column)
            node.folded = False
        return node


class _Walk:
    """The events of a text, one after the other."""

    def __init__(self, text: str, fold: int | None = None) -> None:
        """What stands so deep is folded."""
        self.text, self._events, self._fold = text, fastest(text), fold

    def whole(self) -> Node:
        """The one document."""
        self.next()
        self.next()
        return self.node(self.next(), 0)

    def next(self) -> yaml.Event:
        return self._events.get_event()

    def node(self, event: yaml.Event, depth: int) -> Node:
        """The value that begins with an event. There are no more levels of them than the reader takes."""
        start, end = _index(event.start_mark), _index(event.end_mark)
        if getattr(event, "anchor", None) and not isinstance(event, yaml.AliasEvent):
            anchor = _ANCHOR.match(self.text, start)
            start = anchor.end() if anchor else start
        if isinstance(event, yaml.ScalarEvent):
            return Node(start, self._end(event, start, end), event.value, event.style or "")
        node = Node(start, end)
        if isinstance(event, yaml.CollectionStartEvent):
            node.flow, node.mapping = bool(event.flow_style), isinstance(event, yaml.MappingStartEvent)
            self._fill(node, depth)
        return node

    def _fill(self, node: Node, depth: int) -> None:
        while not isinstance(event := self.next(), yaml.CollectionEndEvent):
            node.items.append(self.node(event, depth + 1))
        # Comments and blank lines follow the last line of a block, and are not part of it.
        node.end = _index(event.end_mark) if node.flow else node.items[-1].end
        if depth == self._fold and node.items:
            node.items, node.folded = [], True

    def _end(self, event: yaml.ScalarEvent, start: int, end: int) -> int:
        """The end of a scalar; that of a block scalar without the blank lines and the line break that it does not say."""
        if event.style not in ("|", ">"):
            return end
        if "+" not in self.text[start:end].partition("\n")[0]:
            return start + len(self.text[start:end].rstrip())
        for newline in ("\r\n", "\n", "\r"):
            if self.text.endswith(newline, start, end):
                return end - len(newline)
        return end


class _Marked(Protocol):
    """The part of a mark that is used here."""

    index: int


def _index(mark: _Marked | None) -> int:
    assert mark is not None, "parsers mark every event of a document"
    return mark.index
