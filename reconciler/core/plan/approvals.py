"""The rules a plan is held to: the policy of the base branch, approvals, a cap on calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from reconciler.core.model.desired import Manifest
from reconciler.core.model.note import Note
from reconciler.core.model.policy import ApprovalEntry, Policy, moved, tightened
from reconciler.core.model.refusal import Refusal
from reconciler.core.model.scalars import moment
from reconciler.core.plan.gates import Approval
from reconciler.errors import Usage


@dataclass(frozen=True, slots=True)
class Rules:
    """`base` is a policy that the manifest may tighten and not loosen; with it, only its own approvals and those given here count."""

    base: Policy | None = None
    committed: tuple[ApprovalEntry, ...] = ()
    given: tuple[Approval, ...] = ()
    max_calls: int | None = None

    def approvals(self, manifest: Manifest, now: float) -> tuple[Approval, ...]:
        """The approvals that count, `now` being in Unix seconds: an expired one does not."""
        written = self.committed if self.base else manifest.approvals
        return (*self.given, *(Approval(a.hash, a.people) for a in written if a.expires > now))

    def explained(self, refused: Iterable[Refusal], manifest: Manifest, now: float) -> tuple[Refusal, ...]:
        """These refusals, each with why an approval of exactly its changes does not lift it."""
        return tuple(replace(refusal, message="; ".join((refusal.message, *self._why(refusal, manifest, now)))) for refusal in refused)

    def _why(self, refusal: Refusal, manifest: Manifest, now: float) -> Iterator[str]:
        digest, _, people = (refusal.approve or "").partition(":")
        written = self.committed if self.base else manifest.approvals
        told = []
        for approval in (a for a in dict.fromkeys((*self.committed, *manifest.approvals)) if a.hash == digest):
            whose = f"the approval by {approval.by}"
            if approval not in written:
                told.append(f"{whose} stands in the manifest, and under --policy only those of that file count")
            elif approval.expires <= now:
                told.append(f"{whose} expired at {moment(approval.expires)}")
            else:
                told.append(f"{whose} covers {approval.people} people, and this touches {people}")
        given = (approval for approval in self.given if approval.hash == digest)
        told += [f"--approve {approval} covers fewer people than the {people} that this touches" for approval in given]
        yield from (why for why in told if why not in refusal.message)


NO_RULES = Rules()


def parse_approval(text: str) -> Approval:
    """`1a2b3c4d5e6f:600` as a refused plan prints it. Raises Usage."""
    digest, _, people = text.partition(":")
    if len(digest) != 12 or not set(digest) <= set("0123456789abcdef") or not people.isascii() or not people.isdigit():
        raise Usage(f"--approve {text!r}: copy it from the refused plan, like 1a2b3c4d5e6f:600")
    return Approval(digest, int(people))


def govern(manifest: Manifest, rules: Rules) -> tuple[Manifest, tuple[Note, ...], tuple[Refusal, ...]]:
    """The manifest under the base policy, a note for what it changes, and a refusal for what it would loosen."""
    if rules.base is None:
        return manifest, (), ()
    policy, refused = tightened(rules.base, manifest.policy)
    changed = moved(rules.base, policy)
    notes = (Note("policy", f"stricter than the policy file: {'; '.join(changed)}"),) if changed else ()
    text = f"the manifest loosens the policy file: {'; '.join(refused)}; change the policy file first, in a change of its own"
    return replace(manifest, policy=policy), notes, (Refusal("policy", text),) if refused else ()


def over_calls(rules: Rules, calls: int) -> Iterable[Refusal]:
    """A plan of more calls than asked for is refused."""
    if rules.max_calls is not None and calls > rules.max_calls:
        yield Refusal("max-calls", f"{calls} calls, --max-calls allows {rules.max_calls}; narrow the plan with --target, or allow more")
