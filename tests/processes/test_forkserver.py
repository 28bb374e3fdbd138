"""What is forked is a process as one that was started: it ends, is killed and is given up as one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tests.desk import forkserver
from tests.desk.driving import until
from tests.desk.ends import children
from tests.desk.forkserver import Process, programs, server

SERVE = ("sandbox", "serve", "--port", "0", "--data", "s.db")


def process(folder: Path, *arguments: str) -> Process:
    return Process(arguments, folder, os.environ)


def test_it_says_what_it_says_and_ends_with_its_code(tmp_path: Path) -> None:
    one, other = process(tmp_path, "--version"), process(tmp_path, "plan", "nowhere.yaml", "--sandbox")
    out, err = other.communicate(60)
    assert (other.returncode, out, "nowhere.yaml: there is no such file" in err) == (65, "", True)
    out, err = one.communicate(60)
    assert (one.returncode, out.split()[0], err) == (0, "reconciler,", "")


def test_a_kill_is_its_end(tmp_path: Path) -> None:
    one = process(tmp_path, *SERVE)
    assert one.stdout.readline().startswith("http://127.0.0.1:")
    one.kill()
    assert one.wait(60) == -signal.SIGKILL
    assert not Path(f"/proc/{one.pid}").exists()
    assert one.communicate(60) == ("", "")


def test_who_is_not_done_in_time_is_killed(tmp_path: Path) -> None:
    one = process(tmp_path, *SERVE)
    with pytest.raises(TimeoutError, match="sandbox serve .* did not end in 0.5 s"):
        one.communicate(0.5)
    assert one.returncode == -signal.SIGKILL


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, 137)])
def test_a_shell_sees_how_its_own_ended(tmp_path: Path, signum: int, code: int) -> None:
    script = f"{programs()}/reconciler {' '.join(SERVE)} > url & wait $!; exit $?"
    shell = subprocess.Popen(["bash", "-c", script], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    until(lambda: (tmp_path / "url").exists() and (tmp_path / "url").read_text())
    (pid,) = [pid for pid in children(forkserver.pid()) if Path(f"/proc/{pid}/cwd").readlink() == tmp_path]
    os.kill(pid, signum)
    _, err = shell.communicate(timeout=60)
    assert (shell.returncode, "Traceback" in err) == (code, False)


def test_a_caller_that_is_gone_disturbs_nobody(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(server()))
    one = process(tmp_path, "--version")
    one.communicate(60)
    assert one.returncode == 0


@pytest.mark.parametrize("end", ["sys.exit(0)", "os.kill(os.getpid(), 9)"])
def test_nothing_outlives_who_started_it(tmp_path: Path, end: str) -> None:
    script = f"""if True:
        import os, sys
        from pathlib import Path
        from tests.desk.forkserver import Process
        one = Process({SERVE}, Path({str(tmp_path)!r}), os.environ)
        one.stdout.readline()
        print(one.pid, flush=True)
        {end}
    """
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    forked = Path(f"/proc/{int(done.stdout)}")
    until(lambda: not forked.exists())
    assert not forked.exists()
