"""Layers: one manifest for many workspaces. Which of its files are the base, which are overlays, and what its variables are."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from reconciler.errors import Mark, Problem, Usage
from reconciler.manifest.reader import Document
from reconciler.manifest.source import SUFFIXES, Source, read_documents

# How the names of variables begin: no other part of the environment can be read by a manifest, a token least of all.
PREFIX = "RECONCILER_VAR_"


@dataclass(frozen=True, slots=True)
class Layers:
    """What is laid over the base of a manifest. The same files and the same layers are the same manifest."""

    # The environments whose overlays are laid over it, the weakest first: `x.prod.yaml` is an overlay of `prod`.
    overlays: tuple[str, ...] = ()
    # The values of variables, by their whole names.
    variables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, env: str, environ: Mapping[str, str]) -> Layers:
        """The layers of one environment, none where it is empty, with the variables that a process finds around it."""
        return cls((env,) if env else (), {name: value for name, value in environ.items() if name.startswith(PREFIX)})

    @property
    def env(self) -> str:
        """The strongest environment; empty where there is none."""
        return self.overlays[-1] if self.overlays else ""


BASE = Layers()


@dataclass(frozen=True)
class SortedFiles:
    """The files of a source, read, as layers."""

    # The files that hold for every environment.
    base: Sequence[Document]
    # The overlays of each environment, in the order of the layers.
    overlays: Sequence[Sequence[Document]]
    # What is wrong in them.
    problems: list[Problem]
    # All environments that the files know.
    environments: frozenset[str]


def paths_with_overlays(paths: Sequence[str], layers: Layers) -> Iterator[str]:
    """The paths, and behind each that names a file those where its overlays would lie."""
    for path in paths:
        yield path
        if path.lower().endswith(SUFFIXES):
            yield from (f"{posixpath.splitext(path)[0]}.{env}{suffix}" for env in layers.overlays for suffix in SUFFIXES)


def sort_out(source: Source, paths: Sequence[str], layers: Layers) -> SortedFiles:
    """Read the base and the overlays that are wanted. A file is an overlay of an environment if it is called so and stands beside its
    base, or if the environment is wanted, listed under `envs:`, or has another overlay."""
    envs = {env_of(name) for name in source.names} - {env_of(name) for name in without_overlays(source.names)}
    wanted_envs = {env for env in layers.overlays if any(env_of(name) == env for name in source.names)}
    base, problems = read_documents(source, [name for name in source.names if env_of(name) not in envs | wanted_envs])
    envs |= {str(env) for document in base for env in _list_envs(document)}
    base = [document for document in base if env_of(document.file) not in envs]
    problems = [problem for problem in problems if env_of(problem.mark.file) not in envs]
    names = {env: [name for name in source.names if env_of(name) == env] for env in layers.overlays}
    overlays = [read_documents(source, names[env]) for env in layers.overlays]
    overlay_paths = [name for name in paths if name in source.names and env_of(name) in envs.difference(layers.overlays)]
    problems += chain.from_iterable(more for _, more in overlays)
    problems += (_refuse_overlay(name) for name in overlay_paths)
    return SortedFiles(base, [documents for documents, _ in overlays], problems, frozenset(envs | wanted_envs))


def without_overlays(names: Sequence[str]) -> Sequence[str]:
    """These files without those that are called as an overlay and stand beside their base, and others of the same environments."""
    stems = {posixpath.splitext(name)[0] for name in names}
    envs = {env for stem, env in map(_split, names) if env and stem in stems}
    return [name for name in names if env_of(name) not in envs]


def env_of(name: str) -> str:
    """The environment that a file would be an overlay of by its name; empty where it could be none."""
    return _split(name)[1]


def _split(name: str) -> tuple[str, str]:
    """`a/x.prod.yaml` as `a/x` and `prod`; a name without a second dot has no environment."""
    folder, file = posixpath.split(posixpath.splitext(name)[0])
    stem, _, env = file.rpartition(".")
    return posixpath.join(folder, stem), env if stem else ""


def _list_envs(document: Document) -> Sequence[str]:
    envs = document.value.get("envs")
    return list(filter(None, envs)) if isinstance(envs, dict) else []


def _refuse_overlay(name: str) -> Problem:
    env = env_of(name)
    return Problem(Mark(name), f"is an overlay of the environment {env}", f"give --env {env}, or leave the file out")


def check_known(files: SortedFiles, layers: Layers) -> None:
    """Raises Usage for an environment of which the files know nothing."""
    for env in layers.overlays:
        if env not in files.environments:
            there = f"known are {', '.join(sorted(files.environments))}" if files.environments else "none is known"
            raise Usage(f"--env {env}: no such environment here ({there}); write an overlay *.{env}.yaml, or `envs: {{{env}: {{}}}}`")
