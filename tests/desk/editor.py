"""An editor that asks yaml-language-server, as VS Code does: https://microsoft.github.io/language-server-protocol."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("yaml-language-server")
Place = tuple[int, int]


@dataclass
class Editor:
    """One server, and the texts that are open in it."""

    # The server.
    process: subprocess.Popen[bytes]
    # What it is set to.
    settings: Mapping[str, Any]
    # The numbers of requests and of texts.
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    # What it said of each text.
    said: dict[str, list[Any]] = field(default_factory=dict)

    def opened(self, text: str) -> str:
        """A text, opened; its address."""
        uri = f"file:///manifest-{next(self.numbers)}.yaml"
        about = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": about})
        return uri

    def complaints(self, text: str) -> list[str]:
        """What it says of a text, as line (from 1) and message."""
        uri = self.opened(text)
        while uri not in self.said:
            self._take(self._read())
        return [f"{complaint['range']['start']['line'] + 1}: {complaint['message']}" for complaint in self.said[uri]]

    def offers(self, uri: str, place: Place) -> dict[str, str]:
        """The keys that it offers at a place, each with what it says of it."""
        answer = self._ask("textDocument/completion", uri, place)
        items = answer["items"] if isinstance(answer, dict) else answer or []
        return {item["label"]: _text(item.get("documentation")) for item in items}

    def explains(self, uri: str, place: Place) -> str:
        """What it shows over a place."""
        return _text((self._ask("textDocument/hover", uri, place) or {}).get("contents"))

    def request(self, method: str, parameters: Any) -> Any:
        number = next(self.numbers)
        self._send({"id": number, "method": method, "params": parameters})
        while True:
            message = self._read()
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message
                return message["result"]
            self._take(message)

    def _ask(self, method: str, uri: str, place: Place) -> Any:
        position = {"line": place[0], "character": place[1]}
        return self.request(method, {"textDocument": {"uri": uri}, "position": position})

    def _tell(self, method: str, parameters: Any) -> None:
        self._send({"method": method, "params": parameters})

    def _take(self, message: Mapping[str, Any]) -> None:
        """A message that is no answer of ours: a complaint, or a question."""
        if message.get("method") == "textDocument/publishDiagnostics":
            self.said[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "id" in message and "method" in message:
            items = message["params"].get("items", []) if message["method"] == "workspace/configuration" else None
            result = None if items is None else [self.settings.get(item.get("section", ""), {}) for item in items]
            self._send({"id": message["id"], "result": result})

    def _send(self, message: Mapping[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def _read(self) -> Any:
        assert self.process.stdout
        length = 0
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert length, "the server ended"
        return json.loads(self.process.stdout.read(length))


def _text(shown: Any) -> str:
    return shown.get("value", "") if isinstance(shown, dict) else shown or ""


@contextmanager
def editor(schema: Path) -> Iterator[Editor]:
    """An editor that has attached a schema to every text."""
    assert PROGRAM
    yaml = {"schemas": {schema.as_uri(): "*.yaml"}, "completion": True, "hover": True, "validate": True, "schemaStore": {"enable": False}}
    with subprocess.Popen([PROGRAM, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            found = Editor(process, {"yaml": yaml})
            able = {"workspace": {"configuration": True, "didChangeConfiguration": {"dynamicRegistration": True}}}
            found.request("initialize", {"processId": None, "rootUri": None, "capabilities": able})
            found._tell("initialized", {})
            found._tell("workspace/didChangeConfiguration", {"settings": {"yaml": yaml}})
            # It reads the schema for the first text.
            found.complaints("name: x\n")
            yield found
        finally:
            process.kill()
