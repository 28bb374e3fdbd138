"""What adopt finds: a line a thing, with what it means for the ledger."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.model.privacy import show_address
from reconciler.core.record.adoption import Adoption, Find, Standing
from reconciler.report.signs import columns, count
from reconciler.report.terminal import clean, reveal

_SAYS = {
    Standing.UNKNOWN: "will be taken over",
    Standing.RECORDED: "will be taken over",
    Standing.OURS: "ours already",
}


def lines(adoption: Adoption, app_id: str) -> Iterator[str]:
    """Address, id, and what changes: as wide as the widest needs."""
    return columns((reveal(show_address(find.address, app_id)), find.id, says(find)) for find in adoption.finds)


def says(find: Find) -> str:
    """What adopting means for one thing."""
    if find.standing is Standing.FOREIGN:
        owner = clean(find.owner)
        return f"belongs to `name: {owner}`; `reconciler forget` it there first"
    links = f"; {count(find.links, 'link')} {'becomes' if find.links == 1 else 'become'} ours" if find.links else ""
    return _SAYS[find.standing] + links


def left_out(adoption: Adoption) -> str:
    """Why some of what was declared is not listed; empty where all is."""
    return ", ".join(f"{number} {why}" for why, number in adoption.omissions.items())
