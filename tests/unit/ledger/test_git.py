"""The ledger in a ref of a git remote: a lease as its lock, commits as its history, and nothing of the repository around us touched."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.core.model.address import Address
from reconciler.errors import Locked
from reconciler.ledger.errors import LedgerUnusable
from reconciler.ledger.homes.file import FileHome
from reconciler.ledger.homes.git import IMAGES, LEDGER, GitHome, GitLock
from reconciler.ledger.homes.home import Lock, LockLost, Waiting
from reconciler.ledger.homes.lines import Damaged, file_of, load, take_changes
from reconciler.ledger.homes.remote import Remote
from reconciler.ledger.ledger import Ledger
from reconciler.ledger.run import PlannedWrite, Settlement
from tests.desk.repositories import KEY, a_clone, a_copy, a_home, a_ledger, around, git, log
from tests.desk.soak import times
from tests.unit.ledger.changes import APP, HEAD, HOBAN, VIP, a_change, a_record, known, lost, write
from tests.unit.ledger.conftest import Clock

WASH, ZOE = "wash on serenity", "zoe on serenity"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return a_copy(tmp_path)


@pytest.fixture
def remote(clone: Path) -> Path:
    return clone.with_name("remote.git")


Opened = Callable[..., Ledger]


@pytest.fixture
def opened(clone: Path, clock: Clock) -> Iterator[Opened]:
    """Opens ledgers, each as a process of its own would: `opened(another_clone)`."""
    with ExitStack() as stack:
        yield lambda where=clone, **more: stack.enter_context(a_ledger(a_home(where, **more), clock))


def written(opened: Opened, clock: Clock, address: Address = HOBAN, id: str = "c-1") -> Ledger:
    """A ledger that has written one thing under its lock, and let it go."""
    ledger = opened()
    with ledger.locked(APP, WASH, clock.waits()):
        write(ledger, address, id)
    return ledger


def tick(ledger: Ledger) -> None:
    """What the thread of a lock does every ten seconds."""
    assert isinstance(ledger._held, GitLock)
    ledger._held.tick()


# ── what is touched ────────────────────────────────────────────────────────────────────────────────────────────────────────
def seen(clone: Path) -> Mapping[str, object]:
    """All that a user of a clone can see of it, but our own refs."""
    refs = [line for line in git(clone, "for-each-ref").splitlines() if "refs/reconciler/" not in line]
    inside = clone / ".git"
    files = {
        name: (inside / name).read_bytes() if (inside / name).exists() else b""
        for name in ("index", "HEAD", "config", "FETCH_HEAD", "shallow")
    }
    return {"refs": refs, "status": git(clone, "status", "--porcelain", "--ignored"), "stash": git(clone, "stash", "list"), **files}


def test_a_subfolder_of_the_repository_has_the_whole_ledger(
    clone: Path, opened: Opened, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As git sees it, for which a listing ends at the folder that it was asked in."""
    written(opened, clock)
    (clone / "intercom").mkdir()
    monkeypatch.chdir(clone / "intercom")
    with a_ledger(GitHome("origin", {**around(clone), "GIT_DIR": str(clone / ".git"), "GIT_WORK_TREE": str(clone)}), clock) as below:
        assert known(below) == "c-1"


def test_nothing_of_the_work_tree_the_index_or_the_branches_changes(clone: Path, opened: Opened, clock: Clock) -> None:
    (clone / "reconciler.yaml").write_text("tags: [edited]\n")
    (clone / "new.yaml").write_text("")
    git(clone, "add", "new.yaml")
    before = seen(clone)
    ledger = written(opened, clock)
    ledger.home.put_preimage("r-1", "{}", clock())
    with opened() as again:
        assert known(again) == "c-1"
    assert seen(clone) == before


def test_the_branches_of_the_remote_stay_too(remote: Path, opened: Opened, clock: Clock) -> None:
    before = git(remote, "for-each-ref", "refs/heads", "refs/tags")
    written(opened, clock)
    assert git(remote, "for-each-ref", "refs/heads", "refs/tags") == before
    assert git(remote, "for-each-ref", "--format=%(refname)", "refs/reconciler").split() == [LEDGER]


