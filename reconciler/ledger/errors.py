"""What makes a ledger unusable, in one sentence; SQL, parameters and URLs with passwords never reach it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from reconciler.errors import ReconcilerError

_MOVE = "move it away: the next apply starts a new one"
_WRITE = "see to its permissions and its disk, and run again"
_SQLITE = {
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space and run again"),
    sqlite3.SQLITE_READONLY: ("it cannot be written", _WRITE),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", _WRITE),
    sqlite3.SQLITE_PERM: ("it cannot be opened", _WRITE),
    sqlite3.SQLITE_IOERR: ("it cannot be read or written", _WRITE),
    sqlite3.SQLITE_BUSY: ("another process kept it busy for 30 s", "run again when that one has ended"),
    sqlite3.SQLITE_LOCKED: ("another process kept it busy for 30 s", "run again when that one has ended"),
    sqlite3.SQLITE_NOTADB: ("it is not a ledger", _MOVE),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", _MOVE),
}


class LedgerUnusable(ReconcilerError):
    """The ledger at `place` cannot be used; nothing in it was renamed, deleted or repaired."""

    def __init__(self, place: str, what: str, now: str = _MOVE) -> None:
        self.place, self.what, self.now = place, what, now
        super().__init__(place, what, now)

    def __str__(self) -> str:
        return f"the ledger {self.place} cannot be used: {self.what}; {self.now}"


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
        return _SQLITE.get(code, ("its tables are not those of a ledger", _MOVE))
    return f"the database answered {type(cause).__name__}", "see to the database and run again"
