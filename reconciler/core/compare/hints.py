"""Hints: where to look for declared things, from what the ledger knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field

from reconciler.core.model.address import Address, LinkName


def _no_ends(link: LinkName, source_id: str) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Hints:
    """What the ledger knows of where to look. `ids` are asked for before any search, `last` when nothing else found somebody.

    `also` are live ids of each kind that are read though nothing of it is declared, `every` kinds of which all is read that a listing
    shows, `ends` the ids at the other ends of a thing's links that must have a name.
    """

    ids: Mapping[Address, str] = field(default_factory=dict)
    last: Mapping[Address, str] = field(default_factory=dict)
    also: Mapping[str, Set[str]] = field(default_factory=dict)
    every: Set[str] = frozenset()
    ends: Callable[[LinkName, str], Iterable[str]] = _no_ends


NO_HINTS = Hints()
