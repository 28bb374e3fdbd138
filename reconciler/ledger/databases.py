"""What the ledgers of one process share, where their host lets them: the connections to a server, and the statements compiled for it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock as Mutex
from types import TracebackType
from typing import TYPE_CHECKING

from sqlalchemy import Engine

if TYPE_CHECKING:
    from reconciler.ledger.homes.home import Lock


class Databases:
    """Engines that ledgers share. Threads may use it; whoever made it closes it, when no call uses it any more."""

    def __init__(self) -> None:
        self._mutex = Mutex()
        self._engines: dict[Hashable, Engine] = {}
        # Whose connection takes the locks too, where that is of the same database; None: each lock has its own.
        self.holder: Lock | None = None

    def beside(self, holder: Lock) -> Databases:
        """The same engines for one ledger at a time, whose lock is held by the connection of another one: both are lost together."""
        other = Databases()
        other._mutex, other._engines, other.holder = self._mutex, self._engines, holder
        return other

    def share(self, name: Hashable, make: Callable[[], Engine]) -> Engine:
        """The one engine of this name, made where there is none."""
        with self._mutex:
            if name not in self._engines:
                self._engines[name] = make()
            return self._engines[name]

    def close(self) -> None:
        """Let the connections go."""
        with self._mutex:
            engines = list(self._engines.values())
            self._engines.clear()
        for engine in engines:
            engine.dispose()

    def __enter__(self) -> Databases:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
