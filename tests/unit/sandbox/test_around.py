"""What surrounds contacts: segments, subscriptions, notes, /me, and other things that carry tags."""

from __future__ import annotations

from reconciler.sandbox.app import Sandbox
from tests.desk.calling import Caller
from tests.desk.clock import Clock


def test_me_tells_workspace_region_and_time_zone(call: Caller, box: Sandbox) -> None:
    box.seed({"app": {"timezone": "Europe/Dublin", "region": "EU", "id_code": "ecahpwf5"}})
    app = call.ok("GET", "/me")["app"]
    assert (app["id_code"], app["region"], app["timezone"]) == ("ecahpwf5", "EU", "Europe/Dublin")
    assert call.ok("POST", "/contacts", {"role": "user"})["workspace_id"] == "ecahpwf5"


def test_segments_are_listed_under_their_own_key(call: Caller, box: Sandbox) -> None:
    """API 2.16, GET /segments and company schema."""
    box.seed({"contacts": [{"external_id": "1"}], "segments": [{"name": "Seg 1", "contacts": ["1"]}]})
    listed = call.ok("GET", "/segments?include_count=true")
    assert (listed["type"], listed["segments"][0]["count"]) == ("segment.list", 1)
    contact = call.ok("GET", "/contacts/find_by_external_id/1")["id"]
    assert call.ok("GET", f"/contacts/{contact}/segments")["data"][0]["name"] == "Seg 1"
    assert call.ok("POST", "/companies", {"company_id": "6"})["tags"] == {"type": "tag.list", "tags": []}


def test_attaching_an_opt_out_type_opts_out_and_only_choices_are_listed(call: Caller) -> None:
    """API 2.16, POST /contacts/{id}/subscriptions."""
    id = call.ok("POST", "/contacts", {"role": "user"})["id"]
    assert call.ok("GET", f"/contacts/{id}/subscriptions")["data"] == []
    call.ok("POST", f"/contacts/{id}/subscriptions", {"id": "91", "consent_type": "opt_out"})
    contact = call.ok("GET", f"/contacts/{id}")
    assert [s["id"] for s in contact["opted_out_subscription_types"]["data"]] == ["91"]
    assert call("POST", f"/contacts/{id}/subscriptions", {"id": "1", "consent_type": "opt_out"}).message == "Resource Not Found"
    call.ok("DELETE", f"/contacts/{id}/subscriptions/91")
    assert call.ok("GET", f"/contacts/{id}/subscriptions")["data"] == []


def test_notes_tell_a_missing_contact_from_a_missing_admin(call: Caller) -> None:
    id = call.ok("POST", "/contacts", {"role": "user"})["id"]
    note = call.ok("POST", f"/contacts/{id}/notes", {"body": "Hello"})
    assert call.ok("GET", f"/notes/{note['id']}") == note
    assert call("POST", "/contacts/nobody/notes", {"body": "x"}).message == "User Not Found"
    assert call("POST", f"/contacts/{id}/notes", {"body": "x", "admin_id": 1}).message == "Resource Not Found"
    assert call.ok("GET", f"/contacts/{id}")["notes"]["total_count"] == 1


def test_conversations_and_content_that_carry_a_tag_can_be_counted(call: Caller, call_2_15: Caller, box: Sandbox) -> None:
    box.seed({"conversations": [{"tags": ["vip"], "count": 50}, {"tags": ["x"]}]})
    box.seed({"content": [{"tags": ["vip"], "count": 3, "type": "article"}]})
    tag = call.ok("POST", "/tags", {"name": "vip"})["id"]
    query = {"query": {"field": "tag_ids", "operator": "=", "value": tag}, "pagination": {"per_page": 1}}
    answer = call.ok("POST", "/conversations/search", query)
    assert (answer["type"], answer["total_count"], len(answer["conversations"])) == ("conversation.list", 50, 1)
    content = call.ok("GET", f"/content/search?any_tag_ids={tag}&per_page=1")
    assert (content["total_count"], content["data"][0]["type"]) == (3, "article")
    assert content["pages"]["next"].endswith(f"/content/search?any_tag_ids={tag}&per_page=1&page=2")
    assert call_2_15("GET", f"/content/search?any_tag_ids={tag}").code == "intercom_version_invalid"


