"""What answers at once imports little: this list may grow only on purpose."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FACE = {
    "reconciler", "reconciler.__main__", "reconciler.cli", "reconciler.cli.running", "reconciler.errors", "reconciler.report",
    "reconciler.report.terminal",
}  # fmt: skip
# What we depend on, by the names of their modules.
LIBRARIES = {"deepdiff", "jinja2", "keyring", "msgspec", "psycopg", "pydantic", "pyrage", "requests", "rich", "sqlalchemy", "yaml"}
VERB = {
    "reconciler.cli.completion",
    "reconciler.cli.help",
    "reconciler.cli.ledger_choice",
    "reconciler.cli.manifest",
    "reconciler.cli.options",
}
LEDGER = {"reconciler.ledger", "reconciler.ledger.folder"}


def imports(*arguments: str) -> tuple[set[str], set[str]]:
    """The modules of ours that a command imports, and which of our libraries."""
    command = [sys.executable, "-X", "importtime", "-m", "reconciler", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    roots = {name.partition(".")[0] for name in names}
    return {name for name in names if name.partition(".")[0] == "reconciler"}, roots & LIBRARIES


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_the_face_imports_click_alone(option: str) -> None:
    ours, libraries = imports(option)
    assert ours | {"reconciler.__main__"} == FACE
    assert libraries == set()


def test_validate_imports_nothing_of_plans_calls_and_ledgers(tmp_path: Path) -> None:
    (tmp_path / "tags.yaml").write_text("tags: [vip]\n", encoding="utf-8")
    ours, libraries = imports("validate", str(tmp_path))
    rooms = ("reconciler.core.model", "reconciler.kinds", "reconciler.manifest")
    rest = {name for name in ours if not name.startswith(rooms)} - FACE - VERB - LEDGER
    assert rest == {"reconciler.core", "reconciler.core.compare", "reconciler.core.compare.choices"}
    assert libraries == {"msgspec", "pydantic", "yaml"}


def test_a_plan_without_a_ledger_imports_no_database(tmp_path: Path) -> None:
    (tmp_path / "tags.yaml").write_text("tags: [vip]\n", encoding="utf-8")
    _, libraries = imports("plan", str(tmp_path), "--sandbox", "--ledger", "none")
    assert libraries == {"msgspec", "pydantic", "requests", "rich", "yaml"}
