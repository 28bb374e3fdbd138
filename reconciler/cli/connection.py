"""The options that say which Intercom is meant, and the connection that comes of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.cli.help import reads_here
from reconciler.cli.options import Intercom
from reconciler.cli.running import Stop, whoever
from reconciler.core.model.desired import Pin
from reconciler.core.model.facts import UNKNOWN, Facts
from reconciler.core.model.live import Workspace
from reconciler.core.plan.gates import hold_to_pin
from reconciler.errors import Refused
from reconciler.ledger.folder import SANDBOX, make, our_folder
from reconciler.ledger.sealing import KEY_FILE
from reconciler.report.terminal import Terminal

if TYPE_CHECKING:
    from reconciler.cli.ledger_choice import LedgerChoice
    from reconciler.intercom.http.client import Client
    from reconciler.intercom.http.token import Token
    from reconciler.workflow.session import Session

HERE = Path()


@contextmanager
def open_session(
    intercom: Intercom,
    pin: Pin | None,
    *,
    writes: bool,
    choice: LedgerChoice | None = None,
    paths: Sequence[str] = (),
    follows: bool = True,
) -> Iterator[Session]:
    """A session with the workspace that is meant; closed afterwards. `choice` is the ledger to use, if any; `writes` makes one where
    there is none yet. `paths` are those of the manifest, where there is no choice that knows them; facts are those beside it, unless
    nothing `follows` them."""
    from reconciler.cli.tokens import credential, name_source
    from reconciler.workflow.facts import read_found
    from reconciler.workflow.session import connect

    login = credential(intercom, pin)
    region = (pin.region if pin else None) or login.region
    paths = (choice.paths if choice else ()) or paths
    say = Terminal(sys.stderr).say
    file_facts = read_found(paths, our_folder(paths), intercom.api_version, say) if follows else None
    facts = file_facts.facts if file_facts else UNKNOWN
    with name_source(login.source), open_client(intercom, login.token, region, paths, writes=writes, facts=facts) as client:
        ledger = choice.open(create=writes) if choice else None
        try:
            session = connect(client, ledger)
            facts = file_facts.count_for(session.here.app_id) if file_facts else UNKNOWN
            keeping: Any = {"images": choice.images() if choice else None, "key_file": os.environ.get(KEY_FILE, "")}
            yield replace(session, who=whoever(), facts=facts, **keeping)
        finally:
            if ledger:
                ledger.close()


@contextmanager
def open_client(
    intercom: Intercom, token: Token | None, region: str | None, paths: Sequence[str] = (), *, writes: bool = False, facts: Facts = UNKNOWN
) -> Iterator[Client]:
    """A client of the Intercom that is meant, with this token or none. The sandbox does as the facts say."""
    from reconciler.intercom.http.client import Client
    from reconciler.intercom.http.host import REGIONS

    with ExitStack() as stack:
        url, adapter = intercom.base_url or REGIONS[region or "us"], None
        if intercom.sandbox:
            from reconciler.intercom.http.wsgi import WsgiAdapter

            url, adapter = "http://127.0.0.1", WsgiAdapter(stack.enter_context(_sandbox(paths, writes, facts)))
        say, version, reads = Terminal(sys.stderr).say, intercom.api_version, reads_here()
        limits: Any = {"share": intercom.share, "read_only": reads is not None}
        client = stack.enter_context(Client(url, token, version=version, adapter=adapter, stop=Stop(), notice=say, **limits))
        if reads is not None:
            stack.callback(lambda: reads.update(client.sent))
        yield client


@contextmanager
def _sandbox(paths: Sequence[str], writes: bool, facts: Facts) -> Iterator[Any]:
    from reconciler.sandbox.app import Sandbox

    folder = our_folder(paths)
    if writes:
        make(folder)
    data = folder / SANDBOX
    with Sandbox(data if writes or data.exists() else None) as box:
        box.settings.follow(facts.model_dump())
        yield box


def pin_of_folder(region: str | None, app_id: str | None, folder: Path = HERE) -> Pin:
    """Which workspace a verb without PATH means: its options, else the manifest in a folder, by default the current one."""
    from reconciler.manifest.layers import Layers
    from reconciler.manifest.pins import pin_in

    pin = None
    if region is None or app_id is None:
        pin = pin_in(_in_folder(folder), Layers.of("", os.environ))
    return pin_with(pin, region, app_id)


def undo_keys_of_folder(folder: Path = HERE) -> tuple[str, ...]:
    """The public keys of undo of the manifest in a folder, by default the current one."""
    from reconciler.manifest.layers import Layers
    from reconciler.manifest.pins import undo_keys_in

    return undo_keys_in(_in_folder(folder), Layers.of("", os.environ))


def pin_with(declared_pin: Pin | None, region: str | None, app_id: str | None) -> Pin:
    """Which workspace is meant: by the options, else by what is written. The region of another workspace says nothing."""
    pin = declared_pin if declared_pin and app_id in (None, declared_pin.app_id) else Pin()
    return Pin(app_id or pin.app_id, region or pin.region)


def name_in_folder(folder: Path = HERE) -> str | None:
    """The `name:` of the manifest in a folder, by default the current one, if there is one that has it."""
    from reconciler.manifest.pins import name_in

    return name_in(_in_folder(folder), os.environ)


def _in_folder(folder: Path) -> list[str]:
    return sorted(str(path) for suffix in ("*.yaml", "*.yml") for path in folder.glob(suffix) if path.is_file())


def check_pin(pin: Pin | None, session: Session) -> None:
    """Raises Refused when the token belongs to another workspace than the one that is meant."""
    refuse_other(pin, session.here)


def refuse_other(pin: Pin | None, here: Workspace) -> None:
    """The gate `workspace`, for verbs that make no plan."""
    for refusal in hold_to_pin(pin, here):
        raise Refused([str(refusal)])
