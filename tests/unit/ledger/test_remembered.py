"""A ledger that was lost or rolled back is noticed, whichever its home, by what this machine has seen of it; nothing goes by ownership."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.desk.desk import Desk
from tests.desk.postgres import Cluster
from tests.desk.repositories import git
from tests.desk.soak import only_in_soak

HEAD = "name: growth\nworkspace: {app_id: sandbox1, region: us}\npolicy: {links: owned, prune: {tags: owned}}\n"
BOTH = HEAD + "tags: [vip, promo]\ncontacts: [{external_id: '25', tags: [vip, promo]}]\n"
ONE = HEAD + "tags: [vip]\ncontacts: [{external_id: '25', tags: [vip]}]\n"
APPLY = ("apply", "m.yaml", "--auto-approve")
TABLES = ["ledger_schema", "ledger_keys", "runs", "writes", "things", "ineffective", "holders", "images"]


@dataclass
class Backup:
    """How a ledger is kept, put back and lost."""

    keep: Callable[[], object]
    put_back: Callable[[], object]
    lose: Callable[[], object]


@pytest.fixture
def backup(home: str, desk: Desk, request: pytest.FixtureRequest) -> Backup:
    if home == "postgresql":
        postgres: Cluster = request.getfixturevalue("postgres")

        def run(*lines: str) -> None:
            postgres.run("; ".join(lines), "ledger")

        keep = ["DROP SCHEMA IF EXISTS kept CASCADE", "CREATE SCHEMA kept"]
        keep += [f"CREATE TABLE kept.{name} AS TABLE reconciler.{name}" for name in TABLES]
        back = [f"TRUNCATE {', '.join(f'reconciler.{name}' for name in TABLES)}"]
        back += [f"INSERT INTO reconciler.{name} SELECT * FROM kept.{name}" for name in TABLES]
        return Backup(lambda: run(*keep), lambda: run(*back), lambda: run("DROP SCHEMA reconciler CASCADE"))
    if home == "git":
        remote, ref = desk.folder.parent / "remote.git", "refs/reconciler/ledger"
        return Backup(
            lambda: git(remote, "update-ref", "refs/kept", ref),
            lambda: git(remote, "update-ref", ref, "refs/kept"),
            lambda: git(remote, "update-ref", "-d", ref),
        )
    path, kept = Path(".reconciler/ledger.db"), Path("kept.db")
    return Backup(lambda: kept.write_bytes(path.read_bytes()), lambda: path.write_bytes(kept.read_bytes()), lambda: path.unlink())


@pytest.fixture
def applied(desk: Desk, backup: Backup) -> Desk:
    """What was applied is kept as a backup, and applied once more since."""
    desk.seed(contacts=[{"external_id": "25"}])
    assert desk(*APPLY, m=BOTH) == 0, desk.err
    backup.keep()
    assert desk(*APPLY, m=BOTH) == 0, desk.err
    desk.written()
    return desk


homes = pytest.mark.parametrize("home", ["file", "postgresql", pytest.param("git", marks=only_in_soak)])


def takes_nothing(desk: Desk, says: str, looks: int = 1) -> None:
    """Who looks is told, every time, and a plan takes nothing."""
    for _ in range(looks):
        assert desk("plan", "m.yaml", "--detailed-exitcode", m=ONE) == 0, desk.out
        assert says in desk.err
    assert desk.written() == []


@homes
def test_what_was_rolled_back_or_lost_is_told_and_takes_nothing(applied: Desk, backup: Backup) -> None:
    backup.put_back()
    takes_nothing(applied, "is older than the last run here", looks=2)
    # What it called ours is told in every later run too.
    for _ in range(2):
        assert applied(*APPLY, m=ONE) == 0, applied.err
        assert "contact/25: the link to tag/promo was ours in a ledger that lacks what came after" in applied.out
    assert applied.written() == []
    assert applied("adopt", "--all", "m.yaml", "--auto-approve", m=BOTH) == 0, applied.err
    assert applied("plan", "m.yaml", "--detailed-exitcode", m=ONE) == 2, applied.out
    assert "older" not in applied.err
    backup.lose()
    takes_nothing(applied, "it counts as lost")
    assert applied(*APPLY, m=ONE) == 0, applied.err
    assert "it counts as lost" in applied.err
    assert applied.written() == []
    assert applied("plan", "m.yaml", m=ONE) == 0
    assert "lost" not in applied.err


@pytest.mark.parametrize("home", ["file"])
@pytest.mark.parametrize("adopted", [("contact/25",), ("--all", "m.yaml", "--auto-approve")], ids=["by name", "all"])
def test_what_was_rolled_back_is_doubted_until_an_adoption_settles_it(applied: Desk, backup: Backup, adopted: tuple[str, ...]) -> None:
    backup.put_back()
    # To declare it again proves nothing of who made it.
    assert applied(*APPLY, m=BOTH) == 0, applied.err
    assert applied("plan", "m.yaml", "--detailed-exitcode", m=ONE) == 0, applied.out
    assert "contact/25: the link to tag/promo was ours in a ledger that lacks what came after" in applied.out
    assert applied("adopt", *adopted) == 0, applied.err
    assert applied("plan", "m.yaml", "--detailed-exitcode") == 2, applied.out
    assert "detach    tag/promo from contact/25" in applied.out


@pytest.mark.parametrize("home", ["git"])
def test_a_git_ledger_is_missed_by_whoever_has_seen_it_and_by_its_images(applied: Desk, backup: Backup) -> None:
    assert applied(*APPLY, m=ONE) == 0, applied.err
    assert len(applied.written()) == 2
    backup.lose()
    here = "is gone, though this clone has seen it: it counts as lost"
    # What it ran itself is one trace, what it fetched another.
    git(applied.folder, "update-ref", "-d", "refs/reconciler/ledger")
    takes_nothing(applied, here)
    git(applied.folder, "update-ref", "refs/reconciler/ledger", "refs/reconciler/seen")
    git(applied.folder, "update-ref", "-d", "refs/reconciler/seen")
    takes_nothing(applied, here)
    for ref in ("ledger", "images"):
        git(applied.folder, "update-ref", "-d", f"refs/reconciler/{ref}")
    takes_nothing(applied, "is gone, though refs/reconciler/images holds what its runs destroyed")
