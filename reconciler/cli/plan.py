"""The verbs that look: plan, show; and the options that they share with apply."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import click

from reconciler.cli import options
from reconciler.cli.help import Verb
from reconciler.cli.ledger_choice import LedgerChoice
from reconciler.cli.options import ApprovalOptions, Intercom, ManifestOptions, OutputOptions
from reconciler.cli.output import fails_on_waiting, leave, left_open, make, refusals, render, say_next, way_of
from reconciler.cli.planned import rehearse_saved
from reconciler.cli.running import annotate, in_ci, say_error
from reconciler.core.compare.origin import Origin, find_origins
from reconciler.core.model.desired import Manifest
from reconciler.core.model.live import WAITING
from reconciler.core.plan.approvals import Approvals, note_policy_change
from reconciler.core.plan.plan import Plan
from reconciler.core.plan.rehearsal import Rehearsal
from reconciler.core.plan.saved import to_look_at
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.plan.scope import RULES, Scope
from reconciler.core.plan.within import list_unreviewed, note_unreviewed
from reconciler.core.plan.work import Proposal
from reconciler.errors import Refused, Stale, Usage
from reconciler.manifest.read import base_manifest
from reconciler.report.signs import count
from reconciler.workflow.planfile import applicable, make_saved, read_plan


@dataclass(frozen=True)
class Endings:
    """By what changes are planned, and the exit code goes."""

    # The revision that changes are explained by.
    base: str | None
    # What ends with 3 beside a refusal.
    fail_on: tuple[str, ...]
    # Which changes are planned at all, `explained` or `rules`; None for all.
    chosen: str | None
    # The plan that people reviewed, where only what stands in it goes without another look; None where nothing was reviewed.
    within: Path | None
    # Whether changes end with 2, and refusals with 3.
    detailed_exitcode: bool
    # Whether the plan is carried out on a private copy.
    rehearse: bool

    def check(self, form: str) -> None:
        """Raises Usage for options that do not go together."""
        if self.rehearse and form not in ("json", "text"):
            raise Usage(f"--rehearse is shown as text or as JSON, not as {form}; write that with --report {form}=FILE")
        if self.base == "" or (self.base is None and (self.chosen == Origin.EXPLAINED or Origin.UNEXPLAINED in self.fail_on)):
            raise Usage("--base, --only explained and --fail-on unexplained need a revision: --base REF")

    def read_reviewed(self) -> PlanDocument | None:
        """The plan that people reviewed. Raises Invalid where it is none that can be applied, Usage where it is one of undo."""
        if self.within is None:
            return None
        plan = applicable(read_plan(self.within), self.within)
        if "run" in plan:
            raise Usage(f"--within {self.within}: it takes a run back, so no plan of a manifest is within it; `undo` makes it anew")
        return plan

    def limit(self, scope: Scope, before: Manifest | None) -> Scope:
        """The scope with what `--only` leaves of it, `before` being the manifest of the base."""
        return replace(scope, since=before if self.chosen == Origin.EXPLAINED else None, rules=self.chosen == RULES)

    def code(self, plan: Plan) -> int:
        """The exit code of a plan that was made."""
        if self.detailed_exitcode and plan.refusals:
            return Refused.exit_code
        if new := list_unreviewed(plan):
            say_error(f"--within {self.within}: {count(len(new), 'change')} of this plan {'is' if len(new) == 1 else 'are'} not in it")
            return Stale.exit_code
        return 2 if self.detailed_exitcode and (plan.steps or plan.unproven) else 0


@click.command(cls=Verb)
@options.PATHS
@options.ENV
@options.OUT
@click.option("--embed-values", is_flag=True, help="Put the manifest into FILE, with all personal values; not in CI.")
@options.FORMAT
@options.FULL
@options.REPORTS
@options.SHOW_PERSONAL
@click.option("--calls", is_flag=True, help="Also list the HTTP calls.")
@click.option("--explain", is_flag=True, help="Also say how the workspace was read, and what other ways would have cost.")
@options.scope_options
@options.approval_options
@options.part(
    "--only",
    "chosen",
    type=click.Choice([Origin.EXPLAINED.value, RULES]),
    help="Only what --base explains, and what it needs; or only who came and went under rules that were applied.",
)
@click.option("--base", metavar="REF", help="Say which changes come from what the manifest changed since this revision of git.")
@click.option(
    "--fail-on",
    multiple=True,
    type=click.Choice([Origin.UNEXPLAINED.value, WAITING]),
    help="Exit code 3 if a change is unexplained (with --base), or if something only waits for Intercom.",
)
@options.rule("--within", type=options.FILE, metavar="PLAN.json", help="Exit code 4 if a change does not stand in that reviewed plan.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit code 2 if there are changes or something is unproven, 3 if refused.")
@click.option(
    "--rehearse", is_flag=True, help="Also carry it out on a private copy, as `rehearse` does; exit code 3 if anything is refused."
)
@options.ledger_options
@options.intercom_options
@options.gather(source=ManifestOptions, output=OutputOptions, scope=Scope, approvals=ApprovalOptions, ends=Endings)
def plan(
    source: ManifestOptions,
    output: OutputOptions,
    scope: Scope,
    approvals: ApprovalOptions,
    ends: Endings,
    choice: LedgerChoice,
    intercom: Intercom,
) -> int:
    """Show what apply would do. Reads only.

    \b
    Example:
      reconciler plan intercom/ -o plan.json --detailed-exitcode
    """
    _check_personal(output)
    ends.check(output.form)
    base, fail_on = ends.base, ends.fail_on
    held_to, review = approvals.read(), ends.read_reviewed()
    manifest = source.read()
    before = base_manifest(manifest, base, layers=source.layers) if base else None
    proposal = make(manifest, intercom, choice, ends.limit(scope, before), held_to)
    if before:
        proposal = replace(proposal, plan=note_policy_change(proposal.plan, before, proposal.manifest, held_to))
    if review:
        proposal = replace(proposal, plan=note_unreviewed(proposal.plan, review))
    origins = find_origins(before, manifest, proposal.plan.changes) if before else ()
    run_rehearsal = partial(_rehearse, proposal, manifest, held_to, intercom, choice) if ends.rehearse else None
    rehearsal = leave(proposal, output, origins, run_rehearsal)
    choice.say_which()
    say_next(proposal, output)
    marks = [c.mark for c, origin in zip(proposal.plan.changes, origins, strict=False) if origin in fail_on]
    failing = [(f"{Origin.UNEXPLAINED}: nothing that was written says this", mark, "error") for mark in marks]
    annotate([*refusals(proposal), *failing, *left_open(proposal.plan, WAITING in fail_on)])
    if failing:
        number = f"{len(failing):,} {'change follows' if len(failing) == 1 else 'changes follow'}"
        say_error(f"--fail-on unexplained: {number} from nothing that was written; `reconciler drift` says what moved")
    if fails_on_waiting(WAITING in fail_on, proposal.plan.waiting) or failing:
        return 3
    return (rehearsal.exit_code if rehearsal else 0) or ends.code(proposal.plan)


def _rehearse(proposal: Proposal, manifest: Manifest, approvals: Approvals, intercom: Intercom, choice: LedgerChoice) -> Rehearsal:
    """What would become of a plan that was just made, by its apply."""
    return rehearse_saved(make_saved(proposal), manifest, approvals, intercom, choice)


def _check_personal(output: OutputOptions) -> None:
    """Raises Usage where personal values would go where they must not."""
    if output.embed_values and (not output.out or in_ci()):
        raise Usage("--embed-values writes personal values into the file of -o, and never in CI; leave it out")
    options.check_personal(output.show_personal)


@click.command(cls=Verb)
@click.argument("file", type=click.Path(path_type=Path), metavar="PLAN.json")
@options.FORMAT
@options.FULL
def show(file: Path, form: str, full: bool) -> None:
    """Show a saved plan again, in any format; no network.

    \b
    Example:
      reconciler show plan.json
    """
    render(to_look_at(read_plan(file)), form, way_of([form], full))
