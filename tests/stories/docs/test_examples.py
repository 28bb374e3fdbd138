"""The examples: they are planned, they converge, and the demos show the main job."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from reconciler.manifest.read import read_manifest
from tests import ROOT
from tests.conftest import MakeRoute
from tests.desk.forkserver import programs
from tests.desk.postgres import Cluster
from tests.desk.soak import only_in_soak
from tests.stories.docs.pages import EXAMPLES, surroundings


@pytest.mark.parametrize("name", ["quickstart/intercom", "agency", "environments/intercom"])
def test_an_example_is_planned_on_an_empty_workspace_and_converges(name: str, make_route: MakeRoute) -> None:
    route = make_route()
    plan = route.document(EXAMPLES / name)
    assert plan["changes"]
    assert plan["refused"] == []
    assert {outcome.status for outcome in route.converge(EXAMPLES / name)} == {"applied"}
    assert route.document(EXAMPLES / name)["changes"] == []


def test_an_example_has_people_and_what_they_are_linked_to() -> None:
    manifest = read_manifest([str(EXAMPLES / "agency")])
    assert manifest.sections >= {"attributes", "tags", "companies", "contacts"}


def test_the_demo_runs_and_leaves_nothing_behind(tmp_path: Path) -> None:
    before = sorted(EXAMPLES.rglob("*"))
    around = surroundings(tmp_path, TMPDIR=str(tmp_path))
    done = subprocess.run(["bash", EXAMPLES / "quickstart/demo.sh"], cwd=ROOT, env=around, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No changes. The workspace is as declared." in done.stdout
    assert sorted(EXAMPLES.rglob("*")) == before
    assert list(tmp_path.iterdir()) == []


def show_fleet(folder: Path, *how: str) -> list[str]:
    """What the demo of a fleet prints; it leaves nothing behind."""
    around = surroundings(folder, TMPDIR=str(folder))
    around = {**around, "PATH": f"{programs()}:{around['PATH']}"}
    before = sorted(EXAMPLES.rglob("*"))
    done = subprocess.run(["bash", EXAMPLES / "fleet/demo.sh", *how], cwd=ROOT, env=around, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (sorted(EXAMPLES.rglob("*")), list(folder.iterdir())) == (before, [])
    return done.stdout.splitlines()


def test_the_demo_of_a_fleet_stops_at_its_canary_and_goes_on(tmp_path: Path) -> None:
    lines = show_fleet(tmp_path, "3", "local")
    ends = [line.partition(": ")[2] for line in lines if line.startswith("apply 20")]
    assert ends[0] == ends[2] == "done; 3 done"
    # The other one of the canary had begun before the first one failed, or is held.
    counts = ("1 held, 1 done, 1 failed", "2 held, 1 failed")
    assert ends[1] in {f"stopped (wave canary: 1 of 2 failed, and its budget is 0); {count}" for count in counts}


@only_in_soak
@pytest.mark.timeout(500)
def test_the_whole_demo_of_a_fleet_has_workers_and_a_database(tmp_path: Path, postgres: Cluster) -> None:
    # The server of the tests is not used: it says whether there can be one.
    lines = show_fleet(tmp_path)
    assert sum(line.startswith("apply 20") and line.endswith(": done; 30 done") for line in lines) == 2


def test_the_demo_fails_when_a_command_ends_otherwise(tmp_path: Path) -> None:
    broken = tmp_path / "bin" / "reconciler"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    broken.chmod(0o755)
    around = {**surroundings(tmp_path), "PATH": f"{broken.parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", EXAMPLES / "quickstart/demo.sh"], env=around, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (1, "demo: this ended with 1, 0 was expected\n")
