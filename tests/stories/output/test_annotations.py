"""On GitHub what is wrong stands at its line in the change request; elsewhere nothing of the kind is printed."""

from __future__ import annotations

import string

import pytest

from reconciler.errors import Mark
from reconciler.report.annotations import annotation
from tests.desk.desk import Desk

TWO = "policy: {limits: {deletes: 0}}\ntags:\n  - {name: vip, state: absent}\n  - {name: old, state: absent}\n"


@pytest.fixture
def github(desk: Desk) -> Desk:
    desk.patch.setenv("GITHUB_ACTIONS", "true")
    desk.seed(tags=["vip", "old"], contacts=[{"external_id": "25"}])
    return desk


def list_annotations(desk: Desk) -> list[str]:
    return [line for line in (desk.out + desk.err).splitlines() if line.startswith("::")]


@pytest.mark.parametrize("value", [None, "", "false"])
def test_elsewhere_there_are_none(value: str | None, desk: Desk) -> None:
    if value is not None:
        desk.patch.setenv("GITHUB_ACTIONS", value)
    desk.seed(tags=["vip", "old"])
    assert desk.plan(m=TWO) == 3
    assert desk("validate", "m.yaml", m="tags:\n") == 65
    assert "::" not in desk.out + desk.err


def test_a_refusal_stands_at_the_first_change_that_it_stops(github: Desk) -> None:
    assert github.plan(m=TWO) == 3
    [line] = list_annotations(github)
    assert line.startswith("::error file=m.yaml,line=4::limits.deletes: 2 tags")
    assert line in github.err.splitlines()


@pytest.mark.parametrize("verb", [("validate",), ("plan",), ("apply", "--auto-approve")])
def test_every_mistake_stands_at_its_line(verb: tuple[str, ...], github: Desk) -> None:
    assert github(verb[0], "m.yaml", *verb[1:], m="tags: [vip]\ncontacts:\n  - {external_id: '25', nmae: x}\n  - {tags: [vpi]}\n") == 65
    lines = list_annotations(github)
    assert [line.partition("::")[2].partition("::")[0] for line in lines] == ["error file=m.yaml,line=3", "error file=m.yaml,line=4"]
    assert "did you mean name?" in lines[0]


def test_a_refused_apply_has_no_line_and_is_told_all_the_same(github: Desk) -> None:
    github.plan(m=TWO)
    assert github("apply", "plan.json") == 3
    assert [line[:9] for line in list_annotations(github)] == ["::error::"]


def test_an_unexplained_change_stands_at_its_line(github: Desk) -> None:
    text = "policy: {links: exact}\ntags: [vip, {name: old}]\ncontacts:\n  - {external_id: '25', tags: [vip]}\n"
    github.commit(m=text)
    github.seed(contacts=[{"external_id": "25", "tags": ["vip", "old"]}])
    assert github.plan("--base", "HEAD", "--fail-on", "unexplained") == 3
    assert list_annotations(github) == ["::error file=m.yaml,line=4::unexplained: nothing that was written says this"]
    line = "error: --fail-on unexplained: 1 change follows from nothing that was written; `reconciler drift` says what moved"
    assert line in github.err.splitlines()
    assert github.plan("--base", "HEAD") == 2
    assert list_annotations(github) == []


def test_ten_are_enough(github: Desk) -> None:
    attributes = [{"name": name, "model": "contact", "data_type": "integer"} for name in string.ascii_lowercase]
    contact = {"external_id": "25", "custom_attributes": dict.fromkeys(string.ascii_lowercase, "x")}
    assert github("validate", "m.yaml", m={"attributes": attributes, "contacts": [contact]}) == 65
    assert len(list_annotations(github)) == 10


def test_one_mistake_in_many_places_is_one(github: Desk) -> None:
    assert github("validate", "m.yaml", m="contacts:\n" + "  - {external_id: '1', emial: x}\n" * 50) == 65
    assert list_annotations(github) == [
        "::error file=m.yaml,line=2::unknown key 'emial'; did you mean email? (in 50 places, also at m.yaml:3:24, m.yaml:4:24)"
    ]


def test_no_name_of_a_file_or_a_thing_can_add_a_command(github: Desk) -> None:
    name = "a%0A::warning::b,line=9:c.yaml"
    evil = 'tags: [{name: "x%0A::error::y##[error]z", state: absent}]\n'
    github.seed(tags=["x%0A::error::y##[error]z"])
    github.write(name, "policy: {limits: {deletes: 0}}\n" + evil)
    assert github("plan", name) == 0
    [line] = list_annotations(github)
    assert line.startswith("::error file=a%250A%3A%3Awarning%3A%3Ab%2Cline=9%3Ac.yaml,line=2::")
    assert "##[" not in github.out + github.err


def test_addresses_in_them_are_masked(github: Desk) -> None:
    text = "policy: {missing_contacts: error}\ncontacts:\n  - {email: wash.hoban@serenity.example}\n"
    assert github.plan(m=text) == 3
    assert github("validate", "m.yaml", m="contacts:\n  - {email: wash.hoban@serenity.example}\n" * 1 + "tags: [x, X]\n") == 65
    text += "  - {email: WASH.hoban@serenity.example}\n"
    assert github("validate", "m.yaml", m=text) == 65
    assert list_annotations(github)
    assert "hoban" not in (github.out + github.err).lower()


def test_what_a_message_quotes_is_harmless() -> None:
    line = annotation("\x1b[31mred##[group]x\nsecond %0A wash@serenity.example", Mark("a.yaml", 3, 1))
    assert line == "::error file=a.yaml,line=3::\\x1b[31mred#\\#[group]x%0Asecond %250A w***@serenity.example"


def test_the_name_of_a_file_is_as_harmless_as_everything_else() -> None:
    line = annotation("wrong", Mark("a\x1b[2J\u202e,b:c\n::error ##[group].yaml", 3))
    assert line == r"::error file=a\x1b[2J\u202e%2Cb%3Ac\n%3A%3Aerror #\#[group].yaml,line=3::wrong"


@pytest.mark.parametrize(
    ("entry", "gate"),
    [
        ("{external_id: '9', custom_attributes: {nobody: 1}}", "attribute"),
        ("{external_id: '77', missing: error}", "missing"),
        ("{email: twin@serenity.example, name: T}", "identity"),
    ],
)
def test_a_refusal_that_is_about_an_entry_stands_at_its_line(entry: str, gate: str, desk: Desk) -> None:
    twin = {"email": "twin@serenity.example", "role": "lead"}
    desk.seed(contacts=[{"external_id": "9"}, twin, twin])
    desk.patch.setenv("GITHUB_ACTIONS", "true")
    assert desk("plan", "m.yaml", m=f"tags: []\ncontacts:\n  - {entry}\n") == 0
    assert f"::error file=m.yaml,line=3::{gate}: m.yaml:3:5: " in desk.err
