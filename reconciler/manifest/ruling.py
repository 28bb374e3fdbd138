"""The rules of a manifest: read from its files, laid over each other, and held against what is declared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from reconciler.core.model.ability import Ruling, Searched
from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.desired import Resource
from reconciler.core.model.entry import LinkItem
from reconciler.core.model.kind import Kind
from reconciler.core.model.policy import Policy
from reconciler.core.model.rule import Expected, Rule
from reconciler.core.model.written import Plain, quote
from reconciler.errors import Mark
from reconciler.manifest.contents import Contents, Raw
from reconciler.manifest.overlays import OMIT, lay_map
from reconciler.manifest.reader import Document
from reconciler.manifest.resources import find_present_end
from reconciler.manifest.sentences import explain, not_a_list
from reconciler.manifest.variables import fill_in

Names = tuple[tuple[str, str], ...]
"""Whom a rule names, each by a field and its value."""


def gather_rules(contents: Contents, base: Sequence[Document], overlays: Sequence[Sequence[Document]]) -> None:
    """Add the rules that files hold to the contents, those of overlays laid over those of the base."""
    ruling = contents.kinds.ruling
    if ruling is None:
        return
    rules: dict[str, Raw] = {}
    for number, layer in enumerate((base, *overlays)):
        here: dict[str, Raw] = {}
        for raw in _list_rules(contents, ruling, layer):
            name = _name_of(contents, ruling, raw.value)
            if name in here:
                text = f"{ruling.target} {quote(str(raw.value[ruling.target]))} has a rule already, at {here[name].mark()}"
                contents.note(raw.mark(), text, "keep one of them")
            elif OMIT not in raw.value:
                here[name] = raw
            elif number == 0 or not _is_omitted(ruling, raw.value) or name not in rules:
                contents.note(
                    raw.mark(OMIT), f"`{OMIT}` takes no rule away here", f"write it in an overlay, beside `{ruling.target}` alone"
                )
            else:
                del rules[name]
        rules |= {name: lay_map(rules[name], raw) if name in rules else raw for name, raw in here.items()}
    contents.rules = list(rules.values())


def _list_rules(contents: Contents, ruling: Ruling, documents: Sequence[Document]) -> Iterator[Raw]:
    """The rules of some files that name what they are about, with the values of their variables. What is none is noted."""
    for document in documents:
        value = document.value.get(ruling.section, [])
        if not isinstance(value, list):
            contents.note(document.marks.of((ruling.section,)), *not_a_list(ruling.section, value))
            continue
        for number, entry in enumerate(value):
            raw = Raw(document, (ruling.section, number), entry)
            value_filled = fill_in(contents, raw, ("include", "exclude")) if document.varies else entry
            if value_filled is None and entry is not None:
                continue
            raw = raw._replace(value=value_filled)
            if isinstance(value_filled, dict) and isinstance(value_filled.get(ruling.target), str):
                yield raw
            else:
                _validate(contents, ruling, raw)


def _name_of(contents: Contents, ruling: Ruling, entry: Mapping[str, Any]) -> str:
    return contents.kinds[ruling.target].identities[0].fold(str(entry[ruling.target]))


def _is_omitted(ruling: Ruling, entry: Mapping[str, Any]) -> bool:
    return entry[OMIT] == "true" and isinstance(entry[OMIT], Plain) and entry.keys() == {OMIT, ruling.target}


def _validate(contents: Contents, ruling: Ruling, raw: Raw) -> Any:
    """A rule as it is valid; None where it is not, which is noted."""
    try:
        return ruling.entry.model_validate(raw.value)
    except ValidationError as error:
        for what, loc in explain(error, ruling.entry, contents.guesses):
            contents.note(raw.mark(*loc), what)
        return None


def read_rules(contents: Contents, resources: Mapping[Address, Resource], policy: Policy) -> Mapping[Address, Rule]:
    """The rules by what their people have, under a policy. What is wrong with them, or with what names that too, is noted."""
    ruling, rules = contents.kinds.ruling, dict[Address, Rule]()
    for raw in contents.rules if ruling else ():
        assert ruling is not None
        entry = _validate(contents, ruling, raw)
        rule = _make_rule(contents, ruling, raw, entry, policy) if entry else None
        if rule and (first := rules.get(rule.target)):
            contents.note(raw.mark(), f"{rule.target} has a rule already, at {first.mark}", "keep one of them")
        elif rule:
            rules[rule.target] = rule
    if rules:
        _refuse_lists(contents, rules, resources)
    return rules


def _make_rule(contents: Contents, ruling: Ruling, raw: Raw, entry: Any, policy: Policy) -> Rule | None:
    """A rule that holds together with what is declared; None where it does not, which is noted."""
    before, link, links = len(contents.problems), ruling.on[entry.on], _choose_links(entry.links, policy)
    end = find_present_end(contents, raw.mark(ruling.target), ruling.target, LinkItem(getattr(entry, ruling.target), present=True))
    if end and end.values.get("members") == "free":
        text = f"{ruling.target} {quote(end.address.key)} says `members: free` (at {end.mark('members')}), and has a rule"
        contents.note(raw.mark(ruling.target), text, "keep one of them")
    include, exclude = (_read_names(contents, raw, key, getattr(entry, key), contents.kinds[link.source]) for key in ("include", "exclude"))
    for name in include:
        if name in exclude:
            contents.note(raw.mark("exclude", exclude.index(name)), "is in `include` too", "keep one of them")
    if entry.where is not None:
        _check(contents, raw, "where", entry.where, contents.kinds[link.source])
    through = {key: text for key in ruling.through if (text := getattr(entry, key)) is not None}
    for key, text in through.items():
        if ruling.through[key].source != link.source:
            contents.note(raw.mark(key), f"a rule `on: {entry.on}` has no `{key}`", "write the condition under `where`")
            continue
        _check(contents, raw, key, text, contents.kinds[contents.kinds.links[ruling.through[key]].target])
    if end is None or len(contents.problems) > before:
        return None
    return Rule(
        target=end.address,
        link=link,
        mark=raw.mark(),
        digest=_digest(entry, links, ruling.target, include, exclude),
        where=entry.where or "",
        through=through,
        include=include,
        exclude=exclude,
        links=links,
        limits={name: limit for name in entry.limits.model_fields_set if (limit := getattr(entry.limits, name)) is not None},
        expected=_read_expected(entry.expect),
    )


def _choose_links(word: str | None, policy: Policy) -> str:
    """What becomes of those who have it and do not match: as the rule says, else as the policy does, where anybody wrote that."""
    links = word or (policy.links if "links" in policy.model_fields_set else "declared")
    return "declared" if links == "exact" else links


def _read_expected(expect: Any) -> Expected:
    share = expect.keep if isinstance(expect.keep, str) else "50%"
    most = expect.max if isinstance(expect.max, int) else None
    return Expected(expect.min, most, expect.max is not None, float(share.rstrip("%")))


def _digest(entry: Any, links: str, target: str, include: Names, exclude: Names) -> str:
    """A digest of whom a rule reaches, and what becomes of the others: what else it says makes it no other rule, nor does another name of
    what it is about."""
    about = entry.model_dump(exclude={target, "limits", "expect"}, exclude_unset=True)
    about |= {"include": sorted(include), "exclude": sorted(exclude), "links": links}
    return hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _read_names(contents: Contents, raw: Raw, key: str, names: Names, kind: Kind) -> Names:
    """Names with what each of them is, as field and value. What nobody of the kind has is noted."""
    field = kind.identities[0].field
    for number, (by, _) in enumerate(names):
        if by and by not in kind.identity:
            contents.note(raw.mark(key, number), f"a {kind.name} has no {by}", f"write a {field}, or {{id: ID}}")
    return tuple((by or field, name) for by, name in names)


def _check(contents: Contents, raw: Raw, key: str, text: str, kind: Kind) -> None:
    """Note what is wrong with a condition, as far as that can be seen offline: custom values have the types that are declared."""
    assert contents.kinds.ruling is not None
    fields = kind.search.fields if kind.search else contents.kinds.ruling.filtered[kind.name]
    # For start-up time: most manifests have no rules.
    from reconciler.core.search import query as where
    from reconciler.core.search.language import Wrong, list_conditions, parse

    try:
        condition = parse(text)
        prefixes = where.list_prefixes(kind)
        custom = {
            c.field: _find_type(contents, kind, c.field, prefixes)
            for c in list_conditions(condition)
            if c.field.startswith(tuple(prefixes))
        }
        where.compile_query(condition, {**custom, **fields})
    except Wrong as error:
        contents.note(raw.mark(key), f"{key}, column {error.column}: {error.what}")


def _find_type(contents: Contents, kind: Kind, field: str, prefixes: Mapping[str, str]) -> Searched:
    """The type that a declared attribute gives a custom value; any where none does."""
    prefix = next(prefix for prefix in prefixes if field.startswith(prefix))
    item = contents.items.get(Address(prefixes[prefix], field.removeprefix(prefix)))
    if item is None or item.values.get("model", kind.name) != kind.name:
        return Searched("")
    return Searched(str(item.values.get("data_type", "")))


def _refuse_lists(contents: Contents, rules: Mapping[Address, Rule], resources: Mapping[Address, Resource]) -> None:
    """Note lists that name what a rule decides about: many entries have the same list."""
    addresses: dict[tuple[int, LinkName], Sequence[Address]] = {}
    targets = {link: {end for end, rule in rules.items() if rule.link == link} for link in {rule.link for rule in rules.values()}}
    for address, resource in resources.items():
        for field, list_links in resource.links.items():
            if (link := LinkName(address.kind, field)) not in targets:
                continue
            if (id(list_links), link) not in addresses:
                addresses[id(list_links), link] = [end for end in (*list_links.present, *list_links.absent) if end in targets[link]]
            for end in addresses[id(list_links), link]:
                there = end in list_links.present
                below = list_links.present.get(end) or list_links.absent.get(end) or 0
                mark = Mark(resource.mark.file, resource.mark.line + below)
                now = f"take it out here, and write the {address.kind} under `{'include' if there else 'exclude'}:` of the rule"
                contents.note(mark, f"{end.kind} {quote(end.key)} has a rule (at {rules[end].mark}), which alone decides who has it", now)
