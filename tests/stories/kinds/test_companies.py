"""Companies in full: every field, the id that never changes, slow deletion, the limit of 1,000, and how they are read."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from reconciler.core.model.outcome import Status
from reconciler.errors import IntercomError
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes, lines
from tests.desk.telling import asked, company, gates, invalid, one, refusals, settles, statuses

VERSIONS = ("2.14", "2.15", "2.16")
EVERY_FIELD = {
    "name": "Blue Sun",
    "plan": "plan1",
    "size": 85,
    "website": "https://bluesun.example",
    "industry": "Manufacturing",
    "monthly_spend": 49,
    "remote_created_at": 1394531358,
    "custom_attributes": {"paid_subscriber": True},
}
PAID = {"name": "paid_subscriber", "model": "company", "data_type": "boolean"}


# ---- fields
@pytest.mark.parametrize("version", VERSIONS)
def test_a_company_with_every_writable_field_is_created_and_converges(make_route: MakeRoute, version: str) -> None:
    route = make_route({"attributes": [PAID]}, version=version)
    settles(route, {"companies": [{"company_id": "6", **EVERY_FIELD}]})
    live = company(route.box, "6")
    assert {name: live[name] for name in EVERY_FIELD} == EVERY_FIELD


@pytest.mark.parametrize("field", list(EVERY_FIELD))
def test_each_writable_field_is_updated_alone_and_the_others_stay(make_route: MakeRoute, field: str) -> None:
    route = make_route({"attributes": [PAID], "companies": [{"company_id": "6", "name": "Old", "size": 1}]})
    before = {name: company(route.box, "6").get(name) for name in EVERY_FIELD}
    settles(route, {"companies": [{"company_id": "6", field: EVERY_FIELD[field]}]})
    after = {name: company(route.box, "6").get(name) for name in EVERY_FIELD}
    assert after == {**before, field: EVERY_FIELD[field]}
    (write,) = route.box.writes
    wanted = ("POST", {"company_id", field}) if field == "remote_created_at" else ("PUT", {field})
    assert (write.method, set(write.body)) == wanted


def test_a_time_of_creation_beside_another_field_takes_two_calls(make_route: MakeRoute) -> None:
    """PUT /companies/{id} does not take remote_created_at; the upsert by company_id does."""
    route = make_route({"companies": [{"company_id": "6"}]})
    settles(route, {"companies": [{"company_id": "6", "size": 3, "remote_created_at": 0}]})
    assert [(w.method, w.body) for w in route.box.writes] == [("PUT", {"size": 3}), ("POST", {"company_id": "6", "remote_created_at": 0})]


def test_custom_attributes_are_merged_key_by_key_and_cleared_by_null(make_route: MakeRoute) -> None:
    route = make_route({"companies": [{"company_id": "6", "custom_attributes": {"tier": "gold", "seats": 3, "beta": True}}]})
    settles(route, "companies: [{company_id: '6', custom_attributes: {tier: null, seats: 4}}]\n")
    assert route.box.writes[-1].body == {"custom_attributes": {"seats": 4, "tier": None}}
    assert company(route.box, "6")["custom_attributes"] == {"seats": 4, "beta": True}


@pytest.mark.parametrize("field", [*EVERY_FIELD, "company_id"])
def test_null_is_invalid_for_every_field_of_a_company(make_route: MakeRoute, field: str) -> None:
    written = f"companies: [{{{'' if field == 'company_id' else 'company_id: a, '}{field}: null}}]\n"
    assert "intercom.yaml:1" in invalid(make_route(), written)


@pytest.mark.parametrize("key", ["created_at", "user_count", "session_count", "update_last_request_at", "segments"])
def test_what_is_not_writable_cannot_be_declared(make_route: MakeRoute, key: str) -> None:
    assert f"unknown key '{key}'" in invalid(make_route(), {"companies": [{"company_id": "6", key: 1}]})


def test_the_company_id_is_required_and_never_changes(make_route: MakeRoute) -> None:
    route = make_route()
    assert "company_id" in invalid(route, {"companies": [{"name": "Blue Sun"}]})
    said = invalid(route, {"companies": [{"company_id": "7", "was": {"company_id": "6"}}]})
    assert "never changes in Intercom" in said
    assert "declare the new company, move its contacts" in said
    assert "intercom.yaml:2" in said


def test_the_company_id_is_compared_as_it_is_written(make_route: MakeRoute) -> None:
    route = make_route({"companies": [{"company_id": "acme"}]})
    assert changes(route.document(route.manifest({"companies": [{"company_id": "ACME"}]}))) == ["create company/ACME"]


def test_a_value_that_intercom_refuses_fails_with_its_message(make_route: MakeRoute) -> None:
    route = make_route({"companies": [{"company_id": "6"}]})
    outcome = one(route.converge(route.manifest({"companies": [{"company_id": "6", "monthly_spend": 2**31}]})), "update")
    assert (outcome.status, outcome.reason) == (Status.FAILED, "400 bad 'monthly_spend' parameter")


def test_an_unset_plan_is_an_empty_object(make_route: MakeRoute) -> None:
    route = make_route({"companies": [{"company_id": "6"}]})
    assert settles(route, {"companies": [{"company_id": "6", "plan": "plan1"}]})


def test_a_plan_is_taken_away_by_an_empty_text(make_route: MakeRoute) -> None:
    """Whether Intercom clears it is not documented; a company without a plan shows {} (API 2.16), which is what was asked for."""
    route = make_route({"companies": [{"company_id": "6", "plan": "plan1"}, {"company_id": "7"}]})
    written = {"companies": [{"company_id": key, "plan": ""} for key in ("6", "7")]}
    assert changes(route.document(route.manifest(written))) == ["update company/6 plan=''"]
    settles(route, written)


# ---- deletion takes its time
class Patience:
    """Something to wait with that lets the sandbox's time pass."""

    def __init__(self, route: Route) -> None:
        self.route = route

    def wait(self, seconds: float) -> bool:
        self.route.clock.sleep(seconds)
        return False

    def is_set(self) -> bool:
        return False


