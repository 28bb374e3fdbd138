"""The canonical form of a manifest file: the order of keys, indentation, brackets, quotes, blank lines. Comments stay with what they are
about, and the file says what it said."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from reconciler.core.model.entry import Entry
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.written import as_yaml, quote
from reconciler.kinds import KINDS
from reconciler.manifest.editing import documents_in
from reconciler.manifest.nodes import Node, Tree
from reconciler.manifest.reader import BOM, read
from reconciler.manifest.schema import manifest_schema
from reconciler.manifest.splicing import WIDTH

# Inside and in front of blanks `#` is no comment; in front of some keys and brackets nothing but indicators may stand on a line.
_COMMENT = re.compile(r"(?<!\S)#[^\n]*")
_BARE = re.compile(r"[\s\-?\[{]*")
_ANCHOR = re.compile(r"(?<!\S)&\S+")
_BEGIN, _END = re.compile(r"^---(?=\s)", re.MULTILINE), re.compile(r"^\.\.\.(?=\s)", re.MULTILINE)
# An editor finds the schema only where this stands at the top.
_MODELINE = "yaml-language-server:"
_INDENT = 2

# What a schema says of a value.
Shape = Mapping[str, Any]


def canonical_files(data: Mapping[str, bytes]) -> tuple[Mapping[str, bytes], Mapping[str, str]]:
    """The files that are to change, as they will be, and those that stay as they are, each with the reason: they cannot have the canonical
    form, or a key at their top is no manifest's, as in the files of other tools. Raises Invalid, of all files, where one is no YAML of one
    document."""
    files: dict[str, bytes] = {}
    reasons: dict[str, str] = {}
    top_keys = manifest_schema(KINDS)["properties"]
    for document in documents_in(data):
        file = document.file
        if foreign := next((key for key in document.value if key not in top_keys), None):
            reasons[file] = f"no manifest has the key {quote(foreign)}"
            continue
        mark = BOM if data[file].startswith(BOM) else b""
        text = canonical(data[file].removeprefix(BOM).decode())
        if text is None:
            reasons[file] = "its canonical form would not say the same"
        elif mark + text.encode() != data[file]:
            files[file] = mark + text.encode()
    return files, reasons


def canonical(text: str, kinds: Kinds = KINDS) -> str | None:
    """The canonical form of a file that the reader takes; None for what cannot have it, as with an anchor before a key."""
    newline = "\r\n" if "\r\n" in text else "\n"
    plain = text.replace("\r\n", "\n")
    plain += "" if plain.endswith("\n") else "\n"
    form = _Form(plain, manifest_schema(kinds))
    result = form.result()
    # What is held against the whole file needs no trust in how it was made.
    if not _says_the_same(plain, result) or Counter(c.text for c in form.comments) != Counter(c.text for c in _Form(result, {}).comments):
        return None
    return result.replace("\n", newline)


def _says_the_same(one: str, other: str) -> bool:
    try:
        return _is_same(read(one.encode(), "").value, read(other.encode(), "").value)
    except Exception:  # what cannot be read says something else
        return False


def _is_same(one: Any, other: Any) -> bool:
    """Whether two values are one to the reader: what stands in quotes is another thing than what does not."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_is_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return bool(one == other)


@dataclass(frozen=True, slots=True)
class _Comment:
    """A comment."""

    # Where it begins.
    start: int
    # What it says, with its sign.
    text: str
    # Whether nothing but indicators stands before it on its line.
    alone: bool
    # Its column.
    column: int


@dataclass(slots=True)
class _Part:
    """A pair or item as it is printed."""

    # The key of a pair.
    key: str
    # Whether an empty line stands above it.
    apart: bool
    # Its lines.
    lines: list[str]


