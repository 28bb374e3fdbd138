"""What is guessed for names that nobody declared: for the first few, since each guess looks at everything that is declared."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import Invalid
from reconciler.manifest.read import read_manifest
from reconciler.manifest.resources import GUESSES


def test_the_first_names_get_a_guess_and_all_are_told(tmp_path: Path) -> None:
    written = [f"promotion-{n:03}" for n in range(30)]
    contacts = "".join(f"- {{external_id: '{n}', tags: [{name.replace('promotion', 'promotoin')}]}}\n" for n, name in enumerate(written))
    path = tmp_path / "many.yaml"
    path.write_text(f"tags: [{', '.join(written)}]\ncontacts:\n{contacts}", encoding="utf-8")
    with pytest.raises(Invalid) as caught:
        read_manifest([str(path)])
    told = [problem.now for problem in caught.value.problems]
    assert len(told) == 30
    assert told[0] == "did you mean 'promotion-000'?"
    assert sum(now.startswith("did you mean") for now in told) == GUESSES
    assert told[-1] == "declare it under `tags:`"
