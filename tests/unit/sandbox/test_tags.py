"""Tags and taggings as Intercom describes them (POST /tags and /contacts/{id}/tags, API 2.14 to 2.16)."""

from __future__ import annotations

import pytest

from reconciler.sandbox.app import Sandbox
from tests.desk.calling import Caller


def a_contact(call: Caller, **fields: object) -> str:
    return str(call.ok("POST", "/contacts", fields or {"role": "user"})["id"])


def a_company(call: Caller, company_id: str = "6") -> str:
    return str(call.ok("POST", "/companies", {"company_id": company_id, "name": "Blue Sun"})["id"])


def test_a_name_in_any_case_is_the_same_tag(call: Caller) -> None:
    """API 2.16, POST /tags; API 1.2 reference, create and update tags."""
    first, again = (call.ok("POST", "/tags", {"name": name}) for name in ("VIP", "vip"))
    assert (again["id"], again["name"]) == (first["id"], "VIP")
    assert len(call.ok("GET", "/tags")["data"]) == 1


def test_a_tag_is_renamed_by_posting_its_id(call: Caller) -> None:
    """API 2.16, POST /tags."""
    tag = call.ok("POST", "/tags", {"name": "Beta"})
    assert call.ok("POST", "/tags", {"id": int(tag["id"]), "name": "beta-2026"})["id"] == tag["id"]
    assert call.ok("GET", f"/tags/{tag['id']}") == {"type": "tag", "id": tag["id"], "name": "beta-2026"}


def test_there_is_no_put_of_a_tag(call: Caller) -> None:
    """API 2.16, POST /tags."""
    tag = call.ok("POST", "/tags", {"name": "Beta"})
    assert call("PUT", f"/tags/{tag['id']}", {"name": "x"}).status == 404


def test_a_tag_that_segments_use_cannot_be_deleted_and_names_them(box: Sandbox, call: Caller) -> None:
    """API 2.16, DELETE /tags/{id}."""
    box.seed({"tags": [{"name": "vip", "id": "7", "segments": ["Seg 1", "Seg 2"]}]})
    refused = call("DELETE", "/tags/7")
    assert (refused.status, refused.code) == (400, "tag_has_dependent_objects")
    assert refused.message == "Unable to delete Tag with dependent objects. Segments: Seg 1, Seg 2."


def test_deleting_a_tag_takes_it_from_everybody_the_archived_too(call: Caller) -> None:
    tag = call.ok("POST", "/tags", {"name": "vip"})["id"]
    contact = a_contact(call)
    call.ok("POST", f"/contacts/{contact}/tags", {"id": tag})
    call.ok("POST", f"/contacts/{contact}/archive")
    call.ok("DELETE", f"/tags/{tag}")
    call.ok("POST", f"/contacts/{contact}/unarchive")
    assert call.ok("GET", f"/contacts/{contact}/tags")["data"] == []


def test_from_2_16_tagging_skips_what_does_not_exist_and_shows_the_rest(call: Caller) -> None:
    """API 2.14 and 2.16, POST /tags; intercom/Intercom-OpenAPI 1c6bff7, f26d0cc."""
    contact = a_contact(call)
    body = call.ok("POST", "/tags", {"name": "vip", "users": [{"id": "nobody"}, {"id": contact}]})
    assert (body["users"], body["companies"]) == ([{"id": contact, "tagged": True}], [])


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"users": [{"id": "nobody"}]}, "not_found", "User Not Found"),
        ({"companies": [{"company_id": "none"}]}, "company_not_found", "Company Not Found"),
    ],
)
def test_up_to_2_15_tagging_what_does_not_exist_is_404(call_2_15: Caller, body: dict[str, object], code: str, message: str) -> None:
    """API 2.14 and 2.16, POST /tags; intercom/Intercom-OpenAPI 1c6bff7, f26d0cc."""
    refused = call_2_15("POST", "/tags", {"name": "vip", **body})
    assert (refused.status, refused.code, refused.message) == (404, code, message)


def test_up_to_2_15_the_answer_is_the_tag_alone(call_2_15: Caller) -> None:
    assert set(call_2_15.ok("POST", "/tags", {"name": "vip"})) == {"type", "id", "name"}


