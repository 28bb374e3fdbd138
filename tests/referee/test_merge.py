"""What a merge moved is where Intercom's official SDK looks for it, through a kill in the middle."""

from __future__ import annotations

from pathlib import Path

import pytest
from intercom import Intercom, SingleFilterSearchRequest

from reconciler.sandbox.app import Sandbox
from tests.desk.route import WIDE, Route
from tests.desk.soak import times
from tests.stories.plan.test_saved_plans import Killed, killed_after

# Five hundred, or a twentieth of that.
MANY = times(25)


@pytest.mark.timeout(900)
def test_conversations_that_a_merge_moved(box: Sandbox, sdk: Intercom, tmp_path: Path) -> None:
    box.seed({"tags": ["vip"], "conversations": [{"tags": ["gold"], "count": MANY}]})
    route = Route(box, tmp_path)
    path = route.manifest({"policy": WIDE, "tags": [{"name": "vip", "merged_from": ["gold"], "also": ["conversations"]}]})
    with killed_after(route, MANY), pytest.raises(Killed):
        route.converge(path)
    assert {outcome.status for outcome in route.converge(path)} == {"applied"}
    (vip,) = sdk.tags.list().data
    query = SingleFilterSearchRequest(field="tag_ids", operator="=", value=str(vip.id))
    found = list(sdk.conversations.search(query=query, pagination={"per_page": 150}))
    assert (vip.name, len({conversation.id for conversation in found})) == ("vip", MANY)
    assert {tag.name for tag in sdk.conversations.find(str(found[-1].id)).tags.tags} == {"vip"}
