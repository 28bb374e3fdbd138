"""The JSON Schema of manifests, made from the same models that read them."""

from __future__ import annotations

from typing import Any

from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.kinds import KINDS
from reconciler.manifest.head import head_model

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def manifest_schema(kinds: Kinds = KINDS) -> dict[str, Any]:
    """The schema of one manifest file: the head's keys, and a list for each kind's section."""
    head = head_model(kinds).model_json_schema(ref_template="#/$defs/{model}")
    definitions = head.pop("$defs", {})
    for kind in kinds:
        entry = kind.entry.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(entry.pop("$defs", {}))
        definitions[kind.entry.__name__] = entry
        head["properties"][kind.section] = _section(kind, entry)
    written = {"$schema": DIALECT, **head, "title": "reconciler manifest"}
    return written | {"description": "What an Intercom workspace should have, and what a plan may do.", "$defs": definitions}


def _section(kind: Kind, entry: dict[str, Any]) -> dict[str, Any]:
    properties = entry["properties"]
    for name in (*kind.fields, *(link.field for link in kind.links)):
        # What is not written is left alone. Editors would offer the model's default as a value.
        properties[name].pop("default", None)
    required = entry.get("required") or [kind.identities[0].field]
    example = {name: properties[name]["examples"][0] for name in required if "examples" in properties[name]}
    item: dict[str, Any] = {"$ref": f"#/$defs/{kind.entry.__name__}"}
    if kind.short:
        item = {"anyOf": [{"type": ["string", "number", "boolean"]}, item]}
    return {"type": "array", "items": item, "description": entry["description"], "examples": [[example]]}
