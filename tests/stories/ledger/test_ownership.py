"""What is ours: what we created, and nothing that was there or that only might be ours."""

from __future__ import annotations

from pathlib import Path

from reconciler.ledger.ledger import Ledger
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes, lines
from tests.stories.ledger.records import PRUNING, by_hand, contact_id, meanwhile, one, record, tag_id


def test_what_was_there_is_recorded_and_not_owned(route: MakeRoute) -> None:
    told = route({"tags": ["vip"], "contacts": [{"external_id": "25", "tags": ["vip"]}]}, ledger=True)
    told.converge(told.manifest("tags: [vip, new]\ncontacts: [{external_id: '25', tags: [vip, new]}]\n"))
    vip, new, contact = (record(told, address) for address in ("tag/vip", "tag/new", "contact/25"))
    assert vip
    assert new
    assert contact
    assert (vip.owned, new.owned, contact.owned) == (False, True, False)
    assert {vip.id: "found", new.id: "owned"} == dict(contact.links["tags"])
    assert [Path(file).name for file in vip.files] == ["intercom.yaml"]


def test_what_a_saved_plan_does_not_touch_is_recorded_as_it_was_found(route: MakeRoute) -> None:
    """So that a pipeline, which applies saved plans only, can tell drift."""
    told = route({"tags": ["vip"], "companies": [{"company_id": "6", "name": "Blue Sun"}]}, ledger=True)
    path = told.manifest("tags: [vip, new]\ncompanies: [{company_id: '6', name: Blue Sun}]\n")
    told.apply(told.saved(path))
    assert record(told, "company/6") is not None
    told.box.seed({"companies": [{"company_id": "6", "name": "Firefly"}]})
    assert lines(told.document(path)) == ["update company/6 name='Blue Sun' (drift)"]


