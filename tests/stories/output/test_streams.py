"""No stream, a full disk, a folder that cannot be written: one sentence, and the exit code of the work."""

from __future__ import annotations

import json
import os
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import pytest

from tests.desk.desk import Desk
from tests.desk.forkserver import programs
from tests.desk.soak import table

BIN = Path(sys.executable).parent
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
MANIFEST = "workspace: {app_id: sandbox1}\ntags: [vip, new]\n"


def shell(command: str, *, real: bool = True, **how: object) -> subprocess.CompletedProcess[str]:
    """A command line as people type it; `reconciler` is ours. `real`: Python is started for it."""
    line = command.replace("reconciler ", f"{BIN if real else programs()}/reconciler ")
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, **how)  # type: ignore[call-overload, no-any-return]  # options of run as they come


@pytest.fixture
def here(desk: Desk) -> Desk:
    desk.seed(tags=["vip", "old"])
    desk.write("m.yaml", MANIFEST)
    return desk


CLOSED = {
    "reconciler plan m.yaml --detailed-exitcode >&- 2>&-": 2,
    "reconciler apply m.yaml <&-": 64,
    "reconciler apply m.yaml --auto-approve >&- 2>&-": 0,
    "reconciler schema | head -n 1; exit ${PIPESTATUS[0]}": 0,
    "reconciler get tags >&-": 0,
    "reconciler --help >&-": 0,
}
CLOSED_TOO = {
    "reconciler plan m.yaml --detailed-exitcode 2>&-": 2,
    "reconciler validate m.yaml 2>&-": 0,
    "reconciler get tags --format csv --counts --read-only 2>&-": 0,
    "reconciler nonsense 2>&-": 64,
}


@pytest.mark.parametrize(("command", "code"), table(CLOSED.items(), CLOSED_TOO.items()))
def test_a_stream_that_is_closed_changes_no_exit_code(command: str, code: int, here: Desk) -> None:
    done = shell(command)
    assert done.returncode == code, done.stderr
    assert "internal error" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    written = code == 0 and "apply" in command
    assert len(here.writes) == written


def sentence(text: str) -> str:
    """The one sentence on stderr."""
    (line,) = text.splitlines()
    assert line.startswith("error: ")
    assert "internal" not in line
    return line


NO_SPACE = (
    "plan m.yaml > /dev/full",
    "plan m.yaml --format json > /dev/full",
    "plan m.yaml --report markdown=/dev/full",
    "plan m.yaml -o /dev/full",
    "schema > /dev/full",
    "--help > /dev/full",
    "get tags > /dev/full",
    "get tags --format yaml > /dev/full",
    "get attributes --format csv > /dev/full",
    "apply m.yaml --auto-approve > /dev/full",
)


@FULL
@pytest.mark.parametrize("command", NO_SPACE)
def test_a_full_disk_is_a_sentence_and_one(command: str, here: Desk) -> None:
    done = shell(f"reconciler {command}", real=False)
    assert done.returncode == 1
    assert "No space left on device" in sentence(done.stderr)
    assert here.writes == []
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode), "a device is written to, never replaced"


@FULL
def test_events_that_cannot_be_written_end_no_apply(here: Desk) -> None:
    here.plan()
    assert here("apply", "plan.json", "--events", "/dev/full") == 1
    assert here.err.endswith("error: the events could not be written: No space left on device\n")
    assert here.writes == ["POST /tags"]


@FULL
def test_the_code_of_the_work_is_graver_than_that_of_its_events(here: Desk) -> None:
    here.box.faults.add("POST", "^/tags$", status=422, message="no", times=None)
    here.plan()
    assert here("apply", "plan.json", "--events", "/dev/full") == 5


@pytest.mark.parametrize("option", ["-o plan.json", "--report html=plan.html"])
def test_a_disk_that_becomes_full_leaves_no_half_a_file(option: str, here: Desk) -> None:
    """No file may grow beyond some bytes: what a full disk does, without filling one."""
    name = option.replace("=", " ").split()[-1]
    here.write(name, "what was there")
    before = here.files()
    done = shell(f"reconciler plan m.yaml {option}", preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (100, 100)))
    assert done.returncode == 1
    assert sentence(done.stderr) == f"error: {name}: File too large"
    assert (here.folder / name).read_text(encoding="utf-8") == "what was there"
    assert here.files() == before


def test_what_is_a_link_stays_one(here: Desk) -> None:
    here.write("real/plan.json", "")
    os.symlink("real/plan.json", "plan.json")
    assert here.plan() == 2
    assert Path("plan.json").is_symlink()
    assert json.loads(Path("real/plan.json").read_bytes())["applicable"] is True


def test_standard_output_can_be_named(here: Desk) -> None:
    done = shell("reconciler plan m.yaml --report json=/dev/stdout > all.txt")
    assert done.returncode == 0, done.stderr
    assert '"format_version"' in (here.folder / "all.txt").read_text(encoding="utf-8")


# ---- a folder that cannot be written


@pytest.fixture
def read_only(here: Desk) -> Iterator[Path]:
    """A folder that others may read, with a manifest and a saved plan in it."""
    assert here.plan() == 2
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    for name in ("m.yaml", "plan.json"):
        shutil.copy(here.folder / name, folder)
        (folder / name).chmod(0o644)
    folder.chmod(0o555)
    here.box.forget_requests()
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


# Root may write everywhere, unless that is taken from it.
TAKEN = "setpriv --bounding-set=-dac_override,-dac_read_search"
PLAIN = f"{TAKEN if os.geteuid() == 0 else ''} reconciler"


@cache
def taken() -> bool:
    """Whether a process of ours may write no more than others."""
    return os.geteuid() != 0 or (shutil.which("setpriv") is not None and not shell(f"{PLAIN} --version").returncode)


UNWRITABLE = (
    ("plan m.yaml --detailed-exitcode", 2, "", 0),
    ("plan m.yaml --report html=new.html", 1, "error: new.html: Permission denied\n", 0),
    ("apply plan.json", 0, "going on without it: ", 1),
)
UNWRITABLE_TOO = (
    ("plan m.yaml -o new.json", 1, "error: new.json: Permission denied\n", 0),
    ("apply plan.json --events new.ndjson", 1, "error: new.ndjson: Permission denied\n", 0),
)


@pytest.mark.parametrize(("command", "code", "said", "writes"), table(UNWRITABLE, UNWRITABLE_TOO))
def test_a_folder_that_cannot_be_written(command: str, code: int, said: str, writes: int, read_only: Path, here: Desk) -> None:
    if not taken():
        pytest.skip("root may write everywhere")
    done = shell(f"{PLAIN} {command}", cwd=read_only)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 1
    assert len(here.writes) == writes
    assert sorted(path.name for path in read_only.iterdir()) == ["m.yaml", "plan.json"]
