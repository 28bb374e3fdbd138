"""A fleet as a value: its workspaces, their groups, and the waves in which they are changed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.errors import Mark
from reconciler.fleet.entries import REST, GroupEntry, TokenEntry

_PERCENTAGE = re.compile(r"(\d+(?:\.\d+)?)%")


def percentage(written: int | str | None) -> float | None:
    """The number before the sign of a percentage; None for what is none."""
    match = _PERCENTAGE.fullmatch(written) if isinstance(written, str) else None
    return float(match[1]) if match else None


@dataclass(frozen=True)
class Workspace:
    """One workspace of a fleet."""

    # Its app id.
    app_id: str
    # Where it is: us, eu or au.
    region: str = "us"
    # What groups go by.
    labels: Mapping[str, str] = field(default_factory=dict)
    # The values of its variables, by their whole names.
    variables: Mapping[str, str] = field(default_factory=dict)
    # The address of its API; None for that of the region.
    base_url: str | None = None
    # The groups that it is of, in the order of the file.
    groups: tuple[str, ...] = ()
    # Where it is written.
    mark: Mark = Mark("")

    @property
    def group(self) -> str | None:
        """The first of its groups, which is the one it is listed under."""
        return self.groups[0] if self.groups else None


@dataclass(frozen=True)
class Wave:
    """A part of a rollout."""

    # A group, a percentage of what remains, or `rest`; None where there are no waves.
    name: str | None
    # How many of its workspaces may fail, and may be refused: a number, or a percentage.
    failures: int | str = 0
    refused: int | str = 0  # beside the failures
    # How long to wait after it, in seconds.
    wait: int = 0
    # How many of its workspaces may run at the same time; None for any number.
    in_flight: int | None = None
    # Whether people approve its plans.
    approve: bool = False


# What only reads has no waves, and goes to its end whatever fails.
ALL_AT_ONCE = (Wave(None, failures="100%", refused="100%"),)


@dataclass(frozen=True)
class Fleet:
    """Many workspaces, as `fleet.yaml` says it."""

    # Its name.
    name: str
    # The whole path of its file.
    file: str
    # `local` or `postgresql`.
    engine: str
    # A whole path, or postgresql://…; empty where none is written.
    store: str
    # The whole paths of the manifests of all.
    manifests: tuple[str, ...]
    # The groups, with whole paths too.
    groups: Mapping[str, GroupEntry]
    # Where tokens come from.
    token: TokenEntry
    # The waves, the first one first.
    waves: tuple[Wave, ...]
    # The workspaces; none where a command lists them that was not run.
    workspaces: tuple[Workspace, ...]
    # The command that lists them; empty where a file does.
    command: tuple[str, ...] = ()
    # When its workers look for drift, as 03:00, UTC; empty where they do not.
    nightly: str = ""

    def within(self, group: str | None) -> tuple[Workspace, ...]:
        """The workspaces of a group, of all where it is None."""
        return tuple(one for one in self.workspaces if group is None or group in one.groups)


def allowance(limit: int | str, number: int) -> int:
    """How many of so many a limit allows."""
    share = percentage(limit)
    # A hair more: 29 % of 100 is 28.999999999999996 by floats.
    return int(limit) if share is None else math.floor(share * number / 100 + 1e-9)


def assign(workspaces: Sequence[Workspace], waves: Sequence[Wave]) -> list[tuple[Workspace, int]]:
    """Each workspace with the number of its wave, in the order in which they run: by waves, and within one turn by turn over the
    groups."""
    left, placed = take_turns(workspaces), list[tuple[Workspace, int]]()
    for number, wave in enumerate(waves):
        if wave.name in (REST, None):
            members = left
        elif (share := percentage(wave.name)) is not None:
            # A hair less: 7 % of 100 is 7.000000000000001 by floats.
            members = left[: math.ceil(share * len(left) / 100 - 1e-9)]
        else:
            members = [one for one in left if wave.name in one.groups]
        placed += ((one, number) for one in members)
        gone = {one.app_id for one in members}
        left = [one for one in left if one.app_id not in gone]
    return placed


def take_turns(workspaces: Sequence[Workspace]) -> list[Workspace]:
    """The workspaces in turns: the first of each group, then the second of each, and so on."""
    seen: dict[str | None, int] = {}
    turns = []
    for at, one in enumerate(workspaces):
        turn = seen[one.group] = seen.get(one.group, 0) + 1
        turns.append((turn, at))
    return [workspaces[at] for _, at in sorted(turns)]
