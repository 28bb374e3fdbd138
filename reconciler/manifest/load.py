"""YAML files → the manifest: every section read by its kind, every contradiction named with both places, all problems at once."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ValidationError

from reconciler.core.compare.choices import among, outside
from reconciler.core.model.address import Address, address_by
from reconciler.core.model.desired import Manifest, Pin, Resource, WrittenLinks
from reconciler.core.model.entry import Entry, LinkItem
from reconciler.core.model.kind import Field, Identity, Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.policy import ApprovalEntry, Policy, Written
from reconciler.core.model.privacy import shown
from reconciler.core.model.scalars import Name, NotNull, doc, parse_typed
from reconciler.core.model.written import is_null, quote, suggest_quotes
from reconciler.errors import Invalid, Mark, Problem
from reconciler.manifest import files
from reconciler.manifest.reader import Document

# Of so many undeclared names it is guessed which was meant: each guess looks at all that are declared.
GUESSES = 10
# Guessing takes the square of a length.
LONGEST_GUESSED = 200

Loc = tuple[str | int, ...]


class PinEntry(Written):
    """The pin: a token for any other workspace is refused. A plan without a pin warns."""

    app_id: Annotated[Name | None, NotNull, doc("The id of the workspace, as `reconciler auth status` prints it.", "ecahpwf5")] = None
    region: Annotated[Literal["us", "eu", "au"] | None, NotNull, doc("Where Intercom hosts the workspace.", "eu")] = None


class Head(Written):
    """What a manifest says beside its sections."""

    name: Annotated[
        Name, doc("Whose manifest this is: the ledger keeps what is ours under it. Required where several can reach the ledger.", "growth")
    ] = "default"
    workspace: Annotated[PinEntry, doc("The pin: the one workspace that the manifest is for.", {"app_id": "ecahpwf5", "region": "eu"})] = (
        PinEntry()
    )
    policy: Annotated[Policy, doc("What a plan may do.", {"links": "additive", "limits": {"deletes": 2}})] = Policy()
    approvals: Annotated[
        tuple[ApprovalEntry, ...],
        doc(
            "Approvals of changes that a gate refused.",
            [{"hash": "40ad9ed865cf", "people": 2, "reason": "The trials are over", "by": "Inara Serra", "expires": "2026-12-31"}],
        ),
    ] = ()


class PolicyFile(Written):
    """What `--policy FILE` may hold: the rules of the base branch."""

    policy: Policy = Policy()
    approvals: tuple[ApprovalEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class _Item:
    """One entry that was read, with the place to look its lines up in."""

    kind: Kind
    entry: Entry
    document: Document
    loc: Loc
    address: Address
    by: str

    def mark(self, *loc: str | int) -> Mark:
        return self.document.marks.of((*self.loc, *loc))

    @property
    def identity(self) -> Identity:
        return self.kind.identity[self.by]

    @property
    def state(self) -> str | None:
        state: str | None = getattr(self.entry, "state", None)
        return state


@dataclass
class _Pile:
    """What is gathered from all files; problems of every file are told together. `unread` are the places where the text itself is
    wrong: with one of these, what seems not to be declared may be. `invalid` are the names of entries that cannot be used."""

    kinds: Kinds
    problems: list[Problem] = field(default_factory=list)
    unread: frozenset[Mark] = frozenset()
    items: dict[Address, _Item] = field(default_factory=dict)
    names: dict[tuple[str, str, str], _Item] = field(default_factory=dict)
    # The entries that are named by an id, by the names that they say their things have.
    called: dict[tuple[str, str, str], list[_Item]] = field(default_factory=dict)
    invalid: set[tuple[str, str, str]] = field(default_factory=set)
    head: dict[str, Any] = field(default_factory=dict)
    head_marks: dict[Loc, Mark] = field(default_factory=dict)
    sections: set[str] = field(default_factory=set)
    hints: dict[tuple[str, str], str] = field(default_factory=dict)
    doubles: list[_Item] = field(default_factory=list)

    def problem(self, mark: Mark, what: str, now: str = "") -> None:
        if mark not in self.unread:
            self.problems.append(Problem(mark, what, now))


def load(kinds: Kinds, paths: Sequence[str]) -> Manifest:
    """Read files and folders and merge them. Raises Invalid (65) with every problem that can be seen offline."""
    documents, unread = files.read_far_all(paths)
    return merge(kinds, documents, paths, unread)


def merge(kinds: Kinds, documents: Iterable[Document], paths: Sequence[str], unread: Sequence[Problem] = ()) -> Manifest:
    """The manifest that some documents make together. Raises Invalid; `unread` is what was wrong with their text."""
    pile = _Pile(kinds, list(unread), frozenset(problem.mark for problem in unread))
    names = []
    for document in documents:
        _read_document(pile, document)
        names.append(document.file)
    head = _head(pile)
    resources = {address: _resource(pile, item) for address, item in sorted(pile.items.items())}
    for double in pile.doubles:
        _resource(pile, double)
    _check_former(pile)
    if pile.problems:
        raise Invalid(pile.problems)
    pin = Pin(head.workspace.app_id, head.workspace.region) if head.workspace.model_fields_set else None
    digest = _digest(head, pile)
    return Manifest(
        resources=resources,
        policy=head.policy,
        name=head.name,
        pin=pin,
        paths=tuple(paths),
        digest=digest,
        sections=frozenset(pile.sections),
        approvals=head.approvals,
        files=tuple(names),
        named="name" in head.model_fields_set,
    )


def load_policy(path: str) -> PolicyFile:
    """A policy file. Raises Invalid (65)."""
    if os.path.isdir(path):
        raise Invalid([Problem(Mark(path), "is a folder", "give the one file that holds the policy")])
    (document,) = files.read_all([path])
    try:
        return PolicyFile.model_validate(document.value)
    except ValidationError as error:
        raise Invalid(Problem(document.marks.of(loc), what) for what, loc in _explained(error, PolicyFile, document.value)) from None


def _read_document(pile: _Pile, document: Document) -> None:
    by_section = pile.kinds.by_section
    for key, value in document.value.items():
        mark = document.marks.of((key,))
        if key in by_section:
            pile.sections.add(key)
            _read_section(pile, by_section[key], document, value, mark)
        elif key in Head.model_fields:
            _merge_head(pile, document, (key,), value, pile.head)
        else:
            pile.problem(mark, f"unknown key {quote(key)}", _known([*by_section, *Head.model_fields], key))


def _known(keys: Iterable[str], key: str) -> str:
    known = tuple(keys)
    close = _close(key, known)
    return f"did you mean {close}?" if close else f"known are {', '.join(known)}"


# The same few typos stand in thousands of entries.
@lru_cache(maxsize=1024)
def _close(key: str, known: tuple[str, ...]) -> str:
    """The known name that was meant, if any."""
    return next(iter(difflib.get_close_matches(key, known, 1)), "") if len(key) <= LONGEST_GUESSED else ""


def _merge_head(pile: _Pile, document: Document, loc: Loc, value: Any, into: dict[str, Any]) -> None:
    """Blocks of several files are one; a leaf that stands twice is an error, but for a name and a pin that say the same."""
    key, mark = str(loc[-1]), document.marks.of(loc)
    if isinstance(value, dict):
        inner = into.setdefault(key, {})
        if isinstance(inner, dict):
            for name, item in value.items():
                _merge_head(pile, document, (*loc, name), item, inner)
        return
    if is_null(value) and loc == ("policy",):
        pile.problem(mark, "`policy:` has no value", "write the policy, or remove the line")
        return
    first = pile.head_marks.setdefault(loc, mark)
    if key in into and (loc[0] == "policy" or into[key] != value):
        pile.problem(mark, f"{'.'.join(map(str, loc))} is already written at {first}", "keep one of them")
    into[key] = value


def _head(pile: _Pile) -> Head:
    try:
        return Head.model_validate(pile.head)
    except ValidationError as error:
        marks = _first_of_blocks(pile.head_marks)
        for what, loc in _explained(error, Head, pile.head):
            pile.problem(_nearest(marks, loc), what)
        return Head()


def _nearest(marks: Mapping[Loc, Mark], loc: Loc) -> Mark:
    """The place of a leaf, else of the first leaf of its block."""
    found = (marks[loc[:steps]] for steps in range(len(loc), 0, -1) if loc[:steps] in marks)
    return next(found, Mark("manifest"))


def _first_of_blocks(leaves: Mapping[Loc, Mark]) -> Mapping[Loc, Mark]:
    """The place of every leaf, and for every block that of its first leaf."""
    found: dict[Loc, Mark] = {}
    for loc, mark in leaves.items():
        for steps in range(1, len(loc) + 1):
            found.setdefault(loc[:steps], mark)
    return found


def _read_section(pile: _Pile, kind: Kind, document: Document, value: Any, mark: Mark) -> None:
    if not isinstance(value, list):
        state = "has no value" if is_null(value) else "is not a list"
        pile.problem(mark, f"`{kind.section}:` {state}", "write [] for none, or remove the line")
        return
    for i, item in enumerate(value):
        loc: Loc = (kind.section, i)
        if kind.short and (meant := _unquoted(kind, item)):
            pile.problem(document.marks.of(loc), f"is no {kind.name}", f"if a name with a colon is meant, quote it: {meant}")
            continue
        if kind.short and not isinstance(item, (dict, list)):
            item = {kind.short: item}
        try:
            entry = kind.entry.model_validate(item)
        except ValidationError as error:
            for what, inner in _explained(error, kind.entry, item):
                pile.problem(document.marks.of((*loc, *inner)), what)
            pile.invalid.update(_names_in(kind, item))
            continue
        _add(pile, kind, entry, document, loc)


def _unquoted(kind: Kind, item: Any) -> str:
    """The name that was meant by a map of one key, if no field of the kind was."""
    fields = tuple(kind.entry.model_fields)
    return "" if isinstance(item, dict) and any(_close(key, fields) for key in item) else suggest_quotes(item)


def _add(pile: _Pile, kind: Kind, entry: Entry, document: Document, loc: Loc) -> None:
    written = [i.field for i in kind.identities if i.field in entry.model_fields_set]
    by = "id" if "id" in written else written[0]
    identity, key = kind.identity[by], str(getattr(entry, by))
    address = address_by(kind.name, by, identity.fold(key) if identity.stable else key)
    item = _Item(kind, entry, document, loc, address, by)
    name = (kind.name, by, identity.fold(key))
    first = pile.names.get(name) or pile.items.get(address)
    if first:
        pile.problem(item.mark(), f"{shown(address)} is already declared at {first.mark()}", "keep one of them")
        pile.doubles.append(item)
        return
    pile.names[name] = pile.items[address] = item
    for other in written if by == "id" else ():
        pile.called.setdefault((kind.name, other, kind.identity[other].fold(str(getattr(entry, other)))), []).append(item)


def _names_in(kind: Kind, written: Any) -> Iterator[tuple[str, str, str]]:
    """The names that an entry has though it cannot be used."""
    for identity in kind.identities:
        name = written.get(identity.field) if isinstance(written, dict) else None
        if isinstance(name, str):
            yield kind.name, identity.field, identity.fold(name)


def _explained(error: ValidationError, model: type[BaseModel], written: Any) -> Iterator[tuple[str, Loc]]:
    """Pydantic's errors as sentences, each with the place inside the entry."""
    for detail in error.errors(include_url=False):
        loc = tuple(step for step in detail["loc"])
        yield _SENTENCES.get(detail["type"], _as_told)(detail, model), loc


