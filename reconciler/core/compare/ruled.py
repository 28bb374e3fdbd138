"""Rules: whoever matches gets what a rule is about, and whoever has it and does not match loses it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from reconciler.core.compare.draft import Draft
from reconciler.core.compare.hints import LAG
from reconciler.core.compare.links import shares_name
from reconciler.core.model.address import address_by
from reconciler.core.model.change import Action, Cause, LinkChange
from reconciler.core.model.note import Note
from reconciler.core.model.record import LinkOrigin
from reconciler.core.model.recorded import Recorded
from reconciler.core.model.rule import Membership, Rule

# The topics of notes on what rules were read as, and on whom they leave for later.
RULE, DUE = "rule", "due"


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
        draft, members = self.draft, self.members
        lately = list_lately(draft.recorded, self.rule, self.target_id, self.now)
        losing = list_losing(draft.recorded, self.rule, members, self.target_id, self.now)
        gaining = members.matching - members.having - {live_id for live_id, has in lately.items() if has}
        self._note(len(losing & members.unsure))
        link = draft.kinds.links[self.rule.link]
        if not gaining and not losing:
            return
        if link.attach.is_by_name and shares_name(link, self.rule.target, self.rule.mark, (), draft):
            return
        self._add(Action.ATTACH, sorted(gaining))
        self._add(Action.DETACH, sorted(losing - members.unsure))

    def _note(self, unsure: int) -> None:
        notes = [f"by {self.rule.where or 'what it says'}: {self.members.days}"] if self.members.days else []
        if unsure:
            text = f"{unsure:,} who have it and do not match changed minutes ago, so search may be behind: they keep it for now"
            self.draft.notes.append(Note(DUE, text, self.rule.target, self.rule.mark))
        if self.members.missing:
            notes.append(f"{self.members.missing:,} of those that it includes or excludes by name were not found")
        self.draft.notes += (Note(RULE, text, self.rule.target, self.rule.mark) for text in notes)

    def _add(self, action: Action, ids: Iterable[str]) -> None:
        draft, link = self.draft, self.rule.link
        people, names = draft.people(link.source), draft.names[link.source]
        for live_id in ids:
            address = names.get(live_id) or address_by(link.source, "id", live_id)
            resource = draft.manifest.resources.get(address)
            if address in draft.live.withheld or (link.source, live_id) in draft.live.doubtful or (resource and resource.is_gone):
                continue
            change = LinkChange(action, address, self.rule.target, link, self.rule.mark, live_id, self.target_id, people, by_rule=True)
            draft.changes.append(change)


def is_sole(rule: Rule) -> bool:
    """Whether a rule alone says who has what it is about: whoever does not match loses it, however they got it."""
    return rule.links == "declared"


def list_losing(recorded: Recorded, rule: Rule, members: Membership, target_id: str | None, now: float) -> Set[str]:
    """Who has what a rule is about and is to lose it; `now` is in Unix seconds."""
    if rule.links == "additive":
        return frozenset()
    lately = list_lately(recorded, rule, target_id, now)
    # Whom the search shows with it may have lost it by us a moment ago.
    having = {live_id for live_id, has in lately.items() if has}.union(i for i in members.having if lately.get(i) is not False)
    losing = having - members.matching
    return {i for i in losing if _is_ours(recorded, rule, target_id, i)} if rule.links == "owned" else losing


def _is_ours(recorded: Recorded, rule: Rule, target_id: str | None, live_id: str) -> bool:
    record = recorded.of(rule.link.source, live_id)
    return record is not None and record.link_origin(rule.link.field, target_id or "") == LinkOrigin.OWNED


def list_lately(recorded: Recorded, rule: Rule, target_id: str | None, now: float) -> Mapping[str, bool]:
    """Who has what a rule is about, and who has not, as the ledger says of those to whom we wrote so lately that search may not show it."""
    if target_id is None:
        return {}
    lately: dict[str, bool] = {}
    for (kind, live_id), record in recorded.records.notable.items():
        if kind == rule.link.source and record.written >= now - LAG and not record.deleted:
            ours = record.link_origin(rule.link.field, target_id) == LinkOrigin.OWNED
            if not ours or record.ours_since(rule.link.field, target_id) >= now - LAG:
                lately[live_id] = ours
    return lately


def governs(recorded: Recorded, rule: Rule, target_id: str | None) -> bool:
    """Whether a rule was carried out as it is now, so that only people come and go under it."""
    record = recorded.of(rule.target.kind, target_id)
    return record is not None and record.policies.get(governed_by(rule)) == rule.digest


def governed_by(rule: Rule) -> str:
    """Under which name the record of what a rule is about says which rule was carried out."""
    return f"{RULE} {rule.link.source} {rule.link.field}"


def names_rule(name: str) -> bool:
    """Whether a record says under this name which rule was carried out."""
    return name.startswith(f"{RULE} ")


def find_rule_cause(recorded: Recorded, rule: Rule | None, change: LinkChange) -> Cause:
    """Why a rule asks for a change."""
    return Cause.DUE if rule and governs(recorded, rule, change.target_id) else Cause.CONFIG
