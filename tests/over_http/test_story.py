"""The story of the whole: a manifest becomes a plan, the plan is applied, a second run changes nothing. Over real HTTP."""

from __future__ import annotations

from tests.over_http import story
from tests.over_http.driving import Desk


def test_the_workspace_becomes_what_is_declared_and_stays_so(desk: Desk) -> None:
    desk.workspace.start_anew(story.seed())
    manifest = desk.write(story.written())
    before = story.live(desk.workspace)

    desk.workspace.forget()
    desk.ends(2, "plan", manifest, "-o", "plan.json", "--detailed-exitcode")
    assert desk.workspace.writes == []
    assert not (desk.folder / ".reconciler").exists()
    assert story.live(desk.workspace) == before != story.declared()

    desk.ends(0, "apply", manifest, "--auto-approve")
    assert story.live(desk.workspace) == story.declared()

    # Search is still blind for the two that were created, as it is told, a moment ago.
    desk.workspace.forget()
    desk.ends(0, "plan", manifest, "--detailed-exitcode")
    for again in ((manifest, "--auto-approve"), ("plan.json",)):
        desk.ends(0, "apply", *again)
    assert desk.workspace.writes == []

    # Whoever has no memory finds nothing to do either, once search sees everybody.
    desk.workspace.set(clock_offset=700.0)
    (desk.folder / ".reconciler").rename(desk.folder / "forgotten")
    desk.ends(0, "plan", manifest, "--detailed-exitcode")