@pytest.mark.parametrize("options", [["--depth=1"], ["--bare"], ["--mirror"], ["--filter=blob:none", "--no-checkout"], []], ids=str)
def test_it_works_in_every_sort_of_clone(remote: Path, opened: Opened, clock: Clock, options: list[str]) -> None:
    git(remote, "config", "uploadpack.allowFilter", "true")
    written(opened, clock)
    other = a_clone(remote, "other", *options)
    if not options:
        git(other, "checkout", "--quiet", "--detach")
    for number in range(2):
        ledger = opened(other)
        with ledger.locked(APP, ZOE, clock.waits()):
            write(ledger, VIP, f"t-{number}")
    assert "?" not in git(other, "rev-list", "--objects", "--missing=print", LEDGER)
    with opened() as ledger:
        assert (known(ledger, HOBAN), known(ledger, VIP)) == ("c-1", "t-1")


def test_a_full_clone_does_not_become_shallow(clone: Path, opened: Opened, clock: Clock) -> None:
    written(opened, clock)
    assert git(clone, "rev-parse", "--is-shallow-repository").strip() == "false"


def test_no_hook_of_the_user_runs(clone: Path, opened: Opened, clock: Clock) -> None:
    for name in ("pre-push", "reference-transaction", "post-commit"):
        hook = clone / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {clone}/ran\nexit 1\n")
        hook.chmod(0o755)
    written(opened, clock)
    assert not (clone / "ran").exists()


def test_another_remote_may_be_named(remote: Path, clone: Path, opened: Opened, clock: Clock, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "second.git")
    git(clone, "remote", "add", "second", str(tmp_path / "second.git"))
    ledger = opened(remote="second")
    with ledger.locked(APP, WASH, clock.waits()):
        write(ledger)
    assert log(tmp_path / "second.git")
    assert not a_home(clone).there()


