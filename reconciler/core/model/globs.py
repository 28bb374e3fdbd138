"""Globs over whole addresses: `*` stays within a segment, `**` crosses slashes, `\\*` is a star; an exact address means itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from functools import lru_cache

from reconciler.core.model.address import Address
from reconciler.core.model.privacy import show_address

_PART = re.compile(r"\\([\\*?\[\]])|(\*\*|\*|\?)")
_WILD = {"**": ".*", "*": "[^/]*", "?": "[^/]"}


@lru_cache(maxsize=256)
def _pattern(glob: str) -> re.Pattern[str]:
    pieces: list[str] = []
    at = 0
    for part in _PART.finditer(glob):
        pieces += (re.escape(glob[at : part.start()]), _WILD[part[2]] if part[2] else re.escape(part[1]))
        at = part.end()
    return re.compile("".join(pieces) + re.escape(glob[at:]), re.DOTALL)


def matches(globs: Iterable[str], names: Iterable[str], exact: Set[str] = frozenset()) -> bool:
    """Whether one of the globs is, or matches, one of the names of a thing; those that are `exact` match nothing else."""
    names = tuple(names)
    return any(glob in names or (glob not in exact and any(map(_pattern(glob).fullmatch, names))) for glob in globs)


def plain(glob: str) -> str | None:
    """The one name that a glob without wildcards means; None where it has some."""
    if any(part[2] for part in _PART.finditer(glob)):
        return None
    return _PART.sub(lambda part: part[1], glob)


def names(address: Address, app_id: str) -> tuple[str, str]:
    """What an address may be called on the command line: as written, and as reports show it."""
    return str(address), show_address(address, app_id)
