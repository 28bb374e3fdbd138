"""The taxonomy as Markdown and as a page: the same order always, links that lead somewhere, numbers as they are known, nothing obeyed."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from reconciler.core.compare.taxonomy import State, Term
from reconciler.report.taxonomy import MARKER, as_markdown, as_page, summarize
from tests.unit.report.big import HOSTILE
from tests.unit.report.terms import a_taxonomy, a_term, count_of


def test_what_is_deprecated_says_what_to_use_instead() -> None:
    written = as_markdown(
        a_taxonomy(a_term("gold", owner="growth"), a_term("old", state=State.DEPRECATED, successor="gold", owner="growth"))
    )
    assert '| <a id="tag-gold"></a>`gold` |  |  |' in written
    assert "## Deprecated\n\nThese go out of use.\n" in written
    assert "| `old` |  | growth | [`gold`](#tag-gold) |  |" in written


def test_names_that_make_one_anchor_are_told_apart() -> None:
    taxonomy = a_taxonomy(a_term("a b"), a_term("a-b"), a_term("A b", state=State.RETIRED, successor="a-b"), a_term("\u732b"))
    assert '<a id="tag-a-b-2"></a>`a-b`' in as_markdown(taxonomy)
    assert re.findall(r'<tr id="([^"]*)">', as_page(taxonomy, "")) == ["tag-a-b", "tag-a-b-2", "tag-a-b-3", "tag-x"]


def test_a_row_more_is_a_line_more() -> None:
    before = as_markdown(a_taxonomy(a_term("a", owner="us"), a_term("c", owner="us"))).splitlines()
    after = as_markdown(a_taxonomy(a_term("a", owner="us"), a_term("a-much-longer-name", owner="us"), a_term("c", owner="us"))).splitlines()
    assert [line for line in after if line not in before] == ["| `a-much-longer-name` |  |  |"]
    assert [line for line in after if line in before] == before


@pytest.mark.parametrize(
    ("contacts", "conversations", "told"),
    [
        (1200, 0, "1,200 contacts"),
        (3, 7, "3 contacts, 7 conversations"),
        (0, 0, "nobody"),
        (0, None, "conversations not known"),
        (2, None, "2 contacts, conversations not known"),
    ],
)
def test_numbers_are_told_as_far_as_they_are_known(contacts: int, conversations: int | None, told: str) -> None:
    page = as_page(a_taxonomy(Term("vip", State.ACTIVE, uses=count_of(contacts, conversations))), "")
    assert f'data-n="{contacts + (conversations or 0)}">{told}<' in page


def test_the_picture_shows_the_largest_and_sums_up_the_rest() -> None:
    page = as_page(a_taxonomy(*(a_term(f"t{n:02}", n) for n in range(19))), "")
    assert page.count('<text class="end"') == 16
    assert re.findall(r"<desc id=\"bars-\d-all\">(t\d\d): (\d+) contacts", page) == [("t18", "18"), ("t10", "10")]
    assert "2 other tags have 3 together." in page


def test_a_sentence_sums_it_up() -> None:
    assert summarize(a_taxonomy(a_term("a"), a_term("b", state=State.DEPRECATED))) == "2 tags: 1 active, 1 deprecated"
    assert summarize(a_taxonomy()) == "0 tags"


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.strip()])
def test_nothing_is_obeyed(text: str) -> None:
    old = Term(text, State.DEPRECATED, meaning=text, owner=text, successor="first", former=(text,), used_by=(text,))
    taxonomy = a_taxonomy(a_term("first"), old, a_term("last", owner=text))
    written = as_markdown(taxonomy)
    assert written.startswith(MARKER)
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(written)
    inside = [each for token in tokens for each in token.children or []]
    assert {each.type for each in inside} <= {"text", "code_inline", "html_inline", "link_open", "link_close"}
    assert {each.attrs["href"] for each in inside if each.type == "link_open"} <= {"#tag-first"}
    assert all(re.fullmatch(r'<a id="tag-first">|</a>|</?code>', each.content) for each in inside if each.type == "html_inline")
    assert "".join(token.content for token in tokens if token.type == "html_block") == written[: written.index("\n#")]
    # Three tables, of which each has the head and one row, however many bars stand in it.
    assert [token.type for token in tokens].count("tr_open") == 6
    assert "wash@" not in written
    page = as_page(taxonomy, "")
    assert page.count("<script") == 1
    assert re.findall("<(img|iframe|svg/)", page) == []
