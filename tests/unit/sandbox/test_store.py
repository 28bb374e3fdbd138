"""A data file: what one process wrote, the next one and the one beside it see."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.seed import load_seed
from reconciler.sandbox.store import Unusable
from tests import ROOT
from tests.desk.calling import Caller


def tag_names(box: Sandbox) -> list[str]:
    return [tag["name"] for tag in Caller(box).ok("GET", "/tags")["data"]]


def test_a_later_process_finds_everything_and_goes_on_counting(tmp_path: Path) -> None:
    with Sandbox(tmp_path / "new" / "sandbox.db") as box:
        first = Caller(box).ok("POST", "/contacts", {"external_id": "25"})["id"]
        Caller(box).ok("POST", "/tags", {"name": "vip", "users": [{"id": first}]})
        box.seed({"app": {"region": "EU", "timezone": "Europe/Dublin"}})
    with Sandbox(tmp_path / "new" / "sandbox.db") as box:
        assert Caller(box).ok("GET", f"/contacts/{first}")["tags"]["total_count"] == 1
        assert Caller(box)("POST", "/contacts", {"external_id": "25"}).status == 409
        assert Caller(box).ok("GET", "/me")["app"]["region"] == "EU"
        assert Caller(box).ok("POST", "/contacts", {"external_id": "26"})["id"] != first


def test_two_that_have_it_open_see_each_other(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.db"
    with Sandbox(path) as one, Sandbox(path) as other:
        for number in range(3):
            Caller(one).ok("POST", "/tags", {"name": f"one {number}"})
            Caller(other).ok("POST", "/tags", {"name": f"other {number}"})
        assert tag_names(one) == tag_names(other)
        assert len({tag["id"] for tag in Caller(one).ok("GET", "/tags")["data"]}) == 6
        Caller(one).ok("DELETE", f"/tags/{Caller(other).ok('GET', '/tags')['data'][0]['id']}")
        assert "one 0" not in tag_names(other)
        other.reset()
        assert tag_names(one) == []


def test_threads_never_make_the_same_contact_twice(tmp_path: Path) -> None:
    """Reported: PostHog#72192; two creates at once, one of them is a conflict."""
    statuses: list[int] = []
    with Sandbox(tmp_path / "sandbox.db") as box:
        body = {"external_id": "25"}
        threads = [threading.Thread(target=lambda: statuses.append(Caller(box)("POST", "/contacts", body).status)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert sorted(statuses) == [200] + [409] * 15


CHILD = """
import sys
from pathlib import Path
from reconciler.sandbox import Sandbox
from tests.desk.calling import Caller
call = Caller(Sandbox(Path(sys.argv[1])))
for number in range(10**6):
    call.ok("POST", "/tags", {"name": f"tag {number}"})
    print(number, flush=True)
"""


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.db"
    root = ROOT
    command = [sys.executable, "-c", CHILD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}) as child:
        assert child.stdout is not None
        answered = [int(child.stdout.readline()) for _ in range(50)]
        child.send_signal(signal.SIGKILL)
        answered += [int(line) for line in child.stdout]
    with Sandbox(path) as box:
        assert {f"tag {number}" for number in answered} <= set(tag_names(box))


def test_ten_thousand_contacts_are_seeded_and_found_through_the_index() -> None:
    with Sandbox() as box:
        box.seed({"contacts": [{"external_id": f"u{n}", "email": f"u{n}@x.example", "tags": ["vip"]} for n in range(10_000)]})
        query = {"field": "external_id", "operator": "IN", "value": [f"u{n}" for n in range(150)]}
        answer = Caller(box).ok("POST", "/contacts/search", {"query": query, "pagination": {"per_page": 150}})
        assert (len(answer["data"]), answer["total_count"]) == (150, 150)
        assert Caller(box).ok("GET", "/contacts?per_page=150")["total_count"] == 10_000


def garbage(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 100)


def another_schema(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE docs (x)")


def damage_row(path: Path) -> None:
    with Sandbox(path) as box:
        box.seed({"tags": ["vip"]})
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE docs SET body = '{' WHERE kind = 'tag'")


def cut(path: Path) -> None:
    with Sandbox(path) as box:
        box.seed({"tags": [f"tag {n}" for n in range(2000)]})
    path.write_bytes(path.read_bytes()[:20_000])


def link(path: Path) -> None:
    victim = path.with_name("victim")
    victim.write_text("kept")
    path.symlink_to(victim)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [garbage, another_schema, damage_row, cut, link, fifo, folder])
def test_a_file_that_is_no_sandbox_is_said_and_left_as_it_is(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "sandbox.db"
    make(path)
    says = "cannot hold a sandbox: .*; remove it, or name another file with --data"
    with pytest.raises(Unusable, match=says) as refused, Sandbox(path) as box:
        Caller(box).ok("GET", "/tags")
    assert refused.value.filename == str(path)
    assert not (tmp_path / "victim").exists() or (tmp_path / "victim").read_text() == "kept"


def test_a_sandbox_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.db"
    path.touch(mode=0o644)
    with Sandbox(path) as box:
        box.seed({"tags": ["vip"]})
        assert {file.name: oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()} == {
            "sandbox.db": "0o600",
            "sandbox.db-wal": "0o600",
            "sandbox.db-shm": "0o600",
        }


@pytest.mark.parametrize(("name", "text"), [("seed.json", "[" * 100_000), ("seed.yaml", "[" * 600), ("seed.yaml", "a: " * 600)])
def test_a_seed_that_is_nested_too_deeply_is_refused_in_one_sentence(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=f"{name} is (nested too deeply|not readable)"):
        load_seed(tmp_path / name)
