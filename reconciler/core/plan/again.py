"""Again: how surely each thing that a plan touches is looked at before the first write. Pure.

What cannot be taken back, or goes by an id alone, is read by that id. A link that goes only because it is ours is looked for in the whole
list of its source. What somebody wrote down can be asked for again as often as one likes, and the reply to each write proves it: there
a search is enough, which shows 150 things a call and may be some minutes old.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from reconciler.core.compare.reads import Certain
from reconciler.core.compare.since import is_owned_detach
from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.change import Action, Change
from reconciler.core.model.desired import Manifest
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.note import Note
from reconciler.core.plan.schema import ChangeDocument

# Up to so many things of a kind whose fields move are read one by one; a search shows as many at once.
MANY = 150
# What can be asked for again, and taken back.
_LENIENT = (Action.ATTACH, Action.DETACH, Action.UPDATE)


class Touch(NamedTuple):
    """A change as far as it says what is to be looked at."""

    # What is done.
    action: str
    # The thing; of a link its source.
    address: Address
    # The other end of a link.
    target: Address | None
    # The fields that move.
    paths: tuple[str, ...]


def list_touches(changes: Iterable[Change]) -> Iterator[Touch]:
    """The changes of a plan."""
    return (Touch(c.action.value, c.address, c.target, tuple(field.path for field in c.fields)) for c in changes)


def read_touches(changes: Iterable[ChangeDocument], names: Mapping[str, Address]) -> Iterator[Touch]:
    """The changes of a saved plan at what is declared; `names` are the addresses as they are shown. Of an end that is not declared any more
    the kind is all that matters."""
    for change in changes:
        if address := names.get(change["address"]):
            shown = change["target"]
            target = names.get(shown) or Address(*shown.split("/", 1)) if shown else None
            yield Touch(change["action"], address, target, tuple(field["path"] for field in change["fields"]))


def choose_reads(kinds: Kinds, manifest: Manifest, touches: Iterable[Touch], *, fresh: bool = False) -> Certain:
    """What must be seen by a strong read before these changes are made. `fresh`: all was seen a moment ago, by this command."""
    sure, lists = set[Address](), set[tuple[LinkName, Address]]()
    updates: dict[str, set[Address]] = defaultdict(set)
    for touch in touches:
        kind = kinds[touch.address.kind]
        if touch.action not in _LENIENT or _moves_identity(kind, touch):
            sure.add(touch.address)
        elif touch.action == Action.UPDATE:
            updates[kind.name].add(touch.address)
        elif touch.target and is_owned_detach(manifest, touch.action, touch.address, touch.target):
            link = next(link for link in kind.links if link.target == touch.target.kind)
            if link.listing:
                lists.add((link.name, touch.address))
            else:
                sure.add(touch.address)
    for addresses in updates.values():
        sure |= addresses if len(addresses) <= MANY and not fresh else set()
    return Certain(frozenset(sure), frozenset(lists))


def _moves_identity(kind: Kind, touch: Touch) -> bool:
    """Whether it is another one afterwards who is meant by a name."""
    return touch.action == Action.UPDATE and any(path in kind.fields and kind.fields[path].moves for path in touch.paths)


def note_freshness(kinds: Kinds, manifest: Manifest, changes: Iterable[Change]) -> tuple[Note, ...]:
    """Notes on things whose fields move and that are too many to be read one by one."""
    touches = tuple(list_touches(changes))
    certain, weak = choose_reads(kinds, manifest, touches), defaultdict[str, set[Address]](set)
    for touch in touches:
        if touch.action == Action.UPDATE and touch.address not in certain.things and not kinds[touch.address.kind].whole:
            weak[touch.address.kind].add(touch.address)
    return tuple(Note("freshness", _explain(kinds[name], len(addresses))) for name, addresses in sorted(weak.items()))


def _explain(kind: Kind, number: int) -> str:
    fresh = "as fresh as Intercom's search" if kind.search else "as fresh as Intercom's list"
    return f"{number:,} {kind.section} get other fields, too many to read each by its id before the first write: they are seen {fresh}"