def _as_told(detail: Any, model: type[BaseModel]) -> str:
    field_name = next((str(step) for step in reversed(detail["loc"]) if isinstance(step, str)), "")
    message = str(detail["msg"]).removeprefix("Value error, ")
    if _personal(model, detail["loc"]):
        message = _without_value(message)
    return f"{field_name}: {message}" if field_name else message


def _without_value(message: str) -> str:
    """A message whose quoted value is masked but for blanks at its ends: errors go to logs, where no phone number or name belongs."""
    if "@" in message:
        return re.sub(r'([^\s"␠@])[^\s"␠@]*@', r"\1***@", message)
    return re.sub(r'"(␠*).*?(␠*)"', r'"\1***\2"', message, flags=re.DOTALL)


def _personal(model: type[BaseModel], loc: Sequence[str | int]) -> bool:
    """Whether a place of an entry holds what only the person's own page should show."""
    info = model.model_fields.get(str(loc[0])) if loc else None
    return info is not None and any(isinstance(meta, Field) and meta.personal for meta in info.metadata)


def _unknown(detail: Any, model: type[BaseModel]) -> str:
    key = str(detail["loc"][-1])
    inner: Any = model
    for step in detail["loc"][:-1]:
        info = inner.model_fields.get(step) if isinstance(inner, type) and issubclass(inner, BaseModel) else None
        inner = _model_in(info.annotation) if info else inner
    fields = list(inner.model_fields) if isinstance(inner, type) and issubclass(inner, BaseModel) else []
    return f"unknown key {quote(key)}; {_known(fields, key)}"


