"""DeepDiff as a second opinion on which fields of a thing changed."""

from __future__ import annotations

from typing import Any

from deepdiff import DeepDiff
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.compare.diff import diff
from reconciler.core.model.address import Address
from reconciler.core.model.desired import Fields, Manifest, Resource
from reconciler.core.model.live import Live, Snapshot, Workspace
from reconciler.core.model.policy import Policy
from reconciler.errors import Mark
from reconciler.kinds import KINDS
from tests.desk.soak import times

TEXTS = st.sampled_from(("", "a", "A", "0", "true", " x", "é", "e\u0301"))
NUMBERS = st.sampled_from((0, 1, 1.0, 2**53, 2**53 + 1, -1, 1.5))
SCALARS = TEXTS | NUMBERS | st.booleans() | st.none()
CUSTOM = st.dictionaries(st.sampled_from(("a", "b", "c.d")), SCALARS, max_size=3)
FLAGS = {"unsubscribed_from_emails": st.booleans()}
FIELDS = {"name": TEXTS | st.none(), "phone": TEXTS | st.none(), "signed_up_at": NUMBERS | st.none(), **FLAGS}
BLANK = {"name": None, "phone": None, "signed_up_at": None, "unsubscribed_from_emails": False}
SIDES = st.fixed_dictionaries({}, optional={**FIELDS, "custom_attributes": CUSTOM})


def diff_by_deepdiff(before: Fields, after: Fields) -> set[str]:
    """The paths that DeepDiff finds changed; a key that is not there is null, as in Intercom."""
    difference = DeepDiff(before, after, view="tree", threshold_to_diff_deeper=0)
    return {".".join(str(part) for part in level.path(output_format="list")) for kind in difference.values() for level in kind}


def tell_apart(value: Any) -> Any:
    """1.0 is 1 and no change of type. DeepDiff's own word for that takes true for 1, and 2**53 for its neighbour."""
    if isinstance(value, bool):
        return f"flag {value}"
    return int(value) if isinstance(value, float) and value.is_integer() else value


def as_map(fields: Fields, like: Fields) -> dict[str, Any]:
    custom = {key: tell_apart(fields.get("custom_attributes", {}).get(key)) for key in like.get("custom_attributes", {})}
    plain = {name: tell_apart(fields.get(name, BLANK[name])) for name in like if name != "custom_attributes"}
    return {**plain, **({"custom_attributes": custom} if custom else {})}


def changed(live: Fields, claimed: Fields) -> set[str]:
    address = Address("contact", "25")
    fields = {"external_id": "25", **claimed}
    manifest = Manifest({address: Resource(address, "external_id", "25", fields, Mark("a.yaml", 1))}, Policy())
    thing = Live("contact", "id1", "25", {"external_id": "25", **BLANK, "custom_attributes": {}, **live})
    snapshot = Snapshot(Workspace("app", "us"), {"contact": {"id1": thing}}, {address: "id1"})
    return {field.path for change in diff(KINDS, manifest, snapshot).changes for field in change.fields}


@settings(max_examples=times(300))
@given(SIDES, SIDES)
def test_both_see_the_same_fields(live: Fields, claimed: Fields) -> None:
    assert changed(live, claimed) == diff_by_deepdiff(as_map(live, claimed), as_map(claimed, claimed))


@settings(max_examples=times(200))
@given(SIDES)
def test_a_thing_does_not_differ_from_itself(fields: Fields) -> None:
    assert changed(fields, fields) == set()
