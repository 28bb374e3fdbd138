"""Totals: how much an answer says that there is, held against what it shows; a list that contradicts itself is no list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

Body = Mapping[str, Any]

# A workspace moves while its lists are read: so much more than the first page promised may come, in parts of it and in items.
GROWTH, MARGIN = 1.1, 1000
# What a list may show that goes on and never says how much there is: what Intercom's longest listing reaches (API 2.16).
UNTOLD = 10_000
# The pages that a list is taken to have which does not say how much there is, and pages beyond those that a list must have.
PAGE, PAGES = 10, 10
# Pages in a row that show nothing new. Numbered pages shift under a busy workspace, so one such page proves nothing.
FRUITLESS = 3


def whole(value: Any) -> int | None:
    """A number of things, if it is one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def rows(body: Body) -> int:
    """How many things an answer shows, whatever it calls them."""
    return max((len(value) for value in body.values() if isinstance(value, list)), default=0)


def count(body: Body) -> int | None:
    """The number of things that an answer of one page counts; None where it says none, or contradicts what it shows."""
    total, shown = whole(body.get("total_count")), rows(body)
    return total if total is not None and total >= least(body, shown) else None


def least(body: Body, shown: int) -> int:
    """How many things there must be in all by what an answer shows and by its pages, all of which but the last one are full."""
    told = body.get("pages")
    if not isinstance(told, Mapping):
        return shown
    last, per_page = whole(told.get("total_pages")), whole(told.get("per_page"))
    before = (last - 1) * (per_page or 1) if last else 0
    here = whole(told.get("page")) or 1
    return max(shown + bool(told.get("next")), before + 1 if before and last and last > here else 0)


def flaw(body: Body, shown: int) -> str:
    """What is wrong with the totals of an answer that shows so many things; "" where nothing is."""
    if "total_count" in body and body["total_count"] is not None:
        total = whole(body["total_count"])
        if total is None:
            return "the answer's total_count is no number of things"
        if total < shown:
            return f"the answer says that there are {total} and shows {shown}"
    return ""


class Implausible(Exception):
    """A list that goes on though nothing more was promised, shows the same again and again, or shrank to a part of itself."""


@dataclass
class Tally:
    """One look at a list: the things that it showed so far, against what its answers promise.

    `most` is how many things may come; until a page says how many there are, as many as Intercom's longest listing reaches.
    """

    # The ids that it showed, and how many things without an id.
    ids: set[str] = field(default_factory=set)
    nameless: int = 0
    # The first total that it gave, and the least: a list that shrinks while it is read is whole without what left it.
    promised: int | None = None
    total: int | None = None
    most: int | None = None
    pages: int = 0
    # Pages in a row without anything new, and the size of the largest page.
    fruitless: int = 0
    largest: int = 0

    @property
    def seen(self) -> int:
        return len(self.ids) + self.nameless

    @property
    def short(self) -> bool:
        return self.total is not None and self.seen < self.total

    def add(self, items: Sequence[Body]) -> None:
        """Things that were shown."""
        named = [item["id"] for item in items if item.get("id") is not None]
        self.ids.update(map(str, named))
        self.nameless += len(items) - len(named)

    def take(self, body: Body, items: Sequence[Body], last_page: bool) -> None:
        """One more page. Raises Implausible where the list should have ended before."""
        before = self.seen
        self.add(items)
        self._hold(whole(body.get("total_count")), least(body, len(items)))
        self.pages += 1
        self.largest = max(self.largest, len(items))
        self.fruitless = 0 if self.seen > before else self.fruitless + 1
        if not last_page:
            self._bound()

    def _hold(self, total: int | None, least_of_all: int) -> None:
        if self.most is None:
            self.most = UNTOLD if total is None else ceil(max(total, least_of_all) * GROWTH) + MARGIN
        if total is None:
            return
        self.promised = total if self.promised is None else self.promised
        if total * GROWTH < self.promised:
            raise Implausible(f"the list said that there are {self.promised}, and then {total}")
        self.total = total if self.total is None else min(self.total, total)

    def _bound(self) -> None:
        assert self.most is not None
        if self.fruitless >= FRUITLESS:
            raise Implausible("the list goes on and shows nothing new again and again")
        size = max(self.largest, 1 if self.promised else PAGE)
        if self.seen > self.most or self.pages > ceil(self.most / size) + PAGES:
            raise Implausible(f"the list goes on after {self.seen} items on {self.pages} pages, and promised fewer")
