"""The HTML report as a file: everything in it, nothing outside it, and no text that is more than text."""

from __future__ import annotations

import base64
import hashlib
import re
from html import escape
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.plan.schema import PlanDocument
from reconciler.report import Way
from reconciler.report.html import render
from reconciler.report.words import describe_uses
from tests.desk.soak import times
from tests.unit.report.big import HOSTILE, PAGE, a_hostile_plan, a_large_plan
from tests.unit.report.plans import a_change, a_field, a_note, a_plan

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))
MARKUP = st.lists(st.sampled_from(HOSTILE) | st.text("<>&\"'/=-! \nscript{}%", max_size=6), max_size=4).map("".join)
VOID = {"meta", "input"}


class Page(HTMLParser):
    """The tags, the links, the text of every change, and the script."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: set[str] = set()
        self.links: list[str | None] = []
        self.changes: list[str] = []
        self.bodies: dict[str, str] = {}
        self.headings: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name in ("href", "src")]
        if "data-a" in dict(attrs):
            self.changes.append("")
        if tag in ("h1", "h2", "h3"):
            self.headings.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.changes:
            self.changes[-1] += data
        if self.open and self.open[-1] in ("script", "style", "title"):
            self.bodies[self.open[-1]] = self.bodies.get(self.open[-1], "") + data


def assert_sound(html: str, plan: PlanDocument) -> Page:
    """As many changes as planned, our script and no other, nothing loaded, links to Intercom alone."""
    page = Page(html)
    assert len(page.changes) == len(plan["changes"])
    assert html.count("<script") == html.count("<style") == 1
    assert {link for link in page.links if link != "#changes" and not (link or "").startswith("https://app.intercom.com/")} == set()
    assert not [name for name in page.attributes if name.startswith("on") or name in ("style", "srcdoc")]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", html)
    assert not re.search(r"##\[|^\s*::", html.replace(page.bodies["style"], ""), re.MULTILINE)
    return page


def test_everything_of_a_change_is_told() -> None:
    plan = a_plan(
        a_change(
            "delete",
            "tag/beta",
            line=4,
            people=600,
            uses={"contacts": 600, "content items": None},
            uncounted=["tickets"],
            page=f"{PAGE}tags",
        ),
        a_change(
            "update", "company/6", a_field("plan", "a", "b", "conflict"), a_field("size", None, 2**70), cause="drift", origin="unexplained"
        ),
        a_change("attach", "company/6", line=5, target="tag/vip"),
    )
    page = assert_sound(render(plan), plan)
    deleted, updated, attached = (" ".join(change.split()) for change in page.changes)
    assert deleted.startswith(f"- delete 600 peoplein use: {describe_uses(plan['changes'][0])}")
    assert updated.startswith(f'~ update drift unexplainedplan "a" → "b" conflictsize null → {2**70}')
    assert attached.startswith("+ attach tag/vip")
    assert page.links == ["#changes", f"{PAGE}tags"]


def test_what_takes_away_stands_first_and_equal_links_fold() -> None:
    links = [a_change("attach", f"contact/{n}", target="tag/vip", line=n, page=f"{PAGE}users/{n}", cause="drift") for n in range(1, 5)]
    masked = a_change("update", "contact/9", a_field("phone", "***", "***"), line=9)
    plan = a_plan(*links, a_change("create", "tag/vip", a_field("name", None, "vip")), masked, a_change("delete", "tag/old", line=7))
    page = assert_sound(render(plan), plan)
    changes = [" ".join(change.split()) for change in page.changes]
    assert [change.split(" ")[0] for change in changes] == ["-", "~", "+", *(f"contact/{n}" for n in range(1, 5))]
    assert "phone changed (hidden)" in changes[1]
    assert "tag/vip growth.yaml:1-4+ attach to 4 contacts drift" in changes[2]
    assert changes[3:5] == ["contact/1 growth.yaml:1", "contact/2 growth.yaml:2"]
    assert '<p class="one"><code>name</code> <ins>&#34;vip&#34;</ins></p>' in render(plan)
    assert f"{PAGE}users/4" in page.links


def test_one_line_says_when_by_whom_and_of_what() -> None:
    plan, head = (
        a_plan(a_change("create", "tag/vip")),
        "2026-11-25T03:02:13Z · commit 1a2b by <img src=x onerror=alert(1)> · reconciler 0.1.0",
    )
    headed, bare = render(plan, Way(head=head)), render(plan)
    (line,) = [line for line in headed.splitlines() if line not in bare.splitlines()]
    assert line == f'<p class="quiet">{escape(head)}</p>'
    assert_sound(headed, plan)


def test_the_summary_comes_first_and_the_policy_before_it() -> None:
    plan = a_plan(
        a_change("create", "tag/vip", a_field("name", None, "vip")),
        refused=[{"gate": "limits.people", "message": "too many", "approve": "1a2b3c4d5e6f:600"}],
        notes=[a_note("missing", "contact/1", "not found"), a_note("policy", None, "stricter than the policy file")],
        people={"losing": 1, "exact": True},
        cost={"calls": 1, "seconds": 0.1, "routes": {"POST /tags": 1}},
        partial=True,
        scope={"target": ["tag/*"], "exclude": []},
    )
    text = " ".join(re.sub("<[^>]*>", " ", render(plan).partition("<body>")[2]).split())
    order = [
        "Plan for workspace ecahpwf5 (us)",
        "The policy is another one stricter than",
        "Refused: apply would write nothing limits.people too many",
        "--approve 1a2b3c4d5e6f:600",
        "Partial plan: --target tag/*",
        "Plan: 1 to create, 0 to delete.",
        "1 change",
        "1 person loses a tag",
        "1 call less than a second",
        "refused for 1 reason",
        "Changes Search",
        "adds 1 change",
        "Notes not found, left out (1)",
        "POST /tags 1",
    ]
    assert [text.find(part) for part in order] == sorted(text.find(part) for part in order)
    assert all(part in text for part in order)


def test_a_saved_plan_names_fields_without_values() -> None:
    plan = a_plan(a_change("update", "company/6", {"path": "plan", "cause": None, "before_digest": "00"}), applicable=True)
    html = render(plan)
    assert "A saved plan" in html
    assert "<code>plan</code></p>" in html
    assert "<del>" not in html


def test_an_empty_plan_says_so_and_has_nothing_to_filter() -> None:
    html = render(a_plan())
    assert "No changes. The workspace is as declared." in html
    assert "<form" not in html


def test_only_our_own_style_and_script_may_run() -> None:
    html = render(a_plan(a_change("create", "tag/vip")))
    policy = re.search('http-equiv="Content-Security-Policy" content="(.*?)"', html)
    assert policy
    assert html.index(policy[0]) < html.index("<style")
    allowed = policy[1].replace("&#39;", "'")
    assert allowed.startswith("default-src 'none';")
    assert "unsafe" not in allowed
    for tag in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(Page(html).bodies[tag].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in allowed
    assert Page(html).bodies["script"].isascii()


def test_nothing_is_loaded_from_anywhere() -> None:
    html = render(a_large_plan(100))
    assert not re.search(r"<(link|img|iframe|object|embed|base|video|audio)\b|@import|url\(|\bsrc=", html)


def test_a_large_plan_is_whole_and_light() -> None:
    plan = a_large_plan(5_000)
    html = render(plan)
    assert_sound(html, plan)
    print(f"5,000 changes: {len(html.encode()):,} bytes")
    assert len(html.encode()) < 3_000_000


def test_the_same_plan_gives_the_same_bytes() -> None:
    assert render(a_large_plan(50)) == render(a_large_plan(50))


@pytest.mark.parametrize("foreign", HOSTILE)
def test_foreign_text_stays_text(foreign: str) -> None:
    plan = a_hostile_plan(foreign)
    assert_sound(render(plan), plan)


@settings(max_examples=times(100))
@given(ANY_TEXT | MARKUP)
def test_no_text_anywhere_breaks_it(foreign: str) -> None:
    plan = a_hostile_plan(foreign)
    assert_sound(render(plan), plan).bodies["title"].startswith("Plan for workspace ")
