"""Narrow: the part of a manifest that some addresses need to be compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from reconciler.core.address import Address
from reconciler.core.kind import Kind
from reconciler.core.resource import Manifest


def narrow(kinds: Sequence[Kind], manifest: Manifest, wanted: Callable[[Address], bool]) -> Manifest:
    """Only the wanted resources, the ends of their links, and the kinds whose listing is whole, which cost one read."""
    whole = {kind.name for kind in kinds if kind.whole}
    kept = {address for address in manifest.resources if wanted(address)}
    ends = {
        end
        for address in kept
        for links in manifest.resources[address].links.values()
        for end in (*links.present, *links.absent)
    }
    keep = kept | ends | {address for address in manifest.resources if address.kind in whole}
    beside = frozenset(a for a, r in manifest.resources.items() if a not in keep and not r.gone)
    return replace(manifest, resources={a: r for a, r in manifest.resources.items() if a in keep}, beside=beside)
