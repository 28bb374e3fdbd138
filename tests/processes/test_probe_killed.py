"""A probe that is killed, or stopped by a signal: the next one removes what it made, and nothing else."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.errors import Locked
from reconciler.intercom.probe.bench import Creation
from reconciler.sandbox.workspace import Settings
from reconciler.workflow.probe import NOTES, notebook
from tests.desk.driving import Box, Shell, ended, served
from tests.desk.planted import EIGHT, PLAIN
from tests.desk.soak import SOAKS

THEIRS = {"tags": ["vip", "zz-reconciler-notes"], "contacts": [{"external_id": "1", "email": "a@serenity.example", "tags": ["vip"]}]}
PROBE = ("doctor", "--probe", "--app-id", "sandbox1", "--yes")
CLEAN = ("doctor", "--clean", "--app-id", "sandbox1")
# A probe makes more than forty writes, its cleaning included.
MOMENTS = range(1, 40) if SOAKS else (2, 19, 23, 38)


def left(box: Box) -> dict[str, list[str]]:
    """The names of what lives there."""
    search = {"query": {"field": "role", "operator": "IN", "value": ["user", "lead"]}}
    people = box.call("POST", "/contacts/search", search)["data"]
    return {"tags": [tag["name"] for tag in box.call("GET", "/tags")["data"]], "contacts": [who["external_id"] for who in people]}


THEIR_NAMES = {"tags": ["vip", "zz-reconciler-notes"], "contacts": ["1"]}


@pytest.fixture
def knobs(shell: Shell) -> Iterator[Settings]:
    """The settings of a sandbox, which the next test finds as they are by themselves."""
    yield Settings()
    shell.box.start({}, **vars(Settings()))


@pytest.mark.parametrize("number", MOMENTS)
def test_killed_it_leaves_nothing_that_the_next_one_does_not_remove(shell: Shell, knobs: Settings, number: int) -> None:
    knobs.follow(PLAIN | EIGHT[number % 8])
    shell.box.start(THEIRS, **vars(knobs))
    shell.kill(number, *PROBE)
    # What no list shows is found by the notes alone.
    assert (shell.folder / ".reconciler" / NOTES).read_bytes() or number > 37
    clean = shell.run(*CLEAN)
    assert left(shell.box) == THEIR_NAMES
    # Of a create that was never answered nobody can say at once that it will not come.
    assert clean.code == 0 or "may not be visible yet" in clean.err, clean.err


def test_a_served_sandbox_does_as_the_facts_say(tmp_path: Path) -> None:
    head = {"format_version": "1.0", "app_id": "test1", "region": "us", "api_version": "2.16", "asked": "2026-11-30"}
    (tmp_path / "intercom-facts.json").write_text(json.dumps({**head, "facts": {"name_blanks": "trimmed"}}), encoding="utf-8")
    with served(tmp_path / "sandbox.db") as box:
        assert box.call("POST", "/tags", {"name": " vip "})["name"] == "vip"


def test_notes_are_kept_and_belong_to_one_probe_until_it_ends(tmp_path: Path) -> None:
    with notebook(tmp_path, "test1") as book:
        book.forget()
        book.note(Creation("contact", "zz-reconciler-1a2b3c4d"), 1.0)
        assert b"zz-reconciler-1a2b3c4d" in (tmp_path / NOTES).read_bytes()
        with pytest.raises(Locked, match="another probe runs in this folder"), notebook(tmp_path, "test1"):
            pass
    with notebook(tmp_path, "test1") as again:
        assert [made.key for made in again.creations] == ["zz-reconciler-1a2b3c4d"]
        again.forget()
    assert not (tmp_path / NOTES).exists()


def test_stopped_it_cleans_up_itself(shell: Shell) -> None:
    shell.box.start(THEIRS)
    shell.box.fault(delay=0.01, times=None)
    probe = shell.spawn(*PROBE)
    shell.box.wait_for_writes(9)
    probe.send_signal(signal.SIGTERM)
    assert ended(probe).code == 143
    assert left(shell.box) == THEIR_NAMES
    assert not (shell.folder / ".reconciler/probe.jsonl").exists()
