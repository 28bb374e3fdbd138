"""Reports of many workspaces: what failed first, those that are alike in one line, never too long, and no name is more than text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

from reconciler.fleet.report.formats import RENDERERS
from reconciler.fleet.report.html import GROUPS
from reconciler.fleet.report.markdown import LONGEST, MARKER, OPEN
from reconciler.fleet.report.text import LINES, lines
from reconciler.fleet.shape import Line
from reconciler.fleet.states import State
from reconciler.fleet.view import One, View
from tests.unit.fleet.views import OLD, VIP, a_hostile_view, a_large_view, a_view
from tests.unit.report.test_markdown import assert_inert

NAMED = "`ws0000`, `ws0001`, `ws0002`, `ws0003`, `ws0004` and 2 more"
HEAD = "2026-11-30T10:15:00Z · reconciler 0.1.0"
# All that a page of ours may consist of.
TAGS = {
    "html", "head", "meta", "title", "style", "body", "a", "header", "div", "h1", "h2", "p", "button", "main", "section", "ul", "li",
    "b", "small", "code", "form", "label", "input", "select", "option", "fieldset", "legend", "span", "output", "table", "caption", "thead",
    "tr", "th", "tbody", "td", "footer", "script",
}  # fmt: skip


def markdown(view: View, head: str = "") -> str:
    return RENDERERS["markdown"](view, head)


class Page(HTMLParser):
    """The tags, the links, the options to choose from, and what each row says it is like."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str | None] = []
        self.alike: list[str | None] = []
        self.looks: dict[str, set[str | None]] = {}
        self.text = ""
        self._look: str | None = None
        self._within = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._within = tag
        self.attributes |= {name for name, _ in attrs}
        if tag == "a":
            self.links.append(dict(attrs)["href"])
        self._look = dict(attrs).get("class") if tag == "b" else None
        if tag == "tr":
            self.alike.append(dict(attrs).get("data-alike"))

    def handle_data(self, data: str) -> None:
        if self._look:
            self.looks.setdefault(data.partition(" ")[0], set()).add(self._look)
        self.text += "" if self._within in ("style", "script") else data


def different(number: int) -> View:
    """Each failed for a reason of its own."""
    letters = str.maketrans("0123456789", "abcdefghij")
    reasons = [f"the host {f'{at:05}'.translate(letters) * 9} does not answer" for at in range(number)]
    return a_view(*(One(f"ws{at:04}", "eu", "rest", State.FAILED, 1, reason=reason) for at, reason in enumerate(reasons)))


def test_a_comment_reads_well() -> None:
    assert markdown(a_large_view(4_937), HEAD) == (
        f"""{MARKER}
### Fleet acme: apply `20261130T101500123-5d2c8a01`

`2026-11-30T10:15:00Z` · reconciler 0.1.0

**stopped: the wave canary has 2 failures** — 7 held, 4,909 done, 7 failed, 7 refused, 7 stale

| wave | failed | refused | stale | held | done |
|---|--:|--:|--:|--:|--:|
| canary | 1 | 1 | 1 | 1 | 702 |
| rest | 6 | 6 | 6 | 6 | 4,207 |
| **all** | 7 | 7 | 7 | 7 | 4,909 |

| group | failed | refused | stale | held | done |
|---|--:|--:|--:|--:|--:|
| canary | 1 | 1 | 1 | 1 | 702 |
| none | 1 | 1 | 1 | 1 | 702 |
| eu | 5 | 5 | 5 | 5 | 3,505 |
| **all** | 7 | 7 | 7 | 7 | 4,909 |

- **People:** 42 people lose a tag, a company or themselves
- **Calls:** 19,748 calls

#### Failed: 7 workspaces

- **7 workspaces** (1): GET `https://api.intercom.io/me:` 401 Access Token Invalid (request `0)` — {NAMED}

#### Refused: 7 workspaces

- **7 workspaces** (3): `limits.deletes:` 12 deletes, the limit is 10 — `ws0007`, `ws0008`, `ws0009`, `ws0010`, `ws0011` and 2 more
  - `limits.people:` 300 people, the limit is 100

<details open><summary>Stale: 7 workspaces</summary>

<pre>
7 workspaces stale: - delete tag/old
                    ~ update company (name, plan)
    shape 0d5e7c21aa90; 21 people lose a tag, a company or themselves
    ws0014, ws0015, ws0016, ws0017, ws0018 and 2 more
</pre>
</details>

<details open><summary>Held: 7 workspaces</summary>

<pre>
7 workspaces held
</pre>
</details>

<details open><summary>Done: 4,909 workspaces</summary>

<pre>
4,902 workspaces: + create tag/vip
    shape 5f2c91d04b7e
7 workspaces: nothing to do
</pre>
</details>
"""
    )


