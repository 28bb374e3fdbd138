"""What is invalid can be seen offline: each problem with its place, what is wrong and what to do, all problems of a run at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.errors import Invalid
from reconciler.manifest.read import read_manifest
from tests.conftest import MakeRoute
from tests.desk.desk import Desk

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
    lines = _problems(*(f"{name}.yaml" for name in files))
    assert len(lines) == len(case["told"]), lines
    for line, expected in zip(lines, case["told"], strict=True):
        place, _, words = (expected if expected.startswith("b.yaml:") else f"a.yaml:{expected}").partition(" ")
        assert line.startswith(f"{place.rstrip(':')}: {words}"), line


@pytest.mark.parametrize(("rule", "data", "message"), BYTES, ids=[rule for rule, _, _ in BYTES])
def test_bytes_that_are_no_manifest_are_refused(rule: str, data: bytes, message: str) -> None:
    Path("a.yaml").write_bytes(data)
    assert _problems("a.yaml")[0].startswith(f"a.yaml:{message}")


def test_a_plan_with_former_names_is_the_one_with_the_new_names(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["Beta"], "contacts": [{"external_id": str(n)} for n in range(5)]})
    text = "policy: {former_names: accept}\ntags: [{name: b, renamed_from: Beta}]\ncontacts:\n"
    plans = []
    for name in ("beta", "b"):
        plan = route.document(route.manifest(text + "".join(f"- {{external_id: '{n}', tags: [{name}]}}\n" for n in range(5))))
        del plan["manifest"]
        plans.append(plan)
    assert plans[0] == plans[1]
    assert [change["action"] for change in plans[0]["changes"]] == ["rename", *["attach"] * 5]


def test_every_place_is_listed_where_that_is_asked_for(desk: Desk) -> None:
    desk.write("m.yaml", "tags: []\ncontacts:\n" + "".join(f"- {{external_id: '{n}', tags: [x]}}\n" for n in range(5)))
    assert desk("validate", "m.yaml") == 65
    assert desk.err == (
        "error: m.yaml:3:29: tag 'x' is not declared (in 5 places, also at m.yaml:4:29, m.yaml:5:29); declare it under `tags:`\n"
        "5 problems in all; `reconciler validate --full PATH` lists each\n"
    )
    assert desk("validate", "--full", "m.yaml") == 65
    assert desk.err == "error: " + "".join(f"m.yaml:{n}:29: tag 'x' is not declared; declare it under `tags:`\n" for n in range(3, 8))


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
