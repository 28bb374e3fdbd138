"""Inventory: what there is of a kind, live and declared, who uses it, and what is amiss with it. Pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from itertools import combinations
from types import MappingProxyType

from reconciler.core.compare.likeness import form
from reconciler.core.compare.retiring import Retiring
from reconciler.core.compare.since import Attachment
from reconciler.core.model.address import ID, Address
from reconciler.core.model.change import Use
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.live import Live
from reconciler.core.model.spelling import blur, spell
from reconciler.errors import Mark

# From so much likeness on two names may be one that somebody wrote twice; closer than for a rename, of which there are other signs.
ALIKE = 0.85
# Two letters that are swapped are a slip only in names of more letters; longer names than that are compared as wholes.
SHORT, LONGEST = 4, 60
# So many names that differ by one letter are a series.
CROWD = 50


class Standing(StrEnum):
    """What the manifest says of a thing."""

    DECLARED = "declared"
    # It is declared, and goes out of use.
    DEPRECATED = "deprecated"
    # It is live, and nobody declares it.
    UNDECLARED = "undeclared"
    # It is live, and declared absent.
    GOING = "to be deleted"
    # It is declared, and not live.
    COMING = "not live"
    # It is live, and declared under another name, be it by case alone.
    RENAMED = "to be renamed"
    # No manifest was read.
    UNKNOWN = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing."""

    # Its name.
    name: str
    # What Intercom calls it; empty where it is not live.
    id: str
    # What it is to the manifest.
    standing: Standing
    # Where it is declared.
    mark: Mark | None
    # How often it is used, place by place; nothing where it is not live.
    uses: Sequence[Use]
    # When it was seen applied last, and by whose id.
    last: Attachment | None
    # The names of others that may be meant to be the same.
    alike: Sequence[str]
    # How far it is, where it goes out of use and that was asked.
    retiring: Retiring | None = None
    # The address of the entry that means it; None where none does.
    address: Address | None = None

    @property
    def dead(self) -> bool | None:
        """Whether it is live, and nobody uses it in any place that has a count; None where one of these could not be counted."""
        numbers = {use.number for use in self.uses}
        return None if numbers and numbers <= {0, None} and None in numbers else numbers == {0}

    @property
    def amiss(self) -> bool:
        """Whether somebody should look at it."""
        return self.dead is not False or bool(self.alike) or self.standing is Standing.UNDECLARED


@dataclass(frozen=True, slots=True)
class Inventory:
    """What there is of a kind in a workspace."""

    # The kind.
    kind: Kind
    # The workspace.
    app_id: str
    # Its things.
    rows: Sequence[Row]
    # The names of those who applied something last, by their ids.
    admins: Mapping[str, str]
    # Whether only what is due to go was asked for.
    due: bool = False

    @property
    def sums(self) -> Mapping[str, int]:
        """How many things there are of each sort, in words."""
        standings = {standing.value: sum(row.standing is standing for row in self.rows) for standing in Standing if standing.value}
        dead = Counter(row.dead for row in self.rows)
        amiss = {"dead": dead[True], "perhaps dead": dead[None], "like another": sum(bool(row.alike) for row in self.rows)}
        return {word: number for word, number in {**amiss, **standings}.items() if number}


def take_inventory(
    kind: Kind,
    live: Sequence[Live],
    manifest: Manifest | None,
    uses: Mapping[str, Sequence[Use]],
    last: Mapping[str, Attachment],
    retiring: Mapping[str, Retiring] = MappingProxyType({}),
) -> Sequence[Row]:
    """Everything of a kind; first what is amiss, then by name."""
    entries_of_kind = [r for a, r in manifest.resources.items() if a.kind == kind.name] if manifest else []
    resources = _pair(kind, live, entries_of_kind)
    twins = Counter(id(resource) for resource in resources.values())
    rows = [
        (thing.key, thing.id, _standing(kind, thing, resource, manifest, twin=twins[id(resource)] > 1), resource)
        for thing in live
        for resource in (resources[thing.id],)
    ]
    ids = {id(resource) for resource in resources.values()}
    rows += [
        (resource.key, "", Standing.COMING, resource) for resource in entries_of_kind if id(resource) not in ids and not resource.is_gone
    ]
    near = find_alike([name for name, *_ in rows])
    lines = (
        Row(
            name,
            live_id,
            standing,
            resource.mark if resource else None,
            uses.get(live_id, ()),
            last.get(live_id),
            near.get(name, ()),
            retiring.get(live_id),
            resource.address if resource else None,
        )
        for name, live_id, standing, resource in rows
    )
    return sorted(lines, key=lambda row: (not row.amiss, row.name.casefold(), row.name, row.id))