def test_a_comment_is_short_though_each_of_5000_failed_for_its_own_reason() -> None:
    comment = markdown(different(5_000), HEAD)
    assert 50_000 < len(comment.encode("utf-8")) <= LONGEST < 60_000
    named = len(re.findall(r"^- \*\*1 workspace\*\* \(1\): the host ", comment, re.MULTILINE))
    assert f"- and {5_000 - named:,} more reasons\n" in comment
    assert f"- **Not all of it fits here:** {5_000 - named:,} lines are left out; the HTML report is complete\n" in comment


def test_300_reasons_stand_there_whole_though_4000_plans_differ() -> None:
    shapes = {f"{at:012x}": tuple(Line("create", f"tag/{at}-{n}") for n in range(1 + at % 3)) for at in range(4_000)}
    planned = [One(f"p{at:04}", "eu", "rest", State.DONE, 2, f"{at % 4_000:012x}") for at in range(4_700)]
    comment = markdown(replace(a_view(*planned, *different(300).workspaces), shapes=shapes), HEAD)
    assert len(comment.encode("utf-8")) <= LONGEST
    assert comment.count("\n- **1 workspace** (1): the host ") == 300
    assert "more reasons" not in comment
    left = 4_000 - comment.count("\n    shape ")
    assert f"… and {left:,} more, which are left out here\n" in comment
    assert f"- **Not all of it fits here:** {left:,} lines are left out; the HTML report is complete\n" in comment
    assert 4_000 - left > 100
    assert comment.index("the host ") < comment.index("create tag/0-0")


def test_reasons_and_plans_share_the_room_and_what_failed_comes_first() -> None:
    shapes = {f"{at:012x}": tuple(Line("create", f"tag/\U0001f331{at}-{n}") for n in range(20)) for at in range(600)}
    planned = [One(f"p{at:04}", "eu", "rest", State.DONE, 2, shape) for at, shape in enumerate(shapes)]
    failed = different(600).workspaces
    comment = markdown(replace(a_view(*planned, *failed), shapes=shapes))
    assert len(comment.encode("utf-8")) <= LONGEST
    assert 0 < comment.index("the host `aaaaa") < comment.index("create tag/")
    # A plan stands there whole, or not at all; many of them are folded.
    assert comment.count("\n    shape ") == comment.count("and 8 more\n") > 10
    assert "<details><summary>Done: 600 workspaces</summary>" in comment
    assert_inert(comment, MARKER)


def test_a_comment_is_short_whatever_names_are_like() -> None:
    long = "\U0001f331\x00" * 300
    workspaces = [One(f"{at}{long}", f"{at}{long}", f"{at}{long}", State.FAILED, 1, reason=f"{'x' * at}{long}\n" * 40) for at in range(60)]
    view = View(long, long, "apply", "stopped", long, workspaces)
    comment = markdown(view, long)
    assert len(comment.encode("utf-8")) <= LONGEST
    assert "#### Failed: 60 workspaces" in comment


