"""Sealing: what is kept of people for undo, encrypted to public keys of age. Whoever has one of the private keys can open it.

Its form is that of age, so `age --decrypt` opens it too: age-encryption.org/v1.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconciler.errors import ReconcilerError, Usage

if TYPE_CHECKING:
    from pyrage.x25519 import Identity

KEY_FILE = "RECONCILER_UNDO_KEY_FILE"
# A text is sealed in so many bytes at least: how much one has to say of somebody is nobody's business.
SHORTEST = 4096
# The longest key file, in bytes.
_LONGEST = 1 << 16
_MAKE_ONE = "age-keygen makes one"


def seal(text: str, keys: Sequence[str]) -> str:
    """A JSON text that only the owners of these public keys can read. Of its length no more is shown than the first bits."""
    from pyrage import encrypt, x25519

    plain = text.encode()
    recipients = [x25519.Recipient.from_str(key) for key in keys]
    # JSON may end with blanks: RFC 8259, 2.
    return encrypt(plain.ljust(_round(len(plain))), recipients, armored=True).decode("ascii")


def _round(length: int) -> int:
    """The length with all but its first bits rounded up: at most an eighth more (Padmé: lbarman.ch/blog/padme)."""
    bits = max(length.bit_length() - 1, 1)
    free = bits - bits.bit_length()
    return max(SHORTEST, (length + (1 << free) - 1) >> free << free)


def unseal(text: str, keys: Sequence[str], path: str) -> str:
    """What was sealed to some public keys, opened by a private key in a file. Raises Usage for a file that does not help, ReconcilerError
    where what was sealed is not what it was."""
    from pyrage import DecryptError, decrypt

    identities = read_identities(path)
    try:
        return decrypt(text.encode(), identities).decode()
    except (DecryptError, UnicodeError):
        ours = public_keys(identities)
        if set(ours).isdisjoint(keys):
            what = f"{KEY_FILE}: the private key in {path} is that of {name_keys(ours)}, and this was encrypted to {name_keys(keys)}"
            raise Usage(f"{what}; give the file of one of these") from None
        raise ReconcilerError("what was encrypted is cut, or somebody changed it") from None


def read_identities(path: str) -> Sequence[Identity]:
    """The private keys in a file as `age-keygen` writes it. Raises Usage where others may read it, or it holds no such key."""
    from pyrage import IdentityError, x25519

    identities = []
    for number, line in enumerate(_read(path).splitlines(), 1):
        if (text := line.strip()) and not text.startswith("#"):
            try:
                identities.append(x25519.Identity.from_str(text))
            except IdentityError:
                raise Usage(f"{KEY_FILE}: line {number} of {path} is {_guess(text)}; {_MAKE_ONE}") from None
    if not identities:
        raise Usage(f"{KEY_FILE}: no key stands in {path}; {_MAKE_ONE}")
    return identities


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_LONGEST + 1)
    except OSError as error:
        raise Usage(f"{KEY_FILE}: {path} cannot be read ({error.strerror}); give the file that holds the private key of age") from None
    # What comes out of a pipe lies nowhere.
    if stat.S_ISREG(mode) and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Usage(f"{KEY_FILE}: others than its owner may use {path}; run `chmod 600 {path}`, and ask who read it")
    if len(content) > _LONGEST:
        raise Usage(f"{KEY_FILE}: {path} is too long for a file of keys; {_MAKE_ONE}")
    return content.decode("utf-8-sig", "replace")


def _guess(text: str) -> str:
    """What a line is instead of a private key; nothing of it is shown."""
    if text.startswith("age1"):
        return "a public key, and the private one begins with AGE-SECRET-KEY-1"
    if text.startswith(("age-encryption.org/", "-----BEGIN AGE ENCRYPTED FILE")):
        return "that of a file which is encrypted itself: decrypt it, and give what comes of it"
    return "no private key of age, which begins with AGE-SECRET-KEY-1"


def public_keys(identities: Sequence[Identity]) -> Sequence[str]:
    """The public keys of private ones."""
    return [str(identity.to_public()) for identity in identities]


def name_keys(keys: Sequence[str]) -> str:
    """Public keys in a sentence."""
    return " or ".join(keys)
