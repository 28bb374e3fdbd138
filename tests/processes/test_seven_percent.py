"""The story with every fault at 7 % of the calls, in this process with a clock that does not wait: the same end, whatever the dice say."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.conftest import MakeRoute
from tests.desk.calling import Caller
from tests.desk.driving import Box
from tests.desk.route import Route, changes
from tests.desk.soak import times
from tests.processes.story import assert_as_declared, manifest, seed

FAULTS: dict[str, dict[str, Any]] = {
    "drop before": {"drop": "before"},
    "drop after": {"drop": "after"},
    "500": {"status": 500},
    "500 done": {"status": 500, "done": True},
    "503": {"status": 503},
    "429": {"status": 429},
}


class Inside(Box):
    """The sandbox of this process, asked past our client."""

    def __init__(self, told: Route) -> None:
        self.caller = Caller(told.box, version="2.16")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        reply = self.caller(method, path, body)
        return (reply.json if reply.raw else {}) if reply.status < 400 else None


@pytest.mark.parametrize("dice", range(times(2)))
@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_the_same_end(route: MakeRoute, fault: str, dice: int) -> None:
    told = route(seed(), ledger=True, search_delay=600)
    path = told.manifest(manifest())
    told.box.faults._chance = random.Random(dice)
    told.box.faults.add(times=None, rate=0.07, **FAULTS[fault])
    assert {o.status for o in told.converge(path)} == {"applied"}
    told.box.faults.clear()
    assert_as_declared(Inside(told))
    assert changes(told.document(path)) == []
    told.box.forget_requests()
    told.converge(path)
    assert told.box.writes == []


def test_all_faults_together(route: MakeRoute) -> None:
    told = route(seed(), ledger=True, search_delay=600)
    path = told.manifest(manifest())
    for fault in FAULTS.values():
        told.box.faults.add(times=None, rate=0.04, **fault)
    for _ in range(3):
        if {o.status for o in told.converge(path)} <= {"applied"}:
            break
    told.box.faults.clear()
    told.converge(path)
    assert_as_declared(Inside(told))
    assert changes(told.document(path)) == []
