"""The README and the pages of docs/: their blocks, and the commands in them as a reader types them."""

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

from reconciler.sandbox import Sandbox, load_seed, serve
from tests import ROOT
from tests.desk.forkserver import programs

README = ROOT / "README.md"
DOCS = ROOT / "docs"
EXAMPLES = ROOT / "examples"
BIN = Path(sys.executable).parent
PATHS = [README, *sorted(DOCS.rglob("*.md"))]

# What a page shows and no test runs, each for its reason. In the page the reason stands in front of the block.
NOT_RUN = {
    "pipx install git+REPOSITORY": "it needs a package registry",
    "uv tool install git+REPOSITORY": "it needs a package registry",
    "pip install git+REPOSITORY": "it needs a package registry",
    "git clone REPOSITORY reconciler": "it needs a package registry",
    "cd reconciler": "it needs a package registry",
    "make demo": "it needs a package registry",
    ". .venv/bin/activate": "it needs a package registry",
    "make bench": "it takes an hour",
    "age-keygen -o ~/undo-key.txt": "age is no part of this package",
    "docker build --tag reconciler .": "it needs docker",
    "pip install 'intercom-reconciler[fleet]'": "it needs PostgreSQL",
    "export RECONCILER_FLEET=postgresql://reconciler@db/fleet RECONCILER_LEDGER_KEY=$(cat ledger.key)": "it needs PostgreSQL",
    "reconciler fleet worker --jobs 8": "it needs PostgreSQL",
    "reconciler fleet worker --jobs 8 --queues drift": "it needs PostgreSQL",
    'docker run --rm --user "$(id -u)" --volume "$PWD:/manifest" --env INTERCOM_ACCESS_TOKEN reconciler plan intercom/': "it needs docker",
}
TOKEN = "dG9rOjEyMw=="  # what stands in ~/token.txt, and what the stand-in accepts
LEFT_OUT = "..."
MARK = "--- the next command ---"
# These verbs start a process of their own, as people start it; the demo does that for the others.
STARTED = "undo*|adopt*|forget*|history*|sandbox\\ serve"


@dataclass(frozen=True)
class Shown:
    """A command of a page and the output that stands under it."""

    # The command as typed, without the prompts.
    command: str
    # What the page shows under it.
    output: str


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    # The word after the fence.
    language: str
    # What stands between the fences.
    text: str
    # Why it is not run; empty where it is.
    not_run: str


@dataclass(frozen=True)
class Page:
    """One page, as it stands in its file."""

    # The file.
    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    def blocks(self, *languages: str) -> list[Block]:
        """The fenced blocks of these languages."""
        matches = re.findall(r"^(?:<!-- not run: ([^\n]*) -->\n)?```(\w*)\n(.*?)^```$", self.text, re.MULTILINE | re.DOTALL)
        return [Block(language, text, reason) for reason, language, text in matches if language in languages]

    def before(self) -> list[str]:
        """What is run before the page's first command: `<!-- before: … -->`."""
        return re.findall(r"^<!-- before: (.*) -->$", self.text, re.MULTILINE)

    def shown(self) -> list[Shown]:
        """Every command that is run."""
        return [one for block in self.blocks("console") if not block.not_run for one in commands(block.text)]

    def outputs(self) -> list[str]:
        """What the commands of `shown` print today."""
        before = self.before()
        return run_all([*before, *(one.command for one in self.shown())])[len(before) :]


def commands(block: str) -> Iterator[Shown]:
    """Every command after `$ `, with the lines after `> ` that go on with it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        going_on = next((n for n, line in enumerate(lines) if n and not line.startswith("> ")), len(lines))
        command = "".join([lines[0], *(line[2:] for line in lines[1:going_on])]).rstrip("\n")
        yield Shown(command, "".join(lines[going_on:]))


PAGES = [Page(path) for path in PATHS]


def page(name: str) -> Page:
    """The page of this name in docs/."""
    return Page(DOCS / f"{name}.md")


@contextmanager
def clone() -> Iterator[Path]:
    """A folder like a clone after `make demo`, as far as the commands see it."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(EXAMPLES, Path(folder, "examples"))
        Path(folder, ".venv").symlink_to(BIN.parent)
        yield Path(folder)