def _model_in(annotation: Any) -> Any:
    options = [annotation, *getattr(annotation, "__args__", ())]
    return next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), None)


def _not_a_list(detail: Any, model: type[BaseModel]) -> str:
    state = "has no value" if is_null(detail["input"]) else "is not a list"
    return f"`{detail['loc'][-1]}:` {state}; write [] for none, or remove the line"


def _not_a_map(detail: Any, model: type[BaseModel]) -> str:
    names = [step for step in detail["loc"] if isinstance(step, str)]
    return f"{f'`{names[-1]}` ' if names else ''}is not a map; write it as `key: value` lines"


def _not_among(detail: Any, model: type[BaseModel]) -> str:
    state = "is empty" if is_null(detail["input"]) else f"{quote(_brief(detail['input']))} is not known"
    return f"{detail['loc'][-1]}: {state}; write {detail['ctx']['expected']}"


def _brief(value: Any) -> str:
    return "a map" if isinstance(value, dict) else "a list" if isinstance(value, list) else str(value)


_SENTENCES: Mapping[str, Callable[[Any, type[BaseModel]], str]] = {
    "extra_forbidden": _unknown,
    "missing": lambda detail, model: f"`{detail['loc'][-1]}` is missing; write it",
    "tuple_type": _not_a_list,
    "model_type": _not_a_map,
    "literal_error": _not_among,
}


