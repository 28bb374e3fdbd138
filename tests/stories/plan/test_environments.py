"""`--env NAME` as somebody types it: what is planned, saved, applied and remembered for each of several workspaces."""

from __future__ import annotations

import pytest

from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.server import serve
from tests.desk.desk import Desk


@pytest.fixture
def shop(desk: Desk) -> Desk:
    """A base for the workspace of the desk, and an overlay for another one."""
    desk.write("m/tags.yaml", "name: shop\nworkspace: {app_id: sandbox1}\ntags: [vip, '${RECONCILER_VAR_TAG:-trial}']\n")
    desk.write("m/tags.prod.yaml", "workspace: {app_id: prod1}\ntags: [{name: trial, omit: true}, gold]\n")
    return desk


def plan_addresses(desk: Desk, *arguments: str) -> list[str]:
    assert desk("plan", *arguments, "-o", "plan.json") == 0, desk.err
    return sorted(change["address"] for change in desk.saved()["changes"])


def test_without_an_environment_the_overlays_are_left_alone_and_told_of(shop: Desk) -> None:
    assert plan_addresses(shop, "m") == ["tag/trial", "tag/vip"]
    assert "note: without --env this is the base alone; there are overlays or `envs:` of prod" in shop.err
    assert "env" not in shop.saved()["manifest"]
    assert shop("plan", "m", "--env", "prod", "-o", "plan.json", "--detailed-exitcode") == 3
    assert shop.gates() == ["workspace"], "the overlay names another workspace"
    assert shop("show", "plan.json") == 0
    assert "declared in m, --env prod" in shop.out
    assert shop("validate", "m", "--env", "prdo") == 64
    assert "known are prod" in shop.err
    assert shop("validate", "m", "--env", "") == 64


def test_each_workspace_has_its_own_part_of_the_ledger_under_one_name(shop: Desk) -> None:
    assert shop("apply", "m", "--auto-approve") == 0, shop.err
    with Sandbox() as other, serve(other) as there:
        other.seed({"app": {"id_code": "prod1"}})
        shop.patch.setenv("INTERCOM_BASE_URL", there.url)
        assert shop("apply", "m", "--env", "prod", "--auto-approve") == 0, shop.err
        assert plan_addresses(shop, "m", "--env", "prod") == []
        assert shop("drift", "m", "--env", "prod") == 0
    with shop.ledger() as ledger:
        assert set(ledger.workspaces()) == {"sandbox1", "prod1"}
        assert [len(ledger.read_recorded(app, "shop").records) for app in ("sandbox1", "prod1")] == [2, 2]
    shop.patch.setenv("INTERCOM_BASE_URL", shop.url)
    assert plan_addresses(shop, "m") == []


def test_a_run_that_forgets_the_environment_takes_nothing_from_what_its_overlay_linked(desk: Desk) -> None:
    desk.seed(tags=["vip"], contacts=[{"external_id": "1"}])
    desk.write("m/m.yaml", "name: shop\ntags: [vip, gold]\ncontacts: [{external_id: '1', tags: [vip]}]\n")
    desk.write("m/m.prod.yaml", "contacts: [{external_id: '1', tags: [vip, gold]}]\n")
    assert desk("apply", "m", "--env", "prod", "--auto-approve") == 0, desk.err
    for path in ("m", "m/m.yaml"):
        assert plan_addresses(desk, path) == []
        assert "tag/gold is ours, and m/m.prod.yaml, which declares it too, was not given: it stays" in desk.out
        assert desk("apply", path, "--auto-approve") == 0, desk.err
    desk.write("m/m.prod.yaml", "contacts: [{external_id: '1', tags: [vip]}]\n")
    assert plan_addresses(desk, "m", "--env", "prod") == ["contact/1"]
    assert desk.saved()["changes"][0]["action"] == "detach"


@pytest.fixture
def prod(shop: Desk) -> Desk:
    """A plan for prod, whose overlay names the workspace of the desk, is saved."""
    shop.write("m/tags.prod.yaml", "tags: [{name: trial, omit: true}, gold]\n")
    assert plan_addresses(shop, "m", "--env", "prod") == ["tag/gold", "tag/vip"]
    assert shop.saved()["manifest"]["env"] == "prod"
    return shop


def test_a_saved_plan_is_applied_to_the_environment_that_it_was_made_for(prod: Desk) -> None:
    assert prod("apply", "plan.json", "--env", "test") == 64
    assert "--env test: the plan was made with --env prod; leave it out, or plan again" in prod.err
    assert prod("apply", "plan.json") == 0, prod.err
    assert "note: the plan was made with --env prod, and its manifest is read so again" in prod.err
    assert len(prod.written()) == 2


