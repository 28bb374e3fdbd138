"""What every call passes: token, scopes, version, rate limit, route, JSON."""

from __future__ import annotations

import pytest

from reconciler.sandbox.app import Sandbox
from tests.desk.calling import Caller
from tests.desk.clock import Clock
from tests.desk.collection import add_collection


@pytest.mark.parametrize("token", [None, "", "sandbo", "other"])
def test_a_wrong_token_is_401_without_rate_headers(box: Sandbox, token: str | None) -> None:
    """developers.intercom.com, rate limiting."""
    refused = Caller(box, token=token)("GET", "/me")
    assert (refused.status, refused.code, refused.message) == (401, "unauthorized", "Access Token Invalid")
    assert refused.json["type"] == "error.list"
    assert not [name for name in refused.headers if name.startswith("X-RateLimit")]
    assert "Date" in refused.headers


def test_a_revoked_token_is_401(box: Sandbox, call: Caller) -> None:
    box.revoke("sandbox")
    assert call("GET", "/me").status == 401


def test_a_missing_scope_is_403_for_its_endpoints_only(clock: Clock) -> None:
    with Sandbox(now=clock, tokens={"reader": ["write_users", "read_content"]}) as box:
        reader = Caller(box, token="reader")
        assert reader("GET", "/contacts").status == 200
        refused = reader("POST", "/contacts", {"role": "user"})
        assert (refused.status, refused.code) == (403, "forbidden")
        assert refused.message == "You do not have the required scope (write_users) to access this resource"
        assert reader("GET", "/content/search").status == 403


def test_the_main_token_can_lack_scopes(clock: Clock) -> None:
    with Sandbox(now=clock, tokens={"sandbox": ["read_users"]}) as box:
        assert [Caller(box)("GET", path).status for path in ("/tags", "/contacts", "/me")] == [200, 403, 200]


def test_over_the_limit_is_429_until_the_next_window_of_ten_seconds(clock: Clock) -> None:
    """developers.intercom.com, rate limiting."""
    clock.now = 1_764_000_003.0
    with Sandbox(now=clock, rate_limit=2) as box:
        call = Caller(box)
        assert [call("GET", "/me").headers["X-RateLimit-Remaining"] for _ in range(2)] == ["1", "0"]
        refused = call("GET", "/me")
        assert (refused.status, refused.code, refused.message) == (429, "rate_limit_exceeded", "Exceeded rate limit of 2 in 10_seconds")
        names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
        assert [refused.headers[name] for name in names] == ["2", "0", "1764000010"]
        clock.forward(7)
        assert call("GET", "/me").status == 200


def test_without_a_limit_the_headers_are_sent_and_nothing_is_refused(call: Caller) -> None:
    answers = [call("GET", "/me") for _ in range(2000)]
    assert {answered.status for answered in answers} == {200}
    assert {answered.headers["X-RateLimit-Limit"] for answered in answers} == {"1667"}
    assert min(int(answered.headers["X-RateLimit-Remaining"]) for answered in answers) > 800


@pytest.mark.parametrize(
    ("version", "status"), [("2.14", 404), ("2.15", 200), ("2.16", 200), ("Preview", 200), ("Unstable", 200), (None, 200), ("2.1", 400)]
)
def test_the_header_beats_the_apps_version(box: Sandbox, version: str | None, status: int) -> None:
    """developers.intercom.com, update your API version."""
    box.seed({"companies": [{"company_id": "6", "id": "c6"}]})
    answered = Caller(box, version=version)("GET", "/companies/c6/notes")
    assert answered.status == (400 if status != 200 else 200)
    if status != 200:
        assert answered.code == "intercom_version_invalid"


def test_an_endpoint_that_the_version_lacks_is_400(box: Sandbox) -> None:
    """developers.intercom.com, update your API version."""
    refused = Caller(box, version="2.14")("GET", "/companies/x/notes")
    assert refused.message == "Requested resource is not available in current API version."
    box.settings.default_version = "2.15"
    assert Caller(box)("GET", "/contacts/x/merge_history").code == "intercom_version_invalid"


