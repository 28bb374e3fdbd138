"""What does not count in the text of a manifest. That order does not either: tests/properties/test_order.py."""

from __future__ import annotations

from tests.conftest import MakeRoute
from tests.stories.plan.test_scope import SCOPED, SCOPED_LIVE


def test_line_ends_comments_and_a_byte_order_mark_do_not_count(route: MakeRoute) -> None:
    told = route(SCOPED_LIVE)
    before = told.saved(told.manifest(SCOPED))
    told.manifest("\ufeff# hello\r\n" + SCOPED.replace("\n", "\r\n"))
    assert {outcome.status for outcome in told.apply(before)} == {"applied"}
