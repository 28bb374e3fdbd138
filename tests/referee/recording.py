"""What goes over the wire of every sandbox of a test run: one line for each exchange whose shape is new."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.call import Call, Reply

FOLDER = "RECONCILER_REFEREE"  # the environment variable that names where to record; processes that tests start inherit it

# Keys whose text is part of the shape, because Intercom's description lists what may stand there (a test holds this).
LISTED = frozenset(
    ("consent_type", "content_types", "data_type", "model", "object", "operator")
    + ("order", "person_type", "source_contact_role", "state", "type")
)
FREE = "custom_attributes"  # its keys are the customer's
DEEP = frozenset((dict, list))  # what has a shape of its own


@dataclass(frozen=True)
class Exchange:
    method: str
    path: str  # as sent, still percent-encoded
    place: str | None  # the path with names in it, if it is an endpoint
    version: str
    ours: bool  # sent by our client; of others only the reply counts
    query: dict[str, str]
    body: str
    status: int
    reply: str | None  # none: a fault took its place
    reply_type: str
    test: str

    @property
    def operation(self) -> str:
        return f"{self.method} {self.place or '(no endpoint)'}"

    @property
    def sent_shape(self) -> object:
        """What a request of our client is judged by, beside its operation."""
        return self.version, _query_shape(self.query), shape(_parse(self.body.encode()))

    @property
    def reply_shape(self) -> object:
        """What a reply is judged by, beside its operation."""
        return self.status, self.reply_type, shape(_parse((self.reply or "").encode()))


class Recorder:
    """Told of every exchange of a sandbox; several processes share the folder, and a process that was forked the file."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / f"{os.getpid()}.jsonl"
        self._seen: set[object] = set()

    def __call__(self, box: Sandbox, call: Call, reply: Reply | None) -> None:
        route = box.routes.find(call.method, call.path)
        place = route[0].path if route else None
        version = call.headers.get("intercom-version") or box.settings.default_version
        ours = call.headers.get("user-agent", "").startswith("reconciler/")
        status = reply.status if reply else 0
        asked = _query_shape(call.query) if ours else None
        key = (call.method, place, version, ours, status, asked, _shape_of(call.raw) if ours else None, reply and _shape_of(reply.body))
        if key in self._seen:
            return
        self._seen.add(key)
        sent, got = _parse(call.raw) if ours else None, _parse(reply.body) if reply else None
        self._write(
            Exchange(
                call.method, call.path, place, version, ours, call.query, _text(sent), status, _text(got) if reply else None,
                reply.type if reply else "", os.environ.get("PYTEST_CURRENT_TEST", ""),
            )
        )  # fmt: skip

    def _write(self, exchange: Exchange) -> None:
        """Whole and at once: whoever is killed next loses nothing."""
        line = json.dumps(asdict(exchange)) + "\n"
        with self.file.open("ab", buffering=0) as file:
            file.write(line.encode())


def heard(method: str, target: str, status: int, reply: bytes) -> Exchange:
    """A reply alone, as the sandbox gave it to somebody else."""
    path, _, query = target.partition("?")
    asked = dict(pair.split("=", 1) for pair in query.split("&") if pair)
    return Exchange(method, path, None, "2.16", False, asked, "", status, reply.decode(), "application/json", "")


def record(folder: Path, box: type[Sandbox]) -> None:
    """From here on the sandboxes of this process are recorded there, and nowhere else."""
    box.watchers[:] = [Recorder(folder)]


def read(folder: Path) -> Iterator[Exchange]:
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            yield Exchange(**json.loads(line))


def _parse(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else ""
    except ValueError:
        return raw.decode("utf-8", "replace")


@lru_cache(2000)
def _shape_of(raw: bytes) -> object:
    """Many exchanges have the same body, to the byte."""
    return shape(_parse(raw))


def _query_shape(query: Mapping[str, str]) -> object:
    return shape({name: _typed(value) for name, value in query.items()})


def _typed(text: str) -> object:
    """A value of a query as what it stands for."""
    return {"true": True, "false": False}.get(text, 0 if text.isdecimal() else text)


def _text(value: Any) -> str:
    """Back to what is sent; of a list only one of each shape, since the description never counts."""
    return value if isinstance(value, str) else json.dumps(slim(value))


def shape(value: Any, key: str = "") -> object:
    """Keys and types: all that the description asks about, and the texts that it lists."""
    if isinstance(value, dict) and key == FREE:
        return FREE, frozenset([shape(item) for item in value.values()])
    if isinstance(value, dict):
        return dict, frozenset(
            [(name, shape(item, name) if name in LISTED or type(item) in DEEP else type(item)) for name, item in value.items()]
        )
    if isinstance(value, list):
        return frozenset([shape(item, key) for item in value])
    return value if isinstance(value, str) and key in LISTED else type(value)


def slim(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: slim(item) for name, item in value.items()}
    if isinstance(value, list):
        return [slim(item) for item in {shape(item): item for item in value}.values()]
    return value
