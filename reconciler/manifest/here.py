"""The manifest that is meant where no path is given."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence, Set
from pathlib import Path

from reconciler.core.model.kinds import Kinds
from reconciler.errors import Invalid, Usage
from reconciler.kinds import KINDS
from reconciler.manifest import files
from reconciler.manifest.head import Head
from reconciler.manifest.layers import without_overlays
from reconciler.manifest.source import SUFFIXES

# A key at the top level of a file.
_KEY = re.compile(rb"^([A-Za-z_]\w*)[ \t]*:", re.MULTILINE)


def found_from(folder: Path, root: Path, kinds: Kinds = KINDS) -> Sequence[str]:
    """The paths of the manifest in a folder, else in the one folder of it that has one, else the same in each folder above, up to the
    root of the repository; nothing where there is none. Raises Usage where there are several."""
    for above in (above for above in (folder, *folder.parents) if above.is_relative_to(root)):
        if paths := _paths_in(above, kinds):
            return [os.path.relpath(path, folder) for path in paths]
    return []


def _paths_in(folder: Path, kinds: Kinds) -> Sequence[str]:
    """The manifest of a folder: the folder itself, where folders in it hold some of it. Raises Usage where several of them have one."""
    if own := _parts_in(folder, kinds):
        below = _all_below(folder)
        return [str(folder)] if len(below) > len(own) and all(_keys(path, kinds) for path in below) else own
    inner = [path for path in sorted(folder.glob("[!.]*/")) if _parts_in(path, kinds)]
    if len(inner) > 1:
        names = ", ".join(path.name for path in inner)
        raise Usage(f"several folders here have a manifest ({names}); say which with --in PATH")
    return [str(path) for path in inner]


def _all_below(folder: Path) -> Sequence[str]:
    """Every YAML file below a folder; none where one of them is a broken link or cannot be read."""
    try:
        return files.find([str(folder)])
    except Invalid:
        return []


def _parts_in(folder: Path, kinds: Kinds) -> Sequence[str]:
    """The files of a folder that have the keys of a manifest and are no overlays, if one of them lists things."""
    keys = {str(path): _keys(str(path), kinds) for path in sorted(folder.glob("*")) if path.suffix.lower() in SUFFIXES}
    lists = any(not places.isdisjoint(kinds.by_section) for places in keys.values())
    return without_overlays([path for path, places in keys.items() if places]) if lists else []


def _keys(path: str, kinds: Kinds) -> Set[str]:
    """The keys of a file; none where one of them is no key of a manifest."""
    try:
        keys = {key.decode() for key in _KEY.findall(files.read_bytes(path))}
    except Invalid:
        return set()
    return keys if keys <= {*kinds.by_section, *Head.model_fields} else set()
