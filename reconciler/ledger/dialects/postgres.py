"""SQLAlchemy's dialect of PostgreSQL, so that what was compiled for one ledger serves those on servers like its own."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg


class SharedDialect(PGDialect_psycopg):
    """Statements are kept by their dialect (docs.sqlalchemy.org, compiled_cache): two are the same where all is that a statement's text
    may rest on."""

    supports_statement_cache = True

    @property
    def _server(self) -> tuple[object, ...]:
        """Known once it was connected."""
        return tuple(getattr(self, name, None) for name in ("server_version_info", "default_schema_name", "_backslash_escapes"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SharedDialect) and self._server == other._server

    def __hash__(self) -> int:
        return hash(SharedDialect)
