"""YAML as people write it → dicts, lists and raw scalars, with the place of every key and item."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple, NoReturn, Protocol

import yaml

from reconciler.core.model.written import Plain, is_null, quote_visibly
from reconciler.errors import Invalid, Mark, Problem

Loc = Sequence[str | int]
Spot = tuple[int, int]

# Deeper than any manifest; far below what the recursion of those who walk the value can bear.
DEPTH = 50
# What aliases stand for, written out: a few lines of nested anchors can mean billions of nodes.
ALIASED, ALIASED_PER_NODE = 10_000, 10
# A mapping of so many keys is looked through; a larger one gets an index.
FEW = 16


class Marks:
    """Where every key and item stands.

    The items of a container are consecutive rows of one table: line, column, and the row where the item's own items begin (0: it
    has none). Rows go with the order of the items, so the containers must not be changed. Names of rows count in cells.
    """

    WIDTH = 3

    def __init__(self, file: str, root: Any, table: array[int], aliases: dict[int, Spot]) -> None:
        self.file, self._root, self._table, self._aliases = file, root, table, aliases
        self._indexes: dict[int, dict[str, int]] = {}

    def of(self, loc: Loc) -> Mark:
        """The place of a key or item. A step that is not there is passed over; what came by alias stands where it is used."""
        row = last = len(self._table) - self.WIDTH
        for row in self._rows(loc):
            last = row
            if row in self._aliases:
                break
        return self._mark(last)

    def anchor(self, loc: Loc) -> Mark | None:
        """The place inside the anchored text, for what came by alias; None for all else."""
        rows = [len(self._table) - self.WIDTH, *self._rows(loc)]
        if self._aliases.keys().isdisjoint(rows):
            return None
        spot = self._aliases.get(rows[-1])
        return Mark(self.file, *spot) if spot else self._mark(rows[-1])

    def _rows(self, loc: Loc) -> Iterator[int]:
        """The row of every step that is there, from the outside inwards."""
        row, value = len(self._table) - self.WIDTH, self._root
        for step in loc:
            index = self._index(value, step)
            if index is not None:
                value = value[step]
                row = self._table[row + 2] + index * self.WIDTH
                yield row

    def _index(self, container: Any, step: str | int) -> int | None:
        """Which item of the container a step means; None if it means none."""
        if isinstance(container, dict):
            few = len(container) <= FEW
            return (list(container).index(step) if step in container else None) if few else self._places(container).get(str(step))
        if isinstance(container, list) and isinstance(step, int) and 0 <= step < len(container):
            return step
        return None

    def _places(self, container: dict[str, Any]) -> dict[str, int]:
        """Every key's number, counted once: all of a hundred thousand keys may be asked for."""
        if id(container) not in self._indexes:
            self._indexes[id(container)] = {key: index for index, key in enumerate(container)}
        return self._indexes[id(container)]

    def _mark(self, row: int) -> Mark:
        return Mark(self.file, self._table[row], self._table[row + 1])


@dataclass(frozen=True)
class Document:
    """A file as read: dicts, lists, `str` (quoted), `Plain` (not quoted) and None (null, not quoted). Keys are `str`."""

    value: dict[str, Any]
    marks: Marks

    @property
    def file(self) -> str:
        return self.marks.file


class Events(Protocol):
    """A parser of PyYAML, as far as it is used here."""

    def get_event(self) -> yaml.Event: ...


class _Stopped(Exception):
    """Reading cannot go on; why is noted."""


@dataclass(slots=True)
class _Open:
    """A mapping or sequence whose end has not been seen; `key` is the key whose value comes next. `size` counts its nodes, `lines`
    says where each key stands; the value of a `spare` key, which is a problem already, is left out."""

    value: Any
    at: Spot
    anchor: str | None = None
    rows: list[int] = field(default_factory=list)
    aliases: dict[int, Spot] = field(default_factory=dict)
    size: int = 1
    key: str | None = None
    key_at: Spot = (0, 0)
    lines: dict[str, int] = field(default_factory=dict)
    spare: bool = False

    def wants_key(self) -> bool:
        return self.key is None and type(self.value) is dict


