"""A read that fails never yields a create, a delete or a detach: the plan ends with an error."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import IntercomError
from reconciler.sandbox.call import Recorded
from tests.desk.route import changes
from tests.desk.soak import times
from tests.properties.worlds import World, on_route, worlds

FAULTS: dict[str, dict[str, Any]] = {
    "html": {"status": 200, "body": b"<html>Sign in</html>", "headers": {"Content-Type": "text/html"}},
    "empty": {"status": 200, "body": b""},
    "error.list": {"status": 200, "body": b'{"type":"error.list","request_id":null,"errors":[{"code":"server_error","message":"no"}]}'},
    "no list": {"status": 200, "body": b"{}"},
    "null": {"status": 200, "body": b"null"},
    "array": {"status": 200, "body": b"[]"},
    "cut": {"status": 200, "body": b'{"type":"list","data":['},
    "short": {"status": 200, "body": b'{"type":"list","data":[]', "headers": {"Content-Length": "900"}},
    "204": {"status": 204, "body": b""},
    "redirect": {"status": 302, "body": b"", "headers": {"Location": "https://login.example/"}},
    "403": {"status": 403},
    "404 of a proxy": {"status": 404, "body": b"<html>Not Found</html>"},
    "500": {"status": 500},
    "503": {"status": 503},
    "dropped": {"drop": "before"},
    "dropped after": {"drop": "after"},
}


def is_counted(read: Recorded) -> bool:
    """Reads that say where a thing which goes is in use, and of how many people."""
    searches = ("/conversations/search", "/content/search", "/contacts/search")
    return read.path.endswith(searches) or "tag_id" in read.query or bool(re.search("/companies/[^/]+/contacts$", read.path))


@pytest.mark.parametrize("kind", sorted(FAULTS))
def test_a_read_fault_ends_the_plan(kind: str) -> None:
    @settings(max_examples=times(4))
    @given(worlds(), st.data())
    def holds(world: World, data: st.DataObject) -> None:
        with on_route(world) as (route, path):
            plain = changes(route.document(path))
            reads = [(r.method, r.path) for r in route.box.requests]
            number = data.draw(st.integers(0, len(reads) - 1))
            method, asked = reads[number]
            only = data.draw(st.booleans())
            where = {"method": method, "path": f"^{re.escape(asked)}$"} if only else {"after": number}
            route.box.faults.add(times=None, **where, **FAULTS[kind])
            seen = len(route.box.requests)
            with suppress(IntercomError):
                plan = route.document(path)
                # Only what is counted to be shown beside a change may be left out. Reads at the same time come in any order.
                met = route.box.requests[seen:] if only else route.box.requests[seen + number :]
                struck = [r for r in met if not only or (r.method, r.path) == (method, asked)]
                assert (changes(plan), [r.path for r in struck if not is_counted(r)]) == (plain, [])
            assert not route.box.writes

    holds()


@given(worlds(), st.data())
def test_a_read_that_fails_once_changes_nothing_in_the_plan(world: World, data: st.DataObject) -> None:
    with on_route(world) as (route, path):
        plain = changes(route.document(path))
        number = data.draw(st.integers(0, len(route.box.requests) - 1))
        passing = sorted(set(FAULTS) - {"redirect", "403", "404 of a proxy", "no list"})
        route.box.faults.add(times=1, after=number, **FAULTS[data.draw(st.sampled_from(passing))])
        assert changes(route.document(path)) == plain
