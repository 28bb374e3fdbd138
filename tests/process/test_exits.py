"""Every exit code that a verb can end with, what goes to which stream, and that no output ever holds a token or a traceback."""

from __future__ import annotations

import json
import signal
import time

import pytest

from tests.process.driving import TOKEN, Shell, command_line, ended

PIN = "workspace: {app_id: sandbox1, region: us}\n"


def test_0_for_plan_whatever_it_found_and_2_only_when_asked(shell: Shell) -> None:
    shell.write("a.yaml", PIN + "tags: [vip]\n")
    assert shell.run("plan", "a.yaml").code == 0
    assert shell.run("plan", "a.yaml", "--detailed-exitcode").code == 2
    assert shell.run("apply", "a.yaml", "--auto-approve").code == 0
    assert shell.run("plan", "a.yaml", "--detailed-exitcode").code == 0


@pytest.mark.parametrize("arguments", ["validate a.yaml", "schema", "--version", "--help", "plan --help", "get tags"])
def test_0_for_what_works(shell: Shell, arguments: str) -> None:
    shell.write("a.yaml", PIN + "tags: [vip]\n")
    assert shell.run(*arguments.split()).code == 0


def test_1_for_the_network_the_token_and_what_is_not_found(shell: Shell) -> None:
    shell.write("a.yaml", PIN + "tags: [vip]\n")
    assert shell.run("get", "tags", "nobody").code == 1
    for environ in ({"INTERCOM_ACCESS_TOKEN": "tok-wrong-wrong"}, {"INTERCOM_ACCESS_TOKEN": ""}):
        done = Shell(shell.folder, shell.box, environ).run("plan", "a.yaml")
        assert (done.code, done.out) == (1, "")
        assert len(done.err.splitlines()) == 1, done.err
        assert "tok-wrong" not in done.err


def test_3_refused_by_a_gate_and_nothing_written(shell: Shell) -> None:
    shell.write("a.yaml", PIN + "tags: [vip, trial]\npolicy: {limits: {creates: 1}}\n")
    assert shell.run("plan", "a.yaml", "-o", "plan.json").code == 0
    assert shell.run("plan", "a.yaml", "--detailed-exitcode").code == 3
    for apply in (("apply", "a.yaml", "--auto-approve"), ("apply", "plan.json")):
        done = shell.run(*apply)
        assert done.code == 3, done.err
        assert "limits.creates" in done.err
    assert shell.box.writes() == []


def test_3_for_another_workspace(shell: Shell) -> None:
    shell.write("a.yaml", "workspace: {app_id: another}\ntags: [vip]\n")
    assert shell.run("plan", "a.yaml", "--detailed-exitcode").code == 3
    shell.write("b.yaml", "tags: [vip]\n")
    assert shell.run("plan", "b.yaml", "-o", "plan.json").code == 0
    shell.box.call("POST", "/_sandbox/settings", {"app_id": "another"})
    done = shell.run("apply", "plan.json")
    shell.box.call("POST", "/_sandbox/settings", {"app_id": "sandbox1"})
    assert done.code == 3, done.err
    assert shell.box.writes() == []


def test_4_stale(shell: Shell) -> None:
    shell.box.call("POST", "/_sandbox/seed", {"companies": [{"company_id": "6", "name": "Old"}]})
    shell.write("a.yaml", PIN + "companies: [{company_id: '6', name: New}]\n")
    assert shell.run("plan", "a.yaml", "-o", "plan.json").code == 0
    shell.box.call("POST", "/_sandbox/seed", {"companies": [{"company_id": "6", "name": "Else"}]})
    done = shell.run("apply", "plan.json")
    assert (done.code, done.out) == (4, ""), done.err
    shell.write("a.yaml", PIN + "companies: [{company_id: '6', name: Newer}]\n")
    assert shell.run("apply", "plan.json").code == 4
    assert shell.box.writes() == []


def test_4_when_another_thing_has_the_name_now(shell: Shell) -> None:
    shell.box.call("POST", "/_sandbox/seed", {"tags": ["promo"]})
    shell.write("a.yaml", PIN + "tags: [{name: promo, state: absent}]\n")
    assert shell.run("plan", "a.yaml", "-o", "plan.json").code == 0
    first = shell.box.call("GET", "/tags")["data"][0]["id"]
    shell.box.call("DELETE", f"/tags/{first}")
    shell.box.call("POST", "/tags", {"name": "promo"})
    shell.box.forget()
    assert shell.run("apply", "plan.json").code == 4
    assert shell.box.writes() == []


def test_5_in_part_and_again_to_finish(shell: Shell) -> None:
    shell.write("a.yaml", PIN + "tags: [one, two]\ncontacts: [{external_id: '1', missing: create, tags: [one]}]\n")
    assert shell.run("plan", "a.yaml", "-o", "plan.json").code == 0
    shell.box.fault(method="POST", path="^/contacts$", status=422, code="parameter_invalid", message="not today", times=1)
    done = shell.run("apply", "plan.json")
    assert done.code == 5, done.err
    assert "not today" in done.out
    assert shell.run("apply", "plan.json").code == 0
    assert shell.run("plan", "a.yaml", "--detailed-exitcode").code == 0


