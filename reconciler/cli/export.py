"""The verbs that begin with what is live: export, init."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from reconciler.cli import options
from reconciler.cli.connection import check_pin, connected, name_in_folder, pin_of_folder
from reconciler.cli.help import Verb
from reconciler.cli.options import Intercom, WorkspaceOptions
from reconciler.core.model.desired import Pin
from reconciler.errors import Usage
from reconciler.report.exporting import list_kept, list_left_out, list_written
from reconciler.report.progress import progress
from reconciler.report.terminal import Terminal
from reconciler.workflow import export as exporting
from reconciler.workflow.export import Target, Wanted, aim, by_default, exportable, searchable
from reconciler.workflow.lookup import blind_spot, read_where
from reconciler.workflow.session import Session, watched


def _sections(context: click.Context, parameter: click.Parameter, written: str | None) -> tuple[str, ...] | None:
    """`--only tags,companies` as sections, in the order of the kinds. Raises Usage."""
    if written is None:
        return None
    names = {name.strip() for name in written.split(",")}
    if unknown := names - {*exportable()}:
        raise Usage(
            f"--only {written}: {', '.join(sorted(unknown)) or 'nothing'} cannot be exported; write some of {','.join(exportable())}"
        )
    return tuple(section for section in exportable() if section in names)


_SEARCHED = " or ".join(searchable())
ONLY = click.option("--only", callback=_sections, metavar="SECTIONS", help=f"Some of {','.join(exportable())}; default: all but people.")


@dataclass(frozen=True)
class Selection:
    """What the command line asks for."""

    only: tuple[str, ...] | None
    # Only people for whom this holds.
    condition: str | None = None
    with_links: bool = False

    def read(self, version: str) -> Wanted:
        """What is to be exported. Raises Usage."""
        sections = self.only or by_default()
        if self.condition is None:
            return Wanted(sections, with_links=self.with_links)
        found = [section for section in searchable() if section in sections or self.only is None]
        if not found:
            raise Usage(f"--where narrows {_SEARCHED} alone, which --only leaves out")
        every = tuple(section for section in exportable() if section in {*sections, *found})
        return Wanted(every, read_where(found[0], self.condition, version), self.with_links)


@click.command(cls=Verb)
@click.option(
    "-o", "out", type=click.Path(path_type=Path), callback=options.in_folder, metavar="DIR|FILE", help="FILE ends in .yaml or .yml."
)
@ONLY
@click.option("--where", "condition", metavar="CONDITION", help=f"Only {_SEARCHED} for which this holds, as in `get --where`.")
@click.option("--with-links", is_flag=True, help="Also the links to what is exported or declared.")
@options.NAME
@options.pinned
@options.intercom_options
@options.gathered(selection=Selection, where=WorkspaceOptions)
def export(out: Path | None, selection: Selection, name: str | None, where: WorkspaceOptions, intercom: Intercom) -> int:
    """Write what is live as a manifest. Reads only.

    Into a folder goes a file for each section, and one with name and pin; without -o one file to stdout. Where a manifest is already,
    only what it does not declare is added; nothing that is written changes, and what differs is listed. What no manifest can hold is
    listed too.

    \b
    Example:
      reconciler export -o intercom/
      reconciler export -o vips.yaml --only tags,contacts --where 'email_domain = acme.com' --with-links
    """
    wanted = selection.read(intercom.api_version)
    target = aim(out) if out else None
    pin = _pin(target, where)
    name = name or _name(target)
    with _session(intercom, pin) as session:
        found = exporting.export(session, wanted, target.manifest if target else None)
        here = Pin(session.here.app_id, session.here.region)
        if target:
            _say(list_written(target.write(found, name, here)))
        else:
            shown = Terminal(sys.stdout)
            shown.write(exporting.text_of(found, name, here))
            shown.check()
        _say(list_kept(found.changes, here.app_id or ""))
        _say_left_out(session, wanted, found)
    return 0


@contextmanager
def _session(intercom: Intercom, pin: Pin) -> Iterator[Session]:
    """A session that only reads, with progress on stderr."""
    with progress(sys.stderr, label="reading") as bar, connected(intercom, pin, writes=False) as session:
        check_pin(pin, session)
        yield watched(session, lambda what: bar.advance(label=what))


def _folder(target: Target | None) -> Path:
    """Where the manifest lies that an export belongs to."""
    return target.path.parent if target and target.is_file else Path()


def _pin(target: Target | None, where: WorkspaceOptions) -> Pin:
    """The workspace that is meant: by the options, the manifest that is there, or the one beside it."""
    if target and target.manifest and target.manifest.pin:
        pin = target.manifest.pin
        return Pin(where.app_id or pin.app_id, where.region or pin.region)
    return pin_of_folder(where.region, where.app_id, _folder(target))


def _name(target: Target | None) -> str:
    if target and target.manifest:
        return target.manifest.name
    return name_in_folder(_folder(target)) or "default"


def _say(lines: Iterable[str]) -> None:
    told = Terminal(sys.stderr)
    for line in lines:
        told.say(line)


def _say_left_out(session: Session, wanted: Wanted, found: exporting.Export) -> None:
    _say(list_left_out(((left.address, left.why) for left in found.left), session.here.app_id))
    _say(found.notes)
    listed = [section for section in wanted.sections if not (wanted.where and session.kinds.by_section[section].search)]
    _say(filter(None, (blind_spot(session, section) for section in listed)))
