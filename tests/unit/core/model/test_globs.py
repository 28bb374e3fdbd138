"""Globs: what they match is what their stars say, and no glob takes longer than a name is long."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.model import globs
from tests.desk.soak import times

WILD = {"**": ".*", "*": "[^/]*", "?": "[^/]", "\\*": "\\*"}
PIECES = st.sampled_from(("a", "b", "ab", "/", *WILD))


@settings(max_examples=times(200))
@given(st.lists(PIECES, max_size=8), st.text("ab/*", max_size=9))
def test_a_glob_matches_what_its_signs_stand_for(pieces: list[str], name: str) -> None:
    glob = "".join(pieces)
    plain = "".join(WILD.get(part, part) for part in re.findall(r"\\\*|\*\*|.", glob))
    assert globs.matches([glob], [name]) is (name == glob or re.fullmatch(plain, name) is not None)


@pytest.mark.parametrize("glob", ["*a" * 25 + "c", "**a" * 25 + "c", "**/" * 12 + "c", "*?" * 25 + "/"])
def test_a_glob_of_many_stars_ends(glob: str) -> None:
    assert not globs.matches([glob], ["a" * 400, "a/" * 200])
