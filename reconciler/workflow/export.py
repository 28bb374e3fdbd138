"""Export: what is live as a manifest, or what of it a manifest does not have yet."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.core.compare.diff import diff
from reconciler.core.compare.match import Match, match
from reconciler.core.compare.typed import settle_types
from reconciler.core.model.address import id_in
from reconciler.core.model.change import Action, Change, LinkChange
from reconciler.core.model.desired import Manifest, Pin
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Snapshot
from reconciler.core.model.reference import name_references
from reconciler.core.plan.approvals import refuse
from reconciler.core.plan.gates import hold_to_pin
from reconciler.errors import Invalid, Usage
from reconciler.kinds import KINDS
from reconciler.manifest import files
from reconciler.manifest.editing import Draft
from reconciler.manifest.entries import EntryWriter, LeftOut, Written
from reconciler.manifest.layers import BASE, Layers, env_of, without_overlays
from reconciler.manifest.source import SUFFIXES
from reconciler.manifest.splicing import Splices, inline
from reconciler.workflow.lookup import compile_where
from reconciler.workflow.session import Session

if TYPE_CHECKING:
    from reconciler.core.search.language import Expression
    from reconciler.intercom.survey import Survey

# The file of a folder that says whose manifest this is.
HEAD = "workspace.yaml"


@dataclass(frozen=True)
class ExportScope:
    """What an export writes."""

    # In the order of the kinds.
    sections: tuple[str, ...]
    # Only things of the kind that can be searched for which this holds.
    where: Expression | None = None
    # Whether links are written too.
    with_links: bool = False


@dataclass(frozen=True)
class Export:
    """What an export found."""

    # By section; none of what the manifest has already.
    entries: Mapping[str, Sequence[Written]]
    # What is live and stands in no entry.
    omissions: Sequence[LeftOut] = ()
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


def export(session: Session, scope: ExportScope, manifest: Manifest | None = None) -> Export:
    """What is live of these sections, less what the manifest declares. Reads only.

    Raises Refused (3) for another workspace than that of the manifest.
    """
    survey, notes = _survey(session, scope, manifest)
    things, kinds = survey.all_things, [session.kinds.by_section[section] for section in scope.sections]
    writer = EntryWriter(session.kinds, things, survey.links)
    sections: set[str] = set()
    changes: Sequence[Change] = ()
    if manifest:
        refuse(hold_to_pin(manifest.pin, session.here))
        changes, sections = _meet(session, manifest, survey, writer)
    entries = {}
    for kind in kinds:
        entries[kind.section] = writer.write(kind, [thing for thing in survey.things[kind.name] if thing.id not in sections])
    return Export(entries, writer.omissions, changes, notes)


def _survey(session: Session, scope: ExportScope, manifest: Manifest | None) -> tuple[Survey, Sequence[str]]:
    """Read what is wanted, what says of which type its values are, and what the manifest has that links may lead to."""
    from reconciler.intercom.survey import Survey

    survey, notes = Survey(session.client, session.kinds, session.tick, scope.with_links), list[str]()
    kinds = [session.kinds.by_section[section] for section in scope.sections]
    beside = {f.typed_by for kind in kinds for f in kind.fields.values() if f.typed_by}
    if manifest and scope.with_links:
        beside |= {link.target for kind in kinds for link in kind.links} & {address.kind for address in manifest.resources}
    for kind in session.kinds:
        query = None
        if scope.where and kind.search and kind in kinds:
            query, query_notes = compile_where(session, kind, scope.where)
            notes += query_notes
        if kind in kinds or kind.name in beside:
            survey.read(kind, query)
    survey.read_ends()
    return survey, notes


def _meet(session: Session, manifest: Manifest, survey: Survey, writer: EntryWriter) -> tuple[Sequence[Change], set[str]]:
    """What the manifest says otherwise than live, and the ids of what it declares; whoever writes entries is told of its own."""
    kinds, all_things = session.kinds, survey.all_things
    if not survey.with_links:
        manifest = replace(manifest, resources={a: replace(r, links={}) for a, r in manifest.resources.items()})
    matches = Match()
    for kind in kinds:
        matches.add(match(kind, [r for a, r in manifest.resources.items() if a.kind == kind.name], all_things.get(kind.name, ())))
    things = {name: {thing.id: thing for thing in things} for name, things in all_things.items()}
    doubts = frozenset(matches.withheld), frozenset(matches.doubtful)
    live = name_references(kinds, Snapshot(session.here, things, matches.pairs, survey.links, *doubts, twins=matches.twins))
    typed_manifest, _ = settle_types(kinds, manifest, live)
    writer.addresses.update(manifest.resources)
    formers = ((kinds[a.kind], by, key) for a, r in manifest.resources.items() for by, key in r.former)
    writer.former.update((kind.name, by, kind.identity[by].fold(key)) for kind, by, key in formers)
    for address, live_id in matches.pairs.items():
        if not manifest.resources[address].is_gone:
            writer.ends[address.kind, live_id] = {"id": live_id} if id_in(address) else manifest.resources[address].key
    changes = diff(kinds, typed_manifest, live).changes
    return tuple(change for change in changes if _differs(change, all_things)), set(matches.pairs.values())


def _differs(change: Change, kinds: Container[str]) -> bool:
    """Whether a change says that what is live is otherwise; of what was not looked at nobody can say."""
    if isinstance(change, LinkChange):
        return change.id is not None and change.target.kind in kinds
    return change.action is not Action.CREATE


@dataclass(frozen=True)
class Target:
    """Where an export goes: a file, or a folder of files."""

    # Its path.
    path: Path
    # Whether it is one file.
    is_file: bool
    # All kinds.
    kinds: Kinds
    # The manifest that is there already, if any.
    manifest: Manifest | None = None
    # Its files while they are edited; None where there is no manifest.
    draft: Draft | None = None

    def write(self, export: Export, name: str, pin: Pin) -> Mapping[str, Mapping[str, int]]:
        """Write what is new, all of it or nothing. Returns, for each file, how many entries of each section are new in it.

        Raises Invalid where a manifest that is there could not be read afterwards, and OSError.
        """
        if self.draft:
            return self._add(self.draft, export)
        if self.is_file:
            files.write_all({self.path: text_of(export, name, pin).encode()})
            return {str(self.path): export.counts}
        files.write_all({self.path / file: text.encode() for file, text in texts_of(export, name, pin).items()})
        return {str(self.path / file_of(section)): {section: number} for section, number in export.counts.items()}

    def _add(self, draft: Draft, export: Export) -> Mapping[str, Mapping[str, int]]:
        """Add what is new to a manifest."""
        counts = defaultdict[str, Counter[str]](Counter)
        for section, entries in export.entries.items():
            kind = self.kinds.by_section[section]
            file = self._own(draft) if self.is_file else draft.file_for(kind)
            for entry in entries:
                draft.add(kind, entry, file)
                counts[file][section] += 1
        draft.manifest()
        draft.write()
        return counts

    def _own(self, draft: Draft) -> str:
        """The file as the draft calls it."""
        path = self.path.resolve()
        return next((document.file for document in draft.documents if Path(document.file).resolve() == path), str(self.path))


def aim(path: Path, layers: Layers = BASE, kinds: Kinds = KINDS) -> Target:
    """What is there where an export is to go: nothing, or a manifest. A file that says only with others of its folder what it means is a
    part of theirs. Raises Invalid (65) for one that cannot be read, and Usage for an overlay, and what is no manifest and no folder."""
    is_file = path.suffix.lower() in SUFFIXES and not path.is_dir()
    if not is_file and path.exists() and not path.is_dir():
        raise Usage(f"-o {path}: is there, and neither a folder nor a YAML file by its name")
    if is_file and str(path) not in without_overlays([str(path), *map(str, path.parent.glob("*.y*ml"))]):
        now = "give the file that it is laid over, or the folder"
        raise Usage(f"-o {path}: is an overlay of the environment {env_of(str(path))}, and an export is written as the base; {now}")
    if not (path.exists() if is_file else files.holds_manifest(str(path))):
        return Target(path, is_file, kinds)
    draft = Draft.read([str(path)], kinds, layers)
    try:
        return Target(path, is_file, kinds, draft.manifest(), draft)
    except Invalid:
        if not is_file:
            raise
        whole = Draft.read([str(path.parent)], kinds, layers)
        with suppress(Invalid):
            return Target(path, is_file, kinds, whole.manifest(), whole)
        raise


def text_of(export: Export, name: str, pin: Pin) -> str:
    """An export as one file."""
    return "\n".join(texts_of(export, name, pin).values())


def texts_of(export: Export, name: str, pin: Pin) -> Mapping[str, str]:
    """An export as the files of a folder, the head first."""
    sections = {file_of(section): section_text(section, export.entries[section]) for section in export.counts}
    return {HEAD: head_text(name, pin), **sections}


def file_of(section: str) -> str:
    """The file of a section in a folder."""
    return f"{section}.yaml"


def head_text(name: str, pin: Pin) -> str:
    """The head of a manifest: whose it is, and its workspace."""
    return f"name: {inline(name)}\nworkspace: {inline({'app_id': pin.app_id, 'region': pin.region})}\n"


def section_text(section: str, entries: Sequence[Written]) -> str:
    """A section with these entries."""
    text = Splices("")
    for entry in entries:
        text.append((section,), entry)
    return text.result()


def entries_of(session: Session, section: str, things: Sequence[Live]) -> Export:
    """Some things of a section as entries. Reads what says of which type their values are."""
    from reconciler.intercom.listing import everything

    kind = session.kinds.by_section[section]
    typing = {f.typed_by for f in kind.fields.values() if f.typed_by}
    things_by_kind = {name: list(everything(session.client, session.kinds[name], session.tick)) for name in typing} | {kind.name: things}
    writer = EntryWriter(session.kinds, things_by_kind, {})
    return Export({section: writer.write(kind, things)}, writer.omissions)


def list_text(section: str, entries: Sequence[Written]) -> str:
    """Entries as they stand below the key of their section."""
    return section_text(section, entries).partition("\n")[2] or "[]\n"