def _delete(route: Route, written: dict[str, Any]) -> list[Any]:
    return route.apply(route.saved(route.manifest(written)), Patience(route))  # type: ignore[arg-type]  # waits like an Event


GONE = {"companies": [{"company_id": "6", "state": "absent"}]}


def test_a_company_that_goes_at_once_is_applied(make_route: MakeRoute) -> None:
    route = make_route({"companies": [{"company_id": "6"}], "contacts": [{"external_id": "25", "companies": ["6"]}]})
    settles(route, GONE)
    assert route.box.ws.store.table("contact").in_order()[0]["companies"] == {}


def test_a_company_that_goes_after_some_seconds_is_looked_at_until_then(make_route: MakeRoute) -> None:
    route = make_route({"companies": [{"company_id": "6"}]}, archive_delay=5)
    (outcome,) = _delete(route, GONE)
    assert (outcome.status, outcome.reason) == (Status.APPLIED, "")
    looks = [line for line in asked(route.box) if line.startswith("GET /companies/")]
    assert looks[-1].endswith("404")
    assert 2 <= len(looks) <= 8


def test_a_company_that_is_still_there_is_being_archived_and_no_failure(make_route: MakeRoute) -> None:
    route = make_route({"companies": [{"company_id": "6"}, {"company_id": "7"}]}, archive_delay=300, ledger=True)
    began = route.clock.now
    written = {"companies": [{"company_id": key, "state": "absent"} for key in ("6", "7")]}
    outcomes = _delete(route, written)
    assert statuses(outcomes) == {"delete company/6": "applied", "delete company/7": "applied"}
    assert all("being archived" in outcome.reason for outcome in outcomes)
    assert route.clock.now - began <= 35  # in all, not for each
    route.clock.sleep(300)
    assert changes(route.document(route.manifest(written))) == []


def test_a_company_that_is_still_there_may_be_deleted_again(make_route: MakeRoute) -> None:
    route = make_route({"companies": [{"company_id": "6"}]}, archive_delay=100)
    _delete(route, GONE)
    (outcome,) = _delete(route, GONE)
    assert outcome.status is Status.APPLIED
    route.clock.sleep(200)
    assert changes(route.document(route.manifest(GONE))) == []


def test_a_company_that_was_deleted_is_created_again(make_route: MakeRoute) -> None:
    route = make_route(
        {"tags": ["vip"], "companies": [{"company_id": "6", "name": "Blue Sun"}], "contacts": [{"external_id": "25", "companies": ["6"]}]},
        ledger=True,
    )
    first = company(route.box, "6")["id"]
    settles(route, GONE)
    settles(
        route,
        {
            "tags": ["vip"],
            "companies": [{"company_id": "6", "name": "New Sun", "tags": ["vip"]}],
            "contacts": [{"external_id": "25", "companies": ["6"]}],
        },
    )
    assert company(route.box, "6")["id"] != first
    assert company(route.box, "6")["name"] == "New Sun"


