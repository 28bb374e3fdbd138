"""Reports of at most so many bytes: blocks of lines share the room, and say how many lines they leave out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

# GitHub takes 65,536 characters. No host counts more than bytes, and the pipeline has room for a line of its own.
LONGEST = 64_000


@dataclass(frozen=True)
class Block:
    """A part of the report."""

    # What must be there before the lines.
    head: str
    # Makes the lines anew: a large plan is not held as text.
    lines: Callable[[], Iterable[str]] = tuple
    # What must be there after them.
    tail: str = ""
    # Says how many lines are left out, in place of `{left}`.
    more: str = ""
    # The most bytes that the lines may take.
    most: int = LONGEST

    def render(self, room: int) -> tuple[str, int]:
        """The block with the lines that fit into so many bytes, and how many do not."""
        lines, number_hidden = _fitting(self.lines(), room)
        return self.head + "".join(lines) + (self.more.format(left=number_hidden) if number_hidden else "") + self.tail, number_hidden

    @property
    def fixed_size(self) -> int:
        """How many bytes the block takes without its lines."""
        return size_of(self.head + self.tail + self.more.format(left=10**9))


def lay_out(room: int, *ranks: Sequence[Block]) -> tuple[str, int]:
    """The blocks in so many bytes, and how many lines and blocks are left out. Each rank shares what those before it leave."""
    blocks = [block for rank in ranks for block in rank]
    least = _least(blocks, room)
    room -= sum(block.fixed_size for block in least)
    shares: list[int] = []
    for rank in ranks:
        share = _shares([_needs(block) for block in least[len(shares) : len(shares) + len(rank)]], room)
        shares += share
        room -= sum(share)
    parts = [block.render(share) for block, share in zip(least, shares, strict=True)]
    return "".join(part for part, _ in parts), sum(number for _, number in parts) + len(blocks) - len(least)


def _least(blocks: Sequence[Block], room: int) -> Sequence[Block]:
    """The blocks whose heads fit: all, unless somebody wrote names to break this."""
    blocks_that_fit = []
    for block in blocks:
        room -= block.fixed_size
        if room < 0:
            break
        blocks_that_fit.append(block)
    return blocks_that_fit


def _needs(block: Block) -> int:
    """How many bytes the lines would take, at most as many as they may."""
    total = 0
    for line in block.lines():
        total += size_of(line)
        if total > block.most:
            return block.most
    return total


def _shares(needs: Sequence[int], room: int) -> list[int]:
    """Room for each: small ones are whole, and large ones share the rest."""
    shares = [0] * len(needs)
    for place, i in enumerate(sorted(range(len(needs)), key=lambda i: needs[i])):
        shares[i] = min(needs[i], room // (len(needs) - place))
        room -= shares[i]
    return shares


def _fitting(lines: Iterable[str], room: int) -> tuple[list[str], int]:
    """The first lines that fit into so many bytes, and how many do not."""
    fitting, number_hidden = [], 0
    for line in lines:
        room -= size_of(line)
        if room >= 0 and not number_hidden:
            fitting.append(line)
        else:
            number_hidden += 1
    return fitting, number_hidden


def size_of(line: str) -> int:
    """How many bytes of UTF-8."""
    return len(line) if line.isascii() else len(line.encode("utf-8"))
