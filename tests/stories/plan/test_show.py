"""show and JSON: a plan that is only looked at cannot be applied, and shows nobody’s values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.report import RENDERERS
from tests.desk.desk import Desk

SEED = "tags: [vip]\ncontacts: [{email: old@serenity.example, name: Wash}, {external_id: '31', email: zoe@serenity.example}]\n"

MOVED = "tags: [vip]\ncontacts: [{email: new@serenity.example, was: {email: old@serenity.example}, tags: [vip]}]\n"

Doc = dict[str, Any]


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.box.seed(yaml.safe_load(SEED))
    return desk


def test_what_show_prints_as_json_cannot_be_applied_and_holds_no_digest(desk: Desk) -> None:
    assert desk("plan", "-o", "plan.json", "m.yaml", m=MOVED) == 0
    code, text = desk("show", "plan.json", "--format", "json"), desk.out
    assert code == 0
    assert not [word for word in ("before_digest", "id_digest", "salt", "seal") if word in text]
    Path("shown.json").write_text(text, encoding="utf-8")
    assert desk("apply", "shown.json") == 65
    assert desk.ends("show", "shown.json") == desk.ends("show", "plan.json")
    assert desk("apply", "plan.json") == 0


@pytest.mark.parametrize("form", sorted(RENDERERS))
def test_show_does_not_show_the_manifest_that_a_confidential_plan_holds(form: str, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert desk("plan", "-o", "plan.json", "--embed-values", "m.yaml", m=MOVED) == 0
    assert "new@serenity.example" in Path("plan.json").read_text(encoding="utf-8")
    assert "new@serenity.example" not in desk.ends("show", "plan.json", "--format", form).out


def test_an_email_as_a_target_is_masked_and_the_saved_plan_still_keeps_to_it(desk: Desk) -> None:
    scope = ("--target", "contact/new@serenity.example", "--exclude", "contact/zoe@serenity.example")
    code, text = desk("plan", "-o", "plan.json", *scope, "m.yaml", m=MOVED), desk.out
    assert code == 0
    assert "partial plan: --target contact/n***@serenity.example#" in text
    looked = desk.ends("show", "plan.json", "--format", "json").out
    saved = Path("plan.json").read_text(encoding="utf-8")
    assert not [mail for mail in ("new@", "old@", "zoe@") if mail in text + looked + saved]
    assert desk("apply", "plan.json") == 0
    assert desk("plan", "--detailed-exitcode", "m.yaml") == 0


def test_an_email_in_a_refusal_is_masked(desk: Desk) -> None:
    manifest = "contacts: [{external_id: '31', custom_attributes: {age: wash@serenity.example}}]\n"
    typed = "attributes: [{name: age, model: contact, data_type: integer}]\n"
    assert desk("apply", "--auto-approve", "m.yaml", m=typed) == 0
    code, text = desk("plan", "--format", "json", "--detailed-exitcode", "m.yaml", m=manifest), desk.out
    assert code == 3
    (refusal,) = json.loads(text)["refused"]
    assert refusal["gate"] == "attribute"
    assert "wash@" not in text


def damage(document: Doc, way: str) -> Doc:
    match way:
        case "a change that is none":
            return {**document, "changes": [1]}
        case "a change without its fields":
            return {**document, "changes": [{"address": "tag/vip", "action": "create"}]}
        case "a number for a text":
            return {**document, "workspace": {"app_id": 1, "region": "us"}}
        case _:
            return {key: value for key, value in document.items() if key != way}


@pytest.mark.parametrize(
    "way",
    ["a change that is none", "a change without its fields", "a number for a text", "workspace", "manifest", "summary", "cost", "refused"],
)
@pytest.mark.parametrize("form", sorted(RENDERERS))
def test_half_a_plan_is_sixty_five_in_every_form(way: str, form: str, desk: Desk) -> None:
    document = json.loads(desk.ends("plan", "--format", "json", "m.yaml", m=MOVED).out)
    Path("half.json").write_text(json.dumps(damage(document, way)), encoding="utf-8")
    assert (desk("show", "half.json", "--format", form), desk.out) == (65, "")
    assert desk("apply", "half.json") == 65


def test_a_create_that_may_bring_back_is_called_so(desk: Desk) -> None:
    manifest = "contacts: [{external_id: '9', state: present}]\n"
    for form in ("text", "markdown", "html"):
        assert "create (or bring back if archived)" in desk.ends("plan", "--format", form, "m.yaml", m=manifest).out
    (change,) = json.loads(desk.ends("plan", "--format", "json", "m.yaml").out)["changes"]
    assert change["action"] == "create"


@pytest.mark.parametrize("state", ["archived", "absent"])
def test_who_is_not_found_and_should_be_gone_is_unproven(state: str, desk: Desk) -> None:
    manifest = f"contacts: [{{external_id: '9', state: {state}}}]\n"
    assert "unproven" in desk.ends("plan", "m.yaml", m=manifest).out
    assert [n["topic"] for n in json.loads(desk.ends("plan", "--format", "json", "m.yaml").out)["notes"]][-1] == "unproven"


def test_two_entries_that_nobody_can_tell_apart_are_reported_before_they_are_made(desk: Desk) -> None:
    manifest = 'tags: ["vip club", "vip\u00a0club", vip]\n'
    notes = json.loads(desk.ends("plan", "--format", "json", "m.yaml", m=manifest).out)["notes"]
    (lookalike,) = [note for note in notes if note["topic"] == "lookalike"]
    assert "differs only invisibly from 'vip club', declared at m.yaml:1:8" in lookalike["message"]
