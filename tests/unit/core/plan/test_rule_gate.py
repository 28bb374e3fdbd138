"""The gate `rule` and a rule's own limits, at each of their edges."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.change import Action, LinkChange
from reconciler.core.model.desired import Manifest
from reconciler.core.model.live import Snapshot, Workspace
from reconciler.core.model.policy import Policy
from reconciler.core.model.recorded import BLANK
from reconciler.core.model.rule import Expected, Membership, Rule
from reconciler.core.plan.rules import check_rules
from reconciler.errors import Mark

TARGET, LINK = Address("tag", "pro"), LinkName("contact", "tags")
DEFAULT, ALL = Expected(), Expected(everybody=True)


def changes(action: Action, number: int) -> list[LinkChange]:
    people = (Address("contact", f"id:{n}") for n in range(number))
    return [LinkChange(action, person, TARGET, LINK, Mark("m.yaml", 1), person.key, "7", 1, by_rule=True) for person in people]


def gates(rule: Rule, matching: int, having: int = 0, both: int = 0, total: int | None = 100) -> list[str]:
    """The gates of a rule that is new: of those who match, so many have it."""
    match = {f"m{n}" for n in range(matching - both)} | {f"b{n}" for n in range(both)}
    have = {f"h{n}" for n in range(having - both)} | {f"b{n}" for n in range(both)}
    members = Membership(match, have, total=total)
    gaining, losing = (
        changes(action, number) for action, number in ((Action.ATTACH, len(match - have)), (Action.DETACH, len(have - match)))
    )
    if rule.links == "additive":
        losing = []
    live = Snapshot(Workspace("a", "us"), {}, members={TARGET: members})
    manifest = Manifest({}, Policy(), rules={TARGET: rule})
    return [refusal.gate for refusal in check_rules(manifest, live, BLANK, [*gaining, *losing])]


def a_rule(expected: Expected = DEFAULT, **more: Any) -> Rule:
    return Rule(TARGET, LINK, Mark("m.yaml", 1), "digest", where="role = user", expected=expected, **more)


@pytest.mark.parametrize(
    ("expected", "matching", "refused"),
    [
        (Expected(), 0, True),
        (Expected(), 1, False),
        (Expected(least=0), 0, False),
        (Expected(least=5), 4, True),
        (Expected(least=5), 5, False),
        (Expected(), 99, False),
        (Expected(), 100, True),
        (ALL, 100, False),
        (Expected(most=5), 5, False),
        (Expected(most=5), 6, True),
        (Expected(most=100), 100, False),
        (Expected(most=0, least=0), 1, True),
        (Expected(most=0, least=0), 0, False),
    ],
)
def test_how_many_match(expected: Expected, matching: int, refused: bool) -> None:
    assert gates(a_rule(expected), matching) == (["rule"] if refused else [])


@pytest.mark.parametrize(
    ("kept", "having", "both", "refused"),
    [
        (50, 10, 5, False),
        (50, 10, 4, True),
        (50, 11, 5, True),
        (50, 11, 6, False),
        (50, 9, 0, False),
        (0, 1000, 0, False),
        (100, 10, 10, False),
        (100, 10, 9, True),
        (33.3, 1000, 333, False),
        (33.3, 1000, 332, True),
        (0.1, 1000, 1, False),
        (0.1, 1000, 0, True),
    ],
)
def test_how_many_of_those_who_have_it_keep_it(kept: float, having: int, both: int, refused: bool) -> None:
    assert gates(a_rule(Expected(kept=kept)), both + 1, having, both, total=None) == (["rule"] if refused else [])


def test_whoever_keeps_it_under_an_additive_rule_keeps_it() -> None:
    assert gates(a_rule(links="additive"), 1, 10, 0) == []


@pytest.mark.parametrize(
    ("limits", "having", "both", "gaining", "over"),
    [
        ({"attaches": 3}, 0, 0, 3, []),
        ({"attaches": 3}, 0, 0, 4, ["rule.attaches"]),
        ({"attaches": 0}, 0, 0, 1, ["rule.attaches"]),
        ({"detaches": 2}, 12, 10, 0, []),
        ({"detaches": 2}, 12, 9, 0, ["rule.detaches"]),
        ({"detaches": "10%"}, 20, 18, 0, []),
        ({"detaches": "10%"}, 20, 17, 0, ["rule.detaches"]),
        ({"detaches": "10%"}, 19, 17, 0, ["rule.detaches"]),
        ({"detaches": "0%"}, 10, 9, 0, ["rule.detaches"]),
        # Of fewer than ten no percentage is taken: the policy's limit counts.
        ({"detaches": "0%"}, 9, 8, 0, []),
        ({"attaches": "10%"}, 10, 10, 1, []),
        ({"attaches": "10%"}, 10, 10, 2, ["rule.attaches"]),
    ],
)
def test_how_many_links_one_run_makes_and_undoes(
    limits: dict[str, int | str], having: int, both: int, gaining: int, over: list[str]
) -> None:
    assert gates(a_rule(Expected(kept=0, everybody=True), limits=limits), both + gaining, having, both, total=None) == over
