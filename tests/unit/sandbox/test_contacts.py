"""Contacts as Intercom describes them, and as people met them: conflicts, archive, merge, sub-lists."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from reconciler.sandbox.app import Sandbox
from tests.desk.calling import Caller
from tests.desk.clock import Clock


def create(call: Caller, **fields: object) -> str:
    return str(call.ok("POST", "/contacts", fields)["id"])


def test_only_an_email_makes_a_user(call: Caller) -> None:
    """API 2.16, POST /contacts, example."""
    contact = call.ok("POST", "/contacts", {"email": "Joe@bloggs.example"})
    assert (contact["role"], contact["email"], contact["external_id"]) == ("user", "Joe@bloggs.example", None)


def test_unset_fields_of_a_contact_are_null(call: Caller) -> None:
    contact = call.ok("POST", "/contacts", {"role": "lead"})
    assert [contact[name] for name in ("phone", "name", "avatar", "owner_id", "signed_up_at")] == [None] * 5
    assert contact["custom_attributes"] == {}


def test_a_second_contact_of_one_external_id_is_a_conflict_that_hides_the_id_in_its_text(call: Caller) -> None:
    """API 2.1 reference, create contact; intercom/Intercom-OpenAPI 81e72a1; two at once get one 409 too (PostHog#72192)."""
    id = create(call, external_id="25")
    refused = call("POST", "/contacts", {"external_id": "25"})
    assert (refused.status, refused.code) == (409, "conflict")
    assert refused.message == f"A contact matching those details already exists with id={id}"
    assert set(refused.json["errors"][0]) == {"code", "message"}


def test_an_update_can_run_into_the_same_conflict(call: Caller) -> None:
    holder, other = create(call, external_id="25"), create(call, external_id="26")
    assert f"id={holder}" in call("PUT", f"/contacts/{other}", {"external_id": "25"}).message


@pytest.mark.parametrize(
    ("held", "given", "status"),
    [
        ({}, {}, 409),
        ({"external_id": "1"}, {}, 409),
        ({}, {"external_id": "2"}, 409),
        ({"external_id": "1"}, {"external_id": "2"}, 200),  # Intercom help, article 5053685
        ({"role": "lead"}, {}, 200),
        ({"role": "lead"}, {"role": "lead"}, 200),
    ],
)
def test_who_may_share_an_email(call: Caller, held: dict[str, str], given: dict[str, str], status: int) -> None:
    create(call, email="wash@serenity.example", **held)
    assert call("POST", "/contacts", {"email": "Wash@Serenity.example", **given}).status == status


def test_an_archived_contact_is_hidden_but_keeps_its_identifiers(call: Caller) -> None:
    """API 2.1 reference, create contact; intercom/Intercom-OpenAPI 81e72a1; reported: intercom-node#333, intercom-ruby#561."""
    id = create(call, external_id="25", email="wash@serenity.example")
    assert call.ok("POST", f"/contacts/{id}/archive") == {"type": "contact", "id": id, "external_id": "25", "archived": True}
    assert call("GET", f"/contacts/{id}").status == 404
    assert call("GET", "/contacts/find_by_external_id/25").status == 404
    assert call("PUT", f"/contacts/{id}", {"name": "x"}).message == "Contact Not Found"
    assert call.ok("GET", "/contacts")["data"] == []
    refused = call("POST", "/contacts", {"external_id": "25"})
    assert refused.message == f"An archived contact matching those details already exists with id={id}"
    assert call.ok("POST", f"/contacts/{id}/unarchive")["archived"] is False
    assert call.ok("GET", f"/contacts/{id}")["external_id"] == "25"


def test_deleting_works_on_the_archived_and_frees_the_identifiers(call: Caller) -> None:
    """Reported: intercom-node#333, intercom-ruby#561."""
    id = create(call, external_id="25")
    call.ok("POST", f"/contacts/{id}/archive")
    assert call.ok("DELETE", f"/contacts/{id}") == {"type": "contact", "id": id, "external_id": "25", "deleted": True}
    assert call("POST", f"/contacts/{id}/unarchive").status == 404
    create(call, external_id="25")


def test_a_merged_contact_cannot_be_unarchived(call: Caller, box: Sandbox) -> None:
    """Reported: forum.intercom.com, "How to unarchive a contact?"."""
    box.seed({"contacts": [{"external_id": "1"}, {"id": "old", "external_id": "9", "archived": True, "merged_into": "1"}]})
    assert "An archived contact" in call("POST", "/contacts", {"external_id": "9"}).message
    refused = call("POST", "/contacts/old/unarchive")
    assert (refused.status, refused.code, refused.message) == (400, "bad_request", "User has been merged and is not restorable.")


def test_a_merged_contact_is_410_with_its_canonical_contact_from_2_16_and_404_before(call: Caller, call_2_15: Caller, box: Sandbox) -> None:
    """API 2.14 and 2.16, GET /contacts/{id}."""
    box.seed({"contacts": [{"id": "c", "external_id": "1"}, {"id": "b", "role": "lead", "merged_into": "c"}]})
    box.seed({"contacts": [{"id": "a", "external_id": "0", "merged_into": "b"}]})
    for path in ("/contacts/a", "/contacts/find_by_external_id/0"):
        gone = call("GET", path)
        assert (gone.status, gone.code, gone.headers["Link"]) == (410, "contact_merged", '</contacts/c>; rel="canonical"')
        assert call_2_15("GET", path).status == 404
    assert [c["id"] for c in call.ok("GET", "/contacts")["data"]] == ["c"]


def test_only_a_lead_is_merged_and_only_into_a_user(call: Caller) -> None:
    """API 2.16, POST /contacts/merge."""
    one, other = create(call, external_id="1"), create(call, external_id="2")
    assert call("POST", "/contacts/merge", {"from": one, "into": other}).status == 400


def test_from_2_16_only_twins_are_merged_unless_told_otherwise(call: Caller, call_2_15: Caller) -> None:
    """API 2.16, POST /contacts/merge."""
    user = create(call, external_id="1", email="wash@serenity.example")
    lead, other, twin = create(call, role="lead"), create(call, role="lead"), create(call, role="lead", email="WASH@serenity.example")
    assert call("POST", "/contacts/merge", {"from": lead, "into": user}).code == "invalid_merge"
    call_2_15.ok("POST", "/contacts/merge", {"from": lead, "into": user})
    call.ok("POST", "/contacts/merge", {"from": other, "into": user, "skip_duplicate_validation": True})
    call.ok("POST", "/contacts/merge", {"from": twin, "into": user})
    history = call.ok("GET", f"/contacts/{user}/merge_history?per_page=2")
    assert ([item["source_contact_id"] for item in history["data"]], history["has_more"]) == ([twin, other], True)
    assert call("GET", f"/contacts/{lead}/merge_history").status == 404


def test_a_user_never_becomes_a_lead_but_a_lead_a_user(call: Caller) -> None:
    """API 2.3 reference, update contact."""
    user, lead = create(call, role="user"), create(call, role="lead")
    refused = call("PUT", f"/contacts/{user}", {"role": "lead"})
    assert (refused.status, refused.code) == (400, "client_error")
    assert call.ok("PUT", f"/contacts/{lead}", {"role": "user"})["role"] == "user"


def test_an_owner_is_an_admin_and_its_id_a_number_up_to_2_15(call: Caller, call_2_15: Caller) -> None:
    """API 2.1 reference, update contact; intercom/Intercom-OpenAPI b3c9834."""
    id = create(call, role="user")
    refused = call("PUT", f"/contacts/{id}", {"owner_id": "1"})
    assert (refused.status, refused.code, refused.message) == (
        400,
        "parameter_invalid",
        "The owner specified is not a member of the workspace",
    )
    assert call.ok("PUT", f"/contacts/{id}", {"owner_id": "991267459"})["owner_id"] == "991267459"
    assert call_2_15.ok("GET", f"/contacts/{id}")["owner_id"] == 991267459
    assert call.ok("PUT", f"/contacts/{id}", {"owner_id": None})["owner_id"] is None


def test_find_by_external_id_sees_users_only(call: Caller) -> None:
    """API 2.16, GET /contacts/find_by_external_id."""
    create(call, role="lead", external_id="25")
    assert call("GET", "/contacts/find_by_external_id/25").status == 404


@pytest.mark.parametrize("external", ["patients/42", "50%", "a%2Fb", "q?x=1#f", "été 1", "a+b", "a b"])
def test_an_external_id_is_one_decoded_piece_of_the_path(call: Caller, external: str) -> None:
    create(call, external_id=external)
    assert call.ok("GET", f"/contacts/find_by_external_id/{quote(external, safe='')}")["external_id"] == external


def test_sub_lists_stop_at_ten_references(call: Caller, box: Sandbox) -> None:
    """API 2.16, contact_tags and contact_companies schemas."""
    box.seed({"contacts": [{"external_id": "1", "tags": [f"t{n}" for n in range(31)], "companies": ["6"]}]})
    contact = call.ok("GET", "/contacts/find_by_external_id/1")
    tags = contact["tags"]
    assert (len(tags["data"]), tags["total_count"], tags["has_more"], tags["url"]) == (10, 31, True, f"/contacts/{contact['id']}/tags")
    assert set(tags["data"][0]) == {"type", "id", "url"}
    assert contact["companies"]["has_more"] is False
    assert len(call.ok("GET", f"/contacts/{contact['id']}/tags")["data"]) == 31


def test_an_avatar_is_written_as_a_url_and_read_as_an_object(call: Caller) -> None:
    """API 2.16, POST /contacts and contact schema."""
    contact = call.ok("POST", "/contacts", {"role": "user", "avatar": "https://serenity.example/a.png"})
    assert contact["avatar"] == {"type": "avatar", "image_url": "https://serenity.example/a.png"}


def test_language_override_is_written_in_preview_only(call: Caller, box: Sandbox) -> None:
    """API Preview and 2.16, PUT /contacts/{id}; developers.intercom.com, update your API version."""
    id = create(call, role="user")
    assert call.ok("PUT", f"/contacts/{id}", {"language_override": "fr"})["language_override"] is None
    assert Caller(box, version="Unstable").ok("PUT", f"/contacts/{id}", {"language_override": "fr"})["language_override"] == "fr"


def test_email_verified_needs_the_email_beside_it(call: Caller, call_2_15: Caller) -> None:
    id = create(call, role="user")
    assert call("PUT", f"/contacts/{id}", {"email_verified": True}).status == 400
    assert call_2_15("PUT", f"/contacts/{id}", {"email_verified": True}).status == 200


def test_tags_and_companies_are_not_written_through_a_contact(call: Caller) -> None:
    contact = call.ok("POST", "/contacts", {"role": "user", "tags": ["vip"], "companies": [{"id": "6"}]})
    assert (contact["tags"]["total_count"], contact["companies"]["total_count"]) == (0, 0)


def test_the_list_comes_in_tens_and_at_most_150(call: Caller, box: Sandbox) -> None:
    """API 2.16, GET /contacts; intercom/Intercom-OpenAPI#639."""
    box.seed({"contacts": [{"external_id": f"u{n}"} for n in range(31)]})
    page, ids = call.ok("GET", "/contacts"), list[str]()
    ids += [c["id"] for c in page["data"]]
    while "next" in page["pages"]:
        assert len(page["data"]) == 10
        page = call.ok("GET", f"/contacts?starting_after={page['pages']['next']['starting_after']}")
        ids += [c["id"] for c in page["data"]]
    assert len(set(ids)) == len(ids) == page["total_count"] == 31
    assert call.ok("GET", "/contacts?per_page=500")["pages"]["per_page"] == 150


def test_a_contact_that_is_touched_while_the_list_is_read_moves_to_its_head(call: Caller, box: Sandbox) -> None:
    """Reported: airbyte#26301 lost rows that way."""
    box.seed({"contacts": [{"external_id": f"u{n}"} for n in range(20)]})
    first = call.ok("GET", "/contacts")
    oldest = call.ok("GET", "/contacts/find_by_external_id/u0")["id"]
    call.ok("PUT", f"/contacts/{oldest}", {"name": "moved"})
    second = call.ok("GET", f"/contacts?starting_after={first['pages']['next']['starting_after']}")
    assert oldest not in [c["id"] for c in first["data"] + second["data"]]
    box.settings.contact_order = "created_at"
    assert oldest in [c["id"] for c in call.ok("GET", "/contacts?per_page=150")["data"]]


def test_writing_some_custom_attributes_leaves_the_others_and_null_clears(call: Caller, box: Sandbox) -> None:
    """Reported: intercom-node#215."""
    box.seed({"contacts": [{"id": "c1", "external_id": "1", "custom_attributes": {"paid": True, "title": "pilot"}}]})
    assert call.ok("PUT", "/contacts/c1", {"custom_attributes": {"title": "cook"}})["custom_attributes"] == {"paid": True, "title": "cook"}
    assert call.ok("PUT", "/contacts/c1", {"custom_attributes": {"paid": None}})["custom_attributes"] == {"title": "cook"}


def test_leads_refuse_null_where_the_knob_says_so(call: Caller, box: Sandbox) -> None:
    box.settings.leads_refuse_null = True
    box.seed({"contacts": [{"id": "c1", "role": "lead", "custom_attributes": {"title": "cook"}}]})
    assert call("PUT", "/contacts/c1", {"custom_attributes": {"title": None}}).status == 400
    assert call.ok("PUT", "/contacts/c1", {"custom_attributes": {"title": ""}})["custom_attributes"] == {"title": ""}


@pytest.mark.parametrize(("custom", "status"), [({"unknown": 1}, 400), ({"paid": "yes"}, 400), ({"paid": False}, 200)])
def test_a_custom_attribute_exists_before_it_is_written_and_keeps_its_type(call: Caller, box: Sandbox, custom: object, status: int) -> None:
    """Changelog of API 2.0; reported: intercom-ruby#614."""
    box.seed({"attributes": [{"name": "paid", "model": "contact", "data_type": "boolean"}]})
    answered = call("POST", "/contacts", {"role": "user", "custom_attributes": custom})
    assert answered.status == status


def test_a_blocked_contact_is_gone_and_cannot_come_back(call: Caller) -> None:
    id = create(call, external_id="25")
    assert call.ok("POST", f"/contacts/{id}/block")["blocked"] is True
    assert call("GET", f"/contacts/{id}").status == 404
    assert call("POST", "/contacts", {"external_id": "25"}).code == "not_restorable"
    assert call("POST", f"/contacts/{id}/unarchive").code == "not_restorable"


def test_nothing_to_know_somebody_by_is_refused(call: Caller, clock: Clock) -> None:
    assert call("POST", "/contacts", {"name": "Hoban"}).status == 400
    assert call("POST", "/contacts", {"email": None, "role": "user"}).status == 400
