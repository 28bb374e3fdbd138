"""Every folder in cases/ is a story: what is declared, what is live, and the plan that must come of it."""

from __future__ import annotations

import os
from pathlib import Path
from shutil import copy, copytree
from typing import Any

import pytest
import yaml

from reconciler.report import text
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes, lines, remember

CASES = Path(__file__).parent / "cases"


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}


def _as_told(path: Path, now: str) -> str:
    """What a file of a story says. With REWRITE_CASES in the environment it says from now on what is true now: read what changed."""
    if "REWRITE_CASES" in os.environ:
        path.write_text(now, encoding="utf-8")
    return path.read_text(encoding="utf-8")


def _placed(folder: Path, there: Path) -> list[Path]:
    """The manifest, copied to where the route works."""
    if (folder / "desired").is_dir():
        return [Path(copytree(folder / "desired", there / "desired"))]
    return [Path(copy(folder / "desired.yaml", there / "desired.yaml"))]


@pytest.mark.parametrize("story", sorted(path.name for path in CASES.iterdir() if path.is_dir()))
def test_the_plan_is_as_told_and_a_second_one_is_empty(story: str, make_route: MakeRoute) -> None:
    """desired/ or desired.yaml, live.yaml (a seed), ledger.yaml (see `remember`), how.yaml (of the sandbox), plan.txt; text.txt: the plan
    as people read it; after.txt: the plan after an apply, if any."""
    folder = CASES / story
    how, ledger = _read(folder / "how.yaml"), folder / "ledger.yaml"
    route: Route = make_route(_read(folder / "live.yaml"), ledger=ledger.exists(), **how)
    desired = _placed(folder, route.folder)
    if ledger.exists():
        remember(route, _read(ledger))
    plan = route.document(*desired)
    now = "".join(f"{line}\n" for line in lines(plan))
    assert now == _as_told(folder / "plan.txt", now)
    if (folder / "text.txt").exists():
        plan["manifest"]["paths"] = []
        now = text.render(plan).replace(f"{route.folder}/", "")
        assert now == _as_told(folder / "text.txt", now)
    assert not route.box.writes
    if plan["refused"]:
        return
    route.converge(*desired)
    after = folder / "after.txt"
    assert changes(route.document(*desired)) == (after.read_text(encoding="utf-8").splitlines() if after.exists() else [])
