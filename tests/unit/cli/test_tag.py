"""tag: the manifest is changed wherever a tag stands, the plan that follows is shown, and Intercom is never written to."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import Usage
from reconciler.manifest.here import found_from
from tests.desk.desk import Desk

TAGS = """\
# ours
tags:
  - vip    # the best
  - Beta
  - {name: trial, renamed_from: [Test, Demo]}
"""
PEOPLE = """\
companies:
  - {company_id: "6", tags: [beta]}
contacts:
  - external_id: "1"
    tags: [vip, "Beta"]  # both
  - external_id: "2"
    tags:
      - {tag: BETA, state: absent}
      - trial
"""
LIVE = {
    "tags": ["vip", "Beta", "trial"],
    "companies": [{"company_id": "6", "tags": ["Beta"]}],
    "contacts": [{"external_id": "1", "companies": ["6"], "tags": ["vip", "Beta"]}, {"external_id": "2", "tags": ["trial"]}],
}


@pytest.fixture
def two(desk: Desk) -> Desk:
    """A desk with a manifest of two files, as its workspace is."""
    desk.seed(**LIVE)
    desk.write("m/tags.yaml", TAGS)
    desk.write("m/people.yaml", PEOPLE)
    return desk


def edits(desk: Desk) -> list[str]:
    """The changed lines that were shown."""
    return [line for line in desk.out.splitlines() if line[:1] in ("+", "-") and line[:3] not in ("+++", "---")]


def test_a_rename_is_one_command_and_one_call(two: Desk) -> None:
    assert two("tag", "rename", "beta", "beta-2026", "--in", "m", "-o", "plan.json") == 0
    assert edits(two) == [
        '-  - {company_id: "6", tags: [beta]}',
        '+  - {company_id: "6", tags: [beta-2026]}',
        '-    tags: [vip, "Beta"]  # both',
        '+    tags: [vip, "beta-2026"]  # both',
        "-      - {tag: BETA, state: absent}",
        "+      - {tag: beta-2026, state: absent}",
        "-  - Beta",
        "+  - {name: beta-2026, renamed_from: Beta}",
    ]
    assert "> rename    tag/beta-2026" in two.out
    assert "Plan: 1 to rename, 0 to delete." in two.out
    assert two.err.splitlines()[0] == "changed m/people.yaml, m/tags.yaml: tag 'Beta' is 'beta-2026' now, also in 3 places that named it"
    assert two.writes == []
    assert two("apply", "plan.json") == 0
    assert two.writes == ["POST /tags"]
    assert two("plan", "m", "--detailed-exitcode") == 0


def test_the_rows_of_lists_are_edited_too(two: Desk) -> None:
    lists = "- {from: more.csv, key: external_id, columns: {Labels: tags}, tags: [vip]}\n  - {from: more.jsonl, tags: [beta]}\n"
    two.write("m/people.yaml", f"contacts:\n  {lists}")
    rows, lines = (
        "external_id,name,Labels\r\n1,Beta,Beta;trial\r\n2,,beta\r\n",
        '{"external_id": "3", "tags": [{"tag": "Beta", "state": "absent"}]}',
    )
    two.write("m/more.csv", rows)
    two.write("m/more.jsonl", lines.replace("}]", '}, "trial"]'))
    assert two("tag", "rename", "Beta", "b2", "--in", "m") == 65
    two.write("m/people.yaml", f"contacts:\n  {lists.replace(', tags: [beta]', '')}")
    assert two("tag", "rename", "Beta", "b2", "--in", "m") == 0, two.err
    assert (two.folder / "m/more.csv").read_bytes().decode() == rows.replace("Beta;", "b2;").replace("beta", "b2")
    assert (two.folder / "m/more.jsonl").read_text() == lines.replace("Beta", "b2").replace("}]", '}, "trial"]')
    assert "\nm/more.csv: 2 lines changed\nm/more.jsonl: 1 line changed\n" in two.out
    assert "also in 3 places that named it" in two.err
    assert two("tag", "retire", "b2", "--in", "m") == 0, two.err
    assert (two.folder / "m/more.csv").read_bytes() == b"external_id,name,Labels\r\n1,Beta,trial\r\n2,,\r\n"
    assert (two.folder / "m/more.jsonl").read_text() == '{"external_id": "3", "tags": ["trial"]}'


def test_what_a_list_declares_is_edited_there(desk: Desk) -> None:
    desk.write("m/tags.csv", "name\ngold\n")
    desk.write("m/tags.yaml", "tags: [{from: tags.csv}]\n")
    assert desk("tag", "rename", "gold", "first") == 64
    assert "tag 'gold' is not declared in m; what tags.csv declares is edited there" in desk.err


def test_a_retired_tag_is_gone_from_all_lists(two: Desk) -> None:
    assert two("tag", "retire", "TRIAL", "--in", "m/tags.yaml", "--in", "m/people.yaml") == 0
    assert edits(two) == ["-      - trial", "-  - {name: trial, renamed_from: [Test, Demo]}", "+  - {name: trial, state: absent}"]
    assert "- delete    tag/trial" in two.out
    assert two.err.splitlines()[-1] == "next: reconciler apply m/tags.yaml m/people.yaml"
    assert two("tag", "retire", "trial", "--in", "m") == 0
    assert two.err == "nothing is changed: tag 'trial' is declared absent\n"
    assert two("tag", "add", "trial", "--in", "m") == 0
    assert edits(two) == ["-  - {name: trial, state: absent}", "+  - {name: trial}"]
    assert two.writes == []


def test_tags_are_merged_by_one_command_and_one_apply(two: Desk) -> None:
    assert two("tag", "merge", "BETA", "trial", "--into", "VIP", "--in", "m", "-o", "plan.json") == 0, two.err
    assert edits(two) == [
        '-  - {company_id: "6", tags: [beta]}',
        '+  - {company_id: "6", tags: [vip]}',
        '-    tags: [vip, "Beta"]  # both',
        "+    tags: [vip]  # both",
        "-      - {tag: BETA, state: absent}",
        "-      - trial",
        "+      - vip",
        "-  - vip    # the best",
        "-  - Beta",
        "-  - {name: trial, renamed_from: [Test, Demo]}",
        "+  - {name: vip, merged_from: [Test, Demo, Beta, trial]}    # the best",
    ]
    assert two.err.splitlines()[0] == (
        "changed m/people.yaml, m/tags.yaml: tag 'BETA' and 'trial' go into 'vip', also in 4 places that named them"
    )
    assert two.writes == []
    assert two("apply", "plan.json") == 0
    assert two("plan", "m", "--detailed-exitcode") == 0
    assert {c["external_id"]: len(c["tags"]) for c in two.box.ws.store.table("contact").docs.values()} == {"1": 1, "2": 1}
    assert two("tag", "merge", "beta", "trial", "--into", "vip", "--in", "m") == 0
    assert two.err.startswith("nothing is changed: ")
    assert two("tag", "retire", "vip", "--in", "m") == 0
    assert edits(two)[-1] == "+  - {name: vip, state: absent}    # the best"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  - a\n  - b\n", "  - {name: new, merged_from: [a], also: [conversations]}\n  - b\n"),
        ("  - {name: new, merged_from: [z]}\n", "  - {name: new, merged_from: [z, a], also: [conversations]}\n"),
        ("  - {name: new, merged_from: [a]}\n", "  - {name: new, merged_from: [a], also: [conversations]}\n"),
        ("  - {name: new, merged_from: [z], also: [conversations]}\n", "  - {name: new, merged_from: [z, a], also: [conversations]}\n"),
        (
            "  - new\n  - {name: a, merged_from: [z], also: [conversations]}\n",
            "  - {name: new, merged_from: [z, a], also: [conversations]}\n",
        ),
    ],
)
def test_a_merge_says_what_else_moves(before: str, after: str, desk: Desk) -> None:
    assert desk("tag", "merge", "a", "--into", "new", "--also", "conversations", m=f"tags:\n{before}") == 0, desk.err
    assert (desk.folder / "m.yaml").read_text() == f"tags:\n{after}"
    assert desk("tag", "merge", "a", "--into", "new", "--also", "tickets") == 64
    assert "'tickets' is not 'conversations'" in desk.err


def test_a_tag_that_is_retired_takes_nothing_in(desk: Desk) -> None:
    assert desk("tag", "retire", "new", m="tags:\n  - {name: new, merged_from: [a], also: [conversations]}\n") == 0, desk.err
    assert (desk.folder / "m.yaml").read_text() == "tags:\n  - {name: new, state: absent}\n"


@pytest.mark.parametrize(
    ("entries", "olds", "after"),
    [
        ("  - a\n  - b\n", ["a", "b"], "  - {name: new, merged_from: [a, b]}\n"),
        ("  - name: a\n    owner: x\n  - c\n", ["a"], "  - {name: new, merged_from: [a]}\n  - c\n"),
        ("  - {name: new, renamed_from: a}\n", ["a"], "  - {name: new, merged_from: [a]}\n"),
        ("  - {name: new, renamed_from: [a, b]}\n", ["b"], "  - {name: new, merged_from: [b], renamed_from: [a]}\n"),
        ("  - {name: new, merged_from: z}\n  - {name: a, merged_from: y}\n", ["a"], "  - {name: new, merged_from: [z, 'y', a]}\n"),
        ("  - {id: 5, name: a}\n  - new\n", ["A"], "  - {name: new, merged_from: [a]}\n"),
        ("  - {name: a, state: absent}\n  - new\n", ["a"], "  - {name: new, merged_from: [a]}\n"),
        ("  - c\n", ["a: x"], "  - c\n  - {name: new, merged_from: ['a: x']}\n"),
    ],
)
def test_what_goes_into_a_tag_leaves_its_own_entry(desk: Desk, entries: str, olds: list[str], after: str) -> None:
    desk.patch.delenv("INTERCOM_ACCESS_TOKEN")
    assert desk("tag", "merge", *olds, "--into", "new", m=f"tags:\n{entries}") == 0, desk.err
    assert (desk.folder / "m.yaml").read_text() == f"tags:\n{after}"


def test_an_id_is_a_name_too(desk: Desk) -> None:
    desk.patch.delenv("INTERCOM_ACCESS_TOKEN")
    contacts = "contacts:\n  - {{external_id: 1, tags: [{}]}}\n  - {{external_id: 2, tags: [{}]}}\n"
    before = "tags: [{id: 5, name: old}, {id: 6, name: new}]\n" + contacts.format('{id: "6"}, {id: "5"}', '{id: "5"}')
    assert desk("tag", "merge", "old", "--into", "new", m=before) == 0, desk.err
    after = "tags: [{id: 6, name: new, merged_from: [old]}]\n" + contacts.format('{id: "6"}', "new")
    assert (desk.folder / "m.yaml").read_text() == after


def test_a_tag_is_added_where_the_others_are(two: Desk) -> None:
    assert two("tag", "add", "yes", "--in", "m") == 0
    assert edits(two) == ["+  - 'yes'"]
    assert "+ create    tag/yes" in two.out
    assert two("tag", "add", "YES", "--in", "m") == 0
    assert (two.out, two.err) == ("", "nothing is changed: tag 'yes' is declared already (m/tags.yaml:6:5)\n")
    assert two("tag", "add", "vip", "--in", "new/tags.yaml") == 0
    assert edits(two) == ["+tags:", "+  - vip"]
    assert (two.folder / "new/tags.yaml").read_text() == "tags:\n  - vip\n"


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        ("Beta", "beta", "BETA", "BETA"),
        ('"Beta"', "Beta", "Beta", '"Beta"'),
        ("{name: b, renamed_from: a}", "b", "c", "{name: c, renamed_from: [b, a]}"),
        ("{name: b, renamed_from: a}", "b", "a", "{name: a, renamed_from: b}"),
        ("name: b\n    renamed_from:\n      - a  # once\n    owner: x", "b", "c", "name: c\n    renamed_from: [b, a]\n    owner: x"),
        ("{id: 5, name: b}", "b", "c", "{id: 5, name: c}"),
        ("{name: c, renamed_from: b}", "b", "c", "{name: c, renamed_from: b}"),
    ],
)
def test_former_names_are_kept(desk: Desk, before: str, old: str, new: str, after: str) -> None:
    """The last case: a rename that was begun is finished."""
    desk.patch.delenv("INTERCOM_ACCESS_TOKEN")
    contacts = "contacts: [{{external_id: 1, tags: [{}]}}]\n"
    assert desk("tag", "rename", old, new, m=f"tags:\n  - {before}\n{contacts.format(old)}") == 0, desk.err
    assert (desk.folder / "m.yaml").read_text() == f"tags:\n  - {after}\n{contacts.format(new)}"


def test_a_tag_is_retired_by_all_its_names(desk: Desk) -> None:
    desk.patch.delenv("INTERCOM_ACCESS_TOKEN")
    head = "policy: {former_names: accept}\ntags:\n  - "
    contacts = 'contacts:\n  - {external_id: 1, tags: [B, {id: "5"}]}\n  - {external_id: 2, tags: [{tag: b, state: absent}, a]}\n'
    assert desk("tag", "retire", "b", m=f"{head}{{id: 5, name: b}}\n  - a\n{contacts}") == 0, desk.err
    people = "contacts:\n  - {external_id: 1, tags: []}\n  - {external_id: 2, tags: [a]}\n"
    assert (desk.folder / "m.yaml").read_text() == f"{head}{{id: 5, name: b, state: absent}}\n  - a\n{people}"
    contacts = contacts.replace('{id: "5"}', "A")
    assert desk("tag", "retire", "b", m=f"{head}{{name: b, renamed_from: a}}\n{contacts}") == 0, desk.err
    assert (desk.folder / "m.yaml").read_text() == f"{head}{{name: b, state: absent}}\n{people.replace('[a]', '[]')}"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("rename", "Bta", "x"), 64, "tag 'Bta' is not declared in m; did you mean 'Beta'?"),
        (("retire", "qqq"), 64, "tag 'qqq' is not declared in m; declare it first: reconciler tag add NAME"),
        (("rename", "Beta", "vip"), 65, "m/tags.yaml:4:5: tag/vip is already declared at m/tags.yaml:3:5; keep one of them"),
        (("rename", "Beta", "test"), 65, "its former name 'Test' is in use"),
        (("rename", "Beta", " x"), 65, "has blanks at its ends"),
        (("merge", "Beta", "--into", "beta"), 64, "tag 'beta' cannot go into itself"),
        (("merge", "Beta"), 64, "Missing option '--into'"),
        (("merge", "--into", "vip"), 64, "Missing argument 'OLD...'"),
        (("merge", " x", "--into", "vip"), 65, "has blanks at its ends"),
        (("add", ""), 65, "m/tags.yaml:6:5"),
        (("add", "a\udcffb"), 65, "m/tags.yaml:6:9"),
        (("add", "x", "--in", "m/tags.txt"), 65, "m/tags.txt: there is no such file or folder"),
        (("rename", "Beta", "x", "--in", "nowhere"), 65, "nowhere: there is no such file or folder"),
    ],
)
def test_what_cannot_be_changes_nothing(two: Desk, arguments: tuple[str, ...], code: int, message: str) -> None:
    before = two.files()
    assert two("tag", *arguments, *(() if "--in" in arguments else ("--in", "m"))) == code
    assert message in two.err
    assert two.out == ""
    assert two.files() == before
    assert (two.folder / "m/tags.yaml").read_text() + (two.folder / "m/people.yaml").read_text() == TAGS + PEOPLE


def test_without_a_token_the_manifest_is_changed_all_the_same(two: Desk) -> None:
    two.patch.delenv("INTERCOM_ACCESS_TOKEN")
    assert two("tag", "retire", "vip") == 0
    assert edits(two) == ['-    tags: [vip, "Beta"]  # both', '+    tags: ["Beta"]  # both', "-  - vip    # the best",
                          "+  - {name: vip, state: absent}    # the best"]  # fmt: skip
    assert two.err.splitlines()[-1].startswith("no plan can be shown: no access token: set INTERCOM_ACCESS_TOKEN")
    two.patch.setenv("INTERCOM_ACCESS_TOKEN", "another")
    assert two("tag", "retire", "beta") == 1
    assert two.err.splitlines()[1] == "no plan can be shown:"
    assert "name: Beta, state: absent" in (two.folder / "m/tags.yaml").read_text()


def test_a_folder_without_a_manifest_is_wrong_usage(desk: Desk) -> None:
    assert desk("tag", "add", "vip") == 64
    assert "there is no manifest here, nor above up to the root of the repository; say which with --in PATH" in desk.err


def test_no_personal_value_is_shown(two: Desk) -> None:
    people = """contacts:
