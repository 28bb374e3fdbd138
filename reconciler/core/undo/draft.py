"""What is found out on the way from a run to its undo."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from reconciler.core.compare.index import Index
from reconciler.core.model.address import Address, address_by
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Snapshot
from reconciler.core.model.note import Note
from reconciler.core.model.record import Thing
from reconciler.core.model.recorded import Recorded
from reconciler.core.model.refusal import Refusal
from reconciler.core.undo.preimage import Preimage
from reconciler.errors import Mark

CHANGED, LOST = "changed since", "cannot come back"
ELSEWHERE, ENCRYPTED = "was kept only on the machine of that run", "is encrypted"

Carried = frozenset[str] | None
NOTHING: Mapping[Any, Any] = MappingProxyType({})

Place = tuple[Address, str]
"""An address and a path in it; the whole of it where that is empty."""


@dataclass
class Part:
    """What is to become of one thing."""

    # Its kind.
    kind: Kind
    # Its live id; None for what comes back under a new one.
    id: str | None
    # The identity that names it.
    by: str
    # The value of that identity.
    key: str
    # The values that it is to have, by field.
    fields: dict[str, Any] = field(default_factory=dict)
    # Where it is to end: `present`, `archived` or `absent`; None where only its fields and links are meant.
    state: str | None = None
    # Whether each link is to be there, by list and other end.
    links: dict[str, dict[Thing, bool]] = field(default_factory=dict)

    @property
    def address(self) -> Address:
        return address_by(self.kind.name, self.by, self.key)

    def claim(self, path: str, value: Any) -> None:
        """Set a value that is to be there; `path` may lead into a map, as in `custom_attributes.plan`."""
        name, dot, key = path.partition(".")
        if dot and name in self.kind.fields:
            self.fields.setdefault(name, {})[key] = value
        else:
            self.fields[path] = value
            self.key = value if path == self.by else self.key


class Draft:
    """What is worked out of an undo, step by step. A thing goes by the id that it had when the run began."""

    def __init__(
        self, kinds: Kinds, preimage: Preimage, live: Snapshot, recorded: Recorded, carried: Mapping[Thing, Carried] = NOTHING
    ) -> None:
        self.kinds = kinds
        self.preimage, self.live, self.recorded, self.carried = preimage, live, recorded, carried
        self.linked: defaultdict[Thing, list[str | None]] = defaultdict(list)
        self.touched: set[Thing] = set()
        self.mark = Mark(f"run {preimage.run}")
        self.parts: dict[Thing, Part] = {}
        self.notes: list[Note] = []
        self.hidden: list[Note] = []
        self.refusals: list[Refusal] = []
        self.skipped: set[Place] = set()
        self.files: dict[Address, tuple[str, ...]] = {}
        self.ours: set[tuple[Thing, Thing]] = set()
        self.given: set[tuple[str, str, str]] = set()
        self.indexes: dict[str, Index] = {}

    def note_loss(self, address: Address, text: str) -> None:
        self.notes.append(Note(LOST, text, address, self.mark))

    def note_hidden(self, address: Address, what: str) -> None:
        """Note that something was kept and cannot be read here."""
        self.note_loss(address, f"{what} {ENCRYPTED if self.preimage.keys else ELSEWHERE}")
        self.hidden.append(self.notes[-1])

    def note_change(self, address: Address, path: str, text: str) -> None:
        self.notes.append(Note(CHANGED, text, address, self.mark))
        self.skipped.add((address, path))

    def live_of(self, kind: str, live_id: str | None) -> Live | None:
        return self.live.things.get(kind, {}).get(live_id or "")

    def part(self, kind: str, live_id: str | None) -> Part | None:
        """What is to become of a thing that is live, or comes back; None where it is gone."""
        thing = self.live_of(kind, live_id)
        if live_id and thing and (kind, live_id) not in self.parts:
            about = self.kinds[kind]
            by = "id" if about.person else about.identities[0].field
            self.parts[kind, live_id] = Part(about, live_id, by, live_id if by == "id" else str(thing.fields[by]))
        return self.parts.get((kind, live_id or ""))

    def awake(self, kind: Kind, live_id: str | None) -> Part | None:
        """What is to become of a thing that is live; None where it is gone or lies in the archive, which leaves it there."""
        thing = self.live_of(kind.name, live_id)
        return None if thing is None or kind.dormant(thing) else self.part(kind.name, live_id)
