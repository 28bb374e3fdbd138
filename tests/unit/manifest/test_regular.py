"""Regular entries are read by pattern: whatever the text, the values, the places and the problems are those of the parser.

What has line ends of two characters is left to the parser, and says the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.model.written import Plain
from reconciler.errors import Invalid
from reconciler.manifest.reader import Document, read
from reconciler.manifest.regular import take_out
from tests.desk.soak import times

FILE = "people.yaml"
ON_LINES = """\
tags: [vip, beta]  # what is before
contacts:
- external_id: u1
  name: Zoe Washburne
  tags: [vip, beta]
- external_id: "2"
  tags: []
- {external_id: 'u3', name: "Wash: pilot, dinosaurs", tags: [vip, 'beta']}
- email: mal@serenity.example
- external_id: u5
companies:
  - {company_id: c1, name: Blue Sun}
  - company_id: c2
    name: null-set
    plan: Null
  - {company_id: c3, tags: ["vip", beta, 5]}
  - {company_id: c4}
  - {company_id: c5}
  - {company_id: c6}
"""


def outcome(text: str) -> Document | Invalid:
    try:
        return read(text.encode(), FILE)
    except Invalid as invalid:
        return invalid


def by_parser(text: str) -> Document | Invalid:
    return outcome(text.replace("\n", "\r\n"))


def assert_same(text: str) -> Document | None:
    """What a text says by either way; None where both refuse it with the same words."""
    one, other = outcome(text), by_parser(text)
    if isinstance(one, Invalid) or isinstance(other, Invalid):
        assert str(one) == str(other)
        return None
    assert describe(one.value) == describe(other.value)
    assert one.varies == other.varies
    # Lists come first: whoever asks for a place in an entry has its places laid out, and then it is looked through as any other.
    for loc, value in places(other.value):
        if isinstance(value, list) and isinstance(key := loc[-1], str):
            assert one.marks.below(loc[:-1], key, len(value)) == other.marks.below(loc[:-1], key, len(value)), loc
    for loc, _ in places(other.value):
        assert one.marks.of(loc) == other.marks.of(loc), loc
    return one


def describe(value: Any) -> Any:
    """A value with the difference between what has quotes and what has none."""
    if isinstance(value, dict):
        return [(key, describe(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [describe(item) for item in value]
    return type(value).__name__, value


def places(value: Any, loc: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Any]]:
    """Every way into a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(loc, value), *(way for step, item in inner for way in places(item, (*loc, step)))]


def test_entries_in_a_row_are_taken_out_and_read_as_the_parser_reads_them() -> None:
    runs, rest = take_out(ON_LINES)
    assert {line: len(run.entries) for line, run in runs.items()} == {2: 5, 15: 4}
    assert rest.count("\n") == ON_LINES.count("\n")
    document = assert_same(ON_LINES)
    assert document is not None
    first, second = document.value["contacts"][:2]
    assert isinstance(first["external_id"], Plain)
    assert not isinstance(second["external_id"], Plain)
    assert str(document.marks.of(("contacts", 2, "tags", 1))) == f"{FILE}:8:67"


RUN = "- a: b\n- c: [d, e]\n  f: g\n- {h: i}\n- j: 'k'\n"


def test_an_entry_that_may_go_on_is_no_part_of_a_run() -> None:
    for more in ("   more\n", "\n   more\n", "# a comment\n", " \n"):
        runs, _ = take_out(f"text:\n{RUN}{RUN}{more}")
        assert [len(run.entries) for run in runs.values()] == [7]