def _resource(pile: _Pile, item: _Item) -> Resource:
    """An entry as the engine sees it."""
    entry, kind = item.entry, item.kind
    written = entry.model_fields_set
    links = {link.field: _links(pile, item, link.target, link.field) for link in kind.links if link.field in written}
    fields = {name: getattr(entry, name) for name in kind.fields if name in written}
    _check_gone(pile, item, fields, links)
    resource = Resource(
        address=item.address,
        by=item.by,
        key=str(getattr(entry, item.by)),
        fields=fields,
        mark=item.mark(),
        state=item.state,
        former=tuple(kind.former(entry)),
        protect=entry.protect,
        missing=getattr(entry, "missing", None),
        recreate=getattr(entry, "recreate", False),
        free=getattr(entry, "members", None) == "free",
        links=links,
    )
    return replace(resource, fields=_typed(pile, item, fields))


def _links(pile: _Pile, item: _Item, target: str, name: str) -> WrittenLinks:
    present: dict[Address, int] = {}
    absent: dict[Address, int] = {}
    links: Sequence[LinkItem] = getattr(item.entry, name)
    for i, link in enumerate(links):
        mark = item.mark(name, i)
        end = _end(pile, mark, target, link)
        if end is None:
            continue
        if end.state in ("absent", "archived"):
            pile.problem(mark, f"{target} {_named(link)} is declared {end.state} at {end.mark()}", "remove one of them")
            continue
        (present if link.present else absent)[end.address] = mark.line
        if end.address in present and end.address in absent:
            other = min(present[end.address], absent[end.address])
            pile.problem(mark, f"{target} {_named(link)} is written present and absent (line {other})", "keep one of them")
    return WrittenLinks(present, absent)


def _end(pile: _Pile, mark: Mark, target: str, link: LinkItem) -> _Item | None:
    """The entry that a link leads to; None where there is none, or not one, which is a problem that is told."""
    first = pile.kinds[target].identities[0]
    wanted = (target, "id", link.key) if link.by_id else (target, first.field, first.fold(link.key))
    if wanted in pile.names:
        return pile.names[wanted]
    called = pile.called.get(wanted, ())
    if len(called) == 1:
        return called[0]
    if called:
        places = " and ".join(str(one.mark()) for one in called)
        pile.problem(mark, f"{target} {quote(link.key)} is declared at {places}", "say which, as in {id: ID}")
    elif not pile.unread and wanted not in pile.invalid:
        declare = f"declare it under `{_section(pile, target)}:`, as in {{id: {link.key}}}"
        pile.problem(mark, f"{target} {_named(link)} is not declared", declare if link.by_id else _hint(pile, target, link.key))
    return None


def _named(link: LinkItem) -> str:
    """The other end as it is written: by its id, or by its name."""
    return f"id {link.key}" if link.by_id else quote(link.key)


def _hint(pile: _Pile, target: str, key: str) -> str:
    """What to do about a target that is not declared, worked out once: one forgotten tag may stand on every contact."""
    if (target, key) not in pile.hints:
        known = [address.key for address in pile.items if address.kind == target] if len(pile.hints) < GUESSES else []
        close = _close(key, tuple(known))
        pile.hints[target, key] = f"did you mean {close!r}?" if close else f"declare it under `{_section(pile, target)}:`"
    return pile.hints[target, key]


