"""Which token a verb uses: the sandbox's own, the environment's, else the one that `auth login` stored for the workspace that is meant."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.core.model.desired import Pin
from reconciler.errors import ReconcilerError
from reconciler.intercom.http.errors import HttpError
from reconciler.intercom.http.host import REGIONS
from reconciler.intercom.http.token import Token, parse
from reconciler.intercom.login.store import StoredToken, TokenStore, config_folder
from reconciler.workflow.planfile import write_whole

if TYPE_CHECKING:
    from reconciler.cli.options import Intercom

VARIABLE = "INTERCOM_ACCESS_TOKEN"


@dataclass(frozen=True, slots=True)
class Credential:
    """A token, and what is known of it."""

    # The token.
    token: Token
    # Where it came from, in words.
    source: str
    # The region that it is known to be of; None where nothing says so.
    region: str | None = None


class NoToken(ReconcilerError):
    """There is nothing to authenticate with, or no telling which of several tokens is meant."""


def keep() -> TokenStore:
    """The stored tokens of whoever runs this."""
    return TokenStore(config_folder(os.environ), write_whole)


def credential(intercom: Intercom, pin: Pin | None) -> Credential:
    """The token to use. Raises NoToken; never falls back to another workspace's token than the one that is meant."""
    if ready := storeless_credential(intercom):
        return ready
    fits = stored_tokens(intercom, pin)
    if len(fits) > 1:
        text = f"tokens of several workspaces are stored ({_names(fits)})"
        raise NoToken(f"{text}: say which is meant with `workspace:` in the manifest, or --app-id where a verb has it")
    return load_stored(fits[0])


def storeless_credential(intercom: Intercom) -> Credential | None:
    """The token that no store is asked for."""
    if intercom.sandbox:
        return Credential(Token("sandbox"), "sandbox")
    if token := os.environ.get(VARIABLE):
        return Credential(parse(token, VARIABLE), f"environment ({VARIABLE})")
    return None


def stored_tokens(intercom: Intercom, pin: Pin | None) -> list[StoredToken]:
    """What is stored for the workspace that is meant, or for any if none is; at least one. Raises NoToken."""
    every, pin = keep().all(), pin or Pin()
    fits = [token for token in every if token.base_url == bound_to(intercom) and _is_meant(token, pin)]
    if fits:
        return fits
    if not every:
        raise NoToken(f"no access token: set {VARIABLE}, run `reconciler auth login`, or use --sandbox for the local workspace")
    conditions = [pin.app_id and f"workspace {pin.app_id}", pin.region and f"region {pin.region}", bound_to(intercom) or "Intercom itself"]
    text = f"no stored token is for {' in '.join(filter(None, conditions[:2])) or conditions[2]} (stored: {_names(every)})"
    raise NoToken(f"{text}: run `reconciler auth login` with the token that is meant, or set {VARIABLE}")


def _is_meant(token: StoredToken, pin: Pin) -> bool:
    """An app id says it all: where the region that is written is another one, Intercom's own answer tells."""
    return token.app_id == pin.app_id if pin.app_id else pin.region in (None, token.region)


def bound_to(intercom: Intercom) -> str | None:
    """The address that a stored token is for: None for Intercom's own, else no other than the one it was given to at login."""
    base_url = intercom.base_url.rstrip("/") if intercom.base_url else None
    return None if base_url in REGIONS.values() else base_url


def load_stored(token: StoredToken) -> Credential:
    """A stored token as one to use."""
    store = keep()
    return Credential(store.token(token), store.place(token), token.region)


def _names(tokens: Sequence[StoredToken]) -> str:
    return ", ".join(f"{one.app_id} in {one.region}" + (f" at {one.base_url}" if one.base_url else "") for one in tokens)


@contextmanager
def name_source(source: str) -> Iterator[None]:
    """An answer that refuses the token says where the token came from."""
    try:
        yield
    except HttpError as error:
        if error.status == 401:
            error.hint += f"; it came from: {source}"
        raise
