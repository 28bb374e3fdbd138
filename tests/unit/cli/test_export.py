"""`export`: what is live as a manifest, and what a manifest does not have yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from reconciler.kinds import KINDS
from tests.desk.desk import Desk

LIVE: Mapping[str, Any] = {
    "tags": ["vip", {"name": "Beta ", "id": "5"}, "no", {"name": "old", "id": "7"}, {"name": "Old", "id": "9"}],
    "attributes": [
        {"name": "paid", "model": "company", "data_type": "boolean"},
        {"name": "since", "model": "contact", "data_type": "date"},
        {"name": "gone", "model": "contact", "data_type": "string", "archived": True},
    ],
    "companies": [{"company_id": "6", "name": "Blue Sun", "plan": "no", "size": 85, "custom_attributes": {"paid": False}, "tags": ["vip"]}],
    "contacts": [
        {"external_id": "25", "email": "wash@serenity.example", "role": "user", "tags": ["vip", "Beta "], "companies": ["6"]},
        {
            "email": "zoe@serenity.example",
            "role": "lead",
            "custom_attributes": {"since": 1_700_000_000},
            "phone": "+15550107 ",
            "last_seen_at": 1_700_000_000,
        },
    ],
}


@pytest.fixture
def live(desk: Desk) -> Desk:
    desk.seed(**LIVE)
    return desk


def read(desk: Desk, name: str) -> str:
    return (desk.folder / name).read_text(encoding="utf-8")


def test_a_folder_gets_a_file_for_each_section_and_one_with_name_and_pin(live: Desk) -> None:
    assert live("export", "-o", "intercom") == 0, live.err
    assert live.out == ""
    assert read(live, "intercom/workspace.yaml") == "name: default\nworkspace: {app_id: sandbox1, region: us}\n"
    company = "companies:\n  - company_id: '6'\n    name: Blue Sun\n    plan: 'no'\n    size: 85\n    remote_created_at: '"
    assert read(live, "intercom/companies.yaml").startswith(company)
    assert read(live, "intercom/companies.yaml").endswith("    custom_attributes: {paid: false}\n")
    tags = "tags:\n  - {id: '5', name: 'Beta '}\n  - 'no'\n  - {id: '9', name: Old}\n  - {id: '7', name: old}\n  - vip\n"
    assert read(live, "intercom/tags.yaml") == tags
    assert live.files() - {"intercom"} == {
        "intercom/workspace.yaml",
        *(f"intercom/{name}.yaml" for name in ("tags", "companies", "attributes")),
    }
    assert "left out: attribute/gone: is archived\n" in live.err
    assert live("plan", "intercom", "--detailed-exitcode") == 0, live.out


def test_without_o_one_file_goes_to_stdout_and_all_else_to_stderr(live: Desk) -> None:
    assert live("export", "--only", "tags", "--name", "growth") == 0
    assert live.out.startswith("name: growth\nworkspace: {app_id: sandbox1, region: us}\n\ntags:\n")
    assert live("plan", "m.yaml", "--detailed-exitcode", m=live.out) == 0
    assert (live.files(), live.writes) == ({"m.yaml"}, [])


def test_people_and_their_links_are_exported_where_they_are_asked_for(live: Desk) -> None:
    assert live("export", "--only", "contacts,companies,tags", "--with-links", "-o", "all.yaml") == 0, live.err
    people = """contacts:
  - {external_id: '25', email: wash@serenity.example, tags: [vip, {id: '5'}], companies: ['6']}
  - {email: zoe@serenity.example, role: lead, custom_attributes: {since: '2023-11-14T22:13:20Z'}}
"""
    assert read(live, "all.yaml").endswith(people)
    assert "left out: contact/z***@serenity.example" in live.err
    assert "phone: has blanks at its ends" in live.err
    assert "0107" not in live.err
    assert live("plan", "all.yaml", "--detailed-exitcode") == 0, live.out
    assert live("export", "--only", "contacts", "--with-links") == 0
    assert "tags" not in live.out
    assert "contact/25: tags: some lead to tags that are neither exported nor declared" in live.err


def test_a_company_that_no_list_shows_is_exported_where_somebody_belongs_to_it(desk: Desk) -> None:
    desk.seed(tags=["vip"], companies=[{"company_id": "8", "tags": ["vip"]}])
    desk.seed(contacts=[{"email": "kaylee@serenity.example", "role": "lead", "companies": ["8"]}])
    assert desk("export", "-o", "m.yaml", "--only", "tags,companies,contacts", "--with-links") == 0, desk.err
    document = yaml.safe_load(read(desk, "m.yaml"))
    assert [(one["company_id"], one["tags"]) for one in document["companies"]] == [("8", ["vip"])]
    assert document["contacts"][0]["companies"] == ["8"]
    assert "left out" not in desk.err
    assert desk("plan", "m.yaml", "--detailed-exitcode") == 0, desk.out
    assert desk("export", "--only", "companies") == 0
    assert "companies:" not in desk.out


def test_a_condition_narrows_people_and_nobody_else_is_taken_for_one_of_them(desk: Desk) -> None:
    desk.seed(tags=["vip"], contacts=[{"email": "wash@serenity.example", "role": role, "name": role} for role in ("user", "lead")])
    assert desk("export", "--where", "role = lead", "-o", "m.yaml") == 0, desk.err
    lead = f"contacts:\n  - {{id: '{desk.id('contact', role='lead')}', role: lead, name: lead}}\n"
    assert lead in read(desk, "m.yaml")
    assert "tags:\n  - vip\n" in read(desk, "m.yaml")
    assert desk("plan", "m.yaml", "--detailed-exitcode") == 0, desk.out


NEXT = "\n       "
STANDS = """# what we sell
name: growth   # ours
workspace: {app_id: sandbox1}
companies:
  - {company_id: "6", name: Red Sun, size: 85}   # they do not like it
