"""The access token: trimmed or refused in one sentence, and never shown."""

from __future__ import annotations

import re
from dataclasses import dataclass

from reconciler.errors import ReconcilerError

BLANKS = " \t\r\n\f\v\u00a0\u200b\ufeff"
QUOTES = "\"'`‘’“”"
VISIBLE_ASCII = re.compile(r"[!-~]+")
# Shorter ones (the sandbox's, say) are ordinary words, and hiding them would blank out ordinary text.
WORTH_HIDING = 8


class BadToken(ReconcilerError):
    """A token that cannot be sent as it is; names where it came from, never what it is."""


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """An access token that no text of this program holds but the Authorization header."""

    # Visible ASCII without quotes; never shown.
    value: str

    def __post_init__(self) -> None:
        # http.client names the whole value when it refuses a header.
        if flaw := flaw_of(self.value):
            raise BadToken(f"the token {flaw}")

    def __repr__(self) -> str:
        return "Token(***)"

    def header(self) -> str:
        # HTTP bearer is Intercom's only scheme (Intercom API description, securitySchemes).
        return f"Bearer {self.value}"

    @property
    def looks_cut(self) -> bool:
        """Whether it cannot be whole base64, which Intercom's tokens are: their last `=` is easily left behind when copied."""
        return len(self.value) % 4 != 0

    def hide(self, text: str) -> str:
        """Foreign text without the token, should somebody have echoed it."""
        return text.replace(self.value, "***") if len(self.value) >= WORTH_HIDING else text


def parse(text: str, source: str, name: str = "token") -> Token:
    """The token, or another secret, that `source` (a variable, a file, a prompt) gave; blanks and line ends around it do not count."""
    value = text.strip(BLANKS)
    if flaw := flaw_of(value):
        raise BadToken(f"the {name} from {source} {flaw}")
    return Token(value)


def flaw_of(value: str) -> str:
    """What is wrong with it, as the rest of a sentence; empty if nothing is."""
    if not value:
        return "is empty"
    if re.match(r"(?i)bearer(\s|$)", value):
        return 'starts with "Bearer": give only the token itself'
    if value[0] in QUOTES or value[-1] in QUOTES:
        return "has quotes around it: give only the token itself"
    if not VISIBLE_ASCII.fullmatch(value):
        return "has blanks, control characters or letters inside that no token has: copy it again"
    return ""
