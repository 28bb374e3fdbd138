"""forget, as typed: what is no longer ours; nothing is changed in Intercom by it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, ThingChange
from reconciler.errors import Mark
from reconciler.ledger.run import PlannedWrite, RunHead
from tests.desk.desk import Desk
from tests.unit.cli.serenity import APP, MAIL, seeded


@pytest.fixture
def desk(desk: Desk) -> Iterator[Desk]:
    with seeded(desk) as live:
        yield live


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
    document = desk.json("plan", "m.yaml")
    assert document["changes"] == []
    assert not [note for note in document["notes"] if note["topic"] in ("orphaned", "not read")]


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
        assert ledger.read_recorded(APP).has_lost_create(vip)
    desk("apply", "m.yaml", "--auto-approve", m="tags: [vip]\n")
    assert len(desk.ours()) == 1
    assert desk("forget", "tag/vip") == 0
    desk("apply", "m.yaml", "--auto-approve")
    assert (len(desk.records()), desk.ours()) == (1, set())