class _Form:
    """One text on its way to the canonical form. Comments are taken one after the other, by whatever they belong to."""

    def __init__(self, text: str, schema: Shape) -> None:
        begin, self.root = _BEGIN.search(text), Tree(text, fold=None).root
        end = _END.search(text, self.root.end)
        self.text, self.schema = text, schema
        self.first, self.last = begin.end() if begin and begin.start() <= self.root.start else 0, end.start() if end else len(text)
        leaves = list(_leaves(self.root))
        spans = [(0, self.first), *((leaf.start, leaf.end) for leaf in leaves), (self.last, self.last)]
        self.comments = [c for (_, start), (end, _) in pairwise(spans) for c in self._comments(start, end)]
        self._starts = [comment.start for comment in self.comments]
        # Block scalars to which the empty lines below them belong.
        self._kept = [leaf for leaf in leaves if leaf.style in ("|", ">") and "+" in text[leaf.start : leaf.start + 3]]
        self._next = 0
        # What an alias leads to must stand before it, and below such a scalar nothing else may come.
        self._sorts = not self._kept and not any(leaf.value is None for leaf in leaves)

    def result(self) -> str:
        """The whole text. A comment at the top that an empty line parts from what follows is about the file."""
        head = [line.rstrip() for line in self.text[: self.first].splitlines()]
        about = self._about_file()
        body = self._mapping(self.root, 0, self.last, self.schema, -1) if self.root.items else [self._flow(self.root)]
        rest = [line.rstrip() for line in self.text[self.last :].splitlines()]
        return "\n".join([*head, *about, *body, *rest]) + "\n"

    # ── comments ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _comments(self, start: int, end: int) -> Iterator[_Comment]:
        for match in _COMMENT.finditer(self.text, start, end):
            line = self._line(match.start())
            alone = _BARE.fullmatch(self.text, line, match.start()) is not None
            yield _Comment(match.start(), match[0].rstrip(), alone, match.start() - line)

    def _about_file(self) -> list[str]:
        """The lines at the top that stay there, whatever section comes first."""
        first = [c for c in self.comments if c.start < self.root.start]
        places = [*(c.start for c in first[1:]), self.root.start]
        breaks = [n for n, place in enumerate(places) if _MODELINE in first[n].text or self._apart(place)] if first else []
        if not breaks:
            return []
        lines = self._above(self._take(first[breaks[-1]].start + 1), 0)
        return [*lines, ""] if self._apart(places[breaks[-1]]) else lines

    def _take(self, until: int) -> Sequence[_Comment]:
        """The comments up to a place that nobody took."""
        begin, self._next = self._next, max(self._next, bisect_left(self._starts, until))
        return self.comments[begin : self._next]

    def _above(self, comments: Sequence[_Comment], column: int) -> list[str]:
        lines: list[str] = []
        for comment in comments:
            lines += [""] if lines and self._apart(comment.start) else []
            lines.append(" " * column + comment.text)
        return lines

    def _behind(self, end: int, limit: int) -> str:
        """The comment on the line on which something ends, with the blanks before it."""
        comment = self.comments[self._next] if self._next < len(self.comments) else None
        if comment is None or comment.alone or comment.start >= limit or "\n" in self.text[end : comment.start]:
            return ""
        self._next += 1
        before = self.text[end : comment.start]
        blanks = before[len(before.rstrip()) :]
        return (blanks if blanks.strip(" ") == "" else "  ") + comment.text

    def _below(self, node: Node, column: int, limit: int, outside: int) -> list[str]:
        """The comments that end a block: those that stand deeper than what it is part of."""
        until = self._next
        while until < len(self.comments) and self.comments[until].start < limit and self._belongs(self.comments[until], node, outside):
            until += 1
        comments = self.comments[self._next : until]
        self._next = until
        lines = self._above(comments, column)
        return ["", *lines] if comments and self._apart(comments[0].start) else lines

    def _belongs(self, comment: _Comment, node: Node, outside: int) -> bool:
        return comment.start < node.end if node.flow else comment.column > outside

    # ── blocks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _block(self, node: Node, column: int, limit: int, shape: Shape, outside: int) -> list[str]:
        """The lines of a list or map."""
        return (self._mapping if node.mapping else self._sequence)(node, column, limit, shape, outside)

    def _mapping(self, node: Node, column: int, limit: int, shape: Shape, outside: int) -> list[str]:
        keys = [str(key.value) for key in node.items[::2]]
        shape = self._resolve(shape, set(keys))
        ends = [*(key.start for key in node.items[2::2]), limit]
        inside = node.start - self._line(node.start)
        parts = [
            self._pair(key, value, column, end, self._inside(shape, str(key.value)), inside)
            for (key, value), end in zip(node.units, ends, strict=True)
        ]
        return [*_join(self._in_order(parts, shape)), *self._below(node, column, limit, outside)]

    def _sequence(self, node: Node, column: int, limit: int, shape: Shape, outside: int) -> list[str]:
        ends = [*(item.start for item in node.items[1:]), limit]
        shape, inside = self._resolve(shape, set()).get("items", {}), node.start - self._line(node.start)
        before = [node.start, *(item.end for item in node.items)]
        parts = [self._item(item, column, end, shape, (at, inside)) for item, end, at in zip(node.items, ends, before, strict=False)]
        return [*_join(parts), *self._below(node, column, limit, outside)]

    def _pair(self, key: Node, value: Node, column: int, limit: int, shape: Shape, outside: int) -> _Part:
        above, blanks = self._take(key.start), " " * column
        apart = self._apart(above[0].start if above else key.start)
        lines = self._above(above, column)
        lines += [""] if above and self._apart(key.start) else []
        head = f"{blanks}{self._key(key)}:{self._anchor(key.end, value.start)}"
        if self._is_block(value, len(head) + 1, shape):
            note = self._behind(key.end, _leaf(value).start)
            body = self._block(value, column + _INDENT, limit, shape, outside)
            return _Part(str(key.value), apart, [*lines, head + (note or self._behind(value.end, limit)), *body])
        lines += self._above(self._take(value.end), column)
        first, *more = self._inline(value, column, shape, outside)
        lines += [f"{head} {first}".rstrip(), *more]
        lines[-1] += self._behind(value.end, limit)
        return _Part(str(key.value), apart, lines)

    def _item(self, item: Node, column: int, limit: int, shape: Shape, around: tuple[int, int]) -> _Part:
        """`around`: where the item before ends, and the column of the list."""
        before, outside = around
        above, head = self._take(item.start), " " * column + "-" + self._anchor(before, item.start)
        # A dash may stand alone, above what it begins.
        dash = self.text.rfind("-", before, item.start)
        apart = self._apart(above[0].start if above else item.start if dash < 0 else dash)
        lines = self._above(above, column)
        # As our own edits count it.
        if not self._is_block(item, column, shape):
            lines += self._above(self._take(item.end), column)
            first, *more = self._inline(item, column, shape, outside)
            lines += [f"{head} {first}".rstrip(), *more]
            lines[-1] += self._behind(item.end, limit)
            return _Part("", apart, lines)
        body = self._block(item, column + _INDENT, limit, shape, outside)
        if item.flow and (note := self._behind(item.end, limit)):
            lines.append(" " * column + note.lstrip())
        while not body[0] or body[0].lstrip().startswith("#"):
            # Nothing can stand between the dash and what it begins.
            line = body.pop(0)
            lines += [" " * column + line.lstrip()] if line else []
        begins = [f"{head} {body[0].lstrip()}", *body[1:]] if head.endswith("-") else [head, *body]
        return _Part("", apart, [*lines, *begins])

    # ── values on a line ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def _is_block(self, node: Node, column: int, shape: Shape) -> bool:
        """Whether a value is written in lines: it is, or it is in brackets and has comments or is too long for one line."""
        if not node.items or not node.flow:
            return bool(node.items)
        inside = self._next < len(self.comments) and self.comments[self._next].start < node.end
        several = any("\n" in self.text[leaf.start : leaf.end] for leaf in _leaves(node))
        return inside or several or column + len(self._flow(node, shape)) > WIDTH

    def _inline(self, node: Node, column: int, shape: Shape, outside: int) -> list[str]:
        return [self._flow(node, shape)] if node.flow else self._scalar(node, column, outside)

    def _flow(self, node: Node, shape: Shape | None = None) -> str:
        """A value in brackets, or a scalar, on one line."""
        if not node.flow:
            return self._scalar(node)[0]
        if not node.mapping:
            items = self._resolve(shape or {}, set()).get("items", {})
            starts = [node.start + 1, *(item.end for item in node.items)]
            pairs = [(self._anchor(at, item.start).lstrip(), self._flow(item, items)) for at, item in zip(starts, node.items, strict=False)]
            return f"[{', '.join(' '.join(filter(None, pair)) for pair in pairs)}]"
        shape = self._resolve(shape or {}, {str(key.value) for key in node.items[::2]})
        parts = []
        for key, value in node.units:
            flow = self._flow(value, self._inside(shape, str(key.value)))
            parts.append(_Part(str(key.value), False, [f"{self._key(key)}:{self._anchor(key.end, value.start)} {flow}"]))
        return f"{{{', '.join(part.lines[0] for part in self._in_order(parts, shape))}}}"

    def _key(self, key: Node) -> str:
        """A key, in quotes only where it needs them: the reader asks no key whether it has some."""
        return as_yaml(str(key.value)) if key.style else self.text[key.start : key.end]

    def _scalar(self, node: Node, column: int = 0, outside: int = 0) -> list[str]:
        """A scalar or alias: what stands on the line of its key, and the lines below it."""
        text = self.text[node.start : node.end]
        if "\n" not in text:
            return [_quote(str(node.value)) if node.style in ("'", '"') else text]
        first, *more = text.split("\n")
        if node.style in ("|", ">"):
            return [first.rstrip(), *self._shift(first, more, column, outside)]
        return [first.rstrip(), *(f"{' ' * (column + _INDENT)}{line.strip()}" if line.strip() else "" for line in more[:-1]),
                f"{' ' * (column + _INDENT)}{more[-1].lstrip()}"]  # fmt: skip

    def _shift(self, header: str, lines: Sequence[str], column: int, outside: int) -> Iterator[str]:
        """The lines of a block scalar. Where its header says how deep they stand, that is counted from what the scalar is part of."""
        depths = [len(line) - len(line.lstrip(" ")) for line in lines if line.strip()]
        says = re.search(r"[1-9]", header.partition("#")[0])
        deep = int(says[0]) if says else _INDENT
        was = outside + deep if says else next(iter(depths), 0)
        for line in lines:
            yield (" " * (column + deep) + line[was:]) if line.strip() else line[was:] and " " * (column + deep) + line[was:]

    # ── where ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _line(self, at: int) -> int:
        return self.text.rfind("\n", 0, at) + 1

    def _apart(self, at: int) -> bool:
        """Whether what begins at a place begins its line, and the line above is empty."""
        line = self._line(at)
        if line == 0 or not _BARE.fullmatch(self.text, line, at) or any(leaf.start < line - 1 <= leaf.end for leaf in self._kept):
            return False
        return not self.text[self._line(line - 1) : line].strip()

    def _anchor(self, start: int, end: int) -> str:
        """The anchor before a value, after a blank."""
        between = self.text[start:end]
        match = _ANCHOR.search(_COMMENT.sub("", between)) if "&" in between else None
        return f" {match[0]}" if match else ""

    # ── the schema ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _resolve(self, shape: Shape, keys: Set[str]) -> Shape:
        """What the schema says of a value with these keys: of several ways to write it, the one that knows most of them."""
        while "$ref" in shape:
            shape = self.schema["$defs"][shape["$ref"].rpartition("/")[2]]
        ways = [self._resolve(way, keys) for way in shape.get("anyOf", ())] if "properties" not in shape else []
        return max(ways, key=lambda way: len(keys & set(way.get("properties", ())))) if ways else shape

    def _in_order(self, parts: list[_Part], shape: Shape) -> list[_Part]:
        """The pairs of a map in the order of the schema, what all entries can have last; others as they stand."""
        properties = shape.get("properties") if self._sorts else None
        rank = {name: (name in Entry.model_fields, n) for n, name in enumerate(properties or ())}
        return sorted(parts, key=lambda part: rank.get(part.key, (True, len(rank)))) if properties else parts

    def _inside(self, shape: Shape, key: str) -> Shape:
        inner = shape.get("properties", {}).get(key, shape.get("additionalProperties"))
        return inner if isinstance(inner, dict) else {}


def _join(parts: Sequence[_Part]) -> Iterator[str]:
    for number, part in enumerate(parts):
        if part.apart and number:
            yield ""
        yield from part.lines


def _leaves(node: Node) -> Iterator[Node]:
    """All scalars and aliases of a value, in the order of the text."""
    if not node.items and not node.flow:
        yield node
    for item in node.items:
        yield from _leaves(item)


def _leaf(node: Node) -> Node:
    """The first of these; a value in brackets that has none is one."""
    return next(_leaves(node), node)


def _quote(value: str) -> str:
    """A text in the quotes that our own edits write."""
    text = as_yaml(value)
    return text if text[:1] in ("'", '"') else f"'{text}'"
