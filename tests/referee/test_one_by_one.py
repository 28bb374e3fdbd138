"""What the same job takes with Intercom's official SDK, one thing after the other: the number that ours is held against."""

from __future__ import annotations

from reconciler.sandbox.app import Sandbox
from tests.bench.calls import count_one_by_one, workspace
from tests.desk.soak import times


def test_every_contact_costs_two_reads_and_every_link_a_write() -> None:
    number, companies = times(100), times(10)
    with Sandbox() as box:
        box.seed(workspace(number, companies))
        assert count_one_by_one(box, number, companies) == (1 + companies + 2 * number, 2 * number)
        assert all(len(contact["tags"]) == 2 for contact in box.ws.store.table("contact").docs.values())
