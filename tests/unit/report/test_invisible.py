"""A difference that nobody can see is written out on both sides, in every report; one that can be seen stays readable."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.report import RENDERERS
from reconciler.report.annotations import annotation
from reconciler.report.outcomes import Outcome, outcome_line
from tests.desk.desk import Desk
from tests.unit.report.plans import a_change, a_field, a_note, a_plan

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


NAMES = (
    ("VIP\u00a0client", "VIP\\u00a0client"),
    (NFD, "Cafe\\u0301"),
    ("a\u3000b", "a\\u3000b"),
    ("a\u115fb", "a\\u115fb"),
    ("\u1112\u1161\u11ab", "\u1112\\u1161\\u11ab"),
    ("\u212bre", "\\u212bre"),
    ("a\u200db", "a\\u200db"),
    ("\U0001f331\ufe0f VIP\ufe0f", "\U0001f331\\ufe0f VIP\\ufe0f"),
)


@pytest.mark.parametrize("form", sorted({*RENDERERS} - {"json"}))
@pytest.mark.parametrize(("name", "shown"), NAMES)
def test_an_address_shows_what_nobody_can_see_in_it(form: str, name: str, shown: str) -> None:
    links = [a_change("detach", f"contact/{n}", target=f"tag/{name}") for n in range(5)]
    note, refusal = a_note("undeclared", f"tag/{name}", f"'{name}' stays"), {"gate": "twins", "message": f"tag/{name} is live twice"}
    plan = a_plan(a_change("delete", f"tag/{name}"), *links[:1], *links, notes=[note], refused=[refusal])
    page = RENDERERS[form](plan)
    assert f"tag/{shown}" in page
    assert name not in page


@pytest.mark.parametrize("form", RENDERERS)
@pytest.mark.parametrize("name", [NFC, "\u0130stanbul", "\ud55c\uad6d", "\U0001f331 a", "\u2764\ufe0f\u200d\U0001f525 VIP", "VIP client"])
def test_an_address_stays_readable_where_all_of_it_can_be_seen(form: str, name: str) -> None:
    assert f"tag/{name}" in RENDERERS[form](a_plan(a_change("delete", f"tag/{name}")))


def test_an_address_in_json_can_be_pasted_back() -> None:
    names = [f"tag/{name}" for name, _ in NAMES]
    page = RENDERERS["json"](a_plan(*(a_change("delete", name) for name in names)))
    assert all(name in page for name in names)


@pytest.mark.parametrize(("name", "shown"), NAMES)
def test_an_address_shows_what_nobody_can_see_in_it_as_it_is_applied(name: str, shown: str) -> None:
    line = outcome_line(Outcome("attach", "contact/25", f"tag/{name}", "failed", f"'{name}' is gone"))
    assert f"tag/{shown}" in line
    assert name not in line
    assert f"'{shown}' is gone" in annotation(f"'{name}' is gone", None)


def test_an_address_shows_what_nobody_can_see_in_it_to_whoever_asks_for_it(desk: Desk) -> None:
    desk.seed(tags=["VIP\u00a0client", "VIP client"])
    m = {"tags": ["VIP client", {"name": "VIP\u00a0client", "state": "absent"}]}
    assert desk("explain", "tag/VIP\u00a0client", "m.yaml", m=m) == 0, desk.err
    assert "tag/VIP\\u00a0client" in desk.out
    assert "tag/VIP\u00a0client" not in desk.out
    assert desk("explain", "tag/no\u00a0one", "m.yaml") == 1
    assert "tag/no\\u00a0one" in desk.err
    assert desk("apply", "m.yaml", "--auto-approve") == 0, desk.err
    assert "\u00a0" not in desk.out + desk.err
    assert desk("drift", "m.yaml") == 0, desk.err
    assert "\u00a0" not in desk.out + desk.err


def test_a_value_that_moved_is_written_out_where_nobody_can_see_how(desk: Desk) -> None:
    desk.seed(companies=[{"company_id": "6", "name": "Blue Sun"}])
    m = {"companies": [{"company_id": "6", "name": "Blue Sun"}]}
    assert desk("apply", "m.yaml", "--auto-approve", m=m) == 0, desk.err
    (company,) = desk.box.ws.store.table("company").docs.values()
    desk.box.ws.store.put("company", {**company, "name": "Blue\u00a0Sun"})
    for form in ("text", "markdown", "html"):
        assert desk("drift", "m.yaml", "--format", form) == 2, desk.err
        assert "Blue\\u00a0Sun" in desk.out
        assert "\u00a0" not in desk.out
    assert desk("explain", "company/6", "m.yaml") == 0, desk.err
    assert "Blue\\u00a0Sun" in desk.out
    assert "\u00a0" not in desk.out
