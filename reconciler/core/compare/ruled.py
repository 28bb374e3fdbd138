"""Rules: whoever matches gets what a rule is about, and whoever has it and does not match loses it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.core.compare.draft import Draft
from reconciler.core.compare.hints import LAG
from reconciler.core.model.address import address_by
from reconciler.core.model.change import Action, Cause, LinkChange
from reconciler.core.model.note import Note
from reconciler.core.model.record import LinkOrigin
from reconciler.core.model.recorded import Recorded
from reconciler.core.model.rule import Membership, Rule

RULE = "rule"


def compare_rules(draft: Draft, now: float) -> None:
    """Compare whom each rule reaches that was read with who has what it is about; `now` is in Unix seconds."""
    for target, rule in sorted(draft.manifest.rules.items()):
        members = draft.live.members.get(target)
        if members is None or target in draft.live.withheld:
            continue
        if draft.live.of(target) is None and target not in draft.created:
            continue
        _Sides(draft, rule, members, draft.live.pairs.get(target), now).compare()


@dataclass(frozen=True, slots=True)
class _Sides:
    """Who matches one rule, and who has what it is about."""

    # What this comparison collects.
    draft: Draft
    # The rule.
    rule: Rule
    # Who was read.
    members: Membership
    # The live id of what the rule is about; None where it is made by this plan.
    target_id: str | None
    # In Unix seconds.
    now: float

    def compare(self) -> None:
        lately = list_lately(self.draft.recorded, self.rule, self.target_id, self.now)
        given = {live_id for live_id, has in lately.items() if has}
        self._add(Action.ATTACH, sorted(self.members.matching - self.members.having - given))
        # Whom the search shows with it may have lost it by us a moment ago.
        having = given.union(live_id for live_id in self.members.having if lately.get(live_id) is not False)
        losing = having - self.members.matching if self.rule.links != "additive" else set()
        unsure = losing & self.members.unsure
        if self.rule.links == "owned":
            losing = {live_id for live_id in losing if self._is_ours(live_id)}
        self._add(Action.DETACH, sorted(losing - unsure))
        self._note(len(unsure))

    def _note(self, unsure: int) -> None:
        notes = [f"by {self.rule.where or 'what it says'}: {self.members.days}"] if self.members.days else []
        if unsure:
            notes.append(f"{unsure:,} who have it and do not match changed minutes ago, so search may be behind: they keep it for now")
        if self.members.missing:
            notes.append(f"{self.members.missing:,} of those that it includes or excludes by name were not found")
        self.draft.notes += (Note(RULE, text, self.rule.target, self.rule.mark) for text in notes)

    def _add(self, action: Action, ids: Iterable[str]) -> None:
        draft, link = self.draft, self.rule.link
        people, names = draft.people(link.source), draft.names[link.source]
        for live_id in ids:
            address = names.get(live_id) or address_by(link.source, "id", live_id)
            resource = draft.manifest.resources.get(address)
            if address in draft.live.withheld or (link.source, live_id) in draft.live.doubted or (resource and resource.is_gone):
                continue
            change = LinkChange(action, address, self.rule.target, link, self.rule.mark, live_id, self.target_id, people, by_rule=True)
            draft.changes.append(change)

    def _is_ours(self, live_id: str) -> bool:
        record = self.draft.recorded.of(self.rule.link.source, live_id)
        return record is not None and record.link_origin(self.rule.link.field, self.target_id or "") == LinkOrigin.OWNED


def list_lately(recorded: Recorded, rule: Rule, target_id: str | None, now: float) -> Mapping[str, bool]:
    """Who has what a rule is about, and who has not, as the ledger says of those to whom we wrote so lately that search may not show it."""
    if target_id is None:
        return {}
    lately: dict[str, bool] = {}
    for (kind, live_id), record in recorded.records.items():
        if kind == rule.link.source and record.written >= now - LAG and not record.deleted:
            ours = record.link_origin(rule.link.field, target_id) == LinkOrigin.OWNED
            if not ours or record.ours_since(rule.link.field, target_id) >= now - LAG:
                lately[live_id] = ours
    return lately


def governs(recorded: Recorded, rule: Rule, target_id: str | None) -> bool:
    """Whether a rule was carried out as it is now, so that only people come and go under it."""
    record = recorded.of(rule.target.kind, target_id)
    return record is not None and record.governed.get(governed_by(rule)) == rule.digest


def governed_by(rule: Rule) -> str:
    """Under which name the record of what a rule is about says which rule was carried out."""
    return f"{RULE} {rule.link.source} {rule.link.field}"


def find_rule_cause(recorded: Recorded, rule: Rule | None, change: LinkChange) -> Cause:
    """Why a rule asks for a change."""
    return Cause.DUE if rule and governs(recorded, rule, change.target_id) else Cause.CONFIG
