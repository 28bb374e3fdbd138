"""How things look in a terminal: a symbol, a word and a colour for each action, columns, counts, durations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from types import MappingProxyType

from rich.cells import cell_len

from reconciler.core.model.change import Action
from reconciler.report.terminal import clean, guard

# Parameters of Select Graphic Rendition (SGR), ECMA-48 8.3.117.
GREEN, YELLOW, RED, BOLD, DIM = "32", "33", "31", "1", "2"


@dataclass(frozen=True, slots=True)
class Sign:
    """The look of an action."""

    # One character.
    symbol: str
    # A parameter of SGR.
    color: str


SIGNS: Mapping[str, Sign] = MappingProxyType(
    {
        Action.CREATE: Sign("+", GREEN),
        Action.UNARCHIVE: Sign("^", GREEN),
        Action.RENAME: Sign(">", YELLOW),
        Action.UPDATE: Sign("~", YELLOW),
        Action.ATTACH: Sign("+", GREEN),
        Action.DETACH: Sign("-", RED),
        Action.ARCHIVE: Sign("v", RED),
        Action.DELETE: Sign("-", RED),
    }
)
UNKNOWN = Sign("?", BOLD)


def paint(text: str, style: str, color: bool) -> str:
    """The text in a style; as it is without `color`."""
    return f"\x1b[{style}m{text}\x1b[0m" if color and text else text


def sign(action: str, color: bool = False) -> str:
    """`+ create   `: symbol and word, as wide for every action; the first word says which it is."""
    sign = SIGNS.get(action.partition(" ")[0], UNKNOWN)
    return paint(f"{sign.symbol} {action:<9}", sign.color, color)


def cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return len(text) if text.isascii() else cell_len(text)


def pad(text: str, width: int, look: str = "") -> str:
    """A text, or how it is painted, as wide as that in a terminal."""
    return (look or text) + " " * (width - cells(text))


def columns(rows: Iterable[Sequence[str]], sample: int | None = None) -> Iterator[str]:
    """Rows of foreign text as lines, each column as wide as the rows need, or as the first ones of them."""
    rows = iter(rows)
    first = [[*map(clean, row)] for row in islice(rows, sample)]
    wide = [max(map(cells, column)) for column in zip(*first, strict=True)]
    for row in chain(first, ([*map(clean, row)] for row in rows)):
        yield guard("  ".join(map(pad, row, wide)).rstrip())


def count(number: int, word: str) -> str:
    """`1 call`, `2,000 calls`."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def duration(seconds: float) -> str:
    """Roughly how long, in the largest unit that says enough."""
    if seconds < 1:
        return "less than a second"
    if seconds < 120:
        return "about " + count(round(seconds), "second")
    return f"about {round(seconds / 60)} minutes" if seconds < 7200 else f"about {seconds / 3600:.1f} hours"
