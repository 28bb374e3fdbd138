"""Options that several verbs take."""

from __future__ import annotations

import functools
import math
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from reconciler.cli.completion import addresses, files
from reconciler.cli.help import Shared
from reconciler.cli.ledger_choice import LOCK_TIMEOUT, VARIABLE, LedgerChoice
from reconciler.cli.running import in_ci
from reconciler.errors import Usage
from reconciler.ledger.folder import root_of
from reconciler.report import RENDERERS
from reconciler.report.terminal import Terminal

if TYPE_CHECKING:
    from reconciler.core.model.desired import Manifest
    from reconciler.core.plan.approvals import Approvals
    from reconciler.manifest.layers import Layers

Verb = TypeVar("Verb", bound=Callable[..., Any])

# Options of these blocks look alike in the help of every verb.
connection = functools.partial(click.option, cls=Shared, block="Connection")
ledger = functools.partial(click.option, cls=Shared, block="Ledger")
part = functools.partial(click.option, cls=Shared, block="Part of the plan")
rule = functools.partial(click.option, cls=Shared, block="Limits and approvals")


@dataclass(frozen=True)
class Intercom:
    """Which Intercom, as the command line says it."""

    # Instead of the region's host.
    base_url: str | None
    # Whether it is the local workspace.
    sandbox: bool
    # The version of its API.
    api_version: str
    # The share of the rate limit to use.
    share: float = 1.0


@dataclass(frozen=True)
class WorkspaceOptions:
    """Which workspace a verb without PATH means."""

    # Where it is: us, eu or au.
    region: str | None
    # Its app id.
    app_id: str | None


@dataclass(frozen=True)
class ProbeOptions:
    """What a probe is told."""

    # Whether it asks,
    probe: bool
    # or only removes what an earlier one left.
    clean: bool
    # Whether it makes what can only be archived.
    may_archive: bool
    # Whether nobody is asked first.
    yes: bool
    # Where the facts go, None for the place where plans look.
    out: Path | None


@dataclass(frozen=True)
class ManifestOptions:
    """Which manifest is meant."""

    # Its paths.
    paths: tuple[str, ...]
    # The environment, and the variables around us.
    layers: Layers

    def read(self) -> Manifest:
        """The manifest; says so where it has environments and none was named. Raises Usage, Invalid."""
        from reconciler.manifest.read import read_manifest

        manifest = read_manifest(self.paths, layers=self.layers)
        if manifest.environments and not manifest.env:
            names = ", ".join(sorted(manifest.environments))
            Terminal(sys.stderr).say(f"note: without --env this is the base alone; there are overlays or `envs:` of {names}")
        return manifest


@dataclass(frozen=True)
class ApprovalOptions:
    """What a plan is held to besides the manifest's policy."""

    # The file of rules that the manifest may tighten.
    policy: str | None
    # What a refused plan printed, each word as written.
    approve: tuple[str, ...] = ()
    # How many calls a plan may need.
    max_calls: int | None = None

    def read(self) -> Approvals:
        """The rules. Raises Usage, Invalid."""
        # Verbs without a plan need none of what reads them.
        from reconciler.manifest.rules import read_approvals

        return read_approvals(self.policy, self.approve, self.max_calls)


@dataclass(frozen=True)
class OutputOptions:
    """What becomes of a plan."""

    # The format on stdout.
    form: str
    # Other reports: their formats and their files.
    reports: Sequence[tuple[str, Path]]
    # Where the plan is saved.
    out: Path | None
    # Whether the saved plan holds the manifest's texts.
    embed_values: bool = False
    # Where personal values are shown: nowhere, `here`, or `ci` too.
    show_personal: str | None = None
    # Whether the calls are listed.
    calls: bool = False
    # Whether it is said how live was read, and why so.
    explain: bool = False
    # Whether a text lists all of them, however many.
    full: bool = False