def test_its_copy_is_readable_by_nobody_else_and_goes_with_it(
    opened: Opened, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with opened() as ledger:
        write(ledger)
        [folder] = tmp_path.glob("reconciler-*")
        modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        assert (stat.S_IMODE(folder.stat().st_mode), modes) == (0o700, {0o600})
    assert not folder.exists()


# ── what is kept ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_looking_makes_and_pushes_nothing(clone: Path, remote: Path, opened: Opened, clock: Clock) -> None:
    assert not a_home(clone).there()
    with opened() as ledger:
        write(ledger)
        ledger.home.publish()
    assert not a_home(clone).there()
    written(opened, clock)
    before = log(remote)
    assert a_home(clone).there()
    with opened(a_clone(remote, "other")) as looking:
        assert known(looking) == "c-1"
    assert log(remote) == before


def test_every_push_is_a_commit_of_ours_that_names_the_run(remote: Path, opened: Opened, clock: Clock) -> None:
    ledger = opened()
    with ledger.locked(APP, WASH, clock.waits()):
        run = ledger.begin(HEAD)
        write(ledger)
        ledger.end(run, 0, {})
    last, mine, first = log(remote)
    assert (last, first) == ("ledger: lease", "ledger: lease")
    assert mine.startswith(f"ledger: {run[:18]}")
    assert set(git(remote, "log", "--format=%an <%ae> %cn <%ce> %ct", LEDGER).splitlines()) == {
        f"reconciler <reconciler@localhost> reconciler <reconciler@localhost> {int(clock())}"
    }


def test_the_same_rows_are_the_same_files(remote: Path, opened: Opened, clock: Clock) -> None:
    written(opened, clock)
    before = git(remote, "rev-parse", f"{LEDGER}^{{tree}}")
    with opened().locked(APP, ZOE, clock.waits()):
        clock.at += 5
    assert git(remote, "rev-parse", f"{LEDGER}^{{tree}}") == before


def test_a_push_holds_only_the_files_that_changed(remote: Path, opened: Opened, clock: Clock) -> None:
    ledger = opened()
    with ledger.locked(APP, WASH, clock.waits()):
        ledger.record(APP, "default", [a_record(ledger.digests, Address("contact", f"{n}"), f"c-{n}") for n in range(2000)])
        tick(ledger)
        ledger.record(APP, "default", [a_record(ledger.digests, Address("contact", "7"), "c-7", {"name": "Wash"})])
        tick(ledger)
    changed = git(remote, "diff", "--name-only", f"{LEDGER}~2", f"{LEDGER}~1").split()
    assert changed == ["lease.json", file_of("things", "contact", "c-7")]
    assert len(git(remote, "ls-tree", LEDGER, "things/").split("\n")) == 257
    assert len(opened(a_clone(remote, "other")).read_recorded(APP).records) == 2000


def test_what_is_let_go_leaves_its_file(remote: Path, opened: Opened, clock: Clock) -> None:
    ledger = written(opened, clock)
    with ledger.locked(APP, WASH, clock.waits()):
        ledger.record(APP, "default", [], [("contact", "c-1")])
    assert known(opened()) is None
    assert "things" not in git(remote, "ls-tree", "--name-only", LEDGER).split()


@settings(max_examples=times(4), deadline=None)
@given(
    names=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8), unique=True, max_size=4
    ),
    values=st.dictionaries(st.text(max_size=4), st.none() | st.booleans() | st.integers() | st.text(max_size=4), max_size=3),
)
@example(names=["a\nb", "\u2028", '"\\', "é", "\U0001f680"], values={"": None})
def test_every_record_comes_back_as_it_was(names: list[str], values: Mapping[str, object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = load(f"{folder}/first.db", "the ref", {})
        with Ledger(FileHome(Path(folder)), engine, bytes.fromhex(KEY)) as ledger:
            ledger.record(APP, "default", [a_record(ledger.digests, Address("contact", name), name, values) for name in names])
            before, files = ledger.read_recorded(APP).records, take_changes(engine)
        with Ledger(FileHome(Path(folder)), load(f"{folder}/second.db", "the ref", files), bytes.fromhex(KEY)) as again:
            after = again.read_recorded(APP).records
    assert {id: (r, dict(r.fields)) for id, r in after.items()} == {id: (r, dict(r.fields)) for id, r in before.items()}
    assert len(after) == len(names)


# ── the lease ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_lease_that_was_not_renewed_for_a_minute_is_taken_over_and_its_holder_told(opened: Opened, clock: Clock) -> None:
    first = opened()
    with first.locked(APP, WASH, clock.waits()):
        clock.at += 60
        with pytest.raises(Locked, match="wash on serenity, since 2026-01-01 00:00:00 UTC, holds the lock"):
            opened().home.lock(APP, ZOE, clock.waits())
        clock.at += 1
        with opened().locked(APP, ZOE, clock.waits()) as taken:
            assert taken.taken_over == (
                "wash on serenity, since 2026-01-01 00:00:00 UTC, held the lock of refs/reconciler/ledger of origin "
                "and renewed it last 61 s ago: it is taken over"
            )
            with pytest.raises(LockLost, match="could not be renewed for 61 s"):
                first.check()
            tick(first)
            with pytest.raises(LockLost, match="went to another run: nothing more is written to Intercom; run again"):
                first.check()
            with pytest.raises(LockLost):
                first.home.publish()
            taken.check()
        taken.check()


def test_what_the_loser_still_wrote_is_not_in_the_ledger_of_the_winner(remote: Path, opened: Opened, clock: Clock) -> None:
    first, second = opened(), opened(a_clone(remote, "other"))
    with first.locked(APP, WASH, clock.waits()):
        write(first, HOBAN, "c-1")
        first.home.publish()
        clock.at += 61
        with second.locked(APP, ZOE, clock.waits()):
            first.record(APP, "default", [a_record(first.digests, HOBAN, "c-lost")], [("contact", "c-1")])
            assert known(second) == "c-1"
            write(second, VIP, "t-1")
    assert (known(opened()), known(opened(), VIP)) == ("c-1", "t-1")


def test_whoever_waits_takes_over_a_lease_of_a_clock_far_ahead_when_nobody_renews_it(opened: Opened, clock: Clock) -> None:
    ahead = Clock(clock.at + 1e6)

    def leap(seconds: float) -> None:
        clock.at += 25

    with opened().locked(APP, WASH, ahead.waits()):
        with pytest.raises(Locked):
            opened().home.lock(APP, ZOE, Waiting(50, leap, clock, clock))
        opened().home.lock(APP, ZOE, Waiting(70, leap, clock, clock)).release()


def test_a_renewal_is_a_push_of_what_was_written(remote: Path, opened: Opened, clock: Clock) -> None:
    ledger = opened()
    with ledger.locked(APP, WASH, clock.waits()):
        for _ in range(4):
            clock.at += 40
            tick(ledger)
            ledger.check()
        write(ledger)
        tick(ledger)
        assert known(opened(a_clone(remote, "other"))) == "c-1"
        with pytest.raises(Locked, match="wash on serenity"):
            opened().home.lock(APP, ZOE, clock.waits())


def test_an_outcome_that_comes_after_a_push_goes_with_the_next(opened: Opened, clock: Clock) -> None:
    ledger = opened()
    with ledger.locked(APP, WASH, clock.waits()):
        run, change = ledger.begin(HEAD), a_change()
        [number] = ledger.plan(run, [PlannedWrite(change, proof=True)])
        ledger.intend({number: change})
        tick(ledger)
        assert lost(opened())
        ledger.settle(run, [Settlement(number, "failed")])
        tick(ledger)
        assert not lost(opened())


def test_a_thread_renews_it_until_it_is_released(clone: Path, remote: Path, clock: Clock) -> None:
    waits: list[float] = []

    def twice(ended: object, seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) > 2

    home = GitHome("origin", around(clone), waits=twice)
    lock = home.lock(APP, WASH, clock.waits())
    while len(waits) < 3:
        pass
    lock.release()
    home.close()
    assert (waits, log(remote)) == ([10.0] * 3, ["ledger: lease"] * 4)


def test_a_remote_that_is_away_for_less_than_fifty_seconds_does_no_harm(remote: Path, opened: Opened, clock: Clock) -> None:
    ledger = opened()
    with ledger.locked(APP, WASH, clock.waits()):
        write(ledger)
        gone = remote.rename(remote.with_name("gone.git"))
        clock.at += 50
        tick(ledger)
        ledger.check()
        clock.at += 1
        with pytest.raises(LockLost, match="could not be renewed for 51 s: nothing more is written to Intercom; run again"):
            ledger.check()
        gone.rename(remote)
        tick(ledger)
        ledger.check()
    assert known(opened()) == "c-1"


def test_a_machine_that_slept_has_lost_it_though_its_own_clock_stood_still(opened: Opened, clock: Clock) -> None:
    awake = Clock(0.0)
    with opened().locked(APP, WASH, Waiting(0, clock.sleep, awake, clock)) as lock:
        clock.at += 51
        with pytest.raises(LockLost, match="for 51 s"):
            lock.check()
        clock.at, awake.at = clock.at - 51, 51.0
        with pytest.raises(LockLost, match="for 51 s"):
            lock.check()


def test_what_could_not_be_published_is_said_and_the_lock_is_let_go_without_a_word(remote: Path, opened: Opened, clock: Clock) -> None:
    ledger = opened()
    with ledger.locked(APP, WASH, clock.waits()):
        write(ledger)
        gone = remote.rename(remote.with_name("gone.git"))
        with pytest.raises(LedgerUnusable, match="ledger of origin cannot be used: the remote origin cannot be reached"):
            ledger.home.publish()
    gone.rename(remote)
    with ledger.locked(APP, WASH, Waiting(99, clock.sleep, clock, clock)):
        assert known(ledger) == "c-1"
    assert known(opened()) == "c-1"


def test_a_push_whose_answer_was_lost_is_known_again(remote: Path, clone: Path, opened: Opened, clock: Clock, tmp_path: Path) -> None:
    ledger = opened()
    with ledger.locked(APP, WASH, clock.waits()):
        (tmp_path / "cut").write_text(f'#!/bin/sh\ngit-receive-pack "$@"\nmv {remote} {remote}.gone\nexit 1\n')
        (tmp_path / "cut").chmod(0o755)
        git(clone, "config", "remote.origin.receivepack", str(tmp_path / "cut"))
        write(ledger)
        clock.at += 40
        tick(ledger)
        git(clone, "config", "--unset", "remote.origin.receivepack")
        assert not remote.exists()
        Path(f"{remote}.gone").rename(remote)
        tick(ledger)
        clock.at += 40
        ledger.check()
    assert known(opened()) == "c-1"
    assert [line.partition("-")[0][:14] for line in log(remote)] == ["ledger: lease", "ledger: lease", "ledger: 202601", "ledger: lease"]


@pytest.mark.parametrize("first", [True, False])
def test_of_two_that_are_as_fast_one_has_the_lock(clone: Path, opened: Opened, clock: Clock, first: bool) -> None:
    if not first:
        written(opened, clock)
    other, taken = a_home(clone), list[Lock]()

    def now() -> float:
        if not taken:
            taken.append(opened().home.lock(APP, WASH, clock.waits()))
        return clock()

    with pytest.raises(Locked, match="wash on serenity"):
        other.lock(APP, WASH, Waiting(0, clock.sleep, clock, now))
    taken[0].check()
    other.close()


def test_a_ref_that_was_deleted_under_a_holder_is_a_lock_that_is_lost(remote: Path, opened: Opened, clock: Clock) -> None:
    ledger = opened()
    with ledger.locked(APP, WASH, clock.waits()):
        git(remote, "update-ref", "-d", LEDGER)
        tick(ledger)
        with pytest.raises(LockLost):
            ledger.check()
    assert not ledger.home.there()


# ── damage ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def tamper(clone: Path, changes: Mapping[str, bytes | None]) -> None:
    """Let somebody else push a ledger in which these files are others, or gone."""
    there = Remote("origin", around(clone), "there")
    tree = there.tree(LEDGER)
    kept = {path: content for path, content in changes.items() if content is not None}
    files = {path: blob for path, blob in tree.files.items() if path not in changes} | dict(
        zip(kept, there.keep(list(kept.values())), strict=True)
    )
    commit = there.commit(files, tree.tip, "by hand", 0)
    assert there.swap(LEDGER, commit, tree.tip) == commit


THING = file_of("things", "contact", "c-1")


def content(remote: Path, path: str) -> bytes:
    return git(remote, "show", f"{LEDGER}:{path}").encode()


@pytest.fixture(scope="module")
def whole() -> Mapping[str, bytes]:
    """The files of a ledger with one run and one thing."""
    with tempfile.TemporaryDirectory() as folder:
        engine = load(f"{folder}/ledger.db", "the ref", {})
        with Ledger(FileHome(Path(folder)), engine, bytes.fromhex(KEY), Clock()) as ledger:
            write(ledger)
            return take_changes(engine)


def loaded(files: Mapping[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        load(f"{folder}/ledger.db", "the ref", files).dispose()


@pytest.mark.parametrize(
    ("path", "damage"),
    [
        (THING, lambda old: old[:-20]),
        (THING, lambda old: b"\xff\xfe" + old),
        (THING, lambda old: old + old),
        (THING, lambda old: b"[]\n"),
        (THING, lambda old: b"7\n"),
        (THING, lambda old: old.replace(b'"key"', b'"quay"')),
        (THING, lambda old: old.replace(b"true", b'"yes"')),
        (THING, lambda old: old.replace(b'"c-1"', b"null")),
        ("runs.jsonl", lambda old: old.replace(b'"exit_code":null', b'"exit_code":"five"')),
        ("runs.jsonl", lambda old: old.replace(b'"started":', b'"started":"x","ended":')),
        ("runs.jsonl", lambda old: b""),
        ("ledger_schema.jsonl", lambda old: b"{"),
    ],
)
def test_files_that_no_release_wrote_are_damage(whole: Mapping[str, bytes], path: str, damage: Callable[[bytes], bytes]) -> None:
    loaded(whole)
    assert damage(whole[path]) != whole[path]
    with pytest.raises(Damaged):
        loaded({**whole, path: damage(whole[path])})


def test_a_damaged_tree_is_one_sentence(remote: Path, clone: Path, opened: Opened, clock: Clock) -> None:
    written(opened, clock)
    tamper(clone, {THING: content(remote, THING)[:-20]})
    with pytest.raises(LedgerUnusable) as said:
        opened()
    assert str(said.value) == (
        "the ledger refs/reconciler/ledger of origin cannot be used: it is damaged; push an older commit back to it "
        "(git log refs/reconciler/ledger), or delete the ref to start anew"
    )


@settings(max_examples=times(25), deadline=None)
@given(path=st.sampled_from([THING, "runs.jsonl", "ledger_keys.jsonl"]), at=st.integers(0, 700), junk=st.binary(max_size=6))
def test_bytes_that_changed_anywhere_are_a_ledger_or_damage(whole: Mapping[str, bytes], path: str, at: int, junk: bytes) -> None:
    changed = whole[path][:at] + junk + whole[path][at + len(junk) :]
    damaged = False
    try:
        loaded({**whole, path: changed})
    except Damaged:
        damaged = True
    # Anything but the one sentence would have ended this test, and what is whole is never called damaged.
    assert not (damaged and changed == whole[path])


def test_a_lease_that_cannot_be_read_is_damage_and_not_a_free_lock(clone: Path, opened: Opened, clock: Clock) -> None:
    written(opened, clock)
    for lease in (b"{}", b"[", b"[" * 100_000, b'{"who":"x","since":1e300,"renewed":1,"nonce":""}'):
        tamper(clone, {"lease.json": lease})
        with pytest.raises(LedgerUnusable, match="it is damaged"):
            opened().home.lock(APP, ZOE, clock.waits())


def test_a_newer_schema_asks_for_an_upgrade(clone: Path, opened: Opened, clock: Clock) -> None:
    written(opened, clock)
    tamper(clone, {"ledger_schema.jsonl": b'{"version":9}\n', THING: b'{"new":1}\n'})
    with pytest.raises(LedgerUnusable, match="it was made by a newer reconciler, or by one from before 0.1.0; upgrade, or move it away$"):
        opened()


def test_a_tree_without_a_schema_is_refused(clone: Path, opened: Opened, clock: Clock) -> None:
    written(opened, clock)
    tamper(clone, {"ledger_schema.jsonl": None})
    with pytest.raises(LedgerUnusable, match="it names no schema version"):
        opened()


def test_files_of_somebody_else_in_the_tree_do_no_harm(clone: Path, opened: Opened, clock: Clock) -> None:
    written(opened, clock)
    tamper(clone, {"README.md": b"our ledger\n", "things/.jsonl.old": b"?", "others/a.jsonl": b"?", "writes.jsonl": b"?"})
    with opened() as ledger, ledger.locked(APP, ZOE, clock.waits()):
        assert known(ledger) == "c-1"


# ── what git says ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def sentence(home: GitHome) -> str:
    with pytest.raises(LedgerUnusable) as said:
        home.there()
    return str(said.value).partition("cannot be used: ")[2]


def test_a_machine_without_git_is_one_sentence(clone: Path, tmp_path: Path) -> None:
    assert sentence(a_home(clone, PATH=str(tmp_path))) == "git is not installed; install git 2.29 or newer, and run again"


def test_a_folder_that_is_no_repository_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {name: value for name, value in around(tmp_path).items() if name != "GIT_DIR"}
    assert sentence(GitHome("origin", environ)).startswith("there is no git repository here; run it inside a clone")


@pytest.mark.parametrize("name", ["upstream", "--upload-pack=touch", "http://wash:secret@127.0.0.1/x", "wash:secret"])
def test_a_remote_that_is_not_configured_is_one_sentence(clone: Path, name: str) -> None:
    said = sentence(a_home(clone, remote=name))
    assert said.startswith("this repository has no remote of ")
    assert "secret" not in said + a_home(clone, remote=name).place


def test_a_remote_that_cannot_be_reached_is_one_sentence_without_its_address(clone: Path) -> None:
    git(clone, "remote", "set-url", "origin", "http://wash:secret@127.0.0.1:9/x.git")
    assert sentence(a_home(clone)) == "the remote origin cannot be reached; see to the network and to `git remote -v`, and run again"


class _Door(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(int(self.path.split("/")[1]))

    def log_message(self, *told: object) -> None:
        """Nothing is told."""


@pytest.fixture
def door(clone: Path) -> Iterator[Callable[[int], str]]:
    """What is said of a remote that answers everything with a status."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Door) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

        def said(status: int) -> str:
            git(clone, "remote", "set-url", "origin", f"http://wash:secret@127.0.0.1:{server.server_port}/{status}/x.git")
            return sentence(a_home(clone))

        yield said
        server.shutdown()


@pytest.mark.parametrize("status", [401, 403])
def test_a_remote_that_lets_nobody_in_is_one_sentence_without_the_password(door: Callable[[int], str], status: int) -> None:
    said = door(status)
    assert said.startswith("the remote origin does not let this user in; see to its credentials")
    assert "secret" not in said


def test_whatever_else_git_says_shows_no_address(door: Callable[[int], str]) -> None:
    said = door(200)
    assert said.startswith("git ls-remote answered: fatal: origin ")
    assert "127.0.0.1" not in said


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        ("echo no >&2", "no "),
        ("true", ""),
        ("echo 'GL: no member of team, see https://wash:secret@host.example/x' >&2; echo '  and sign it'",
         "GL: no member of team, see origin and sign it "),
        ("printf 'word %.0s' $(seq 500)", "word " * 100),
    ],
)  # fmt: skip
def test_a_push_that_a_rule_of_the_server_declines_shows_its_own_words(
    remote: Path, opened: Opened, clock: Clock, hook: str, said: str
) -> None:
    (remote / "hooks").mkdir(exist_ok=True)
    (remote / "hooks" / "pre-receive").write_text(f"#!/bin/sh\n{hook}\nexit 1\n")
    (remote / "hooks" / "pre-receive").chmod(0o755)
    with pytest.raises(LedgerUnusable) as refused:
        opened().home.lock(APP, WASH, clock.waits())
    rule = f"{said}(pre-receive hook declined)" if said else "pre-receive hook declined"
    assert f"cannot be used: the remote origin declined the push: {rule}; see to what it asks for" in str(refused.value)
    assert "secret" not in str(refused.value)


US = "reconciler <reconciler@localhost>"


@pytest.mark.parametrize(
    ("environ", "configured", "author", "committer"),
    [
        ({}, {}, US, US),
        ({"GIT_AUTHOR_NAME": "Zoe", "GIT_AUTHOR_EMAIL": "z@s.example"}, {}, "Zoe <z@s.example>", "Zoe <z@s.example>"),
        ({}, {"user.name": "Wash", "user.email": "w@s.example"}, "Wash <w@s.example>", "Wash <w@s.example>"),
        ({"GIT_COMMITTER_EMAIL": "bot@s.example", "GIT_AUTHOR_NAME": " "}, {"user.name": "Wash"}, "Wash <reconciler@localhost>",
         "Wash <bot@s.example>"),
        ({"GIT_AUTHOR_NAME": "Zoe"}, {"user.name": "Wash", "author.email": "z@s.example"}, "Zoe <z@s.example>",
         "Wash <reconciler@localhost>"),
    ],
)  # fmt: skip
def test_who_commits_is_whom_git_is_told_of(
    remote: Path, clone: Path, clock: Clock, environ: dict[str, str], configured: dict[str, str], author: str, committer: str
) -> None:
    for name, value in configured.items():
        git(clone, "config", name, value)
    a_home(clone, **environ).lock(APP, WASH, clock.waits()).release()
    assert git(remote, "log", "-1", "--format=%an <%ae>|%cn <%ce>", LEDGER).strip() == f"{author}|{committer}"


# ── pre-images ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_images_are_kept_for_thirty_days_in_a_commit_without_history(remote: Path, clone: Path, clock: Clock) -> None:
    home, other = a_home(clone), a_home(a_clone(remote, "other"))
    assert home.read_preimage("r-1") is None
    home.put_preimage("r-1", '{"tag": "vip"}', clock())
    other.put_preimage("r-2", "é\n", clock() + 29 * 86400)
    assert [other.read_preimage(run) for run in ("r-1", "r-2", "stored", "../r-1")] == ['{"tag": "vip"}', "é\n", None, None]
    home.put_preimage("r-3", "{}", clock() + 31 * 86400)
    assert [home.read_preimage(run) for run in ("r-1", "r-2", "r-3")] == [None, "é\n", "{}"]
    assert git(remote, "rev-list", "--count", IMAGES).strip() == "1"


def test_two_that_store_an_image_at_the_same_moment_both_do(remote: Path, clone: Path, clock: Clock) -> None:
    homes = [a_home(clone), a_home(a_clone(remote, "other"))]
    threads = [Thread(target=home.put_preimage, args=(f"r-{n}", "{}", clock())) for n, home in enumerate(homes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [homes[0].read_preimage(f"r-{n}") for n in range(2)] == ["{}", "{}"]
