"""YAML as people write it → dictionaries, lists and raw scalars, with the place of every key and item."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Any, NoReturn, Protocol

import yaml

from reconciler.core.model.written import NULLS, Plain, quote_visibly
from reconciler.errors import Invalid, Mark, Problem
from reconciler.manifest.marks import Marks, Spot
from reconciler.manifest.regular import STAND_IN, Run, take_out
from reconciler.manifest.unreadable import check_text, explain_syntax, short_tag

NO_RUNS: Mapping[int, Run] = MappingProxyType({})
# Deeper than any manifest; far less than what functions that walk the value by recursion can bear.
DEPTH = 50
# The most nodes that aliases may stand for: a few lines of nested anchors can mean billions.
ALIASED, ALIASED_PER_NODE = 10_000, 10


class Places(Protocol):
    """Where keys and items stand, as `Marks` says it of one file."""

    @property
    def file(self) -> str: ...

    def of(self, loc: Sequence[str | int]) -> Mark: ...

    def below(self, loc: Sequence[str | int], key: str, number: int) -> tuple[int, ...]:
        """How many lines below an entry each of so many items of one of its lists stands; what stands in another file counts as the
        entry itself."""


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


# A finished value, the first row of its items (0 if it has none), and how many nodes it is with its aliases written out.
_Node = tuple[Any, int, int]
# The rows of the items of a container, and which of these are aliases.
_Rows = tuple[list[int], list[int]]


def _at(event: yaml.Event) -> Spot:
    mark = event.start_mark
    assert mark is not None, "parsers mark every event of a document"
    return mark.line + 1, mark.column + 1


class _Builder:
    """Builds a document from events, and notes every problem until one makes it impossible to go on.

    A large file has a million events: what stands most often, a scalar without tag and anchor, is taken in the loop that meets it.
    """

    def __init__(self, file: str, events: Events, problems: list[Problem], runs: Mapping[int, Run] = NO_RUNS) -> None:
        self.file, self.problems, self.runs = file, problems, runs
        # The lines of runs that are items of lists.
        self.known: set[int] = set()
        self._next: Callable[[], Any] = events.get_event
        self.table: array[int] = array("I")
        self.aliases: set[int] = set()
        # What aliases can mean, and the anchors of what is not read to its end.
        self.anchors: dict[str, _Node] = {}
        self.open: list[str] = []
        # The same keys stand in thousands of entries: each is kept once.
        self.keys: dict[str, str] = {}
        # How many nodes there are, how many more with their aliases written out, and how many all aliases stand for.
        self.nodes = self.more = self.aliased = 0
        self.depth = 0
        self.varies = False

    def build(self) -> Document:
        """The whole stream → the one document in it. Raises _Stopped."""
        root, rows = None, list[int]()
        while type(event := self._next()) is not yaml.StreamEndEvent:
            if type(event) is yaml.DocumentStartEvent:
                if rows:
                    now = "keep one document in a file: remove the --- or use another file"
                    self.stop(_at(event), "a second document begins here", now)
                event = self._next()
                root, row = self._value(event)
                rows = [*_at(event), row]
        if root is None:
            self.stop((0, 0), "the file is empty", "write at least one section, like tags: [vip]")
        if not isinstance(root, dict):
            self.stop((rows[0], rows[1]), "the file is not a mapping at its top level", "write sections, like tags: [vip]")
        self._lay(rows, ())
        return Document(root, Marks(self.file, root, self.table, self.aliases, list(self.runs.values())), self.varies)

    def note(self, at: Spot, what: str, now: str = "") -> None:
        self.problems.append(Problem(Mark(self.file, *at), what, now))

    def stop(self, at: Spot, what: str, now: str = "") -> NoReturn:
        self.note(at, what, now)
        raise _Stopped

    def _mapping(self, value: dict[str, Any]) -> _Rows:
        """Read a mapping to its end."""
        rows: list[int] = []
        aliases: list[int] = []
        lines: dict[str, int] = {}
        following, scalar, keys = self._next, yaml.ScalarEvent, self.keys
        while type(event := following()) is not yaml.MappingEndEvent:
            spare = False
            if type(event) is not scalar or event.tag is not None or event.value in value or event.value == "<<":
                spare = self._refuse_key(event, value, rows, lines)
            key, mark = keys.setdefault(event.value, event.value), event.start_mark
            event = following()
            if type(event) is scalar and event.tag is None and event.anchor is None:
                item, row = self._scalar(event), 0
            else:
                item, row = self._value(event)
            if spare:
                continue
            if type(event) is yaml.AliasEvent:
                aliases.append(len(rows))
            value[key] = item
            rows += (mark.line + 1, mark.column + 1, row)
        return rows, aliases

    def _sequence(self, value: list[Any]) -> _Rows:
        """Read a sequence to its end."""
        rows: list[int] = []
        aliases: list[int] = []
        following, scalar, runs = self._next, yaml.ScalarEvent, self.runs
        while type(event := following()) is not yaml.SequenceEndEvent:
            if type(event) is scalar and event.tag is None and event.anchor is None:
                if runs and self._take_run(event, value, rows):
                    continue
                item, row = self._scalar(event), 0
            else:
                item, row = self._value(event)
            if type(event) is yaml.AliasEvent:
                aliases.append(len(rows))
            mark = event.start_mark
            value.append(item)
            rows += (mark.line + 1, mark.column + 1, row)
        return rows, aliases

    def _take_run(self, event: Any, value: list[Any], rows: list[int]) -> bool:
        """Put the entries of a run where its stand-in is an item. Whether it is."""
        run = self.runs.get(event.start_mark.line)
        if run is None or event.value != STAND_IN or event.start_mark.column != run.column or self.depth + 1 >= DEPTH:
            return False
        value += run.entries
        rows += run.rows
        # To know of too few lets too few aliases be.
        self.nodes += run.count_nodes() if self.open or self.anchors else 0
        self.known.add(event.start_mark.line)
        return True

    def _value(self, event: Any) -> tuple[Any, int]:
        """The value that an event begins, and where its rows do."""
        if type(event) is yaml.AliasEvent:
            return self._alias(event)
        if event.tag is not None:
            self._refuse_tag(event)
        if type(event) is yaml.ScalarEvent:
            node: _Node = self._scalar(event), 0, 1
        else:
            node = self._collection(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node[:2]

    def _scalar(self, event: Any) -> Any:
        self.nodes += 1
        text = event.value
        if "${" in text:
            self.varies = True
        if event.style:
            return text
        return None if text in NULLS else Plain(text)

    def _collection(self, event: yaml.CollectionStartEvent) -> _Node:
        if self.depth >= DEPTH:
            self.stop(_at(event), f"more than {DEPTH} levels of lists and mappings", "a manifest needs fewer than ten")
        before, self.depth = self.nodes + self.more, self.depth + 1
        if event.anchor is not None:
            self.anchors.pop(event.anchor, None)
            self.open.append(event.anchor)
        value: dict[str, Any] | list[Any] = {} if type(event) is yaml.MappingStartEvent else []
        rows, aliases = self._mapping(value) if isinstance(value, dict) else self._sequence(value)
        if event.anchor is not None:
            self.open.pop()
        self.depth, self.nodes = self.depth - 1, self.nodes + 1
        return value, self._lay(rows, aliases), self.nodes + self.more - before

    def _lay(self, rows: Sequence[int], aliases: Sequence[int]) -> int:
        """Put the rows of a finished container into the table. Returns where they begin."""
        start = len(self.table)
        self.table.extend(rows)
        if aliases:
            self.aliases.update(start + row for row in aliases)
        return start

    def _alias(self, event: yaml.AliasEvent) -> tuple[Any, int]:
        at, name = _at(event), event.anchor or ""
        node = self.anchors.get(name)
        if node is None:
            self._refuse_alias(name, at)
            node = (None, 0, 1)
        else:
            self.aliased += node[2]
            if self.aliased > ALIASED + ALIASED_PER_NODE * self.nodes:
                what = f"with its aliases written out, the file has more than {self.aliased:,} values"
                self.stop(at, what, "use fewer aliases of aliases")
        self.nodes, self.more = self.nodes + 1, self.more + node[2] - 1
        return node[:2]

    def _refuse_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        shape = "quote the value if a text is meant" if isinstance(event, yaml.ScalarEvent) else "the value stays as it is"
        self.note(_at(event), f"the tag {quote_visibly(short_tag(event))} is not read", f"remove it; {shape}")

    def _refuse_key(self, event: Any, value: dict[str, Any], rows: list[int], lines: dict[str, int]) -> bool:
        """Note what is wrong with a key. Whether its value is to be left out; what cannot be a key stops it all. `lines` are those of
        the keys before it, as far as they were asked for."""
        if type(event) is not yaml.AliasEvent and event.tag is not None:
            self._refuse_tag(event)
        if type(event) is not yaml.ScalarEvent:
            now = "write a text as the key; quote the value if it holds {{ }}"
            self.stop(_at(event), "a list, mapping or alias stands where a key must be", now)
        if event.value == "<<" and not event.style:
            self.note(
                _at(event), "merge keys (<<) are not read", "write the keys out, or use an alias as the whole value, like tags: *base"
            )
            return True
        if event.value not in value:
            return False
        for back, key in enumerate(islice(reversed(value), len(value) - len(lines)), 1):
            lines[key] = rows[-Marks.WIDTH * back]
        self.note(_at(event), f"the key {quote_visibly(event.value)} is already on line {lines[event.value]}", "keep one of them")
        return True

    def _refuse_alias(self, name: str, at: Spot) -> None:
        if name in self.open:
            self.stop(at, f"the alias *{name} stands inside its own anchor", "write the value out")
        self.note(at, f"there is no anchor &{name} before the alias *{name}", "write the value out, or quote it if the text is meant")


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
    problems: list[Problem] = []
    try:
        text = check_text(data, file)
        return _read_regular(text, file, parser) or _Builder(file, parser(data), problems).build(), problems
    except Invalid as invalid:
        return None, invalid.problems
    except _Stopped:
        return None, problems
    except yaml.YAMLError as error:
        return None, [*problems, explain_syntax(error, file, data)]


def _read_regular(text: str, file: str, parser: Callable[[bytes], Events]) -> Document | None:
    """The document in a text with regular entries; None where it has none, or anything may be wrong with it."""
    runs, rest = take_out(text)
    if not runs:
        return None
    builder = _Builder(file, parser(rest.encode()), [], runs)
    try:
        document = builder.build()
    except (_Stopped, yaml.YAMLError):
        return None
    return None if builder.problems or builder.known != runs.keys() else document
