"""What a review of the whole found: plans that are only looked at, what they show of people, and names that nobody can tell apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli import cli
from reconciler.cli.running import run
from reconciler.report import RENDERERS

SEED = "tags: [vip]\ncontacts: [{email: old@serenity.example, name: Wash}, {external_id: '31', email: zoe@serenity.example}]\n"
MOVED = "tags: [vip]\ncontacts: [{email: new@serenity.example, was: {email: old@serenity.example}, tags: [vip]}]\n"

Doc = dict[str, Any]
Verb = Callable[..., tuple[int, str]]


@pytest.fixture
def verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Verb:
    """Runs a verb on a sandbox in an empty folder; returns its exit code and what it printed on stdout."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("INTERCOM_ACCESS_TOKEN", raising=False)
    monkeypatch.delenv("INTERCOM_BASE_URL", raising=False)
    Path("seed.yaml").write_text(SEED, encoding="utf-8")
    assert run(cli, ["sandbox", "seed", "seed.yaml"]) == 0

    def call(*arguments: str, **files: str) -> tuple[int, str]:
        for name, text in files.items():
            Path(f"{name}.yaml").write_text(text, encoding="utf-8")
        capsys.readouterr()
        return run(cli, list(arguments)), capsys.readouterr().out

    return call


def test_what_show_prints_as_json_cannot_be_applied_and_holds_no_digest(verb: Verb) -> None:
    assert verb("plan", "--sandbox", "-o", "plan.json", "m.yaml", m=MOVED)[0] == 0
    code, text = verb("show", "plan.json", "--format", "json")
    assert code == 0
    assert not [word for word in ("before_digest", "id_digest", "salt", "seal") if word in text]
    Path("shown.json").write_text(text, encoding="utf-8")
    assert verb("apply", "--sandbox", "shown.json")[0] == 65
    assert verb("show", "shown.json") == verb("show", "plan.json")
    assert verb("apply", "--sandbox", "plan.json")[0] == 0


