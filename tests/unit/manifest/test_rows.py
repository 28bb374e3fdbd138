"""Edits of lists: names in their rows are other ones, and every other character stays."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import Usage
from reconciler.manifest.rows import edit_rows

NEW = "new, one"


def rename(path: str, text: str, new: str | None = NEW, *, merge: bool = False) -> tuple[str, int]:
    def becomes(field: str, written: str, absent: bool) -> str | None:
        if merge and absent:
            return None
        return new if (field, written.lower()) in {("", "beta"), ("id", "5")} else written

    return edit_rows(path, text, lambda name: name in ("tags", "Labels"), "tag", becomes)


@pytest.mark.parametrize(
    ("before", "after", "number"),
    [
        ("id,tags\n1,Beta\n", 'id,tags\n1,"new, one"\n', 1),
        ("Labels,name\r\nvip; beta ;x,Beta\r\n", 'Labels,name\r\n"vip; new, one ;x",Beta\r\n', 1),
        ('tags\n"a ""b"";BETA"', 'tags\n"a ""b"";new, one"', 1),
        ('name,tags\n"x,\nBeta",Beta\n', 'name,tags\n"x,\nBeta","new, one"\n', 1),
        ("name\nBeta\n", "name\nBeta\n", 0),
        ("tags\nBeta,Beta\n", 'tags\n"new, one",Beta\n', 1),
    ],
)
def test_cells_of_csv(before: str, after: str, number: int) -> None:
    assert rename("a.CSV", before) == (after, number)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"n": 1.50, "tags": ["vip", "Beta"], "x": "Beta"}\n', '{"n": 1.50, "tags": ["vip", "new, one"], "x": "Beta"}\n'),
        ('\n {"tags":["beta"]}\r\n', '\n {"tags":["new, one"]}\r\n'),
        ('{"tags": [{"tag": "Beta", "state": "absent"}]}', '{"tags": [{"tag": "new, one", "state": "absent"}]}'),
        ('{"n": {"tags": ["Beta"]}, "tags": "Beta"}', '{"n": {"tags": ["Beta"]}, "tags": "Beta"}'),
        ('{"tags": ["Beta"]', '{"tags": ["new, one"]'),
        ('{"tags": ["Beta", "\\ud800", "\\u00e9"]}', '{"tags": ["new, one", "\\ud800", "\\u00e9"]}'),
        ('{"tags": ["Beta", 1.10]}', '{"tags": ["Beta", 1.10]}'),
        ('{bad "tags": ["Beta"]}\n{"tags": ["Beta"]}', '{bad "tags": ["Beta"]}\n{"tags": ["new, one"]}'),
    ],
)
def test_items_of_json_lines(before: str, after: str) -> None:
    assert rename("a.jsonl", before)[0] == after


def test_a_name_that_a_cell_would_part_is_refused_where_it_would_be_written() -> None:
    with pytest.raises(Usage, match="'a;b' cannot stand in a cell of CSV"):
        rename("a.csv", "tags\nBeta\n", "a;b")
    assert rename("a.csv", "tags\nvip\n", "a;b") == ("tags\nvip\n", 0)
    assert rename("a.jsonl", '{"tags": ["Beta"]}', "a;b") == ('{"tags": ["a;b"]}', 1)


def test_what_goes_leaves_its_neighbours() -> None:
    assert rename("a.csv", 'tags,n\nBeta,1\n"vip;beta",2\n', None) == ('tags,n\n,1\n"vip",2\n', 2)
    assert rename("a.jsonl", '{"tags": ["Beta", {"id": "5"}, "vip"]}', None) == ('{"tags": ["vip"]}', 2)


def test_what_goes_into_another_is_named_once() -> None:
    assert rename("a.csv", "tags\nBeta;beta\nVIP;Beta;x\n", "vip") == ("tags\nvip\nVIP;x\n", 3)
    assert rename("a.jsonl", '{"tags": ["VIP", "Beta", {"id": "5"}]}', "vip") == ('{"tags": ["VIP"]}', 2)
    assert rename("a.jsonl", '{"tags": [{"id": "5"}, 7]}', "vip") == ('{"tags": ["vip", 7]}', 1)
    absent = '{"tags": [{"tag": "Beta", "state": "absent"}, "x"]}'
    assert rename("a.jsonl", absent, "vip", merge=True) == ('{"tags": ["x"]}', 1)
    assert rename("a.jsonl", absent, "vip") == (absent.replace("Beta", "vip"), 1)


ROWS = st.lists(
    st.tuples(st.text(st.sampled_from('aB",;\n '), max_size=5), st.sampled_from(["", "Beta", "vip;BETA", "a;b", 'q"q'])), min_size=1
)


@given(rows=ROWS, newline=st.sampled_from(["\n", "\r\n"]))
def test_a_reader_of_csv_sees_the_names_alone_change(rows: list[tuple[str, str]], newline: str) -> None:
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator=newline).writerows([("name", "tags"), *rows])
    text, number = rename("a.csv", written.getvalue(), "x")
    names = [";".join("x" if name.lower() == "beta" else name for name in tags.split(";")) for _, tags in rows]
    assert list(csv.reader(io.StringIO(text, newline="")))[1:] == [[name, new] for (name, _), new in zip(rows, names, strict=True)]
    assert number == sum("beta" in tags.lower() for _, tags in rows)


NAMES = st.lists(st.sampled_from(["Beta", "vip", 'é"\\', "\U0001f331", "\u2028"]), max_size=3, unique=True)


@given(rows=st.lists(st.fixed_dictionaries({"name": NAMES}, optional={"tags": NAMES}), min_size=1, max_size=3))
def test_a_reader_of_json_sees_the_names_alone_change(rows: list[dict[str, list[str]]]) -> None:
    text, _ = rename("a.jsonl", "\n".join(map(json.dumps, rows)), "x")
    new_rows = [row | {"tags": ["x" if n == "Beta" else n for n in row["tags"]]} if "tags" in row else row for row in rows]
    assert list(map(json.loads, text.split("\n"))) == new_rows
