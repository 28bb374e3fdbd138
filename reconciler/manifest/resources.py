"""Entries → resources: links lead to declared ends, and values have the types that the manifest declares for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.core.compare.choices import choices_without, list_choices
from reconciler.core.model.address import Address
from reconciler.core.model.desired import DEPRECATED, Resource, WrittenLinks
from reconciler.core.model.entry import LinkItem
from reconciler.core.model.scalars import parse_typed
from reconciler.core.model.written import quote
from reconciler.errors import Mark
from reconciler.manifest.contents import Contents, Item, Name, name_of
from reconciler.manifest.overlays import OMIT
from reconciler.manifest.sentences import closest

# So many undeclared names get a guess which name was meant: each guess looks at all that are declared.
GUESSES = 10


def resource_of(contents: Contents, item: Item) -> Resource:
    """An entry as the engine sees it. What is wrong with its links and values is noted."""
    values, kind = item.values, item.kind
    links, kind_fields = _links(contents, item), kind.fields
    fields = {name: value for name, value in values.items() if name in kind_fields}
    if item.state in ("absent", "archived"):
        _check_gone(contents, item, (*fields, *links))
    # Most entries say nothing else.
    more = _read_more(contents, item) if len(values) > len(fields) + len(links) else {}
    return Resource(
        item.address,
        item.by,
        str(values.get(item.by, "")),
        _parse_values(contents, item, fields),
        item.mark(),
        into=item.into,
        also=item.also,
        links=links,
        overlays=item.document.overlays,
        # To some kinds it is a field, to others it is not.
        description=values.get("description", ""),
        **more,
    )


def _read_more(contents: Contents, item: Item) -> dict[str, Any]:
    """What an entry says beside its fields and links."""
    values = item.values
    return {
        "state": item.state,
        "former": tuple(item.kind.former(values)),
        "protect": values.get("protect", False),
        "missing": values.get("missing"),
        "recreate": values.get("recreate", False),
        "free": values.get("members") == "free",
        "successor": _read_successor(contents, item),
        "quiet": getattr(values.get("retire_after"), "no_new_use_for", None),
        "used_by": values.get("used_by", ()),
        "owner": values.get("owner", ""),
    }


def _links(contents: Contents, item: Item) -> Mapping[str, WrittenLinks]:
    """The lists of links, by field. The same ones for all entries that have the same and nothing wrong in them."""
    values, kind = item.values, item.kind
    lists_written = tuple([(link.name, values[link.field], item.below(link.field)) for link in kind.links if link.field in values])
    links_by_field = contents.links.get(lists_written)
    if links_by_field is None:
        lists = {link.field: _read_links(contents, item, link.field, link.target) for link in kind.links if link.field in values}
        links_by_field = {field: links for field, (links, _) in lists.items()}
        if all(whole for _, whole in lists.values()):
            contents.links[lists_written] = links_by_field
    return links_by_field


def _read_links(contents: Contents, item: Item, field: str, target: str) -> tuple[WrittenLinks, bool]:
    """A list of links, and whether nothing is wrong in it."""
    links: Sequence[LinkItem] = item.values[field]
    below = item.below(field)
    present: dict[Address, int] = {}
    absent: dict[Address, int] = {}
    whole = True
    for number, link in enumerate(links):
        mark = item.mark(field, number)
        end = find_present_end(contents, mark, target, link)
        if end is None:
            whole = False
            continue
        (present if link.present else absent)[end.address] = below[number]
        if end.address in present and end.address in absent:
            line = item.mark().line + min(present[end.address], absent[end.address])
            contents.note(mark, f"{target} {_describe(link)} is written present and absent (line {line})", "keep one of them")
            whole = False
    return WrittenLinks(present, absent), whole


def _read_successor(contents: Contents, item: Item) -> Address | None:
    """What is used instead of what goes out of use. What only such an entry may say is noted on any other."""
    retirement = item.kind.retirement
    if retirement is None:
        return None
    if item.state != DEPRECATED:
        for key in (retirement.successor, retirement.after):
            if key in item.values:
                what = f"{key} is written on a {item.kind.name} that is {item.state or 'not deprecated'}"
                contents.note(item.mark(key), what, f"write `state: {DEPRECATED}`, or remove it")
        return None
    link: LinkItem | None = item.values.get(retirement.successor)
    end = find_present_end(contents, item.mark(retirement.successor), item.kind.name, link) if link else None
    return end.address if end else None


def find_present_end(contents: Contents, mark: Mark, target: str, link: LinkItem) -> Item | None:
    """The entry that something leads to. None where there is none, or it is not to be there, which is noted."""
    end = _end(contents, mark, target, link)
    if end is None or end.state not in ("absent", "archived"):
        return end
    if end.into:
        now = f"write {quote(end.into.key)}"
        contents.note(mark, f"{target} {_describe(link)} goes into {quote(end.into.key)} (at {end.mark()})", now)
        return None
    contents.note(mark, f"{target} {_describe(link)} is declared {end.state} at {end.mark()}", "remove one of them")
    return None


def _end(contents: Contents, mark: Mark, target: str, link: LinkItem) -> Item | None:
    """The entry that a link leads to. None where there is none, or more than one, which is noted."""
    kind = contents.kinds[target]
    name = name_of(kind, "id" if link.by_id else kind.identities[0].field, link.key)
    if name in contents.names:
        return contents.names[name]
    items = contents.other_names.get(name, ())
    if len(items) == 1:
        return items[0]
    if items:
        places = " and ".join(str(item.mark()) for item in items)
        contents.note(mark, f"{target} {quote(link.key)} is declared at {places}", "say which, as in {id: ID}")
    elif new_address := contents.former_names.get(name):
        if contents.accepts_former:
            return new_address
        contents.note(mark, *_explain_rename(new_address, name))
    elif (over := contents.overlays.get(name)) and OMIT in over.value:
        contents.note(mark, f"{target} {_describe(link)} is omitted at {over.mark()}", "take it out here too, or keep it")
    elif not contents.unread and name not in contents.invalid:
        by_id = f"declare it under `{kind.section}:`, as in {{id: {link.key}}}"
        contents.note(mark, f"{target} {_describe(link)} is not declared", by_id if link.by_id else _hint(contents, target, link.key))
    return None


def _explain_rename(item: Item, name: Name) -> tuple[str, str]:
    """What is wrong with a reference by a name that an entry had, in whatever case that is written, and what to do now."""
    old = next(key for by, key in item.kind.former(item.values) if name_of(item.kind, by, key) == name)
    new = item.values.get(name[1])
    new_text = quote(new) if new else f"{{id: {item.values[item.by]}}}"
    now = f"write {new_text}, or allow former names with `policy: {{former_names: accept}}`"
    return f"{item.kind.name} {quote(old)} was renamed to {new_text} at {item.mark()}", now


def _describe(link: LinkItem) -> str:
    """The other end as it is written: by its id, or by its name."""
    return f"id {link.key}" if link.by_id else quote(link.key)


def _hint(contents: Contents, target: str, key: str) -> str:
    """What to do about a name that is not declared, worked out once: one forgotten tag may stand on every contact."""
    if (section := contents.kinds[target].section) in contents.left_out:
        return f"the environment leaves out `{section}:` (`envs:`)"
    if (target, key) not in contents.hints:
        keys = [address.key for address in contents.items if address.kind == target] if len(contents.hints) < GUESSES else []
        close = closest(key, tuple(keys))
        hint = f"did you mean {close!r}?" if close else f"declare it under `{section}:`"
        contents.hints[target, key] = hint
    return contents.hints[target, key]


def _check_gone(contents: Contents, item: Item, claims: Sequence[str]) -> None:
    """What is declared not to be there has no fields and no links, but for those that name it."""
    names = {item.by} | item.kind.required_keys | ({item.kind.identities[0].field} if item.by == "id" else set())
    extra = [claim for claim in claims if claim not in names]
    if tuple(item.kind.former(item.values)):
        extra.append("its former name")
    if item.kind.merge and item.values.get(item.kind.merge.key):
        extra.append(item.kind.merge.key)
    for claim in extra:
        what = f"{claim} is written on a {item.kind.name} that is {item.state} (at {item.mark('state')})"
        contents.note(item.mark(claim), what, "keep one of them")


def _parse_values(contents: Contents, item: Item, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields: references as the keys of the entries that they lead to, values of merged maps in the types that their keys have."""
    if fields.keys().isdisjoint(item.kind.typed_fields) and not item.kind.references:
        return fields
    values = {**fields}
    for name, target in item.kind.references.items():
        if fields.get(name) is not None:
            end = find_present_end(contents, item.mark(name), target, LinkItem(fields[name], present=True))
            values[name] = end.address.key if end else fields[name]
    for name, value in fields.items():
        if typed_by := item.kind.fields[name].typed_by:
            values[name] = {key: _parse_value(contents, item, Address(typed_by, key), name, raw) for key, raw in value.items()}
    return values


