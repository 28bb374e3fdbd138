"""The Dockerfile: held to the rules for small images without root; built where somebody asks for it, for that wants a registry."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler import __version__
from tests import ROOT

# .ci/run sets it where a docker daemon answers.
ASKED = os.environ.get("RECONCILER_DOCKER") == "1"
# The words of Dockerfiles: docs.docker.com/reference/dockerfile. ADD is left out on purpose: it may fetch and unpack.
WORDS = {"ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "FROM", "LABEL", "RUN", "USER", "WORKDIR"}


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile with what follows each, comments left out and lines put together."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    return [(word, " ".join(rest.split())) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def values(word: str) -> list[str]:
    return [rest for name, rest in instructions() if name == word]


def test_it_has_only_words_that_are_known_and_begins_with_a_base() -> None:
    assert {word for word, _ in instructions()} <= WORDS
    assert instructions()[0][0] == "FROM"


def test_each_stage_has_the_same_base_with_a_version() -> None:
    bases = {rest.partition(" AS ")[0] for rest in values("FROM")}
    assert len(values("FROM")) == 2
    assert [base for base in bases if not re.fullmatch(r"python:3\.\d+-slim-[a-z]+", base)] == []
    assert len(bases) == 1


def test_it_runs_without_root_and_starts_the_command() -> None:
    last = {word: rest for word, rest in instructions()}
    assert int(last["USER"]) > 0, "a number, so that a host can see that it is not root"
    assert f"--uid {last['USER']} " in next(rest for rest in values("RUN") if "useradd" in rest)
    assert last["ENTRYPOINT"] == '["reconciler"]'
    words = [word for word, _ in instructions()]
    assert words.index("USER") > max(n for n, word in enumerate(words) if word in ("RUN", "COPY"))


def test_no_secret_stands_in_it() -> None:
    names = " ".join([*values("ENV"), *values("ARG"), *values("LABEL")])
    assert re.findall(r"(?i)\w*(?:token|secret|password|key)\w*", names) == []


def test_only_what_the_build_needs_gets_into_its_context() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    copied = [name for rest in values("COPY") if not rest.startswith("--from") for name in rest.split()[:-1]]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == set(copied)


def test_what_it_copies_is_all_that_a_build_needs(tmp_path: Path) -> None:
    for rest in (rest for rest in values("COPY") if not rest.startswith("--from")):
        *names, target = rest.split()
        for name in names:
            place = tmp_path / target.lstrip("/")
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                place.mkdir(exist_ok=True)
                shutil.copy(ROOT / name, place)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path / "source", capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.glob("*.whl")] == [f"intercom_reconciler-{__version__}-py3-none-any.whl"]


@pytest.mark.skipif(not ASKED, reason="the image is built where RECONCILER_DOCKER=1 is set, as .ci/run does where docker answers")
@pytest.mark.timeout(900)
def test_the_image_answers_without_root() -> None:
    def docker(*arguments: str) -> str:
        done = subprocess.run(["docker", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=800)
        assert done.returncode == 0, done.stderr
        return done.stdout

    docker("build", "--quiet", "--tag", "reconciler:test", ".")
    assert docker("run", "--rm", "reconciler:test", "--version") == f"reconciler, version {__version__}\n"
    assert docker("run", "--rm", "--entrypoint", "id", "reconciler:test", "-u") == "1000\n"
    assert docker("run", "--rm", "reconciler:test", "get", "tags", "--sandbox") == ""
    assert docker("run", "--rm", "--entrypoint", "git", "reconciler:test", "--version").startswith("git version ")
