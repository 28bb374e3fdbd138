"""What a test makes go wrong: statuses, broken bodies, dropped connections, delays, writes of somebody else."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


class ConnectionDropped(ConnectionError):
    """The connection ended without an answer. `worked`: the work of the call was done before that."""

    def __init__(self, *, worked: bool) -> None:
        super().__init__("the sandbox dropped the connection")
        self.worked = worked


@dataclass
class Fault:
    """What goes wrong with some calls."""

    method: str | None = None  # of the calls; None: any
    path: str = ""  # a regular expression, searched in the path as sent
    status: int | None = None  # of the answer; None: as the work gives it
    drop: str | None = None  # "before" or "after" the work: when the connection ends; None: never
    body: bytes | None = None  # of the answer; None: as the work gives it, or an error for `status`
    headers: Mapping[str, str | None] = field(default_factory=dict)  # of the answer, besides its own; None takes one away
    times: int | None = 1  # how many calls it meets; None: all
    rate: float = 1.0  # the share of the calls that it meets, by chance
    after: int = 0  # how many calls pass first
    done: bool = False  # the work is done all the same
    delay: float = 0.0  # seconds before the work
    run: Callable[[], object] | None = None  # called before the work: for example somebody else's write
    code: str | None = None  # of the error; None: the usual one of `status`
    message: str | None = None  # of the error; None: the phrase of `status`
    hits: int = 0  # how many calls it met so far
    matches: int = 0  # how many calls it could have met so far

    def __post_init__(self) -> None:
        if self.drop not in (None, "before", "after"):
            raise ValueError(f"drop must be 'before' or 'after', not {self.drop!r}")
        self._pattern = re.compile(self.path)

    @property
    def answers(self) -> bool:
        """Whether it changes the answer, and not only delays or precedes it."""
        return self.status is not None or self.body is not None or bool(self.headers)

    @property
    def skips_work(self) -> bool:
        if self.drop is not None:
            return self.drop == "before"
        return (self.status is not None or self.body is not None) and not self.done

    def strike(self, method: str, path: str, chance: Callable[[], float]) -> bool:
        """Whether this call meets it. `chance` gives numbers from 0 to 1."""
        if self.method not in (None, method) or not self._pattern.search(path):
            return False
        self.matches += 1
        is_spent = self.times is not None and self.hits >= self.times
        if self.matches <= self.after or is_spent or (self.rate < 1.0 and chance() >= self.rate):
            return False
        self.hits += 1
        return True


class Faults(list[Fault]):
    """In the order in which they were added. A call meets the first that strikes."""

    def __init__(self) -> None:
        super().__init__()
        self._chance = random.Random(0)
        self._lock = threading.Lock()

    def add(self, method: str | None = None, path: str = "", **fields: Any) -> Fault:
        """`fields` are the further ones of the Fault. Raises ValueError and TypeError for a wrong one."""
        self.append(Fault(method, path, **fields))
        return self[-1]

    def meet(self, method: str, path: str) -> Fault | None:
        """The fault that this call meets."""
        with self._lock:
            return next((fault for fault in self if fault.strike(method, path, self._chance.random)), None)
