"""A contact that was merged is followed, said, and never made a second time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reconciler.core.model.outcome import Status
from reconciler.errors import Stale
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes, lines
from tests.desk.telling import contact, gates, notes, one, people, settles, statuses
from tests.stories.kinds.test_contacts import VERSIONS, _blind

MERGED = {
    "tags": ["vip"],
    "contacts": [
        {"id": "6762f0dd1bb69f9f000000bb", "external_id": "25", "name": "Survivor"},
        {"id": "6762f0dd1bb69f9f000000aa", "external_id": "9", "merged_into": "25"},
    ],
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "entry",
    [
        {"external_id": "9", "missing": "create"},
        {"external_id": "9", "state": "present"},
        {"external_id": "9"},
        {"id": "6762f0dd1bb69f9f000000aa", "state": "present"},
        {"id": "6762f0dd1bb69f9f000000aa"},
    ],
    ids=["create", "present", "unset", "id-present", "id"],
)
def test_a_merged_contact_is_followed_said_and_never_a_twin(route: MakeRoute, version: str, entry: dict[str, str]) -> None:
    told = route(MERGED, version=version)
    written = {"tags": ["vip"], "contacts": [{**entry, "name": "Kaylee", "tags": ["vip"]}]}
    path = told.manifest(written)
    found = told.document(path)
    assert [change["action"] for change in found["changes"]] == ["update", "attach"]
    (said,) = notes(found, "merged")
    assert "6762f0dd1bb69f9f000000bb" in said
    settles(told, written)
    assert people(told.box) == 2
    assert contact(told.box, external_id="25")["name"] == "Kaylee"
    assert contact(told.box, external_id="9")["tags"] == {}


def test_under_an_older_version_one_get_under_2_16_tells_who_was_merged(route: MakeRoute) -> None:
    told = route(MERGED, version="2.14")
    told.document(told.manifest({"contacts": [{"external_id": "9", "missing": "create"}]}))
    looks = [(r.status, r.headers["intercom-version"]) for r in told.box.requests if r.path.endswith("find_by_external_id/9")]
    assert looks == [(404, "2.14"), (410, "2.16")]


@pytest.mark.parametrize("version", ["2.14", "2.15"])
@pytest.mark.parametrize(
    "answer", [{"status": 400, "code": "intercom_version_invalid"}, {"status": 403, "code": "forbidden"}], ids=["400", "403"]
)
def test_where_2_16_is_refused_nothing_is_proven_and_nobody_is_created(route: MakeRoute, version: str, answer: dict[str, Any]) -> None:
    told = route({"tags": ["vip"], **MERGED}, version=version)
    path = told.manifest({"tags": ["vip"], "contacts": [{"external_id": "9", "missing": "create", "tags": ["vip"]}]})

    def refuse() -> None:
        told.box.faults.clear()
        told.box.faults.add("GET", "find_by_external_id/9$", after=1, **answer)

    refuse()
    found = told.document(path)
    assert lines(found) == ["note unproven contact/9"]
    assert "2.16" in notes(found, "unproven")[0]
    refuse()
    saved = told.saved(path)
    refuse()
    assert told.apply(saved) == []
    assert people(told.box) == 2
    assert not told.box.writes


def test_a_410_that_does_not_say_into_whom_creates_nobody(route: MakeRoute) -> None:
    told = route(MERGED)
    told.box.faults.add("GET", "find_by_external_id/9$", headers={"Link": None}, times=None)
    found = told.document(told.manifest({"contacts": [{"external_id": "9", "missing": "create"}]}))
    assert lines(found) == ["note unproven contact/9"]


def test_who_was_merged_into_somebody_archived_is_not_created(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25", "archived": True}, {"external_id": "9", "merged_into": "25"}]})
    found = told.document(told.manifest({"contacts": [{"external_id": "9", "missing": "create"}]}))
    assert lines(found) == ["note unproven contact/9"]


def test_a_chain_of_merges_is_followed_past_the_three_hops_of_the_link(route: MakeRoute) -> None:
    chain = [{"external_id": "0", "name": "Last"}] + [{"external_id": str(n), "merged_into": str(n - 1)} for n in range(1, 7)]
    told = route({"contacts": chain})
    settles(told, {"contacts": [{"external_id": "6", "missing": "create", "name": "Found"}]})
    assert contact(told.box, external_id="0")["name"] == "Found"
    assert people(told.box) == 7


def test_two_entries_that_were_merged_into_one_are_refused(route: MakeRoute) -> None:
    told = route(MERGED)
    found = told.document(told.manifest({"contacts": [{"external_id": "9", "name": "A"}, {"external_id": "25", "name": "B"}]}))
    assert gates(found) == ["identity"]
    assert changes(found) == []


def _merging(told: Route, source: str, into: str) -> Callable[[], object]:
    def merge() -> None:
        store = told.box.ws.store
        doc = contact(told.box, external_id=source)
        store.put("contact", doc | {"merged_into": contact(told.box, external_id=into)["id"]})

    return merge


@pytest.mark.parametrize("version", VERSIONS)
def test_merged_in_the_middle_of_an_apply(route: MakeRoute, version: str) -> None:
    told = route({"tags": ["vip"], "contacts": [{"external_id": "25"}, {"external_id": "9"}, {"external_id": "30"}]}, version=version)
    written = {"tags": ["vip"], "contacts": [{"external_id": key, "name": "X", "tags": ["vip"]} for key in ("9", "30")]}
    path = told.manifest(written)
    nine = contact(told.box, external_id="9")["id"]
    told.box.faults.add("PUT", f"/{nine}$", run=_merging(told, "9", "25"))
    outcomes = statuses(told.converge(path))
    assert outcomes == {
        "update contact/9": "failed",
        "update contact/30": "applied",
        "attach contact/30 tag/vip": "applied",
        "attach contact/9 tag/vip": "skipped",
    }
    assert people(told.box) == 3
    found = told.document(path)
    assert notes(found, "merged")
    settles(told, written)
    assert contact(told.box, external_id="25")["name"] == "X"


def test_merged_between_the_plan_and_its_apply_the_plan_is_stale_or_harmless(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25", "name": "Other"}, {"external_id": "9", "name": "Old"}]})
    found = told.saved(told.manifest({"contacts": [{"external_id": "9", "name": "New"}]}))
    _merging(told, "9", "25")()
    with pytest.raises(Stale):
        told.apply(found)
    assert not told.box.writes


def test_merged_while_it_is_created_is_no_success_and_no_twin(route: MakeRoute) -> None:
    told = _blind(route, {"contacts": [{"external_id": "25"}, {"email": "zoe@x.example", "external_id": "9"}]})
    nine = contact(told.box, external_id="9")["id"]
    text = f"A contact matching those details already exists with id={nine}"
    told.box.faults.add("POST", "^/contacts$", status=409, code="conflict", message=text, run=_merging(told, "9", "25"))
    outcome = one(told.converge(told.manifest({"contacts": [{"email": "zoe@x.example", "missing": "create", "name": "X"}]})), "create")
    assert outcome.status is Status.FAILED
    assert nine in outcome.reason
    assert "merged" in outcome.reason
    assert people(told.box) == 2


@pytest.mark.parametrize("state", ["archived", "absent"])
def test_the_end_of_one_who_was_merged_is_not_the_end_of_the_other(route: MakeRoute, state: str) -> None:
    told = route(MERGED)
    path = told.manifest({"contacts": [{"external_id": "9", "state": state}], "policy": {"limits": {"contact_deletes": 5}}})
    found = told.document(path)
    assert lines(found) == ["note merged contact/9"]
    assert "stays as it is" in notes(found, "merged")[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_lead_that_we_created_and_that_was_merged_since_is_no_twin(route: MakeRoute, version: str) -> None:
    """Nothing but the id that we remember tells who it was: the e-mail is nobody's any more."""
    told = route({"contacts": [{"external_id": "25", "email": "mal@x.example"}]}, version=version, ledger=True)
    path = told.manifest({"contacts": [{"email": "lead@x.example", "role": "lead", "missing": "create"}]})
    told.converge(path)
    lead = contact(told.box, email="lead@x.example")
    told.box.ws.store.put("contact", lead | {"merged_into": contact(told.box, external_id="25")["id"]})
    found = told.document(path)
    assert not [change for change in found["changes"] if change["action"] == "create"]
    assert contact(told.box, external_id="25")["id"] in notes(found, "merged")[0]


def test_a_lead_that_we_created_and_of_whom_nobody_can_say_whether_it_was_merged_is_not_created_again(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25"}]}, version="2.14", ledger=True)
    path = told.manifest({"contacts": [{"email": "lead@x.example", "role": "lead", "missing": "create"}]})
    told.converge(path)
    lead = contact(told.box, email="lead@x.example")
    told.box.ws.store.put("contact", lead | {"merged_into": contact(told.box, external_id="25")["id"]})
    told.box.faults.add("GET", f"^/contacts/{lead['id']}$", status=403, code="forbidden", after=1)
    found = told.document(path)
    assert changes(found) == []
    assert notes(found, "unproven")