def test_no_name_is_more_than_text() -> None:
    view = a_hostile_view()
    comment = markdown(view)
    assert len(comment.encode("utf-8")) <= LONGEST
    assert_inert(comment, MARKER)
    html = RENDERERS["html"](view, HEAD)
    page = Page(html)
    assert page.tags <= TAGS
    assert not {name for name in page.attributes if name.startswith("on")}
    assert {re.sub(r"\d+", "N", link or "") for link in page.links} == {"#all", "#alike=N"}
    assert "default-src &#39;none&#39;" in html
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]|##\\[", html)
    for line in (*lines(view), *RENDERERS["ndjson"](view).splitlines()):
        assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]|##\\[|^\\s*::", line), line


def test_a_page_has_all_workspaces_and_those_that_are_alike_are_chosen_together() -> None:
    page = Page(RENDERERS["html"](a_large_view(100), HEAD))
    assert page.alike == [None, *(["0"] * 7), *(["1"] * 7), *(["2"] * 7), *(["3"] * 7), *(["4"] * 65), *(["5"] * 7)]
    assert page.links == ["#all", *(f"#alike={number}" for number in range(6))]
    # In the list, in what can be chosen, and in seven rows.
    assert page.text.count("limits.people: 300 people") == 9
    assert "7 done: nothing to do" in page.text
    for state, look in (("failed", "bad"), ("refused", "bad"), ("stale", "warn"), ("held", "warn"), ("done", "good")):
        assert page.looks[state] == {look}
    # That of what is done says nothing new.
    assert "(2)" not in page.text
    for text in (
        "(4)",
        "Fleet acme: apply",
        HEAD,
        "stopped: the wave canary has 2 failures",
        "limits.people: 300 people",
        VIP,
        OLD,
        "ws0099",
    ):
        assert text in page.text


def test_a_page_lists_so_many_reasons_and_its_table_has_all() -> None:
    page = Page(RENDERERS["html"](different(GROUPS + 20), HEAD))
    assert page.alike.count(None) == 1 + 20
    assert "and 20 more" in page.text
    assert len(set(re.findall(r"the host \w+", page.text))) == GROUPS + 20


def test_what_is_known_of_a_fleet_now_has_no_rollout_and_a_fleet_may_be_empty() -> None:
    now = replace(a_large_view(50), run="", verb="", state="", reason="")
    assert markdown(now).startswith(f"{MARKER}\n### Fleet acme\n\n7 held, ")
    assert "Fleet acme</h1>" in RENDERERS["html"](now)
    nobody = replace(now, workspaces=[])
    assert markdown(nobody) == f"{MARKER}\n### Fleet acme\n\nno workspace\n\n- **Calls:** 0 calls\n"
    assert "No workspace." in Page(RENDERERS["html"](nobody)).text
    assert RENDERERS["ndjson"](nobody) == ""


def test_ndjson_is_a_line_for_each_workspace_of_the_document() -> None:
    view = a_large_view(40)
    assert [json.loads(line) for line in RENDERERS["ndjson"](view).splitlines()] == json.loads(RENDERERS["json"](view))["workspaces"]


def test_a_text_is_the_same_in_a_file() -> None:
    view = a_large_view(40)
    assert RENDERERS["text"](view).splitlines() == list(lines(view))


def test_so_many_plans_stand_open_and_more_are_folded() -> None:
    shapes = {f"{at:012x}": (Line("create", f"tag/{at}"),) for at in range(OPEN + 1)}
    planned = [One(f"p{at:04}", "eu", "rest", State.DONE, 2, shape) for at, shape in enumerate(shapes)]
    assert "<details open><summary>Done: 20 workspaces" in markdown(replace(a_view(*planned[:OPEN]), shapes=shapes))
    assert "<details><summary>Done: 21 workspaces" in markdown(replace(a_view(*planned), shapes=shapes))


def test_a_comment_shows_so_many_lines_of_a_reason() -> None:
    reason = "\n".join(f"why {at}" for at in range(20))
    assert markdown(a_view(One("a1", None, "rest", State.FAILED, 1, reason=reason))).count("\n  - why ") == LINES
