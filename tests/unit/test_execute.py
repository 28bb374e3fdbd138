"""What is under way when an execution is interrupted."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import pytest

from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, ThingChange
from reconciler.core.model.outcome import Outcome, Status
from reconciler.core.plan.calls import Job
from reconciler.core.plan.order import Step
from reconciler.errors import Mark
from reconciler.execute import execute


def test_a_job_is_waited_for_though_an_interrupt_hid_its_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [Step(ThingChange(Action.UPDATE, Address("contact", "1"), Mark("m.yaml", 1)))]
    jobs = [Job((), (0,), 0, frozenset())]
    begun, released, done = threading.Event(), threading.Event(), list[int]()

    def perform(job: Job, ids: Mapping[Address, str]) -> Sequence[Outcome]:
        begun.set()
        released.wait(10)
        done.append(0)
        return [Outcome(0, steps[0].change, Status.APPLIED)]

    start = threading.Thread.start

    def interrupt(thread: threading.Thread) -> None:
        start(thread)
        assert begun.wait(10)
        monkeypatch.undo()
        threading.Timer(0.05, released.set).start()
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupt)
    with pytest.raises(KeyboardInterrupt):
        list(execute(jobs, steps, perform, {}, lambda: 1, threading.Event()))
    assert done == [0]
