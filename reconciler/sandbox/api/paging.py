"""Intercom's two ways to page through a list: cursors that name the last row of a page, and page numbers."""

from __future__ import annotations

import base64
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.sandbox.request import Request, invalid
from reconciler.sandbox.store import Doc

Show = Callable[[Request, Doc], Doc]  # how a row looks in the answer
Key = tuple[int, float | str, int]


def rank(value: object, seq: int) -> Key:
    """A sort key for values of any type: null, then numbers, then texts; equal values by age."""
    if value is None:
        return (0, 0, seq)
    return (1, value, seq) if isinstance(value, (int, float)) else (2, str(value), seq)


@dataclass(frozen=True)
class Ranked:
    """Rows in the order of their keys."""

    # ascending
    rows: list[Doc]
    # of each row, at the same place
    keys: list[Key]

    @classmethod
    def of(cls, rows: Sequence[Doc], value_of: Callable[[Doc], object]) -> Ranked:
        pairs = sorted(((rank(value_of(row), row["seq"]), row) for row in rows), key=lambda pair: pair[0])
        return cls([row for _, row in pairs], [key for key, _ in pairs])

    def after(self, key: Key | None, size: int, *, ascending: bool) -> tuple[list[Doc], Key | None]:
        """The rows that follow the key, at most `size`; and if more follow, the key of the last of them."""
        if ascending:
            start = 0 if key is None else bisect_right(self.keys, key)
            end = min(start + size, len(self.rows))
            return self.rows[start:end], self.keys[end - 1] if start < end < len(self.rows) else None
        end = len(self.rows) if key is None else bisect_left(self.keys, key)
        start = max(end - size, 0)
        return self.rows[start:end][::-1], self.keys[start] if start > 0 else None


def cursor(page: int, key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps([page, *key]).encode()).decode()


def read_cursor(text: object) -> tuple[int, Key | None]:
    """The number of the page that it stands for, and the key of the last row before it. Raises Refusal."""
    if text in (None, ""):
        return 1, None
    try:
        page, kind, value, seq = json.loads(base64.urlsafe_b64decode(str(text)))
        return max(int(page), 1), (int(kind), str(value) if kind == 2 else float(value), int(seq))
    except (ValueError, TypeError, OverflowError):
        raise invalid("starting_after is not a valid cursor") from None


def answer_cursor(request: Request, ranking: Ranked, show: Show, after: object, size: int, *, ascending: bool) -> Doc:
    """The answer for one page; `next` is missing at the end (recorded examples of POST /contacts/search)."""
    page, key = read_cursor(after)
    rows, last = ranking.after(key, size, ascending=ascending)
    pages: Doc = {"type": "pages", "page": page, "per_page": size, "total_pages": -(-len(ranking.rows) // size)}
    if last is not None:
        pages["next"] = {"page": page + 1, "starting_after": cursor(page + 1, last)}
    return {"type": "list", "data": [show(request, row) for row in rows], "total_count": len(ranking.rows), "pages": pages}


def answer_page(request: Request, rows: Sequence[Doc], show: Show, size: int = 50, most: int = 150, *, url: bool = False) -> Doc:
    """The answer for the page that the query asks for; `next` is null at the end, and a URL if `url` (pages_link, API 2.16)."""
    page, size = request.number("page", 1), request.number("per_page", size, most)
    total = -(-len(rows) // size)
    following: Any = {"page": page + 1, "per_page": size} if page < total else None
    if url and following:
        following = f"{request.base}{request.path}?" + "&".join(f"{name}={value}" for name, value in (request.query | following).items())
    pages = {"type": "pages", "next": following, "page": page, "per_page": size, "total_pages": total}
    data = [show(request, row) for row in rows[(page - 1) * size : page * size]]
    return {"type": "list", "data": data, "total_count": len(rows), "pages": pages}
