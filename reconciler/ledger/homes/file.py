"""The ledger as a SQLite file in a folder of our own, readable by nobody else, with a lock that is free when its holder dies."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from sqlalchemy import URL, Engine

from reconciler.core.model.jsons import parse_json
from reconciler.core.undo.preimage import KEPT
from reconciler.ledger import door
from reconciler.ledger.database import engine_for
from reconciler.ledger.errors import LedgerUnusable, locked_by, unusable
from reconciler.ledger.homes.home import Waiting

# How often a waiting process looks, in seconds.
LOOK_EVERY = 0.1


class FileHome:
    """A ledger in a folder: database, lock and pre-images."""

    at_once = True
    is_shared = False
    shares_engine = False

    def __init__(self, folder: Path, mark: str = "last") -> None:
        self._mark = mark
        self.ground: Path | None = Path(os.path.abspath(folder)).parent
        self._folder, self._path = folder, folder / "ledger.db"
        self.place = str(self._path)
        self._engine: Engine | None = None

    def exists(self) -> bool:
        with unusable(self.place):
            door.check(self._folder)
            return self._path.exists()

    def engine(self, *, create: bool) -> Engine:
        door.check(self._folder)
        if create:
            with unusable(self.place):
                door.make_folder(self._folder)
                with suppress(FileExistsError):
                    # SQLite gives its -wal and -shm files the permissions of the database: sqlite.org/src, findCreateFileMode.
                    door.writer(self._path, new=True).close()
        self._engine = self._engine or engine_for(URL.create("sqlite", database=str(self._path)))
        return self._engine

    def check_writable(self) -> None:
        there = next(path for path in (self._path, self._folder, self._folder.absolute().parent) if path.exists())
        if not os.access(there, os.W_OK):
            raise LedgerUnusable(self.place, f"{there} cannot be written", "see to its permissions")

    def lock(self, app_id: str, who: str, waiting: Waiting) -> FileLock:
        with unusable(self.place):
            door.make_folder(self._folder)
            path, ends = self._folder / "ledger.lock", waiting.monotonic() + waiting.timeout
            while True:
                handle = door.open_file(path, os.O_CREAT | os.O_RDWR)
                try:
                    self._wait(handle, waiting, ends)
                    if _is_lock(path, handle):
                        os.truncate(handle, 0)
                        os.pwrite(handle, json.dumps({"who": who, "since": waiting.now()}).encode("ascii"), 0)
                        return FileLock(handle)
                except BaseException:
                    os.close(handle)
                    raise
                os.close(handle)

    def _wait(self, handle: int, waiting: Waiting, ends: float) -> None:
        while not _take(handle):
            if waiting.monotonic() >= ends:
                raise locked_by(self.place, *_read_holder(handle))
            waiting.sleep(LOOK_EVERY)

    def publish(self) -> None:
        """Every transaction is on the disk already."""

    def mark(self, run: str) -> None:
        path, draft = self._folder / self._mark, self._folder / f".last-{run}"
        with door.writer(draft, new=True) as file:
            file.write(f"{run}\n".encode("ascii"))
        draft.replace(path)

    def remember(self, run: str) -> None:
        """Its runs begin here."""

    def find_traces(self) -> str:
        return "is gone, though runs were recorded in it" if self.read_mark() else ""

    def list_imaged_runs(self) -> Collection[str]:
        """They lie in the same folder."""
        return ()

    def read_mark(self) -> str:
        with unusable(self.place):
            try:
                with door.reader(self._folder / self._mark) as file:
                    return file.read().decode("ascii", "replace").strip()
            except FileNotFoundError:
                return ""

    def put_preimage(self, run: str, preimage: str, stored: float) -> None:
        folder = self._folder / "images"
        with unusable(self.place):
            door.make_folder(self._folder)
            door.check_folder(folder)
            folder.mkdir(mode=0o700, exist_ok=True)
            self.drop_preimages(stored)
            with door.writer(folder / f"{run}.json") as file:
                file.write(preimage.encode("utf-8"))
                file.flush()
                os.fsync(file.fileno())

    def drop_preimages(self, now: float) -> None:
        """Drop what was kept more than thirty days ago."""
        with unusable(self.place):
            for old in door.files_in(self._folder / "images", "*.json"):
                if old.stat().st_mtime < now - KEPT:
                    old.unlink(missing_ok=True)

    def read_preimage(self, run: str) -> str | None:
        with unusable(self.place):
            try:
                with door.reader(self._folder / "images" / f"{run}.json") as file:
                    return file.read().decode("utf-8")
            except FileNotFoundError:
                return None

    def close(self) -> None:
        """Nothing is held."""


class FileLock:
    """A lock of the operating system, which frees it the moment the process ends."""

    taken_over = ""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def check(self) -> None:
        """It cannot get lost while this process lives."""

    def release(self) -> None:
        if self._handle >= 0:
            with suppress(OSError):
                os.truncate(self._handle, 0)
            with suppress(OSError):
                os.close(self._handle)
            self._handle = -1


def _take(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_lock(path: Path, handle: int) -> bool:
    """Whether the file that we hold is the lock: it lies there, and nowhere else. What lies elsewhere too is not written into: who holds it
    takes its name here away, so that a new one is made."""
    if not door.is_still(path, handle):
        return False
    if door.has_other_names(handle):
        path.unlink()
        return False
    return True


def _read_holder(handle: int) -> tuple[str, float | None]:
    """Who holds it and since when, as the holder wrote; it may be about to."""
    try:
        holder = parse_json(os.pread(handle, 4096, 0))
        return str(holder["who"]), float(holder["since"])
    except (ValueError, KeyError, TypeError, OSError):
        return "", None
