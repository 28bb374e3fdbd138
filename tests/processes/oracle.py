"""What must be so after a race, asked of the workspace and of the ledger apart: every deed once, ours is what came up, runs in turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from reconciler.core.model.address import LinkName
from reconciler.core.model.past import Run
from reconciler.core.model.record import LinkOrigin
from reconciler.core.model.recorded import Recorded
from reconciler.ledger.ledger import Ledger
from reconciler.sandbox.app import Sandbox
from tests.desk.desk import Desk

Doc = dict[str, Any]
Ids = frozenset[tuple[str, str]]
LinkOrigins = frozenset[tuple[LinkName, str, str]]


class Asked(Protocol):
    """A workspace behind its API."""

    def call(self, method: str, path: str, body: Any = None) -> Any: ...


@dataclass(frozen=True)
class Live:
    """All that is live, by id."""

    ids: Ids = frozenset()
    ties: LinkOrigins = frozenset()


def live_in(box: Sandbox) -> Live:
    """As a sandbox of this process keeps it."""
    tables = {kind: box.ws.store.table(kind).docs for kind in ("tag", "company", "contact")}
    people, companies = tables["contact"].items(), tables["company"].items()
    ties = {(LinkName("contact", field), id, end) for field in ("tags", "companies") for id, doc in people for end in doc[field]}
    ties |= {(LinkName("company", "tags"), id, end) for id, doc in companies for end in doc["tags"]}
    return Live(frozenset((kind, id) for kind, docs in tables.items() for id in docs), frozenset(ties))


def live_behind(box: Asked, companies: Iterable[str], people: Iterable[str]) -> Live:
    """As the API tells of all tags and of what has these keys; a contact shows ten of its links."""
    ids = {("tag", tag["id"]) for tag in box.call("GET", "/tags")["data"]}
    ties: set[tuple[LinkName, str, str]] = set()
    for key in companies:
        if answer := box.call("GET", f"/companies?company_id={key}"):
            ids.add(("company", answer["id"]))
            ties |= {(LinkName("company", "tags"), answer["id"], tag["id"]) for tag in answer["tags"]["tags"]}
    for key in people:
        if answer := box.call("GET", f"/contacts/find_by_external_id/{key}"):
            ids.add(("contact", answer["id"]))
            ends = [(LinkName("contact", field), end["id"]) for field in ("tags", "companies") for end in answer[field]["data"]]
            ties |= {(link, answer["id"], end) for link, end in ends}
    return Live(frozenset(ids), frozenset(ties))


def check_ledger(desk: Desk, before: Live) -> None:
    """The ledger of a desk, under the name `growth`, says of its workspace what is so."""
    assert_ledger_equals_live(desk.recorded("growth"), before, live_in(desk.box))


def assert_ledger_equals_live(memory: Recorded, before: Live, now: Live) -> None:
    """Ours is exactly what came up since, things and links; all that is recorded is there."""
    ours = assert_ledger_is_true(memory, before, now)
    assert ours.ids == now.ids - before.ids
    assert ours.ties == now.ties - before.ties


def assert_ledger_is_true(memory: Recorded, before: Live, now: Live) -> Live:
    """What is recorded is there, and nothing is called ours that was there before us; the answer is what is called so."""
    records = [record for record in memory.records.values() if not record.deleted]
    held = {
        (LinkName(record.kind, field), record.id, end): tie
        for record in records
        for field, ties in record.links.items()
        for end, tie in ties.items()
    }
    ours = Live(frozenset(r.name for r in records if r.owned), frozenset(place for place, tie in held.items() if tie == LinkOrigin.OWNED))
    assert {record.name for record in records} <= now.ids
    assert {place for place, tie in held.items() if tie != LinkOrigin.ABSENT} <= now.ties
    assert not ours.ids & before.ids
    assert not ours.ties & before.ties
    return ours


def deeds(writes: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, ...]]:
    """What calls did, one by one: a call for many people is as many deeds."""
    return Counter(deed for write in writes for deed in _deeds(write))


def _deeds(write: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    assert write["status"] == 200, write
    method, path, body = write["method"], write["path"], write["body"] or {}
    ends = [(field, end) for field in ("users", "companies") for end in body.get(field, ()) if (method, path) == ("POST", "/tags")]
    if not ends:
        yield method, path, str(sorted(body.items()))
    for field, end in ends:
        yield method, path, body["name"], field, str(sorted(end.items()))


def assert_once(done: Counter[tuple[str, ...]]) -> None:
    assert {deed: number for deed, number in done.items() if number > 1} == {}


def assert_runs(ledger: Ledger, earlier: Sequence[Run], carried: Mapping[str, int]) -> None:
    """There is a run for everybody who came to write, with as many changes as he made, all of them applied; and none for anybody else.

    Whose run began later began after the other had ended.
    """
    known = {run.run for run in earlier}
    runs = sorted((run for run in ledger.runs() if run.run not in known), key=lambda run: run.started)
    done = {run.who: ledger.read_done(run.run) for run in runs}
    assert {who: len(changes) for who, changes in done.items()} == carried
    assert len(runs) == len(carried)
    for run in runs:
        assert (run.exit_code, {change.outcome for change in done[run.who]}) in ((0, {"applied"}), (0, set()))
        assert sum(run.counts.values()) == len(done[run.who])
    times = [time for run in runs for time in (run.started, run.ended or 0.0)]
    assert times == sorted(times)
