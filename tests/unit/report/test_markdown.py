"""The Markdown report: what a reviewer reads first, never too long, and nothing in it that others wrote comes to life."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from reconciler.core.plan.schema import PlanDocument
from reconciler.report import Way
from reconciler.report.blocks import LONGEST
from reconciler.report.markdown import LISTS, MARKER, prose, render
from tests.desk.soak import times
from tests.unit.report.big import HOSTILE, PAGE, a_hostile_plan, a_large_plan
from tests.unit.report.plans import a_change, a_field, a_note, a_plan

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))
MARKUP = st.lists(st.sampled_from(HOSTILE) | st.text("|`\\<>!-[]()*_~#@:/. \n&;'\"0a", max_size=6), max_size=4).map("".join)
# What GitHub links, mentions or refers to when it stands in plain text.
LIVE = re.compile(r"[@#<>\[\]|`]|://|www\.|GH-\d")


def tokens(markdown: str) -> list[Token]:
    """Every token, as a host of change requests reads them."""
    all_tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(markdown)
    return [inner for token in all_tokens for inner in (token, *(token.children or ()))]


class Html(HTMLParser):
    """The tags, comments and texts of the HTML between the Markdown, with the tags that are open around each text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str | None] = []
        self.comments: list[str] = []
        self.plain: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open.append(tag)
        self.links += [value for name, value in attrs if name == "href"]
        assert {name for name, _ in attrs} <= ({"open"} if tag == "details" else {"href"})

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        # GitHub leaves alone what stands in pre and code.
        if not {"pre", "code"} & set(self.open):
            self.plain.append(data)


def assert_inert(markdown: str, marker: str = MARKER) -> None:
    """Nothing but what we wrote ourselves is more than text."""
    all_tokens = tokens(markdown)
    html = Html("".join(token.content for token in all_tokens if token.type == "html_block"))
    assert set(html.tags) <= {"details", "summary", "pre", "code", "a"}
    assert not html.open
    assert [f"<!--{comment}-->" for comment in html.comments] == [marker]
    assert all(link and link.startswith("https://app.intercom.com/") for link in html.links)
    assert not {"link_open", "image", "html_inline", "s_open", "em_open", "fence", "code_block", "hr"} & {
        token.type for token in all_tokens
    }
    plain = [token.content for token in all_tokens if token.type == "text"] + html.plain
    assert [text for text in plain if LIVE.search(text)] == []
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", markdown)
    assert not re.search(r"##\[|^\s*::", markdown, re.MULTILINE)


def assert_whole(markdown: str) -> None:
    """Short enough, the marker once, and every row of the table as wide as its head."""
    assert len(markdown.encode("utf-8")) <= LONGEST
    assert markdown.startswith(MARKER + "\n")
    assert markdown.count(MARKER) == 1
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) <= 1
    cells: list[int] = []
    for token in tokens(markdown):
        if token.type == "tr_open":
            cells.append(0)
        cells[-1:] = [cells[-1] + (token.type in ("td_open", "th_open"))] if cells else []
    assert len(set(cells)) <= 1
    assert len(cells) == max(0, len(rows) - 1)


