"""Documents in memory with indexes; with a file behind them, every call is one SQLite transaction."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Doc = dict[str, Any]  # one JSON object
KeysOf = Callable[[Doc], Iterable[Hashable]]  # the keys under which an index lists a document

SCHEMA = """
CREATE TABLE IF NOT EXISTS docs (kind TEXT, id TEXT, rev INTEGER NOT NULL, body TEXT, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS docs_by_rev ON docs (rev);
"""


class Unusable(OSError):
    """The data file cannot be opened, read or written, or is no sandbox: `filename` says which file, `strerror` says why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(errno.EINVAL, f"cannot hold a sandbox: {reason}; remove it, or name another file with --data", str(path))


class Table:
    """The documents of one kind by id. A write replaces a document and never edits it, so that whoever has the old one keeps it."""

    def __init__(self, indexes: dict[str, KeysOf] | None = None) -> None:
        self.docs: dict[str, Doc] = {}
        self.changes = 0  # how many writes there were
        self._keys_of = indexes or {}
        self._index: dict[str, dict[Hashable, dict[str, None]]] = {name: {} for name in self._keys_of}

    def copy(self) -> Table:
        """The same documents, which may change without the others."""
        other = Table(self._keys_of)
        other.docs, other.changes = dict(self.docs), self.changes
        other._index = {name: {key: dict(ids) for key, ids in keys.items()} for name, keys in self._index.items()}
        return other

    def replace(self, id: str, new: Doc | None) -> None:
        old = self.docs.get(id)
        self.changes += 1
        for name, keys_of in self._keys_of.items():
            index = self._index[name]
            before, after = (set(keys_of(doc)) if doc else set() for doc in (old, new))
            for key in before - after:
                index[key].pop(id, None)
                if not index[key]:
                    del index[key]
            for key in after - before:
                index.setdefault(key, {})[id] = None
        if new is None:
            self.docs.pop(id, None)
        else:
            self.docs[id] = new

    def ids(self, index: str, key: Hashable) -> Collection[str]:
        return self._index[index].get(key, {})

    def find(self, index: str, key: Hashable) -> list[Doc]:
        """Oldest first."""
        return _by_age(self.docs[id] for id in self.ids(index, key))

    def first(self, index: str, key: Hashable) -> Doc | None:
        """The oldest, if there is one."""
        return next(iter(self.find(index, key)), None)

    def in_order(self) -> list[Doc]:
        """All of them, oldest first."""
        return _by_age(self.docs.values())


def _by_age(docs: Iterable[Doc]) -> list[Doc]:
    return sorted(docs, key=lambda doc: int(doc["seq"]))


class Store:
    def __init__(self, path: Path | None, indexes: dict[str, dict[str, KeysOf]]) -> None:
        self.lock = threading.RLock()
        self._indexes = indexes
        self._tables: dict[str, Table] = {}
        self._dirty: dict[tuple[str, str], None] = {}  # (kind, id) of what the next commit writes, in order
        self._rev = 0  # of the newest row that this process read or wrote
        self._seen_version = -1  # SQLite's data_version when this process last read
        self._depth = 0  # of nested transactions
        self._path = path
        self._db = self._open(path) if path else None

    def _open(self, path: Path) -> sqlite3.Connection:
        _make_private(path)
        with self._refuse_broken_files():
            db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=60)
            try:
                # WAL without fsync survives the end of the process, not a power failure. That is enough for a sandbox.
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("PRAGMA synchronous=OFF")
                db.executescript(SCHEMA)
            except BaseException:
                db.close()
                raise
            return db

    @contextmanager
    def _refuse_broken_files(self) -> Iterator[None]:
        """Turn an error of SQLite, or of a damaged row, into Unusable."""
        try:
            yield
        except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
            assert self._path is not None
            reason = str(error) if isinstance(error, sqlite3.Error) else "what is in it is no document of a sandbox"
            raise Unusable(self._path, reason) from error

    def close(self) -> None:
        with self.lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def table(self, kind: str) -> Table:
        """The table of that kind, an empty one if there is none yet."""
        if kind not in self._tables:
            self._tables[kind] = Table(self._indexes.get(kind))
        return self._tables[kind]

    def get(self, kind: str, id: object) -> Doc | None:
        return self.table(kind).docs.get(str(id))

    def put(self, kind: str, doc: Doc) -> Doc:
        """Add the document, or replace the one with its id."""
        self._write(kind, str(doc["id"]), doc)
        return doc

    def drop(self, kind: str, id: str) -> None:
        self._write(kind, id, None)

    def _write(self, kind: str, id: str, doc: Any) -> None:
        self.table(kind).replace(id, doc)
        self._dirty[kind, id] = None

    def number(self, counter: str) -> int:
        """1, 2, 3, …: never the same number twice, not after a restart either."""
        numbers: dict[str, Any] = self.table("counter").docs
        number = int(numbers.get(counter, 0)) + 1
        self._write("counter", counter, number)
        return number

    def skip_to(self, counter: str, number: int) -> None:
        """No number up to this one is given any more."""
        numbers: dict[str, Any] = self.table("counter").docs
        self._write("counter", counter, max(number, int(numbers.get(counter, 0))))

    def copy(self) -> Store:
        """The same documents in memory: a document is replaced and never edited, so both may hold it."""
        with self.lock:
            other = Store(None, self._indexes)
            other._tables = {kind: table.copy() for kind, table in self._tables.items()}
            return other

    def clear(self) -> None:
        """Drop all documents. Numbers begin again."""
        for kind, table in self._tables.items():
            for id in list(table.docs):
                self.drop(kind, id)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Exclude all other threads and, if there is a file, all other processes that use it. It is written at the end."""
        with self.lock:
            self._depth += 1
            if self._depth == 1:
                self._begin()
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._commit()

    def _begin(self) -> None:
        if self._db is None:
            return
        try:
            with self._refuse_broken_files():
                self._db.execute("BEGIN IMMEDIATE")
                (version,) = self._db.execute("PRAGMA data_version").fetchone()
                if version != self._seen_version:
                    self._catch_up(self._db)
                    self._seen_version = version
        except Unusable:
            self._depth = 0
            if self._db.in_transaction:
                self._db.rollback()
            raise

    def _catch_up(self, db: sqlite3.Connection) -> None:
        """Read what other processes wrote since this one read or wrote last."""
        rows = db.execute("SELECT kind, id, rev, body FROM docs WHERE rev > ? ORDER BY rev", (self._rev,))
        for kind, id, rev, body in rows:
            self._rev = rev
            self.table(kind).replace(id, None if body is None else json.loads(body))

    def _commit(self) -> None:
        dirty, self._dirty = self._dirty, {}
        if self._db is None:
            return
        with self._refuse_broken_files():
            if dirty:
                self._rev += 1
                docs = ((kind, id, self.table(kind).docs.get(id)) for kind, id in dirty)
                rows = [(kind, id, self._rev, None if doc is None else json.dumps(doc, separators=(",", ":"))) for kind, id, doc in docs]
                self._db.executemany("INSERT OR REPLACE INTO docs VALUES (?, ?, ?, ?)", rows)
            self._db.execute("COMMIT")


def _make_private(path: Path) -> None:
    """Make a file that only its owner can read; refuse a link. SQLite gives the files beside it the same permissions. Raises Unusable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        reason = "it is a link" if error.errno == errno.ELOOP else error.strerror or "it cannot be opened"
        raise Unusable(path, reason) from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Unusable(path, "it is no regular file")
        os.fchmod(handle, 0o600)
    finally:
        os.close(handle)
