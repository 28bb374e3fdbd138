"""Intercom's own description of API 2.16, where it lies beside the repository: what breaks it, and what it does not declare."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

from tests import ROOT
from tests.referee.recording import Exchange

VERSION = "2.16"
HOST = "https://api.intercom.io"
NAME = Path("shared", "openapi", "intercom-2.16.strict.json")

# "Any may occur on any request" (developers.intercom.com, HTTP responses), yet no operation lists it; its body is an error's.
UNLISTED = {406: 400}
# In the description of 2.11, and still honoured (Intercom-OpenAPI pull request 639), though no later file lists them.
PAGING = {"page", "per_page", "starting_after"}

Doc = dict[str, Any]


def beside(repository: Path) -> Path:
    return repository.parent / NAME


DESCRIPTION = beside(ROOT)


def absent(path: Path) -> str:
    """Why nothing can be checked, or nothing."""
    if path.exists():
        return ""
    return f"Intercom's description of its API is not at {path}: what the tests send and get is not held against it"


needs_description = pytest.mark.skipif(not DESCRIPTION.exists(), reason=absent(DESCRIPTION))


class Description:
    def __init__(self, document: Doc) -> None:
        self.document = document
        # Whether the description keeps the rules of descriptions is its owner's business, and takes seconds to find out.
        self._api = OpenAPI.from_dict(document, Config(spec_validator_cls=None))

    @classmethod
    def read(cls, path: Path = DESCRIPTION) -> Description:
        return cls(json.loads(path.read_text(encoding="utf-8")))

    @cached_property
    def operations(self) -> set[str]:
        methods = ("get", "post", "put", "delete", "patch")
        return {f"{m.upper()} {path}" for path, described in self.document["paths"].items() for m in methods if m in described}

    def operation(self, method: str, path: str) -> str | None:
        """The described one with the fewest names in its path."""
        pieces = _pieces(path)
        fitting = (o for o in self.operations if o.startswith(f"{method} ") and _fits(_pieces(o.partition(" ")[2]), pieces))
        return min(fitting, key=lambda operation: operation.count("{"), default=None)

    def covers(self, exchange: Exchange) -> bool:
        return exchange.version == VERSION and self.operation(exchange.method, exchange.path) is not None

    def violations(self, exchange: Exchange) -> list[str]:
        """Of the request if our client sent it, of the reply if the sandbox made it."""
        broken = [*self.broken_request(exchange)] if exchange.ours else []
        return broken if exchange.reply is None else [*broken, *self.broken_reply(exchange)]

    def broken_request(self, exchange: Exchange) -> Iterator[str]:
        try:
            self._api.validate_request(_request(exchange))
        except OpenAPIError as error:
            yield f"the request: {told(error)}"
        yield from self._unknown_keys(exchange)

    def broken_reply(self, exchange: Exchange) -> Iterator[str]:
        status = UNLISTED.get(exchange.status, exchange.status)
        reply = MockResponse((exchange.reply or "").encode(), status, content_type=exchange.reply_type)
        try:
            self._api.validate_response(_request(exchange), reply)
        except OpenAPIError as error:
            yield f"the reply {exchange.status}: {told(error)}"

    def _unknown_keys(self, exchange: Exchange) -> Iterator[str]:
        described = self._described(exchange)
        named = {parameter["name"] for parameter in map(self._resolved, described.get("parameters", ()))} | PAGING
        yield from (f"the request: undeclared query key {name}" for name in exchange.query if name not in named)
        schema = described.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        if exchange.body and schema is None:
            yield "the request: a body where none is declared"
        elif exchange.body:
            yield from (f"the request: undeclared key {path}" for path in self.undeclared(schema, _json(exchange.body)))

    def _described(self, exchange: Exchange) -> Doc:
        method, _, path = (self.operation(exchange.method, exchange.path) or "").partition(" ")
        described: Doc = self.document["paths"][path][method.lower()]
        return described

    def undeclared(self, schema: Doc, value: Any, at: str = "") -> list[str]:
        """Keys that no alternative of the schema declares; the description closes no object, so validation lets them pass."""
        if isinstance(value, list):
            kinds = [view["items"] for view in self._views(schema) if "items" in view]
            return min((sum((self.undeclared(kind, item, f"{at}[]") for item in value), []) for kind in kinds), key=len, default=[])
        if isinstance(value, dict):
            return min((self._beyond(view, value, at) for view in self._views(schema)), key=len)
        return []

    def _beyond(self, view: Doc, value: Doc, at: str) -> list[str]:
        declared = view["properties"]
        if view.get("type", "object") != "object":
            return [at]
        if not declared:  # an object of which nothing is said, as custom_attributes
            return []
        deeper = (self.undeclared(declared[key], item, f"{at}.{key}") for key, item in value.items() if key in declared)
        return sum(deeper, [f"{at}.{key}" for key in value if key not in declared])

    def _views(self, schema: Doc) -> list[Doc]:
        """The schema as flat alternatives: each a choice of its branches, with their properties joined."""
        schema = self._resolved(schema)
        choices = [[self._own(schema)]]
        choices += [[view for branch in schema[word] for view in self._views(branch)] for word in ("oneOf", "anyOf") if word in schema]
        choices += [self._views(part) for part in schema.get("allOf", ())]
        return [_joined(views) for views in product(*choices)]

    @staticmethod
    def _own(schema: Doc) -> Doc:
        return {"properties": schema.get("properties", {})} | {word: schema[word] for word in ("items", "type") if word in schema}

    def _resolved(self, schema: Doc) -> Doc:
        while "$ref" in schema:
            _, _, room, name = schema["$ref"].split("/")
            schema = self.document["components"][room][name]
        return schema


def told(error: BaseException) -> str:
    """What is wrong and where, of openapi-core's nested errors."""
    causes = [f"{cause.json_path}: {cause.message[:300]}" for cause in getattr(error.__cause__, "schema_errors", ())]
    return "; ".join(causes) or ": ".join(filter(None, (str(error), str(error.__cause__ or ""))))


def _request(exchange: Exchange) -> MockRequest:
    return MockRequest(
        HOST,
        exchange.method,
        "/" + "/".join(_pieces(exchange.path)),
        args=exchange.query,
        headers={"Authorization": "Bearer not-recorded", "Intercom-Version": exchange.version},
        data=exchange.body.encode(),
    )


def _joined(views: tuple[Doc, ...]) -> Doc:
    joined: Doc = {"properties": {}}
    for view in views:
        joined = joined | view | {"properties": joined["properties"] | view["properties"]}
    return joined


def _json(text: str) -> Any:
    """Nothing where it is none: then the validation has said so."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _pieces(path: str) -> list[str]:
    return [piece for piece in path.split("/") if piece]


def _fits(template: list[str], pieces: list[str]) -> bool:
    return len(template) == len(pieces) and all(own[:1] == "{" or own == given for own, given in zip(template, pieces, strict=True))
