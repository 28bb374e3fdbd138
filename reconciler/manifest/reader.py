"""YAML as people write it → dictionaries, lists and raw scalars, with the place of every key and item."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NoReturn, Protocol

import yaml

from reconciler.core.model.written import Plain, is_null, quote_visibly
from reconciler.errors import Invalid, Mark, Problem
from reconciler.manifest.marks import Marks, Spot
from reconciler.manifest.unreadable import check_text, explain_syntax, short_tag

# Deeper than any manifest; far less than what functions that walk the value by recursion can bear.
DEPTH = 50
# The most nodes that aliases may stand for: a few lines of nested anchors can mean billions.
ALIASED, ALIASED_PER_NODE = 10_000, 10


class Places(Protocol):
    """Where keys and items stand, as `Marks` says it of one file."""

    @property
    def file(self) -> str: ...

    def of(self, loc: Sequence[str | int]) -> Mark: ...


@dataclass(frozen=True)
class Document:
    """A file as read."""

    # Dictionaries, lists, `str` (quoted), `Plain` (not quoted) and None (null, not quoted). Keys are `str`.
    value: dict[str, Any]
    # The places of all that.
    marks: Places
    # Whether a value holds `${`.
    varies: bool = False
    # The overlays that are laid over it.
    overlays: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        return self.marks.file


class Events(Protocol):
    """The part of a parser of PyYAML that is used here."""

    def get_event(self) -> yaml.Event: ...


class _Stopped(Exception):
    """Reading cannot go on. The last problem says why."""


@dataclass(slots=True)
class _Open:
    """A mapping or sequence whose end has not been seen."""

    # What it holds so far.
    value: Any
    # Where it begins.
    at: Spot
    # Its anchor, if it has one.
    anchor: str | None = None
    # The rows of its items.
    rows: list[int] = field(default_factory=list)
    # Which of these are aliases.
    aliases: list[int] = field(default_factory=list)
    # How many nodes it is, with its aliases written out.
    size: int = 1
    # The key whose value comes next; None where a key, or an item of a list, comes next.
    key: str | None = None
    # Where that key stands.
    key_at: Spot = (0, 0)
    # The line of each key.
    lines: dict[str, int] = field(default_factory=dict)
    # The key is a problem already, and its value is left out.
    spare: bool = False

    def wants_key(self) -> bool:
        return self.key is None and type(self.value) is dict


@dataclass(frozen=True, slots=True)
class _Node:
    """A finished value that an alias may mean."""

    # The value.
    value: Any
    # The first row of its items; 0 if it has none.
    row: int = 0
    # How many nodes it is, with its aliases written out.
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
    """Builds a document from events, and notes every problem until one makes it impossible to go on."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.table: array[int] = array("I")
        self.aliases: set[int] = set()
        self.anchors: dict[str, _Node] = {}
        # The same keys stand in thousands of entries: each is kept once.
        self.keys: dict[str, str] = {}
        self.nodes = self.aliased = 0
        self.varies = False
        # The document is the only item of an outermost list, so that its own place has a row like all others.
        self.top = _Open([], (0, 0))
        self.open = [self.top]

    def build(self, events: Events) -> Document:
        """The whole stream → the one document in it. Raises _Stopped."""
        takers: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: lambda event: self._begin({}, event),
            yaml.SequenceStartEvent: lambda event: self._begin([], event),
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        while type(event := events.get_event()) is not yaml.StreamEndEvent:
            if taker := takers.get(type(event)):
                taker(event)
        return self._finish()

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
        self.varies = self.varies or "${" in event.value
        if event.anchor is not None:
            self.anchors[event.anchor] = _Node(value)
        self._put(value, at)

    def _key(self, event: yaml.ScalarEvent) -> None:
        at, top = _at(event), self.top
        top.key, top.key_at, top.spare = self.keys.setdefault(event.value, event.value), at, True
        if top.key == "<<" and not event.style:
            self.note(at, "merge keys (<<) are not read", "write the keys out, or use an alias as the whole value, like tags: *base")
        elif top.key in top.lines:
            self.note(at, f"the key {quote_visibly(top.key)} is already on line {top.lines[top.key]}", "keep one of them")
        else:
            top.lines[top.key] = at[0]
            top.spare = False

    def _begin(self, value: dict[str, Any] | list[Any], event: yaml.CollectionStartEvent) -> None:
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
            self.anchors[done.anchor] = _Node(done.value, row, done.size)
        self._put(done.value, done.at, row, done.size)

    def _lay(self, done: _Open) -> int:
        """Put the rows of a finished container into the table. Returns where they begin."""
        start = len(self.table)
        self.table.extend(done.rows)
        self.aliases.update(start + row for row in done.aliases)
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
                self.top.aliases.append(len(self.top.rows))
            self._put(node.value, at, node.row, node.size)

    def _count(self, node: _Node, at: Spot) -> None:
        self.aliased += node.size
        if self.aliased > ALIASED + ALIASED_PER_NODE * self.nodes:
            self.stop(at, f"with its aliases written out, the file has more than {self.aliased:,} values", "use fewer aliases of aliases")

    def _put(self, value: Any, at: Spot, row: int = 0, size: int = 1) -> None:
        """Put a value into the innermost open container."""
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
        self.note(_at(event), f"the tag {quote_visibly(short_tag(event))} is not read", f"remove it; {shape}")

    def _refuse_key(self, at: Spot) -> NoReturn:
        self.stop(at, "a list, mapping or alias stands where a key must be", "write a text as the key; quote the value if it holds {{ }}")

    def _refuse_alias(self, name: str, at: Spot) -> None:
        if any(opened.anchor == name for opened in self.open):
            self.stop(at, f"the alias *{name} stands inside its own anchor", "write the value out")
        self.note(at, f"there is no anchor &{name} before the alias *{name}", "write the value out, or quote it if the text is meant")
        self._put(None, at)

    def _finish(self) -> Document:
        if not self.top.value or self.top.value == [None]:
            self.stop((0, 0), "the file is empty", "write at least one section, like tags: [vip]")
        root = self.top.value[0]
        if not isinstance(root, dict):
            line, column, _ = self.top.rows[:3]
            self.stop((line, column), "the file is not a mapping at its top level", "write sections, like tags: [vip]")
        self._lay(self.top)
        return Document(root, Marks(self.file, root, self.table, self.aliases), self.varies)


BOM = b"\xef\xbb\xbf"


def fastest(data: bytes | str) -> Events:
    """The parser that is there: PyYAML's wheels contain libyaml; a build from source may lack it."""
    loader: Callable[[bytes | str], Events] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return loader(data)


def read(data: bytes, file: str, parser: Callable[[bytes], Events] = fastest) -> Document:
    """The bytes of a file → its document. Raises Invalid with every problem in it."""
    document, problems = read_far(data, file, parser)
    if document is None or problems:
        raise Invalid(problems)
    return document


def read_far(data: bytes, file: str, parser: Callable[[bytes], Events] = fastest) -> tuple[Document | None, Sequence[Problem]]:
    """As `read`, but without raising: a document that was read to its end comes back together with its problems. It has no merge
    keys, and of a key that stands twice the first value."""
    data = data.removeprefix(BOM)
    builder = _Builder(file)
    try:
        check_text(data, file)
        return builder.build(parser(data)), builder.problems
    except Invalid as invalid:
        return None, invalid.problems
    except _Stopped:
        return None, builder.problems
    except yaml.YAMLError as error:
        return None, [*builder.problems, explain_syntax(error, file, data)]
