"""YAML is read as it is written, every place is known, and what cannot be meant is refused with its line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.model.written import Plain
from reconciler.errors import Invalid, Mark
from reconciler.manifest.reader import Document, Events, Places, read

FILE = "team.yaml"


def pure(data: bytes) -> Events:
    """PyYAML without libyaml."""
    return yaml.SafeLoader(data)


def load(text: str | bytes) -> Document:
    return read(text.encode() if isinstance(text, str) else text, FILE)


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(Invalid) as caught:
        load(text)
    assert caught.value.exit_code == 65
    assert all(problem.now for problem in caught.value.problems)
    return str(caught.value).splitlines()


def place(document: Document, *loc: str | int) -> str:
    return str(document.marks.of(loc)).removeprefix(f"{FILE}:")


def test_scalars_stay_as_written_and_quotes_are_known() -> None:
    value = load("a: 007\nb: '007'\nc: 1.10\nd: no\ne: [2014-03-11, \"x\", +15551234567]\nf: |\n  x\ng: a\n  b\n").value
    assert value == {"a": "007", "b": "007", "c": "1.10", "d": "no", "e": ["2014-03-11", "x", "+15551234567"], "f": "x\n", "g": "a b"}
    assert [type(value[key]) for key in "abcdfg"] == [Plain, str, Plain, Plain, str, Plain]
    assert [type(item) for item in value["e"]] == [Plain, str, Plain]


def test_null_is_none_unless_quoted() -> None:
    value = load("a:\nb: ~\nc: null\nd: 'null'\ne: ''\nf: [~, Null, NULL, nULL]\nnull: x\n").value
    assert value == {"a": None, "b": None, "c": None, "d": "null", "e": "", "f": [None, None, None, "nULL"], "null": "x"}


def test_keys_are_texts() -> None:
    value = load("1: a\ntrue: b\n~: c\n'<<': d\n? long\n: e\n").value
    assert list(value) == ["1", "true", "~", "<<", "long"]
    assert {type(key) for key in value} == {str}


TEAM = """\
# who is who
name: growth
tags:
  - vip
  - {name: beta,
     owner: growth}
contacts:
- external_id: "25"
  tags: [vip,
    beta]