- {email: "mal@serenity.example", name: Mal Reynolds, "phone": '+1555', tags: [vip]}
- name: O'Reynolds, Mal  # who
  email: mal@serenity.example
  tags: [vip]
"""
    two.write("m/people.yaml", people.replace("  email", "  external_id: 7\n  email"))
    assert two("tag", "rename", "vip", "first") == 0
    assert two.out.splitlines()[3:12] == [
        " contacts:",
        """-- {email: m***@serenity.example, name: ***, "phone": ***, tags: [vip]}""",
        """+- {email: m***@serenity.example, name: ***, "phone": ***, tags: [first]}""",
        " - name: ***  # who",
        "   external_id: 7",
        "   email: m***@serenity.example",
        "-  tags: [vip]",
        "+  tags: [first]",
        "--- m/tags.yaml",
    ]
    assert "name: first, renamed_from: vip" in two.out
    two.patch.setenv("CI", "true")
    assert two("tag", "rename", "first", "vip") == 0
    assert two.out.splitlines()[:2] == ["m/people.yaml: 2 lines changed", "m/tags.yaml: 1 line changed"]
    assert "Reynolds" not in two.out + two.err


def test_a_long_diff_is_cut(two: Desk) -> None:
    two.patch.delenv("INTERCOM_ACCESS_TOKEN")
    two.write("m/people.yaml", "contacts:\n" + "".join(f"  - {{external_id: {n}, tags: [Beta]}}\n" for n in range(1, 301)))
    assert two("tag", "rename", "Beta", "x") == 0
    assert two.out.splitlines()[-2] == "... and 553 lines more (--full lists them)"
    assert two("tag", "rename", "x", "Beta", "--full") == 0
    assert len(edits(two)) == 602


def test_the_manifest_here_is_meant(tmp_path: Path) -> None:
    def there(*names: str, text: str = "tags: []\n") -> None:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)

    there("compose.yaml", text="services: {}\n")
    there("docs/deep/inside/no.txt")
    assert found_from(tmp_path / "docs/deep", tmp_path) == []
    there("growth/a.yaml", "growth/more/b.yml")
    assert found_from(tmp_path, tmp_path) == ["growth"]
    assert found_from(tmp_path / "docs/deep", tmp_path) == ["../../growth"]
    assert found_from(tmp_path / "growth/more", tmp_path) == ["b.yml"]
    assert found_from(tmp_path / "docs", tmp_path / "docs") == []
    there("sales/a.yaml")
    with pytest.raises(Usage, match=r"several folders here have a manifest \(growth, sales\); say which with --in PATH"):
        found_from(tmp_path, tmp_path)
    there("tags.yaml", "people.yaml")
    assert found_from(tmp_path, tmp_path) == ["people.yaml", "tags.yaml"]
    there("rules.yaml", text="name: a\npolicy: {}\n")
    there("tags.prod.yaml")
    assert found_from(tmp_path, tmp_path) == ["people.yaml", "rules.yaml", "tags.yaml"]
    (tmp_path / "compose.yaml").unlink()
    assert found_from(tmp_path / "docs", tmp_path) == [".."]


def test_rows_of_lists_name_what_tags_go_into(two: Desk) -> None:
    two.write("m/tags.yaml", 'tags: [vip, {id: "102", name: Beta}, trial]\n')
    two.write("m/people.yaml", "contacts: [{from: more.jsonl, key: external_id}]\n")
    two.write("m/more.jsonl", '{"external_id": "2", "tags": ["vip", {"id": "102"}, {"tag": "trial", "state": "absent"}]}\n')
    assert two("tag", "merge", "Beta", "trial", "--into", "vip", "--in", "m") == 0, two.err
    assert (two.folder / "m/more.jsonl").read_text() == '{"external_id": "2", "tags": ["vip"]}\n'


def test_of_an_overlay_the_plan_to_look_at_is_that_of_its_environment(desk: Desk) -> None:
    (desk.folder / "m").mkdir()
    desk.write("m/tags.yaml", "tags:\n  - vip\n")
    desk.write("m/tags.prod.yaml", "tags:\n  - campaign\n")
    assert desk("tag", "rename", "campaign", "autumn", "--in", "m") == 0, desk.err
    assert (desk.folder / "m" / "tags.prod.yaml").read_text() == "tags:\n  - {name: autumn, renamed_from: campaign}\n"
    assert desk.err.splitlines()[-1] == "this is the plan of the base; next: reconciler plan m --env prod"
    assert desk("tag", "rename", "vip", "gold", "--in", "m") == 0, desk.err
    assert desk.err.splitlines()[-1] == "next: reconciler apply m"


RULED = """\
tags: [gold, Beta, {name: vip, renamed_from: best}]
rules:
  - {tag: beta, on: contacts, where: role = user}   # all of them
  - tag: 'gold'
    on: contacts
    where: role = lead
