"""Intercom's official SDK, and a sandbox on a real port for it to talk to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from intercom import Intercom

from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.server import serve

APP = {"client_id": "c1", "client_secret": "s1", "redirect_uris": ["https://a.example/back"]}
MakeSdk = Callable[..., Intercom]


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox(tokens={"reader": ["write_users"]}) as box:
        box.seed({"oauth_apps": [APP]})
        yield box


@pytest.fixture
def make_sdk(box: Sandbox) -> Iterator[MakeSdk]:
    with ExitStack() as stack:
        serving = stack.enter_context(serve(box))
        client = stack.enter_context(httpx.Client(timeout=60, trust_env=False))

        def make(token: str = "sandbox", version: str = "2.16") -> Intercom:
            # It sends no version of its own (python-intercom 5.0.1).
            return Intercom(base_url=serving.url, token=token, headers={"Intercom-Version": version}, httpx_client=client)

        yield make


@pytest.fixture
def sdk(make_sdk: MakeSdk) -> Intercom:
    return make_sdk()


@pytest.fixture
def raw(sdk: Intercom) -> Callable[..., httpx.Response]:
    """Any call, with the SDK's own transport: token and version are on it; `raw("GET", "me")`."""

    def send(method: str, path: str, **how: Any) -> httpx.Response:
        return sdk._client_wrapper.httpx_client.request(path, method=method, **how)

    return send
