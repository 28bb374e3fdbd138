"""One manifest for many workspaces: overlays over a base, sections of an environment, variables; what is refused of each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from reconciler.core.model.address import Address
from reconciler.core.model.desired import Manifest, Pin
from reconciler.errors import Invalid, Usage
from reconciler.manifest.layers import BASE, Layers
from reconciler.manifest.read import read_manifest

BASES = {
    "m/head.yaml": "name: shop\nworkspace: {app_id: test1, region: us}\npolicy: {links: additive, limits: {deletes: 1, creates: 5}}\n",
    "m/tags.yaml": "tags:\n- vip\n- {name: trial, description: for a month, protect: true}\n- old\n",
    "m/contacts.yaml": "attributes: [{name: seats, model: contact, data_type: integer}, {name: plan, model: contact, data_type: string}]\n"
    "contacts:\n- {external_id: 1, name: Wash, custom_attributes: {seats: 5, plan: a}, tags: [vip, trial]}\n- {email: z@x.example}\n",
}
PROD = Layers(("prod",))


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(files: Mapping[str, str], layers: Layers = BASE, *paths: str) -> Manifest:
    for name, text in {**BASES, **files}.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
    return read_manifest(paths or ["m"], layers=layers)


def list_problems(files: Mapping[str, str], layers: Layers = PROD, *paths: str) -> list[str]:
    with pytest.raises(Invalid) as refused:
        read(files, layers, *paths)
    return str(refused.value).splitlines()


def keys(manifest: Manifest, kind: str) -> list[str]:
    return sorted(address.key for address in manifest.resources if address.kind == kind)


# ---- which files are read


def test_an_overlay_is_read_with_its_environment_alone() -> None:
    files = {"m/tags.prod.yaml": "tags: [gold]\n", "m/tags.test.yaml": "this: [is no\n"}
    base = read(files)
    assert keys(base, "tag") == ["old", "trial", "vip"]
    assert (base.env, base.environments) == ("", frozenset({"prod", "test"}))
    prod = read(files, PROD)
    assert keys(prod, "tag") == ["gold", "old", "trial", "vip"]
    assert (prod.env, prod.files[-1]) == ("prod", "m/tags.prod.yaml")
    assert base.digest != prod.digest


def test_two_environments_may_share_an_overlay_by_a_link() -> None:
    files = {"m/tags.prod.yaml": "tags: [gold]\n"}
    read(files)
    Path("m/tags.test.yaml").symlink_to("tags.prod.yaml")
    assert {"gold"} == {*keys(read(files, Layers(("test",))), "tag")} & {*keys(read(files, PROD), "tag")} - {*keys(read(files), "tag")}


def test_a_dot_in_a_name_is_no_environment_unless_something_says_so() -> None:
    files = {"m/growth.team.yaml": "tags: [g]\n"}
    assert "g" in keys(read(files), "tag")
    assert "g" not in keys(read({**files, "m/envs.yaml": "envs: {team: {}}\n"}), "tag")
    assert "g" in keys(read(files, Layers(("team",))), "tag")


def test_the_overlay_of_a_file_that_a_path_names_is_read_too() -> None:
    files = {"m/tags.prod.yaml": "tags: [gold]\n", "m/contacts.prod.yaml": "contacts: [{external_id: 9}]\n"}
    assert keys(read(files, PROD, "m/tags.yaml"), "tag") == ["gold", "old", "trial", "vip"]
    (line,) = list_problems(files, BASE, "m/tags.yaml", "m/tags.prod.yaml")
    assert line == "m/tags.prod.yaml: is an overlay of the environment prod; give --env prod, or leave the file out"


def test_an_environment_that_nobody_wrote_down_is_a_wrong_word() -> None:
    with pytest.raises(Usage, match=r"--env prdo: no such environment here \(known are prod, test\)"):
        read({"m/tags.prod.yaml": "tags: []\n", "m/e.yaml": "envs: {test: {}}\n"}, Layers(("prdo",)))
    with pytest.raises(Usage, match=r"--env x: no such environment here \(none is known\)"):
        read_manifest(["m/tags.yaml"], layers=Layers(("x",)))


# ---- what an overlay says


def test_an_entry_is_laid_over_that_of_its_address_key_by_key() -> None:
    over = "contacts:\n- {external_id: 1, custom_attributes: {seats: 9}, tags: [trial]}\n- {email: Z@x.example, name: Zoe}\n"
    manifest = read({"m/contacts.prod.yaml": over}, PROD)
    wash = manifest.resources[Address("contact", "1")]
    assert wash.fields == {"external_id": "1", "name": "Wash", "custom_attributes": {"seats": 9, "plan": "a"}}
    assert [end.key for end in wash.links["tags"].present] == ["trial"]
    assert str(wash.mark) == "m/contacts.yaml:3:3", "the base declares it"
    assert manifest.resources[Address("contact", "z@x.example")].fields == {"email": "Z@x.example", "name": "Zoe"}


def test_a_row_of_a_list_can_be_laid_over_and_lie_over() -> None:
    files = {"m/contacts.yaml": "contacts: [{from: l.csv, missing: create}]\n", "m/l.csv": "external_id,name\n1,Wash\n2,Zoe\n"}
    over = {"m/contacts.prod.yaml": "contacts: [{from: p.csv}, {external_id: 2, omit: true}]\n", "m/p.csv": "external_id,name\n1,Hoban\n"}
    manifest = read({**files, **over}, PROD)
    assert keys(manifest, "contact") == ["1"]
    resource = manifest.resources[Address("contact", "1")]
    assert (resource.fields["name"], resource.missing, str(resource.mark)) == ("Hoban", "create", "m/l.csv:2:1")


def test_omit_takes_an_entry_out_and_absent_is_a_tombstone() -> None:
    over = "tags:\n- {name: OLD, omit: true}\n- {name: trial, state: absent}\ncontacts:\n- {external_id: 1, tags: [vip]}\n"
    manifest = read({"m/tags.prod.yaml": over}, PROD)
    assert keys(manifest, "tag") == ["trial", "vip"]
    assert (manifest.resources[Address("tag", "trial")].state, manifest.resources[Address("tag", "trial")].protect) == ("absent", True)


def test_what_is_to_be_gone_leaves_its_fields_behind_and_a_tombstone_of_the_base_stays_one() -> None:
    manifest = read(
        {"m/contacts.prod.yaml": "contacts: [{external_id: 1, state: archived}]\nattributes: [{name: plan, state: archived}]\n"}, PROD
    )
    assert manifest.resources[Address("contact", "1")].fields == {"external_id": "1"}
    assert manifest.resources[Address("attribute", "plan")].state == "archived"
    files = {"m/contacts.yaml": "contacts: [{external_id: 1, state: archived}]\n"}
    (line,) = list_problems({**files, "m/contacts.prod.yaml": "contacts: [{external_id: 1, name: Wash}]\n"})
    assert line.startswith("m/contacts.prod.yaml:1:29: name is written on a contact that is archived (at m/contacts.yaml:1:29)")


def test_the_head_is_laid_over_leaf_by_leaf() -> None:
    manifest = read({"m/head.prod.yaml": "workspace: {app_id: prod1}\npolicy: {limits: {deletes: 0}}\n"}, PROD)
    assert (manifest.name, manifest.pin) == ("shop", Pin("prod1", "us"))
    assert (manifest.policy.links, manifest.policy.limits.deletes, manifest.policy.limits.creates) == ("additive", 0, 5)


def test_layers_are_laid_one_over_the_other() -> None:
    files = {
        "m/tags.group.yaml": "tags: [{name: vip, description: group, owner: g}, {name: old, omit: true}, gold]\nworkspace: {region: eu}\n",
        "m/tags.own.yaml": "tags: [{name: vip, description: own}, {name: gold, omit: true}, {name: old}]\nworkspace: {app_id: own1}\n",
    }
    manifest = read(files, Layers(("group", "own")))
    assert keys(manifest, "tag") == ["old", "trial", "vip"]
    assert manifest.pin == Pin("own1", "eu")
    assert manifest.digest == read(files, Layers(("group", "own"))).digest


WRONG = {
    "omits nobody": (
        "tags: [{name: vpi, omit: true}]\n",
        "m/tags.prod.yaml:1:8: nothing below declares what is omitted here; correct",
    ),
    "omits and says more": ("tags: [{name: vip, omit: true, owner: x}]\n", "m/tags.prod.yaml:1:8: `omit` is neither true nor alone"),
    "omits not": ("tags: [{name: vip, omit: false}]\n", "m/tags.prod.yaml:1:8: `omit` is neither true nor alone"),
    "twice": ("tags: [vip, {name: VIP, owner: x}]\n", "m/tags.prod.yaml:1:13: tag/vip is already declared at m/tags.prod.yaml:1:8"),
    "a typo": ("tags: [{name: vip, onwer: x}]\n", "m/tags.prod.yaml:1:20: unknown key 'onwer'; did you mean owner?"),
    "nobody": ("tags: [{owner: x}]\n", "m/tags.prod.yaml:1:8: `name` is missing; write it"),
    "envs": ("envs: {a: {}}\n", "m/tags.prod.yaml:1:1: `envs:` stands in an overlay; write it in a file of the base"),
    "policy twice": ("policy: {links: owned, links: exact}\n", 'm/tags.prod.yaml:1:24: the key "links" is already on line 1'),
}


@pytest.mark.parametrize("what", WRONG)
def test_an_overlay_is_refused_with_its_place(what: str) -> None:
    text, wanted = WRONG[what]
    (line,) = list_problems({"m/tags.prod.yaml": text})
    assert line.startswith(wanted)


def test_the_base_omits_nothing() -> None:
    (line,) = list_problems({"m/tags.yaml": "tags: [vip, trial, {name: old, omit: true}]\n"}, BASE)
    assert line == "m/tags.yaml:1:32: `omit` stands in no overlay; remove the entry, or write state: absent"


def test_what_refers_to_an_omitted_thing_is_told_where() -> None:
    (line,) = list_problems({"m/tags.prod.yaml": "tags: [{name: vip, omit: true}]\n"})
    assert line == "m/contacts.yaml:3:79: tag 'vip' is omitted at m/tags.prod.yaml:1:8; take it out here too, or keep it"


# ---- sections


def test_an_environment_has_some_sections_and_the_others_are_not_ours() -> None:
    files = {"m/envs.yaml": "envs: {test: {sections: [tags, attributes]}, prod: {}}\n"}
    manifest = read(files, Layers(("test",)))
    assert (manifest.sections, keys(manifest, "contact")) == (frozenset({"tags", "attributes"}), list[str]())
    assert read(files, PROD).digest == read({"m/envs.yaml": "envs: {prod: {}}\n"}, PROD).digest, "another environment is no part of it"


def test_a_reference_into_a_section_that_is_left_out_is_told_so() -> None:
    lines = list_problems({"m/envs.yaml": "envs: {prod: {sections: [contacts]}}\n"})
    assert lines[0].endswith("tag 'vip' is not declared; the environment leaves out `tags:` (`envs:`)")


@pytest.mark.parametrize(
    ("envs", "wanted"),
    [
        ("{prod: {sections: [tgas]}}", "m/envs.yaml:1:15: sections: 'tgas' is no section; write attributes, tags, "),
        ("{prod: {sektions: []}}", "m/envs.yaml:1:15: unknown key 'sektions'; did you mean sections?"),
        ("[prod]", "m/envs.yaml:1:1: `envs` is not a map"),
    ],
)
def test_what_envs_cannot_say(envs: str, wanted: str) -> None:
    assert list_problems({"m/envs.yaml": f"envs: {envs}\n", "m/tags.prod.yaml": "tags: []\n"})[0].startswith(wanted)


# ---- variables

VARIED = {
    "m/v.yaml": "tags: ['${RECONCILER_VAR_A}-${RECONCILER_VAR_B:-b}', '$${x}']\n"
    "companies: [{company_id: c, size: '${RECONCILER_VAR_SIZE:-5}'}]\n"
}


def test_a_variable_has_its_value_or_its_default_and_is_part_of_the_digest() -> None:
    one, two = (read(VARIED, Layers.of("", {"RECONCILER_VAR_A": value, "RECONCILER_VAR_B": "", "A": "z"})) for value in "ac")
    assert {"a-b", "${x}"} <= set(keys(one, "tag"))
    assert one.resources[Address("company", "c")].fields["size"] == 5, "the type of the field decides"
    assert one.digest != two.digest
    assert one.digest == read({"m/v.yaml": "tags: [a-b, '$${x}']\ncompanies: [{company_id: c, size: 5}]\n"}).digest


def test_a_variable_names_a_workspace_and_never_clears() -> None:
    files = {
        "m/head.yaml": "workspace: {app_id: '${RECONCILER_VAR_APP}'}\n",
        "m/v.yaml": "companies: [{company_id: c, industry: '${RECONCILER_VAR_I}'}]\n",
    }
    manifest = read(files, Layers.of("", {"RECONCILER_VAR_APP": "x1", "RECONCILER_VAR_I": "null"}))
    assert manifest.pin == Pin("x1")
    assert manifest.resources[Address("company", "c")].fields["industry"] == "null"


VALUES = {
    "no value": ("tags: [a, '${RECONCILER_VAR_X}']\n", "1:11: the variable RECONCILER_VAR_X has no value; set it, or write a default: "),
    "in the head": ("policy: {links: '${RECONCILER_VAR_X}'}\n", "1:10: the variable RECONCILER_VAR_X has no value"),
    "another name": ("tags: ['${HOME}']\n", "1:8: ${ begins a variable, whose name begins with RECONCILER_VAR_; write $${ if"),
    "not closed": ("tags: ['${RECONCILER_VAR_X']\n", "1:8: ${ begins a variable"),
    "a person": (
        "contacts: [{external_id: 7, name: '${RECONCILER_VAR_X:-a}'}]\n",
        "1:29: name: is personal, and takes no variable; write the",
    ),
    "who it was": ("contacts: [{external_id: 7, was: {email: '${RECONCILER_VAR_X:-a@b.c}'}}]\n", "1:35: email: is personal, and takes"),
}


@pytest.mark.parametrize("what", VALUES)
def test_a_variable_is_refused_with_its_place_and_without_its_value(what: str) -> None:
    text, wanted = VALUES[what]
    layers = Layers.of("", {"HOME": "/secret"})
    assert layers == BASE, "nothing else of the environment comes near a manifest"
    (line,) = list_problems({"m/v.yaml": text}, layers)
    assert line.startswith(f"m/v.yaml:{wanted}")
    assert "/secret" not in line
