"""The examples of the page on Python do what the page says."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from reconciler import Connection, Databases, load
from reconciler.sandbox import Sandbox, load_seed, serve
from tests.stories.docs.pages import EXAMPLES, page

NOTEBOOK, AIRFLOW, MANY = (block.text for block in page("python").blocks("python"))


def test_the_notebook_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    exec(compile(NOTEBOOK, "docs/python.md", "exec"), {})
    (shown,) = (block.text for block in page("python").blocks("text"))
    assert capsys.readouterr() == (shown, "")


def tasks() -> dict[str, Callable[..., Any]]:
    """The tasks as Airflow calls them, which is not here: without what only it knows."""
    found: dict[str, Callable[..., Any]] = {}
    for function in ast.parse(AIRFLOW).body:
        if isinstance(function, ast.FunctionDef) and [ast.unparse(one) for one in function.decorator_list] == ["task"]:
            function.decorator_list = []
            exec(compile(ast.Module([function], []), "docs/python.md", "exec"), found)
    return found


def test_what_one_task_plans_the_next_one_applies(tmp_path: Path) -> None:
    with Sandbox() as box, serve(box) as server:
        box.seed(load_seed(EXAMPLES / "quickstart/live.yaml"))
        where = {"token": box.token, "folder": str(tmp_path / "ours"), "base_url": server.url, "who": "airflow"}
        manifest = str(EXAMPLES / "quickstart/intercom")
        saved = json.loads(json.dumps(tasks()["plan_intercom"](manifest, where)))
        assert tasks()["apply_intercom"](saved, manifest, where) == {"applied": 14}
        assert tasks()["apply_intercom"](saved, manifest, where) == {}


def test_many_workspaces_are_brought_to_one_manifest(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    exec(compile(MANY, "docs/python.md", "exec"), names)
    (tmp_path / "m.yaml").write_text("tags: [vip]\n", encoding="utf-8")
    with ExitStack() as stack:
        boxes = [stack.enter_context(Sandbox(app_id=f"app{number}")) for number in range(2)]
        urls = [stack.enter_context(serve(box)).url for box in boxes]

        def connections(databases: Databases) -> list[Connection]:
            return [Connection("sandbox", tmp_path / str(n), base_url=url, databases=databases) for n, url in enumerate(urls)]

        applied = names["converge_all"](connections, load(tmp_path / "m.yaml"))
        assert [one.counts for one in applied] == [{"applied": 1}] * 2


def test_every_field_of_a_connection_and_every_name_stands_on_the_page() -> None:
    import reconciler

    text = page("python").text
    assert [name for name in (*reconciler.Connection.__dataclass_fields__, *reconciler.__all__) if f"`{name}" not in text] == []
