"""Lists: many entries in a file beside the manifest, CSV or JSON Lines, read line by line."""

from __future__ import annotations

import csv
import json
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Annotated, Any, BinaryIO

from pydantic import Field, ValidationError

from reconciler.core.model.entry import NullableText
from reconciler.core.model.kind import Kind
from reconciler.core.model.policy import StrictModel
from reconciler.core.model.scalars import Name, NotNull, doc
from reconciler.core.model.written import Plain, is_null, quote
from reconciler.errors import Mark
from reconciler.manifest.contents import Contents, Raw
from reconciler.manifest.reader import BOM, Document
from reconciler.manifest.sentences import explain
from reconciler.manifest.source import Unopened

# No line of a list has more bytes: one that never ends would fill the memory.
LONGEST = 1_000_000


class ListEntry(StrictModel):
    """Many entries from a file beside this one, a row each. Any other key of an entry may stand here too, and holds for all rows."""

    source: Annotated[
        Name,
        Field(alias="from"),
        doc("The file, in the folder of this one or below: `.csv` with a header, or `.jsonl` with a JSON object a line.", "vip.csv"),
    ]
    key: Annotated[Name | None, NotNull, doc("What names each row; a row without it is invalid.", "external_id")] = None
    columns: Annotated[
        dict[str, NullableText],
        doc("Columns that are not called as their keys; `null` leaves one out.", {"E-mail": "email", "Notes": None}),
    ] = {}


KEYS = frozenset(info.alias or name for name, info in ListEntry.model_fields.items())


class _Broken(Exception):
    """A line that cannot be read. Nor can what follows it, in a file whose lines are not told apart without it."""

    def __init__(self, line: int, what: str, now: str) -> None:
        self.line, self.what, self.now = line, what, now
        super().__init__(what)


class _Rows:
    """The places of a list: its lines, and what the manifest says for all of them."""

    def __init__(self, file: str, item: Raw) -> None:
        self.file, self.item = file, item
        self.lines: array[int] = array("I")

    def of(self, loc: Sequence[str | int]) -> Mark:
        _, number, *inner = loc
        if inner and _holds(self.item.value, inner):
            return self.item.mark(*inner)
        return Mark(self.file, self.lines[int(number)], 1)

    def below(self, loc: Sequence[str | int], key: str, number: int) -> tuple[int, ...]:
        return (0,) * number


def _holds(own: Mapping[str, Any], inner: Sequence[Any]) -> bool:
    """Whether what stands at a place of an entry is what its item says for all rows."""
    value, step = own.get(inner[0]), inner[1] if len(inner) > 1 else None
    if isinstance(value, list) and isinstance(step, int):
        return step < len(value)
    return step in value if isinstance(value, dict) and step is not None else inner[0] in own