def _section(pile: _Pile, name: str) -> str:
    return pile.kinds[name].section


def _check_gone(pile: _Pile, item: _Item, fields: Mapping[str, Any], links: Mapping[str, WrittenLinks]) -> None:
    """A thing that is declared not to be there has no fields and no links; what names it is no claim."""
    if item.state not in ("absent", "archived"):
        return
    names = {item.by} | item.kind.constant | ({item.kind.identities[0].field} if item.by == "id" else set())
    extra = [name for name in (*fields, *links) if name not in names]
    if tuple(item.kind.former(item.entry)):
        extra.append("its former name")
    for name in extra:
        what = f"{name} is written on a {item.kind.name} that is {item.state} (at {item.mark('state')})"
        pile.problem(item.mark(name), what, "keep one of them")


def _typed(pile: _Pile, item: _Item, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Values of merged maps get the type that the manifest declares; what it does not declare keeps its raw text."""
    found = dict(fields)
    for name, value in fields.items():
        typed_by = item.kind.fields[name].typed_by
        if typed_by:
            found[name] = {key: _typed_value(pile, item, typed_by, name, key, raw) for key, raw in value.items()}
    return found


def _typed_value(pile: _Pile, item: _Item, typed_by: str, name: str, key: str, raw: Any) -> Any:
    declared = pile.items.get(Address(typed_by, key))
    if declared is None:
        return raw
    mark = item.mark(name, key)
    if declared.state == "archived":
        pile.problem(mark, f"{typed_by} {key!r} is declared archived at {declared.mark()}", "remove one of them")
        return raw
    if getattr(declared.entry, "model", item.kind.name) != item.kind.name:
        pile.problem(mark, f"{key} is declared for another model at {declared.mark()}", "correct one of them")
        return raw
    try:
        value = parse_typed(raw, str(getattr(declared.entry, "data_type", "string")))
    except ValueError as error:
        pile.problem(mark, f"{key}: {error}")
        return raw
    if choices := outside(declared.kind, vars(declared.entry), value):
        what = f"{key}: {value!r} is none of {among(choices)}, which is all that it can be ({declared.mark(declared.kind.choices)})"
        pile.problem(mark, what, "add it there, or correct it here")
    return value


def _check_former(pile: _Pile) -> None:
    """A former name may not be somebody's name now, nor be used twice: a chain or a swap cannot be told from a finished one."""
    used: dict[tuple[str, str, str], _Item] = {}
    taken = _taken(pile)
    # What an id names is renamed by it, whoever else has or had that name.
    for item in sorted((i for i in pile.items.values() if i.by != "id" or not i.kind.rename), key=lambda i: i.address):
        own = (item.kind.name, item.by, item.identity.fold(str(getattr(item.entry, item.by))))
        for by, key in item.kind.former(item.entry):
            name = (item.kind.name, by, item.kind.identity[by].fold(key))
            other = pile.names.get(name) or used.get(name) or next((t for t in taken.get(name, ()) if t is not item), None)
            if other is not None and name != own and other is not item:
                now = "a chain or a swap takes two changes: do one, apply it, then the other"
                pile.problem(item.mark(), f"its former {by} {quote(key)} is in use at {other.mark()}", now)
            used.setdefault(name, item)


def _taken(pile: _Pile) -> Mapping[tuple[str, str, str], Sequence[_Item]]:
    """Who is to have which unique value, beside those whose name it is."""
    found: dict[tuple[str, str, str], list[_Item]] = {}
    for item in pile.items.values():
        for name, field_ in item.kind.fields.items():
            if field_.moves and name != item.by and name in item.entry.model_fields_set:
                key = item.kind.identity[name].fold(str(getattr(item.entry, name)))
                found.setdefault((item.kind.name, name, key), []).append(item)
    return found


def _digest(head: Head, pile: _Pile) -> str:
    """A digest of what was loaded: comments, line ends, order of files and entries do not count."""
    sha = hashlib.sha256(head.model_dump_json(exclude_unset=True, exclude={"approvals"}).encode())
    for address, item in sorted(pile.items.items()):
        loaded = item.entry.model_dump(exclude_unset=True)
        sha.update(json.dumps([address, loaded], sort_keys=True, default=str).encode("utf-8", "surrogatepass"))
    sha.update(json.dumps(sorted(pile.sections)).encode())
    return sha.hexdigest()