@dataclass(frozen=True, slots=True)
class _Node:
    """A finished value: where it stands, its items' first row, and how many nodes it is with its aliases written out."""

    value: Any
    at: Spot
    row: int = 0
    size: int = 1


def _at(event: yaml.Event) -> Spot:
    mark = event.start_mark
    assert mark is not None, "parsers mark every event of a document"
    return mark.line + 1, mark.column + 1


# In a large file the same few hundred words stand thousands of times.
@lru_cache(maxsize=4096)
def _plain(written: str) -> Plain | None:
    plain = Plain(written)
    return None if is_null(plain) else plain


class _Builder:
    """Takes events, holds what is open, and notes every problem until one makes it impossible to go on."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.table: array[int] = array("I")
        self.aliases: dict[int, Spot] = {}
        self.anchors: dict[str, _Node] = {}
        self.keys: dict[str, str] = {}
        self.nodes = self.aliased = 0
        # The document is the only item of an outermost list, so that its own place is a row like all others.
        self.top = _Open([], (0, 0))
        self.open = [self.top]

    def build(self, events: Events) -> Document:
        """The whole stream → the one document in it."""
        takers: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._mapping,
            yaml.SequenceStartEvent: self._sequence,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        while type(event := events.get_event()) is not yaml.StreamEndEvent:
            if taker := takers.get(type(event)):
                taker(event)
        return self._finished()

    def note(self, at: Spot, what: str, now: str = "") -> None:
        self.problems.append(Problem(Mark(self.file, *at), what, now))

    def stop(self, at: Spot, what: str, now: str = "") -> NoReturn:
        self.note(at, what, now)
        raise _Stopped

    def _document(self, event: yaml.DocumentStartEvent) -> None:
        if self.top.value:
            self.stop(_at(event), "a second document begins here", "keep one document in a file: remove the --- or use another file")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        if event.tag is not None:
            self._refuse_tag(event)
        if self.top.wants_key():
            self._key(event)
            return
        value, at = event.value if event.style else _plain(event.value), _at(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = _Node(value, at)
        self._put(value, at)

    def _key(self, event: yaml.ScalarEvent) -> None:
        at, top = _at(event), self.top
        top.key, top.key_at = self.keys.setdefault(event.value, event.value), at
        top.spare = True
        if top.key == "<<" and not event.style:
            self.note(at, "merge keys (<<) are not read", "write the keys out, or use an alias as the whole value, like tags: *base")
        elif top.key in top.lines:
            self.note(at, f"the key {quote_visibly(top.key)} is already on line {top.lines[top.key]}", "keep one of them")
        else:
            top.lines[top.key] = at[0]
            top.spare = False

    def _mapping(self, event: yaml.MappingStartEvent) -> None:
        self._begin({}, event)

    def _sequence(self, event: yaml.SequenceStartEvent) -> None:
        self._begin([], event)

    def _begin(self, value: dict[str, Any] | list[Any], event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        if event.tag is not None:
            self._refuse_tag(event)
        if self.top.wants_key():
            self._refuse_key(_at(event))
        if len(self.open) > DEPTH:
            self.stop(_at(event), f"more than {DEPTH} levels of lists and mappings", "a manifest needs fewer than ten")
        if event.anchor is not None:
            self.anchors.pop(event.anchor, None)
        self.top = _Open(value, _at(event), event.anchor)
        self.open.append(self.top)

    def _end(self, event: yaml.CollectionEndEvent) -> None:
        done = self.open.pop()
        self.top = self.open[-1]
        row = self._lay(done)
        if done.anchor is not None:
            self.anchors[done.anchor] = _Node(done.value, done.at, row, done.size)
        self._put(done.value, done.at, row, done.size)

    def _lay(self, done: _Open) -> int:
        """The rows of a finished container into the table; where they begin."""
        start = len(self.table)
        self.table.extend(done.rows)
        for row, spot in done.aliases.items():
            self.aliases[start + row] = spot
        return start

    def _alias(self, event: yaml.AliasEvent) -> None:
        at, name = _at(event), event.anchor or ""
        if self.top.wants_key():
            self._refuse_key(at)
        node = self.anchors.get(name)
        if node is None:
            self._refuse_alias(name, at)
        else:
            self._count(node, at)
            if not self.top.spare:
                self.top.aliases[len(self.top.rows)] = node.at
            self._put(node.value, at, node.row, node.size)

    def _count(self, node: _Node, at: Spot) -> None:
        self.aliased += node.size
        if self.aliased > ALIASED + ALIASED_PER_NODE * self.nodes:
            self.stop(at, f"with its aliases written out, the file has more than {self.aliased:,} values", "use fewer aliases of aliases")

    def _put(self, value: Any, at: Spot, row: int = 0, size: int = 1) -> None:
        """A value into the innermost open container."""
        top = self.top
        self.nodes += 1
        top.size += size
        if top.key is None:
            top.value.append(value)
            top.rows += (*at, row)
        else:
            if not top.spare:
                top.value[top.key] = value
                top.rows += (*top.key_at, row)
            top.key = None

    def _refuse_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        shape = "quote the value if a text is meant" if isinstance(event, yaml.ScalarEvent) else "the value stays as it is"
        self.note(_at(event), f"the tag {quote_visibly(_short(event))} is not read", f"remove it; {shape}")

    def _refuse_key(self, at: Spot) -> NoReturn:
        self.stop(at, "a list, mapping or alias stands where a key must be", "write a text as the key; quote the value if it holds {{ }}")

    def _refuse_alias(self, name: str, at: Spot) -> None:
        if any(opened.anchor == name for opened in self.open):
            self.stop(at, f"the alias *{name} stands inside its own anchor", "write the value out")
        self.note(at, f"there is no anchor &{name} before the alias *{name}", "write the value out, or quote it if the text is meant")
        self._put(None, at)

    def _finished(self) -> Document:
        if not self.top.value or self.top.value == [None]:
            self.stop((0, 0), "the file is empty", "write at least one section, like tags: [vip]")
        root = self.top.value[0]
        if not isinstance(root, dict):
            line, column, _ = self.top.rows[:3]
            self.stop((line, column), "the file is not a mapping at its top level", "write sections, like tags: [vip]")
        self._lay(self.top)
        return Document(root, Marks(self.file, root, self.table, self.aliases))


def _short(event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> str:
    """The tag as people write it."""
    return (event.tag or "").replace("tag:yaml.org,2002:", "!!", 1)


class _Sentence(NamedTuple):
    """What libyaml or PyYAML's own parser says, and what it means for somebody who writes a manifest."""

    said: str
    what: str
    now: str


