"""The README cannot lie: its commands are run in order, its outputs compared, its manifests loaded, its names looked up.

`python -m tests.test_readme` writes into the README what its commands print today. Read what it changed before you keep it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from reconciler import workflow
from reconciler.cli import VERBS, cli
from reconciler.errors import ReconcilerError
from reconciler.sandbox import Sandbox, load_seed, serve
from tests.conftest import MakeRoute
from tests.forkserver import programs
from tests.route import Route

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
EXAMPLES = ROOT / "examples"
BIN = Path(sys.executable).parent

# Shown in the README and not run here, each for its reason.
NOT_RUN = {
    "git clone REPOSITORY reconciler": "this is that clone",
    "cd reconciler": "this is that clone",
    "make demo": "it installs, then runs examples/quickstart/demo.sh, which a test below runs",
}
pytestmark = pytest.mark.timeout(400)
TOKEN = "dG9rOjEyMw=="  # what stands in ~/token.txt, and what the stand-in accepts
STARTED = "undo|adopt|forget|history|api"
LEFT_OUT = "..."
MARK = "--- the next command ---"

# ---- what the README shows


@dataclass(frozen=True)
class Shown:
    """A command of the README and the output that stands under it."""

    command: str
    output: str


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def shown() -> list[Shown]:
    """Every command after `$ `, with the lines after `> ` that go on with it."""
    found = []
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.splitlines(keepends=True)
            going_on = next((n for n, line in enumerate(lines) if n and not line.startswith("> ")), len(lines))
            command = "".join([lines[0], *(line[2:] for line in lines[1:going_on])]).rstrip("\n")
            found.append(Shown(command, "".join(lines[going_on:])))
    return [one for one in found if one.command not in NOT_RUN]


# ---- what really happens


@contextmanager
def clone() -> Iterator[Path]:
    """A folder like a clone after `make demo`, as far as the README's commands see it."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(EXAMPLES, Path(folder, "examples"))
        Path(folder, ".venv").symlink_to(BIN.parent)
        yield Path(folder)


