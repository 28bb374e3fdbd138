"""Lint: what a manifest says well enough for Intercom, and not well enough for the people who live with it. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from types import MappingProxyType

from reconciler.core.compare.inventory import find_alike
from reconciler.core.compare.retiring import find_successor
from reconciler.core.model.address import Address
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds, join_words
from reconciler.core.model.policy import Policy
from reconciler.core.model.written import quote
from reconciler.errors import Mark, Problem


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that is amiss."""

    # The rule.
    rule: str
    # `error` or `warning`.
    level: str
    # The entry.
    address: Address
    # Where it stands, what is amiss, and what to do now.
    problem: Problem


@dataclass(frozen=True, slots=True)
class LintFacts:
    """What else is known of what a manifest declares; nothing unless somebody looked."""

    # What nobody uses.
    dead: Set[Address] = frozenset()
    # The tombstones of what is gone.
    tombstones: Set[Address] = frozenset()


@dataclass(frozen=True, slots=True)
class _Section:
    """The entries of a kind, as rules look at them."""

    kind: Kind  # Their kind.
    policy: Policy  # What is asked of them.
    facts: LintFacts  # What else is known of them.
    tombstones: Sequence[Resource]  # Those that are not to be there.
    by_name: Mapping[str, Resource]  # All others, by name.
    others: Sequence[Resource]  # The same, and those without a name.
    manifest: Manifest  # All that is declared.


Flaws = Iterator[tuple[Resource, str, str]]
"""An entry, what is amiss with it, and what to do now."""


def find_remarks(kinds: Kinds, manifest: Manifest, policy: Policy, facts: LintFacts) -> Sequence[Remark]:
    """All that is amiss by the rules that a policy does not put off, in the order of the files."""
    remarks = []
    for kind in (kind for kind in kinds if not kind.person):
        resources = [resource for address, resource in manifest.resources.items() if address.kind == kind.name]
        others = [resource for resource in resources if not resource.is_gone]
        names = {_name(kind, resource): resource for resource in others}
        section = _Section(
            kind, policy, facts, [r for r in resources if r.is_gone], {n: r for n, r in names.items() if n}, others, manifest
        )
        for rule, find in RULES.items():
            if (level := getattr(policy.lint, rule)) != "off":
                remarks += [Remark(rule, level, r.address, Problem(r.mark, problem, now)) for r, problem, now in find.look(section)]
    return sorted(remarks, key=lambda remark: (remark.problem.mark, remark.rule, remark.problem.what))


def _name(kind: Kind, resource: Resource) -> str:
    """What a thing is called; empty where people don't choose that, or its id says all."""
    return str(resource.fields.get(kind.named_by) or ("" if resource.by == "id" else resource.key)) if kind.is_named_by_people else ""


def _naming(section: _Section) -> Flaws:
    kind, pattern = section.kind, section.policy.pattern(section.kind.section)
    for name, resource in section.by_name.items() if pattern else ():
        if not re.search(pattern, name):
            command = f"rename it: reconciler {kind.name} rename {shlex.quote(name)} NEW"
            now = command if kind.rename else "it keeps its name in Intercom: widen the pattern"
            yield resource, f"{kind.name} {quote(name)} does not match {quote(pattern)}", now


def _similar(section: _Section) -> Flaws:
    # What goes out of use needs no other name.
    similar = find_alike([name for name, resource in section.by_name.items() if not resource.is_deprecated])
    for name, others in similar.items():
        resource = section.by_name[name]
        # Each pair is told once, at the later of the two.
        for other in (other for other in others if section.by_name[other].mark < resource.mark):
            problem = f"{section.kind.name} {quote(name)} is like {quote(other)} at {section.by_name[other].mark}"
            merge = f"name them apart, or: reconciler {section.kind.name} merge {shlex.quote(name)} --into {shlex.quote(other)}"
            yield resource, problem, merge if section.kind.merge else "keep one of them, or name them apart"


def _owner(section: _Section) -> Flaws:
    if "owner" in section.kind.entry.model_fields:
        yield from ((r, f"{_call(section, r)} has no owner", "write `owner: TEAM`") for r in section.others if not r.owner)


def _description(section: _Section) -> Flaws:
    if "description" in section.kind.entry.model_fields:
        now = "write `description: WHAT IT MEANS`"
        yield from ((r, f"{_call(section, r)} has no description", now) for r in section.others if not r.description)


def _dead(section: _Section) -> Flaws:
    places = join_words([count.where for count in section.kind.uses.counts], "or")
    for resource in (r for r in section.others if r.address in section.facts.dead and not r.used_by):
        problem = f"{_call(section, resource)} is dead: no {places} have it"
        yield resource, problem, f"let it go: reconciler {section.kind.name} retire {shlex.quote(resource.key)}"


def _find_deprecated_use(section: _Section) -> Flaws:
    resources = section.manifest.resources
    leaving = {r.address: find_successor(resources, r) for r in section.others if r.is_deprecated}
    for resource in resources.values() if leaving else ():
        for end, below in sorted(pair for lists in resource.links.values() for pair in lists.present.items()):
            if end in leaving:
                new = leaving[end]
                now = f"name {quote(new.key)} instead" if new else "take it out"
                yield replace(resource, mark=_find_line(resource, below)), f"{_call(section, resources[end])} is deprecated", now
    for end, rule in section.manifest.rules.items():
        if end in leaving:
            text = f"{_call(section, resources[end])} is deprecated, and has a rule"
            yield replace(resources[end], mark=rule.mark), text, "take the rule out, or let it give what is used instead"


def _find_line(resource: Resource, below: int) -> Mark:
    """The place of what stands so many lines below the beginning of an entry."""
    return Mark(resource.mark.file, resource.mark.line + below) if below else resource.mark


def _find_unreplaced(section: _Section) -> Flaws:
    for resource in (r for r in section.others if r.is_deprecated and r.successor is None and section.kind.retirement):
        now = f"write `{section.kind.retirement.successor}: NAME`" if section.kind.retirement else ""
        yield resource, f"{_call(section, resource)} is deprecated, and nothing is said to replace it", now


def _find_done(section: _Section) -> Flaws:
    when = "once that is so in every workspace of this manifest"
    for resource in (resource for resource in section.tombstones if resource.address in section.facts.tombstones):
        if resource.into:
            yield (
                resource,
                f"{_call(section, resource)} went into {quote(resource.into.key)} and is gone",
                f"take it out of the list, {when}",
            )
        else:
            yield resource, f"the tombstone of {_call(section, resource)} is done: it is gone", f"remove the entry, {when}"


def _call(section: _Section, resource: Resource) -> str:
    return f"{section.kind.name} {quote(resource.key)}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    # What it asks for, in a sentence.
    text: str
    # What is amiss by it.
    look: Callable[[_Section], Flaws]


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "naming": Rule("A name matches the pattern of its section.", _naming),
        "similar": Rule("No two names may be one that somebody wrote twice.", _similar),
        "owner": Rule("An entry says who answers for it.", _owner),
        "description": Rule("An entry says what it means.", _description),
        "dead": Rule("Somebody uses what is declared.", _dead),
        "deprecated_use": Rule("Nobody names what is deprecated.", _find_deprecated_use),
        "successor": Rule("What is deprecated says what replaces it.", _find_unreplaced),
        "done": Rule("A tombstone goes once it is done.", _find_done),
    }
)
"""All of them, by the keys of `policy: lint`."""
