"""adopt, forget and history, as typed: what becomes ours, what no longer is, what was done; nothing is ever changed in Intercom by them."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, ThingChange
from reconciler.core.model.record import LinkOrigin, Record
from reconciler.errors import Mark
from reconciler.ledger.homes.home import Waiting
from reconciler.ledger.homes.mend import set_aside
from reconciler.ledger.ledger import Ledger
from reconciler.ledger.run import KEPT, PlannedWrite, RunHead
from tests.desk.desk import Desk

APP = "sandbox1"
MAIL = "hoban@serenity.example"
NASTY = "\x1b[31mred\x1b[0m\n::error::no ##[group]x"
SEED: dict[str, Any] = {
    "tags": ["vip", "trial", "Other"],
    "companies": [{"company_id": "6", "name": "Blue Sun"}],
    "contacts": [
        {"external_id": "25", "email": "zoe@serenity.example", "name": "Zoe", "tags": ["vip"], "companies": ["6"]},
        {"email": MAIL, "name": "Hoban"},
    ],
}
ALL = """
tags: [vip, trial, nowhere, {name: Other, state: absent}]
companies: [{company_id: '6', name: Red Sun}]
contacts:
  - {external_id: '25', name: Zoe, tags: [vip, trial], companies: ['6']}
  - {email: hoban@serenity.example}
  - {external_id: nobody}
