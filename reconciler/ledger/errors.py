"""What makes a ledger unusable, in one sentence; SQL, parameters and URLs with passwords never reach it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from reconciler.errors import Locked, ReconcilerError

_MOVE = "move it away: the next apply starts a new one"
_ADOPT = "restore a copy of it, or let `reconciler adopt --all PATH` move it aside and begin a new one"
_WRITE = "see to its permissions and its disk, and run again"
_SQLITE = {
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space and run again"),
    sqlite3.SQLITE_READONLY: ("it cannot be written", _WRITE),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", _WRITE),
    sqlite3.SQLITE_PERM: ("it cannot be opened", _WRITE),
    sqlite3.SQLITE_IOERR: ("it cannot be read or written", _WRITE),
    sqlite3.SQLITE_BUSY: ("another process kept it busy for 30 s", "run again when that one has ended"),
    sqlite3.SQLITE_LOCKED: ("another process kept it busy for 30 s", "run again when that one has ended"),
    sqlite3.SQLITE_NOTADB: ("it is not a ledger", ""),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", ""),
}
_NOT_OURS = "its tables are not those of a ledger"
BEFORE = "it was made by a reconciler from before 0.1.0, or a table of it is gone"
_DAMAGED = ("it is not a ledger", "it is damaged", "it names no schema version", _NOT_OURS, BEFORE)
_SERVER = "see to the server and the address, and run again"
_LET_IN = "see to the user and the password (PGPASSWORD, or ~/.pgpass), and run again"
# What PostgreSQL answers: its SQLSTATE where the driver shows one, else words of libpq or of the server. The first that fits.
_POSTGRES = (
    (r"^42501", "permission denied", "let this user create a schema in the database, or use the schema reconciler, and run again"),
    (r"^(42P0[17]|42703|42883)", "its tables are not those of a ledger", "see to the schema reconciler in it, and run again"),
    (r"^25006", "it cannot be written", "name the primary server, not a copy of it, and run again"),
    (r"^53100|No space left", "the disk is full", "free some space and run again"),
    (r"^53300|too many clients|connection slots", "the server has no free connection", "run again later"),
    (r"^(08|57P0)|connection (is|was) (lost|closed)|terminat|closed the connection", "the connection was lost", "run again"),
    (r"Connection refused|No such file or directory", "connection refused", _SERVER),
    (r"password authentication failed", "password authentication failed", _LET_IN),
    (r"no password supplied|fe_sendauth", "the server wants a password", _LET_IN),
    (r'(?P<said>database "[^"]*" does not exist)', "{said}", "create it, or correct the address"),
    (r'(?P<said>role "[^"]*" does not exist)', "{said}", _LET_IN),
    (r"pg_hba\.conf|authentication failed", "the server does not let this user in from here", _LET_IN),
    (r"translate host name|resolve host|not known|No address", "there is no host of this name", "correct the address"),
    (r"timeout|timed out", "no answer in time", _SERVER),
    (r"SSL|certificate", "no encrypted connection could be made", "see to sslmode and sslrootcert in the address, and run again"),
)


class LedgerUnusable(ReconcilerError):
    """The ledger at `place` cannot be used; nothing in it was renamed, deleted or repaired."""

    def __init__(self, place: str, what: str, now: str = "") -> None:
        self.place, self.what = place, what
        self.now = now or (_ADOPT if what in _DAMAGED else _MOVE)
        super().__init__(place, what, self.now)

    @property
    def is_damaged(self) -> bool:
        """Whether it was a ledger, as far as can be seen, and is none any more."""
        return self.now == _ADOPT

    def __str__(self) -> str:
        return f"the ledger {self.place} cannot be used: {self.what}; {self.now}"


class NotAFile(LedgerUnusable):
    """What lies in our folder is a link, a pipe, a device or another thing than it has to be: nothing goes on, with or without it."""


@contextmanager
def unusable(place: str) -> Iterator[None]:
    """Turn what the database or the file system says into the one sentence."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise LedgerUnusable(place, *_reason(error)) from error
    except UnicodeDecodeError as error:
        # The driver decodes what SQLite says; its message quotes names out of the file as they stand there.
        raise LedgerUnusable(place, "it is damaged") from error
    except OSError as error:
        raise LedgerUnusable(place, error.strerror or type(error).__name__, _WRITE) from error


def _reason(error: SQLAlchemyError | sqlite3.Error) -> tuple[str, str]:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        # An extended code holds the primary one in its low byte: sqlite.org/rescode.html. Without a code: its tables are not ours.
        code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        return _SQLITE.get(code, (_NOT_OURS, ""))
    text = f"{getattr(cause, 'sqlstate', None) or ''} {cause}"
    for pattern, what, now in _POSTGRES:
        if match := re.search(pattern, text, re.IGNORECASE):
            return what.format(**match.groupdict()), now
    return f"the database answered {type(cause).__name__}", "see to the database and run again"


def locked_by(place: str, who: str, since: float | None, lasts: str = "it ends with that process") -> Locked:
    """Who holds the lock of the ledger at `place`, and since when in Unix seconds; without a name another run. `lasts`: how it ends
    by itself."""
    holder = f"{who}, since {format_moment(since)}," if who and since is not None else who or "another run"
    return Locked(f"{holder} holds the lock of this ledger ({place}); {lasts}; wait for it, or give --lock-timeout more seconds")


def format_moment(at: float) -> str:
    """Unix seconds for people."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
