"""Trouble on request: statuses, broken bodies, dropped connections, slowness, somebody else's writes."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field


class ConnectionDropped(ConnectionError):
    """In process: the connection ended without an answer. `worked` tells whether the call was carried out before that."""

    def __init__(self, *, worked: bool) -> None:
        super().__init__("the sandbox dropped the connection")
        self.worked = worked


@dataclass
class Fault:
    method: str | None = None  # None: any
    path: str = ""  # a regular expression, searched in the path as sent
    status: int | None = None
    drop: str | None = None  # "before" or "after" the work
    body: bytes | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)  # None takes a header away
    times: int | None = 1  # None: for ever
    rate: float = 1.0
    after: int = 0  # so many matches pass first
    done: bool = False  # the work is done, then the answer replaced
    delay: float = 0.0  # seconds before the answer
    run: Callable[[], object] | None = None  # done just before the work, e.g. somebody else's write
    code: str | None = None
    message: str | None = None
    hits: int = 0
    matches: int = 0

    def __post_init__(self) -> None:
        if self.drop not in (None, "before", "after"):
            raise ValueError(f"drop must be 'before' or 'after', not {self.drop!r}")
        self._pattern = re.compile(self.path)

    @property
    def answers(self) -> bool:
        """It replaces the answer, rather than delaying or preceding it."""
        return self.status is not None or self.body is not None or bool(self.headers)

    @property
    def skips_work(self) -> bool:
        return self.drop == "before" or ((self.status is not None or self.body is not None) and not self.done and self.drop is None)

    def strikes(self, method: str, path: str, chance: Callable[[], float]) -> bool:
        if self.method not in (None, method) or not self._pattern.search(path):
            return False
        self.matches += 1
        if self.matches <= self.after or (self.times is not None and self.hits >= self.times):
            return False
        if self.rate < 1.0 and chance() >= self.rate:
            return False
        self.hits += 1
        return True


class Faults:
    """Asked in the order in which they were added; the first that strikes is the one."""

    def __init__(self, seed: int = 0) -> None:
        self._faults: list[Fault] = []
        self._chance = random.Random(seed)
        self._lock = threading.Lock()

    def add(self, method: str | None = None, path: str = "", **how: object) -> Fault:
        fault = Fault(method, path, **how)  # type: ignore[arg-type]  # the dataclass names them
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def __iter__(self) -> Iterator[Fault]:
        return iter(list(self._faults))

    def __len__(self) -> int:
        return len(self._faults)

    def strike(self, method: str, path: str) -> Fault | None:
        if not self._faults:
            return None
        with self._lock:
            return next((f for f in self._faults if f.strikes(method, path, self._chance.random)), None)
