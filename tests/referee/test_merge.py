"""What a merge moved is where Intercom's official SDK looks for it, through a kill in the middle."""

from __future__ import annotations

from pathlib import Path

import pytest
from intercom import Intercom, SingleFilterSearchRequest, StartingAfterPaging

from reconciler.sandbox.app import Sandbox
from tests.desk.route import WIDE, Route
from tests.desk.soak import times
from tests.stories.plan.test_saved_plans import Killed, kill_after

# Five hundred, or a twentieth of that.
MANY = times(25)


@pytest.mark.timeout(900)
def test_conversations_that_a_merge_moved(box: Sandbox, sdk: Intercom, tmp_path: Path) -> None:
    box.seed({"tags": ["vip"], "conversations": [{"tags": ["gold"], "count": MANY}]})
    route = Route(box, tmp_path)
    path = route.manifest({"policy": WIDE, "tags": [{"name": "vip", "merged_from": ["gold"], "also": ["conversations"]}]})
    with kill_after(route, MANY), pytest.raises(Killed):
        route.converge(path)
    assert {outcome.status for outcome in route.converge(path)} == {"applied"}
    (vip,) = sdk.tags.list().data
    query = SingleFilterSearchRequest(field="tag_ids", operator="=", value=str(vip.id))
    # The pager of this SDK asks for the first page for ever.
    ids = list[str]()
    paging: StartingAfterPaging | None = StartingAfterPaging(per_page=150)
    while paging:
        page = sdk.conversations.search(query=query, pagination=paging)
        ids += [str(conversation.id) for conversation in page.items or ()]
        following = page.response.pages.next if page.response and page.response.pages else None
        paging = StartingAfterPaging(per_page=150, starting_after=following.starting_after) if following else None
    assert (vip.name, len(ids), len(set(ids))) == ("vip", MANY, MANY)
    assert {tag.name for tag in sdk.conversations.find(ids[-1]).tags.tags} == {"vip"}
