"""The JSON Schema of manifests, made from the same models that read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reconciler.core.kind import Kind
from reconciler.manifest.load import Head


def schema(kinds: Sequence[Kind]) -> dict[str, Any]:
    """A schema for one manifest file: the head's keys, and a list for each kind's section."""
    found = Head.model_json_schema(ref_template="#/$defs/{model}")
    definitions = found.pop("$defs", {})
    for kind in kinds:
        entry = kind.entry.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(entry.pop("$defs", {}))
        definitions[kind.entry.__name__] = entry
        item: dict[str, Any] = {"$ref": f"#/$defs/{kind.entry.__name__}"}
        if kind.short:
            item = {"anyOf": [{"type": ["string", "number", "boolean"]}, item]}
        found["properties"][kind.section] = {"type": "array", "items": item}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found, "title": "reconciler manifest", "$defs": definitions}
