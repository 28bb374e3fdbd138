"""fmt: which files it writes, what it says, and that nothing else comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.manifest import files
from tests.desk.desk import Desk
from tests.stories.docs.pages import EXAMPLES

UNTIDY, TIDY = b"tags: [vip]\nname:   x\n", b"name: x\ntags: [vip]\n"


def test_what_changes_is_listed_and_written_once(desk: Desk) -> None:
    (desk.folder / "m").mkdir()
    for name, text in (("a.yaml", UNTIDY), ("a.prod.yaml", UNTIDY.replace(b"\n", b"\r\n")), ("b.yml", TIDY), ("c.yaml", b"# nothing\n")):
        (desk.folder / "m" / name).write_bytes(text)
    (desk.folder / "m/a.yaml").chmod(0o640)
    assert desk("fmt", "--check", "m") == 2
    assert (desk.out, desk.err) == ("m/a.prod.yaml\nm/a.yaml\n", "2 files would change, of 4\n")
    assert (desk.folder / "m/a.yaml").read_bytes() == UNTIDY
    untouched = (desk.folder / "m/b.yml").stat().st_mtime_ns
    assert desk("fmt", "m") == 0
    assert (desk.out, desk.err) == ("m/a.prod.yaml\nm/a.yaml\n", "2 files changed, of 4\n")
    assert (desk.folder / "m/a.yaml").read_bytes() == TIDY
    assert (desk.folder / "m/a.yaml").stat().st_mode & 0o777 == 0o640
    assert (desk.folder / "m/a.prod.yaml").read_bytes() == TIDY.replace(b"\n", b"\r\n")
    assert (desk.folder / "m/b.yml").stat().st_mtime_ns == untouched
    assert desk("fmt", "--check", "m") == 0
    assert desk.out == ""
    assert desk.box.requests == []


def test_a_byte_order_mark_stays(desk: Desk) -> None:
    (desk.folder / "m.yaml").write_bytes(b"\xef\xbb\xbf" + UNTIDY)
    assert desk("fmt", "m.yaml") == 0
    assert (desk.folder / "m.yaml").read_bytes() == b"\xef\xbb\xbf" + TIDY


def test_one_broken_file_and_none_is_written(desk: Desk) -> None:
    (desk.folder / "a.yaml").write_bytes(UNTIDY)
    desk.write("b.yaml", "tags: [\n")
    assert desk("fmt", "a.yaml", "b.yaml") == 65
    assert (desk.out, (desk.folder / "a.yaml").read_bytes()) == ("", UNTIDY)


def test_a_file_that_somebody_changes_meanwhile_is_left_to_them(desk: Desk) -> None:
    (desk.folder / "m.yaml").write_bytes(UNTIDY)
    read = files.read_bytes

    def slow(file: str) -> bytes:
        data = read(file)
        Path(file).write_bytes(b"tags: [theirs]\n")
        return data

    desk.patch.setattr("reconciler.cli.tidy.read_bytes", slow)
    assert desk("fmt", "m.yaml") == 1
    assert "somebody else changed it just now" in desk.err
    assert (desk.folder / "m.yaml").read_bytes() == b"tags: [theirs]\n"


def test_what_has_no_form_stays_and_is_told(desk: Desk) -> None:
    text = b"tags:   []\nname: |\n  x\n   \n"
    (desk.folder / "m.yaml").write_bytes(text)
    assert desk("fmt", "m.yaml") == 0
    assert desk.err.startswith("m.yaml stays as it is: ")
    assert (desk.folder / "m.yaml").read_bytes() == text


def test_the_file_of_another_tool_stays_and_is_told(desk: Desk) -> None:
    text = b"name:   build\njobs: {a:   1}\n"
    (desk.folder / "ci.yml").write_bytes(text)
    assert desk("fmt", "ci.yml") == 0
    assert (desk.out, desk.err) == ("", "ci.yml stays as it is: no manifest has the key 'jobs'\n0 files changed, of 1\n")
    assert (desk.folder / "ci.yml").read_bytes() == text


def test_the_examples_are_in_the_form(desk: Desk) -> None:
    files = [str(path) for path in EXAMPLES.rglob("*.yaml") if path.name != "compose.yaml"]
    assert desk("fmt", "--check", *files) == 0, desk.out


def test_long_lists_of_an_export_and_of_an_edit_are_in_the_form(desk: Desk) -> None:
    tags = [f"a tag of the year {n}" for n in range(2000, 2009)]
    desk.seed(
        tags=["vip", *tags],
        companies=[{"company_id": "6", "name": "Blue Sun", "tags": tags}],
        contacts=[{"external_id": "1", "email": "w@x.example", "tags": tags, "companies": ["6"], "name": "Wash " * 9}],
    )
    assert desk("export", "-o", "out", "--only", "tags,companies,contacts", "--with-links") == 0, desk.err
    assert desk("fmt", "--check", "out") == 0, desk.out
    (desk.folder / "out/tags.yaml").write_text("tags:\n  - name: vip\n    owner: growth\n", encoding="utf-8")
    (desk.folder / "out/contacts.yaml").unlink()
    (desk.folder / "out/companies.yaml").unlink()
    desk("tag", "merge", *tags, "--into", "vip", "--in", "out")
    assert "merged_from:\n      - a tag of the year 2000\n" in (desk.folder / "out/tags.yaml").read_text(encoding="utf-8")
    assert desk("fmt", "--check", "out") == 0, desk.out


def test_a_saved_plan_still_fits_after_it(desk: Desk) -> None:
    text = "tags:\n- vip\n- {owner: x, name: beta}\ncontacts: [{tags: [vip], external_id: '1', missing: create}]\nname: x\n"
    assert desk.plan(m=text) == 2
    assert desk("fmt", "m.yaml") == 0
    assert desk.out == "m.yaml\n"
    assert desk("apply", "plan.json") == 0, desk.err


@pytest.mark.parametrize("verb", [("export", "-o", "out"), ("init", "--yes")])
def test_what_other_verbs_write_is_in_the_form(verb: tuple[str, ...], desk: Desk) -> None:
    desk.seed(
        tags=["vip", "a: b", "2026"],
        attributes=[{"name": "seats", "model": "contact", "data_type": "integer"}],
        companies=[{"company_id": "6", "name": "Blue Sun", "plan": "Pro", "website": "https://x.example", "tags": ["vip"]}],
        contacts=[{"external_id": "1", "email": "w@x.example", "name": "Wash " * 9, "tags": ["vip", "2026"], "companies": ["6"],
                   "custom_attributes": {"seats": 5}}],
    )  # fmt: skip
    assert desk(*verb) == 0, desk.err
    assert desk("fmt", "--check", *(["out"] if verb[0] == "export" else [])) == 0, desk.out
