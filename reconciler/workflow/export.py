"""Export: what is live as a manifest, or what of it a manifest does not have yet."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.core.model.address import id_in
from reconciler.core.model.change import Action, Change
from reconciler.core.model.desired import Manifest, Pin
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live
from reconciler.core.plan.approvals import refuse
from reconciler.core.plan.gates import pinned
from reconciler.core.plan.scope import narrow
from reconciler.kinds import KINDS
from reconciler.manifest import files
from reconciler.manifest.editing import Draft
from reconciler.manifest.entries import EntryWriter, LeftOut, Written
from reconciler.manifest.layers import BASE, Layers
from reconciler.manifest.source import SUFFIXES
from reconciler.manifest.splicing import Splices, inline
from reconciler.workflow.lookup import compile_where
from reconciler.workflow.observe import look
from reconciler.workflow.session import Session

if TYPE_CHECKING:
    from reconciler.intercom.search.language import Expression
    from reconciler.intercom.survey import Survey

# The file of a folder that says whose manifest this is.
HEAD = "workspace.yaml"


@dataclass(frozen=True)
class Wanted:
    """What is to be exported."""

    # In the order of the kinds.
    sections: tuple[str, ...]
    # Only things of the kind that can be searched for which this holds.
    where: Expression | None = None
    with_links: bool = False


@dataclass(frozen=True)
class Export:
    """What an export found."""

    # By section; none of what the manifest has already.
    entries: Mapping[str, Sequence[Written]]
    left: Sequence[LeftOut] = ()
    # What the manifest says otherwise than live.
    changes: Sequence[Change] = ()
    # What to know of how a condition was read.
    notes: Sequence[str] = ()

    @property
    def counts(self) -> Mapping[str, int]:
        """How many entries each section has, where it has any."""
        return {section: len(entries) for section, entries in self.entries.items() if entries}


def exportable(kinds: Kinds = KINDS) -> tuple[str, ...]:
    """The sections that can be exported: of what can be listed."""
    return tuple(kind.section for kind in kinds if kind.listing)


def by_default(kinds: Kinds = KINDS) -> tuple[str, ...]:
    """The sections that are exported where nobody says which: all but people."""
    return tuple(section for section in exportable(kinds) if not kinds.by_section[section].person)


def searchable(kinds: Kinds = KINDS) -> tuple[str, ...]:
    """The sections to which a condition can apply."""
    return tuple(kind.section for kind in kinds if kind.search)


def export(session: Session, wanted: Wanted, manifest: Manifest | None = None) -> Export:
    """What is live of these sections, less what the manifest declares. Reads only.

    Raises Refused (3) for another workspace than that of the manifest.
    """
    survey, notes = _survey(session, wanted)
    seen, kinds = survey.seen, [session.kinds.by_section[section] for section in wanted.sections]
    writer = EntryWriter(session.kinds, seen, survey.links)
    declared: set[str] = set()
    changes: Sequence[Change] = ()
    if manifest:
        refuse(pinned(manifest.pin, session.here))
        changes, declared = _meet(session, manifest, kinds, writer)
    entries = {}
    for kind in kinds:
        entries[kind.section] = writer.write(kind, [thing for thing in survey.things[kind.name] if thing.id not in declared])
    return Export(entries, writer.left, changes, notes)


def _survey(session: Session, wanted: Wanted) -> tuple[Survey, Sequence[str]]:
    """Read what is wanted, and what says of which type its values are."""
    from reconciler.intercom.survey import Survey

    survey, notes = Survey(session.client, session.kinds, session.tick, wanted.with_links), list[str]()
    asked = [session.kinds.by_section[section] for section in wanted.sections]
    typing = {f.typed_by for kind in asked for f in kind.fields.values() if f.typed_by}
    for kind in session.kinds:
        query = None
        if wanted.where and kind.search and kind in asked:
            query, told = compile_where(session, kind, wanted.where)
            notes += told
        if kind in asked or kind.name in typing:
            survey.read(kind, query)
    return survey, notes


def _meet(session: Session, manifest: Manifest, kinds: Sequence[Kind], writer: EntryWriter) -> tuple[Sequence[Change], set[str]]:
    """What the manifest says otherwise than live, and the ids of what it declares; whoever writes entries is told of its own."""
    from reconciler.core.model.recorded import BLANK

    names = {kind.name for kind in kinds}
    comparison = look(session, narrow(session.kinds, manifest, lambda address: address.kind in names), BLANK)
    found = comparison.live.pairs
    writer.taken.update(manifest.resources)
    formers = ((session.kinds[a.kind], by, key) for a, r in manifest.resources.items() for by, key in r.former)
    writer.former.update((kind.name, by, kind.identity[by].fold(key)) for kind, by, key in formers)
    for address, live_id in found.items():
        if not manifest.resources[address].gone:
            writer.ends[address.kind, live_id] = {"id": live_id} if id_in(address) else manifest.resources[address].key
    differs = tuple(c for c in comparison.difference.changes if c.action is not Action.CREATE and c.address.kind in names)
    return differs, set(found.values())


@dataclass(frozen=True)
class Target:
    """Where an export goes: a file, or a folder of files."""

    path: Path
    is_file: bool
    kinds: Kinds
    # The manifest that is there already, and its files while they are edited.
    manifest: Manifest | None = None
    draft: Draft | None = None

    def write(self, found: Export, name: str, pin: Pin, banner: str = "") -> Mapping[str, Mapping[str, int]]:
        """Write what is new, all of it or nothing. Returns how many entries of each section went into which file. `banner` stands first in
        every new file.

        Raises Invalid where a manifest that is there could not be read afterwards, and OSError.
        """
        if self.draft:
            return self._add(self.draft, found)
        if self.is_file:
            texts, went = {self.path: text_of(found, name, pin)}, {str(self.path): found.counts}
        else:
            paths = {section: self.path / f"{section}.yaml" for section in found.counts}
            texts = {path: section_text(section, found.entries[section]) for section, path in paths.items()}
            texts[self.path / HEAD] = head_text(name, pin)
            went = {str(path): {section: found.counts[section]} for section, path in paths.items()}
        files.write_all({path: (banner + text).encode() for path, text in texts.items()})
        return went

    def _add(self, draft: Draft, found: Export) -> Mapping[str, Mapping[str, int]]:
        """Add what is new to a manifest."""
        went = defaultdict[str, Counter[str]](Counter)
        for section, entries in found.entries.items():
            kind = self.kinds.by_section[section]
            file = draft.file_for(kind) if entries else ""
            for entry in entries:
                draft.add(kind, entry, file)
                went[file][section] += 1
        draft.manifest()
        draft.write()
        return went


def aim(path: Path, layers: Layers = BASE, kinds: Kinds = KINDS) -> Target:
    """What is there where an export is to go: nothing, or a manifest. Raises Invalid (65) for one that cannot be read."""
    is_file = path.suffix.lower() in SUFFIXES and not path.is_dir()
    if not (path.exists() if is_file else files.holds_manifest(str(path))):
        return Target(path, is_file, kinds)
    draft = Draft.read([str(path)], kinds, layers)
    return Target(path, is_file, kinds, draft.manifest(), draft)


def text_of(found: Export, name: str, pin: Pin) -> str:
    """An export as one file."""
    return head_text(name, pin) + "".join("\n" + section_text(section, found.entries[section]) for section in found.counts)


def head_text(name: str, pin: Pin) -> str:
    """The head of a manifest: whose it is, and its workspace."""
    return f"name: {inline(name)}\nworkspace: {inline({'app_id': pin.app_id, 'region': pin.region})}\n"


def section_text(section: str, entries: Sequence[Written]) -> str:
    """A section with these entries."""
    text = Splices("")
    for entry in entries:
        text.append((section,), entry)
    return text.done()


def entries_of(session: Session, section: str, things: Sequence[Live]) -> Export:
    """Some things of a section as entries. Reads what says of which type their values are."""
    from reconciler.intercom.listing import everything

    kind = session.kinds.by_section[section]
    typing = {f.typed_by for f in kind.fields.values() if f.typed_by}
    seen = {name: list(everything(session.client, session.kinds[name], session.tick)) for name in typing} | {kind.name: things}
    writer = EntryWriter(session.kinds, seen, {})
    return Export({section: writer.write(kind, things)}, writer.left)


def list_text(section: str, entries: Sequence[Written]) -> str:
    """Entries as they stand below the key of their section."""
    return section_text(section, entries).partition("\n")[2] or "[]\n"