_SENTENCES = (
    _Sentence(r"flow sequence.*expected ',' or '\]'", "the list that opens on line {line} is not closed", "write the missing ] or comma"),
    _Sentence(r"flow mapping.*expected ',' or '}'", "the mapping that opens on line {line} is not closed", "write the missing } or comma"),
    _Sentence(r"quoted scalar.*unexpected (end|document)", "the quote that opens on line {line} is not closed", "close it"),
    _Sentence(r"escape c", "an unknown escape in a double-quoted text", "double the backslash, or use single quotes"),
    _Sentence(r"mapping values are not allowed", "a colon that is not expected here", "quote a text that holds ': ', or align the key"),
    _Sentence(r"sequence entries are not allowed", "a list item is not expected here", "begin the list on its own line, or quote a text"),
    _Sentence(r"could not find expected ':'", "a key without a colon", "write key: value, and indent the lines of a longer text"),
    _Sentence(r"block mapping.*expected", "the indentation does not fit the lines above", "align the keys of a mapping"),
    _Sentence(r"block collection.*expected", "the indentation does not fit the lines above", "align the items of a list"),
    _Sentence(r"(alias|anchor).*alphabetic", "* and & begin an alias and an anchor", "quote the value if the text is meant"),
    _Sentence(r"node content", "a value is missing or begins with a character that cannot begin one", "write the value, or quote it"),
    _Sentence(r"cannot start any token", "a value cannot begin with this character", "quote the value"),
    _Sentence(r"tag", "tags (!) are not read", "remove it, or quote the value if the text is meant"),
    _Sentence(r"incompatible YAML", "the %YAML line asks for another YAML", "remove the line"),
)