def test_a_company_written_again_while_it_goes_stays(make_route: MakeRoute) -> None:
    route = make_route({"companies": [{"company_id": "6"}]}, archive_delay=100)
    _delete(route, GONE)
    settles(route, {"companies": [{"company_id": "6", "remote_created_at": 5}]})
    route.clock.sleep(200)
    assert changes(route.document(route.manifest({"companies": [{"company_id": "6", "remote_created_at": 5}]}))) == []


# ---- no more than 1,000 for one contact
def _of_many(make_route: MakeRoute, count: int) -> Route:
    ids = [f"c{n}" for n in range(count)]
    return make_route(
        {"companies": [{"company_id": c} for c in ids] + [{"company_id": "new"}], "contacts": [{"external_id": "25", "companies": ids}]}
    )


def test_the_1001st_company_is_refused_in_the_plan_whoever_declared_the_others(make_route: MakeRoute) -> None:
    route = _of_many(make_route, 1000)
    plan = route.document(route.manifest({"companies": [{"company_id": "new"}], "contacts": [{"external_id": "25", "companies": ["new"]}]}))
    ((gate, message),) = refusals(plan)
    assert gate == "capacity"
    assert "1001 companies, Intercom admits 1000" in message
    assert "intercom.yaml:4" in message


def test_the_1000th_company_is_attached_and_one_may_take_the_place_of_another(make_route: MakeRoute) -> None:
    route = _of_many(make_route, 999)
    settles(route, {"companies": [{"company_id": "new"}], "contacts": [{"external_id": "25", "companies": ["new"]}]})
    swap = {
        "companies": [{"company_id": "c0"}, {"company_id": "other"}],
        "contacts": [{"external_id": "25", "companies": ["other", {"company": "c0", "state": "absent"}]}],
    }
    path = route.manifest(swap)
    assert gates(route.document(path)) == []


def test_the_limit_that_only_an_apply_meets_fails_with_the_message(make_route: MakeRoute) -> None:
    route = _of_many(make_route, 999)
    plan = route.saved(route.manifest({"companies": [{"company_id": "new"}], "contacts": [{"external_id": "25", "companies": ["new"]}]}))
    late = {"companies": [{"company_id": "late"}], "contacts": [{"external_id": "25", "companies": ["late"]}]}
    route.box.faults.add("POST", "/companies$", run=lambda: route.box.seed(late))
    outcome = one(route.apply(plan), "attach")
    assert outcome.status is Status.FAILED
    assert "Contact has reached the maximum of 1000 company associations" in outcome.reason


# ---- how they are read
def _many(make_route: MakeRoute, count: int, **how: Any) -> Route:
    """So many companies, all of which have a user."""
    ids = [f"c{n}" for n in range(count)]
    return make_route({"companies": [{"company_id": c} for c in ids], "contacts": [{"external_id": "everybody", "companies": ids}]}, **how)


def _reads(route: Route, keys: list[str]) -> Counter[str]:
    route.box.forget_requests()
    plan = route.document(route.manifest({"companies": [{"company_id": key} for key in keys]}))
    assert changes(plan) == []
    assert gates(plan) == []
    return Counter(line.rpartition(" ")[0] for line in asked(route.box))


def test_a_few_are_read_one_by_one(make_route: MakeRoute) -> None:
    assert _reads(_many(make_route, 130), ["c1", "c2", "c3"]) == {"GET /companies": 3}


def test_many_of_few_are_read_as_a_list(make_route: MakeRoute) -> None:
    assert _reads(_many(make_route, 130), [f"c{n}" for n in range(100)]) == {"POST /companies/list": 3}


def test_some_of_many_are_counted_and_then_read_one_by_one(make_route: MakeRoute) -> None:
    route = _many(make_route, 600)
    counted = _reads(route, ["c0", "c1", "c2", "c3", "c4"])
    assert counted == {"POST /companies/list": 1, "GET /companies": 5}


def test_companies_without_users_are_in_no_list_and_read_one_by_one(make_route: MakeRoute) -> None:
    route = _many(make_route, 60)
    route.box.seed({"companies": [{"company_id": f"quiet{n}"} for n in range(5)]})
    keys = [f"c{n}" for n in range(60)] + [f"quiet{n}" for n in range(5)]
    assert _reads(route, keys) == {"POST /companies/list": 1, "GET /companies": 5}


