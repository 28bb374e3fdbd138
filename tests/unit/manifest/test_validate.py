"""validate, as typed: one mistake hides no other, in its file or in another."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.cli import cli
from reconciler.cli.running import run


def list_problems(capsys: pytest.CaptureFixture[str], tmp_path: Path, **files: str) -> list[str]:
    """What `validate` says of these files, a line each."""
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    assert run(cli, ["validate", *(str(tmp_path / f"{name}.yaml") for name in files)]) == 65
    return capsys.readouterr().err.replace(f"{tmp_path}/", "").removeprefix("error: ").splitlines()


def test_a_file_that_is_no_yaml_does_not_hide_what_is_wrong_in_the_others(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    links = "contacts: [{external_id: '1', tags: [declared-in-a], nmae: x}]\n"
    lines = list_problems(capsys, tmp_path, a="tags: [declared-in-a, [\n", b=links, c="companies: [{company_id: '6', size: many}]\n")
    assert [line.partition(":")[0] for line in lines] == ["a.yaml", "b.yaml", "c.yaml"]
    assert "unknown key 'nmae'" in lines[1]


def test_a_key_that_stands_twice_does_not_hide_what_else_is_wrong_in_its_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lines = list_problems(capsys, tmp_path, a="tags: [vip]\ntags: [trial]\ncontacts:\n- {external_id: '1', nmae: x, tags: [trial]}\n")
    assert [line.split(" ", 1)[0] for line in lines] == ["a.yaml:2:1:", "a.yaml:4:22:"]


def test_an_entry_that_is_wrong_is_declared_all_the_same(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lines = list_problems(capsys, tmp_path, a="tags: [{name: VIP, protect: 1}]\ncompanies: [{company_id: '6', tags: [vip, nope]}]\n")
    assert [line.split(" ", 1)[0] for line in lines] == ["a.yaml:1:20:", "a.yaml:2:43:"]
