"""The README and the docs cannot lie: commands are run in order, outputs compared, manifests loaded, names looked up."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from reconciler.cli import VERBS, cli
from reconciler.errors import ReconcilerError
from reconciler.fleet import entries
from reconciler.fleet.states import State
from reconciler.manifest.read import read_manifest
from reconciler.sandbox import load_seed
from tests import ROOT
from tests.conftest import MakeRoute
from tests.stories.docs.pages import BIN, EXAMPLES, NOT_RUN, PAGES, README, Page, agrees, commands, page
from tests.stories.docs.picture import PICTURE, draw, words

pytestmark = pytest.mark.timeout(400)
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
LANGUAGES = ("console", "yaml", "python", "json", "text")


@pytest.mark.parametrize("page", [page for page in PAGES if page.shown()], ids=lambda page: page.name)
def test_every_command_prints_what_the_page_shows(page: Page) -> None:
    for one, output in zip(page.shown(), page.outputs(), strict=True):
        assert agrees(one.output, output), f"$ {one.command}\n{output}"


def test_what_is_not_run_is_marked_and_listed() -> None:
    marked = {block for page in PAGES for block in page.blocks("console") if block.not_run}
    assert {one.command: block.not_run for block in marked for one in commands(block.text)} == NOT_RUN


@every_page
def test_commands_stand_in_console_blocks_only(page: Page) -> None:
    fences = re.findall(r"^ *```(\w*)$", page.text, re.MULTILINE)
    assert set(fences[::2]) <= set(LANGUAGES)
    assert len(fences) == 2 * len(page.blocks(*LANGUAGES)), "a fence is not closed, or not at the beginning of its line"
    assert not [block for block in page.blocks(*LANGUAGES[1:]) if re.search(r"^\$ ", block.text, re.MULTILINE)]


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 250


def test_the_picture_shows_what_plan_prints() -> None:
    assert words(PICTURE.read_text(encoding="utf-8")) == words(draw()), "draw it again: python -m tests.stories.docs"
    assert PICTURE.relative_to(ROOT).as_posix() in README.read_text(encoding="utf-8")


# ---- what the pages name


@every_page
def test_every_verb_that_it_names_exists(page: Page) -> None:
    typed = [*re.findall(r"`[^`\n]+`", page.text), *(one.command for block in page.blocks("console") for one in commands(block.text))]
    named = set(re.findall(r"(?:^|`)reconciler ([a-z]+)\b", "\n".join(typed), re.MULTILINE))
    assert named <= set(VERBS)


@every_page
def test_every_option_that_it_names_exists(page: Page) -> None:
    typed = [*re.findall(r"`([^`\n]+)`", page.text), *(one.command for block in page.blocks("console") for one in commands(block.text))]
    own = [code.splitlines()[0] for code in typed if code.split()[0] in ("reconciler", *VERBS) or code.startswith("-")]
    named = {option for code in own for option in re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", code)}
    ours = {*options(cli), "--help"}
    assert named <= ours, named - ours


def options(command: click.Command) -> Iterator[str]:
    """Every option of a command, and of the commands in it."""
    for parameter in command.params:
        yield from parameter.opts
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            assert inner
            yield from options(inner)


@every_page
def test_every_file_that_it_names_exists(page: Page) -> None:
    named = set(re.findall(r"`((?:reconciler|tests|examples|docs)/[\w./-]*)`", page.text))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_the_map_of_the_house_shows_every_room() -> None:
    (drawing,) = (block.text for block in page("architecture").blocks("text") if block.text.startswith("reconciler/\n"))
    rooms = {path.name for path in (ROOT / "reconciler").iterdir() if path.is_dir() and path.name != "__pycache__"}
    rooms |= {path.name for path in (ROOT / "reconciler").glob("*.py")} - {"__init__.py", "__main__.py"}
    assert set(re.findall(r"^  ([\w.]+)/?  ", drawing, re.MULTILINE)) == rooms
    inner = {path.name for path in (ROOT / "reconciler/core").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert inner <= set(re.findall(r"^    (\w+)/", drawing, re.MULTILINE))


def test_the_kind_that_is_shown_is_the_one_that_a_test_adds() -> None:
    (declared,) = page("architecture").blocks("python")
    (added,) = (ROOT / "tests").rglob("test_one_more_kind.py")
    assert declared.text in added.read_text(encoding="utf-8")


def test_every_exit_code_of_an_error_stands_in_the_table() -> None:
    def below(error: type[ReconcilerError]) -> Iterator[type[ReconcilerError]]:
        yield error
        for child in error.__subclasses__():
            yield from below(child)

    rows = re.findall(r"^\| ([\d, ]+) \|", page("exit-codes").text, re.MULTILINE)
    listed = {int(code) for row in rows for code in row.split(",")}
    assert {error.exit_code for error in below(ReconcilerError)} <= listed


def test_every_key_of_a_plan_stands_in_its_table(make_route: MakeRoute) -> None:
    route = make_route(load_seed(EXAMPLES / "quickstart/live.yaml"))
    plan = route.document(EXAMPLES / "quickstart/intercom")
    rows = re.findall(r"^\| (`.*?) \|", page("programs").text, re.MULTILINE)
    listed = {key for row in rows for key in re.findall(r"`(\w+)`", row)}
    assert {*plan, *(key for change in plan["changes"] for key in change)} - {"format_version"} <= listed


def test_every_key_of_a_fleet_and_every_state_stand_in_its_tables() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", page("fleet").text, re.MULTILINE)
    models = (entries.FleetEntry, entries.TokenEntry, entries.GroupEntry, entries.WaveEntry, entries.WorkspaceEntry, entries.ListEntry)
    assert rows == [*(key for model in models for key in model.model_fields), *State]
    assert {f"`{key}`" for key in entries.MatchEntry.model_fields} <= set(re.findall(r"`\w+`", page("fleet").text))


# ---- the manifests in them


@pytest.mark.parametrize("text", [block.text for page in PAGES for block in page.blocks("yaml")])
def test_a_manifest_in_a_page_is_valid(text: str, tmp_path: Path) -> None:
    path = tmp_path / "page.yaml"
    path.write_text(text, encoding="utf-8")
    manifest = read_manifest([str(path)])
    assert manifest.resources or manifest.policy.model_fields_set or manifest.pin or manifest.approvals


@pytest.mark.parametrize("text", [block.text for page in PAGES for block in page.blocks("json")])
def test_json_in_a_page_is_json(text: str) -> None:
    assert json.loads(text)


def test_the_commands_are_our_own() -> None:
    assert (BIN / "reconciler").exists()
