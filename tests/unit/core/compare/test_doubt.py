"""What the ledger believes of us is doubted only by a list that was seen to its end."""

from __future__ import annotations

import pytest

from reconciler.core.compare.doubt import Doubts, find_doubts
from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.attempt import Attempt, Disproof, Place
from reconciler.core.model.desired import Manifest
from reconciler.core.model.live import Live, Snapshot, Workspace
from reconciler.core.model.policy import Policy
from reconciler.core.model.record import LinkOrigin, Record
from reconciler.core.model.recorded import LiveLink, Recorded
from reconciler.core.model.records import Records
from reconciler.kinds import KINDS
from reconciler.ledger.digests import Digests

APP, ZOE, VIP, TAGS = "ecahpwf5", Address("contact", "25"), Address("tag", "vip"), LinkName("contact", "tags")
DIGESTS = Digests(b"k" * 32)
PLACE = Place(DIGESTS.thing(APP, ZOE), "tags", DIGESTS.thing(APP, VIP))


@pytest.mark.parametrize(
    ("whole", "doubts"), [(True, Doubts((Disproof(PLACE, 7.0),), (LiveLink("contact", "1", "tags", "5"),))), (False, Doubts())]
)
def test_a_link_that_a_list_does_not_show_is_undone_only_where_that_is_whole(whole: bool, doubts: Doubts) -> None:
    things = {"contact": {"1": Live("contact", "1", "25", {})}, "tag": {"5": Live("tag", "5", "vip", {})}}
    cut_lists = frozenset[tuple[LinkName, str]]() if whole else frozenset({(TAGS, "1")})
    here = Workspace(APP, "us")
    live = Snapshot(here, things, links={TAGS: {"1": frozenset()}}, listed=frozenset(things), cut_lists=cut_lists)
    ours = Record("contact", "1", PLACE.thing, str(ZOE), links={"tags": {"5": LinkOrigin.OWNED}})
    sent = Attempt("attach", 7.0, proof=True, answered=False, fields={}, kind="contact")
    recorded = Recorded(APP, DIGESTS, Records.of([ours]), attempts={PLACE: sent})
    assert find_doubts(KINDS, Manifest({}, Policy()), live, recorded) == doubts


@pytest.mark.parametrize("listed", [True, False])
def test_a_create_of_what_nobody_declares_any_more_is_undone_only_where_all_of_its_kind_was_read(listed: bool) -> None:
    place, sent = Place(PLACE.thing), Attempt("create", 7.0, proof=True, answered=False, fields={}, kind="contact")
    live = Snapshot(Workspace(APP, "us"), {}, listed=frozenset({"contact"} if listed else ()))
    doubts = find_doubts(KINDS, Manifest({}, Policy()), live, Recorded(APP, DIGESTS, attempts={place: sent}))
    assert doubts.disproved == ((Disproof(place, 7.0),) if listed else ())
