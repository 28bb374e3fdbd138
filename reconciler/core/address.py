"""What things are called: the names that people use."""

from __future__ import annotations

from typing import NamedTuple


class Address(NamedTuple):
    """The name people use: `tag/vip`, `company/acme`, `contact/25`; the key is what follows the first slash."""

    kind: str
    key: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.key}"


class LinkName(NamedTuple):
    """A kind of link, named by the kind it starts from and the manifest key that lists it: (`contact`, `tags`)."""

    source: str
    field: str
