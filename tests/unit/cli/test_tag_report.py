"""tag report: how often each tag is used and by whom, and what is amiss with it, in four formats."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import pytest

from reconciler.core.compare.inventory import find_alike
from tests.desk.desk import Desk

LIVE = {
    "tags": ["vip", "V.I.P.", "Beta", "trial", "=cmd|' /C calc'!A0", "\uff1d1+1", "unused"],
    "companies": [{"company_id": "6", "tags": ["vip"]}],
    "contacts": [{"external_id": "1", "companies": ["6"], "tags": ["vip", "Beta"]}, {"external_id": "2", "tags": ["Beta", "trial"]}],
}
MANIFEST = """\
tags:
  - {name: VIP, renamed_from: V.I.P.}
  - {name: beta-2026, renamed_from: Beta}
  - {name: trial, state: absent}
  - unused
  - {name: new}
  - {name: gone, state: absent}
"""
EXPECTED = """\
tag                 id   contacts  companies  conversations  content items  last applied               amiss
=cmd|' /C calc'!A0  105  0         0+         0              0                                         undeclared; dead
unused              107  0         0+         0              0                                         dead
V.I.P.              102  0         0+         0              0                                         undeclared; dead; like vip
vip                 101  1         1+         0              0              2026-11-24 by Ciaran1 Lee  to be renamed; like V.I.P.
＝1+1               106  0         0+         0              0                                         undeclared; dead
Beta                103  2         0+         0              0              2026-11-24 by Ciaran1 Lee  to be renamed
new                      -         -          -              -                                         not live
trial               104  1         0+         0              0              2026-11-24 by Ciaran1 Lee  to be deleted

8 tags: 4 dead, 2 like another, 1 declared, 3 undeclared, 1 to be deleted, 1 not live, 2 to be renamed
"""


@pytest.fixture
def workspace() -> Mapping[str, Any]:
    return {"now": lambda: 1795478400.0}


@pytest.fixture
def used(desk: Desk) -> Desk:
    desk.seed(**LIVE)
    desk.write("m.yaml", MANIFEST)
    return desk


def test_every_tag_is_counted_and_held_against_the_manifest(used: Desk) -> None:
    assert used("tag", "report") == 0, used.err
    assert used.out == EXPECTED
    assert used.writes == []


def test_without_a_manifest_nothing_is_said_of_what_is_declared(used: Desk) -> None:
    (used.folder / "m.yaml").unlink()
    assert used("tag", "report") == 0
    assert "declared" not in used.out
    assert used.err.splitlines()[-1] == "there is no manifest here: nothing is said of what is declared; --in PATH names one"


def test_the_csv_holds_no_formula(used: Desk) -> None:
    assert used("tag", "report", "--format", "csv") == 0
    header, *rows = csv.reader(io.StringIO(used.out))
    assert header == ["tag", "id", "manifest", "declared at", "contacts", "companies (at least)", "conversations", "content items",
                      "last applied", "by", "dead", "like"]  # fmt: skip
    cells = {row[0]: row[1:] for row in rows}
    assert [name for name in cells if "1+1" in name or "cmd" in name] == ["'=cmd|' /C calc'!A0", "'\uff1d1+1"]
    assert cells["vip"] == ["101", "to be renamed", "m.yaml:2:5", "1", "1", "0", "0", "2026-11-24T00:00:00Z", "Ciaran1 Lee", "", "V.I.P."]
    assert cells["new"] == ["", "not live", "m.yaml:6:5", *[""] * 8]


@pytest.mark.parametrize("name", ["=1", "+1", "-1", "@SUM(1)", " =1", "|calc", "%0", "\uff0b1", "\u00a0=1", "::error::x", " ::x"])
def test_no_name_is_a_formula(desk: Desk, name: str) -> None:
    desk.seed(tags=[name])
    assert desk("tag", "report", "--format", "csv") == 0
    assert list(csv.reader(io.StringIO(desk.out)))[1][0] == f"'{name}"


def test_blanks_at_the_ends_of_a_name_are_seen(desk: Desk) -> None:
    desk.seed(tags=["Beta", {"name": "Beta ", "id": "9"}])
    assert desk("tag", "report") == 0
    assert [line.split("  ")[0] for line in desk.out.splitlines()[1:3]] == ["Beta", "Beta␠"]
    assert "like Beta␠\n" in desk.out
    assert desk("tag", "report", "--format", "html") == 0
    assert "<code>Beta␠</code>" in desk.out
    assert [tag["name"] for tag in desk.json("tag", "report")["tags"]] == ["Beta", "Beta "]


@pytest.mark.parametrize(
    ("live", "declared", "standing"),
    [
        (["VIP"], "[vip]", {"VIP": "to be renamed"}),
        (["vip"], "[vip]", {"vip": "declared"}),
        # The plan refuses twins, and renames none of them.
        (["VIP", {"name": "vip", "id": "9"}], "[vip]", {"VIP": "declared", "vip": "declared"}),
        ([{"name": "vip", "id": "9"}], '[{id: "9"}]', {"vip": "declared"}),
        ([{"name": "vip", "id": "9"}], '[{id: "9", name: gold}]', {"vip": "to be renamed"}),
        (["VIP"], "[{name: vip, state: absent}]", {"VIP": "undeclared"}),
        (["vip"], "[{name: vip, state: absent}]", {"vip": "to be deleted"}),
        # One letter, written in two forms of Unicode.
        (["caf\u00e9"], "[cafe\u0301]", {"caf\u00e9": "declared"}),
    ],
)
def test_what_the_plan_renames_is_to_be_renamed(live: list[Any], declared: str, standing: dict[str, str], desk: Desk) -> None:
    desk.seed(tags=live)
    desk.write("m.yaml", f"tags: {declared}\n")
    assert {tag["name"]: tag["manifest"] for tag in desk.json("tag", "report")["tags"]} == standing


@pytest.mark.parametrize("form", ["text", "csv", "json", "html"])
def test_a_name_that_is_an_email_is_masked(form: str, desk: Desk) -> None:
    desk.seed(tags=["zoe@serenity.example", "zane@serenity.example", "from mal@serenity.example"])
    desk.write("m.yaml", "tags: ['ZOE@serenity.example']\n")
    assert desk("tag", "report", "--format", form) == 0
    for name in ("zoe", "zane", "mal"):
        assert f"{name}@" not in desk.out.lower()
    # Two that read alike are told apart.
    assert len(set(re.findall(r"z\*\*\*@serenity\.example#[0-9a-f]{8}", desk.out))) == 2
    assert "from m***@serenity.example" in desk.out


def test_programs_read_json(used: Desk) -> None:
    document = used.json("tag", "report", "--in", "m.yaml")
    assert {name: document[name] for name in ("format_version", "app_id", "not_counted")} == {
        "format_version": "1.0", "app_id": "sandbox1", "not_counted": ["tickets", "workflows", "series", "views", "macros"],
    }  # fmt: skip
    assert next(tag for tag in document["tags"] if tag["name"] == "Beta") == {
        "name": "Beta",
        "id": "103",
        "manifest": "to be renamed",
        "source": {"file": "m.yaml", "line": 3},
        "uses": [
            {"where": "contacts", "number": 2, "at_least": False},
            {"where": "companies", "number": 0, "at_least": True},
            {"where": "conversations", "number": 0, "at_least": False},
            {"where": "content items", "number": 0, "at_least": False},
        ],
        "last_applied": "2026-11-24T00:00:00Z",
        "last_applied_by": "Ciaran1 Lee",
        "dead": False,
        "like": [],
    }


class Page(HTMLParser):
    """Which elements a page has."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


