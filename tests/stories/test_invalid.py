"""What is invalid can be seen offline: each problem with its place, what is wrong and what to do, all problems of a run at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.errors import Invalid
from reconciler.manifest.read import read_manifest

WRONG = yaml.safe_load((Path(__file__).parent / "cases" / "invalid.yaml").read_text(encoding="utf-8"))
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
BYTES = (
    ("a tab", b"tags:\n\t- a\n", "2:1: a tab is used for indentation; use blanks"),
    ("an empty file", b"", " the file is empty; write at least one section"),
    ("UTF-16", "tags: [a]\n".encode("utf-16"), " the file is UTF-16; save it as UTF-8"),
    ("Latin-1", "tags: [é]\n".encode("latin-1"), "1:8: the byte 0xE9 is not UTF-8"),
    ("a block text that ends with its line", b"companies:\r\n- company_id: a\r\n  name: |\r\n    two\r\n", '3:3: name: "two␤" ends with a'),
    ("an alias bomb", BOMB.encode(), "4:40: with its aliases written out, the file has more than"),
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _problems(*paths: str) -> list[str]:
    with pytest.raises(Invalid) as refused:
        read_manifest(paths)
    assert refused.value.exit_code == 65
    return [str(problem) for problem in refused.value.problems]


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case["rule"])
def test_it_is_refused_with_its_place_and_what_to_do(case: dict[str, Any]) -> None:
    files = [name for name in ("a", "b") if name in case]
    for name in files:
        Path(f"{name}.yaml").write_text(case[name], encoding="utf-8")
    found = _problems(*(f"{name}.yaml" for name in files))
    assert len(found) == len(case["told"]), found
    for line, told in zip(found, case["told"], strict=True):
        place, _, words = (told if told.startswith("b.yaml:") else f"a.yaml:{told}").partition(" ")
        assert line.startswith(f"{place.rstrip(':')}: {words}"), line


@pytest.mark.parametrize(("rule", "data", "told"), BYTES, ids=[rule for rule, _, _ in BYTES])
def test_bytes_that_are_no_manifest_are_refused(rule: str, data: bytes, told: str) -> None:
    Path("a.yaml").write_bytes(data)
    assert _problems("a.yaml")[0].startswith(f"a.yaml:{told}")


def test_all_problems_of_all_files_are_told_at_once() -> None:
    Path("a.yaml").write_text("tags: [vip, vip]\ncontacts: [{external_id: '1', tags: [nope]}]\npolicy: {links: never}\n", encoding="utf-8")
    Path("b.yaml").write_text("companies: [{name: x}]\nsegments: []\n", encoding="utf-8")
    places = [line.partition(": ")[0] for line in _problems(".")]
    assert places == ["./a.yaml:1:13", "./a.yaml:2:38", "./a.yaml:3:10", "./b.yaml:1:13", "./b.yaml:2:1"]


@pytest.mark.parametrize("path", ["missing.yaml", "empty", "notes.txt", "dangling.yaml"])
def test_a_path_that_yields_nothing_is_named_also_among_others(path: str) -> None:
    Path("good.yaml").write_text("tags: [vip]\n", encoding="utf-8")
    Path("empty").mkdir()
    Path("notes.txt").write_text("tags: [vip]\n", encoding="utf-8")
    Path("dangling.yaml").symlink_to("nowhere.yaml")
    assert [line.partition(": ")[0] for line in _problems("good.yaml", path)] == [path]
