"""The ledger in a ref of a git remote: a commit a push, a lease as the lock, and no work tree, index or branch that is touched.

The ref moves by compare-and-swap alone: a commit upon the tip that was fetched, refused where somebody else was faster.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
import weakref
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event, Thread
from threading import Lock as Mutex

from sqlalchemy import Engine

from reconciler.core.model.jsons import parse_json
from reconciler.core.undo.preimage import KEPT
from reconciler.ledger.errors import LedgerUnusable, format_moment, locked_by, unusable
from reconciler.ledger.homes.home import LockLost, Waiting
from reconciler.ledger.homes.lines import Damaged, file_of, load, table_of, take_changes
from reconciler.ledger.homes.remote import Remote, Tree, shows_nothing
from reconciler.ledger.tables import RUNS, SCHEMA

LEDGER = "refs/reconciler/ledger"
IMAGES = "refs/reconciler/images"
# What this clone has seen of the ledger, which no other one sees.
SEEN = "refs/reconciler/seen"
# A lease that was not renewed for so long is over, in seconds; it is renewed so often; and so long after its last renewal began its
# holder writes nothing more, which leaves ten seconds for clocks that differ and for calls in flight.
LEASE = 60.0
RENEW_EVERY = 10.0
HELD_FOR = 50.0
# How often a waiting process looks, in seconds.
LOOK_EVERY = 2.0
# How often a push that cannot do without an answer is tried, and how long it waits in between, in seconds.
TRIES = 3
RETRY_AFTER = 1.0

_LEASE_FILE = "lease.json"
_STORED = "stored.json"


@dataclass(frozen=True, slots=True)
class Lease:
    """The lock, as a file of the ref."""

    # Who holds the lock.
    who: str
    # Since when, in Unix seconds.
    since: float
    # When it was renewed last, in Unix seconds.
    renewed: float
    # What no other lease has: no two make the same commit.
    nonce: str


class GitHome:
    """A ledger in a ref of a remote of the repository around a folder, or around us; its database is a copy in a temporary folder of this
    process.

    `waits` is how the thread that renews the lease waits for the end or for some seconds, whichever comes first.
    """

    at_once = False
    ground = None
    shares_engine = False

    def __init__(
        self, remote: str, environ: Mapping[str, str], waits: Callable[[Event, float], bool] = Event.wait, folder: str | None = None
    ) -> None:
        self.place = f"{LEDGER} of {remote}" if shows_nothing(remote) else LEDGER
        self._remote, self._waits = Remote(remote, environ, self.place, folder), waits
        self._copy: Copy | None = None
        self._engines: list[Engine] = []
        self._lock: GitLock | None = None
        self._folder = ""

    @property
    def is_shared(self) -> bool:
        """Whether it lies in another repository than the one around us."""
        return self._remote.elsewhere

    def exists(self) -> bool:
        return self._remote.tip(LEDGER) is not None

    def engine(self, *, create: bool) -> Engine:
        return (self._copy or self._load(self._remote.tree(LEDGER))).engine

    def check_writable(self) -> None:
        self._remote.check_push(LEDGER)

    def lock(self, app_id: str, who: str, waiting: Waiting) -> GitLock:
        ends, last_tip, since, failures = waiting.monotonic() + waiting.timeout, "", waiting.monotonic(), 0
        while True:
            tree = self._remote.tree(LEDGER)
            if (tree.tip or "") != last_tip:
                last_tip, since = tree.tip or "", waiting.monotonic()
            lease = self._lease(tree)
            # A lease of a clock that is far ahead is over when nobody renewed it while we looked on.
            free = lease is None or waiting.now() - lease.renewed > LEASE or waiting.monotonic() - since > LEASE
            if free and (lock := self._take(tree, lease, who, waiting)):
                return lock
            failures += free
            if (not free or failures > TRIES) and waiting.monotonic() >= ends:
                raise locked_by(self.place, lease.who, lease.since, _lasts(lease)) if lease else locked_by(self.place, "", None)
            if not free or failures > 1:
                waiting.sleep(LOOK_EVERY)

    def publish(self) -> None:
        """Push at once, where the lock is held. Raises LockLost, LedgerUnusable."""
        if self._lock:
            self._lock.publish()
            self.remember("")

    def mark(self, run: str) -> None:
        """It is not there before it is pushed."""

    def remember(self, run: str) -> None:
        if self._copy and self._copy.tip:
            self._remote.keep_here(SEEN, self._copy.tip)

    def read_mark(self) -> str:
        return _last_run(self._remote.here(SEEN, file_of(RUNS.name)))

    def find_traces(self) -> str:
        if self._remote.tip(LEDGER) is not None:
            return ""
        if self.read_mark() or self._remote.here(LEDGER, file_of(SCHEMA.name)):
            return "is gone, though this clone has seen it"
        return f"is gone, though {IMAGES} holds what its runs destroyed" if self._remote.tip(IMAGES) else ""

    def list_imaged_runs(self) -> Collection[str]:
        return [name.removesuffix(".json") for name in self._remote.tree(IMAGES).files if name != _STORED]

    def put_preimage(self, run: str, preimage: str, stored: float) -> None:
        self._store({f"{run}.json": preimage.encode("utf-8", "surrogatepass")}, f"images: {run}", stored)

    def drop_preimages(self, now: float) -> None:
        tree = self._remote.tree(IMAGES)
        if tree.tip and any(at < now - KEPT for at in self._times(tree).values()):
            self._store({}, "images: what is kept still", now)

    def _store(self, new: Mapping[str, bytes], message: str, now: float) -> None:
        """Let the ref of the images hold these too, and nothing that is too old, as a commit without a past. Raises LedgerUnusable."""
        for _ in range(TRIES):
            tree = self._remote.tree(IMAGES)
            times = {name: at for name, at in self._times(tree).items() if at >= now - KEPT} | dict.fromkeys(new, now)
            blobs = self._remote.keep([json.dumps(times, sort_keys=True).encode(), *new.values()])
            files = {name: blob for name, blob in tree.files.items() if name in times}
            files |= dict(zip((_STORED, *new), blobs, strict=True))
            commit = self._remote.commit(files, None, message, now)
            if self._remote.swap(IMAGES, commit, tree.tip) == commit:
                return
        raise LedgerUnusable(self.place, "other runs keep storing their images", "run again")

    def read_preimage(self, run: str) -> str | None:
        blob = self._remote.tree(IMAGES).files.get(f"{run}.json") if f"{run}.json" != _STORED else None
        return self._remote.contents([blob])[0].decode("utf-8", "surrogatepass") if blob else None

    def close(self) -> None:
        if self._lock:
            self._lock.release()
        for engine in self._engines:
            engine.dispose()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _take(self, tree: Tree, lease: Lease | None, who: str, waiting: Waiting) -> GitLock | None:
        """The lock, unless somebody was faster; the database is then the one of the tip."""
        copy = self._copy if self._copy and self._copy.tip == tree.tip else self._load(tree)
        over = ""
        if lease:
            age = max(0, round(waiting.now() - lease.renewed))
            holder = f"{lease.who}, since {format_moment(lease.since)},"
            over = f"{holder} held the lock of {self.place} and renewed it last {age} s ago: it is taken over"
        lock = GitLock(copy, self._remote, who, waiting, over)
        if not lock.push():
            return None
        self._lock = lock
        Thread(target=lock.renew, args=(self._waits,), name="ledger lease", daemon=True).start()
        return lock

    def _load(self, tree: Tree) -> Copy:
        """The tree as a database of its own."""
        own = {path: blob for path, blob in tree.files.items() if table_of(path)}
        if not self._folder:
            self._folder = tempfile.mkdtemp(prefix="reconciler-")
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        path = Path(self._folder) / f"{len(self._engines)}.db"
        with unusable(self.place):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            try:
                engine = load(str(path), self.place, dict(zip(own, self._remote.contents(list(own.values())), strict=True)))
            except Damaged as error:
                raise self._damage() from error
        self._engines.append(engine)
        self._copy = Copy(self._remote, tree.tip, own, engine)
        return self._copy

    def _lease(self, tree: Tree) -> Lease | None:
        if _LEASE_FILE not in tree.files:
            return None
        try:
            document = parse_json(self._remote.contents([tree.files[_LEASE_FILE]])[0])
            lease = Lease(str(document["who"]), float(document["since"]), float(document["renewed"]), str(document["nonce"]))
            format_moment(lease.since), format_moment(lease.renewed + LEASE)
        except (ValueError, KeyError, TypeError, OverflowError, OSError) as error:
            raise self._damage() from error
        return lease

    def _times(self, tree: Tree) -> dict[str, float]:
        """When each pre-image was stored."""
        try:
            times = parse_json(self._remote.contents([tree.files[_STORED]])[0]) if _STORED in tree.files else {}
            return {str(name): float(at) for name, at in times.items()}
        except (ValueError, TypeError, AttributeError):
            return {}

    def _damage(self) -> LedgerUnusable:
        return LedgerUnusable(self.place, "it is damaged", _RESTORE)


class Copy:
    """A database of this process, the tip it was filled from, and what was written to it since."""

    def __init__(self, remote: Remote, tip: str | None, files: Mapping[str, str], engine: Engine) -> None:
        self.tip, self.engine = tip, engine
        self._remote, self._files = remote, dict(files)
        self._unkept: dict[str, bytes] = {}
        self._run = ""

    def commit(self, lease: Lease | None, at: float) -> str:
        """All that is written by now as a commit upon the tip."""
        self._unkept |= take_changes(self.engine)
        self._run = max((Path(path).stem for path in self._unkept if path.startswith("writes/")), default=self._run)
        lease_file = {_LEASE_FILE: json.dumps(asdict(lease)).encode()} if lease else {}
        contents = {path: content for path, content in (self._unkept | lease_file).items() if content}
        blobs = dict(zip(contents, self._remote.keep(list(contents.values())), strict=True))
        files = {path: blob for path, blob in self._files.items() if path not in self._unkept} | blobs
        self._files = {path: blob for path, blob in files.items() if path != _LEASE_FILE}
        self._unkept.clear()
        return self._remote.commit(files, self.tip, f"ledger: {self._run or 'lease'}", at)

    def move(self, tip: str) -> None:
        """The ref holds what was committed."""
        self.tip, self._run = tip, ""


class GitLock:
    """A lease that is renewed while this process lives; what was written goes with every renewal."""

    def __init__(self, copy: Copy, remote: Remote, who: str, waiting: Waiting, taken_over: str) -> None:
        self.taken_over = taken_over
        self._copy, self._remote, self._who, self._waiting = copy, remote, who, waiting
        self._since = self._told = waiting.now()
        self._renewed = waiting.monotonic()
        self._mutex, self._ended = Mutex(), Event()
        self._tried: set[str] = set()
        self._lost = self._released = False

    def check(self) -> None:
        # The clock of the machine too: the other one stands still while a laptop sleeps (man 2 clock_gettime, CLOCK_MONOTONIC).
        age = max(self._waiting.monotonic() - self._renewed, self._waiting.now() - self._told)
        if self._lost:
            raise LockLost(f"the lock of the ledger {self._remote.place} went to another run: {_NO_MORE}")
        if age > HELD_FOR:
            raise LockLost(f"the lock of the ledger {self._remote.place} could not be renewed for {age:.0f} s: {_NO_MORE}")

    def renew(self, waits: Callable[[Event, float], bool]) -> None:
        """Renew the lease until the end."""
        while not waits(self._ended, RENEW_EVERY):
            self.tick()

    def tick(self) -> None:
        """Renew it once, with what was written since; where the remote cannot be reached, the next time will do."""
        with suppress(LedgerUnusable):
            self.push()

    def push(self, *, last: bool = False) -> bool:
        """Push what was written, with a renewed lease or, the last time, without one; whether it is there. Raises LedgerUnusable."""
        with self._mutex, unusable(self._remote.place):
            if self._lost or self._released or (self._ended.is_set() and not last):
                return False
            # Where the answer to an earlier push was lost, that one is there: this one goes on top of it.
            is_there = self._once(last) or (not self._lost and self._once(last))
            self._released = is_there and last
            return is_there

    def publish(self) -> None:
        """Push at once. Raises LockLost, LedgerUnusable."""
        if not self._ended.is_set():
            self._insist(last=False)
            self.check()

    def release(self) -> None:
        if not self._ended.is_set():
            self._ended.set()
            with suppress(Exception):
                self._insist(last=True)

    def _insist(self, last: bool) -> None:
        for number in range(1, TRIES + 1):
            try:
                self.push(last=last)
            except LedgerUnusable:
                if number == TRIES:
                    raise
                self._waiting.sleep(RETRY_AFTER)
            else:
                return

    def _once(self, last: bool) -> bool:
        began, now = self._waiting.monotonic(), self._waiting.now()
        lease = None if last else Lease(self._who, self._since, now, secrets.token_hex(8))
        commit = self._copy.commit(lease, now)
        self._tried.add(commit)
        there = self._remote.swap(LEDGER, commit, self._copy.tip)
        if there is None or there not in self._tried:
            self._lost = True
            return False
        self._copy.move(there)
        if there == commit:
            self._renewed, self._told = began, now
            self._tried.clear()
        return there == commit


def _lasts(lease: Lease) -> str:
    """When a lease was renewed last, and when it ends by itself."""
    start, end = format_moment(lease.renewed), format_moment(lease.renewed + LEASE)
    return f"it was last renewed at {start} and ends by itself at {end} unless it is renewed"


def _last_run(rows: bytes) -> str:
    """The run that began last, of the lines of a ledger's runs: their ids sort by time."""
    ids = (str(parse_json(line).get("id", "")) for line in rows.decode("utf-8", "replace").split("\n") if line)
    try:
        return max(ids, default="")
    except (ValueError, AttributeError):
        return ""


_RESTORE = f"push an older commit back to it (git log {LEDGER}), or delete the ref to start anew"
_NO_MORE = "nothing more is written to Intercom; run again"
