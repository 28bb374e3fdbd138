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
    total, number = whole(body.get("total_count")), rows(body)
    return total if total is not None and total >= least(body, number) else None


def base(body: Body) -> int | None:
    """The number of things of which a limit takes its per cent, by an answer of the first page: of more things more may be deleted, so it
    shows one where there are some, and its pages have room for all. None where it counts none, or contradicts itself."""
    total, pages = count(body), body.get("pages")
    if not total:
        return total
    last, per_page = (whole(pages.get(name)) for name in ("total_pages", "per_page")) if isinstance(pages, Mapping) else (None, None)
    return total if rows(body) and (not last or not per_page or total <= last * per_page) else None


def least(body: Body, number: int) -> int:
    """The least number of things that there are, by what an answer shows and by its pages: all of these but the last one are full."""
    pages = body.get("pages")
    if not isinstance(pages, Mapping):
        return number
    last, per_page = whole(pages.get("total_pages")), whole(pages.get("per_page"))
    before = (last - 1) * (per_page or 1) if last else 0
    here = whole(pages.get("page")) or 1
    return max(number + bool(pages.get("next")), before + 1 if before and last and last > here else 0)


def flaw(body: Body, number: int) -> str:
    """What is wrong with the total of an answer that shows so many things; "" where nothing is."""
    if body.get("total_count") is None:
        return ""
    total = whole(body["total_count"])
    if total is None:
        return "the answer's total_count is no number of things"
    return f"the answer says that there are {total} and shows {number}" if total < number else ""


class Implausible(Exception):
    """A list that goes on though nothing more was promised, shows the same again and again, or shrank to a part of itself."""


@dataclass
class Tally:
    """One look at a list: the things that it showed so far, against what its answers promise."""

    # The ids that it showed.
    ids: set[str] = field(default_factory=set)
    # How many things it showed that have no id.
    nameless: int = 0
    # The first total that it gave, None while it gave none.
    first_total: int | None = None
    # The least total that it gave: a list that shrinks while it is read is whole without what left it.
    total: int | None = None
    # How many things may come, None before the first page; where no page gives a total, as many as Intercom's longest listing reaches.
    most: int | None = None
    # Pages so far.
    pages: int = 0
    # Pages in a row without anything new.
    fruitless: int = 0
    # How many things stood on the largest page.
    largest: int = 0

    @property
    def count(self) -> int:
        """How many things it showed."""
        return len(self.ids) + self.nameless

    @property
    def is_short(self) -> bool:
        """Whether it showed fewer things than it says that there are."""
        return self.total is not None and self.count < self.total

    def add(self, items: Sequence[Body]) -> None:
        """Things that were shown."""
        ids = [item["id"] for item in items if item.get("id") is not None]
        self.ids.update(map(str, ids))
        self.nameless += len(items) - len(ids)

    def take(self, body: Body, items: Sequence[Body], last_page: bool) -> None:
        """One more page. Raises Implausible where the list should have ended before."""
        before = self.count
        self.add(items)
        self._check_total(whole(body.get("total_count")), least(body, len(items)))
        self.pages += 1
        self.largest = max(self.largest, len(items))
        self.fruitless = 0 if self.count > before else self.fruitless + 1
        if not last_page:
            self._check_end()

    def _check_total(self, total: int | None, least_of_all: int) -> None:
        if self.most is None:
            self.most = UNTOLD if total is None else ceil(max(total, least_of_all) * GROWTH) + MARGIN
        if total is None:
            return
        self.first_total = total if self.first_total is None else self.first_total
        if total * GROWTH < self.first_total:
            raise Implausible(f"the list said that there are {self.first_total}, and then {total}")
        self.total = total if self.total is None else min(self.total, total)

    def _check_end(self) -> None:
        assert self.most is not None
        if self.fruitless >= FRUITLESS:
            raise Implausible("the list goes on and shows nothing new again and again")
        size = max(self.largest, 1 if self.first_total else PAGE)
        if self.count > self.most or self.pages > ceil(self.most / size) + PAGES:
            raise Implausible(f"the list goes on after {self.count} items on {self.pages} pages, and promised fewer")
