"""Parsed files → the contents of one manifest: the blocks of several files are merged, and each section is read by its kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from reconciler.core.model.address import address_by
from reconciler.core.model.entry import Entry
from reconciler.core.model.kind import Kind
from reconciler.core.model.privacy import shown
from reconciler.core.model.written import is_null, quote, suggest_quotes
from reconciler.errors import Mark
from reconciler.manifest.contents import Contents, Item, Name, name_of
from reconciler.manifest.head import Head, head_model
from reconciler.manifest.lists import Row, read_list
from reconciler.manifest.reader import Document
from reconciler.manifest.sentences import Loc, explain, not_a_list


def read_document(contents: Contents, document: Document) -> None:
    """Add what one file says to the contents of all."""
    by_section = contents.kinds.by_section
    for key, value in document.value.items():
        if key in by_section:
            contents.sections.add(key)
            _read_section(contents, by_section[key], document, value)
        elif key in Head.model_fields:
            _merge_head(contents, document, (key,), value, contents.head)
        else:
            now = contents.guesses.suggest(key, (*by_section, *Head.model_fields))
            contents.note(document.marks.of((key,)), f"unknown key {quote(key)}", now)


def _merge_head(contents: Contents, document: Document, loc: Loc, value: Any, into: dict[str, Any]) -> None:
    """Merge a block or a leaf of one file. A leaf that stands twice is a problem, but for a name and a pin that are the same."""
    key, mark = str(loc[-1]), document.marks.of(loc)
    if isinstance(value, dict):
        inner = into.setdefault(key, {})
        if isinstance(inner, dict):
            for name, item in value.items():
                _merge_head(contents, document, (*loc, name), item, inner)
        return
    if is_null(value) and loc == ("policy",):
        contents.note(mark, "`policy:` has no value", "write the policy, or remove the line")
        return
    first = contents.head_marks.setdefault(loc, mark)
    if key in into and (loc[0] == "policy" or into[key] != value):
        contents.note(mark, f"{'.'.join(map(str, loc))} is already written at {first}", "keep one of them")
    into[key] = value


def read_head(contents: Contents) -> Head:
    """The head of all files; the default where it is not valid, which is noted."""
    model = head_model(contents.kinds)
    try:
        return model.model_validate(contents.head)
    except ValidationError as error:
        # The place of every leaf, and of every block that of its first leaf.
        marks: dict[Loc, Mark] = {}
        for leaf, mark in contents.head_marks.items():
            for steps in range(1, len(leaf) + 1):
                marks.setdefault(leaf[:steps], mark)
        for what, loc in explain(error, model, contents.guesses):
            within = (marks[loc[:steps]] for steps in range(len(loc), 0, -1) if loc[:steps] in marks)
            contents.note(next(within, Mark("manifest")), what)
        return model()


def _read_section(contents: Contents, kind: Kind, document: Document, value: Any) -> None:
    if not isinstance(value, list):
        contents.note(document.marks.of((kind.section,)), *not_a_list(kind.section, value))
        return
    for number, written in enumerate(value):
        loc: Loc = (kind.section, number)
        if isinstance(written, dict) and "from" in written:
            for row in read_list(contents, kind, Row(document, loc, written)):
                _read_entry(contents, kind, *row)
        elif kind.short and (meant := _suggest_quotes(contents, kind, written)):
            contents.note(document.marks.of(loc), f"is no {kind.name}", f"if a name with a colon is meant, quote it: {meant}")
        elif kind.short and not isinstance(written, (dict, list)):
            _read_entry(contents, kind, document, loc, {kind.short: written})
        else:
            _read_entry(contents, kind, document, loc, written)


def _read_entry(contents: Contents, kind: Kind, document: Document, loc: Loc, written: Any) -> None:
    try:
        entry = kind.entry.model_validate(written)
    except ValidationError as error:
        for what, inner in explain(error, kind.entry, contents.guesses):
            contents.note(document.marks.of((*loc, *inner)), what)
        contents.invalid.update(_names_in(kind, written))
    else:
        _add(contents, kind, entry, document, loc)


def _suggest_quotes(contents: Contents, kind: Kind, written: Any) -> str:
    """The name that was meant by a mapping of one key, unless a field of the kind was; empty where none was."""
    meant, fields = suggest_quotes(written), tuple(kind.entry.model_fields)
    return "" if meant and any(contents.guesses.closest(key, fields) for key in written) else meant


def _add(contents: Contents, kind: Kind, entry: Entry, document: Document, loc: Loc) -> None:
    names = {i.field: getattr(entry, i.field) for i in kind.identities if i.field in entry.model_fields_set}
    by = "id" if "id" in names else next(iter(names))
    name = name_of(kind, by, names[by])
    address = address_by(kind.name, by, name[-1] if kind.identity[by].stable else str(names[by]))
    item = Item(kind, entry, document, loc, address, by)
    if first := contents.names.get(name) or contents.items.get(address):
        contents.note(item.mark(), *_clash(item, first))
        contents.doubles.append(item)
        return
    contents.names[name] = contents.items[address] = item
    for former in kind.former(entry):
        contents.former_names.setdefault(name_of(kind, *former), item)
    if by == "id":
        for other in names:
            contents.other_names.setdefault(name_of(kind, other, names[other]), []).append(item)


def _clash(item: Item, first: Item) -> tuple[str, str]:
    """What is wrong with two entries of one address, and what to do now: they are one thing, or two whose keys read alike."""
    if item.by == first.by:
        return f"{shown(item.address)} is already declared at {first.mark()}", "keep one of them"
    keyed = first if item.by == "id" else item
    text = f"{shown(item.address)} is also the address of what is named by its {first.by} at {first.mark()}"
    return text, f"name the one with this {keyed.by} by its own id"


def _names_in(kind: Kind, written: Any) -> Iterator[Name]:
    """The names that stand in an entry that is not valid."""
    for by in kind.identity if isinstance(written, dict) else ():
        if isinstance(name := written.get(by), str):
            yield name_of(kind, by, name)
