"""Where the files of a manifest lie: in folders, at a revision of the repository, in a saved plan."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import BinaryIO

from reconciler.errors import Problem
from reconciler.manifest.reader import Document

SUFFIXES = (".yaml", ".yml")


class Unopened(Exception):
    """A list that cannot be read: what is wrong, and what to do now."""

    def __init__(self, what: str, now: str) -> None:
        self.what, self.now = what, now
        super().__init__(what)


# A manifest file and a list that it names → what the list is called, and its bytes. Raises Unopened.
OpenList = Callable[[str, str], tuple[str, BinaryIO]]


@dataclass(frozen=True)
class Source:
    """The files of a manifest."""

    # The YAML files, in their order.
    names: Sequence[str]
    # The document in one of them, if it can be read to its end, and what is wrong in it.
    read: Callable[[str], tuple[Document | None, Sequence[Problem]]]
    # What reads the file of a list.
    open_list: OpenList


def path_beside(manifest: str, name: str) -> str:
    """The path of a list that a manifest file names. Raises Unopened where it leads out of that file's folder."""
    parts = PurePath(name).parts
    if PurePath(name).is_absolute() or ".." in parts:
        raise Unopened(f"{name} is not below the folder of this file", "put the list there, and write its path from here")
    return posixpath.normpath(posixpath.join(posixpath.dirname(manifest), name))


def read_documents(source: Source, names: Sequence[str]) -> tuple[list[Document], list[Problem]]:
    """The documents that could be read to their ends, and what is wrong in all these files."""
    documents: list[Document] = []
    problems: list[Problem] = []
    for name in names:
        document, problem = source.read(name)
        problems += problem
        documents += [document] if document else []
    return documents, problems
