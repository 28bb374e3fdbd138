"""Processes of their own over real HTTP: a served sandbox with its knobs, and the command line, forked or started (`Shell.real`)."""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.desk.forkserver import REAL, Process, programs

Doc = dict[str, Any]
Running = Process | subprocess.Popen[str]
TOKEN = "tok-5eC7etc0ffee5eC7etc0ffee="


@dataclass(frozen=True)
class Ended:
    """How a verb ended, and what it said."""

    code: int
    out: str
    err: str

    def __post_init__(self) -> None:
        for text in (self.out, self.err):
            assert TOKEN not in text
            assert "Traceback" not in text

    @property
    def all(self) -> str:
        return self.out + self.err

    @property
    def ids(self) -> list[str]:
        return self.out.split()

    def documents(self) -> list[Any]:
        """JSON documents, one after the other."""
        parts, rest = [], self.out.strip()
        while rest:
            document, end = json.JSONDecoder().raw_decode(rest)
            parts.append(document)
            rest = rest[end:].lstrip()
        return parts


@dataclass
class Box:
    """A sandbox in another process, through its API and its `/_sandbox/` knobs."""

    url: str

    def __post_init__(self) -> None:
        url = urlsplit(self.url)
        self._connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=30)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """What it answers; None where it says no."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", "Accept": "application/json"}
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)
        reply = self._connection.getresponse()
        document = json.loads(reply.read() or b"{}")
        return document if reply.status < 400 else None

    def close(self) -> None:
        self._connection.close()

    def start(self, seed: Doc, **settings: Any) -> None:
        """As new, with these knobs and these live things; nothing recorded."""
        self.call("DELETE", "/_sandbox/faults")
        self.call("POST", "/_sandbox/settings", {"search_delay": 0, "rate_limit": None, "archive_delay": 0, "clock_offset": 0, **settings})
        self.call("POST", "/_sandbox/reset")
        assert self.call("POST", "/_sandbox/seed", seed)
        self.forget()

    def fault(self, **how: Any) -> None:
        assert self.call("POST", "/_sandbox/faults", how)

    def calm(self) -> None:
        self.call("DELETE", "/_sandbox/faults")

    def forget(self) -> None:
        self.call("DELETE", "/_sandbox/requests")

    def hits(self) -> int:
        """How many calls met a fault so far, those that are still delayed included."""
        return int(self.call("GET", "/_sandbox/faults")["hits"])

    def writes(self) -> list[Doc]:
        answer: list[Doc] = self.call("GET", "/_sandbox/requests")["writes"]
        return answer

    def wait_for_writes(self, number: int, seconds: float = 60.0) -> None:
        until(lambda: len(self.writes()) >= number, seconds)


def until(there: Callable[[], object], seconds: float = 60.0) -> None:
    ends = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < ends, "it did not come"
        time.sleep(0.005)


@contextmanager
def served(data: Path, *options: str) -> Iterator[Box]:
    """`reconciler sandbox serve` in a process of its own."""
    command = ["sandbox", "serve", "--port", "0", "--data", str(data), "--token", TOKEN, *options]
    process = Process(command, data.parent, os.environ)
    ready, _, _ = select.select([process.stdout], [], [], 60)
    assert ready, "the sandbox did not say where it is"
    box = Box(process.stdout.readline().strip())
    try:
        yield box
    finally:
        box.close()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(60)
        assert "Traceback" not in err, err


@dataclass
class Shell:
    """A folder in which verbs run. `real`: each starts Python, as it does for people."""

    folder: Path
    box: Box
    environ: Mapping[str, str] = field(default_factory=dict)
    real: bool = False

    def write(self, name: str, text: str | Doc) -> Path:
        path = self.folder / name
        path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
        return path

    def env(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("INTERCOM_", "RECONCILER_", "CI", "GITHUB_"))}
        return {**kept, "INTERCOM_ACCESS_TOKEN": TOKEN, "INTERCOM_BASE_URL": self.box.url, **self.environ}

    def spawn(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> Running:
        if not self.real:
            return Process(arguments, self.folder, self.env(), stdin)
        pipe = subprocess.PIPE
        return subprocess.Popen([*REAL, *arguments], cwd=self.folder, env=self.env(), text=True, stdin=stdin, stdout=pipe, stderr=pipe)

    def run(self, *arguments: str) -> Ended:
        return ended(self.spawn(*arguments))

    def kill(self, number: int, *arguments: str, delay: float = 0.01) -> None:
        """Start a verb and kill it after so many writes; each call is `delay` seconds late, so that it is in the midst of others."""
        self.box.fault(delay=delay, times=None)
        process = self.spawn(*arguments)
        self.box.wait_for_writes(number)
        process.kill()
        assert ended(process).code == -signal.SIGKILL
        self.box.calm()

    def sh(self, script: str) -> Ended:
        """A line of shell."""
        env = self.env()
        env["PATH"] = f"{Path(sys.executable).parent if self.real else programs()}:{env['PATH']}"
        how: Doc = {"cwd": self.folder, "env": env, "capture_output": True, "text": True, "timeout": 60}
        done = subprocess.run(["bash", "-o", "pipefail", "-c", script], check=False, **how)
        return Ended(done.returncode, done.stdout, done.stderr)


def ended(process: Running, seconds: float = 60.0) -> Ended:
    out, err = process.communicate(timeout=seconds)
    assert process.returncode is not None
    return Ended(process.returncode, out, err)


def outcomes_of(folder: Path) -> Sequence[str | None]:
    """What the ledger in a folder says became of every write, None where it does not know."""
    import sqlite3

    with sqlite3.connect(f"file:{folder / '.reconciler' / 'ledger.db'}?mode=ro", uri=True) as database:
        return [row[0] for row in database.execute("SELECT outcome FROM writes ORDER BY id")]
