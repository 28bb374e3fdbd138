"""What random worlds found wrong once, told one by one."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.errors import IntercomError, Invalid
from tests.conftest import MakeRoute
from tests.desk.route import changes, lines

ARCHIVED: dict[str, Any] = {"id": "a1" * 12, "external_id": "25", "archived": True, "name": "Old", "tags": ["vip"]}


def test_a_null_clears_the_field_of_somebody_who_is_brought_back(route: MakeRoute) -> None:
    told = route({"tags": ["vip"], "contacts": [ARCHIVED]})
    path = told.manifest("contacts: [{external_id: '25', state: present, name: null}]")
    assert [o.reason for o in told.converge(path)] == ["brought back from the archive"]
    assert told.box.ws.store.table("contact").docs[ARCHIVED["id"]]["name"] is None
    assert changes(told.document(path)) == []


def test_a_null_is_not_sent_when_somebody_is_created(route: MakeRoute) -> None:
    told = route()
    told.converge(told.manifest("contacts: [{external_id: '25', missing: create, name: null}]"))
    assert [write.body for write in told.box.writes] == [{"external_id": "25"}]


def test_links_that_somebody_brings_along_are_named_and_undone_by_the_next_plan(route: MakeRoute) -> None:
    told = route({"tags": ["vip"], "contacts": [ARCHIVED]})
    path = told.manifest("{policy: {links: exact}, tags: [vip], contacts: [{external_id: '25', state: present, tags: []}]}")
    assert "note incomplete contact/25" in lines(told.document(path))
    kept = told.saved(path)
    told.apply(kept)
    assert told.apply(kept) == [], "the same plan again is done, not stale"
    assert changes(told.document(path)) == ["detach contact/25 tag/vip"]
    told.converge(path)
    assert changes(told.document(path)) == []


@pytest.mark.parametrize("state", ["absent", "archived"])
def test_a_tombstone_that_may_mean_two_is_refused(route: MakeRoute, state: str) -> None:
    told = route({"contacts": [{"email": "a@mail.example"}, {"email": "A@mail.example", "role": "lead"}]})
    path = told.manifest(f"{{contacts: [{{email: a@mail.example, state: {state}}}], policy: {{limits: {{contact_deletes: 5}}}}}}")
    assert lines(told.document(path)) == ["refused identity"]


def test_a_tombstone_does_not_take_who_was_given_its_name(route: MakeRoute) -> None:
    told = route({"contacts": [{"email": "a@mail.example"}, {"external_id": "25"}]})
    path = told.manifest(
        """
        policy: {limits: {contact_deletes: 5}}
        contacts: [{email: a@mail.example, state: absent}, {external_id: '25', email: a@mail.example}]
        """
    )
    assert {o.status for o in told.converge(path)} == {"applied"}
    after = told.document(path)
    assert (changes(after), after["refused"]) == ([], [])


@pytest.mark.parametrize("missing", ["create", "skip"])
def test_two_entries_that_would_be_one_person_are_refused(route: MakeRoute, missing: str) -> None:
    told = route()
    entries = f"{{external_id: '25', email: a@mail.example, missing: create}}, {{email: A@mail.example, missing: {missing}}}"
    assert "refused identity" in lines(told.document(told.manifest(f"contacts: [{entries}]")))


def test_a_lead_may_have_the_email_of_a_user(route: MakeRoute) -> None:
    told = route()
    entries = "{external_id: '25', role: lead, email: a@mail.example, missing: create}, {email: a@mail.example, missing: create}"
    path = told.manifest(f"contacts: [{entries}]")
    assert {o.status for o in told.converge(path)} == {"applied"}
    after = told.document(path)
    assert (changes(after), after["refused"]) == ([], [])


def test_a_former_email_that_another_entry_is_to_have_is_invalid(route: MakeRoute) -> None:
    told = route()
    entries = "{external_id: '25', email: a@mail.example}, {external_id: '26', was: {email: A@mail.example}}"
    with pytest.raises(Invalid, match="in use"):
        told.planned(told.manifest(f"contacts: [{entries}]"))


@pytest.mark.parametrize("what", ["companies: [{company_id: '6', name: Sun}]", "contacts: [{external_id: '25', missing: create}]"])
def test_a_404_that_is_not_intercoms_proves_nothing(route: MakeRoute, what: str) -> None:
    told = route({"companies": [{"company_id": "6"}], "contacts": [{"external_id": "25", "hidden_from_search": 600}]})
    path = told.manifest(what)
    told.box.faults.add("GET", "^/(companies|contacts)", status=404, body=b"<html>no such page</html>", times=None)
    with pytest.raises(IntercomError):
        told.planned(path)
