"""Why a plan may not be applied: a value with the gate that says so, and the entries that it concerns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from reconciler.core.model.address import Address
from reconciler.core.model.change import Change
from reconciler.errors import PLACES, gather

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


def gather_refusals(refusals: Iterable[Refusal]) -> Iterator[Refusal]:
    """Refusals in their order, those of one cause as one if they are many: with their number and the first places."""
    refusals = tuple(refusals)
    # What is about several entries, or can be approved, stands for itself.
    matches = {n: match for n, r in enumerate(refusals) if len(r.entries) == 1 and not r.approve and (match := PLACE.fullmatch(r.message))}
    groups = gather(matches, lambda n: f"{refusals[n].gate}: {matches[n]['what']}")
    alone = [[n] for n in range(len(refusals)) if n not in matches]
    for group in sorted((*groups, *alone), key=lambda group: group[0]):
        yield refusals[group[0]] if len(group) == 1 else _as_one([refusals[n] for n in group], [matches[n] for n in group])


def _as_one(same: Sequence[Refusal], matches: Sequence[re.Match[str]]) -> Refusal:
    first, *others = sorted(matches, key=_in_its_file)
    problem, semicolon, now = first["what"].partition("; ")
    more = f"in {len(same):,} places" if {one["what"] for one in others} == {first["what"]} else f"and {len(others):,} more like it"
    also = ", ".join(one["place"] for one in others[: PLACES - 1])
    text = f"{first['place']}: {problem} ({more}, also at {also}; --format json names all){semicolon}{now}"
    return replace(same[0], message=text, entries=tuple(dict.fromkeys(entry for refusal in same for entry in refusal.entries)))


def _in_its_file(match: re.Match[str]) -> tuple[str, int, int]:
    file, line, column = match["place"].rsplit(":", 2)
    return file, int(line), int(column)
