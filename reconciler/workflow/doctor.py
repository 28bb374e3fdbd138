"""Doctor: what a run rests on, looked at piece by piece. Nothing is written anywhere."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.core.model.desired import Pin
from reconciler.core.model.finding import Finding, State
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.route import fill
from reconciler.errors import ReconcilerError
from reconciler.intercom import me, routes
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.errors import HttpError
from reconciler.intercom.http.request import Request
from reconciler.kinds import KINDS
from reconciler.workflow.facts import read_facts

if TYPE_CHECKING:
    from reconciler.ledger.homes.home import Home

# Clocks that differ by so many seconds are wrong: the rate limit's windows have ten, and a lease of the ledger ends after sixty.
CLOCKS = 30.0
# An id that a read asks for only to see whether it is allowed.
_NOBODY = "1"


def look_at_token(client: Client, source: str, pin: Pin | None) -> Iterator[Finding]:
    """Whether the token is accepted, whose it is, what it may read, and whether the workspace and the clock are those that are meant."""
    try:
        answer = me.ask(client)
    except ReconcilerError as error:
        yield Finding("token", State.MEND, f"{error}; it came from: {source}")
        return
    yield Finding("token", State.OK, f"accepted; it came from: {source}")
    person = answer.of_person
    owner = f"{'a person' if person else 'an app'}'s: {answer.admin or 'without a name'}"
    until = "the token ends when that person leaves" if person else f"Intercom calls it {answer.acts_for or 'nothing'}"
    yield Finding("owner", State.OK, f"{owner}; {until}")
    yield _of_pin(pin, answer)
    yield _of_reads(client, KINDS)
    yield Finding("writes", State.NOTE, "not known: Intercom says what a token may write only when it refuses a write")
    yield _of_clock(client, time.time())


def _of_pin(pin: Pin | None, answer: me.Me) -> Finding:
    here = f"{answer.here.app_id} in {answer.here.region}"
    if pin is None or not (pin.app_id or pin.region):
        now = f"write `workspace: {{app_id: {answer.here.app_id}, region: {answer.here.region}}}` into the manifest"
        return Finding("pin", State.NOTE, f"none: any token would be taken, this one is for {here}", now)
    if pin.app_id in (None, answer.here.app_id) and pin.region in (None, answer.here.region):
        return Finding("pin", State.OK, here)
    pin_words = f"{pin.app_id or 'any workspace'} in {pin.region or 'any region'}"
    return Finding("pin", State.MEND, f"the token is for {here}, the pin for {pin_words}", "use the token of that workspace")


def _of_reads(client: Client, kinds: Kinds) -> Finding:
    """What the token may not read. A list that is refused ends a plan; a count that is refused only leaves a number unknown."""
    lists = [routes.request(k.listing.route, {}, query=(("per_page", "1"),)) for k in kinds if k.listing]
    counts = [count for kind in kinds for count in kind.uses.counts if client.version >= count.since]
    requests = [routes.request(c.route, {"id": _NOBODY}, fill(c.body, {"id": _NOBODY})) for c in counts]
    missing, uncountable = ([text for request in group if (text := _refusal(client, request))] for group in (lists, requests))
    if missing:
        now = "give the token's app these permissions in Intercom's Developer Hub"
        return Finding("reads", State.MEND, f"refused: {', '.join(dict.fromkeys(missing))}", now)
    if uncountable:
        text = f"refused: {', '.join(dict.fromkeys(uncountable))}; what is deleted cannot be counted there"
        return Finding("reads", State.NOTE, text, "give the token's app these permissions, or approve such deletions")
    return Finding("reads", State.OK, "all that a plan reads")


def _refusal(client: Client, request: Request) -> str:
    """What Intercom says where it does not let a token read something; empty where it does."""
    try:
        client.send(request)
    except HttpError as error:
        if error.status != 403:
            return "" if error.status in (400, 404) else str(error)
        scope = re.search(r"scope \((\w+)\)", error.message)
        return scope[1] if scope else f"{request.method} {request.path} ({error.code})"
    return ""


def _of_clock(client: Client, now: float) -> Finding:
    if client.served is None:
        return Finding("clock", State.NOTE, "not known: the answers have no date")
    off = now - client.served
    if abs(off) < CLOCKS:
        return Finding("clock", State.OK, "the same as Intercom's")
    text = f"this machine is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} Intercom"
    return Finding("clock", State.MEND, text, "set its clock (NTP): times of the ledger and of drift would be wrong")


def look_at_ledger(address: str, folder: Path, environ: Mapping[str, str], ci: bool) -> Iterator[Finding]:
    """Whether the ledger is there and takes writes, and whether its key is there."""
    from reconciler.ledger.homes.choice import home_of

    if address == "none":
        yield Finding("ledger", State.NOTE, "none is wanted: nothing is owned, and there is no drift, no undo and no history")
        return
    if ci and not address and not (folder / "ledger.db").exists():
        now = "give --ledger git or --ledger postgresql://HOST/DATABASE"
        yield Finding("ledger", State.MEND, f"CI is set, and {folder / 'ledger.db'} would be lost with this machine", now)
        return
    home = home_of(address, folder, environ)
    try:
        there = home.exists()
        home.check_writable()
    except ReconcilerError as error:
        yield Finding("ledger", State.MEND, str(error))
    else:
        traces = "" if there else home.find_traces()
        state = State.MEND if traces else State.OK
        yield Finding("ledger", state, f"{home.place}{f' {traces}' if traces else '' if there else ': none yet, the first apply makes it'}")
        yield from _of_key(home, there, address, folder, environ)
    finally:
        home.close()


def _of_key(home: Home, there: bool, address: str, folder: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    from reconciler.ledger import key

    try:
        key_file = key.read_key(folder, environ)
    except ReconcilerError as error:
        yield Finding("key", State.MEND, str(error))
        return
    if key_file:
        yield Finding("key", State.OK, f"from {key.KEY_VARIABLE if environ.get(key.KEY_VARIABLE, '').strip() else folder / 'key'}")
    elif there:
        now = f"give it as {key.KEY_VARIABLE}, or restore {folder / 'key'} from where somebody applied before"
        yield Finding("key", State.MEND, f"missing: without it {home.place} counts as lost", now)
    elif address:
        yield Finding(
            "key", State.MEND, "none yet, and who shares this ledger needs the same one", f"{key.MAKE_ONE}, as {key.KEY_VARIABLE}"
        )
    else:
        yield Finding("key", State.OK, f"none yet: the first apply makes {folder / 'key'}")


def look_at_facts(path: Path | None, version: str) -> Finding:
    """Whether the file of facts, if there is one, can be read, and counts under an API version."""
    if path is None:
        now = "`reconciler doctor --probe` in a test workspace finds them out"
        return Finding("facts", State.NOTE, "none known: a plan takes what is safest where no description says what Intercom does", now)
    try:
        file = read_facts(path)
    except ReconcilerError as error:
        return Finding("facts", State.MEND, str(error))
    if file.api_version != version:
        return Finding("facts", State.MEND, f"{path} is of API version {file.api_version}, this is {version}", "probe anew")
    return Finding("facts", State.OK, f"{path}, of {file.asked}")


# Where pipelines lie, and how they name the version of ours that they install.
PIPELINES = (".github/workflows/*.yml", ".github/workflows/*.yaml", ".gitlab-ci.yml", ".gitlab/*.yml", ".pre-commit-config.yaml")
_PINNED = re.compile(r"\breconciler(?:\.git)?@v?(\d[\w.]*)|\breconciler(?:\.git)?['\"]?\s+rev: v?(\d[\w.]*)")


def look_at_pipelines(root: Path) -> Iterator[Finding]:
    """Which version of ours the pipelines of a repository install."""
    paths = sorted(path for pattern in PIPELINES for path in root.glob(pattern) if path.is_file())
    versions = [(path.relative_to(root), version) for path in paths for version in sorted(_versions(path))]
    for path, version in versions:
        if version != __version__:
            yield Finding("pipeline", State.MEND, f"{path} installs {version}, this is {__version__}", "let both be the same")
    if versions and all(version == __version__ for _, version in versions):
        yield Finding("pipeline", State.OK, f"{', '.join(str(path) for path, _ in versions)}: {__version__}, as this one")
    if not versions:
        none = "no pipeline of this repository names a version of reconciler"
        yield Finding("pipeline", State.NOTE, none, "examples/ci has some to copy")


def _versions(path: Path) -> set[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    return {one or other for one, other in _PINNED.findall(text)}
