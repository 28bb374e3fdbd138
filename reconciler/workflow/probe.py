"""Probe: settle on a real workspace what no description says, and leave nothing there, not even after a kill."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reconciler.core.compare.hints import LAG
from reconciler.core.model.facts import Facts, FactsFile
from reconciler.core.model.times import format_time
from reconciler.errors import IntercomError, Invalid, Locked, Mark, Problem, Refused
from reconciler.intercom.probe.bench import Bench, Cleaner, Creation, Unsettled
from reconciler.intercom.probe.questions import QUESTIONS
from reconciler.ledger import door
from reconciler.ledger.folder import make
from reconciler.workflow.session import Session

# What probes of this folder made and perhaps did not remove yet, one JSON a line.
NOTES = "probe.jsonl"
# The latest time that a note may have, in Unix seconds: the year 9999.
LATEST = 253_370_764_800
# After so many questions without an answer no more are asked: each takes minutes.
MUTE = 2


@dataclass
class Notebook:
    """What is written down before it is made."""

    # Its file.
    path: Path
    # The descriptor of it, which is locked.
    handle: int
    # The workspace that it is about.
    app_id: str
    # What was there when it was opened, and since.
    creations: list[Creation] = field(default_factory=list)
    # When the last of that was noted, in Unix seconds.
    last: float = 0.0

    def note(self, creation: Creation, now: float) -> None:
        """Write down what will be made; it is on the disk before this returns."""
        self.creations.append(creation)
        self.last = now
        os.write(self.handle, json.dumps({"app_id": self.app_id, "at": float(now), **asdict(creation)}).encode("ascii") + b"\n")
        os.fsync(self.handle)

    def forget(self) -> None:
        """Empty the notes, once all of it is gone from the workspace."""
        os.ftruncate(self.handle, 0)
        self.creations.clear()


@contextmanager
def notebook(home: Path, app_id: str) -> Iterator[Notebook]:
    """The notes of this folder, which one process has at a time. Raises Locked, Refused where they are of another workspace, Invalid
    where they cannot be read."""
    make(home)
    path = home / NOTES
    handle = door.open_file(path, os.O_CREAT | os.O_RDWR | os.O_APPEND)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Locked(f"another probe runs in this folder ({path}); wait for its end") from None
        book = Notebook(path, handle, app_id)
        for line in _lines(handle, path):
            if line["app_id"] != app_id:
                text = f"{path} holds what a probe made in the workspace {line['app_id']}"
                raise Refused([f"{text}; run `reconciler doctor --clean --app-id {line['app_id']}` first"])
            book.creations.append(Creation(line["what"], line["key"], line["id"]))
            book.last = max(book.last, line["at"])
        yield book
    finally:
        if os.fstat(handle).st_size == 0:
            path.unlink(missing_ok=True)
        os.close(handle)


def _lines(handle: int, path: Path) -> Iterator[Mapping[str, Any]]:
    with os.fdopen(os.dup(handle), "rb") as file:
        file.seek(0)
        lines = file.read().split(b"\n")
    # What stands behind the last line's end was cut by a kill, before anything of it was made.
    for number, text in enumerate(lines[:-1], 1):
        line: Any = None
        with suppress(ValueError):
            line = json.loads(text)
        if not _is_note(line):
            now = "remove the line once nothing named zz-reconciler-… is left in the test workspace"
            raise Invalid([Problem(Mark(str(path), number), "is no note of a probe", now)])
        yield line


def _is_note(line: Any) -> bool:
    texts = ("app_id", "what", "key", "id")
    if not isinstance(line, dict) or not all(isinstance(line.get(name), str) for name in texts):
        return False
    return isinstance(line.get("at"), float) and 0 <= line["at"] < LATEST


@dataclass(frozen=True, slots=True)
class Removal:
    """What became of what probes made."""

    # What was removed.
    removed: Sequence[Creation]
    # What could not be removed, or not be proved to be gone, and what to do; empty where nothing is left.
    trouble: str = ""


def clear(session: Session, book: Notebook) -> Removal:
    """Remove all that probes made here, found by the notes and by the prefix, and nothing else."""
    cleaner = Cleaner(session.client, tuple(book.creations))
    now = f"run `reconciler doctor --clean --app-id {book.app_id}`"
    try:
        cleaner.clean()
    except IntercomError as error:
        return Removal(cleaner.removed, f"{error}; {now} to remove the rest")
    if cleaner.unseen and session.now() < book.last + LAG:
        text = f"{len(cleaner.unseen)} of which no answer came may not be visible yet"
        return Removal(cleaner.removed, f"{text}; {now} after {format_time(book.last + LAG)}")
    book.forget()
    return Removal(cleaner.removed)


def ask_all(session: Session, book: Notebook, *, attributes: bool = False, cap: int = 10_000) -> FactsFile:
    """Ask every question. What cannot be settled here says why. `cap` is the number of contacts at which a count may be cut."""
    bench = Bench(session.client, secrets.token_hex(4), lambda creation: book.note(creation, session.now()), session.sleep, cap, attributes)
    facts, reasons = dict[str, Any](), dict[str, str]()
    mute = 0
    for name, ask in QUESTIONS.items():
        session.tick(name)
        try:
            facts |= ask(bench) if mute < MUTE else dict[str, Any]()
        except Unsettled as why:
            reasons[name] = str(why)
        except IntercomError as why:
            reasons[name], mute = str(why), mute + 1
    for name in QUESTIONS.keys() - facts.keys() - reasons.keys():
        reasons[name] = "not asked: Intercom had not answered before"
    here, today = session.here, datetime.fromtimestamp(session.now(), UTC).date()
    document: dict[str, Any] = {"app_id": here.app_id, "region": here.region, "api_version": session.client.version, "asked": today}
    return FactsFile(**document, facts=Facts(**facts), unsettled=reasons)


def facts_text(facts: FactsFile) -> str:
    """The file of facts, without what is not known."""
    return json.dumps(facts.model_dump(mode="json", exclude_none=True), indent=2) + "\n"
