"""Every way to end has its exit code, and what changes only our side is none of Intercom's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.cli import cli
from reconciler.cli.running import run
from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.server import serve

SEED = "tags: [vip, old]\ncompanies: [{company_id: '6'}]\ncontacts: [{external_id: '25', name: Wash, tags: [vip]}]\n"
MANIFEST = "tags: [vip]\ncontacts: [{external_id: '25', name: Wash}]\n"

Verb = Callable[..., int]


@pytest.fixture
def verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Verb:
    """Runs a verb on a sandbox in an empty folder, without a terminal; returns its exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("INTERCOM_ACCESS_TOKEN", raising=False)
    monkeypatch.delenv("INTERCOM_BASE_URL", raising=False)
    Path("seed.yaml").write_text(SEED, encoding="utf-8")
    assert run(cli, ["sandbox", "seed", "seed.yaml"]) == 0

    def call(*arguments: str, **files: str) -> int:
        for name, text in files.items():
            Path(f"{name}.yaml").write_text(text, encoding="utf-8")
        capsys.readouterr()
        return run(cli, list(arguments))

    return call


def plan(verb: Verb, text: str, *more: str) -> int:
    return verb("plan", "--sandbox", "--detailed-exitcode", *more, "m.yaml", m=text)


def apply(verb: Verb, text: str) -> int:
    return verb("apply", "--sandbox", "--auto-approve", "m.yaml", m=text)


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
def test_what_changes_only_our_side_is_zero(text: str, verb: Verb) -> None:
    assert plan(verb, text) == 0


def test_a_plan_is_zero_whatever_it_finds_unless_asked_for_details(verb: Verb) -> None:
    changed = "tags: [vip, trial]\n"
    assert verb("plan", "--sandbox", "m.yaml", m=changed) == 0
    assert plan(verb, changed) == 2
    refused = "policy: {limits: {creates: 0}}\n" + changed
    assert verb("plan", "--sandbox", "m.yaml", m=refused) == 0
    assert plan(verb, refused) == 3


def test_an_apply_is_zero_and_a_second_one_too(verb: Verb) -> None:
    assert apply(verb, "tags: [vip, trial]\n") == 0
    assert apply(verb, "tags: [vip, trial]\n") == 0
    assert plan(verb, "tags: [vip, trial]\n") == 0


def test_a_refused_apply_is_three_and_writes_nothing(verb: Verb) -> None:
    assert apply(verb, "policy: {limits: {creates: 0}}\ntags: [vip, trial]\n") == 3
    assert apply(verb, "policy: {missing_contacts: error}\ntags: [vip, trial]\ncontacts: [{external_id: nobody}]\n") == 3
    assert apply(verb, "workspace: {app_id: other}\ntags: [vip, trial]\n") == 3
    assert plan(verb, "tags: [vip, trial]\n") == 2


def test_a_stale_plan_is_four_and_an_edited_one_sixty_five(verb: Verb) -> None:
    text = "tags: [vip, trial]\n"
    assert plan(verb, text, "-o", "plan.json") == 2
    assert Path("plan.json").stat().st_mode & 0o777 == 0o600
    assert verb("apply", "--sandbox", "plan.json", m=text + "companies: []\n") == 4
    found = json.loads(Path("plan.json").read_bytes())
    Path("plan.json").write_text(json.dumps({**found, "changes": []}), encoding="utf-8")
    assert verb("apply", "--sandbox", "plan.json", m=text) == 65
    assert verb("show", "plan.json") == 65


def test_a_plan_to_look_at_cannot_be_applied(verb: Verb, capsys: pytest.CaptureFixture[str]) -> None:
    assert verb("plan", "--sandbox", "--format", "json", "m.yaml", m="tags: [vip, trial]\n") == 0
    Path("look.json").write_text(capsys.readouterr().out, encoding="utf-8")
    assert verb("show", "look.json") == 0
    assert verb("apply", "--sandbox", "look.json") == 65
    assert plan(verb, "tags: [vip, trial]\n") == 2


def test_an_apply_in_part_is_five_and_finished_by_the_next(verb: Verb) -> None:
    with Sandbox(Path(".reconciler/sandbox.db")) as box:
        box.seed({"tags": [{"name": "old", "segments": ["Seg 1"]}]})
    text = "tags: [vip, trial, {name: old, state: absent}]\n"
    assert apply(verb, text) == 5
    assert plan(verb, "tags: [vip, trial]\n") == 0
    assert plan(verb, text) == 2


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
def test_wrong_usage_is_sixty_four_never_two(arguments: tuple[str, ...], verb: Verb) -> None:
    assert verb(*arguments, m="tags: [vip, trial]\n") == 64
    assert plan(verb, "tags: [vip, trial]\n") == 2


@pytest.mark.parametrize("text", ["", "tags: [vip\n", "tags:\n", "contacts: [{external_id: '1', tags: [nope]}]\n"])
def test_what_is_invalid_is_sixty_five_for_every_verb(text: str, verb: Verb) -> None:
    assert verb("validate", "m.yaml", m=text) == 65
    assert plan(verb, text) == 65
    assert apply(verb, text) == 65


def test_a_token_that_is_not_accepted_is_one_sentence_without_it(verb: Verb, capsys: pytest.CaptureFixture[str]) -> None:
    token = "dG9rOnNlY3JldC1wYXJ0"
    with Sandbox() as box, serve(box) as serving, pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTERCOM_ACCESS_TOKEN", token)
        assert verb("plan", "--base-url", serving.url, "m.yaml", m=MANIFEST) == 1
    said = capsys.readouterr()
    assert token not in said.out + said.err
    assert said.out == ""
    assert "tokens often end in =" in said.err or "the token is not accepted" in said.err
