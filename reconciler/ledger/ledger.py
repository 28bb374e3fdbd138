"""The ledger: runs, intents and outcomes, and what they say about an address later."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, NamedTuple

from sqlalchemy import URL, Connection, Engine, Select, bindparam, delete, exists, func, select, update

from reconciler.core.change import Action, Change, LinkChange
from reconciler.core.resource import Address
from reconciler.ledger import home
from reconciler.ledger.database import engine_for, keep_log, place_of, reading
from reconciler.ledger.digests import Digests
from reconciler.ledger.errors import unusable
from reconciler.ledger.tables import INEFFECTIVE, KEYS, RUNS, WRITES, is_current, upgrade

OUTCOMES = frozenset({"applied", "ineffective", "failed", "skipped"})
# Outcomes that prove that Intercom did it; `ineffective` did all but some fields.
_DONE = ("applied", "ineffective")
# Actions whose reply shows which live thing the address is.
_NAMING = (Action.CREATE.value, Action.UNARCHIVE.value, Action.RENAME.value, Action.UPDATE.value)
# Actions at which a thing is the source: its id is known from before.
_LINKING = (Action.ATTACH.value, Action.DETACH.value)
# SQLite before 3.32 allows 999 parameters in a statement: sqlite.org/limits.html.
_CHUNK = 500

# Building a statement costs more than running it, so those of every call are built once.
_INTEND = WRITES.insert()
_INTENDED = select(WRITES.c.id).where(WRITES.c.run == bindparam("of"), WRITES.c.seq >= bindparam("first")).order_by(WRITES.c.seq)
_SETTLE = (
    update(WRITES)
    .where(WRITES.c.id == bindparam("write"))
    .values(outcome=bindparam("outcome"), live_id=bindparam("live_id"), status=bindparam("status"), settled=bindparam("settled"))
)

Claim = tuple[Address, str, Any]


class Known(NamedTuple):
    """The live id that a write of ours showed last, and when."""

    id: str
    written_at: float


@dataclass(frozen=True, slots=True)
class RunHead:
    """What is known of a run when it starts. `name` is the manifest's."""

    app_id: str
    region: str
    name: str
    manifest_digest: str
    plan_digest: str


class Settlement(NamedTuple):
    """What became of a write: one of `OUTCOMES`, the live id and the HTTP status of the reply. A message is never kept."""

    write: int
    outcome: str
    live_id: str | None = None
    status: int | None = None


@dataclass(slots=True)
class _Run:
    """A run of this process: whose workspace it is, and how many writes it intended."""

    app_id: str
    writes: int = 0


