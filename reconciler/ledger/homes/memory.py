"""The copy of a home in memory: what is written to it stays in this process; what was kept before is read where it lies."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from sqlalchemy import Connection, Engine, select

from reconciler.ledger.database import engine_for
from reconciler.ledger.homes.home import Home, Waiting
from reconciler.ledger.homes.images import Images
from reconciler.ledger.tables import RECORDED, make_tables


class MemoryHome:
    """A ledger that nobody else sees, for what is tried and must leave nothing behind. `of` is the home that it is a copy of."""

    shares_engine = False

    def __init__(self, of: Home) -> None:
        self._of, self._mark = of, of.read_mark()
        self.place, self.at_once, self.is_shared = of.place, of.at_once, of.is_shared
        self.ground: Path | None = of.ground
        self._images: dict[str, str] = {}
        self._engine, self._published = engine_for("sqlite://"), engine_for("sqlite://")

    def fill(self, connection: Connection) -> None:
        """Take over what a ledger has recorded, wherever it keeps what undo needs."""
        with self._engine.begin() as own:
            make_tables(own, self.place)
            for table in RECORDED:
                rows = [dict(row) for row in connection.execute(select(table)).mappings()]
                own.execute(table.delete())
                if rows:
                    own.execute(table.insert(), rows)
        self.publish()

    @property
    def remains(self) -> Engine:
        """What the next run would find if this one were killed now."""
        return self._engine if self.at_once else self._published

    def exists(self) -> bool:
        return True

    def engine(self, *, create: bool) -> Engine:
        return self._engine

    def check_writable(self) -> None:
        """It is."""

    def lock(self, app_id: str, who: str, waiting: Waiting) -> NoLock:
        return NoLock()

    def publish(self) -> None:
        if not self.at_once:
            source, target = self._engine.raw_connection(), self._published.raw_connection()
            # The driver's own copy of a whole database, of which SQLAlchemy has no type.
            source.driver_connection.backup(target.driver_connection)  # type: ignore[union-attr]  # it has none
            source.close()
            target.close()

    def mark(self, run: str) -> None:
        self._mark = run

    def remember(self, run: str) -> None:
        self._mark = run

    def read_mark(self) -> str:
        return self._mark

    def find_traces(self) -> str:
        return self._of.find_traces()

    def list_imaged_runs(self) -> Collection[str]:
        return {*self._of.list_imaged_runs(), *self._images}

    def put_preimage(self, run: str, preimage: str, stored: float) -> None:
        self._images[run] = preimage

    def drop_preimages(self, now: float) -> None:
        """Those of the other stay: they are not this one's to drop."""

    def read_preimage(self, run: str) -> str | None:
        return self._images[run] if run in self._images else self._of.read_preimage(run)

    def close(self) -> None:
        self._engine.dispose()
        self._published.dispose()


class NoLock:
    """The right to write to what nobody else sees."""

    taken_over = ""

    def check(self) -> None:
        """It cannot get lost."""

    def release(self) -> None:
        """Nothing is held."""


def copy_images(images: Images) -> Images:
    """The same pre-images; what is kept from now on stays in memory."""
    return Images(MemoryHome(images.home), MemoryHome(images.local))
