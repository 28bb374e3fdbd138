"""Whether two repositories are one, by what git says of each."""

from __future__ import annotations

import pytest

from reconciler.core.model.repository import Repository

OPS, CRM = "git.example/acme/ops", "git.example/acme/crm"
PAIRS = {
    "one address, another history": (Repository(OPS, "1"), Repository(OPS, "2"), True),
    "one first commit, moved": (Repository(OPS, "1"), Repository(CRM, "1"), True),
    "one first commit, one without a remote": (Repository(OPS, "1"), Repository("", "1"), True),
    "nothing is known of either": (Repository(), Repository(), True),
    "neither has a remote": (Repository("", "1"), Repository("", "2"), False),
    "both are shallow": (Repository(OPS), Repository(CRM), False),
    "nothing is known of one": (Repository(OPS, "1"), Repository(), False),
    "nothing in common is known": (Repository(OPS), Repository("", "1"), False),
}


@pytest.mark.parametrize(("one", "other", "same"), PAIRS.values(), ids=list(PAIRS))
def test_two_are_the_same_by_what_is_known_of_both_and_never_by_what_is_known_of_neither(
    one: Repository, other: Repository, same: bool
) -> None:
    assert (one.same(other), other.same(one)) == (same, same)
