"""How personal values are shown: masked, yet so that two can be told apart."""

from __future__ import annotations

import hashlib
import html
import json
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, Protocol
from urllib.parse import quote, unquote_plus

from reconciler.core.model.address import Address
from reconciler.core.model.written import quote_visibly

# Without the look behind, a long text without blanks takes quadratic time.
MAIL = re.compile(r"(?<![^\s@])[^\s@]+@[^\s@]+")
_MASK = re.compile(r"[^@\s]\*\*\*@[^@\s]+|\*\*\*(#[0-9a-f]{8})?")
# A masked e-mail inside a text: one letter stands before its stars, whatever bracket or quote it stands in.
_MASK_IN_TEXT = re.compile(r"(?<![\w.%+-])[^@\s]\*\*\*@[^@\s]+")


def mask(text: str) -> str:
    """A personal value as reports show it: `h***@serenity.example` of an e-mail, `***` of anything else."""
    if MAIL.fullmatch(text):
        return f"{text[0]}***@{text.partition('@')[2]}"
    return "***"


def is_mask(text: str) -> bool:
    """Whether the text is what `mask` makes, with or without the `#1a2b3c4d` that tells two apart."""
    return _MASK.fullmatch(text) is not None


def refuse_mask(text: str) -> None:
    """Raises ValueError for a mask that somebody copied from a report, as the whole text or inside it."""
    instead = "a mask that a report shows in place of a personal value; write the value itself"
    if is_mask(text):
        raise ValueError(f"{quote_visibly(text)} is {instead}")
    if match := _MASK_IN_TEXT.search(text):
        raise ValueError(f"{quote_visibly(text)} holds {quote_visibly(match[0])}, {instead}")


# An address that is masked already, whatever kind, bracket or quote stands before it.
_MASKED = re.compile(r"(?:[^\s@]*(?<![\w.%+-]))?[^\s@/]\*\*\*@[^\s@]+")


def show_address(address: Address, app_id: str = "") -> str:
    """An address as every artifact writes it: an e-mail in it is masked and followed by eight hex of a digest over app id and address."""
    return f"{address.kind}/{_mark_mail(address, app_id)}" if MAIL.fullmatch(address.key.strip()) else str(address)


def show_name(kind: str, name: str, app_id: str = "") -> str:
    """A name that people gave to a thing, as every artifact writes it: e-mails in it are masked, one that is all of it as in addresses."""
    return str(hide(show_address(Address(kind, name), app_id).partition("/")[2], False))


def _mark_mail(address: Address, app_id: str) -> str:
    """The e-mail of an address, masked, with the digest that tells it from others that read alike."""
    if not app_id:
        return mask(address.key)
    digest = hashlib.sha256(f"{app_id}\0{address.kind}/{address.key.casefold()}".encode()).hexdigest()
    return f"{mask(address.key)}#{digest[:8]}"


def mask_pair(kind: str, before: Any, after: Any, personal: bool, app_id: str) -> tuple[Any, Any]:
    """Two values of one field as every artifact writes them; e-mails that would read alike get the digests that addresses have."""
    pair = hide(before, personal), hide(after, personal)
    if pair[0] != pair[1] or before == after or not all(isinstance(v, str) and MAIL.fullmatch(v) for v in (before, after)):
        return pair
    return _mark_mail(Address(kind, before), app_id), _mark_mail(Address(kind, after), app_id)


def without(text: str, values: Iterable[str]) -> str:
    """Somebody else's message in which none of these personal values is readable."""
    for value in sorted(filter(None, values), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "***", text, flags=re.IGNORECASE)
    return text


# The id of whoever is in the way, and runs of more digits than a phone number has (15, ITU-T E.164): they say who that is.
_IDS = re.compile(r"(\bid=(?:[0-9a-f]{24}|[0-9]+)(?![\w@])|(?<![\w@.])[0-9]{16,}(?![\w@]))")
_ENCODED_MAIL = re.compile(r"[^\s@/?&=%]+(?:%[0-9A-Fa-f]{2}[^\s@/?&=%]*)*?%40[^\s@/?&]+")
_NUMBER = re.compile(r"(?<![\w.])\+?\(?[0-9](?:[ ().\-/]*[0-9])+(?!\w)")
_SHORTEST, _LONGEST = 7, 15
# Scripts from here on have no blanks between words.
_UNSPACED = "\u2e80"
# No value that is longer is looked for as a whole.
_MOST = 300


