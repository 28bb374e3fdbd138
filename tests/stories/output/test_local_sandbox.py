"""--sandbox: every way to end has its exit code there too, and what changes only our side is none of Intercom's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.server import serve
from tests.desk.desk import Desk

SEED = "tags: [vip, old]\ncompanies: [{company_id: '6'}]\ncontacts: [{external_id: '25', name: Wash, tags: [vip]}]\n"
MANIFEST = "tags: [vip]\ncontacts: [{external_id: '25', name: Wash}]\n"


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """Before the sandbox in its folder, with no token and no address."""
    desk.patch.delenv("INTERCOM_ACCESS_TOKEN")
    desk.patch.delenv("INTERCOM_BASE_URL")
    assert desk("sandbox", "seed", "seed.yaml", seed=SEED) == 0
    return desk


def plan(desk: Desk, text: str, *more: str) -> int:
    return desk("plan", "--sandbox", "--detailed-exitcode", *more, "m.yaml", m=text)


def apply(desk: Desk, text: str) -> int:
    return desk("apply", "--sandbox", "--auto-approve", "m.yaml", m=text)


OURS = (
    ("a description, an owner, a protection", "tags: [{name: vip, owner: growth, description: Best, protect: true}]\n"),
    ("a policy", "policy: {links: declared, limits: {creates: 1}}\n" + MANIFEST),
    ("a name and a pin", "name: growth\nworkspace: {app_id: sandbox1}\n" + MANIFEST),
    ("a rename that is done", "tags: [{name: vip, renamed_from: Very-Important}]\n"),
    ("a tombstone that is done", "tags: [vip, {name: never-was, state: absent}]\ncompanies: [{company_id: '9', state: absent}]\n"),
    ("order and comments", "# hello\ncontacts: [{name: Wash, external_id: '25'}]\ntags: [vip]  # ours\n"),
    ("a contact skipped", "tags: [vip]\ncontacts: [{external_id: '25'}, {external_id: nobody, tags: [vip]}]\n"),
)


@pytest.mark.parametrize("text", [text for _, text in OURS], ids=[what for what, _ in OURS])
def test_what_changes_only_our_side_is_zero(text: str, desk: Desk) -> None:
    assert plan(desk, text) == 0


def test_a_plan_is_zero_whatever_it_finds_unless_asked_for_details(desk: Desk) -> None:
    changed = "tags: [vip, trial]\n"
    assert desk("plan", "--sandbox", "m.yaml", m=changed) == 0
    assert plan(desk, changed) == 2
    refused = "policy: {limits: {creates: 0}}\n" + changed
    assert desk("plan", "--sandbox", "m.yaml", m=refused) == 0
    assert plan(desk, refused) == 3


def test_an_apply_is_zero_and_a_second_one_too(desk: Desk) -> None:
    assert apply(desk, "tags: [vip, trial]\n") == 0
    assert apply(desk, "tags: [vip, trial]\n") == 0
    assert plan(desk, "tags: [vip, trial]\n") == 0


def test_a_refused_apply_is_three_and_writes_nothing(desk: Desk) -> None:
    assert apply(desk, "policy: {limits: {creates: 0}}\ntags: [vip, trial]\n") == 3
    assert apply(desk, "policy: {missing_contacts: error}\ntags: [vip, trial]\ncontacts: [{external_id: nobody}]\n") == 3
    assert apply(desk, "workspace: {app_id: other}\ntags: [vip, trial]\n") == 3
    assert plan(desk, "tags: [vip, trial]\n") == 2


def test_a_stale_plan_is_four_and_an_edited_one_sixty_five(desk: Desk) -> None:
    text = "tags: [vip, trial]\n"
    assert plan(desk, text, "-o", "plan.json") == 2
    assert Path("plan.json").stat().st_mode & 0o777 == 0o600
    assert desk("apply", "--sandbox", "plan.json", m=text + "companies: []\n") == 4
    document = json.loads(Path("plan.json").read_bytes())
    Path("plan.json").write_text(json.dumps({**document, "changes": []}), encoding="utf-8")
    assert desk("apply", "--sandbox", "plan.json", m=text) == 65
    assert desk("show", "plan.json") == 65


def test_a_plan_to_look_at_cannot_be_applied(desk: Desk) -> None:
    assert desk("plan", "--sandbox", "--format", "json", "m.yaml", m="tags: [vip, trial]\n") == 0
    Path("look.json").write_text(desk.out, encoding="utf-8")
    assert desk("show", "look.json") == 0
    assert desk("apply", "--sandbox", "look.json") == 65
    assert plan(desk, "tags: [vip, trial]\n") == 2


def test_an_apply_in_part_is_five_and_finished_by_the_next(desk: Desk) -> None:
    with Sandbox(Path(".reconciler/sandbox.db")) as box:
        box.seed({"tags": [{"name": "old", "segments": ["Seg 1"]}]})
    text = "tags: [vip, trial, {name: old, state: absent}]\n"
    assert apply(desk, text) == 5
    assert plan(desk, "tags: [vip, trial]\n") == 0
    assert plan(desk, text) == 2


USAGE = (
    ("nonsense",),
    ("plan", "--sandbox"),
    ("plan", "--sandbox", "--nonsense", "m.yaml"),
    ("plan", "--sandbox", "--format", "nonsense", "m.yaml"),
    ("plan", "--sandbox", "--report", "nonsense", "m.yaml"),
    ("apply", "--sandbox", "m.yaml"),
    ("apply", "--sandbox"),
)


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_wrong_usage_is_sixty_four_never_two(arguments: tuple[str, ...], desk: Desk) -> None:
    assert desk(*arguments, m="tags: [vip, trial]\n") == 64
    assert plan(desk, "tags: [vip, trial]\n") == 2


@pytest.mark.parametrize("text", [b"a: " * 5_000, b"[" * 5_000, b"- a", b"\xff", b"tags: 1", b"nonsense: []"])
def test_a_seed_that_is_wrong_is_named_once(text: bytes, desk: Desk) -> None:
    (desk.folder / "live.yaml").write_bytes(text)
    assert desk("sandbox", "seed", "live.yaml") == 64
    said = desk.err
    assert said.startswith("error: live.yaml")
    assert said.count("live.yaml") == 1


@pytest.mark.parametrize("text", ["", "tags: [vip\n", "tags:\n", "contacts: [{external_id: '1', tags: [nope]}]\n"])
def test_what_is_invalid_is_sixty_five_for_every_verb(text: str, desk: Desk) -> None:
    assert desk("validate", "m.yaml", m=text) == 65
    assert plan(desk, text) == 65
    assert apply(desk, text) == 65


def test_a_token_that_is_not_accepted_is_one_sentence_without_it(desk: Desk) -> None:
    token = "dG9rOnNlY3JldC1wYXJ0"
    with Sandbox() as box, serve(box) as serving, pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTERCOM_ACCESS_TOKEN", token)
        assert desk("plan", "--base-url", serving.url, "m.yaml", m=MANIFEST) == 1
    assert token not in desk.out + desk.err
    assert desk.out == ""
    assert "tokens often end in =" in desk.err or "the token is not accepted" in desk.err
