"""However an apply ends, its lock is free: the next one, which waits for nothing, never ends with 6."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO

import pytest

from reconciler.core.model.past import Run
from reconciler.manifest.read import read_manifest
from tests.desk.desk import Desk
from tests.desk.driving import Running, ended, until
from tests.desk.soak import only_in_soak
from tests.processes.oracle import assert_ledger_is_true, check_ledger, live_in
from tests.processes.racing import AT_ONCE, Side

HEAD = "name: growth\nworkspace: {app_id: sandbox1, region: us}\n"
WANTED = f"""{HEAD}
tags: [vip]
companies: [{{company_id: "6", name: Blue, tags: [vip]}}]
contacts: [{{external_id: "1", missing: create, tags: [vip], companies: ["6"]}}]
"""
NEXT = HEAD + "tags: [next]\n"
OTHER = {"companies": [{"company_id": "6", "name": "Else"}]}


@dataclass
class Keyboard:
    """A terminal at which somebody answers."""

    answer: str

    def isatty(self) -> bool:
        return True

    def readline(self, _: int = -1) -> str:
        if not self.answer:
            raise KeyboardInterrupt
        return self.answer


def apply(desk: Desk) -> int:
    return desk("apply", "m.yaml", "--auto-approve", m=WANTED)


def of_a_plan(*before: Callable[[Desk], object], text: str = WANTED) -> Callable[[Desk], int]:
    """A plan that was saved, before things happened."""

    def end(desk: Desk) -> int:
        desk.plan(m=text)
        for happens in before:
            happens(desk)
        return desk("apply", "plan.json")

    return end


def asked(answer: str) -> Callable[[Desk], int]:
    def end(desk: Desk) -> int:
        desk.patch.setattr(sys, "stdin", Keyboard(answer))
        return desk("apply", "m.yaml", m=WANTED)

    return end


def signalled(signum: int) -> Callable[[Desk], int]:
    """In the middle: with the first write."""

    def end(desk: Desk) -> int:
        main = threading.main_thread().ident or 0
        desk.box.faults.add("POST", "^/companies$", run=lambda: signal.pthread_kill(main, signum))
        return apply(desk)

    return end


def fails(method: str, path: str, **how: object) -> Callable[[Desk], object]:
    return lambda desk: desk.box.faults.add(method, path, times=None, **how)


def after(happens: Callable[[Desk], object]) -> Callable[[Desk], int]:
    return lambda desk: (happens(desk), apply(desk))[1]


NO_CREATES = WANTED + "policy: {limits: {creates: 0}}\n"
BROKEN = "tags: [vip\n"
EARLY = (
    (3, lambda desk: desk("apply", "m.yaml", "--auto-approve", m=NO_CREATES)),
    (64, lambda desk: desk("apply", "m.yaml", m=WANTED)),
    (64, lambda desk: (desk.plan(m=WANTED), desk("apply", "plan.json", "--target", "tag/*"))[1]),
    (65, lambda desk: desk("apply", "m.yaml", "--auto-approve", m=BROKEN)),
    (65, of_a_plan(lambda desk: desk.write("m.yaml", BROKEN))),
    (1, asked("n\n")),
    (130, asked("")),
)
LATE = {
    "1, a read that fails": (1, of_a_plan(fails("GET", "^/tags", status=403))),
    "3, a plan that was refused": (3, of_a_plan(text=NO_CREATES)),
    "3, another workspace": (3, of_a_plan(lambda desk: desk.box.settings.change({"app_id": "another"}))),
    "4, the workspace moved": (4, of_a_plan(lambda desk: desk.seed(**OTHER))),
    "4, the manifest moved": (4, of_a_plan(lambda desk: desk.write("m.yaml", NEXT))),
    "5, in part": (5, after(fails("POST", "^/companies$", status=422))),
    "130, Ctrl-C in the middle": (130, signalled(signal.SIGINT)),
    "143, SIGTERM in the middle": (143, signalled(signal.SIGTERM)),
}


@pytest.mark.parametrize("home", ["file", "postgresql", "git"])
def test_what_ends_before_its_lock_leaves_none(desk: Desk) -> None:
    for code, end in EARLY:
        assert end(desk) == code, desk.err
    assert desk.written() == []
    assert desk("apply", "next.yaml", *AT_ONCE, next=NEXT) == 0, desk.err
    assert len(desk.writes) == 1


# The ways out are those of the program, whichever the home: where the lock is elsewhere, one of each sort is tried.
SORTS = ("3, a plan that was refused", "5, in part", "143, SIGTERM in the middle")


@pytest.mark.parametrize(
    ("how", "home"),
    [
        pytest.param(how, home, id=f"{how}-{home}", marks=only_in_soak if home != "file" and how not in SORTS else ())
        for how in LATE
        for home in ("file", "postgresql", "git")
    ],
)
def test_what_ends_under_its_lock_gives_it_back(desk: Desk, how: str) -> None:
    code, end = LATE[how]
    assert end(desk) == code, desk.err
    desk.box.faults.clear()
    desk.box.settings.change({"app_id": "sandbox1"})
    assert len(desk.written()) == 0 or code not in (1, 3, 4)
    if code >= 5:
        assert known_runs(desk)[0].exit_code == code
    assert desk("apply", "next.yaml", *AT_ONCE, next=NEXT) == 0, desk.err
    assert len(desk.writes) == 1


LINKING, CREATING = "^/contacts/.*/companies$", "^/companies$"


def strike(desk: Desk, signum: int, path: str = LINKING) -> tuple[int, Running]:
    """A process gets a signal in the middle of this call; how it ended."""
    process: list[Running] = []

    def strikes() -> None:
        process[0].send_signal(signum)
        if signum == signal.SIGKILL:
            process[0].wait(60)

    desk.write("m.yaml", WANTED)
    desk.box.faults.add("POST", path, run=strikes)
    process.append(desk.spawn("apply", "m.yaml", "--auto-approve"))
    code = ended(process[0]).code
    desk.box.faults.clear()
    return code, process[0]


@pytest.mark.parametrize("home", ["file", "postgresql"])
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_process_that_gets_a_signal_in_the_middle_leaves_none(desk: Desk, signum: int, code: int) -> None:
    before = live_in(desk.box)
    assert strike(desk, signum)[0] == code
    assert desk("apply", "m.yaml", *AT_ONCE) == 0, desk.err
    assert desk("plan", "m.yaml", "--detailed-exitcode") == 0, desk.out
    check_ledger(desk, before)


def test_what_a_killed_create_made_is_ours_also_where_the_next_run_begins_with_its_links(desk: Desk) -> None:
    before = live_in(desk.box)
    assert strike(desk, signal.SIGKILL, CREATING)[0] == -signal.SIGKILL
    assert desk("apply", "m.yaml", *AT_ONCE) == 0, desk.err
    check_ledger(desk, before)


@pytest.mark.parametrize("home", ["git"])
def test_a_process_that_is_killed_leaves_a_lease_of_a_minute(desk: Desk) -> None:
    before, (code, process) = live_in(desk.box), strike(desk, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert desk("apply", "m.yaml", *AT_ONCE) == 6
    assert f"(process {process.pid})" in desk.err
    assert "holds the lock of this ledger" in desk.err
    with ExitStack() as stack:
        later = Side("zoe on serenity", desk.box, desk.opens, stack, now=lambda: time.time() + 61)
        assert later.apply(read_manifest(["m.yaml"])).code == 0
    assert desk("apply", "m.yaml", *AT_ONCE) == 0, desk.err
    # What it had in its plan was where the next run looks before its first call, and what it made is ours.
    assert [run.exit_code for run in known_runs(desk)] == [0, 0, None]
    check_ledger(desk, before)


def known_runs(desk: Desk) -> list[Run]:
    """What the ledger tells of runs, newest first."""
    ledger = desk.opens(False)
    assert ledger
    with ledger:
        return ledger.runs()


@pytest.mark.parametrize("home", ["git"])
def test_a_killed_create_of_a_lead_is_not_made_again(desk: Desk) -> None:
    leads = "".join(f"  - {{email: l{n}@mail.example, role: lead, missing: create, tags: [vip]}}\n" for n in range(3))
    desk.box.settings.change({"search_delay": 3600})
    desk.write("m.yaml", f"{HEAD}tags: [vip]\ncontacts:\n{leads}")
    process: list[Running] = []

    def strikes() -> None:
        process[0].send_signal(signal.SIGKILL)
        process[0].wait(60)

    desk.box.faults.add("POST", "^/contacts/.*/tags$|^/tags$", after=1, run=strikes)
    process.append(desk.spawn("apply", "m.yaml", "--auto-approve"))
    assert ended(process[0]).code == -signal.SIGKILL
    desk.box.faults.clear()
    made = len(desk.box.ws.store.table("contact").docs)
    assert made > 0
    with ExitStack() as stack:
        later = Side("zoe on serenity", desk.box, desk.opens, stack, now=lambda: time.time() + 61)
        later.apply(read_manifest(["m.yaml"]))
    assert len(desk.box.ws.store.table("contact").docs) == made


@pytest.mark.parametrize("home", ["git"])
def test_what_was_done_is_published_at_the_first_signal(desk: Desk) -> None:
    before, process = live_in(desk.box), list[Running]()

    def strikes() -> None:
        process[0].send_signal(signal.SIGTERM)
        # Less than the lease is renewed after: it was this push.
        until(lambda: ("company", "6") in {(r.kind, r.address.partition("/")[2]) for r in desk.recorded("growth").records.values()}, 8.0)
        process[0].send_signal(signal.SIGKILL)
        process[0].wait(60)

    desk.write("m.yaml", WANTED)
    desk.box.faults.add("POST", LINKING, run=strikes)
    process.append(desk.spawn("apply", "m.yaml", "--auto-approve"))
    assert ended(process[0]).code == -signal.SIGKILL
    assert_ledger_is_true(desk.recorded("growth"), before, live_in(desk.box))


def read_until(stream: IO[str] | None, end: str) -> None:
    assert stream
    text = ""
    while not text.endswith(end):
        read = stream.read(1)
        assert read, text
        text += read


def test_ctrl_c_at_the_question_of_a_real_terminal_leaves_none(desk: Desk) -> None:
    desk.write("m.yaml", WANTED)
    outer, inner = os.openpty()
    process = desk.spawn("apply", "m.yaml", stdin=inner)
    read_until(process.stderr, "Apply this plan? [y/N]: ")
    # At once: it may still be showing the question, or be about to wait.
    process.send_signal(signal.SIGINT)
    assert ended(process).code == 130
    os.close(inner)
    os.close(outer)
    assert desk.written() == []
    assert desk("apply", "m.yaml", *AT_ONCE) == 0, desk.err
