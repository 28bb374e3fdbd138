"""`--read-only`, of every verb: no call that may write reaches the workspace, and the end says how many reads did."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from reconciler.cli.help import LocalVerb
from reconciler.core.model.outcome import Status
from reconciler.core.model.route import Write
from reconciler.intercom.http.request import Request
from reconciler.kinds import KINDS
from reconciler.workflow.apply import carry_out, prepare
from reconciler.workflow.planfile import planned_manifest
from tests.conftest import MakeRoute
from tests.desk.desk import Desk
from tests.unit.cli.test_help import TYPED, shown

SEED = {"tags": ["vip", "old"], "companies": [{"company_id": "6"}], "contacts": [{"external_id": "25", "tags": ["old"]}]}
MANIFEST = "tags: [vip, trial, {name: old, state: absent}]\ncontacts: [{external_id: '25', name: Wash, tags: [vip]}]\n"
SAME = "tags: [vip]\n"


def routes(value: Any, writes: bool = False) -> Iterator[tuple[bool, str]]:
    """Every route below a kind, and whether the kind writes by it."""
    if isinstance(value, str):
        if value.partition(" ")[0] in ("GET", "POST", "PUT", "DELETE") and " /" in value:
            yield writes, value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from routes(getattr(value, field.name), writes or isinstance(value, Write))
    elif isinstance(value, tuple):
        for item in value:
            yield from routes(item, writes)


ROUTES = sorted({found for kind in KINDS for found in routes(kind)})


def test_the_routes_of_the_kinds_are_many_of_both_sorts() -> None:
    assert {"POST /tags", "POST /contacts", "PUT /contacts/{id}", "DELETE /tags/{id}"} < {route for writes, route in ROUTES if writes}
    assert {"GET /tags", "POST /contacts/search", "GET /companies/scroll"} < {route for writes, route in ROUTES if not writes}


def test_of_every_route_of_the_kinds_the_reads_go_through_and_no_write(desk: Desk) -> None:
    for writes, route in ROUTES:
        desk.box.forget_requests()
        method, _, path = route.partition(" ")
        path = path.replace("{", "").replace("}", "").partition("?")[0]
        assert Request(method, path).is_read is not writes, route
        code = desk("api", method, path, "--read-only", "--allow-write")
        sent = [(record.method, record.path) for record in desk.box.requests]
        assert sent == ([] if writes else [("GET", "/me"), (method, path)])
        assert f"0 writes possible, {len(sent)} reads\n" in desk.err
        if writes:
            assert (code, desk.err.splitlines()[-1]) == (64, f"error: --read-only: {method} {path} may change something; nothing was sent")


@pytest.mark.parametrize("words", TYPED, ids=" ".join)
def test_every_verb_has_it_but_those_that_are_there_to_change_the_local_workspace(words: tuple[str, ...]) -> None:
    text = shown(*words).get("Connection", "")
    assert ("--read-only Refuse every call" in text) is not isinstance(TYPED[words], LocalVerb)


VERBS: Mapping[str, int] = {
    "validate m.yaml": 0,
    "schema": 0,
    "plan m.yaml -o plan.json": 0,
    "plan m.yaml --detailed-exitcode": 2,
    "show plan.json": 0,
    "apply plan.json": 64,
    "apply m.yaml --auto-approve": 64,
    "apply same.yaml --auto-approve": 0,
    "drift m.yaml": 2,
    "adopt tag/vip": 0,
    "adopt --all m.yaml --auto-approve": 0,
    "forget tag/vip": 0,
    "history": 0,
    "undo last -o undo.json": 0,
    "apply undo.json": 64,
    "get contacts": 0,
    "get companies 6": 0,
    "api POST /contacts/search": 1,
    "api POST /contacts/%73earch": 64,
    "api POST /tags -f name=x --allow-write": 64,
    "api PATCH /tags": 64,
    "auth status": 0,
    "auth login --client-id c1": 64,
    "doctor": 0,
    "doctor --probe --yes --app-id sandbox1": 64,
    "doctor --clean --app-id sandbox1": 64,
    "export -o exported.yaml": 0,
    "tag add third --in same.yaml": 0,
}


def test_no_verb_writes(desk: Desk) -> None:
    desk.seed(**SEED)
    desk.write("same.yaml", SAME)
    desk("apply", "m.yaml", "--auto-approve", m="policy: {limits: {deletes: 9}}\n" + SAME)
    assert desk("apply", "m.yaml", "--auto-approve", m=MANIFEST.replace(", {name: old, state: absent}", "")) == 0
    desk.seed(tags=["trial"], contacts=[{"external_id": "25", "name": "Hoban"}])
    desk.write("m.yaml", MANIFEST)
    desk.box.forget_requests()
    for command, code in VERBS.items():
        assert desk(*command.split(), "--read-only") == code, (command, desk.err)
        assert desk.writes == [], command
        number = len(desk.box.requests)
        assert f"0 writes possible, {number} {'read' if number == 1 else 'reads'}\n" in desk.err, command
        if code == 64:
            assert desk.err.splitlines()[-1].startswith("error: --read-only: "), desk.err
        desk.box.forget_requests()
    assert desk("apply", "plan.json") == 0
    assert desk.writes != []
    assert "writes possible" not in desk.err


def test_a_saved_plan_of_changes_is_refused_before_anything_is_sent(desk: Desk) -> None:
    desk.seed(**SEED)
    desk.plan(m=MANIFEST)
    desk.box.forget_requests()
    assert desk("apply", "plan.json", "--read-only", "--events", "events.ndjson") == 64
    assert desk.box.requests == []
    assert "--read-only: the plan has 4 changes, and nothing was sent" in desk.err


def test_the_client_itself_refuses_what_an_apply_would_write(make_route: MakeRoute) -> None:
    here = make_route(SEED)
    saved = here.saved(here.manifest(MANIFEST))
    with here.session() as session:
        work = prepare(session, saved, planned_manifest(saved))
        session.client.read_only = True
        outcomes = list(carry_out(session, work, threading.Event()))
    assert len(outcomes) == 4
    assert {outcome.status for outcome in outcomes} == {Status.FAILED}
    assert here.box.writes == []


@pytest.mark.parametrize("verb", ["plan", "validate"])
def test_it_takes_no_value_and_stands_behind_the_verb(verb: str, desk: Desk) -> None:
    for words in (["--read-only", verb, "m.yaml"], [verb, "m.yaml", "--read-only=yes"]):
        assert desk(*words, m=SAME) == 64
        assert desk.box.requests == []
