"""Keyed digests: what the ledger knows people and values by, so that neither can be read back from it."""

from __future__ import annotations

import hmac
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from reconciler.core.model.address import Address

# 128 bits of HMAC-SHA256: a billion addresses collide with a chance below 10^-20, in half the space.
_HEX = 32
# A claim is held against one other value only: 64 bits.
_CLAIM_HEX = 16
_MAIL = re.compile(r"[^\s@]+(?:@[^\s@]+)+")


class Digests:
    """The digests that one key makes; another key makes others, for which the ledger holds nothing."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @property
    def fingerprint(self) -> str:
        """What tells two keys apart without showing either."""
        return self._of("key")

    def thing(self, app_id: str, address: Address) -> str:
        return self._of(f"{app_id}\0{address}")

    def place(self, app_id: str, address: Address, path: str) -> str:
        """A field of a thing."""
        return self._of(f"{app_id}\0{address}\0{path}")

    def claim(self, salt: str, path: str, value: Any) -> str:
        """The value of a field of the thing that the salt is of; equal values (1 and 1.0) have one digest."""
        return self._of(f"{salt}\0{path}\0{_canonical(value)}")[:_CLAIM_HEX]

    def plain(self, text: str) -> str:
        """The text as it may stand in a ledger: whatever looks like an e-mail is replaced by its digest, half a surrogate pair by its code.

        What it answers stays as it is when it is given again.
        """
        text = text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
        return _MAIL.sub(lambda match: f"#{self._of(match[0])[:8]}", text) if "@" in text else text

    def plainly(self, value: Any) -> Any:
        """A value made of maps and lists, with every text in it as it may stand in a ledger."""
        if isinstance(value, Mapping):
            return {self.plain(str(key)): self.plainly(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.plainly(item) for item in value]
        return self.plain(value) if isinstance(value, str) else value

    def address(self, address: Address) -> str:
        """An address for people, as it may stand in a ledger."""
        return f"{address.kind}/{self.plain(address.key)}"

    def _of(self, text: str) -> str:
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), "sha256").hex()[:_HEX]


def _canonical(value: Any) -> str:
    """One text for all values that `core.values.same` holds equal, another for any other."""
    if isinstance(value, Mapping):
        return "{" + ",".join(sorted(f"{_canonical(key)}:{_canonical(item)}" for key, item in value.items())) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_canonical, value)) + "]"
    if isinstance(value, (float, Decimal)):
        return repr(int(value)) if math.isfinite(value) and value == int(value) else repr(float(value))
    return repr(str(value) if isinstance(value, str) else value)
