"""Parsed files → the contents of one manifest: the blocks of several files are merged, and each section is read by its kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any

from pydantic import ValidationError

from reconciler.core.model.ability import Merge
from reconciler.core.model.address import Address, address_by
from reconciler.core.model.entry import Values
from reconciler.core.model.kind import Kind
from reconciler.core.model.policy import KEYS
from reconciler.core.model.privacy import show_address
from reconciler.core.model.written import Plain, is_null, quote, suggest_quotes
from reconciler.errors import Mark
from reconciler.manifest.contents import Contents, Item, Name, Raw, name_of
from reconciler.manifest.head import Head, head_model
from reconciler.manifest.lists import read_list
from reconciler.manifest.overlays import OMIT, lay_head, lay_over
from reconciler.manifest.reader import Document
from reconciler.manifest.ruling import gather_rules
from reconciler.manifest.sentences import Loc, explain, is_slip, not_a_list
from reconciler.manifest.validating import BATCH, validate
from reconciler.manifest.variables import fill_in


def read_documents(contents: Contents, base: Sequence[Document], overlays: Sequence[Sequence[Document]]) -> Head:
    """Add what files say to the contents: those of the base, and the overlays of each layer, the weakest first. Returns their head."""
    for document in base:
        _read_head(contents, document)
    for layer in overlays:
        _lay_heads(contents, layer)
    head = read_head(contents)
    gather_rules(contents, base, overlays)
    limits = [head.envs[env].sections for env in contents.layers.overlays if env in head.envs]
    contents.left_out = {section for section in contents.kinds.by_section for limit in limits if limit is not None and section not in limit}
    for layer in overlays:
        _gather(contents, layer)
    _add_entries(contents, base)
    for name, raw in contents.overlays.items():
        kind = contents.kinds[name[0]]
        if name in contents.laid:
            continue
        if OMIT in raw.value:
            contents.note(raw.mark(), "nothing below declares what is omitted here", "correct its name, or remove the entry")
        else:
            _validate(contents, kind, [raw])
    return head


def _read_head(contents: Contents, document: Document) -> None:
    """Add what one file says beside its sections."""
    by_section = contents.kinds.by_section
    for key, value in document.value.items():
        if contents.kinds.ruling and key == contents.kinds.ruling.section:
            continue
        if key in Head.model_fields:
            whole = fill_in(contents, Raw(document, (key,), value)) if document.varies else value
            if whole is not None or value is None:
                _merge_head(contents, document, (key,), whole, contents.head)
        elif key not in by_section:
            now = contents.guesses.suggest(key, (*by_section, *Head.model_fields))
            contents.note(document.marks.of((key,)), f"unknown key {quote(key)}", now)


def _lay_heads(contents: Contents, layer: Sequence[Document]) -> None:
    """Lay what the overlays of an environment say beside their sections over what is below."""
    below, marks = contents.head, contents.head_marks
    contents.head, contents.head_marks = {}, {}
    for document in layer:
        _read_head(contents, document)
        if "envs" in document.value:
            contents.note(document.marks.of(("envs",)), "`envs:` stands in an overlay", "write it in a file of the base")
    _check_keys(contents, below, marks)
    contents.head, contents.head_marks = lay_head(below, contents.head), {**marks, **contents.head_marks}


def _check_keys(contents: Contents, below: Mapping[str, Any], marks: Mapping[Loc, Mark]) -> None:
    """Who may read what is kept for undo is said in one place: an overlay that says it otherwise would shut somebody out unseen."""
    place = ("policy", KEYS)
    one, other = (head.get("policy") for head in (below, contents.head))
    if isinstance(one, dict) and isinstance(other, dict) and KEYS in one and other.get(KEYS, one[KEYS]) != one[KEYS]:
        text = f"policy.{KEYS} of an overlay would replace those at {marks[place]}"
        contents.note(contents.head_marks[place], text, "write the same, or take them out of the base and write them in each overlay")


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


def _entries(contents: Contents, documents: Sequence[Document]) -> Iterator[tuple[Kind, Raw]]:
    """Every entry that these files hold, itself or in a list. What is none is noted."""
    for document in documents:
        for section, value in document.value.items():
            kind = contents.kinds.by_section.get(section)
            if kind is None or section in contents.left_out:
                continue
            contents.sections.add(section)
            if not isinstance(value, list):
                contents.note(document.marks.of((section,)), *not_a_list(section, value))
                continue
            for number, item in enumerate(value):
                raw = Raw(document, (section, number), item)
                if kind.short or document.varies or type(item) is not dict or "from" in item:
                    yield from ((kind, entry) for entry in _in_item(contents, kind, raw))
                else:
                    yield kind, raw


def _in_item(contents: Contents, kind: Kind, raw: Raw) -> Iterator[Raw]:
    """The entries in an item of a section: itself as a map, or those of the list that it names."""
    if raw.document.varies:
        value = fill_in(contents, raw, {name for name, field in kind.fields.items() if field.personal})
        if value is None and raw.value is not None:
            contents.invalid.update(_names_in(kind, raw.value))
            return
        raw = raw._replace(value=value)
    if isinstance(raw.value, dict) and "from" in raw.value:
        yield from read_list(contents, kind, raw)
    elif kind.short and (suggestion := _suggest_quotes(contents, kind, raw.value)):
        mark = raw.mark()
        contents.note(mark, f"is no {kind.name}", f"if a name with a colon is meant, quote it: {suggestion}")
    elif kind.short and not isinstance(raw.value, (dict, list)):
        yield raw._replace(value={kind.short: raw.value})
    else:
        yield raw


def _add_entries(contents: Contents, base: Sequence[Document]) -> None:
    """Add the entries of the base, with what overlays lay over them."""
    for kind, entries in groupby(_entries(contents, base), lambda entry: entry[0]):
        while batch := list(islice(entries, BATCH)):
            _validate(contents, kind, [entry for _, raw in batch if (entry := _with_overlay(contents, kind, raw))])


def _gather(contents: Contents, layer: Sequence[Document]) -> None:
    """Lay the entries of the overlays of an environment over those of the overlays below."""
    here: dict[Name, Raw] = {}
    for kind, raw in _entries(contents, layer):
        mark, name = raw.mark(), next(_names_in(kind, raw.value), None)
        if name is None:
            # Nobody can be meant by it: what is missing is told.
            _validate(contents, kind, [raw])
        elif name in here:
            first = here[name].mark()
            contents.note(mark, f"{show_address(Address(kind.name, name[-1]))} is already declared at {first}", "keep one of them")
        elif OMIT in raw.value and not _is_omitted(kind, raw.value):
            contents.note(mark, f"`{OMIT}` is neither true nor alone", "write true, beside the name and nothing else")
        else:
            here[name] = raw
    for name, raw in here.items():
        below = contents.overlays.get(name)
        # What an overlay adds, another one may omit, though no base declares it.
        (contents.laid.add if below and OMIT in raw.value else contents.laid.discard)(name)
        contents.overlays[name] = lay_over(contents.kinds[name[0]], below, raw) if below else raw


def _is_omitted(kind: Kind, value: Mapping[str, Any]) -> bool:
    return value[OMIT] == "true" and isinstance(value[OMIT], Plain) and value.keys() <= {OMIT, *kind.identity, *kind.required_keys}


def _with_overlay(contents: Contents, kind: Kind, raw: Raw) -> Raw | None:
    """An entry of the base with what an overlay lays over it; None where it is omitted, or is none, which is noted."""
    if isinstance(raw.value, dict) and OMIT in raw.value:
        contents.note(raw.mark(OMIT), f"`{OMIT}` stands in no overlay", "remove the entry, or write state: absent")
        return None
    name = next(_names_in(kind, raw.value), None) if contents.overlays else None
    if name is not None and (over := contents.overlays.get(name)):
        contents.laid.add(name)
        return None if OMIT in over.value else lay_over(kind, raw, over)
    return raw


def _validate(contents: Contents, kind: Kind, entries: Sequence[Raw]) -> None:
    """Add the entries that are valid. What is wrong with the others is noted."""
    for raw, values in zip(entries, validate(kind, [raw.value for raw in entries]), strict=True):
        if isinstance(values, ValidationError):
            for what, inner in explain(values, kind.entry, contents.guesses):
                contents.note(raw.mark(*inner), what)
            contents.invalid.update(_names_in(kind, raw.value))
            continue
        item = _add(contents, kind, values, raw.document, raw.loc)
        if kind.merge:
            _add_merged(contents, item, kind.merge)


def _add_merged(contents: Contents, item: Item, merge: Merge) -> None:
    """Add what an entry says goes into its thing."""
    kind, names, also = item.kind, item.values.get(merge.key, ()), item.values.get(merge.also, ())
    if also and not names:
        now = f"write `{merge.key}`, or remove the line"
        contents.note(item.mark(merge.also), f"{merge.also} says who else is moved to this {kind.name}, and nothing goes into it", now)
    for number, name in enumerate(names):
        # What goes into another thing is to be gone: all that is so of a tombstone is so of it.
        goes = {kind.identities[0].field: name, "state": "absent"}
        _add(contents, kind, goes, item.document, (*item.loc, merge.key, number), item)


def _suggest_quotes(contents: Contents, kind: Kind, value: Any) -> str:
    """The name that was meant by a mapping of one key, unless a field of the kind was; empty where none was."""
    suggestion, fields = suggest_quotes(value), tuple(kind.entry.model_fields)
    return "" if suggestion and any(is_slip(key, contents.guesses.closest(key, fields)) for key in value) else suggestion


def _add(contents: Contents, kind: Kind, values: Values, document: Document, loc: Loc, taker: Item | None = None) -> Item:
    """Add an entry, or what goes into the thing of another one, the `taker`."""
    names = [identity.field for identity in kind.identities if identity.field in values]
    by = "id" if "id" in names else names[0]
    name = name_of(kind, by, values[by])
    address = address_by(kind.name, by, name[-1] if kind.identity[by].stable else str(values[by]))
    goes = (taker.address, taker.values.get(kind.merge.also, ())) if taker and kind.merge else ()
    item = Item(kind, values, document, loc, address, by, *goes)
    if first := contents.names.get(name) or contents.items.get(address):
        contents.note(item.mark(), *_clash(item, first))
        contents.doubles.append(item)
        return item
    contents.names[name] = contents.items[address] = item
    for former in kind.former(values):
        contents.former_names.setdefault(name_of(kind, *former), item)
    if by == "id":
        for other in names:
            contents.other_names.setdefault(name_of(kind, other, values[other]), []).append(item)
    return item


def _clash(item: Item, first: Item) -> tuple[str, str]:
    """What is wrong with two entries of one address, and what to do now: they are one thing, or two whose keys read alike."""
    for bearer, other in ((item, first), (first, item)):
        if bearer.into:
            how = f"into {quote(other.into.key)} too" if other.into else "and is declared too"
            text = f"{show_address(bearer.address)} goes into {quote(bearer.into.key)} (at {bearer.mark()}), {how}, at {other.mark()}"
            return text, "keep one of them"
    if item.by == first.by:
        return f"{show_address(item.address)} is already declared at {first.mark()}", "keep one of them"
    by_id = first if item.by == "id" else item
    text = f"{show_address(item.address)} is also the address of what is named by its {first.by} at {first.mark()}"
    return text, f"name the one with this {by_id.by} by its own id"


def _names_in(kind: Kind, value: Any) -> Iterator[Name]:
    """The names that stand in an entry as it is written, first the one that names it."""
    for by in sorted(kind.identity, key=lambda by: by != "id") if isinstance(value, dict) else ():
        if isinstance(name := value.get(by), str):
            yield name_of(kind, by, name)
