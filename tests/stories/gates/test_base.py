"""`plan --base REF`: every change is explained, earlier or unexplained, whatever the paths look like and however much was cloned."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.desk.desk import Desk

BASE = "tags: [vip]\ncontacts: [{external_id: '25', name: Wash}]\n"


def origins(desk: Desk, *more: str, base: str = "main", paths: tuple[str, ...] = ("m.yaml",)) -> dict[str, str]:
    assert desk("plan", *paths, "--base", base, "--report", "json=plan.json", *more) in (0, 3), desk.err
    return {" ".join(filter(None, (c["action"], c["address"], c["target"]))): c["origin"] for c in desk.saved()["changes"]}


@pytest.fixture
def repository(desk: Desk) -> Desk:
    """main holds BASE, and so does the workspace; HEAD is a branch."""
    desk.seed(tags=["vip"], contacts=[{"external_id": "25", "name": "Wash"}])
    desk.commit(m=BASE)
    desk.git("switch", "--quiet", "--create", "change")
    return desk


def test_what_this_change_wrote_is_explained(repository: Desk) -> None:
    text = "tags: [vip, {name: new}]\ncontacts: [{external_id: '25', name: Hoban, tags: [vip]}, {external_id: '26', missing: create}]\n"
    repository.commit(m=text)
    assert origins(repository) == {
        "create tag/new": "explained",
        "update contact/25": "explained",
        "create contact/26": "explained",
        "attach contact/25 tag/vip": "explained",
    }
    assert "explained" in (repository.folder / "plan.json").read_text(encoding="utf-8")


def test_a_row_of_a_list_is_explained_by_the_list_of_the_base(repository: Desk) -> None:
    repository.git("switch", "--quiet", "main")
    repository.write("n/l.csv", "external_id,name\n25,Wash\n26,Zoe\n")
    repository.commit(m=BASE.partition("contacts")[0] + "contacts: [{from: n/l.csv, missing: create}]\n")
    repository.git("switch", "--quiet", "--force-create", "change")
    repository.write("n/l.csv", "external_id,name\n25,Hoban\n26,Zoe\n")
    assert origins(repository) == {"update contact/25": "explained", "create contact/26": "earlier"}


def test_what_is_not_committed_yet_counts_as_written(repository: Desk) -> None:
    repository.write("m.yaml", BASE + "companies: [{company_id: '6'}]\n")
    assert origins(repository) == {"create company/6": "explained"}


def test_what_was_declared_before_and_never_applied_is_earlier(repository: Desk) -> None:
    repository.git("switch", "--quiet", "main")
    repository.commit(m=BASE + "companies: [{company_id: '6', name: Blue Sun}]\n")
    repository.git("switch", "--quiet", "--force-create", "change")
    repository.commit(m=BASE + "companies: [{company_id: '6', name: Blue Sun}, {company_id: '7'}]\n")
    assert origins(repository) == {"create company/6": "earlier", "create company/7": "explained"}


def test_what_nothing_written_says_is_unexplained_and_can_be_refused(repository: Desk) -> None:
    exact = "policy: {links: exact}\ntags: [vip, theirs]\ncontacts: [{external_id: '25', name: Wash, tags: [vip]}]\n"
    repository.git("switch", "--quiet", "main")
    repository.commit(m=exact)
    repository.git("switch", "--quiet", "--force-create", "change")
    repository.commit(m=exact.replace("name: Wash", "name: Hoban"))
    repository.seed(contacts=[{"external_id": "25", "tags": ["vip", "theirs"]}])
    answer = origins(repository, "--fail-on", "unexplained")
    assert answer == {"update contact/25": "explained", "detach contact/25 tag/theirs": "unexplained"}
    plan = ("plan", "m.yaml", "--base", "main")
    assert repository(*plan, "--fail-on", "unexplained") == 3
    assert repository(*plan, "--fail-on", "unexplained", "--detailed-exitcode") == 3
    assert repository(*plan) == 0
    assert repository(*plan, "--detailed-exitcode") == 2
    assert "unexplained" in repository.out


def test_a_policy_that_is_new_explains_what_it_does(repository: Desk) -> None:
    repository.seed(tags=["theirs"], contacts=[{"external_id": "25", "tags": ["vip", "theirs"]}])
    text = "tags: [vip, theirs]\ncontacts: [{external_id: '25', tags: [vip]}]\n"
    repository.git("switch", "--quiet", "main")
    repository.commit(m=text)
    repository.git("switch", "--quiet", "--force-create", "change")
    repository.commit(m="policy: {links: exact}\n" + text)
    assert origins(repository) == {"detach contact/25 tag/theirs": "explained"}


def test_it_is_the_merge_base_that_counts(repository: Desk) -> None:
    """What came onto the main branch after the branch left it is no change of the branch."""
    repository.commit(m=BASE + "companies: [{company_id: '6'}]\n")
    repository.git("switch", "--quiet", "main")
    repository.commit(m=BASE.replace("Wash", "Hoban"))
    repository.git("switch", "--quiet", "change")
    assert origins(repository) == {"create company/6": "explained"}


@pytest.mark.parametrize("path", ["conf", "./conf", "conf/", "conf/../conf", "ABSOLUTE", ".hidden/conf", "conf/x.YAML", "../here/conf"])
def test_the_paths_mean_there_what_they_mean_here(path: str, repository: Desk) -> None:
    """A base that is read as empty would explain everything."""
    folder = ".hidden/conf" if "hidden" in path else "conf"
    text = BASE + "companies: [{company_id: '6'}]\n"
    repository.git("switch", "--quiet", "main")
    repository.write(f"{folder}/x.YAML", text)
    repository.write(f"{folder}/.not-read.yaml", "nonsense: [\n")
    repository.commit()
    repository.git("switch", "--quiet", "--force-create", "change")
    given = str(repository.folder / "conf") if path == "ABSOLUTE" else path
    assert origins(repository, paths=(given,)) == {"create company/6": "earlier"}


def test_a_folder_below_the_top_of_the_repository(repository: Desk) -> None:
    repository.git("switch", "--quiet", "main")
    repository.write("below/conf/m.yaml", BASE + "companies: [{company_id: '6'}]\n")
    repository.commit()
    repository.git("switch", "--quiet", "--force-create", "change")
    repository.patch.chdir(repository.folder / "below")
    assert repository("plan", "conf", "--base", "main", "--format", "json") == 0
    assert '"origin": "earlier"' in repository.out
    assert repository("plan", "../m.yaml", "conf", "--base", "main", "--format", "json") == 65
    assert repository("plan", "../below/conf", "--base", "main", "--format", "json") == 0
    assert '"origin": "earlier"' in repository.out


def test_links_are_followed_there_as_here(repository: Desk) -> None:
    repository.git("switch", "--quiet", "main")
    repository.write("shared/real.yaml", BASE + "companies: [{company_id: '6'}]\n")
    (repository.folder / "conf").mkdir()
    os.symlink("../shared/real.yaml", repository.folder / "conf/link.yaml")
    os.symlink("/nowhere/at/all.yaml", repository.folder / "conf/away.yaml")
    repository.write("conf/last.yaml", "companies: [{company_id: '7'}]\n")
    repository.commit()
    (repository.folder / "conf/away.yaml").unlink()
    repository.git("switch", "--quiet", "--force-create", "change")
    assert origins(repository, paths=("conf",)) == {"create company/6": "earlier", "create company/7": "earlier"}


def test_a_manifest_that_is_new_is_explained(repository: Desk) -> None:
    repository.commit(other="companies: [{company_id: '6'}]\n")
    assert origins(repository, paths=("other.yaml",)) == {"create company/6": "explained"}


def test_a_base_that_is_broken_is_told_with_its_place(repository: Desk) -> None:
    repository.git("switch", "--quiet", "main")
    repository.commit(m="tags: [vip\n")
    repository.git("switch", "--quiet", "--force-create", "change")
    repository.commit(m=BASE)
    assert repository("plan", "m.yaml", "--base", "main") == 65
    assert "main:m.yaml:" in repository.err


def test_a_shallow_clone_says_what_to_fetch_and_works_afterwards(repository: Desk, tmp_path: Path) -> None:
    repository.commit(m=BASE + "companies: [{company_id: '6'}]\n")
    repository.git("switch", "--quiet", "main")
    for number in range(3):
        repository.commit(m=BASE.replace("Wash", f"Wash {number}"))
    clone = tmp_path / "clone"
    source = f"file://{repository.folder}"
    repository.git("clone", "--quiet", "--depth", "1", "--branch", "change", "--no-single-branch", source, str(clone))
    repository.patch.chdir(clone)
    assert repository("plan", "m.yaml", "--base", "origin/main") == 1
    assert "fetch more history (git fetch --unshallow, or fetch-depth: 0 in the checkout)" in repository.err
    assert repository("plan", "m.yaml", "--base", "origin/nowhere") == 1
    assert "git fetch origin nowhere" in repository.err
    repository.git("-C", str(clone), "fetch", "--quiet", "--unshallow")
    assert repository("plan", "m.yaml", "--base", "origin/main", "--format", "json") == 0
    assert repository.out.count('"origin": "explained"') == 1
    assert repository.writes == []


def test_git_that_cannot_be_used_says_why(repository: Desk, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "m.yaml").write_text(BASE, encoding="utf-8")
    assert repository("plan", str(outside / "m.yaml"), "--base", "main") == 1
    assert "outside repository" in repository.err
    repository.patch.chdir(outside)
    assert repository("plan", "m.yaml", "--base", "main") == 1
    assert "not a git repository" in repository.err
    repository.patch.chdir(repository.folder)
    repository.patch.setenv("PATH", str(outside))
    assert repository("plan", "m.yaml", "--base", "main") == 1
    assert "needs git" in repository.err


@pytest.mark.parametrize("ref", ["--upload-pack=x", "-h", "main; rm -rf x", "$(touch x)", "main:m.yaml", "", "@{nonsense}"])
def test_a_reference_that_is_none_is_a_sentence(ref: str, repository: Desk) -> None:
    assert repository("plan", "m.yaml", f"--base={ref}") in (0, 1, 64)
    assert len(repository.err.strip().splitlines()) <= 1
    assert not Path("x").exists()


def test_a_policy_that_moved_is_told_first(repository: Desk) -> None:
    repository.commit(m="policy: {limits: {deletes: 50}}\n" + BASE)
    origins(repository)
    first = repository.saved()["notes"][0]
    assert (first["topic"], first["message"]) == ("policy", "changed since the base: limits.deletes: 10 -> 50")


def test_a_policy_file_that_holds_for_both_is_no_policy_that_moved(repository: Desk) -> None:
    repository.write("p.yaml", "policy: {links: declared, limits: {deletes: 5}}\n")
    origins(repository, "--policy", "p.yaml")
    assert [note for note in repository.saved()["notes"] if note["topic"] == "policy"] == []
    repository.commit(m="policy: {limits: {deletes: 2}}\n" + BASE)
    origins(repository, "--policy", "p.yaml")
    first = repository.saved()["notes"][0]
    assert (first["topic"], first["message"]) == ("policy", "changed since the base: limits.deletes: 5 -> 2")


def test_a_target_that_is_nothing_declared_is_said(repository: Desk) -> None:
    repository("plan", "m.yaml", "--target", "tag/vipp", "--report", "json=plan.json")
    assert [n["message"] for n in repository.saved()["notes"] if n["topic"] == "excluded"] == ["nothing declared matches --target tag/vipp"]


def test_what_left_the_manifest_is_pruned_by_this_change_or_by_an_earlier_one(repository: Desk) -> None:
    text = "policy: {prune: {tags: owned}}\ntags: [vip, old]\ncontacts: [{external_id: '25', tags: [vip, old]}]\n"
    repository.git("switch", "--quiet", "main")
    repository.commit(m=text)
    assert repository("apply", "m.yaml", "--auto-approve") == 0
    repository.git("switch", "--quiet", "--force-create", "change")
    repository.commit(m=text.replace(", old", ""))
    gone = ["detach contact/25 tag/old", "delete tag/old"]
    assert origins(repository) == dict.fromkeys(gone, "explained")
    repository.git("branch", "--quiet", "--force", "main", "change")
    repository.commit(m=text.replace(", old", "") + "# later\n")
    assert origins(repository) == dict.fromkeys(gone, "earlier")
