"""Lists in files of their own: what a row means, where it stands, and what is refused of a file, a header and a row."""

from __future__ import annotations

import csv
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.model.address import Address
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.spelling import fold
from reconciler.core.model.written import trim
from reconciler.errors import Invalid
from reconciler.manifest.lists import LONGEST
from reconciler.manifest.read import read_manifest
from reconciler.manifest.splicing import inline
from tests.desk.desk import Desk

HEAD = "tags: [vip, trial, a b]\nattributes: [{name: seats, model: contact, data_type: integer}]\ncontacts:\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(rows: str | bytes, item: str = "from: l.csv", more: str = "") -> Manifest:
    """The manifest m/m.yaml with a list beside it."""
    name = item.partition("from: ")[2].partition(",")[0].strip()
    path = Path("m", name.lstrip("/"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(rows if isinstance(rows, bytes) else rows.encode())
    Path("m/m.yaml").write_text(f"{HEAD}- {{{item}}}\n{more}", encoding="utf-8")
    return read_manifest(["m"])


def contact(manifest: Manifest, key: str) -> Resource:
    return manifest.resources[Address("contact", key)]


def list_problems(rows: str | bytes, item: str = "from: l.csv", more: str = "") -> list[str]:
    with pytest.raises(Invalid) as refused:
        read(rows, item, more)
    assert all(problem.now or ";" in problem.what for problem in refused.value.problems), refused.value
    return str(refused.value).splitlines()


def tags(resource: Resource) -> set[str]:
    return {address.key for address in resource.links["tags"].present}


def test_rows_of_csv_and_json_lines_and_entries_of_yaml_are_the_same_manifest() -> None:
    rows = read('external_id,email,name,custom_attributes.seats,tags\n007,a@x.example,"B, ""C""",5,vip;a b\n', "from: l.csv, tags: [trial]")
    row = {"external_id": "007", "email": "a@x.example", "name": 'B, "C"', "custom_attributes": {"seats": 5}, "tags": ["vip", "a b"]}
    lines = read(json.dumps(row) + "\n\n", "from: l.jsonl, tags: [trial]")
    yaml = "- {external_id: 007, email: a@x.example, name: 'B, \"C\"', custom_attributes: {seats: 5}, tags: [trial, vip, a b]}\n"
    Path("m/m.yaml").write_text(HEAD + yaml, encoding="utf-8")
    flat = read_manifest(["m"])
    assert rows.digest == lines.digest == flat.digest
    assert contact(rows, "007").fields == contact(flat, "007").fields
    assert tags(contact(rows, "007")) == {"vip", "trial", "a b"}


def test_the_type_of_a_field_decides_what_a_cell_is() -> None:
    header = "external_id,phone,name,unsubscribed_from_emails,signed_up_at,custom_attributes.seats,tags,missing\n"
    person = contact(read(header + "1,+1555,Null,true,2026-01-02,9007199254740993,,create\n"), "1")
    assert person.fields == {
        "external_id": "1", "phone": "+1555", "name": "Null", "unsubscribed_from_emails": True, "signed_up_at": 1767312000,
        "custom_attributes": {"seats": 9007199254740993},
    }  # fmt: skip
    assert (person.links, person.missing) == ({}, "create"), "an empty cell is not written"


def test_json_null_clears_and_keeps_every_digit() -> None:
    person = contact(read('{"external_id": 7.0, "phone": null, "unsubscribed_from_emails": false, "tags": []}\n', "from: l.jsonl"), "7.0")
    assert person.fields == {"external_id": "7.0", "phone": None, "unsubscribed_from_emails": False}
    assert tags(person) == set()


def test_the_marks_that_spreadsheets_leave_are_no_part_of_a_value() -> None:
    manifest = read(b'\xef\xbb\xbf"external_id",name\r\n1,"two\r\nlines"\r\n\r\n2,b\r\n')
    assert contact(manifest, "1").fields["name"] == "two\nlines"
    assert [str(contact(manifest, key).mark) for key in "12"] == ["m/l.csv:2:1", "m/l.csv:5:1"]
    assert manifest.files == ("m/m.yaml", "m/l.csv")


def test_columns_have_other_names_and_are_left_out() -> None:
    item = "from: l.csv, columns: {Id: external_id, Seats: custom_attributes.seats, Notes: null}"
    assert contact(read("Id,Seats,Notes\n1,5,whatever\n", item), "1").fields == {"external_id": "1", "custom_attributes": {"seats": 5}}
    lines = read('{"Id": 1, "Seats": 5, "Notes": {}}\n', item.replace("csv", "jsonl"))
    assert contact(lines, "1").fields["custom_attributes"] == {"seats": 5}


def test_any_section_takes_a_list() -> None:
    Path("t.csv").write_text("name,description\nvip,who pays\n", encoding="utf-8")
    Path("m.yaml").write_text("tags:\n- {from: t.csv, owner: growth}\n- trial\n", encoding="utf-8")
    assert sorted(address.key for address in read_manifest(["m.yaml"]).resources) == ["trial", "vip"]


ROWS: dict[str, tuple[str | bytes, str]] = {
    "an unknown column": (
        "external_id,emial\n1,x\n",
        "m/l.csv:1: unknown column 'emial'; known are protect, external_id, email, id, was, state, missing, recreate, role, name, phone, "
        "avatar, signed_up_at, last_seen_at, owner_id, unsubscribed_from_emails, custom_attributes.NAME, tags, companies; "
        "`columns:` says what another name means, or leaves it out",
    ),
    "no header": ("9,Kaylee Frye\n", "m/l.csv:1: the first line names no column that is known; known are"),
    "semicolons": ("external_id;email\n1;x\n", "m/l.csv:1: the first line names no column that is known; cells are separated by commas"),
    "a column twice": ("external_id,external_id\n1,2\n", "m/l.csv:1: two columns are external_id; keep one"),
    "a list as a map": ("external_id,tags.x\n1,2\n", "m/l.csv:1: unknown column 'tags.x'"),
    "a map as a column": ("external_id,email.x\n1,2\n", "m/l.csv:1: unknown column 'email.x'"),
    "an empty file": ("", "m/l.csv: the list is empty"),
    "too few cells": ("external_id,email\n1\n", "m/l.csv:2: has 1 cells, and the header has 2"),
    "too many cells": ("external_id\n1\n2,x@y.example\n", "m/l.csv:3: has 2 cells, and the header has 1"),
    "a quote that stays open": ('external_id,name\n1,"a\n2,b\n', "m/l.csv:2: this is not CSV (unexpected end of data)"),
    "an old line end": ("external_id\r1\r", "m/l.csv:1: a carriage return stands alone"),
    "text behind a quote": ('external_id,name\n1,"a"b\n', "m/l.csv:2: this is not CSV"),
    "bytes": ("external_id,name\n1,b\n2,é\n".encode("latin-1"), "m/l.csv:3: the byte 0xE9 is not UTF-8"),
    "a line without an end": ("external_id\n" + "x" * (LONGEST + 1), "m/l.csv:2: the line has more than 1,000,000 bytes"),
    "a value of another type": ("external_id,custom_attributes.seats\n1,many\n", "m/l.csv:2:1: seats: many is not a whole number"),
    "a personal value": ("external_id,name\n1, Kaylee\n", 'm/l.csv:2:1: name: "␠***" has blanks at its ends'),
    "nobody": ("external_id,email\n,\n", "m/l.csv:2:1: says nobody"),
    "a tag that nobody declares": ("external_id,tags\n1,vip;vpi\n", "m/l.csv:2:1: tag 'vpi' is not declared; did you mean 'vip'?"),
    "twice in one list": ("external_id\n1\n1\n", "m/l.csv:3:1: contact/1 is already declared at m/l.csv:2:1"),
}


@pytest.mark.parametrize("what", ROWS)
def test_a_list_is_refused_with_its_line(what: str) -> None:
    rows, wanted = ROWS[what]
    (line,) = list_problems(rows)
    assert line.startswith(wanted)


LINES = {
    "an empty file": ("", "m/l.jsonl: the list is empty"),
    "empty lines": ("\n \n", "m/l.jsonl: the list is empty"),
    "no JSON": ('{"external_id": 1\n', "m/l.jsonl:1: this is not JSON (Expecting"),
    "no object": ('{"external_id": 1}\n[1]\n', "m/l.jsonl:2: is no JSON object"),
    "a key twice": ('{"external_id": 1, "external_id": 2}\n', "m/l.jsonl:1: this is not JSON (a key stands twice)"),
    "no number": ('{"external_id": NaN}\n', "m/l.jsonl:1: this is not JSON (NaN is no value of JSON)"),
    "deep": ("[" * 100_000 + "\n", "m/l.jsonl:1: this is not JSON"),
    "half a letter in a key": (
        '{"external_id": 1, "na\\ud800me": 2}\n',
        "m/l.jsonl:1:1: a key holds the control character U+D800; remove it",
    ),
    "an unknown key": ('{"external_id": 1, "emial": 2}\n', "m/l.jsonl:1:1: unknown key 'emial'; did you mean email?"),
}


@pytest.mark.parametrize("what", LINES)
def test_json_lines_are_refused_with_their_line(what: str) -> None:
    rows, wanted = LINES[what]
    (line,) = list_problems(rows, "from: l.jsonl")
    assert line.startswith(wanted)


ITEMS = {
    "another folder": ("from: ../l.csv", "m/m.yaml:4:4: ../l.csv is not below the folder of this file"),
    "the whole disk": ("from: /etc/l.csv", "m/m.yaml:4:4: /etc/l.csv is not below the folder of this file"),
    "no list": ("from: l.txt", "m/m.yaml:4:4: l.txt is no list by its name; it ends with .csv, .jsonl, .ndjson"),
    "a key that names nobody": ("from: l.csv, key: name", "m/m.yaml:4:17: key: 'name' names no contact; write external_id or email or id"),
    "a key that is not there": ("from: l.csv, key: email", "m/l.csv:2:1: has no email, which is to name it (`key:`)"),
    "columns that are not there": ("from: l.csv, columns: {Id: id}", "m/l.csv:1: there is no column 'Id', which `columns:` names"),
    "a typo for all rows": ("from: l.csv, tgas: [vip]", "m/m.yaml:4:17: unknown key 'tgas'; did you mean tags?"),
    "a tag for all rows": ("from: l.csv, tags: [trial, vpi]", "m/m.yaml:4:31: tag 'vpi' is not declared; did you mean 'vip'?"),
    "two values": ("from: l.csv, external_id: 5", "m/l.csv:2:1: external_id is also written for all rows (at m/m.yaml:4:17)"),
}


@pytest.mark.parametrize("what", ITEMS)
def test_an_item_is_refused_with_its_place(what: str) -> None:
    item, wanted = ITEMS[what]
    (line, *others) = list_problems("external_id\n1\n2\n", item)
    assert line.startswith(wanted)
    assert len(others) <= 1


def test_whoever_is_named_by_something_stronger_than_the_key_is_told() -> None:
    (line,) = list_problems("external_id,email\n1,a@x.example\n", "from: l.csv, key: email")
    assert line.endswith("is named by its external_id, and not by its email (`key:`); "
                         "write `key: external_id`, or `columns: {external_id: null}`")  # fmt: skip
    assert contact(read("external_id,email\n,a@x.example\n", "from: l.csv, key: email"), "a@x.example").by == "email"


def test_a_list_that_is_not_there_is_named_by_whoever_names_it() -> None:
    Path("m").mkdir()
    Path("m/m.yaml").write_text("contacts: [{from: l.csv}]\ntags: [{from: t.csv}]\ncompanies: [{company_id: a, tags: [vip]}]\n")
    Path("outside.csv").write_text("external_id\n1\n")
    Path("m/l.csv").symlink_to("../outside.csv")
    with pytest.raises(Invalid) as refused:
        read_manifest(["m"])
    assert str(refused.value).splitlines() == [
        "m/m.yaml:1:13: the link m/l.csv leads out of the folder of this file; put the list itself there",
        "m/m.yaml:2:9: m/t.csv: there is no such file or folder; check the path",
    ], "and nobody is told that a tag is not declared, which may stand there"


def test_whoever_may_stand_in_a_line_that_cannot_be_read_is_not_missed() -> None:
    Path("t.csv").write_text('name,owner\nvip\n"gold\n', encoding="utf-8")
    Path("m.yaml").write_text("tags: [{from: t.csv}]\ncompanies: [{company_id: a, tags: [vip, gold]}]\n", encoding="utf-8")
    with pytest.raises(Invalid) as refused:
        read_manifest(["m.yaml"])
    assert [str(problem.mark) for problem in refused.value.problems] == ["t.csv:2", "t.csv:3"]


def test_an_address_in_a_list_and_in_yaml_is_one_too_many() -> None:
    (line,) = list_problems("external_id\n1\n", more="- {external_id: 1}\n")
    assert line == "m/m.yaml:5:3: contact/1 is already declared at m/l.csv:2:1; keep one of them"


def test_a_row_is_planned_saved_and_explained_by_its_line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk.folder)
    desk.seed(tags=[{"name": "vip"}], contacts=[{"external_id": "1"}, {"external_id": "2"}])
    desk.write("l.csv", "external_id,tags\n1,\n2,vip\n")
    manifest = "tags: [vip]\ncontacts:\n- from: l.csv\n  tags: [vip]\n"
    assert desk.plan("--embed-values", m=manifest) == 2
    sources: list[Any] = [change["source"] for change in desk.saved()["changes"]]
    assert sources == [{"file": "l.csv", "line": 2}, {"file": "l.csv", "line": 3}]
    desk.write("l.csv", "external_id\n1\n")
    Path("m.yaml").unlink()
    assert desk("apply", "plan.json") == 0, "it holds the list too"
    assert len(desk.written()) == 1


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda text: trim(text)[1] == text and "***" not in text)