class Ledger:
    """A memory of runs and writes. Threads may share it; other processes may use the same database meanwhile.

    `warning` is a sentence when what the database holds cannot be used with this key, else empty.
    """

    def __init__(self, engine_or_url: Engine | URL | str, key: bytes, now: Callable[[], float] = time.time) -> None:
        self._engine = engine_or_url if isinstance(engine_or_url, Engine) else engine_for(engine_or_url)
        self._reading = reading(self._engine)
        self._place = place_of(self._engine)
        self._digests, self._now = Digests(key), now
        self._lock, self._runs = Lock(), dict[str, _Run]()
        try:
            self.warning = self._opened()
        except BaseException:
            self._engine.dispose()
            raise

    @classmethod
    def open(
        cls, folder: Path, *, create: bool, now: Callable[[], float] = time.time, environ: Mapping[str, str] = os.environ
    ) -> Ledger | None:
        """The ledger in a folder; without `create` nothing new is made, and where there is none the answer is None."""
        path = home.database(folder)
        with unusable(str(path)):
            if create:
                home.create(folder)
            elif not path.exists():
                return None
            key = home.key(folder, environ) or (home.new_key(folder, environ) if create else home.some_key())
        return cls(URL.create("sqlite", database=str(path)), key, now)

    def known(self, app_id: str, addresses: Iterable[Address]) -> Mapping[Address, Known]:
        """The live id of every address that a create, unarchive, rename or update of ours reached, and no delete after it.

        It is what was true then: whoever reads the thing holds its identity against the entry's.
        """
        rows = self._about(app_id, addresses, _last_done)
        return {
            address: Known(row.live_id or row.thing_id, row.settled)
            for address, row in rows
            if row.action != Action.DELETE.value and (row.live_id or row.thing_id)
        }

    def lost_creates(self, app_id: str, addresses: Iterable[Address]) -> Mapping[Address, float]:
        """When a create was last intended, for every address where its outcome never came and no later write proves what it was."""
        return {address: row.intended for address, row in self._about(app_id, addresses, _unanswered)}

    def begin(self, head: RunHead) -> str:
        """Record the start of a run; the answer is its id. Ids of later milliseconds sort later."""
        now = self._now()
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S%f")[:-3]
        run = f"{stamp}-{secrets.token_hex(4)}"
        row = asdict(head) | {"name": self._digests.plain(head.name)}
        with self._writing() as connection:
            if not connection.scalar(select(KEYS.c.fingerprint).where(KEYS.c.fingerprint == self._digests.fingerprint)):
                connection.execute(KEYS.insert().values(fingerprint=self._digests.fingerprint, since=now))
            connection.execute(RUNS.insert().values(id=run, started=now, **row))
            self._runs[run] = _Run(head.app_id)
        return run

    def intend(self, run: str, change: Change) -> int:
        return self.intend_many(run, [change])[0]

    def intend_many(self, run: str, changes: Sequence[Change]) -> list[int]:
        """Record changes before their call, with the live ids that they hold; the answer is an id for each, to settle it by.

        A write that is never settled is one whose answer was lost. The intent survives the death of the process.
        """
        if not changes:
            return []
        app_id, now = self._runs[run].app_id, self._now()
        rows = [self._intent(app_id, change) | {"run": run, "intended": now} for change in changes]
        with self._writing() as connection:
            first = self._runs[run].writes
            connection.execute(_INTEND, [row | {"seq": first + i} for i, row in enumerate(rows)])
            ids = connection.scalars(_INTENDED, {"of": run, "first": first}).all()
            self._runs[run].writes += len(rows)
        return list(ids)

    def settle(self, write: int, outcome: str, live_id: str | None = None, status: int | None = None) -> None:
        self.settle_many([Settlement(write, outcome, live_id, status)])

    def settle_many(self, settlements: Sequence[Settlement]) -> None:
        """Record what became of writes."""
        if unknown := {s.outcome for s in settlements} - OUTCOMES:
            raise ValueError(f"no outcomes: {len(unknown)} of {len(settlements)}")
        now = self._now()
        rows = [s._asdict() | {"outcome": str(s.outcome), "settled": now} for s in settlements]
        if rows:
            with self._writing() as connection:
                connection.execute(_SETTLE, rows)

    def end(self, run: str, exit_code: int, counts: Mapping[str, int]) -> None:
        """Record how a run ended."""
        ended = {"ended": self._now(), "exit_code": exit_code, "counts": dict(counts)}
        with self._writing() as connection:
            connection.execute(update(RUNS).where(RUNS.c.id == run).values(**ended))

    def note_ineffective(self, app_id: str, address: Address, path: str, value: Any) -> None:
        """Remember that a write of this value was answered, and the reply did not show it."""
        place, claim = self._digests.place(app_id, address, path), self._digests.claim(app_id, address, path, value)
        with self._writing() as connection:
            connection.execute(delete(INEFFECTIVE).where(INEFFECTIVE.c.place == place))
            connection.execute(INEFFECTIVE.insert().values(place=place, claim=claim, noted=self._now()))

    def forget_ineffective(self, app_id: str, places: Iterable[tuple[Address, str]]) -> None:
        """Forget it for fields that a later write did reach."""
        wanted = [self._digests.place(app_id, address, path) for address, path in places]
        with self._writing() as connection:
            for chunk in _chunks(wanted):
                connection.execute(delete(INEFFECTIVE).where(INEFFECTIVE.c.place.in_(chunk)))

    def is_ineffective(self, app_id: str, claims: Iterable[Claim]) -> set[tuple[Address, str]]:
        """The fields, as (address, path), whose claimed value is one that a write's reply did not show."""
        asked = {self._digests.claim(app_id, *claim): claim[:2] for claim in claims}
        with self._looking() as connection:
            found = [
                row
                for chunk in _chunks(list(asked))
                for row in connection.scalars(select(INEFFECTIVE.c.claim).where(INEFFECTIVE.c.claim.in_(chunk)))
            ]
        return {asked[claim] for claim in found}

    def close(self) -> None:
        """Let the database go. SQLite folds its write-ahead log into the file."""
        with self._lock:
            self._engine.dispose()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _opened(self) -> str:
        """Bring the schema up to date; the answer is the warning."""
        with self._looking() as connection:
            current = is_current(connection, self._place)
        if not current:
            with unusable(self._place):
                keep_log(self._engine)
            with self._writing() as connection:
                upgrade(connection, self._place)
        with self._looking() as connection:
            keys = set(connection.scalars(select(KEYS.c.fingerprint)))
        if not keys or self._digests.fingerprint in keys:
            return ""
        return f"the ledger {self._place} was written with another key, so what it holds cannot be read: it counts as lost"

    def _intent(self, app_id: str, change: Change) -> dict[str, Any]:
        """A change as its row."""
        thing = self._digests.thing(app_id, change.address)
        row: dict[str, Any] = {"action": change.action.value, "kind": change.address.kind, "thing": thing}
        row |= {"thing_id": change.id, "link": None, "target": None, "target_id": None, "fields": None}
        if isinstance(change, LinkChange):
            target = self._digests.thing(app_id, change.target)
            return row | {"link": change.link.field, "target": target, "target_id": change.target_id}
        paths = [self._digests.plain(field.path) for field in change.fields]
        return row | {"fields": paths or None}

    def _about(self, app_id: str, addresses: Iterable[Address], query: Callable[[Sequence[str]], Select[Any]]) -> list[tuple[Address, Any]]:
        """What a query by things answers, with the addresses that they are."""
        asked = {self._digests.thing(app_id, address): address for address in addresses}
        with self._looking() as connection:
            return [(asked[row.thing], row) for chunk in _chunks(list(asked)) for row in connection.execute(query(chunk))]

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with unusable(self._place), self._lock, self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _looking(self) -> Iterator[Connection]:
        with unusable(self._place), self._lock, self._reading.begin() as connection:
            yield connection


