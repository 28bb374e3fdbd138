"""A path of the command line yields manifests or an error that names it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.errors import Invalid
from reconciler.manifest.files import find, read_all

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Writes files below an empty current folder, so that paths are short and relative."""
    monkeypatch.chdir(tmp_path)

    def write(*names: str, text: str = "tags: [vip]\n") -> Path:
        for name in names:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(text)
        return tmp_path

    return write


def list_problems(*paths: str) -> list[str]:
    with pytest.raises(Invalid) as caught:
        find(paths)
    assert all(problem.now for problem in caught.value.problems)
    return [f"{problem.mark}: {problem.what}" for problem in caught.value.problems]


def test_a_folder_is_its_yaml_files_sorted_and_without_hidden_ones(make: Make) -> None:
    make("m/b.yaml", "m/a.yml", "m/c/d.yaml", "m/C.YAML", "m/README.md", "m/.hidden.yaml", "m/.git/x.yaml", "m/b.yaml~", "m/yaml")
    assert find(["m"]) == ["m/C.YAML", "m/a.yml", "m/b.yaml", "m/c/d.yaml"]
    assert find(["."]) == ["./m/C.YAML", "./m/a.yml", "./m/b.yaml", "./m/c/d.yaml"]


def test_files_keep_the_order_and_the_spelling_of_the_command_line(make: Make) -> None:
    root = make("b.yaml", "a.yaml", ".hidden.yaml")
    assert find(["b.yaml", "./a.yaml", ".hidden.yaml"]) == ["b.yaml", "./a.yaml", ".hidden.yaml"]
    assert find([f"{root}/a.yaml"]) == [f"{root}/a.yaml"]


def test_one_file_is_read_once(make: Make) -> None:
    make("m/a.yaml")
    Path("link.yaml").symlink_to("m/a.yaml")
    Path("n").symlink_to("m")
    os.link("m/a.yaml", "hard.yaml")
    assert find(["m/a.yaml", "m", "./m//a.yaml", "link.yaml", "n", "hard.yaml"]) == ["m/a.yaml"]
    assert len(read_all(["m", "link.yaml"])) == 1


def test_every_path_that_yields_nothing_is_named(make: Make) -> None:
    make("good.yaml", "plan.json", "empty/README.md", "hidden/.a.yaml")
    Path("dangling.yaml").symlink_to("nowhere.yaml")
    Path("loop.yaml").symlink_to("loop.yaml")
    os.mkfifo("pipe.yaml")
    paths = ["good.yaml", "missing.yaml", "plan.json", "empty", "hidden", "dangling.yaml", "loop.yaml", "pipe.yaml", "good.yaml/x", ""]
    assert list_problems(*paths) == [
        ": there is no such file or folder",
        "dangling.yaml: the link leads to nowhere.yaml, which does not exist",
        "empty: the folder holds no *.yaml or *.yml file",
        "good.yaml/x: cannot be read (Not a directory)",
        "hidden: the folder holds no *.yaml or *.yml file",
        "loop.yaml: cannot be read (Too many levels of symbolic links)",
        "missing.yaml: there is no such file or folder",
        "pipe.yaml: is not a file",
        "plan.json: is not a YAML file by its name",
    ]


def test_a_dangling_link_inside_a_folder_is_named(make: Make) -> None:
    make("m/a.yaml")
    Path("m/b.yaml").symlink_to("gone.yaml")
    assert list_problems("m") == ["m/b.yaml: the link leads to gone.yaml, which does not exist"]


def test_a_folder_that_links_back_to_itself_ends(make: Make) -> None:
    make("m/a.yaml", "m/n/b.yaml")
    for name in ("back", "again", "here"):
        Path("m/n", name).symlink_to("..")
    assert find(["m"]) == ["m/a.yaml", "m/n/b.yaml"]


@pytest.fixture
def nobody(make: Make) -> Iterator[None]:
    """Root reads everything, so for these tests it becomes somebody else."""
    me = os.geteuid()
    make().chmod(0o755)
    if me == 0:
        os.seteuid(65534)
    yield
    os.seteuid(me)


def test_what_cannot_be_opened_is_named(make: Make, request: pytest.FixtureRequest) -> None:
    make("m/n/a.yaml", "b.yaml", "o/c.yaml")
    for path in ("m/n", "b.yaml", "o"):
        Path(path).chmod(0)
    request.getfixturevalue("nobody")
    assert list_problems("m", "o/c.yaml") == ["m/n: cannot be read (Permission denied)", "o/c.yaml: cannot be read (Permission denied)"]
    with pytest.raises(Invalid, match=r"b\.yaml: cannot be read \(Permission denied\)"):
        read_all(["b.yaml"])


def test_the_problems_of_all_files_come_together(make: Make) -> None:
    make("m/a.yaml", text="tags: [vip]\ntags: []\n")
    make("m/b.yaml", text="")
    make("m/c.yaml")
    with pytest.raises(Invalid) as caught:
        read_all(["m"])
    assert [str(problem.mark) for problem in caught.value.problems] == ["m/a.yaml:2:1", "m/b.yaml"]


def test_documents_come_with_their_files(make: Make) -> None:
    make("b.yaml", "m/a.yaml")
    assert [document.file for document in read_all(["b.yaml", "m"])] == ["b.yaml", "m/a.yaml"]


def test_no_path_is_no_file() -> None:
    assert find([]) == []
