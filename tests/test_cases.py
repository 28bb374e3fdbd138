"""Every folder in tests/cases is a story: what is declared, what is live, and the plan that must come of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import MakeRoute
from tests.route import Route, changes, lines

CASES = Path(__file__).parent / "cases"


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}


@pytest.mark.parametrize("story", sorted(path.name for path in CASES.iterdir() if path.is_dir()))
def test_the_plan_is_as_told_and_a_second_one_is_empty(story: str, route: MakeRoute) -> None:
    """desired/ or desired.yaml, live.yaml (a seed), how.yaml (of the sandbox), plan.txt; after.txt: the plan after an apply, if any."""
    folder = CASES / story
    how = _read(folder / "how.yaml")
    told: Route = route(_read(folder / "live.yaml"), **how)
    desired = folder / "desired" if (folder / "desired").is_dir() else folder / "desired.yaml"
    found = told.document(desired)
    assert lines(found) == (folder / "plan.txt").read_text(encoding="utf-8").splitlines()
    assert not told.box.writes
    if found["refused"]:
        return
    told.converge(desired)
    after = folder / "after.txt"
    assert changes(told.document(desired)) == (after.read_text(encoding="utf-8").splitlines() if after.exists() else [])
