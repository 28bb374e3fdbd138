"""The page docs/manifest-reference.md, made from the models that read manifests. `python -m tests.stories.docs.reference` writes it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import BaseModel

from reconciler.kinds import KINDS
from reconciler.manifest.head import Head
from reconciler.manifest.schema import manifest_schema
from tests import ROOT

PAGE = ROOT / "docs/manifest-reference.md"
INTRO = """<!-- Written by `python -m tests.stories.docs.reference` from the models. Do not edit: a test compares this page with them. -->

# Manifest reference

Every key of a manifest. [The manifest](manifest.md) explains how they work together. `reconciler schema` prints the same as a JSON
Schema, and `reconciler schema --help` says how to attach it to an editor.

A default of *left alone* means: while the key is not written, the live value is never compared and never changed. *Text* takes
whatever is written (`007`, `no`, `+15550107`). A time is ISO 8601 or Unix seconds; without an offset it is UTC.
"""
TABLE = "| key | takes | default | meaning | example |\n| --- | --- | --- | --- | --- |\n"
NAMES = {frozenset({"string", "number", "boolean"}): "text", frozenset({"string", "number"}): "a time", frozenset({"string"}): "text"}
NAMES |= {frozenset({"integer"}): "a whole number", frozenset({"boolean"}): "`true` or `false`", frozenset({"object"}): "a map"}
NAMES |= {frozenset({"string", "array"}): "text, or a list of texts"}


def written(value: Any) -> str:
    """A value as YAML on one line."""
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000, allow_unicode=True).strip().removesuffix("\n...")


def pair(key: str, value: Any) -> str:
    """One key and its value as a line of YAML."""
    return written({key: value})[1:-1]


class Reference:
    """The page, section by section."""

    def __init__(self) -> None:
        self.schema = manifest_schema()
        # The heading under which each model stands.
        self.headings: dict[str, str] = {}

    def page(self) -> str:
        parts = list(self.sections())
        return INTRO + "".join(f"\n## {heading}\n\n{text}\n\n{TABLE}{''.join(rows)}" for heading, text, rows in parts)

    def sections(self) -> Iterator[tuple[str, str, list[str]]]:
        """The heading, the text and the rows of every section."""
        text = "What stands at the top of a file. Several files are merged; the same key twice is an error that names both places."
        yield "The file", text, self.rows(self.schema, Head, "")
        for name in Head.model_fields:
            yield from self.models(name, self.schema["properties"][name])
        for kind in KINDS:
            yield from self.models(kind.section, self.schema["properties"][kind.section])
        yield from self.models("a list in a file", {"$ref": "#/$defs/ListEntry"})

    def models(self, heading: str, about: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
        """The section of the model that a key takes, and those of the models in it."""
        name = _model(about)
        if not name:
            return
        model = self.schema["$defs"][name]
        yield heading, model["description"], self.rows(model, _class(name), heading)
        for key, inner in model["properties"].items():
            yield from self.models(f"{heading}: {key}", inner)

    def rows(self, model: Mapping[str, Any], source: type[BaseModel], heading: str) -> list[str]:
        required = model.get("required", ())
        return [self.row(key, about, key in required, source, heading) for key, about in model["properties"].items()]

    def row(self, key: str, about: Mapping[str, Any], required: bool, source: type[BaseModel], heading: str) -> str:
        field = source.model_fields.get(key)
        # The schema sorts the keys inside of an example.
        example = field.examples[0] if field and field.examples else about["examples"][0]
        inner = f"{heading}: {key}" if heading else key
        cells = (f"`{key}`", self.takes(about, inner), _default(about, required), about["description"], f"`{pair(key, example)}`")
        return f"| {' | '.join(cells)} |\n"

    def takes(self, about: Mapping[str, Any], heading: str) -> str:
        """What a key takes, in words."""
        if _model(about):
            many = "a list of [entries]" if about.get("type") == "array" else "[a map]"
            return f"{many}(#{heading.replace(': ', '-')})"
        if "enum" in about or "const" in about:
            *others, last = (f"`{word}`" for word in about.get("enum", [about.get("const")]))
            return f"{', '.join(others)} or {last}" if others else last
        if "anyOf" in about:
            return ", or ".join(self.takes(one, heading) for one in about["anyOf"])
        if about.get("type") == "array" and "enum" not in about:
            return f"a list of: {self.takes(about['items'], heading)}"
        if about.get("type") == "object" and "properties" in about:
            return f"`{written({name: inner['examples'][0] for name, inner in about['properties'].items()})}`"
        return _scalar(about)


def _scalar(about: Mapping[str, Any]) -> str:
    types = about["type"] if isinstance(about["type"], list) else [about["type"]]
    name, pattern = NAMES[frozenset(types) - {"null"}], about.get("pattern", "")
    if "%" in pattern:
        name = "a percentage"
    elif pattern.endswith("d$"):
        name = "a number of days"
    elif name == "a time" and pattern:
        name = "an id"
    return f"{name}, or `null`" if "null" in types else name


def _model(about: Mapping[str, Any]) -> str:
    """The model that a key takes, itself or as the entries of a list."""
    if about.get("type") == "array":
        return _model(about["items"])
    if isinstance(inner := about.get("additionalProperties"), dict):
        return _model(inner)
    refs = [one["$ref"] for one in (about, *about.get("anyOf", ())) if "$ref" in one]
    return refs[0].rpartition("/")[2] if refs else ""


def _class(name: str) -> type[BaseModel]:
    def below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
        yield model
        for child in model.__subclasses__():
            yield from below(child)

    return next(model for model in below(BaseModel) if model.__name__ == name and model.__module__.startswith("reconciler."))


def _default(about: Mapping[str, Any], required: bool) -> str:
    if required:
        return "required"
    if "default" not in about:
        return "left alone"
    default = about["default"]
    if isinstance(default, dict) and default:
        return "see there"
    return "none" if default in (None, "", [], {}) else f"`{json.dumps(default, ensure_ascii=False)}`"


if __name__ == "__main__":
    PAGE.write_text(Reference().page(), encoding="utf-8")