def test_a_plan_of_the_base_is_not_applied_to_an_environment(shop: Desk) -> None:
    plan_addresses(shop, "m")
    assert shop("apply", "plan.json", "--env", "prod") == 64
    assert "made without --env" in shop.err


def test_another_value_of_a_variable_makes_a_plan_stale(shop: Desk) -> None:
    plan_addresses(shop, "m")
    shop.patch.setenv("RECONCILER_VAR_TAG", "other")
    assert shop("apply", "plan.json") == 4
    assert "or a variable in it has another value" in shop.err
    assert shop.writes == []


def test_a_plan_with_its_manifest_inside_has_the_overlay_too(prod: Desk) -> None:
    plan_addresses(prod, "m", "--env", "prod", "--embed-values")
    for name in ("tags.yaml", "tags.prod.yaml"):
        (prod.folder / "m" / name).unlink()
    assert prod("apply", "plan.json") == 0, prod.err
    assert len(prod.written()) == 2


def test_what_an_overlay_changes_is_explained_by_the_overlay_of_the_base(shop: Desk) -> None:
    shop.write("m/tags.prod.yaml", "tags: [gold]\n")
    shop.commit()
    shop.git("switch", "--quiet", "--create", "change")
    shop.write("m/tags.prod.yaml", "tags: [gold, silver]\n")
    shop.write("m/tags.new.yaml", "tags: [gold]\n")
    by_env = {}
    for env in ("prod", "new"):
        assert shop("plan", "m", "--env", env, "--base", "main", "--report", "json=plan.json") == 0, shop.err
        by_env[env] = {change["address"]: change["origin"] for change in shop.saved()["changes"]}
    base = {"tag/trial": "earlier", "tag/vip": "earlier"}
    assert by_env["prod"] == {**base, "tag/gold": "earlier", "tag/silver": "explained"}
    assert by_env["new"] == {**base, "tag/gold": "explained"}, "main has no such environment"


def test_adopt_takes_what_the_environment_declares(prod: Desk) -> None:
    prod.seed(tags=["vip", "gold", "trial"])
    assert prod("adopt", "--all", "m", "--env", "prod", "--auto-approve") == 0, prod.err
    assert "adopted: 2" in prod.err
    assert prod("adopt", "tag/vip", "--env", "prod") == 64


def test_verbs_without_a_path_mean_the_pin_of_the_base(shop: Desk) -> None:
    shop.patch.chdir(shop.folder / "m")
    assert shop("get", "tags") == 0, shop.err
    shop.write("m/tags.yaml", "workspace: {app_id: '${RECONCILER_VAR_APP}'}\n")
    assert shop("get", "tags") == 64
    shop.patch.setenv("RECONCILER_VAR_APP", "sandbox1")
    assert shop("get", "tags") == 0, shop.err


def test_what_is_live_with_the_sign_of_a_variable_is_exported_as_a_text(desk: Desk) -> None:
    desk.seed(tags=["a${RECONCILER_VAR_X}", "$${b}", "vip"], contacts=[{"external_id": "${1}", "tags": ["$${b}"]}])
    assert desk("export", "-o", "x.yaml", "--only", "tags,contacts", "--with-links") == 0, desk.err
    assert "'a$${RECONCILER_VAR_X}'" in (desk.folder / "x.yaml").read_text(encoding="utf-8")
    assert plan_addresses(desk, "x.yaml") == []


def test_an_edit_reaches_the_overlays_and_knows_the_variables(shop: Desk) -> None:
    shop.write("m/tags.yaml", "tags: [vip, trial, '${RECONCILER_VAR_TAG}']\n")
    shop.patch.setenv("RECONCILER_VAR_TAG", "x")
    assert shop("tag", "rename", "trial", "test", "--in", "m") == 0, shop.err
    assert shop("validate", "m", "--env", "prod") == 0, shop.err
    shop.write("m/tags.zz.yaml", "tags: [silver]\n")
    assert shop("tag", "add", "new", "--in", "m") == 0, shop.err
    assert "new" in (shop.folder / "m/tags.yaml").read_text(encoding="utf-8"), "an overlay is no place for what all have"
    assert shop("tag", "retire", "test", "--in", "m") == 0, shop.err
    assert shop("validate", "m", "--env", "prod") == 0, shop.err
    assert shop("tag", "report", "--in", "m", "--env", "prod") == 3, "of the workspace that the overlay names"


def test_doctor_looks_at_the_pin_of_the_environment(shop: Desk) -> None:
    shop("doctor", "m", "--env", "prod", "--format", "json")
    (pin,) = [line for line in shop.out.splitlines() if "prod1" in line][:1]
    assert "sandbox1" in pin
    assert shop("doctor", "--env", "prod") == 64