def test_conversations_are_found_by_their_tag_and_the_day_on_which_they_began(call: Caller, box: Sandbox) -> None:
    day = 86_400
    box.seed({"conversations": [{"tags": ["vip"], "created_at": n * day + 5} for n in range(1, 4)] + [{"tags": ["x"]}]})
    tagged = {"field": "tag_ids", "operator": "=", "value": "101"}
    since = {"field": "created_at", "operator": ">", "value": day + 3600}
    answer = call.ok("POST", "/conversations/search", {"query": {"operator": "AND", "value": [tagged, since]}})
    # `>` begins with the day after.
    assert [conversation["created_at"] for conversation in answer["conversations"]] == [2 * day + 5, 3 * day + 5]
    for query in ({"operator": "AND", "value": 1}, since | {"operator": "~"}, since | {"field": "state"}):
        assert call("POST", "/conversations/search", {"query": query}).status == 400


def test_a_plan_without_conversations_is_403(call: Caller, box: Sandbox) -> None:
    box.settings.plan_restricted = True
    assert call("POST", "/conversations/search", {"query": {}}).code == "api_plan_restricted"


def test_admins_are_listed_for_the_owner(call: Caller, box: Sandbox) -> None:
    box.seed({"admins": [{"id": 5, "name": "Inara"}]})
    assert [admin["id"] for admin in call.ok("GET", "/admins")["admins"]] == ["991267459", "5"]
    assert call.ok("POST", "/contacts", {"role": "user", "owner_id": "5"})["owner_id"] == "5"


def test_a_conversation_is_tagged_and_untagged_in_the_name_of_an_admin(call: Caller, box: Sandbox) -> None:
    """API 2.16, POST /conversations/{id}/tags, DELETE /conversations/{id}/tags/{id}."""
    box.seed({"conversations": [{"tags": ["x"]}], "tags": ["vip"]})
    tag, admin = call.ok("POST", "/tags", {"name": "vip"})["id"], call.ok("GET", "/me")["id"]
    attached = call.ok("POST", "/conversations/1/tags", {"id": tag, "admin_id": admin})
    assert (attached["id"], attached["applied_by"]) == (tag, {"type": "admin", "id": admin})
    assert [found["name"] for found in call.ok("GET", "/conversations/1")["tags"]["tags"]] == ["x", "vip"]
    assert call.ok("DELETE", f"/conversations/1/tags/{tag}", {"admin_id": admin}) == attached
    assert call("DELETE", f"/conversations/1/tags/{tag}", {"admin_id": admin}).message == "Resource Not Found"
    assert call("DELETE", f"/conversations/1/tags/{tag}").code == "parameter_missing"
    assert call("POST", "/conversations/1/tags", {"id": tag, "admin_id": "9"}).message == "Admin not found"
    assert call("POST", "/conversations/9/tags", {"id": tag, "admin_id": admin}).message == "Conversation not found"


def test_the_search_of_conversations_lags_too(call: Caller, box: Sandbox, clock: Clock) -> None:
    box.seed({"conversations": [{"tags": ["x"]}], "tags": ["vip"]})
    box.settings.update_delay = 60
    tag, admin = call.ok("POST", "/tags", {"name": "vip"})["id"], call.ok("GET", "/me")["id"]
    query = {"query": {"field": "tag_ids", "operator": "=", "value": tag}}
    call.ok("POST", "/conversations/1/tags", {"id": tag, "admin_id": admin})
    assert call.ok("POST", "/conversations/search", query)["total_count"] == 0
    clock.forward(61)
    assert call.ok("POST", "/conversations/search", query)["total_count"] == 1


def test_a_tag_that_is_deleted_is_gone_from_conversations(call: Caller, box: Sandbox) -> None:
    box.seed({"conversations": [{"tags": ["x", "vip"]}]})
    call.ok("DELETE", f"/tags/{call.ok('POST', '/tags', {'name': 'x'})['id']}")
    assert [found["name"] for found in call.ok("GET", "/conversations/1")["tags"]["tags"]] == ["vip"]
