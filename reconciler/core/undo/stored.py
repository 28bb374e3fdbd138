"""The pre-image as it is stored: one part that may be shared, and one that stays on its machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.core.model.address import LinkName
from reconciler.core.model.change import Action
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.paths import personal_path
from reconciler.core.model.policy import Limits
from reconciler.core.model.privacy import MAIL
from reconciler.core.undo.preimage import FORMAT, HIDDEN, Deed, End, Held, Moved, Preimage

Document = dict[str, Any]


# ── as documents ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def parted(kinds: Kinds, image: Preimage) -> tuple[Document, Document]:
    """An image as two documents: one without personal values and without anything that looks like an e-mail, and the rest of it."""
    changes, private = [], {}
    for i, deed in enumerate(image.deeds):
        shared, rest = _parted(kinds[deed.source.kind], deed)
        changes.append(shared)
        if rest:
            private[str(i)] = rest
    head = {name: getattr(image, name) for name in ("run", "app_id", "region", "name", "stored")}
    whole = {"format": FORMAT, **head, "limits": dict(image.limits), "changes": changes}
    return whole, {"format": FORMAT, "run": image.run, "changes": private} if private else {}


def _parted(kind: Kind, deed: Deed) -> tuple[Document, Document]:
    """One deed as both documents. What is told stands in a list, so that a null in its place says that it is not told here."""
    personal = kind.person or _mail(deed.key)
    fields, own_fields = _hidden(kind, {path: list(moved) for path, moved in deed.fields.items()})
    had, own_had = _hidden(kind, {path: [value] for path, value in deed.had.items()})
    shared = {
        "action": deed.action.value,
        "source": _end(deed.source),
        "by": deed.by,
        "key": None if personal else [deed.key],
        "fields": fields,
        "link": list(deed.link or ()),
        "target": _end(deed.target) if deed.target else None,
        "had": had,
        "held": [{"link": list(h.link), "kind": h.kind, "ids": list(h.ids), "ours": sorted(h.ours)} for h in deed.held],
        "ours": deed.ours,
        "file": "\n".join(deed.files),
    }
    private = {"key": [deed.key] if personal and deed.key else None, "fields": own_fields, "had": own_had}
    return _filled(shared), _filled(private)


def _filled(found: Document) -> Document:
    return {name: value for name, value in found.items() if value}


def _hidden(kind: Kind, values: Mapping[str, Any]) -> tuple[Document, Document]:
    """Values by path as they may be shared, and those that may not: all of a person. A path that holds an e-mail is not even named."""
    private = {p: value for p, value in values.items() if kind.person or personal_path(kind, p) or _mail(p) or _mail(value)}
    return {p: None if p in private else value for p, value in values.items() if not _mail(p)}, private


def _mail(value: Any) -> bool:
    """Whether an e-mail may stand somewhere in a value."""
    if isinstance(value, str):
        return MAIL.search(value) is not None
    if isinstance(value, Mapping):
        return any(_mail(part) for item in value.items() for part in item)
    return isinstance(value, (list, tuple)) and any(map(_mail, value))


def _end(end: End) -> Document:
    return {"kind": end.kind, **({"id": end.id} if end.id else {}), **({"made": end.made} if end.made is not None else {})}


def joined(shared: Document, private: Document, kinds: Kinds) -> Preimage:
    """An image from its documents; of the private one may be nothing here. Raises ValueError, KeyError, TypeError for other documents."""
    if shared["format"] != FORMAT:
        raise ValueError(f"format {shared['format']}")
    rest = private.get("changes", {}) if private.get("run") == shared["run"] else {}
    found = tuple(_deed_of(change, rest.get(str(i), {})) for i, change in enumerate(shared["changes"]))
    head = {name: shared[name] for name in ("run", "app_id", "region", "name", "stored", "limits")}
    _check(head, found, kinds)
    return Preimage(**head, deeds=found)


def _check(head: Document, found: Sequence[Deed], kinds: Kinds) -> None:
    """Raises TypeError, KeyError, ValueError where it is not what this release writes."""
    words = all(isinstance(head[name], str) for name in ("run", "app_id", "region", "name"))
    if not words or not isinstance(head["stored"], (int, float)):
        raise TypeError("another shape")
    Limits.model_validate(head["limits"])
    fields = {kind.name: kind.fields for kind in kinds}
    for deed in found:
        ends = [deed.source, *([deed.target] if deed.target else ())]
        paths = {path.partition(".")[0] for path in (*deed.fields, *deed.had)}
        if any(end.kind not in fields for end in ends) or not paths <= fields[deed.source.kind].keys():
            raise KeyError("another kind or field")


def _listed(value: Any) -> Any:
    """A value out of a document, whose lists are the tuples of ours."""
    return tuple(value) if isinstance(value, list) else value


def _deed_of(shared: Document, private: Document) -> Deed:
    key = private.get("key") or shared.get("key")
    fields = {**shared.get("fields", {}), **private.get("fields", {})}
    had = {**shared.get("had", {}), **private.get("had", {})}
    return Deed(
        action=Action(shared["action"]),
        source=End(**shared["source"]),
        by=shared.get("by", ""),
        key=key[0] if key else HIDDEN,
        fields={path: Moved(*map(_listed, value or (HIDDEN, HIDDEN))) for path, value in fields.items()},
        link=LinkName(*shared["link"]) if "link" in shared else None,
        target=End(**shared["target"]) if "target" in shared else None,
        had={path: _listed(value[0]) if value else HIDDEN for path, value in had.items()},
        held=tuple(Held(LinkName(*h["link"]), h["kind"], tuple(h["ids"]), frozenset(h["ours"])) for h in shared.get("held", ())),
        ours=shared.get("ours", False),
        files=tuple(filter(None, shared.get("file", "").split("\n"))),
    )
