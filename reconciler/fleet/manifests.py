"""The manifest of each workspace: that of all and those of its groups, with the overlays of its groups and its own, and its variables."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

from reconciler.api.functions import load
from reconciler.core.model.desired import Manifest
from reconciler.errors import PLACES, Invalid, Problem
from reconciler.fleet.file import EACH, is_server
from reconciler.fleet.fleet import Fleet, Workspace
from reconciler.manifest.files import on_disk
from reconciler.manifest.layers import BASE, Layers, env_of, paths_with_overlays, sort_out
from reconciler.workflow.ground import check_name

# So many manifests are kept: those of a group are the same, unless each workspace has variables of its own.
KEPT = 64

_Paths = tuple[str, ...]


class Manifests:
    """The manifests of one fleet as they are now, each read once. Threads may ask."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet, self._lock = fleet, threading.Lock()
        self._read: dict[tuple[object, ...], Manifest] = {}
        self._known: dict[_Paths, frozenset[str]] = {}

    def of(self, workspace: Workspace) -> Manifest:
        """The manifest of a workspace. Raises Invalid."""
        paths = self._paths(workspace)
        with self._lock:
            envs = self._envs(paths, (*workspace.groups, workspace.app_id))
            key = paths, envs, tuple(sorted(workspace.variables.items()))
            manifest = self._read.pop(key, None) or load(*paths, envs=envs, variables=workspace.variables)
            # The one that was asked for last stands last.
            self._read[key] = manifest
            if len(self._read) > KEPT:
                del self._read[next(iter(self._read))]
            return manifest

    def files(self) -> frozenset[str]:
        """The files that were read, and the paths that name them."""
        named = (path for paths in (self._fleet.manifests, *(group.manifests for group in self._fleet.groups.values())) for path in paths)
        with self._lock:
            return frozenset((*named, *(file for manifest in self._read.values() for file in manifest.files)))

    @property
    def environments(self) -> frozenset[str]:
        """All environments of which the files that were read know."""
        return frozenset(name for names in self._known.values() for name in names if name)

    def _paths(self, workspace: Workspace) -> _Paths:
        groups = (self._fleet.groups[name].manifests for name in workspace.groups)
        return tuple(dict.fromkeys((*self._fleet.manifests, *(path for paths in groups for path in paths))))

    def _envs(self, paths: _Paths, names: _Paths) -> _Paths:
        """Those of these names of which the files have overlays, the weakest first."""
        if paths not in self._known:
            source = on_disk(paths)
            self._known[paths] = sort_out(source, paths, BASE).environments | {env_of(name) for name in source.names}
        # Of a path that names a file, overlays lie beside that.
        beside = {env_of(path) for path in paths_with_overlays(paths, Layers(names)) if path not in paths and os.path.isfile(path)}
        return tuple(name for name in names if name in self._known[paths] | beside)


def check_manifests(fleet: Fleet) -> tuple[int, list[str]]:
    """How many manifests the workspaces have, all of them read, and the environments whose overlays no workspace gets. Raises Invalid with
    every problem in all of them."""
    manifests, problems = Manifests(fleet), dict[Problem, list[str]]()
    different: dict[str, None] = {}
    for workspace in fleet.workspaces:
        try:
            manifest = manifests.of(workspace)
        except Invalid as invalid:
            for problem in invalid.problems:
                problems.setdefault(problem, []).append(workspace.app_id)
            continue
        different[manifest.digest] = None
        problems.update(dict.fromkeys(_misfits(fleet, workspace, manifest), []))
    if problems:
        number = len(fleet.workspaces)
        raise Invalid([_name_workspaces(problem, app_ids, number) for problem, app_ids in problems.items()], each=EACH)
    return len(different), sorted(manifests.environments - {*fleet.groups, *(one.app_id for one in fleet.workspaces)})


def _name_workspaces(problem: Problem, app_ids: Sequence[str], number: int) -> Problem:
    """A problem with the workspaces that have it, where not all of so many do: a variable has no value in one of them."""
    if len(app_ids) in (0, number):
        return problem
    more = f" and {len(app_ids) - PLACES:,} more" if len(app_ids) > PLACES else ""
    return replace(problem, what=f"{problem.what} (for {', '.join(app_ids[:PLACES])}{more})")


def _misfits(fleet: Fleet, workspace: Workspace, manifest: Manifest) -> Iterator[Problem]:
    """What is wrong with a manifest that is that of this workspace."""
    pin = manifest.pin
    if pin and (pin.app_id not in (None, workspace.app_id) or pin.region not in (None, workspace.region)):
        other = f"{pin.app_id or 'any workspace'} in {pin.region or 'any region'}"
        what = f"{workspace.app_id} in {workspace.region} would get a manifest that is pinned to {other}"
        yield Problem(workspace.mark, what, "remove `workspace:` from the manifest: each workspace of a fleet is pinned by its app_id")
    if is_server(fleet.store) or fleet.engine == "postgresql":
        try:
            check_name(manifest, fleet.store or "in PostgreSQL")
        except Invalid as invalid:
            yield from invalid.problems