def gather(**groups: type[Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The verb gets its options as values: each group is made of the options that are called as its fields."""

    def decorate(verb: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(verb)
        def wrapper(*args: Any, **options: Any) -> Any:
            for name, group in groups.items():
                names = [field.name for field in fields(group) if field.name in options]
                options[name] = group(**{option: options.pop(option) for option in names})
            return verb(*args, **options)

        return wrapper

    return decorate


def intercom_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--base-url`, `--sandbox`, `--api-version` and `--rate-share`; the verb gets them as one `intercom`."""
    verb, share, versions = gather(intercom=Intercom)(verb), click.FloatRange(0.01, 1), click.Choice(["2.14", "2.15", "2.16"])
    verb = connection("--rate-share", "share", default=1.0, show_default=True, type=share, help="The share of the rate limit to use.")(verb)
    verb = connection("--api-version", default="2.16", show_default=True, type=versions, help="The version of Intercom's API.")(verb)
    verb = connection("--sandbox", is_flag=True, help="Use the local workspace in .reconciler/sandbox.db instead of Intercom.")(verb)
    url = "The address of the API, instead of the region's."
    return connection("--base-url", metavar="URL", envvar="INTERCOM_BASE_URL", help=url, show_envvar=True)(verb)


NAME = ledger("--name", metavar="NAME", help="The `name:` of the owner. Default: of the manifest here, else default.")

REGION = connection("--region", type=click.Choice(["us", "eu", "au"]), help="Of the workspace. Default: of the manifest here, else us.")
APP_ID = connection("--app-id", metavar="ID", help="Refuse any other workspace. Default: of the manifest here.")


def in_folder(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    """Raises Usage where a file that is to be written has no folder: before anything is read, not after."""
    if path and not path.parent.is_dir():
        raise Usage(f"{parameter.opts[0]} {path}: the folder does not exist; make it first")
    return path


FILE = click.Path(dir_okay=False, path_type=Path)
OUT = click.option("-o", "out", type=FILE, callback=in_folder, metavar="FILE", help="Save the plan, for `apply FILE`.")


def _layers(context: click.Context, parameter: click.Parameter, env: str | None) -> Layers:
    from reconciler.manifest.layers import Layers

    if env == "":
        raise Usage("--env is empty, as where a variable of a script is not set; name an environment, or leave --env out")
    return Layers.of(env or "", os.environ)


_ENV = "Lay the overlays *.NAME.yaml over the manifest."
ENV = click.option("--env", "layers", metavar="NAME", callback=_layers, help=_ENV)
PATHS = click.argument("paths", metavar="PATH...", nargs=-1, required=True, shell_complete=files)
PATHS_OR_HERE = click.argument("paths", metavar="[PATH]...", nargs=-1, shell_complete=files)


def paths_or_here(paths: Sequence[str]) -> tuple[str, ...]:
    """The paths that are given, else of the manifest that is found here. Raises Usage where there is none."""
    # Verbs that are given a path need none of what looks for one.
    from reconciler.manifest.here import found_from

    here = Path.cwd()
    if paths := paths or found_from(here, root_of(here) or here):
        return tuple(paths)
    raise Usage("there is no manifest here, nor above up to the root of the repository; give its PATH")


_HOMES = "Where it is: postgresql://…, git, git:REMOTE or none. Default: a file in .reconciler/."
LEDGER = ledger("--ledger", metavar="ADDRESS", default="", envvar=VARIABLE, show_envvar=True, help=_HOMES)

_WAIT = "How long to wait while another run holds the lock."
LOCK = ledger("--lock-timeout", type=click.FloatRange(0), default=LOCK_TIMEOUT, show_default=True, metavar="SECONDS", help=_WAIT)


def ledger_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--ledger`; the verb gets it as `choice`."""

    @LEDGER
    @functools.wraps(verb)
    def wrapper(*args: Any, ledger: str, **kwargs: Any) -> Any:
        return verb(*args, choice=_memory(ledger, LOCK_TIMEOUT, kwargs), **kwargs)

    return wrapper


def lock_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--ledger` and `--lock-timeout`; the verb gets them as `choice`."""

    @LEDGER
    @LOCK
    @functools.wraps(verb)
    def wrapper(*args: Any, ledger: str, lock_timeout: float, **kwargs: Any) -> Any:
        return verb(*args, choice=replace(_memory(ledger, lock_timeout, kwargs), must=True), **kwargs)

    return wrapper


def _memory(address: str, timeout: float, options: Mapping[str, Any]) -> LedgerChoice:
    from reconciler.ledger.homes.choice import has_password

    if has_password(address) and click.get_current_context().get_parameter_source("ledger") is ParameterSource.COMMANDLINE:
        text = "--ledger shows a password to whoever lists processes"
        raise Usage(f"{text}: put the address into {VARIABLE}, or the password into ~/.pgpass")
    if not math.isfinite(timeout):
        raise Usage("--lock-timeout: write a number of seconds")
    return LedgerChoice(address, timeout, options.get("paths", ()))


def _here_or_ci(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """What stands after the option is taken for its value, so a path there is told before it is missed."""
    if value not in (None, "here", "ci"):
        raise Usage("--show-personal stands alone or as --show-personal=ci; write paths before it")
    return value


_PERSONAL: Any = {"is_flag": False, "flag_value": "here", "metavar": "[=ci]", "callback": _here_or_ci}
SHOW_PERSONAL = click.option("--show-personal", help="Show personal values; in CI only as --show-personal=ci.", **_PERSONAL)


def check_personal(show_personal: str | None) -> None:
    """Raises Usage where personal values would go into the log of a pipeline that was not meant."""
    if in_ci() and show_personal == "here":
        raise Usage("--show-personal would write personal values into the log of a pipeline; if that is meant: --show-personal=ci")


FORMAT = click.option("--format", "form", type=click.Choice(sorted(RENDERERS)), default="text", show_default=True)
FULL = click.option("--full", is_flag=True, help="List everything in the text, also where it names some and counts the rest.")


def report_option(forms: Collection[str]) -> Callable[[Verb], Verb]:
    """`--report markdown=plan.md` as a format and a file; a wrong one ends the run before anything is read, by Usage."""

    def read(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> list[tuple[str, Path]]:
        pairs = [(name, path) for name, _, path in (report.partition("=") for report in values)]
        for report, (name, path) in zip(values, pairs, strict=True):
            if name not in forms or not path:
                raise Usage(f"--report {report}: write FORMAT=FILE, with one of {', '.join(sorted(forms))}")
            in_folder(context, parameter, Path(path))
        return [(name, Path(path)) for name, path in pairs]

    help = "Also write a report; may be repeated."
    return click.option("--report", "reports", multiple=True, callback=read, metavar="FORMAT=FILE", help=help)


REPORTS = report_option(RENDERERS)
POLICY = rule("--policy", metavar="FILE", shell_complete=files, help="Rules that the manifest may tighten, never loosen.")


def pin_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--region` and `--app-id`."""
    return REGION(APP_ID(verb))


def scope_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--target`, `--exclude` and `--retry-ineffective`."""
    only, but = "Only these addresses, and what they need, as in --target 'tag/*'.", "Not these addresses, nor what needs them."
    verb = part("--retry-ineffective", "retry", is_flag=True, help="Also try again what Intercom did not take before.")(verb)
    verb = part("--exclude", multiple=True, metavar="GLOB", shell_complete=addresses, help=but)(verb)
    return part("--target", multiple=True, metavar="GLOB", shell_complete=addresses, help=only)(verb)


def approval_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--policy`, `--approve` and `--max-calls`."""
    verb = rule("--max-calls", type=click.IntRange(0), metavar="N", help="Refuse a plan of more calls.")(verb)
    verb = rule("--approve", multiple=True, metavar="HASH:PEOPLE", help="Allow exactly what a refused plan printed this for.")(verb)
    return POLICY(verb)
