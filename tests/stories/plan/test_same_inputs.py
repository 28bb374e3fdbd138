"""The same inputs give the same plan, whatever their order and their line ends."""

from __future__ import annotations

import json
import random

from tests.conftest import MakeRoute
from tests.desk.route import lines
from tests.stories.plan.test_scope import SCOPED, SCOPED_LIVE


def test_a_plan_does_not_depend_on_the_order_of_files_and_entries(route: MakeRoute) -> None:
    told = route({"tags": ["trial", "x"], "contacts": [{"external_id": "1", "tags": ["x"]}, {"external_id": "2"}]})
    entries = {
        "tags": ["vip", "{name: beta, renamed_from: trial}", "x", "'10'", "'9'"],
        "companies": ["{company_id: '6', tags: [x, vip]}", "{company_id: '10', name: T, size: 3}"],
        "contacts": ["{external_id: '1', name: A, tags: [vip, beta], companies: ['6', '10']}", "{external_id: '2', tags: [vip]}"],
    }
    shuffled = random.Random(3)
    seen = set()
    for _ in range(6):
        parts = [f"{section}: [{', '.join(shuffled.sample(items, len(items)))}]\n" for section, items in entries.items()]
        files = [told.manifest(part, f"{n}.yaml") for n, part in enumerate(shuffled.sample(parts, len(parts)))]
        found = told.document(*shuffled.sample(files, len(files)))
        seen.add(json.dumps([lines(found), found["manifest"]["digest"], found["summary"], found["cost"]]))
    assert len(seen) == 1


def test_the_same_inputs_give_the_same_bytes(route: MakeRoute) -> None:
    told = route(SCOPED_LIVE)
    manifest = told.manifest(SCOPED)
    assert len({json.dumps(told.document(manifest)) for _ in range(3)}) == 1


def test_line_ends_comments_and_a_byte_order_mark_do_not_count(route: MakeRoute) -> None:
    told = route(SCOPED_LIVE)
    before = told.saved(told.manifest(SCOPED))
    told.manifest("\ufeff# hello\r\n" + SCOPED.replace("\n", "\r\n"))
    assert {outcome.status for outcome in told.apply(before)} == {"applied"}
