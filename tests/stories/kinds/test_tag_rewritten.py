"""A tag whose name the server rewrites is found again by what the ledger knows, and by nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.core.model.facts import Facts
from reconciler.core.model.outcome import Status
from reconciler.core.plan.scope import EVERYTHING, Scope
from tests.conftest import MakeRoute
from tests.desk.desk import Desk
from tests.desk.route import Route, changes
from tests.desk.soak import only_in_soak
from tests.desk.telling import company, notes

LONG = "x" * 61
OWNED = "policy: {links: owned, prune: {tags: owned}}\n"


def route_with_tag(make_route: MakeRoute, name: str, rewrites: str) -> tuple[Route, str]:
    """A workspace where a tag was applied under a name of which the server made another one, and its id."""
    route = make_route({"contacts": [{"external_id": "25"}]}, ledger=True, rewrites=rewrites)
    route.converge(route.manifest(f'{OWNED}tags: [keep, "{name}"]\ncontacts: [{{external_id: "25", tags: ["{name}"]}}]\n'))
    (tag,) = (tag for tag in route.box.ws.store.table("tag").in_order() if tag["name"] != "keep")
    assert tag["name"] != name
    return route, str(tag["id"])


REWRITTEN = pytest.mark.parametrize(("name", "rewrites"), [("a < b", "escape"), (LONG, "cut"), ("ÄB", "lower"), ("VIP", "lower")])


@REWRITTEN
def test_a_tombstone_under_the_declared_name_takes_it(make_route: MakeRoute, name: str, rewrites: str) -> None:
    route, live_id = route_with_tag(make_route, name, rewrites)
    path = route.manifest(f'{OWNED}tags: [keep, {{name: "{name}", state: absent}}]\n')
    assert changes(route.document(path)) == [f"delete tag/{name}"]
    route.converge(path)
    assert route.box.ws.store.get("tag", live_id) is None
    assert changes(route.document(path)) == []


def test_a_tombstone_under_the_name_that_was_sent_takes_nothing_that_is_declared_as_it_is_live(make_route: MakeRoute) -> None:
    route, live_id = route_with_tag(make_route, "a < b", "escape")
    path = route.manifest(f'{OWNED}tags: [keep, "a &lt; b", {{name: "a < b", state: absent}}]\n')
    assert not any(change.startswith("delete") for change in changes(route.document(path)))
    route.converge(path)
    assert route.box.ws.store.get("tag", live_id) is not None


@REWRITTEN
def test_once_it_leaves_the_manifest_it_is_ours_to_take(make_route: MakeRoute, name: str, rewrites: str) -> None:
    route, live_id = route_with_tag(make_route, name, rewrites)
    path = route.manifest(f'{OWNED}tags: [keep]\ncontacts: [{{external_id: "25", tags: []}}]\n')
    live = route.box.ws.store.table("tag").docs[live_id]["name"]
    assert changes(route.document(path)) == [f"detach contact/25 tag/{live}", f"delete tag/{live}"]


@pytest.mark.parametrize("runs", [0, 1])
def test_what_somebody_renamed_since_is_nobodys_to_take(make_route: MakeRoute, runs: int) -> None:
    route, live_id = route_with_tag(make_route, "a < b", "escape")
    for _ in range(runs):
        route.converge(route.folder / "intercom.yaml")
    store = route.box.ws.store
    store.put("tag", {**store.table("tag").docs[live_id], "name": "gold"})
    plan = route.document(route.manifest(f'{OWNED}tags: [keep, {{name: "a < b", state: absent}}]\n'))
    assert (changes(plan), len(notes(plan, "lookalike"))) == ([], 1)
    assert changes(route.document(route.manifest(f"{OWNED}tags: [keep]\n"))) == []


def test_a_plain_tag_that_has_the_name_meanwhile_is_another_one(make_route: MakeRoute) -> None:
    route, live_id = route_with_tag(make_route, "a < b", "escape")
    store = route.box.ws.store
    store.drop("tag", live_id)
    store.put("tag", {"id": "990", "seq": 990, "name": "a &lt; b"})
    for text in ('tags: [keep, {name: "a < b", state: absent}]\n', "tags: [keep]\n"):
        assert changes(route.document(route.manifest(OWNED + text))) == []


@pytest.mark.parametrize("entries", ['[keep, {name: "a < b", state: absent}]', "[keep]"])
def test_one_of_two_of_the_name_that_the_server_made_is_nobodys_to_take(make_route: MakeRoute, entries: str) -> None:
    route, _ = route_with_tag(make_route, "a < b", "escape")
    route.box.ws.store.put("tag", {"id": "990", "seq": 990, "name": "A &lt; B"})
    assert changes(route.document(route.manifest(f"{OWNED}tags: {entries}\n"))) == []


# ---- by name, which the server may rewrite once more
COMPANY = {"companies": [{"company_id": "6", "tags": []}]}


def names(route: Route) -> set[str]:
    return {tag["name"] for tag in route.box.ws.store.table("tag").in_order()}


def tagged(route: Route, tag: str, number: int = 3) -> list[Status]:
    """So many people and a company get a live tag; what became of it."""
    people = [{"external_id": str(n), "tags": [tag]} for n in range(number)]
    written: dict[str, Any] = {"tags": [tag], "contacts": people, "companies": [{"company_id": "6", "tags": [tag]}]}
    route.box.forget_requests()
    return [outcome.status for outcome in route.converge(route.manifest(written))]


def route_with_live(make_route: MakeRoute, tag: str, rewrites: str, *, ledger: bool = True) -> Route:
    """A workspace with people, a company, and a tag that has a name by hand."""
    people = [{"external_id": str(n)} for n in range(3)]
    seed = {"tags": [{"name": tag, "id": "990"}], "contacts": people, **COMPANY}
    return make_route(seed, ledger=ledger, rewrites=rewrites)


def members(route: Route) -> set[str]:
    """The tags that people and companies have."""
    store = route.box.ws.store
    return {tag for kind in ("contact", "company") for doc in store.table(kind).docs.values() for tag in doc["tags"]}


@pytest.mark.parametrize(
    ("tag", "rewrites"),
    [("R&amp;D", "escape"), ("R&D", "escape"), ("Café", "lower"), (LONG, "cut"), ("vip ", "trim")],
)
@pytest.mark.parametrize("ledger", [True, pytest.param(False, marks=only_in_soak)])
def test_people_get_the_live_tag_by_its_id_and_a_company_none_that_the_call_made(
    make_route: MakeRoute, tag: str, rewrites: str, *, ledger: bool
) -> None:
    route = route_with_live(make_route, tag, rewrites, ledger=ledger)
    entry: Any = {"id": "990"} if tag != tag.strip() else tag
    ends = [{"id": "990"}] if tag != tag.strip() else [tag]
    people = [{"external_id": str(n), "tags": ends} for n in range(3)]
    path = route.manifest({"tags": [entry], "contacts": people, "companies": [{"company_id": "6", "tags": ends}]})
    outcomes = route.converge(path)
    assert (names(route), members(route)) == ({tag}, {"990"})
    (failed,) = (outcome for outcome in outcomes if outcome.status is not Status.APPLIED)
    assert failed.status is Status.FAILED
    assert failed.reason.startswith("Intercom took another tag (id ")
    assert failed.reason.endswith(
        ", which was not there when this was planned: Intercom made it of that name, and it is deleted again, for the tag meant (id 990)"
    )


def test_what_a_name_was_shown_to_mean_is_not_tried_in_every_run(make_route: MakeRoute) -> None:
    route, tag = route_with_live(make_route, "R&amp;D", "escape"), "R&amp;D"
    store = route.box.ws.store
    store.put("company", {**next(iter(store.table("company").docs.values())), "id": f"{7:024x}", "company_id": "7", "seq": 7})
    companies = [{"company_id": key, "tags": [tag]} for key in "67"]
    path = route.manifest({"tags": [tag, "new"], "companies": companies})

    def tries(scope: Scope = EVERYTHING) -> bool:
        """Whether the plan tries it; else it says why not."""
        plan = route.saved(path, scope=scope)
        refused = {refusal["gate"]: refusal["message"] for refusal in plan["refused"]}
        assert not refused or "was seen to take this name for another tag than the one that has it (id 990)" in refused["fixed"]
        if not refused:
            route.apply(plan)
        return any(tag in change for change in changes(plan))

    assert tries()
    assert not tries()
    # What its name means may be something else once another tag looks like it, or is gone.
    store.put("tag", {"id": "991", "seq": 991, "name": "R&amp;amp;D"})
    assert tries()
    assert not tries()
    store.drop("tag", "991")
    # A company that has it, and is to lose it, would lose another one by that name.
    store.put("company", {**store.table("company").docs[f"{7:024x}"], "tags": {"990": [0, "1"]}})
    route.manifest({"tags": [tag], "companies": [{"company_id": "7", "tags": [{"tag": tag, "state": "absent"}]}]})
    assert tries()
    assert not tries()
    assert tries(Scope(retry=True))
    assert not tries()
    route.box.settings.rewrites = ""
    assert tries(Scope(retry=True))
    assert company(route.box, "7")["tags"] == {}
    # What a reply proved is not refused any more.
    route.manifest({"tags": [tag], "companies": companies})
    assert changes(route.saved(path)) == [f"attach company/{key} tag/{tag}" for key in "67"]
    assert names(route) == {tag, "new"}


def test_what_goes_into_a_tag_by_its_name_stays_where_that_was_shown_to_mean_another(make_route: MakeRoute) -> None:
    firm = {"company_id": "6", "tags": ["old"]}
    seed = {"tags": ["R&amp;D", "old"], "companies": [firm], "contacts": [{"external_id": "1", "companies": ["6"]}]}
    route = make_route(seed, ledger=True, rewrites="escape")
    path = route.manifest({"policy": {"refused_entries": "hold"}, "tags": [{"name": "R&amp;D", "merged_from": ["old"]}]})
    assert [outcome.status for outcome in route.converge(path)] == [Status.FAILED, Status.SKIPPED]
    plan = route.saved(path)
    assert (changes(plan), [refusal["gate"] for refusal in plan["refused"]]) == ([], ["merge"])
    assert "was seen to take this name for another tag than the one that has it" in plan["refused"][0]["message"]
    assert [outcome.status for outcome in route.apply(route.saved(path, scope=Scope(retry=True)))] == [Status.FAILED, Status.SKIPPED]
    assert names(route) == {"R&amp;D", "old"}


@pytest.mark.parametrize("tag", ["R&D", "Café", "a < b", LONG])
def test_where_the_server_rewrites_nothing_a_company_gets_every_tag(make_route: MakeRoute, tag: str) -> None:
    route = route_with_live(make_route, tag, "")
    assert tagged(route, tag) == [Status.APPLIED] * 4
    assert [r.path == "/tags" for r in route.box.writes].count(True) == 2, "it is asked first whom the name means"
    assert (names(route), members(route)) == ({tag}, {"990"})


@pytest.mark.parametrize("tag", ["R&D", "Café", LONG])
def test_a_name_that_came_back_as_it_was_sent_is_sent_for_many(make_route: MakeRoute, tag: str) -> None:
    route = make_route({"contacts": [{"external_id": str(n)} for n in range(3)], **COMPANY}, ledger=True)
    route.converge(route.manifest({"tags": [tag]}))
    assert tagged(route, tag) == [Status.APPLIED] * 4
    assert [r.path for r in route.box.writes] == ["/tags", "/tags"]


def test_a_name_that_somebody_gave_it_since_proves_nothing(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": str(n)} for n in range(6)], **COMPANY}, ledger=True, rewrites="escape")
    route.converge(route.manifest({"tags": ["RnD"]}))
    store = route.box.ws.store
    (tag,) = store.table("tag").docs.values()
    store.put("tag", {**tag, "name": "R&amp;D"})
    for number in (3, 6):
        people = [{"external_id": str(n), "tags": ["R&amp;D"]} for n in range(number)]
        outcomes = route.converge(route.manifest({"tags": ["R&amp;D"], "contacts": people}))
        assert [outcome.status for outcome in outcomes] == [Status.APPLIED] * 3
        assert (names(route), members(route)) == ({"R&amp;D"}, {str(tag["id"])})


@pytest.mark.parametrize(("rewrites", "html", "tag"), [("", "kept", "R&D"), ("escape", "escaped", "R&amp;D")])
def test_what_a_probe_found_of_names_is_believed(make_route: MakeRoute, rewrites: str, html: Any, tag: str) -> None:
    route = route_with_live(make_route, tag, rewrites)
    route.facts = Facts(name_folding="case", name_html=html, name_beyond="taken", name_length=250)
    assert tagged(route, tag) == [Status.APPLIED] * 4
    assert (names(route), members(route)) == ({tag}, {"990"})


def test_a_company_loses_a_tag_that_the_server_rewrote(make_route: MakeRoute) -> None:
    route = make_route({"companies": [{"company_id": "6"}]}, ledger=True, rewrites="escape")
    owned = "policy: {links: owned}\n"
    route.converge(route.manifest(f'{owned}tags: [keep, "a < b"]\ncompanies: [{{company_id: "6", tags: ["a < b"]}}]\n'))
    before = names(route)
    outcomes = route.converge(route.manifest(f'{owned}tags: [keep]\ncompanies: [{{company_id: "6", tags: []}}]\n'))
    assert [outcome.status for outcome in outcomes] == [Status.APPLIED]
    assert (names(route), company(route.box, "6")["tags"]) == (before, {})


def test_a_company_gets_a_tag_that_was_rewritten_and_is_declared_as_it_is_live_since(make_route: MakeRoute) -> None:
    route = make_route({"companies": [{"company_id": "6"}, {"company_id": "7"}]}, ledger=True, rewrites="escape")
    route.converge(route.manifest({"tags": ["a < b"]}))
    for keys in ("6", "67"):
        companies = [{"company_id": key, "tags": ["a &lt; b"]} for key in keys]
        outcomes = route.converge(route.manifest({"tags": ["a &lt; b"], "companies": companies}))
        assert ([outcome.status for outcome in outcomes], names(route)) == ([Status.APPLIED], {"a &lt; b"})


def test_undo_puts_a_company_under_the_tag_that_was_there(desk: Desk) -> None:
    desk.box.settings.rewrites = "escape"
    desk.seed(companies=[{"company_id": "6"}])
    m: dict[str, Any] = {"policy": {"links": "owned"}, "tags": ["a < b"], "companies": [{"company_id": "6", "tags": ["a < b"]}]}
    desk("apply", "m.yaml", "--auto-approve", m=m)
    desk("apply", "m.yaml", "--auto-approve", m={**m, "companies": [{"company_id": "6", "tags": []}]})
    before = set(desk.box.ws.store.table("tag").docs)
    assert desk("undo", "last", "-o", "u.json") == 0, desk.err
    assert desk("apply", "u.json") == 0, desk.out
    assert set(company(desk.box, "6")["tags"]) == set(desk.box.ws.store.table("tag").docs) == before


@pytest.mark.parametrize("used", [True, False])
def test_a_tag_that_somebody_made_meanwhile_stays(make_route: MakeRoute, *, used: bool) -> None:
    """It has a name that a server makes of the one that was sent, and people; or the very name."""
    tag = "R&D"
    route = route_with_live(make_route, tag, "escape" if used else "")
    store = route.box.ws.store

    def make() -> None:
        if store.get("tag", "991"):
            return
        store.put("tag", {**store.table("tag").docs["990"], "name": "old"})
        store.put("tag", {"id": "991", "seq": 991, "name": "R&amp;D" if used else tag})
        person = next(iter(store.table("contact").docs.values()))
        store.put("contact", person | {"tags": {"991": [0, "1"]} if used else {}})

    route.box.faults.add("POST", "^/tags$", run=make)
    route.converge(route.manifest({"tags": [tag], "companies": [{"company_id": "6", "tags": [tag]}]}))
    assert (set(store.table("tag").docs), company(route.box, "6")["tags"]) == ({"990", "991"}, {})


def test_a_tag_of_which_nobody_can_say_that_it_is_not_used_stays(make_route: MakeRoute) -> None:
    route = route_with_live(make_route, "R&D", "escape")
    route.box.faults.add("POST", "^/contacts/search", status=403, code="forbidden", times=None)
    route.converge(route.manifest({"tags": ["R&D"], "companies": [{"company_id": "6", "tags": ["R&D"]}]}))
    assert (names(route), members(route)) == ({"R&D", "R&amp;D"}, set())
