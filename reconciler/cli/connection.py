"""The options that say which Intercom is meant, and the connection that comes of them."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from reconciler.cli.running import HOME, SANDBOX, Stop, whoever
from reconciler.core.gates import pinned
from reconciler.core.resource import Pin, Workspace
from reconciler.errors import Refused
from reconciler.report.terminal import Terminal

if TYPE_CHECKING:
    from reconciler.cli.memory import Memory
    from reconciler.intercom.http import Client
    from reconciler.intercom.token import Token
    from reconciler.workflow import Session

Verb = TypeVar("Verb", bound=Callable[..., Any])


@dataclass(frozen=True)
class Intercom:
    """Which Intercom, as the command line says it."""

    base_url: str | None
    sandbox: bool
    api_version: str
    share: float = 1.0


def intercom_options(verb: Verb) -> Verb:
    """Adds `--base-url`, `--sandbox` and `--api-version`; the verb gets them as one `intercom`."""

    @click.option("--base-url", metavar="URL", envvar="INTERCOM_BASE_URL", help="Instead of the region's host.", show_envvar=True)
    @click.option("--sandbox", is_flag=True, help="Use the local workspace in .reconciler/sandbox.db instead of Intercom.")
    @click.option("--api-version", default="2.16", show_default=True, type=click.Choice(["2.14", "2.15", "2.16"]), help="Intercom's.")
    @click.option("--rate-share", default=1.0, show_default=True, type=click.FloatRange(0.01, 1), help="Our part of the rate limit.")
    @functools.wraps(verb)
    def wrapped(*args: Any, base_url: str | None, sandbox: bool, api_version: str, rate_share: float, **kwargs: Any) -> Any:
        return verb(*args, intercom=Intercom(base_url, sandbox, api_version, rate_share), **kwargs)

    return wrapped  # type: ignore[return-value]  # click decorates a callable and keeps its shape


@contextmanager
def connected(intercom: Intercom, pin: Pin | None, *, writes: bool, memory: Memory | None = None, **rest: Any) -> Iterator[Session]:
    """A session with the workspace that is meant; closed afterwards. `memory` is the ledger to use, if any; `writes` makes one where
    there is none yet."""
    from reconciler import workflow
    from reconciler.cli.tokens import credential, named

    found = credential(intercom, pin)
    region = (pin.region if pin else None) or found.region
    with named(found.source), opened(intercom, found.token, region, writes=writes) as client:
        ledger = memory.open(create=writes) if memory else None
        try:
            yield workflow.connect(client, ledger, who=whoever(), images=memory.images() if memory else None, **rest)
        finally:
            if ledger:
                ledger.close()


@contextmanager
def opened(intercom: Intercom, token: Token | None, region: str | None, *, writes: bool = False) -> Iterator[Client]:
    """A client of the Intercom that is meant, with this token or none."""
    from reconciler.intercom.http import REGIONS, Client

    how: dict[str, Any] = {"version": intercom.api_version, "share": intercom.share, "stop": Stop(), "notice": Terminal(sys.stderr).say}
    if intercom.sandbox:
        from reconciler.intercom.wsgi import WsgiAdapter

        with _sandbox(writes) as box, Client("http://127.0.0.1", token, adapter=WsgiAdapter(box), **how) as client:
            yield client
        return
    with Client(intercom.base_url or REGIONS[region or "us"], token, **how) as client:
        yield client


@contextmanager
def _sandbox(writes: bool) -> Iterator[Any]:
    from reconciler.sandbox import Sandbox

    kept = writes or SANDBOX.exists()
    if kept:
        HOME.mkdir(mode=0o700, exist_ok=True)
    with Sandbox(SANDBOX if kept else None) as box:
        yield box


def pin_of_folder(region: str | None, app_id: str | None) -> Pin:
    """Which workspace a verb without PATH means: its options, else the manifest in the current folder."""
    from reconciler import workflow

    found = None
    if region is None or app_id is None:
        found = workflow.pin_in(_of_folder())
    if found and app_id not in (None, found.app_id):
        found = None  # the region of another workspace says nothing
    return Pin(app_id or (found.app_id if found else None), region or (found.region if found else None))


def name_in_folder() -> str | None:
    """The `name:` of the manifest in the current folder, if there is one that has it."""
    from reconciler import workflow

    return workflow.name_in(_of_folder())


def _of_folder() -> list[str]:
    return sorted(str(path) for suffix in ("*.yaml", "*.yml") for path in Path().glob(suffix))


def check_pin(pin: Pin | None, session: Session) -> None:
    """Raises Refused when the token belongs to another workspace than the one that is meant."""
    refuse_other(pin, session.here)


def refuse_other(pin: Pin | None, here: Workspace) -> None:
    """The gate `workspace`, for verbs that make no plan."""
    for refusal in pinned(pin, here):
        raise Refused([str(refusal)])
