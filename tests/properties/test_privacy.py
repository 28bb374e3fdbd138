"""Personal values are in no artifact: not in a document, a saved plan, a report, a note, a refusal, an outcome or an error."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.plan.schema import PlanDocument
from reconciler.errors import ReconcilerError
from reconciler.report import RENDERERS
from reconciler.report.outcomes import show_outcome
from tests.desk.route import Route
from tests.properties.test_faults import FAULTS
from tests.properties.worlds import Doc, World, on_route, worlds

SECRETS = {"ann": "annTrillian", "bob": "bobZaphod", "cy": "cyMarvin"}
NAMES = {"Ann": "Nmcmillan", "Bob": "Nbeeblebrox", "+15550001": "+15559876543", "+15550002": "+15551234567"}
AVATAR = "https://a.example/face-of-trillian.png"
MARKS = ("rillian", "aphod", "arvin", "mcmillan", "beeblebrox", "5559876543", "5551234567", "face-of")


def planted(value: object) -> object:
    """The same world with values that can be told from everything else."""
    if isinstance(value, dict):
        return {key: planted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [planted(item) for item in value]
    if isinstance(value, str) and value.lower().endswith("@mail.example"):
        mail = f"{SECRETS[value.partition('@')[0].lower()]}@mail.example"
        return mail.upper() if value.isupper() else mail
    if value == "https://a.example/1.png":
        return AVATAR
    return NAMES.get(value, value) if isinstance(value, str) else value


def assert_silent(text: str) -> None:
    for mark in MARKS:
        assert mark not in text.lower(), text


@given(worlds(), st.sampled_from(sorted(FAULTS)), st.integers(0, 12))
def test_a_personal_value_is_in_no_artifact(world: World, fault: str, number: int) -> None:
    hidden = World(_doc(planted(world.seed)), _doc(planted(world.manifest)), world.how, world.ledger)
    with on_route(hidden) as (route, path):
        plan, kept = route.document(path), route.saved(path)
        for artifact in (plan, kept):
            assert_silent(json.dumps(artifact, ensure_ascii=False))
        for render in RENDERERS.values():
            assert_silent(render(plan))
            assert_silent(render(kept))
        route.box.faults.add(times=None, after=number, **FAULTS[fault])
        for text in told_of(route, kept):
            assert_silent(text)


def told_of(route: Route, kept: PlanDocument) -> list[str]:
    """What an apply says: its outcomes as people see them, or why it ended."""
    try:
        shown = [show_outcome(outcome, "sandbox1") for outcome in route.apply(kept)]
    except ReconcilerError as error:
        return [str(error)]
    return [f"{s.address} {s.target} {s.reason}" for s in shown]


def _doc(value: object) -> Doc:
    assert isinstance(value, dict)
    return value
