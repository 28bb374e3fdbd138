"""The command line as a process of its own, and a workspace behind a real port that is told and asked over HTTP."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Doc = dict[str, Any]
RECONCILER = (sys.executable, "-c", "from reconciler.cli import main; main()")
PATIENCE = 60.0


def until(there: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait for what is to come; whatever it was that came."""
    ends = time.monotonic() + seconds
    while not (found := there()):
        assert time.monotonic() < ends, "it did not come"
        time.sleep(0.005)
    return found


@dataclass
class Workspace:
    """A sandbox in another process, or in this one, as somebody with nothing but HTTP sees it."""

    url: str
    token: str = "sandbox"

    def ask(self, method: str, path: str, body: object = None, absent: int = 0) -> Doc:
        """What it answers; nothing where it says `absent`."""
        with closing(HTTPConnection(urlsplit(self.url).netloc, timeout=PATIENCE)) as connection:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", "Intercom-Version": "2.16"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            found: Doc = json.loads(answer.read())
        assert answer.status in (200, absent), (method, path, found)
        return found if answer.status == 200 else {}

    def tell(self, method: str, knob: str, body: object = None) -> Doc:
        return self.ask(method, f"/_sandbox/{knob}", body)

    def start_anew(self, seed: Doc) -> None:
        """As new, with these live things, and all knobs where they were."""
        self.tell("POST", "reset")
        self.set(search_delay=0.0, clock_offset=0.0, rate_limit=None, archive_delay=0.0)
        self.tell("POST", "seed", seed)
        self.tell("DELETE", "requests")

    def set(self, **knobs: float | None) -> None:
        self.tell("POST", "settings", knobs)

    def slow_writes(self, seconds: float) -> None:
        """Every write takes this long; reads do not."""
        for method, path in (("POST", r"^/(?!contacts/search)"), ("PUT", ""), ("DELETE", "")):
            self.tell("POST", "faults", {"method": method, "path": path, "delay": seconds, "times": None})

    def mend(self) -> None:
        self.tell("DELETE", "faults")

    @property
    def writes(self) -> list[Doc]:
        """The writes that came in since `forget`, oldest first."""
        found: list[Doc] = self.tell("GET", "requests")["writes"]
        return found

    def striking(self) -> int:
        """How many calls met a fault so far, those that are still delayed included."""
        return int(self.tell("GET", "faults")["hits"])

    @property
    def requests(self) -> list[Doc]:
        found: list[Doc] = self.tell("GET", "requests")["requests"]
        return found

    def forget(self) -> None:
        self.tell("DELETE", "requests")

    def pages(self, path: str, key: str, size: int) -> Iterator[Doc]:
        """Every thing of a listing with numbered pages."""
        page, last = 1, 1
        while page <= last:
            found = self.ask("GET", f"{path}?page={page}&per_page={size}")
            last = found["pages"]["total_pages"]
            yield from found[key]
            page += 1


@dataclass
class Desk:
    """Somebody's folder, with a manifest in it and the command line at hand."""

    folder: Path
    workspace: Workspace
    more: dict[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        bare = {name: value for name, value in os.environ.items() if not name.startswith(("INTERCOM_", "GITHUB_", "CI"))}
        return bare | {"INTERCOM_ACCESS_TOKEN": self.workspace.token, "INTERCOM_BASE_URL": self.workspace.url} | self.more

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A verb to its end, without a terminal."""
        told = {"cwd": self.folder, "env": self.environ, "stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
        return subprocess.run([*RECONCILER, *arguments], timeout=PATIENCE, **told)  # type: ignore[call-overload, no-any-return]  # one place for how

    def ends(self, code: int, *arguments: str) -> str:
        """A verb that ends with this exit code; what it wrote on stdout."""
        done = self.run(*arguments)
        assert done.returncode == code, f"{' '.join(arguments)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return str(done.stdout)

    @contextmanager
    def under_way(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A verb that goes on; it is gone afterwards."""
        pipe = subprocess.PIPE
        with subprocess.Popen(
            [*RECONCILER, *arguments], cwd=self.folder, env=self.environ, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def write(self, text: str, name: str = "intercom.yaml") -> str:
        (self.folder / name).write_text(text, encoding="utf-8")
        return name

    def memory(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        """Ask the ledger's own tables, or turn them."""
        with closing(sqlite3.connect(self.folder / ".reconciler" / "ledger.db")) as database, database:
            return database.execute(query, values).fetchall()

    def unanswered(self) -> int:
        """How many writes were intended and have no outcome."""
        (found,) = self.memory("SELECT count(*) FROM writes WHERE outcome IS NULL")
        return int(found[0])

    def pass_minutes(self, minutes: int) -> None:
        """All that the ledger remembers happened so much earlier."""
        self.memory("UPDATE writes SET intended = intended - ?, settled = settled - ?", (minutes * 60, minutes * 60))
