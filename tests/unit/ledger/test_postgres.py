"""The ledger in a PostgreSQL database, beside other things and for several at once."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from sqlalchemy import func, select

from reconciler.core.model.address import Address
from reconciler.errors import ReconcilerError, Usage
from reconciler.ledger.database import for_reading
from reconciler.ledger.errors import LedgerUnusable
from reconciler.ledger.homes.home import Waiting
from reconciler.ledger.homes.postgres import PostgresHome
from reconciler.ledger.ledger import Ledger
from reconciler.ledger.tables import RUNS
from tests.desk.clock import Clock
from tests.desk.postgres import Cluster
from tests.desk.repositories import KEY
from tests.unit.ledger.changes import APP, HEAD, VIP, list_compiled, live_id_of, write


@pytest.fixture
def address(postgres: Cluster) -> str:
    return postgres.database()


@pytest.fixture
def home(address: str) -> Iterator[PostgresHome]:
    made = PostgresHome(address)
    yield made
    made.close()


def name_of(address: str) -> str:
    return address.rpartition("/")[2]


def a_ledger(home: PostgresHome, create: bool = True) -> Ledger:
    return Ledger(home, home.engine(create=create), bytes.fromhex(KEY))


def sentence(address: str) -> str:
    """What using a ledger there ends with, in front of it its place."""
    home = PostgresHome(address)
    with ExitStack() as stack:
        stack.callback(home.close)
        with pytest.raises(LedgerUnusable) as said:
            write(stack.enter_context(a_ledger(home)))
    assert "\n" not in str(said.value)
    return str(said.value)


def test_looking_creates_nothing(postgres: Cluster, address: str, home: PostgresHome) -> None:
    assert not home.exists()
    assert postgres.run("SELECT 1 FROM pg_namespace WHERE nspname = 'reconciler'", name_of(address)) == []


def test_it_lies_in_a_schema_of_its_own_beside_the_things_of_others(postgres: Cluster, address: str, home: PostgresHome) -> None:
    postgres.run("CREATE TABLE runs (id text); INSERT INTO runs VALUES ('theirs')", name_of(address))
    with a_ledger(home) as ledger:
        write(ledger)
        assert home.exists()
    tables = (
        "SELECT table_schema, count(*) FROM information_schema.tables WHERE table_schema IN ('public', 'reconciler') GROUP BY 1 ORDER BY 1"
    )
    assert postgres.run(tables, name_of(address)) == [("public", 1), ("reconciler", 8)]
    assert postgres.run("SELECT id FROM runs", name_of(address)) == [("theirs",)]


def test_several_that_start_it_at_the_same_moment_all_work(address: str) -> None:
    def work(number: int) -> str | None:
        home = PostgresHome(address)
        with a_ledger(home) as ledger, ledger.lock(APP, "wash", Waiting(20, lambda _: time.sleep(0.01), time.monotonic, time.time)):
            write(ledger, VIP, f"t-{number}")
            return ledger.warning or live_id_of(ledger, VIP)

    with ThreadPoolExecutor(6) as pool:
        assert all(str(answer).startswith("t-") for answer in pool.map(work, range(6)))


def test_a_user_without_the_right_to_create_uses_what_is_there(postgres: Cluster, address: str, home: PostgresHome) -> None:
    database = name_of(address)
    postgres.run("CREATE ROLE clerk LOGIN")
    theirs = postgres.address(database, "clerk")
    assert "permission denied; let this user create a schema in the database" in sentence(theirs)
    with a_ledger(home):
        postgres.run(
            "GRANT USAGE ON SCHEMA reconciler TO clerk; GRANT ALL ON ALL TABLES IN SCHEMA reconciler TO clerk; "
            "GRANT ALL ON ALL SEQUENCES IN SCHEMA reconciler TO clerk",
            database,
        )
    clerk = PostgresHome(theirs)
    with a_ledger(clerk) as ledger, ledger.lock(APP, "clerk", Clock(1_767_225_600.0).waiting()):
        write(ledger)
        assert live_id_of(ledger) == "c-1"


def test_what_was_compiled_for_one_ledger_serves_the_next(address: str) -> None:
    for _ in range(2):
        home = PostgresHome(address)
        engine = home.engine(create=True)
        compiled = list_compiled(engine)
        with Ledger(home, engine, bytes.fromhex(KEY)) as ledger:
            assert ledger.read_recorded(APP).there
    assert compiled == []


def test_a_read_is_one_moment_and_waits_for_no_writer(home: PostgresHome) -> None:
    with a_ledger(home) as ledger:
        ledger.end(ledger.begin(HEAD), 0, {})
        with for_reading(home.engine(create=False)).begin() as connection:
            counted = [connection.scalar(select(func.count()).select_from(RUNS))]
            ledger.end(ledger.begin(HEAD), 0, {})
            counted.append(connection.scalar(select(func.count()).select_from(RUNS)))
        assert counted == [1, 1]
        assert ledger.read_recorded(APP).runs == 2


def test_eight_threads_share_a_ledger(home: PostgresHome) -> None:
    with a_ledger(home) as ledger:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: write(ledger, Address("tag", f"{number}")), range(40)))
        assert ledger.read_recorded(APP).runs == 40


def test_images_are_kept_for_thirty_days(home: PostgresHome) -> None:
    with a_ledger(home):
        home.put_preimage("r-1", "{}", 0.0)
        home.put_preimage("r-1", '{"tag": "vip"}', 1.0)
        home.put_preimage("r-2", "{}", 29 * 86400.0)
        assert [home.read_preimage(run) for run in ("r-1", "r-2", "r-3")] == ['{"tag": "vip"}', "{}", None]
        home.put_preimage("r-3", "{}", 31 * 86400.0)
        assert [home.read_preimage(run) for run in ("r-1", "r-2", "r-3")] == [None, "{}", "{}"]
        home.drop_preimages(60 * 86400.0)
        assert [home.read_preimage(run) for run in ("r-2", "r-3")] == [None, "{}"]


def test_one_workspace_does_not_wait_for_another(home: PostgresHome) -> None:
    with a_ledger(home) as ledger, ledger.lock(APP, "wash", Clock(1_767_225_600.0).waiting()):
        lock = home.lock("another", "zoe", Clock(1_767_225_600.0).waiting())
        assert lock.taken_over == ""
        lock.release()


def test_a_lock_of_something_else_in_the_database_is_not_ours(postgres: Cluster, address: str, home: PostgresHome) -> None:
    with a_ledger(home) as ledger, ledger.lock(APP, "wash", Clock(1_767_225_600.0).waiting()):
        [[free]] = postgres.run("SELECT pg_try_advisory_lock(1) AND pg_try_advisory_lock(0, 0)", name_of(address))
        assert free


def test_a_connection_that_is_gone_in_a_run_is_one_sentence(postgres: Cluster, address: str, home: PostgresHome) -> None:
    with a_ledger(home) as ledger:
        write(ledger)
        postgres.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name_of(address)}'")
        with pytest.raises(ReconcilerError, match="cannot be used: the connection was lost; run again$"):
            ledger.begin(HEAD)
        write(ledger, VIP, "t-1")


# ── what the server says ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_server_that_is_not_there_is_one_sentence(postgres: Cluster) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"postgresql://wash:secret@127.0.0.1:{taken.getsockname()[1]}/ledger"
        said = sentence(address)
    place = address.replace("wash:secret@", "")
    assert said == f"the ledger {place} cannot be used: connection refused; see to the server and the address, and run again"


def test_a_server_that_does_not_answer_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = sentence(f"postgresql://127.0.0.1:{silent.getsockname()[1]}/ledger?connect_timeout=2")
    assert said.endswith("no answer in time; see to the server and the address, and run again")


@pytest.mark.parametrize(
    ("user", "database", "words"),
    [
        (
            "secretive:wrong",
            "postgres",
            "password authentication failed; see to the user and the password (PGPASSWORD, or ~/.pgpass), and run again",
        ),
        ("secretive", "postgres", "the server wants a password; see to the user and the password"),
        ("unwelcome", "postgres", "the server does not let this user in from here; see to the user"),
        ("postgres", "nowhere", 'database "nowhere" does not exist; create it, or correct the address'),
        ("nobody", "postgres", 'role "nobody" does not exist; see to the user and the password'),
    ],
)
def test_whom_the_server_does_not_let_in_is_told_why(
    postgres: Cluster, monkeypatch: pytest.MonkeyPatch, user: str, database: str, words: str
) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.setenv("PGPASSFILE", "/nowhere")
    if user.startswith("secretive"):
        postgres.run("DROP ROLE IF EXISTS secretive; CREATE ROLE secretive LOGIN PASSWORD 'right'")
    said = sentence(postgres.address(database, user))
    assert words in said
    assert "wrong" not in said


def test_an_encrypted_connection_that_cannot_be_made_is_one_sentence(address: str) -> None:
    assert "no encrypted connection could be made; see to sslmode" in sentence(f"{address}?sslmode=require")


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (
            "UPDATE reconciler.ledger_schema SET version = 9",
            "it was made by a newer reconciler, or by one from before 0.1.0; upgrade, or move it away",
        ),
        ("DELETE FROM reconciler.ledger_schema", "it names no schema version"),
        ("DROP TABLE reconciler.ledger_schema", "it is a database of something else"),
        ("DROP TABLE reconciler.writes", "its tables are not those of a ledger; see to the schema reconciler in it"),
        ("ALTER TABLE reconciler.runs DROP COLUMN who", "its tables are not those of a ledger"),
        ("ALTER DATABASE {} SET default_transaction_read_only = on", "it cannot be written; name the primary server"),
    ],
)
def test_a_ledger_that_is_not_as_it_was_left_is_one_sentence(
    postgres: Cluster, address: str, home: PostgresHome, sql: str, words: str
) -> None:
    with a_ledger(home):
        postgres.run(sql.format(name_of(address)), name_of(address))
    assert words in sentence(address)


def test_sentences_hold_no_password_no_statement_and_no_value(postgres: Cluster, address: str, home: PostgresHome) -> None:
    with a_ledger(home):
        postgres.run("ALTER TABLE reconciler.things ALTER id TYPE varchar(2)", name_of(address))
    said = sentence(address.replace("postgres@", "postgres:secret@") + "?password=secret")
    assert said.partition("cannot be used: ")[2] == "the database answered StringDataRightTruncation; see to the database and run again"
    assert "secret" not in said


@pytest.mark.parametrize("address", ["postgresql://wash:secret@host:port/ledger", "postgresql:secret"])
def test_an_address_that_cannot_be_read_is_wrong_usage_and_not_shown(address: str) -> None:
    with pytest.raises(Usage, match="the address cannot be read; write postgresql://HOST:PORT/DATABASE") as said:
        PostgresHome(address)
    assert "secret" not in str(said.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_an_address_is_shown_without_user_and_password(scheme: str) -> None:
    assert PostgresHome(f"{scheme}://wash:secret@serenity:6543/ledger?sslmode=require").place == "postgresql://serenity:6543/ledger"
