"""What somebody meets first: the package as it is installed, its files, and what they promise."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

from reconciler import __version__
from reconciler.cli import VERBS, cli
from reconciler.cli.running import run as run_verb
from tests import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


CI = ROOT / "examples/ci"


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def run(*command: str | Path, within: Path = ROOT, **environ: str) -> str:
    ended = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=100, env=os.environ | environ, cwd=within, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def pinned(text: str) -> set[str]:
    """The versions of ours that a template or a page names: `…/reconciler@v1.2.3`, or `rev: v1.2.3` of a pre-commit hook."""
    return set(re.findall(r"(?:\breconciler(?:\.git)?@|\brev: )v?(\d[\w.]*)", text))


def test_the_version_is_written_in_one_place() -> None:
    assert (PROJECT["dynamic"], "version" in PROJECT) == (["version"], False)
    assert f"## [{__version__}]" in read("CHANGELOG.md")


def test_every_template_pins_this_version() -> None:
    files = [*ROOT.glob("*.*"), *(ROOT / "docs").rglob("*.*"), *(ROOT / "examples").rglob("*.*")]
    texts = {path.relative_to(ROOT): path.read_text(encoding="utf-8") for path in files if path.suffix in (".md", ".sh", ".yaml", ".yml")}
    versions_by_file = {str(path): versions for path, text in texts.items() if (versions := pinned(text))}
    assert {name: versions for name, versions in versions_by_file.items() if versions != {__version__}} == {}
    assert set(versions_by_file) >= {
        ".pre-commit-hooks.yaml",
        *(f"examples/ci/github/intercom-{job}.yml" for job in ("plan", "apply", "nightly")),
        "examples/ci/gitlab/.gitlab-ci.yml",
    }


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md"])
def test_what_a_contributor_is_told_is_there(name: str) -> None:
    text = read(name)
    paths = re.findall(r"`((?:tests|reconciler|examples)/[^`\s]*)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []
    targets = set(re.findall(r"^(\w+):", read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"\bmake (\w+)\b", text)) <= targets | {"format"}


def test_each_folder_of_tests_has_its_line_in_the_guide() -> None:
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py")}
    named = {Path(name) for name in re.findall(r"`(tests/[\w/]+)/`", read("CONTRIBUTING.md"))}
    assert [folder for folder in sorted(folders) if not {folder, *folder.parents} & named] == []


def test_the_unit_tests_have_the_folders_of_the_package() -> None:
    folders = {path.parent.relative_to(ROOT / "tests/unit") for path in (ROOT / "tests/unit").rglob("test_*.py")}
    assert [folder for folder in sorted(folders) if not (ROOT / "reconciler" / folder).is_dir()] == []


def test_the_hooks_start_verbs_that_are_there() -> None:
    for hook in yaml.safe_load(read(".pre-commit-hooks.yaml")):
        command, verb = hook["entry"].split()[:2]
        assert (command, verb in VERBS) == ("reconciler", True)


def test_the_hooks_run_as_they_are_declared(tmp_path: Path) -> None:
    """As pre-commit runs them: entry, then args, in the root of the repository."""
    (tmp_path / "m.yaml").write_text("policy: {lint: {owner: error}}\ntags: [{name: vip, owner: growth}]\n", encoding="utf-8")
    hooks = {hook["id"]: hook for hook in yaml.safe_load(read(".pre-commit-hooks.yaml"))}
    assert set(hooks) == {"reconciler-validate", "reconciler-lint", "reconciler-fmt"}
    for amiss, codes in ((False, [0, 0, 0]), (True, [0, 65, 0])):
        if amiss:
            (tmp_path / "m.yaml").write_text("policy: {lint: {owner: error}}\ntags:   [vip]\n", encoding="utf-8")
        assert [run_verb(cli, [*hook["entry"].split()[1:], str(tmp_path)]) for hook in hooks.values()] == codes
    assert (tmp_path / "m.yaml").read_text(encoding="utf-8") == "policy: {lint: {owner: error}}\ntags: [vip]\n"


def test_completion_names_the_verbs_and_ends_well() -> None:
    script = (sys.executable, "-m", "reconciler")
    assert run(*script, _RECONCILER_COMPLETE="bash_complete", COMP_WORDS="reconciler dr", COMP_CWORD="1") == "plain,drift\n"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("built")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--target", "sdist", "--directory", folder)
    return folder


def test_the_wheel_holds_the_package_alone(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    assert {name.partition("/")[0] for name in names} == {"reconciler", f"intercom_reconciler-{__version__}.dist-info"}
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "reconciler").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    templates = {f"reconciler/pipelines/{path.relative_to(CI)}" for path in CI.rglob("*") if path.is_file()}
    assert {name for name in names if name.startswith("reconciler/")} == files | templates


def test_the_source_distribution_holds_the_project_and_nothing_of_this_machine(built: Path) -> None:
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    files = (
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "pyproject.toml",
        "reconciler/py.typed",
        "tests/ci/test_distribution.py",
        "examples/ci/plain.sh",
    )
    assert set(files) - names == set()
    folders = {part for name in names for part in Path(name).parts[:-1]}
    assert folders & {".venv", ".git", ".reconciler", ".hypothesis", "__pycache__"} == set()


def contents(wheel: Path) -> dict[str, int]:
    """The files of a wheel, and the checksum of each."""
    with zipfile.ZipFile(wheel) as packed:
        return {member.filename: member.CRC for member in packed.infolist()}


def test_the_source_distribution_builds_the_same_wheel(built: Path, tmp_path: Path) -> None:
    """Without a registry, and in a folder that holds no copy of the project."""
    (wheel,), (source,) = built.glob("*.whl"), built.glob("*.tar.gz")
    with tarfile.open(source) as packed:
        packed.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path / "again", within=unpacked)
    (again,) = (tmp_path / "again").glob("*.whl")
    assert contents(again) == contents(wheel)


def test_what_is_built_installs_and_every_verb_answers_from_it(built: Path, tmp_path: Path) -> None:
    """Over the packages of the tests, without a registry; in a folder that holds no copy of the project."""
    (package,) = built.glob("*.whl")
    venv.create(tmp_path / "clean", with_pip=False)
    python = tmp_path / "clean" / "bin" / "python"
    (site,) = (tmp_path / "clean" / "lib").glob("python*/site-packages")
    (site / "packages-of-the-tests.pth").write_text(f"{Path(yaml.__file__).parents[1]}\n")
    install = ("-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps", "--no-compile", "--ignore-installed")
    run(sys.executable, *install, package)
    run(python, "-c", ANSWERS, within=tmp_path, PYTHONPATH="")
    script = tmp_path / "clean" / "bin" / "reconciler"
    assert run(script, "--version", within=tmp_path, PYTHONPATH="") == f"reconciler, version {__version__}\n"
    assert run(script, "--help", within=tmp_path, PYTHONPATH="").startswith("Usage: reconciler ")


# Run where a package is installed: each verb, and each verb below it, answers from there.
ANSWERS = """
import sys
import click
import reconciler
from click.testing import CliRunner
from reconciler.cli import VERBS, cli
from reconciler.workflow.pipelines import PIPELINES, read_pipeline

assert reconciler.__file__.startswith(sys.prefix), reconciler.__file__

def typed(command, words):
    yield words
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            yield from typed(command.get_command(click.Context(command), name), [*words, name])

found = list(typed(cli, []))
assert {words[0] for words in found if words} == set(VERBS)
for service in PIPELINES:
    assert len(read_pipeline(service, "intercom")) == len(PIPELINES[service]) + 1
for words in found:
    answer = CliRunner().invoke(cli, [*words, "--help"])
    assert (answer.exit_code, answer.output[:6]) == (0, "Usage:"), words
"""


DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_is_one_page_with_its_reason_and_its_price(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "What follows"]
    assert len(text.splitlines()) <= 40
    assert [link for link in re.findall(r"\]\(([^)#:]+)\)", text) if not (path.parent / link).exists()] == []


def test_every_decision_stands_in_the_list_under_its_title() -> None:
    listed = re.findall(r"^\| \[(.+?)\]\((.+?)\) \|", read("docs/decisions/index.md"), re.MULTILINE)
    assert listed == [(path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# "), path.name) for path in DECISIONS]