def surroundings(home: Path, **more: str) -> Mapping[str, str]:
    """An empty HOME, no token, no keyring, no CI, and our own `reconciler` first."""
    where = {"HOME": str(home), "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    return {**where, "LC_ALL": "C.UTF-8", "COLUMNS": "100", **more}


@contextmanager
def stand_in() -> Iterator[str]:
    """What the section on a real workspace talks to: another sandbox, over HTTP, with the token of `~/token.txt`."""
    with Sandbox(token=TOKEN) as box, serve(box) as server:
        box.seed(load_seed(EXAMPLES / "quickstart/live.yaml"))
        yield server.url


def run_all(commands: list[str]) -> list[str]:
    """The outputs of commands that are typed into one shell, one after the other, in the order in which a terminal shows them."""
    # A verb is started as people start it where the demo does not do that.
    script = f'reconciler() {{ case $1 in {STARTED}) command reconciler "$@";; *) {programs()}/reconciler "$@"; esac; }}\n'
    script += "".join(f"{{ {command}\n}} 2>&1 < /dev/null\n_code=$?; echo '{MARK}'; (exit $_code)\n" for command in commands)
    with clone() as folder, tempfile.TemporaryDirectory() as home, stand_in() as url:
        Path(home, "token.txt").write_text(TOKEN + "\n", encoding="utf-8")
        around = surroundings(Path(home), INTERCOM_BASE_URL=url, PYTHONUNBUFFERED="1")
        done = subprocess.run(["bash", "-c", script], cwd=folder, env=around, capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    told = done.stdout.replace(home, "/home/you").split(MARK + "\n")
    assert len(told) == len(commands) + 1, done.stdout
    return told[:-1]


def steady(text: str) -> str:
    """How long something took, or will, and when it was, is another number every time."""
    text = re.sub(r"\b\d{8}T\d{9}-[0-9a-f]{8}\b", "20261125T030213335-0f9e8d7c", text)
    text = re.sub(r'"at": "[^"]*"', '"at": "2026-11-25T03:02:13.335Z"', text)
    text = re.sub(r"in (less than a second|about \d+ seconds?)\.", "in less than a second.", text)
    # Two calls on either side of a window's edge leave another number than two within one.
    return re.sub(r"\b\d+ (of \d+ calls left in this window of ten seconds), for \d+ s\b", r"1665 \1, for 9 s", text)


def agrees(shown: str, told: str) -> bool:
    """Whether an output is what the README shows; a line `...` stands for any lines."""
    parts = [re.escape(part) for part in re.split(rf"^{re.escape(LEFT_OUT)}\n", steady(shown), flags=re.MULTILINE)]
    return re.fullmatch("(?:.*\n)*".join(parts), steady(told)) is not None


def test_every_command_prints_what_the_readme_shows() -> None:
    expected = shown()
    told = run_all([one.command for one in expected])
    for one, output in zip(expected, told, strict=True):
        assert agrees(one.output, output), f"$ {one.command}\n{output}"


def test_commands_stand_in_console_blocks_only() -> None:
    text = README.read_text(encoding="utf-8")
    languages = re.findall(r"^```(\w*)$", text, re.MULTILINE)[::2]
    assert set(languages) <= {"console", "yaml", "python", "text"}
    assert not [block for language in ("yaml", "python", "text") for block in blocks(language) if re.search(r"^\$ ", block, re.MULTILINE)]
    written = {one for block in blocks("console") for one in re.findall(r"^\$ (.*)", block, re.MULTILINE)}
    assert set(NOT_RUN) <= written, "NOT_RUN names a command that the README does not show"


# ---- what the README names


def test_every_verb_that_it_names_exists() -> None:
    named = set(re.findall(r"\breconciler ([a-z]+)\b", " ".join(re.findall(r"`[^`\n]+`", README.read_text(encoding="utf-8")))))
    assert named <= set(VERBS)


def test_every_option_that_it_names_exists() -> None:
    def options(command: click.Command) -> Iterator[str]:
        for parameter in command.params:
            yield from parameter.opts
        if isinstance(command, click.Group):
            for name in command.list_commands(click.Context(command)):
                found = command.get_command(click.Context(command), name)
                assert found
                yield from options(found)

    ours = {*options(cli), "--help"}
    text = README.read_text(encoding="utf-8")
    typed = [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"^\$ (.*)", "".join(blocks("console")), re.MULTILINE)]
    own = [code for code in typed if code.split()[0] in ("reconciler", *VERBS) or code.startswith("-")]
    named = {option for code in own for option in re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", code)}
    assert named <= ours, named - ours


def test_every_file_that_it_names_exists() -> None:
    text = README.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:reconciler|tests|examples)/[\w./-]*)`", text)) | set(re.findall(r"\]\(([\w./-]+)\)", text))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_the_map_of_the_house_shows_every_room() -> None:
    (drawn,) = (block for block in blocks("text") if block.startswith("reconciler/\n"))
    rooms = {path.name for path in (ROOT / "reconciler").iterdir() if path.is_dir() and path.name != "__pycache__"}
    rooms |= {path.name for path in (ROOT / "reconciler").glob("*.py")} - {"__init__.py", "__main__.py"}
    assert set(re.findall(r"^  ([\w.]+)/?  ", drawn, re.MULTILINE)) == rooms


def test_the_kind_that_it_shows_is_the_one_that_a_test_adds() -> None:
    (declared,) = blocks("python")
    assert declared in (ROOT / "tests/test_one_more_kind.py").read_text(encoding="utf-8")


def test_every_exit_code_of_an_error_stands_in_its_table() -> None:
    def below(error: type[ReconcilerError]) -> Iterator[type[ReconcilerError]]:
        yield error
        for child in error.__subclasses__():
            yield from below(child)

    rows = re.findall(r"^\| ([\d, ]+) \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    told = {int(code) for row in rows for code in row.split(",")}
    assert {error.exit_code for error in below(ReconcilerError)} <= told


# ---- its manifests, and the examples


@pytest.mark.parametrize("text", blocks("yaml"))
def test_manifests_in_the_readme_are_valid(text: str, tmp_path: Path) -> None:
    path = tmp_path / "readme.yaml"
    path.write_text(text, encoding="utf-8")
    manifest = workflow.read_manifest([str(path)])
    assert manifest.resources or manifest.policy.model_fields_set or manifest.pin or manifest.approvals


@pytest.mark.parametrize("name", ["quickstart/intercom", "agency"])
def test_an_example_is_planned_on_an_empty_workspace_and_converges(name: str, route: MakeRoute) -> None:
    told = route()
    found = told.document(EXAMPLES / name)
    assert found["changes"]
    assert found["refused"] == []
    assert {outcome.status for outcome in told.converge(EXAMPLES / name)} == {"applied"}
    assert told.document(EXAMPLES / name)["changes"] == []


def test_an_example_has_every_kind_and_most_words(route: MakeRoute) -> None:
    told: Route = route()
    manifest = workflow.read_manifest([str(EXAMPLES / "agency")])
    assert manifest.sections == {kind.section for kind in told.kinds}


def test_the_demo_runs_and_leaves_nothing_behind(tmp_path: Path) -> None:
    before = sorted(EXAMPLES.rglob("*"))
    around = surroundings(tmp_path, TMPDIR=str(tmp_path))
    done = subprocess.run(["bash", EXAMPLES / "quickstart/demo.sh"], cwd=ROOT, env=around, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No changes. The workspace is as declared." in done.stdout
    assert sorted(EXAMPLES.rglob("*")) == before
    assert list(tmp_path.iterdir()) == []


def test_the_demo_fails_when_a_command_ends_otherwise(tmp_path: Path) -> None:
    broken = tmp_path / "bin" / "reconciler"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    broken.chmod(0o755)
    around = {**surroundings(tmp_path), "PATH": f"{broken.parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", EXAMPLES / "quickstart/demo.sh"], env=around, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (1, "demo: this ended with 1, 0 was expected\n")


def _written_again() -> None:
    """Put what the commands print today where the README shows something else."""
    text, expected = README.read_text(encoding="utf-8"), shown()
    start = 0
    for one, output in zip(expected, run_all([one.command for one in expected]), strict=True):
        typed = "$ " + one.command.replace("\n", "\n> ") + "\n"
        start = text.index(typed, start) + len(typed)
        if not agrees(one.output, output):
            text = text[:start] + steady(output) + text[start + len(one.output) :]
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _written_again()
