"""What lies in the folder, who may read it, and what happens when it is not as it was left."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event

from reconciler.errors import ReconcilerError, Usage
from reconciler.ledger import Ledger, LedgerUnusable
from reconciler.ledger.database import engine_for
from reconciler.ledger.tables import is_current, upgrade
from tests.ledger.changes import APP, HEAD, HOBAN, a_change, an_attach, write

KEY = "0f" * 32


def opened(folder: Path, create: bool = True, **environ: str) -> Ledger:
    found = Ledger.open(folder, create=create, environ=environ)
    assert found
    return found


def a_written_folder(folder: Path) -> Path:
    with opened(folder) as ledger:
        write(ledger, live_id="c-1")
    return folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_looking_creates_nothing(folder: Path) -> None:
    assert Ledger.open(folder, create=False, environ={}) is None
    assert not folder.exists()


def test_looking_finds_what_was_written(folder: Path) -> None:
    with opened(a_written_folder(folder), create=False) as ledger:
        assert ledger.known(APP, [HOBAN])[HOBAN].id == "c-1"
        assert ledger.warning == ""


def test_nobody_else_may_read_it(folder: Path) -> None:
    with opened(folder) as ledger:
        write(ledger)
        files = sorted(path.name for path in folder.iterdir())
        assert files == ["key", "ledger.db", "ledger.db-shm", "ledger.db-wal"]
        assert {mode(path) for path in folder.iterdir()} == {0o600}
    assert mode(folder) == 0o700
    assert len(bytes.fromhex((folder / "key").read_text())) == 32


def test_the_key_of_the_environment_wins_and_no_file_is_made(folder: Path) -> None:
    with opened(folder, RECONCILER_LEDGER_KEY=KEY) as ledger:
        write(ledger, live_id="c-1")
    assert not (folder / "key").exists()
    (folder / "key").write_text("1e" * 32)
    with opened(folder, RECONCILER_LEDGER_KEY=f" {KEY}\n") as ledger:
        assert HOBAN in ledger.known(APP, [HOBAN])


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
    with opened(folder, create=False) as looking:
        assert "it counts as lost" in looking.warning
        assert not (folder / "key").exists()
    with opened(folder) as ledger:
        assert "ledger.db was written with another key" in ledger.warning
        assert ledger.known(APP, [HOBAN]) == {}
        write(ledger, live_id="c-2")
    with opened(folder) as again:
        assert (again.warning, again.known(APP, [HOBAN])[HOBAN].id) == ("", "c-2")


def test_the_old_key_still_opens_what_it_wrote(folder: Path) -> None:
    a_written_folder(folder)
    with opened(folder, RECONCILER_LEDGER_KEY=KEY) as other:
        assert other.warning
        write(other, live_id="c-2")
    with opened(folder) as ledger:
        assert (ledger.warning, ledger.known(APP, [HOBAN])[HOBAN].id) == ("", "c-1")


def test_a_key_without_a_database_starts_an_empty_ledger(folder: Path) -> None:
    a_written_folder(folder)
    (folder / "ledger.db").unlink()
    assert Ledger.open(folder, create=False, environ={}) is None
    with opened(folder) as ledger:
        assert (ledger.warning, ledger.known(APP, [HOBAN])) == ("", {})


def test_a_process_that_died_before_the_first_table_left_nothing_in_the_way(folder: Path) -> None:
    folder.mkdir()
    (folder / "ledger.db").touch()
    with opened(folder, create=False) as ledger:
        assert ledger.known(APP, [HOBAN]) == {}


@pytest.mark.parametrize("junk", [b"tags:\n  - vip\n" * 100, b"\0" * 8192, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_one_sentence(folder: Path, junk: bytes) -> None:
    folder.mkdir()
    (folder / "ledger.db").write_bytes(junk)
    sentence = r"^the ledger .*ledger\.db cannot be used: it is .*; move it away: the next apply starts a new one$"
    with pytest.raises(LedgerUnusable, match=sentence):
        Ledger.open(folder, create=True, environ={})
    assert (folder / "ledger.db").read_bytes() == junk


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    with opened(folder) as ledger:
        ledger.intend_many(ledger.begin(HEAD), [a_change(), *[an_attach()] * 300])
    return folder


def said(folder: Path) -> str:
    """The sentence that using a ledger ends with, if it does."""
    try:
        with opened(folder) as ledger:
            ledger.known(APP, [HOBAN])
            ledger.lost_creates(APP, [HOBAN])
            write(ledger)
    except LedgerUnusable as error:
        return str(error)
    return ""


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, 120_000), junk=st.binary(max_size=200), cut=st.booleans())
@example(at=20_000, junk=b"", cut=True)
@example(at=18, junk=b"\x07\x07", cut=False)
def test_a_damaged_database_works_or_is_one_sentence(whole: Path, at: int, junk: bytes, cut: bool) -> None:
    content = (whole / "ledger.db").read_bytes()
    with TemporaryDirectory() as name:
        (Path(name) / "ledger.db").write_bytes(content[:at] if cut else content[:at] + junk + content[at + len(junk) :])
        (Path(name) / "key").write_bytes((whole / "key").read_bytes())
        sentence = said(Path(name))
        assert {"key", "ledger.db"} <= set(os.listdir(name))
    assert not sentence or "ledger.db cannot be used: " in sentence
    assert "\n" not in sentence


def statement(folder: Path, sql: str) -> None:
    connection = sqlite3.connect(folder / "ledger.db")
    with connection:
        connection.execute(sql)
    connection.close()


def test_the_database_of_something_else_is_refused(folder: Path) -> None:
    folder.mkdir()
    statement(folder, "create table contacts (id text)")
    before = (folder / "ledger.db").read_bytes()
    with pytest.raises(LedgerUnusable, match="it is a database of something else"):
        Ledger.open(folder, create=True, environ={})
    assert (folder / "ledger.db").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["key", "ledger.db"]


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("update ledger_schema set version = 9", r"a newer reconciler wrote it \(schema 9, this one knows 1\); upgrade reconciler$"),
        ("delete from ledger_schema", "it names no schema version; move it away"),
        ("update ledger_schema set version = 'x'", "it names no schema version; move it away"),
        ("drop table ledger_keys", "its tables are not those of a ledger; move it away"),
    ],
)
def test_a_schema_that_this_release_does_not_know_is_refused(folder: Path, sql: str, sentence: str) -> None:
    statement(a_written_folder(folder), sql)
    with pytest.raises(LedgerUnusable, match=sentence):
        Ledger.open(folder, create=True, environ={})


def test_an_older_schema_migrates_forward_step_by_step(folder: Path) -> None:
    a_written_folder(folder)
    steps = [_add("who"), _add("git_commit")]
    engine = engine_for(f"sqlite:///{folder}/ledger.db")
    with engine.begin() as connection:
        upgrade(connection, "ledger.db", steps[:1])
        assert not is_current(connection, "ledger.db", steps)
        upgrade(connection, "ledger.db", steps)
        assert is_current(connection, "ledger.db", steps)
        connection.exec_driver_sql("select who, git_commit from runs").close()
    engine.dispose()
    with pytest.raises(LedgerUnusable, match="a newer reconciler wrote it"):
        Ledger.open(folder, create=True, environ={})


def _add(column: str) -> Any:
    def step(connection: Connection) -> None:
        connection.exec_driver_sql(f"alter table runs add column {column} text").close()

    return step


def limited(folder: Path, pragma: str) -> Ledger:
    engine = engine_for(f"sqlite:///{a_written_folder(folder)}/ledger.db")
    event.listen(engine, "connect", lambda connection, record: connection.execute(f"pragma {pragma}").close())
    return Ledger(engine, bytes.fromhex((folder / "key").read_text()))


def test_a_full_disk_is_one_sentence_and_what_was_written_stays(folder: Path) -> None:
    with limited(folder, "max_page_count = 30") as ledger:
        run = ledger.begin(HEAD)
        with pytest.raises(ReconcilerError, match=r"ledger.db cannot be used: the disk is full; free some space and run again"):
            ledger.intend_many(run, [an_attach()] * 2000)
        assert ledger.known(APP, [HOBAN])[HOBAN].id == "c-1"


def test_a_database_that_may_not_be_written_is_read_and_refused_at_the_first_write(folder: Path) -> None:
    with limited(folder, "query_only = on") as ledger:
        assert HOBAN in ledger.known(APP, [HOBAN])
        with pytest.raises(ReconcilerError, match=r"it cannot be written; see to its permissions and its disk, and run again"):
            ledger.begin(HEAD)


def test_a_writer_that_does_not_end_delays_no_reader_and_is_named_to_a_writer(folder: Path) -> None:
    with limited(folder, "busy_timeout = 20") as ledger:
        holder = sqlite3.connect(folder / "ledger.db", isolation_level=None)
        holder.execute("begin immediate")
        assert HOBAN in ledger.known(APP, [HOBAN])
        with pytest.raises(ReconcilerError, match="another process kept it busy for 30 s; run again when that one has ended"):
            ledger.begin(HEAD)
        holder.close()
        assert ledger.begin(HEAD)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / ".reconciler"):
        with pytest.raises(LedgerUnusable, match=r"ledger\.db cannot be used: (File exists|Not a directory); see to its permissions"):
            Ledger.open(folder, create=True, environ={})
        assert Ledger.open(folder, create=False, environ={}) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_one_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(LedgerUnusable, match="Permission denied"):
        Ledger.open(tmp_path / ".reconciler", create=True, environ={})
    tmp_path.chmod(0o700)


def test_a_database_that_is_a_folder_is_one_sentence(folder: Path) -> None:
    (folder / "ledger.db").mkdir(parents=True)
    with pytest.raises(LedgerUnusable, match="it cannot be opened"):
        Ledger.open(folder, create=True, environ={})