def _parse_value(contents: Contents, item: Item, attribute: Address, name: str, raw: Any) -> Any:
    """One value in the type of its attribute; as it is written where that is not declared, or it is wrong, which is noted."""
    definition, key = contents.items.get(attribute), attribute.key
    if definition is None:
        return raw
    mark = item.mark(name, key)
    if definition.state == "archived":
        contents.note(mark, f"{attribute.kind} {key!r} is declared archived at {definition.mark()}", "remove one of them")
        return raw
    if definition.values.get("model", item.kind.name) != item.kind.name:
        contents.note(mark, f"{key} is declared for another model at {definition.mark()}", "correct one of them")
        return raw
    try:
        value = parse_typed(raw, str(definition.values.get("data_type", "string")))
    except ValueError as error:
        contents.note(mark, f"{key}: {error}")
        return raw
    if choices := choices_without(definition.kind, definition.values, value):
        what = (
            f"{key}: {value!r} is none of {list_choices(choices)}, which is all that it can be ({definition.mark(definition.kind.choices)})"
        )
        contents.note(mark, what, "add it there, or correct it here")
    return value


def check_circles(contents: Contents, resources: Mapping[Address, Resource]) -> None:
    """Note references that lead back to where they start: such things can never be made."""
    referring = {kind.name: kind for kind in contents.kinds if kind.references}
    for address, resource in resources.items() if referring else ():
        if address.kind not in referring:
            continue
        kind = referring[address.kind]
        for name, target in kind.references.items():
            way, end = [address], resource.fields.get(name)
            while target == kind.name and end is not None and (step := Address(target, end)) in resources and step not in way:
                way.append(step)
                end = resources[step].fields.get(name)
            if target == kind.name and end == address.key:
                text = f"{name} leads back to itself ({' > '.join(step.key for step in (*way, address))})"
                contents.note(contents.items[address].mark(name), text, "let one of them lead elsewhere")