- email: hoban@serenity.example
"""


@pytest.mark.parametrize(
    ("loc", "where"),
    [
        ((), "2:1"),
        (("name",), "2:1"),
        (("tags",), "3:1"),
        (("tags", 0), "4:5"),
        (("tags", 1), "5:5"),
        (("tags", 1, "name"), "5:6"),
        (("tags", 1, "owner"), "6:6"),
        (("contacts", 0), "8:3"),
        (("contacts", 0, "tags"), "9:3"),
        (("contacts", 0, "tags", 1), "10:5"),
        (("contacts", 1, "email"), "11:3"),
        (("contacts", 1, "phone"), "11:3"),
        (("contacts", 2), "7:1"),
        (("contacts", -1), "7:1"),
        (("companies",), "2:1"),
        (("tags", 1, "Tag", "owner"), "6:6"),
        (("tags", 0, "function-plain[text()]"), "4:5"),
        (("name", 0), "2:1"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_every_place_is_known(loc: tuple[str | int, ...], where: str, newline: str, start: str) -> None:
    assert place(load(start + TEAM.replace("\n", newline)), *loc) == where


def test_the_file_is_in_every_mark() -> None:
    document = load(TEAM)
    assert document.file == FILE
    assert document.marks.of(("name",)) == Mark(FILE, 2, 1)


def test_what_comes_by_alias_stands_where_it_is_used() -> None:
    document = load("base: &base\n  - vip\n  - [x,\n     &t trial]\na: *base\nb: [1, *base, *t]\nc: {d: *base}\n")
    assert document.value["a"] is document.value["base"]
    uses = [("a",), ("a", 0), ("a", 1, 1), ("b", 1), ("b", 1, 1, 0), ("b", 2), ("c", "d"), ("c", "d", 0)]
    assert [place(document, *loc) for loc in uses] == ["5:1", "5:1", "5:1", "6:8", "6:8", "6:15", "7:5", "7:5"]


def test_an_anchor_may_be_set_again() -> None:
    assert load("a: &x 1\nb: *x\nc: &x 2\nd: *x\n").value == {"a": "1", "b": "1", "c": "2", "d": "2"}


def test_five_hundred_contacts_may_share_an_alias() -> None:
    contacts = "".join(f"- {{external_id: u{n}, tags: *base}}\n" for n in range(500))
    document = load("x-base: &base [vip, trial]\ncontacts:\n" + contacts)
    assert document.value["contacts"][499]["tags"] == ["vip", "trial"]
    assert place(document, "contacts", 499, "tags", 1) == "502:23"


def test_aliases_of_aliases_are_counted_as_if_written_out() -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 30))
    (problem,) = problems(f"l0: &l0 [{', '.join('x' * 10)}]\n{levels}")
    assert "with its aliases written out" in problem


def test_an_alias_of_itself_is_refused() -> None:
    assert problems("a: &a [1, *a]\n") == [f"{FILE}:1:11: the alias *a stands inside its own anchor; write the value out"]
    assert "stands inside its own anchor" in problems("a: &a 1\nb: &a [*a]\n")[0]


def test_problems_are_collected() -> None:
    text = "a: 1\nb: !!str 2\nc: {x: 1, x: 2, x: 3, y: 1, y: 2}\na: 2\n<<: *nobody\nd: !thing {}\na: 3\n<<: {}\n"
    assert [line.removeprefix(FILE).split("; ")[0] for line in problems(text)] == [
        ':2:4: the tag "!!str" is not read',
        ':3:11: the key "x" is already on line 3',
        ':3:17: the key "x" is already on line 3',
        ':3:29: the key "y" is already on line 3',
        ':4:1: the key "a" is already on line 1',
        ":5:1: merge keys (<<) are not read",
        ":5:5: there is no anchor &nobody before the alias *nobody",
        ':6:4: the tag "!thing" is not read',
        ':7:1: the key "a" is already on line 1',
        ":8:1: merge keys (<<) are not read",
    ]


def test_a_key_written_again_after_another_one_gets_the_right_line() -> None:
    first, second = problems("a: 1\nb: 1\na: 2\nc: 1\nc: 2\n")
    assert "already on line 1;" in first
    assert "already on line 4;" in second


def test_duplicates_far_apart_name_both_lines() -> None:
    (problem,) = problems("tags: [a]\n" + "".join(f"k{n}: x\n" for n in range(4000)) + "tags: [b]\n")
    assert problem == f'{FILE}:4002:1: the key "tags" is already on line 1; keep one of them'


def test_earlier_problems_are_told_with_the_one_that_ends_reading() -> None:
    assert len(problems("a: 1\na: 2\nb: [\n")) == 2
    assert len(problems("a: 1\na: 2\n---\nb: 1\n")) == 2


@pytest.mark.parametrize("parser", [None, pure])
@pytest.mark.parametrize(
    ("text", "where", "part"),
    [
        ("a:\n\tb: 1\n", "2:1", "tab"),
        ("a:\n  b: 1\n\tc: 2\n", "3:1", "tab"),
        ("a:\n-\tb\n-\t\tc: [\n", "", ""),
        ("a: [1, 2\nb: 3\n", "2:2", "the list that opens on line 1 is not closed"),
        ("a: [1, 2\n", "2:1", "the list that opens on line 1 is not closed"),
        ("a: {x: 1\nb: 3\n", "2:2", "the mapping that opens on line 1 is not closed"),
        ('a: 1\nb: "x\nc: 1\n', "4:1", "the quote that opens on line 2 is not closed"),
        ("a: 'x\n---\nb: 1\n", "2:1", "the quote that opens on line 1 is not closed"),
        ("a: ]\n", "1:4", "a value is missing"),
        ("a: 1\n  b: 2\n", "2:4", "a colon"),
        ("a: b: c\n", "1:5", "a colon"),
        ("a: - b\n", "1:4", "a list item"),
        ("a:\n    b: 1\n  c: 2\n", "3:3", "indentation"),
        ("a:\n  - b\n c: 1\n", "3:2", "indentation"),
        ('a: "x" y\n', "1:8", "indentation"),
        ("a: ***\n", "1:5", "quote the value"),
        ("a: &\n", "1:5", "quote the value"),
        ("a: @x\n", "1:4", "quote the value"),
        ("a: %x\n", "1:4", "quote the value"),
        ('a: "\\q"\n', "1:", "escape"),
        ("a: 1\nfoo\nb: 2\n", "3:1", "a key without a colon"),
        ("a: !e!x 1\n", "1:4", "tags (!)"),
        ("%YAML 3.0\n---\na: 1\n", "1:1", "%YAML"),
        ("a: |x\n b\n", "1:5", "this is not YAML"),
        ("a: !x 1\n", "1:4", 'the tag "!x"'),
        ("a: ! 1\n", "1:4", 'the tag "!"'),
        ("!x\na: 1\n", "1:1", 'the tag "!x"'),
        ("a: 1\n---\nb: 2\n", "2:1", "second document"),
        ("---\n---\na: 1\n", "2:1", "second document"),
        ("{a: 1}: b\n", "1:1", "where a key must be"),
        ("a: {{ x }}\n", "1:5", "where a key must be"),
        ("? [a]\n: b\n", "1:3", "where a key must be"),
        ("a: &x y\n*x : b\n", "2:1", "where a key must be"),
        ("a: *x\n", "1:4", "no anchor &x"),
        ("- a\n", "1:1", "not a mapping"),
        ("a\n", "1:1", "not a mapping"),
        ("", "", "the file is empty"),
        ("# nothing\n", "", "the file is empty"),
        ("---\n", "", "the file is empty"),
        ("---\n...\n", "", "the file is empty"),
        ("\ufeff", "", "the file is empty"),
        ("a: " + "[" * 60 + "]" * 60, "1:53", "more than 50 levels"),
        ("a: " + "{a: " * 10000, "1:", "more than 50 levels"),
        ("a: x\x00\n", "1:5", "U+0000"),
        ("a: 1\r\nb: x\x1b[0m\n", "2:5", "U+001B"),
        ("a: 1\rb: 'x\x85'\n", "2:6", "U+0085"),
        ("a: 'x\u2028'\n", "1:6", "U+2028"),
        ("a: 1\n\ufeffb: 2\n", "2:1", "U+FEFF"),
        ("a: x\x7f\n", "1:5", "U+007F"),
    ],
)
def test_what_cannot_be_meant(text: str, where: str, part: str, parser: Callable[[bytes], Events] | None) -> None:
    with pytest.raises(Invalid) as caught:
        read(text.encode(), FILE, parser) if parser else read(text.encode(), FILE)
    problem = str(caught.value.problems[0])
    assert problem.startswith(f"{FILE}:{where}" if where else FILE)
    assert part in problem


@pytest.mark.parametrize(
    ("data", "part"),
    [
        ("a: 1\n".encode("utf-16"), "UTF-16"),
        ("a: 1\n".encode("utf-16-le"), "UTF-16"),
        (b"\xfe\xff\x00a", "UTF-16"),
        ("a: 1\n".encode("utf-32"), "UTF-32"),
        ("a: 1\nb: é\n".encode("latin-1"), f"{FILE}:2:4: the byte 0xE9 is not UTF-8"),
        (b"a: \xed\xa0\x80\n", f"{FILE}:1:4: the byte 0xED is not UTF-8"),
    ],
)
def test_only_utf8_is_read(data: bytes, part: str) -> None:
    (problem,) = problems(data)
    assert part in problem
    assert "UTF-8" in problem


def test_block_text_holds_no_carriage_return() -> None:
    value = load("a: |\r\n  one\r\n  two\r\nb: >-\r\n  one\r\n  two\r\nc: 'x\r\n\r\n  y'\r\n").value
    assert value == {"a": "one\ntwo\n", "b": "one two", "c": "x\ny"}


def test_deep_but_not_too_deep() -> None:
    assert load("a: " + "[" * 49 + "]" * 49).value


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
trees = st.recursive(texts, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12)


@given(st.dictionaries(texts, trees, min_size=1, max_size=4), st.booleans(), st.booleans())
def test_every_text_that_is_dumped_in_quotes_comes_back(tree: dict[str, Any], flow: bool, ascii_only: bool) -> None:
    dumped = yaml.safe_dump(tree, default_style='"', default_flow_style=flow, allow_unicode=not ascii_only).encode()
    dumped = dumped.replace(b"!!map ", b"").replace(b"!!seq ", b"")
    assert read(dumped, FILE).value == read(dumped, FILE, pure).value == tree


@given(st.dictionaries(texts, trees, min_size=1, max_size=4), st.booleans())
def test_structure_and_places_are_those_of_libyaml(tree: dict[str, Any], flow: bool) -> None:
    # The same object twice is dumped as an anchor and an alias.
    dumped = yaml.dump({"first": tree, "again": [tree, tree]}, Dumper=yaml.CSafeDumper, default_flow_style=flow, width=20, sort_keys=False)
    document = read(dumped.encode(), FILE)
    assert document.value == yaml.load(dumped, Loader=yaml.CBaseLoader)
    assert document.value["first"] is document.value["again"][1]
    _same_places(document.marks, yaml.compose(dumped, Loader=yaml.CBaseLoader), (), set())


def _same_places(marks: Places, node: Any, loc: tuple[str | int, ...], seen: set[int]) -> None:
    """Every key and item stands where PyYAML's own composer sees it, unless it came by alias."""
    if isinstance(node, yaml.MappingNode):
        items = [(key.value, key.start_mark, child) for key, child in node.value]
    elif isinstance(node, yaml.SequenceNode):
        items = [(index, child.start_mark, child) for index, child in enumerate(node.value)]
    else:
        return
    for step, start, child in items:
        # What came by alias is the very node of its anchor.
        if id(child) not in seen:
            seen.add(id(child))
            mark = marks.of((*loc, step))
            assert (mark.line, mark.column) == (start.line + 1, start.column + 1)
            _same_places(marks, child, (*loc, step), seen)


soup = st.text(st.sampled_from("abn: -[]{},'\"\n\t#&*!|>%@`?<~.\\xu0\r\ufeff\u2028é"), max_size=30).map(str.encode)


def outcome(data: bytes, parser: Callable[[bytes], Events]) -> Document | Invalid:
    try:
        return read(data, FILE, parser)
    except Invalid as invalid:
        return invalid


@given(soup | st.binary(max_size=30), st.sampled_from([yaml.CSafeLoader, yaml.SafeLoader]))
def test_whatever_is_written_is_read_or_refused_with_a_sentence(data: bytes, parser: Callable[[bytes], Events]) -> None:
    match outcome(data, parser):
        case Document(value=value):
            assert type(value) is dict
        case Invalid(problems=told):
            assert told
            assert {problem.mark.file for problem in told} == {FILE}