def surroundings(home: Path, **more: str) -> Mapping[str, str]:
    """An empty HOME, no token, no keyring, no CI, and our own `reconciler` first."""
    where = {"HOME": str(home), "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    # This tree's, whichever one the environment was installed from.
    return {**where, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", "COLUMNS": "100", **more}


@contextmanager
def stand_in() -> Iterator[str]:
    """What pages on a real workspace talk to: another sandbox, over HTTP, with the token of `~/token.txt`."""
    with Sandbox(token=TOKEN) as box, serve(box) as server:
        box.seed(load_seed(EXAMPLES / "quickstart/live.yaml"))
        yield server.url


def quick(folder: Path) -> Path:
    """A folder with a `reconciler` that starts at once: what is typed becomes that very process, which can be stopped by its number."""
    script = f'#!/bin/sh\ncase "$1 $2" in {STARTED}) exec {BIN}/reconciler "$@";; *) exec {programs()}/reconciler "$@";; esac\n'
    program = folder / ".bin/reconciler"
    program.parent.mkdir()
    program.write_text(script, encoding="utf-8")
    program.chmod(0o755)
    return program.parent


def run_all(commands: list[str]) -> list[str]:
    """The outputs of commands that are typed into one shell, one after the other, in the order in which a terminal shows them."""
    script = "".join(f"{{ {command}\n}} 2>&1 < /dev/null\n_code=$?; echo '{MARK}'; (exit $_code)\n" for command in commands)
    with clone() as folder, tempfile.TemporaryDirectory() as home, stand_in() as url:
        Path(home, "token.txt").write_text(TOKEN + "\n", encoding="utf-8")
        around = surroundings(Path(home), INTERCOM_BASE_URL=url, PYTHONUNBUFFERED="1")
        around = {**around, "PATH": f"{quick(folder)}:{around['PATH']}"}
        done = subprocess.run(["bash", "-c", script], cwd=folder, env=around, capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    outputs = done.stdout.replace(home, "/home/you").split(MARK + "\n")
    assert len(outputs) == len(commands) + 1, done.stdout
    return outputs[:-1]


def steady(text: str) -> str:
    """How long something took, or will, when it was, and where a server listens is another number every time."""
    text = re.sub(r"\b\d{8}T\d{9}-[0-9a-f]{8}\b", "20261125T030213335-0f9e8d7c", text)
    text = re.sub(r'"at": "[^"]*"', '"at": "2026-11-25T03:02:13.335Z"', text)
    text = re.sub(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-11-25T03:02:13Z", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\d by ", "2026-11-25 by ", text)
    text = re.sub(r"\bage1[02-9ac-hj-np-z]{58}\b", "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa", text)
    text = re.sub(r"seen: '[0-9a-f]{16}'", "seen: '0c6e5d1f9a2b4e37'", text)
    text = re.sub(r"in (less than a second|about \d+ seconds?)\.", "in less than a second.", text)
    # Two calls on either side of a window's edge leave another number than two within one.
    return re.sub(r"\b\d+ (of \d+ calls left in this window of ten seconds), for \d+ s\b", r"1665 \1, for 9 s", text)


def agrees(shown: str, output: str) -> bool:
    """Whether an output is what a page shows; a line `...` stands for any lines."""
    parts = [re.escape(part) for part in re.split(rf"^{re.escape(LEFT_OUT)}\n", steady(shown), flags=re.MULTILINE)]
    return re.fullmatch("(?:.*\n)*".join(parts), steady(output)) is not None


def rewrite(page: Page) -> None:
    """Put what the commands print today where the page shows something else."""
    text, start = page.text, 0
    for one, output in zip(page.shown(), page.outputs(), strict=True):
        typed = "$ " + one.command.replace("\n", "\n> ") + "\n"
        start = text.index(typed, start) + len(typed)
        if not agrees(one.output, output):
            text = text[:start] + steady(output) + text[start + len(one.output) :]
    page.path.write_text(text, encoding="utf-8")
