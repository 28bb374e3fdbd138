"""Where rollouts are kept: a SQLite file of our own, or the schema of a ledger in PostgreSQL; and the locks of this fleet."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine

from reconciler.errors import Locked, ReconcilerError, Usage
from reconciler.fleet.file import is_server
from reconciler.fleet.tables import check_ours, make_tables
from reconciler.ledger import door
from reconciler.ledger.database import engine_for, for_reading, keep_log
from reconciler.ledger.databases import Databases
from reconciler.ledger.errors import LedgerUnusable, unusable
from reconciler.ledger.homes.choice import Means, home_of
from reconciler.ledger.homes.file import FileHome
from reconciler.ledger.homes.home import Home, Lock, Waiting

# The folder of a fleet in ours, with one for each workspace; and the file of its rollouts, where no other store is named.
FOLDER, FILE = "fleet", "fleet.db"


class Store:
    """The rollouts of a fleet; one for a process, whose threads share it. Raises ReconcilerError where it cannot be used."""

    def __init__(self, address: str, folder: Path, now: Callable[[], float], databases: Databases | None = None) -> None:
        """`address`: postgresql://…, else a file; `folder` is ours, by its whole path, `.reconciler/`; `databases`: what it shares."""
        self.is_server = is_server(address)
        self.address, self.now, self._folder = address, now, folder
        self._home: Home | None = None
        if self.is_server:
            self._home = home_of(address, folder, {}, Means(databases=databases))
            self.place = self._home.place
            self._engine = self._home.engine(create=True)
        else:
            self.place = address
            self._engine = _open_file(Path(address))
        with self.writing() as connection:
            make_tables(connection, self.place)

    def folder_of(self, app_id: str) -> Path:
        """What is kept on this machine for one workspace: the ledger's file where it is one, and pre-images."""
        return self._folder / FOLDER / app_id

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write: whole, or not at all."""
        with _usable(self.place), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One moment of the tables."""
        with _usable(self.place), for_reading(self._engine).begin() as connection:
            yield connection

    @contextmanager
    def hold(self, what: str, name: str, who: str) -> Iterator[Lock]:
        """The lock of a rollout or a workspace, free the moment its holder dies. Raises Locked at once where another has it."""
        home = self._home or FileHome(self._folder / FOLDER / "locks" / f"{what}-{name}")
        waiting = Waiting(0.0, time.sleep, self.now, self.now)
        try:
            lock = home.lock(f"fleet {what} {name}", who, waiting)
        except Locked as locked:
            holder = str(locked).partition(" holds the lock")[0]
            raise Locked(f"{holder} works on the {what} {name} now; run again when that has ended") from None
        try:
            yield lock
        finally:
            lock.release()

    def close(self) -> None:
        """Let it go."""
        if self._home:
            self._home.close()
        else:
            self._engine.dispose()


@contextmanager
def _usable(place: str) -> Iterator[None]:
    """Turn what the database or the file system says into one sentence."""
    try:
        with unusable(place):
            yield
    except LedgerUnusable as error:
        what = error.what.replace("a ledger", "a store of rollouts")
        raise ReconcilerError(f"the rollouts in {place} cannot be read or kept: {what}; see to that store, or name another") from error


def _open_file(path: Path) -> Engine:
    if not path.parent.is_dir() and path.parent.name != ".reconciler":
        raise Usage(f"the folder of the store {path} does not exist; make it, or name another store")
    with _usable(str(path)):
        if path.parent.name == ".reconciler":
            door.make_folder(path.parent)
        os.close(door.open_file(path, os.O_CREAT | os.O_RDWR))
        engine = engine_for(URL.create("sqlite", database=str(path)))
        with for_reading(engine).begin() as connection:
            check_ours(connection, str(path))
        keep_log(engine)
    return engine
