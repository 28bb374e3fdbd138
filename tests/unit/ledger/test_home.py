"""What lies in the folder, who may read it, and what happens when it is not as it was left."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from reconciler.core.model.change import Action
from reconciler.core.model.record import LinkOrigin, with_link
from reconciler.errors import Locked, ReconcilerError, Usage
from reconciler.ledger.database import engine_for
from reconciler.ledger.errors import LedgerUnusable
from reconciler.ledger.homes.file import FileHome, FileLock
from reconciler.ledger.ledger import Ledger
from reconciler.ledger.run import PlannedWrite
from tests.desk.clock import Clock
from tests.desk.soak import times
from tests.unit.ledger.changes import APP, HEAD, HOBAN, VIP, a_change, a_record, an_attach, attempt, list_compiled, live_id_of, write

KEY = "0f" * 32
DAY = 86400.0


def open_ledger(folder: Path, create: bool = True, **environ: str) -> Ledger:
    ledger = Ledger.open(folder, create=create, environ=environ)
    assert ledger
    return ledger


def a_written_folder(folder: Path) -> Path:
    with open_ledger(folder) as ledger:
        write(ledger, live_id="c-1")
    return folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_looking_creates_nothing(folder: Path) -> None:
    assert Ledger.open(folder, create=False, environ={}) is None
    assert not folder.exists()


def test_looking_finds_what_was_written(folder: Path) -> None:
    with open_ledger(a_written_folder(folder), create=False) as ledger:
        assert live_id_of(ledger) == "c-1"
        assert ledger.warning == ""


def test_nobody_else_may_read_it(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        write(ledger)
        ledger.home.put_preimage("20260101T000000000-1a2b3c4d", "{}", 0.0)
        with ledger.lock(APP, "wash on serenity", Clock(1_767_225_600.0).waiting()):
            pass
        files = sorted(path.name for path in folder.iterdir())
        assert files == [".gitignore", "images", "key", "last", "ledger.db", "ledger.db-shm", "ledger.db-wal", "ledger.lock"]
        assert {mode(path) for path in folder.rglob("*") if path.is_file()} == {0o600}
    assert mode(folder) == mode(folder / "images") == 0o700
    assert len(bytes.fromhex((folder / "key").read_text())) == 32


def test_the_key_of_the_environment_wins_and_no_file_is_made(folder: Path) -> None:
    with open_ledger(folder, RECONCILER_LEDGER_KEY=KEY) as ledger:
        write(ledger, live_id="c-1")
    assert not (folder / "key").exists()
    (folder / "key").write_text("1e" * 32)
    with open_ledger(folder, RECONCILER_LEDGER_KEY=f" {KEY}\n") as ledger:
        assert live_id_of(ledger) == "c-1"


@pytest.mark.parametrize("written", ["secret", "0f" * 31, "0f" * 33])
def test_a_malformed_key_in_the_environment_is_wrong_usage_and_not_shown(folder: Path, written: str) -> None:
    with pytest.raises(Usage, match="RECONCILER_LEDGER_KEY is not 64 hexadecimal digits") as refused:
        Ledger.open(folder, create=True, environ={"RECONCILER_LEDGER_KEY": written})
    assert written not in str(refused.value)


@pytest.mark.parametrize("content", ["", "secret", "0f" * 31])
def test_a_malformed_key_file_is_named_and_left_alone(folder: Path, content: str) -> None:
    a_written_folder(folder)
    (folder / "key").write_text(content)
    with pytest.raises(LedgerUnusable, match="key cannot be used: it is not 64 hexadecimal digits"):
        Ledger.open(folder, create=True, environ={})
    assert (folder / "key").read_text() == content


def test_without_its_key_a_ledger_counts_as_lost_until_a_run_begins_anew(folder: Path) -> None:
    a_written_folder(folder)
    (folder / "key").unlink()
    with open_ledger(folder, create=False) as looking:
        assert "it counts as lost" in looking.warning
        assert not (folder / "key").exists()
    with open_ledger(folder) as ledger:
        assert "ledger.db was written with another key" in ledger.warning
        assert (live_id_of(ledger), ledger.read_recorded(APP).runs) == (None, 0)
        write(ledger, live_id="c-2")
    with open_ledger(folder) as again:
        assert again.warning.startswith(f"the ledger {folder}/ledger.db holds 1 thing recorded with another key alone")
        assert (live_id_of(again), again.read_recorded(APP).runs) == ("c-2", 1)


def test_the_old_key_still_opens_what_it_wrote(folder: Path) -> None:
    a_written_folder(folder)
    with open_ledger(folder, RECONCILER_LEDGER_KEY=KEY) as other:
        assert other.warning
        write(other, live_id="c-2")
    with open_ledger(folder) as ledger:
        assert "holds 1 thing recorded with another key alone" in ledger.warning
        assert live_id_of(ledger) == "c-1"


def test_what_two_keys_know_of_one_thing_is_kept_apart(folder: Path) -> None:
    a_written_folder(folder)
    with open_ledger(folder, RECONCILER_LEDGER_KEY=KEY) as other:
        other.record(APP, "default", [replace(a_record(other.digests), owned=False)])
        assert [record.owned for record in other.read_recorded(APP).records.values()] == [False]
        assert other.warning
    with open_ledger(folder) as ledger:
        assert [record.owned for record in ledger.read_recorded(APP).records.values()] == [True]
        assert ledger.warning == ""
        ledger.forget(APP, "default", list(ledger.read_recorded(APP).records.values()))
    with open_ledger(folder, RECONCILER_LEDGER_KEY=KEY) as other:
        assert not other.read_recorded(APP).records, "who lets go of a thing means the thing"


def test_a_key_without_a_database_starts_an_empty_ledger(folder: Path) -> None:
    a_written_folder(folder)
    (folder / "ledger.db").unlink()
    assert Ledger.open(folder, create=False, environ={}) is None
    with open_ledger(folder) as ledger:
        # It is not the one that was written last, and says so.
        assert ("is older than the last run here" in ledger.warning, live_id_of(ledger)) == (True, None)


def test_a_process_that_died_before_the_first_table_left_nothing_in_the_way(folder: Path) -> None:
    folder.mkdir()
    (folder / "ledger.db").touch()
    with open_ledger(folder, create=False) as ledger:
        assert live_id_of(ledger) is None


@pytest.mark.parametrize("junk", [b"tags:\n  - vip\n" * 100, b"\0" * 8192, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_one_sentence(folder: Path, junk: bytes) -> None:
    folder.mkdir()
    (folder / "ledger.db").write_bytes(junk)
    sentence = r"^the ledger .*ledger\.db cannot be used: it is .*; restore a copy of it, or let `reconciler adopt --all PATH`"
    with pytest.raises(LedgerUnusable, match=sentence):
        Ledger.open(folder, create=True, environ={})
    assert (folder / "ledger.db").read_bytes() == junk


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    with open_ledger(folder) as ledger:
        record = with_link(a_record(ledger.digests, values={"name": "Hoban"}), "tags", "t-1", LinkOrigin.OWNED)
        ledger.record(APP, "default", [record, *(a_record(ledger.digests, VIP, f"t-{n}") for n in range(100))])
        ledger.plan(ledger.begin(HEAD), [PlannedWrite(a_change(name="Hoban")), *[PlannedWrite(an_attach())] * 300])
    return folder


def read_sentence(folder: Path) -> str:
    """The sentence that using a ledger ends with, if it does."""
    try:
        with open_ledger(folder) as ledger:
            memory = ledger.read_recorded(APP)
            memory.has_lost_create(HOBAN)
            [len(record.fields) + len(record.links) + len(record.since) for record in memory.records.values()]
            write(ledger)
    except LedgerUnusable as error:
        return str(error)
    return ""


@settings(max_examples=times(60))
@given(at=st.integers(0, 120_000), junk=st.binary(max_size=200), cut=st.booleans())
@example(at=20_000, junk=b"", cut=True)
@example(at=18, junk=b"\x07\x07", cut=False)
def test_a_damaged_database_works_or_is_one_sentence(whole: Path, at: int, junk: bytes, cut: bool) -> None:
    content = (whole / "ledger.db").read_bytes()
    with TemporaryDirectory() as name:
        (Path(name) / "ledger.db").write_bytes(content[:at] if cut else content[:at] + junk + content[at + len(junk) :])
        (Path(name) / "key").write_bytes((whole / "key").read_bytes())
        sentence = read_sentence(Path(name))
        assert {"key", "ledger.db"} <= set(os.listdir(name))
    assert not sentence or "ledger.db cannot be used: " in sentence
    assert "\n" not in sentence


def statement(folder: Path, sql: str) -> None:
    connection = sqlite3.connect(folder / "ledger.db")
    with connection:
        connection.execute(sql)
    connection.close()


@pytest.mark.parametrize("junk", ["name", "[1]", "3", "{", "[" * 100_000], ids=lambda junk: junk[:4])
@pytest.mark.parametrize("column", ["things set fields", "things set links", "writes set fields"])
def test_a_damaged_map_is_one_sentence_when_it_is_read(folder: Path, column: str, junk: str) -> None:
    with open_ledger(folder) as ledger:
        ledger.record(APP, "default", [a_record(ledger.digests)])
        attempt(ledger, a_change(), None, proof=True)
    statement(folder, f"update {column} = '{junk}'")
    assert read_sentence(folder).startswith(f"the ledger {folder}/ledger.db cannot be used: it is damaged; restore a copy of it, or let ")


@pytest.mark.parametrize("owned", [True, False], ids=["notable", "plain"])
@pytest.mark.parametrize("column", ["thing", "file", "run", "fields", "links", "written"])
def test_what_is_no_value_of_its_column_is_one_sentence(folder: Path, column: str, owned: bool) -> None:
    with open_ledger(folder) as ledger:
        ledger.record(APP, "default", [replace(a_record(ledger.digests), owned=owned)])
    # One bit makes bytes of a text.
    statement(folder, f"update things set {column} = x'7b7d'")
    assert "ledger.db cannot be used: it is damaged; " in read_sentence(folder)


@pytest.mark.parametrize(
    "values",
    [
        """fields = '{"carried by": "7"}'""",
        """links = '{"tags since": 3}'""",
        """links = '{"tags since": {"t-1": "x"}}'""",
        """links = '{"tags since": {"t-1": Infinity}}'""",
    ],
    ids=["who carries it", "times", "a time", "an endless time"],
)
def test_what_is_no_mark_or_time_is_one_sentence(folder: Path, values: str) -> None:
    with open_ledger(folder) as ledger:
        ledger.record(APP, "default", [a_record(ledger.digests)])
    statement(folder, f"update things set {values}")
    assert "ledger.db cannot be used: it is damaged; " in read_sentence(folder)


def test_a_detach_at_no_time_is_one_sentence(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        ledger.record(APP, "default", [a_record(ledger.digests)])
        attempt(ledger, an_attach(action=Action.DETACH), "applied", head=replace(HEAD, name="other"))
    assert read_sentence(folder) == ""
    statement(folder, "update writes set settled = 'late'")
    assert "ledger.db cannot be used: it is damaged; " in read_sentence(folder)


def test_the_database_of_something_else_is_refused(folder: Path) -> None:
    folder.mkdir()
    statement(folder, "create table contacts (id text)")
    before = (folder / "ledger.db").read_bytes()
    with pytest.raises(LedgerUnusable, match="it is a database of something else"):
        Ledger.open(folder, create=True, environ={})
    assert (folder / "ledger.db").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == [".gitignore", "key", "ledger.db"]


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        (
            "update ledger_schema set version = 9",
            "it was made by a newer reconciler, or by one from before 0.1.0; upgrade, or move it away$",
        ),
        ("drop table things", "it was made by a reconciler from before 0.1.0, or a table of it is gone; restore a copy of it, or let "),
        ("delete from ledger_schema", "it names no schema version; restore a copy"),
        ("update ledger_schema set version = 'x'", "it names no schema version; restore a copy"),
        ("drop table ledger_keys", "its tables are not those of a ledger; restore a copy"),
    ],
)
def test_a_schema_that_this_release_does_not_know_is_refused(folder: Path, sql: str, sentence: str) -> None:
    statement(a_written_folder(folder), sql)
    with pytest.raises(LedgerUnusable, match=sentence):
        Ledger.open(folder, create=True, environ={})


def test_what_was_compiled_for_one_ledger_serves_the_next(tmp_path: Path) -> None:
    for name in ("one", "two"):
        engine = engine_for(f"sqlite:///{a_written_folder(tmp_path / name)}/ledger.db")
        compiled = list_compiled(engine)
        with Ledger(FileHome(tmp_path / name), engine, bytes.fromhex((tmp_path / name / "key").read_text())) as ledger:
            assert live_id_of(ledger) == "c-1"
    assert compiled == []


def limit(folder: Path, pragma: str) -> Ledger:
    engine = engine_for(f"sqlite:///{a_written_folder(folder)}/ledger.db")
    event.listen(engine, "connect", lambda connection, record: connection.execute(f"pragma {pragma}").close())
    return Ledger(FileHome(folder), engine, bytes.fromhex((folder / "key").read_text()))


def test_a_full_disk_is_one_sentence_and_what_was_written_stays(folder: Path) -> None:
    with limit(folder, "max_page_count = 40") as ledger:
        run = ledger.begin(HEAD)
        with pytest.raises(ReconcilerError, match=r"ledger.db cannot be used: the disk is full; free some space and run again"):
            ledger.plan(run, [PlannedWrite(an_attach())] * 2000)
        assert live_id_of(ledger) == "c-1"
        assert not ledger.read_recorded(APP).attempts


def test_a_database_that_may_not_be_written_is_read_and_refused_at_the_first_write(folder: Path) -> None:
    with limit(folder, "query_only = on") as ledger:
        assert live_id_of(ledger) == "c-1"
        with pytest.raises(ReconcilerError, match=r"it cannot be written; see to its permissions and its disk, and run again"):
            ledger.begin(HEAD)


def test_a_writer_that_does_not_end_delays_no_reader_and_is_named_to_a_writer(folder: Path) -> None:
    with limit(folder, "busy_timeout = 20") as ledger:
        holder = sqlite3.connect(folder / "ledger.db", isolation_level=None)
        holder.execute("begin immediate")
        assert live_id_of(ledger) == "c-1"
        with pytest.raises(ReconcilerError, match="another process kept it busy for 30 s; run again when that one has ended"):
            ledger.begin(HEAD)
        holder.close()
        assert ledger.begin(HEAD)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerUnusable, match=r"ledger\.db cannot be used: Not a directory; see to its permissions"):
        Ledger.open(tmp_path / "file" / ".reconciler", create=True, environ={})
    assert Ledger.open(tmp_path / "file" / ".reconciler", create=False, environ={}) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_one_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(LedgerUnusable, match="Permission denied"):
        Ledger.open(tmp_path / ".reconciler", create=True, environ={})
    tmp_path.chmod(0o700)


def test_a_database_that_is_a_folder_is_one_sentence(folder: Path) -> None:
    (folder / "ledger.db").mkdir(parents=True)
    with pytest.raises(LedgerUnusable, match=r"it is a folder \(Is a directory\)"):
        Ledger.open(folder, create=True, environ={})


# ── the lock ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_lock_is_held_by_one_who_is_named_and_free_again_after_him(folder: Path, ledger: Ledger, clock: Clock) -> None:
    with open_ledger(folder) as other:
        with ledger.lock(APP, "wash on serenity", clock.waiting()) as lock:
            assert json.loads((folder / "ledger.lock").read_text()) == {"who": "wash on serenity", "since": clock.now}
            assert lock.taken_over == ""
            ledger.check()
            holder = "wash on serenity, since 2026-01-01 00:00:00 UTC,"
            end = "it ends with that process; wait for it, or give --lock-timeout more seconds"
            sentence = rf"^{holder} holds the lock of this ledger \(.*\.db\); {end}$"
            with pytest.raises(Locked, match=sentence), other.lock(APP, "kaylee on serenity", clock.waiting()):
                pytest.fail("two hold it")
        with other.lock(APP, "kaylee on serenity", clock.waiting()):
            assert "kaylee" in (folder / "ledger.lock").read_text()
    assert (folder / "ledger.lock").read_text() == ""


def test_a_lock_is_waited_for_as_long_as_was_said(ledger: Ledger, clock: Clock) -> None:
    begun = clock.now
    taken = ledger.lock(APP, "wash on serenity", clock.waiting())
    with taken, pytest.raises(Locked), ledger.lock(APP, "kaylee on serenity", clock.waiting(20)):
        pytest.fail("two hold it")
    assert 20 <= clock.now - begun < 21


def test_a_lock_that_gets_free_meanwhile_is_taken(ledger: Ledger, folder: Path, clock: Clock) -> None:
    held = FileHome(folder).lock(APP, "wash on serenity", clock.waiting())

    def sleep(seconds: float) -> None:
        held.release()
        clock.sleep(seconds)

    with ledger.lock(APP, "kaylee on serenity", replace(clock.waiting(20), sleep=sleep)):
        assert "kaylee" in (folder / "ledger.lock").read_text()


def test_a_holder_who_did_not_say_his_name_is_another_run(ledger: Ledger, folder: Path, clock: Clock) -> None:
    with ledger.lock(APP, "wash on serenity", clock.waiting()):
        for junk in ("", "{", "[]", "3", '{"since": 1}', "\0"):
            (folder / "ledger.lock").write_text(junk)
            with pytest.raises(Locked, match="^another run holds the lock"), ledger.lock(APP, "kaylee", clock.waiting()):
                pytest.fail("two hold it")


def test_a_lock_is_let_go_also_where_its_file_cannot_be_cut() -> None:
    handle = os.open("/dev/full", os.O_RDWR)
    lock = FileLock(handle)
    lock.release()
    lock.release()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handle)


# ── what was destroyed ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_what_a_run_destroys_is_kept_in_a_file_of_its_own(ledger: Ledger, folder: Path) -> None:
    for run, image in [("one", '{"name": "é"}'), ("two", '{"name": 1}'), ("two", "[]")]:
        ledger.home.put_preimage(run, image, 0.0)
    assert [ledger.home.read_preimage(run) for run in ("one", "two", "three")] == ['{"name": "é"}', "[]", None]
    assert {path.name: mode(path) for path in (folder / "images").iterdir()} == {"one.json": 0o600, "two.json": 0o600}


def test_an_image_is_kept_for_thirty_days(ledger: Ledger, folder: Path, clock: Clock) -> None:
    for run, age in [("old", 30 * DAY + 1), ("young", 30 * DAY)]:
        ledger.home.put_preimage(run, "{}", clock.now)
        os.utime(folder / "images" / f"{run}.json", (clock.now - age, clock.now - age))
    ledger.home.put_preimage("new", "{}", clock.now)
    assert [ledger.home.read_preimage(run) for run in ("old", "young", "new")] == [None, "{}", "{}"]


def test_an_image_that_cannot_be_kept_is_one_sentence(ledger: Ledger, folder: Path) -> None:
    (folder / "images").write_text("")
    with pytest.raises(LedgerUnusable, match=r"images cannot be used: it is no folder \(Not a directory\); remove it"):
        ledger.home.put_preimage("run", "{}", 0.0)
