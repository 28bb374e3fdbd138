"""Where a ledger lives, as `--ledger` names it: a file in a folder of our own, a PostgreSQL database, or a ref of a git repository."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from reconciler.errors import Usage

if TYPE_CHECKING:
    from reconciler.ledger.databases import Databases
    from reconciler.ledger.homes.home import Home


class Means(NamedTuple):
    """What a home uses that its address does not say."""

    # The clone whose remotes a ledger in git is in; None: the one around this process.
    clone: str | None = None
    # What it shares with other ledgers; None: nothing.
    databases: Databases | None = None


ALONE = Means()


def home_of(address: str, folder: Path, environ: Mapping[str, str], means: Means = ALONE) -> Home:
    """The home that `--ledger` names: nothing for the file, `postgresql://…`, `git` or `git:REMOTE`. Raises Usage.

    Modules are imported when their home is used: a driver costs a fifth of a second.
    """
    if not address:
        from reconciler.ledger.homes.file import FileHome

        return FileHome(folder)
    if address == "git" or address.startswith("git:"):
        from reconciler.ledger.homes.git import GitHome

        return GitHome(address.partition(":")[2] or "origin", environ, folder=means.clone)
    if _scheme(address) in ("postgresql", "postgres"):
        from reconciler.ledger.homes.postgres import PostgresHome

        return PostgresHome(address, folder, means.databases)
    raise Usage("--ledger: write postgresql://HOST/DATABASE, git, git:REMOTE or none; without it the ledger is a file in .reconciler/")


def has_password(address: str) -> bool:
    """Whether an address of a ledger shows a password to whoever lists the processes of the machine."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "@" in address
    return parts.password is not None or "password" in parts.query.lower()


def _scheme(address: str) -> str:
    return address.partition(":")[0].partition("+")[0].lower()
