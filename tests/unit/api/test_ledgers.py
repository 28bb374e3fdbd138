"""The ledgers of the Python API: in a git remote by the path of a clone, and what many workspaces share on many threads."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler import Connection, Databases, Planned, apply, load, plan
from reconciler.errors import Locked, ReconcilerError, Stale
from reconciler.sandbox import Sandbox, serve
from tests.desk.postgres import Cluster
from tests.desk.repositories import KEY, a_clone, a_copy, around, git, log
from tests.desk.soak import SOAKS, only_in_soak
from tests.unit.api.test_functions import TAGS, Host, elsewhere, host

__all__ = ["elsewhere", "host"]
OWNED = "name: growth\npolicy: {{prune: {{tags: owned}}}}\ntags: [{}]\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return a_copy(tmp_path / "repositories")


def in_git(host: Host, clone: Path) -> Connection:
    environ = {name: value for name, value in around(clone).items() if name != "GIT_DIR"}
    return replace(host.here, ledger="git", ledger_key=KEY, clone=clone, environ=environ, sleep=None)


# ── in git ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_ledger_in_git_is_that_of_a_clone_and_of_nothing_around_the_host(host: Host, clone: Path, elsewhere: Path) -> None:
    here = in_git(host, clone)
    # What leads a hook's git to another repository leads ours nowhere.
    here = replace(here, environ={**here.environ, "GIT_DIR": "/nowhere", "GIT_WORK_TREE": "/nowhere"})
    assert apply(plan(load(host.write(OWNED.format("vip, trial"))), here), here).whole
    assert log(clone.parent / "remote.git")
    assert not (elsewhere / "git-was-run").exists(), "the git of the environment was not asked"
    other = replace(here, clone=a_clone(clone.parent / "remote.git", "other"), folder=elsewhere / "other" / ".reconciler")
    planned = plan(load(host.write(OWNED.format("vip"))), other)
    assert [(change["action"], change["address"]) for change in planned.changes] == [("delete", "tag/trial")]
    assert apply(planned, other).whole


def test_what_git_says_is_one_of_our_errors(host: Host, tmp_path: Path, clone: Path) -> None:
    manifest = load(host.write(TAGS.format("vip")))
    with pytest.raises(ReconcilerError, match="there is no git repository here"):
        plan(manifest, replace(in_git(host, clone), clone=tmp_path))
    with pytest.raises(ReconcilerError, match="no remote of the name team"):
        plan(manifest, replace(in_git(host, clone), ledger="git:team"))
    git(clone, "remote", "set-url", "origin", "/nowhere")
    with pytest.raises(ReconcilerError, match="the remote origin cannot be reached"):
        plan(manifest, in_git(host, clone))


# ── what a plan saw ────────────────────────────────────────────────────────────────────────────────────────────────────────
def reads_of(host: Host) -> int:
    count = len([record for record in host.box.requests if record.method == "GET" and record.path != "/me"])
    host.box.forget_requests()
    return count


@pytest.mark.parametrize("ledger", ["", "none"])
def test_an_apply_reads_nothing_again_that_its_plan_just_read(host: Host, ledger: str) -> None:
    here = replace(host.here, ledger=ledger)
    manifest = load(host.write(f"{TAGS.format('vip')}companies: [{{company_id: '6', name: Blue}}]\n"))
    planned = plan(manifest, here)
    assert reads_of(host) > 1
    assert apply(planned, here).whole
    assert reads_of(host) == 0
    # The second time it looks: the first one changed what was seen.
    assert apply(planned, here).outcomes == ()
    assert reads_of(host) > 0


@pytest.mark.parametrize("how", ["copy", "another version", "another address", "a run meanwhile", "half a minute"])
def test_it_looks_anew_where_it_cannot_know(host: Host, how: str) -> None:
    times = [1_790_000_000.0]
    here = replace(host.here, now=lambda: times[0])
    manifest = load(host.write(TAGS.format("vip")))
    planned = plan(manifest, here)
    if how == "copy":
        planned = copy.deepcopy(planned)
    elif how == "another version":
        here = replace(here, api_version="2.15")
    elif how == "another address":
        here = replace(here, base_url=str(here.base_url).replace("127.0.0.1", "localhost"))
    elif how == "a run meanwhile":
        other = load(host.write("name: sales\ntags: [other]\n"))
        assert apply(plan(other, here), here).whole
    else:
        times[0] += 31
    reads_of(host)
    assert apply(planned, here).whole
    assert reads_of(host) > 0


def test_what_a_plan_saw_is_in_nothing_that_leaves_it(host: Host) -> None:
    host.box.seed({"contacts": [{"external_id": "25", "name": "Kaylee Frye"}]})
    planned = plan(load(host.write("contacts: [{external_id: '25', name: Zoe}]\n")), host.here)
    assert planned.sights
    for text in (repr(planned), str(planned.document), str(planned.saved)):
        assert "Kaylee" not in text
    assert planned == replace(planned, sights=[])


# ── many at once ───────────────────────────────────────────────────────────────────────────────────────────────────────────
WORKSPACES, THREADS = 40 if SOAKS else 16, 8


@pytest.fixture(params=["postgresql", pytest.param("file", marks=only_in_soak)])
def hosts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Host]]:
    """Workspaces, all with one database, or each with a folder of its own."""
    with ExitStack() as stack:
        shared = {}
        if request.param == "postgresql":
            postgres: Cluster = request.getfixturevalue("postgres")
            shared = {"ledger": postgres.database(), "ledger_key": KEY, "databases": stack.enter_context(Databases())}
        made = []
        for number in range(WORKSPACES):
            (folder := tmp_path / str(number)).mkdir()
            box = stack.enter_context(Sandbox(app_id=f"app{number}", token=f"token{number}"))
            made.append(Host(box, stack.enter_context(serve(box)).url, folder, app_id=f"app{number}", **shared))
        yield made


def test_eight_threads_and_many_workspaces_know_nothing_of_each_other(hosts: list[Host]) -> None:
    meet = threading.Barrier(THREADS, timeout=60)

    def govern(number: int) -> tuple[set[str], list[str]]:
        host = hosts[number]
        if number < THREADS:
            meet.wait(60)
        manifest = load(host.write(OWNED.format(f"own-{number}, all")))
        assert apply(plan(manifest, host.here), host.here).counts == {"applied": 2}
        # What is ours in one workspace is that of no other one: ids and names are the same in all of them.
        fewer = plan(load(host.write(OWNED.format("all"))), host.here)
        return host.tags(), [f"{change['action']} {change['address']}" for change in fewer.changes]

    with ThreadPoolExecutor(THREADS) as pool:
        ends = list(pool.map(govern, range(WORKSPACES)))
    assert ends == [({f"own-{n}", "all"}, [f"delete tag/own-{n}"]) for n in range(WORKSPACES)]


def test_an_apply_of_another_workspace_meanwhile_makes_no_plan_old(hosts: list[Host]) -> None:
    first, other = hosts[:2]
    planned = plan(load(first.write(TAGS.format("vip"))), first.here)
    assert apply(plan(load(other.write(TAGS.format("vip"))), other.here), other.here).whole
    reads_of(first)
    assert apply(planned, first.here).whole
    assert reads_of(first) == 0


def test_a_shared_database_has_one_pool_and_outlives_its_calls(host: Host, postgres: Cluster) -> None:
    with Databases() as databases:
        here = replace(host.here, ledger=postgres.database(), ledger_key=KEY, databases=databases)
        manifest = load(host.write(TAGS.format("vip")))
        assert apply(plan(manifest, here), here).whole
        backends = "SELECT pid FROM pg_stat_activity WHERE datname = 'ledger' AND pid <> pg_backend_pid() ORDER BY pid"
        kept = postgres.run(backends)
        assert len(kept) == 1, "the lock had a connection of its own, which is gone with it"
        assert plan(manifest, here).exit_code == 0
        assert postgres.run(backends) == kept, "a plan makes no connection of its own"
        # Its lock is free, and a server that was started anew is met again.
        postgres.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'ledger' AND pid <> pg_backend_pid()")
        assert apply(plan(manifest, here), here).outcomes == ()
    assert postgres.run(backends) == []


def test_a_lock_on_a_shared_database_is_one_workspaces_and_one_calls(host: Host, postgres: Cluster) -> None:
    with Databases() as databases:
        here = replace(host.here, ledger=postgres.database(), ledger_key=KEY, databases=databases, lock_timeout=0.0)
        planned = plan(load(host.write(TAGS.format("a, b"))), here)
        locked: list[object] = []

        def meanwhile() -> None:
            try:
                apply(Planned(planned.manifest, planned.document, planned.saved), here)
            except (Locked, Stale) as error:
                locked.append(error)

        def in_the_middle() -> None:
            thread = threading.Thread(target=meanwhile)
            thread.start()
            thread.join(30)

        host.box.faults.add("POST", "^/tags$", run=in_the_middle, times=1)
        assert apply(planned, here).whole
        assert [type(error) for error in locked] == [Locked]
        assert apply(Planned(planned.manifest, planned.document, planned.saved), here).outcomes == ()