def test_a_small_plan_reads_well() -> None:
    plan = a_plan(
        a_change(
            "delete", "tag/beta", line=4, people=600, uses={"contacts": 600, "conversations": 50}, uncounted=["tickets"], page=f"{PAGE}tags"
        ),
        a_change("create", "tag/vip", line=3),
        a_change("update", "company/6", a_field("plan", "plan1", "plan2"), line=9, cause="drift"),
        a_change("attach", "contact/25", target="tag/vip", line=12),
        refused=[{"gate": "limits.people", "message": "600 people lose a tag, the limit is 500", "approve": "1a2b3c4d5e6f:600"}],
        notes=[
            a_note("missing", "contact/31", "not found; left out", 14),
            a_note("policy", None, "stricter than the policy file: `limits: deletes:`"),
        ],
        people={"losing": 600, "exact": False},
    )
    assert (
        render(plan)
        == """\
<!-- reconciler:plan -->
### Plan for workspace ecahpwf5 (us)

> **policy:** stricter than the policy file: `limits: deletes:`

**Refused: apply would write nothing, for 1 reason.** Plan: 1 to create, 1 to update, 1 to attach, 1 to delete.

| | delete | update | create | attach |
|---|--:|--:|--:|--:|
| tag | 1 |  | 1 |  |
| company |  | 1 |  |  |
| contact |  |  |  | 1 |
| **all** | 1 | 1 | 1 | 1 |

- **People:** up to 600 people lose a tag, a company or themselves
- **Cost:** 4 calls, less than a second
- **Declared in** `growth.yaml`

#### Refused

- **`limits.people`**: 600 people lose a tag, the limit is 500

If that is meant, add to `plan` or `apply`: `--approve 1a2b3c4d5e6f:600`

<details><summary>note: not found, left out (1)</summary>

- `contact/31`: not found; left out — `growth.yaml:14`

</details>

<details open><summary>takes away: 1 change</summary>

<pre>
- delete    <a href="https://app.intercom.com/a/apps/ecahpwf5/tags">tag/beta</a> (600 people)  growth.yaml:4
      in use: 600 contacts, 50 conversations, tickets cannot be counted
</pre>
</details>

<details><summary>alters: 1 change</summary>

<pre>
~ update    company/6 (drift)  growth.yaml:9
      plan: "plan1" → "plan2"
</pre>
</details>

<details><summary>adds: 2 changes</summary>

<pre>
+ create    tag/vip  growth.yaml:3
+ attach    tag/vip to contact/25  growth.yaml:12
</pre>
</details>
"""
    )
    assert_inert(render(plan))


def test_a_plan_without_changes_says_so() -> None:
    assert "No changes. The workspace is as declared.\n" in render(a_plan(people={"losing": 0, "exact": True}))
    assert "no people lose a tag" in render(a_plan(people={"losing": 0, "exact": True}))


def test_unknown_is_not_nobody() -> None:
    change = a_change("delete", "tag/a", uses={"contacts": 3, "conversations": None})
    assert "- **People:** 0 people lose a tag, a company or themselves, and some that could not be counted" in render(
        a_plan(change, people={"losing": 0, "exact": True})
    )


@pytest.mark.parametrize("number", [5_000, 20_000])
def test_a_large_plan_fits_and_says_what_it_leaves_out(number: int) -> None:
    plan = a_large_plan(number)
    text = render(plan)
    assert_whole(text)
    assert_inert(text)
    shown = len(re.findall("^(?:[-+~]|&gt;) (create|rename|update|attach|detach|delete)", text, re.MULTILINE))
    left = sum(int(number.replace(",", "")) for number in re.findall(r"and ([\d,]+) more(?: lines)?, which", text))
    assert shown >= 300
    # Links of eight sorts are a line each, and left out of its list.
    assert shown + left == number + 8
    assert re.search(r"Not all of it fits here:\*\* [\d,]+ lines are left out", text)
    assert re.findall("<summary>(takes away|alters|adds): ", text) == ["takes away", "alters", "adds"]
    assert "**`limits.attaches`**" in text
    assert "**`protect`**" in text


def test_small_parts_are_whole_where_a_large_one_is_cut() -> None:
    plan = a_plan(*(a_change("update", f"company/{n}", a_field("size", 1, n)) for n in range(9_000)), a_change("create", "tag/vip"))
    text = render(plan)
    assert "+ create    tag/vip" in text
    assert len(text.encode()) > LONGEST * 0.98


def test_many_equal_links_are_one_line_and_a_list_to_unfold() -> None:
    plan = a_plan(*(a_change("attach", f"contact/{n}", target="tag/vip", line=n, page=f"{PAGE}users/{n}") for n in range(1, 101)))
    text = render(plan)
    assert_inert(text)
    assert "\n+ attach    tag/vip to 100 contacts  growth.yaml:1-100\n</pre>" in text
    summary, _, listed = text.partition("<details><summary><code>+ attach    tag/vip to 100 contacts</code></summary>\n\n<pre>\n")
    assert f'  <a href="{PAGE}users/7">contact/7</a>  growth.yaml:7\n' in listed
    assert listed.count("contact/") == 100
    assert "contact/" not in summary


def test_more_lists_than_fit_are_counted() -> None:
    plan = a_plan(*(a_change("detach", f"contact/{n}", target=f"tag/{n % 500}") for n in range(2_500)), a_change("create", "tag/new"))
    text = render(plan)
    assert_whole(text)
    assert text.count("- detach    tag/") == 500 + LISTS
    assert f"… and {500 - LISTS} more lists of links, which are left out here" in text
    assert f"**Not all of it fits here:** {500 - LISTS} lines are left out" in text
    assert "+ create    tag/new" in text


