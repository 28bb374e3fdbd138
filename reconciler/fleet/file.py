"""`fleet.yaml` → a fleet. Read offline: nothing is asked of Intercom, and no command is run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from reconciler.core.model.policy import StrictModel
from reconciler.core.model.written import quote
from reconciler.errors import Invalid, Mark, Problem, Usage
from reconciler.fleet.entries import REST, FleetEntry, GroupEntry, ListEntry, WaveEntry, WorkspaceEntry
from reconciler.fleet.fleet import Fleet, Wave, Workspace, percentage
from reconciler.fleet.rows import read_csv
from reconciler.intercom.http.host import check_address
from reconciler.ledger.homes.choice import has_password
from reconciler.manifest.files import read_bytes
from reconciler.manifest.layers import PREFIX
from reconciler.manifest.reader import Document, read
from reconciler.manifest.sentences import Guesses, explain

Model = TypeVar("Model", bound=StrictModel)
# What lists every problem.
EACH = "; `reconciler fleet validate --full` lists each"
# A workspace as written, and its place.
Placed = tuple[WorkspaceEntry, Mark]


def read_fleet(file: str) -> Fleet:
    """The fleet that a file describes; without its workspaces where a command lists them. Raises Invalid with every problem."""
    document = read(read_bytes(file), file)
    reading = _Reading(document, os.path.dirname(os.path.abspath(file)))
    entry = reading.take(FleetEntry, document.value, ())
    listing = document.value.get("workspaces")
    command, placed = reading.list_workspaces(listing)
    if entry is None:
        raise Invalid(reading.problems, each=EACH)
    groups = {name: _with_paths(group, reading.folder) for name, group in entry.groups.items()}
    reading.check(entry, placed)
    if reading.problems:
        raise Invalid(reading.problems, each=EACH)
    return Fleet(
        name=entry.name,
        file=os.path.abspath(file),
        engine=entry.engine,
        store=_place_store(entry.store or "", reading.folder),
        manifests=tuple(os.path.normpath(os.path.join(reading.folder, name)) for name in entry.manifests),
        groups=groups,
        token=entry.token,
        waves=tuple(map(_wave, entry.rollout)),
        workspaces=tuple(_workspace(one, mark, groups) for one, mark in placed),
        command=command,
        nightly=entry.nightly or "",
    )


def add_rows(fleet: Fleet, printed: bytes) -> Fleet:
    """The fleet with the workspaces that its command printed, as CSV. Raises Invalid."""
    reading = _Reading(None, "")
    placed = reading.take_rows(printed, "the command of workspaces")
    reading.check_apart(placed)
    if not placed and not reading.problems:
        reading.problems.append(Problem(Mark("the command of workspaces"), "printed no workspace", "run it by hand"))
    if reading.problems:
        # `validate` does not run it.
        raise Invalid(reading.problems, each="")
    workspaces = tuple(_workspace(one, mark, fleet.groups) for one, mark in placed)
    return Fleet(**{**vars(fleet), "workspaces": workspaces})


class _Reading:
    """What is read of a file, and every problem in it."""

    def __init__(self, document: Document | None, folder: str) -> None:
        self.document, self.folder = document, folder
        self.problems, self.guesses = list[Problem](), Guesses()

    def mark(self, loc: Sequence[str | int]) -> Mark:
        return self.document.marks.of(loc) if self.document else Mark("the command of workspaces")

    def note(self, loc: Sequence[str | int], what: str, now: str = "") -> None:
        self.problems.append(Problem(self.mark(loc), what, now))

    def take(self, model: type[Model], written: Any, loc: tuple[str | int, ...]) -> Model | None:
        """What is written at a place, as a model; None where that is wrong, which is noted."""
        try:
            return model.model_validate(written)
        except ValidationError as error:
            for text, inner in explain(error, model, self.guesses):
                self.note((*loc, *inner), *_part(text))
            return None

    def list_workspaces(self, written: Any) -> tuple[tuple[str, ...], list[Placed]]:
        """The command that lists them, if one does, and those that are listed here or in a file."""
        if isinstance(written, dict):
            entry = self.take(ListEntry, written, ("workspaces",))
            if entry is None or entry.csv is None:
                return (entry and entry.command) or (), []
            return (), self._read_list(entry.csv)
        if not isinstance(written, list):
            if written is not None or (self.document and "workspaces" in self.document.value):
                self.note(("workspaces",), "`workspaces:` is no list", "write a list, {csv: FILE} or {command: [PROGRAM]}")
            return (), []
        if not written:
            self.note(("workspaces",), "there is no workspace", "write at least one: {app_id: ecahpwf5}")
        taken = ((number, self.take(WorkspaceEntry, one, ("workspaces", number))) for number, one in enumerate(written))
        return (), [(one, self.mark(("workspaces", number))) for number, one in taken if one]

    def _read_list(self, name: str) -> list[Placed]:
        path = os.path.join(self.folder, name)
        try:
            placed = self.take_rows(Path(path).read_bytes(), os.path.relpath(path))
        except OSError as error:
            self.note(("workspaces", "csv"), f"{name} cannot be read ({error.strerror})", "check the path, which begins beside this file")
            return []
        if not placed and not self.problems:
            self.note(("workspaces", "csv"), f"{name} lists no workspace", "write at least one row below its header")
        return placed

    def take_rows(self, data: bytes, file: str) -> list[Placed]:
        placed = []
        try:
            for line, row in read_csv(data, file):
                mark = Mark(file, line)
                try:
                    placed.append((WorkspaceEntry.model_validate(row), mark))
                except ValidationError as error:
                    texts = explain(error, WorkspaceEntry, self.guesses)
                    self.problems += (Problem(mark, *_part(text)) for text, _ in texts)
        except Invalid as invalid:
            self.problems += invalid.problems
        return placed

    def check(self, entry: FleetEntry, placed: Sequence[Placed]) -> None:
        """Note what only shows in several keys side by side."""
        self.check_apart(placed)
        if not entry.manifests:
            self.note(("manifests",), "there is no manifest", "write the path of one, which begins beside this file")
        if not entry.token.is_each and len(placed) != 1:
            self.note(("token",), "all workspaces would have the same token", "write {app_id} where the one of each is named")
        for what, now in _flaws_of_store(entry.store or "", entry.engine):
            self.note(("store",), what, now)
        if entry.nightly and entry.engine == "local":
            self.note(
                ("nightly",), "needs workers, which engine: local has none of", "write engine: postgresql, or let cron run fleet drift"
            )
        if not entry.rollout:
            self.note(("rollout",), "there is no wave", "write {wave: rest}, or remove the line")
        if REST in entry.groups:
            self.note(("groups", REST), f"a group is called {REST!r}, as the last wave is", "call it something else")
        for number, (what, now) in _flaws(entry.rollout, entry.groups):
            self.note(("rollout", number, "wave"), what, now)

    def check_apart(self, placed: Sequence[Placed]) -> None:
        """Note workspaces that stand twice, and addresses that no token may be sent to."""
        first: dict[str, Mark] = {}
        for one, mark in placed:
            # Folders of two that differ in case only would be one on some file systems.
            before = first.setdefault(one.app_id.lower(), mark)
            if before is not mark:
                self.problems.append(Problem(mark, f"{one.app_id} stands at {before} already", "keep one of them"))
            try:
                if one.base_url:
                    check_address(one.base_url)
            except Usage as error:
                self.problems.append(Problem(mark, f"base_url: {error}"))


def _part(text: str) -> tuple[str, str]:
    what, _, now = text.partition("; ")
    return what, now


def _flaws(rollout: Sequence[WaveEntry], groups: Mapping[str, GroupEntry]) -> Iterator[tuple[int, tuple[str, str]]]:
    """What is wrong with waves, each with its number."""
    for number, entry in enumerate(rollout):
        name, last = entry.wave, number == len(rollout) - 1
        if name == REST and not last:
            yield number, ("`rest` is not the last wave", "nothing would be left for those behind it; move it to the end")
        elif name != REST and last:
            yield number, ("the last wave is not `rest`", "add {wave: rest}, or some workspaces would be in no wave")
        if name in [other.wave for other in rollout[:number]] and name in groups:
            yield number, (f"the group {quote(name)} has a wave already", "keep one of them")
        if name != REST and name not in groups and not 0 < (percentage(name) or 0) <= 100:
            known = ", ".join([*groups, "5%", REST])
            yield number, (f"{quote(name)} is no group and no percentage", f"write one of {known}")


def _flaws_of_store(store: str, engine: str) -> Iterator[tuple[str, str]]:
    if has_password(store):
        yield "holds a password", "put the address into RECONCILER_FLEET, or the password into ~/.pgpass"
    if is_strange(store):
        yield "is no address that is known", "write a file, or postgresql://HOST/DATABASE"
    elif store and engine == "postgresql" and not is_server(store):
        yield "is a file, and engine: postgresql needs a server", "write postgresql://HOST/DATABASE"


def is_server(store: str) -> bool:
    """Whether a store is a database of a server, and no file."""
    return store.startswith(("postgresql:", "postgresql+", "postgres:"))


def is_strange(store: str) -> bool:
    """Whether a store is the address of something else: mysql://…"""
    return "://" in store and not is_server(store)


def _place_store(store: str, folder: str) -> str:
    return store if not store or is_server(store) else os.path.normpath(os.path.join(folder, store))


def _with_paths(group: GroupEntry, folder: str) -> GroupEntry:
    return group.model_copy(update={"manifests": tuple(os.path.normpath(os.path.join(folder, name)) for name in group.manifests)})


def _wave(entry: WaveEntry) -> Wave:
    refused = entry.failures if entry.refused is None else entry.refused
    return Wave(entry.wave, entry.failures, refused, entry.wait, entry.in_flight, entry.approve)


def _workspace(entry: WorkspaceEntry, mark: Mark, groups: Mapping[str, GroupEntry]) -> Workspace:
    variables = {f"{PREFIX}{name}": value for name, value in entry.vars.items()}
    own = tuple(name for name, group in groups.items() if _is_in(entry, group))
    return Workspace(entry.app_id, entry.region, entry.labels, variables, entry.base_url, own, mark)


def _is_in(entry: WorkspaceEntry, group: GroupEntry) -> bool:
    wanted = chain(group.match.labels.items(), [("", group.match.region)] if group.match.region else [])
    return all((entry.labels.get(key) if key else entry.region) == value for key, value in wanted)
