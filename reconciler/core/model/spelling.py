"""Spelling: which names are one name, and which only look alike."""

from __future__ import annotations

import html
import unicodedata
from itertools import pairwise

# So many combining marks in a row, more than any language writes: longer runs are cut up by a joiner, or bringing them into their
# order takes quadratic time (https://www.unicode.org/reports/tr15/, Stream-Safe Text Format).
_MARKS, _JOINER = 30, "\u034f"


def spell(text: str) -> str:
    """The form in which two names are spelled the same: Unicode NFC."""
    return text if text.isascii() else unicodedata.normalize("NFC", stream_safe(text))


def stream_safe(text: str) -> str:
    """The text in stream-safe form."""
    if len(text) <= _MARKS:
        return text
    chars, run = [], 0
    for char in text:
        run = run + 1 if unicodedata.combining(char) else 0
        if run > _MARKS:
            chars.append(_JOINER)
            run = 1
        chars.append(char)
    return "".join(chars)


def fold(name: str) -> str:
    """The one form in which names are compared: Unicode NFC, case folded."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", stream_safe(name)).casefold())


# Hangul fillers and the empty Braille pattern are letters and symbols to Unicode, and blank to the eye.
_LIKE_BLANKS = dict.fromkeys(map(ord, "\u115f\u1160\u3164\uffa0\u2800"), " ")


def _invisible(char: str) -> bool:
    """Format characters (joiners, zero-width blanks, soft hyphens), variation selectors and the grapheme joiner."""
    return unicodedata.category(char) == "Cf" or "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef" or char == "\u034f"


def _compatible(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", stream_safe(name)).casefold())


def skeleton(name: str) -> str:
    """The form in which names that differ only invisibly coincide."""
    if name.isascii():
        return " ".join(name.lower().split())
    visible = "".join(char for char in _compatible(name) if not _invisible(char))
    return " ".join(_compatible(visible.translate(_LIKE_BLANKS)).split())


def find_hidden(text: str) -> frozenset[str]:
    """The characters of a text by which it differs from another one and nobody sees how: unusual blanks, joiners, fillers; and what is not
    composed as people type it (NFC). What emoji are made of is seen."""
    if text.isascii():
        return frozenset()
    hidden = {char for before, char in pairwise(f" {text}") if char != " " and _is_unseen(char) and not _is_in_emoji(before, char)}
    if spell(text) != text:
        hidden |= {char for char in text if _is_part(char)}
    return frozenset(hidden)


def _is_unseen(char: str) -> bool:
    return _invisible(char) or ord(char) in _LIKE_BLANKS or unicodedata.category(char) == "Zs"


def _is_in_emoji(before: str, char: str) -> bool:
    """Whether a character says how the symbol before it looks, or joins it to the next one."""
    return char in "\u200d\ufe0e\ufe0f" and (before == "\ufe0f" or unicodedata.category(before) in ("So", "Sk"))


def _is_part(char: str) -> bool:
    """Whether a character joins the one before it, or is another one once it is composed."""
    return unicodedata.category(char).startswith("M") or "\u1160" <= char <= "\u11ff" or spell(char) != char


_BLURRED = 40


def differs_invisibly(one: str, other: str) -> bool:
    """Whether two texts differ, and not only by letters, signs and case that anybody can see."""
    if one == other or skeleton(one) != skeleton(other):
        return False
    return one.lower() != other.lower() or spell(one) == spell(other)


def blur(name: str) -> str:
    """The form in which names coincide that some server or other may take for one: it may fold letters, drop accents, blanks and signs,
    escape for HTML, or cut. Never for what is one to us: only for what is not sure."""
    text = stream_safe(html.unescape(html.unescape(name)))
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(char for char in text if char.isalnum())[:_BLURRED] or name.strip()
