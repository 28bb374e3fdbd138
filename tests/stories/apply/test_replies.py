"""Which thing a write hit is told by its reply: another one than the one meant is a failure that names it, and what follows is not done."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.core.model.change import Action
from reconciler.core.model.outcome import Outcome, Status
from tests.conftest import MakeRoute
from tests.desk.route import WIDE, Route, changes, lines
from tests.desk.telling import company, contact, one, statuses

LONG = "x" * 60
TIER = {"name": "tier", "model": "contact", "data_type": "string", "state": "archived"}


def _members(route: Route, tag_id: str) -> set[str]:
    docs = route.box.ws.store.table("contact").docs.values()
    return {str(doc["external_id"]) for doc in docs if tag_id in doc["tags"]}


def _people(number: int, tags: list[str]) -> list[dict[str, Any]]:
    return [{"external_id": str(n), "tags": tags} for n in range(number)]


def _reasons(outcomes: list[Outcome]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for outcome in outcomes:
        counts[f"{outcome.status}: {outcome.reason}"] = counts.get(f"{outcome.status}: {outcome.reason}", 0) + 1
    return counts


def _rename_by_hand(route: Route, tag_id: str, *, before: str) -> None:
    """Just before the first call to a path somebody gives a tag another name."""
    store = route.box.ws.store
    route.box.faults.add("POST", before, run=lambda: store.put("tag", {**store.table("tag").docs[tag_id], "name": "renamed"}))


# ---- by name
def test_a_tag_that_was_renamed_meanwhile_is_not_written_to_under_its_old_name_again(make_route: MakeRoute) -> None:
    route = make_route({"tags": [{"name": "vip", "id": "5"}], "contacts": [{"external_id": str(n)} for n in range(120)]}, ledger=True)
    path = route.manifest({"tags": ["vip"], "contacts": _people(120, ["vip"]), "policy": WIDE})
    _rename_by_hand(route, "5", before="^/tags$")
    outcomes = route.converge(path)
    (new,) = [tag["id"] for tag in route.box.ws.store.table("tag").in_order() if tag["name"] == "vip"]
    hit = f'Intercom took another tag (id {new}, "vip"), which was not there when this was planned, for the tag meant (id 5)'
    assert _reasons(outcomes) == {f"failed: {hit}": 50, f"skipped: not sent: {hit}": 70}
    assert (len(_members(route, new)), len(_members(route, "5"))) == (50, 0)


@pytest.mark.parametrize("before", [[], ["vip"]])
def test_a_company_is_tagged_and_untagged_only_where_the_reply_shows_the_tag_meant(make_route: MakeRoute, before: list[str]) -> None:
    companies = [{"company_id": str(n), "tags": before} for n in range(3)]
    route = make_route({"tags": [{"name": "vip", "id": "5"}], "companies": companies}, ledger=True)
    wanted = [] if before else ["vip"]
    written = {"tags": ["vip"], "companies": [{**entry, "tags": wanted} for entry in companies], "policy": {"links": "exact"}}
    path = route.manifest(written)
    _rename_by_hand(route, "5", before="^/tags$")
    outcomes = route.converge(path)
    assert [o.status for o in outcomes] == [Status.FAILED] * 3
    assert all("another tag (id " in o.reason and "the tag meant (id 5)" in o.reason for o in outcomes)
    assert all(("5" in company(route.box, str(n))["tags"]) is bool(before) for n in range(3))


def test_one_at_a_time_goes_by_id_and_follows_the_thing(make_route: MakeRoute) -> None:
    route = make_route({"tags": [{"name": "vip", "id": "5"}], "contacts": [{"external_id": "0"}]}, ledger=True)
    path = route.manifest({"tags": ["vip"], "contacts": _people(1, ["vip"])})
    _rename_by_hand(route, "5", before="/tags$")
    assert one(route.converge(path), "attach").status is Status.APPLIED
    assert _members(route, "5") == {"0"}


@pytest.mark.parametrize(("name", "other"), [("İstanbul", "istanbul"), ("a < b", "a &lt; b"), (LONG + "a", LONG + "b"), ("vip", "v.i.p.")])
def test_while_another_name_may_be_taken_for_it_people_are_tagged_by_id(make_route: MakeRoute, name: str, other: str) -> None:
    """The other tag is older, and found first by a server for which both names are one."""
    tags = [{"name": other, "id": "5"}, {"name": name, "id": "9"}]
    route = make_route({"tags": tags, "contacts": [{"external_id": str(n)} for n in range(3)]}, ledger=True, rewrites="fold")
    path = route.manifest({"tags": [name], "contacts": _people(3, [name])})
    route.box.forget_requests()
    assert {o.status for o in route.converge(path)} == {Status.APPLIED}
    assert [r.method + r.path[-5:] for r in route.box.writes] == ["POST/tags"] * 3
    assert not any(r.path == "/tags" for r in route.box.writes)
    assert (_members(route, "5"), _members(route, "9")) == (set(), {"0", "1", "2"})


@pytest.mark.parametrize("before", [[], ["istanbul", "İstanbul"]])
def test_a_name_that_may_mean_another_is_asked_for_before_a_company_is_touched(make_route: MakeRoute, before: list[str]) -> None:
    tags = [{"name": "istanbul", "id": "5"}, {"name": "İstanbul", "id": "9"}]
    companies = [{"company_id": str(n), "tags": before} for n in range(3)]
    route = make_route({"tags": tags, "companies": companies}, ledger=True)
    route.box.settings.rewrites = "fold"
    wanted = ["istanbul"] if before else ["İstanbul"]
    entries = [{**entry, "tags": wanted} for entry in companies]
    path = route.manifest({"tags": ["istanbul", "İstanbul"], "companies": entries, "policy": {"links": "exact"}})
    outcomes = route.converge(path)
    assert {o.reason for o in outcomes} == {'Intercom took another tag (id 5, "istanbul"), for the tag meant (id 9)'}
    held = {"5", "9"} if before else set()
    assert all(set(company(route.box, str(n))["tags"]) == held for n in range(3))


def test_a_name_that_means_the_thing_after_all_is_used(make_route: MakeRoute) -> None:
    tags = [{"name": "vip", "id": "5"}, {"name": "v.i.p.", "id": "9"}]
    route = make_route({"tags": tags, "companies": [{"company_id": "6"}, {"company_id": "7"}]}, ledger=True)
    companies = [{"company_id": "6", "tags": ["vip"]}, {"company_id": "7", "tags": ["vip"]}]
    path = route.manifest({"tags": ["vip", "v.i.p."], "companies": companies})
    plan = route.document(path)
    route.box.forget_requests()
    assert {o.status for o in route.converge(path)} == {Status.APPLIED}
    assert len(route.box.writes) == plan["cost"]["calls"] - plan["cost"]["reads"] == 2
    assert set(company(route.box, "6")["tags"]) == {"5"}


def test_names_alike_cost_nothing_where_nothing_goes_by_them(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip", "other"], "contacts": [{"external_id": str(n)} for n in range(3)]})
    cost = route.document(route.manifest({"tags": ["vip"], "contacts": _people(3, ["vip"])}))["cost"]
    assert cost["calls"] - cost["reads"] == 1


# ---- what the reply says
@pytest.mark.parametrize("body", [b'{"type":"tag","id":"999","name":"other"}', b'{"type":"tag","id":null}', b'{"type":"tag","name":"vip"}'])
def test_a_reply_about_another_target_or_none_is_no_link(make_route: MakeRoute, body: bytes) -> None:
    route = make_route({"tags": ["vip"], "contacts": [{"external_id": "25"}]}, ledger=True)
    route.box.faults.add("POST", "/tags$", body=body)
    path = route.manifest({"tags": ["vip"], "contacts": [{"external_id": "25", "tags": ["vip"]}]})
    outcome = one(route.converge(path), "attach")
    assert outcome.status is Status.FAILED
    assert 'another tag (id 999, "other")' in outcome.reason or "cannot be read" in outcome.reason
    assert changes(route.document(path)) == ["attach contact/25 tag/vip"]


@pytest.mark.parametrize(
    ("method", "path", "entry", "action"),
    [
        ("DELETE", "^/contacts/[^/]*/tags/", {"external_id": "25", "tags": []}, Action.DETACH),
        ("POST", "/archive$", {"external_id": "25", "state": "archived"}, Action.ARCHIVE),
        ("DELETE", "^/contacts/", {"external_id": "25", "state": "absent"}, Action.DELETE),
    ],
)
def test_every_reply_that_names_a_thing_is_held_against_the_one_meant(
    make_route: MakeRoute, method: str, path: str, entry: dict[str, Any], action: Action
) -> None:
    route = make_route({"tags": ["vip"], "contacts": [{"external_id": "25", "tags": ["vip"]}]}, ledger=True)
    route.box.faults.add(method, path, body=b'{"type":"tag","id":"999","name":"other"}')
    policy = {"links": "exact", "limits": {"contact_deletes": 1}}
    outcome = one(route.converge(route.manifest({"tags": ["vip"], "contacts": [entry], "policy": policy})), action)
    assert outcome.status is Status.FAILED
    assert "another" in outcome.reason
    assert "id 999" in outcome.reason


@pytest.mark.parametrize(
    ("call", "word", "written", "action"),
    [
        (("POST", "/archive$"), "archived", {"contacts": [{"external_id": "25", "state": "archived"}]}, Action.ARCHIVE),
        (("PUT", "^/data_attributes/"), "archived", {"attributes": [TIER]}, Action.ARCHIVE),
        (("DELETE", "^/contacts/"), "deleted", {"contacts": [{"external_id": "25", "state": "absent"}]}, Action.DELETE),
        (("DELETE", "^/companies/"), "deleted", {"companies": [{"company_id": "6", "state": "absent"}]}, Action.DELETE),
    ],
)
def test_an_end_whose_answer_says_that_it_is_none_is_no_success(
    make_route: MakeRoute, call: tuple[str, str], word: str, written: dict[str, Any], action: Action
) -> None:
    live = {"contacts": [{"external_id": "25"}], "companies": [{"company_id": "6"}], "attributes": [{"name": "tier"}]}
    route = make_route(live, ledger=True)
    route.box.faults.add(*call, body=b'{"%s": false}' % word.encode())
    manifest = route.manifest({**written, "policy": {"limits": {"contact_deletes": 1}}})
    outcome = one(route.converge(manifest), action)
    assert (outcome.status, outcome.reason) == (Status.FAILED, f"Intercom answered 200 and says that it is not {word}")
    assert one(route.converge(manifest), action).status is Status.APPLIED


# ---- what a create is answered with
def test_a_create_that_is_answered_with_another_declared_thing_is_failed_and_what_needs_it_is_not_done(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": str(n)} for n in range(4)]}, ledger=True, rewrites="cut")
    entries = [{"external_id": str(n), "tags": [LONG + "aabb"[n]]} for n in range(4)]
    written = {"tags": [LONG + "a", LONG + "b"], "contacts": entries, "policy": {"links": "owned", "prune": {"tags": "owned"}}}
    path = route.manifest(written)
    outcomes = route.converge(path)
    told_of = statuses(outcomes)
    lost, taken = sorted((f"create tag/{LONG}{end}" for end in "ab"), key=lambda name: told_of[name])
    assert {told_of[taken], told_of[lost]} == {"ineffective", "failed"}
    failed = next(o for o in outcomes if o.status is Status.FAILED)
    (tag,) = route.box.ws.store.table("tag").in_order()
    assert f"another tag (id {tag['id']}" in failed.reason
    end = str(failed.change.address)
    assert {status for name, status in told_of.items() if name.endswith(end) and name.startswith("attach")} == {"skipped"}
    members = _members(route, tag["id"])
    assert len(members) == 2
    for _ in range(3):
        route.clock.sleep(3600)
        route.converge(path)
        assert _members(route, tag["id"]) == members
        assert not [line for line in lines(route.document(path)) if line.startswith(("detach", "delete"))]


def test_a_tag_that_was_there_is_never_ours_whatever_it_is_called(make_route: MakeRoute) -> None:
    people = [{"external_id": str(n), "tags": ["İstanbul"]} for n in range(7)]
    route = make_route({"tags": ["İstanbul"], "contacts": people}, ledger=True, rewrites="fold")
    policy = {"prune": {"tags": "owned"}}
    first = route.converge(route.manifest({"tags": ["istanbul", "keep"], "policy": policy}))
    assert statuses(first) == {"create tag/istanbul": "failed", "create tag/keep": "applied"}
    for tags in (["İstanbul", "keep"], ["keep"]):
        route.converge(route.manifest({"tags": tags, "policy": policy}))
    assert [tag["name"] for tag in route.box.ws.store.table("tag").in_order()] == ["İstanbul", "keep"]


@pytest.mark.parametrize("entry", [{"company_id": "6"}, {"company_id": "6", "name": "Blue Sun"}])
def test_a_company_that_is_older_than_the_run_is_met_and_not_ours(make_route: MakeRoute, entry: dict[str, Any]) -> None:
    route = make_route(ledger=True)
    path = route.manifest({"companies": [entry], "policy": {"prune": {"companies": "owned"}}})
    plan = route.saved(path)

    def before() -> None:
        route.box.seed({"companies": [{"company_id": "6", "created_at": int(route.clock.now) - 60}]})

    route.box.faults.add("POST", "^/companies$", run=before)
    [outcome] = route.apply(plan)
    assert (outcome.status, outcome.met, outcome.reason) == (Status.APPLIED, True, "existed already")
    again = route.document(route.manifest({"companies": [], "policy": {"prune": {"companies": "owned"}}}))
    assert again["changes"] == []


@pytest.mark.parametrize("age", [0, 60])
def test_a_contact_that_a_create_is_answered_with_is_the_one_meant_or_a_failure(make_route: MakeRoute, age: int) -> None:
    route = make_route({"contacts": [{"external_id": "26"}]}, ledger=True)
    other = contact(route.box, external_id="26")["id"]
    made = int(route.clock.now) - age
    body = f'{{"type":"contact","id":"{other}","external_id":"26","role":"user","created_at":{made}}}'
    route.box.faults.add("POST", "^/contacts$", body=body.encode())
    entries = [{"external_id": "25", "missing": "create", "tags": ["vip"]}, {"external_id": "26"}]
    outcomes = route.converge(route.manifest({"tags": ["vip"], "contacts": entries}))
    expected = {"create contact/25": "failed", "create tag/vip": "applied", "attach contact/25 tag/vip": "skipped"}
    assert statuses(outcomes) == expected
    assert f"another contact (id {other})" in next(o.reason for o in outcomes if o.status is Status.FAILED)


@pytest.mark.parametrize(("age", "lost"), [(0, True), (60, False)])
def test_a_create_that_is_answered_with_a_stranger_may_have_made_the_one_meant_unless_that_is_older(
    make_route: MakeRoute, age: int, lost: bool
) -> None:
    route = make_route(ledger=True)
    made = int(route.clock.now) - age
    body = f'{{"type":"contact","id":"6762f0dd1bb69f9f00000aa1","external_id":"26","role":"user","created_at":{made}}}'
    route.box.faults.add("POST", "^/contacts$", body=body.encode())
    [outcome] = route.converge(route.manifest({"contacts": [{"external_id": "25", "missing": "create"}]}))
    assert (outcome.status, outcome.lost) == (Status.FAILED, lost)


def test_an_attribute_of_another_name_that_is_older_than_the_run_is_not_the_one_meant(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    other = {"type": "data_attribute", "id": 77, "name": "rank", "model": "contact", "data_type": "string", "custom": True}
    body = json.dumps({**other, "created_at": int(route.clock.now) - 60})
    route.box.faults.add("POST", "^/data_attributes$", body=body.encode())
    [outcome] = route.converge(route.manifest({"attributes": [{"name": "tier", "model": "contact", "data_type": "string"}]}))
    assert outcome.status is Status.FAILED
    assert outcome.reason == 'Intercom answered with another attribute (id 77, "rank"), which was there before'
