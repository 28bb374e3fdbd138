"""The links of one declared thing against the live ones: which are made, and which the policy takes away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from enum import StrEnum

from reconciler.core.compare.draft import Draft
from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, LinkChange
from reconciler.core.model.desired import Manifest, Resource, WrittenLinks
from reconciler.core.model.live import Live
from reconciler.core.model.record import OURS
from reconciler.core.model.route import LinkKind
from reconciler.errors import Mark


def find_differing(link: LinkKind, resources: Iterable[Resource], draft: Draft) -> Iterator[Resource]:
    """Those that write a list of links and do not plainly have just these: what is written and held is neither made nor taken away."""
    live, ends_by_id = draft.live, draft.live.links.get(link.name, {})
    for resource in resources:
        lists = resource.links.get(link.field)
        if lists is None:
            continue
        ids = draft.ids_of(link.target, lists)
        if ids is None or ends_by_id.get(live.pairs.get(resource.address, "")) != ids or resource.address in draft.returning:
            yield resource


def compare_links(link: LinkKind, resource: Resource, draft: Draft) -> None:
    """Compare a list of links that a resource writes."""
    if resource.is_gone:
        return
    lists = resource.links[link.field]
    thing = draft.live.of(resource.address)
    if thing is None and resource.address not in draft.created:
        return
    if resource.address in draft.returning and (lists.absent or draft.manifest.policy.links in ("declared", "exact")):
        text = f"an archived one keeps its {link.field}, which can be seen only once it is back: plan again then"
        draft.note("incomplete", text, resource)
    live_ends = _name_live_ends(link, thing, draft)
    attach = [t for t in lists.present if t not in live_ends and _may_attach(link, resource, t, draft)]
    sure = (t for t, live_id in live_ends.items() if (link.target, live_id) not in draft.live.doubtful)
    detach = [t for t in sure if _must_go(link, t, live_ends[t], lists, resource, draft)]
    if link.attach.is_by_name:
        attach, detach = ([t for t in ends if not shares_name(link, t, resource.mark, (resource,), draft)] for ends in (attach, detach))
    # What is held and not declared has no name here and counts all the same.
    total = len(_live_ends(link, thing, draft)) + len(attach) - len(detach)
    if link.most is not None and attach and total > link.most:
        text = f"{resource.mark}: would have {total} {link.field}, Intercom admits {link.most}"
        draft.refuse("capacity", f"{text}; remove some", resource)
    _add_changes(link, resource, live_ends, {Action.ATTACH: attach, Action.DETACH: detach}, draft)


def _add_changes(
    link: LinkKind, resource: Resource, live_ends: Mapping[Address, str], ends: Mapping[Action, Sequence[Address]], draft: Draft
) -> None:
    """Add what is to be done with the links to these ends, each at its line."""
    lists, thing = resource.links[link.field], draft.live.of(resource.address)
    for action, targets in ends.items():
        for target in sorted(targets):
            below = lists.present.get(target) or lists.absent.get(target) or 0
            mark, target_id = Mark(resource.mark.file, resource.mark.line + below), live_ends.get(target) or draft.live.pairs.get(target)
            people, source_id = draft.people(link.source), thing.id if thing else None
            draft.changes.append(LinkChange(action, resource.address, target, link.name, mark, source_id, target_id, people))


def shares_name(link: LinkKind, target: Address, mark: Mark, about: Sequence[Resource], draft: Draft) -> bool:
    """Whether a link that Intercom takes by the name of its target only may hit another one of that name: then it is refused."""
    twins = draft.live.twins.get((link.target, draft.live.pairs.get(target, "")))
    if twins:
        text = f"{mark}: Intercom takes the {link.field} of a {link.source} by name only, and several have this one: {twins}"
        draft.refuse("twins", f"{text}; rename or delete all but one", *about)
    return twins is not None


def _live_ends(link: LinkKind, thing: Live | None, draft: Draft) -> Set[str]:
    """The ids of the other ends of one thing's live links."""
    return draft.live.links.get(link.name, {}).get(thing.id, frozenset()) if thing else frozenset()


