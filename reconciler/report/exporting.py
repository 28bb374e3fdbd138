"""What an export says on stderr: what went where, what was left out and why, and what a manifest says otherwise than live."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, Change, LinkChange
from reconciler.core.model.privacy import hide, show_address
from reconciler.errors import PLACES
from reconciler.kinds import KINDS
from reconciler.report.terminal import reveal


def list_written(counts_by_section: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """A line for each file that has something new in it."""
    for path, counts in counts_by_section.items():
        yield f"{path}: {count_sections(counts) or 'nothing is live'}"


def count_sections(counts: Mapping[str, int]) -> str:
    """`400 tags, 3,000 companies`; empty where there is nothing."""
    words = {section: KINDS.by_section[section].name if number == 1 else section for section, number in counts.items()}
    return ", ".join(f"{number:,} {words[section]}" for section, number in counts.items() if number)


def list_left_out(omissions: Iterable[tuple[Address, str]], app_id: str) -> Iterator[str]:
    """What an export could not hold, one line for each cause."""
    causes: dict[tuple[str, str], list[Address]] = {}
    for address, why in omissions:
        causes.setdefault((address.kind, re.sub(r'"[^"]*" ', "", why)), []).append(address)
    for (_, why), addresses in causes.items():
        names = ", ".join(show_address(address, app_id) for address in addresses[:PLACES])
        more = f" and {len(addresses) - PLACES:,} more" if len(addresses) > PLACES else ""
        yield reveal(f"left out: {names}{more}: {hide(why, False)}")


def list_kept(changes: Iterable[Change], app_id: str) -> Iterator[str]:
    """What is written otherwise than live, a line for each entry and list."""
    reasons: dict[tuple[Address, str], list[str]] = {}
    for change in changes:
        if isinstance(change, LinkChange):
            link = f"{change.link.field} ({show_address(change.target, app_id)})"
            reasons.setdefault((change.address, str(change.mark)), []).append(link)
        else:
            names = [field.path for field in change.fields] or [str(change.action)]
            reasons.setdefault((change.address, str(change.mark)), []).extend(names)
    for (address, mark), names in reasons.items():
        yield reveal(f"kept as written, live is otherwise: {show_address(address, app_id)}: {', '.join(names)} ({mark})")


# What live has where a thing itself moved.
_NOW: Mapping[str, str] = {Action.CREATE: "gone", Action.DELETE: "there", Action.ARCHIVE: "active"}


def list_accepted(changes: Iterable[Change], app_id: str) -> Iterator[str]:
    """What the manifest says now as live has it, a line for each change that would have put it right."""
    for change in changes:
        if isinstance(change, LinkChange):
            text = f"{change.link.field} {show_address(change.target, app_id)}"
        else:
            text = ", ".join(field.path for field in change.fields) if change.action not in _NOW else _NOW[change.action]
        yield reveal(f"as live has it: {show_address(change.address, app_id)}: {text}")
