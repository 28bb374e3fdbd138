"""A difference that nobody can see is written out on both sides, in every report; one that can be seen stays readable."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.report import RENDERERS
from tests.unit.report.plans import a_change, a_field, a_plan

NFC, NFD = "Caf\u00e9", "Cafe\u0301"
INVISIBLE: tuple[tuple[Any, Any, str, str], ...] = (
    ("Blue Sun", "Blue\u00a0Sun", "Blue Sun", "Blue\\u00a0Sun"),
    (NFC, NFD, "Caf\\u00e9", "Cafe\\u0301"),
    (f"{NFC} a", f"{NFD} A", "Caf\\u00e9 a", "Cafe\\u0301 A"),
    ("a\u2009b", "a\u3000b", "a\\u2009b", "a\\u3000b"),
    ("a\u115fb", "a b", "a\\u115fb", "a b"),
    ("\ufb01x", "fix", "\\ufb01x", "fix"),
    ("\u0130stanbul", "I\u0307stanbul", "\\u0130stanbul", "I\\u0307stanbul"),
    (["x", NFC], ["x", NFD], "Caf\\u00e9", "Cafe\\u0301"),
    ("\U0001f331 a", "\U0001f331\ufe0f a", "\\ud83c\\udf31 a", "\\ud83c\\udf31\\ufe0f a"),
)
VISIBLE = ((NFC, "Tee"), (NFC, NFC.upper()), (NFC, None), (None, NFD), ("a\u00a0b", "c"), ("", NFC), (f"{NFC} 1", f"{NFC} 2"))


@pytest.mark.parametrize("form", RENDERERS)
@pytest.mark.parametrize(("before", "after", "left", "right"), INVISIBLE)
def test_what_nobody_can_see_is_written_out_on_both_sides(form: str, before: Any, after: Any, left: str, right: str) -> None:
    page = RENDERERS[form](a_plan(a_change("update", "company/6", a_field("name", before, after))))
    assert page.index(left) < page.rindex(right)
    assert not any(text in page for text in (before, after) if isinstance(text, str) and not text.isascii())


@pytest.mark.parametrize("form", RENDERERS)
@pytest.mark.parametrize(("before", "after"), VISIBLE)
def test_what_can_be_seen_stays_readable(form: str, before: Any, after: Any) -> None:
    page = RENDERERS[form](a_plan(a_change("update", "company/6", a_field("name", before, after))))
    assert all(text in page for text in (before, after) if text)


def test_json_keeps_the_values() -> None:
    plan = a_plan(*(a_change("update", f"company/{n}", a_field("name", *case[:2])) for n, case in enumerate(INVISIBLE)))
    assert json.loads(RENDERERS["json"](plan)) == plan
