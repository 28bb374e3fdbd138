"""The pre-image as it is stored: one part that may be shared, and one that stays on its machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter

from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.paths import personal_path
from reconciler.core.model.privacy import MAIL
from reconciler.core.undo.preimage import HIDDEN, KeptChange, Moved, Moves, Preimage, Value, Values

T = TypeVar("T")
_Format = Literal[1]
# Where in the shared document the private one stands, if that is sealed.
_SEALED = "sealed"


@dataclass(frozen=True, slots=True)
class _Rest:
    """What of a kept change is not shared."""

    # The value of the field that names the thing.
    key: Value = HIDDEN
    # The fields that move and may not be shared.
    fields: Moves = field(default_factory=dict)
    # The fields of what is deleted that may not be shared.
    had: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Private:
    # The version of this form.
    format: _Format
    # The run's id.
    run: str
    # By the place of the change.
    changes: Mapping[int, _Rest]


_FORMAT, _SHARED, _PRIVATE = TypeAdapter(_Format), TypeAdapter(Preimage), TypeAdapter(_Private)


def split_preimage(kinds: Kinds, preimage: Preimage) -> tuple[dict[str, Any], dict[str, Any]]:
    """A pre-image as two documents: one without personal values and without anything that looks like an e-mail, and the rest of it."""
    parts = [_split_change(kinds[change.source.kind], change) for change in preimage.kept_changes]
    rest = {i: rest for i, (_, rest) in enumerate(parts) if rest != _Rest()}
    shared = {"format": 1, **_dump(_SHARED, replace(preimage, kept_changes=tuple(change for change, _ in parts)))}
    return shared, _dump(_PRIVATE, _Private(1, preimage.run, rest)) if rest else {}


def _dump(adapter: TypeAdapter[T], value: T) -> dict[str, Any]:
    document: dict[str, Any] = adapter.dump_python(value, mode="json", exclude_defaults=True, by_alias=True)
    return document


def _split_change(kind: Kind, change: KeptChange) -> tuple[KeptChange, _Rest]:
    """One change as it may be shared, and what is left of it."""
    key, own_key = (HIDDEN, change.key or HIDDEN) if kind.person or _holds_mail(change.key) else (change.key, HIDDEN)
    fields, own_fields = _hide(kind, change.fields, Moved(HIDDEN, HIDDEN))
    had, own_had = _hide(kind, change.had, HIDDEN)
    return replace(change, key=key, fields=fields, had=had), _Rest(own_key, own_fields, own_had)


def _hide(kind: Kind, values: Mapping[str, T], instead: T) -> tuple[dict[str, T], dict[str, T]]:
    """Values by path as they may be shared, and those that may not: all of a person. A path that holds an e-mail is not even named."""
    private = {p: value for p, value in values.items() if kind.person or personal_path(kind, p) or _holds_mail(p) or _holds_mail(value)}
    return {p: instead if p in private else value for p, value in values.items() if not _holds_mail(p)}, private


def _holds_mail(value: Any) -> bool:
    """Whether an e-mail may stand somewhere in a value."""
    if isinstance(value, str):
        return MAIL.search(value) is not None
    if isinstance(value, Mapping):
        return any(_holds_mail(part) for item in value.items() for part in item)
    return isinstance(value, (list, tuple)) and any(map(_holds_mail, value))


def seal_private(shared: Mapping[str, Any], private: str, seal: Callable[[str, Sequence[str]], str]) -> dict[str, Any]:
    """The shared document with the private one in it, sealed to the keys that stand there."""
    return {**shared, _SEALED: seal(private, shared["keys"])}


def read_sealed(shared: Any) -> str:
    """The private document as it was sealed; empty where it was not."""
    return str(shared.get(_SEALED, "")) if isinstance(shared, dict) else ""


def join_preimage(run: str, shared: Any, private: Any, kinds: Kinds) -> Preimage:
    """The pre-image of a run from its two documents; the private one is None where it is not on this machine. Raises ValueError for a form
    that this release does not write, and for documents of another run."""
    _FORMAT.validate_python(shared.get("format") if isinstance(shared, dict) else None)
    preimage = _SHARED.validate_python(shared)
    rest = _PRIVATE.validate_python(private) if private else None
    if preimage.run != run or (rest and rest.run != run):
        raise ValueError("another run")
    untold = rest.changes if rest else {}
    return replace(
        preimage,
        kept_changes=tuple(_join_change(change, untold.get(i, _Rest()), kinds) for i, change in enumerate(preimage.kept_changes)),
    )


def hides_values(preimage: Preimage, kinds: Kinds) -> bool:
    """Whether values of it are missing here, which are kept elsewhere. People go by their ids, so their names do not count."""
    nameable = (change for change in preimage.kept_changes if not kinds[change.source.kind].person)
    values = (value for change in preimage.kept_changes for value in (*chain.from_iterable(change.fields.values()), *change.had.values()))
    return any(change.key is HIDDEN for change in nameable) or any(value is HIDDEN for value in values)


def _join_change(change: KeptChange, rest: _Rest, kinds: Kinds) -> KeptChange:
    key = change.key if rest.key is HIDDEN else rest.key
    change = replace(change, key=key, fields={**change.fields, **rest.fields}, had={**change.had, **rest.had})
    kind, paths = kinds.get(change.source.kind), {path.partition(".")[0] for path in (*change.fields, *change.had)}
    if kind is None or not paths <= kind.fields.keys() or (change.target and kinds.get(change.target.kind) is None):
        raise ValueError("another kind or field")
    return change
