"""What does not count in the text of a manifest. That order does not either: tests/properties/test_order.py."""

from __future__ import annotations

from tests.conftest import MakeRoute
from tests.stories.plan.test_scope import SCOPED, SCOPED_LIVE


def test_line_ends_comments_and_a_byte_order_mark_do_not_count(make_route: MakeRoute) -> None:
    route = make_route(SCOPED_LIVE)
    before = route.saved(route.manifest(SCOPED))
    route.manifest("\ufeff# hello\r\n" + SCOPED.replace("\n", "\r\n"))
    assert {outcome.status for outcome in route.apply(before)} == {"applied"}