def test_a_page_shows_foreign_names_as_texts(desk: Desk) -> None:
    desk.seed(tags=["<script>alert(1)</script>", "vip"])
    assert desk("tag", "report", "--format", "html") == 0
    page = Page()
    page.feed(desk.out)
    assert "script" not in page.tags
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in desk.out
    assert page.tags.count("tr") == 3


def test_what_cannot_be_counted_is_perhaps_dead(used: Desk) -> None:
    used.box.faults.add(times=None, status=403, path="/conversations/search")
    document = used.json("tag", "report")
    unused = next(tag for tag in document["tags"] if tag["name"] == "unused")
    assert [use["number"] for use in unused["uses"]] == [0, 0, None, 0]
    assert {tag["name"]: tag["dead"] for tag in document["tags"] if tag["name"] in ("unused", "vip", "new")} == {
        "unused": None, "vip": False, "new": False,
    }  # fmt: skip
    assert (document["summary"]["perhaps dead"], "dead" in document["summary"]) == (4, False)
    assert used("tag", "report") == 0
    assert "unused              107  0         0+         ?              0                                         perhaps dead" in used.out


def test_an_invalid_manifest_ends_the_report(used: Desk) -> None:
    assert used("tag", "report", "--in", "m.yaml", m="tags: [a, A]\n") == 65
    assert used.out == ""


@pytest.mark.parametrize(
    ("names", "alike"),
    [
        (["vip", "VIP", "V.I.P.", "trial"], {"vip": ["V.I.P.", "VIP"], "VIP": ["V.I.P.", "vip"], "V.I.P.": ["VIP", "vip"]}),
        (["beta-2025", "beta-2026", "beta 2025"], {"beta-2025": ["beta 2025"], "beta 2025": ["beta-2025"]}),
        (["resume", "r\u00e9sum\u00e9"], {"resume": ["r\u00e9sum\u00e9"], "r\u00e9sum\u00e9": ["resume"]}),
        (["newsletter", "newsleter", "news"], {"newsletter": ["newsleter"], "newsleter": ["newsletter"]}),
        (["twin", "twin"], {"twin": ["twin"]}),
        (
            ["company", "companies", "box", "boxes"],
            {"company": ["companies"], "companies": ["company"], "box": ["boxes"], "boxes": ["box"]},
        ),
        (["trial", "trail", "form", "from"], {"trial": ["trail"], "trail": ["trial"]}),
        ([f"region {chr(0x4E00 + n)}" for n in range(60)], {}),
        (["!!!", "???", ""], {}),
    ],
)
def test_what_may_be_meant_to_be_one(names: list[str], alike: dict[str, list[str]]) -> None:
    assert find_alike(names) == alike


def test_very_many_names_are_compared_in_a_moment() -> None:
    before = time.process_time()
    alike = find_alike([*(f"campaign {n} of team {n % 7}" for n in range(20_000)), "Campaign-5 of Team 5"])
    assert alike == {"campaign 5 of team 5": ["Campaign-5 of Team 5"], "Campaign-5 of Team 5": ["campaign 5 of team 5"]}
    assert time.process_time() - before < 5


def test_a_region_of_the_command_line_leaves_the_pin_as_it_is(used: Desk) -> None:
    used.write("m/m.yaml", f"workspace: {{app_id: other1, region: us}}\n{MANIFEST}")
    assert used("tag", "report", "--in", "m", "--region", "us") == 3
    assert "the token is for sandbox1 in us, not for other1 in us" in used.err
    assert used("tag", "report", "--in", "m", "--app-id", "sandbox1") == 0, used.err
