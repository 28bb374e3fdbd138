"""The Python API: what a host program gives is all that counts, and a host keeps its streams, signals, folder and environment."""

from __future__ import annotations

import _thread
import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler import AppliedInPart, Connection, apply, drift, load, plan, read_approvals, read_plan
from reconciler.errors import IntercomError, Invalid, Locked, ReconcilerError, Refused, Stale, Usage
from reconciler.ledger.homes.home import Waiting
from reconciler.ledger.ledger import Ledger
from reconciler.sandbox import Sandbox, load_seed, serve
from tests import ROOT
from tests.desk.clock import Clock
from tests.desk.desk import Desk
from tests.desk.postgres import Cluster
from tests.desk.repositories import KEY

QUICKSTART = ROOT / "examples/quickstart"
TAGS = "name: growth\ntags: [{}]\n"


class Host:
    """A program with one workspace: its manifest, and how it is reached."""

    def __init__(self, box: Sandbox, url: str, folder: Path, **more: Any) -> None:
        self.box, self.folder = box, folder
        self.here = Connection(box.token, folder / ".reconciler", base_url=url, **more)

    def write(self, text: str) -> Path:
        path = self.folder / "m.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    def tags(self) -> set[str]:
        return {tag["name"] for tag in self.box.ws.store.table("tag").docs.values()}

    def ended(self) -> list[int | None]:
        """How the runs of its ledger ended, the newest first."""
        with Ledger.open(self.folder / ".reconciler", create=True) as ledger:  # type: ignore[union-attr]  # one is made
            return [run.exit_code for run in ledger.runs()]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Sandbox() as box, serve(box) as server:
        yield Host(box, server.url, tmp_path)


def test_what_is_planned_is_applied_and_then_nothing_is_left(host: Host) -> None:
    host.box.seed(load_seed(QUICKSTART / "live.yaml"))
    manifest = load(QUICKSTART / "intercom")
    planned = plan(manifest, host.here)
    assert (planned.exit_code, len(planned.changes), planned.refusals) == (2, 14, ())
    applied = apply(planned, host.here)
    assert applied.whole
    assert applied.counts == {"applied": 14}
    assert applied.calls["DELETE"] == 2
    again = plan(manifest, host.here)
    assert (again.exit_code, again.changes) == (0, [])
    assert drift(manifest, host.here).exit_code == 0


def test_the_document_is_that_of_the_command_line_and_each_applies_what_the_other_saved(desk: Desk) -> None:
    desk.seed(**load_seed(QUICKSTART / "live.yaml"))
    paths = shutil.copytree(QUICKSTART / "intercom", desk.folder / "intercom")
    here = Connection(desk.box.token, desk.folder / ".reconciler", base_url=desk.url)
    planned = plan(load(paths), here)
    assert planned.document == desk.json("plan", str(paths))
    planned.save(desk.folder / "ours.json")
    assert desk("plan", str(paths), "-o", "theirs.json") == 0
    assert desk("apply", "ours.json") == 0, desk.err
    assert apply(read_plan(desk.folder / "theirs.json", load(paths)), here).outcomes == ()