def _chunks(digests: Sequence[str]) -> Iterator[Sequence[str]]:
    return (digests[i : i + _CHUNK] for i in range(0, len(digests), _CHUNK))


def _last_done(things: Sequence[str]) -> Select[Any]:
    """The last write to each thing that says which live thing it is, or that it is gone."""
    links = WRITES.c.action.in_(_LINKING) & WRITES.c.thing_id.is_not(None)
    telling = (WRITES.c.action.in_((*_NAMING, Action.DELETE.value)) | links) & WRITES.c.outcome.in_(_DONE)
    last = select(func.max(WRITES.c.id)).where(WRITES.c.thing.in_(things), telling).group_by(WRITES.c.thing)
    return select(WRITES.c.thing, WRITES.c.action, WRITES.c.thing_id, WRITES.c.live_id, WRITES.c.settled).where(WRITES.c.id.in_(last))


def _unanswered(things: Sequence[str]) -> Select[Any]:
    """The creates of things that have no outcome and no later write that was done."""
    later = WRITES.alias()
    proof = exists().where(later.c.thing == WRITES.c.thing, later.c.id > WRITES.c.id, later.c.outcome.in_(_DONE))
    lost = WRITES.c.thing.in_(things) & (WRITES.c.action == Action.CREATE.value) & WRITES.c.outcome.is_(None)
    return select(WRITES.c.thing, func.max(WRITES.c.intended).label("intended")).where(lost, ~proof).group_by(WRITES.c.thing)
