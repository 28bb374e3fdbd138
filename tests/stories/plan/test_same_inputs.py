"""The same inputs give the same plan, whatever their order and their line ends."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
import pytest
from reconciler.core.model.address import Address
from reconciler.core.model.privacy import shown
from reconciler.core.plan.document import document
from reconciler.core.plan.saved import saved
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.plan.scope import Scope
from reconciler.errors import Invalid, ReconcilerError, Refused, Stale
from reconciler.workflow.lookup import raw_request
from reconciler.workflow.planfile import applicable, read_plan, save
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes, lines
from tests.stories.plan.test_scope import SCOPED
from tests.stories.plan.test_scope import SCOPED_LIVE


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