def test_one_line_says_when_by_whom_and_of_what() -> None:
    head = "2026-11-25T03:02:13Z · commit `1a2b3c4d5e6f` by @wash | <b> · reconciler 0.1.0"
    headed, bare = render(a_plan(), Way(head=head)), render(a_plan())
    assert headed.splitlines()[3] == "`2026-11-25T03:02:13Z` · commit `1a2b3c4d5e6f` by `@wash` `|` `<b>` · reconciler 0.1.0"
    assert [line for line in headed.splitlines() if line not in bare.splitlines()] == [headed.splitlines()[3]]
    assert_inert(headed)
    assert_whole(render(a_large_plan(20_000), Way(head=head * 100)))


def test_emoji_count_as_the_bytes_that_they_are() -> None:
    text = render(a_plan(*(a_change("create", "tag/" + "\U0001f331" * 50 + str(n)) for n in range(2_000))))
    assert LONGEST * 0.9 < len(text.encode()) <= LONGEST


def test_one_endless_value_does_not_push_out_the_others() -> None:
    endless = a_change("update", "company/1", *(a_field(f"custom_attributes.{n}", "x" * 9_000, "y" * 9_000) for n in range(5)))
    text = render(a_plan(endless, a_change("update", "company/2", a_field("size", 1, 2))))
    assert len(text) < 6_000
    assert "size: 1 → 2" in text


def test_a_plan_made_to_break_the_cap_does_not() -> None:
    refused = [{"gate": f"gate{n}" * 9, "message": "because " * 80, "approve": None} for n in range(500)]
    plan = a_plan(*(a_change("create", f"kind{n}" * 9 + "/x") for n in range(500)), refused=refused)
    assert_whole(render(plan))


def test_every_gate_is_named_however_often_it_refuses() -> None:
    refused = [{"gate": "protect", "message": "this tag is protected " * 20, "approve": None} for _ in range(900)]
    text = render(a_plan(refused=[*refused, {"gate": "workspace", "message": "another one", "approve": None}]))
    assert "**`protect`** (900): this tag" in text
    assert "**`workspace`**: another one" in text
    assert re.search(r"  - and \d+ more", text)


INTERCOM = "https://app.intercom.com"
NOT_INTERCOM = ["javascript:alert(1)", "https://evil.example/", f"{INTERCOM}.evil.example/", f'{INTERCOM}/"x', f"{INTERCOM}/<", "//x", 7]


@pytest.mark.parametrize("url", NOT_INTERCOM)
def test_only_pages_of_intercom_are_linked(url: object) -> None:
    assert "<a " not in render(a_plan(a_change("create", "tag/a", page=url)))


def test_plain_sentences_stay_plain_and_the_rest_is_code() -> None:
    plain = "11 deletes, the limit is 10%; it's well-meant (so to say)."
    assert prose(plain) == plain
    assert prose("raise `policy: limits:`, or ask @crew") == "raise `policy: limits:`, or ask `@crew`"
    live = ["#12", "GH-12", "www.a.example", "x@y.example", "1a2b3c4d", "_x_", "<b>"]
    assert prose(" ".join(live)) == " ".join(f"`{word}`" for word in live)
    assert prose("`` ` `a`b `a`. `a`") == "``` `` ``` `` ` `` `` `a`b `` `a`. `a`"


@pytest.mark.parametrize("text", HOSTILE)
def test_foreign_text_stays_text(text: str) -> None:
    page = render(a_hostile_plan(text))
    assert_inert(page)
    assert_whole(page)


@settings(max_examples=times(100))
@given(ANY_TEXT | MARKUP)
def test_no_text_anywhere_breaks_it(text: str) -> None:
    page = render(a_hostile_plan(text))
    assert_inert(page)
    assert_whole(page)
    assert render(a_hostile_plan(text)) == page


def test_changes_stay_in_the_order_of_the_plan() -> None:
    plan: PlanDocument = a_plan(a_change("create", "tag/z"), a_change("create", "tag/a"), a_change("create", "company/1"))
    assert re.findall(r"create    (\S+)", render(plan)) == ["tag/z", "tag/a", "company/1"]
