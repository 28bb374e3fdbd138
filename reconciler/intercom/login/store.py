"""Where access tokens are kept between runs: the system's keyring, else a file that only its owner can read.

    $XDG_CONFIG_HOME/reconciler/tokens.json    {"format": 1, "workspaces": {"ecahpwf5": {"region": "us", "token": "…"}}}

A keyring cannot be listed, so the file says for every workspace that there is a token; an entry without `token` has it in the keyring.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, PlainSerializer, field_validator

from reconciler.core.model.jsons import parse_json
from reconciler.errors import ReconcilerError
from reconciler.intercom.http.token import BadToken, Token, parse

SERVICE = "reconciler"
# A locked keyring asks on the desktop and waits for ever where there is none (jaraco/keyring#562); people need time to unlock it.
PATIENCE = 60.0

T = TypeVar("T")


class Vault(Protocol):
    """What we ask of a keyring; each of keyring's backends is one."""

    def get_password(self, service: str, username: str) -> str | None: ...

    def set_password(self, service: str, username: str, password: str) -> None: ...

    def delete_password(self, service: str, username: str) -> None: ...


class KeepError(ReconcilerError):
    """What was kept cannot be had, or not be let go."""


def _read_token(value: object) -> object:
    try:
        return Token(value) if isinstance(value, str) else value
    except BadToken as error:
        raise ValueError(str(error)) from None


@dataclass(frozen=True, slots=True)
class StoredToken:
    """That the token of a workspace is kept."""

    # The workspace.
    app_id: Annotated[str, Field(exclude=True)]
    # Where that is: us, eu or au.
    region: str
    # The only address that it is for; None where that is Intercom's of the region.
    base_url: str | None = None
    # None where the keyring has it.
    token: Annotated[Token | None, BeforeValidator(_read_token), PlainSerializer(lambda token: token.value)] = None


class _File(BaseModel):
    """The file, by app id."""

    format: Literal[1]
    workspaces: dict[str, StoredToken]

    @field_validator("workspaces", mode="before")
    @classmethod
    def _name(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not all(isinstance(entry, dict) for entry in value.values()):
            raise ValueError("not by app id")
        return {app_id: {**entry, "app_id": app_id} for app_id, entry in sorted(value.items())}


def config_folder(environ: Mapping[str, str]) -> Path:
    """The user's folder for our settings."""
    # A relative path is to be ignored (XDG Base Directory Specification).
    if (folder := Path(environ.get("XDG_CONFIG_HOME", ""))).is_absolute():
        return folder / "reconciler"
    try:
        return Path.home() / ".config" / "reconciler"
    except RuntimeError:
        raise KeepError("there is no home folder to keep tokens in: set XDG_CONFIG_HOME, or INTERCOM_ACCESS_TOKEN") from None


def system_keyring() -> Vault | None:
    """The keyring that this system offers, if it has one that can be asked."""
    try:
        import keyring  # 90 ms, and only a stored token needs it

        return keyring.get_keyring()
    except Exception:  # backends of all kinds are loaded and asked here, and raise what they like
        return None


@dataclass(eq=False, repr=False)
class TokenStore:
    """The stored tokens of one user, one for each workspace."""

    # Where the file lies.
    folder: Path
    # Replaces a file as a whole, with these permissions.
    write: Callable[[Path, str, int], None]
    # The keyring of this machine; None where it has none.
    keyring: Callable[[], Vault | None] = system_keyring
    # How long to wait for another process, in seconds.
    patience: float = PATIENCE

    @property
    def path(self) -> Path:
        return self.folder / "tokens.json"

    def all(self) -> tuple[StoredToken, ...]:
        """Every workspace that a token is kept for, by app id."""
        return tuple(self._read().values())

    def place(self, token: StoredToken) -> str:
        """Where a token is, as people see it."""
        return f"file {self.path}" if token.token else "keyring"

    def token(self, entry: StoredToken) -> Token:
        """The token itself. Raises KeepError if the keyring does not give it."""
        if entry.token:
            return entry.token
        secret = self._ask(lambda vault: vault.get_password(SERVICE, entry.app_id))
        if not secret:
            raise KeepError(f"the keyring does not give the token of {entry.app_id}: unlock it, or run `reconciler auth login` again")
        return parse(secret, "the keyring")

    def put(self, entry: StoredToken, token: Token) -> StoredToken:
        """Keep a token, in the keyring if that can give it back. Raises OSError if neither place takes it."""
        before = self._read()
        in_keychain = self._ask(lambda vault: _lock_away(vault, entry.app_id, token)) is True
        now = StoredToken(entry.app_id, entry.region, entry.base_url, None if in_keychain else token)
        try:
            self._write({**before, entry.app_id: now})
        except OSError:
            if in_keychain and entry.app_id not in before:
                self._ask(lambda vault: vault.delete_password(SERVICE, entry.app_id))
            raise
        if not in_keychain and entry.app_id in before and before[entry.app_id].token is None:
            self._ask(lambda vault: vault.delete_password(SERVICE, entry.app_id))
        return now

    def drop(self, token: StoredToken) -> None:
        """Let a token go. Raises KeepError if the keyring holds on to it."""
        if token.token is None and self._ask(lambda vault: _delete(vault, token.app_id)) is not True:
            raise KeepError(f"the keyring does not let go of the token of {token.app_id}: unlock it and try again")
        self._write({app_id: other for app_id, other in self._read().items() if app_id != token.app_id})

    def _ask(self, question: Callable[[Vault], T]) -> T | None:
        """The keyring's answer; None where there is no keyring, where it fails in any way, or keeps silent."""
        answers: list[T] = []

        def ask() -> None:
            with suppress(Exception):  # NoKeyringError, KeyringLocked, errors of D-Bus, of the operating system …
                if vault := self.keyring():
                    answers.append(question(vault))

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        asking.join(self.patience)
        return answers[0] if answers else None

    def _read(self) -> dict[str, StoredToken]:
        try:
            return _File.model_validate(parse_json(self.path.read_bytes())).workspaces
        except FileNotFoundError:
            return {}
        except ValueError:
            text = f"{self.path} is not a file of stored tokens: remove it, and run `reconciler auth login` again"
            raise KeepError(text) from None

    def _write(self, tokens: Mapping[str, StoredToken]) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chmod(self.folder, 0o700)
        file = _File.model_construct(format=1, workspaces=dict(sorted(tokens.items())))
        self.write(self.path, json.dumps(file.model_dump(exclude_defaults=True), indent=1) + "\n", 0o600)


def _lock_away(vault: Vault, app_id: str, token: Token) -> bool:
    """Whether the keyring took it: the null backend accepts everything and keeps nothing."""
    vault.set_password(SERVICE, app_id, token.value)
    return vault.get_password(SERVICE, app_id) == token.value


def _delete(vault: Vault, app_id: str) -> bool:
    with suppress(Exception):  # "not found" is another error in each backend
        vault.delete_password(SERVICE, app_id)
    return vault.get_password(SERVICE, app_id) is None
