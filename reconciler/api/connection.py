"""A connection: one workspace and its ledger, as a host program says it, and the session that comes of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from os import PathLike, fspath, path
from pathlib import Path

from reconciler.core.model.desired import Manifest, Pin
from reconciler.core.model.facts import UNKNOWN
from reconciler.core.model.repository import Checkout, Repository, address_of
from reconciler.core.plan.approvals import refuse
from reconciler.core.plan.gates import hold_to_pin
from reconciler.errors import Usage
from reconciler.intercom.http import token as tokens
from reconciler.intercom.http.client import VERSION, Client
from reconciler.intercom.http.host import REGIONS
from reconciler.ledger.databases import Databases
from reconciler.ledger.homes.choice import Means, home_of
from reconciler.ledger.homes.images import Images
from reconciler.ledger.key import KEY_VARIABLE
from reconciler.ledger.ledger import LOST, Ledger
from reconciler.workflow.facts import read_found
from reconciler.workflow.ground import check_name
from reconciler.workflow.session import Session, connect

# What `ledger` says where there is to be none.
NONE = "none"
# What would lead git to another repository than the clone: git rev-parse --local-env-vars.
_OF_A_REPOSITORY = frozenset(
    ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES")
)


@dataclass(frozen=True)
class Connection:
    """One workspace, and the ledger of what was applied to it."""

    # The access token; no text, log or error shows it.
    token: str = field(repr=False)
    # Our folder, `.reconciler/`, by its whole path: the ledger's file, and what only this machine keeps for `undo`.
    folder: str | PathLike[str] | None = None
    # The ledger's address: a file in `folder` where it is empty, `postgresql://…`, `git`, `git:REMOTE`, or `none`.
    ledger: str = field(default="", repr=False)
    # The key of the digests of a ledger in PostgreSQL or git: 64 hexadecimal digits, the same on every machine.
    ledger_key: str = field(default="", repr=False)
    # The clone, by its whole path, whose remote holds a ledger in git.
    clone: str | PathLike[str] | None = None
    # What this ledger shares with those of other connections: a `Databases` of the host, which closes it; None: nothing.
    databases: Databases | None = field(default=None, repr=False)
    # The one workspace that is meant, beside the pin of the manifest; None allows any.
    app_id: str | None = None
    # Where it is: us, eu or au; None: as the manifest's pin says, else us.
    region: str | None = None
    # The address of the API, instead of the region's.
    base_url: str | None = None
    # The version of Intercom's API.
    api_version: str = VERSION
    # The part of the rate limit that may be used, above 0 and at most 1.
    rate_share: float = 1.0
    # How long to wait while another run holds the lock, in seconds.
    lock_timeout: float = 90.0
    # Who asks, for the ledger and for whoever waits for the lock.
    who: str = ""
    # The repository of the manifest by its remote, as `github.com/acme/intercom`, and the commit that is checked out.
    repository: str = ""
    revision: str = ""  # empty where nobody says
    # Where proxies and TLS authorities are named, as `os.environ` does: HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE; and all that git needs, which
    # gets nothing else: PATH, HOME, SSH_AUTH_SOCK, GIT_ASKPASS, GIT_AUTHOR_NAME.
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    # The time of day, in Unix seconds.
    now: Callable[[], float] = time.time
    # Seconds on a clock that is never set.
    monotonic: Callable[[], float] = time.monotonic
    # Waits for so many seconds; None: until the time is over or `stop` is set.
    sleep: Callable[[float], object] | None = None


@contextmanager
def open_session(
    connection: Connection, manifest: Manifest, stop: threading.Event, notices: list[str], *, writes: bool
) -> Iterator[Session]:
    """A session with the workspace that is meant. Raises Refused (3) for another one."""
    region = connection.region or (manifest.pin.region if manifest.pin else None) or "us"
    if region not in REGIONS:
        raise Usage(f"region {region!r}: write one of {', '.join(REGIONS)}")
    facts = read_found(manifest.paths, Path(connection.folder or folder_of(manifest)), connection.api_version, notices.append)
    client = Client(
        connection.base_url or REGIONS[region],
        tokens.parse(connection.token, "the connection"),
        version=connection.api_version,
        share=connection.rate_share,
        stop=stop,
        sleep=connection.sleep,
        monotonic=connection.monotonic,
        now=connection.now,
        notice=notices.append,
        read_only=not writes,
        environ=connection.environ,
    )
    with client:
        ledger = _open_ledger(connection, manifest, notices, create=writes)
        try:
            session = connect(client, ledger)
            refuse(hold_to_pin(Pin(connection.app_id, connection.region), session.here))
            yield replace(
                session,
                images=Images.here(Path(connection.folder)) if connection.folder and connection.ledger != NONE else None,
                facts=facts.count_for(session.here.app_id) if facts else UNKNOWN,
                now=connection.now,
                sleep=connection.sleep or stop.wait,
                who=connection.who,
                checkout=Checkout(folder_of(manifest), Repository(address_of(connection.repository)), connection.revision),
            )
        finally:
            if ledger:
                ledger.close()


def _open_ledger(connection: Connection, manifest: Manifest, notices: list[str], *, create: bool) -> Ledger | None:
    """The ledger; None where there is to be none, or is none yet. Raises LedgerUnusable, Usage."""
    address, key = connection.ledger, connection.ledger_key
    if address == NONE:
        return None
    folder, clone = _read_folder(connection), connection.clone
    means = Means(None if clone is None else fspath(clone), connection.databases)
    environ = {KEY_VARIABLE: key} if key else {}
    if _is_in_git(address):
        environ |= {name: value for name, value in connection.environ.items() if name not in _OF_A_REPOSITORY}
    with closing(home_of(address, folder, environ, means)) as home:
        if home.is_shared:
            check_name(manifest, home.place)
        ledger = Ledger.open(folder, create=create, address=address, now=connection.now, environ=environ, means=means)
        traces = "" if ledger else home.find_traces()
    notices += [f"the ledger {home.place} {traces}: {LOST}"] if traces else []
    if ledger is None:
        return None
    notices += filter(None, [ledger.warning])
    try:
        if not address:
            ledger.examine()
    except BaseException:
        ledger.close()
        raise
    return ledger


def _is_in_git(address: str) -> bool:
    return address == "git" or address.startswith("git:")


def _read_folder(connection: Connection) -> Path:
    """Our folder. Raises Usage where it, or anything else that the ledger needs, is missing."""
    address = connection.ledger
    if _is_in_git(address):
        if connection.clone is None or not path.isdir(connection.clone):
            raise Usage("clone is missing, or no folder: the clone whose remote holds the ledger, by its whole path")
        check_whole(fspath(connection.clone), "clone")
    if connection.folder is None:
        raise Usage("folder is missing: where the ledger, or what only this machine keeps for undo, is to lie; or give ledger='none'")
    check_whole(fspath(connection.folder), "folder")
    if address and not connection.ledger_key:
        raise Usage("ledger_key is missing: the key of a ledger that several machines use, the same on each (openssl rand -hex 32)")
    return Path(connection.folder)


def add_pin(manifest: Manifest, connection: Connection) -> Manifest:
    """The manifest with the pin of the connection, where it has none."""
    pin = manifest.pin or Pin()
    return replace(manifest, pin=Pin(pin.app_id or connection.app_id, pin.region or connection.region)) if connection.app_id else manifest


def folder_of(manifest: Manifest) -> str:
    return path.dirname(manifest.files[0]) if manifest.files else path.sep


def check_whole(name: str, what: str) -> None:
    """Raises Usage for what would depend on the working directory."""
    if not path.isabs(name):
        raise Usage(f"{what}: {name!r} is no whole path, and a library has no folder of its own; write Path({name!r}).resolve()")
