"""Writes whose end is unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Place(NamedTuple):
    """What a write was about."""

    # The digest of the address of its thing.
    thing: str
    # Of a link, its list.
    link: str = ""
    # The digest of the address of its other end.
    target: str = ""


class Disproof(NamedTuple):
    """A write that is known not to be done."""

    # What it was about.
    place: Place
    # When it was sent, in Unix seconds.
    sent_at: float


class Attempt(NamedTuple):
    """A planned write of which nobody knows whether it was done."""

    # The action of its change.
    action: str
    # When its call was about to be sent, in Unix seconds; 0 where it never was.
    intended_at: float
    # Whether its run had proved that the thing, or the link, was not there.
    proof: bool
    # Whether Intercom answered.
    answered: bool
    # Digests of the values that it was to write, by path.
    fields: Mapping[str, str]
    # The kind of its thing.
    kind: str = ""
    # The live id that its call named.
    thing_id: str | None = None
    # The live id of the other end, of a link.
    target_id: str | None = None
    # The paths of the files that its run read.
    files: Sequence[str] = ()
    # The live id of who kept a unique value of it in the archive, so that Intercom answered 409.
    holder: str | None = None
    # When that was seen first, in Unix seconds.
    held_since: float = 0.0

    def links(self, source_id: str, target_id: str) -> bool:
        """Whether its call was about these live things, if it named any."""
        return self.thing_id in (None, source_id) and self.target_id in (None, target_id)

    @property
    def is_lost(self) -> bool:
        """Whether the thing that it creates may exist, made by us: the call was sent and never answered, and the thing was proved not to
        exist before."""
        return self.proof and self.intended_at > 0 and not self.answered
