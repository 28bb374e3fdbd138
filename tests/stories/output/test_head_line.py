"""The line that pages begin with: all else of a report is the same in every run, and its author is a name and no more."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from reconciler.cli.headline import headline
from reconciler.errors import Usage
from tests.desk.desk import Desk

MANIFEST = "workspace: {app_id: sandbox1}\ntags: [vip]\n"
FIXED = {"SOURCE_DATE_EPOCH": "1790000000"}


def pages(desk: Desk, *verb: str) -> list[list[str]]:
    """The lines of both pages."""
    assert desk(*verb, "--report", "markdown=plan.md", "--report", "html=plan.html") == 0, desk.err
    return [(desk.folder / name).read_text(encoding="utf-8").splitlines() for name in ("plan.md", "plan.html")]


def test_one_line_differs_between_runs_and_none_where_the_time_is_given(desk: Desk) -> None:
    desk.write("m.yaml", MANIFEST)
    runs = []
    for at in ("1790000000", "1790000001", "1790000001"):
        desk.patch.setenv("SOURCE_DATE_EPOCH", at)
        runs.append(pages(desk, "plan", "m.yaml"))
    assert runs[1] == runs[2]
    for first, second in zip(*runs[:2], strict=True):
        (differing,) = [(a, b) for a, b in zip(first, second, strict=True) if a != b]
        assert ["2026-09-21T14:13:20Z" in differing[0], "2026-09-21T14:13:21Z" in differing[1]] == [True, True]
    desk.patch.delenv("SOURCE_DATE_EPOCH")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ · reconciler \d.*", headline(["m.yaml"], {}))


def test_commit_and_author_are_those_of_the_manifests_repository(desk: Desk, tmp_path: Path) -> None:
    desk.commit(m=MANIFEST)
    desk.git("-c", "user.name=Zoe zoe@serenity.example", "commit", "--quiet", "--amend", "--reset-author", "--message", "x")
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=desk.folder, capture_output=True, text=True, check=True, timeout=60).stdout[
        :12
    ]
    by = f"2026-09-21T14:13:20Z · commit {commit} by Zoe z***@serenity.example"
    # Whatever folder the verb runs in, and whatever git is told to show beside.
    desk.git("config", "log.showSignature", "true")
    desk.patch.chdir(tmp_path)
    for path in (desk.folder, desk.folder / "m.yaml"):
        assert headline([str(path)], FIXED) == f"{by} · reconciler 0.1.0"
    desk.write("other.yaml", MANIFEST)
    assert headline([str(desk.folder / "m.yaml")], FIXED) == f"{by} · reconciler 0.1.0"
    desk.write("m.yaml", MANIFEST + "# later\n")
    assert headline([str(desk.folder / "m.yaml")], FIXED) == f"{by}, and what is not committed · reconciler 0.1.0"
    desk.patch.chdir(desk.folder)
    for lines in pages(desk, "plan", "m.yaml", "-o", "plan.json"):
        assert "zoe@" not in "".join(lines)
        assert sum(commit in line for line in lines) == 1
    # What was planned, nobody knows any more of which commit.
    assert commit not in desk.ends("show", "plan.json", "--format", "html").out


@pytest.mark.parametrize("written", ["tomorrow", "-1", "1e9", "²", "9" * 20])
def test_a_time_that_is_none_is_wrong_usage_and_nothing_is_written(written: str, desk: Desk) -> None:
    with pytest.raises(Usage, match="SOURCE_DATE_EPOCH is not a time; write whole Unix seconds"):
        headline([], {"SOURCE_DATE_EPOCH": written})
    desk.patch.setenv("SOURCE_DATE_EPOCH", written)
    assert desk("plan", "m.yaml", "-o", "plan.json", "--report", "html=plan.html", m=MANIFEST) == 64
    assert desk.files() == {"m.yaml"}
