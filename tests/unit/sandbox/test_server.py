"""The sandbox on a port: real connections, dropped ones, control from another process, a clean stop."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests

from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.server import serve
from tests import ROOT


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
        session.post(f"{url}/tags", json={"name": f"tag {number}"}, timeout=30).raise_for_status()
    answered = session.get(f"{url}/tags", timeout=30)
    assert len(answered.json()["data"]) == 20
    assert answered.headers["Content-Type"].startswith("application/json")


def test_a_slash_inside_an_id_survives(url: str, session: requests.Session) -> None:
    session.post(f"{url}/contacts", json={"external_id": "patients/42"}, timeout=30).raise_for_status()
    assert session.get(f"{url}/contacts/find_by_external_id/patients%2F42", timeout=30).json()["external_id"] == "patients/42"


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_dropped_connection_gives_no_answer(box: Sandbox, url: str, session: requests.Session, drop: str) -> None:
    box.faults.add("POST", "/tags", drop=drop)
    with pytest.raises(requests.ConnectionError):
        session.post(f"{url}/tags", json={"name": "vip"}, timeout=30)
    assert len(session.get(f"{url}/tags", timeout=30).json()["data"]) == (drop == "after")


def test_a_body_can_be_cut_in_the_middle(box: Sandbox, url: str, session: requests.Session) -> None:
    box.faults.add("GET", "/tags", body=b'{"type":"list"', headers={"Content-Length": "500"})
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        session.get(f"{url}/tags", timeout=30)
    assert session.get(f"{url}/tags", timeout=30).status_code == 200


def test_our_own_failure_is_500(box: Sandbox, url: str, session: requests.Session, capfd: pytest.CaptureFixture[str]) -> None:
    box.route("GET", "/broken", lambda request: {"x": 1 // 0})
    assert session.get(f"{url}/broken", timeout=30).status_code == 500
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_another_process_controls_it_with_the_token(url: str, session: requests.Session) -> None:
    def control(method: str, name: str, body: object = None) -> requests.Response:
        return session.request(method, f"{url}/_sandbox/{name}", json=body, timeout=30)

    control("POST", "seed", {"tags": ["vip"]}).raise_for_status()
    control("POST", "faults", {"method": "GET", "path": "/tags", "body": "<html>", "status": 502}).raise_for_status()
    assert session.get(f"{url}/tags", timeout=30).text == "<html>"
    assert control("DELETE", "faults").json() == {"faults": 0}
    assert [record["status"] for record in control("GET", "requests").json()["requests"]] == [502]
    assert control("DELETE", "requests").json() == {"requests": []}
    assert control("POST", "settings", {"rate_limit": 2}).json()["settings"]["rate_limit"] == 2
    assert [session.get(f"{url}/tags", timeout=30).status_code for _ in range(2)] == [200, 429]
    assert control("POST", "settings", {"speed": 1}).status_code == 400
    assert control("POST", "seed", {"tagz": []}).status_code == 400
    assert control("POST", "reset").json() == {"reset": True}
    assert control("GET", "nothing").status_code == 404
    assert requests.post(f"{url}/_sandbox/reset", timeout=30).status_code == 401


def raw(url: str, *lines: str, body: bytes = b"") -> bytes:
    """All that the server answers to these lines, and a body, until it hangs up."""
    host = urlsplit(url)
    with socket.create_connection((host.hostname or "", host.port or 0), timeout=5) as connection:
        connection.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1") + body)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


TOKEN = "Authorization: Bearer sandbox"
CREATE = ("POST /tags HTTP/1.1", "Host: localhost", TOKEN, "Content-Type: application/json")


@pytest.mark.parametrize(
    ("length", "status"),
    [
        ("many", 400),
        ("-1", 400),
        ("1e3", 400),
        ("٣", 400),
        ("\udcb2", 400),
        ("9" * 5000, 413),
        ("99999999999", 413),
        ("1\r\nContent-Length: 2", 400),
    ],
)
def test_a_length_that_is_none_is_refused_and_the_connection_ends(
    box: Sandbox, url: str, capfd: pytest.CaptureFixture[str], length: str, status: int
) -> None:
    answer = raw(url, *CREATE, f"Content-Length: {length.encode('utf-8', 'surrogateescape').decode('latin-1')}", body=b'{"name":"vip"}')
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b'"type": "error.list"' in answer
    assert (capfd.readouterr().err, box.requests) == ("", [])


def test_a_body_in_chunks_is_refused(url: str) -> None:
    assert raw(url, *CREATE, "Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n").startswith(b"HTTP/1.1 411 ")


def test_a_body_that_is_nested_too_deeply_is_no_json(box: Sandbox, url: str, session: requests.Session) -> None:
    for path in ("tags", "contacts/search", "_sandbox/seed"):
        assert session.post(f"{url}/{path}", data=b'{"a":' * 100_000 + b"1" + b"}" * 100_000, timeout=5).status_code == 400


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Host: 127.0.0.1:1", 200),
        ("Host: localhost", 200),
        ("Host: [::1]:80", 200),
        ("Host: shop.example", 403),
        ("Host: 127.0.0.1.shop.example", 403),
        ("Host: [", 403),
        ("Host: localhost\r\nOrigin: http://localhost:3000", 200),
        ("Host: localhost\r\nOrigin: https://shop.example", 403),
        ("Host: localhost\r\nOrigin: null", 403),
        ("Host: localhost\r\nOrigin: ", 403),
    ],
)
def test_a_page_of_somebody_elses_cannot_reach_it_through_a_browser(url: str, header: str, status: int) -> None:
    answer = raw(url, "GET /me HTTP/1.1", TOKEN, "Connection: close", header)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


CHILD = """
from reconciler.sandbox import Sandbox, serve_forever
raise SystemExit(serve_forever(Sandbox(), ready=lambda url: print(url, flush=True)))
"""


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(signum: signal.Signals) -> None:
    root = ROOT
    environ = os.environ | {"PYTHONPATH": str(root)}
    with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        url = child.stdout.readline().strip()
        assert requests.get(f"{url}/me", timeout=30).status_code == 401
        child.send_signal(signum)
        assert (child.wait(timeout=60), child.stderr.read()) == (signum, "")
