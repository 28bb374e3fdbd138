"""The ledger: runs, what they planned, what became of it, and what is known of each thing since."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock as Mutex
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, select, update

from reconciler.core.compare.trail import Write
from reconciler.core.model.address import Address
from reconciler.core.model.attempt import Disproof, Place
from reconciler.core.model.change import Change
from reconciler.core.model.past import Done, Run
from reconciler.core.model.record import Record, Thing
from reconciler.core.model.recorded import Recorded, disown
from reconciler.ledger import door, past
from reconciler.ledger import key as keys
from reconciler.ledger.database import for_reading, in_chunks, keep_log
from reconciler.ledger.digests import Digests
from reconciler.ledger.errors import unusable
from reconciler.ledger.homes import mend
from reconciler.ledger.homes.choice import ALONE, Means, home_of
from reconciler.ledger.homes.file import FileHome
from reconciler.ledger.homes.home import Home, Lock, Waiting
from reconciler.ledger.homes.images import Images
from reconciler.ledger.rows import recall, replace_records
from reconciler.ledger.run import PlannedWrite, RunHead, Settlement, insert_run, insert_writes, intend_writes, run_id, settle_writes
from reconciler.ledger.tables import INEFFECTIVE, KEYS, RUNS, THINGS, WRITES, is_current, make_tables

LOST = "it counts as lost; restore a copy of it, or let `reconciler adopt --all PATH` take things in again"
_KEYED = f"give the key that it was written with ({keys.KEY_VARIABLE}, else .reconciler/key), or `reconciler adopt` takes things in again"


@dataclass(slots=True)
class _Run:
    """A run of this process."""

    # Whose it is: the workspace and the manifest's name.
    owner: tuple[str, str]
    # Where its writes are, by their numbers.
    places: dict[int, Place] = field(default_factory=dict)


class Ledger:
    """A ledger of runs and things. Threads may share it; other processes may use the same database meanwhile.

    `images` are what its runs were about to destroy. `warning` is a sentence when what the database holds cannot be used with this
    key, else empty.
    """

    def __init__(
        self, home: Home, engine: Engine, key: bytes, now: Callable[[], float] = time.time, folder: Path = Path(".reconciler")
    ) -> None:
        self.home, self._key, self._now = home, key, now
        self.images = Images(home, FileHome(folder))
        self._digests, self._lock = Digests(key), Mutex()
        self._runs: dict[str, _Run] = {}
        self._held: Lock | None = None
        self._older = False
        # The runs of which it was seen to hold a pre-image, where that is kept apart from the runs.
        self._imaged_ids: set[str] = set()
        self._use(engine)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        create: bool,
        address: str = "",
        now: Callable[[], float] = time.time,
        environ: Mapping[str, str] = os.environ,
        means: Means = ALONE,
    ) -> Ledger | None:
        """The ledger at an address, by default in a folder; without `create` nothing new is made, and where there is none the answer
        is None. Raises Usage, LedgerUnusable."""
        home = home_of(address, folder, environ, means)
        try:
            door.check(folder)
            if not create and not home.exists():
                home.close()
                return None
            with unusable(home.place):
                key = keys.read_key(folder, environ)
                if key is None and create:
                    door.make_folder(folder)
                    key = keys.make_key(folder, environ)
            return cls(home, home.engine(create=create), key or keys.make_spare_key(), now, folder)
        except BaseException:
            home.close()
            raise

    @classmethod
    def blank(cls, folder: Path, now: Callable[[], float], address: str = "", environ: Mapping[str, str] = os.environ) -> Ledger | None:
        """An empty one in memory in place of one that is not made yet; None where there is one. Raises Usage, LedgerUnusable."""
        from reconciler.ledger.homes.memory import MemoryHome, copy_images

        home = home_of(address, folder, environ)
        try:
            if home.exists():
                return None
            mine = MemoryHome(home)
            key = keys.read_key(folder, environ) or keys.make_spare_key()
            ledger = cls(mine, mine.engine(create=True), key, now, folder)
            ledger.images = replace(copy_images(ledger.images), home=mine)
            return ledger
        finally:
            home.close()

    @property
    def place(self) -> str:
        """What sentences call it."""
        return self.home.place

    @property
    def digests(self) -> Digests:
        return self._digests

    def _use(self, engine: Engine) -> None:
        self._engine, self._reading = engine, for_reading(engine)
        try:
            self.warning = self._prepare()
        except BaseException:
            self._let_go(engine)
            raise

    def _let_go(self, engine: Engine) -> None:
        if not self.home.shares_engine:
            engine.dispose()

    # ── who may write ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def lock(self, app_id: str, who: str, waiting: Waiting) -> Iterator[Lock]:
        """The right to write to a workspace. Raises Locked. What was recalled before may be old: recall again."""
        lock = self.home.lock(app_id, self._digests.plain(who), waiting)
        self._held = lock
        try:
            fresh = self.home.engine(create=True)
            if fresh is not self._engine:
                self._let_go(self._engine)
                self._use(fresh)
            yield lock
        finally:
            self._held = None
            lock.release()

    def check(self) -> None:
        """Raises LockLost where a lock was taken and it cannot be shown any more that it is held."""
        if self._held is not None:
            self._held.check()

    # ── what is known ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def read_recorded(self, app_id: str, name: str = "default") -> Recorded:
        """What is remembered of a workspace for a manifest's name."""
        with self._looking() as connection:
            recorded = recall(connection, self._digests, app_id, self._digests.plain(name), self.place)
        return disown(recorded) if self._older else recorded

    @property
    def is_as_left(self) -> bool:
        """Whether nobody but this machine writes to it, and it is what this machine left."""
        with unusable(self.place):
            return self.home.ground is not None and bool(self.home.read_mark()) and not self._older

    def find_gap(self) -> float:
        """When it was seen last that runs are missing of which something else is left, in Unix seconds: now and later, where no run has
        noted these; 0 where none are. Raises LedgerUnusable."""
        with unusable(self.place):
            self._imaged_ids |= set(self.home.list_imaged_runs())
        with self._looking() as connection:
            noted = past.read_lost_runs(connection)
            return max(noted.values(), default=0.0) if past.list_missing_runs(connection, self._imaged_ids) <= noted.keys() else math.inf

    def record(self, app_id: str, name: str, records: Iterable[Record], names_gone: Iterable[Thing] = ()) -> None:
        """Keep these records, and let go of things."""
        with self._writing() as connection:
            replace_records(connection, self._digests, (app_id, self._digests.plain(name)), records, names_gone)

    def owners(self, app_id: str, name: str) -> Mapping[Thing, str]:
        """What other names own in a workspace, and whose it is."""
        with self._looking() as connection:
            return past.read_owners(connection, app_id, self._digests.plain(name))

    def forget(self, app_id: str, name: str, records: Sequence[Record]) -> None:
        """Let go of things: nothing is known of them any more, nor of what was tried at their addresses."""
        owner = (app_id, self._digests.plain(name))
        with self._writing() as connection:
            past.forget(connection, owner, [record.name for record in records])
            past.let_go(connection, owner, [record.thing for record in records])

    def disprove(self, app_id: str, name: str, writes: Sequence[Disproof]) -> None:
        """What was sent to these places up to then, and never answered, was never done: a strong read found nothing there."""
        runs = select(RUNS.c.id).where(RUNS.c.app_id == app_id, RUNS.c.name == self._digests.plain(name))
        with self._writing() as connection:
            for place, sent_at in writes:
                here = (WRITES.c.thing == place.thing) & (WRITES.c.link == place.link) & (WRITES.c.target == place.target)
                open_then = (WRITES.c.intended <= sent_at) & WRITES.c.outcome.is_(None)
                connection.execute(update(WRITES).where(here & open_then, WRITES.c.run.in_(runs)).values(superseded=True))

    def forget_workspace(self, app_id: str) -> None:
        """Let go of all that is known of a workspace which was emptied; its runs are kept."""
        with self._writing() as connection:
            connection.execute(delete(THINGS).where(THINGS.c.app_id == app_id))
            runs = select(RUNS.c.id).where(RUNS.c.app_id == app_id)
            connection.execute(update(WRITES).where(WRITES.c.run.in_(runs)).values(superseded=True))

    def examine(self) -> None:
        """Raises LedgerUnusable where something that lies in its file cannot be read."""
        with self._looking() as connection:
            mend.examine(connection, self.place)

    # ── what was done ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def count_runs(self, app_id: str) -> tuple[int, int]:
        """How many runs of a workspace it holds, whosever, and how many of these have ended."""
        with self._looking() as connection:
            return past.count_runs(connection, app_id)

    def runs(self) -> list[Run]:
        """Every run, newest first, whoever's key it was."""
        with self._looking() as connection:
            return past.read_runs(connection, self.place)

    def read_done(self, run: str) -> list[Done]:
        """What a run had in its plan and what became of it, as far as it is kept."""
        with self._looking() as connection:
            return past.read_done(connection, run, self.place)

    def read_undo_keys(self, app_id: str, name: str) -> tuple[str, ...] | None:
        """The public keys that the last apply under a name encrypted to; None where there was none."""
        with self._looking() as connection:
            return past.read_undo_keys(connection, app_id, self._digests.plain(name), self.place)

    def read_written(self, app_id: str, name: str, things: Sequence[str]) -> list[Write]:
        """The writes of applies that were done to these things, each the digest of its address."""
        with self._looking() as connection:
            return past.read_written(connection, (app_id, self._digests.plain(name)), things, self.place)

    def workspaces(self) -> Mapping[str, str]:
        """The workspaces that it knows runs of: app id → region."""
        with self._looking() as connection:
            return past.read_workspaces(connection)

    # ── a run ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, head: RunHead) -> str:
        """Record the start of a run; the answer is its id. Ids of later milliseconds sort later."""
        now, as_left = self._now(), self.is_as_left
        run = run_id(now)
        with self._writing() as connection:
            insert_run(connection, self._digests, run, now, head)
            if not as_left:
                past.note_lost_runs(connection, self._imaged_ids, now)
            if self._older:
                past.disown(connection)
                self._older = False
            self._runs[run] = _Run((head.app_id, self._digests.plain(head.name)))
        with unusable(self.place):
            self.home.mark(run)
        return run

    def plan(self, run: str, writes: Sequence[PlannedWrite]) -> list[int]:
        """Record all that a run has in its plan; the answer is a number for each, to intend and to settle it by.

        Whatever is never settled was not done, or its answer was lost.
        """
        if not writes:
            return []
        own = self._runs[run]
        with self._writing() as connection:
            places = insert_writes(connection, self._digests, own.owner[0], run, writes)
        own.places.update(places)
        return list(places)

    def intend(self, writes: Mapping[int, Change]) -> None:
        """Record that the calls of these changes are about to be sent, with the live ids known by now. It survives the death of the
        process. Raises LockLost."""
        self.check()
        if writes:
            with self._writing() as connection:
                intend_writes(connection, self._now(), writes)

    def settle(self, run: str, settlements: Sequence[Settlement], records: Iterable[Record] = (), names_gone: Iterable[Thing] = ()) -> None:
        """Record what became of writes, and what is known of things since. Raises LockLost: a successor may know better by now."""
        self.check()
        own = self._runs[run]
        with self._writing() as connection:
            settle_writes(connection, self._now(), settlements, own.places)
            replace_records(connection, self._digests, own.owner, records, names_gone)

    def end(self, run: str, exit_code: int, counts: Mapping[str, int]) -> None:
        """Record how a run ended."""
        row = {"ended": self._now(), "exit_code": exit_code, "counts": dict(counts)}
        with self._writing() as connection:
            connection.execute(update(RUNS).where(RUNS.c.id == run).values(**row))
        with unusable(self.place):
            self.home.publish()

    # ── what Intercom does not take ────────────────────────────────────────────────────────────────────────────────────────

    def note_ineffective(self, app_id: str, address: Address, path: str, value: Any, *shown: Any) -> None:
        """Remember that a write of this value was answered, and what the reply showed instead of it, if it showed anything."""
        place = self._digests.place(app_id, address, path)
        claims = (self._digests.claim(place, path, value), *(self._digests.claim(place, path, [value, other]) for other in shown))
        with self._writing() as connection:
            connection.execute(delete(INEFFECTIVE).where(INEFFECTIVE.c.place == place))
            connection.execute(INEFFECTIVE.insert(), [{"place": place, "claim": one, "noted": self._now()} for one in claims])

    def forget_ineffective(self, app_id: str, places: Iterable[tuple[Address, str]]) -> None:
        """Forget it for fields that a later write did reach."""
        digests = [self._digests.place(app_id, address, path) for address, path in places]
        with self._writing() as connection:
            for chunk in in_chunks(digests):
                connection.execute(delete(INEFFECTIVE).where(INEFFECTIVE.c.place.in_(chunk)))

    def copy(self, now: Callable[[], float]) -> Ledger:
        """The same in memory, as the next run would find it if this one were killed now; nothing of it ever reaches this one."""
        from reconciler.ledger.homes.memory import MemoryHome, copy_images

        home = MemoryHome(self.home)
        remains = for_reading(self.home.remains) if isinstance(self.home, MemoryHome) else self._reading
        with unusable(self.place), self._lock, remains.begin() as connection:
            home.fill(connection)
        other = Ledger(home, home.engine(create=True), self._key, now)
        other.images = replace(copy_images(self.images), home=home)
        return other

    # ── inside ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

    def close(self) -> None:
        """Let the database go. SQLite folds its write-ahead log into the file."""
        with self._lock:
            self._let_go(self._engine)
            self.home.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _prepare(self) -> str:
        """Make the tables where there are none, and see whether this is what was written last; the answer is the warning."""
        with self._looking() as connection:
            current = is_current(connection, self.place)
        if not current:
            with unusable(self.place):
                keep_log(self._engine)
            with self._writing() as connection:
                make_tables(connection, self.place)
        mine = self._digests.fingerprint
        with unusable(self.place):
            last = self.home.read_mark()
        with self._looking() as connection:
            fingerprints = set(connection.scalars(select(KEYS.c.fingerprint)))
            others = past.count_unread(connection, mine)
            newest = connection.scalar(select(func.max(RUNS.c.id)))
            self._older = bool(last) and connection.scalar(select(RUNS.c.id).where(RUNS.c.id == last)) is None
        reason = "" if newest else self._find_traces()
        if newest and not self._older:
            with unusable(self.place):
                self.home.remember(newest)
        if fingerprints and mine not in fingerprints:
            return f"the ledger {self.place} was written with another key, so it counts as lost; {_KEYED}"
        if self._older:
            text = "is older than the last run here, so nobody can say what is ours: nothing is pruned or detached by it"
            return f"the ledger {self.place} {text}; `reconciler adopt` takes things in again"
        if reason:
            return f"the ledger {self.place} {reason}: {LOST}"
        text = "recorded with another key alone, and nobody's here"
        return f"the ledger {self.place} holds {others} {text}; {_KEYED}" if others else ""

    def _find_traces(self) -> str:
        """What shows that there were runs, where there are none; another process may have begun one meanwhile."""
        with unusable(self.place):
            traces = self.home.find_traces()
        with self._looking() as connection:
            return "" if connection.scalar(select(RUNS.c.id).limit(1)) else traces

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with unusable(self.place), self._lock, self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _looking(self) -> Iterator[Connection]:
        with unusable(self.place), self._lock, self._reading.begin() as connection:
            yield connection
