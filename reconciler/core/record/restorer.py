"""The restorer: what a run that takes another one back leaves in the ledger."""

from __future__ import annotations

from dataclasses import dataclass, replace

from reconciler.core.model.address import Address, id_in
from reconciler.core.model.change import Action, LinkChange, ThingChange
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.record import LinkOrigin, Record, with_link, without_link
from reconciler.core.model.recorded import Ownership
from reconciler.core.record.writer import RecordWriter


@dataclass(frozen=True, slots=True)
class Restorer(RecordWriter):
    """Writes the records of an undo: what is known keeps its name and its owner, what comes back is ours if it was."""

    # What of all that comes back was ours before.
    ownership: Ownership = Ownership()

    def record_change(self, before: Record | None, change: ThingChange, outcome: Outcome) -> Record | None:
        is_new = change.action is Action.CREATE
        if before is None and (not is_new or outcome.met or change.address not in self.ownership.files):
            return None
        record = RecordWriter.record_change(self, before, change, outcome)
        return replace(record, files=self.ownership.files[change.address]) if record and before is None else record

    def record_link(self, before: Record | None, change: LinkChange, source_id: str, target_id: str, outcome: Outcome) -> Record | None:
        if before is None:
            return None
        record = replace(before, run=self.run, written=self.now)
        if change.action is Action.ATTACH and (change.address, change.target) in self.ownership.links:
            return with_link(record, change.link.field, target_id, LinkOrigin.OWNED, self.now)
        return without_link(record, change.link.field, target_id)

    def _move(self, record: Record, address: Address) -> Record:
        # By its id an undo names whom a manifest names otherwise.
        return replace(record, run=self.run) if id_in(address) == record.id else RecordWriter._move(self, record, address)
