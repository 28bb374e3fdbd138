"""What a run leaves alone it leaves on record, whatever the reason: once that is gone, what is ours goes as if the run had not been."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import MakeRoute
from tests.desk.route import Route, changes

TAGS = "tags: [vip, promo]\n"
OURS = f"policy: {{links: owned, prune: {{tags: owned}}}}\n{TAGS}"
BOTH = "contacts: [{external_id: '25', tags: [vip, promo]}]\n"
ONE = "contacts: [{external_id: '25', tags: [vip]}]\n"
NAMED = "contacts: [{external_id: '25', name: Kay, tags: [vip]}]\n"


def left_by_another_file(told: Route, written: str) -> None:
    other = told.manifest(OURS + written, "b.yaml")
    told.converge(other)
    other.unlink()


def left_as_free(told: Route, written: str) -> None:
    told.converge(told.manifest(f"policy: {{links: owned}}\ntags: [vip, {{name: promo, members: free}}]\n{written}"))


def left_by_the_policy(told: Route, written: str) -> None:
    told.converge(told.manifest(f"policy: {{links: additive}}\n{TAGS}{written}"))


def left_for_another_name(told: Route, written: str) -> None:
    other = told.manifest(f"name: other\n{TAGS}{BOTH}", "other.yaml")
    told.converge(other)
    told.converge(told.manifest(OURS + written))
    told.converge(told.manifest(f"name: other\npolicy: {{links: owned}}\n{TAGS}{ONE}", "other.yaml"))
    assert told.ledger
    app_id = told.app_id()
    gone = list(told.ledger.read_recorded(app_id, "other").records.values())
    told.ledger.forget(app_id, "other", gone)


def left_with_its_list(told: Route, written: str) -> None:
    told.converge(told.manifest(OURS + written.replace(", tags: [vip]", ", missing: skip")))


def left_with_its_entry(told: Route, written: str) -> None:
    told.converge(told.manifest(OURS))


def left_undecided(told: Route, written: str) -> None:
    """A plan of a part, which is not of this person."""
    told.converge(told.manifest(OURS + written.replace("'25'", "'26'")))


LEAVE = (
    left_by_another_file,
    left_as_free,
    left_by_the_policy,
    left_for_another_name,
    left_with_its_list,
    left_with_its_entry,
    left_undecided,
)


@pytest.mark.parametrize("written", [ONE, NAMED], ids=["untouched", "touched"])
@pytest.mark.parametrize("leave", LEAVE)
def test_a_link_that_a_run_leaves_alone_stays_ours(route: MakeRoute, leave: Callable[[Route, str], None], written: str) -> None:
    told = route({"contacts": [{"external_id": "25"}]}, ledger=True)
    told.converge(told.manifest(OURS + BOTH))
    leave(told, written)
    assert changes(told.document(told.manifest(OURS + written.replace(", name: Kay", "")))) == ["detach contact/25 tag/promo"]


def kept_by_another_file(told: Route) -> None:
    other = told.manifest("tags: [vip, promo]\n", "b.yaml")
    told.converge(other)
    told.converge(told.manifest(OURS.replace(", promo", "")))
    other.unlink()


def kept_by_the_policy(told: Route) -> None:
    told.converge(told.manifest("tags: [vip]\n"))


def kept_with_its_section(told: Route) -> None:
    told.converge(told.manifest("policy: {prune: {tags: owned}}\ncompanies: [{company_id: '6'}]\n"))


def kept_under_another_name(told: Route) -> None:
    """Somebody renames it by hand, and gives it its name back later."""
    (promo,) = [tag for tag in told.box.ws.store.table("tag").in_order() if tag["name"] == "promo"]
    told.box.ws.store.put("tag", promo | {"name": "renamed"})
    told.converge(told.manifest(OURS.replace(", promo", "")))
    told.box.ws.store.put("tag", promo)


KEEP = (kept_by_another_file, kept_by_the_policy, kept_with_its_section, kept_under_another_name)


@pytest.mark.parametrize("keep", KEEP)
def test_a_thing_that_a_run_leaves_alone_stays_ours(route: MakeRoute, keep: Callable[[Route], None]) -> None:
    told = route(ledger=True)
    told.converge(told.manifest(OURS))
    keep(told)
    assert changes(told.document(told.manifest(OURS.replace(", promo", "")))) == ["delete tag/promo"]
