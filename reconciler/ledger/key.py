"""The key of the digests: random, kept beside the file ledger or given by the environment; without it a ledger counts as lost."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from reconciler.errors import Usage
from reconciler.ledger import door
from reconciler.ledger.errors import LedgerUnusable

KEY_VARIABLE = "RECONCILER_LEDGER_KEY"
_KEY_BYTES = 32
MAKE_ONE = f"make a key with: openssl rand -hex {_KEY_BYTES}"


def read_key(folder: Path, environ: Mapping[str, str]) -> bytes | None:
    """The key of the digests, from the environment or the folder; None if there is none."""
    if text := environ.get(KEY_VARIABLE, "").strip():
        return _read_environment(text)
    path = folder / "key"
    try:
        with door.reader(path) as file:
            key = _decode(file.read().decode("ascii", "replace"))
    except FileNotFoundError:
        return None
    if key is None:
        raise LedgerUnusable(str(path), f"it is not {2 * _KEY_BYTES} hexadecimal digits", "restore it, or move it away to start a new one")
    return key


def make_key(folder: Path, environ: Mapping[str, str]) -> bytes:
    """A new key, kept in the folder; if another process was faster, its key."""
    key = secrets.token_bytes(_KEY_BYTES)
    draft = folder / f".key-{secrets.token_hex(4)}"
    try:
        with door.writer(draft, new=True) as file:
            file.write(f"{key.hex()}\n".encode("ascii"))
        with suppress(FileExistsError):
            os.link(draft, folder / "key")
    finally:
        draft.unlink(missing_ok=True)
    return read_key(folder, environ) or key


def make_spare_key() -> bytes:
    """A key that nobody keeps: nothing that was written is known by it."""
    return secrets.token_bytes(_KEY_BYTES)


def _read_environment(text: str) -> bytes:
    key = _decode(text)
    if key is None:
        raise Usage(f"{KEY_VARIABLE} is not {2 * _KEY_BYTES} hexadecimal digits; {MAKE_ONE}")
    return key


def _decode(text: str) -> bytes | None:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        return None
    return key if len(key) == _KEY_BYTES else None
