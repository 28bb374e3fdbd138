"""Edits of a manifest change what was asked for and nothing else: comments, order, quotes and line ends stay."""

from __future__ import annotations

import copy
import difflib
import resource
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import Invalid, ReconcilerError
from reconciler.kinds import KINDS
from reconciler.manifest.editing import Draft
from reconciler.manifest.files import lock_folders
from reconciler.manifest.reader import read
from reconciler.manifest.splicing import Splices, inline
from reconciler.manifest.unified import diff_lines

TAG, CONTACT, COMPANY = KINDS["tag"], KINDS["contact"], KINDS["company"]

TEAM = """\
# top
name: growth   # whose
tags:
  - vip    # the best
  - {name: Beta,   owner: "growth"}   # flow
  - name: 'trial'
    owner: x   # owner
  # after the tags
companies: []
contacts:
- external_id: "25"
  tags: [vip,
    "Beta"]
- {email: hoban@serenity.example, tags: [ BETA, {tag: vip, state: absent}]}
- external_id: "26"
  tags:   # why
    - Beta # b
    - {tag: "beta", state: absent}
    # the end
"""


def lines_of_diff(before: str, after: str) -> list[str]:
    """The lines that another tool finds taken out and put in."""
    return [line for line in list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm=""))[2:] if line[0] in "+-"]


Edit = Callable[[Splices], None]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda s: s.replace(("tags", 1, "name"), "beta: 2"),
         ["-  - {name: Beta,   owner: \"growth\"}   # flow", "+  - {name: 'beta: 2',   owner: \"growth\"}   # flow"]),
        (lambda s: s.replace(("tags", 2, "name"), "it's"), ["-  - name: 'trial'", "+  - name: 'it''s'"]),
        (lambda s: s.put(("tags", 2), "state", "absent"), ["+    state: absent"]),
        (lambda s: s.put(("tags", 2), "renamed_from", "T", after="name"), ["+    renamed_from: T"]),
        (lambda s: s.put(("tags", 2), "owner", None), ["-    owner: x   # owner", "+    owner: null   # owner"]),
        (lambda s: s.append(("tags",), "no"), ["+  - 'no'"]),
        (lambda s: s.append(("companies",), {"company_id": "6"}), ["-companies: []", "+companies:", "+  - {company_id: '6'}"]),
        (lambda s: s.append(("attributes",), {"name": "n", "model": "company"}), ["+attributes:", "+  - {name: 'n', model: company}"]),
        (lambda s: s.append(("contacts",), {"external_id": "7", "tags": ["vip"]}), ["+- external_id: '7'", "+  tags: [vip]"]),
        (lambda s: s.append(("contacts", 0, "tags"), "new"), ["-    \"Beta\"]", "+    \"Beta\",", "+    new]"]),
        (lambda s: s.append(("contacts", 2, "tags"), "new"), ["+    - new"]),
        (lambda s: s.drop(("tags",), [1]), ["-  - {name: Beta,   owner: \"growth\"}   # flow"]),
        (lambda s: s.drop(("tags", 2), ["name"]), ["-  - name: 'trial'", "-    owner: x   # owner", "+  - owner: x   # owner"]),
        (lambda s: s.drop(("contacts", 0, "tags"), [1]), ["-  tags: [vip,", "-    \"Beta\"]", "+  tags: [vip]"]),
        (lambda s: s.drop(("contacts", 2, "tags"), [0]), ["-    - Beta # b"]),
        (lambda s: s.drop(("contacts", 2, "tags"), [0, 1]),
         ["-  tags:   # why", "-    - Beta # b", "-    - {tag: \"beta\", state: absent}", "+  tags: []   # why"]),
        (lambda s: s.drop(("nothing",), [1]), []),
    ],
)  # fmt: skip
def test_an_edit_changes_its_lines_alone(edit: Edit, expected: list[str], newline: str) -> None:
    splices = Splices(TEAM.replace("\n", newline))
    edit(splices)
    done = splices.result()
    assert done.count("\n") == done.count(newline)
    assert lines_of_diff(TEAM, done.replace("\r\n", "\n")) == expected
    read(done.encode(), "team.yaml")