def _syntax(error: yaml.YAMLError, file: str, data: bytes) -> Problem:
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Problem(Mark(file), f"this is not YAML ({' '.join(str(error).split())})", "save it as UTF-8 text")
    mark = Mark(file, error.problem_mark.line + 1, error.problem_mark.column + 1)
    if _stands_on_tab(mark, data):
        return Problem(mark, "a tab is used for indentation", "use blanks")
    said = f"{error.context or ''}: {error.problem or ''}"
    opened = error.context_mark.line + 1 if error.context_mark else mark.line
    for sentence in _SENTENCES:
        if re.search(sentence.said, said):
            return Problem(mark, sentence.what.format(line=opened), sentence.now)
    return Problem(mark, f"this is not YAML ({said.strip(': ')})", "compare it with the lines above")


def _stands_on_tab(mark: Mark, data: bytes) -> bool:
    """Whether only dashes and blanks, one of them a tab, stand before the place and on it."""
    lines = data.decode().splitlines()
    before = lines[mark.line - 1][: mark.column] if 0 < mark.line <= len(lines) else ""
    return "\t" in before and not before.strip(" -\t")


_BOM = b"\xef\xbb\xbf"
_FOREIGN = ((b"\xff\xfe\x00\x00", "UTF-32"), (b"\x00\x00\xfe\xff", "UTF-32"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))
# C0 without tab and line ends, DEL, C1, what libyaml takes for a line end and no editor does, and a byte-order mark inside.
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def _place(text: str, offset: int, file: str) -> Mark:
    lines = re.split("\r\n|\r|\n", text[:offset])
    return Mark(file, len(lines), len(lines[-1]) + 1)


def _decode(data: bytes, file: str) -> str:
    for start, encoding in _FOREIGN:
        if data.startswith(start):
            raise Invalid([Problem(Mark(file), f"the file is {encoding}", "save it as UTF-8")])
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        mark = _place(data[: error.start].decode(), error.start, file)
        what = f"the byte 0x{data[error.start]:02X} is not UTF-8"
        raise Invalid([Problem(mark, what, "save the file as UTF-8")]) from None


def _refuse_unfit(text: str, file: str) -> None:
    if "\x00" in text[:4]:
        raise Invalid([Problem(Mark(file), "the file is no UTF-8 text (it looks like UTF-16)", "save it as UTF-8")])
    problems = [_unfit(found, file) for found in islice(_UNFIT.finditer(text), 10)]
    if problems:
        raise Invalid(problems)


def _unfit(found: re.Match[str], file: str) -> Problem:
    what = f"the character U+{ord(found[0]):04X} cannot stand in a manifest"
    return Problem(_place(found.string, found.start(), file), what, "remove it")


def _fastest(data: bytes) -> Events:
    # PyYAML's wheels hold libyaml; a build from source may lack it.
    loader: Callable[[bytes], Events] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return loader(data)


def read(data: bytes, file: str, parser: Callable[[bytes], Events] = _fastest) -> Document:
    """The bytes of a file → its document. Raises Invalid with every problem that was found."""
    document, problems = read_far(data, file, parser)
    if document is None or problems:
        raise Invalid(problems)
    return document


def read_far(data: bytes, file: str, parser: Callable[[bytes], Events] = _fastest) -> tuple[Document | None, Sequence[Problem]]:
    """As `read`, but the document beside its problems where it could be read to its end: without merge keys, and of a key that stands
    twice with the first value."""
    data = data.removeprefix(_BOM)
    builder = _Builder(file)
    try:
        _refuse_unfit(_decode(data, file), file)
        return builder.build(parser(data)), builder.problems
    except Invalid as invalid:
        return None, invalid.problems
    except _Stopped:
        return None, builder.problems
    except yaml.YAMLError as error:
        return None, [*builder.problems, _syntax(error, file, data)]
