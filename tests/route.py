"""The route as tests drive it: a manifest and a sandbox in, the plan and the outcomes out. No mocks: the sandbox over its transport."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from reconciler import workflow
from reconciler.core.document import Document, document, saved
from reconciler.core.kind import Kind
from reconciler.core.outcome import Outcome
from reconciler.core.plan import Scope
from reconciler.intercom.http import Client
from reconciler.intercom.token import Token
from reconciler.intercom.wsgi import WsgiAdapter
from reconciler.kinds import KINDS
from reconciler.ledger import Ledger
from reconciler.sandbox import Sandbox

WIDE = {"limits": {"creates": 100000, "attaches": 1000000, "deletes": 1000, "archives": 1000, "detaches": 100000, "people": 100000}}


class Clock:
    """Time that passes when it is told to, and when somebody sleeps."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self.now = now
        self.stopped = threading.Event()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> bool:
        self.now += max(0.0, seconds)
        return False


@dataclass
class Route:
    """One workspace, one folder for manifests, and a memory where one is wanted."""

    box: Sandbox
    folder: Path
    clock: Clock = field(default_factory=Clock)
    ledger: Ledger | None = None
    kinds: Sequence[Kind] = KINDS
    version: str = "2.16"

    @contextmanager
    def session(self) -> Iterator[workflow.Session]:
        client = Client(
            "http://127.0.0.1",
            Token("sandbox"),
            adapter=WsgiAdapter(self.box),
            version=self.version,
            sleep=self.clock.sleep,
            monotonic=self.clock,
            rand=lambda: 0.5,
        )
        with client:
            yield workflow.connect(client, self.ledger, kinds=self.kinds, now=self.clock)

    def manifest(self, written: str | dict[str, Any], name: str = "intercom.yaml") -> Path:
        """A manifest file, from text or from what YAML would make of it."""
        path = self.folder / name
        text = written if isinstance(written, str) else yaml.safe_dump(written, allow_unicode=True, sort_keys=False)
        path.write_text(text, encoding="utf-8", newline="")
        return path

    def planned(self, *paths: Path, scope: Scope = workflow.EVERYTHING) -> workflow.Planned:
        with self.session() as session:
            return workflow.plan(session, workflow.read_manifest([str(path) for path in paths], self.kinds), scope)

    def document(self, *paths: Path, scope: Scope = workflow.EVERYTHING) -> Document:
        return document(self.kinds, self.planned(*paths, scope=scope).plan)

    def saved(self, *paths: Path, scope: Scope = workflow.EVERYTHING) -> Document:
        return saved(self.kinds, self.planned(*paths, scope=scope).plan, "salt")

    def apply(self, found: Document, stop: threading.Event | None = None) -> list[Outcome]:
        """Carry out a saved plan."""
        manifest = workflow.planned_manifest(found, self.kinds)
        with self.session() as session:
            work = workflow.ready(session, found, manifest)
            return list(workflow.carry_out(session, work, stop or threading.Event()))

    def converge(self, *paths: Path) -> list[Outcome]:
        return self.apply(self.saved(*paths))


def lines(found: Document) -> list[str]:
    """A plan in short: a line for every change, refusal and note."""
    told = [" ".join(filter(None, (c["action"], c["address"], c["target"], *_fields(c)))) for c in found["changes"]]
    told += [f"refused {r['gate']}" for r in found["refused"]]
    told += sorted({" ".join(filter(None, ("note", n["topic"], n["address"]))) for n in found["notes"] if n["topic"] != "pin"})
    return told


def _fields(change: dict[str, Any]) -> list[str]:
    return [f"{f['path']}={f['after']!r}" for f in change["fields"]] if change["action"] in ("rename", "update") else []


def changes(found: Document) -> list[str]:
    """The changes of a plan in short."""
    return [line for line in lines(found) if not line.startswith(("refused ", "note "))]
