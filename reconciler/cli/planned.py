"""What several verbs do with a saved plan: read its manifest as it was read then, and rehearse it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reconciler.cli.connection import open_session
from reconciler.cli.ledger_choice import LedgerChoice
from reconciler.cli.options import Intercom
from reconciler.core.model.desired import Manifest
from reconciler.core.plan.approvals import Approvals
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.plan.work import StalePlan
from reconciler.errors import Usage
from reconciler.manifest.layers import Layers
from reconciler.report.progress import progress
from reconciler.report.terminal import Terminal
from reconciler.workflow.planfile import planned_env, planned_manifest, planned_pin
from reconciler.workflow.session import watch

if TYPE_CHECKING:
    from reconciler.core.plan.rehearsal import Rehearsal


def paths_of(saved_plan: PlanDocument) -> tuple[str, ...]:
    """The paths of the manifest that a saved plan is of; none for a plan that takes a run back."""
    return tuple(saved_plan["manifest"]["paths"]) if "manifest" in saved_plan else ()


def read_manifest_of(saved_plan: PlanDocument, layers: Layers, choice: LedgerChoice) -> Manifest | None:
    """The manifest of a saved plan as it is now; None for a plan that takes a run back. Raises Usage, Invalid."""
    if "run" in saved_plan:
        return None
    manifest = planned_manifest(saved_plan, layers=_planned_layers(saved_plan, layers))
    choice.check_name(manifest)
    return manifest


def _planned_layers(saved_plan: PlanDocument, layers: Layers) -> Layers:
    """The layers that a saved plan was made with, whose variables are those of now. Raises Usage where another environment is asked for."""
    env = planned_env(saved_plan)
    if layers.env not in ("", env):
        so = f"with --env {env}" if env else "without --env"
        raise Usage(f"--env {layers.env}: the plan was made {so}; leave it out, or plan again")
    if env:
        Terminal(sys.stderr).say(f"note: the plan was made with --env {env}, and its manifest is read so again")
    return replace(layers, overlays=(env,) if env else ())


@contextmanager
def showing_stale(tell: Callable[[list[dict[str, Any]]], object] | None = None) -> Iterator[None]:
    """Where a plan is stale, what was reviewed and what it would be now, as `diff` shows them, before the error that says so."""
    try:
        yield
    except StalePlan as stale:
        if stale.unlike:
            from reconciler.report import side_by_side

            out = Terminal(sys.stdout)
            out.lines(side_by_side.lines(stale.unlike, color=out.color))
            out.flush()
            if tell:
                tell(side_by_side.as_rows(stale.unlike))
        raise


def rehearse_saved(
    saved_plan: PlanDocument, manifest: Manifest | None, approvals: Approvals, intercom: Intercom, choice: LedgerChoice
) -> Rehearsal:
    """What would become of a saved plan. Raises Refused (3), Stale (4) as its apply would."""
    from reconciler.workflow.rehearse import Script, rehearse

    with (
        progress(sys.stderr, label="rehearsing") as bar,
        open_session(intercom, planned_pin(saved_plan), writes=False, choice=choice, paths=paths_of(saved_plan)) as session,
    ):
        return rehearse(watch(session, bar.reading), Script(saved_plan, manifest, approvals), choice.blank)
