"""Drift: what moved in the workspace since it was applied, who is told of it, and what a fix puts right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.core.model.policy import Policy
from reconciler.core.plan.approvals import Approvals
from reconciler.core.plan.saved import Enclosure, write_saved
from reconciler.core.plan.scope import Scope
from reconciler.errors import Invalid, Stale
from reconciler.manifest.read import read_manifest
from reconciler.report import html, markdown, text
from reconciler.workflow.lookup import raw_answers, raw_request
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes, lines
from tests.stories.ledger.records import by_hand, contact_id, one, record, tag_id, topics

MOVED = Scope(moved=True)


def drifting(route: Route) -> Path:
    path = route.manifest("companies: [{company_id: '6', name: Blue Sun, plan: p1}]\n")
    route.converge(path)
    route.box.seed({"companies": [{"company_id": "6", "name": "Firefly"}]})
    return route.manifest("companies: [{company_id: '6', name: Blue Sun, plan: p2}]\n")


def test_drift_names_the_field_that_moved_and_not_what_was_merged(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    plan = route.document(drifting(route), scope=MOVED)
    assert lines(plan) == ["update company/6 name='Blue Sun' (drift)", "note not applied yet company/6"]
    assert plan["drift"] == {"moved": 1, "pending": 1, "undeclared": 0, "recorded": True}


def read_drift(route: Route, path: Path) -> str:
    return text.render(route.document(path, scope=MOVED))


def test_drift_says_what_was_what_is_since_when_and_what_a_fix_does(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    path = drifting(route)
    plan = route.document(path, scope=MOVED)
    (change,) = plan["changes"]
    since = "2026-09-21T14:13:20Z"
    moved = {"was": "as applied", "now": "changed", "since": since, "exact": False, "by": None, "put_right": 0, "fields": ["name"]}
    assert {**change["moved"], "seen": ""} == {**moved, "seen": ""}
    assert [(field["was"], field["before"]) for field in change["fields"]] == [("Blue Sun", "Firefly")]
    lines_of_it = [
        "putting it right alters (1 change)",
        f"  company/6 (drift)                                         {path}:1",
        '      name: was "Blue Sun", is "Firefly" now',
        f"      since: after {since}; by: not known",
        "      to ignore it for a while: - {address: company/6, fields: [name], until: YYYY-MM-DD, reason: WHY, "
        f"seen: '{change['moved']['seen']}'}}",
        "      putting it right: update company/6",
        '      name: "Firefly" → "Blue Sun"',
    ]
    assert "\n".join(lines_of_it) in text.render(plan)
    for page in (markdown.render(plan), html.render(plan)):
        assert f"since: after {since}; by: not known" in page.replace("&#96;", "")
    route.manifest("companies: [{company_id: '6', name: Third, plan: p1}]\n")
    assert 'name: what it was is not known, is "Firefly" now' in read_drift(route, path)


def test_who_attached_a_tag_and_when_is_said_where_intercom_says_it(make_route: MakeRoute) -> None:
    seed = {"tags": ["vip", "theirs"], "contacts": [{"external_id": "25", "tags": ["vip"]}]}
    route = make_route(seed, ledger=True)
    path = route.manifest("policy: {links: exact}\ntags: [vip]\ncontacts: [{external_id: '25', tags: [vip]}]\n")
    route.converge(path)
    by_hand(route, "POST", f"/contacts/{contact_id(route)}/tags", {"id": tag_id(route, "theirs")})
    moved = route.document(path, scope=MOVED)["changes"][0]["moved"]
    assert (moved["was"], moved["now"], moved["exact"]) == ("not linked", "linked", True)
    assert moved["by"]
    told = read_drift(route, path)
    assert f"since: {moved['since']}; by: {moved['by']}" in told
    # What somebody did stands first, and not the opposite, which puts it right.
    assert "putting it right takes away (1 change)\n  tag/theirs of contact/25 " in told
    for page in (markdown.render, html.render):
        assert ">takes away" not in page(route.document(path, scope=MOVED))


def test_what_was_put_right_three_times_and_moved_again_is_named_first(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["other"], "contacts": [{"external_id": "25"}]}, ledger=True)
    written = "tags: [vip, beta, {name: other, state: absent}]\ncompanies: [{company_id: '6', name: Blue, plan: PLAN}]\n"
    written += "contacts: [{external_id: '25', tags: [beta]}]\n"
    path = route.manifest(written.replace("PLAN", "p0"))
    route.converge(path)
    for times in range(4):
        # What the manifest asks for anew each time is no repair.
        route.manifest(written.replace("PLAN", f"p{times}"))
        by_hand(route, "DELETE", f"/tags/{tag_id(route, 'vip')}")
        by_hand(route, "DELETE", f"/contacts/{contact_id(route)}/tags/{tag_id(route, 'beta')}")
        route.box.seed({"tags": ["other"], "companies": [{"company_id": "6", "name": "Red"}]})
        route.clock.now += 86_400
        plan = route.document(path, scope=MOVED)
        moved = {change["address"]: change["moved"]["put_right"] for change in plan["changes"]}
        assert moved == dict.fromkeys(("tag/vip", "tag/other", "company/6", "contact/25"), times)
        assert text.render(plan).splitlines()[2].startswith("tug of war (4 changes)") == (times == 3)
        if times < 3:
            route.converge(path)
    route.clock.now += 31 * 86_400
    assert {change["moved"]["put_right"] for change in route.document(path, scope=MOVED)["changes"]} == {0}


def ignoring(route: Route, path: Path, until: str = "2026-12-31") -> list[dict[str, Any]]:
    """The lines that `drift` prints, as people fill them in."""
    said = read_drift(route, path)
    lines_of_it = [line.partition("to ignore it for a while: - ")[2] for line in said.splitlines() if "to ignore it" in line]
    return [{**yaml.safe_load(line.replace("YYYY-MM-DD", f"'{until}'")), "reason": "a trial"} for line in lines_of_it]


KNOWN = {
    "tags": ["vip", {"name": "old", "state": "absent"}],
    "companies": [{"company_id": "6", "name": "Blue Sun", "plan": "p1"}],
    "contacts": [{"email": "zoe@serenity.example", "tags": ["vip"]}],
}
LIVE = {"tags": ["old"], "contacts": [{"external_id": "25", "email": "zoe@serenity.example"}]}


def moving(route: Route) -> Path:
    """A workspace where a field, a link and a whole thing moved."""
    path = route.manifest(KNOWN)
    route.converge(path)
    route.box.seed({"tags": ["old"], "companies": [{"company_id": "6", "name": "Firefly", "plan": "p9"}]})
    by_hand(route, "DELETE", f"/contacts/{contact_id(route)}/tags/{tag_id(route, 'vip')}")
    return path


def test_known_drift_is_hidden_counted_and_drift_again_with_another_value_or_day(make_route: MakeRoute) -> None:
    route = make_route(LIVE, ledger=True)
    path = moving(route)
    before = route.document(path, scope=MOVED)
    known = ignoring(route, path)
    assert before["drift"]["moved"] == len(known) == 3
    assert "zoe@" not in json.dumps(known)
    route.manifest({**KNOWN, "policy": {"ignore_drift": known}})
    plan = route.document(path, scope=MOVED)
    assert (plan["changes"], plan["drift"]["moved"], plan["drift"]["ignored"]) == ([], 0, 3)
    assert text.render(plan).endswith("No drift. 3 places ignored by the policy.\n")
    assert all(note.endswith("until 2026-12-31T00:00:00Z; a trial") for note in topics(plan, "ignored"))
    assert len(changes(route.document(path))) == 3
    route.box.seed({"companies": [{"company_id": "6", "name": "Third", "plan": "p9"}]})
    plan = route.document(path, scope=MOVED)
    assert lines(plan)[0] == "update company/6 name='Blue Sun' plan='p1' (drift)"
    assert "it moved again" in topics(plan, "ignored no more")[0]
    route.clock.now += 365 * 86_400
    plan = route.document(path, scope=MOVED)
    assert (plan["drift"]["moved"], len(topics(plan, "ignored no more"))) == (3, 3)
    assert "that day has come" in topics(plan, "ignored no more")[0]


def test_one_field_is_ignored_and_the_fix_puts_right_the_other(make_route: MakeRoute) -> None:
    route = make_route(LIVE, ledger=True)
    path = moving(route)
    route.box.seed({"companies": [{"company_id": "6", "name": "Firefly", "plan": "p1"}]})
    (known,) = [line for line in ignoring(route, path) if line["address"] == "company/6"]
    route.box.seed({"companies": [{"company_id": "6", "name": "Firefly", "plan": "p9"}]})
    route.manifest({**KNOWN, "policy": {"ignore_drift": [known]}})
    assert "update company/6 plan='p1' (drift)" in lines(route.document(path, scope=MOVED))
    route.apply(route.saved(path, scope=MOVED))
    plan = route.document(path, scope=MOVED)
    assert (plan["drift"]["moved"], plan["drift"]["ignored"]) == (0, 1)
    assert lines(route.document(path)) == ["update company/6 name='Blue Sun' (drift)"]


def test_a_plan_is_not_stale_for_known_drift_and_a_base_policy_allows_no_more_of_it(make_route: MakeRoute) -> None:
    route = make_route(LIVE, ledger=True)
    path = moving(route)
    planned, known = route.saved(path), ignoring(route, path)
    route.manifest({**KNOWN, "policy": {"ignore_drift": known}})
    route.rules = Approvals(base=read_manifest([str(path)]).policy)
    assert route.document(path, scope=MOVED)["refused"] == []
    route.rules = Approvals(base=Policy())
    plan = route.document(path, scope=MOVED)
    assert [refusal["gate"] for refusal in plan["refused"]] == ["policy"]
    assert ", company/6 (name, plan) until 2026-12-31T00:00:00Z, " in plan["refused"][0]["message"]
    assert plan["drift"]["moved"] == 3
    route.rules = Approvals()
    assert {outcome.status for outcome in route.apply(planned)} == {"applied"}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("{address: tag/vip}", "`seen` is missing"),
        ("{address: tag/vip, until: YYYY-MM-DD, reason: x, seen: '0123456789abcdef'}", "until: YYYY-MM-DD is no time"),
        ("{address: tag/vip, until: 2026-12-31, reason: x, seen: 12}", "copy the sixteen hex digits"),
        ("7", "ignore_drift"),
    ],
)
def test_a_line_that_says_too_little_is_invalid(wrong: str, why: str, make_route: MakeRoute) -> None:
    with pytest.raises(Invalid, match=why):
        read_manifest([str(make_route().manifest(f"policy: {{ignore_drift: [{wrong}]}}\n"))])


def test_a_fix_puts_right_what_moved_and_leaves_what_was_merged(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    path = drifting(route)
    planned = route.planned(path, scope=MOVED)
    fix = write_saved(route.kinds, planned.plan, "salt", Enclosure(as_declared=planned.as_declared))
    assert one(route.apply(fix)).status == "applied"
    assert lines(route.document(path)) == ["update company/6 plan='p2' (config)"]
    route.box.forget_requests()
    assert route.apply(fix) == []
    assert not route.box.writes


def test_a_fix_is_stale_when_it_moved_once_more(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    planned = route.planned(drifting(route), scope=MOVED)
    fix = write_saved(route.kinds, planned.plan, "salt")
    route.box.seed({"companies": [{"company_id": "6", "name": "Third"}]})
    with pytest.raises(Stale, match="name is no longer what it was"):
        route.apply(fix)


def test_with_an_empty_ledger_every_difference_is_unrecorded(make_route: MakeRoute) -> None:
    route = make_route({"companies": [{"company_id": "6", "name": "Firefly"}]}, ledger=True)
    path = route.manifest("tags: [vip]\ncompanies: [{company_id: '6', name: Blue Sun}]\n")
    plan = route.document(path, scope=MOVED)
    assert lines(plan) == ["create tag/vip (unrecorded)", "update company/6 name='Blue Sun' (unrecorded)"]
    assert plan["drift"] == {"moved": 2, "pending": 0, "undeclared": 0, "recorded": False}
    assert [change for change in plan["changes"] if "moved" in change] == []


def test_an_undeclared_tag_is_drift_when_the_policy_says_so_with_who_applied_it(make_route: MakeRoute) -> None:
    seed = {"admins": [{"id": "456", "name": "Zoe", "email": "zoe@serenity.example"}], "contacts": [{"external_id": "25"}]}
    route = make_route(seed, ledger=True)
    path = route.manifest("policy: {undeclared_tags: drift}\ntags: [vip]\n")
    route.converge(path)
    with route.session() as session:
        for method, where, body in (("POST", "/tags", {"name": "by hand"}), ("POST", "/contacts/%s/tags", None)):
            contact = route.box.ws.store.table("contact").in_order()[0]["id"]
            tag = route.box.ws.store.table("tag").in_order()[-1]["id"]
            asked = raw_request(method, where % contact if "%" in where else where, [], body or {"id": tag})
            list(raw_answers(session, asked, all_pages=False))
    plan = route.document(path, scope=MOVED)
    assert plan["drift"] == {"moved": 0, "pending": 0, "undeclared": 1, "recorded": True}
    assert "seen applied last on 2026-09-21 by " in topics(plan, "undeclared")[0]


def test_a_tag_deleted_by_hand_is_drift_with_all_its_links(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25"}]}, ledger=True)
    path = route.manifest("tags: [vip]\ncontacts: [{external_id: '25', tags: [vip]}]\n")
    route.converge(path)
    with route.session() as session:
        tag = route.box.ws.store.table("tag").in_order()[0]["id"]
        list(raw_answers(session, raw_request("DELETE", f"/tags/{tag}", [], None), all_pages=False))
    plan = route.document(path, scope=MOVED)
    assert lines(plan) == ["create tag/vip (drift)", "attach contact/25 tag/vip (drift)"]


def test_under_exact_a_tag_that_somebody_attached_is_drift(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip", "theirs"], "contacts": [{"external_id": "25", "tags": ["vip"]}]}, ledger=True)
    path = route.manifest("policy: {links: exact}\ntags: [vip]\ncontacts: [{external_id: '25', tags: [vip]}]\n")
    route.converge(path)
    route.box.seed({"contacts": [{"external_id": "25", "tags": ["vip", "theirs"]}]})
    assert lines(route.document(path, scope=MOVED)) == ["detach contact/25 tag/theirs (drift)", "note undeclared tag/theirs"]


def test_a_tag_deleted_by_hand_stays_drift_after_a_part_was_applied(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    path = route.manifest("tags: [vip, beta]\n")
    route.converge(path)
    by_hand(route, "DELETE", f"/tags/{tag_id(route, 'vip')}")
    route.apply(route.saved(path, scope=Scope(exclude=("tag/vip",))))
    assert lines(route.document(path, scope=MOVED)) == ["create tag/vip (drift)"]


def test_what_was_deleted_and_made_again_by_somebody_else_is_drift_and_not_ours(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    path = route.manifest("companies: [{company_id: '6', name: Blue}]\n")
    route.converge(path)
    company = route.box.ws.store.table("company").in_order()[0]["id"]
    route.box.ws.store.drop("company", company)
    route.box.seed({"companies": [{"company_id": "6", "name": "Red"}]})
    assert lines(route.document(path, scope=MOVED)) == ["update company/6 name='Blue' (drift)"]
    route.converge(path)
    row = record(route, "company/6")
    assert row
    assert not row.owned


def test_an_archived_contact_that_somebody_brought_back_is_drift(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "31"}]}, ledger=True)
    path = route.manifest("contacts: [{external_id: '31', state: archived}]\n")
    live_id = contact_id(route, "31")
    route.converge(path)
    by_hand(route, "POST", f"/contacts/{live_id}/unarchive")
    assert lines(route.document(path, scope=MOVED)) == ["archive contact/31 (drift)"]


def test_a_tombstone_whose_tag_is_there_again_is_drift(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["old"]}, ledger=True)
    path = route.manifest("tags: [{name: old, state: absent}]\n")
    route.converge(path)
    route.box.seed({"tags": ["old"]})
    plan = route.document(path, scope=MOVED)
    assert lines(plan) == ["delete tag/old (drift)"]
    assert plan["changes"][0]["remark"] == "never ours"
    route.manifest("tags: [old]\n")
    assert changes(route.document(path)) == []


def test_a_renamed_tag_whose_name_somebody_else_took_is_told_and_kept(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    path = route.manifest("tags: [vip]\n")
    route.converge(path)
    by_hand(route, "POST", "/tags", {"id": tag_id(route, "vip"), "name": "renamed"})
    route.box.seed({"tags": ["vip"]})
    plan = route.document(path, scope=MOVED)
    assert plan["drift"]["moved"] == 1
    assert "another one has that name now" in topics(plan, "moved")[0]
    route.converge(path)
    assert route.ledger
    kept = {r.id: r.owned for r in route.ledger.read_recorded(route.app_id()).records.values()}
    assert kept == {tag_id(route, "renamed"): True, tag_id(route, "vip"): False}


def test_who_was_deleted_for_good_stays_drift(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25"}]}, ledger=True)
    path = route.manifest("contacts: [{external_id: '25'}]\n")
    route.converge(path)
    route.box.ws.store.drop("contact", contact_id(route))
    route.converge(path)
    assert route.document(path, scope=MOVED)["drift"]["moved"] == 1
    route.manifest("contacts: [{external_id: '25', recreate: true}]\n")
    assert changes(route.document(path)) == ["create contact/25"]


def test_with_an_empty_ledger_somebody_missing_is_a_difference(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    assert route.document(route.manifest("contacts: [{external_id: '25'}]\n"), scope=MOVED)["drift"]["moved"] == 1
