"""The right folder: the nearest `.reconciler/`, a new one at the root of the repository, never at home; one manifest a ledger."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reconciler.ledger.folder import our_folder
from tests.desk.desk import Desk

VIP = {"tags": ["vip"]}
OWN = "policy: {prune: {tags: owned}}\ntags: "


@pytest.fixture
def repository(desk: Desk) -> Desk:
    """A repository that holds two manifests in folders, and its working directory two levels deep."""
    (desk.folder / ".git").mkdir()
    for name in ("growth", "sales/deep"):
        (desk.folder / name).mkdir(parents=True)
    desk.write("growth/intercom.yaml", VIP)
    desk.patch.chdir(desk.folder / "sales" / "deep")
    return desk


@pytest.mark.parametrize(
    ("there", "here", "path", "expected"),
    [
        ((), "r", "x.yaml", ".reconciler"),
        ((), "r/a/b", "x.yaml", "../../.reconciler"),
        ((), "r/a/b", "../../x.yaml", "../../.reconciler"),
        (("r/a",), "r/a/b", "x.yaml", "../.reconciler"),
        (("r/a/b", "r"), "r/a/b", "x.yaml", ".reconciler"),
        # What lies above the root of a repository, or of a folder in none, is somebody else's.
        ((".",), "r/a", "x.yaml", "../.reconciler"),
        ((".",), "plain/deep", "x.yaml", ".reconciler"),
        # Given from elsewhere, it is the one of the manifest, unless one lies here.
        ((), "plain", "../r/a/x.yaml", "{top}/r/.reconciler"),
        (("r",), "plain", "../r/a/x.yaml", "{top}/r/.reconciler"),
        (("plain",), "plain", "../r/a/x.yaml", ".reconciler"),
        ((), "r", "../plain/x.yaml", ".reconciler"),
        ((), "plain", "x.yaml", ".reconciler"),
    ],
)
def test_which_folder_it_is(
    there: tuple[str, ...], here: str, path: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("r/.git", "r/a/b", "plain/deep", *(f"{name}/.reconciler" for name in there)):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path / here)
    assert our_folder([path]) == Path(expected.format(top=tmp_path))
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_below_uses_the_ledger_of_the_repository_and_a_new_one_lies_at_its_root(repository: Desk) -> None:
    assert repository("plan", "../../growth") == 0
    assert repository.err == "ledger: none yet; the first apply makes ../../.reconciler/ledger.db\n"
    assert not list(repository.folder.rglob(".reconciler")), "who only reads makes nothing"
    assert repository("apply", "../../growth", "--auto-approve") == 0
    assert (repository.folder / ".reconciler" / ".gitignore").read_text() == "*\n"
    assert repository("drift", "../../growth") == 0
    assert repository.err == "ledger: ../../.reconciler/ledger.db\n"
    repository.patch.chdir(repository.folder)
    assert repository("history") == 0
    assert repository.out.count("default") == 1
    assert len(list(repository.folder.rglob(".reconciler"))) == 1


def test_the_same_manifest_given_from_anywhere_is_the_same(repository: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
    repository.write("growth/intercom.yaml", OWN + "[vip, trial]\n")
    assert repository("apply", "../../growth", "--auto-approve") == 0
    repository.write("growth/intercom.yaml", OWN + "[vip]\n")
    (elsewhere := tmp_path_factory.mktemp("elsewhere") / "other" / ".git").mkdir(parents=True)
    for here in (repository.folder, elsewhere.parent, Path("/")):
        repository.patch.chdir(here)
        document = repository.json("plan", str(repository.folder / "growth" / "intercom.yaml"))
        assert [change["address"] for change in document["changes"]] == ["tag/trial"], here
        assert "not read" not in str(document["notes"])


def test_a_saved_plan_goes_by_its_manifest_wherever_it_lies(repository: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
    away = tmp_path_factory.mktemp("away")
    repository.patch.chdir(away)
    (away / "there").mkdir()
    (away / "there" / ".git").mkdir()
    assert repository("plan", str(repository.folder / "growth"), "-o", "there/plan.json") == 0
    assert repository("apply", "there/plan.json") == 0
    assert (repository.folder / ".reconciler" / "ledger.db").exists()
    assert not list(away.rglob(".reconciler"))


def test_what_is_adopted_from_elsewhere_is_in_the_ledger_of_its_manifest(
    repository: Desk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    repository.seed(tags=["vip"])
    repository.patch.chdir(tmp_path_factory.mktemp("away"))
    assert repository("adopt", "--all", str(repository.folder / "growth"), "--auto-approve") == 0
    assert (repository.folder / ".reconciler" / "ledger.db").exists()


def test_the_local_workspace_is_that_of_the_repository(repository: Desk) -> None:
    repository.write("sales/deep/live.yaml", VIP)
    assert repository("sandbox", "seed", "live.yaml") == 0
    assert repository.err == "seeded ../../.reconciler/sandbox.db from live.yaml\n"
    repository.patch.chdir(repository.folder / "growth")
    assert repository("get", "tags", "--sandbox", "-o", "ids") == 0
    assert repository.out.split() == ["101"]
    assert repository("sandbox", "reset") == 0
    assert repository("get", "tags", "--sandbox", "-o", "ids") == 0
    assert repository.out == ""


@pytest.mark.parametrize(
    "verb", ["apply m.yaml --auto-approve", "adopt tag/vip", "sandbox seed m.yaml", "apply m.yaml --auto-approve --sandbox"]
)
@pytest.mark.parametrize("root", [True, False])
def test_never_in_the_home_folder(verb: str, root: bool, desk: Desk) -> None:
    desk.seed(tags=["vip"])
    desk.write("m.yaml", {"tags": ["vip", "new"]})
    desk.patch.setenv("HOME", str(desk.folder))
    if root:
        (desk.folder / ".git").mkdir()
    before = desk.files()
    assert desk("plan", "m.yaml") == 0
    assert desk(*verb.split()) == 64
    (line,) = desk.err.splitlines()
    assert line == (
        "error: a new .reconciler/ would lie in your home folder, for all that is below it; "
        "make one in the folder of the manifest (mkdir .reconciler), and run this there"
    )
    assert desk.files() == before
    assert desk.writes == []
    # The way on.
    (desk.folder / "intercom" / ".reconciler").mkdir(parents=True)
    desk.patch.chdir(desk.folder / "intercom")
    shutil.copy("../m.yaml", "m.yaml")
    assert desk(*verb.split()) == 0, desk.err
    assert not (desk.folder / ".reconciler").exists()


@pytest.mark.parametrize("home", ["git"])
def test_what_undo_needs_lies_not_in_the_home_folder_wherever_the_ledger_is(desk: Desk) -> None:
    desk.patch.setenv("HOME", str(desk.folder))
    assert desk("apply", "m.yaml", "--auto-approve", m={"name": "growth", "tags": ["new"]}) == 64
    assert "would lie in your home folder" in desk.err
    assert desk.writes == []
    assert not (desk.folder / ".reconciler").exists()


def test_the_local_workspace_is_not_made_through_a_link(desk: Desk, tmp_path: Path) -> None:
    desk.write("live.yaml", VIP)
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (desk.folder / ".reconciler").symlink_to(elsewhere)
    assert desk("sandbox", "seed", "live.yaml") == 64
    assert desk.err == "error: .reconciler is a link, and none is followed here; remove it, or put back what was there\n"
    assert list(elsewhere.iterdir()) == []


def test_two_manifests_without_a_name_in_one_ledger_are_invalid_and_both_are_named(repository: Desk) -> None:
    repository.write("sales/deep/m.yaml", {"tags": ["trial"]})
    assert repository("apply", "../../growth", "--auto-approve") == 0
    repository.written()
    for verb in (("plan",), ("drift",), ("apply", "--auto-approve"), ("adopt", "--all", "--auto-approve")):
        assert repository(*verb, "m.yaml") == 65, verb
        assert repository.err == (
            "error: m.yaml: no `name:` is written, and under none the ledger ../../.reconciler/ledger.db knows what "
            "../../growth/intercom.yaml declares: nobody could tell whose things these are; write a `name:` of its own in each folder "
            "(`name: default` goes on with what was applied without one)\n"
        )
        assert repository.out == ""
    assert repository.writes == []
    # Each of these is one manifest, or says whose it is.
    assert repository("plan", "m.yaml", "../../growth") == 0
    assert repository("plan", "../../growth/intercom.yaml") == 0
    repository.write("growth/more.yaml", {"tags": ["beta"]})
    assert repository("plan", "../../growth/more.yaml") == 0
    for name in ("sales", "default"):
        repository.write("sales/deep/m.yaml", {"name": name, "tags": ["trial"]})
        assert repository("plan", "m.yaml") == 0
    repository.write("sales/deep/m.yaml", {"tags": ["trial"]})
    assert repository("plan", "m.yaml", "--ledger", "none") == 0
    assert repository.err == "ledger: none, by --ledger none\n"


def test_a_manifest_that_moved_to_another_folder_is_no_second_one(repository: Desk) -> None:
    assert repository("apply", "../../growth", "--auto-approve") == 0
    shutil.move(repository.folder / "growth" / "intercom.yaml", "intercom.yaml")
    assert repository("plan", ".", "--detailed-exitcode") == 0, repository.err
