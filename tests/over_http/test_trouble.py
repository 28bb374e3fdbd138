"""What a network and an overloaded Intercom can do to a call, each at 7 % of the calls: the same end."""

from __future__ import annotations

import pytest

from reconciler.sandbox import Sandbox, limits
from tests.over_http import story
from tests.over_http.driving import Desk

TROUBLE = {"broken": ({"drop": "before"}, {"drop": "after"}, {"status": 500}), "limited": ({"status": 429},)}
CONTACTS = 8


@pytest.mark.parametrize("trouble", TROUBLE)
def test_the_same_end(own_desk: Desk, box: Sandbox, trouble: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WINDOW", 1)  # every 429 waits for the next window
    own_desk.workspace.start_anew(story.seed(CONTACTS))
    manifest = own_desk.write(story.written(CONTACTS))
    for fault in TROUBLE[trouble]:
        box.faults.add(rate=0.07, times=None, **fault)
    codes: list[int] = []
    while len(codes) < 4 and 0 not in codes:
        codes.append(own_desk.run("apply", manifest, "--auto-approve").returncode)
    assert set(codes) <= {0, 5}, codes
    assert codes[-1] == 0
    box.faults.clear()
    assert story.live(own_desk.workspace) == story.declared(CONTACTS)
    own_desk.workspace.forget()
    own_desk.ends(0, "apply", manifest, "--auto-approve")
    assert own_desk.workspace.writes == []
    own_desk.ends(0, "plan", manifest, "--detailed-exitcode")
