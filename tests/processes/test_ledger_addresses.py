"""The rules for ledgers as typed: a pipeline keeps none that is lost with its machine, no password is shown, no lock is passed by."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator

import pytest

from tests.desk.desk import Desk
from tests.desk.postgres import Cluster
from tests.desk.repositories import KEY

MANIFEST = "name: growth\nworkspace: {app_id: sandbox1, region: us}\ntags: [vip]\n"
APPLY = ("apply", "m.yaml", "--auto-approve")
PASSWORD = "s3cr3t-w0rd"


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port at which nobody answers."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def in_ci(desk: Desk) -> Desk:
    desk.patch.setenv("CI", "true")
    desk.patch.delenv("RECONCILER_LEDGER_KEY")
    desk.write("m.yaml", MANIFEST)
    return desk


def test_a_pipeline_whose_ledger_would_be_lost_is_told_where_else_it_can_be(desk: Desk) -> None:
    in_ci(desk)
    assert desk(*APPLY) == 3
    assert "give --ledger git or --ledger postgresql://HOST/DATABASE (RECONCILER_LEDGER), or --ledger none" in desk.err
    assert desk.writes == []
    assert not (desk.folder / ".reconciler").exists()


def test_a_pipeline_may_go_on_without_any_and_is_told_what_is_lost(desk: Desk) -> None:
    in_ci(desk)
    assert desk(*APPLY, "--ledger", "none") == 0
    assert "warning: --ledger none: nothing is owned or pruned, there is no drift, no undo and no history" in desk.err
    assert len(desk.writes) == 1


def test_a_pipeline_that_finds_its_file_goes_on(desk: Desk) -> None:
    assert desk(*APPLY, m=MANIFEST) == 0
    desk.patch.setenv("CI", "true")
    assert desk(*APPLY, m=MANIFEST.replace("vip", "vip, more")) == 0
    assert len(desk.writes) == 2


@pytest.mark.parametrize("home", ["postgresql", "git"])
def test_a_pipeline_without_a_key_is_told_how_to_make_one(desk: Desk) -> None:
    in_ci(desk)
    assert desk(*APPLY) == 3
    assert "openssl rand -hex 32" in desk.err
    assert "RECONCILER_LEDGER_KEY" in desk.err
    assert desk.writes == []
    assert desk.opens(False) is None
    desk.patch.setenv("RECONCILER_LEDGER_KEY", KEY)
    assert desk(*APPLY) == 0, desk.err
    assert len(desk.writes) == 1


@pytest.mark.parametrize("home", ["postgresql", "git"])
def test_a_pipeline_with_the_key_in_its_folder_goes_on(desk: Desk) -> None:
    in_ci(desk)
    desk.write(".reconciler/key", KEY + "\n")
    assert desk(*APPLY) == 0, desk.err


@pytest.mark.parametrize("address", [f"postgresql://wash:{PASSWORD}@HOST/ledger", f"postgresql://wash@HOST/ledger?password={PASSWORD}"])
@pytest.mark.parametrize("verb", [("plan", "m.yaml"), APPLY, ("history",), ("undo", "last")], ids=lambda verb: str(verb[0]))
def test_a_password_on_the_command_line_is_wrong_usage_and_not_shown(desk: Desk, address: str, verb: tuple[str, ...]) -> None:
    desk.write("m.yaml", MANIFEST)
    assert desk(*verb, "--ledger", address.replace("HOST", "127.0.0.1")) == 64
    assert "RECONCILER_LEDGER" in desk.err
    assert PASSWORD not in desk.out + desk.err
    assert desk.writes == []


@pytest.mark.parametrize("home", ["postgresql"])
def test_a_password_in_the_environment_is_fine_and_in_no_output(desk: Desk, postgres: Cluster) -> None:
    right, said = postgres.address("ledger", f"postgres:{PASSWORD}"), []
    wrong = postgres.address("ledger", f"secretive:{PASSWORD}"), postgres.address("nowhere", f"postgres:{PASSWORD}"), f"{right}:nonsense"
    for address, code in ((right, 0), *((address, 1) for address in wrong)):
        desk.patch.setenv("RECONCILER_LEDGER", address)
        assert desk(*APPLY, m=MANIFEST) == code, desk.err
        said.append(desk.out + desk.err)
    desk.patch.setenv("RECONCILER_LEDGER", right)
    for verb in (("plan", "m.yaml"), ("drift", "m.yaml"), ("history",), ("history", "last", "--format", "json"), ("undo", "last")):
        assert desk(*verb) == 0, desk.err
        said.append(desk.out + desk.err)
    assert PASSWORD not in "".join(said)
    assert len(desk.writes) == 1


@pytest.mark.parametrize("verb", [("plan", "m.yaml"), APPLY, ("history",)], ids=lambda verb: str(verb[0]))
@pytest.mark.parametrize("address", ["nonsense", "mysql://127.0.0.1/ledger", "sqlite:///ledger.db", "postgresql://127.0.0.1:nonsense/x"])
def test_an_address_that_nobody_knows_is_wrong_usage(desk: Desk, address: str, verb: tuple[str, ...]) -> None:
    desk.write("m.yaml", MANIFEST)
    assert desk(*verb, "--ledger", address) == 64
    assert "/DATABASE" in desk.err
    assert desk.writes == []


# ── a ledger that cannot be used ───────────────────────────────────────────────────────────────────────────────────────────


def away(desk: Desk, port: int) -> str:
    """The address of a ledger that cannot be reached, and what it is called."""
    if desk.address == "git":
        shutil.move(desk.folder.with_name("remote.git"), desk.folder.with_name("gone.git"))
        return "refs/reconciler/ledger of origin"
    desk.patch.setenv("RECONCILER_LEDGER", f"postgresql://127.0.0.1:{port}/ledger")
    return f"postgresql://127.0.0.1:{port}/ledger"


@pytest.mark.parametrize("home", ["file", "git"])
def test_a_plan_goes_on_without_a_ledger_that_cannot_be_reached_and_an_apply_does_not(desk: Desk, free_port: int) -> None:
    desk.write("m.yaml", MANIFEST)
    place = away(desk, free_port)
    assert desk("plan", "m.yaml", "-o", "plan.json", "--detailed-exitcode") == 2
    assert f"warning: the ledger {place} cannot be used: " in desk.err
    assert "going on without it" in desk.err
    for verb in (APPLY, ("apply", "plan.json")):
        assert desk(*verb) == 1
        assert desk.err.startswith(f"error: the ledger {place} cannot be used: ")
        assert (desk.out, len(desk.err.splitlines())) == ("", 1)
    assert desk.writes == []


@pytest.mark.parametrize("home", ["git"])
def test_an_apply_does_not_begin_without_the_lock_of_a_remote_that_it_may_only_read(desk: Desk) -> None:
    assert desk(*APPLY, m=MANIFEST) == 0
    hook = desk.folder.with_name("remote.git") / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho not allowed >&2\nexit 1\n")
    hook.chmod(0o755)
    assert desk(*APPLY, m=MANIFEST.replace("vip", "vip, more")) == 1
    assert "the remote origin declined the push: not allowed (pre-receive hook declined)" in desk.err
    assert len(desk.writes) == 1


def test_an_apply_goes_on_without_a_file_that_cannot_be_used(desk: Desk) -> None:
    desk.write(".reconciler/ledger.db", "nonsense, and no database")
    assert desk(*APPLY, m=MANIFEST) == 0
    assert "going on without it" in desk.err
    assert len(desk.writes) == 1