def test_tagging_companies_makes_the_tag_and_untagging_goes_by_its_name(call: Caller) -> None:
    """API 2.16, POST /tags; API 2.5 reference, untag companies."""
    company = a_company(call)
    tagged = call.ok("POST", "/tags", {"name": "vip", "companies": [{"company_id": "6"}]})
    assert tagged["companies"] == [{"id": company, "tagged": True}]
    assert call.ok("GET", f"/companies/{company}")["tags"]["tags"][0]["name"] == "vip"
    untagged = call.ok("POST", "/tags", {"name": "VIP", "companies": [{"id": company, "untag": True}]})
    assert untagged["companies"] == [{"id": company, "tagged": False}]
    assert call.ok("GET", f"/companies/{company}")["tags"]["tags"] == []


def test_a_missing_contact_and_a_missing_tag_differ_in_the_message_only(call: Caller) -> None:
    """API 2.16, POST /contacts/{id}/tags."""
    contact, tag = a_contact(call), call.ok("POST", "/tags", {"name": "vip"})["id"]
    no_contact, no_tag = call("POST", "/contacts/nobody/tags", {"id": tag}), call("POST", f"/contacts/{contact}/tags", {"id": "1"})
    assert (no_contact.code, no_contact.message) == ("not_found", "User Not Found")
    assert (no_tag.code, no_tag.message) == ("not_found", "Resource Not Found")


def test_who_applied_a_tag_when_is_shown_on_the_contact_only(call: Caller, clock: object) -> None:
    """API 2.16, tag schema; intercom/Intercom-OpenAPI 76db2fe."""
    contact, tag = a_contact(call), call.ok("POST", "/tags", {"name": "vip"})["id"]
    attached = call.ok("POST", f"/contacts/{contact}/tags", {"id": int(tag)})
    assert attached["applied_by"] == {"type": "admin", "id": "991267459"}
    assert call.ok("GET", f"/contacts/{contact}/tags")["data"] == [attached]
    assert "applied_at" not in call.ok("GET", "/tags")["data"][0]
    assert call.ok("DELETE", f"/contacts/{contact}/tags/{tag}") == attached


def test_attaching_a_tag_again_is_200_and_keeps_the_first_time(call: Caller) -> None:
    contact, tag = a_contact(call), call.ok("POST", "/tags", {"name": "vip"})["id"]
    first = call.ok("POST", f"/contacts/{contact}/tags", {"id": tag})
    assert call.ok("POST", f"/contacts/{contact}/tags", {"id": tag}) == first


def test_a_tag_without_a_name_is_invalid(call: Caller) -> None:
    refused = call("POST", "/tags", {"name": ""})
    assert (refused.status, refused.code, refused.message) == (400, "parameter_invalid", "invalid tag parameters")


def test_blanks_around_names_are_cut_only_where_the_knob_says_so(call: Caller, box: Sandbox) -> None:
    assert call.ok("POST", "/tags", {"name": " vip "})["name"] == " vip "
    box.settings.rewrites = "trim"
    assert call.ok("POST", "/tags", {"name": " trial "})["name"] == "trial"
    assert call.ok("POST", "/companies", {"company_id": "6", "name": "Blue Sun "})["name"] == "Blue Sun"


@pytest.mark.parametrize(
    ("rewrites", "sent", "kept", "also"),
    [
        ("fold", "İstanbul", "İstanbul", "istanbul"),
        ("lower", "İstanbul", "istanbul", "ISTANBUL"),
        ("cut", "x" * 60 + "a", "x" * 60, "x" * 60 + "b"),
        ("escape", "a < b", "a &lt; b", "A < B"),
    ],
)
def test_names_are_rewritten_where_the_knob_says_so(call: Caller, box: Sandbox, rewrites: str, sent: str, kept: str, also: str) -> None:
    assert call.ok("POST", "/tags", {"name": sent})["name"] == sent
    box.reset()
    box.settings.rewrites = rewrites
    made = call.ok("POST", "/tags", {"name": sent})
    assert made["name"] == kept
    assert call.ok("POST", "/tags", {"name": also})["id"] == made["id"]


def test_a_rename_onto_another_tag_or_of_an_unknown_one_is_refused(call: Caller) -> None:
    """Neither answer is documented."""
    call.ok("POST", "/tags", {"name": "vip"})
    tag = call.ok("POST", "/tags", {"name": "trial"})["id"]
    assert call("POST", "/tags", {"id": tag, "name": "VIP"}).status == 400
    assert call("POST", "/tags", {"id": "1", "name": "x"}).status == 404
    assert call("POST", "/tags", {"id": tag, "name": "Trial"}).status == 200
