"""`doctor --probe` finds what was planted, leaves nothing, and touches nothing of anybody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.model.facts import Facts
from reconciler.intercom.probe.bench import Creation
from reconciler.sandbox.app import Sandbox
from reconciler.workflow.facts import read_facts
from reconciler.workflow.probe import ask_all, clear, notebook
from tests.conftest import MakeRoute
from tests.desk.desk import Desk
from tests.desk.planted import EIGHT, PLAIN
from tests.desk.route import Route

# Of others, with names that begin nearly as those of a probe do.
THEIRS = {
    "tags": ["zz-reconciler-notes", "zz-reconciler-12345678", "vip"],
    "companies": [{"company_id": "zz-reconciler-co", "name": "zz-reconciler-1a2b3c4d-works"}],
    "contacts": [
        {"external_id": "zz-reconciler-1a2b3c4d-boss", "email": "boss@serenity.example"},
        {"email": "zz-reconciler-team@serenity.example", "tags": ["vip"], "companies": ["zz-reconciler-co"]},
    ],
    "attributes": [{"name": "zz-reconciler-mood", "model": "contact", "data_type": "string"}],
}


def everything(box: Sandbox) -> dict[str, Any]:
    """All that lives there, but for what an archive keeps."""
    kinds = ("tag", "company", "contact", "attribute")
    return {kind: [doc for doc in box.ws.store.table(kind).docs.values() if not doc.get("archived")] for kind in kinds}


def run_probe(route: Route, **how: Any) -> tuple[Facts, dict[str, str]]:
    """What a probe finds, after it has cleaned up."""
    with route.session() as session, notebook(route.folder / ".reconciler", "sandbox1") as book:
        facts = ask_all(session, book, **how)
        assert clear(session, book).trouble == ""
    return facts.facts, facts.unsettled


@pytest.mark.parametrize("planted", EIGHT, ids=lambda planted: "-".join(planted) or "plain")
def test_each_of_eight_workspaces_is_found_out(make_route: MakeRoute, planted: dict[str, Any]) -> None:
    answers = PLAIN | planted
    asked = make_route(THEIRS)
    asked.box.settings.follow(answers)
    before = everything(asked.box)
    facts, unsettled = run_probe(asked, attributes=True)
    assert facts.model_dump(exclude_none=True) == answers
    assert unsettled == {"total_count": "it takes more than 10,000 contacts to see it"}
    assert everything(asked.box) == before
    assert not list((asked.folder / ".reconciler").glob("probe*"))


@pytest.mark.parametrize(("planted", "number"), [("exact", 31), ("capped", 31), (None, 30)])
def test_a_count_that_is_cut(make_route: MakeRoute, planted: str | None, number: int) -> None:
    # A probe makes five contacts of its own and is not misled by them: they are there while it counts.
    asked = make_route({"contacts": [{"external_id": str(n)} for n in range(number - 5)]})
    asked.box.settings.change({"total_count": planted or "capped", "count_cap": 30})
    facts, unsettled = run_probe(asked, cap=30)
    assert (facts.total_count, "total_count" in unsettled) == (planted, planted is None)


def test_an_attribute_is_made_only_where_somebody_said_so(make_route: MakeRoute) -> None:
    asked = make_route()
    asked.box.settings.change({"attribute_dots": "taken"})
    _, unsettled = run_probe(asked)
    assert "asked with --may-archive alone" in unsettled["attribute_dots"]
    assert asked.box.ws.store.table("attribute").docs == {}


def test_a_token_that_may_not_ask_settles_nothing_and_leaves_nothing(make_route: MakeRoute) -> None:
    asked = make_route()
    asked.box.tokens["sandbox"] = frozenset({"write_tags"})
    facts, unsettled = run_probe(asked)
    assert facts.name_folding is None
    assert "required scope (write_tags)" in unsettled["name_folding"]
    assert facts.shared_email == "other_external_ids"


def test_answers_that_are_lost_leave_nothing(make_route: MakeRoute) -> None:
    asked = make_route(THEIRS)
    before = everything(asked.box)
    asked.box.faults.add("POST", "^/contacts$", drop="after", times=None)
    asked.box.faults.add("POST", "^/tags$", drop="after", rate=0.5, times=None)
    with asked.session() as session, notebook(asked.folder / ".reconciler", "sandbox1") as book:
        ask_all(session, book)
        asked.box.faults.clear()
        assert clear(session, book).trouble == ""
    assert everything(asked.box) == before


@pytest.mark.parametrize(
    ("fact", "path", "how"),
    [
        ("shared_email", "^/contacts$", {"status": 400, "message": "email is invalid", "after": 1}),
        ("lead_external_id", "^/contacts$", {"status": 409, "after": 5}),
        ("attribute_dots", "^/data_attributes$", {"status": 400, "message": "You have reached the limit of 250 custom attributes"}),
        ("name_beyond", "^/tags$", {"status": 403, "after": 7}),
    ],
)
def test_a_refusal_for_another_reason_settles_nothing(make_route: MakeRoute, fact: str, path: str, how: dict[str, Any]) -> None:
    asked = make_route()
    asked.box.faults.add("POST", path, **how)
    facts, unsettled = run_probe(asked, attributes=True)
    assert getattr(facts, fact) is None
    assert f" {how['status']} " in unsettled[fact]


def test_what_does_not_answer_is_not_asked_for_ever(make_route: MakeRoute) -> None:
    asked = make_route()
    asked.box.faults.add("POST", "^/tags$", status=500, times=None)
    before = asked.clock.now
    facts, unsettled = run_probe(asked)
    assert facts == Facts()
    assert unsettled["email_case"] == "not asked: Intercom had not answered before"
    assert asked.clock.now - before < 200


def test_what_search_does_not_show_yet_is_not_taken_for_gone(make_route: MakeRoute) -> None:
    asked = make_route(search_delay=300.0)
    # The third contact is one that has an e-mail and nothing else.
    asked.box.faults.add("POST", "^/contacts$", drop="after", after=2)
    with asked.session() as session, notebook(asked.folder / ".reconciler", "sandbox1") as book:
        ask_all(session, book)
        asked.box.faults.clear()
        left = clear(session, book).trouble
        assert "of which no answer came may not be visible yet; run `reconciler doctor --clean --app-id sandbox1` after " in left
    asked.clock.now += 301
    with asked.session() as session, notebook(asked.folder / ".reconciler", "sandbox1") as book:
        assert clear(session, book).trouble == ""
    assert everything(asked.box)["contact"] == []


@pytest.mark.parametrize("key", ["vip", "zz-reconciler-notes", "zz-reconciler-co", "boss@serenity.example"])
def test_notes_of_somebody_else_remove_nothing(make_route: MakeRoute, key: str) -> None:
    asked = make_route(THEIRS)
    before = everything(asked.box)
    ids = [doc["id"] for docs in before.values() for doc in docs]
    with asked.session() as session, notebook(asked.folder / ".reconciler", "sandbox1") as book:
        for what in ("tag", "company", "contact", "attribute"):
            for live_id in ids:
                book.note(Creation(what, key, live_id), session.now())
        clear(session, book)
    after = everything(asked.box)
    # What a probe notes as made, and what begins as its names do, it may remove: the first of these tags does.
    assert {kind: len(docs) for kind, docs in after.items()} == {kind: len(docs) for kind, docs in before.items()} | {"tag": 1}


# ── as typed ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_probed_as_typed_and_followed_by_the_next_plan(desk: Desk) -> None:
    desk.box.settings.follow({"name_beyond": "cut", "name_length": 60})
    desk.write("m.yaml", {"workspace": {"app_id": "prod1"}, "tags": ["x" * 61]})
    assert desk("doctor", "--probe", "--app-id", "sandbox1", "--yes") == 0, desk.err
    assert "name_length        60\n" in desk.out
    assert "removed what was made by this probe: contact 5, company 1, tag " in desk.err
    assert read_facts(Path("intercom-facts.json")).facts.name_beyond == "cut"
    desk.write("m.yaml", {"tags": ["x" * 61]})
    assert desk.plan() == 3
    assert desk.gates() == ["fixed"]


def test_never_where_a_manifest_is_pinned_to(desk: Desk) -> None:
    for name in ("m.yaml", "deep/below/intercom.yml"):
        desk.write(name, {"workspace": {"app_id": "sandbox1"}, "tags": []})
        assert desk("doctor", "--probe", "--app-id", "sandbox1", "--yes") == 3
        assert desk.err.startswith(f"error: refused: workspace: {name} is pinned to sandbox1")
        (desk.folder / name).unlink()
    desk.write("m.yaml", 'workspace: {app_id: "sandb\\x6fx1"}\n')
    assert desk("doctor", "--probe", "--app-id", "sandbox1", "--yes") == 3, "a pin in another spelling"
    desk.write("m.yaml", "workspace: {app_id: sandbox1\ntags: [")
    assert desk("doctor", "--probe", "--app-id", "sandbox1", "--yes") == 65, "nobody can say what it is pinned to"
    assert desk.writes == []


@pytest.mark.parametrize(
    ("typed", "code", "words"),
    [
        (["--probe", "--yes"], 64, "need the workspace that is meant, a test one: --app-id ID"),
        (["--probe", "--app-id", "sandbox1"], 64, "there is no terminal to ask at; give --yes"),
        (["--probe", "--app-id", "other1", "--yes"], 3, "the token is for sandbox1 in us, not for other1"),
        (["--probe", "--app-id", "sandbox1", "--yes", "--read-only"], 64, "nothing was sent"),
        (["--may-archive"], 64, "belong to --probe"),
        (["-o", "there/facts.json"], 64, "the folder does not exist"),
    ],
)
def test_what_is_typed_wrong_makes_nothing(desk: Desk, typed: list[str], code: int, words: str) -> None:
    assert desk("doctor", *typed) == code
    assert words in desk.err
    assert desk.writes == []


def test_what_an_earlier_probe_left_is_removed_first(desk: Desk) -> None:
    note = {"app_id": "sandbox1", "at": 1.0, "what": "company", "key": "zz-reconciler-1a2b3c4d-firm", "id": ""}
    desk.seed(tags=["zz-reconciler-1a2b3c4d-one", "vip"], companies=[{"company_id": "zz-reconciler-1a2b3c4d-firm"}])
    # The last line was cut by a kill.
    desk.write(".reconciler/probe.jsonl", json.dumps(note) + "\n" + json.dumps(note)[:30])
    assert desk("doctor", "--clean", "--app-id", "sandbox1") == 0
    assert desk.err == "removed what was left by an earlier probe: company 1, tag 1\n"
    assert [doc["name"] for doc in everything(desk.box)["tag"]] == ["vip"]
    assert not (desk.folder / ".reconciler/probe.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (
            '{"app_id": "other1", "at": 1.0, "what": "tag", "key": "a", "id": ""}',
            3,
            "run `reconciler doctor --clean --app-id other1` first",
        ),
        ('{"app_id": "sandbox1", "at": Infinity, "what": "contact", "key": "a@b", "id": ""}', 65, ":1: is no note of a probe"),
        ("[]", 65, ".reconciler/probe.jsonl:1: is no note of a probe"),
        ("\x00", 65, ".reconciler/probe.jsonl:1: is no note of a probe"),
    ],
)
def test_notes_that_are_not_ours(desk: Desk, text: str, code: int, words: str) -> None:
    desk.write(".reconciler/probe.jsonl", text + "\n")
    assert desk("doctor", "--probe", "--app-id", "sandbox1", "--yes") == code
    assert words in desk.err
    assert desk.writes == []


def test_one_probe_at_a_time(desk: Desk) -> None:
    with notebook(Path(".reconciler"), "sandbox1"):
        assert desk("doctor", "--clean", "--app-id", "sandbox1") == 6
    assert "another probe runs in this folder" in desk.err


def test_what_cannot_be_removed_is_told_and_stays_noted(desk: Desk) -> None:
    desk.seed(tags=["zz-reconciler-1a2b3c4d-one"])
    desk.box.faults.add("DELETE", "^/tags/", status=403, times=None)
    assert desk("doctor", "--clean", "--app-id", "sandbox1") == 1
    assert "not all that was left by an earlier probe could be removed" in desk.err
    assert "run `reconciler doctor --clean --app-id sandbox1` to remove the rest" in desk.err
    desk.box.faults.clear()
    assert desk("doctor", "--clean", "--app-id", "sandbox1") == 0
    assert everything(desk.box)["tag"] == []