"""


def test_a_rule_follows_the_name_of_its_tag(desk: Desk) -> None:
    assert desk("tag", "rename", "Beta", "beta-2026", "--in", "m.yaml", m=RULED) == 0, desk.err
    assert "-  - {tag: beta, on: contacts, where: role = user}   # all of them" in edits(desk)
    assert "+  - {tag: beta-2026, on: contacts, where: role = user}   # all of them" in edits(desk)
    assert desk("tag", "merge", "gold", "--into", "vip", "--in", "m.yaml") == 0, desk.err
    assert "+  - tag: 'vip'" in edits(desk)


def test_two_tags_with_rules_are_not_merged(desk: Desk) -> None:
    assert desk("tag", "merge", "gold", "--into", "Beta", "--in", "m.yaml", m=RULED) == 65
    assert "has a rule already" in desk.err
    assert (desk.folder / "m.yaml").read_text(encoding="utf-8") == RULED


@pytest.mark.parametrize(("name", "rule"), [("GOLD", "gold"), ("vip", "best")])
def test_a_tag_with_a_rule_is_not_retired(desk: Desk, name: str, rule: str) -> None:
    text = RULED.replace("'gold'", rule)
    assert desk("tag", "retire", name, "--in", "m.yaml", m=text) == 64
    assert "has a rule at m.yaml:4" in desk.err
    assert (desk.folder / "m.yaml").read_text(encoding="utf-8") == text