@pytest.mark.parametrize(
    "arguments",
    [(), ("plan",), ("nosuch",), ("plan", "--nosuch", "a.yaml"), ("plan", "a.yaml", "--format", "nosuch"), ("apply", "a.yaml"),
     ("plan", "a.yaml", "--report", "nosuch"), ("api", "GET"), ("get", "nosuch"), ("api", "GET", "/contacts/../me"),
     ("plan", "a.yaml", "--base-url", "http://example.com"), ("sandbox", "nosuch"), ("apply", "plan.json", "--nosuch")],
)  # fmt: skip
def test_64_for_wrong_usage(shell: Shell, arguments: tuple[str, ...]) -> None:
    shell.write("a.yaml", PIN + "tags: [vip]\n")
    done = shell.run(*arguments)
    assert (done.code, done.out if arguments else "") == (64 if arguments else done.code, ""), done.err
    assert arguments or done.code in (0, 64)
    assert shell.box.writes() == []


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.yaml", "tags:\n"), ("a.yaml", "tags: [vip, vip]\n"), ("a.yaml", "tags: [&a vip, *a]\n  x"), ("a.yaml", ""),
     ("a.yaml", "\ttags: []\n"), ("a.yaml", "nosuch: 1\n"), ("plan.json", "{}"),
     ("plan.json", '{"changes": [], "format_version": "1.0", "applicable": true}'),
     ("plan.json", "not json")],
)  # fmt: skip
def test_65_for_what_can_be_seen_offline(shell: Shell, name: str, text: str) -> None:
    shell.write(name, text)
    verb = ("apply", name) if name == "plan.json" else ("validate", name)
    done = shell.run(*verb)
    assert (done.code, done.out) == (65, ""), done.err
    assert name in done.err


def test_65_for_nothing_and_for_a_plan_to_look_at(shell: Shell) -> None:
    assert shell.run("plan", "nosuch.yaml").code == 65
    assert shell.run("plan", ".").code == 65
    shell.write("a.yaml", PIN + "tags: [vip]\n")
    shown = shell.run("plan", "a.yaml", "--format", "json")
    shell.write("look.json", shown.out)
    assert shell.run("apply", "look.json").code == 65
    assert shell.run("plan", "a.yaml", "-o", "plan.json").code == 0
    edited = json.loads((shell.folder / "plan.json").read_text(encoding="utf-8"))
    edited["changes"][0]["address"] = "tag/other"
    shell.write("edited.json", edited)
    assert shell.run("apply", "edited.json").code == 65
    assert shell.box.writes() == []


def test_streams_hold_what_they_should(shell: Shell) -> None:
    shell.write("a.yaml", PIN + "tags: [vip]\n")
    planned = shell.run("plan", "a.yaml", "--format", "json")
    assert json.loads(planned.out)["summary"]["create"] == 1
    assert planned.err == ""
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


@pytest.mark.parametrize("verb", ["schema", "get contacts", "plan a.yaml", "plan a.yaml --format json", "apply a.yaml --auto-approve"])
def test_a_reader_that_leaves_is_no_error(shell: Shell, verb: str) -> None:
    shell.box.call("POST", "/_sandbox/seed", {"contacts": [{"external_id": str(n), "name": "x" * 500} for n in range(300)]})
    tags = ", ".join(f"t{n:04}" for n in range(1, 90))
    shell.write("a.yaml", f"{PIN}tags: [{tags}]\n")
    done = shell.sh(f"reconciler {verb} | head -1 | wc -l")
    assert (done.code, done.out.strip()) == (0, "1")
    assert "error" not in done.err
    if verb.startswith("apply"):
        assert len(shell.box.writes()) == 89, "showing it never ends an apply"


@pytest.mark.parametrize("verb", ["schema", "plan a.yaml", "get tags", "apply a.yaml --auto-approve"])
def test_a_closed_or_full_stdout(shell: Shell, verb: str) -> None:
    shell.box.call("POST", "/_sandbox/seed", {"tags": ["trial"]})
    shell.write("a.yaml", PIN + "tags: [vip]\n")
    closed = shell.sh(f"reconciler {verb} >&-")
    assert closed.code in (0, 1), closed.err
    full = shell.sh(f"reconciler {verb} > /dev/full")
    assert full.code == 1, full.err
    assert len(full.err.splitlines()) == 1, full.err
    if verb.startswith("apply"):
        assert len(shell.box.writes()) == 1
    assert shell.sh(f"reconciler {verb} 2>&-").code == 0


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_waiting_for_the_limit_ends_with_a_signal(shell: Shell, signum: int, code: int) -> None:
    shell.box.call("POST", "/_sandbox/settings", {"rate_limit": 12})
    shell.write("a.yaml", {"tags": [f"t{n}" for n in range(60)]})
    apply = shell.spawn("apply", "a.yaml", "--auto-approve")
    shell.box.wait_for_writes(3)
    assert TOKEN.encode() not in command_line(apply.pid)
    time.sleep(0.5)
    began = time.monotonic()
    apply.send_signal(signum)
    done = ended(apply, 20)
    shell.box.call("POST", "/_sandbox/settings", {"rate_limit": None})
    assert (done.code, time.monotonic() - began < 3) == (code, True), done.err


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
    assert (done.code, time.monotonic() - began < 3) == (130, True), done.err
    assert len(shell.box.call("GET", "/_sandbox/requests")["requests"]) <= 2


def test_a_served_sandbox_ends_cleanly_and_says_where_it_is_first(shell: Shell) -> None:
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
