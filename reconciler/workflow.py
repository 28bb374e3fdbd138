"""The route as plain functions: load, observe, diff, plan, hold, execute, record. The only module that knows core and adapters."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.core import diff as comparison
from reconciler.core import globs, where
from reconciler.core.calls import Call, Job, Ref, compile_steps
from reconciler.core.change import Action, Change, LinkChange, ThingChange
from reconciler.core.diff import Difference
from reconciler.core.document import FORMAT, MASKED, Document, View, discreet, document, saved, seal
from reconciler.core.gates import Approval, Refusal, pinned, standing
from reconciler.core.hold import hold, touched
from reconciler.core.kind import Kind, Searched
from reconciler.core.narrow import narrow
from reconciler.core.order import keep
from reconciler.core.origin import Origin, origins
from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Plan, Scope, make_plan
from reconciler.core.privacy import shown
from reconciler.core.resource import Address, Live, Manifest, Note, Pin, Snapshot, Workspace
from reconciler.core.rules import NO_RULES, Rules, govern, over_calls, parse_approval
from reconciler.core.shape import is_plan
from reconciler.core.typing import settle_types
from reconciler.core.where import Expression
from reconciler.errors import Invalid, Mark, Problem, Refused, Stale, Usage
from reconciler.execute import Perform, execute
from reconciler.kinds import KINDS
from reconciler.manifest import files as manifest_files
from reconciler.manifest.load import load, load_policy, merge
from reconciler.manifest.reader import read

if TYPE_CHECKING:
    from reconciler.intercom.http import Client, HttpError, Reply, Request
    from reconciler.intercom.lookup import Named
    from reconciler.ledger import Ledger

# Search may not show a write for some minutes (API 2.16, POST /contacts/search); how many is not said.
LAG = 15 * 60.0
# A lead whose create was never answered is not created again before this, and then only if search shows none.
LOST = 10 * 60.0

EVERYTHING = Scope()

Tick = Callable[[str], None]


@dataclass(frozen=True)
class Session:
    """One connection to one workspace, and the memory of it."""

    client: Client
    here: Workspace
    admin: str
    window: int | None
    ledger: Ledger | None = None
    kinds: Sequence[Kind] = KINDS
    now: Callable[[], float] = time.time
    tick: Tick = lambda what: None


@dataclass(frozen=True)
class Planned:
    """A plan with the two sides that it came from."""

    plan: Plan
    manifest: Manifest
    live: Snapshot


def connect(client: Client, ledger: Ledger | None = None, **rest: Any) -> Session:
    """Ask the token who it is. Raises IntercomError if it is not accepted."""
    from reconciler.intercom.observe import identify

    here, admin, window = identify(client)
    return Session(client, here, admin, window, ledger, **rest)


def watched(session: Session, tick: Tick) -> Session:
    """The same session, telling of every read."""
    return replace(session, tick=tick)


def read_manifest(paths: Sequence[str], kinds: Sequence[Kind] = KINDS) -> Manifest:
    """The manifest that files and folders hold. Raises Invalid with every problem that can be seen offline."""
    return load(kinds, paths)


def pin_in(paths: Sequence[str]) -> Pin | None:
    """The workspace that these files name, some of which may be no manifests."""
    from reconciler.manifest.pins import pin_in as found_in

    return found_in(paths)


def declared(manifest: Manifest, kinds: Sequence[Kind] = KINDS) -> Mapping[str, int]:
    """How many entries each section has, where it has any."""
    counts = Counter(address.kind for address in manifest.resources)
    return {kind.section: counts[kind.name] for kind in kinds if counts[kind.name]}


def manifest_schema(kinds: Sequence[Kind] = KINDS) -> Document:
    """The JSON Schema of manifests."""
    from reconciler.manifest.schema import schema

    return schema(kinds)


def planned_manifest(found: Document, kinds: Sequence[Kind] = KINDS) -> Manifest:
    """The manifest that a saved plan names. Raises Invalid if it cannot be read."""
    if "files" in found:
        documents = [read(text.encode("utf-8", "surrogatepass"), name) for name, text in found["files"].items()]
        return merge(kinds, documents, found["manifest"]["paths"])
    return load(kinds, found["manifest"]["paths"])


def base_manifest(manifest: Manifest, ref: str, kinds: Sequence[Kind] = KINDS) -> Manifest:
    """The manifest of the same paths at the merge base of HEAD and a ref. Raises ReconcilerError, Invalid."""
    from reconciler.manifest.revision import documents

    return merge(kinds, documents(manifest.paths, ref), manifest.paths)


def read_rules(policy: str | None, approve: Sequence[str], max_calls: int | None) -> Rules:
    """The rules of the command line. Raises Usage, Invalid."""
    given = tuple(parse_approval(word) for word in approve)
    if policy is None:
        return Rules(given=given, max_calls=max_calls)
    file = load_policy(policy)
    return Rules(file.policy, file.approvals, given, max_calls)


def planned_pin(found: Document) -> Pin:
    """The workspace that a saved plan names."""
    return Pin(found["workspace"]["app_id"], found["workspace"]["region"])


def plan(session: Session, manifest: Manifest, scope: Scope = EVERYTHING, rules: Rules = NO_RULES) -> Planned:
    """Observe, compare, count, order, hold against the gates. Reads only."""
    manifest, notes, loosened = govern(manifest, rules)
    if scope.target:
        app_id = session.here.app_id
        manifest = narrow(session.kinds, manifest, lambda a: globs.matches(scope.target, globs.names(a, app_id)))
    live = _observe(session, manifest, frozenset())
    manifest, live, difference = _compare(session, manifest, live)
    live = replace(live, notes=(*notes, *_unpinned(manifest, live), *live.notes), refusals=(*loosened, *live.refusals))
    made = make_plan(session.kinds, manifest, live, _counted(session, difference), scope, session.client.version)
    return Planned(_ruled(session, made, manifest, rules), manifest, live)


def _ruled(session: Session, made: Plan, manifest: Manifest, rules: Rules) -> Plan:
    """The plan with the refusals that no approval lifts, and a note for those that one does."""
    refused = (*standing(made.refused, rules.approvals(manifest, session.now())), *over_calls(rules, made.calls))
    lifted = [refusal for refusal in made.refused if refusal not in refused]
    notes = tuple(Note("approved", str(refusal)) for refusal in lifted)
    approved = tuple(dict.fromkeys(refusal.approve for refusal in lifted if refusal.approve))
    return replace(made, refused=refused, notes=(*made.notes, *notes), approved=approved)


def _counted(session: Session, found: Difference) -> Difference:
    from reconciler.intercom.count import counted

    return replace(found, changes=counted(session.client, session.kinds, found.changes))


def _unpinned(manifest: Manifest, live: Snapshot) -> tuple[Note, ...]:
    if manifest.pin and manifest.pin.app_id:
        return ()
    here = f"workspace: {{app_id: {live.workspace.app_id}, region: {live.workspace.region}}}"
    return (Note("pin", f"the manifest names no workspace, so a wrong token would change another one; write `{here}`"),)


def _observe(session: Session, manifest: Manifest, certain: frozenset[Address]) -> Snapshot:
    from reconciler.intercom.observe import Observer

    observer = Observer(session.client, session.kinds, session.tick)
    return observer.observe(manifest, session.here, session.window, _remembered(session, manifest), certain)


def _remembered(session: Session, manifest: Manifest) -> Mapping[Address, str]:
    """The ids of what we wrote so lately that search may not show it."""
    if session.ledger is None:
        return {}
    lagging = {kind.name for kind in session.kinds if kind.search}
    asked = [a for a, r in manifest.resources.items() if a.kind in lagging and r.by != "id"]
    known = session.ledger.known(session.here.app_id, asked)
    recent = session.now() - LAG
    return {address: memory.id for address, memory in known.items() if memory.written_at >= recent}


def _compare(session: Session, manifest: Manifest, live: Snapshot) -> tuple[Manifest, Snapshot, Difference]:
    manifest, untyped = settle_types(session.kinds, manifest, live)
    live = _withhold_lost(session, manifest, replace(live, refusals=(*live.refusals, *untyped)))
    found = comparison.diff(session.kinds, manifest, live)
    return manifest, live, _without_ineffective(session, found)


def _withhold_lost(session: Session, manifest: Manifest, live: Snapshot) -> Snapshot:
    """Creates whose answer was lost a moment ago, and that no conflict would stop a second time, are held back."""
    kinds = {kind.name: kind for kind in session.kinds}
    asked = [
        a for a, r in manifest.resources.items() if a not in live.pairs and not r.gone and kinds[a.kind].unrepeatable(r.fields)
    ]
    if session.ledger is None or not asked:
        return live
    lost = session.ledger.lost_creates(session.here.app_id, asked)
    held = {a for a, when in lost.items() if session.now() - when < LOST}
    text = "its create was sent a few minutes ago and never answered: it is not sent again before ten minutes have passed"
    notes = tuple(Note("withheld", text, a, manifest.resources[a].mark) for a in sorted(held))
    return replace(live, withheld=live.withheld | held, notes=(*live.notes, *notes))


def _without_ineffective(session: Session, found: Difference) -> Difference:
    """Fields that Intercom answered 200 for and did not take are named, not sent for ever."""
    # What is made anew is made with all that is declared.
    asked = [claim for c in found.changes if c.action is not Action.CREATE for claim in _claims(c)]
    if session.ledger is None or not asked:
        return found
    known = session.ledger.is_ineffective(session.here.app_id, asked)
    changes, notes = [], list(found.notes)
    for change in found.changes:
        mute = sorted(path for address, path, _ in _claims(change) if (address, path) in known)
        if mute:
            text = f"{', '.join(mute)}: Intercom answered 200 and did not take this; change it here or there"
            notes.append(Note("ineffective", text, change.address, change.mark))
        if isinstance(change, ThingChange):
            change = replace(change, fields=tuple(f for f in change.fields if f.path not in mute))
        if not mute or change.fields or change.action is Action.UNARCHIVE:
            changes.append(change)
    return replace(found, changes=tuple(changes), notes=tuple(notes))


def _claims(change: Change) -> list[tuple[Address, str, Any]]:
    """What a change asks of Intercom, as (address, path, value): its fields, or the link that is to be there or not."""
    if isinstance(change, LinkChange):
        return [(change.address, f"{change.link.field} {change.target}", change.action.value)]
    return [(change.address, field.path, field.after) for field in change.fields]


def documented(plan: Plan, view: View = MASKED, kinds: Sequence[Kind] = KINDS) -> Document:
    """The plan as the document that every report renders."""
    return document(kinds, plan, view)


def origins_of(base: Manifest, manifest: Manifest, plan: Plan, kinds: Sequence[Kind] = KINDS) -> tuple[Origin, ...]:
    """Which changes follow from what changed between two manifests."""
    return origins(kinds, base, manifest, plan.changes)


def save(planned: Planned, path: Path, kinds: Sequence[Kind] = KINDS, *, embed: bool = False) -> None:
    """Write a plan that can be applied, readable by its owner only, whole or not at all. Raises OSError.

    `embed` puts the manifest's texts into it, with all the personal values that they hold.
    """
    files = manifest_files.texts(planned.plan.paths) if embed else None
    text = json.dumps(saved(kinds, planned.plan, secrets.token_hex(16), files), indent=1, ensure_ascii=False) + "\n"
    write_whole(path, text, 0o600)


def write_whole(path: Path, text: str, mode: int) -> None:
    """Replace a file by another in one step, or write to what is no file, as /dev/stdout. Raises OSError; what was there stays then."""
    try:
        target = path.resolve()
        if target.exists() and not target.is_file():
            target.write_text(text, encoding="utf-8", errors="surrogatepass")
        else:
            _replace(target, text, mode)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _replace(path: Path, text: str, mode: int) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text)
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_plan(path: Path) -> Document:
    """A saved plan or a JSON plan from a file. Raises Invalid when it is neither, or was edited."""
    mark = Mark(str(path))
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise Invalid([Problem(mark, f"cannot be read: {error.strerror}")]) from None
    except (ValueError, RecursionError):
        raise Invalid([Problem(mark, "is not a plan", "make one with `reconciler plan PATH -o FILE`")]) from None
    if not isinstance(found, dict) or not isinstance(found.get("changes"), list):
        raise Invalid([Problem(mark, "is not a plan", "make one with `reconciler plan PATH -o FILE`")])
    if str(found.get("format_version", "")).split(".")[0] != FORMAT.split(".")[0]:
        raise Invalid([Problem(mark, f"has format {found.get('format_version')!s:.20}, this version reads {FORMAT}", "plan again")])
    if found.get("applicable") and found.get("seal") != seal(found):
        raise Invalid([Problem(mark, "was edited, or cut, after it was planned", "plan again")])
    if not is_plan(found):
        raise Invalid([Problem(mark, "is not a whole plan", "plan again")])
    return found


def applicable(found: Document, path: Path) -> Document:
    """The plan, if it is one that can be applied."""
    if found.get("applicable") is not True:
        now = "make one with `reconciler plan PATH -o FILE`"
        raise Invalid([Problem(Mark(str(path)), "is a plan to look at, not one to apply", now)])
    return found


@dataclass(frozen=True)
class Ready:
    """What is about to be carried out: steps in order with their jobs, and creates that were planned and cannot be made now."""

    planned: Planned
    jobs: tuple[Job, ...]
    unmade: tuple[str, ...] = ()

    def ids(self) -> Mapping[Address, str]:
        """The ids of everything that is live, declared or not."""
        live = self.planned.live
        natural = {thing.address: thing.id for things in live.things.values() for thing in things.values()}
        return {**natural, **live.pairs}


def ready(session: Session, found: Document, manifest: Manifest, rules: Rules = NO_RULES) -> Ready:
    """A saved plan held against a fresh look at what it touches.

    Raises Refused (3) for another workspace or a plan that a gate refused, Stale (4) when the manifest or the workspace moved.
    """
    refuse(pinned(planned_pin(found), session.here))
    if manifest.digest != found["manifest"]["digest"]:
        raise Stale("the manifest is not the one that was planned; plan again")
    manifest, _, loosened = govern(manifest, rules)
    approvals = rules.approvals(manifest, session.now())
    refused = tuple(Refusal(r["gate"], r["message"], r["approve"]) for r in found["refused"])
    refuse((*(Refusal(*reason) for reason in loosened), *standing(refused, approvals)))
    made, part, live = _look_again(session, found, manifest)
    held = hold(found, made.steps, part, live)
    if held.stale:
        raise Stale("the workspace is not as it was when this was planned; plan again:\n  " + "\n  ".join(held.stale[:20]))
    # What is left of an approved plan is approved with it, but for more people than were approved.
    words = {word.partition(":")[0] for word in (*found.get("approved", ()), *(r.approve for r in refused if r.approve))}
    granted = tuple(Approval(f"{r.approve}".partition(":")[0], a.people) for r in made.refused for a in approvals if a.hash in words)
    refuse(standing(made.refused, (*approvals, *granted)))
    steps = keep(made.steps, held.keep)
    jobs = compile_steps(session.kinds, steps, session.client.version)
    refuse(over_calls(rules, sum(len(job.calls) for job in jobs)))
    unmade = tuple(f"{h.action} {h.address}" for h in held.unmade)
    return Ready(Planned(replace(made, steps=steps, jobs=jobs), part, live), jobs, unmade)


def _look_again(session: Session, found: Document, manifest: Manifest) -> tuple[Plan, Manifest, Snapshot]:
    """A fresh plan of what a saved one touches, every thing read by its id."""
    names, app_id = touched(found), session.here.app_id
    part = narrow(session.kinds, manifest, lambda a: shown(a, app_id) in names)
    live = _observe(session, part, frozenset(a for a in part.resources if shown(a, app_id) in names))
    part, live, difference = _compare(session, part, live)
    sources = {change["address"] for change in found["changes"]}
    ours = tuple(change for change in difference.changes if shown(change.address, app_id) in sources)
    rest = tuple(change for change in difference.changes if shown(change.address, app_id) not in sources)
    difference = replace(difference, changes=(*_counted(session, replace(difference, changes=ours)).changes, *rest))
    target, exclude = (tuple(found.get("scope", {}).get(key, ())) for key in ("target", "exclude"))
    scope = Scope(target, exclude, frozenset(sources))
    return make_plan(session.kinds, part, live, difference, scope, session.client.version), part, live


def refuse(refused: Iterable[Refusal]) -> None:
    """Raises Refused where there is a reason to."""
    told = [f"{refusal}{f' (--approve {refusal.approve})' if refusal.approve else ''}" for refusal in refused]
    if told:
        raise Refused(told)


def carry_out(
    session: Session, work: Ready, stop: threading.Event, started: Callable[[Change], None] = lambda change: None
) -> Iterator[Outcome]:
    """Make the calls, yield what becomes of each change, and record intent and outcome of every write.

    `started` is told of a change just before its calls are made, from the thread that makes them.
    """
    from reconciler.intercom.perform import Performer

    steps, by_name = work.planned.plan.steps, {kind.name: kind for kind in session.kinds}
    performer = Performer(session.client, session.kinds, steps, work.planned.manifest.resources, stop.wait, session.client.monotonic)
    record = _Record(session, work.planned) if session.ledger and work.jobs else None
    recorded = performer.perform if record is None else partial(record.around, performer.perform)

    def perform(job: Job, ids: Mapping[Address, str]) -> Sequence[Outcome]:
        for i in job.covers:
            started(steps[i].change)
        return [discreet(by_name[o.change.address.kind], o) for o in recorded(job, ids)]

    settling, counts = [], Counter[str]()
    for outcome in execute(work.jobs, steps, perform, work.ids(), session.client.workers, stop.is_set):
        counts[outcome.status] += 1
        if outcome.settling:
            settling.append(outcome)
        else:
            yield outcome
    late = {o.step: o for o in performer.settle(settling)} if not stop.is_set() else {}
    yield from (late.get(o.step, o) for o in settling)
    if record:
        record.end(counts)


def _bound(change: Change, ids: Mapping[Address, str]) -> Change:
    """A change with the ids that became known on the way."""
    if isinstance(change, LinkChange):
        return replace(change, id=change.id or ids.get(change.address), target_id=change.target_id or ids.get(change.target))
    return change


class _Record:
    """What one apply leaves in the ledger: the run, and for every write the intent before it and the outcome after it."""

    def __init__(self, session: Session, planned: Planned) -> None:
        from reconciler.ledger import RunHead

        assert session.ledger is not None
        self.ledger, self.app_id, self.steps = session.ledger, session.here.app_id, planned.plan.steps
        head = RunHead(session.here.app_id, session.here.region, planned.manifest.name, planned.plan.digest, "")
        self.run = self.ledger.begin(head)

    def around(self, perform: Perform, job: Job, ids: Mapping[Address, str]) -> Sequence[Outcome]:
        """A job between its intents and its outcomes. A write whose answer was lost is left without one."""
        from reconciler.ledger import Settlement

        changes = [_bound(self.steps[i].change, ids) for i in job.covers]
        writes = dict(zip(job.covers, self.ledger.intend_many(self.run, changes), strict=True))
        outcomes = perform(job, ids)
        self.ledger.settle_many([Settlement(writes[o.step], o.status, o.id) for o in outcomes if not o.lost])
        self._effects([o for o in outcomes if o.status in (Status.APPLIED, Status.INEFFECTIVE)])
        return outcomes

    def _effects(self, outcomes: Sequence[Outcome]) -> None:
        """Remember what replies did not show, forget what they did. A link that is not shown stands in its outcome as its list."""
        claims = [(claim, outcome) for outcome in outcomes for claim in _claims(outcome.change)]
        mute = [claim for claim, o in claims if claim[1] in o.fields or (o.fields and isinstance(o.change, LinkChange))]
        if shown := [claim[:2] for claim, _ in claims if claim not in mute]:
            self.ledger.forget_ineffective(self.app_id, shown)
        for claim in mute:
            self.ledger.note_ineffective(self.app_id, *claim)

    def end(self, counts: Mapping[str, int]) -> None:
        done = counts.get(Status.APPLIED, 0) == sum(counts.values())
        self.ledger.end(self.run, 0 if done else 5, {str(status): n for status, n in counts.items()})


def kind_of(section: str, kinds: Sequence[Kind] = KINDS) -> Kind:
    """The kind that fills a section."""
    return next(kind for kind in kinds if kind.section == section)


def list_all(session: Session, section: str) -> Iterator[Live]:
    """All that a listing of a section shows, page by page."""
    from reconciler.intercom import lookup

    return lookup.everything(session.client, kind_of(section, session.kinds), session.tick)


def look_up(session: Session, section: str, keys: Sequence[str]) -> Named:
    """The live things of a section that have these keys, and the keys that nothing has."""
    from reconciler.intercom import lookup
    from reconciler.intercom.observe import Observer

    observer = Observer(session.client, session.kinds, session.tick)
    return lookup.named(observer, kind_of(section, session.kinds), keys, session.here)


def read_where(section: str, text: str, version: str, kinds: Sequence[Kind] = KINDS) -> Expression:
    """A condition as people write it. Raises Usage for all that can be seen to be wrong without Intercom."""
    kind = kind_of(section, kinds)
    if kind.search is None:
        raise Usage(f"--where: Intercom has no search for {section}; list all and filter, as in `reconciler get {section} -o json | jq`")
    wanted = where.parse(text)
    prefixes = tuple(where.typed_by_others(kind))
    unknown = {c.field: Searched("") for c in where.conditions(wanted) if c.field.startswith(prefixes)}
    where.compiled(wanted, {**unknown, **kind.searchable}, version)
    return wanted


def search(session: Session, section: str, wanted: Expression) -> tuple[Iterator[Live], tuple[str, ...]]:
    """The live things of a section for which a condition holds, page by page; and what to know of how Intercom reads it."""
    from reconciler.intercom import lookup

    kind, client = kind_of(section, session.kinds), session.client
    prefixes = tuple(where.typed_by_others(kind))
    typed = any(c.field.startswith(prefixes) for c in where.conditions(wanted))
    fields = lookup.searchable(client, session.kinds, kind) if typed else kind.searchable
    if not where.asks_for_dates(wanted, fields):
        return lookup.matching(client, kind, where.compiled(wanted, fields, client.version), session.tick), ()
    zone, name = lookup.time_zone(client)
    query = where.compiled(wanted, fields, client.version, zone)
    return lookup.matching(client, kind, query, session.tick), (where.about_days(name),)


def blind_spots(session: Session, section: str) -> tuple[str, ...]:
    """What a listing of a section cannot contain."""
    return kind_of(section, session.kinds).blind


def raw_request(method: str, path: str, fields: Sequence[tuple[str, str]], body: Any) -> Request:
    """A request as people write it on the command line; `fields` go into its query. Raises Usage where it cannot be one."""
    from urllib.parse import parse_qsl

    from reconciler.intercom.http import Request, UnsafeSegment

    if "://" in path.partition("?")[0] or path.startswith("//"):
        raise Usage("write the path only, as in /me: the token goes to no other host")
    path, _, query = ("/" + path.removeprefix("/")).partition("?")
    try:
        return Request(method, path, (*parse_qsl(query, keep_blank_values=True), *fields), body, repeatable=False)
    except UnsafeSegment as error:
        raise Usage(f"{error}; write a path like /contacts/ID, with odd characters encoded") from None


def raw_answers(session: Session, asked: Request, *, all_pages: bool) -> Iterator[tuple[Reply, HttpError | None]]:
    """The answer to a raw call, or those for all its pages; with the error where Intercom said no, which is then the last."""
    from reconciler.intercom.lookup import answers

    return answers(session.client, asked, all_pages=all_pages)


def listed_calls(plan: Plan) -> list[str]:
    """The HTTP calls of a plan in order, ids that are not known yet by their address; no bodies."""
    return [_call_line(call, plan.workspace) for job in plan.jobs for call in job.calls]


def _call_line(call: Call, here: Workspace) -> str:
    values = {name: f"<{shown(value.address, here.app_id)}>" if isinstance(value, Ref) else value for name, value in call.values.items()}
    fields = ", ".join(sorted(call.body)) if isinstance(call.body, dict) else ""
    return call.route.format_map({**values, "key": "…"}) + (f"  ({fields})" if fields else "")
