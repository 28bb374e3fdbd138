"""The referee fails a whole run for one exchange that breaks the description, in whatever process it was, and else says what it saw."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT

pytestmark = pytest.mark.timeout(400)
CONFTEST = """
from pathlib import Path

from tests.referee.plugin import Referee

def pytest_configure(config):
    config.pluginmanager.register(Referee(Path(__file__).parent / "description.json"), "referee")
"""
CALLS = """
from reconciler.sandbox import Sandbox
from tests.desk.calling import Caller

def calls():
    with Sandbox() as box:
        call = Caller(box)
        call("GET", "/me")
        call("GET", "/admins")
        Caller(box, version="2.15")("GET", "/me")
        box.faults.add(path="/me", body=b"[]")
        call("GET", "/me")
"""
TESTS = """
import os, subprocess, sys
from calls import calls

def test_here():
    calls()

def test_in_another_process():
    subprocess.run([sys.executable, "-c", "from calls import calls; calls()"], check=True)

def test_with_another_environment():
    environ = {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", "from calls import calls; calls()"], env=environ, check=True)
"""


def described(required: str) -> str:
    """A description of GET /me that asks for one key."""
    reply = {"description": "ok", "content": {"application/json": {"schema": {"type": "object", "required": [required]}}}}
    version = {"name": "Intercom-Version", "in": "header", "schema": {"type": "string"}}
    document = {"openapi": "3.0.1", "info": {"title": "a", "version": "1"}, "servers": [{"url": "https://api.intercom.io"}]}
    return json.dumps(document | {"paths": {"/me": {"get": {"parameters": [version], "responses": {"200": reply}}}}})


def run(folder: Path, *options: str) -> tuple[int, str]:
    for name, text in {"conftest.py": CONFTEST, "calls.py": CALLS, "test_it.py": TESTS}.items():
        (folder / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(folder)]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=240, check=False)
    return done.returncode, done.stdout + done.stderr


def test_one_reply_that_breaks_it_fails_the_run_of_two_workers(tmp_path: Path) -> None:
    (tmp_path / "description.json").write_text(described("nonsense"))
    code, said = run(tmp_path, "-n", "2")
    assert (code, "FAILED tests/referee/plugin.py::all_that_was_sent_and_got_fits_the_description" in said) == (1, True), said
    assert "the reply 200: $: 'nonsense' is a required property" in said
    assert "GET /me in test_it.py::test_here" in said
    assert "GET /me in test_it.py::test_in_another_process" in said
    assert "GET /me in test_it.py::test_with_another_environment" in said


def test_a_run_that_fits_passes_and_counts_what_was_held_and_what_was_not(tmp_path: Path) -> None:
    (tmp_path / "description.json").write_text(described("app"))
    code, said = run(tmp_path)
    assert (code, "3 passed" in said) == (0, True), said
    assert "on 1 operations held against Intercom's description of 2.16: 0 requests of our client, 3 replies; 0 violations" in said
    assert "referee: not held against it, other versions: 2.15 (3)" in said
    assert "referee: not held against it, other paths: GET /admins (3)" in said


def test_without_the_description_the_run_passes_and_says_that_nothing_was_held(tmp_path: Path) -> None:
    code, said = run(tmp_path)
    assert (code, f"referee: Intercom's description of its API is not at {tmp_path / 'description.json'}" in said) == (0, True), said
