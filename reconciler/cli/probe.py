"""`doctor --probe` and `doctor --clean`: never in the workspace that a manifest is for, and not before somebody agreed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from reconciler.cli.asking import confirm
from reconciler.cli.connection import check_pin, open_session
from reconciler.cli.help import refuse_writes
from reconciler.cli.options import Intercom, ProbeOptions, WorkspaceOptions
from reconciler.cli.running import DECLINED
from reconciler.core.model.desired import Pin
from reconciler.core.model.facts import FILE, FactsFile
from reconciler.errors import ReconcilerError, Refused, Usage
from reconciler.intercom.probe.bench import PREFIX
from reconciler.ledger.folder import our_folder, root_of
from reconciler.report.progress import progress
from reconciler.report.signs import columns
from reconciler.report.terminal import Terminal
from reconciler.workflow.planfile import write_whole
from reconciler.workflow.probe import Notebook, Removal, ask_all, clear, facts_text, notebook
from reconciler.workflow.session import Session, watch


def probe(paths: tuple[str, ...], form: str, probing: ProbeOptions, where: WorkspaceOptions, intercom: Intercom) -> int:
    """Clean up after an earlier probe, and with `--probe` ask, clean up, and write what was found. Raises Usage, Refused."""
    app_id = where.app_id
    if not app_id:
        raise Usage("--probe and --clean need the workspace that is meant, a test one: --app-id ID")
    if probing.probe and not probing.yes and not (sys.stdin and sys.stdin.isatty()):
        raise Usage("there is no terminal to ask at; give --yes if a probe of that workspace is meant")
    refuse_writes("a probe makes things and removes them; nothing was sent")
    _refuse_pinned(paths, app_id)
    pin = Pin(app_id, where.region)
    with open_session(intercom, pin, writes=True, paths=paths, follows=False) as session:
        check_pin(pin, session)
        question = f"Make, look at and remove some thirty things named {PREFIX}… in the workspace {app_id}?"
        if probing.probe and not probing.yes and not confirm(question):
            Terminal(sys.stderr).say("Not asked; nothing was made.")
            return DECLINED
        with notebook(our_folder(paths), app_id) as book:
            _tell(clear(session, book), "left by an earlier probe")
            if probing.probe:
                _write(_ask(session, book, attributes=probing.may_archive), probing.out or _beside(paths), form)
    return 0


def _ask(session: Session, book: Notebook, *, attributes: bool) -> FactsFile:
    """What was found; what was made is removed whatever happens."""
    try:
        with progress(sys.stderr, label="asking") as bar:
            return ask_all(watch(session, lambda name, n=1, more=0: bar.advance(label=name)), book, attributes=attributes)
    finally:
        removal = clear(session, book)
        _tell(removal, "made by this probe")


def _tell(removal: Removal, whence: str) -> None:
    """What was removed. Raises ReconcilerError where something is left."""
    if removal.removed:
        counts = {what: sum(thing.what == what for thing in removal.removed) for what in dict.fromkeys(m.what for m in removal.removed)}
        text = ", ".join(f"{what} {number}" for what, number in counts.items())
        Terminal(sys.stderr).say(f"removed what was {whence}: {text}")
    if removal.trouble:
        raise ReconcilerError(f"not all that was {whence} could be removed: {removal.trouble}")


def _write(facts: FactsFile, path: Path, form: str) -> None:
    write_whole(path, facts_text(facts), 0o644)
    out = Terminal(sys.stdout)
    if form == "json":
        out.write(facts_text(facts))
    else:
        out.lines(columns(_rows(facts)))
    out.check()
    Terminal(sys.stderr).say(f"written to {path}: plans of the manifest beside it, and the sandbox, follow it")


def _rows(facts: FactsFile) -> Iterator[tuple[str, str]]:
    yield from ((name, str(value)) for name, value in facts.facts.model_dump(exclude_none=True).items())
    yield from ((name, f"not settled: {why}") for name, why in facts.unsettled.items())


def _beside(paths: tuple[str, ...]) -> Path:
    """Where plans look for facts: beside the manifest, else in our own folder."""
    path = Path(paths[0]) if paths else Path()
    folder = path if path.is_dir() else path.parent
    return (folder if paths or any(Path().glob("*.y*ml")) else our_folder(paths)) / FILE


def _manifests(paths: tuple[str, ...]) -> list[str]:
    """The manifests that are meant, and all that may be one in this repository, or below this folder."""
    from reconciler.manifest.files import find
    from reconciler.manifest.source import SUFFIXES

    files = find(paths) if paths else []
    for folder, inner, names in os.walk(os.path.relpath(root_of(Path.cwd()) or Path.cwd())):
        inner[:] = [name for name in inner if not name.startswith(".")]
        files += [os.path.normpath(os.path.join(folder, name)) for name in names if name.lower().endswith(SUFFIXES)]
    return files


def _refuse_pinned(paths: tuple[str, ...], app_id: str) -> None:
    """Raises Refused where one of the manifests is for the workspace that is to be probed, Invalid where that cannot be told."""
    from reconciler.manifest.layers import Layers
    from reconciler.manifest.pins import pin_in

    for path in _manifests(paths):
        data = Path(path).read_bytes() if Path(path).is_file() else b""
        # Most files are not worth a second look. One that may have a pin and cannot be read is an error.
        if b"workspace" in data and (pin := pin_in([path], Layers.of("", os.environ))) and pin.app_id == app_id:
            text = f"workspace: {path} is pinned to {app_id}, and a probe makes things where it runs"
            raise Refused([f"{text}; give the --app-id, and the token, of a test workspace that no manifest here is for"])
