"""The local workspace: serve, seed, reset."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from reconciler.cli.help import Family, LocalVerb
from reconciler.cli.running import collect_again
from reconciler.errors import Usage
from reconciler.ledger.folder import NAME, SANDBOX, make, our_folder


def _ours() -> Path:
    """Where it is kept unless somebody says another place."""
    return our_folder() / SANDBOX


DATA = click.option(
    "--data",
    type=click.Path(dir_okay=False, path_type=Path),
    default=_ours,
    show_default=f"{NAME}/{SANDBOX}",
    help="The file that holds it.",
)


@click.group(cls=Family)
def sandbox() -> None:
    """A local workspace that behaves like Intercom, for trying things out.

    \b
    Example:
      reconciler sandbox seed live.yaml
      reconciler plan intercom/ --sandbox
    """


@sandbox.command(cls=LocalVerb)
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 means any free one.")
@DATA
@click.option("--token", default="sandbox", show_default=True, help="The bearer token it accepts; not a secret.")
@click.option("--search-delay", type=float, default=0.0, show_default=True, metavar="SECONDS", help="How long search misses what is new.")
@click.option("--rate-limit", type=click.IntRange(1), metavar="CALLS", help="Calls per ten seconds; more are refused with 429.")
@click.option("--fault-rate", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Share of calls that fail.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    type=click.Choice(["429", "500", "503", "drop-before", "drop-after"]),
    help="How they fail; may be repeated.",
)
def serve(
    port: int, data: Path, token: str, search_delay: float, rate_limit: int | None, fault_rate: float, faults: tuple[str, ...]
) -> int:
    """Serve it over HTTP on 127.0.0.1. The first line that it prints is its URL. It follows intercom-facts.json, if there is one.

    \b
    Example:
      reconciler sandbox serve --port 0
    """
    from reconciler.sandbox.app import Sandbox
    from reconciler.sandbox.server import serve_forever
    from reconciler.workflow.facts import find_facts, read_facts

    facts = find_facts((), our_folder())
    _folder_of(data)
    with Sandbox(data, token=token, search_delay=search_delay, rate_limit=rate_limit) as box:
        if facts:
            box.settings.follow(read_facts(facts).facts.model_dump())
        for fault in faults:
            fields = {"drop": fault.removeprefix("drop-")} if fault.startswith("drop-") else {"status": int(fault)}
            box.faults.add(rate=fault_rate / len(faults), times=None, **fields)
        collect_again()
        return 128 + serve_forever(box, port=port, ready=lambda url: click.echo(url))


@sandbox.command(cls=LocalVerb)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@DATA
def seed(file: Path, data: Path) -> None:
    """Put live things into it, from YAML or JSON.

    \b
    Example:
      reconciler sandbox seed live.yaml
    """
    from reconciler.sandbox.app import Sandbox
    from reconciler.sandbox.seed import load_seed

    _folder_of(data)
    try:
        live = load_seed(file)
    except ValueError as error:
        # It names the file.
        raise Usage(str(error)) from None
    with Sandbox(data) as box:
        try:
            box.seed(live)
        except ValueError as error:
            raise Usage(f"{file}: {error}") from None
    click.echo(f"seeded {data} from {file}", err=True)


@sandbox.command(cls=LocalVerb)
@DATA
def reset(data: Path) -> None:
    """Empty it. The ledger in this folder forgets its things, because new ones get the same ids.

    \b
    Example:
      reconciler sandbox reset
    """
    from reconciler.sandbox.app import Sandbox

    if data.exists():
        with Sandbox(data) as box:
            box.reset()
            app_id = box.ws.settings.app_id
        if data == _ours():
            _let_go(app_id)
    click.echo(f"emptied {data}", err=True)


def _let_go(app_id: str) -> None:
    from reconciler.ledger.errors import LedgerUnusable
    from reconciler.ledger.ledger import Ledger

    with suppress(LedgerUnusable):
        ledger = Ledger.open(our_folder(), create=False)
        if ledger:
            with ledger:
                ledger.forget_workspace(app_id)


def _folder_of(data: Path) -> None:
    if data == _ours():
        make(data.parent)
    if not data.parent.is_dir():
        raise Usage(f"{data.parent} is no folder; make it first")