@pytest.mark.parametrize(("method", "path"), [("PATCH", "/contacts"), ("GET", "/nowhere"), ("DELETE", "/tags"), ("GET", "/a/b/c/d/e")])
def test_an_unsupported_method_or_path_is_404(call: Caller, method: str, path: str) -> None:
    """developers.intercom.com, HTTP responses."""
    assert (call(method, path).status, call(method, path).code) == (404, "not_found")


def test_a_trailing_slash_changes_nothing(call: Caller) -> None:
    assert call.ok("GET", "/companies/")["type"] == "list"
    assert call("GET", "/contacts/find_by_external_id/").status == 404


def test_an_accept_without_json_is_406(call: Caller) -> None:
    """developers.intercom.com, HTTP responses."""
    assert call("GET", "/me", accept="text/html").status == 406
    assert call("GET", "/me", accept="application/json").status == 200


@pytest.mark.parametrize("raw", [b"{", b"[1]", b"\xff", b'"x"'])
def test_a_body_that_is_no_json_object_is_refused(call: Caller, raw: bytes) -> None:
    assert call("POST", "/tags", raw).code == "parameter_invalid"


def test_errors_carry_a_request_id(call: Caller) -> None:
    assert len(call("GET", "/tags/1").json["request_id"]) == 36


def test_nothing_makes_a_repeated_create_safe(call: Caller) -> None:
    """API 2.16 and Preview: no idempotency key."""
    for _ in range(2):
        assert call("POST", "/contacts", {"role": "lead"}, idempotency_key="x").status == 200
    assert call.ok("GET", "/contacts")["total_count"] == 2


def test_what_came_in_is_recorded_and_writes_are_told_from_reads(call: Caller, box: Sandbox) -> None:
    call("GET", "/tags?x=1")
    call("POST", "/contacts/search", {"query": {"field": "role", "operator": "=", "value": "user"}})
    call("POST", "/companies/list")
    call("POST", "/tags", {"name": "vip"})
    assert [tuple(record.as_json().values()) for record in box.requests][:1] == [("GET", "/tags", {"x": "1"}, None, 200)]
    assert [tuple(record.as_json().values()) for record in box.writes] == [("POST", "/tags", {}, {"name": "vip"}, 200)]
    assert box.requests[0].headers["authorization"] == "Bearer sandbox"


def test_a_reset_leaves_an_empty_workspace(call: Caller, box: Sandbox) -> None:
    call.ok("POST", "/tags", {"name": "vip"})
    box.faults.add(path="tags", status=500)
    box.reset()
    assert (box.requests, call.ok("GET", "/tags")["data"], call("GET", "/me").status) == ([], [], 200)


def test_a_kind_of_a_test_gets_its_endpoints(call: Caller, box: Sandbox) -> None:
    add_collection(box, "/things")
    thing = call.ok("POST", "/things", {"name": "a", "size": 1})
    assert call("POST", "/things", {"name": "a"}).status == 400
    assert call.ok("PUT", f"/things/{thing['id']}", {"size": 2}) == {"id": thing["id"], "name": "a", "size": 2}
    assert call.ok("GET", "/things")["data"] == [{"id": thing["id"], "name": "a", "size": 2}]
    assert call.ok("DELETE", f"/things/{thing['id']}")["deleted"] is True
    assert call("GET", f"/things/{thing['id']}").status == 404
    box.route("GET", "/teapots/{id}", lambda request: (418, {"id": request.params["id"]}))
    assert (call("GET", "/teapots/a%2Fb").status, call("GET", "/teapots/a%2Fb").json) == (418, {"id": "a/b"})


def test_unknown_settings_are_named() -> None:
    with pytest.raises(ValueError, match="unknown setting 'speed'"):
        Sandbox(speed=1)
