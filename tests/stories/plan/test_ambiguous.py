"""An entry that may mean two people, or two entries that would be one, is refused."""

from __future__ import annotations

import pytest

from reconciler.errors import Invalid
from tests.conftest import MakeRoute
from tests.desk.route import changes, lines


@pytest.mark.parametrize("state", ["absent", "archived"])
def test_a_tombstone_that_may_mean_two_is_refused(make_route: MakeRoute, state: str) -> None:
    route = make_route({"contacts": [{"email": "a@mail.example"}, {"email": "A@mail.example", "role": "lead"}]})
    path = route.manifest(f"{{contacts: [{{email: a@mail.example, state: {state}}}], policy: {{limits: {{contact_deletes: 5}}}}}}")
    assert lines(route.document(path)) == ["refused identity"]


def test_a_tombstone_does_not_take_who_was_given_its_name(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"email": "a@mail.example"}, {"external_id": "25"}]})
    path = route.manifest(
        """
        policy: {limits: {contact_deletes: 5}}
        contacts: [{email: a@mail.example, state: absent}, {external_id: '25', email: a@mail.example}]
        """
    )
    assert {o.status for o in route.converge(path)} == {"applied"}
    after = route.document(path)
    assert (changes(after), after["refused"]) == ([], [])


@pytest.mark.parametrize("missing", ["create", "skip"])
def test_two_entries_that_would_be_one_person_are_refused(make_route: MakeRoute, missing: str) -> None:
    route = make_route()
    entries = f"{{external_id: '25', email: a@mail.example, missing: create}}, {{email: A@mail.example, missing: {missing}}}"
    assert "refused identity" in lines(route.document(route.manifest(f"contacts: [{entries}]")))


def test_a_lead_may_have_the_email_of_a_user(make_route: MakeRoute) -> None:
    route = make_route()
    entries = "{external_id: '25', role: lead, email: a@mail.example, missing: create}, {email: a@mail.example, missing: create}"
    path = route.manifest(f"contacts: [{entries}]")
    assert {o.status for o in route.converge(path)} == {"applied"}
    after = route.document(path)
    assert (changes(after), after["refused"]) == ([], [])


def test_a_former_email_that_another_entry_is_to_have_is_invalid(make_route: MakeRoute) -> None:
    route = make_route()
    entries = "{external_id: '25', email: a@mail.example}, {external_id: '26', was: {email: A@mail.example}}"
    with pytest.raises(Invalid, match="in use"):
        route.planned(route.manifest(f"contacts: [{entries}]"))
