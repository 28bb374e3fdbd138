"""The manifest reference and the JSON Schema say everything that the models take, with examples that they take."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from reconciler.kinds import KINDS
from reconciler.manifest.schema import manifest_schema
from tests.stories.docs.reference import PAGE, Reference, written

SCHEMA = manifest_schema()
# An example that stands beside no other key needs what makes its entry whole.
NEEDS = {"options": {"data_type": "options"}, "recreate": {"state": "present"}}


def properties(about: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every property in a schema, also of maps inside of lists and choices, with the way to it."""
    if isinstance(about, list):
        for one in about:
            yield from properties(one, path)
    elif isinstance(about, dict):
        for name, inner in about.get("properties", {}).items():
            yield f"{path}.{name}", inner
            yield from properties(inner, f"{path}.{name}")
        for word in ("anyOf", "items"):
            yield from properties(about.get(word, []), path)
        for name, inner in about.get("$defs", {}).items():
            yield from properties(inner, name)


PROPERTIES = dict(properties(SCHEMA))


def test_the_walk_meets_all_of_the_schema() -> None:
    assert {".tags", "TagEntry.renamed_from", "Limits.people", "ContactEntry.tags.state", "Was.email"} <= set(PROPERTIES)


@pytest.mark.parametrize("path", PROPERTIES)
def test_a_property_has_a_description_and_examples_that_it_takes(path: str) -> None:
    about = PROPERTIES[path]
    assert about["description"].endswith("."), "a description is a sentence"
    # It brings no types.
    validator: Any = importlib.import_module("jsonschema").Draft202012Validator({**about, "$defs": SCHEMA["$defs"]})
    assert [error.message for example in about["examples"] for error in validator.iter_errors(example)] == []


@pytest.mark.parametrize(("section", "key"), [(kind.section, key) for kind in KINDS for key in kind.entry.model_fields])
def test_the_example_of_a_key_makes_a_valid_entry(section: str, key: str) -> None:
    (whole,) = SCHEMA["properties"][section]["examples"][0]
    kind = KINDS.by_section[section]
    about = SCHEMA["$defs"][kind.entry.__name__]["properties"][key]
    entry = {} if key == "id" else whole
    assert key in kind.entry.model_validate({**entry, **NEEDS.get(key, {}), key: about["examples"][0]}).model_fields_set


def test_the_reference_is_what_the_models_say_today() -> None:
    assert PAGE.read_text(encoding="utf-8") == Reference().page(), "write it again: python -m tests.stories.docs.reference"


def test_the_reference_has_a_row_for_every_key() -> None:
    rows = {line.split("`")[1] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")}
    assert {path.rpartition(".")[2] for path in PROPERTIES} - rows == {"company"}


def test_a_key_that_is_left_alone_has_no_default_for_editors_to_offer() -> None:
    for kind in KINDS:
        about = SCHEMA["$defs"][kind.entry.__name__]["properties"]
        assert [name for name in kind.fields if "default" in about[name]] == []


def test_what_the_reader_refuses_as_null_is_no_null_in_the_schema() -> None:
    assert SCHEMA["$defs"]["TagEntry"]["properties"]["state"]["enum"] == ["present", "deprecated", "absent"]
    assert "null" in SCHEMA["$defs"]["ContactEntry"]["properties"]["phone"]["type"]


def test_an_overlay_may_write_a_part_of_an_entry_or_omit_it() -> None:
    validator: Any = importlib.import_module("jsonschema").Draft202012Validator
    over = {"attributes": [{"name": "seats", "description": "x"}, {"name": "old", "omit": True}]}
    assert validator(manifest_schema(overlay=True)).is_valid(over)
    assert not validator(SCHEMA).is_valid(over)
    assert validator(SCHEMA).is_valid({"tags": [{"from": "t.csv", "owner": "x"}], "envs": {"test": {"sections": ["tags"]}}})
    assert not validator(SCHEMA).is_valid({"tags": [{"from": "t.csv", "onwer": "x"}]})


def test_an_example_is_written_as_yaml_on_one_line() -> None:
    assert written({"tags": ["vip", {"tag": "trial", "state": "absent"}]}) == "{tags: [vip, {tag: trial, state: absent}]}"
