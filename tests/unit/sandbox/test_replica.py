"""A replica: a sandbox filled from another workspace's answers knows what these showed, and says what it would have to read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.sandbox.absorb import Exchange
from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.call import Call
from reconciler.sandbox.readings import READINGS
from reconciler.sandbox.replica import Replica

ANN = f"{1:024x}"


def send(box: Sandbox, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
    """The answer to a call."""
    raw = b"" if body is None else json.dumps(body).encode()
    reply = box._work(Call(method, path, query, {"authorization": "Bearer sandbox"}, raw, ""))
    return reply.status, json.loads(reply.body)


def tell(replica: Replica, box: Sandbox, method: str, path: str, body: Any = None, **query: str) -> None:
    """Let a replica hear what a workspace answers."""
    status, answer = send(box, method, path, body, **query)
    replica.take(Exchange(method, path, tuple(query.items()), body, status, answer))


@pytest.fixture
def live() -> Sandbox:
    box = Sandbox(app_id="growth1", region="EU")
    companies = [{"company_id": f"c{n}", "plan": "Pro", "tags": ["vip"]} for n in range(12)]
    linked = [f"c{n}" for n in range(12)]
    box.seed(
        {
            "admins": [{"id": "7", "name": "Zoe"}],
            "attributes": [{"name": "seats", "data_type": "integer"}],
            "companies": companies,
            "contacts": [
                {"id": ANN, "external_id": "25", "email": "Ann@mail.example", "tags": ["vip"], "companies": linked, "owner_id": "7"},
                {"external_id": "26", "custom_attributes": {"seats": 5}, "companies": ["c0"]},
                {"external_id": "27", "tags": ["vip"]},
            ],
            "conversations": [{"tags": ["vip"], "count": 3}],
            "content": [{"tags": ["vip"], "count": 2}],
        }
    )
    return box


def test_it_answers_what_it_heard(live: Sandbox) -> None:
    (vip,) = (tag["id"] for tag in send(live, "GET", "/tags")[1]["data"])
    query = {"query": {"field": "tag_id", "operator": "=", "value": vip}}
    heard: list[tuple[str, str, Any, dict[str, str]]] = [
        ("GET", "/me", None, {}),
        ("GET", "/admins", None, {}),
        ("GET", "/tags", None, {}),
        ("GET", "/data_attributes", None, {"include_archived": "true"}),
        ("GET", f"/contacts/{ANN}", None, {}),
        ("GET", f"/contacts/{ANN}/tags", None, {}),
        ("GET", f"/contacts/{ANN}/companies", None, {"per_page": "50"}),
        ("GET", "/contacts/find_by_external_id/26", None, {}),
        ("POST", "/contacts/search", query, {}),
        ("POST", "/companies/list", None, {"per_page": "60"}),
        ("GET", "/companies", None, {"company_id": "c1"}),
        ("POST", "/conversations/search", {"query": {"field": "tag_ids", "operator": "=", "value": vip}}, {}),
        ("GET", "/content/search", None, {"any_tag_ids": vip}),
    ]
    replica = Replica(now=live.ws.now)
    for method, path, body, how in heard:
        tell(replica, live, method, path, body, **how)
    replica.settle()
    for method, path, body, how in heard:
        assert send(replica, method, path, body, **how) == send(live, method, path, body, **how), path


def test_what_was_counted_and_not_shown_counts(live: Sandbox) -> None:
    replica = Replica(now=live.ws.now)
    tell(replica, live, "GET", "/contacts", per_page="1")
    tell(replica, live, "GET", "/companies", company_id="c0")
    replica.settle()
    assert send(replica, "GET", "/contacts", per_page="1")[1]["total_count"] == 3
    assert send(replica, "GET", "/companies", company_id="c0")[1]["user_count"] == 2
    # Who was not shown is not made up.
    assert send(replica, "GET", f"/contacts/{ANN}")[0] == 404


def test_a_contact_has_a_thousand_companies_at_most_though_ten_were_shown() -> None:
    with Sandbox() as live:
        live.seed({"companies": [{"company_id": "6"}], "contacts": [{"id": ANN, "external_id": "25", "companies": ["6"]}]})
        _, contact = send(live, "GET", f"/contacts/{ANN}")
        _, company = send(live, "GET", "/companies", company_id="6")
    replica = Replica()
    contact["companies"] |= {"total_count": 1000, "has_more": True}
    replica.take(Exchange("GET", f"/contacts/{ANN}", answer=contact))
    replica.take(Exchange("GET", "/companies", answer=company | {"id": f"{2:024x}", "company_id": "7"}))
    replica.settle()
    status, answer = send(replica, "POST", f"/contacts/{ANN}/companies", {"id": f"{2:024x}"})
    assert (status, answer["errors"][0]["code"]) == (400, "contact_company_limit_exceeded")


def test_what_the_token_may_not_do_there_it_may_not_do_here(live: Sandbox) -> None:
    live.tokens["sandbox"] |= {"read_content"}
    live.settings.plan_restricted = True
    search = {"query": {"field": "tag_ids", "operator": "=", "value": "1"}}
    replica = Replica()
    tell(replica, live, "GET", "/content/search", any_tag_ids="1")
    tell(replica, live, "POST", "/conversations/search", search)
    assert send(replica, "GET", "/content/search", any_tag_ids="1")[0] == 403
    assert send(replica, "POST", "/conversations/search", search)[0] == 403


def test_whoever_was_merged_leads_to_the_other(live: Sandbox) -> None:
    replica = Replica()
    replica.take(Exchange("GET", "/contacts/find_by_external_id/24", status=410, link=f'</contacts/{ANN}>; rel="canonical"'))
    tell(replica, live, "GET", f"/contacts/{ANN}")
    assert send(replica, "GET", "/contacts/find_by_external_id/24")[0] == 410


def test_it_says_what_a_call_would_have_to_be_judged_by(live: Sandbox) -> None:
    replica = Replica()
    calls = [
        ("POST", "/contacts", {"external_id": "28", "email": "Cy@mail.example", "owner_id": "7"}),
        ("POST", "/data_attributes", {"name": "x"}),
        ("POST", "/tags", {"name": "new"}),
        ("POST", f"/contacts/{ANN}/tags", {"id": "1"}),
        ("DELETE", "/tags/1", None),
    ]
    needs = list(replica.list_needs(calls))
    assert [f"{need.method} {need.path}" for need in needs] == ["GET /admins", "GET /data_attributes", "GET /tags", "POST /contacts/search"]
    assert needs[-1].body["query"]["value"] == ["Cy@mail.example", "cy@mail.example"]
    for need in needs:
        tell(replica, live, need.method, need.path, need.body, **dict(need.query))
    assert list(replica.list_needs(calls)) == []


@pytest.mark.parametrize(("path", "model"), [("/contacts", "contact"), ("/companies", "company")])
def test_custom_attributes_are_judged_by_the_list_of_them_and_fit_where_nobody_may_read_it(live: Sandbox, path: str, model: str) -> None:
    values = {"seats": 5, "share": 0.5, "paid": True, "tier": "gold"}
    body = {"external_id" if model == "contact" else "company_id": "28", "custom_attributes": values}
    live.seed({"attributes": [{"name": "seats", "model": model, "data_type": "integer"}]})
    read, blind = Replica(), Replica()
    (need,) = read.list_needs([("POST", path, body)])
    tell(read, live, need.method, need.path, **dict(need.query))
    for replica in (read, blind):
        replica.assume([("POST", path, body)])
    assert send(read, "POST", path, body)[0] == 400
    assert send(read, "POST", path, body | {"custom_attributes": {"seats": 5}})[0] == 200
    assert send(blind, "POST", path, body)[0] == 200
    assert send(blind, "POST", path, body | {"custom_attributes": {"other": 5}})[0] == 400


def test_a_lead_that_becomes_a_user_needs_who_has_its_email(live: Sandbox) -> None:
    live.seed({"contacts": [{"id": f"{9:024x}", "role": "lead", "email": "lead@mail.example"}]})
    replica = Replica()
    tell(replica, live, "GET", f"/contacts/{9:024x}")
    (need,) = replica.list_needs([("PUT", f"/contacts/{9:024x}", {"role": "user"})])
    assert need.body["query"]["value"] == ["lead@mail.example"]


def test_search_that_ignores_case_there_ignores_it_here(live: Sandbox) -> None:
    live.settings.fold_email = True
    replica = Replica()
    tell(replica, live, "POST", "/contacts/search", {"query": {"field": "email", "operator": "IN", "value": ["ann@mail.example"]}})
    assert replica.settings.fold_email


def test_a_fork_goes_its_own_way(live: Sandbox) -> None:
    replica = Replica(now=live.ws.now)
    tell(replica, live, "GET", "/tags")
    tell(replica, live, "GET", f"/contacts/{ANN}")
    other = replica.fork(live.ws.now)
    assert send(other, "POST", "/tags", {"name": "new"})[0] == 200
    assert len(send(replica, "GET", "/tags")[1]["data"]) == 1
    assert send(replica, "DELETE", f"/contacts/{ANN}")[0] == 200
    assert send(other, "GET", f"/contacts/{ANN}")[0] == 200


def test_new_things_get_ids_that_nobody_there_has(live: Sandbox) -> None:
    replica = Replica()
    tell(replica, live, "GET", "/tags")
    assert int(send(replica, "POST", "/tags", {"name": "new"})[1]["id"]) > 900_000_000


def test_each_case_is_told_once_and_has_what_is_done() -> None:
    assert len({reading.what for reading in READINGS.values()}) == len(READINGS)
    assert all(reading.what and reading.here for reading in READINGS.values())
    known = set(vars(Sandbox().settings)) | {"name_folding", "name_blanks", "name_html", "userless_tagged"}
    assert {name for reading in READINGS.values() for name in reading.settings} <= known


@pytest.mark.parametrize(
    ("body", "reading"),
    [
        ({"name": "VIP"}, "spelling"),
        ({"name": "über"}, "folding"),
        ({"name": "a" * 41}, "length"),
        ({"name": "a & b"}, "html"),
        ({"name": "new"}, ""),
    ],
)
def test_an_answer_says_what_it_rests_on(live: Sandbox, body: dict[str, str], reading: str) -> None:
    live.ws.rested.clear()
    send(live, "POST", "/tags", body)
    assert list(live.ws.rested) == [reading] * bool(reading)
    assert set(live.ws.rested) <= set(READINGS)
