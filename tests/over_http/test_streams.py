"""Who cannot be asked, who has stopped reading, and what nobody may ever read."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from reconciler.sandbox import Sandbox
from tests.over_http import story
from tests.over_http.driving import PATIENCE, RECONCILER, Desk

CONTACTS = 12


def _shell(desk: Desk, script: str) -> subprocess.CompletedProcess[str]:
    """A line of shell in which "$@" is the command line."""
    how = {"cwd": desk.folder, "env": desk.environ, "capture_output": True, "text": True, "timeout": PATIENCE}
    return subprocess.run(["bash", "-o", "pipefail", "-c", script, "sh", *RECONCILER], check=False, **how)  # type: ignore[call-overload, no-any-return]  # one place for how


def test_a_file_is_nobody_to_ask_and_nothing_is_written(desk: Desk) -> None:
    desk.write("tags: [vip]\n")
    done = _shell(desk, '"$@" apply intercom.yaml < intercom.yaml')
    assert (done.returncode, done.stdout) == (64, "")
    assert "--auto-approve" in done.stderr
    assert desk.workspace.requests == []
    assert not (desk.folder / ".reconciler").exists()


def test_an_exit_code_does_not_depend_on_who_reads(desk: Desk) -> None:
    desk.write(f"tags: [{', '.join(f't{n}' for n in range(3000))}]\npolicy: {{limits: {{creates: 3000}}}}\n")
    done = _shell(desk, '"$@" plan intercom.yaml --detailed-exitcode | head -1')
    assert (done.returncode, done.stderr) == (2, "")


def test_an_apply_goes_on_when_nobody_reads_any_more(own_desk: Desk) -> None:
    own_desk.workspace.start_anew(story.seed(CONTACTS))
    own_desk.write(story.written(CONTACTS))
    done = _shell(own_desk, '"$@" apply intercom.yaml --auto-approve 2>&1 | true')
    assert done.returncode == 0
    assert story.live(own_desk.workspace) == story.declared(CONTACTS)


def test_the_token_is_nowhere(own_desk: Desk, box: Sandbox) -> None:
    """Every verb, in one process: `tests/cli/test_auth.py`."""
    token = box.token
    own_desk.workspace.start_anew(story.seed(CONTACTS))
    manifest = own_desk.write(story.written(CONTACTS))
    echo = {"message": f"no access for Authorization: Bearer {token}", "code": token}
    verbs = [
        ("plan", manifest, "-o", "plan.json", "--report", "html=plan.html", "--report", "markdown=plan.md", "--calls"),
        ("apply", "plan.json", "--events", "events.jsonl"),
    ]  # fmt: skip
    done = [own_desk.run(*verb) for verb in verbs]
    # A server, or what stands before it, may tell us what we sent.
    box.faults.add(status=401, times=None, **echo)
    done.append(own_desk.run("plan", manifest))
    box.faults.clear()
    own_desk.write("tags: [another]\n", "more.yaml")
    box.faults.add("POST", "^/tags$", status=422, times=None, **echo)
    done.append(own_desk.run("apply", "more.yaml", "--auto-approve", "--events", "more.jsonl"))
    assert done[-1].returncode == 5
    for one in done:
        assert token not in one.stdout + one.stderr, one.args
        assert "Traceback" not in one.stderr
    written = [path for path in own_desk.folder.rglob("*") if path.is_file()]
    assert {"plan.json", "plan.html", "events.jsonl", "more.jsonl", "ledger.db"} <= {path.name for path in written}
    assert not [path for path in written if token.encode() in path.read_bytes()]


def test_the_token_is_not_on_the_command_line(own_desk: Desk, box: Sandbox) -> None:
    own_desk.write("tags: [vip]\n")
    box.faults.add(delay=0.3, times=None)
    with own_desk.under_way("apply", "intercom.yaml", "--auto-approve") as process:
        while not box.requests:
            assert process.poll() is None
        folder = Path("/proc", str(process.pid))
        assert box.token.encode() not in (folder / "cmdline").read_bytes()
        children = (folder / "task" / str(process.pid) / "children").read_text().split()
        assert children == [], "nothing is started that could show it"
        assert process.wait(PATIENCE) == 0
    assert os.listdir(own_desk.folder)
