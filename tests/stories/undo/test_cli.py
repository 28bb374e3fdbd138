"""undo as typed: plan, save, show, apply, undo again; what it prints, and with which code it ends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.desk.desk import Desk
from tests.stories.undo.conftest import WASH

MANIFEST: dict[str, Any] = {
    "name": "growth",
    "tags": [{"name": "vip", "state": "absent"}, "new"],
    "contacts": [{"external_id": "25", "name": "Hoban", "tags": ["new"]}],
}


def apply_manifest(desk: Desk, manifest: dict[str, Any]) -> str:
    """Apply this; the answer is the run."""
    assert desk("apply", "intercom.yaml", "--auto-approve", intercom=manifest) == 0, desk.err
    return newest(desk)


def newest(desk: Desk) -> str:
    return str(desk.json("history")[0]["run"])


def test_a_run_is_taken_back_and_the_undo_too(desk: Desk) -> None:
    name = apply_manifest(desk, MANIFEST)
    desk.box.forget_requests()
    assert desk("undo", "last", "-o", "undo.json") == 0, desk.err
    assert desk.writes == []
    assert desk.out.startswith(f"Plan that undoes run {name}, for workspace sandbox1 (us)\n")
    assert desk.out.endswith("Plan: 1 to create, 1 to update, 3 to attach, 1 to delete.\n")
    assert f"undo.json takes back the run {name}" in desk.err
    assert desk("show", "undo.json") == 0
    assert f"undoes run {name}" in desk.out
    assert desk("apply", "undo.json") == 0, desk.err
    assert desk.box.ws.store.table("contact").docs[WASH]["name"] == "Wash"
    taken_back = newest(desk)
    desk.box.forget_requests()
    assert desk("apply", "undo.json") == 0
    assert desk.writes == []
    assert desk("undo", "last", "--format", "json") == 0
    assert json.loads(desk.out)["run"] == taken_back != name
    assert desk("undo", name, "--format", "json") == 0
    assert json.loads(desk.out)["changes"] == []


@pytest.mark.parametrize("form", ["text", "json", "markdown", "html"])
def test_every_report_names_the_run(desk: Desk, form: str) -> None:
    name = apply_manifest(desk, MANIFEST)
    assert desk("undo", name, "--format", form, "--report", f"{form}=report") == 0, desk.err
    assert name in desk.out
    assert (desk.folder / "report").read_text() == desk.out
    assert "serenity" not in desk.out
    assert "Hoban" not in desk.out


def test_an_undo_that_is_a_plan_to_look_at_is_not_applied(desk: Desk) -> None:
    apply_manifest(desk, MANIFEST)
    assert desk("undo", "last", "--report", "json=look.json") == 0
    assert desk("apply", "look.json") == 65


def test_last_is_that_of_the_name_in_this_folder(desk: Desk) -> None:
    ours = apply_manifest(desk, MANIFEST)
    theirs = apply_manifest(desk, {"name": "sales", "tags": ["theirs"]})
    assert desk("undo", "last", "--format", "json") == 0
    assert json.loads(desk.out)["run"] == theirs
    desk.write("intercom.yaml", MANIFEST)
    assert desk("undo", "last", "--format", "json") == 0
    assert json.loads(desk.out)["run"] == ours


def test_what_is_no_run_is_wrong_usage(desk: Desk) -> None:
    assert desk("undo", "last") == 64
    assert "no ledger" in desk.err
    apply_manifest(desk, MANIFEST)
    assert desk("undo", "20200101T000000000-00000000") == 64
    assert "no such run" in desk.err
    assert "`reconciler history` lists them" in desk.err
    assert desk("undo", "last", "--ledger", "none") == 64
    assert desk("undo") == 64
    assert desk("undo", "last", "-o", "nowhere/undo.json") == 64


def test_a_run_of_another_workspace_is_refused(desk: Desk) -> None:
    name = apply_manifest(desk, MANIFEST)
    assert desk("undo", name, "-o", "undo.json") == 0
    desk.box.ws.settings.app_id = "elsewhere"
    desk.box.forget_requests()
    assert desk("undo", name) == 3
    assert "workspace: the token is for elsewhere" in desk.err
    assert desk("apply", "undo.json") == 3
    assert desk.writes == []


def test_what_changed_since_it_was_saved_makes_it_stale(desk: Desk) -> None:
    apply_manifest(desk, MANIFEST)
    assert desk("undo", "last", "-o", "undo.json") == 0
    desk.box.ws.store.table("contact").docs[WASH]["name"] = "Somebody"
    desk.box.forget_requests()
    assert desk("apply", "undo.json") == 4
    assert desk.writes == []


def test_a_saved_undo_whose_images_are_gone_is_stale(desk: Desk) -> None:
    name = apply_manifest(desk, MANIFEST)
    assert desk("undo", name, "-o", "undo.json") == 0
    (desk.folder / ".reconciler" / "images" / f"{name}.json").unlink()
    assert desk("apply", "undo.json") == 4
    assert "kept for thirty days" in desk.err


def test_the_gates_of_an_undo_are_those_of_the_run(desk: Desk) -> None:
    apply_manifest(desk, {"policy": {"limits": {"deletes": 1}}, "tags": ["one", "two"]})
    assert desk("undo", "last", "-o", "undo.json") == 0
    assert "REFUSED" in desk.out
    assert desk("apply", "undo.json") == 3
    (refusal,) = json.loads((desk.folder / "undo.json").read_text())["refused"]
    assert desk("apply", "undo.json", "--approve", refusal["approve"]) == 0


def test_with_a_damaged_ledger_what_is_destroyed_is_kept_in_the_folder(desk: Desk) -> None:
    home = desk.folder / ".reconciler"
    home.mkdir(mode=0o700)
    (home / "ledger.db").write_text("this is no database, and long enough to be taken for one" * 10)
    desk.write("intercom.yaml", MANIFEST)
    assert desk("apply", "intercom.yaml", "--auto-approve") == 0
    assert "going on without it" in desk.err
    (name,) = {path.name.partition(".")[0] for path in (home / "images").iterdir()}
    assert desk("undo", "last") == 64
    assert desk("undo", name, "-o", "undo.json") == 0
    assert "going on without it" in desk.err
    # Nobody recorded who made the new tag, so it stays.
    assert desk("apply", "undo.json") == 0
    contact = desk.box.ws.store.table("contact").docs[WASH]
    assert contact["name"] == "Wash"


def test_where_pre_images_lie_in_something_else_nothing_is_written(desk: Desk) -> None:
    home = desk.folder / ".reconciler"
    home.mkdir(mode=0o700)
    (home / "ledger.db").write_text("this is no database, and long enough to be taken for one" * 10)
    (home / "images").write_text("")
    desk.write("intercom.yaml", MANIFEST)
    desk.box.forget_requests()
    assert desk("apply", "intercom.yaml", "--auto-approve") == 1
    assert ".reconciler/images cannot be used: it is no folder" in desk.err
    assert desk.writes == []


def test_help_has_an_example(desk: Desk) -> None:
    assert desk("undo", "--help") == 0
    assert "reconciler undo last -o undo.json" in desk.out


@pytest.mark.parametrize("model", ["contact", "company"])
def test_times_in_an_undo_plan_are_no_unix_seconds(desk: Desk, model: str) -> None:
    section, by = {"contact": ("contacts", "external_id"), "company": ("companies", "company_id")}[model]
    desk.seed(
        attributes=[{"name": "renewal", "model": model, "data_type": "date"}],
        **{section: [{by: "77", "custom_attributes": {"renewal": 1394530158}}]},
    )
    apply_manifest(desk, {section: [{by: "77", "custom_attributes": {"renewal": "2020-02-02"}}]})
    for form in ("text", "json", "markdown", "html"):
        assert desk("undo", "last", "--format", form) == 0, desk.err
        assert "2014-03-11T09:29:18Z" in desk.out
        assert "1394530158" not in desk.out
        assert "1580601600" not in desk.out
    assert desk("undo", "last", "-o", "undo.json") == 0, desk.err
    assert desk("apply", "undo.json") == 0, desk.err
    (thing,) = (doc for doc in desk.box.ws.store.table(model).docs.values() if doc.get(by) == "77")
    assert thing["custom_attributes"]["renewal"] == 1394530158
