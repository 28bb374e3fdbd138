"""A stand-in for the parts of GitLab's API that the pipeline uses, and a runner in small for its jobs."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from tests.ci.conftest import CI, Repository
from tests.ci.hub import Hub
from tests.ci.test_lint import loaded

PROJECT = "/api/v4/projects/1/"


@dataclass
class GitLab:
    """What lies on GitLab's side. `helps`: the runner gives git its token by a helper, and not in the URL (FF_GIT_URLS_WITHOUT_TOKENS).
    `tree` is what the last job had checked out."""

    repository: Repository
    hub: Hub
    helps: bool = False
    url: str = ""
    packages: dict[str, bytes] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    artifacts: dict[str, bytes] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    log: str = ""
    tree: Repository = field(init=False)

    def job(self, name: str, **more: str) -> int:
        """Run the script of a job as the runner does, in one shell; its exit code. A job begins in a fresh checkout."""
        self.tree = self._checkout()
        workflow = loaded(CI / "gitlab/.gitlab-ci.yml")
        lines = workflow[name]["script"]
        for file, content in self.artifacts.items() if workflow[name].get("needs") else ():
            (self.tree.path / file).parent.mkdir(exist_ok=True)
            (self.tree.path / file).write_bytes(content)
        env = {n: v for n, v in self.repository.env.items() if n not in ("INTERCOM_ACCESS_TOKEN", "RECONCILER_LEDGER_KEY")}
        env |= {n: v for n, v in workflow["variables"].items() if "$" not in v}
        env |= {"CI_API_V4_URL": self.url, "CI_PROJECT_ID": "1", "CI_JOB_TOKEN": "job", "NOTES_TOKEN": "notes"}
        env["CI_PROJECT_URL"] = f"{self.hub.url}/remote"
        env |= {"PLANS": f"{self.url}/projects/1/packages/generic/intercom-plan", "CI_MERGE_REQUEST_IID": "7"}
        env |= {"CI_DEFAULT_BRANCH": "main", "CI_COMMIT_SHA": self.tree.git("rev-parse", "HEAD")}
        command = ["bash", "-e", "-o", "pipefail", "-c", "\n".join(lines)]
        done = subprocess.run(command, cwd=self.tree.path, env={**env, **more}, capture_output=True, text=True, timeout=180)
        self.log = done.stdout + done.stderr
        kept = [self.tree.path / file for file in workflow[name].get("artifacts", {}).get("paths", ())]
        self.artifacts = {str(path.relative_to(self.tree.path)): path.read_bytes() for path in kept if path.exists()}
        return done.returncode

    def _checkout(self) -> Repository:
        address = f"{self.hub.url}/remote.git"
        if not self.helps:
            return self.repository.checkout(address.replace("://", "://gitlab-ci-token:job@"))
        tree = self.repository.checkout(address)
        tree.git("config", f"credential.{self.hub.url}.helper", "!f() { echo username=gitlab-ci-token; echo password=job; }; f")
        return tree

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> Any:
        asks = re.match(r"merge_requests(\?|$|/\d+$)", path)
        wanted = ("JOB-TOKEN", "job") if path.startswith("packages/") else ("PRIVATE-TOKEN", "request" if asks else "notes")
        if headers.get(wanted[0]) != wanted[1]:
            self.refused.append(path)
            return None
        if path.startswith("packages/"):
            if method == "PUT":
                self.packages[path] = body
                return {"message": "201 Created"}
            return self.packages.get(path)
        query = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if re.fullmatch(r"repository/commits/[0-9a-f]{40}/merge_requests", path):
            return [{"iid": 7}]
        if asks:
            reply = _of(self.requests, method, path.partition("?")[0], query)
            branch = parse_qs(path.partition("?")[2]).get("source_branch")
            return [one for one in reply if [one["source_branch"]] == branch] if method == "GET" else reply
        return _of(self.notes if "/notes" in path else self.issues, method, path.partition("?")[0], query)


def _of(items: list[dict[str, Any]], method: str, path: str, query: dict[str, str]) -> Any:
    if len(query.get("body", query.get("description", ""))) > 1_000_000:
        return None
    if method == "POST":
        items.append({"id": len(items) + 1, "iid": len(items) + 1, "state": "opened", **query})
        return items[-1]
    if method == "PUT":
        item = items[int(path.rpartition("/")[2]) - 1]
        item.update(query | ({"state": "closed"} if query.get("state_event") == "close" else {}))
        return item
    return [item for item in items if item["state"] == "opened"]


@contextmanager
def gitlab(repository: Repository, hub: Hub) -> Iterator[GitLab]:
    """GitLab's side on a port of its own. A job's token may read, and that of the ledger write."""
    hub.rights |= {"job": "read", "ledger": "write", "request": "write"}
    lab = GitLab(repository, hub)

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            assert re.match(PROJECT, self.path)
            told = lab.answer(self.command, self.path.removeprefix(PROJECT), self.headers, body)
            content = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(404 if told is None else 200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = answer

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    lab.url = f"http://127.0.0.1:{server.server_address[1]}/api/v4"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield lab
    finally:
        server.shutdown()
        server.server_close()
