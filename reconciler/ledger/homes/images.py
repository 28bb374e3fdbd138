"""Pre-images: what runs were about to destroy, for thirty days; what is personal stays in a file of this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from reconciler.ledger.homes.file import FileHome
from reconciler.ledger.homes.home import Home


class Kept(NamedTuple):
    """A pre-image as two texts."""

    # What may be shared.
    shared: str
    # What may not.
    private: str


@dataclass(frozen=True)
class Images:
    """The pre-images of runs."""

    # Where the shared part is kept.
    home: Home
    # Where the personal part is kept.
    local: Home

    @classmethod
    def here(cls, folder: Path) -> Images:
        """Those of a folder alone: where there is no ledger that can be used."""
        return cls(FileHome(folder), FileHome(folder))

    def keep(self, run: str, documents: Kept, stored: float) -> None:
        """Keep a pre-image, and drop what is older than thirty days. Raises LedgerUnusable."""
        self.local.drop_preimages(stored)
        if documents.private:
            self.local.put_preimage(_private(run), documents.private, stored)
        self.home.put_preimage(run, documents.shared, stored)

    def drop(self, now: float) -> None:
        """Drop what was kept more than thirty days ago. Raises LedgerUnusable."""
        self.local.drop_preimages(now)
        self.home.drop_preimages(now)

    def of(self, run: str) -> Kept | None:
        """What was kept of a run, None where nothing is. Raises LedgerUnusable."""
        # It is a file's name here and there.
        if not re.fullmatch(r"[0-9A-Za-z-]+", run):
            return None
        shared = self.home.read_preimage(run)
        return None if shared is None else Kept(shared, self.local.read_preimage(_private(run)) or "")


def _private(run: str) -> str:
    return f"{run}.private"
