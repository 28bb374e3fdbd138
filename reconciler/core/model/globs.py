"""Globs over whole addresses: `*` stays within a segment, `**` crosses slashes, `\\*` is a star; an exact address means itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from functools import lru_cache

from reconciler.core.model.address import Address
from reconciler.core.model.privacy import show_address

_PART = re.compile(r"\\([\\*?\[\]])|(\*\*|\*|\?)")


@lru_cache(maxsize=256)
def _pattern(glob: str) -> re.Pattern[str]:
    """What follows a star is taken where it stands first, and never looked for again: a later place leaves no more to the stars behind it.
    Only the last ones are held against the end of the name. So a glob of many stars takes no longer than the square of a name."""
    *stretches, last = _split(glob)
    start, *more = [piece + "".join(f"(?>[^/]*?{after})" for after in rest) for piece, *rest in stretches] or [""]
    piece, *rest = last
    end = piece + "".join(f"(?>[^/]*?{after})" for after in rest[:-1]) + "".join(f"[^/]*{after}" for after in rest[-1:])
    middle = "".join(f"(?>.*?{stretch})" for stretch in more)
    return re.compile(f"{start}{middle}{'.*' if stretches else ''}{end}", re.DOTALL)


def _split(glob: str) -> list[list[str]]:
    """The stretches of a glob between `**`, each as its pieces between `*`."""
    stretches, at = [[""]], 0
    for part in _PART.finditer(glob):
        stretches[-1][-1] += re.escape(glob[at : part.start()])
        at = part.end()
        if part[2] == "**":
            stretches.append([""])
        elif part[2] == "*":
            stretches[-1].append("")
        else:
            stretches[-1][-1] += "[^/]" if part[2] else re.escape(part[1])
    stretches[-1][-1] += re.escape(glob[at:])
    return stretches


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