def _pair(kind: Kind, live: Sequence[Live], entries: Sequence[Resource]) -> Mapping[str, Resource | None]:
    """The entries that mean live things, by the ids of these."""
    by_name = _names(kind, entries)
    resources = {thing.id: by_name.get(f"{ID}{thing.id}") or by_name.get(_fold(kind, thing.key)) for thing in live}
    there = {id(resource) for thing in live if (resource := resources[thing.id]) and _is_named(kind, thing, resource)}
    for thing in live:
        # The former name of what is there by its new one means nothing any more.
        if (resource := resources[thing.id]) and id(resource) in there and not _is_named(kind, thing, resource):
            resources[thing.id] = None
    return resources


def _fold(kind: Kind, name: str) -> str:
    return kind.identities[0].fold(name)


def _names(kind: Kind, resources: Iterable[Resource]) -> Mapping[str, Resource]:
    """What is declared by its id, or by its name and former names in their one form; a name goes before a former one."""
    names: dict[str, Resource] = {}
    for resource in resources:
        for _, former in resource.former:
            names.setdefault(_fold(kind, former), resource)
    return names | {f"{ID}{r.key}" if r.by == "id" else _fold(kind, r.key): r for r in resources}


def _standing(kind: Kind, thing: Live, resource: Resource | None, manifest: Manifest | None, *, twin: bool) -> Standing:
    """`twin`: the entry may mean another live thing too, which no plan renames."""
    if resource is None:
        return Standing.UNDECLARED if manifest else Standing.UNKNOWN
    is_named = _is_named(kind, thing, resource)
    if resource.is_gone:
        # A tombstone takes what is spelled exactly so.
        exact = not is_named or resource.by == "id" or spell(resource.key) == spell(thing.key)
        return Standing.GOING if exact else Standing.UNDECLARED
    name = resource.fields.get(kind.named_by)
    other = name and spell(str(name)) != spell(thing.key) and not twin
    return Standing.RENAMED if other or not is_named else Standing.DEPRECATED if resource.is_deprecated else Standing.DECLARED


def _is_named(kind: Kind, thing: Live, resource: Resource) -> bool:
    """Whether an entry means a thing by its id or its name, not by a former one."""
    return resource.by == "id" or _fold(kind, resource.key) == _fold(kind, thing.key)


_DIGITS = re.compile("[0-9]+")


def find_alike(names: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """The names that may be meant to be the same, for each that has such: they differ by case, signs, accents, plural, or a letter
    that is missing, added, another one or in another place, and in no number."""
    pairs = {(one, other) for group in _groups(names) for one in group for other in group}
    pairs |= _close(list(dict.fromkeys(names)))
    alike: dict[str, set[str]] = defaultdict(set)
    for one, other in pairs:
        if one != other:
            alike[one].add(other)
            alike[other].add(one)
    # Two live things of one name are alike too.
    twins = {name for name, number in Counter(names).items() if number > 1}
    return {name: sorted(alike[name] | ({name} & twins)) for name in (*alike, *twins)}


def _groups(names: Iterable[str]) -> Iterable[Sequence[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        for key in {f"f{form(name)}", f"b{blur(name)}", f"p{_singular(form(name))}"}:
            groups[key].append(name)
    return groups.values()


_PLURAL = re.compile(r"(?<=\w\w)(?:(?<=[sxz])es|(?<=[cs]h)es|(?<![su])s)\b")


def _singular(text: str) -> str:
    """A text whose words have lost what makes a plural of an English word."""
    return _PLURAL.sub("", re.sub(r"(?<=\w\w)ies\b", "y", text))


def _close(names: Sequence[str]) -> set[tuple[str, str]]:
    """Pairs that are alike letter by letter, with the same numbers in them. What differs by a letter, or has two of them swapped, is the
    same without one; so not each name is held against each."""
    by_numbers: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for name in names:
        by_numbers[tuple(map(int, _DIGITS.findall(name)))].append(name)
    pairs: set[tuple[str, str]] = set()
    for same in by_numbers.values():
        groups: dict[str, list[str]] = defaultdict(list)
        for name in same if len(same) > 1 else ():
            for short in _shortenings(name.casefold()):
                groups[short].append(name)
        pairs.update(pair for group in groups.values() if len(group) <= CROWD for pair in combinations(group, 2))
    return {(one, other) for one, other in pairs if _is_slip(one.casefold(), other.casefold())}


def _shortenings(text: str) -> Set[str]:
    """A text, and all that it is without one letter; one that is very long alone."""
    return {text} if len(text) > LONGEST else {text, *(text[:n] + text[n + 1 :] for n in range(len(text)))}


def _is_slip(one: str, other: str) -> bool:
    """Whether one text may be the other with a slip in it; two letters swapped in a short one are a slip too."""
    is_swap = len(one) > SHORT and sorted(one) == sorted(other)
    return is_swap or SequenceMatcher(None, one, other).ratio() >= ALIKE
