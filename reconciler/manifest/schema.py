"""The JSON Schema of manifests, made from the same models that read them."""

from __future__ import annotations

from typing import Any

from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.kinds import KINDS
from reconciler.manifest.head import head_model
from reconciler.manifest.lists import ListEntry
from reconciler.manifest.overlays import OMIT

_OMITTED = {"const": True, "description": "Takes the entry below out of the manifest; it stands alone beside the name.", "examples": [True]}
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def manifest_schema(kinds: Kinds = KINDS, *, overlay: bool = False) -> dict[str, Any]:
    """The schema of one manifest file, or of an overlay: the head's keys, and a list for each kind's section."""
    head = head_model(kinds).model_json_schema(ref_template="#/$defs/{model}")
    list_schema = ListEntry.model_json_schema()
    definitions = {**head.pop("$defs", {}), "ListEntry": list_schema}
    for kind in kinds:
        entry = kind.entry.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(entry.pop("$defs", {}))
        if overlay:
            # The base may hold the rest of an entry.
            entry = {**entry, "required": [], "properties": {OMIT: _OMITTED, **entry["properties"]}}
        definitions[kind.entry.__name__] = entry
        head["properties"][kind.section] = _section(kind, entry)
        # Editors complete the keys of an entry beside those of a list.
        definitions[f"{kind.entry.__name__}List"] = {**list_schema, "properties": {**list_schema["properties"], **entry["properties"]}}
    schema = {"$schema": DIALECT, **head, "title": "reconciler manifest"}
    return schema | {"description": "What an Intercom workspace should have, and what a plan may do.", "$defs": definitions}


def for_editors(about: Any) -> Any:
    """A schema, or a part of one, without defaults that hold null: after one of these yaml-language-server 1.25 offers no key."""
    if isinstance(about, list):
        return [for_editors(one) for one in about]
    if not isinstance(about, dict):
        return about
    default = about.get("default", "")
    null = default is None or (isinstance(default, dict) and None in default.values())
    return {key: for_editors(one) for key, one in about.items() if not (key == "default" and null)}


def _section(kind: Kind, entry: dict[str, Any]) -> dict[str, Any]:
    properties = entry["properties"]
    for name in (*kind.fields, *(link.field for link in kind.links)):
        # What is not written is left alone. Editors would offer the model's default as a value.
        properties[name].pop("default", None)
    keys = entry.get("required") or [kind.identities[0].field]
    example = {name: properties[name]["examples"][0] for name in keys if "examples" in properties[name]}
    short = [{"type": ["string", "number", "boolean"]}] if kind.short else []
    ways = [*short, *({"$ref": f"#/$defs/{kind.entry.__name__}{suffix}"} for suffix in ("", "List"))]
    return {"type": "array", "items": {"anyOf": ways}, "description": entry["description"], "examples": [[example]]}
