"""What was renamed, archived, deleted or given another identity by hand is known again by what the ledger holds."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest

from tests.conftest import MakeRoute
from tests.desk.route import Route, changes, lines
from tests.stories.ledger.records import one, record, topics
from tests.stories.test_drift import MOVED


@pytest.mark.parametrize(("name", "written"), [("early birds", "early birds"), ("a: b", "'a: b'")])
def test_a_rename_that_is_taken_back_is_told_by_the_name_that_the_ledger_knew(name: str, written: str, make_route: MakeRoute) -> None:
    """`git revert` of a done `renamed_from`: nothing but the ledger says that the new empty tag was the old one's name."""
    route = make_route({"tags": ["Beta"], "contacts": [{"external_id": "25", "tags": ["Beta"]}]}, ledger=True)
    path = route.manifest("tags: [Beta]\n")
    route.converge(path)
    route.manifest(f"tags: [{{name: {written}, renamed_from: Beta}}]\n")
    route.converge(path)
    route.manifest(f"tags: [{written}]\n")
    route.converge(path)
    route.manifest("tags: [Beta]\n")
    plan = route.document(path)
    assert changes(plan) == ["create tag/Beta"]
    (note,) = topics(plan, "renamed")
    assert f"tag {name!r} had that name before" in note
    assert f"`renamed_from: {written}`" in note
    assert "contacts (1) stay with the old one" in note
    assert f"`{{name: {written}, state: absent}}`" in note
    route.manifest(f"policy: {{prune: {{tags: owned}}}}\ntags: [{{name: Beta, renamed_from: {written}}}]\n")
    assert changes(route.document(path)) == ["rename tag/Beta name='Beta'"]


def test_what_may_have_been_renamed_is_counted_by_several_reads_at_once(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["promo-2026", "sale-2026"]}, ledger=True)
    path = route.manifest("tags: [promo-2026, sale-2026]\n")
    route.converge(path)
    route.manifest("tags: [promo-2027, sale-2027]\n")
    met = threading.Barrier(2)

    def waiting(app: WSGIApplication) -> WSGIApplication:
        """Counts wait for each other."""

        def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            if environ["PATH_INFO"] == "/contacts/search":
                met.wait(timeout=30)
            return app(environ, start)

        return answer

    route.between = waiting
    assert len(topics(route.document(path), "renamed")) == 2


def test_a_new_company_is_asked_about_by_those_who_move_to_it(make_route: MakeRoute) -> None:
    people = [{"external_id": key, "companies": ["blue"]} for key in ("25", "26")]
    route = make_route({"companies": [{"company_id": "blue"}], "contacts": people}, ledger=True)
    path = route.manifest({"companies": [{"company_id": "blue"}], "contacts": people})
    route.converge(path)
    route.manifest({"companies": [{"company_id": "0x2a"}], "contacts": [{**one, "companies": ["0x2a"]} for one in people]})
    plan = route.document(path)
    (note,) = topics(plan, "renamed")
    assert "2 of the 2 who get the new one have the old one" in note
    assert "no company can be renamed" in note
    assert "contacts (2) stay with the old one" in note


def test_somebody_new_who_looks_like_somebody_who_left_is_told(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    path = route.manifest("contacts: [{email: old.wash@serenity.example, name: Hoban, missing: create}]\n")
    route.converge(path)
    route.manifest("contacts: [{email: wash@serenity.example, name: Hoban, missing: create}]\n")
    plan = route.document(path)
    assert [line.partition(" ")[0] for line in changes(plan)] == ["create"]
    (note,) = topics(plan, "renamed")
    assert "which is ours and left the manifest" in note
    assert "was: {email: o***@serenity.example}" in note
    route.manifest("contacts: [{email: wash@serenity.example, was: {email: old.wash@serenity.example}, name: Hoban, missing: create}]\n")
    assert [line.partition(" ")[0] for line in changes(route.document(path))] == ["update"]


def archive(route: Route, key: str) -> None:
    contact = next(c for c in route.box.ws.store.table("contact").in_order() if c.get("external_id") == key)
    route.box.seed({"contacts": [{"id": contact["id"], "external_id": key, "archived": True}]})


def test_a_contact_that_was_archived_by_hand_comes_back_by_its_id_whatever_missing_says(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25"}]}, ledger=True)
    path = route.manifest("contacts: [{external_id: '25', name: Wash}]\n")
    route.converge(path)
    archive(route, "25")
    assert lines(route.document(path)) == ["unarchive contact/25 (drift)"]
    assert one(route.converge(path)).status == "applied"
    assert lines(route.document(path)) == []


def test_a_contact_that_was_deleted_is_made_anew_only_when_that_is_written(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25"}]}, ledger=True)
    path = route.manifest("contacts: [{external_id: '25', missing: create}]\n")
    route.converge(path)
    contact = route.box.ws.store.table("contact").in_order()[0]
    route.box.ws.store.drop("contact", contact["id"])
    outcome = one(route.converge(path))
    assert (outcome.status, outcome.deleted) == ("failed", True)
    assert "recreate: true" in outcome.reason
    assert lines(route.document(path)) == ["note missing contact/25"]
    route.manifest("contacts: [{external_id: '25', missing: create, recreate: true}]\n")
    assert changes(route.document(path)) == ["create contact/25"]
    assert one(route.converge(path)).status == "applied"
    row = record(route, "contact/25")
    assert row
    assert row.owned
    assert row.id != contact["id"]


def test_who_has_another_email_by_now_is_told_and_left_alone(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"email": "wash@serenity.example"}]}, ledger=True)
    path = route.manifest("contacts: [{email: wash@serenity.example, missing: create}]\n")
    route.converge(path)
    contact = route.box.ws.store.table("contact").in_order()[0]
    route.box.seed({"contacts": [{"id": contact["id"], "email": "hoban@serenity.example"}]})
    route.clock.now += 3600
    plan = route.document(path)
    assert changes(plan) == []
    assert "another email in Intercom now" in topics(plan, "moved")[0]
    assert route.document(path, scope=MOVED)["drift"]["moved"] == 1


def test_was_is_found_by_the_id_in_the_ledger_while_search_is_blind(make_route: MakeRoute) -> None:
    route = make_route(ledger=True, search_delay=600)
    path = route.manifest("contacts: [{email: old@serenity.example, missing: create}]\n")
    route.converge(path)
    route.manifest("contacts: [{email: new@serenity.example, was: {email: old@serenity.example}}]\n")
    assert [line.partition(" ")[0] for line in changes(route.document(path))] == ["update"]