@pytest.fixture
def crowd(make_route: MakeRoute) -> Route:
    """10,050 companies with a user, more than a listing reaches."""
    return _many(make_route, 10_050)


KEYS = [f"c{n}" for n in range(10_050 - 300, 10_050)]


def _list_scrolls(route: Route) -> list[int]:
    return [r.status for r in route.box.requests if r.path == "/companies/scroll"]


def test_more_than_10_000_are_scrolled(crowd: Route) -> None:
    assert _reads(crowd, KEYS) == {"POST /companies/list": 1, "GET /companies/scroll": 102}
    route = crowd
    # One that expired on the way answers 404 and is started again.
    route.box.faults.add("GET", "^/companies/scroll$", after=5, times=1, run=lambda: route.clock.sleep(61))
    _reads(route, KEYS)
    assert _list_scrolls(route)[:7] == [200] * 5 + [404, 200]
    route.box.faults.clear()
    # Somebody else's is waited for; a 500 means start again, and what broke is open until it expires. All in one reading.
    route.box.ws.scroll = {"param": "theirs", "ids": [], "at": 0, "until": route.clock.now + 30}
    route.box.faults.add("GET", "^/companies/scroll$", status=500, after=5, times=1)
    _reads(route, KEYS)
    assert _list_scrolls(route)[:8] == [400, 200, 200, 200, 200, 500, 400, 200]
    route.box.faults.clear()
    # A connection that broke is as a 500.
    route.clock.sleep(61)
    route.box.faults.add("GET", "^/companies/scroll$", drop="after", after=5, times=1)
    _reads(route, KEYS)
    assert _list_scrolls(route)[4:8] == [200, 0, 400, 200]
    route.box.faults.clear()
    # One that never opens ends the run: what could not be read is never taken for absent.
    route.box.faults.add("GET", "^/companies/scroll$", status=400, code="scroll_exists", times=None)
    with pytest.raises(IntercomError, match="another program may be scrolling"):
        route.document(route.manifest({"companies": [{"company_id": key} for key in KEYS]}))


def test_a_company_that_moves_while_the_pages_are_read_is_found(make_route: MakeRoute) -> None:
    """airbyte#26301: pages ordered by a changing time skip rows."""
    route = _many(make_route, 150)
    keys = [f"c{n}" for n in range(150)]

    def touch() -> None:
        table = route.box.ws.store.table("company")
        for doc in table.in_order()[:20]:
            route.box.ws.store.put("company", doc | {"last_request_at": int(route.clock.now)})

    route.box.faults.add("POST", "^/companies/list$", after=1, times=1, run=touch)
    assert _reads(route, keys) == {"POST /companies/list": 6}


@pytest.mark.parametrize("key", ["patients/42", "50%", "a%2Fb", "q?x=1#f", "été 1", "a+b", "a b", "a&company_id=6", "..", "."])
def test_a_key_of_any_text_is_read_as_that_key(make_route: MakeRoute, key: str) -> None:
    route = make_route({"companies": [{"company_id": key}, {"company_id": "6"}]})
    settles(route, {"companies": [{"company_id": key, "name": "Found"}]})
    assert company(route.box, key)["name"] == "Found"


def test_an_answer_about_another_company_ends_the_run(make_route: MakeRoute) -> None:
    route = make_route({"companies": [{"company_id": "6"}, {"company_id": "7"}]})
    body = b'{"type":"company","id":"1","company_id":"7","name":"x"}'
    route.box.faults.add("GET", "^/companies$", body=body, times=None)
    with pytest.raises(IntercomError, match="another thing"):
        route.document(route.manifest({"companies": [{"company_id": "6"}]}))


def test_a_list_is_never_read_as_a_company(make_route: MakeRoute) -> None:
    """GET /companies?company_id= answers one company by the prose, a list by the schema (API 2.16)."""
    route = make_route({"companies": [{"company_id": "6"}]})
    pages = b'"pages":{"type":"pages","page":1,"total_pages":1},"total_count":1'
    body = b'{"type":"list","data":[{"type":"company","id":"1","company_id":"7","name":"x"}],' + pages + b"}"
    route.box.faults.add("GET", "^/companies$", body=body, times=None)
    assert lines(route.document(route.manifest({"companies": [{"company_id": "6"}]}))) == ["create company/6"]
