"""Globs over whole addresses: `*` stays within a segment, `**` crosses slashes, an exact address always matches itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from reconciler.core.address import Address
from reconciler.core.privacy import shown

_WILD = {"**": ".*", "*": "[^/]*", "?": "[^/]"}


@lru_cache(maxsize=256)
def _pattern(glob: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*|\?)", glob)
    return re.compile("".join(_WILD.get(part, re.escape(part)) for part in parts), re.DOTALL)


def matches(globs: Iterable[str], names: Iterable[str]) -> bool:
    """Whether one of the globs is, or matches, one of the names of a thing."""
    names = tuple(names)
    return any(glob in names or any(_pattern(glob).fullmatch(name) for name in names) for glob in globs)


def names(address: Address, app_id: str) -> tuple[str, str]:
    """What an address may be called on the command line: as written, and as reports show it."""
    return str(address), shown(address, app_id)
