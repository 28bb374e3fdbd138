"""A WSGI app in place of a network: the embedded sandbox answers in-process, through the same client."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPHeaderDict, HTTPResponse

PORTS = {"http": "80", "https": "443"}


class WsgiAdapter(BaseAdapter):
    """Sends requests to `app`. What the app raises stands for the network.

    ConnectionRefusedError: nothing arrived; TimeoutError: no answer in time; any other ConnectionError: dropped after sending.
    """

    def __init__(self, app: WSGIApplication) -> None:
        super().__init__()
        self.app = app

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: object = None,
        verify: object = True,
        cert: object = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        try:
            return response_to(request, *call(self.app, environ_of(request)))
        except ConnectionRefusedError:
            raise requests.exceptions.ConnectTimeout("the app refused the connection", request=request) from None
        except ConnectionError:
            raise requests.exceptions.ConnectionError("the app dropped the connection", request=request) from None
        except TimeoutError:
            raise requests.exceptions.ReadTimeout("the app gave no answer", request=request) from None

    def close(self) -> None:
        """Nothing is held open."""


def environ_of(request: requests.PreparedRequest) -> WSGIEnvironment:
    """PEP 3333's environment; REQUEST_URI keeps the path as it was sent, where `a%2Fb` is still one segment."""
    url = urlsplit(request.url or "")
    body = request.body or b""
    content = body.encode() if isinstance(body, str) else bytes(body)
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(url.path or "/").decode("latin-1"),
        "QUERY_STRING": url.query,
        "REQUEST_URI": f"{url.path or '/'}?{url.query}" if url.query else url.path or "/",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(content),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    return environ | server_of(url) | headers_of(request.headers)


def server_of(url: SplitResult) -> dict[str, str]:
    host = url.hostname or ""
    return {"SERVER_NAME": host, "SERVER_PORT": str(url.port or PORTS[url.scheme]), "HTTP_HOST": url.netloc}


def headers_of(headers: Mapping[str, str]) -> dict[str, str]:
    variables = {name.upper().replace("-", "_"): value for name, value in headers.items()}
    return {name if name == "CONTENT_TYPE" else f"HTTP_{name}": value for name, value in variables.items() if name != "CONTENT_LENGTH"}


def call(app: WSGIApplication, environ: WSGIEnvironment) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status, headers and whole body."""
    starts: list[tuple[str, list[tuple[str, str]]]] = []
    chunks: list[bytes] = []

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        starts[:] = [(status, headers)]
        return chunks.append

    starter: StartResponse = start
    result = app(environ, starter)
    try:
        chunks.extend(result)
    finally:
        close(result)
    status, headers = starts[0]
    return status, headers, b"".join(chunks)


def close(result: Iterable[bytes]) -> None:
    if (closing := getattr(result, "close", None)) is not None:
        closing()


def response_to(request: requests.PreparedRequest, status: str, headers: list[tuple[str, str]], body: bytes) -> requests.Response:
    number, _, reason = status.partition(" ")
    response = requests.Response()
    response.status_code, response.reason = int(number), reason
    response.headers = CaseInsensitiveDict(headers)
    response.url, response.request = request.url or "", request
    # urllib3's own response undoes gzip and holds Content-Length against what came, as it does on a socket.
    response.raw = HTTPResponse(
        body=io.BytesIO(body),
        headers=HTTPHeaderDict(headers),
        status=response.status_code,
        reason=reason,
        request_method=request.method,
        preload_content=False,
        decode_content=False,
    )
    return response
