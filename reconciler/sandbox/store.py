"""Documents in memory with indexes; with a file behind them, every call is one SQLite transaction."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Doc = dict[str, Any]  # one JSON object

KeysOf = Callable[[Doc], Iterable[Hashable]]

SCHEMA = """
CREATE TABLE IF NOT EXISTS docs (kind TEXT, id TEXT, rev INTEGER NOT NULL, body TEXT, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS docs_by_rev ON docs (rev);
"""


class Unusable(OSError):
    """The file behind a sandbox cannot be opened, read or written, or is something else; `filename` and `strerror` say which and why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(errno.EINVAL, f"cannot hold a sandbox: {reason}; remove it, or name another file with --data", str(path))


class Table:
    """The documents of one kind by id. They are replaced, never edited in place, so an old one stays true to its time."""

    def __init__(self, indexes: dict[str, KeysOf] | None = None) -> None:
        self.docs: dict[str, Doc] = {}
        self.changed = 0
        self._keys_of = indexes or {}
        self._index: dict[str, dict[Hashable, dict[str, None]]] = {name: {} for name in self._keys_of}

    def replace(self, id: str, new: Doc | None) -> None:
        old = self.docs.get(id)
        self.changed += 1
        for name, keys_of in self._keys_of.items():
            self._move(self._index[name], id, set(keys_of(old)) if old else set(), set(keys_of(new)) if new else set())
        if new is None:
            self.docs.pop(id, None)
        else:
            self.docs[id] = new

    @staticmethod
    def _move(index: dict[Hashable, dict[str, None]], id: str, before: set[Hashable], after: set[Hashable]) -> None:
        for key in before - after:
            index[key].pop(id, None)
            if not index[key]:
                del index[key]
        for key in after - before:
            index.setdefault(key, {})[id] = None

    def ids(self, index: str, key: Hashable) -> Iterable[str]:
        return self._index[index].get(key, {})

    def find(self, index: str, key: Hashable) -> list[Doc]:
        """Oldest first."""
        return sorted((self.docs[id] for id in self.ids(index, key)), key=lambda doc: int(doc["seq"]))

    def count(self, index: str, key: Hashable) -> int:
        return len(self._index[index].get(key, ()))

    def in_order(self) -> list[Doc]:
        return sorted(self.docs.values(), key=lambda doc: int(doc["seq"]))


class Store:
    def __init__(self, path: Path | None, indexes: dict[str, dict[str, KeysOf]]) -> None:
        self.lock = threading.RLock()
        self._indexes = indexes
        self._tables: dict[str, Table] = {}
        self._dirty: dict[tuple[str, str], None] = {}
        self._counters: dict[str, int] = {}
        self._rev = 0
        self._seen_version = -1
        self._depth = 0
        self._path = path
        self._db = self._open(path) if path else None

    def _open(self, path: Path) -> sqlite3.Connection:
        _make_private(path)
        with self._told():
            db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=60)
            try:
                # WAL without fsync survives the death of the process, not of the machine, which is enough for a sandbox.
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("PRAGMA synchronous=OFF")
                db.executescript(SCHEMA)
            except BaseException:
                db.close()
                raise
            return db

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What SQLite or a damaged row makes of the file, in words that name it. Raises Unusable."""
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
        if kind not in self._tables:
            self._tables[kind] = Table(self._indexes.get(kind))
        return self._tables[kind]

    def get(self, kind: str, id: object) -> Doc | None:
        return self.table(kind).docs.get(str(id))

    def put(self, kind: str, doc: Doc) -> Doc:
        self.table(kind).replace(str(doc["id"]), doc)
        self._dirty[kind, str(doc["id"])] = None
        return doc

    def drop(self, kind: str, id: str) -> None:
        self.table(kind).replace(id, None)
        self._dirty[kind, id] = None

    def number(self, counter: str) -> int:
        """1, 2, 3, …: never the same number twice, over restarts too."""
        self._counters[counter] = self._counters.get(counter, 0) + 1
        self._dirty["counter", counter] = None
        return self._counters[counter]

    def clear(self) -> None:
        for kind, table in self._tables.items():
            for id in list(table.docs):
                self.drop(kind, id)
        for counter in self._counters:
            self._counters[counter] = 0
            self._dirty["counter", counter] = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Alone in this process and, with a file, among all processes that have it open."""
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
            with self._told():
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
        """Read what others wrote since we looked last."""
        rows = db.execute("SELECT kind, id, rev, body FROM docs WHERE rev > ? ORDER BY rev", (self._rev,))
        for kind, id, rev, body in rows:
            self._rev = rev
            if kind == "counter":
                self._counters[id] = json.loads(body)
            else:
                self.table(kind).replace(id, None if body is None else json.loads(body))

    def _commit(self) -> None:
        dirty, self._dirty = self._dirty, {}
        if self._db is None:
            return
        with self._told():
            if dirty:
                self._rev += 1
                rows = [(kind, id, self._rev, self._text(kind, id)) for kind, id in dirty]
                self._db.executemany("INSERT OR REPLACE INTO docs VALUES (?, ?, ?, ?)", rows)
            self._db.execute("COMMIT")

    def _text(self, kind: str, id: str) -> str | None:
        body = self._counters[id] if kind == "counter" else self.table(kind).docs.get(id)
        return None if body is None else json.dumps(body, separators=(",", ":"))


def _make_private(path: Path) -> None:
    """A file that its owner alone can read, never through a link: SQLite gives the files beside it the same permissions."""
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