def test_a_company_that_somebody_made_meanwhile_is_recorded_only(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest("companies: [{company_id: '6', name: Blue Sun}]\n")
    made = told.clock.now - 60
    meanwhile(told, "^/companies$", {"companies": [{"company_id": "6", "created_at": int(made)}]})
    outcome = one(told.converge(path))
    assert (outcome.status, outcome.reason) == ("applied", "existed already")
    found = record(told, "company/6")
    assert found
    assert not found.owned


def test_a_contact_that_the_create_met_is_recorded_only(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest("contacts: [{external_id: '25', missing: create, name: Zoe}]\n")
    meanwhile(told, "^/contacts$", {"contacts": [{"external_id": "25"}]})
    assert one(told.converge(path)).reason == "existed already"
    found = record(told, "contact/25")
    assert found
    assert not found.owned


def test_a_create_whose_answer_was_lost_is_ours_when_it_is_found(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest(PRUNING + "tags: [vip, old]\n")
    told.box.faults.add("POST", "^/tags$", drop="after", times=None)
    told.converge(path)
    told.box.faults.clear()
    told.converge(path)
    found = record(told, "tag/old")
    assert found
    assert found.owned
    told.manifest(PRUNING + "tags: [vip]\n")
    assert changes(told.document(path)) == ["delete tag/old"]


def test_a_ledger_that_is_lost_owns_nothing_and_tombstones_go_on(route: MakeRoute) -> None:
    told = route(ledger=True)
    text = "policy: {prune: {tags: owned}}\ntags: [vip, old, {name: gone, state: %s}]\n"
    told.converge(told.manifest(text % "present"))
    assert told.ledger
    told.ledger.close()
    (told.folder / ".reconciler" / "key").unlink()
    told.ledger = Ledger.open(told.folder / ".reconciler", create=True, now=told.clock)
    assert told.ledger
    with told.ledger:
        assert "written with another key" in told.ledger.warning
        found = told.document(told.manifest((text % "absent").replace("old, ", "")))
        assert changes(found) == ["delete tag/gone"]
        assert found["changes"][0]["remark"] == "never ours"


def test_a_lost_attach_makes_only_the_link_of_its_very_ids_ours(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25"}], "tags": ["vip"]}, ledger=True)
    path = told.manifest("tags: [vip]\ncontacts: [{external_id: '25', tags: [vip]}]\n")
    told.box.faults.add("POST", "^/contacts/[^/]+/tags$", drop="after", times=None)
    told.converge(path)
    told.box.faults.clear()
    told.manifest("tags: [vip]\ncontacts: [{external_id: '25', tags: []}]\n")
    assert changes(told.document(path)) == ["detach contact/25 tag/vip"]
    by_hand(told, "DELETE", f"/tags/{tag_id(told, 'vip')}")
    by_hand(told, "POST", "/tags", {"name": "vip"})
    by_hand(told, "POST", f"/contacts/{contact_id(told)}/tags", {"id": tag_id(told, "vip")})
    assert changes(told.document(path)) == []


def with_key(told: Route, key: str | None = None) -> None:
    """From now on the ledger is opened with this key, else with the one that lies beside it."""
    if told.ledger:
        told.ledger.close()
    environ = {"RECONCILER_LEDGER_KEY": key} if key else {}
    told.ledger = Ledger.open(told.folder / ".reconciler", create=True, now=told.clock, environ=environ)


def test_a_run_with_a_wrong_key_takes_nothing_from_those_who_have_the_right_one(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest(PRUNING + "tags: [vip, trial]\n")
    told.converge(path)
    with_key(told, "0f" * 32)
    assert changes(told.document(told.manifest(PRUNING + "tags: [vip]\n"))) == []
    told.converge(path)
    with_key(told)
    assert told.ledger
    with told.ledger:
        assert told.ledger.warning == ""
        assert changes(told.document(path)) == ["delete tag/trial"]


def test_what_a_run_with_a_wrong_key_detached_is_not_ours_when_somebody_attached_it_again(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25"}], "tags": ["vip"]}, ledger=True)
    text = "tags: [vip]\ncontacts: [{external_id: '25', tags: [%s]}]\n"
    told.converge(told.manifest(text % "vip"))
    assert changes(told.document(told.manifest(text % ""))) == ["detach contact/25 tag/vip"]
    with_key(told, "0f" * 32)
    told.clock.now += 60
    told.converge(told.manifest("policy: {links: exact}\n" + text % ""))
    by_hand(told, "POST", f"/contacts/{contact_id(told)}/tags", {"id": tag_id(told, "vip")})
    with_key(told)
    assert told.ledger
    with told.ledger:
        assert changes(told.document(told.manifest(text % ""))) == []


def test_a_lost_attach_that_a_later_run_saw_undone_makes_nothing_ours(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25"}], "tags": ["vip"]}, ledger=True)
    path = told.manifest("tags: [vip]\ncontacts: [{external_id: '25', tags: [vip]}]\n")
    told.box.faults.add("POST", "^/contacts/[^/]+/tags$", drop="before", times=None)
    told.converge(path)
    told.box.faults.clear()
    told.manifest("tags: [vip]\ncontacts: [{external_id: '25', tags: []}]\n")
    told.converge(path)
    by_hand(told, "POST", f"/contacts/{contact_id(told)}/tags", {"id": tag_id(told, "vip")})
    assert changes(told.document(path)) == []


def test_a_lost_create_that_a_later_run_did_not_find_makes_nothing_ours(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest(PRUNING + "tags: [vip, other]\n")
    told.box.faults.add("POST", "^/tags$", drop="before", times=None)
    told.converge(path)
    told.box.faults.clear()
    told.manifest(PRUNING + "tags: [other]\n")
    told.converge(path)
    told.box.seed({"tags": ["vip"]})
    assert changes(told.document(path)) == []


def test_what_a_lost_create_made_is_an_orphan_when_its_entry_is_gone(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest(PRUNING + "tags: [vip, other]\n")
    told.box.faults.add("POST", "^/tags$", drop="after", times=None)
    told.converge(path)
    told.box.faults.clear()
    told.manifest(PRUNING + "tags: [other]\n")
    assert changes(told.document(path)) == ["delete tag/vip"]


def test_a_ledger_restored_from_before_owns_nothing_and_says_so(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25"}]}, ledger=True)
    path = told.manifest(PRUNING + "tags: [vip, beta]\ncontacts: [{external_id: '25', tags: [beta]}]\n")
    told.converge(path)
    assert told.ledger
    told.ledger.close()
    folder = told.folder / ".reconciler"
    old = (folder / "ledger.db").read_bytes()
    told.ledger = Ledger.open(folder, create=True, now=told.clock)
    told.clock.now += 60
    told.converge(path)
    assert told.ledger
    told.ledger.close()
    (folder / "ledger.db").write_bytes(old)
    told.manifest(PRUNING + "tags: [vip]\ncontacts: [{external_id: '25', tags: []}]\n")
    for _ in range(2):
        told.ledger = Ledger.open(folder, create=True, now=told.clock)
        assert told.ledger
        assert changes(told.document(path)) == []
        assert ("is older than the last run here" in told.ledger.warning) is (_ == 0)
        told.converge(path)
        told.ledger.close()