def test_a_plan_goes_through_json_to_another_process(host: Host) -> None:
    manifest = load(host.write(TAGS.format("vip")))
    kept = json.loads(json.dumps(plan(manifest, host.here).saved))
    assert apply(read_plan(kept, manifest), host.here).whole
    kept["changes"] = []
    with pytest.raises(Invalid, match="was edited"):
        read_plan(kept, manifest)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Surroundings that break whatever looks at them: a working directory that is gone, an environment of traps, a git that is noticed."""
    gone, programs = tmp_path / "gone", tmp_path / "programs"
    gone.mkdir()
    programs.mkdir()
    (programs / "git").write_text(f"#!/bin/sh\n: > {tmp_path}/git-was-run\n")
    (programs / "git").chmod(0o755)
    monkeypatch.chdir(gone)
    gone.rmdir()
    traps = (
        "INTERCOM_ACCESS_TOKEN",
        "INTERCOM_BASE_URL",
        "RECONCILER_LEDGER",
        "RECONCILER_LEDGER_KEY",
        "HTTPS_PROXY",
        "REQUESTS_CA_BUNDLE",
    )
    for name in traps:
        monkeypatch.setenv(name, "a trap")
    for name, value in {"CI": "true", "GITHUB_ACTIONS": "true", "PATH": str(programs)}.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def test_nothing_around_the_host_counts_and_nothing_of_the_host_changes(
    host: Host, elsewhere: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    environ, names = dict(os.environ), {thread.name for thread in threading.enumerate()}
    manifest = load(host.write(TAGS.format("vip")))
    assert apply(plan(manifest, host.here), host.here).whole
    assert drift(manifest, host.here).exit_code == 0
    assert capfd.readouterr() == ("", "")
    assert {number: signal.getsignal(number) for number in signals} == signals
    assert dict(os.environ) == environ
    assert not (elsewhere / "git-was-run").exists()
    assert {thread.name for thread in threading.enumerate() if not thread.name.startswith("Thread-")} <= names


def test_two_workspaces_in_two_threads_know_nothing_of_each_other(tmp_path: Path) -> None:
    ends: dict[int, object] = {}

    def govern(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        with Sandbox(app_id=f"app{number}") as box, serve(box) as server:
            host = Host(box, server.url, folder, app_id=f"app{number}")
            for word in ("one", "two"):
                manifest = load(host.write(TAGS.format(f"{word}-{number}")))
                apply(plan(manifest, host.here), host.here)
            box.faults.add("POST", "^/tags$", status=403 if number else 400, times=None)
            with pytest.raises(AppliedInPart) as raised:
                apply(plan(load(host.write(TAGS.format("last"))), host.here), host.here)
            ends[number] = (host.tags(), str(raised.value).count("403"), host.ended())

    threads = [threading.Thread(target=govern, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert ends == {n: ({f"{word}-{n}" for word in ("one", "two")}, n, [5, 0, 0]) for n in range(2)}


def test_an_interrupt_is_the_hosts_and_comes_once_the_calls_under_way_have_ended(host: Host) -> None:
    names = [f"t{number:02}" for number in range(40)]
    planned = plan(load(host.write(TAGS.format(", ".join(names)))), host.here)
    host.box.faults.add("POST", "^/tags$", run=_thread.interrupt_main, after=10, delay=0.05)
    with pytest.raises(KeyboardInterrupt):
        apply(planned, host.here)
    done = host.tags()
    assert 10 <= len(done) < 40
    assert host.ended() == [130]
    # The lock is free, what was done is on record, and the same plan goes on.
    applied = apply(planned, host.here)
    assert applied.counts == {"applied": 40 - len(done)}
    assert host.tags() == set(names)
    posted = [record for record in host.box.writes if record.path == "/tags"]
    assert len(posted) == 40, "something was written twice"


def test_who_sets_stop_ends_it_after_the_calls_under_way(host: Host) -> None:
    stop = threading.Event()
    planned = plan(load(host.write(TAGS.format("a, b, c"))), host.here)
    stop.set()
    with pytest.raises(AppliedInPart, match="the run was stopped") as raised:
        apply(planned, host.here, stop=stop)
    assert raised.value.applied.counts == {"skipped": 3}
    assert (host.box.writes, raised.value.exit_code) == ([], 5)


def test_the_hosts_clock_and_sleep_are_the_only_ones(tmp_path: Path) -> None:
    clock = Clock()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.sleep(seconds)

    with Sandbox(now=clock, rate_limit=12) as box, serve(box) as server:
        host = Host(box, server.url, tmp_path, now=clock, monotonic=clock, sleep=sleep)
        manifest = load(host.write(TAGS.format(", ".join(f"t{n}" for n in range(30)))))
        assert apply(plan(manifest, host.here), host.here).whole
        assert sum(slept) > 10
        with Ledger.open(tmp_path / ".reconciler", create=True) as ledger:  # type: ignore[union-attr]  # one is made
            assert [run.ended for run in ledger.runs()] == [clock()]
            before = clock()
            with ledger.lock("sandbox1", "somebody", Waiting(0, sleep, clock, clock)), pytest.raises(Locked, match="somebody") as raised:
                apply(plan(manifest, host.here), host.here)
        assert (raised.value.exit_code, clock() - before >= 90) == (6, True)


def test_every_way_to_end_is_an_error_with_its_exit_code(host: Host) -> None:
    manifest = load(host.write(TAGS.format("vip")))
    planned = plan(manifest, host.here)
    with pytest.raises(IntercomError) as token:
        plan(manifest, replace(host.here, token="dG9rOjEyMw=="))
    with pytest.raises(Refused, match="workspace") as workspace:
        plan(manifest, replace(host.here, app_id="other"))
    narrow = load(host.write("name: growth\npolicy: {limits: {creates: 0}}\ntags: [vip]\n"))
    assert plan(narrow, host.here).exit_code == 3
    with pytest.raises(Refused, match="limits") as gate:
        apply(plan(narrow, host.here), host.here)
    with pytest.raises(Stale) as stale:
        apply(read_plan(planned.saved, narrow), host.here)
    with pytest.raises(Invalid) as invalid:
        load(host.write("tags: [vip, vip]\n"))
    assert [e.value.exit_code for e in (token, workspace, gate, stale, invalid)] == [1, 3, 3, 4, 65]
    assert host.box.writes == []
    assert "dG9rOjEyMw==" not in f"{token.value}{replace(host.here, token='dG9rOjEyMw==')!r}"


def test_an_approval_allows_what_a_gate_refused(host: Host) -> None:
    manifest = load(host.write("name: growth\npolicy: {limits: {creates: 0}}\ntags: [vip]\n"))
    (refusal,) = plan(manifest, host.here).document["refused"]
    agreed = read_approvals(None, [str(refusal["approve"])], None)
    assert apply(plan(manifest, host.here, approvals=agreed), host.here, approvals=agreed).whole


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"folder": None}, "folder is missing"),
        ({"folder": Path("here")}, "'here' is no whole path"),
        ({"ledger": "git"}, "clone is missing, or no folder"),
        ({"ledger": "git:team", "clone": "/nowhere"}, "clone is missing, or no folder"),
        ({"ledger": "git", "clone": Path(".")}, "'.' is no whole path"),
        ({"ledger": "git", "clone": Path("/")}, "ledger_key is missing"),
        ({"ledger": "postgresql://127.0.0.1/x"}, "ledger_key is missing"),
        ({"region": "mars"}, "region 'mars': write one of us, eu, au"),
    ],
)
def test_what_a_connection_lacks_is_said_before_anything_is_called(host: Host, more: dict[str, Any], text: str) -> None:
    manifest = load(host.write(TAGS.format("vip")))
    with pytest.raises(Usage, match=text):
        plan(manifest, replace(host.here, **more))
    assert host.box.requests == []


def test_a_path_is_whole(host: Host) -> None:
    for paths in ((), ("m.yaml",)):
        with pytest.raises(Usage, match="is no whole path"):
            load(*paths)


def test_without_a_ledger_nothing_is_left_on_the_disk(host: Host) -> None:
    manifest = load(host.write(TAGS.format("vip")))
    here = replace(host.here, ledger="none", folder=None)
    planned = plan(manifest, here)
    assert apply(planned, here).whole
    # Seconds later the same plan looks again, and finds it done.
    assert apply(planned, here).outcomes == ()
    assert {path.name for path in host.folder.iterdir()} == {"m.yaml"}


def test_no_error_and_no_result_shows_a_person(host: Host) -> None:
    mail = "kaylee@serenity.example"
    with pytest.raises(Invalid) as invalid:
        load(host.write(f"contacts: [{{email: {mail}}}, {{email: {mail}}}]\n"))
    host.box.seed({"contacts": [{"email": mail, "role": "user"}, {"email": mail, "role": "user"}]})
    planned = plan(load(host.write(f"contacts: [{{email: {mail}, name: Kaylee Frye}}]\n")), host.here)
    with pytest.raises(ReconcilerError) as refused:
        apply(planned, host.here)
    for text in (invalid.value, repr(invalid.value.args), refused.value, planned.document, planned.saved, planned.refusals):
        assert mail not in str(text)
    assert isinstance(refused.value, Refused)


def test_variables_and_overlays_are_arguments(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_VAR_TEAM", "of the environment")
    path = host.write("tags: [{name: vip, owner: '${RECONCILER_VAR_TEAM}'}]\n")
    (host.folder / "m.eu.yaml").write_text("tags: [{name: vip, description: in Europe}]\n")
    with pytest.raises(Invalid, match="RECONCILER_VAR_TEAM"):
        load(path)
    manifest = load(path, envs=["eu"], variables={"RECONCILER_VAR_TEAM": "growth"})
    (tag,) = manifest.resources.values()
    assert (tag.owner, tag.description, manifest.env) == ("growth", "in Europe", "eu")


def test_machines_with_one_database_and_one_key_know_the_same(host: Host, postgres: Cluster, elsewhere: Path) -> None:
    here = replace(host.here, ledger=postgres.database(), ledger_key=KEY, repository="git@github.com:acme/intercom.git", revision="abc")
    manifest = load(host.write("name: growth\npolicy: {prune: {tags: owned}}\ntags: [vip, trial]\n"))
    assert apply(plan(manifest, here), here).notices == ()
    other = replace(here, folder=elsewhere / "other" / ".reconciler", repository="https://github.com/acme/intercom")
    fewer = load(host.write("name: growth\npolicy: {prune: {tags: owned}}\ntags: [vip]\n"))
    planned = plan(fewer, other)
    assert [(change["action"], change["address"]) for change in planned.changes] == [("delete", "tag/trial")]
    assert [r.partition(":")[0] for r in plan(fewer, replace(other, repository="github.com/else/where")).refusals] == ["origin"]
    assert not (elsewhere / "git-was-run").exists()


def test_a_name_that_is_not_there_is_none() -> None:
    import reconciler

    with pytest.raises(AttributeError, match="has no 'wish'"):
        _ = reconciler.wish  # type: ignore[attr-defined]  # there is none
    assert {*reconciler.__all__} <= {*dir(reconciler)}
    assert all(getattr(reconciler, name) for name in reconciler.__all__)