@pytest.mark.parametrize("form", sorted(RENDERERS))
def test_show_does_not_show_the_manifest_that_a_confidential_plan_holds(form: str, verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert verb("plan", "--sandbox", "-o", "plan.json", "--embed-values", "m.yaml", m=MOVED)[0] == 0
    assert "new@serenity.example" in Path("plan.json").read_text(encoding="utf-8")
    assert "new@serenity.example" not in verb("show", "plan.json", "--format", form)[1]


def test_an_email_as_a_target_is_masked_and_the_saved_plan_still_keeps_to_it(verb: Verb) -> None:
    scope = ("--target", "contact/new@serenity.example", "--exclude", "contact/zoe@serenity.example")
    code, text = verb("plan", "--sandbox", "-o", "plan.json", *scope, "m.yaml", m=MOVED)
    assert code == 0
    assert "partial plan: --target contact/n***@serenity.example#" in text
    looked = verb("show", "plan.json", "--format", "json")[1]
    saved = Path("plan.json").read_text(encoding="utf-8")
    assert not [mail for mail in ("new@", "old@", "zoe@") if mail in text + looked + saved]
    assert verb("apply", "--sandbox", "plan.json")[0] == 0
    assert verb("plan", "--sandbox", "--detailed-exitcode", "m.yaml")[0] == 0


def test_an_email_in_a_refusal_is_masked(verb: Verb) -> None:
    manifest = "contacts: [{external_id: '31', custom_attributes: {age: wash@serenity.example}}]\n"
    typed = "attributes: [{name: age, model: contact, data_type: integer}]\n"
    assert verb("apply", "--sandbox", "--auto-approve", "m.yaml", m=typed)[0] == 0
    code, text = verb("plan", "--sandbox", "--format", "json", "--detailed-exitcode", "m.yaml", m=manifest)
    assert code == 3
    (refusal,) = json.loads(text)["refused"]
    assert refusal["gate"] == "attribute"
    assert "wash@" not in text


def broken(found: Doc, way: str) -> Doc:
    match way:
        case "a change that is none":
            return {**found, "changes": [1]}
        case "a change without its fields":
            return {**found, "changes": [{"address": "tag/vip", "action": "create"}]}
        case "a number for a text":
            return {**found, "workspace": {"app_id": 1, "region": "us"}}
        case _:
            return {key: value for key, value in found.items() if key != way}


@pytest.mark.parametrize(
    "way",
    ["a change that is none", "a change without its fields", "a number for a text", "workspace", "manifest", "summary", "cost", "refused"],
)
@pytest.mark.parametrize("form", sorted(RENDERERS))
def test_half_a_plan_is_sixty_five_in_every_form(way: str, form: str, verb: Verb) -> None:
    found = json.loads(verb("plan", "--sandbox", "--format", "json", "m.yaml", m=MOVED)[1])
    Path("half.json").write_text(json.dumps(broken(found, way)), encoding="utf-8")
    assert verb("show", "half.json", "--format", form) == (65, "")
    assert verb("apply", "--sandbox", "half.json")[0] == 65


def test_a_create_that_may_bring_back_is_called_so(verb: Verb) -> None:
    manifest = "contacts: [{external_id: '9', state: present}]\n"
    for form in ("text", "markdown", "html"):
        assert "create (or bring back if archived)" in verb("plan", "--sandbox", "--format", form, "m.yaml", m=manifest)[1]
    (change,) = json.loads(verb("plan", "--sandbox", "--format", "json", "m.yaml")[1])["changes"]
    assert change["action"] == "create"


@pytest.mark.parametrize("state", ["archived", "absent"])
def test_who_is_not_found_and_should_be_gone_is_unproven(state: str, verb: Verb) -> None:
    manifest = f"contacts: [{{external_id: '9', state: {state}}}]\n"
    assert "unproven" in verb("plan", "--sandbox", "m.yaml", m=manifest)[1]
    assert [n["topic"] for n in json.loads(verb("plan", "--sandbox", "--format", "json", "m.yaml")[1])["notes"]][-1] == "unproven"


def test_two_entries_that_nobody_can_tell_apart_are_reported_before_they_are_made(verb: Verb) -> None:
    manifest = 'tags: ["vip club", "vip\u00a0club", vip]\n'
    notes = json.loads(verb("plan", "--sandbox", "--format", "json", "m.yaml", m=manifest)[1])["notes"]
    (told,) = [note for note in notes if note["topic"] == "lookalike"]
    assert "differs only invisibly from 'vip club', declared at m.yaml:1:8" in told["message"]


def told(capsys: pytest.CaptureFixture[str], tmp_path: Path, **files: str) -> list[str]:
    """What `validate` says of these files, a line each."""
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    assert run(cli, ["validate", *(str(tmp_path / f"{name}.yaml") for name in files)]) == 65
    return capsys.readouterr().err.replace(f"{tmp_path}/", "").removeprefix("error: ").splitlines()


def test_a_file_that_is_no_yaml_does_not_hide_what_is_wrong_in_the_others(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    links = "contacts: [{external_id: '1', tags: [declared-in-a], nmae: x}]\n"
    found = told(capsys, tmp_path, a="tags: [declared-in-a, [\n", b=links, c="companies: [{company_id: '6', size: many}]\n")
    assert [line.partition(":")[0] for line in found] == ["a.yaml", "b.yaml", "c.yaml"]
    assert "unknown key 'nmae'" in found[1]


def test_a_key_that_stands_twice_does_not_hide_what_else_is_wrong_in_its_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = told(capsys, tmp_path, a="tags: [vip]\ntags: [trial]\ncontacts:\n- {external_id: '1', nmae: x, tags: [trial]}\n")
    assert [line.split(" ", 1)[0] for line in found] == ["a.yaml:2:1:", "a.yaml:4:22:"]


def test_an_entry_that_is_wrong_is_declared_all_the_same(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = told(capsys, tmp_path, a="tags: [{name: VIP, protect: 1}]\ncompanies: [{company_id: '6', tags: [vip, nope]}]\n")
    assert [line.split(" ", 1)[0] for line in found] == ["a.yaml:1:20:", "a.yaml:2:43:"]
