"""Trouble on request: what a test asks for is what a caller meets."""

from __future__ import annotations

import pytest

from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.faults import ConnectionDropped
from tests.desk.calling import Caller


def names(call: Caller) -> list[str]:
    return [tag["name"] for tag in call.ok("GET", "/tags")["data"]]


def test_a_status_is_answered_instead_of_the_work_and_once(call: Caller, box: Sandbox) -> None:
    box.faults.add("POST", r"^/tags$", status=503)
    refused = call("POST", "/tags", {"name": "vip"})
    assert (refused.status, refused.code) == (503, "service_unavailable")
    assert names(call) == []
    assert call("POST", "/tags", {"name": "vip"}).status == 200


def test_done_means_that_only_the_answer_is_lost(call: Caller, box: Sandbox) -> None:
    box.faults.add("POST", "/tags", status=500, done=True)
    assert call("POST", "/tags", {"name": "vip"}).status == 500
    assert names(call) == ["vip"]


@pytest.mark.parametrize(("drop", "expected"), [("before", []), ("after", ["vip"])])
def test_a_connection_can_drop_before_or_after_the_work(call: Caller, box: Sandbox, drop: str, expected: list[str]) -> None:
    box.faults.add("POST", "/tags", drop=drop)
    with pytest.raises(ConnectionDropped) as dropped:
        call("POST", "/tags", {"name": "vip"})
    assert dropped.value.worked == (drop == "after")
    assert box.requests[-1].status == 0
    assert names(call) == expected


def test_a_body_can_be_anything_and_headers_too(call: Caller, box: Sandbox) -> None:
    box.faults.add("GET", "/tags", body=b"<html>", headers={"Content-Type": "text/html"})
    answered = call("GET", "/tags")
    assert (answered.status, answered.raw, answered.headers["Content-Type"]) == (200, b"<html>", "text/html")


def test_a_header_can_be_taken_away(call: Caller, box: Sandbox) -> None:
    box.faults.add("GET", "/tags", headers={"X-RateLimit-Limit": None})
    answered = call("GET", "/tags")
    assert "X-RateLimit-Limit" not in answered.headers
    assert answered.json["data"] == []


def test_times_after_and_for_ever(call: Caller, box: Sandbox) -> None:
    box.faults.add("GET", "/tags", status=500, after=1, times=2)
    assert [call("GET", "/tags").status for _ in range(5)] == [200, 500, 500, 200, 200]
    box.faults.add("GET", "/tags", status=500, times=None)
    assert [call("GET", "/tags").status for _ in range(3)] == [500] * 3
    box.faults.clear()
    assert call("GET", "/tags").status == 200


def test_a_rate_is_a_share_of_the_calls_the_same_in_every_run(call: Caller, box: Sandbox) -> None:
    box.faults.add(path="", status=500, rate=0.07, times=None)
    failed = sum(call("GET", "/tags").status == 500 for _ in range(1000))
    assert 40 < failed < 100


def test_somebody_else_can_write_in_between(call: Caller, box: Sandbox) -> None:
    box.faults.add("GET", "/tags", run=lambda: box.seed({"tags": ["theirs"]}))
    assert names(call) == ["theirs"]


def test_a_refusal_can_carry_a_code_and_a_message(call: Caller, box: Sandbox) -> None:
    box.faults.add(status=429, code="rate_limit_exceeded", message="slow down", headers={"X-RateLimit-Remaining": "0"})
    refused = call("GET", "/tags")
    assert (refused.code, refused.message, refused.headers["X-RateLimit-Remaining"]) == ("rate_limit_exceeded", "slow down", "0")


def test_a_misspelt_fault_is_refused(box: Sandbox) -> None:
    with pytest.raises(TypeError):
        box.faults.add(statsu=500)
    with pytest.raises(ValueError, match="drop must be"):
        box.faults.add(drop="never")
