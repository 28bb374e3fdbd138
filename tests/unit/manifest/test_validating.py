"""Entries in bulk are held to all that the model of their kind says, each by itself."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from reconciler.core.model.written import Plain
from reconciler.kinds import KINDS
from reconciler.manifest.validating import validate

GOOD = {"external_id": Plain("25"), "name": "Wash"}
ID = "6762f0dd1bb69f9f00000003"


def of(*entries: Any) -> list[Any]:
    """What validation says of contacts."""
    return list(validate(KINDS["contact"], entries))


def test_values_are_what_is_written_and_nothing_else() -> None:
    assert of(GOOD, {"id": ID}) == [{"external_id": "25", "name": "Wash"}, {"id": ID}]


@pytest.mark.parametrize("wrong", [{"external_id": "25", "id": ID}, {"name": "Wash"}, {"external_id": "25", "nmae": "x"}, "25"])
def test_one_that_is_wrong_leaves_the_others_as_they_are(wrong: Any) -> None:
    before, told, after = of(GOOD, wrong, GOOD)
    assert isinstance(told, ValidationError)
    assert before == after == {"external_id": "25", "name": "Wash"}


def test_what_is_wrong_is_what_the_model_says() -> None:
    (told,) = of({"external_id": "25", "id": ID})
    assert "has an id beside another name" in str(told)
