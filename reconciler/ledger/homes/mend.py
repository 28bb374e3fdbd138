"""Mending: a file ledger that is damaged is moved aside, so that a new one can begin. Nothing of it is deleted or repaired."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path

from sqlalchemy import Connection, select

from reconciler.core.model.jsons import parse_json
from reconciler.ledger.errors import LedgerUnusable, unusable
from reconciler.ledger.homes.file import FileHome
from reconciler.ledger.homes.home import Waiting
from reconciler.ledger.tables import METADATA, RUNS, THINGS, WRITES

_ROWS = 1000
_JSON = ((RUNS.c.files, RUNS.c.policy, RUNS.c.counts), (WRITES.c.fields,))


def examine(connection: Connection, place: str) -> None:
    """Read all that lies in a SQLite database. Raises LedgerUnusable where something cannot be read."""
    if connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() != "ok":
        raise LedgerUnusable(place, "it is damaged")
    try:
        for table in METADATA.sorted_tables:
            connection.execute(select(table).limit(1)).all()
        for columns in _JSON:
            # Each row is decoded when it is fetched.
            for _ in connection.execute(select(*columns)):
                pass
        # Many at once: to start the parser costs more than a text of this size. Of what one run found, thousands have the same links.
        for query, kind in ((select(THINGS.c.fields), str), (select(THINGS.c.links).distinct(), dict)):
            for rows in connection.scalars(query).partitions(_ROWS):
                _check_shapes(rows, kind)
    except (ValueError, TypeError) as error:
        raise LedgerUnusable(place, "it is damaged") from error


def _check_shapes(texts: Sequence[str], kind: type) -> None:
    """Raises ValueError, TypeError where one is no JSON map to such values."""
    values = parse_json(f"[{','.join(texts)}]")
    maps = len(values) == len(texts) and set(map(type, values)) <= {dict}
    if not maps or not set(map(type, chain.from_iterable(map(dict.values, values)))) <= {kind}:
        raise TypeError("another shape")


def set_aside(folder: Path, who: str, waiting: Waiting, is_damaged: Callable[[], bool]) -> Path | None:
    """Move the database in a folder out of the way, under its lock; the answer is where it lies now, None where it is not, or no
    more, damaged. Raises Locked, LedgerUnusable."""
    home = FileHome(folder)
    lock = home.lock("", who, waiting)
    try:
        return _move(folder / "ledger.db", waiting.now()) if is_damaged() else None
    finally:
        lock.release()


def _move(path: Path, at: float) -> Path:
    """The log goes with its database, under the name by which SQLite knows it: sqlite.org/wal.html."""
    stamp = datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
    names = (path.with_name(f"{path.name}.damaged-{stamp}{f'-{n}' if n else ''}") for n in count())
    aside = next(name for name in names if not os.path.lexists(name))
    with unusable(str(path)):
        for suffix in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.rename(f"{path}{suffix}", f"{aside}{suffix}")
        os.rename(path, aside)
    return aside
