"""Which files speak for what: each for what it declares, several of one name together, and none for those of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.manifest.read import read_manifest
from reconciler.workflow.record import head_of
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes, lines
from tests.stories.ledger.records import PRUNING, topics


def two_files(told: Route) -> tuple[Path, Path]:
    """Two manifests of one name, both applied."""
    a, b = told.manifest(PRUNING + "tags: [vip, trial]\n", "a.yaml"), told.manifest("tags: [beta]\n", "b.yaml")
    told.converge(a, b)
    return a, b


def test_one_file_alone_takes_nothing_of_the_other_away(route: MakeRoute) -> None:
    told = route(ledger=True)
    a, _ = two_files(told)
    found = told.document(a)
    assert changes(found) == []
    (note,) = topics(found, "not read")
    assert note.startswith("tag/beta: is ours")
    assert "b.yaml, which was not given: left alone" in note


def test_applied_one_after_the_other_under_one_name_they_take_nothing_away(route: MakeRoute) -> None:
    told = route(ledger=True)
    a, b = told.manifest(PRUNING + "tags: [vip]\n", "a.yaml"), told.manifest(PRUNING + "tags: [beta]\n", "b.yaml")
    for path in (a, b, a, b):
        told.converge(path)
    assert sorted(t["name"] for t in told.box.ws.store.table("tag").in_order()) == ["beta", "vip"]


def test_what_a_removed_file_declared_goes_when_another_file_of_that_run_is_read(route: MakeRoute) -> None:
    told = route(ledger=True)
    a, b = two_files(told)
    b.unlink()
    assert lines(told.document(a)) == ["delete tag/beta (config)"]


def test_where_no_file_of_former_runs_is_read_this_is_another_folder_and_nothing_goes(route: MakeRoute) -> None:
    told = route(ledger=True)
    a, b = two_files(told)
    for path in (a, b):
        path.unlink()
    found = told.document(told.manifest(PRUNING + "tags: [vip]\n", "moved.yaml"))
    assert changes(found) == []
    assert len(topics(found, "not read")) == 2


def test_what_leaves_a_file_that_is_read_goes(route: MakeRoute) -> None:
    told = route({"companies": [{"company_id": "7"}]}, ledger=True)
    path = told.manifest(PRUNING + "tags: [vip, old]\ncompanies: [{company_id: '6'}, {company_id: '7'}]\n")
    told.converge(path)
    told.manifest(PRUNING + "tags: [vip]\ncompanies: [{company_id: '8'}]\n")
    # Company 7 was there before us.
    assert changes(told.document(path)) == ["create company/8", "delete tag/old", "delete company/6"]


def test_a_section_that_is_no_longer_written_is_not_ours_to_prune(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest(PRUNING + "tags: [vip]\ncompanies: [{company_id: '6'}]\n")
    told.converge(path)
    told.manifest(PRUNING + "companies: [{company_id: '6'}]\n")
    found = told.document(path)
    assert changes(found) == []
    assert [note.partition(":")[0] for note in topics(found, "orphaned")] == ["tag/vip"]


def test_the_same_files_under_another_name_take_nothing_away_and_say_whose_it_is(route: MakeRoute) -> None:
    told = route(ledger=True)
    text = "policy: {prune: {tags: owned}, links: owned}\ntags: [vip, old]\ncontacts: [{external_id: '25', missing: create, tags: [vip]}]\n"
    told.converge(told.manifest("name: growth\n" + text))
    later = "name: growth-team\npolicy: {prune: {tags: owned}}\ntags: [vip]\ncontacts: [{external_id: '25', tags: []}]\n"
    found = told.document(told.manifest(later))
    assert changes(found) == []
    assert "2 of the declared things are recorded under `name: growth` and not under this one" in topics(found, "foreign")[0]


ALL = 'policy: {prune: {tags: all}, scope: {tags: ["growth/*"]}}\n'


def test_prune_all_leaves_what_another_file_declares(route: MakeRoute) -> None:
    told = route({"tags": ["growth/x"]}, ledger=True)
    told.converge(told.manifest("tags: [growth/x]\n", "b.yaml"))
    found = told.document(told.manifest(ALL + "tags: [a]\n", "a.yaml"))
    assert changes(found) == ["create tag/a"]
    assert topics(found, "not read")[0].startswith("tag/growth/x: is declared in ")


def test_a_tag_that_two_files_declare_is_deleted_by_neither_alone(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "1"}, {"external_id": "2"}]}, ledger=True)
    a = told.manifest(PRUNING + "tags: [vip]\ncontacts: [{external_id: '1', tags: [vip]}]\n", "a.yaml")
    b = told.manifest(PRUNING + "tags: [vip, m]\ncontacts: [{external_id: '2', tags: [vip]}]\n", "b.yaml")
    told.converge(a)
    told.converge(b)
    told.manifest(PRUNING + "tags: [m]\ncontacts: [{external_id: '2', tags: []}]\n", "b.yaml")
    found = told.document(b)
    assert [change for change in changes(found) if change.startswith("delete")] == []
    assert " a.yaml, which was not given: left alone" in topics(found, "not read")[0]
    told.manifest("tags: [m2]\ncontacts: [{external_id: '1', tags: []}]\n", "a.yaml")
    assert "delete tag/vip" in changes(told.document(a, b))


def test_links_that_two_files_write_are_detached_by_neither_alone(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "1"}]}, ledger=True)
    told.converge(told.manifest("tags: [n]\ncontacts: [{external_id: '1', tags: [n]}]\n", "c.yaml"))
    found = told.document(told.manifest("tags: [n, m]\ncontacts: [{external_id: '1', tags: [m]}]\n", "d.yaml"))
    assert [change for change in changes(found) if change.startswith("detach")] == []
    assert "c.yaml, which declares it too, was not given: it stays" in topics(found, "not read")[0]


def test_what_a_lost_create_made_belongs_to_the_files_of_its_run(route: MakeRoute) -> None:
    told = route(ledger=True)
    a = told.manifest(PRUNING + "tags: [one]\n", "a.yaml")
    b = told.manifest(PRUNING + "tags: [two]\n", "b.yaml")
    told.converge(a)
    told.converge(b)
    told.manifest(PRUNING + "tags: [one, new]\n", "a.yaml")
    told.box.faults.add("POST", "^/tags$", drop="after", times=None)
    told.converge(a)
    told.box.faults.clear()
    found = told.document(b)
    assert changes(found) == []
    assert any(" a.yaml, which was not given" in note for note in topics(found, "not read"))
    told.manifest(PRUNING + "tags: [one]\n", "a.yaml")
    assert changes(told.document(a)) == ["delete tag/new"]


def test_an_apply_that_wrote_nothing_is_no_first_run(route: MakeRoute) -> None:
    told = route({"tags": ["growth/a", "x"]}, ledger=True)
    text = 'policy: {prune: {tags: all}, scope: {tags: ["growth/*"]}}\ntags: [x, new]\n'
    path = told.manifest(text)
    assert told.ledger
    with told.session() as session:
        run = told.ledger.begin(head_of(session, read_manifest([str(path)]), "apply"))
    told.ledger.end(run, 3, {})
    assert changes(told.document(path)) == ["create tag/new"]
    told.converge(path)
    assert changes(told.document(path)) == ["delete tag/growth/a"]


def test_a_file_of_another_repository_speaks_for_itself_alone(route: MakeRoute, monkeypatch: pytest.MonkeyPatch) -> None:
    told = route(ledger=True)
    for name in ("one", "two"):
        (told.folder / name / ".git").mkdir(parents=True)
    monkeypatch.chdir(told.folder / "one")
    told.converge(told.manifest(PRUNING + "tags: [vip]\n", "one/intercom.yaml"))
    monkeypatch.chdir(told.folder / "two")
    found = told.document(told.manifest(PRUNING + "tags: [zzzzzzzzz]\n", "two/intercom.yaml"))
    assert changes(found) == ["create tag/zzzzzzzzz"]
    assert topics(found, "not read")[0].endswith("declared in intercom.yaml of another repository, which was not given: left alone")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://github.com/acme/ops.git", "git@github.com:acme/ops"),
        ("https://x:tok@gitlab.example/acme/ops", "ssh://git@gitlab.example/acme/ops.git"),
    ],
)
def test_a_repository_is_one_however_it_is_reached(one: str, other: str, tmp_path: Path) -> None:
    import subprocess

    from reconciler.manifest.repository import origin

    told = []
    for n, url in enumerate((one, other)):
        folder = tmp_path / str(n)
        subprocess.run(["git", "init", "--quiet", str(folder)], check=True, timeout=60)
        subprocess.run(["git", "-C", str(folder), "remote", "add", "origin", url], check=True, timeout=60)
        told.append(origin(folder))
    assert told[0] == told[1] != ""
    assert "tok" not in told[0]