class _List:
    """One list: what its item says, and how its rows are read."""

    def __init__(self, contents: Contents, kind: Kind, item: Raw, entry: ListEntry) -> None:
        self.contents, self.kind, self.entry = contents, kind, entry
        self.item = item._replace(value={key: value for key, value in item.value.items() if key not in KEYS})
        self.many = {link.field for link in kind.links}
        self.maps = {name for name, field in kind.fields.items() if field.merged}

    def read(self, path: str, stream: BinaryIO) -> Iterator[Raw]:
        """Its rows. What is wrong is noted at its line."""
        rows = _Rows(path, self.item)
        document = Document({}, rows)
        reader = self._csv if path.lower().endswith(".csv") else self._json
        try:
            for line, row in reader(path, _lines(stream)):
                rows.lines.append(line)
                mark = Mark(path, line, 1)
                if self._is_named(mark, row) and (whole := self._whole(mark, row)) is not None:
                    yield Raw(document, (self.kind.section, len(rows.lines) - 1), whole)
        except _Broken as error:
            self._unread(Mark(path, error.line), error.what, error.now)

    def _unread(self, mark: Mark, what: str, now: str) -> None:
        """Note what cannot be read: what stands there may be what others name."""
        self.contents.note(mark, what, now)
        self.contents.unread.add(mark)

    def _csv(self, path: str, lines: Iterator[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        keys: list[str | None] | None = None
        for line, cells in _records(lines):
            if keys is None:
                keys = self._keys(line, cells)
            elif len(cells) == len(keys):
                yield line, self._row((key, self._cell(key, cell)) for key, cell in zip(keys, cells, strict=True) if cell)
            elif cells:
                what = f"has {len(cells)} cells, and the header has {len(keys)}"
                self._unread(Mark(path, line), what, "write a comma for each cell, quote a text that holds one")
        if keys is None:
            raise _Broken(0, "the list is empty", "write a header, as in external_id,email")

    def _cell(self, key: str | None, cell: str) -> Any:
        """A cell as the type of its key reads it: a text, or several in a list."""
        return [_text(part) for name in cell.split(";") if (part := name.strip())] if key in self.many else _text(cell)

    def _keys(self, line: int, header: Sequence[str]) -> list[str | None]:
        """The key that each column is. Raises _Broken for one that is none, for two that are one, and for `columns:` that are not there."""
        keys = [self._key(name) for name in header]
        if not any(key and self._is_known(key) for key in keys):
            # It may be a person, who is not to be told of.
            raise _Broken(line, "the first line names no column that is known", self._name_columns("".join(header)))
        for name, key in zip(header, keys, strict=True):
            if key is not None and not self._is_known(key):
                raise _Broken(line, f"unknown column {quote(name)}", self._name_columns(name))
        for key, times in Counter(keys).items():
            if key is not None and times > 1:
                raise _Broken(line, f"two columns are {key}", "keep one of them, or leave one out: `columns: {NAME: null}`")
        if missing := sorted(self.entry.columns.keys() - set(header)):
            raise _Broken(line, f"there is no column {quote(missing[0])}, which `columns:` names", f"there are {', '.join(header)}")
        return keys

    def _key(self, name: str) -> str | None:
        """The key that a name in the file means; None for one that is left out."""
        return self.entry.columns.get(name, name)

    def _is_known(self, key: str) -> bool:
        outer, dot, _ = key.partition(".")
        return outer in self.maps if dot else outer in self.kind.entry.model_fields

    def _name_columns(self, name: str) -> str:
        if any(other in name for other in ";\t"):
            return "cells are separated by commas: save it so"
        names = (f"{key}.NAME" if key in self.maps else key for key in self.kind.entry.model_fields)
        return f"known are {', '.join(names)}; `columns:` says what another name means, or leaves it out"

    def _json(self, path: str, lines: Iterator[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        empty = True
        for line, text in enumerate(lines, 1):
            if not text.strip():
                continue
            empty = False
            try:
                row = _DECODER.decode(text)
            except (ValueError, RecursionError) as error:
                self._unread(Mark(path, line), f"this is not JSON ({getattr(error, 'msg', error)})", "write one JSON object a line")
                continue
            if isinstance(row, dict):
                yield line, self._row((self._key(name), value) for name, value in row.items())
            else:
                self._unread(Mark(path, line), "is no JSON object", 'write one a line, as in {"external_id": "25"}')
        if empty:
            raise _Broken(0, "the list is empty", 'write a JSON object a line, as in {"external_id": "25"}, or take the list out')

    def _row(self, pairs: Iterator[tuple[str | None, Any]]) -> dict[str, Any]:
        """An entry of keys and values, where `custom_attributes.x` is a key inside of another."""
        row: dict[str, Any] = {}
        for key, value in pairs:
            outer, dot, inner = (key or "").partition(".")
            if dot and isinstance(within := row.setdefault(outer, {}), dict):
                within[inner] = value
            elif key is not None:
                row[key] = value
        return row

    def _is_named(self, mark: Mark, row: Mapping[str, Any]) -> bool:
        """Whether a row is named by what `key:` says; noted where it is not."""
        key, names = self.entry.key, [by for by in ("id", *self.kind.identity) if by in self.kind.identity and by in row]
        if key is None or names[:1] == [key]:
            return True
        if key not in names:
            self.contents.note(mark, f"has no {key}, which is to name it (`key:`)", "write it, or remove the line")
        else:
            what = f"is named by its {names[0]}, and not by its {key} (`key:`)"
            self.contents.note(mark, what, f"write `key: {names[0]}`, or `columns: {{{names[0]}: null}}`")
        return False

    def _whole(self, mark: Mark, row: dict[str, Any]) -> dict[str, Any] | None:
        """A row with what holds for all rows: lists and maps are joined. None where a key has two values, which is noted."""
        whole = {**self.item.value, **row}
        for key in self.item.value.keys() & row.keys():
            both = self.item.value[key], row[key]
            if isinstance(both[0], list) and isinstance(both[1], list):
                whole[key] = [*both[0], *both[1]]
            elif isinstance(both[0], dict) and isinstance(both[1], dict) and both[0].keys().isdisjoint(both[1]):
                whole[key] = {**both[0], **both[1]}
            else:
                place = self.item.mark(key)
                self.contents.note(mark, f"{key} is also written for all rows (at {place})", "keep one of them")
                return None
        return whole


def _text(text: str) -> str:
    """What is written without quotes; nothing in a list is null by its looks: a person may be called so."""
    plain = Plain(text)
    return text if is_null(plain) else plain


def _records(lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    """The records of CSV, each with the line where it begins. Raises _Broken."""
    reader = csv.reader(lines, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "new-line" in str(error):
                raise _Broken(line, "a carriage return stands alone", "save it with the line ends of Unix or Windows") from None
            raise _Broken(line, f"this is not CSV ({error})", 'close every quote, and write a quote inside of one as ""') from None
        yield line, cells


def _lines(stream: BinaryIO) -> Iterator[str]:
    """The lines of a file, without its byte-order mark. Raises _Broken for one that is no UTF-8, or that does not end."""
    for number in count(1):
        line = stream.readline(LONGEST + 1)
        if len(line) > LONGEST:
            raise _Broken(number, f"the line has more than {LONGEST:,} bytes", "write one entry a line")
        try:
            text = (line.removeprefix(BOM) if number == 1 else line).decode()
        except UnicodeDecodeError as error:
            raise _Broken(number, f"the byte 0x{line[error.start]:02X} is not UTF-8", "save the file as UTF-8") from None
        if not line:
            return
        yield text


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object in raw scalars. Raises ValueError for a key that stands twice."""
    values = {key: Plain(str(value).lower()) if isinstance(value, bool) else value for key, value in pairs}
    if len(values) < len(pairs):
        raise ValueError("a key stands twice")
    return values


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no value of JSON")


# Numbers keep every digit: the type of their key reads them.
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=Plain, parse_float=Plain, parse_constant=_refuse)
SUFFIXES = (".csv", ".jsonl", ".ndjson")


def read_list(contents: Contents, kind: Kind, item: Raw) -> Iterator[Raw]:
    """The entries of the list that an item of a section names. What is wrong with the item, and in the list, is noted."""

    try:
        entry = ListEntry.model_validate({key: value for key, value in item.value.items() if key in KEYS})
    except ValidationError as error:
        for what, loc in explain(error, ListEntry, contents.guesses):
            contents.note(item.mark(*loc), what)
        return
    if entry.key is not None and entry.key not in kind.identity:
        contents.note(item.mark("key"), f"key: {quote(entry.key)} names no {kind.name}", f"write {' or '.join(kind.identity)}")
        return
    if not entry.source.lower().endswith(SUFFIXES):
        contents.note(item.mark("from"), f"{entry.source} is no list by its name", f"it ends with {', '.join(SUFFIXES)}")
        return
    try:
        path, stream = contents.open_list(item.document.file, entry.source)
    except Unopened as failure:
        contents.note(item.mark("from"), failure.what, failure.now)
        contents.unread.add(item.mark("from"))
        return
    contents.files.append(path)
    with stream:
        yield from _List(contents, kind, item, entry).read(path, stream)
