"""A recipient of age: the public key of whoever may read what is encrypted to it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from reconciler.core.model.texts import parse_text
from reconciler.core.model.written import quote

# How a private key begins, in any case, and the digits of a public one: age-encryption.org/v1, BIP 173.
_PRIVATE = "age-secret-key-"
_DIGITS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
# Points of low order, of which no secret comes, whatever the sender does: cr.yp.to/ecdh.html#validate.
_P = 2**255 - 19
_WEAK = {
    *(0, 1, _P - 1, _P, _P + 1),
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
}


def parse_recipient(value: Any) -> str:
    """The public key of an X25519 identity of age, as `age-keygen` prints it. Raises ValueError for anything else, which is never shown
    where it is a private key."""
    if str(value).strip().lower().startswith(_PRIVATE):
        raise ValueError("is a private key, which whoever reads this file knows by now; make a new pair, and write its public key, `age1…`")
    text = parse_text(value)
    if not _is_recipient(text):
        raise ValueError(f"{quote(text)} is no age recipient; write the public key that `age-keygen` prints, `age1…`")
    return text


def _is_recipient(text: str) -> bool:
    # Most manifests name none.
    from pyrage import RecipientError, x25519

    try:
        return str(x25519.Recipient.from_str(text)) == text and _point_of(text) not in _WEAK
    except RecipientError:
        return False


def _point_of(text: str) -> int:
    """The point of a public key: 52 digits of five bits, of which the last four are none of it, between `age1` and six of a checksum."""
    bits = 0
    for digit in text[4:-6]:
        bits = bits << 5 | _DIGITS.index(digit)
    # The highest bit says nothing: RFC 7748, 5.
    return int.from_bytes((bits >> 4).to_bytes(32, "big"), "little") % 2**255


Recipient = Annotated[str, PlainValidator(parse_recipient), WithJsonSchema({"type": "string", "pattern": "^age1[02-9ac-hj-np-z]{58}$"})]
