"""Which repository a manifest lies in, as far as git says, and whether two of them are one. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository by the two things that tell it from others."""

    # Its remote as `host/path`, however that is reached; empty where there is none, or no git.
    address: str = ""
    # Its first commit; empty where nobody can say, as in a shallow clone.
    first: str = ""

    @property
    def is_known(self) -> bool:
        return bool(self.address or self.first)

    def same(self, other: Repository) -> bool:
        """Whether both are one: moved to another address it keeps its first commit, with a rewritten history its address. Of two of
        which nothing is known nothing says otherwise."""
        if not self.is_known and not other.is_known:
            return True
        return "" != self.address == other.address or "" != self.first == other.first

    @property
    def identities(self) -> tuple[str, ...]:
        """What a ledger knows it by, eight hex of each thing that is known; an empty one where nothing is."""
        return tuple(identity(text) for text in (self.address, self.first) if text) or ("",)

    def __str__(self) -> str:
        if self.address:
            return self.address
        return f"a repository without a remote (first commit {self.first[:12]})" if self.first else "a folder of which git says nothing"


@dataclass(frozen=True, slots=True)
class Checkout:
    """Where a manifest lies, as somebody says it who does not leave it to git and the working directory."""

    # Its folder, as a whole path.
    folder: str
    # Which repository that is in.
    repository: Repository = Repository()
    # The commit that is checked out; empty where nobody says.
    revision: str = ""


def identity(text: str) -> str:
    """Eight hex that stand for an address, or a commit."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def address_of(url: str) -> str:
    """What a remote is called, as `host/path`, whichever of its URLs that is: without scheme, user, password and port."""
    url = re.sub(r"^[a-z+]+://", "", url.strip(), flags=re.IGNORECASE)
    url = re.sub(r"^[^/@]*@", "", url)
    return re.sub(r"(\.git)?/*$", "", re.sub(r"^([^/:]+):(\d+/)?", r"\1/", url)).lower()
