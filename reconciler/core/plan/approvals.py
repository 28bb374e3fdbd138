"""The rules a plan is held to: the policy of the base branch, approvals, a cap on calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from reconciler.core.compare.comparison import Comparison
from reconciler.core.model.desired import Manifest
from reconciler.core.model.note import Note
from reconciler.core.model.policy import ApprovalEntry, Policy, list_moved, looser, tighten
from reconciler.core.model.refusal import Refusal
from reconciler.core.model.times import format_time
from reconciler.core.plan.again import note_freshness
from reconciler.core.plan.cost import reads_of
from reconciler.core.plan.gates import Approval, list_held_entries, list_standing, list_stopping
from reconciler.core.plan.plan import Context, Plan, without_entries
from reconciler.core.plan.saved import read_refusals
from reconciler.core.plan.schema import PlanDocument
from reconciler.errors import Refused, Usage


@dataclass(frozen=True, slots=True)
class Approvals:
    """What somebody approved, and the policy that nobody may loosen."""

    # The policy of the base branch, which the manifest may tighten and not loosen; None where none is given.
    base: Policy | None = None
    # The approvals written beside it: with a base, only these and the given ones count.
    committed: tuple[ApprovalEntry, ...] = ()
    # The approvals of the command line.
    on_command_line: tuple[Approval, ...] = ()
    # How many calls an apply may make; None for any.
    max_calls: int | None = None

    def valid(self, manifest: Manifest, now: float) -> tuple[Approval, ...]:
        """The approvals that count, `now` being in Unix seconds: an expired one does not."""
        entries = self.committed if self.base else manifest.approvals
        return (*self.on_command_line, *(Approval(a.hash, a.people) for a in entries if a.expires > now))

    def explain(self, refusals: Iterable[Refusal], manifest: Manifest, now: float) -> tuple[Refusal, ...]:
        """These refusals, each with why an approval of exactly its changes does not lift it."""
        return tuple(replace(refusal, message="; ".join((refusal.message, *self._why(refusal, manifest, now)))) for refusal in refusals)

    def warn_unused(self, words: Iterable[str | None]) -> tuple[str, ...]:
        """What to say of the approvals given for none of what these words are printed for. Committed ones outlive what they were for."""
        hashes = {word.partition(":")[0] for word in words if word}
        text = "is for nothing that this plan is refused for; leave it out, or copy the one that a refused plan prints"
        return tuple(f"--approve {approval} {text}" for approval in dict.fromkeys(self.on_command_line) if approval.hash not in hashes)

    def _why(self, refusal: Refusal, manifest: Manifest, now: float) -> Iterator[str]:
        digest, _, people = (refusal.approve or "").partition(":")
        entries = self.committed if self.base else manifest.approvals
        reasons = []
        for approval in (a for a in dict.fromkeys((*self.committed, *manifest.approvals)) if a.hash == digest):
            subject = f"the approval by {approval.by}"
            if approval not in entries:
                reasons.append(f"{subject} stands in the manifest, and under --policy only those of that file count")
            elif approval.expires <= now:
                reasons.append(f"{subject} expired at {format_time(approval.expires)}")
            else:
                reasons.append(f"{subject} covers {approval.people} people, and this touches {people}")
        approvals = (approval for approval in self.on_command_line if approval.hash == digest)
        reasons += [f"--approve {approval} covers fewer people than the {people} that this touches" for approval in approvals]
        yield from (why for why in reasons if why not in refusal.message)


NO_APPROVALS = Approvals()


def parse_approval(text: str) -> Approval:
    """`1a2b3c4d5e6f:600` as a refused plan prints it. Raises Usage."""
    digest, _, people = text.partition(":")
    if len(digest) != 12 or not set(digest) <= set("0123456789abcdef") or not people.isascii() or not people.isdigit():
        raise Usage(f"--approve {text!r}: copy it from the refused plan, like 1a2b3c4d5e6f:600")
    return Approval(digest, int(people))


def govern(manifest: Manifest, approvals: Approvals) -> tuple[Manifest, tuple[Note, ...], tuple[Refusal, ...]]:
    """The manifest under the base policy, a note for what it changes, and a refusal for what it would loosen."""
    if approvals.base is None:
        return manifest, (), ()
    policy, refusals = tighten(approvals.base, manifest.policy)
    moves = list_moved(approvals.base, policy)
    notes = (Note("policy", f"stricter than the policy file: {'; '.join(moves)}"),) if moves else ()
    refusals = (*refusals, *_list_looser(manifest, approvals.base))
    text = f"the manifest loosens the policy file: {'; '.join(refusals)}; change the policy file first, in a change of its own"
    # A rule's own limits never lift those of the file.
    rules = {address: replace(rule, over_policy=False) for address, rule in manifest.rules.items()}
    return replace(manifest, policy=policy, rules=rules), notes, (Refusal("policy", text),) if refusals else ()


def _list_looser(manifest: Manifest, base: Policy) -> Iterator[str]:
    """The rules that take more links away than a base policy lets a manifest, where it says so."""
    if "links" in base.model_fields_set:
        for rule in manifest.rules.values():
            if looser("links", base.links, rule.links):
                yield f"{rule.mark}: links: {rule.links} (allowed: {base.links})"


def over_calls(approvals: Approvals, calls: int) -> Iterable[Refusal]:
    """A plan of more calls than asked for is refused."""
    if approvals.max_calls is not None and calls > approvals.max_calls:
        yield Refusal("max-calls", f"{calls} calls, --max-calls allows {approvals.max_calls}; narrow the plan with --target, or allow more")


def check_refusals(
    saved_plan: PlanDocument, manifest: Manifest, approvals: Approvals, now: float, more: Sequence[Refusal] = ()
) -> tuple[Refusal, ...]:
    """What refused a saved plan when it was made, and is not approved now. Raises Refused where no approval can lift it."""
    stopping = list_stopping(list_standing(read_refusals(saved_plan), approvals.valid(manifest, now)), manifest.policy)
    refusals = (*more, *approvals.explain(stopping, manifest, now))
    if not all(refusal.approve for refusal in refusals):
        refuse(refusals)
    return refusals


def approvals_of(saved_plan: PlanDocument, plan: Plan, manifest: Manifest, approvals: Approvals, now: float) -> tuple[Approval, ...]:
    """What counts as approved: what is left of an approved plan is approved with it, but for more people than were approved."""
    valid = approvals.valid(manifest, now)
    words = (*saved_plan.get("approved", ()), *(r["approve"] for r in saved_plan["refused"] if r["approve"]))
    hashes = {word.partition(":")[0] for word in words}
    grants = tuple(Approval(f"{r.approve}".partition(":")[0], a.people) for r in plan.refusals for a in valid if a.hash in hashes)
    return (*valid, *grants)


def refuse(refusals: Iterable[Refusal], beside: Sequence[str] = ()) -> None:
    """Raises Refused where there is a reason to; it says also what stands `beside`."""
    reasons = [f"{refusal}{f' (--approve {refusal.approve})' if refusal.approve else ''}" for refusal in refusals]
    if reasons:
        raise Refused([*reasons, *beside])


def hold_to_approvals(plan: Plan, comparison: Comparison, approvals: Approvals, context: Context) -> Plan:
    """The plan with its cost, the refusals that no approval lifts, and a note for those that one does; without what the policy holds."""
    warnings = approvals.warn_unused((comparison.touched, *(refusal.approve for refusal in plan.refusals)))
    refusals = list_standing(plan.refusals, approvals.valid(comparison.manifest, context.now))
    standing = frozenset(refusals)
    let_pass = [refusal for refusal in plan.refusals if refusal not in standing]
    refusals = approvals.explain(refusals, comparison.manifest, context.now)
    notes = (*(Note("approved", str(refusal)) for refusal in let_pass), *(Note("unused", text) for text in warnings))
    approval_words = tuple(dict.fromkeys(refusal.approve for refusal in let_pass if refusal.approve))
    entries = list_held_entries(refusals, comparison.manifest.policy)
    if entries and not plan.scope.moved:
        plan = without_entries(comparison, plan, entries.__contains__, context.version)
    plan = replace(plan, reads=reads_of(plan, comparison, context))
    notes += () if plan.undoes else note_freshness(comparison.kinds, comparison.manifest, plan.changes)
    refusals = (*refusals, *over_calls(approvals, plan.calls))
    return replace(plan, refusals=refusals, notes=(*plan.notes, *notes), approved=approval_words, held=bool(entries))


def note_policy_change(plan: Plan, base: Manifest, manifest: Manifest, approvals: Approvals) -> Plan:
    """The plan, which tells first what the policy was in another revision of the manifest, under the same rules."""
    before = tighten(approvals.base, base.policy)[0] if approvals.base else base.policy
    moves = list_moved(before, manifest.policy)
    return replace(plan, notes=(Note("policy", f"changed since the base: {'; '.join(moves)}"), *plan.notes)) if moves else plan
