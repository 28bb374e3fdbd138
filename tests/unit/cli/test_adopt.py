"""adopt, as typed: what becomes ours; nothing is changed in Intercom by it."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator

import pytest

from reconciler.core.model.address import Address
from reconciler.core.model.record import LinkOrigin, Record
from reconciler.ledger.homes.home import Waiting
from tests.desk.desk import Desk
from tests.unit.cli.serenity import ALL, APP, MAIL, NASTY, answer, lines, seeded


@pytest.fixture
def desk(desk: Desk) -> Iterator[Desk]:
    with seeded(desk) as live:
        yield live


# ── adopt --all ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_all_lists_what_is_declared_and_live_and_takes_that_and_nothing_else(desk: Desk) -> None:
    assert desk("adopt", "--all", "m.yaml", "--auto-approve", m=ALL) == 0
    ids = {name: desk.id("tag", name=name) for name in ("vip", "trial")}
    company, zoe, hoban = desk.id("company", company_id="6"), desk.id("contact", external_id="25"), desk.id("contact", email=MAIL)
    rows = re.sub(r"#[0-9a-f]{8}", "#…", "\n".join(lines(desk))).splitlines()
    assert rows == [
        f"company/6 | {company} | will be taken over",
        f"contact/25 | {zoe} | will be taken over; 2 links become ours",
        f"contact/h***@serenity.example#… | {hoban} | will be taken over",
        f"tag/trial | {ids['trial']} | will be taken over",
        f"tag/vip | {ids['vip']} | will be taken over",
    ]
    assert desk.err == "not listed: 1 declared as not being there, 2 not live\nadopted: 5, as name: default in sandbox1\n"
    assert desk.ours() == {f"tag/{i}" for i in ids.values()} | {f"company/{company}", f"contact/{zoe}", f"contact/{hoban}"}
    assert desk.records()[f"contact/{zoe}"].links == {"tags": {ids["vip"]: LinkOrigin.OWNED}, "companies": {company: LinkOrigin.OWNED}}
    assert desk.box.writes == []


def test_what_was_live_is_the_base_so_a_later_plan_says_that_the_manifest_changed(desk: Desk) -> None:
    desk("adopt", "--all", "m.yaml", "--auto-approve", m=ALL)
    by_address = {change["address"]: change for change in desk.json("plan", "m.yaml")["changes"] if change["fields"]}
    assert by_address["company/6"]["cause"] == "config"
    desk.box.seed({"companies": [{"company_id": "6", "name": "Green Sun"}]})
    by_address = {change["address"]: change for change in desk.json("plan", "m.yaml")["changes"] if change["fields"]}
    assert by_address["company/6"]["cause"] == "conflict"


def test_what_was_adopted_is_a_base_of_drift_before_the_first_apply(desk: Desk) -> None:
    desk("adopt", "tag/vip", m="tags: [vip, trial]\n")
    assert desk.json("drift", "m.yaml")["drift"]["recorded"] is False
    desk("adopt", "--all", "m.yaml", "--auto-approve", m="tags: [vip]\ncompanies: [{company_id: '6', name: Sun}]\n")
    drift = desk.json("drift", "m.yaml")["drift"]
    assert (drift["recorded"], drift["moved"], drift["pending"]) == (True, 0, 1)
    desk.box.seed({"companies": [{"company_id": "6", "name": "Firefly"}]})
    assert desk("drift", "m.yaml") == 2
    assert "since: after " in desk.out


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
    assert [line.split(" | ")[2] for line in lines(desk)] == ["will be taken over; 1 link becomes ours", "will be taken over"]
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
    assert "attribute/old: not live" in desk.err
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
    assert [line.split(" | ")[2] for line in lines(desk)] == ["will be taken over"] * 4
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
    assert lines(desk) == [f"contact/{zoe} | {other} | will be taken over", f"contact/id:{zoe} | {zoe} | will be taken over"]
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


def test_whoever_holds_the_lock_is_waited_for_aloud_and_named(desk: Desk) -> None:
    assert desk("adopt", "tag/vip") == 0
    waiting = Waiting(0, time.sleep, time.monotonic, time.time)
    with desk.ledger() as ledger, ledger.lock(APP, "wash on serenity", waiting):
        for verb in (("adopt", "tag/trial"), ("adopt", "--all", "m.yaml", "--auto-approve"), ("forget", "tag/vip")):
            assert desk(*verb, "--lock-timeout", "0.05", m=ALL) == 6
            assert "wash on serenity, since " in desk.err
            assert desk.err.count("another run holds the lock of the ledger; waiting for it, 0.05 s at most\n") == 1
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
        "ours already", "will be taken over; 2 links become ours", "ours already", "ours already", "will be taken over",
    ]  # fmt: skip
