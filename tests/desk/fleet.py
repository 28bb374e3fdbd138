"""A fleet at a desk: many small workspaces behind one port of this process, `fleet.yaml`, and verbs as somebody types them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cli import cli
from reconciler.cli.running import run
from reconciler.fleet.job import Host
from reconciler.fleet.opening import load_fleet, open_host
from reconciler.sandbox import Sandbox, serve
from tests.desk.calling import Caller

# A token long enough that nothing else holds it by chance.
TOKEN = "tok-secret-of-{app_id}"


@dataclass
class FleetDesk:
    """Workspaces by their app ids, and a folder where verbs run."""

    # Where verbs run.
    folder: Path
    # The address that all workspaces lie below.
    url: str
    patch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    # The workspaces.
    boxes: dict[str, Sandbox]
    # What the last verb said, and all that any has said.
    out: str = ""
    err: str = ""
    said: list[str] = field(default_factory=list)

    def add(self, number: int, **seed: Any) -> list[str]:
        """Add so many workspaces, with their tokens in the environment."""
        app_ids = [f"ws{at:03}" for at in range(len(self.boxes), len(self.boxes) + number)]
        for app_id in app_ids:
            token = TOKEN.format(app_id=app_id)
            box = self.boxes[app_id] = Sandbox(token=token, app_id=app_id)
            box.seed(seed)
            self.patch.setenv(f"TOKEN_{app_id}", token)
        return app_ids

    def write(self, name: str, text: str | Mapping[str, Any]) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if isinstance(text, str) else yaml.safe_dump(text, sort_keys=False), encoding="utf-8")

    def fleet(self, *, manifest: str = "tags: [vip]\n", more: Mapping[str, Mapping[str, Any]] | None = None, **keys: Any) -> None:
        """Write fleet.yaml over all workspaces, and a manifest; `more` is what single workspaces have beside."""
        rows = [{"app_id": app_id, "base_url": f"{self.url}/{app_id}", **(more or {}).get(app_id, {})} for app_id in self.boxes]
        head = {"name": "acme", "manifests": ["intercom.yaml"], "token": {"env": "TOKEN_{app_id}"}}
        self.write("intercom.yaml", manifest)
        self.write("fleet.yaml", {**head, **keys, "workspaces": rows})

    def __call__(self, *arguments: str) -> int:
        """The exit code of a verb of the family `fleet`."""
        self.capsys.readouterr()
        code = run(cli, ["fleet", *arguments])
        self.out, self.err = self.capsys.readouterr()
        self.said += [self.out, self.err]
        return code

    def json(self, *arguments: str) -> Any:
        """What a verb prints as JSON, and its exit code as the key `code`."""
        code = self(*arguments, "--format", "json")
        assert self.out, self.err
        return {**json.loads(self.out), "code": code}

    def states(self, *arguments: str) -> dict[str, str]:
        """The state of each workspace, as a verb prints it."""
        return {one["app_id"]: one["state"] for one in self.json(*arguments)["workspaces"]}

    def written(self) -> set[str]:
        """Which workspaces were written to."""
        return {app_id for app_id, box in self.boxes.items() if box.writes}

    def tags(self, app_id: str) -> set[str]:
        return {tag["name"] for tag in self.boxes[app_id].ws.store.table("tag").docs.values()}

    def delete_tag(self, app_id: str, name: str) -> None:
        """Somebody deletes a tag in Intercom."""
        box = self.boxes[app_id]
        (tag,) = (doc["id"] for doc in box.ws.store.table("tag").docs.values() if doc["name"] == name)
        assert Caller(box, box.token)("DELETE", f"/tags/{tag}").status == 200
        box.forget_requests()

    @contextmanager
    def host(self) -> Iterator[Host]:
        """What runs jobs in this process."""
        with open_host(load_fleet("fleet.yaml"), "somebody") as host:
            yield host

    def app(self, environ: Mapping[str, Any], start_response: Any) -> list[bytes]:
        """The workspace that the first segment of the path names answers."""
        _, app_id, rest = str(environ["REQUEST_URI"]).split("/", 2)
        return self.boxes[app_id]({**environ, "REQUEST_URI": f"/{rest}", "PATH_INFO": f"/{rest.partition('?')[0]}"}, start_response)


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[FleetDesk]:
    """No workspace is there yet."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    # They are not looked at.
    monkeypatch.setenv("INTERCOM_ACCESS_TOKEN", "a trap")
    monkeypatch.setenv("INTERCOM_BASE_URL", "https://a.trap.example")
    desk = FleetDesk(folder, "", monkeypatch, capsys, {})
    with serve(lambda environ, start: desk.app(environ, start)) as server:
        desk.url = server.url
        yield desk