def test_edits_at_one_place_stand_in_the_order_of_their_depth() -> None:
    splices = Splices("tags: [vip]\ncontacts:\n- external_id: '1'\n  tags:\n  - vip")
    splices.append(("attributes",), {"name": "a"})
    splices.append(("companies",), {"company_id": "6"})
    splices.append(("companies",), {"company_id": "7"})
    splices.append(("contacts",), {"external_id": "2"})
    splices.put(("contacts", 0), "name", "Inara")
    splices.append(("contacts", 0, "tags"), "new")
    assert splices.result() == (
        "tags: [vip]\ncontacts:\n- external_id: '1'\n  tags:\n  - vip\n  - new\n  name: Inara\n- external_id: '2'\n"
        "attributes:\n  - {name: a}\ncompanies:\n  - {company_id: '6'}\n  - {company_id: '7'}"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "tags:\n  - vip\n"),
        ("# whose\n---\n", "# whose\n---\ntags:\n  - vip\n"),
        ("name: a\n# end\n...\n", "name: a\n# end\ntags:\n  - vip\n...\n"),
        ("{name: a}\n", "{name: a, tags: [vip]}\n"),
        ("{}", "{tags: [vip]}"),
        ("tags: &all\n- a # first\n\n# below\nname: a\n", "tags: &all\n- a # first\n- vip\n\n# below\nname: a\n"),
        ("tags: [] # none\nname: b\n", "tags: # none\n  - vip\nname: b\n"),
        ("tags:\n- |\n  a\n\nname: b\n", "tags:\n- |\n  a\n- vip\n\nname: b\n"),
        ("tags:\n- |+\n  a\n\nname: b\n", "tags:\n- |+\n  a\n\n- vip\nname: b\n"),
    ],
)
def test_an_item_for_a_section(text: str, expected: str) -> None:
    splices = Splices(text)
    splices.append(("tags",), "vip")
    assert splices.result() == expected


SCALAR = st.sampled_from(["vip", "a b", "no", "007", "it's", 'say "x"', "x: y", "# no", "&a", "é ☃ 😀", "line\nbreak", "", "-", "~"])
ENTRY = st.dictionaries(st.sampled_from(["name", "tags", "owner", "a: b"]), SCALAR | st.lists(SCALAR, max_size=3), max_size=4)
MANIFEST = st.dictionaries(st.sampled_from(["tags", "companies"]), st.lists(SCALAR | ENTRY, max_size=4), min_size=1)


def write_value(value: Any, way: str) -> str:
    """A value as YAML, in one of several ways that people and programs write it."""
    if way == "inline":
        return inline(value)
    flow = {"block": False, "flow": True, "mixed": None}[way]
    text: str = yaml.safe_dump(value, default_flow_style=flow, width=20, allow_unicode=True, sort_keys=False)
    return text


def change_value(value: Any, loc: Sequence[str | int], what: str, item: Any, splices: Splices) -> None:
    """One edit, of the value and of its text."""
    inner = value
    for step in loc:
        inner = inner[step]
    if what == "drop" and inner and loc and not isinstance(inner, str):
        step = next(reversed(inner)) if isinstance(inner, dict) else len(inner) - 1
        splices.drop(tuple(loc), [step])
        inner.pop(step)
    elif what == "replace" and loc and isinstance(inner, str):
        above = value
        for step in loc[:-1]:
            above = above[step]
        above[loc[-1]] = item
        splices.replace(tuple(loc), item)
    elif isinstance(inner, dict):
        inner["new" if loc else "contacts"] = item
        splices.put(tuple(loc), "new" if loc else "contacts", item)
    elif isinstance(inner, list):
        inner.append(item)
        splices.append(tuple(loc), item)


