"""The ledger in a schema of its own of a PostgreSQL database; the lock is an advisory one, free the moment its holder's connection ends."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from threading import Lock as Mutex
from typing import Any

from sqlalchemy import URL, Connection, CursorResult, Engine, Executable, create_engine, delete, func, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from reconciler.core.model.jsons import parse_json
from reconciler.core.undo.preimage import KEPT
from reconciler.errors import Locked, Usage
from reconciler.ledger import door
from reconciler.ledger.database import COMPILED
from reconciler.ledger.databases import Databases
from reconciler.ledger.errors import LedgerUnusable, locked_by, unusable
from reconciler.ledger.homes.file import FileHome
from reconciler.ledger.homes.home import LockLost, Waiting
from reconciler.ledger.tables import HOLDERS, IMAGES, SCHEMA, alone, is_current, make_tables

# The schema of the database in which our tables lie, so that a team may share one with other things.
OURS = "reconciler"
# How often a waiting process looks, in seconds.
LOOK_EVERY = 0.2

# A line that is dead is known to be after half a minute; in seconds, the last in milliseconds: postgresql.org/docs, libpq-connect.
_LINE = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 25_000}
# The same for the server's side, which holds the lock of a machine that is gone, and no end to an idle session; older servers lack some.
_SESSION = text("""
    SELECT set_config(name, value, false) FROM pg_catalog.pg_settings JOIN (VALUES ('tcp_keepalives_idle', '10'),
      ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3'), ('idle_session_timeout', '0')) AS wanted (name, value) USING (name)
""")
_READ_ONLY = text("SHOW transaction_read_only")
_ALIVE = text("SELECT pg_catalog.pg_backend_pid()")


class PostgresHome:
    """A ledger in the schema `reconciler` of a database; raises Usage for an address that cannot be read."""

    at_once = True
    is_shared = True
    ground = None

    def __init__(self, address: str, folder: Path | None = None, databases: Databases | None = None) -> None:
        try:
            self._url = make_url(address).set(drivername="postgresql+shared")
        except (ArgumentError, ValueError):
            raise Usage("--ledger: the address cannot be read; write postgresql://HOST:PORT/DATABASE") from None
        # Without the user: what stands before an @ is masked wherever it is shown, as an e-mail is.
        self.place = URL.create("postgresql", host=self._url.host, port=self._url.port, database=self._url.database).render_as_string()
        self._engine: Engine | None = None
        self._databases, self.shares_engine = databases, databases is not None
        name = hashlib.sha256(self.place.encode()).hexdigest()[:8]
        self._folder, self._machine = folder, FileHome(folder or Path(), mark=f"last-{name}")

    def exists(self) -> bool:
        with unusable(self.place), self._open().connect() as connection:
            return inspect(connection).has_table(SCHEMA.name, schema=OURS)

    def engine(self, *, create: bool) -> Engine:
        engine = self._open()
        if create:
            with unusable(self.place), engine.begin() as connection:
                self._make(connection)
        return engine

    def connection_settings(self) -> tuple[str, dict[str, Any]]:
        """The address and the settings of connections that a library of others opens, in the same schema: they name our tables first."""
        address = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        own = {name: value for name, value in _LINE.items() if name not in self._url.query}
        return address, {**own, "options": f"-c search_path={OURS}"}

    def check_writable(self) -> None:
        with unusable(self.place), self._open().connect() as connection:
            if connection.scalar(_READ_ONLY) == "on":
                raise LedgerUnusable(self.place, "it takes no writes", "give the address of the primary server")

    def lock(self, app_id: str, who: str, waiting: Waiting) -> PostgresLock:
        self.engine(create=True)
        ends = waiting.monotonic() + waiting.timeout
        holder = self._databases.holder if self._databases else None
        with unusable(self.place):
            line = holder.line.share() if isinstance(holder, PostgresLock) and holder.line.url == self._url else self._connect_line()
            try:
                while not line.scalar(select(func.pg_try_advisory_lock(_key(app_id)))):
                    if waiting.monotonic() >= ends:
                        raise self._holder(line, app_id)
                    waiting.sleep(LOOK_EVERY)
                return PostgresLock(line, self.place, app_id, who, waiting.now())
            except BaseException:
                line.close()
                raise

    def _connect_line(self) -> _Line:
        connection = self._open().connect().execution_options(isolation_level="AUTOCOMMIT")
        # It belongs to the pool no longer: whoever took it out of there would hold its lock.
        connection.detach()
        try:
            connection.execute(_SESSION)
            return _Line(connection, self._url)
        except BaseException:
            connection.close()
            raise

    def publish(self) -> None:
        """Every transaction is in the database already."""

    def mark(self, run: str) -> None:
        if self._folder:
            door.make_folder(self._folder)
            self._machine.mark(run)

    def remember(self, run: str) -> None:
        if self._folder and self._folder.is_dir() and self.read_mark() != run:
            with suppress(OSError):
                self._machine.mark(run)

    def read_mark(self) -> str:
        return self._machine.read_mark() if self._folder else ""

    def find_traces(self) -> str:
        return "is empty, though runs were seen in it" if self.read_mark() else ""

    def list_imaged_runs(self) -> Collection[str]:
        """They are restored with the runs."""
        return ()

    def put_preimage(self, run: str, preimage: str, stored: float) -> None:
        with unusable(self.place), self._open().begin() as connection:
            connection.execute(delete(IMAGES).where((IMAGES.c.stored < stored - KEPT) | (IMAGES.c.run == run)))
            connection.execute(IMAGES.insert().values(run=run, stored=stored, preimage=preimage))

    def drop_preimages(self, now: float) -> None:
        with unusable(self.place), self._open().begin() as connection:
            connection.execute(delete(IMAGES).where(IMAGES.c.stored < now - KEPT))

    def read_preimage(self, run: str) -> str | None:
        with unusable(self.place), self._open().connect() as connection:
            return connection.scalar(select(IMAGES.c.preimage).where(IMAGES.c.run == run))

    def close(self) -> None:
        if self._engine and not self.shares_engine:
            self._engine.dispose()

    def _open(self) -> Engine:
        if self._engine is None and self._databases is not None:
            # As many connections as threads; one that the server closed meanwhile is made anew.
            self._engine = self._databases.share(self._url, lambda: self._connect(max_overflow=-1, pool_pre_ping=True))
        self._engine = self._engine or self._connect()
        return self._engine

    def _connect(self, **how: Any) -> Engine:
        own = {name: value for name, value in _LINE.items() if name not in self._url.query}
        options = {"schema_translate_map": {None: OURS}, "compiled_cache": COMPILED}
        with unusable(self.place):
            engine: dict[str, Any] = {"hide_parameters": True, "json_deserializer": parse_json, "execution_options": options}
            return create_engine(self._url, connect_args=own, **engine, **how)

    def _make(self, connection: Connection) -> None:
        """Make the schema and the tables where they are missing, which needs no right where they are not."""
        if not inspect(connection).has_schema(OURS):
            alone(connection)
            if not inspect(connection).has_schema(OURS):
                connection.execute(text(f"CREATE SCHEMA {OURS}"))
        if not is_current(connection, self.place):
            make_tables(connection, self.place)

    def _holder(self, line: _Line, app_id: str) -> Locked:
        row = line.execute(select(HOLDERS.c.who, HOLDERS.c.since).where(HOLDERS.c.app_id == app_id)).first()
        return locked_by(self.place, *(row or ("", None)))


class _Line:
    """A connection in no pool, which holds locks; threads may share it. It is closed with the last of its locks."""

    def __init__(self, connection: Connection, url: URL) -> None:
        self._connection, self.url, self._mutex, self._locks = connection, url, Mutex(), 1
        self._session = connection.scalar(_ALIVE)

    def share(self) -> _Line:
        """The same for one more lock."""
        self._locks += 1
        return self

    def execute(self, statement: Executable) -> CursorResult[Any]:
        with self._mutex:
            return self._connection.execute(statement)

    def scalar(self, statement: Executable) -> Any:
        return self.execute(statement).scalar()

    def is_alive(self) -> bool:
        with suppress(SQLAlchemyError):
            # A pooler that changes the session under a connection has left the lock with another: pgbouncer.org/features.html.
            return not (self._connection.closed or self._connection.invalidated) and self.scalar(_ALIVE) == self._session
        return False

    def close(self) -> None:
        self._locks -= 1
        if not self._locks:
            with self._mutex:
                self._connection.close()


class PostgresLock:
    """An advisory lock of a connection, under which stands who holds it."""

    taken_over = ""

    def __init__(self, line: _Line, place: str, app_id: str, who: str, since: float) -> None:
        self.line, self._place, self._key = line, place, _key(app_id)
        self._mine = HOLDERS.c.app_id == app_id
        line.execute(delete(HOLDERS).where(self._mine))
        line.execute(HOLDERS.insert().values(app_id=app_id, who=who, since=since))

    def check(self) -> None:
        if not self.line.is_alive():
            reason = f"the connection to the ledger {self._place}, which held its lock, is gone"
            raise LockLost(f"{reason}: nothing more is written to Intercom; run again")

    def release(self) -> None:
        with suppress(Exception):
            if self.line.is_alive():
                self.line.execute(delete(HOLDERS).where(self._mine))
                self.line.scalar(select(func.pg_advisory_unlock(self._key)))
        with suppress(Exception):
            self.line.close()


def _key(app_id: str) -> int:
    """The number of a workspace's lock, among all the advisory locks of a database."""
    return int.from_bytes(hashlib.sha256(f"reconciler ledger\0{app_id}".encode()).digest()[:8], signed=True)
