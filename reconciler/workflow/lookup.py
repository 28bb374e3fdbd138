"""Looking things up, and raw calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reconciler.core.model.ability import Searched
from reconciler.core.model.change import Use
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live
from reconciler.core.search import query as where
from reconciler.core.search.language import Expression, list_conditions, parse
from reconciler.errors import Usage
from reconciler.kinds import KINDS
from reconciler.workflow.session import Session, by_their_clock

if TYPE_CHECKING:
    from reconciler.intercom.http.errors import HttpError
    from reconciler.intercom.http.request import Reply, Request
    from reconciler.intercom.search.lookup import KeyLookup


def list_all(session: Session, section: str) -> Iterator[Live]:
    """All that a listing of a section shows, page by page."""
    from reconciler.intercom.listing import everything

    return everything(session.client, session.kinds.by_section[section], session.tick)


def look_up(session: Session, section: str, keys: Sequence[str]) -> KeyLookup:
    """The live things of a section that have these keys, and the keys that nothing has."""
    from reconciler.intercom.observe import Observer
    from reconciler.intercom.search import lookup

    observer = Observer(session.client, session.kinds, session.tick)
    return lookup.find_by_keys(observer, session.kinds.by_section[section], keys, session.here)


def read_where(section: str, text: str, version: str, kinds: Kinds = KINDS) -> Expression:
    """A condition as people write it. Raises Usage for all that can be seen to be wrong without Intercom."""
    kind = kinds.by_section[section]
    if kind.search is None:
        raise Usage(f"--where: Intercom has no search for {section}; list all and filter, as in `reconciler get {section} -o json | jq`")
    expression = parse(text)
    prefixes = tuple(where.list_prefixes(kind))
    unknown = {c.field: Searched("") for c in list_conditions(expression) if c.field.startswith(prefixes)}
    where.compile_query(expression, {**unknown, **kind.search.fields}, version)
    return expression


def search(session: Session, section: str, expression: Expression) -> tuple[Iterator[Live], tuple[str, ...]]:
    """The live things of a section for which a condition holds, page by page; and what to know of how Intercom reads it."""
    from reconciler.intercom.search import lookup

    kind = session.kinds.by_section[section]
    query, notes = compile_where(session, kind, expression)
    return lookup.read_search(session.client, kind, query, session.tick), notes


def compile_where(session: Session, kind: Kind, expression: Expression) -> tuple[where.Query, tuple[str, ...]]:
    """A condition as the search of a kind takes it; and what to know of how Intercom reads it."""
    from reconciler.intercom.search import lookup

    client = session.client
    prefixes = tuple(where.list_prefixes(kind))
    needs_types = any(c.field.startswith(prefixes) for c in list_conditions(expression))
    fields = lookup.list_searchable(client, session.kinds, kind) if needs_types or not kind.search else kind.search.fields
    if not where.asks_for_dates(expression, fields):
        return where.compile_query(expression, fields, client.version), ()
    zone, name = lookup.read_time_zone(client)
    calendar = where.Calendar.at(by_their_clock(session), zone)
    return where.compile_query(expression, fields, client.version, calendar), (where.explain_days(expression, calendar, name),)


def list_paths(session: Session, section: str) -> list[str]:
    """The paths of the fields of a section, with those of what live things type, as `custom_attributes.seats`."""
    from reconciler.intercom.listing import everything

    kind, paths = session.kinds.by_section[section], list[str]()
    for name, about in kind.fields.items():
        typing = everything(session.client, session.kinds[about.typed_by], session.tick) if about.typed_by else ()
        keys = {thing.key: None for thing in typing if thing.fields.get("model") in (None, kind.name)}
        paths += [f"{name}.{key}" for key in keys] if about.typed_by else [name]
    return paths


def count_uses(session: Session, section: str, things: Sequence[Live]) -> Mapping[str, Sequence[Use]]:
    """How often each of these things, by its id, is used in each place that can be counted: a read for each."""
    from reconciler.intercom.uses import uses_of_each

    return uses_of_each(session.client, {thing.id: session.kinds.by_section[section] for thing in things})


def blind_spot(session: Session, section: str) -> str:
    """What a listing of a section cannot contain."""
    listing = session.kinds.by_section[section].listing
    return listing.blind if listing else ""


def raw_request(method: str, path: str, fields: Sequence[tuple[str, str]], body: Any) -> Request:
    """A request as people write it on the command line; `fields` go into its query. Raises Usage where it cannot be one."""
    from urllib.parse import parse_qsl

    from reconciler.intercom.http.request import Request, UnsafeSegment

    if "://" in path.partition("?")[0] or path.startswith("//"):
        raise Usage("write the path only, as in /me: the token goes to no other host")
    path, _, query = ("/" + path.removeprefix("/")).partition("?")
    try:
        return Request(method, path, (*parse_qsl(query, keep_blank_values=True), *fields), body, repeatable=False)
    except UnsafeSegment as error:
        raise Usage(f"{error}; write a path like /contacts/ID, with odd characters encoded") from None


def raw_answers(session: Session, request: Request, *, all_pages: bool) -> Iterator[tuple[Reply, HttpError | None]]:
    """The answer to a raw call, or those for all its pages; with the error where Intercom said no, which is then the last."""
    from reconciler.intercom.search.lookup import read_answers

    return read_answers(session.client, request, all_pages=all_pages)
