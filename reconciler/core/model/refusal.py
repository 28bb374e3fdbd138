"""Why a plan may not be applied: a value with the gate that says so, and the entries that it concerns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from reconciler.core.model.address import Address
from reconciler.core.model.change import Change
from reconciler.errors import PLACES

# A message that begins with the place of the one entry that it is about.
PLACE = re.compile(r"(?P<place>[^\n]+?:\d+:\d+): (?P<what>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a plan is refused, or a part of it."""

    # The reason's short name, as `limits.deletes`.
    gate: str
    # What is wrong and what to do now, in one sentence.
    message: str
    # What a person may add to the command line to go on; None where only another plan helps.
    approve: str | None = None
    # The changes that this gate stops, and that an approval lets pass.
    changes: tuple[Change, ...] = ()
    # The entries that this is about: they and what depends on them are refused. Empty: the whole plan is.
    entries: tuple[Address, ...] = ()
    # Whom the plan leaves out, where that is what is refused: an approval is for exactly these.
    left_out: tuple[Address, ...] = ()

    def __str__(self) -> str:
        return f"{self.gate}: {self.message}"

    @property
    def entry_wide(self) -> bool:
        """Whether the rest of the plan could be applied without what this is about."""
        return bool(self.entries)


def gathered(refused: Iterable[Refusal]) -> Iterator[Refusal]:
    """Refusals in their order, those of one cause as one if they are many: with their number and the first places."""
    causes: dict[tuple[str, str], list[Refusal]] = {}
    for refusal in refused:
        told = PLACE.fullmatch(refusal.message)
        single = told is not None and len(refusal.entries) == 1 and refusal.approve is None
        causes.setdefault((refusal.gate, told["what"] if told and single else f"\0{refusal.message}"), []).append(refusal)
    for (_, what), same in causes.items():
        yield from same if len(same) <= PLACES else [_as_one(what, same)]


def _as_one(what: str, same: Sequence[Refusal]) -> Refusal:
    first, *others = sorted((refusal.message.removesuffix(f": {what}") for refusal in same), key=_in_its_file)
    wrong, semicolon, now = what.partition("; ")
    text = f"{first}: {wrong} (in {len(same):,} places, also at {', '.join(others[: PLACES - 1])}){semicolon}{now}"
    return replace(same[0], message=text, entries=tuple(dict.fromkeys(entry for refusal in same for entry in refusal.entries)))


def _in_its_file(place: str) -> tuple[str, int, int]:
    file, line, column = place.rsplit(":", 2)
    return file, int(line), int(column)