def check_successors(contents: Contents, resources: Mapping[Address, Resource]) -> None:
    """Note successors that lead back to where they start: nothing would be left to use."""
    for address, resource in resources.items():
        way, end = [address], resource.successor
        while end and end in resources and end not in way:
            way.append(end)
            end = resources[end].successor
        retirement = contents.kinds[address.kind].retirement
        if end == address and retirement:
            text = f"{retirement.successor} leads back to itself ({' > '.join(step.key for step in (*way, address))})"
            contents.note(contents.items[address].mark(retirement.successor), text, "let one of them lead elsewhere")


def check_former(contents: Contents) -> None:
    """Note former names that are somebody's name now, or stand twice: a chain or a swap cannot be told from a finished one. Entries
    stand in the order of their addresses."""
    items: dict[Name, Item] = {}
    # What an id names is renamed by it, whoever else has or had that name.
    items_renamed = [i for i in contents.items.values() if tuple(i.kind.former(i.values)) and (i.by != "id" or not i.kind.rename)]
    by_value = _by_unique_value(contents) if items_renamed else {}
    for item in items_renamed:
        for by, key in item.kind.former(item.values):
            name = name_of(item.kind, by, key)
            others = (contents.names.get(name), items.setdefault(name, item), *by_value.get(name, ()))
            other = next((other for other in others if other is not None and other is not item), None)
            if other and name != item.name:
                now = "a chain or a swap takes two changes: do one, apply it, then the other"
                contents.note(item.mark(), f"its former {by} {quote(key)} is in use at {other.mark()}", now)


def _by_unique_value(contents: Contents) -> Mapping[Name, Sequence[Item]]:
    """Which entries want a unique value that is not the name they are declared with."""
    items: dict[Name, list[Item]] = {}
    for item in contents.items.values():
        for field, info in item.kind.fields.items():
            if info.moves and field != item.by and field in item.values:
                items.setdefault(name_of(item.kind, field, item.values[field]), []).append(item)
    return items
