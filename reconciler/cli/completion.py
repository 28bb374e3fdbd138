"""What a shell offers after TAB: files, addresses of the manifest, runs of the ledger. Quick, offline, and silent whatever is wrong."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from reconciler.ledger.folder import our_folder, root_of

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
# Manifests of more bytes are not read for a TAB: this many take half a second.
LARGEST = 1_000_000
# A shell shows no more at once.
MOST = 500


def silent(complete: Complete) -> Complete:
    """Offers nothing where the work fails: whoever presses TAB asked for no error, and the line is not finished."""

    @functools.wraps(complete)
    def wrapper(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            return complete(context, parameter, incomplete)
        except Exception:
            return []

    return wrapper


def files(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files and folders, which the shell itself finds."""
    return [CompletionItem(incomplete, type="file")]


@silent
def addresses(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Addresses that are declared in the paths typed so far, else in the manifests of the current folder."""
    # What stands before an option whose value is missing is left over by click's parser.
    return _list_declared(
        [*(context.params.get("paths") or ()), *context.args] or sorted(map(str, Path().glob("*.y*ml"))), context, incomplete
    )


@silent
def addresses_here(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Addresses that are declared in the manifest that is found here."""
    # What looks for one is for no other TAB.
    from reconciler.manifest.here import found_from

    here = Path.cwd()
    return _list_declared(found_from(here, root_of(here) or here), context, incomplete)


def _list_declared(paths: Sequence[str], context: click.Context, incomplete: str) -> list[CompletionItem]:
    """The addresses that are declared in a manifest and begin with what is typed; none of a large one."""
    if not paths or sum(map(_size, paths)) > LARGEST:
        return []
    # Reading a manifest takes a tenth of a second, which no other TAB has to pay.
    from reconciler.manifest.layers import BASE
    from reconciler.manifest.read import read_manifest

    addresses = sorted(map(str, read_manifest(paths, layers=context.params.get("layers") or BASE).resources))
    return [CompletionItem(address) for address in addresses if address.startswith(incomplete)][:MOST]


@silent
def runs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`last`, and the runs in the ledger that is used here, newest first; those of another home would need the network."""
    if context.params.get("ledger"):
        return []
    # SQLAlchemy takes a quarter of a second, which no other TAB has to pay.
    from reconciler.core.model.times import format_time
    from reconciler.ledger.ledger import Ledger

    ledger = Ledger.open(our_folder(), create=False)
    if ledger is None:
        return []
    with ledger:
        known_runs = ledger.runs()
    words = {"last": "the newest one", **{run.run: f"{run.verb} as {run.name}, {format_time(run.started)}" for run in known_runs}}
    return [CompletionItem(run, help=text) for run, text in words.items() if run.startswith(incomplete)][:MOST]


def _size(path: str) -> int:
    """How many bytes a file, or the manifests in a folder, have."""
    if not os.path.isdir(path):
        return os.path.getsize(path)
    return sum(file.stat().st_size for file in Path(path).rglob("*.y*ml"))
