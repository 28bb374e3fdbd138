"""Recall: the rows of one owner as the `Recorded` that the core asks, and records as rows."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Collection, ItemsView, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import chain, islice
from typing import Any

from sqlalchemy import Connection, Row, String, bindparam, delete, func, or_, select

from reconciler.core.compare.ruled import RULE
from reconciler.core.model.change import Action
from reconciler.core.model.jsons import parse_json
from reconciler.core.model.record import NOTHING, OURS, LinkOrigin, Record, Thing, Watch
from reconciler.core.model.recorded import LiveLink, Other, Recorded
from reconciler.core.model.records import Records
from reconciler.core.model.repository import Repository
from reconciler.ledger.attempts import read_attempts
from reconciler.ledger.digests import Digests
from reconciler.ledger.errors import LedgerUnusable
from reconciler.ledger.tables import INEFFECTIVE, LOST_RUN, RUNS, STRANGER, THINGS, WRITES, match_things


class _Texts(Mapping[str, Any]):
    """A map that lies in the database as JSON text and is read when somebody asks: most records are only looked up by id."""

    __slots__ = ("_pick", "_place", "_read", "_text")

    def __init__(self, text: str, place: str, pick: Callable[[dict[str, Any]], dict[str, Any]] = dict) -> None:
        self._text, self._place, self._pick = text, place, pick
        self._read: dict[str, Any] | None = None

    def _map(self) -> dict[str, Any]:
        if self._read is None:
            try:
                self._read = self._pick(parse_json(self._text)) if self._text != "{}" else {}
            except (ValueError, TypeError, AttributeError, OverflowError) as error:
                raise LedgerUnusable(self._place, "it is damaged") from error
        return self._read

    def __getitem__(self, key: str) -> Any:
        return self._map()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._map())

    def __len__(self) -> int:
        return len(self._map())

    # Those of `Mapping` go by way of an exception, or of a look at each key.
    def get(self, key: str, default: Any = None) -> Any:
        return self._map().get(key, default)

    def items(self) -> ItemsView[str, Any]:
        return self._map().items()


# How a link that may be ours stands in the JSON of links.
_OURS = tuple(f'"{link_origin}"' for link_origin in OURS)
# What the name of a list ends in, in the JSON of links, where it says when its links became ours.
_SINCE = " since"
# The key among a list of links under which stands by which policy the list was their authority; no id is written so.
_GOVERNED = "*"
# The keys among digests by path under which stands what is no field: how the thing ended, the address by the name that Intercom made of
# the one that was sent, who carries what goes out of use, and, each with this before it, the addresses that the thing had. No field is
# called so.
_ENDED, _SHOWN_AS, _WATCH, _FORMER = "state", "shown as", "carried by", "was "
_MARKED = re.compile(f'"({_ENDED}"|{_SHOWN_AS}"|{_WATCH}"|{_FORMER})')
# As the fields of a record are ordered.
_COLUMNS = ("kind", "id", "thing", "address", "owned", "protected", "deleted", "file", "run", "written", "fields", "links")
# What is read of the many that runs found as declared and never wrote to; first what each has for itself. All else is false or 0.
_PLAIN = ("id", "thing", "address", "fields", "kind", "file", "run", "links")
# SQLite keeps values of any type in any column. All others are texts.
_TYPES: Mapping[str, type] = {"owned": bool, "protected": bool, "deleted": bool, "written": float}
_NOTABLE = (
    THINGS.c.owned
    | THINGS.c.protected
    | THINGS.c.deleted
    | (THINGS.c.written != 0)
    | or_(*(THINGS.c.links.contains(text) for text in _OURS))
    | THINGS.c.links.contains(f'"{RULE} ')
)
# So many rows are taken apart at once.
_AT_ONCE = 1000


# The statements are made once, with whose rows they read as parameters: to make one takes longer than to carry it out.
_APP_ID, _NAME, _KEY = (bindparam(name, type_=String()) for name in ("app_id", "name", "key"))
_OUR_THINGS = (THINGS.c.app_id == _APP_ID) & (THINGS.c.key == _KEY) & (THINGS.c.name == _NAME)
_OUR_RUNS = (RUNS.c.app_id == _APP_ID) & (RUNS.c.name == _NAME) & (RUNS.c.key == _KEY)
_NOTABLE_ROWS = select(*(THINGS.c[name] for name in _COLUMNS)).where(_OUR_THINGS, _NOTABLE)
_PLAIN_ROWS = select(*(THINGS.c[name] for name in _PLAIN)).where(_OUR_THINGS, ~_NOTABLE)
# Ids and names are in clear, so what others have is known whatever key they use.
_OTHERS = select(*(THINGS.c[name] for name in ("kind", "id", "name", "owned", "protected", "links"))).where(
    THINGS.c.app_id == _APP_ID, THINGS.c.name != _NAME, ~THINGS.c.deleted
)
# One that was refused, or that failed before its first call, is none.
_SENT = select(WRITES.c.id).where(WRITES.c.run == RUNS.c.id, WRITES.c.intended > 0).exists()
_COUNT = select(func.count()).where(_OUR_RUNS, RUNS.c.verb.in_(("apply", "undo")), RUNS.c.exit_code.in_((0, 5, 130, 143)) | _SENT)
# Single things that were adopted say nothing of the rest of a manifest.
_ADOPTIONS = select(RUNS.c.id).where(_OUR_RUNS, RUNS.c.verb == "adopt", RUNS.c.manifest_digest != "", RUNS.c.exit_code == 0).limit(1)
_ORIGINS = (
    select(RUNS.c.remote, RUNS.c.first_commit)
    .where(_OUR_RUNS, RUNS.c.verb == "apply", RUNS.c.exit_code.in_((0, 5)) | _SENT)
    .order_by(RUNS.c.started.desc(), RUNS.c.id.desc())
)
# Writes that were planned and of which nobody can say that they were done, in the order in which they were planned.
_OPEN = (
    select(WRITES, RUNS.c.files)
    .join(RUNS, WRITES.c.run == RUNS.c.id)
    .where(_OUR_RUNS, WRITES.c.outcome.is_(None) | WRITES.c.outcome.in_(("failed", "skipped")), ~WRITES.c.superseded)
    .order_by(WRITES.c.id)
)
# Whom a run of any name, and with any key, brought back from the archive and saw to be somebody else: ids are in clear.
_STRANGERS = (
    select(WRITES.c.thing, WRITES.c.live_id)
    .join(RUNS, WRITES.c.run == RUNS.c.id)
    .where(RUNS.c.app_id == _APP_ID, WRITES.c.status == STRANGER, WRITES.c.outcome == "failed", ~WRITES.c.superseded)
)
_CLAIMS = select(INEFFECTIVE.c.place, INEFFECTIVE.c.claim).where(INEFFECTIVE.c.place != LOST_RUN)
# The links that runs of another name, or with another key, detached, and when they last did.
_END = (WRITES.c.kind, WRITES.c.thing_id, WRITES.c.link, WRITES.c.target_id)
_DETACHED = (
    select(*_END, func.max(WRITES.c.settled).label("at"))
    .join(RUNS)
    .where(RUNS.c.app_id == _APP_ID, (RUNS.c.name != _NAME) | (RUNS.c.key != _KEY))
    .where(WRITES.c.action == Action.DETACH, WRITES.c.outcome.in_(("applied", "ineffective")))
    .group_by(*_END)
)


def recall(connection: Connection, digests: Digests, app_id: str, name: str, place: str) -> Recorded:
    """What is remembered of one workspace for one manifest's name. What another key wrote counts as lost.

    Raises LedgerUnusable, which calls the ledger `place`; records raise it too, when what lies in them is read.
    """
    owner = {"app_id": app_id, "name": name, "key": digests.fingerprint}
    others = connection.execute(_OTHERS, owner).all()
    open_rows = _fetch_open(connection, owner, place)
    return Recorded(
        app_id=app_id,
        digests=digests,
        records=_read_records(connection, owner, place),
        others=_read_others(others),
        link_origins=_read_ties(others, place),
        attempts=read_attempts(open_rows, place),
        strangers=frozenset((row.thing, row.live_id) for row in connection.execute(_STRANGERS, owner)),
        ineffective=_read_ineffective(connection),
        there=True,
        runs=connection.scalar(_COUNT, owner) or 0,
        adopted=connection.scalar(_ADOPTIONS, owner) is not None,
        origins=_read_origins(connection, owner),
    )


def _read_ineffective(connection: Connection) -> Mapping[str, frozenset[str]]:
    """What replies did not show: by the digest of a field, those of values. No other key, and no other workspace, has such a digest."""
    claims: dict[str, frozenset[str]] = {}
    for place, claim in connection.execute(_CLAIMS):
        claims[place] = claims.get(place, frozenset()) | {claim}
    return claims


def _read_origins(connection: Connection, owner: Mapping[str, str]) -> tuple[Repository | None, ...]:
    """The repositories that were applied from, each where it stands last."""
    rows = connection.execute(_ORIGINS, owner)
    repositories = (None if row.remote is None else Repository(row.remote, row.first_commit or "") for row in rows)
    return tuple(dict.fromkeys(repositories))[::-1]


def _read_records(connection: Connection, owner: Mapping[str, str], place: str) -> Records:
    """The records of one owner; of the many, what one is read from when somebody asks."""
    # Of what one run found converged, thousands have the same links and files.
    read = partial(_read_record, place, cache(partial(_read_links, place)), cache(_read_files))
    # Unpacked: a name is looked up in a row in twice the time.
    notable = dict[Thing, Record]()
    for rows in connection.execute(_NOTABLE_ROWS, owner).partitions(_AT_ONCE):
        _take_apart(_COLUMNS, rows, place)
        notable.update(((row[0], row[1]), read(row)) for row in rows)
    files, rest, texts = {file for record in notable.values() for file in record.files}, dict[Thing, Sequence[str]](), dict[str, str]()
    for rows in connection.execute(_PLAIN_ROWS, owner).partitions(_AT_ONCE):
        ids, things, addresses, fields, *alike = _take_apart(_PLAIN, rows, place)
        kinds, *shared = (list(map(texts.setdefault, column, column)) for column in alike)
        rest.update(zip(zip(kinds, ids, strict=True), zip(things, addresses, fields, *shared, strict=True), strict=True))
        files.update(chain.from_iterable(map(_read_files, set(shared[0]))))
    notable |= _find_untied(connection, notable, owner, place)
    return Records(notable, rest, lambda name, row: read(_complete(name, row)), frozenset(files))


def _take_apart(names: Sequence[str], rows: Sequence[Row[Any]], place: str) -> Sequence[Sequence[Any]]:
    """The columns of rows. Raises LedgerUnusable where something stands in one that is none of its values."""
    columns = list(zip(*rows, strict=True))
    if any(set(map(type, column)) != {_TYPES.get(name, str)} for name, column in zip(names, columns, strict=True)):
        raise LedgerUnusable(place, "it is damaged")
    return columns


def _complete(name: Thing, plain: Sequence[str]) -> Sequence[Any]:
    """The row of a thing that a run found as declared."""
    thing, address, fields, file, run, links = plain
    return (*name, thing, address, False, False, False, file, run, 0.0, fields, links)


_ReadLinks = Callable[[str], tuple[Mapping[str, Any], bool, Mapping[str, Any], Mapping[str, Any]]]


def _read_record(place: str, read_links: _ReadLinks, read_files: Callable[[str], tuple[str, ...]], row: Sequence[Any]) -> Record:
    fields, links = row[-2:]
    columns = (_Texts(fields, place, _pick_digests), *read_links(links))
    record = Record(*(*row[:7], read_files(row[7]), *row[8:10], *columns))
    # Few records have a mark, and only theirs are read at once.
    if not _MARKED.search(fields):
        return record
    marks = _Texts(fields, place)
    former = frozenset(digest for path, digest in marks.items() if path.startswith(_FORMER))
    watch = _read_watch(str(marks.get(_WATCH, "")), place)
    return dataclasses.replace(record, end_digest=marks.get(_ENDED, ""), former=former, shown_as=marks.get(_SHOWN_AS, ""), watch=watch)


def _read_links(place: str, links: str) -> tuple[Mapping[str, Any], bool, Mapping[str, Any], Mapping[str, Any]]:
    """What stands in the column of links, in the order of a record: the lists, whether any may be ours, since when, under which policy."""
    policies = _Texts(links, place, _pick_policies) if f'"{_GOVERNED}"' in links else NOTHING
    since = _Texts(links, place, _pick_times) if _SINCE in links else NOTHING
    return _Texts(links, place, _pick_lists), any(text in links for text in _OURS), since, policies


def _read_files(file: str) -> tuple[str, ...]:
    return tuple(filter(None, file.split("\n")))


def _read_watch(text: str, place: str) -> Watch | None:
    """Who carries a thing, of the text that says so: two times, and digests. Raises LedgerUnusable."""
    if not text:
        return None
    try:
        since, new, *carriers = text.split(" ")
        return Watch(int(since), int(new), frozenset(carriers))
    except ValueError as error:
        raise LedgerUnusable(place, "it is damaged") from error


def _pick_digests(fields: dict[str, Any]) -> dict[str, Any]:
    """The digests of fields, of what stands in their column."""
    return {path: digest for path, digest in fields.items() if path not in (_ENDED, _SHOWN_AS, _WATCH) and not path.startswith(_FORMER)}


def _pick_lists(links: dict[str, Any]) -> dict[str, Any]:
    """The lists of links, of what stands in their column; one without links is none."""
    lists = ((name, ends) for name, ends in links.items() if not name.endswith(_SINCE))
    return {
        name: link_origins
        for name, ends in lists
        if (link_origins := {end: link_origin for end, link_origin in ends.items() if end != _GOVERNED})
    }


def _pick_policies(links: dict[str, Any]) -> dict[str, Any]:
    """The policies that lists of links were governed by, of what stands in their column."""
    return {name: ends[_GOVERNED] for name, ends in links.items() if _GOVERNED in ends and not name.endswith(_SINCE)}


def _pick_times(links: dict[str, Any]) -> dict[str, Any]:
    """When links became ours, of what stands in their column."""
    dates = {name.removesuffix(_SINCE): times for name, times in links.items() if name.endswith(_SINCE)}
    return {name: {end: int(at) for end, at in times.items()} for name, times in dates.items()}


def _find_untied(connection: Connection, records: Mapping[Thing, Record], owner: Mapping[str, str], place: str) -> dict[Thing, Record]:
    """The records of which a run of another name, or with another key, detached a link since: whoever attached it again, it was not us.
    Raises LedgerUnusable."""
    records_by_thing: dict[Thing, Record] = {}
    for row in connection.execute(_DETACHED, owner):
        record = records_by_thing.get((row.kind, row.thing_id)) or records.get((row.kind, row.thing_id))
        if not isinstance(row.at, float):
            raise LedgerUnusable(place, "it is damaged")
        if record and record.written < row.at and record.links.get(row.link, {}).get(row.target_id) in OURS:
            link_origins = {**record.links[row.link], row.target_id: LinkOrigin.FOUND}
            records_by_thing[record.name] = dataclasses.replace(record, links={**record.links, row.link: link_origins})
    return records_by_thing


def _read_others(rows: Iterable[Any]) -> Mapping[Thing, Other]:
    """What other names have recorded; of several, the one that owns it."""
    others: dict[Thing, Other] = {}
    for row in sorted(rows, key=lambda row: (row.owned, row.name)):
        before = others.get((row.kind, row.id))
        others[row.kind, row.id] = Other(row.name, row.protected or (before is not None and before.protected))
    return others


def _read_ties(rows: Iterable[Any], place: str) -> Mapping[LiveLink, str]:
    """The links that other names have recorded as made or found, and whose they are."""
    row_links = ((row, _Texts(row.links, place, _pick_lists)) for row in rows if row.links != "{}")
    return {
        LiveLink(row.kind, row.id, field, end): row.name
        for row, links in row_links
        for field, lists in links.items()
        for end, link_origin in lists.items()
        if link_origin in (*OURS, LinkOrigin.FOUND)
    }


def _fetch_open(connection: Connection, owner: Mapping[str, str], place: str) -> Sequence[Row[Any]]:
    """The open writes, which are decoded when they are fetched. Raises LedgerUnusable."""
    try:
        return connection.execute(_OPEN, owner).all()
    except (ValueError, TypeError) as error:
        raise LedgerUnusable(place, "it is damaged") from error


def replace_records(
    connection: Connection, digests: Digests, owner: tuple[str, str], records: Iterable[Record], names_gone: Iterable[Thing]
) -> None:
    """Write records as they come, and let go of things; `owner` is app id and name. Of two records of one thing the last stays.

    What was written with another key stays as it is: a run with a wrong key knows nothing, and takes nothing from those who know.
    """
    app_id, name = owner
    mine = (THINGS.c.app_id == app_id) & (THINGS.c.name == name) & (THINGS.c.key == digests.fingerprint)

    def drop(names: Collection[Thing]) -> None:
        for condition in match_things(names):
            connection.execute(delete(THINGS).where(mine, condition))

    drop(list(names_gone))
    for batch in iter(partial(lambda rest: list(islice(rest, _AT_ONCE)), iter(records)), []):
        rows = {record.name: _write_row(record, digests) | {"app_id": app_id, "name": name} for record in batch}
        drop(rows)
        connection.execute(THINGS.insert(), list(rows.values()))


def _write_row(record: Record, digests: Digests) -> dict[str, Any]:
    return {
        "key": digests.fingerprint,
        "kind": record.kind,
        "id": record.id,
        "thing": record.thing,
        "address": digests.plain(record.address),
        "owned": record.owned,
        "protected": record.protected,
        "deleted": record.deleted,
        "file": digests.plain("\n".join(record.files)),
        "run": record.run,
        "written": record.written,
        "fields": _write_text({digests.plain(path): digest for path, digest in record.fields.items()} | _write_marks(record)),
        "links": _write_text(_write_links(record)),
    }


def _write_links(record: Record) -> Mapping[str, Any]:
    """What stands in the column of links: the lists, and when links in them became ours."""
    times = {f"{link}{_SINCE}": since for link, since in record.since.items()}
    lists = {link: dict(link_origins) for link, link_origins in record.links.items() if link_origins}
    for link, policy in record.policies.items():
        lists.setdefault(link, {})[_GOVERNED] = policy
    return lists | times


def _write_marks(record: Record) -> dict[str, str]:
    """What stands among the digests of fields and is none."""
    watch = record.watch and " ".join((str(record.watch.since), str(record.watch.new), *sorted(record.watch.carriers)))
    marks = {
        _ENDED: record.end_digest,
        _SHOWN_AS: record.shown_as,
        _WATCH: watch or "",
        **{f"{_FORMER}{digest}": digest for digest in sorted(record.former)},
    }
    return {name: digest for name, digest in marks.items() if digest}


def _write_text(value: Mapping[str, Any]) -> str:
    return json.dumps({key: dict(item) if isinstance(item, Mapping) else item for key, item in value.items()}, separators=(",", ":"))