def _name_live_ends(link: LinkKind, thing: Live | None, draft: Draft) -> Mapping[Address, str]:
    """The live links of one thing whose other end has a name: its address → its id."""
    pairs = ((draft.address_of(link.target, live_id), live_id) for live_id in _live_ends(link, thing, draft))
    return {address: live_id for address, live_id in pairs if address}


def _may_attach(link: LinkKind, resource: Resource, target: Address, draft: Draft) -> bool:
    end = draft.manifest.resources[target]
    if end.free:
        draft.note("free", f"{target} says members: free, so this link is left as it is", resource)
        return False
    if target in draft.live.withheld:
        draft.note("withheld", f"{target} cannot be attached: nothing is done with it in this plan, which says why", resource, held=True)
        return False
    if draft.live.of(target) is None and target not in draft.created:
        draft.note("withheld", f"{target} cannot be attached: it is not live and not created by this plan", resource, held=True)
        return False
    return True


class Authority(StrEnum):
    """What decides whether a link stays as it is live."""

    # The entry says of it that it is to be, or is not.
    ENTRY = "entry"
    # Its end says `members: free`.
    FREE = "free"
    # Its end has a rule.
    RULE = "rule"
    # Its end is declared as not being there.
    END = "end"
    # The policy of links, in a list that the entry writes.
    ADDITIVE = "additive"
    OWNED = "owned"
    DECLARED = "declared"
    EXACT = "exact"


def find_authority(manifest: Manifest, lists: WrittenLinks, target: Address) -> Authority:
    """What decides about a link to a target, in a list that is written."""
    end = manifest.resources.get(target)
    if target in manifest.rules and target not in lists.present and target not in lists.absent:
        return Authority.RULE
    if end and end.free:
        return Authority.FREE
    if end and end.is_gone:
        return Authority.END
    if target in lists.absent or target in lists.present:
        return Authority.ENTRY
    return Authority(manifest.policy.links)


def _must_go(link: LinkKind, target: Address, target_id: str, lists: WrittenLinks, resource: Resource, draft: Draft) -> bool:
    """Whether a live link is to go: because it is written so, or because the policy lets the manifest decide."""
    match find_authority(draft.manifest, lists, target):
        case Authority.FREE:
            if target in lists.absent:
                draft.note("free", f"{target} says members: free, so this link is left as it is", resource)
            return False
        case Authority.ENTRY:
            return target in lists.absent
        case Authority.EXACT:
            return target not in draft.live.withheld
        case Authority.DECLARED:
            return target in draft.manifest.resources or target in draft.manifest.beside
        case Authority.OWNED:
            ours = _is_ours(link, resource, target, target_id, draft)
            return ours and not _was_written_otherwise(link, resource, target, target_id, draft)
        case _:
            return False


def _was_written_otherwise(link: LinkKind, resource: Resource, target: Address, target_id: str, draft: Draft) -> bool:
    """Whether a link is still written under the name that its end had when it was applied, and that another thing has now."""
    recorded, record = draft.recorded, draft.recorded.of(link.target, target_id)
    names = {recorded.digests.thing(recorded.app_id, end): end for end in resource.links[link.field].present} if record else {}
    if record is None or record.thing not in names:
        return False
    text = f"the link to {target} (id {target_id}) is ours, and was written as {names[record.thing]} when it was applied: it stays"
    draft.note("orphaned", text, resource)
    return True


def _is_ours(link: LinkKind, resource: Resource, target: Address, target_id: str, draft: Draft) -> bool:
    source_id = draft.live.pairs.get(resource.address, "")
    if draft.recorded.link_origin(link.name, resource.address, source_id, target, target_id) not in OURS:
        return False
    record = draft.recorded.of(link.source, source_id)
    if unread := draft.recorded.files.unread(record) if record else ():
        text = f"the link to {target} is ours, and {', '.join(unread)}, which declares it too, was not given: it stays"
        draft.note("not read", text, resource)
        return False
    if other := draft.recorded.elsewhere(link.name, source_id, target_id):
        draft.note("foreign", f"the link to {target} is ours and no longer written; `name: {other}` has it too, so it stays", resource)
    return other is None