tags: [old-promo, vip,   # important
       {name: new, renamed_from: no}]
# the end
"""


def test_a_manifest_keeps_every_byte_and_gets_what_is_new(live: Desk) -> None:
    live.seed(companies=[{"company_id": "7", "name": "Acme"}], contacts=[{"external_id": "30", "companies": ["7"]}])
    assert live("export", "-o", "m.yaml", "--only", "tags,companies,attributes", m=STANDS) == 0, live.err
    text = read(live, "m.yaml")
    for line in STANDS.splitlines()[:5]:
        assert line + "\n" in text
    odd = ("{id: '5', name: 'Beta '}", "{id: '9', name: Old}", "{id: '7', name: old}")
    assert f"       {{name: new, renamed_from: no}},\n       {f',{NEXT}'.join(odd)}]\n# the end\n" in text
    assert "  # they do not like it\n  - {company_id: '7', name: Acme, " in text
    assert "\nattributes:\n  - {name: paid, model: company, data_type: boolean}\n" in text
    kept = [line for line in live.err.splitlines() if line.startswith("kept as written")]
    assert kept == [
        "kept as written, live is otherwise: tag/new: name (m.yaml:7:8)",
        "kept as written, live is otherwise: company/6: name (m.yaml:5:5)",
    ]
    assert live("export", "-o", "m.yaml", "--only", "tags,companies,attributes") == 0
    assert read(live, "m.yaml") == text
    assert "m.yaml: " not in live.err.split("kept as written")[0]


def test_a_folder_gets_new_things_where_their_section_is(live: Desk) -> None:
    live.write("intercom/deep/t.yaml", "tags: [vip]\n")
    live.write("intercom/a.yaml", "name: growth\n")
    assert live("export", "-o", "intercom", "--only", "tags,attributes") == 0, live.err
    assert "tags: [vip, {id: '5'" in read(live, "intercom/deep/t.yaml")
    assert live.files() - {"intercom", "intercom/deep"} == {"intercom/deep/t.yaml", "intercom/a.yaml", "intercom/attributes.yaml"}
    assert live("plan", "intercom", "--detailed-exitcode") == 0, live.out


def test_a_file_that_needs_the_others_of_its_folder_is_a_part_of_their_manifest(live: Desk) -> None:
    assert live("export", "-o", "crm") == 0
    live.write("crm/contacts.yaml", "contacts:\n  - {external_id: '25', tags: [vip]}\n")
    assert live("export", "-o", "crm/contacts.yaml", "--only", "tags,contacts", "--with-links") == 0, live.err
    assert "contacts:\n  - {external_id: '25', tags: [vip]}\n  - {email: zoe@serenity.example" in read(live, "crm/contacts.yaml")
    assert "tags:\n" not in read(live, "crm/contacts.yaml")
    assert live("plan", "crm", "--detailed-exitcode") == 0, live.out


def test_links_that_are_otherwise_are_told_of_where_links_are_looked_at(live: Desk) -> None:
    text = "policy: {links: exact}\ntags: [vip, 'no']\ncontacts: [{external_id: '25', tags: ['no']}]\n"
    assert live("export", "-o", "m.yaml", "--only", "tags,contacts", m=text) == 0
    assert "kept as written" not in live.err
    assert live("export", "-o", "m.yaml", "--only", "tags,contacts", "--with-links", m=text) == 0
    (kept,) = [line for line in live.err.splitlines() if "kept as written" in line]
    assert kept.endswith(": contact/25: tags (tag/no), tags (tag/Beta ), tags (tag/vip) (m.yaml:3)")


def test_new_things_go_beside_the_base_and_into_no_overlay_or_list(live: Desk) -> None:
    live.write("crm/tags.yaml", "tags: [vip, '${RECONCILER_VAR_NO}']\n")
    live.write("crm/tags.prod.yaml", "tags: [only-there]\n")
    live.write("crm/people.yaml", "contacts: [{from: people.csv, key: external_id}]\n")
    live.write("crm/people.csv", "external_id\n25\n")
    live.patch.setenv("RECONCILER_VAR_NO", "no")
    assert live("export", "-o", "crm", "--only", "tags,contacts") == 0, live.err
    assert (read(live, "crm/tags.prod.yaml"), read(live, "crm/people.csv")) == ("tags: [only-there]\n", "external_id\n25\n")
    assert len(yaml.safe_load(read(live, "crm/tags.yaml"))["tags"]) == 5
    assert len(yaml.safe_load(read(live, "crm/people.yaml"))["contacts"]) == 2
    assert live("plan", "crm", "--detailed-exitcode") == 0, live.out
    before = live.files()
    for name in ("crm/tags.prod.yaml", "crm/new.prod.yaml"):
        assert live("export", "-o", name, "--only", "tags") == 64
        assert f"{name}: is an overlay of the environment prod" in live.err
    assert (live.files(), read(live, "crm/tags.prod.yaml")) == (before, "tags: [only-there]\n")


def test_a_line_break_in_a_name_makes_no_line(desk: Desk) -> None:
    desk.seed(tags=["vip\nleft out: tag/gold"])
    assert desk("export", "--only", "tags") == 0
    assert desk.err == r"left out: tag/vip\nleft out: tag/gold: name: holds the control character U+000A; remove it" + "\n"


def test_an_email_with_a_blank_is_masked_all_the_same(desk: Desk) -> None:
    desk.seed(contacts=[{"external_id": " wash@serenity.example"}])
    assert desk("export", "--only", "contacts") == 0
    assert "left out: contact/" in desk.err
    assert "wash" not in desk.err


def test_what_begins_a_variable_is_a_text(desk: Desk) -> None:
    desk.seed(tags=["${RECONCILER_VAR_X}", "a$${"])
    assert desk("export", "-o", "m.yaml", "--only", "tags") == 0
    assert "  - '$${RECONCILER_VAR_X}'\n  - 'a$$${'\n" in read(desk, "m.yaml")
    assert desk("plan", "m.yaml", "--detailed-exitcode") == 0, desk.out


def test_the_name_is_that_of_the_manifest_beside_it(live: Desk) -> None:
    live.write("intercom/a.yaml", "name: growth\ntags: [vip]\n")
    assert live("export", "-o", "intercom/b.yaml", "--only", "attributes") == 0
    assert read(live, "intercom/b.yaml").startswith("name: growth\n")


@pytest.mark.parametrize("text", ["{tags: []}", "tags: []\n...\n", "# nothing yet\n", "", "tags:\r\n- vip\r\n", "attributes: []"])
def test_whatever_its_style_a_manifest_gets_what_is_new(text: str, live: Desk) -> None:
    assert live("export", "-o", "m.yaml", m=text) == 0, live.err
    assert live("plan", "m.yaml", "--detailed-exitcode") == 0, live.out + live.err
    assert len(yaml.safe_load(read(live, "m.yaml"))["tags"]) == 5


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--only", "tag"], 64, f"--only tag: tag cannot be exported; write some of {','.join(kind.section for kind in KINDS)}\n"),
        (["--only", ""], 64, "nothing cannot be exported"),
        (["--only", "tags", "--where", "role = lead"], 64, "--where narrows contacts alone, which --only leaves out"),
        (["--where", "role ="], 64, "--where"),
        (["-o", "nowhere/intercom"], 64, "the folder does not exist"),
        (["-o", "notes"], 64, "-o notes: is there, and neither a folder nor a YAML file by its name"),
        (["-o", "other", "--name", "mine"], 64, "--name mine: the manifest that is there says `name: default`; leave --name out"),
        (["-o", "bad.yaml"], 65, "bad.yaml:1:1: unknown key 'tugs'"),
        (["-o", "other/m.yaml"], 3, "refused: workspace: "),
        (["-o", "alias.yaml"], 65, "alias.yaml:"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_written(arguments: list[str], code: int, said: str, live: Desk) -> None:
    live.write("bad.yaml", "tugs: []\n")
    live.write("notes", "mine")
    live.write("other/m.yaml", "workspace: {app_id: other}\ntags: []\n")
    live.write("alias.yaml", "attributes: &none []\ntags: *none\n")
    before = {name: read(live, name) for name in live.files() - {"other"}}
    assert live("export", *arguments) == code
    assert said in live.err
    assert {name: read(live, name) for name in live.files() - {"other"}} == before


@pytest.mark.parametrize("verb", [("export",), ("get", "tags", "-o", "yaml"), ("init", "--yes")])
def test_what_is_left_out_is_one_line_that_nobody_obeys(desk: Desk, verb: tuple[str, ...]) -> None:
    desk.seed(tags=["a\x1b[31m\n::error::b"])
    assert desk(*verb) == 0, desk.err
    assert "left out: tag/a\\x1b[31m\\n::error::b: name: holds the control character U+001B; remove it\n" in desk.err
    assert "\x1b" not in desk.err + desk.out


def test_links_lead_to_what_is_declared_too(live: Desk) -> None:
    live.write("m/m.yaml", 'tags: [vip]\ncompanies: [{company_id: "6"}]\n')
    assert live("export", "-o", "m", "--only", "contacts", "--with-links") == 0, live.err
    person = yaml.safe_load(read(live, "m/m.yaml"))["contacts"][0]
    assert (person["tags"], person["companies"]) == (["vip"], ["6"])
    assert "left out: contact/25: tags: some lead to tags that are neither exported nor declared" in live.err
    assert live("plan", "m") == 0
    assert "No changes." in live.out
