"""The JSON report: the document itself, safe to print."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.report import RENDERERS
from reconciler.report.json import render
from tests.unit.report.plans import a_change, a_field, a_plan

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8)
# The last two planes hold characters whose escape takes a pair.
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))


@given(VALUES, VALUES)
def test_values_come_back_as_they_were(before: Any, after: Any) -> None:
    plan = a_plan(a_change("update", "company/6", a_field("plan", before, after)))
    assert json.loads(render(plan)) == plan


@given(ANY_TEXT)
def test_no_character_reaches_the_terminal_as_an_order(name: str) -> None:
    text = render(a_plan(a_change("create", f"tag/{name}")))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029\ud800-\udfff]|##\\[", text)
    text.encode("utf-8")


def test_what_is_harmless_stays_readable() -> None:
    assert '"address": "tag/\U0001f331Caf\u00e9"' in render(a_plan(a_change("create", "tag/\U0001f331Caf\u00e9")))


def test_a_runner_command_survives_as_a_value_only() -> None:
    plan = a_plan(a_change("create", "tag/##[add-mask]x\\##vso[y]"))
    assert "##" not in render(plan)
    assert json.loads(render(plan)) == plan


def test_keys_keep_their_order_and_integers_their_digits() -> None:
    text = render(a_plan(a_change("update", "company/6", a_field("size", 2**70, -(2**64)))))
    assert f'"before": {2**70},\n' in text
    assert re.findall(r'^  "(\w+)"', text, re.MULTILINE)[:4] == ["format_version", "workspace", "manifest", "partial"]
    assert text.endswith("\n}\n")


def test_the_table_of_formats_renders_a_document() -> None:
    assert [name for name, renderer in RENDERERS.items() if renderer(a_plan()).endswith("\n")] == ["text", "json", "markdown", "html"]
