"""Verbs about the file CODEOWNERS: write it from the `owner:` of entries; say who owns what a plan comes from."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from reconciler.cli import options
from reconciler.cli.completion import files
from reconciler.cli.help import Family, LocalVerb
from reconciler.cli.options import ManifestOptions
from reconciler.core.model.desired import Manifest
from reconciler.errors import Invalid, Problem, Usage
from reconciler.ledger.folder import root_of
from reconciler.manifest.codeowners import OWNER, PLACES, find_owners, read_teams, write_owners
from reconciler.manifest.files import read_bytes, replace_all
from reconciler.report.terminal import Terminal, clean
from reconciler.workflow.planfile import read_plan

# The exit code where something would change.
DIFFERS = 2


@click.group(cls=Family)
def codeowners() -> None:
    """The file CODEOWNERS, by which GitHub and GitLab ask for reviews: written from the `owner:` of tags. Intercom is not asked.

    \b
    Example:
      reconciler codeowners write intercom/ --team growth=@acme/growth
    """


def _teams(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> Mapping[str, str]:
    """`growth=@acme/growth`. Raises Usage."""
    pairs = [text.partition("=") for text in texts]
    if bad := [text for text, (owner, _, team) in zip(texts, pairs, strict=True) if not owner or not OWNER.fullmatch(team)]:
        raise Usage(f"--team {bad[0]}: write OWNER=@ORG/TEAM, OWNER=@USER or OWNER=E-MAIL")
    return {owner: team for owner, _, team in pairs}


@codeowners.command(cls=LocalVerb)
@options.PATHS
@options.ENV
@click.option("--team", "teams", multiple=True, callback=_teams, metavar="OWNER=@TEAM", help="Who stands for an owner; may be repeated.")
@click.option("--check", is_flag=True, help="Write nothing; exit code 2 where something would change.")
@options.gather(source=ManifestOptions)
def write(source: ManifestOptions, teams: Mapping[str, str], check: bool) -> int:
    """Write which team reviews which file of the manifest.

    A file is owned by the owners of all tags in it: one of them has to review it. The lines stand between two marks in the file CODEOWNERS
    of the repository, with the team of each owner; all else in it stays. --team says it once, and the file remembers it. An owner that is a
    team, a user or an e-mail already stands for itself.

    \b
    Example:
      reconciler codeowners write intercom/ --team growth=@acme/growth --team support=@acme/support
      reconciler codeowners write intercom/ --check
    """
    root = _root()
    place = next((name for name in PLACES if (root / name).is_file()), PLACES[not (root / ".github").is_dir()])
    path = os.path.relpath(root / place)
    data = read_bytes(path) if os.path.exists(path) else b""
    text = data.decode("utf-8", "surrogateescape")
    all_teams = {**read_teams(text), **teams}
    content = write_owners(text, _owners_by_file(source.read(), all_teams, root), all_teams).encode("utf-8", "surrogateescape")
    terminal = Terminal(sys.stderr)
    if content == data:
        terminal.say(f"{path}: nothing is changed")
        return 0
    if not check:
        replace_all({path: data}, {path: content})
    terminal.say(f"{path}: {'would be changed' if check else 'changed'}")
    return DIFFERS if check else 0


def _root() -> Path:
    here = Path.cwd()
    return root_of(here) or here


def _within(root: Path, file: str) -> str:
    """A file by its path from the root of the repository."""
    return os.path.relpath(os.path.abspath(file), root)


def _owners_by_file(manifest: Manifest, teams: Mapping[str, str], root: Path) -> Mapping[str, set[str]]:
    """The owners of each file, by its path from the root. Raises Invalid where nobody says which team an owner is."""
    owners: dict[str, set[str]] = {}
    unknown = []
    for resource in manifest.resources.values():
        if not resource.owner:
            continue
        if resource.owner not in teams and not OWNER.fullmatch(resource.owner):
            unknown.append(Problem(resource.mark, f"nobody says which team `owner: {resource.owner}` is", "say it once with --team"))
        owners.setdefault(_within(root, resource.mark.file), set()).add(resource.owner)
    if unknown:
        raise Invalid(unknown)
    return owners


@codeowners.command("of", cls=LocalVerb)
@click.argument("file", type=click.Path(path_type=Path), metavar="PLAN.json", shell_complete=files)
def of(file: Path) -> None:
    """List who owns all of the files that the changes of a plan come from, one a line.

    \b
    Example:
      reconciler codeowners of plan.json
    """
    root = _root()
    place = next((root / name for name in PLACES if (root / name).is_file()), None)
    text = place.read_text(encoding="utf-8", errors="replace") if place else ""
    # What is no longer declared comes from no file: only an owner of everything decides about it.
    paths = [change["source"]["file"] if change["source"] else None for change in read_plan(file)["changes"]]
    sources = {_within(root, name) if name else "" for name in paths}
    owners = [find_owners(text, source) for source in sorted(sources)]
    out = Terminal(sys.stdout)
    out.lines(clean(owner) for owner in dict.fromkeys(owners[0] if owners else ()) if all(owner in others for others in owners))
    out.check()
