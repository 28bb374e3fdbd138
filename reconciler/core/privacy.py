"""How personal values are shown: masked, yet so that two can be told apart."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any

from reconciler.core.address import Address
from reconciler.core.values import mask

# Without the look behind, a long text without blanks takes quadratic time.
MAIL = re.compile(r"(?<![^\s@])[^\s@]+@[^\s@]+")
# An address that is masked already.
_MASKED = re.compile(r"(?:[a-z]+/)?[^\s@/]\*\*\*@[^\s@]+")


def shown(address: Address, app_id: str = "") -> str:
    """An address as every artifact writes it: an e-mail in it is masked and followed by eight hex of a digest over app id and address."""
    if not MAIL.fullmatch(address.key):
        return str(address)
    masked = f"{address.kind}/{mask(address.key)}"
    if not app_id:
        return masked
    digest = hashlib.sha256(f"{app_id}\0{address.kind}/{address.key.casefold()}".encode()).hexdigest()
    return f"{masked}#{digest[:8]}"


def without(text: str, values: Iterable[str]) -> str:
    """Somebody else's message in which none of these personal values is readable."""
    for value in sorted(filter(None, values), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "***", text, flags=re.IGNORECASE)
    return text


def hidden(value: Any, personal: bool) -> Any:
    """A value as every artifact writes it: personal ones masked, and whatever looks like an e-mail."""
    if isinstance(value, str):
        return mask(value) if personal else MAIL.sub(lambda m: m[0] if _MASKED.fullmatch(m[0]) else mask(m[0]), value)
    if isinstance(value, dict):
        return {key: hidden(item, personal) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [hidden(item, personal) for item in value]
    return "***" if personal and value is not None else value
