"""Exit codes and streams as a real process has them: what it ends with, who reads, and signals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.desk.driving import TOKEN, Ended, Shell, ended, until

PIN = "workspace: {app_id: sandbox1, region: us}\n"


def test_each_code_is_that_of_the_process(shell: Shell) -> None:
    """The table of all situations is `tests/stories/output/test_exit_codes.py`, in one process."""
    box = shell.box
    box.call("POST", "/_sandbox/seed", {"companies": [{"company_id": "6", "name": "Old"}]})
    manifest = PIN + "tags: [one, two]\ncompanies: [{company_id: '6', name: New}]\n"
    shell.write("a.yaml", manifest)
    shell.write("low.yaml", manifest + "policy: {limits: {creates: 1}}\n")
    shell.write("bad.yaml", "tags:\n")
    assert ends(shell, 64, "plan", "a.yaml", "--nosuch").out == ""
    assert ends(shell, 65, "validate", "bad.yaml").out == ""
    untold = Shell(shell.folder, box, {"INTERCOM_ACCESS_TOKEN": "tok-wrong-wrong"})
    assert "tok-wrong" not in ends(untold, 1, "plan", "a.yaml").err
    assert "limits.creates" in ends(shell, 3, "apply", "low.yaml", "--auto-approve").err
    ends(shell, 2, "plan", "a.yaml", "--detailed-exitcode", "-o", "plan.json")
    box.call("POST", "/_sandbox/seed", {"companies": [{"company_id": "6", "name": "Else"}]})
    assert ends(shell, 4, "apply", "plan.json").out.startswith("~ update company/6\n")
    assert box.writes() == []
    ends(shell, 0, "plan", "a.yaml", "-o", "plan.json")
    box.fault(method="POST", path="^/tags$", status=422, code="parameter_invalid", message="not today", times=1)
    assert "not today" in ends(shell, 5, "apply", "plan.json").out
    ends(shell, 0, "apply", "plan.json")
    ends(shell, 0, "plan", "a.yaml", "--detailed-exitcode")


def ends(shell: Shell, code: int, *arguments: str) -> Ended:
    """A verb that ends with this exit code, and with one sentence where it is an error."""
    done = shell.run(*arguments)
    assert done.code == code, done.out + done.err
    if code in (1, 64, 65):
        assert len(done.err.splitlines()) == 1, done.err
    return done


def test_another_thing_that_has_the_name_now_is_left_alone(shell: Shell) -> None:
    shell.box.call("POST", "/_sandbox/seed", {"tags": ["promo"]})
    shell.write("a.yaml", PIN + "tags: [{name: promo, state: absent}]\n")
    ends(shell, 0, "plan", "a.yaml", "-o", "plan.json")
    first = shell.box.call("GET", "/tags")["data"][0]["id"]
    shell.box.call("DELETE", f"/tags/{first}")
    shell.box.call("POST", "/tags", {"name": "promo"})
    shell.box.forget()
    ends(shell, 4, "apply", "plan.json")
    assert shell.box.writes() == []


def test_streams_hold_what_they_should(shell: Shell) -> None:
    shell.real = True
    shell.write("a.yaml", PIN + "tags: [vip]\n")
    planned = shell.run("plan", "a.yaml", "--format", "json")
    assert json.loads(planned.out)["summary"]["create"] == 1
    assert planned.err == "ledger: none yet; the first apply makes .reconciler/ledger.db\n"
    saved = shell.run("plan", "a.yaml", "-o", "plan.json")
    assert (shell.folder / "plan.json").stat().st_mode & 0o777 == 0o600
    assert shell.run("show", "plan.json").out.splitlines()[-1] == saved.out.splitlines()[-1]
    assert TOKEN not in (shell.folder / "plan.json").read_text(encoding="utf-8")
    assert not (shell.folder / ".reconciler").exists()
    me = json.loads(shell.run("api", "GET", "/me").out)
    assert me["app"]["id_code"] == "sandbox1"
    applied = shell.run("apply", "plan.json")
    assert "Apply: 1 applied" in applied.out
    assert applied.err.startswith("no ledger here yet: ")


READERS = {
    "get contacts | head -1 | wc -l": (0, "1"),
    "plan a.yaml --format json | head -1 | wc -l": (0, "1"),
    "plan a.yaml --detailed-exitcode | head -1 | wc -l": (2, "1"),
    "apply a.yaml --auto-approve | head -1 | wc -l": (0, "1"),
    "apply a.yaml --auto-approve 2>&1 | true": (0, ""),
}


@pytest.mark.parametrize("line", READERS)
def test_a_reader_that_leaves_changes_no_exit_code(shell: Shell, line: str) -> None:
    shell.box.call("POST", "/_sandbox/seed", {"contacts": [{"external_id": str(n), "name": "x" * 500} for n in range(300)]})
    # More than a pipe holds, where it costs little.
    number = 3000 if line.startswith("plan") else 89
    shell.write("a.yaml", f"{PIN}tags: [{', '.join(f't{n:04}' for n in range(number))}]\npolicy: {{limits: {{creates: 3000}}}}\n")
    done = shell.sh(f"reconciler {line}")
    assert (done.code, done.out.strip()) == READERS[line]
    assert "rror" not in done.err
    if line.startswith("apply"):
        assert len(shell.box.writes()) == 89, "showing it never ends an apply"


def test_a_file_is_nobody_to_ask_and_nothing_is_written(shell: Shell) -> None:
    shell.write("a.yaml", PIN + "tags: [vip]\n")
    done = shell.sh("reconciler apply a.yaml < a.yaml")
    assert (done.code, done.out) == (64, "")
    assert "--auto-approve" in done.err
    assert shell.box.call("GET", "/_sandbox/requests")["requests"] == []
    assert not (shell.folder / ".reconciler").exists()


def test_the_token_is_in_no_file(shell: Shell) -> None:
    """Nor in what anybody says (`Ended`). Every verb, in one process: `tests/unit/cli/test_auth.py`."""
    shell.box.call("POST", "/_sandbox/seed", {"contacts": [{"external_id": "1"}]})
    shell.write("a.yaml", PIN + "tags: [vip]\ncontacts: [{external_id: '1', tags: [vip]}]\n")
    reports = ("--report", "html=plan.html", "--report", "markdown=plan.md", "--calls")
    ends(shell, 0, "plan", "a.yaml", "-o", "plan.json", *reports)
    ends(shell, 0, "apply", "plan.json", "--events", "events.jsonl")
    # A server, or what stands before it, may tell us what we sent.
    echo = {"message": f"no access for Authorization: Bearer {TOKEN}", "code": TOKEN, "times": 2}
    shell.box.fault(status=401, path="^/me$", **echo)
    ends(shell, 1, "plan", "a.yaml")
    shell.box.calm()
    shell.box.fault(method="POST", path="^/tags$", status=422, **echo)
    shell.write("b.yaml", PIN + "tags: [another]\n")
    ends(shell, 5, "apply", "b.yaml", "--auto-approve", "--events", "more.jsonl")
    shell.box.calm()
    written = [path for path in shell.folder.rglob("*") if path.is_file()]
    assert {"plan.json", "plan.html", "events.jsonl", "more.jsonl", "ledger.db"} <= {path.name for path in written}
    assert [path for path in written if TOKEN.encode() in path.read_bytes()] == []


def test_the_token_is_not_on_the_command_line(shell: Shell) -> None:
    shell.real = True
    shell.write("a.yaml", PIN + "tags: [vip]\n")
    shell.box.fault(delay=0.3, times=None, path="^(?!/_sandbox)")
    apply = shell.spawn("apply", "a.yaml", "--auto-approve")
    until(shell.box.hits)
    process = Path("/proc", str(apply.pid))
    assert TOKEN.encode() not in (process / "cmdline").read_bytes()
    children = (process / "task" / str(apply.pid) / "children").read_text().split()
    assert children == [], "nothing is started that could show it"
    assert ended(apply).code == 0


def test_ctrl_c_while_the_command_line_is_imported_ends_it_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n")
    command = [sys.executable, "-m", "reconciler", "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_waiting_for_the_limit_ends_with_a_signal(shell: Shell, signum: int, code: int) -> None:
    shell.box.call("POST", "/_sandbox/settings", {"rate_limit": 12})
    shell.write("a.yaml", {"tags": [f"t{n}" for n in range(60)]})
    apply = shell.spawn("apply", "a.yaml", "--auto-approve")
    shell.box.wait_for_writes(3)
    time.sleep(0.5)
    began = time.monotonic()
    apply.send_signal(signum)
    done = ended(apply, 20)
    shell.box.call("POST", "/_sandbox/settings", {"rate_limit": None})
    assert (done.code, time.monotonic() - began < 8) == (code, True), done.err


def test_looking_again_at_what_goes_later_ends_with_a_signal(shell: Shell) -> None:
    shell.box.call("POST", "/_sandbox/seed", {"companies": [{"company_id": "6"}]})
    shell.box.call("POST", "/_sandbox/settings", {"archive_delay": 600})
    shell.write("a.yaml", PIN + "companies: [{company_id: '6', state: absent}]\n")
    apply = shell.spawn("apply", "a.yaml", "--auto-approve")
    shell.box.wait_for_writes(1)
    time.sleep(0.5)
    shell.box.forget()
    began = time.monotonic()
    apply.send_signal(signal.SIGINT)
    done = ended(apply, 40)
    assert (done.code, time.monotonic() - began < 30) == (130, True), done.err
    assert len(shell.box.call("GET", "/_sandbox/requests")["requests"]) <= 2


def test_a_served_sandbox_ends_cleanly_and_says_where_it_is_first(shell: Shell) -> None:
    shell.real = True
    served = shell.spawn("sandbox", "serve", "--port", "0", "--data", "s.db")
    assert served.stdout
    assert served.stdout.readline().startswith("http://127.0.0.1:")
    served.send_signal(signal.SIGTERM)
    assert ended(served, 10).code == 143


def test_the_local_sandbox_needs_no_token(shell: Shell) -> None:
    offline = Shell(shell.folder, shell.box, {"INTERCOM_ACCESS_TOKEN": "", "INTERCOM_BASE_URL": ""})
    shell.write("a.yaml", "tags: [vip]\n")
    shell.write("live.yaml", "tags: [trial]\n")
    assert offline.run("sandbox", "seed", "live.yaml").code == 0
    assert offline.run("plan", "a.yaml", "--sandbox", "--detailed-exitcode").code == 2
    assert offline.run("apply", "a.yaml", "--sandbox", "--auto-approve").code == 0
    assert offline.run("plan", "a.yaml", "--sandbox", "--detailed-exitcode").code == 0
    assert offline.run("get", "tags", "--sandbox", "-o", "ids").out.count("\n") == 2
    assert offline.run("sandbox", "reset").code == 0
    assert offline.run("get", "tags", "--sandbox", "-o", "ids").out == ""
    shell.write("bad.yaml", "tags: 1\n")
    assert offline.run("sandbox", "seed", "bad.yaml").code == 64
