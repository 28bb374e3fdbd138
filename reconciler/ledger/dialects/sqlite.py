"""SQLAlchemy's dialect of SQLite, so that what was compiled for one ledger serves the next ones of this process."""

from __future__ import annotations

from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite


class SharedDialect(SQLiteDialect_pysqlite):
    """Statements are kept by their dialect (docs.sqlalchemy.org, compiled_cache), and two of these are the same: one SQLite serves both."""

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SharedDialect)

    def __hash__(self) -> int:
        return hash(SharedDialect)
