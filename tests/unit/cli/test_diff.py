"""`diff A B`: two plans, two exports, two runs."""

from __future__ import annotations

import json
import re

import pytest

from tests.desk.desk import Desk

FIRST = "name: growth\ntags: [vip, trial]\ncompanies: [{company_id: '6', name: Blue Sun, size: 7}]\n"
SECOND = "name: growth\ntags: [vip, gold]\ncompanies: [{company_id: '6', name: Blue Sun, size: 8}]\n"


@pytest.fixture
def plans(desk: Desk) -> Desk:
    """The plans of two manifests, each saved and as JSON."""
    desk.seed(companies=[{"company_id": "6", "name": "Sun", "size": 5}])
    for name, text in {"a": FIRST, "b": SECOND}.items():
        desk.write("m.yaml", text)
        assert desk("plan", "m.yaml", "-o", f"{name}.json", "--report", f"json={name}.look.json") == 0
    return desk


def test_plans_with_values_are_held_side_by_side(plans: Desk) -> None:
    assert plans("diff", "a.look.json", "b.look.json") == 2
    assert plans.out == (
        "- create tag/trial\n~ update company/6\n    size: 5 → 7 | 5 → 8\n+ create tag/gold\n"
        "3 differences: 1 only in the first, 1 only in the second, 1 in both.\n"
    )


def test_a_saved_plan_holds_no_values_so_its_manifest_counts(plans: Desk) -> None:
    assert plans("diff", "a.json", "b.look.json", "--format", "json") == 2
    document = json.loads(plans.out)
    assert document["same"] is False
    assert [(row["action"], row["address"], row["only"], [p["path"] for p in row["parts"]]) for row in document["differences"]] == [
        ("plan", "as a whole", None, ["digest of the manifest"]),
        ("create", "tag/trial", "a", []),
        ("create", "tag/gold", "b", []),
    ]


def test_what_is_the_same_ends_with_0(plans: Desk) -> None:
    assert plans("plan", "m.yaml", "-o", "again.json") == 0
    for a, b in (("b.json", "again.json"), ("b.json", "b.look.json"), ("m.yaml", "m.yaml")):
        assert (plans("diff", a, b), plans.out) == (0, "No differences.\n")
    assert (plans("diff", "m.yaml", "m.yaml", "--format", "json"), json.loads(plans.out)) == (0, {"same": True, "differences": []})


def test_exports_are_held_side_by_side_and_personal_values_stay_masked(desk: Desk) -> None:
    mail, name, phone = "kaylee@serenity.example", "Kaylee Frye", "+15551234567"
    contact = f"{{email: {mail}, name: {name}, phone: '{phone}', custom_attributes: {{seats: 2}}, tags: [vip]}}"
    one = f"contacts: [{contact}]\ntags: [vip, gold]\n"
    other = one.replace(name, "Kaylee Tam").replace("seats: 2", "seats: 3").replace("tags: [vip]}", "tags: [vip, gold]}")
    desk.write("old/a.yaml", one)
    desk.write("new/a.yaml", other)
    assert desk("diff", "old", "new") == 2
    assert desk.out.splitlines() == [
        "~ entry contact/k***@serenity.example#4ead0c30",
        "    name: changed (hidden)",
        '    custom_attributes: {"seats": "2"} | {"seats": "3"}; added seats: "3"; removed seats: "2"',
        '    tags: ["tag/vip"] | ["tag/gold", "tag/vip"]; added "tag/gold"',
        "1 difference: 0 only in the first, 0 only in the second, 1 in both.",
    ]
    for form in ("text", "json"):
        desk("diff", "old", "new", "--format", form)
        for secret in (mail, name, "Kaylee Tam", phone):
            assert secret not in desk.out + desk.err


def test_two_emails_whose_masks_read_alike_are_told_apart(desk: Desk) -> None:
    for folder, mail in (("old", "one@serenity.example"), ("new", "other@serenity.example")):
        desk.write(f"{folder}/a.yaml", f"contacts: [{{external_id: '25', email: {mail}}}]\n")
    assert desk("diff", "old", "new") == 2
    assert len(set(re.findall(r"o\*\*\*@serenity\.example#[0-9a-f]{8}", desk.out))) == 2


def test_runs_are_held_side_by_side(desk: Desk) -> None:
    for text in (FIRST, SECOND):
        assert desk("apply", "m.yaml", "--auto-approve", m=text) in (0, 5)
    second, first = (run["run"] for run in desk.json("history"))
    assert desk("diff", first, second) == 2
    assert "- create tag/trial\n" in desk.out
    assert "+ create tag/gold\n" in desk.out
    assert desk("diff", first, first) == 0


@pytest.mark.parametrize(
    ("a", "b", "code", "text"),
    [
        ("m.yaml", "20261125T030213335-0f9e8d7c", 64, "give two of one sort"),
        ("one", "other", 64, "no such file"),
        ("gone.json", "gone.json", 65, "cannot be read"),
    ],
)
def test_what_cannot_be_compared_is_said(desk: Desk, a: str, b: str, code: int, text: str) -> None:
    assert desk("diff", a, b, m="tags: [vip]\n") == code
    assert text in desk.err
