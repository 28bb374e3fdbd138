"""Edits of manifest files that keep comments, order, quotes and line ends: a draft of all of them, written at once or not at all."""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO

from reconciler.core.model.desired import Manifest
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.privacy import hide, mask
from reconciler.errors import Invalid, Mark, Problem
from reconciler.kinds import KINDS
from reconciler.manifest import files
from reconciler.manifest.contents import Name, name_of
from reconciler.manifest.layers import BASE, Layers, env_of, without_overlays
from reconciler.manifest.read import merge
from reconciler.manifest.reader import BOM, Document, read, read_far
from reconciler.manifest.rows import Becomes, edit_rows
from reconciler.manifest.sentences import Loc
from reconciler.manifest.source import SUFFIXES, Source, Unopened
from reconciler.manifest.splicing import Splices, says_anything
from reconciler.manifest.unified import diff_lines


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of a section, or a reference inside one."""

    # The file that it stands in.
    document: Document
    # The way to it in its file.
    loc: Loc
    # What is written there, as the reader has it.
    value: Any

    @property
    def mark(self) -> Mark:
        """Its file, line and column."""
        return self.document.marks.of(self.loc)


class Draft:
    """The files of a manifest while they are edited. Edits don't see each other; none is on the disk before `write`."""

    def __init__(self, paths: Sequence[str], data: Mapping[str, bytes], kinds: Kinds = KINDS, layers: Layers = BASE) -> None:
        self.paths, self.kinds, self.layers, self._data = paths, kinds, layers, dict(data)
        self._splices: dict[str, Splices] = {}
        self._indexes: dict[str, dict[Name, list[Place]]] = {}
        # The lists that were edited, as they are and as they will be.
        self._lists: dict[str, tuple[bytes, bytes]] = {}
        self.documents = documents_in(data)

    @classmethod
    def read(cls, paths: Sequence[str], kinds: Kinds = KINDS, layers: Layers = BASE, *, new: bool = False) -> Draft:
        """The files that paths mean; with `new` a path may mean none yet. Raises Invalid where one of them is no YAML of one document."""
        sources = files.find([path for path in paths if not new or _holds_any(path)])
        return cls(paths, {file: files.read_bytes(file) for file in sources}, kinds, layers)

    # ── what is there ──────────────────────────────────────────────────────────────────────────────────────────────────────────
    def entries(self, kind: Kind) -> Iterator[Place]:
        """Every entry of a kind, valid or not."""
        for document in self.documents:
            section = document.value.get(kind.section)
            for number, value in enumerate(section if isinstance(section, list) else ()):
                yield Place(document, (kind.section, number), value)

    def having(self, kind: Kind, by: str, key: str) -> Sequence[Place]:
        """The entries that give their things this name, or id."""
        if kind.name not in self._indexes:
            index = self._indexes[kind.name] = defaultdict(list)
            for place in self.entries(kind):
                for name in _names(kind, place.value):
                    index[name].append(place)
        return self._indexes[kind.name].get(name_of(kind, by, key), ())

    def references(self, kind: Kind, names: Iterable[str], ids: Iterable[str] = ()) -> Iterator[Place]:
        """Every place that leads to a thing by one of its names or ids: links in their short and long form, present or absent, fields, and
        rules."""
        by, names = kind.identities[0].field, tuple(names)
        targets = {name_of(kind, by, name) for name in names} | {name_of(kind, "id", live_id) for live_id in ids}
        for source in self.kinds:
            lists = [link.field for link in source.links if link.target == kind.name]
            fields = [field for field, target in source.references.items() if target == kind.name]
            fields += [kind.retirement.successor] if kind.retirement and source is kind else []
            for place in self.entries(source) if lists or fields else ():
                for loc, key in _find_references(place.value, lists, fields, kind.name):
                    if name_of(kind, "id" if loc[-1] == "id" else by, key) in targets:
                        yield Place(place.document, (*place.loc, *loc), key)
        yield from self.rules(kind, names)

    def rules(self, kind: Kind, names: Iterable[str]) -> Iterator[Place]:
        """Where rules name what they are about, if that is a thing of one of these names."""
        ruling, by = self.kinds.ruling, kind.identities[0].field
        if ruling is None or ruling.target != kind.name:
            return
        targets = {name_of(kind, by, name) for name in names}
        for document in self.documents:
            section = document.value.get(ruling.section)
            for number, value in enumerate(section if isinstance(section, list) else ()):
                key = value.get(ruling.target) if isinstance(value, dict) else None
                if isinstance(key, str) and name_of(kind, by, key) in targets:
                    yield Place(document, (ruling.section, number, ruling.target), key)

    # ── what is to be there ────────────────────────────────────────────────────────────────────────────────────────────────────
    def add(self, kind: Kind, entry: Any, file: str = "") -> None:
        """Add an entry to its section in a file; the section and the file are made where they are missing."""
        self._of(file or self.file_for(kind)).append((kind.section,), entry)

    def file_for(self, kind: Kind) -> str:
        """Where a new entry goes: to the last one of its kind that is no overlay, else into the only file, else into one of its section's
        name."""
        base = without_overlays([document.file for document in self.documents])
        having = [d.file for d in self.documents if d.file in base and isinstance(d.value.get(kind.section), list)]
        if having or len(self._data) == 1:
            return having[-1] if having else next(iter(self._data))
        path = next((path for path in self.paths if not path.lower().endswith(SUFFIXES)), "")
        return os.path.join(path, f"{kind.section}.yaml") if path else self.paths[-1]

    def environments(self, names: Iterable[str]) -> Sequence[str]:
        """The environments whose overlays are among these files."""
        base = without_overlays([document.file for document in self.documents])
        return sorted({env_of(name) for name in names if name not in base} - {""})

    def put(self, place: Place, values: Mapping[str, Any], after: str = "") -> None:
        """Set keys of an entry: a value is replaced, or its key added behind the key `after` or as the last one."""
        splices = self._of(place.document.file)
        if isinstance(place.value, dict):
            for key, value in values.items():
                splices.put(place.loc, key, value, after)
        else:
            short = self.kinds.by_section[str(place.loc[0])].short
            splices.replace(place.loc, {short: str(place.value), **values})

    def append(self, place: Place, key: str, item: Any) -> None:
        """Add an item to a list of an entry, which is made if it is not there."""
        if isinstance(place.value, dict) and isinstance(place.value.get(key), list):
            self._of(place.document.file).append((*place.loc, key), item)
        else:
            self.put(place, {key: [item]})

    def drop(self, place: Place, *keys: str) -> None:
        """Take keys out of an entry."""
        self._of(place.document.file).drop(place.loc, keys)

    def replace(self, places: Iterable[Place], value: Any) -> None:
        """Write another value at each place; a text in the quotes that stand there."""
        for place in places:
            self._of(place.document.file).replace(place.loc, value)

    def remove(self, references: Iterable[Place]) -> None:
        """Take items out of their lists, and keys out of their entries."""
        lists: dict[tuple[str, Loc], list[int | str]] = defaultdict(list)
        for place in references:
            # The item is a name, or a map that has it under a key. In an entry, which is an item of its section, the key goes.
            at = next(n for n in range(len(place.loc) - 1, 0, -1) if isinstance(place.loc[n], int))
            at = 2 if at == 1 and len(place.loc) > 2 else at
            lists[place.document.file, place.loc[:at]].append(place.loc[at])
        for (file, loc), steps in lists.items():
            self._of(file).drop(loc, steps)

    def edit_lists(self, kind: Kind, names: Iterable[str], ids: Iterable[str], new: str | None, *, merge: bool = False) -> int:
        """Write another name, or none, wherever a row of a list names a thing. Returns in how many places. Where things are merged, who
        was not to have one of them needs no word of it any more."""
        targets = {("", kind.identities[0].fold(name)) for name in names} | {("id", live_id) for live_id in ids}
        number = 0

        def becomes(field: str, name: str, absent: bool) -> str | None:
            if (field, name if field else kind.identities[0].fold(name)) not in targets:
                return name
            return None if merge and absent else new

        for source in self.kinds:
            many = {link.field for link in source.links if link.target == kind.name}
            for place in self.entries(source) if many else ():
                number += self._edit_list(place, many, kind.name, becomes)
        return number

    def _edit_list(self, place: Place, many: Container[str], end: str, becomes: Becomes) -> int:
        """Edit the list that an item names, if it is one that does. Who reads it says what is wrong with it."""
        values = place.value if isinstance(place.value, dict) else {}
        columns_written = values.get("columns")
        columns: Mapping[str, Any] = columns_written if isinstance(columns_written, dict) else {}
        try:
            path, stream = files.open_list(place.document.file, str(values["from"]))
            with stream:
                was, now = self._lists.get(path) or (data := stream.read(), data)
            text, number = edit_rows(path, now.removeprefix(BOM).decode(), lambda name: columns.get(name, name) in many, end, becomes)
        except (KeyError, Unopened, UnicodeDecodeError):
            return 0
        self._lists[path] = was, _bom(was) + text.encode()
        return number

    # ── what becomes of it ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def changed_files(self) -> Mapping[str, bytes]:
        """The files that the edits change, as they will be."""
        contents = {file: _bom(self._data.get(file, b"")) + splices.result().encode() for file, splices in sorted(self._splices.items())}
        lists = {file: data for file, (_, data) in sorted(self._lists.items())}
        return {file: data for file, data in {**contents, **lists}.items() if data != self._was(file)}

    def _was(self, file: str) -> bytes:
        """A file as it was read; nothing of one that is new."""
        return self._lists[file][0] if file in self._lists else self._data.get(file, b"")

    def manifest(self) -> Manifest:
        """The manifest that the edited files make. Raises Invalid with every problem that can be seen offline."""
        new_files = self.changed_files()
        by_file = {document.file: document for document in self.documents}

        def reader(file: str) -> tuple[Document | None, Sequence[Problem]]:
            return read_far(new_files[file], file) if file in new_files else (by_file[file], ())

        def open_list(manifest: str, name: str) -> tuple[str, BinaryIO]:
            path, stream = files.open_list(manifest, name)
            if path not in new_files:
                return path, stream
            stream.close()
            return path, BytesIO(new_files[path])

        names = [file for file in {**by_file, **new_files} if file not in self._lists]
        return merge(Source(names, reader, open_list), self.paths, self.kinds, self.layers)

    def diff(self) -> Iterator[str]:
        """A unified diff of all files, a line at a time and without line breaks; personal values in it are masked. Of a list, whose rows
        may hold nothing else, it says how many lines changed."""
        for file in self.changed_files():
            if file in self._lists:
                number = self._count_rows(file)
                yield f"{file}: {number:,} {'line' if number == 1 else 'lines'} changed"
                continue
            splices = self._splices[file]
            yield from (f"--- {file if file in self._data else '/dev/null'}", f"+++ {file}")
            document = next((document for document in self.documents if document.file == file), None)
            yield from diff_lines(splices.text, splices.splices(), _Masks(document, self.kinds).show)

    def count_lines(self) -> Mapping[str, int]:
        """How many lines of each file are other ones or new."""
        return {file: self._count_rows(file) if file in self._lists else self._count_edits(file) for file in self.changed_files()}

    def _count_rows(self, file: str) -> int:
        return sum(was != now for was, now in zip(*(data.split(b"\n") for data in self._lists[file]), strict=True))

    def _count_edits(self, file: str) -> int:
        splices = self._splices[file]
        return sum(line[0] == "+" for line in diff_lines(splices.text, splices.splices()))

    def write(self) -> Sequence[str]:
        """Write the files that changed; returns their names. Raises ReconcilerError where somebody else wrote one of them since it was
        read, and OSError; nothing is written then."""
        new_files = self.changed_files()
        files.replace_all({file: self._was(file) for file in new_files}, new_files)
        return list(new_files)

    def _of(self, file: str) -> Splices:
        """The splices of a file. Raises Invalid where its lines end as edits cannot tell them apart."""
        if file not in self._splices:
            text = self._data.get(file, b"").removeprefix(BOM).decode("utf-8")
            if re.search(r"\r(?!\n)", text):
                raise Invalid([Problem(Mark(file), "a carriage return stands alone", "save it with the line ends of Unix or Windows")])
            self._splices[file] = Splices(text)
        return self._splices[file]