@pytest.mark.parametrize(
    "text",
    [
        f"text: |\n{RUN}",
        "text: |\n  " + RUN.replace("\n", "\n  ").rstrip(" "),
        f'text: "\n{RUN}"\n',
        f"text: more\n{RUN}",
        f"text: [\n{RUN}]\n",
        f"text:\n{RUN}   more\n",
        f"text:\n{RUN}\n   more\n",
        f"text:\n{RUN}# a comment\n   more\n",
        f"text:\n{RUN}# a comment\n  more: x\n",
        f"text:\n{RUN}  \t\n  more: x\n",
        f"text:\n{RUN}  - x\n",
        f"text:\n{RUN}- x\n",
        f"text:\n- x\n{RUN}",
        f"text: &a\n{RUN}other: *a\nmore: [{', '.join(['*a'] * 2000)}]\n",
        f"text:\n- &a {{b: c}}\n{RUN}- *a\n",
        f"text:\n{RUN}{RUN}other:\n{RUN}",
        f"? \n{RUN}: x\n",
        f"{RUN}",
        f"text: x\rmore:\n{RUN}",
        f"text:\n{RUN}- a: b\n  a: c\n{RUN}",
        f"text:\n{RUN}- {{a: b, a: c}}\n{RUN}",
        f"text:\n{RUN}---\n{RUN}",
        f"text: {{a: [\n{RUN}]}}\n",
        *(f"text:\n{RUN}- {'a' * letters}: b\n- {{c: d, {'a' * letters}: b}}\n{RUN}" for letters in (100, 101, 1024, 1025)),
    ],
    ids=range(27),
)
def test_where_entries_are_none_the_parser_says_so(text: str) -> None:
    assert_same(text)


@pytest.mark.parametrize("outer", ["x:\n", "w:\n x:\n"])
@pytest.mark.parametrize("levels", [22, 23, 24])
def test_entries_are_no_deeper_than_the_parser_lets_them_be(outer: str, levels: int) -> None:
    lists = "".join(f"{' ' * 2 * n}  - y:\n" for n in range(levels))
    assert_same(outer + lists + f"{' ' * 2 * levels}  - z: [w]\n" * 5)


VALUES = ["b", "b c", "25", "1.5", "a@b.c", "-x", "x-", "null", "Null", "nullx", "~", "'q'", '"q, r: s"', "'it''s'", '"\\n"', "${v}", "'$'",
          "é", "b:c", "b: c", "b #c", "b ", " b", "[]", "[d]", "[d, 'e f', \"g\"]", "[d,e]", "[d, ]", "[null]", "[ d ]", "{}", "{k: v}",
          "&n b",
          "*n", "!!str b", "|", ">", "", "b, c", "b]", "@b", "x", "[x]", "b\tc", "_"]  # fmt: skip
KEYS = ["a", "name", "tags", "null", "c_d", "A", "'q'", "a b", "<<"]
ODD = ["", " ", "   ", "# c", "   # c", "    more", "  more: x", "more: x", "x", "- x", "  - x", "- - a: b", "-", "- ", "-a: b", "? a",
       ": b", "---",
       "...", "]", '"', "'", "a: |", "a: >-", 'a: "', "a: [", "- a: |", "- a:", "  a:", "a: &n", "- &n", "\t- a: b", "% x"]  # fmt: skip
pairs = st.tuples(st.sampled_from(KEYS[:5]), st.sampled_from(VALUES)).map(": ".join)
regular = st.tuples(st.sampled_from(KEYS[:5]), st.sampled_from(["b", "b c", "'q'", '"q, r: s"', "[]", "[d, 'e f']", "x"])).map(": ".join)


@st.composite
def entries(draw: st.DrawFn, pair: st.SearchStrategy[str], least: int, most: int) -> list[str]:
    indent, lines = " " * draw(st.sampled_from([0, 0, 2, 3])), list[str]()
    for _ in range(draw(st.integers(least, most))):
        parts = draw(st.lists(pair, min_size=1, max_size=3, unique_by=lambda part: part.partition(":")[0]))
        lines += (
            [f"{indent}- {{{', '.join(parts)}}}"]
            if draw(st.booleans())
            else [f"{indent}{'  ' if n else '- '}{p}" for n, p in enumerate(parts)]
        )
    return lines


sections = st.sampled_from(["contacts:", "tags:", "a: &n", "b: *n", "c:"]).map(lambda line: [line])
chunks = entries(regular, 4, 6) | entries(regular, 4, 6) | sections | entries(pairs, 1, 2) | st.sampled_from(ODD).map(lambda line: [line])


@settings(max_examples=times(50))
@given(st.lists(chunks, min_size=1, max_size=6))
def test_whatever_stands_around_them_entries_are_as_the_parser_reads_them(chunks: list[list[str]]) -> None:
    assert_same("contacts:\n" + "\n".join(line for chunk in chunks for line in chunk) + "\n")