@settings(max_examples=20)
@given(st.lists(st.tuples(TEXTS, TEXTS, st.integers(-(10**20), 10**20)), min_size=1, max_size=4, unique_by=lambda row: fold(row[0])))
def test_whatever_a_row_holds_it_is_what_the_same_entry_in_yaml_is(rows: list[tuple[str, str, int]]) -> None:
    head = "attributes: [{name: seats, model: contact, data_type: integer}]\ncontacts:\n"
    entries = [{"external_id": key, "name": name, "custom_attributes": {"seats": seats}} for key, name, seats in rows]
    Path("l.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    with Path("l.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["external_id", "name", "custom_attributes.seats"], *rows])
    flat = (f"- {{external_id: {inline(key)}, name: {inline(name)}, custom_attributes: {{seats: {seats}}}}}\n" for key, name, seats in rows)
    Path("flat.yaml").write_text(head + "".join(flat).replace("${", "$${"), encoding="utf-8")
    for name in ("l.csv", "l.jsonl"):
        Path(f"{name}.yaml").write_text(f"{head}- from: {name}\n", encoding="utf-8")
    assert len({read_manifest([name]).digest for name in ("flat.yaml", "l.csv.yaml", "l.jsonl.yaml")}) == 1


NOTE = "x" * 10_000


