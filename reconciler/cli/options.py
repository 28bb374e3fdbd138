"""Options that several verbs take."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from reconciler.cli.completion import addresses, files
from reconciler.cli.help import Shared
from reconciler.cli.ledger_choice import LOCK_TIMEOUT, VARIABLE, LedgerChoice
from reconciler.errors import Usage
from reconciler.report import RENDERERS

Verb = TypeVar("Verb", bound=Callable[..., Any])

# Options of these blocks look alike in the help of every verb.
connection = functools.partial(click.option, cls=Shared, block="Connection")
ledger = functools.partial(click.option, cls=Shared, block="Ledger")
part = functools.partial(click.option, cls=Shared, block="Part of the plan")
rule = functools.partial(click.option, cls=Shared, block="Limits and approvals")


@dataclass(frozen=True)
class Intercom:
    """Which Intercom, as the command line says it."""

    base_url: str | None
    sandbox: bool
    api_version: str
    share: float = 1.0


def intercom_options(verb: Verb) -> Verb:
    """Adds `--base-url`, `--sandbox` and `--api-version`; the verb gets them as one `intercom`."""

    @connection("--base-url", metavar="URL", envvar="INTERCOM_BASE_URL", help="Instead of the region's host.", show_envvar=True)
    @connection("--sandbox", is_flag=True, help="Use the local workspace in .reconciler/sandbox.db instead of Intercom.")
    @connection("--api-version", default="2.16", show_default=True, type=click.Choice(["2.14", "2.15", "2.16"]), help="Intercom's.")
    @connection("--rate-share", default=1.0, show_default=True, type=click.FloatRange(0.01, 1), help="Our part of the rate limit.")
    @functools.wraps(verb)
    def wrapped(*args: Any, base_url: str | None, sandbox: bool, api_version: str, rate_share: float, **kwargs: Any) -> Any:
        return verb(*args, intercom=Intercom(base_url, sandbox, api_version, rate_share), **kwargs)

    return wrapped  # type: ignore[return-value]  # click decorates a callable and keeps its shape


NAME = ledger("--name", metavar="NAME", help="Whose it is. Default: `name:` of the manifest in this folder, else default.")

REGION = connection("--region", type=click.Choice(["us", "eu", "au"]), help="Default: of the manifest in this folder, else us.")
APP_ID = connection("--app-id", metavar="ID", help="Refuse any other workspace. Default: of the manifest in this folder.")

PATHS = click.argument("paths", metavar="PATH...", nargs=-1, required=True, shell_complete=files)


_HOMES = "postgresql://…, git, git:REMOTE or none; else a file in .reconciler/."
LEDGER = ledger("--ledger", metavar="ADDRESS", default="", envvar=VARIABLE, show_envvar=True, help=_HOMES)

_WAIT = "How long to wait while another run holds the lock."
LOCK = ledger("--lock-timeout", type=click.FloatRange(0), default=LOCK_TIMEOUT, show_default=True, metavar="SECONDS", help=_WAIT)


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
REPORTS = click.option("--report", "reports", multiple=True, metavar="FORMAT=FILE", help="Also write a report; as often as wanted.")
POLICY = rule("--policy", metavar="FILE", shell_complete=files, help="Rules that the manifest may tighten, never loosen.")


def scoped(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--target`, `--exclude` and `--retry-ineffective`."""
    only, but = "Only these addresses, and what they need, as in --target 'tag/*'.", "Not these addresses, nor what needs them."
    verb = part("--retry-ineffective", "retry", is_flag=True, help="Also try again what Intercom did not take before.")(verb)
    verb = part("--exclude", multiple=True, metavar="GLOB", shell_complete=addresses, help=but)(verb)
    return part("--target", multiple=True, metavar="GLOB", shell_complete=addresses, help=only)(verb)


def ruled(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--policy`, `--approve` and `--max-calls`."""
    verb = rule("--max-calls", type=click.IntRange(0), metavar="N", help="Refuse a plan of more calls.")(verb)
    verb = rule("--approve", multiple=True, metavar="HASH:PEOPLE", help="Allow what a refused plan printed this for.")(verb)
    return POLICY(verb)
