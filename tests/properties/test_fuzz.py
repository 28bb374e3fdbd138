"""One lie in an answer, of any type and at any place: it ends as a refusal, an error or a failure, and never as a wrong change."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.desk.soak import times
from tests.properties.fuzz import lied_to, prepare, runs


@pytest.mark.parametrize(("ledger", "seeds"), list(runs(times(100))))
def test_no_lie_leads_to_what_an_honest_answer_would_not_have_done(tmp_path: Path, ledger: bool, seeds: range) -> None:
    world = prepare(tmp_path, ledger=ledger)
    assert [wrong for seed in seeds if (wrong := lied_to(world, seed))] == []
