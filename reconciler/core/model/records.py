"""What one name recorded, by live thing. Of a hundred thousand people few are asked for, and a record is made of these alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any

from reconciler.core.model.record import Record, Thing

Row = Sequence[Any]
"""What a record is read from; first comes the digest of its address."""


_NO_RECORDS: Mapping[Thing, Record] = MappingProxyType({})
_NO_ROWS: Mapping[Thing, Row] = MappingProxyType({})


def _read_nothing(name: Thing, row: Row) -> Record:
    raise KeyError(name)


class Records(Mapping[Thing, Record]):
    """The records of one owner.

    `notable` are at least those that are owned, protected or deleted, to which we wrote, of which a link may be ours, or that say which
    rule was carried out; the others are in `rest`, and `read` makes a record of one of them. `files` are those that are recorded to
    declare anything.
    """

    __slots__ = ("_ids", "_read", "_rest", "files", "notable")

    def __init__(
        self,
        notable: Mapping[Thing, Record] = _NO_RECORDS,
        rest: Mapping[Thing, Row] = _NO_ROWS,
        read: Callable[[Thing, Row], Record] = _read_nothing,
        files: frozenset[str] = frozenset(),
    ) -> None:
        self.notable, self.files = notable, files
        self._rest, self._read = rest, read
        self._ids: dict[str, Mapping[str, Sequence[str]]] = {}

    @classmethod
    def of(cls, records: Iterable[Record]) -> Records:
        """These records."""
        by_name = {record.name: record for record in records}
        return cls(by_name, files=frozenset(file for record in by_name.values() for file in record.files))

    def __getitem__(self, name: Thing) -> Record:
        return self.notable[name] if name in self.notable else self._read(name, self._rest[name])

    def __iter__(self) -> Iterator[Thing]:
        return chain(self.notable, self._rest)

    def __len__(self) -> int:
        return len(self.notable) + len(self._rest)

    def __contains__(self, name: object) -> bool:
        return name in self.notable or name in self._rest

    def of_kind(self, kind: str) -> Iterator[Record]:
        """All of one kind."""
        return (self[name] for name in self if name[0] == kind)

    def under(self, kind: str, thing: str) -> Sequence[Record]:
        """Those of a kind under the digest of an address; first the one that counts: it is not deleted, and we wrote to it last."""
        if kind not in self._ids:
            self._ids[kind] = self._list_ids(kind)
        records = [self[kind, live_id] for live_id in self._ids[kind].get(thing, ())]
        return sorted(records, key=lambda r: (not r.deleted, r.written, r.id), reverse=True)

    def _list_ids(self, kind: str) -> Mapping[str, Sequence[str]]:
        """The live ids of a kind by the digests of their addresses."""
        notable = ((record.thing, record.id) for record in self.notable.values() if record.kind == kind)
        ids: dict[str, list[str]] = {}
        for thing, live_id in chain(notable, ((row[0], live_id) for (of, live_id), row in self._rest.items() if of == kind)):
            ids.setdefault(thing, []).append(live_id)
        return ids
