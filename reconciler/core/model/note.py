"""A note: what people are to know of a plan and nothing stops."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.core.model.address import Address
from reconciler.errors import Mark


@dataclass(frozen=True, slots=True)
class Note:
    """Something people should know that is no change."""

    # What it is about, in the word by which reports group notes.
    topic: str
    # What is to be known.
    message: str
    # Of which thing; None for the whole.
    address: Address | None = None
    # Where that is declared.
    mark: Mark | None = None
    # Whether it says that something was sent and never proved, or is not done now though it is declared: no success.
    is_open: bool = False
    # From when on another try is worth it, in Unix seconds; None where only a person can help.
    until: float | None = None
