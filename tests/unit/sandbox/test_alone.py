"""The sandbox shares nothing with the client that it tests."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import reconciler.sandbox

FILES = sorted(Path(reconciler.sandbox.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_imports_the_standard_library_yaml_and_itself(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            assert name.startswith("reconciler.sandbox") or name.split(".")[0] in {*sys.stdlib_module_names, "yaml"}, name
