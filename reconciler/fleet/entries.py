"""`fleet.yaml` as people write it: its keys, and the rules for each of them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, model_validator

from reconciler.core.model.policy import Limit, StrictModel
from reconciler.core.model.scalars import Flag, Name, NotNull, Text
from reconciler.core.model.written import describe, is_null, quote

# What a workspace, a group or a fleet is called: it becomes part of the names of folders and variables.
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z0-9_]+")
# The name of a variable of the environment, with the app id, which may begin with a digit, as `x`.
_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PAUSE = re.compile(r"([0-9]{1,5})(s|m|h|d)")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
# What stands for the workspace in the name of a variable, or in a command.
APP_ID = "{app_id}"
REST = "rest"


def parse_word(value: Any) -> str:
    """A name that can be part of a path. Raises ValueError."""
    if isinstance(value, str) and _WORD.fullmatch(value):
        return str(value)
    what = "is empty" if is_null(value) else f"{describe(value)} is no such name"
    raise ValueError(f"{what}; write letters, digits, - and _, at most 64, the first a letter or a digit")


def _parse_variable(value: Any) -> str:
    if isinstance(value, str) and _VARIABLE.fullmatch(value):
        return str(value)
    raise ValueError(f"{quote(str(value))} is no name of a variable; write letters, digits and _")


def _parse_env(value: Any) -> Any:
    if isinstance(value, str) and value and not _ENV.fullmatch(value.replace(APP_ID, "x")):
        raise ValueError(f"{quote(value)} is no name of a variable; write letters, digits, _ and {APP_ID}, as in TOKEN_{APP_ID}")
    return value


def _parse_pause(value: Any) -> int:
    """Seconds, written as `30m`. Raises ValueError."""
    if isinstance(value, str) and (match := _PAUSE.fullmatch(value)):
        return int(match[1]) * _SECONDS[match[2]]
    what = "is empty" if is_null(value) else f"{describe(value)} is no time to wait"
    raise ValueError(f"{what}; write a number of seconds, minutes, hours or days, as in 30m")


def _parse_clock(value: Any) -> str:
    if isinstance(value, str) and _CLOCK.fullmatch(value):
        return str(value)
    what = "is empty" if is_null(value) else f"{describe(value)} is no time of day"
    raise ValueError(f"{what}; write hours and minutes, UTC, as in 03:00")


def _parse_most(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and 0 < int(value) < 100_000:
        return int(value)
    raise ValueError(f"{describe(value)} is no number of workspaces; write a whole number from 1 up")


Word = Annotated[str, BeforeValidator(parse_word)]
Variable = Annotated[str, BeforeValidator(_parse_variable)]
Pause = Annotated[int, BeforeValidator(_parse_pause)]
Most = Annotated[int, BeforeValidator(_parse_most)]
Clock = Annotated[str, BeforeValidator(_parse_clock)]
Region = Literal["us", "eu", "au"]


class MatchEntry(StrictModel):
    """Which workspaces are of a group: those with all of these labels, and of this region."""

    labels: dict[Name, Text] = {}
    region: Annotated[Region | None, NotNull] = None


class GroupEntry(StrictModel):
    """A group of workspaces."""

    match: MatchEntry
    # Manifests that only its workspaces have, beside those of all.
    manifests: tuple[Name, ...] = ()


class WaveEntry(StrictModel):
    """A part of a rollout, done before the next begins."""

    # A group, a percentage of what remains, or `rest`.
    wave: Name
    # How many of its workspaces may fail, and how many may be refused, before the rollout stops.
    failures: Limit = 0
    refused: Annotated[Limit | None, NotNull] = None
    # How long to wait after it, in seconds.
    wait: Pause = 0
    # How many of its workspaces may run at the same time.
    in_flight: Annotated[Most | None, NotNull] = None
    # Whether people approve its plans before it is applied.
    approve: Flag = False


class TokenEntry(StrictModel):
    """Where the token of each workspace comes from."""

    env: Annotated[Name | None, BeforeValidator(_parse_env), NotNull] = None
    keyring: Flag = False
    command: Annotated[tuple[Text, ...] | None, NotNull] = None

    @model_validator(mode="after")
    def _check_one(self) -> TokenEntry:
        if (self.env is not None) + self.keyring + bool(self.command) != 1:
            raise ValueError(
                f'has to name one source; write {{env: "TOKEN_{APP_ID}"}}, {{keyring: true}} or {{command: [PROGRAM, "{APP_ID}"]}}'
            )
        return self

    @property
    def is_each(self) -> bool:
        """Whether each workspace has a source of its own."""
        return self.keyring or APP_ID in (self.env or "") or any(APP_ID in part for part in self.command or ())


class WorkspaceEntry(StrictModel):
    """One workspace."""

    app_id: Word
    region: Region = "us"
    labels: dict[Name, Text] = {}
    # The values of `${RECONCILER_VAR_…}`, by their names without that beginning.
    vars: dict[Variable, Text] = {}
    # The address of its API, for a stand-in on this machine.
    base_url: Annotated[Name | None, NotNull] = None


class ListEntry(StrictModel):
    """Where the workspaces are listed, if not in the file itself: CSV, or a command that prints CSV."""

    csv: Annotated[Name | None, NotNull] = None
    command: Annotated[tuple[Text, ...] | None, NotNull] = None

    @model_validator(mode="after")
    def _check_one(self) -> ListEntry:
        if (self.csv is not None) + bool(self.command) != 1:
            raise ValueError("has to name one list; write {csv: FILE} or {command: [PROGRAM]}")
        return self


class FleetEntry(StrictModel):
    """A fleet."""

    name: Word
    # `local`: a pool of threads in one process; `postgresql`: workers on any number of machines.
    engine: Literal["local", "postgresql"] = "local"
    # Where rollouts are kept: a file, or postgresql://…; beside our other files where it is not written.
    store: Annotated[Name | None, NotNull] = None
    manifests: tuple[Name, ...]
    token: TokenEntry
    groups: dict[Word, GroupEntry] = {}
    rollout: tuple[WaveEntry, ...] = (WaveEntry(wave=REST),)
    # When its workers look for drift, every day.
    nightly: Annotated[Clock | None, NotNull] = None
    # A list of workspaces, or where there is one: read apart, for it may be long.
    workspaces: Any
