"""What somebody meets first: the package as it is installed, its files, and what they promise."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

from reconciler import __version__
from reconciler.cli import VERBS

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def run(*command: str | Path, **environ: str) -> str:
    ended = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=100, env=os.environ | environ, cwd=ROOT, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_version_stands_in_one_word_everywhere() -> None:
    assert PROJECT["version"] == __version__
    assert f"## [{__version__}]" in read("CHANGELOG.md")
    pinned = {found for path in (ROOT / "examples").rglob("*.yml") for found in re.findall(r"@v(\d[\d.]+)\b", path.read_text())}
    assert pinned == {__version__}


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md"])
def test_what_a_contributor_is_told_is_there(name: str) -> None:
    text = read(name)
    paths = re.findall(r"`((?:tests|reconciler|examples)/[^`\s]*)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []
    targets = set(re.findall(r"^(\w+):", read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"\bmake (\w+)\b", text)) <= targets | {"format"}


def test_each_folder_of_tests_has_its_line_in_the_guide() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and list(path.glob("test_*.py"))}
    named = set(re.findall(r"`tests/(\w+)/`", read("CONTRIBUTING.md")))
    assert folders - named == {"forkserver", "kinds"} & folders


def test_the_hooks_start_verbs_that_are_there() -> None:
    for hook in yaml.safe_load(read(".pre-commit-hooks.yaml")):
        command, verb = hook["entry"].split()[:2]
        assert (command, verb in VERBS) == ("reconciler", True)


def test_completion_names_the_verbs_and_ends_well() -> None:
    asked = {"_RECONCILER_COMPLETE": "bash_complete", "COMP_WORDS": "reconciler dr", "COMP_CWORD": "1"}
    assert run(sys.executable, "-m", "reconciler", **asked) == "plain,drift\n"


def test_a_wheel_installs_and_every_verb_answers_from_it(tmp_path: Path) -> None:
    """Over the packages of the tests, without a registry; in a folder that holds no copy of the project."""
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path)
    (wheel,) = tmp_path.glob("intercom_reconciler-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = {name.partition("/")[0] for name in packed.namelist()}
    assert names == {"reconciler", f"intercom_reconciler-{__version__}.dist-info"}
    venv.create(tmp_path / "clean", with_pip=False)
    python = tmp_path / "clean" / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps", wheel)
    (site,) = (tmp_path / "clean" / "lib").glob("python*/site-packages")
    ours = Path(yaml.__file__).parents[1]
    (site / "packages-of-the-tests.pth").write_text(f"{ours}\n")
    verbs = "import sys\nfrom click.testing import CliRunner\nfrom reconciler.cli import VERBS, cli\n"
    verbs += "import reconciler\nassert reconciler.__file__.startswith(sys.prefix), reconciler.__file__\n"
    verbs += "for verb in VERBS:\n    assert CliRunner().invoke(cli, [verb, '--help']).exit_code == 0, verb\n"
    run(python, "-c", f"import os; os.chdir({str(tmp_path)!r})\n{verbs}")
    script = run(tmp_path / "clean" / "bin" / "reconciler", "--version")
    assert script == f"reconciler, version {__version__}\n"