class _Masks:
    """Shows the lines of a file without the personal values in the sections of people."""

    def __init__(self, document: Document | None, kinds: Kinds) -> None:
        # The first line of each section, by its number from 0, and what finds a personal value in its lines.
        self._starts: list[int] = []
        self._fields: list[re.Pattern[str] | None] = []
        for key in document.value if document else ():
            kind = kinds.by_section.get(key)
            names = [name for name, info in kind.fields.items() if info.personal] if kind and kind.person else []
            self._starts.append(document.marks.of((key,)).line - 1 if document else 0)
            self._fields.append(re.compile(rf"(\b(?:{'|'.join(names)})[\"']?\s*:\s*){_VALUE}") if names else None)

    def show(self, number: int, line: str) -> str:
        """A line as it may be shown."""
        section = bisect_right(self._starts, number) - 1
        field = self._fields[section] if section >= 0 else None
        if field:
            line = field.sub(lambda match: match[1] + mask(match[2].strip("\"'")), line)
        return str(hide(line, False))


# A scalar on one line: in quotes, or without them up to the next key, a brace or a comment.
_VALUE = r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|\S.*?(?=\s*(?:,\s*["']?\w+["']?\s*:|[}]|\s#|$)))"""


def _holds_any(path: str) -> bool:
    """Whether a path means something that is there, be it a file that can be read or not."""
    return files.holds_manifest(path) if os.path.isdir(path) else os.path.lexists(path)


def documents_in(data: Mapping[str, bytes]) -> Sequence[Document]:
    """The documents of all files but those that say nothing yet. Raises one Invalid with the problems of all of them."""
    documents: list[Document] = []
    problems: list[Problem] = []
    for file, content in data.items():
        try:
            documents += [read(content, file)] if says_anything(content.decode("utf-8", "replace").removeprefix("\ufeff")) else []
        except Invalid as invalid:
            problems += invalid.problems
    if problems:
        raise Invalid(problems)
    return documents


def _bom(data: bytes) -> bytes:
    return BOM if data.startswith(BOM) else b""


def _names(kind: Kind, value: Any) -> Iterator[Name]:
    """The names and ids that an entry gives its thing."""
    fields = value if isinstance(value, dict) else {kind.short: value}
    yield from (name_of(kind, by, fields[by]) for by in kind.identity if isinstance(fields.get(by), str))


def _find_references(value: Any, lists: Sequence[str], fields: Sequence[str], target: str) -> Iterator[tuple[Loc, str]]:
    """The names that an entry refers to by some of its lists and fields, and where each stands in it."""
    if not isinstance(value, dict):
        return
    for field in lists:
        items = value.get(field)
        for number, item in enumerate(items if isinstance(items, list) else ()):
            ends = [(end, item.get(end)) for end in (target, "id")] if isinstance(item, dict) else [("", item)]
            yield from (((field, number, end) if end else (field, number), key) for end, key in ends if isinstance(key, str))
    for field in fields:
        end = value.get(field)
        loc, name = ((field, "id"), end.get("id")) if isinstance(end, dict) else ((field,), end)
        if isinstance(name, str):
            yield loc, name
