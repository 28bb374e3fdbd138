"""A test that waits for ever fails in a stated time, and what it started is gone."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

from tests import ROOT
from tests.desk.driving import until

WAITS = """
import os, subprocess
from pathlib import Path
from tests.desk.forkserver import Process, server

server()

def test_waits(tmp_path):
    serve = ("sandbox", "serve", "--port", "0", "--data", str(tmp_path / "s.db"))
    served = Process(serve, tmp_path, os.environ)
    with subprocess.Popen(["sh", "-c", "sleep 600 & wait"]) as shell:
        children = Path(f"/proc/{shell.pid}/task/{shell.pid}/children")
        while not (below := children.read_text().split()):
            pass
        print("PIDS", served.pid, shell.pid, *below)
        served.stdout.read()

def test_after_it():
    pass
"""


def test_a_test_that_waits_for_ever_ends_with_all_that_it_started(tmp_path: Path) -> None:
    (tmp_path / "test_waits.py").write_text(WAITS)
    plain = ["-c", "/dev/null", f"--rootdir={tmp_path}", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    command = [sys.executable, "-m", "pytest", "-q", *plain, "-p", "tests.desk.ends", "--timeout", "3", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    (pids,) = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("PIDS")]
    assert len(pids) == 3
    until(lambda: all(over(Path(f"/proc/{pid}/stat")) for pid in pids))


def over(stat: Path) -> bool:
    """Whether a process has ended; who inherited it may not have asked how."""
    try:
        return stat.read_text().rpartition(") ")[2].startswith("Z")
    except (FileNotFoundError, ProcessLookupError):
        return True


WAITS_ON = ("communicate", "join", "wait")
STARTS = ("run", "call", "check_call", "check_output")


def endless(source: str) -> list[int]:
    """The lines on which something is waited for without a limit."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    open_ended = [call for call in calls if not {"timeout", None} & {keyword.arg for keyword in call.keywords}]
    waits = [c.lineno for c in open_ended if isinstance(c.func, ast.Attribute) and c.func.attr in WAITS_ON and not c.args]
    starts = [c.lineno for c in open_ended if isinstance(c.func, ast.Attribute) and c.func.attr in STARTS]
    lines = source.splitlines()
    return [*waits, *(n for n in starts if "subprocess." in lines[n - 1])]


def test_every_wait_of_a_test_has_an_end() -> None:
    here = ROOT / "tests"
    sources = {path: path.read_text() for path in here.rglob("*.py") if "bench" not in path.parts and path != Path(__file__)}
    places = {
        f"{path.relative_to(here)}:{line}"
        for path, source in sources.items()
        if re.search(r"subprocess\.|\.(communicate|join|wait)\(\)", source)
        for line in endless(source)
    }
    assert places == set()
