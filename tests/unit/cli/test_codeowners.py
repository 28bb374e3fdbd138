"""`codeowners`: the file is written from `owner:`, remembers which team an owner is, and says who may decide about a plan."""

from __future__ import annotations

import pytest

from tests.desk.desk import Desk

MANIFEST = "tags:\n  - {name: vip, owner: growth}\n  - {name: trial, owner: '@zoe'}\n  - plain\n"


@pytest.fixture
def manifest(desk: Desk) -> Desk:
    desk.commit(**{"intercom/all": MANIFEST, "intercom/more": "tags: [{name: old, state: absent, owner: growth}]\n"})
    return desk


def text(desk: Desk) -> str:
    return (desk.folder / "CODEOWNERS").read_text(encoding="utf-8")


def test_an_owner_is_a_team_that_is_said_once(manifest: Desk) -> None:
    assert manifest("codeowners", "write", "intercom") == 65
    assert "intercom/all.yaml:2:5: nobody says which team `owner: growth` is; say it once with --team" in manifest.err
    assert manifest("codeowners", "write", "intercom", "--team", "growth=acme/growth") == 64
    assert manifest("codeowners", "write", "intercom", "--team", "growth=@acme/growth", "--check") == 2
    assert "CODEOWNERS" not in manifest.files()
    assert manifest("codeowners", "write", "intercom", "--team", "growth=@acme/growth") == 0, manifest.err
    assert "\n/intercom/all.yaml @zoe @acme/growth\n/intercom/more.yaml @acme/growth\n" in text(manifest)
    assert manifest("codeowners", "write", "intercom", "--check") == 0, manifest.err
    manifest.write("intercom/more.yaml", "tags: []\n")
    assert manifest("codeowners", "write", "intercom", "--check") == 2
    assert manifest("codeowners", "write", "intercom") == 0
    assert "more.yaml" not in text(manifest)


def test_who_owns_every_file_that_a_plan_comes_from_is_listed(manifest: Desk) -> None:
    assert manifest("plan", "intercom", "-o", "plan.json") == 0, manifest.err
    assert (manifest("codeowners", "of", "plan.json"), manifest.out) == (0, "")
    manifest.write("CODEOWNERS", "* @zoe @mal\n/intercom/all.yaml @inara @zoe\n")
    assert (manifest("codeowners", "of", "plan.json"), manifest.out) == (0, "@inara\n@zoe\n")
    manifest.seed(tags=["old"])
    assert manifest("plan", "intercom", "-o", "plan.json") == 0, manifest.err
    assert (manifest("codeowners", "of", "plan.json"), manifest.out) == (0, "@zoe\n")
