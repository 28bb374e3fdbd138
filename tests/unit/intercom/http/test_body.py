"""The body of an answer: read whole, or with what is used of it alone; both say the same of that."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.intercom.http.body import parse_object, parser_of

CONTACT = {"id": "1", "name": "Zoe", "avatar": None, "tags": {"data": [{"id": "5", "url": "/tags/5"}]}, "location": {"city": None}}
PAGE = {"type": "list", "data": [CONTACT, {"id": 2}], "total_count": 2, "pages": {"next": None}, "request_id": "r", "said": "hello"}
parse = parser_of(("data", "contacts"), frozenset({"id", "name", "tags"}))


def write(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_only_what_is_used_of_a_list_is_read() -> None:
    contact = {name: CONTACT[name] for name in ("id", "name", "tags")}
    whole = {name: PAGE[name] for name in ("type", "total_count", "pages", "request_id")}
    assert parse(write(PAGE)) == {**whole, "data": [contact, {"id": 2}]}
    assert parse(write({"contacts": [CONTACT], "has_more": True})) == {"contacts": [contact], "has_more": True}


def test_an_error_inside_is_read_as_it_is() -> None:
    error = {"type": "error.list", "request_id": "r", "errors": [{"code": "server_error", "message": "no"}]}
    assert parse(write(error)) == error


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"<html>busy</html>",
        b'{"data": null}',
        b'{"data": {"id": "1"}}',
        b'{"data": [null]}',
        b'{"data": [{"id": "1"}, "2"]}',
        b'{"data": [{"name": "\\ud800"}]}',
        b'{"data": [{"name": NaN}]}',
        b'{"data": [{"name": 1e400}]}',
        b'{"data": [{"id": "1"}',
        b'{"data": [{"id": "1", "phone": "\xff"}]}',
        b'{"data": [{"id": "1", "\xffame": "Zoe"}]}',
        b'{"data": [], "to\xe9al_count": 2}',
        b'{"data": [' + b"[" * 100_000,
        b'{"data": [{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]}",
    ],
    ids=range(17),
)
def test_what_is_no_list_of_things_is_read_whole(content: bytes) -> None:
    assert repr(parse(content)) == repr(parse_object(content))


@pytest.mark.parametrize(
    "value", ["12345678901234567890123", "-9223372036854775809", "1.0", "1e5", "-0.0", "0.1", "49.0", "5e-324", "true"]
)
def test_a_number_is_the_same_number(value: str) -> None:
    content = b'{"data": [{"name": %s}]}' % value.encode()
    assert repr(parse(content)) == repr(parse_object(content))
