"""What things are called: the names that people use."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import NamedTuple

# What stands before an id where one is the key: the name of another thing may look like an id.
ID = "id:"


class Address(NamedTuple):
    """The name people use: `tag/vip`, `company/acme`, `contact/25`, `contact/id:…`; the key is what follows the first slash."""

    # The kind of the thing.
    kind: str
    # What names it: what follows the first slash.
    key: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.key}"


def in_order(addresses: Iterable[Address]) -> list[Address]:
    """Addresses as they sort: by kind, then by key, which is compared as the text that it is, in a fraction of the time."""
    return sorted(sorted(addresses, key=itemgetter(1)), key=itemgetter(0))


class LinkName(NamedTuple):
    """A kind of link: (`contact`, `tags`)."""

    # The kind that it starts from.
    source: str
    # The manifest key that lists it.
    field: str


def address_by(kind: str, by: str, key: str) -> Address:
    """The address of what a field of it names."""
    return Address(kind, f"{ID}{key}" if by == "id" else key)


def id_in(address: Address) -> str:
    """The live id that an address names; empty where it names anything else."""
    return address.key.removeprefix(ID) if address.key.startswith(ID) else ""