@pytest.mark.parametrize(
    ("name", "head", "row"),
    [("l.csv", "external_id,note\n", "u{},{}\n"), ("l.jsonl", "", '{{"external_id": "u{}", "note": "{}"}}\n')],
)
def test_a_list_is_never_in_memory_as_text(name: str, head: str, row: str) -> None:
    with Path("l").open("w", encoding="utf-8") as file:
        file.writelines([head, *(row.format(n, NOTE) for n in range(1000))])
    Path("l").rename(name)
    Path("m.yaml").write_text(f"contacts: [{{from: {name}, columns: {{note: null}}}}]\n", encoding="utf-8")
    tracemalloc.start()
    try:
        assert len(read_manifest(["m.yaml"]).resources) == 1000
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < Path(name).stat().st_size / 4


@pytest.mark.parametrize(
    ("key", "value", "other"), [("mood", "half \ud83d", "another"), ("mood", "\udcff", "another"), ("seats", 2**64, 2**64 + 1)]
)
def test_half_a_character_and_a_large_number_count_in_the_digest_as_any_other(key: str, value: str | int, other: str | int) -> None:
    """Of an attribute that is not declared only the workspace says which values it takes."""
    rows = [json.dumps({"external_id": "1", "custom_attributes": {key: one}}) + "\n" for one in (value, value, other)]
    digests = [read(row, "from: l.jsonl").digest for row in rows]
    assert digests[0] == digests[1] != digests[2]
