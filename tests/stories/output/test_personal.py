"""Contacts are people: what they are called and how they are reached is in no artifact unless somebody asks for it, and never by chance."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from reconciler.cli import cli
from reconciler.cli.running import run
from reconciler.ledger.ledger import Ledger
from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.server import serve
from tests.desk.desk import Desk
from tests.desk.soak import times

Person = dict[str, str]
LIVE = {"tags": ["vip"], "contacts": [{"external_id": "25", "name": "Hoban Washburn", "phone": "+15550001"}]}
MANIFEST = "tags: [vip]\ncontacts: [{external_id: '25', name: Zoe Alleyne, phone: '+15559999', tags: [vip]}]\n"
VALUES = ("Hoban", "Washburn", "Zoe", "Alleyne", "5550001", "5559999")


def find_personal(text: str) -> list[str]:
    """The personal values that can be read in it."""
    return [value for value in VALUES if value in text]


# ---- when somebody asks
def test_values_are_masked_unless_they_are_asked_for(desk: Desk) -> None:
    desk.seed(**LIVE)
    reports = [f"--report={form}={form}.out" for form in ("text", "json", "markdown", "html")]
    assert desk.plan(*reports, m=MANIFEST) == 2
    texts = [desk.out, *(Path(f"{form}.out").read_text(encoding="utf-8") for form in ("text", "json", "markdown", "html"))]
    assert [find_personal(text) for text in texts] == [[]] * 5
    assert desk.plan(*reports, "--show-personal") == 2
    texts = [desk.out, *(Path(f"{form}.out").read_text(encoding="utf-8") for form in ("text", "json", "markdown", "html"))]
    assert [find_personal(text) for text in texts] == [list(VALUES)] * 5
    assert {Path(f"{form}.out").stat().st_mode & 0o777 for form in ("text", "json", "markdown", "html")} == {0o600}
    assert find_personal(Path("plan.json").read_text(encoding="utf-8")) == [], "the saved plan holds none, whatever is shown"


@pytest.mark.parametrize("value", ["true", "1", "yes", "woodpecker"])
def test_a_pipeline_must_ask_twice(value: str, desk: Desk) -> None:
    desk.seed(**LIVE)
    desk.patch.setenv("CI", value)
    assert desk.plan("--show-personal", m=MANIFEST) == 64
    assert "--show-personal=ci" in desk.err
    assert desk.box.requests == []
    assert desk.plan("--show-personal=ci") == 2
    assert find_personal(desk.out) == list(VALUES)


@pytest.mark.parametrize("value", ["", "false", "0", "False"])
def test_what_is_no_pipeline_need_not(value: str, desk: Desk) -> None:
    desk.patch.setenv("CI", value)
    assert desk.plan("--show-personal", m="tags: []\n") == 0


def test_a_plan_with_its_values_is_confidential_and_needs_no_manifest(desk: Desk) -> None:
    desk.seed(**LIVE)
    assert desk.plan("--embed-values", m=MANIFEST) == 2
    assert next(iter(desk.saved().items())) == ("confidential", True)
    assert Path("plan.json").read_text(encoding="utf-8").lstrip("{\n ").startswith('"confidential": true')
    assert Path("plan.json").stat().st_mode & 0o777 == 0o600
    assert find_personal(desk.out) == []
    Path("m.yaml").unlink()
    assert desk("show", "plan.json") == 0
    assert find_personal(desk.out) == []
    assert desk("apply", "plan.json") == 0
    assert len(desk.written()) == 2
    assert desk("apply", "plan.json") == 0
    assert desk.written() == []


def test_a_plan_with_its_values_is_held_to_the_same_rules(desk: Desk) -> None:
    desk.seed(**LIVE)
    desk.write("base.yaml", "policy: {limits: {attaches: 0}}\n")
    assert desk.plan("--embed-values", "--policy", "base.yaml", m=MANIFEST) == 3
    assert desk("apply", "plan.json", "--policy", "base.yaml") == 3
    plan = desk.saved()
    plan["files"]["m.yaml"] = plan["files"]["m.yaml"].replace("Zoe", "Mal")
    desk.write("edited.json", json.dumps(plan))
    assert desk("apply", "edited.json") == 65
    desk.patch.setenv("CI", "true")
    assert desk.plan("--embed-values") == 64
    assert desk.writes == []


# ---- when nobody does
LETTERS = "bcdfghjklmnpqrstvwxz"
WORDS = st.text(LETTERS, min_size=7, max_size=9)
PEOPLE = st.builds(
    lambda local, first, last, phone: {
        "email": f"{local}@mail.example",
        "name": f"{first} {last}".title(),
        "phone": f"+1555{phone:07}",
        "avatar": f"https://cdn.example/{last}{first}.png",
    },
    WORDS, WORDS, WORDS, st.integers(1_000_000, 9_999_999),
)  # fmt: skip


def needles(people: list[Person]) -> list[str]:
    names = []
    for person in people:
        names += [person["email"].partition("@")[0], person["phone"].lstrip("+"), *person["name"].split()]
        names.append(person["avatar"].rpartition("/")[2].removesuffix(".png"))
    return [needle.lower() for needle in names]


@contextmanager
def place() -> Iterator[tuple[Sandbox, Path]]:
    """A folder and a workspace that are new for every example."""
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder, Sandbox() as box, serve(box) as serving:
        patch.chdir(folder)
        patch.setenv("INTERCOM_ACCESS_TOKEN", "sandbox")
        patch.setenv("INTERCOM_BASE_URL", serving.url)
        patch.setenv("GITHUB_ACTIONS", "true")
        patch.setenv("CI", "true")
        ledger = Ledger.open(Path(".reconciler"), create=True)
        assert ledger
        ledger.close()
        yield box, Path(folder)


def says(*arguments: str) -> tuple[int, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(cli, arguments)
    return code, out.getvalue() + err.getvalue()


def seed(people: list[Person]) -> dict[str, Any]:
    """The first is there by e-mail, the second under an external_id with everything else, the third is not there."""
    first, second, *_ = people
    return {
        "tags": ["vip", "old"],
        "contacts": [
            {"email": first["email"], "name": second["name"], "tags": ["old"]},
            {"external_id": "25", **second, "tags": ["old"]},
        ],
    }


def manifest(people: list[Person], **policy: Any) -> dict[str, Any]:
    first, _, third, fourth = people
    return {
        "policy": policy,
        "tags": ["vip", {"name": "old", "state": "absent"}],
        "contacts": [
            {**first, "tags": ["vip"]},
            {"external_id": "25", **third},
            {**fourth, "missing": "create", "tags": ["vip"]},
        ],
    }


def words(about: Person) -> str:
    return f"{about['email']}, {about['phone']} and {about['avatar']} of {about['name']} are not accepted"


def everything(box: Sandbox, people: list[Person]) -> Iterator[tuple[str, str]]:
    """What is said and what is left in a life of such people: name and text of each artifact."""
    Path("m.yaml").write_text(json.dumps(manifest(people)), encoding="utf-8")
    Path("strict.yaml").write_text(json.dumps(manifest(people, missing_contacts="error", limits={"creates": 0})), encoding="utf-8")
    twice = {"contacts": [{"email": people[0]["email"]}, {"email": people[0]["email"].upper(), "nmae": people[0]["name"]}]}
    Path("twice.yaml").write_text(json.dumps(twice), encoding="utf-8")
    yield "65", says("validate", "twice.yaml")[1]
    reports = [f"--report={form}={form}.out" for form in ("text", "json", "markdown", "html")]
    for form in ("text", "json", "markdown", "html"):
        yield form, says("plan", "m.yaml", "-o", "plan.json", "--format", form, "--calls", *reports)[1]
        yield f"show {form}", says("show", "plan.json", "--format", form)[1]
    yield "refused", says("plan", "strict.yaml")[1]
    yield "refused apply", says("apply", "strict.yaml", "--auto-approve")[1]
    yield "target", says("plan", "m.yaml", "--exclude", "tag/*")[1]
    # Intercom's own words name whom they are about, and others; what waits for such a write says them too.
    (known,) = box.ws.store.table("contact").find("external_id", "25")
    for method, path, about in (("PUT", f"^/contacts/{known['id']}$", people), ("POST", "^/contacts$", people[::-1])):
        box.faults.add(method, path, status=400, code="parameter_invalid", message="; ".join(map(words, about)))
    yield "failed", says("apply", "plan.json", "--events", "failed.ndjson")[1]
    yield "applied", says("apply", "plan.json", "--events", "events.ndjson")[1]
    box.seed({"contacts": [{"external_id": "25", "name": people[0]["name"], "phone": people[0]["phone"]}]})
    yield "stale", says("apply", "plan.json")[1]
    for form in ("text", "json", "markdown", "html"):
        yield f"drift {form}", says("drift", "m.yaml", "--format", form)[1]
        yield f"undo {form}", says("undo", "last", "--format", form, "-o", "undo.json")[1]
    yield "undone", says("apply", "undo.json", "--events", "undone.ndjson")[1]
    yield "adopted", says("adopt", "--all", "m.yaml", "--auto-approve")[1]
    yield "forgotten", says("forget", f"contact/{people[0]['email']}")[1]
    for form in ("text", "json"):
        yield f"history {form}", says("history", "--format", form)[1] + says("history", "last", "--format", form)[1]
    box.faults.add("GET", "^/contacts", status=400, message=words(people[0]), times=None)
    box.faults.add("POST", "^/contacts/search$", status=400, message=words(people[3]), times=None)
    yield "unread", says("plan", "m.yaml")[1]
    for left in sorted(left for left in Path().rglob("*") if left.is_file() and left.suffix != ".yaml"):
        # Images are what `undo` takes personal values from; nobody else may read them, and they go nowhere.
        if left.parent.name == "images":
            assert left.stat().st_mode & 0o777 == 0o600
        else:
            yield str(left), left.read_bytes().decode("utf-8", "replace")


@given(st.lists(PEOPLE, min_size=4, max_size=4, unique_by=lambda person: person["email"]))
@settings(max_examples=times(3), phases=(Phase.explicit, Phase.generate))
def test_no_artifact_holds_a_personal_value(people: list[Person]) -> None:
    wanted = needles(people)
    with place() as (box, _):
        box.seed(seed(people))
        names = []
        for name, text in everything(box, people):
            names.append(name)
            lowered = text.lower()
            assert [needle for needle in wanted if needle in lowered] == [], (name, text)
        left = {"plan.json", "html.out", "events.ndjson", "failed.ndjson", "undo.json", "undone.ndjson", ".reconciler/ledger.db"}
        assert left <= set(names)
        assert box.writes


def processes(stop: threading.Event, seen: set[str]) -> None:
    """The command lines of all processes, as anybody on the machine can read them, again and again."""
    while not stop.wait(0.02):
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.add(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
            except OSError:
                continue


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="there is no /proc")
def test_the_process_list_shows_no_value_and_no_token(desk: Desk) -> None:
    desk.seed(**LIVE)
    desk.commit(m=MANIFEST)
    command = [sys.executable, "-c", "from reconciler.cli import main; main()"]
    token = "dG9rOnNlY3JldC1wYXJ0"
    desk.box.tokens[token] = frozenset()
    env = {**os.environ, "INTERCOM_ACCESS_TOKEN": token}
    stop, seen = threading.Event(), set[str]()
    watcher = threading.Thread(target=processes, args=(stop, seen))
    watcher.start()
    try:
        for verb in ("plan m.yaml -o plan.json --base HEAD", "apply plan.json"):
            subprocess.run([*command, *verb.split()], env=env, check=True, capture_output=True, timeout=60)
    finally:
        stop.set()
        watcher.join(60)
    assert any("apply plan.json" in line for line in seen), "nothing was seen"
    assert [line for line in seen if find_personal(line) or token in line] == []