class Source(Protocol):
    """Where personal values stand."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[str]: ...


class Known:
    """The personal values that a run knows, of anybody: somebody else's message is shown without them.

    Sources may grow; they are read again where a message is shown after they did.
    """

    def __init__(self) -> None:
        # Each with its size when it was read last.
        self._sources: list[tuple[Source, int]] = []
        self._values: set[str] = set()

    def learn(self, source: Source) -> None:
        """Where more of them stand."""
        self._sources.append((source, 0))

    def take(self, values: Iterable[str]) -> None:
        """Some more of them."""
        for value in values:
            self._values.update(_forms(value))

    def _read_again(self) -> None:
        """Read what grew. Threads may do so at once: values are only added, and a size is noted once all of it was read."""
        for n, (source, last_size) in enumerate(self._sources):
            if (size := len(source)) != last_size:
                self.take(source)
                self._sources[n] = source, size

    def mask(self, text: str) -> str:
        """Foreign text in which no known value is readable, nor what looks like an e-mail or a phone number; but for ids."""
        self._read_again()
        parts = _IDS.split(text)
        return "".join(part if n % 2 else self._without(part) for n, part in enumerate(parts))

    def _without(self, text: str) -> str:
        text = "".join(self._pieces(encoded_mail_hidden(str(hide(text, False)))))
        plain = _decode(text)
        # Where the plain text names somebody it stands instead, masked; any other is left as it is.
        masked = "".join(self._pieces(str(hide(plain, False)))) if plain != text else plain
        return _NUMBER.sub(self._number, text if masked == plain else masked)

    def _number(self, match: re.Match[str]) -> str:
        digits = re.sub("[^0-9]", "", match[0])
        return "***" if _SHORTEST <= len(digits) <= _LONGEST or digits in self._values else match[0]

    def _pieces(self, text: str) -> Iterator[str]:
        """The text, cut at what is known: at each place the longest."""
        edges = [i for i in range(len(text) + 1) if _edge(text, i)]
        at = 0
        for n, start in enumerate(edges):
            if start < at:
                continue
            ends = edges[n + 1 : bisect_right(edges, start + _MOST)]
            value_end = next((end for end in reversed(ends) if _fold(text[start:end]) in self._values), None)
            if value_end is not None:
                yield text[at:start] + "***"
                at = value_end
        yield text[at:]


def _edge(text: str, at: int) -> bool:
    """Whether a word may begin or end here."""
    around = text[max(at - 1, 0) : at + 1]
    return at in (0, len(text)) or not (_WORD.match(around[0]) and _WORD.match(around[-1])) or max(around) >= _UNSPACED


_WORD = re.compile(r"\w")


def _fold(value: str) -> str:
    return unicodedata.normalize("NFC", value).casefold()


def _forms(value: str) -> Iterator[str]:
    """How a value may stand in a message: as it is, escaped for a URL or HTML, and of a number its digits."""
    value = value.strip()
    if value:
        yield from {_fold(form) for form in (value, quote(value, safe=""), html.escape(value))}
        digits = re.sub("[^0-9]", "", value)
        if len(digits) >= 5 and not re.search("[^0-9 ().+/-]", value):
            yield digits


_ESCAPED = re.compile(r"(?:\\u[0-9A-Fa-f]{4})+")


def _decode(text: str) -> str:
    """A text without the escapes of JSON, HTML and URLs."""
    text = _ESCAPED.sub(lambda match: str(json.loads(f'"{match[0]}"')), text)
    return unquote_plus(html.unescape(text))


def path_hidden(path: str) -> str:
    """The path of a URL without e-mails: each ends with its segment, so that no host that stands before it is part of it."""
    path = re.sub("(^|/)@", r"\1%40", path)
    return encoded_mail_hidden("/".join(str(hide(segment, False)) for segment in path.split("/")))


def encoded_mail_hidden(text: str) -> str:
    """A text, as a URL is one, without the e-mails that stand in it encoded."""
    return _ENCODED_MAIL.sub("***", text)


def hide(value: Any, personal: bool) -> Any:
    """A value as every artifact writes it: personal ones masked, and whatever looks like an e-mail."""
    if isinstance(value, str):
        return mask(value) if personal else MAIL.sub(lambda m: m[0] if _MASKED.fullmatch(m[0]) else mask(m[0]), value)
    if isinstance(value, dict):
        return {key: hide(item, personal) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [hide(item, personal) for item in value]
    return "***" if personal and value is not None else value
