"""Who is who: an identity that moves, an id, an e-mail of several people."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import MakeRoute
from tests.desk.route import changes, lines
from tests.desk.telling import contact, invalid, people, refusals, settles


@pytest.mark.parametrize(
    ("live", "entry", "written"),
    [
        ({"external_id": "25"}, {"external_id": "26", "was": {"external_id": "25"}}, {"external_id": "26"}),
        ({"email": "old@x.example"}, {"email": "new@x.example", "was": {"email": "old@x.example"}}, {"email": "new@x.example"}),
        ({"email": "old@x.example"}, {"external_id": "25", "was": {"email": "old@x.example"}}, {"external_id": "25"}),
        (
            {"id": "6762f0dd1bb69f9f000000aa", "role": "lead"},
            {"email": "new@x.example", "was": {"id": "6762f0dd1bb69f9f000000aa"}},
            {"email": "new@x.example"},
        ),
    ],
    ids=["external_id", "email", "email-to-external_id", "id-to-email"],
)
def test_was_moves_an_identity_in_one_update_and_keeps_the_links(make_route: MakeRoute, live: Any, entry: Any, written: Any) -> None:
    route = make_route({"tags": ["vip"], "contacts": [{**live, "tags": ["vip"]}]})
    settles(route, {"tags": ["vip"], "contacts": [{**entry, "missing": "create", "tags": ["vip"]}]})
    assert [(w.method, w.body) for w in route.box.writes] == [("PUT", written)]
    assert people(route.box) == 1


def test_was_moves_nothing_once_the_new_identity_is_live(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25"}, {"external_id": "26"}]})
    assert changes(route.document(route.manifest({"contacts": [{"external_id": "26", "was": {"external_id": "25"}}]}))) == []


def test_was_names_exactly_one_former_identity(make_route: MakeRoute) -> None:
    assert "one former identity" in invalid(
        make_route(), {"contacts": [{"external_id": "26", "was": {"external_id": "1", "email": "a@b.c"}}]}
    )


def test_an_id_names_a_lead_without_anything_else(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip"], "contacts": [{"id": "6762f0dd1bb69f9f000000aa", "role": "lead"}]})
    settles(route, {"tags": ["vip"], "contacts": [{"id": "6762f0dd1bb69f9f000000aa", "name": "Nobody", "tags": ["vip"]}]})
    assert contact(route.box, name="Nobody")["tags"]


def test_an_id_is_never_created_and_must_look_like_one(make_route: MakeRoute) -> None:
    route = make_route()
    assert "cannot be created" in invalid(route, {"contacts": [{"id": "6762f0dd1bb69f9f000000aa", "missing": "create"}]})
    assert "is not the id of a contact" in invalid(route, {"contacts": [{"id": "../companies"}]})
    assert "beside another name" in invalid(route, {"contacts": [{"id": "6762f0dd1bb69f9f000000aa", "email": "a@b.c"}]})
    plan = route.document(route.manifest({"contacts": [{"id": "6762f0dd1bb69f9f000000aa", "name": "X"}]}))
    assert lines(plan) == ["note missing contact/id:6762f0dd1bb69f9f000000aa"]


def test_a_lead_is_found_by_e_mail_and_a_user_comes_first(make_route: MakeRoute) -> None:
    route = make_route(
        {
            "contacts": [
                {"email": "a@x.example", "role": "lead"},
                {"email": "a@x.example", "external_id": "u"},
                {"email": "b@x.example", "role": "lead"},
            ]
        }
    )
    settles(route, {"contacts": [{"email": "A@x.example", "name": "User"}, {"email": "b@x.example", "name": "Lead"}]})
    assert contact(route.box, name="User")["external_id"] == "u"
    assert contact(route.box, name="Lead")["role"] == "lead"


def test_several_leads_with_one_e_mail_are_refused_with_their_ids(make_route: MakeRoute) -> None:
    twins = [{"id": f"6762f0dd1bb69f9f0000000{n}", "email": "twin@x.example", "role": "lead"} for n in (1, 2, 3)]
    route = make_route({"contacts": twins})
    plan = route.document(route.manifest({"contacts": [{"email": "twin@x.example", "missing": "create", "name": "X"}]}))
    ((gate, message),) = refusals(plan)
    assert gate == "identity"
    assert all(str(twin["id"]) in message for twin in twins)
    assert "intercom.yaml:2" in message
    assert changes(plan) == []
    settles(route, {"contacts": [{"id": str(twins[1]["id"]), "name": "X"}]})


@pytest.mark.parametrize("state", ["archived", "absent"])
def test_an_end_that_may_mean_a_user_or_a_lead_takes_neither(make_route: MakeRoute, state: str) -> None:
    """Else it would take the one now and the other in the next run."""
    twins = [{"id": f"6762f0dd1bb69f9f0000000{n}", "email": "twin@x.example", "role": role} for n, role in ((1, "user"), (2, "lead"))]
    route = make_route({"contacts": twins})
    plan = route.document(route.manifest({"contacts": [{"email": "twin@x.example", "state": state}]}))
    ((gate, message),) = refusals(plan)
    assert (gate, changes(plan)) == ("identity", [])
    assert all(twin["id"] in message for twin in twins)
