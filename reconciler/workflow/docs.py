"""Docs: what the ledger knows of the taxonomy, and its files as they are written, none of them over what somebody else made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.core.model.address import Address
from reconciler.core.model.desired import Manifest
from reconciler.core.model.kind import Kind
from reconciler.errors import ReconcilerError, Usage
from reconciler.manifest.files import replace_all
from reconciler.workflow.recall import recall_offline

if TYPE_CHECKING:
    from reconciler.ledger.ledger import Ledger

# The marker of a file of ours stands among its first bytes.
HEAD = 200


def look_up_since(ledger: Ledger, manifest: Manifest, kind: Kind) -> Mapping[Address, float]:
    """When the declared things of a kind were first recorded, in Unix seconds, as far as a ledger knows. Raises LedgerUnusable."""
    recorded = recall_offline(ledger, manifest)
    records = {address: recorded.at(address) for address in manifest.resources if address.kind == kind.name}
    return {address: record.first for address, record in records.items() if record and record.first is not None}


def write_ours(texts: Mapping[Path, str], marker: str) -> None:
    """Write files, all or none, each in one step. Raises Usage where something lies in the way that has no such marker, OSError."""
    before = {str(path): _read(path) for path in texts}
    for path, bytes_before in before.items():
        if bytes_before and marker.encode() not in bytes_before[:HEAD]:
            raise Usage(f"{path} is there, and was not made by this command; move it away, or give another folder with -o")
    replace_all(before, {str(path): text.encode("utf-8", "surrogatepass") for path, text in texts.items()})


def differs(path: Path, text: str) -> bool:
    """Whether a file holds another text; a checkout may have given it other line ends. Raises ReconcilerError."""
    return _read(path).replace(b"\r\n", b"\n") != text.encode("utf-8", "surrogatepass")


def _read(path: Path) -> bytes:
    """What a file holds; nothing where there is none. Raises ReconcilerError."""
    try:
        if path.exists() and not path.is_file():
            raise Usage(f"{path} is there, and is no file; move it away, or give another folder with -o")
        return path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise ReconcilerError(f"{path} cannot be read: {error.strerror}") from None
