"""Undoable: from where what a run destroys, or destroyed, can be brought back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.core.model.finding import Finding, State
from reconciler.core.model.jsons import parse_json
from reconciler.core.model.past import Undoable, Way
from reconciler.errors import ReconcilerError
from reconciler.kinds import KINDS
from reconciler.ledger.sealing import KEY_FILE, name_keys, public_keys, read_identities

if TYPE_CHECKING:
    from reconciler.ledger.homes.images import Images

TOPIC = "undo"
_WRITE = "write the public key of a pair into the manifest, `policy: {undo_keys: [age1…]}`"


@dataclass(frozen=True, slots=True)
class Keeping:
    """What decides where the pre-images of the next run lie, and who reads them."""

    # The address of the ledger; empty for the file.
    address: str
    # The public keys of the manifest.
    keys: Sequence[str]
    # The file of the private keys; empty where none is given.
    key_file: str
    # Whether this machine is gone when its run has ended.
    passing: bool


def look_at_undo(keeping: Keeping) -> Finding:
    """From where the next run can be undone: from anywhere with a key, on its own machine, or not at all."""
    if keeping.address == "none":
        return Finding(TOPIC, State.NOTE, "none: without a ledger nothing is kept")
    if keeping.keys:
        return _look_at_keys(keeping)
    if keeping.passing:
        text = "in part, links and what is not personal: what people had is gone with this machine"
        return Finding(TOPIC, State.NOTE, text, f"{_WRITE}, and undo works from anywhere")
    if keeping.address:
        text = "local: only the machine that applied can bring back what people had"
        return Finding(TOPIC, State.NOTE, text, f"for undo from anywhere {_WRITE}")
    return Finding(TOPIC, State.OK, "local: on this machine")


def _look_at_keys(keeping: Keeping) -> Finding:
    key_needed = f"from anywhere, with the private key of {name_keys(keeping.keys)}"
    if not keeping.key_file:
        return Finding(TOPIC, State.OK, f"{key_needed}; {KEY_FILE} is not set here")
    try:
        ours = public_keys(read_identities(keeping.key_file))
    except ReconcilerError as error:
        return Finding(TOPIC, State.MEND, str(error))
    if set(ours).isdisjoint(keeping.keys):
        text = f"{key_needed}, and {keeping.key_file} holds that of {name_keys(ours)}"
        return Finding(TOPIC, State.MEND, text, f"give the file of one of these as {KEY_FILE}")
    return Finding(TOPIC, State.OK, f"{key_needed}; {keeping.key_file} has it")


def look_at_run(images: Images, run: str, now: float) -> Undoable:
    """From where a run can be undone. What is damaged counts as not kept; `undo` says more. Raises LedgerUnusable."""
    # Most verbs look at no pre-image.
    from reconciler.core.undo.preimage import KEPT
    from reconciler.core.undo.stored import hides_values, join_preimage, read_sealed

    documents = images.of(run)
    try:
        shared = parse_json(documents.shared) if documents else None
        preimage = join_preimage(run, shared, {}, KINDS)
    except ValueError:
        return Undoable(Way.NONE)
    if documents is None or preimage.is_expired(now):
        return Undoable(Way.NONE)
    until = preimage.stored + KEPT
    if read_sealed(shared):
        return Undoable(Way.KEY, preimage.keys, until)
    way = Way.HERE if documents.private else Way.ELSEWHERE if hides_values(preimage, KINDS) else Way.ANYWHERE
    return Undoable(way, until=until)
