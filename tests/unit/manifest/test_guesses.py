"""What is guessed for names that nobody declared, and for keys that nobody knows: for the first of them, as each guess is dear."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import LINES, Invalid
from reconciler.manifest.read import read_manifest
from reconciler.manifest.resources import GUESSES


def test_the_first_names_get_a_guess_and_all_are_told(tmp_path: Path) -> None:
    written = [f"promotion-{n:03}" for n in range(30)]
    contacts = "".join(f"- {{external_id: '{n}', tags: [{name.replace('promotion', 'promotoin')}]}}\n" for n, name in enumerate(written))
    path = tmp_path / "many.yaml"
    path.write_text(f"tags: [{', '.join(written)}]\ncontacts:\n{contacts}", encoding="utf-8")
    with pytest.raises(Invalid) as caught:
        read_manifest([str(path)])
    guesses = [problem.now for problem in caught.value.problems]
    assert len(guesses) == 30
    assert guesses[0] == "did you mean 'promotion-000'?"
    assert sum(now.startswith("did you mean") for now in guesses) == GUESSES
    assert guesses[-1] == "declare it under `tags:`"


TYPOS = {
    "in the head": lambda n: "".join(f"contact{i}: 1\n" for i in range(n)),
    "in an entry": lambda n: "tags:\n- name: vip\n" + "".join(f"  member{i}: 1\n" for i in range(n)),
    "in entries": lambda n: "tags:\n" + "".join(f"- {{owner: x, member{i}: x}}\n" for i in range(n)),
    "in the policy": lambda n: "policy:\n  limits:\n" + "".join(f"    detach{i}: 1\n" for i in range(n)),
}


@pytest.mark.parametrize("where", TYPOS)
def test_no_more_keys_get_a_guess_than_are_shown(where: str, tmp_path: Path) -> None:
    path = tmp_path / "many.yaml"
    path.write_text(TYPOS[where](LINES + 50), encoding="utf-8")
    with pytest.raises(Invalid) as caught:
        read_manifest([str(path)])
    unknown = [str(problem) for problem in caught.value.problems if "unknown key" in str(problem)]
    assert len(unknown) == LINES + 50
    assert sum("did you mean" in problem for problem in unknown) == LINES
    assert "did you mean" in unknown[0]