"""


@pytest.fixture
def desk(desk: Desk) -> Iterator[Desk]:
    desk.box.seed(SEED)
    yield desk
    # Whatever was adopted, forgotten or told: no e-mail lies in the ledger.
    held = b"".join(path.read_bytes() for path in desk.folder.rglob(".reconciler/*") if path.is_file())
    assert b"serenity.example" not in held


def lines(desk: Desk) -> list[str]:
    """What a verb printed, with one separator between columns."""
    return [re.sub(r" {2,}", " | ", line) for line in desk.out.splitlines()]


@dataclass
class Keyboard:
    """A terminal at which somebody answers, after doing something else."""

    answer: str
    meanwhile: Callable[[], object]

    def isatty(self) -> bool:
        return True

    def readline(self, _: int = -1) -> str:
        self.meanwhile()
        return self.answer


def answer(desk: Desk, text: str, meanwhile: Callable[[], object] = lambda: None) -> None:
    desk.patch.setattr(sys, "stdin", Keyboard(text, meanwhile))


# ── adopt --all ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_all_lists_what_is_declared_and_live_and_takes_that_and_nothing_else(desk: Desk) -> None:
    assert desk("adopt", "--all", "m.yaml", "--auto-approve", m=ALL) == 0
    ids = {name: desk.id("tag", name=name) for name in ("vip", "trial")}
    company, zoe, hoban = desk.id("company", company_id="6"), desk.id("contact", external_id="25"), desk.id("contact", email=MAIL)
    told = re.sub(r"#[0-9a-f]{8}", "#…", "\n".join(lines(desk))).splitlines()
    assert told == [
        f"company/6 | {company} | not recorded",
        f"contact/25 | {zoe} | not recorded; 2 links become ours",
        f"contact/h***@serenity.example#… | {hoban} | not recorded",
        f"tag/trial | {ids['trial']} | not recorded",
        f"tag/vip | {ids['vip']} | not recorded",
    ]
    assert desk.err == "not listed: 1 declared as not being there, 2 not live\nadopted: 5, as name: default in sandbox1\n"
    assert desk.ours() == {f"tag/{i}" for i in ids.values()} | {f"company/{company}", f"contact/{zoe}", f"contact/{hoban}"}
    assert desk.records()[f"contact/{zoe}"].links == {"tags": {ids["vip"]: LinkOrigin.OWNED}, "companies": {company: LinkOrigin.OWNED}}
    assert desk.box.writes == []


def test_what_was_live_is_the_base_so_a_later_plan_says_that_the_manifest_changed(desk: Desk) -> None:
    desk("adopt", "--all", "m.yaml", "--auto-approve", m=ALL)
    found = {change["address"]: change for change in desk.json("plan", "m.yaml")["changes"] if change["fields"]}
    assert found["company/6"]["cause"] == "config"
    desk.box.seed({"companies": [{"company_id": "6", "name": "Green Sun"}]})
    found = {change["address"]: change for change in desk.json("plan", "m.yaml")["changes"] if change["fields"]}
    assert found["company/6"]["cause"] == "conflict"


def test_what_was_adopted_is_pruned_after_its_entry_is_removed_and_not_before_the_first_apply(desk: Desk) -> None:
    text = "policy: {prune: {tags: owned}}\ntags: [%s]\n"
    assert desk("adopt", "--all", "m.yaml", "--auto-approve", m=text % "vip, trial") == 0
    assert desk.json("plan", "m.yaml", "--target", "tag/*")["changes"] == []
    (desk.folder / "m.yaml").write_text(text % "vip")
    assert desk.json("plan", "m.yaml")["changes"] == []
    assert desk("apply", "m.yaml", "--auto-approve", m=text % "vip, trial") == 0, desk.err
    (desk.folder / "m.yaml").write_text(text % "vip")
    assert [(c["action"], c["address"]) for c in desk.json("plan", "m.yaml")["changes"]] == [("delete", "tag/trial")]
    assert desk("apply", "m.yaml", "--auto-approve") == 0
    assert desk("get", "tags", "trial") == 1


def test_what_was_only_found_becomes_ours_with_its_links(desk: Desk) -> None:
    text = "policy: {links: owned}\ntags: [vip]\ncontacts: [{external_id: '25', tags: [vip]}]\n"
    assert desk("apply", "m.yaml", "--auto-approve", m=text) == 0
    assert desk.ours() == set()
    assert desk("adopt", "--all", "m.yaml", "--auto-approve") == 0
    assert [line.split(" | ")[2] for line in lines(desk)] == ["recorded, becomes ours; 1 link becomes ours", "recorded, becomes ours"]
    assert len(desk.ours()) == 2
    (desk.folder / "m.yaml").write_text(text.replace("tags: [vip]}", "tags: []}"))
    assert [(c["action"], c["target"]) for c in desk.json("plan", "m.yaml")["changes"]] == [("detach", "tag/vip")]


def test_links_of_a_list_that_is_not_written_any_more_stay_as_they_were(desk: Desk) -> None:
    desk("apply", "m.yaml", "--auto-approve", m="tags: [vip]\ncontacts: [{external_id: '25', tags: [vip]}]\n")
    desk("adopt", "--all", "m.yaml", "--auto-approve", m="tags: [vip]\ncontacts: [{external_id: '25'}]\n")
    assert desk.records()[f"contact/{desk.id('contact', external_id='25')}"].links == {
        "tags": {desk.id("tag", name="vip"): LinkOrigin.FOUND}
    }


def test_a_second_time_there_is_nothing_to_adopt_and_drift_is_not_forgotten(desk: Desk) -> None:
    text = "companies: [{company_id: '6', name: Blue Sun, tags: [vip]}]\ntags: [vip]\n"
    assert desk("adopt", "--all", "m.yaml", "--auto-approve", m=text) == 0
    desk.box.seed({"companies": [{"company_id": "6", "name": "Green Sun", "tags": ["vip"]}]})
    assert desk("adopt", "--all", "m.yaml", "--auto-approve") == 0
    assert [line.split(" | ")[2] for line in lines(desk)] == ["ours already; 1 link becomes ours", "ours already"]
    assert desk("adopt", "--all", "m.yaml") == 64
    answer(desk, "")
    assert desk("adopt", "--all", "m.yaml") == 0
    assert desk.err == "nothing to adopt, as name: default in sandbox1\n"
    assert desk.json("plan", "m.yaml")["changes"][0]["cause"] == "drift"
    assert [run["counts"] for run in desk.json("history")] == [{"adopted": 1}, {"adopted": 2}]


def test_what_another_name_owns_is_listed_and_left_alone(desk: Desk) -> None:
    assert desk("adopt", "tag/vip", "--name", "growth") == 0
    assert desk("adopt", "--all", "m.yaml", "--auto-approve", m="tags: [vip, trial]\n") == 0
    assert lines(desk)[1].endswith("belongs to `name: growth`; `reconciler forget` it there first")
    assert (desk.ours(), desk.ours("growth")) == ({f"tag/{desk.id('tag', name='trial')}"}, {f"tag/{desk.id('tag', name='vip')}"})
    assert desk("adopt", "tag/vip", "tag/Other") == 3
    assert "refused: owner: tag/vip belongs to `name: growth`" in desk.err
    assert len(desk.ours()) == 1
    assert desk("forget", "tag/vip", "--name", "growth") == 0
    assert desk("adopt", "tag/vip", "tag/Other") == 0
    assert len(desk.ours()) == 3


def test_what_another_name_only_found_may_become_ours(desk: Desk) -> None:
    assert desk("apply", "m.yaml", "--auto-approve", m="name: growth\ntags: [vip]\n") == 0
    assert desk("adopt", "--all", "n.yaml", "--auto-approve", n="tags: [vip]\n") == 0
    assert len(desk.ours()) == 1


def test_without_a_terminal_and_without_auto_approve_nothing_is_asked_for_or_recorded(desk: Desk) -> None:
    assert desk("adopt", "--all", "m.yaml", m=ALL) == 64
    assert "no terminal to ask at" in desk.err
    assert (desk.out, desk.box.requests, (desk.folder / ".reconciler").exists()) == ("", [], False)


def test_at_a_terminal_it_lists_and_asks_and_a_no_records_nothing(desk: Desk) -> None:
    answer(desk, "n\n")
    assert desk("adopt", "--all", "m.yaml", m=ALL) == 1
    assert desk.err.endswith("Not adopted; nothing was written.\n")
    assert len(lines(desk)) == 5
    assert "Take 5 of these into the ledger, as name: default?" in desk.err
    assert not (desk.folder / ".reconciler").exists()
    answer(desk, "")
    assert desk("adopt", "--all", "m.yaml") == 1
    assert not (desk.folder / ".reconciler").exists()
    answer(desk, "y\n")
    assert desk("adopt", "--all", "m.yaml") == 0
    assert len(desk.ours()) == 5


@pytest.mark.parametrize("no", ["n\n", "\n", "no\n", "the end of the input"])
def test_a_no_to_a_plan_is_an_answer_and_no_error(desk: Desk, no: str) -> None:
    answer(desk, no if no.endswith("\n") else "")
    assert desk("apply", "m.yaml", m="tags: [vip, new]\n") == 1
    assert desk.err.replace(": \n", ": ").endswith("Apply this plan? [y/N]: Not applied; nothing was written.\n")
    assert (desk.box.writes, (desk.folder / ".reconciler").exists()) == ([], False)


def test_what_moved_in_the_ledger_while_somebody_thought_stops_it(desk: Desk) -> None:
    def grow() -> None:
        with desk.ledger() as ledger:
            thing = ledger.digests.thing(APP, Address("tag", "vip"))
            ledger.record(APP, "growth", [Record("tag", desk.id("tag", name="vip"), thing, "tag/vip", owned=True)])

    desk("adopt", "tag/Other")
    answer(desk, "y\n", grow)
    assert desk("adopt", "--all", "m.yaml", m="tags: [vip, trial]\n") == 4
    assert len(desk.ours()) == 1


def test_the_pin_of_the_manifest_is_a_gate(desk: Desk) -> None:
    assert desk("adopt", "--all", "m.yaml", "--auto-approve", m="workspace: {app_id: other}\n" + ALL) == 3
    assert "refused: workspace: " in desk.err
    assert (desk.out, (desk.folder / ".reconciler").exists()) == ("", False)
    assert desk("adopt", "tag/vip") == 3
    assert not (desk.folder / ".reconciler").exists()


def test_what_is_in_doubt_is_not_taken(desk: Desk) -> None:
    twice = "contacts: [{external_id: '25'}, {email: zoe@serenity.example}]\n"
    assert desk("adopt", "--all", "m.yaml", "--auto-approve", m=twice) == 0
    assert (desk.out, desk.ours()) == ("", set())
    assert "not listed: 2 in doubt (`reconciler plan` says why)" in desk.err


def test_an_archived_attribute_is_not_live(desk: Desk) -> None:
    desk.box.seed({"attributes": [{"name": n, "model": "contact", "data_type": "string", "archived": n == "old"} for n in ("old", "new")]})
    text = "attributes: [{name: old, model: contact, data_type: string}, {name: new, model: contact, data_type: string}]\n"
    assert desk("adopt", "--all", "m.yaml", "--auto-approve", m=text) == 0
    assert [line.split(" | ")[0] for line in lines(desk)] == ["attribute/new"]
    assert desk("adopt", "attribute/old") == 1
    assert desk("adopt", "attribute/new") == 0


def test_names_are_harmless_in_every_list(desk: Desk) -> None:
    desk.box.seed({"tags": [NASTY.replace("\n", " ")], "contacts": [{"external_id": "::warning::x"}]})
    desk("adopt", f"tag/{NASTY.replace(chr(10), ' ')}", "contact/::warning::x")
    assert len(desk.out.splitlines()) == 2
    assert not any(part in desk.out for part in ("\x1b", "##["))
    assert desk("history") == 0


# ── adopt ADDRESS ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_address_takes_the_thing_alone(desk: Desk) -> None:
    assert desk("adopt", "tag/VIP", "company/6", "contact/25", f"contact/{MAIL.upper()}") == 0
    assert [line.split(" | ")[2] for line in lines(desk)] == ["not recorded"] * 4
    assert {(r.owned, *r.files, *r.fields, *r.links) for r in desk.records().values()} == {(True,)}
    assert len(desk.records()) == 4
    assert "hoban" not in (desk.out + desk.err).lower()
    assert desk.box.writes == []


def test_a_person_whose_external_id_is_the_id_of_another_has_an_address_of_their_own_in_every_verb(desk: Desk) -> None:
    zoe = desk.id("contact", external_id="25")
    desk.box.seed({"contacts": [{"external_id": zoe, "name": "Other"}]})
    other = desk.id("contact", external_id=zoe)
    desk.write("m.yaml", f"tags: [vip]\ncontacts: [{{external_id: {zoe}, tags: [vip]}}, {{id: {zoe}, tags: []}}]\n")
    assert [c["address"] for c in desk.json("plan", "m.yaml", "--target", f"contact/id:{zoe}")["changes"]] == []
    assert [c["address"] for c in desk.json("plan", "m.yaml", "--target", f"contact/{zoe}")["changes"]] == [f"contact/{zoe}"]
    assert desk("adopt", f"contact/{zoe}", f"contact/id:{zoe}") == 0
    assert lines(desk) == [f"contact/{zoe} | {other} | not recorded", f"contact/id:{zoe} | {zoe} | not recorded"]
    assert {record.address for record in desk.records().values()} == {f"contact/{zoe}", f"contact/id:{zoe}"}
    assert desk("forget", f"contact/id:{zoe}") == 0
    assert desk.ours() == {f"contact/{other}"}
    assert desk("forget", f"contact/{zoe}") == 0
    assert desk.ours() == set()


def test_an_id_and_two_names_of_one_contact_are_that_contact_once(desk: Desk) -> None:
    zoe = desk.id("contact", external_id="25")
    assert desk("adopt", f"contact/{zoe}", "contact/25", "contact/zoe@serenity.example") == 0
    assert [line.split(" | ")[1] for line in lines(desk)] == [zoe]
    assert desk.ours() == {f"contact/{zoe}"}


def test_what_was_adopted_by_its_address_keeps_what_is_recorded_and_is_declared_under_any_key(desk: Desk) -> None:
    text = "policy: {prune: {tags: owned}}\ntags: [vip]\ncompanies: [{company_id: '6', name: Blue Sun}]\n"
    desk("apply", "m.yaml", "--auto-approve", m=text)
    before = desk.records()[f"company/{desk.id('company', company_id='6')}"]
    assert desk("adopt", "company/6", "tag/trial") == 0
    after = desk.records()[f"company/{desk.id('company', company_id='6')}"]
    assert (after.owned, after.fields, after.files) == (True, before.fields, before.files)
    # Nobody knows of a file that declared it once, so it is never pruned before it was declared.
    assert desk.json("plan", "m.yaml")["changes"] == []
    assert "tag/trial" in {note["address"] for note in desk.json("plan", "m.yaml")["notes"] if note["topic"] == "orphaned"}


def test_all_that_is_not_live_is_named_and_nothing_is_recorded(desk: Desk) -> None:
    assert desk("adopt", "tag/vip", "tag/nope", "contact/nobody@serenity.example") == 1
    assert "nothing was recorded:" in desk.err
    assert "  tag/nope: not live" in desk.err
    assert re.search(r"  contact/n\*\*\*@serenity\.example#[0-9a-f]{8}: not live", desk.err)
    assert (desk.out, (desk.folder / ".reconciler").exists()) == ("", False)


def test_one_of_several_is_never_taken_by_chance(desk: Desk) -> None:
    desk.box.seed({"contacts": [{"role": "lead", "email": "two@serenity.example"} for _ in range(2)]})
    assert desk("adopt", "contact/two@serenity.example") == 1
    assert "several live things (ids " in desk.err
    assert not (desk.folder / ".reconciler").exists()


@pytest.mark.parametrize("address", ["foo/bar", "vip", "tag/", "/vip", "tags/vip", ""])
def test_what_is_no_address_is_64_before_any_call(desk: Desk, address: str) -> None:
    for verb in ("adopt", "forget"):
        assert desk(verb, "tag/vip", address) == 64
    assert (desk.out, desk.box.requests) == ("", [])


def test_the_manifest_in_the_folder_says_whose_it_is_unless_it_is_told(desk: Desk) -> None:
    compose = "name: other-project\nservices: {}\n"
    assert desk("adopt", "tag/vip", m="name: growth\ntags: [vip]\n", compose=compose) == 0
    assert desk("adopt", "tag/trial", "--name", "sales") == 0
    assert [len(desk.ours(name)) for name in ("growth", "sales", "default", "other-project")] == [1, 1, 0, 0]
    assert desk("adopt", "tag/Other", n="name: sales\ntags: []\n") == 64
    assert "several names (growth, sales)" in desk.err
    assert desk("adopt", "tag/Other", "--name", "sales", n="name: sales\ntags: [\n") == 0
    assert desk("adopt", "tag/Other") == 65


@pytest.mark.parametrize("more", [("--name", "x"), ("--region", "us"), ("--app-id", "x")])
def test_with_all_the_manifest_alone_says_whose_and_where(desk: Desk, more: tuple[str, str]) -> None:
    assert desk("adopt", "--all", "m.yaml", "--auto-approve", *more, m=ALL) == 64
    assert desk.box.requests == []


def test_neither_works_without_a_ledger_nor_in_a_pipeline_that_forgets(desk: Desk) -> None:
    for verb in (("adopt", "tag/vip"), ("adopt", "--all", "m.yaml", "--auto-approve"), ("forget", "tag/vip")):
        assert desk(*verb, "--ledger", "none", m=ALL) == 64
        assert f"{verb[0]} needs a ledger" in desk.err
        desk.patch.setenv("CI", "true")
        assert desk(*verb) == 3
        desk.patch.delenv("CI")
    assert (desk.box.requests, (desk.folder / ".reconciler").exists()) == ([], False)


def test_whoever_holds_the_lock_is_named(desk: Desk) -> None:
    assert desk("adopt", "tag/vip") == 0
    waiting = Waiting(0, time.sleep, time.monotonic, time.time)
    with desk.ledger() as ledger, ledger.locked(APP, "wash on serenity", waiting):
        for verb in (("adopt", "tag/trial"), ("adopt", "--all", "m.yaml", "--auto-approve"), ("forget", "tag/vip")):
            assert desk(*verb, "--lock-timeout", "0", m=ALL) == 6
            assert "wash on serenity, since " in desk.err
    assert len(desk.ours()) == 1


def test_a_ledger_in_git_is_adopted_into_forgotten_from_and_told_of_in_a_pipeline(desk: Desk) -> None:
    for arguments in (("init", "--quiet"), ("init", "--quiet", "--bare", "../away.git"), ("remote", "add", "origin", "../away.git")):
        subprocess.run(["git", *arguments], check=True, cwd=desk.folder, timeout=60)
    for name, value in (("CI", "true"), ("RECONCILER_LEDGER", "git"), ("RECONCILER_LEDGER_KEY", "ab" * 32)):
        desk.patch.setenv(name, value)
    assert desk("adopt", "--all", "m.yaml", "--auto-approve", m=ALL) == 0
    assert desk("adopt", "tag/Other") == 0
    assert desk("forget", "tag/vip", "contact/25") == 0
    assert [one["counts"] for one in desk.json("history")] == [{"forgotten": 2}, {"adopted": 1}, {"adopted": 5}]
    assert desk("adopt", "--all", "m.yaml", "--auto-approve") == 0
    assert [line.rpartition(" | ")[2] for line in lines(desk)] == [
        "ours already", "not recorded; 2 links become ours", "ours already", "ours already", "not recorded",
    ]  # fmt: skip


# ── a lost ledger ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_ledger_that_is_gone_is_rebuilt(desk: Desk) -> None:
    desk("adopt", "--all", "m.yaml", "--auto-approve", m=ALL)
    for path in (desk.folder / ".reconciler").iterdir():
        path.unlink()
    assert desk("adopt", "--all", "m.yaml", "--auto-approve") == 0
    assert len(desk.ours()) == 5


def test_a_ledger_that_is_gone_is_missed_by_whoever_looks(desk: Desk) -> None:
    desk("apply", "m.yaml", "--auto-approve", m="tags: [vip, trial]\n")
    assert desk.err.startswith("no ledger here yet: ")
    ((desk.folder / ".reconciler") / "ledger.db").unlink()
    for verb, code in (("plan", 0), ("drift", 2)):
        assert desk(verb, "m.yaml", m="policy: {prune: {tags: owned}}\ntags: [vip, new]\n") == code
        assert "ledger.db is gone, though runs were recorded in it: it counts as lost; " in desk.err
    assert "No apply is on record under this name" in desk.out
    assert desk("apply", "m.yaml", "--auto-approve") == 0
    assert "is older than the last run here" in desk.err
    assert "no ledger here yet" not in desk.err
    assert desk("plan", "m.yaml") == 0
    assert desk.err == "ledger: .reconciler/ledger.db\n"


def test_drift_of_a_link_that_we_made_is_put_right_by_its_plan(desk: Desk) -> None:
    text = "tags: [vip, onboard]\ncontacts: [{external_id: '25', tags: [vip, onboard]}]\n"
    assert desk("apply", "m.yaml", "--auto-approve", m=text) == 0
    contact, tag = desk.id("contact", external_id="25"), desk.id("tag", name="onboard")
    assert desk("api", "DELETE", f"/contacts/{contact}/tags/{tag}", "--allow-write") == 0
    assert desk("drift", "m.yaml", "--fix", "-o", "fix.json") == 2
    assert desk("show", "fix.json") == 0
    assert desk("apply", "fix.json") == 0, desk.err
    assert desk("drift", "m.yaml") == 0


@pytest.mark.parametrize("loses", ["the key", "to another key"])
def test_what_another_key_wrote_is_adopted_under_the_new_one(desk: Desk, loses: str) -> None:
    desk("adopt", "--all", "m.yaml", "--auto-approve", m=ALL)
    if loses == "the key":
        ((desk.folder / ".reconciler") / "key").unlink()
    else:
        desk.patch.setenv("RECONCILER_LEDGER_KEY", "ab" * 32)
    assert desk.ours() == set()
    assert desk("adopt", "--all", "m.yaml", "--auto-approve") == 0
    assert "written with another key" in desk.err
    assert len(desk.ours()) == 5
    assert len(desk.json("history")) == 2


def _scribble(path: Path) -> None:
    path.write_bytes(b"no database at all" * 400)


def _spoil(path: Path) -> None:
    """A page in the midst of it is torn."""
    text = bytearray(path.read_bytes())
    for at in range(4096, len(text), 4096):
        text[at : at + 64] = b"\xff" * 64
    path.write_bytes(text)


def _spoil_an_index(path: Path) -> None:
    """All rows can still be read."""
    with sqlite3.connect(path) as connection:
        [(page, size)] = connection.execute("SELECT rootpage, page_size FROM sqlite_master, pragma_page_size WHERE name = 'writes_by_run'")
    connection.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


def _tear(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE things SET links = '{\"tags'")
    connection.close()


def _empty(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE things")
    connection.close()


@pytest.mark.parametrize("harm", [_scribble, _spoil, _spoil_an_index, _tear, _empty])
def test_a_damaged_file_is_moved_aside_and_a_new_one_begins(desk: Desk, harm: Any) -> None:
    desk("adopt", "--all", "m.yaml", "--auto-approve", m=ALL)
    harm((desk.folder / ".reconciler") / "ledger.db")
    damaged = ((desk.folder / ".reconciler") / "ledger.db").read_bytes()
    assert desk("adopt", "--all", "m.yaml", "--auto-approve") == 0, desk.err
    [aside] = [path for path in (desk.folder / ".reconciler").iterdir() if re.fullmatch(r"ledger\.db\.damaged-\d{8}T\d{6}Z", path.name)]
    assert f"ledger.db is {aside.relative_to(desk.folder)} now; a new ledger begins" in desk.err
    assert aside.read_bytes() == damaged
    assert len(desk.ours()) == 5
    assert [run["verb"] for run in desk.json("history")] == ["adopt"]
    assert not [path for path in (desk.folder / ".reconciler").glob("ledger.db-*")]


def test_a_damaged_file_stays_while_nothing_is_adopted_and_for_every_other_verb(desk: Desk) -> None:
    desk("adopt", "--all", "m.yaml", "--auto-approve", m=ALL)
    _scribble((desk.folder / ".reconciler") / "ledger.db")
    answer(desk, "n\n")
    assert desk("adopt", "--all", "m.yaml") == 1
    assert "counts as lost, and will be moved aside: it is not a ledger" in desk.err
    assert desk("forget", "tag/vip") == 1
    assert desk("history") == 1
    assert not list((desk.folder / ".reconciler").glob("*damaged*"))


def test_two_damaged_files_of_one_second_are_both_kept(desk: Desk) -> None:
    (desk.folder / ".reconciler").mkdir()
    waiting = Waiting(0, time.sleep, time.monotonic, lambda: 1_790_000_000.0)
    for _ in range(3):
        _scribble((desk.folder / ".reconciler") / "ledger.db")
        ((desk.folder / ".reconciler") / "ledger.db-wal").write_bytes(b"its log")
        assert set_aside((desk.folder / ".reconciler"), "a test", waiting, lambda: True)
    stamp = "ledger.db.damaged-20260921T141320Z"
    names = {f"{stamp}{nth}{suffix}" for nth in ("", "-1", "-2") for suffix in ("", "-wal")}
    assert {path.name for path in (desk.folder / ".reconciler").iterdir()} == {*names, "ledger.lock", ".gitignore"}


def test_a_ledger_of_a_newer_release_is_never_moved(desk: Desk) -> None:
    desk("adopt", "tag/vip")
    with sqlite3.connect((desk.folder / ".reconciler") / "ledger.db") as connection:
        connection.execute("UPDATE ledger_schema SET version = 99")
    connection.close()
    for verb in (("adopt", "tag/vip"), ("adopt", "--all", "m.yaml", "--auto-approve"), ("forget", "tag/vip"), ("history",)):
        assert desk(*verb, m=ALL) == 1
        assert "made by a newer reconciler, or by one from before 0.1.0; upgrade, or move it away" in desk.err
    assert not list((desk.folder / ".reconciler").glob("*damaged*"))


def test_a_database_of_something_else_is_never_moved(desk: Desk) -> None:
    (desk.folder / ".reconciler").mkdir()
    with sqlite3.connect((desk.folder / ".reconciler") / "ledger.db") as connection:
        connection.execute("CREATE TABLE recipes (name)")
    connection.close()
    assert desk("adopt", "tag/vip") == 1
    assert "it is a database of something else; move it away" in desk.err
    assert not list((desk.folder / ".reconciler").glob("*damaged*"))


# ── forget ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_what_was_forgotten_is_no_longer_ours_and_a_plan_lists_nothing_of_it(desk: Desk) -> None:
    text = "policy: {prune: {tags: owned}}\ntags: [%s]\n"
    assert desk("apply", "m.yaml", "--auto-approve", m=text % "vip, trial, new") == 0
    desk("adopt", "--all", "m.yaml", "--auto-approve")
    (desk.folder / "m.yaml").write_text(text % "vip")
    assert len(desk.json("plan", "m.yaml")["changes"]) == 2
    desk.box.forget_requests()
    assert desk("forget", "tag/trial", "tag/new") == 0
    assert desk.out == "".join(f"tag/{name}: no longer ours; nothing was changed in Intercom\n" for name in ("trial", "new"))
    assert desk.box.requests == []
    found = desk.json("plan", "m.yaml")
    assert found["changes"] == []
    assert not [note for note in found["notes"] if note["topic"] in ("orphaned", "not read")]


def test_it_needs_no_token(desk: Desk) -> None:
    desk("adopt", "tag/vip")
    desk.patch.delenv("INTERCOM_ACCESS_TOKEN")
    assert desk("forget", "tag/vip") == 0
    assert desk("history") == 0


def test_an_address_is_found_in_any_form_in_which_it_is_shown(desk: Desk) -> None:
    zoe, hoban = desk.id("contact", external_id="25"), desk.id("contact", email=MAIL)
    for written in ("contact/25", f"contact/{zoe}", f"contact/{MAIL}", f"contact/{MAIL.upper()}", f"contact/{hoban}", "tag/VIP"):
        assert desk("adopt", "contact/25", f"contact/{MAIL}", "tag/vip") == 0
        before = desk.ours()
        assert desk("forget", written) == 0, desk.err
        assert len(before - desk.ours()) == 1
        assert "hoban" not in (desk.out + desk.err).lower()
    desk("adopt", f"contact/{MAIL}")
    [shown] = [record.address for record in desk.records().values() if record.id == hoban]
    assert desk("forget", shown) == 0


def test_whose_a_thing_is_has_to_be_said_where_only_another_name_is_known(desk: Desk) -> None:
    (desk.folder / "intercom").mkdir()
    assert desk("apply", "intercom", "--auto-approve", **{"intercom/m": "name: growth\ntags: [vip]\n"}) == 0
    assert desk("adopt", "tag/trial") == 0
    assert "note: nothing was ever applied here as name: default, but as growth; --name says whose it is" in desk.err
    assert desk("adopt", "tag/trial", "--name", "growth") in (0, 3)
    assert "note: " not in desk.err
    assert desk("forget", "tag/vip") == 1
    assert "`name: default`; things were applied here as name: growth: say which with --name" in desk.err


def test_all_are_let_go_or_none(desk: Desk) -> None:
    desk("adopt", "tag/vip")
    assert desk("forget", "tag/vip", "tag/trial", "contact/x@serenity.example") == 1
    assert "nothing was forgotten:\n  tag/trial: nothing is recorded of it under `name: default`" in desk.err
    assert re.search(r"  contact/x\*\*\*@serenity\.example#[0-9a-f]{8}: nothing", desk.err)
    assert (desk.out, len(desk.ours())) == ("", 1)
    assert desk("forget", "tag/vip", "--name", "growth") == 1
    assert len(desk.ours()) == 1


def test_the_workspace_is_told_or_the_only_one_there_is(desk: Desk) -> None:
    desk("adopt", "tag/vip")
    with desk.ledger() as ledger:
        ledger.begin(RunHead("another", "eu", "default", "", ""))
    assert desk("forget", "tag/vip") == 64
    assert "several workspaces (another, sandbox1); say which with --app-id" in desk.err
    assert desk("forget", "tag/vip", "--app-id", "another") == 1
    assert desk("forget", "tag/vip", m=f"workspace: {{app_id: {APP}}}\n") == 0
    assert [(run["verb"], run["workspace"]) for run in desk.json("history")][0] == ("forget", {"app_id": APP, "region": "us"})


def test_without_a_ledger_nothing_can_be_forgotten(desk: Desk) -> None:
    assert desk("forget", "tag/vip") == 1
    assert "there is no ledger here" in desk.err
    assert not (desk.folder / ".reconciler").exists()


def test_a_create_whose_answer_was_lost_does_not_make_ours_again_what_was_forgotten(desk: Desk) -> None:
    vip, change = Address("tag", "vip"), ThingChange(Action.CREATE, Address("tag", "vip"), Mark("m.yaml"))
    with desk.ledger() as ledger:
        started = ledger.begin(RunHead(APP, "us", "default", "", ""))
        ledger.intend(dict.fromkeys(ledger.plan(started, [PlannedWrite(change, proof=True)]), change))
        assert ledger.read_recorded(APP).created(vip)
    desk("apply", "m.yaml", "--auto-approve", m="tags: [vip]\n")
    assert len(desk.ours()) == 1
    assert desk("forget", "tag/vip") == 0
    desk("apply", "m.yaml", "--auto-approve")
    assert (len(desk.records()), desk.ours()) == (1, set())


# ── history ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
RUN = [
    "run", "verb", "workspace", "name", "who", "started", "ended", "exit_code", "counts", "revision", "manifest_digest", "plan_digest",
    "files",
]  # fmt: skip
CHANGE = ["action", "address", "target", "outcome", "fields", "id"]


def test_runs_are_told_newest_first_with_all_that_is_known(desk: Desk) -> None:
    desk("apply", "m.yaml", "--auto-approve", m="name: growth\ntags: [vip, new]\n")
    desk("adopt", "tag/trial")
    desk("forget", "tag/trial")
    desk.patch.delenv("INTERCOM_ACCESS_TOKEN")
    desk.box.forget_requests()
    found = desk.json("history")
    assert [list(one) for one in found] == [RUN] * 3
    assert [(one["verb"], one["name"], one["exit_code"], one["counts"]) for one in found] == [
        ("forget", "growth", 0, {"forgotten": 1}),
        ("adopt", "growth", 0, {"adopted": 1}),
        ("apply", "growth", 0, {"applied": 1}),
    ]
    assert sorted((one["run"] for one in found), reverse=True) == [one["run"] for one in found]
    assert found[2]["workspace"] == {"app_id": APP, "region": "us"}
    assert (found[2]["files"], len(found[2]["manifest_digest"]), len(found[2]["plan_digest"])) == (["m.yaml"], 64, 64)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", one[key]) for one in found for key in ("started", "ended"))
    assert all(re.fullmatch(r"\S+ on \S+ \(process \d+\)", one["who"]) for one in found)
    assert desk.box.requests == []


def test_one_run_is_told_with_its_changes(desk: Desk) -> None:
    text = "tags: [vip, new]\ncompanies: [{company_id: '6', name: Red}]\n"
    text += "contacts: [{email: hoban@serenity.example, name: W, tags: [vip]}]\n"
    assert desk("apply", "m.yaml", "--auto-approve", m=text) == 0
    [one] = desk.json("history")
    found = desk.json("history", one["run"])
    assert found == desk.json("history", "last")
    assert list(found) == [*RUN, "changes"]
    assert [list(change) for change in found["changes"]] == [CHANGE] * 4
    told = {(c["action"], c["address"].partition("#")[0], c["target"], c["outcome"], *c["fields"]) for c in found["changes"]}
    assert told == {
        ("create", "tag/new", None, "applied", "name"),
        ("update", "company/6", None, "applied", "name"),
        ("update", "contact/", None, "applied", "name"),
        ("attach", "contact/", "tag/vip", "applied"),
    }
    assert {c["id"] for c in found["changes"]} == {
        desk.id("tag", name="new"), desk.id("company", company_id="6"), desk.id("contact", email=MAIL),
    }  # fmt: skip
    assert MAIL not in desk.out


def test_a_killed_run_has_no_end_and_its_writes_are_unanswered_or_were_never_started(desk: Desk) -> None:
    changes = [ThingChange(Action.CREATE, Address("contact", name), Mark("m.yaml")) for name in (MAIL, "26")]
    with desk.ledger() as ledger:
        started = ledger.begin(RunHead(APP, "us", "default", "m", "p", who=f"{MAIL} on serenity", files=[f"{MAIL}.yaml"]))
        numbers = ledger.plan(started, [PlannedWrite(change) for change in changes])
        ledger.intend({numbers[0]: changes[0]})
    found = desk.json("history", started)
    assert (found["ended"], found["exit_code"], found["counts"]) == (None, None, {})
    assert [(c["address"].partition("#")[0], c["outcome"]) for c in found["changes"]] == [
        ("contact/", "unanswered"), ("contact/26", "not started"),
    ]  # fmt: skip
    assert MAIL not in desk.out
    assert desk("history") == 0
    assert lines(desk)[0].endswith("apply | sandbox1 | default | killed, or goes on")
    assert desk("history", started) == 0
    assert "ended: killed, or goes on" in desk.out
    assert MAIL not in desk.out


def test_the_text_is_a_line_a_run_in_columns(desk: Desk) -> None:
    desk("apply", "m.yaml", "--auto-approve", m="tags: [vip, new]\n")
    desk("apply", "m.yaml", "--auto-approve", m="name: growth\ntags: [vip]\n")
    assert desk("history") == 0
    assert [line.split(" | ")[2:] for line in lines(desk)] == [
        ["apply", "sandbox1", "growth", "exit 0", "nothing to do"],
        ["apply", "sandbox1", "default", "exit 0", "1 applied"],
    ]
    assert len({line.index("exit") for line in desk.out.splitlines()}) == 1
    run_id = lines(desk)[1].split(" | ")[0]
    assert desk("history", run_id) == 0
    assert desk.out.splitlines()[-1].split() == ["applied", "+", "create", "tag/new", "(name)"]
    assert f"run: {run_id}" in desk.out


def test_no_text_of_a_ledger_is_obeyed_by_a_terminal(desk: Desk) -> None:
    with desk.ledger() as ledger:
        started = ledger.begin(RunHead(APP, "us", NASTY, NASTY, NASTY, who=NASTY, files=[NASTY], revision=NASTY))
        ledger.plan(started, [PlannedWrite(ThingChange(Action.CREATE, Address("tag", NASTY), Mark("m.yaml")))])
    for form in ("text", "json"):
        for which in ((), (started,)):
            assert desk("history", *which, "--format", form) == 0
            assert not any(part in desk.out for part in ("\x1b", "##["))
            assert not any(line.lstrip().startswith("::") for line in desk.out.splitlines())
    assert json.loads(desk.out)["name"] == NASTY


def test_without_a_ledger_there_is_an_empty_list(desk: Desk) -> None:
    for more in ((), ("--ledger", "none")):
        assert desk.json("history", *more) == []
        assert desk.err == "no ledger here\n"
        assert (desk("history", *more), desk.out) == (0, "")
    assert not (desk.folder / ".reconciler").exists()


def test_a_run_that_is_not_there_is_64(desk: Desk) -> None:
    for which in ("last", "20260101T000000000-00000000"):
        assert desk("history", which) == 64
        assert f"{which}: no such run; `reconciler history` lists them" in desk.err
    desk("adopt", "tag/vip")
    assert desk("history", "20260101T000000000-00000000") == 64
    assert desk("history", "last") == 0


def test_of_an_old_run_it_says_that_what_was_done_is_not_kept(desk: Desk) -> None:
    (desk.folder / ".reconciler").mkdir()
    old = time.time() - KEPT - 60
    opened = Ledger.open((desk.folder / ".reconciler"), create=True, now=lambda: old)
    assert opened
    with opened as ledger:
        ledger.begin(RunHead(APP, "us", "default", "", ""))
    assert desk("history", "last") == 0
    assert "more than thirty days ago is not kept" in desk.err


def test_an_adoption_counts_as_no_apply(desk: Desk) -> None:
    desk("adopt", "tag/vip")
    with desk.ledger() as ledger:
        assert ledger.read_recorded(APP).runs == 0