def ways(value: Any, loc: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [loc, *(way for step, item in items for way in ways(item, (*loc, step)))]


@given(MANIFEST, st.sampled_from(["block", "flow", "mixed", "inline"]), st.data())
def test_whatever_is_edited_reads_as_what_was_meant(value: Any, way: str, data: st.DataObject) -> None:
    text, expected = write_value(value, way), copy.deepcopy(value)
    splices, loc = Splices(text), data.draw(st.sampled_from(ways(value)))
    change_value(expected, loc, data.draw(st.sampled_from(["drop", "add", "replace"])), data.draw(SCALAR | ENTRY), splices)
    done = splices.result()
    assert yaml.load(done, yaml.BaseLoader) == yaml.load(yaml.safe_dump(expected), yaml.BaseLoader)
    assert patch(text, list(diff_lines(splices.text, splices.splices()))) == done


def patch(text: str, hunks: Sequence[str]) -> str:
    """A text after a unified diff."""
    lines, after, at = text.split("\n"), [], 0
    for line in hunks:
        if line.startswith("@@"):
            first, _, number = line.split()[1][1:].partition(",")
            start = int(first) - (number != "0")
            after += lines[at:start]
            at = start
        else:
            assert line[0] == "+" or line[1:] == lines[at]
            after += [line[1:]] if line[0] in "+ " else []
            at += line[0] in "- "
    return "\n".join([*after, *lines[at:]])


FULL = TEAM.replace("vip", "Beta").replace("  - Beta    # the best\n", "")


def draft(folder: Path, text: str = FULL, **files: str) -> Draft:
    """The manifest in a folder, about to be edited."""
    (folder / "team.yaml").write_bytes(text.encode())
    for name, more in files.items():
        (folder / f"{name}.yaml").write_text(more)
    return Draft.read([str(folder)])


def test_entries_are_found_by_their_names_and_ids(tmp_path: Path) -> None:
    edits = draft(tmp_path, more="tags: [{id: 5, name: old}]\ncontacts: [{email: a@b.example, external_id: 9}]\n")
    marks = [
        [str(place.mark).removeprefix(f"{tmp_path}/") for place in edits.having(kind, by, key)]
        for kind, by, key in (
            (TAG, "name", "BETA"),
            (TAG, "id", "5"),
            (TAG, "name", "Old"),
            (CONTACT, "email", "a@b.example"),
            (TAG, "name", "no"),
        )
    ]
    assert marks == [["team.yaml:4:5"], ["more.yaml:1:8"], ["more.yaml:1:8"], ["more.yaml:2:12"], []]


def test_every_reference_is_replaced_in_its_quotes_or_taken_out(tmp_path: Path) -> None:
    text = FULL.replace("companies: []", 'companies:\n  - {company_id: "6", tags: &t [Beta]}\n  - {company_id: "7", tags: *t}')
    edits = draft(tmp_path, text)
    edits.replace(edits.references(TAG, ["beta"]), "new")
    assert [line for line in edits.diff() if line[0] in "+-"][2:] == [
        '-  - {company_id: "6", tags: &t [Beta]}',
        '+  - {company_id: "6", tags: &t [new]}',
        "-  tags: [Beta,",
        '-    "Beta"]',
        "-- {email: h***@serenity.example, tags: [ BETA, {tag: Beta, state: absent}]}",
        "+  tags: [new,",
        '+    "new"]',
        "+- {email: h***@serenity.example, tags: [ new, {tag: new, state: absent}]}",
        "-    - Beta # b",
        '-    - {tag: "beta", state: absent}',
        "+    - new # b",
        '+    - {tag: "new", state: absent}',
    ]
    edits = draft(tmp_path, text)
    edits.remove(edits.references(TAG, ["beta"]))
    (done,) = edits.changed_files().values()
    assert read(done, "x").value["contacts"] == [
        {"external_id": "25", "tags": []}, {"email": "hoban@serenity.example", "tags": []}, {"external_id": "26", "tags": []},
    ]  # fmt: skip
    assert [company["tags"] for company in read(done, "x").value["companies"]] == [[], []]


def test_a_short_entry_becomes_a_long_one(tmp_path: Path) -> None:
    edits = draft(tmp_path, "tags: [vip, 'on']\n")
    for key in ("vip", "on"):
        edits.put(edits.having(TAG, "name", key)[0], {"state": "absent", "owner": "a"})
    (done,) = edits.changed_files().values()
    assert done == b"tags: [{name: vip, state: absent, owner: a}, {name: 'on', state: absent, owner: a}]\n"


@pytest.mark.parametrize(
    ("there", "file"),
    [
        ({"team": "contacts: []\n"}, "team.yaml"),
        ({"team": "contacts: []\n", "more": "companies: []\n"}, "tags.yaml"),
        ({"team": "tags: []\n", "more": "companies: []\n"}, "team.yaml"),
        ({"team": "companies: []\n", "tags": "# to come\n"}, "tags.yaml"),
        ({}, "tags.yaml"),
    ],
)
def test_a_new_entry_goes_where_its_kind_is(tmp_path: Path, there: dict[str, str], file: str) -> None:
    for name, text in there.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    edits = Draft.read([str(tmp_path)], new=True)
    edits.add(TAG, "vip")
    assert [str(a) for a in edits.manifest().resources] == ["tag/vip"]
    assert edits.write() == [str(tmp_path / file)]
    assert (tmp_path / file).read_text().replace("contacts: []\n", "").replace("# to come\n", "") == "tags:\n  - vip\n"


def test_a_byte_order_mark_the_mode_and_links_stay(tmp_path: Path) -> None:
    real = tmp_path / "real.txt"
    real.write_bytes(b"\xef\xbb\xbftags: [vip]\r\n")
    real.chmod(0o640)
    (tmp_path / "team.yaml").symlink_to(real)
    edits = Draft.read([str(tmp_path / "team.yaml")])
    edits.add(TAG, "trial")
    edits.write()
    assert real.read_bytes() == b"\xef\xbb\xbftags: [vip, trial]\r\n"
    assert real.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["real.txt", "team.yaml"]


def test_what_would_not_be_valid_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    edits = draft(tmp_path)
    edits.put(edits.having(TAG, "name", "Beta")[0], {"state": "absent"})
    with pytest.raises(Invalid, match="tag 'Beta' is declared absent"):
        edits.manifest()
    assert (tmp_path / "team.yaml").read_text() == FULL


def test_what_somebody_else_wrote_meanwhile_is_kept(tmp_path: Path) -> None:
    edits = draft(tmp_path)
    edits.add(TAG, "new")
    (tmp_path / "team.yaml").write_text("tags: [theirs]\n")
    with pytest.raises(ReconcilerError, match="somebody else changed it just now"):
        edits.write()
    assert (tmp_path / "team.yaml").read_text() == "tags: [theirs]\n"


@pytest.mark.parametrize("text", ["tags:\r  - vip\r  - Beta\r", "tags:\n  - vip\n  - Beta # a\rcontacts: []\n"])
def test_lines_that_end_with_a_carriage_return_alone_are_not_edited(tmp_path: Path, text: str) -> None:
    (tmp_path / "team.yaml").write_bytes(text.encode())
    with pytest.raises(Invalid, match="team.yaml: a carriage return stands alone; save it with the line ends"):
        Draft.read([str(tmp_path / "team.yaml")]).add(TAG, "new")


def test_of_two_who_write_at_once_one_is_refused(tmp_path: Path) -> None:
    edits = draft(tmp_path)
    edits.add(TAG, "new")
    with ThreadPoolExecutor() as pool, lock_folders([tmp_path]):
        writing = pool.submit(edits.write)
        wait([writing], 0.2)
        (tmp_path / "team.yaml").write_text("tags: [theirs]\n")
        assert not writing.done()
    with pytest.raises(ReconcilerError, match="somebody else changed it just now"):
        writing.result(10)
    assert (tmp_path / "team.yaml").read_text() == "tags: [theirs]\n"


def test_a_disk_that_is_full_is_told_with_the_file_and_leaves_all_as_it_was(tmp_path: Path) -> None:
    edits = draft(tmp_path)
    edits.add(TAG, "new")
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, most))
    try:
        with pytest.raises(OSError, match="team.yaml"):
            edits.write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"team.yaml": FULL}


def test_no_file_is_replaced_where_one_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked" / "b.yaml").write_text("companies: []\n")
    edits = draft(tmp_path)
    edits.add(TAG, "new")
    edits.add(COMPANY, {"company_id": "6"}, str(tmp_path / "locked" / "b.yaml" / "c.yaml"))
    with pytest.raises(OSError, match="Not a directory|File exists"):
        edits.write()
    assert (tmp_path / "team.yaml").read_text() == FULL
    assert sorted(path.name for path in tmp_path.iterdir()) == ["locked", "team.yaml"]
