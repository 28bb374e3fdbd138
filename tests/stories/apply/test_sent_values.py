"""What is sent is what is written: every digit, every byte, every time; a second apply sends nothing."""

from __future__ import annotations

import pytest

from reconciler.report import json as as_json
from tests.conftest import MakeRoute
from tests.desk.route import changes, lines
from tests.stories.apply.results import people


def test_a_second_apply_of_everything_sends_no_write(make_route: MakeRoute) -> None:
    """The big story in small: every trap of observing at once."""
    names = [f"t{n:02}" for n in range(14)]
    route = make_route(
        {
            "tags": ["Old", "gamma", "dead", *names],
            "companies": [{"company_id": f"c{n:02}"} for n in range(13)] + [{"company_id": "userless", "plan": "pro"}],
            "contacts": [
                {"external_id": "many", "tags": names, "companies": [f"c{n:02}" for n in range(13)]},
                {"external_id": "hidden", "hidden_from_search": 600},
                {"external_id": "archived", "archived": True},
                {"email": "KAYLEE@s.example"},
                *({"external_id": f"p{n:02}", "tags": ["Old", "dead"]} for n in range(36)),
            ],
        },
        search_delay=600,
        ledger=True,
    )
    manifest = route.manifest(
        {
            "policy": {"links": "exact", "undeclared_tags": "ignore"},
            "tags": [{"name": "New", "renamed_from": "Old"}, "GAMMA", {"name": "dead", "state": "absent"}, *names],
            "companies": [*({"company_id": f"c{n:02}"} for n in range(13)), {"company_id": "userless", "plan": "pro", "tags": ["gamma"]}],
            "contacts": [
                {"external_id": "many", "tags": names, "companies": [f"c{n:02}" for n in range(13)]},
                {"external_id": "hidden", "tags": ["new"]},
                {"external_id": "archived", "state": "present", "tags": ["GAMMA"], "companies": ["userless"]},
                {"email": "kaylee@s.example", "tags": ["new"]},
                {"email": "fresh@s.example", "missing": "create", "tags": ["new"]},
                {"email": "lead@s.example", "role": "lead", "missing": "create"},
                *({"external_id": f"p{n:02}", "name": f"P{n}", "tags": ["new"]} for n in range(36)),
            ],
        }
    )
    plan = route.saved(manifest)
    assert route.box.writes == []
    assert plan["refused"] == []
    assert {o.status for o in route.apply(plan)} == {"applied"}
    route.box.forget_requests()
    assert changes(route.document(manifest)) == []
    assert route.apply(plan) == []
    assert route.converge(manifest) == []
    assert route.box.writes == []


@pytest.mark.parametrize("value", ["9007199254740993", "12345678901234567890", "0", "-1"])
def test_a_whole_number_keeps_every_digit_into_the_call_and_the_document(value: str, make_route: MakeRoute) -> None:
    route = make_route({"attributes": [{"name": "serial", "model": "company", "data_type": "integer"}], "companies": [{"company_id": "6"}]})
    manifest = route.manifest(f"companies: [{{company_id: '6', custom_attributes: {{serial: {value}}}}}]\n")
    assert value in as_json.render(route.document(manifest))
    route.converge(manifest)
    assert route.box.ws.store.table("company").in_order()[0]["custom_attributes"]["serial"] == int(value)
    assert changes(route.document(manifest)) == []


TEXTS = "72225e2 01443e5 0e1234 1_000 12:30:45 0o17 0x1F 1.10 2014-03-11 no .inf +15551234567 ~x =1"


@pytest.mark.parametrize("text", TEXTS.split())
def test_a_text_is_sent_byte_for_byte(text: str, make_route: MakeRoute) -> None:
    route = make_route()
    manifest = route.manifest(
        f"tags: [{text}]\ncompanies: [{{company_id: {text}, name: {text}, plan: {text}}}]\n"
        f"contacts: [{{external_id: {text}, name: {text}, phone: {text}, missing: create}}]\n"
    )
    assert {o.status for o in route.converge(manifest)} == {"applied"}
    tag, company = (route.box.ws.store.table(kind).in_order()[0] for kind in ("tag", "company"))
    assert [tag["name"], company["company_id"], company["name"], company["plan"]] == [text] * 4
    assert [people(route)[0][name] for name in ("external_id", "name", "phone")] == [text] * 3
    assert lines(route.document(manifest)) == []


def test_times_mean_the_same_however_they_are_written_and_are_sent_as_integers(make_route: MakeRoute) -> None:
    route = make_route()
    seconds = ["1394531358", "1394531358.9"]
    written = ["2014-03-11T09:49:18Z", "2014-03-11T11:49:18+02:00", "2014-03-11 09:49:18", "'2014-03-11T09:49:18.999'", *seconds]
    entries = ", ".join(f"{{company_id: '{n}', remote_created_at: {text}}}" for n, text in enumerate(written))
    people_ = ", ".join(f"{{external_id: '{n}', missing: create, signed_up_at: {text}}}" for n, text in enumerate(written))
    manifest = route.manifest(f"companies: [{entries}]\ncontacts: [{people_}]\n")
    route.converge(manifest)
    assert {doc["remote_created_at"] for doc in route.box.ws.store.table("company").in_order()} == {1394531358}
    assert {doc["signed_up_at"] for doc in people(route)} == {1394531358}
    assert lines(route.document(manifest)) == []
