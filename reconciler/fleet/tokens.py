"""The token of each workspace: from the environment, the keyring or a command. Kept in memory only, and shown nowhere."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

from reconciler.errors import ReconcilerError, origin
from reconciler.fleet.entries import APP_ID, TokenEntry
from reconciler.fleet.fleet import Workspace
from reconciler.intercom.http.host import REGIONS
from reconciler.intercom.http.token import Token, parse
from reconciler.intercom.login.store import TokenStore, config_folder
from reconciler.workflow.planfile import write_whole

# How long a command may take, in seconds, and how much it may print, in bytes.
PATIENCE, MOST = 30.0, 65_536
# What a list of workspaces may take, in bytes.
MOST_ROWS = 64 * 1024 * 1024
# So many commands run at the same time: each is a process, and what answers them may limit its callers.
AT_ONCE = 8


class NoToken(ReconcilerError):
    """The token of a workspace cannot be had."""


class Tokens:
    """The tokens of one process, each asked for once. Threads may ask."""

    def __init__(self, source: TokenEntry, environ: Mapping[str, str], folder: str) -> None:
        """`folder`: where a command is run."""
        self._source, self._environ, self._folder = source, environ, folder
        self._lock, self._running = threading.Lock(), threading.BoundedSemaphore(AT_ONCE)
        self._kept: dict[str, Token] = {}

    def of(self, workspace: Workspace) -> Token:
        """The token. Raises NoToken, and BadToken for what can be none; their words never hold it."""
        with self._lock:
            kept = self._kept.get(workspace.app_id)
        if kept:
            return kept
        token = self._ask(workspace)
        with self._lock:
            return self._kept.setdefault(workspace.app_id, token)

    def drop(self, workspace: Workspace) -> None:
        """Ask for it again the next time."""
        with self._lock:
            self._kept.pop(workspace.app_id, None)

    def _ask(self, workspace: Workspace) -> Token:
        source = self._source
        if source.env is not None:
            name = source.env.replace(APP_ID, workspace.app_id)
            if not self._environ.get(name):
                raise NoToken(f"the variable {name} holds no token; set it to the access token of {workspace.app_id}")
            return parse(self._environ[name], name)
        if source.command:
            command = [part.replace(APP_ID, workspace.app_id) for part in source.command]
            with self._running:
                printed = run_command(command, "token:", MOST, self._folder)
            return parse(_text(printed, workspace), "the token command")
        return self._read_stored(workspace)

    def _read_stored(self, workspace: Workspace) -> Token:
        """From the keyring, or the file where this machine has none, as `auth login` left it."""
        store = TokenStore(config_folder(self._environ), write_whole)
        base_url = workspace.base_url.rstrip("/") if workspace.base_url else None
        where = None if base_url in REGIONS.values() else base_url
        for kept in store.all():
            # A token goes to no other address than the one it was given to at login.
            if kept.app_id == workspace.app_id and kept.base_url == where:
                return store.token(kept)
        login = f"reconciler auth login --region {workspace.region} --app-id {workspace.app_id}"
        raise NoToken(f"no token of {workspace.app_id} is stored; run `{login}{f' --base-url {where}' if where else ''}`")


def _text(printed: bytes, workspace: Workspace) -> str:
    try:
        return printed.decode("ascii")
    except UnicodeDecodeError:
        raise NoToken(f"the token command printed for {workspace.app_id} what no token has; run it by hand") from None


def run_command(command: Sequence[str], key: str, most: int, folder: str, patience: float = PATIENCE) -> bytes:
    """What a command of `fleet.yaml` prints, at most so many bytes within so many seconds; then it is ended with all that it started. What
    it says on stderr is shown nowhere, for it may hold a secret. Raises NoToken."""
    what = f"the command under `{key}` ({command[0]})"
    try:
        with subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        ) as running:
            assert running.stdout
            printed, late = _read(running, running.stdout, most, patience)
    except OSError as error:
        raise NoToken(f"{what} cannot be run: {error.strerror or origin(error)}") from None
    if late:
        raise NoToken(f"{what} took more than {patience:.0f} s; run it by hand")
    if len(printed) > most:
        raise NoToken(f"{what} printed more than {most:,} bytes; run it by hand")
    if running.returncode:
        raise NoToken(f"{what} ended with {running.returncode}; run it by hand")
    return printed


def _read(running: subprocess.Popen[bytes], stdout: IO[bytes], most: int, patience: float) -> tuple[bytes, bool]:
    """What it prints, and whether it had to be ended for its time. It does not outlive an interruption either."""
    printed, ends, whole = bytearray(), time.monotonic() + patience, False
    try:
        with selectors.DefaultSelector() as output:
            # A child of its own that went into another session may hold the output open: nobody waits for its end.
            output.register(stdout, selectors.EVENT_READ)
            while len(printed) <= most and (left := ends - time.monotonic()) > 0 and output.select(left):
                more = os.read(stdout.fileno(), MOST)
                printed += more
                if not more:
                    running.wait(max(0.0, left))
                    whole = True
                    break
    except subprocess.TimeoutExpired:
        pass
    finally:
        if not whole:
            _kill(running)
    return bytes(printed), not whole and len(printed) <= most


def _kill(running: subprocess.Popen[bytes]) -> None:
    """End a command, and what it started: that would hold its output open."""
    with suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
