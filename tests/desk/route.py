"""The route as tests drive it: a manifest and a sandbox in, the plan and the outcomes out. No mocks: the sandbox over its transport."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from wsgiref.types import WSGIApplication

import yaml

from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.change import Action, Change, FieldChange, LinkChange, ThingChange
from reconciler.core.model.facts import UNKNOWN, Facts
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.record import Record
from reconciler.core.plan.approvals import NO_APPROVALS, Approvals
from reconciler.core.plan.document import document
from reconciler.core.plan.saved import Enclosure, write_saved
from reconciler.core.plan.schema import ChangeDocument, PlanDocument, is_plan
from reconciler.core.plan.scope import EVERYTHING, Scope
from reconciler.core.plan.work import Proposal
from reconciler.errors import Mark
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.token import Token
from reconciler.intercom.http.wsgi import WsgiAdapter
from reconciler.kinds import KINDS
from reconciler.ledger.ledger import Ledger
from reconciler.ledger.run import PlannedWrite, RunHead, Settlement
from reconciler.manifest.read import read_manifest
from reconciler.sandbox.app import Sandbox
from reconciler.workflow.apply import carry_out, prepare
from reconciler.workflow.ground import ground_of
from reconciler.workflow.lookup import look_up
from reconciler.workflow.plan import propose
from reconciler.workflow.planfile import planned_manifest
from reconciler.workflow.session import Session, connect
from tests.desk.clock import Clock

WIDE = {
    "limits": {
        "creates": 100000,
        "attaches": 1000000,
        "deletes": 1000,
        "archives": 1000,
        "detaches": 100000,
        "people": 100000,
        "conversations": 100000,
    }
}


@dataclass
class Route:
    """One workspace, one folder for manifests, and a memory where one is wanted."""

    box: Sandbox
    folder: Path
    clock: Clock = field(default_factory=Clock)
    ledger: Ledger | None = None
    kinds: Kinds = KINDS
    version: str = "2.16"
    rules: Approvals = NO_APPROVALS
    facts: Facts = UNKNOWN
    # The file of the private keys that open what was encrypted for undo.
    key_file: str = ""
    # What stops an apply once it is set.
    stop: threading.Event = field(default_factory=threading.Event)
    # What stands between the client and the workspace.
    between: Callable[[WSGIApplication], WSGIApplication] = lambda app: app

    @contextmanager
    def session(self) -> Iterator[Session]:
        client = Client(
            "http://127.0.0.1",
            Token("sandbox"),
            adapter=WsgiAdapter(self.between(self.box)),
            version=self.version,
            sleep=self.clock.sleep,
            monotonic=self.clock,
            rand=lambda: 0.5,
        )
        with client:
            session = connect(client, self.ledger)
            own: Any = {"kinds": self.kinds, "facts": self.facts, "key_file": self.key_file}
            yield replace(session, now=self.clock, sleep=self.clock.sleep, who="a test", **own)

    def app_id(self) -> str:
        with self.session() as session:
            return session.here.app_id

    def id_of(self, address: Address) -> str:
        """The live id that an address has now."""
        with self.session() as session:
            (thing,) = look_up(session, self.kinds[address.kind].section, [address.key]).things
        return thing.id

    def manifest(self, written: str | dict[str, Any], name: str = "intercom.yaml") -> Path:
        """A manifest file, from text or from what YAML would make of it."""
        path = self.folder / name
        text = written if isinstance(written, str) else yaml.safe_dump(written, allow_unicode=True, sort_keys=False)
        path.write_text(text, encoding="utf-8", newline="")
        return path

    def planned(self, *paths: Path, scope: Scope = EVERYTHING) -> Proposal:
        with self.session() as session:
            return propose(session, read_manifest([str(path) for path in paths], self.kinds), scope, self.rules)

    def document(self, *paths: Path, scope: Scope = EVERYTHING) -> PlanDocument:
        return document(self.kinds, self.planned(*paths, scope=scope).plan)

    def saved(self, *paths: Path, scope: Scope = EVERYTHING) -> PlanDocument:
        planned = self.planned(*paths, scope=scope)
        plan = write_saved(self.kinds, planned.plan, "salt", Enclosure(None, planned.as_declared, planned.doubts, planned.rules))
        # As it comes out of a file.
        read: PlanDocument = json.loads(json.dumps(plan))
        assert is_plan(read)
        return read

    def apply(self, plan: PlanDocument, stop: threading.Event | None = None) -> list[Outcome]:
        """Carry out a saved plan."""
        manifest = planned_manifest(plan, self.kinds)
        with self.session() as session:
            work = prepare(session, plan, manifest, self.rules)
            return list(carry_out(session, work, stop or threading.Event()))

    def converge(self, *paths: Path) -> list[Outcome]:
        return self.apply(self.saved(*paths))


def lines(plan: PlanDocument) -> list[str]:
    """A plan in short: a line for every change, refusal and note."""
    rows = [" ".join(filter(None, (c["action"], c["address"], c["target"], *_fields(c), _cause(c)))) for c in plan["changes"]]
    rows += [f"refused {r['gate']}" for r in plan["refused"]]
    rows += sorted({" ".join(filter(None, ("note", n["topic"], n["address"]))) for n in plan["notes"] if n["topic"] != "pin"})
    return rows


def _cause(change: ChangeDocument) -> str:
    return f"({change['cause']})" if change["cause"] else ""


def _fields(change: ChangeDocument) -> list[str]:
    return [f"{f['path']}={f['after']!r}" for f in change["fields"]] if change["action"] in ("rename", "update") else []


def remember(route: Route, written: dict[str, Any]) -> None:
    """A ledger as a story tells it: `things` with what was applied to them, `attempts` that were planned and not done.

    A thing is named by its address now, `as` by the one it was applied under; `id` says that another live thing than today's was meant.
    `others` are ledgers of other names.
    """
    ledger = route.ledger
    assert ledger
    name, app_id = written.get("name", "default"), route.app_id()
    head = RunHead(app_id, "us", name, "", "", files=written.get("files", ()))
    for _ in range(written.get("runs", 1)):
        ledger.end(ledger.begin(head), 0, {})
    ledger.record(app_id, name, [_record(route, thing) for thing in written.get("things", ())])
    for other in written.get("others", ()):
        remember(route, other)
    for attempt in written.get("attempts", ()):
        _attempt(route, ledger.begin(head), attempt)


def _record(route: Route, thing: dict[str, Any]) -> Record:
    assert route.ledger
    digests = route.ledger.digests
    address = _address(thing.get("as", thing["address"]))
    live_id = thing.get("id") or route.id_of(_address(thing["address"]))
    record = Record(
        kind=address.kind,
        id=live_id,
        thing=digests.thing(route.app_id(), address),
        address=digests.address(address),
        owned=thing.get("owned", True),
        protected=thing.get("protected", False),
        files=(ground_of(route.ledger).name_file(str(route.folder / thing.get("file", "desired.yaml"))),),
        written=thing.get("written", 0.0),
    )
    fields = {path: digests.claim(record.salt, path, value) for path, value in thing.get("fields", {}).items()}
    links = {field: {_end(route, end): tie for end, tie in ties.items()} for field, ties in thing.get("links", {}).items()}
    return replace(record, fields=fields, links=links)


def _end(route: Route, written: str) -> str:
    return written if "/" not in written else route.id_of(_address(written))


def _attempt(route: Route, run: str, written: dict[str, Any]) -> None:
    assert route.ledger
    address, action = _address(written["address"]), Action(written["action"])
    change: Change
    if "target" in written:
        target = _address(written["target"])
        change = LinkChange(action, address, target, LinkName(address.kind, written["link"]), Mark("desired.yaml"))
    else:
        fields = tuple(FieldChange(path, None, value) for path, value in written.get("fields", {}).items())
        change = ThingChange(action, address, Mark("desired.yaml"), fields=fields)
    (number,) = route.ledger.plan(run, [PlannedWrite(change, written.get("proof", False))])
    if written.get("sent", True):
        route.ledger.intend({number: change})
    if "outcome" in written:
        route.ledger.settle(run, [Settlement(number, written["outcome"])])


def _address(written: str) -> Address:
    kind, _, key = written.partition("/")
    return Address(kind, key)


def changes(plan: PlanDocument) -> list[str]:
    """The changes of a plan in short, without their causes."""
    return lines({**plan, "changes": [change | {"cause": None} for change in plan["changes"]], "refused": [], "notes": []})
