"""One thing from three sides, as JSON and as text: declared, as we applied it, live; every link; and what the next plan would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.core.compare.explain import Explanation, FieldSides, LinkSides
from reconciler.core.compare.since import Attachment
from reconciler.core.compare.trail import Write
from reconciler.core.model.address import Address
from reconciler.core.model.change import Cause
from reconciler.core.model.desired import Resource
from reconciler.core.model.paths import personal_path
from reconciler.core.model.privacy import hide, mask_pair, show_address
from reconciler.core.model.record import Record
from reconciler.core.model.rule import Rule
from reconciler.core.model.times import format_time
from reconciler.core.plan.document import View, document, find_page
from reconciler.core.plan.plan import Plan
from reconciler.errors import Mark
from reconciler.kinds import KINDS

Document = dict[str, Any]
Limits = Sequence[Mapping[str, int | str]]


def as_document(sides: Explanation, plan: Plan, limits: Limits, people: Mapping[str, str], *, personal: bool = False) -> Document:
    """One thing as programs read it. `limits` are those that each change counts against, by name; `people` are the names of those who made
    its links, by their ids. Personal values are masked unless they are asked for."""
    return _Writer(sides, plan, limits, people, personal).write()


@dataclass(frozen=True, slots=True)
class _Writer:
    """What becomes one document."""

    # The three sides.
    sides: Explanation
    # The plan of it.
    plan: Plan
    # The limits that each change of the plan counts against.
    limits: Limits
    # What those are called who made its links.
    people: Mapping[str, str]
    # Whether personal values are shown.
    personal: bool

    def write(self) -> Document:
        sides, plan_document = self.sides, document(KINDS, self.plan, View(self.personal))
        changes = [{**row, "limits": dict(limits)} for row, limits in zip(plan_document["changes"], self.limits, strict=True)]
        own, address = self.show_name(sides.address), self.show_name(sides.address)
        return {
            "format_version": plan_document["format_version"],
            "workspace": plan_document["workspace"],
            "manifest": plan_document["manifest"],
            "address": address,
            **({"asked": self.show_name(sides.address_asked)} if sides.address_asked != sides.address else {}),
            "declared": self.write_entry(sides.resource) if sides.resource else None,
            "recorded": self.write_record(sides.record) if sides.record else None,
            **({"recorded_under": sides.other} if sides.other else {}),
            **({"rule": self.write_rule(sides.rule)} if sides.rule else {}),
            "live": self.write_live(),
            **({"several": list(sides.several)} if sides.several else {}),
            "fields": [self.write_field(one) for one in sides.fields],
            "links": [self.write_link(one) for one in sides.links],
            "linked_from": {
                "entries": [
                    {"address": self.show_name(one.address), "list": one.field, "declared": one.declared, "source": _place(one.mark)}
                    for one in sides.sources
                ],
                "recorded_as_ours": sides.owned_sources,
            },
            "plan": {
                "changes": [row for row in changes if _is_about(row, own)],
                "needs": [row for row in changes if not _is_about(row, own)],
                "refused": plan_document["refused"],
                "notes": plan_document["notes"],
            },
        }

    def show_name(self, address: Address) -> str:
        return str(address) if self.personal else show_address(address, self.plan.workspace.app_id)

    def show_text(self, value: Any) -> Any:
        return value if self.personal else hide(value, False)

    def write_entry(self, resource: Resource) -> Document:
        """The entry, but for its fields and links."""
        row: Document = {"source": _place(resource.mark), "state": resource.state, "protect": resource.protect}
        more = {
            "owner": resource.owner,
            "description": resource.description,
            "overlays": list(resource.overlays),
            "renamed_from": [key for _, key in resource.former],
            "replaced_by": self.show_name(resource.successor) if resource.successor else None,
            "goes_into": self.show_name(resource.into) if resource.into else None,
            "used_by": list(resource.used_by),
            "members": "free" if resource.free else None,
            "missing": resource.missing,
        }
        return row | {key: self.show_text(value) for key, value in more.items() if value}

    def write_record(self, record: Record) -> Document:
        """What the ledger holds of it, but for its fields and links."""
        return {
            "id": record.id,
            "address": self.show_text(record.address),
            "run": record.run or None,
            "at": _time(record.proved_at),
            "first": _time(record.first),
            "owned": record.owned,
            "protected": record.protected,
            "deleted": record.deleted,
            "ended": record.is_buried,
            "files": [self.show_text(file) for file in record.files],
        }

    def write_live(self) -> Document | None:
        """The live thing, but for its fields and links."""
        thing, side = self.sides.live.thing, self.sides.live
        if thing is None:
            return None
        row: Document = {"id": thing.id, "page": find_page(self.sides.kind, thing.id, self.plan.workspace)}
        if side.uses:
            row["uses"] = {use.where: use.number for use in side.uses}
            row["at_least"] = [use.where for use in side.uses if use.least]
            row["uncounted"] = list(self.sides.kind.uses.uncounted)
            row["last_applied"], row["last_applied_by"] = self.date_link(side.last)
        return row

    def write_field(self, one: FieldSides) -> Document:
        kind, value, live = self.sides.kind, one.declared, one.live
        if (kind.name, one.path) in self.plan.times:
            value, live = format_time(value), format_time(live)
        elif not self.personal:
            live, value = mask_pair(kind.name, live, value, personal_path(kind, one.path), self.plan.workspace.app_id)
        row: Document = {"path": one.path, "claimed": one.is_claimed, "declared": value, "live": live}
        return row | {"same": one.same, "applied": one.applied.value, **_run(one.write)}

    def write_link(self, one: LinkSides) -> Document:
        since, by = self.date_link(one.attachment)
        changes = [c for c in self.plan.changes if c.address == self.sides.address and c.target == one.target]
        return {
            "list": one.field,
            "target": self.show_name(one.target),
            "declared": one.declared or None,
            "source": _place(one.mark) if one.mark else None,
            "recorded": one.origin,
            "ours_since": _time(one.since),
            **_run(one.write),
            "live": one.is_live,
            "live_since": since,
            "by": by,
            "decides": one.authority.value if one.authority else None,
            "action": changes[0].action.value if changes else None,
            **({"rule": {"source": _place(one.rule.mark), "matches": one.matches, "by_name": one.is_named}} if one.rule else {}),
            **({"due": True} if changes and changes[0].cause is Cause.DUE else {}),
        }

    def write_rule(self, rule: Rule) -> Document:
        """The rule that gives it to people, and how many these are."""
        row: Document = {"source": _place(rule.mark), "where": self.show_text(rule.where) or None, **self.show_text(dict(rule.through))}
        members = self.sides.members
        return row | ({"matching": len(members.matching), "having": len(members.having)} if members else {})

    def date_link(self, attachment: Attachment | None) -> tuple[str | None, str | None]:
        """When a link was made, and by whom."""
        if attachment is None:
            return None, None
        return _time(attachment.at), self.show_text(self.people.get(attachment.by) or attachment.by) or None


def _is_about(row: Document, name: str) -> bool:
    """Whether a change is one of a thing itself, or of whom its rule gives it to."""
    return row["address"] == name or (bool(row.get("by_rule")) and row["target"] == name)


def _place(mark: Mark) -> Document | None:
    return {"file": mark.file, "line": mark.line or None} if mark.file else None


def _time(seconds: float | None) -> str | None:
    return format_time(int(seconds)) if seconds else None


def _run(write: Write | None) -> Document:
    return {"run": write.run if write else None, "at": _time(write.at) if write else None}
