"""kill -9 between calls of a saved plan, then the same file again: it finishes, and the third time there is nothing to do.

Before and after each call, in one process: `tests/stories/plan/test_saved_plans.py`.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.desk.driving import Box, Doc, Shell
from tests.desk.soak import only_in_soak
from tests.processes.story import ids, told

SEED: Doc = {
    "tags": ["Beta", "old"],
    "companies": [{"company_id": "6", "name": "Blue"}],
    "contacts": [{"external_id": "1", "tags": ["old"]}, {"external_id": "2", "name": "Wash"}],
}
MANIFEST = """
tags: [vip, {name: beta-2026, renamed_from: Beta}, {name: old, state: absent}]
companies: [{company_id: "6", name: Blue Sun, tags: [vip]}, {company_id: "7"}]
contacts:
  - {external_id: "1", companies: ["7"], tags: [vip]}
  - {external_id: "2", name: Hoban, tags: [vip, beta-2026]}
  - {external_id: "3", missing: create, tags: [vip]}
"""
# Two tags, two companies, two contacts; a company's tag, a company, three people to one tag at once, one to the other; one deletion.
CALLS = 11


def planned(shell: Shell) -> dict[str, str]:
    shell.box.start(SEED)
    shell.write("m.yaml", MANIFEST)
    assert shell.run("plan", "m.yaml", "-o", "plan.json").code == 0
    shell.box.forget()
    return ids(shell.box)


@pytest.fixture(scope="session")
def undisturbed(box: Box, tmp_path_factory: pytest.TempPathFactory) -> Counter[str]:
    shell = Shell(tmp_path_factory.mktemp("every"), box)
    before = planned(shell)
    assert shell.run("apply", "plan.json").code == 0
    counts = told(box, box.writes(), before)
    assert sum(counts.values()) == CALLS
    return counts


# In the midst of tags and of people, and just before the end; the soak kills between the others too.
NUMBERS = [pytest.param(number, marks=only_in_soak if number in (3, 7) else ()) for number in range(1, CALLS, 2)]


@pytest.mark.parametrize("number", NUMBERS)
def test_killed_between_calls_the_same_file_finishes(shell: Shell, undisturbed: Counter[str], number: int) -> None:
    before = planned(shell)
    shell.kill(number, "apply", "plan.json", delay=0.02)
    assert shell.run("apply", "plan.json").code == 0
    assert told(shell.box, shell.box.writes(), before) == undisturbed
    shell.box.forget()
    assert shell.run("apply", "plan.json").code == 0
    assert shell.box.writes() == []
