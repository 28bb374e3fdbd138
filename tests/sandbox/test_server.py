"""The sandbox on a port: real connections, dropped ones, control from another process, a clean stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from reconciler.sandbox import Sandbox, serve


@pytest.fixture
def url(box: Sandbox) -> Iterator[str]:
    with serve(box) as server:
        yield server.url


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers["Authorization"] = "Bearer sandbox"
        yield session


def test_one_connection_carries_many_calls(url: str, session: requests.Session) -> None:
    for number in range(20):
        session.post(f"{url}/tags", json={"name": f"tag {number}"}, timeout=5).raise_for_status()
    answered = session.get(f"{url}/tags", timeout=5)
    assert len(answered.json()["data"]) == 20
    assert answered.headers["Content-Type"].startswith("application/json")


def test_a_slash_inside_an_id_survives(url: str, session: requests.Session) -> None:
    session.post(f"{url}/contacts", json={"external_id": "patients/42"}, timeout=5).raise_for_status()
    assert session.get(f"{url}/contacts/find_by_external_id/patients%2F42", timeout=5).json()["external_id"] == "patients/42"


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_dropped_connection_gives_no_answer(box: Sandbox, url: str, session: requests.Session, drop: str) -> None:
    box.faults.add("POST", "/tags", drop=drop)
    with pytest.raises(requests.ConnectionError):
        session.post(f"{url}/tags", json={"name": "vip"}, timeout=5)
    assert len(session.get(f"{url}/tags", timeout=5).json()["data"]) == (drop == "after")


def test_a_body_can_be_cut_in_the_middle(box: Sandbox, url: str, session: requests.Session) -> None:
    box.faults.add("GET", "/tags", body=b'{"type":"list"', headers={"Content-Length": "500"})
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        session.get(f"{url}/tags", timeout=5)
    assert session.get(f"{url}/tags", timeout=5).status_code == 200


def test_our_own_failure_is_500(box: Sandbox, url: str, session: requests.Session, capfd: pytest.CaptureFixture[str]) -> None:
    box.route("GET", "/broken", lambda request: {"x": 1 // 0})
    assert session.get(f"{url}/broken", timeout=5).status_code == 500
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_another_process_controls_it_with_the_token(url: str, session: requests.Session) -> None:
    def control(method: str, name: str, body: object = None) -> requests.Response:
        return session.request(method, f"{url}/_sandbox/{name}", json=body, timeout=5)

    control("POST", "seed", {"tags": ["vip"]}).raise_for_status()
    control("POST", "faults", {"method": "GET", "path": "/tags", "body": "<html>", "status": 502}).raise_for_status()
    assert session.get(f"{url}/tags", timeout=5).text == "<html>"
    assert control("DELETE", "faults").json() == {"faults": 0}
    assert [record["status"] for record in control("GET", "requests").json()["requests"]] == [502]
    assert control("DELETE", "requests").json() == {"requests": []}
    assert control("POST", "settings", {"rate_limit": 2}).json()["settings"]["rate_limit"] == 2
    assert [session.get(f"{url}/tags", timeout=5).status_code for _ in range(2)] == [200, 429]
    assert control("POST", "settings", {"speed": 1}).status_code == 400
    assert control("POST", "seed", {"tagz": []}).status_code == 400
    assert control("POST", "reset").json() == {"reset": True}
    assert control("GET", "nothing").status_code == 404
    assert requests.post(f"{url}/_sandbox/reset", timeout=5).status_code == 401


CHILD = """
from reconciler.sandbox import Sandbox, serve_forever
raise SystemExit(serve_forever(Sandbox(), ready=lambda url: print(url, flush=True)))
"""


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(signum: signal.Signals) -> None:
    root = Path(__file__).parents[2]
    environ = os.environ | {"PYTHONPATH": str(root)}
    with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        url = child.stdout.readline().strip()
        assert requests.get(f"{url}/me", timeout=5).status_code == 401
        child.send_signal(signum)
        assert (child.wait(timeout=10), child.stderr.read()) == (signum, "")
