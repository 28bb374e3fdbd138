"""history, as typed: what was done."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest
from pyrage import x25519

from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, ThingChange
from reconciler.errors import Mark
from reconciler.ledger.ledger import Ledger
from reconciler.ledger.run import KEPT, PlannedWrite, RunHead
from tests.desk.desk import Desk
from tests.unit.cli.serenity import APP, MAIL, NASTY, lines, seeded


@pytest.fixture
def desk(desk: Desk) -> Iterator[Desk]:
    with seeded(desk) as live:
        yield live


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
    document = desk.json("history")
    assert [list(one) for one in document] == [RUN] * 3
    assert [(one["verb"], one["name"], one["exit_code"], one["counts"]) for one in document] == [
        ("forget", "growth", 0, {"forgotten": 1}),
        ("adopt", "growth", 0, {"adopted": 1}),
        ("apply", "growth", 0, {"applied": 1}),
    ]
    assert sorted((one["run"] for one in document), reverse=True) == [one["run"] for one in document]
    assert document[2]["workspace"] == {"app_id": APP, "region": "us"}
    assert (document[2]["files"], len(document[2]["manifest_digest"]), len(document[2]["plan_digest"])) == (["m.yaml"], 64, 64)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", one[key]) for one in document for key in ("started", "ended"))
    assert all(re.fullmatch(r"\S+ on \S+ \(process \d+\)", one["who"]) for one in document)
    assert desk.box.requests == []


def test_one_run_is_told_with_its_changes(desk: Desk) -> None:
    text = "tags: [vip, new]\ncompanies: [{company_id: '6', name: Red}]\n"
    text += "contacts: [{email: hoban@serenity.example, name: W, tags: [vip]}]\n"
    assert desk("apply", "m.yaml", "--auto-approve", m=text) == 0
    [one] = desk.json("history")
    document = desk.json("history", one["run"])
    assert document == desk.json("history", "last")
    assert list(document) == [*RUN, "undo", "changes"]
    assert [list(change) for change in document["changes"]] == [CHANGE] * 4
    rows = {(c["action"], c["address"].partition("#")[0], c["target"], c["outcome"], *c["fields"]) for c in document["changes"]}
    assert rows == {
        ("create", "tag/new", None, "applied", "name"),
        ("update", "company/6", None, "applied", "name"),
        ("update", "contact/", None, "applied", "name"),
        ("attach", "contact/", "tag/vip", "applied"),
    }
    assert {c["id"] for c in document["changes"]} == {
        desk.id("tag", name="new"), desk.id("company", company_id="6"), desk.id("contact", email=MAIL),
    }  # fmt: skip
    assert MAIL not in desk.out


def test_a_killed_run_has_no_end_and_its_writes_are_unanswered_or_were_never_started(desk: Desk) -> None:
    changes = [ThingChange(Action.CREATE, Address("contact", name), Mark("m.yaml")) for name in (MAIL, "26")]
    with desk.ledger() as ledger:
        started = ledger.begin(RunHead(APP, "us", "default", "m", "p", who=f"{MAIL} on serenity", files=[f"{MAIL}.yaml"]))
        numbers = ledger.plan(started, [PlannedWrite(change) for change in changes])
        ledger.intend({numbers[0]: changes[0]})
    document = desk.json("history", started)
    assert (document["ended"], document["exit_code"], document["counts"]) == (None, None, {})
    assert [(c["address"].partition("#")[0], c["outcome"]) for c in document["changes"]] == [
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
    with desk.ledger() as ledger:
        # A run that two signals ended counted nothing.
        ledger.end(ledger.begin(RunHead(APP, "us", "growth", "m", "p")), 143, {})
    assert desk("history") == 0
    assert [line.split(" | ")[2:] for line in lines(desk)] == [
        ["apply", "sandbox1", "growth", "exit 143"],
        ["apply", "sandbox1", "growth", "exit 0", "nothing to do"],
        ["apply", "sandbox1", "default", "exit 0", "1 applied"],
    ]
    assert len({line.index("exit") for line in desk.out.splitlines()}) == 1
    run_id = lines(desk)[2].split(" | ")[0]
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


def test_a_ledger_without_runs_says_so(desk: Desk) -> None:
    assert desk("plan", "m.yaml", "-o", "plan.json", m="tags: [vip]\n") == 0
    assert desk("apply", "plan.json", m="tags: [gold]\n") == 4
    assert desk("history") == 0
    assert (desk.out, desk.err) == ("", "no runs here yet\n")


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


def test_of_one_run_it_says_from_where_it_can_be_undone(desk: Desk) -> None:
    public = str(x25519.Identity.generate().to_public())
    contact = f"contacts: [{{email: {MAIL}, name: W}}]\n"
    told = []
    for text in ("tags: [vip, new]\n", contact, f"policy: {{undo_keys: [{public}]}}\n{contact.replace('W', 'V')}"):
        assert desk("apply", "m.yaml", "--auto-approve", m=text) == 0
        told.append((desk.json("history", "last")["undo"], desk("history", "last"), desk.out))
    assert [(undo["way"], undo["keys"]) for undo, _, _ in told] == [("anywhere", []), ("here", []), ("key", [public])]
    assert all(re.search(r"^undo: .*, until \d{4}-\d\d-\d\dT", out, re.MULTILINE) for _, _, out in told)
    assert f"undo: from anywhere, with the private key of {public}, until" in told[2][2]
    images = desk.folder / ".reconciler" / "images"
    ((private,), runs) = images.glob("*.private.json"), desk.json("history")
    private.unlink()
    assert desk.json("history", runs[1]["run"])["undo"]["way"] == "elsewhere"
    (images / f"{runs[0]['run']}.json").write_text("[]")
    (images / f"{runs[2]['run']}.json").unlink()
    assert [desk.json("history", runs[n]["run"])["undo"] for n in (0, 2)] == [{"way": "none", "keys": [], "until": None}] * 2
    desk("adopt", "tag/trial")
    assert desk.json("history", "last")["undo"] is None
