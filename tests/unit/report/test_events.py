"""Events: one JSON object a line, never a response body, and never the end of an apply."""

from __future__ import annotations

import io
import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import ReconcilerError
from reconciler.report.events import LONGEST, Events
from reconciler.report.outcomes import Outcome
from tests.desk.soak import times

APPLIED = Outcome("attach", "contact/25", "tag/vip", "applied", request_id="req-0")
FAILED = Outcome("create", "company/6", None, "failed", "wash@serenity.example is taken", "req-1")
SKIPPED = Outcome("detach", "contact/25", "company/6", "skipped", "waits for company/6, which failed")
INEFFECTIVE = Outcome("update", "company/7", None, "ineffective", "the answer does not show: size", "req-2")


def noon() -> datetime:
    return datetime(2026, 1, 1, 12, tzinfo=UTC)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_run_is_told_from_start_to_summary() -> None:
    stream = io.StringIO()
    events = Events(stream, noon)
    events.start("attach", "contact/25", "tag/vip")
    for outcome in (APPLIED, FAILED, SKIPPED, INEFFECTIVE):
        events.end(outcome)
    events.summary([APPLIED, FAILED, SKIPPED, INEFFECTIVE])
    events.check()
    events_read = lines(stream)
    assert stream.getvalue().splitlines()[0] == '{"format_version": "1.0", "type": "start", "at": "2026-01-01T12:00:00.000Z"}'
    assert [event["type"] for event in events_read] == ["start", "started", "done", "failed", "skipped", "done", "summary"]
    at = {"at": "2026-01-01T12:00:00.000Z"}
    assert events_read[1] == {"type": "started", **at, "action": "attach", "address": "contact/25", "target": "tag/vip"}
    ends = {"action": "create", "address": "company/6", "target": None, "status": "failed"}
    reason = {"reason": "w***@serenity.example is taken", "request_id": "req-1"}
    assert events_read[3] == {"type": "failed", **at, **ends, **reason}
    assert events_read[5]["status"] == "ineffective"
    assert events_read[6]["counts"] == {"applied": 1, "failed": 1, "ineffective": 1, "skipped": 1}


def test_no_body_of_an_answer_gets_through() -> None:
    stream = io.StringIO()
    events = Events(stream)
    events.end(Outcome("create", "tag/a", None, "failed", "<html>" * 9_000))
    events.end(Outcome("create", "tag/a", None, "failed", "x" * (2 * LONGEST - 5) + " wash@serenity.example"))
    assert [len(event["reason"]) for event in lines(stream)[1:]] == [LONGEST + 1] * 2
    assert "wash" not in stream.getvalue()


@settings(max_examples=times(100))
@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_any_text_is_one_line_of_ascii(text: str) -> None:
    stream = io.StringIO()
    Events(stream).end(Outcome("create", f"tag/{text}", text, "failed", "", text))
    assert stream.getvalue().isascii()
    assert "##[" not in stream.getvalue()
    assert lines(stream)[-1]["address"] == f"tag/{text}"


def test_a_line_is_there_before_the_next_call(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    with path.open("w", encoding="utf-8") as stream:
        events = Events(stream)
        events.start("create", "tag/a")
        assert len(path.read_text(encoding="utf-8").splitlines()) == 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_disk_ends_nothing_and_is_told_at_the_end() -> None:
    with open("/dev/full", "w", encoding="utf-8") as stream:
        events = Events(stream)
        events.end(APPLIED)
        events.summary([APPLIED])
        with pytest.raises(ReconcilerError, match="the events could not be written: No space left on device"):
            events.check()


def test_a_closed_stream_ends_nothing() -> None:
    stream = io.StringIO()
    events = Events(stream)
    stream.close()
    events.end(APPLIED)
    with pytest.raises(ReconcilerError, match="the events could not be written"):
        events.check()


def test_nowhere_is_a_place_to_write_to() -> None:
    events = Events(None)
    events.end(APPLIED)
    events.check()


def test_lines_of_several_threads_do_not_mix() -> None:
    stream = io.StringIO()
    events = Events(stream)

    def work() -> None:
        for _ in range(200):
            events.start("create", "tag/a")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(lines(stream)) == 801
