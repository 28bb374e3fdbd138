"""What a run leaves alone it leaves on record, whatever the reason: once that is gone, what is ours goes as if the run had not been."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import MakeRoute
from tests.desk.route import Route, changes
from tests.desk.soak import only_in_soak

TAGS = "tags: [vip, promo]\n"
OURS = f"policy: {{links: owned, prune: {{tags: owned}}}}\n{TAGS}"
BOTH = "contacts: [{external_id: '25', tags: [vip, promo]}]\n"
ONE = "contacts: [{external_id: '25', tags: [vip]}]\n"
NAMED = "contacts: [{external_id: '25', name: Kay, tags: [vip]}]\n"


def leave_in_another_file(route: Route, written: str) -> None:
    other = route.manifest(OURS + written, "b.yaml")
    route.converge(other)
    other.unlink()


def leave_as_free(route: Route, written: str) -> None:
    route.converge(route.manifest(f"policy: {{links: owned}}\ntags: [vip, {{name: promo, members: free}}]\n{written}"))


def leave_by_the_policy(route: Route, written: str) -> None:
    route.converge(route.manifest(f"policy: {{links: additive}}\n{TAGS}{written}"))


def leave_for_another_name(route: Route, written: str) -> None:
    other = route.manifest(f"name: other\n{TAGS}{BOTH}", "other.yaml")
    route.converge(other)
    route.converge(route.manifest(OURS + written))
    route.converge(route.manifest(f"name: other\npolicy: {{links: owned}}\n{TAGS}{ONE}", "other.yaml"))
    assert route.ledger
    app_id = route.app_id()
    gone = list(route.ledger.read_recorded(app_id, "other").records.values())
    route.ledger.forget(app_id, "other", gone)


def leave_with_its_list(route: Route, written: str) -> None:
    route.converge(route.manifest(OURS + written.replace(", tags: [vip]", ", missing: skip")))


def leave_with_its_entry(route: Route, written: str) -> None:
    route.converge(route.manifest(OURS))


def leave_undecided(route: Route, written: str) -> None:
    """A plan of a part, which is not of this person."""
    route.converge(route.manifest(OURS + written.replace("'25'", "'26'")))


def leave_in_the_archive(route: Route, written: str) -> None:
    """What an archived contact has cannot be read, so the run that brings them back looks at no list of theirs."""
    route.converge(route.manifest(f"{OURS}contacts: [{{external_id: '25', state: archived}}]\n"))
    route.converge(route.manifest(OURS + written.replace("{external", "{state: present, external")))


LEAVE = (
    leave_in_another_file,
    leave_as_free,
    leave_by_the_policy,
    leave_for_another_name,
    leave_with_its_list,
    leave_with_its_entry,
    leave_undecided,
    leave_in_the_archive,
)


# What else is written meanwhile makes no difference; of a list that is left out it might.
TOUCHED = (leave_in_another_file, leave_with_its_list)


@pytest.mark.parametrize(
    ("leave", "written"),
    [
        pytest.param(leave, written, id=f"{leave.__name__}-{name}", marks=only_in_soak if written == NAMED and leave not in TOUCHED else ())
        for leave in LEAVE
        for name, written in (("untouched", ONE), ("touched", NAMED))
    ],
)
def test_a_link_that_a_run_leaves_alone_stays_ours(make_route: MakeRoute, leave: Callable[[Route, str], None], written: str) -> None:
    route = make_route({"contacts": [{"external_id": "25"}]}, ledger=True)
    route.converge(route.manifest(OURS + BOTH))
    leave(route, written)
    assert changes(route.document(route.manifest(OURS + written.replace(", name: Kay", "")))) == ["detach contact/25 tag/promo"]


def keep_in_another_file(route: Route) -> None:
    other = route.manifest("tags: [vip, promo]\n", "b.yaml")
    route.converge(other)
    route.converge(route.manifest(OURS.replace(", promo", "")))
    other.unlink()


def keep_by_the_policy(route: Route) -> None:
    route.converge(route.manifest("tags: [vip]\n"))


def keep_with_its_section(route: Route) -> None:
    route.converge(route.manifest("policy: {prune: {tags: owned}}\ncompanies: [{company_id: '6'}]\n"))


def keep_under_another_name(route: Route) -> None:
    """Somebody renames it by hand, and gives it its name back later."""
    (promo,) = [tag for tag in route.box.ws.store.table("tag").in_order() if tag["name"] == "promo"]
    route.box.ws.store.put("tag", promo | {"name": "renamed"})
    route.converge(route.manifest(OURS.replace(", promo", "")))
    route.box.ws.store.put("tag", promo)


KEEP = (keep_in_another_file, keep_by_the_policy, keep_with_its_section, keep_under_another_name)


@pytest.mark.parametrize("keep", KEEP)
def test_a_thing_that_a_run_leaves_alone_stays_ours(make_route: MakeRoute, keep: Callable[[Route], None]) -> None:
    route = make_route(ledger=True)
    route.converge(route.manifest(OURS))
    keep(route)
    assert changes(route.document(route.manifest(OURS.replace(", promo", "")))) == ["delete tag/promo"]
