"""Where every key and item of a file stands, in little memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Protocol

from reconciler.errors import Mark

# A line and a column.
Spot = tuple[int, int]

# A key and the items of its list.
Inside = tuple[Spot, Sequence[Spot]]
# What stands for the row of the first of a regular entry's keys before anybody asks for one of them: the keys stand on lines of their own,
# or on one line in braces.
ON_LINES, IN_BRACES = 2**32 - 1, 2**32 - 2

# A mapping of so many keys is looked through; a larger one gets an index.
FEW = 16


class Regular(Protocol):
    """Entries whose insides are looked at only where somebody asks for a place in one."""

    @property
    def lines(self) -> Sequence[int]: ...

    def places(self, number: int) -> Iterable[Inside]:
        """Where the keys of an entry stand, each with the places of its items."""


class Marks:
    """The places of one file.

    The items of a container are consecutive rows of one table: line, column, and the row where the item's own items begin (0: it
    has none). Rows stand in the order of the items, so the containers must not be changed. A row is named by its first cell.
    `aliases` are the rows of items that are aliases. `regular` are the entries of which the table has only the first cells.
    """

    WIDTH = 3

    def __init__(self, file: str, root: Any, table: array[int], aliases: Collection[int] = (), regular: Sequence[Regular] = ()) -> None:
        self.file, self._root, self._table, self._aliases, self._regular = file, root, table, aliases, regular
        self._root_row = len(table) - self.WIDTH
        self._indexes: dict[int, dict[str, int]] = {}
        # The place that was asked for last, and what it stands in, each with its row and value.
        self._last: Sequence[str | int] | None = None
        self._entry: tuple[int, Any] = (0, None)
        self._above: Sequence[str | int] | None = None
        self._outer: tuple[int, Any] = (0, None)

    def of(self, loc: Sequence[str | int]) -> Mark:
        """The place of a key or item. A step that is not there is passed over; what came by alias stands where it is used."""
        row, _ = self._find_entry(loc)
        return Mark(self.file, self._table[row], self._table[row + 1])

    def below(self, loc: Sequence[str | int], key: str, number: int) -> tuple[int, ...]:
        """How many lines below an entry each of so many items of one of its lists stands."""
        entry, value = self._find_entry(loc)
        if (form := self._table[entry + 2]) >= IN_BRACES:
            return (list(value).index(key) if form == ON_LINES else 0,) * number
        row, _ = self._find(entry, value, (key,))
        if row in self._aliases:
            return (self._table[row] - self._table[entry],) * number
        start, line = self._table[row + 2], self._table[entry]
        return tuple([below - line for below in self._table[start : start + number * self.WIDTH : self.WIDTH]])

    def _find_entry(self, loc: Sequence[str | int]) -> tuple[int, Any]:
        """The row and the value of what stands at a place. Whoever asks for one thing of an entry asks for another next, and then for
        those of the entry behind it."""
        if loc is not self._last:
            if (above := loc[:-1]) != self._above:
                self._above, self._outer = above, self._find(self._root_row, self._root, above)
            self._last, self._entry = loc, self._find(*self._outer, loc[-1:])
        return self._entry

    def _find(self, row: int, value: Any, loc: Sequence[str | int]) -> tuple[int, Any]:
        """The row and the value of what stands at a place below a value and its row, or at the alias on the way to it."""
        table, aliases = self._table, self._aliases
        for step in loc:
            # Most steps lead into a list.
            index = step if type(value) is list and type(step) is int and 0 <= step < len(value) else self._index(value, step)
            if index is not None and row not in aliases:
                value = value[step]
                row = (start if (start := table[row + 2]) < IN_BRACES else self._lay(row)) + index * self.WIDTH
        return row, value

    def _lay(self, row: int) -> int:
        """Lay the places in a regular entry into the table. Returns where they begin."""
        line, rows = self._table[row], list[int]()
        regular = self._regular[bisect_right(self._regular, line, key=lambda run: run.lines[0]) - 1]
        for spot, items in regular.places(bisect_left(regular.lines, line)):
            rows += (*spot, len(self._table))
            self._table.extend(cell for item in items for cell in (*item, 0))
        self._table[row + 2] = len(self._table)
        self._table.extend(rows)
        return self._table[row + 2]

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
