"""A fleet, its store and all that its jobs need, from `fleet.yaml` and the environment of this process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.errors import Usage
from reconciler.fleet.advance import Engine
from reconciler.fleet.engine.local import LocalEngine
from reconciler.fleet.file import add_rows, is_server, is_strange, read_fleet
from reconciler.fleet.fleet import Fleet
from reconciler.fleet.job import Host
from reconciler.fleet.manifests import Manifests
from reconciler.fleet.store import FILE, Store
from reconciler.fleet.tokens import MOST_ROWS, Tokens, run_command
from reconciler.ledger.databases import Databases
from reconciler.ledger.folder import our_folder
from reconciler.ledger.key import KEY_VARIABLE, MAKE_ONE
from reconciler.manifest.repository import commit_of, origin

if TYPE_CHECKING:
    from reconciler.fleet.engine.procrastinate import QueueEngine

# Where rollouts are kept, before what `store:` says.
VARIABLE = "RECONCILER_FLEET"


def load_fleet(file: str) -> Fleet:
    """The fleet with all of its workspaces: a command that lists them is run. Raises Invalid, ReconcilerError."""
    fleet = read_fleet(file)
    if not fleet.command:
        return fleet
    return add_rows(fleet, run_command(fleet.command, "workspaces:", MOST_ROWS, os.path.dirname(fleet.file)))


@contextmanager
def open_host(
    fleet: Fleet,
    who: str,
    environ: Mapping[str, str] = os.environ,
    *,
    now: Callable[[], float] = time.time,
    count: Callable[[Mapping[str, int]], object] = lambda calls: None,
) -> Iterator[Host]:
    """What runs the jobs of a fleet in this process; closed afterwards. `count` is told of the calls that each look made, from any
    thread. Raises Usage, ReconcilerError."""
    folder = Path(os.path.abspath(our_folder([fleet.file])))
    if is_strange(environ.get(VARIABLE, "")):
        raise Usage(f"{VARIABLE} is no address that is known; write a file, or postgresql://HOST/DATABASE")
    address = environ.get(VARIABLE, "") or fleet.store or str(folder / FILE)
    address = address if is_server(address) else os.path.abspath(address)
    if fleet.engine == "postgresql" and not is_server(address):
        raise Usage(
            f"engine: postgresql needs a server, and the store is {address}; set {VARIABLE} or `store:` to postgresql://HOST/DATABASE"
        )
    key = environ.get(KEY_VARIABLE, "")
    if is_server(address) and not key:
        raise Usage(f"{KEY_VARIABLE} is missing: the ledgers of this fleet are in {VARIABLE} or `store:`, and it is theirs; {MAKE_ONE}")
    where = os.path.dirname(fleet.file)
    with Databases() as databases, closing(Store(address, folder, now, databases)) as store:
        tokens, manifests = Tokens(fleet.token, environ, where), Manifests(fleet)
        revision = commit_of([where])[0]
        more: Any = {"repository": origin(Path(where)), "revision": revision, "databases": databases, "count": count}
        yield Host(fleet, store, engine_of(fleet, store), tokens, manifests, who, key, environ, **more)


def renew(host: Host, fleet: Fleet) -> Host:
    """The same host for a fleet whose files were changed."""
    where = os.path.dirname(fleet.file)
    tokens, manifests = Tokens(fleet.token, host.environ, where), Manifests(fleet)
    return replace(host, fleet=fleet, tokens=tokens, manifests=manifests, revision=commit_of([where])[0])


def engine_of(fleet: Fleet, store: Store) -> Engine:
    """What starts and stops the jobs of a fleet. Raises Usage where its library is missing."""
    if fleet.engine == "local":
        return LocalEngine()
    engine = _queue(fleet)
    with store.writing() as connection:
        engine.prepare(connection)
    return engine


def _queue(fleet: Fleet) -> QueueEngine:
    try:
        from reconciler.fleet.engine.procrastinate import QueueEngine
    except ModuleNotFoundError as missing:
        if missing.name != "procrastinate":
            raise
        raise Usage(
            "engine: postgresql needs the extra `fleet`: pip install 'intercom-reconciler[fleet]'; or write engine: local"
        ) from None
    return QueueEngine(fleet)
