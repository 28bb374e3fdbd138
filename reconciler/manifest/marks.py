"""Where every key and item of a file stands, in little memory."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence
from typing import Any

from reconciler.errors import Mark

# A line and a column.
Spot = tuple[int, int]

# A mapping of so many keys is looked through; a larger one gets an index.
FEW = 16


class Marks:
    """The places of one file.

    The items of a container are consecutive rows of one table: line, column, and the row where the item's own items begin (0: it
    has none). Rows stand in the order of the items, so the containers must not be changed. A row is named by its first cell.
    `aliases` are the rows of items that are aliases.
    """

    WIDTH = 3

    def __init__(self, file: str, root: Any, table: array[int], aliases: Collection[int]) -> None:
        self.file, self._root, self._table, self._aliases = file, root, table, aliases
        self._indexes: dict[int, dict[str, int]] = {}
        # The place that was asked for last, and its row and value.
        self._last: Sequence[str | int] | None = None
        self._entry: tuple[int, Any] = (0, None)

    def of(self, loc: Sequence[str | int]) -> Mark:
        """The place of a key or item. A step that is not there is passed over; what came by alias stands where it is used."""
        row, _ = self._find_entry(loc)
        return Mark(self.file, self._table[row], self._table[row + 1])

    def below(self, loc: Sequence[str | int], key: str, number: int) -> tuple[int, ...]:
        """How many lines below an entry each of so many items of one of its lists stands."""
        entry, value = self._find_entry(loc)
        row, _ = self._find(entry, value, (key,))
        if row in self._aliases:
            return (self._table[row] - self._table[entry],) * number
        start, line = self._table[row + 2], self._table[entry]
        return tuple([below - line for below in self._table[start : start + number * self.WIDTH : self.WIDTH]])

    def _find_entry(self, loc: Sequence[str | int]) -> tuple[int, Any]:
        """The row and the value of what stands at a place. Whoever asks for one thing of an entry asks for another next."""
        if loc is not self._last:
            self._last, self._entry = loc, self._find(len(self._table) - self.WIDTH, self._root, loc)
        return self._entry

    def _find(self, row: int, value: Any, loc: Sequence[str | int]) -> tuple[int, Any]:
        """The row and the value of what stands at a place below a value and its row, or at the alias on the way to it."""
        table, aliases = self._table, self._aliases
        for step in loc:
            index = self._index(value, step)
            if index is not None and row not in aliases:
                value = value[step]
                row = table[row + 2] + index * self.WIDTH
        return row, value

    def _index(self, container: Any, step: str | int) -> int | None:
        """Which item of the container a step means; None if it means none."""
        if isinstance(container, list):
            return step if isinstance(step, int) and 0 <= step < len(container) else None
        if not isinstance(container, dict) or step not in container:
            return None
        return list(container).index(step) if len(container) <= FEW else self._numbers(container).get(str(step))

    def _numbers(self, container: dict[str, Any]) -> dict[str, int]:
        """The number of every key, counted once: somebody may want the places of all of a hundred thousand keys."""
        if id(container) not in self._indexes:
            self._indexes[id(container)] = {key: index for index, key in enumerate(container)}
        return self._indexes[id(container)]
