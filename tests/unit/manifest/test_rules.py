"""`rules:` as they are written: what they mean, what contradicts them, each with its line, and how overlays lay over them."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.core.model.address import Address
from reconciler.core.model.desired import Manifest
from reconciler.errors import Invalid
from reconciler.manifest.layers import Layers
from reconciler.manifest.read import read_manifest

HEAD = """\
tags: [pro, vip, {name: free, members: free}, {name: old, state: absent}]
attributes: [{name: seats, model: contact, data_type: integer}, {name: tier, model: company, data_type: integer}]
"""


def read(folder: Path, text: str, env: str = "", **files: str) -> Manifest:
    (folder / "m.yaml").write_text(HEAD + text, encoding="utf-8")
    for name, more in files.items():
        (folder / f"m.{name}.yaml").write_text(more, encoding="utf-8")
    return read_manifest([str(folder / "m.yaml")], layers=Layers.of(env, {}))


def rule(text: str) -> str:
    return f"rules:\n  - {{on: contacts, {text}}}\n"


def about(text: str) -> str:
    return f"rules:\n  - {{on: companies, {text}}}\n"


def test_a_rule_is_read(tmp_path: Path) -> None:
    people = 'include: [007, {email: Zoe@x.example}], exclude: [{id: "0123456789abcdef01234567"}]'
    text = f"tag: PRO, where: role = user, {people}, limits: {{detaches: 10%}}"
    (known,) = read(tmp_path, rule(text)).rules.values()
    assert (known.target, known.where, known.links, known.limits) == (Address("tag", "pro"), "role = user", "declared", {"detaches": "10%"})
    assert [by for by, _ in (*known.include, *known.exclude)] == ["external_id", "email", "id"]
    assert (known.mark.line, known.expected.least, known.expected.most, known.expected.kept) == (4, 1, None, 50.0)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (rule("tag: pro"), "4:5", "says nobody"),
        (rule("tag: nope, where: role = user"), "4:20", "is not declared"),
        (rule("tag: old, where: role = user"), "4:20", "is declared absent"),
        (rule("tag: free, where: role = user"), "4:20", "members: free"),
        (rule("tag: pro, where: rol = user"), "4:30", 'where, column 1: there is no field "rol"'),
        (rule("tag: pro, where: custom_attributes.seats ~ 5"), "4:30", "is a integer"),
        (rule("tag: pro, where: last_seen_at >= 9d ago"), "4:30", "only = < >"),
        (rule("tag: pro, company_where: size = big"), "4:30", "company_where, column 8: size"),
        (rule("tag: pro, company_where: website = x"), "4:30", "there is no field"),
        (rule("tag: pro, include: [a], exclude: [a]"), "4:54", "is in `include` too"),
        (rule("tag: pro, include: [{name: Zoe}]"), "4:40", "names nobody"),
        (rule("tag: pro, wher: x"), "4:30", "did you mean where?"),
        (rule("tag: pro, where: role = user, expect: {keep: 5}"), "4:59", "is no percentage"),
        ("rules:\n  - {tag: pro, on: tags, include: [a]}\n", "4:16", "write 'contacts' or 'companies'"),
        (
            about("tag: pro, company_where: size = 1"),
            "4:31",
            "a rule `on: companies` has no `company_where`; write the condition under `where`",
        ),
        (about("tag: pro, where: role = user"), "4:31", 'there is no field "role"'),
        (about("tag: pro, where: custom_attributes.tier ~ 5"), "4:31", "is a integer"),
        (about("tag: pro, include: [{email: a@x.example}]"), "4:41", "a company has no email; write a company_id, or {id: ID}"),
        (about("tag: pro, include: [a]") + "companies:\n  - {company_id: a, tags: [pro]}\n", "6", "write the company under `include:`"),
        ("rules:\n", "3:1", "has no value"),
        (rule("tag: pro, include: [a]") + "  - {tag: PRO, on: contacts, include: [b]}\n", "5:5", "has a rule already, at"),
        (rule("tag: pro, include: [a]") + "contacts:\n  - external_id: a\n    tags:\n      - vip\n      - pro\n", "9", "under `include:`"),
        (rule("tag: pro, include: [a]") + "contacts:\n  - {external_id: a, tags: [{tag: pro, state: absent}]}\n", "6", "under `exclude:`"),
        (rule("tag: pro, include: [a], omit: true"), "4:44", "takes no rule away here"),
    ],
)
def test_what_contradicts_a_rule_is_told_with_its_line(tmp_path: Path, text: str, place: str, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(tmp_path, text)
    (problem,) = refused.value.problems
    assert str(problem).startswith(f"{tmp_path / 'm.yaml'}:{place}: ")
    assert words in str(problem)


def test_a_rule_about_companies_is_read_and_names_them_by_their_company_id(tmp_path: Path) -> None:
    text = about('tag: PRO, where: plan = Enterprise and custom_attributes.tier > 1, include: [007, {id: "0123456789abcdef01234567"}]')
    other = "  - {tag: vip, on: contacts, include: [a]}\n"
    lists = "contacts:\n  - {external_id: a, tags: [pro]}\ncompanies:\n  - {company_id: b, tags: [vip]}\n"
    known, _ = read(tmp_path, text + other + lists).rules.values()
    assert (known.link, known.include) == (("company", "tags"), (("company_id", "007"), ("id", "0123456789abcdef01234567")))


def test_another_name_of_the_tag_makes_no_other_rule(tmp_path: Path) -> None:
    (one,), (other,) = (read(tmp_path, rule(f"tag: {name}, where: role = user")).rules.values() for name in ("pro", "vip"))
    assert one.digest == other.digest


def test_overlays_lay_keys_over_a_rule_add_one_and_take_one_away(tmp_path: Path) -> None:
    over = "rules:\n  - {tag: pro, where: role = lead}\n  - {tag: vip, on: contacts, include: [z]}\n"
    base = rule("tag: pro, where: role = user, include: [a]")
    rules = read(tmp_path, base, "prod", prod=over).rules
    assert {a.key: (r.where, len(r.include)) for a, r in rules.items()} == {"pro": ("role = lead", 1), "vip": ("", 1)}
    assert list(read(tmp_path, base, "prod", prod="rules:\n  - {tag: pro, omit: true}\n").rules) == []


def test_another_rule_is_another_manifest(tmp_path: Path) -> None:
    digests = {
        read(tmp_path, rule(f"tag: pro, where: role = user{more}")).digest for more in ("", ", limits: {attaches: 5}", ", links: additive")
    }
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("links", "policy", "meant"),
    [
        ("", "", "declared"),
        ("", "policy: {links: additive}\n", "additive"),
        ("", "policy: {links: exact}\n", "declared"),
        ("", "policy: {limits: {deletes: 1}}\n", "declared"),
        (", links: declared", "policy: {links: additive}\n", "declared"),
        (", links: exact", "policy: {links: owned}\n", "declared"),
        (", links: owned", "policy: {links: exact}\n", "owned"),
    ],
)
def test_who_does_not_match_goes_by_the_rule_else_by_the_policy_that_somebody_wrote(
    tmp_path: Path, links: str, policy: str, meant: str
) -> None:
    text = rule(f"tag: pro, where: role = user{links}")
    (plain,) = read(tmp_path, rule("tag: pro, where: role = user")).rules.values()
    (known,) = read(tmp_path, policy + text).rules.values()
    assert known.links == meant
    assert (known.digest == plain.digest) is (meant == "declared")
