"""Options that several verbs take."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from reconciler.cli.ledger_choice import LOCK_TIMEOUT, VARIABLE, LedgerChoice
from reconciler.errors import Usage
from reconciler.report import RENDERERS

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


NAME = click.option("--name", metavar="NAME", help="Whose it is. Default: `name:` of the manifest in this folder, else default.")

REGION = click.option("--region", type=click.Choice(["us", "eu", "au"]), help="Default: of the manifest in this folder, else us.")
APP_ID = click.option("--app-id", metavar="ID", help="Refuse any other workspace. Default: of the manifest in this folder.")

PATHS = click.argument("paths", metavar="PATH...", nargs=-1, required=True)


_HOMES = "postgresql://…, git, git:REMOTE or none; else a file in .reconciler/."
LEDGER = click.option("--ledger", metavar="ADDRESS", default="", envvar=VARIABLE, show_envvar=True, help=_HOMES)

_WAIT = "How long to wait while another run holds the lock."
LOCK = click.option("--lock-timeout", type=click.FloatRange(0), default=LOCK_TIMEOUT, show_default=True, metavar="SECONDS", help=_WAIT)


def ledger_options(verb: Verb) -> Verb:
    """Adds `--ledger`; the verb gets it as `memory`."""

    @LEDGER
    @functools.wraps(verb)
    def wrapped(*args: Any, ledger: str, **kwargs: Any) -> Any:
        return verb(*args, memory=_memory(ledger, LOCK_TIMEOUT), **kwargs)

    return wrapped  # type: ignore[return-value]  # click decorates a callable and keeps its shape


def lock_options(verb: Verb) -> Verb:
    """Adds `--ledger` and `--lock-timeout`; the verb gets them as `memory`."""

    @LEDGER
    @LOCK
    @functools.wraps(verb)
    def wrapped(*args: Any, ledger: str, lock_timeout: float, **kwargs: Any) -> Any:
        return verb(*args, memory=replace(_memory(ledger, lock_timeout), must=True), **kwargs)

    return wrapped  # type: ignore[return-value]  # click decorates a callable and keeps its shape


def _memory(address: str, timeout: float) -> LedgerChoice:
    from reconciler.ledger.homes.choice import has_password

    if has_password(address) and click.get_current_context().get_parameter_source("ledger") is ParameterSource.COMMANDLINE:
        text = "--ledger shows a password to whoever lists processes"
        raise Usage(f"{text}: put the address into {VARIABLE}, or the password into ~/.pgpass")
    if not math.isfinite(timeout):
        raise Usage("--lock-timeout: write a number of seconds")
    return LedgerChoice(address, timeout)


FORMAT = click.option("--format", "form", type=click.Choice(sorted(RENDERERS)), default="text", show_default=True)


def scoped(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--target`, `--exclude` and `--retry-ineffective`."""
    verb = click.option("--retry-ineffective", "retry", is_flag=True, help="Also try again what Intercom did not take before.")(verb)
    verb = click.option("--exclude", multiple=True, metavar="GLOB", help="Not these addresses, nor what needs them.")(verb)
    return click.option("--target", multiple=True, metavar="GLOB", help="Only these addresses, and what they need.")(verb)


def ruled(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--policy`, `--approve` and `--max-calls`."""
    verb = click.option("--max-calls", type=click.IntRange(0), metavar="N", help="Refuse a plan of more calls.")(verb)
    verb = click.option("--approve", multiple=True, metavar="HASH:PEOPLE", help="Allow what a refused plan printed this for.")(verb)
    return click.option("--policy", metavar="FILE", help="Rules that the manifest may tighten, never loosen.")(verb)
