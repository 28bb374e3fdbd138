"""explain: one thing from three sides, every link with who and when, what decides about it, and what the next plan would do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.desk.desk import Desk

NASTY = "\x1b[31mred\x1b[0m\n::error::no ##[group]x"
LIVE: Mapping[str, Any] = {
    "attributes": [{"name": "tier", "model": "company", "data_type": "options", "options": ["a", "b"]}],
    "tags": ["vip", "theirs", "old"],
    "companies": [{"company_id": "6", "name": "Blue Sun"}],
    "contacts": [
        {"external_id": "25", "email": "zoe@serenity.example", "name": "Zoe", "tags": ["theirs"], "companies": ["6"]},
        {"external_id": "26", "email": "wash@serenity.example", "name": "Wash", "tags": ["theirs"]},
    ],
}
MANIFEST = """\
policy: {links: owned, prune: {tags: owned}}
attributes: [{name: tier, model: company, data_type: options, options: [a, b]}]
tags:
  - {name: vip, protect: true, owner: growth}
  - {name: beta, renamed_from: [alpha]}
  - {name: old, state: absent}
companies: [{company_id: '6', name: Blue Sun}]
contacts:
  - {external_id: '25', name: Zoe, tags: [vip, beta], companies: ['6']}
"""


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.box.seed(LIVE)
    desk.write("m.yaml", MANIFEST)
    return desk


@pytest.fixture
def applied(desk: Desk) -> Desk:
    assert desk("apply", "m.yaml", "--auto-approve") == 0, desk.err
    desk.written()
    return desk


def explain_json(desk: Desk, address: str, *more: str) -> Any:
    """What explain says as JSON; nothing was written for it."""
    assert desk("explain", address, "m.yaml", "--format", "json", *more) == 0, desk.err
    assert desk.written() == []
    return json.loads(desk.out)


def by(rows: list[dict[str, Any]], key: str) -> dict[str, dict[str, Any]]:
    return {row[key]: row for row in rows}


def actions(document: Any) -> list[tuple[str, str | None]]:
    return [(change["action"], change["target"]) for change in document["plan"]["changes"]]


# ── three sides ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_field_is_told_from_three_sides(applied: Desk) -> None:
    applied.seed(companies=[{"company_id": "6", "name": "Firefly"}])
    applied.write("m.yaml", MANIFEST.replace("name: Blue Sun}", "name: Blue Sun, plan: p1}"))
    document = explain_json(applied, "company/6")
    name, plan = (by(document["fields"], "path")[path] for path in ("name", "plan"))
    assert (name["declared"], name["live"], name["applied"], name["same"]) == ("Blue Sun", "Firefly", "as declared", False)
    assert (plan["declared"], plan["applied"]) == ("p1", "never applied")
    assert document["declared"]["source"] == {"file": "m.yaml", "line": 7}
    assert document["recorded"]["run"]
    assert document["recorded"]["at"]
    assert document["live"]["id"] == applied.id("company", company_id="6")
    (change,) = document["plan"]["changes"]
    assert {field["path"]: field["cause"] for field in change["fields"]} == {"name": "drift", "plan": "config"}
    assert (change["moved"]["was"], change["moved"]["now"]) == ("as applied", "changed")


def test_a_value_that_nobody_knows_is_called_another(applied: Desk) -> None:
    applied.seed(companies=[{"company_id": "6", "name": "Firefly"}])
    applied.write("m.yaml", MANIFEST.replace("name: Blue Sun}", "name: Third}"))
    assert by(explain_json(applied, "company/6")["fields"], "path")["name"]["applied"] == "another value"
    assert applied("explain", "company/6", "m.yaml") == 0
    assert 'declared "Third", live "Firefly"; applied: another value, of which only a digest is left' in applied.out


def test_times_are_told_in_utc(desk: Desk) -> None:
    desk.box.seed({"companies": [{"company_id": "6", "remote_created_at": 1394531358}]})
    desk.write("m.yaml", MANIFEST.replace("name: Blue Sun}", "name: Blue Sun, remote_created_at: 2014-03-12}"))
    row = by(explain_json(desk, "company/6")["fields"], "path")["remote_created_at"]
    assert (row["live"], row["declared"]) == ("2014-03-11T09:49:18Z", "2014-03-12T00:00:00Z")


def test_what_differs_inside_a_list_is_named(desk: Desk) -> None:
    desk.write("m.yaml", MANIFEST.replace("options: [a, b]}", "options: [a, c]}"))
    assert desk("explain", "attribute/tier", "m.yaml") == 0, desk.err
    assert '~ options: declared ["a", "c"], live ["a", "b"]; to it: added "c"; removed "b"; never applied' in desk.out


def test_every_link_says_who_when_and_what_decides(applied: Desk) -> None:
    contact, tags = applied.id("contact", external_id="25"), {name: applied.id("tag", name=name) for name in ("vip", "beta")}
    assert applied("api", "DELETE", f"/contacts/{contact}/tags/{tags['vip']}") == 0, applied.err
    applied.written()
    applied.write("m.yaml", MANIFEST.replace("tags: [vip, beta]", "tags: [vip]"))
    document = explain_json(applied, "contact/25")
    links = by(document["links"], "target")
    assert {name: (one["live"], one["recorded"], one["decides"], one["action"]) for name, one in links.items()} == {
        "tag/vip": (False, "owned", "entry", "attach"),
        "tag/beta": (True, "owned", "owned", "detach"),
        "tag/theirs": (True, None, "owned", None),
        "company/6": (True, "found", "entry", None),
    }
    assert links["tag/theirs"]["by"]
    assert links["tag/theirs"]["live_since"]
    assert links["tag/vip"]["source"] == {"file": "m.yaml", "line": 9}
    runs = {name: one["run"] for name, one in links.items()}
    assert runs == {"tag/vip": document["recorded"]["run"], "tag/beta": document["recorded"]["run"], "tag/theirs": None, "company/6": None}
    assert sorted(actions(document)) == [("attach", "tag/vip"), ("detach", "tag/beta")]
    drifted = by(document["plan"]["changes"], "action")["attach"]["moved"]
    assert (drifted["was"], drifted["now"], drifted["exact"]) == ("linked", "not linked", False)
    assert applied("explain", "contact/25", "m.yaml") == 0
    assert f"- tag/beta: not written; live since {links['tag/beta']['live_since']} by {links['tag/beta']['by']}; ours since" in applied.out
    assert "`policy: links: owned`: what is not written goes if we made it; next plan: detach" in applied.out
    assert applied.out.endswith("Planned: 1 to attach, 1 to detach.\n")


def test_the_policy_that_decides_is_the_one_that_the_plan_follows(desk: Desk) -> None:
    for policy, action in (("additive", None), ("owned", None), ("declared", "detach"), ("exact", "detach")):
        desk.write("m.yaml", f"policy: {{links: {policy}}}\ntags: [vip, theirs]\ncontacts: [{{external_id: '25', tags: [vip]}}]\n")
        link = by(explain_json(desk, "contact/25")["links"], "target")["tag/theirs"]
        assert (link["decides"], link["action"]) == (policy, action)


def test_free_members_and_tombstones_decide_about_links(desk: Desk) -> None:
    tags = "tags: [vip, {name: theirs, members: free}, {name: old, state: absent}]"
    desk.write("m.yaml", f"policy: {{links: exact}}\n{tags}\ncontacts: [{{external_id: '25', tags: [vip]}}]\n")
    desk.seed(contacts=[{"external_id": "27", "tags": ["old"]}])
    assert by(explain_json(desk, "contact/25")["links"], "target")["tag/theirs"]["decides"] == "free"
    desk.write("m.yaml", "policy: {links: exact}\ntags: [{name: old, state: absent}]\ncontacts: [{external_id: '27', tags: []}]\n")
    link = by(explain_json(desk, "contact/27")["links"], "target")["tag/old"]
    assert (link["decides"], link["action"]) == ("end", None)
    desk.write("m.yaml", "tags: [vip]\ncontacts: [{external_id: '25'}]\n")
    assert by(explain_json(desk, "contact/25")["links"], "target")["tag/theirs"]["decides"] is None


# ── what is meant ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_another_name_of_a_declared_thing_is_its_entry(desk: Desk) -> None:
    by_id = f"contact/id:{desk.id('contact', external_id='25')}"
    names = {"tag/VIP": "tag/vip", "tag/alpha": "tag/beta", "contact/ZOE@serenity.example": "contact/25", by_id: "contact/25"}
    for asked, meant in names.items():
        document = explain_json(desk, asked)
        assert document["address"] == meant
        assert document["declared"]
        assert "asked" in document
        assert "zoe@serenity" not in json.dumps(document).casefold()


def test_who_has_the_email_of_an_entry_and_is_somebody_else_is_not_that_entry(desk: Desk) -> None:
    desk.seed(contacts=[{"role": "lead", "email": "kaylee@serenity.example"}])
    desk.write("m.yaml", "contacts: [{external_id: '25', email: kaylee@serenity.example}]\n")
    document = explain_json(desk, "contact/kaylee@serenity.example")
    assert (document["declared"], document["live"]["id"]) == (None, desk.id("contact", role="lead"))
    desk.write("m.yaml", "contacts: [{external_id: nobody, email: gone@serenity.example}]\n")
    assert explain_json(desk, "contact/gone@serenity.example")["address"] == "contact/nobody"


def test_what_is_only_live_says_so_and_who_linked_it(desk: Desk) -> None:
    document = explain_json(desk, "contact/26")
    assert (document["declared"], document["recorded"], document["plan"]["changes"]) == (None, None, [])
    (link,) = document["links"]
    assert (link["target"], link["live"], link["decides"]) == ("tag/theirs", True, None)
    assert link["by"]
    assert desk("explain", "contact/26", "m.yaml") == 0
    assert desk.out.endswith("Nothing is planned: nothing declares it.\n")
    assert "nothing declares this" in desk.out
    desk.write("m.yaml", "tags: [vip]\n")
    assert by(explain_json(desk, "contact/25")["links"], "target")["company/6"]["live"]
    document = explain_json(desk, "tag/theirs")
    assert document["live"]["uses"]["contacts"] == 2
    assert document["live"]["last_applied_by"]
    assert [note["topic"] for note in document["plan"]["notes"]] == ["undeclared"]


def test_what_is_no_longer_declared_is_pruned_by_the_next_plan(applied: Desk) -> None:
    applied.write("m.yaml", MANIFEST.replace("  - {name: beta, renamed_from: [alpha]}\n", "").replace("[vip, beta]", "[vip]"))
    document = explain_json(applied, "tag/beta")
    assert (document["declared"], document["recorded"]["owned"]) == (None, True)
    assert actions(document) == [("delete", None)]
    assert document["plan"]["changes"][0]["limits"] == {"deletes": 10, "people": 500}
    applied.write("m.yaml", (applied.folder / "m.yaml").read_text(encoding="utf-8").replace("tags: owned}", "tags: never}"))
    document = explain_json(applied, "tag/beta")
    assert (document["plan"]["changes"], [note["topic"] for note in document["plan"]["notes"]]) == ([], ["orphaned"])


def test_what_is_only_on_record_says_that_it_is_gone(applied: Desk) -> None:
    applied.write("m.yaml", MANIFEST.replace("  - {name: beta, renamed_from: [alpha]}\n", "").replace("[vip, beta]", "[vip]"))
    assert applied("api", "DELETE", f"/tags/{applied.id('tag', name='beta')}") == 0
    applied.written()
    document = explain_json(applied, "tag/beta")
    assert (document["declared"], document["live"], document["recorded"]["owned"]) == (None, None, True)


def test_a_tombstone_that_is_done_says_when(applied: Desk) -> None:
    document = explain_json(applied, "tag/old")
    assert (document["declared"]["state"], document["live"], document["recorded"]["ended"]) == ("absent", None, True)
    assert applied("explain", "tag/old", "m.yaml") == 0
    assert "; it ended then, as declared" in applied.out


def test_a_tag_names_the_entries_that_have_it(applied: Desk) -> None:
    linked = explain_json(applied, "tag/vip")["linked_from"]
    assert linked["entries"] == [{"address": "contact/25", "list": "tags", "declared": "present", "source": {"file": "m.yaml", "line": 9}}]
    assert linked["recorded_as_ours"] == 1


def test_an_address_that_fits_nothing_offers_what_is_close(desk: Desk) -> None:
    assert desk("explain", "tag/vipp", "m.yaml") == 1
    assert desk.err == "error: tag/vipp: neither declared, nor recorded, nor live; did you mean tag/vip?\n"
    assert desk("explain", "contact/nobody@serenity.example", "m.yaml") == 1
    assert "nobody@" not in desk.err
    assert "archived contacts cannot be seen" in desk.err
    assert desk("explain", "attribute/nope", "m.yaml") == 1
    assert desk.err == "error: attribute/nope: neither declared, nor recorded, nor live; write it as the manifest does\n"
    assert desk("explain", "contact/..", "m.yaml") == 1
    assert desk.err.endswith("archived contacts cannot be seen; write it as the manifest does, or as contact/id:ID\n")
    for wrong in ("vip", "tag/", "topic/x", "conversation/5"):
        assert desk("explain", wrong, "m.yaml") == 64, wrong
    assert desk.writes == []


def test_an_email_that_two_share_is_answered_with_their_ids(desk: Desk) -> None:
    desk.seed(contacts=[{"external_id": "31", "email": "two@serenity.example"}, {"external_id": "32", "email": "two@serenity.example"}])
    assert desk("explain", "contact/two@serenity.example", "m.yaml") == 1
    first = desk.id("contact", external_id="31")
    assert first in desk.err
    assert f"as in contact/id:{first}" in desk.err
    assert "two@" not in desk.err
    desk.write("m.yaml", "contacts: [{email: two@serenity.example, name: Two}]\n")
    document = explain_json(desk, "contact/two@serenity.example")
    assert [refusal["gate"] for refusal in document["plan"]["refused"]] == ["identity"]
    assert document["live"] is None


# ── what the plan would do, and what stops it ─────────────────────────────────────────────────────────────────────────────
def test_the_gate_that_stops_the_plan_is_named(desk: Desk) -> None:
    desk.write(
        "m.yaml", "tags: [{name: vip, state: absent, protect: true, used_by: [w]}]\ncontacts: [{external_id: '25', state: absent}]\n"
    )
    document = explain_json(desk, "contact/25")
    assert [refusal["gate"] for refusal in document["plan"]["refused"]] == ["limits.contact_deletes"]
    assert desk("explain", "contact/25", "m.yaml") == 0
    assert desk.out.splitlines()[-1] == "Refused: limits.contact_deletes. Else: 1 to delete."
    assert {refusal["gate"] for refusal in explain_json(desk, "tag/vip")["plan"]["refused"]} == {"used", "protect"}


def test_drift_that_the_policy_ignores_is_noted(applied: Desk) -> None:
    applied.seed(companies=[{"company_id": "6", "name": "Firefly"}])
    assert applied("drift", "m.yaml") == 2
    line = applied.out.partition("to ignore it for a while: - ")[2].splitlines()[0]
    known = line.replace("YYYY-MM-DD", "2099-01-01").replace("WHY", "a trial")
    applied.write("m.yaml", MANIFEST.replace("policy: {", f"policy: {{ignore_drift: [{known}], "))
    notes = explain_json(applied, "company/6")["plan"]["notes"]
    assert [(note["topic"], note["message"]) for note in notes] == [("ignored", "name: until 2099-01-01T00:00:00Z; a trial")]


def test_a_deprecated_tag_and_one_that_goes_into_another_say_so(desk: Desk) -> None:
    desk.write("m.yaml", "tags: [{name: vip, merged_from: [theirs]}, {name: old, state: deprecated, replaced_by: vip}]\n")
    document = explain_json(desk, "tag/theirs")
    assert document["declared"]["goes_into"] == "tag/vip"
    assert actions(document) == [("delete", None)]
    assert len(document["plan"]["needs"]) == 2
    assert desk("explain", "tag/theirs", "m.yaml") == 0
    assert "  and what that needs: attach contact/" in desk.out
    document = explain_json(desk, "tag/old")
    assert (document["declared"]["state"], document["declared"]["replaced_by"]) == ("deprecated", "tag/vip")


def test_twins_are_told_by_the_gate_and_by_id(desk: Desk) -> None:
    one = desk.id("tag", name="vip")
    desk.box.ws.store.table("tag").docs["999"] = {**desk.box.ws.store.table("tag").docs[one], "id": "999", "name": "VIP"}
    document = explain_json(desk, "tag/vip")
    assert [refusal["gate"] for refusal in document["plan"]["refused"]] == ["twins"]
    desk.write("m.yaml", f"tags: [{{id: '{one}', name: vip}}]\n")
    assert explain_json(desk, f"tag/id:{one}")["live"]["id"] == one
    assert explain_json(desk, "tag/id:999")["declared"] is None


# ── what is read and shown ────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_reads_what_one_thing_needs_however_large_the_manifest(desk: Desk) -> None:
    many = [f"  - {{external_id: 'x{n}', tags: [vip]}}\n" for n in range(50)]
    gone = [f"  - {{name: gone{n}, state: absent}}\n" for n in range(20)]
    desk.seed(tags=[f"gone{n}" for n in range(20)])
    routes = []
    for text in (MANIFEST, MANIFEST.replace("tags:\n", "tags:\n" + "".join(gone)) + "".join(many)):
        desk.write("m.yaml", text)
        desk.box.forget_requests()
        assert desk("explain", "contact/25", "m.yaml") == 0, desk.err
        routes.append([f"{record.method} {record.path}" for record in desk.box.requests])
    # Nobody counts who has the other tags that go.
    assert sorted(routes[0]) == sorted(routes[1])
    assert len(routes[0]) <= 9


def test_names_and_values_of_people_are_masked_unless_they_are_asked_for(desk: Desk) -> None:
    desk.write("m.yaml", "contacts: [{external_id: '25', name: Hoban Washburn, email: hoban@serenity.example}]\n")
    for more in ((), ("--format", "json")):
        assert desk("explain", "contact/25", "m.yaml", *more) == 0
        assert not any(name in desk.out + desk.err for name in ("Hoban", "hoban@", "Zoe", "zoe@"))
    assert desk("explain", "contact/25", "m.yaml", "--show-personal") == 0
    assert '~ name: declared "Hoban Washburn", live "Zoe"' in desk.out
    desk.patch.setenv("CI", "true")
    assert desk("explain", "contact/25", "m.yaml", "--show-personal") == 64


def test_many_links_are_cut_in_the_text_and_whole_in_json(desk: Desk) -> None:
    names = [f"t{n:03}" for n in range(60)]
    desk.seed(tags=names, contacts=[{"external_id": "99", "tags": names}])
    desk.write("m.yaml", "contacts: [{external_id: '99'}]\n")
    links = explain_json(desk, "contact/99")["links"]
    assert len(links) == 60
    assert all(link["by"] for link in links)
    assert desk("explain", "contact/99", "m.yaml") == 0
    assert "and 40 more that stay as they are (--full lists them)" in desk.out
    assert desk("explain", "contact/99", "m.yaml", "--full") == 0
    assert desk.out.count("tag/t") == 60


def test_foreign_text_is_harmless(desk: Desk) -> None:
    desk.seed(companies=[{"company_id": "9", "name": NASTY}], tags=["a/b*[x]?", "##[group]y"])
    assert desk("explain", "company/9", "m.yaml") == 0
    assert "\x1b" not in desk.out
    assert "\n::error" not in desk.out
    assert "##[group]" not in desk.out
    assert explain_json(desk, "tag/a/b*[x]?")["live"]
    assert desk("explain", "tag/##[group]y", "m.yaml") == 0
    assert "##[group]" not in desk.out
    assert desk("explain", f"tag/{NASTY}", "m.yaml") == 1
    assert "\x1b" not in desk.err
    assert "\n::error" not in desk.err


def test_a_declared_name_with_stars_means_itself_alone(desk: Desk) -> None:
    desk.write("m.yaml", "tags: ['v*', vip]\n")
    document = explain_json(desk, "tag/v*")
    assert (document["address"], actions(document), document["plan"]["needs"]) == ("tag/v*", [("create", None)], [])


def test_without_a_ledger_nothing_is_on_record(applied: Desk) -> None:
    document = explain_json(applied, "contact/25", "--ledger", "none")
    assert document["recorded"] is None
    assert {field["applied"] for field in document["fields"]} == {"never applied"}


def test_another_workspace_is_refused_and_no_token_is_said(desk: Desk) -> None:
    desk.write("m.yaml", "workspace: {app_id: other, region: us}\n" + MANIFEST)
    assert desk("explain", "tag/vip", "m.yaml") == 3
    desk.patch.delenv("INTERCOM_ACCESS_TOKEN")
    assert desk("explain", "tag/vip", "m.yaml") in (1, 64)
    assert "token" in desk.err
    assert "Traceback" not in desk.err


def test_a_thing_that_goes_while_it_is_read_ends_in_one_sentence(desk: Desk) -> None:
    desk.box.faults.add("GET", "^/contacts/[^/]+/tags$", status=404, times=None)
    assert desk("explain", "contact/25", "m.yaml") == 1
    assert len(desk.err.splitlines()) == 1
    assert "404" in desk.err
