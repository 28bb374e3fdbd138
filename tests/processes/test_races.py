"""A hundred races for one ledger in a folder: two that apply at the same moment, each with a client and a ledger of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from reconciler.core.model.desired import Manifest
from reconciler.core.model.past import Run
from reconciler.ledger.ledger import Ledger
from reconciler.sandbox.app import Sandbox
from tests.desk.soak import times
from tests.processes.oracle import assert_ledger_equals_live, assert_once, assert_runs, deeds, live_in
from tests.processes.racing import Ended, Side, race, read

SEED = {
    "tags": ["theirs"],
    "companies": [{"company_id": "1", "name": "Theirs", "tags": ["theirs"]}],
    "contacts": [{"external_id": "0", "name": "Inara", "tags": ["theirs"], "companies": ["1"]}],
}
HEAD = "name: growth\nworkspace: {app_id: sandbox1, region: us}\n"
BEGUN = """
tags: [vip, trial, beta]
companies: [{company_id: "6", name: Blue, tags: [vip]}]
contacts:
  - {external_id: "0", tags: [vip]}
  - {external_id: "1", missing: create, name: Wash, tags: [vip, trial], companies: ["6"]}
  - {external_id: "2", missing: create, tags: [vip]}
"""
ONE = """
tags: [shared, one]
companies: [{company_id: "7"}]
contacts: [{external_id: "3", missing: create, tags: [shared, one], companies: ["7"]}]
"""
OTHER = """
tags: [shared, other]
contacts: [{external_id: "4", missing: create, tags: [shared, other]}]
"""
CHANGED = """
tags: [vip, trial, {name: beta-2026, renamed_from: beta}]
companies: [{company_id: "6", name: Blue Sun, tags: [trial]}]
contacts:
  - {external_id: "0", tags: [vip]}
  - {external_id: "1", name: Wash, tags: [vip], companies: ["6"]}
  - {external_id: "2", name: Zoe, tags: [vip, trial]}
"""
AGAINST = CHANGED.replace("Blue Sun", "Red Sun").replace("trial, {", "red, trial, {")
AGAIN = CHANGED.replace("Blue Sun", "Black Sun").replace("trial, {", "black, trial, {")
PRUNED = """
policy: {prune: {tags: owned}}
tags: [vip, {name: beta-2026, renamed_from: beta}]
companies: [{company_id: "6", name: Blue Sun, tags: []}]
contacts:
  - {external_id: "0", tags: []}
  - {external_id: "1", name: Wash, tags: [vip], companies: ["6"]}
  - {external_id: "2", name: Zoe, tags: [vip]}
"""
# What both apply, and how the later one ends if he waits: 4 where the first made of the same thing something else.
ROUNDS = (
    (("m.yaml", BEGUN), ("m.yaml", BEGUN), 0),
    (("one.yaml", ONE), ("other.yaml", OTHER), 0),
    (("m.yaml", CHANGED), ("m.yaml", CHANGED), 0),
    (("m.yaml", AGAINST), ("m.yaml", AGAIN), 4),
    (("m.yaml", PRUNED), ("m.yaml", PRUNED), 0),
)
# Four turns of who waits and who holds, twice.
WORLDS = times(4)


@dataclass
class Shared:
    """One workspace, and one folder with the ledger of both."""

    box: Sandbox
    folder: Path
    stack: ExitStack

    def opens(self, create: bool) -> Ledger | None:
        return Ledger.open(self.folder / ".reconciler", create=create)

    def side(self, who: str) -> Side:
        return Side(who, self.box, self.opens, self.stack)

    @cached_property
    def ledger(self) -> Ledger:
        """As somebody sees it who only looks."""
        ledger = self.opens(False)
        assert ledger
        return self.stack.enter_context(ledger)

    def runs(self) -> list[Run]:
        return self.ledger.runs() if (self.folder / ".reconciler" / "ledger.db").exists() else []

    def writes(self) -> Counter[tuple[str, ...]]:
        """What was written since the last look."""
        counts = deeds(record.as_json() for record in self.box.writes)
        self.box.forget_requests()
        return counts


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Shared]:
    with Sandbox() as box, ExitStack() as stack:
        box.seed(SEED)
        yield Shared(box, tmp_path, stack)


@pytest.mark.parametrize("number", range(WORLDS))
def test_of_two_that_apply_together_one_works_and_the_ledger_never_lies(shared: Shared, number: int) -> None:
    before, sides = live_in(shared.box), (shared.side("wash on serenity"), shared.side("zoe on serenity"))
    for turn, (first, second, later) in enumerate(ROUNDS):
        timeout, held = ((0.0, True), (60.0, True), (0.0, False), (60.0, False))[(number + turn) % 4]
        manifests = read(shared.folder, first[0], HEAD + first[1]), read(shared.folder, second[0], HEAD + second[1])
        earlier = shared.runs()
        ends = race(sides, manifests, timeout, held=held)
        _check_ends(sides, ends, {later} if timeout else {6} if held else {6, later})
        written = shared.writes()
        assert_once(written)
        assert sum(written.values()) == sum(len(end.outcomes) for end in ends) > 0
        assert_runs(shared.ledger, earlier, {s.who: len(end.outcomes) for s, end in zip(sides, ends, strict=True) if end.code == 0})
        assert_ledger_equals_live(shared.ledger.read_recorded("sandbox1", "growth"), before, live_in(shared.box))
        _check_again(sides, ends, manifests)
        assert_once(shared.writes())
        assert_ledger_equals_live(shared.ledger.read_recorded("sandbox1", "growth"), before, live_in(shared.box))


def _check_ends(sides: tuple[Side, Side], ends: tuple[Ended, Ended], later: set[int]) -> None:
    """One went through; the other ended like this, and if he met the lock he was told whose it is."""
    (winner, loser) = (0, 1) if ends[1].code else (1, 0)
    assert ends[winner].code == 0, ends
    assert ends[loser].code in later, ends
    if ends[loser].code == 6:
        # Between taking the lock and writing his name down a holder is nameless.
        assert ends[loser].said.startswith((sides[winner].who, "another run"))
        assert "holds the lock of this ledger" in ends[loser].said
    assert ends[loser].code == 0 or ends[loser].outcomes == []


def _check_again(sides: tuple[Side, Side], ends: tuple[Ended, Ended], manifests: tuple[Manifest, Manifest]) -> None:
    """Whoever did not get to it applies again; then nothing is left to do of what was applied last, nor of what it left in peace."""
    last = manifests[0]
    for side, end, manifest in zip(sides, ends, manifests, strict=True):
        if end.code:
            again, last = side.apply(manifest), manifest
            assert again.code == 0, again
    against = manifests[0].files == manifests[1].files and manifests[0].digest != manifests[1].digest
    for manifest in (last,) if against or manifests[0].digest == manifests[1].digest else manifests:
        assert sides[0].planned(manifest).plan.steps == ()
