"""Which files speak for what: each for what it declares, several of one name together, and none for those of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.manifest.read import read_manifest
from reconciler.workflow.record import head_of
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes, lines
from tests.stories.ledger.records import PRUNING, topics


def two_files(route: Route) -> tuple[Path, Path]:
    """Two manifests of one name, both applied."""
    a, b = route.manifest(PRUNING + "tags: [vip, trial]\n", "a.yaml"), route.manifest("tags: [beta]\n", "b.yaml")
    route.converge(a, b)
    return a, b


def test_one_file_alone_takes_nothing_of_the_other_away(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    a, _ = two_files(route)
    plan = route.document(a)
    assert changes(plan) == []
    (note,) = topics(plan, "not read")
    assert note.startswith("tag/beta: is ours")
    assert "b.yaml, which was not given: left alone" in note


def test_applied_one_after_the_other_under_one_name_they_take_nothing_away(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    a, b = route.manifest(PRUNING + "tags: [vip]\n", "a.yaml"), route.manifest(PRUNING + "tags: [beta]\n", "b.yaml")
    for path in (a, b, a, b):
        route.converge(path)
    assert sorted(t["name"] for t in route.box.ws.store.table("tag").in_order()) == ["beta", "vip"]


def test_what_a_removed_file_declared_goes_when_another_file_of_that_run_is_read(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    a, b = two_files(route)
    b.unlink()
    assert lines(route.document(a)) == ["delete tag/beta (config)"]


def test_where_no_file_of_former_runs_is_read_this_is_another_folder_and_nothing_goes(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    a, b = two_files(route)
    for path in (a, b):
        path.unlink()
    plan = route.document(route.manifest(PRUNING + "tags: [vip]\n", "moved.yaml"))
    assert changes(plan) == []
    assert len(topics(plan, "not read")) == 2


def test_what_leaves_a_file_that_is_read_goes(make_route: MakeRoute) -> None:
    route = make_route({"companies": [{"company_id": "7"}]}, ledger=True)
    path = route.manifest(PRUNING + "tags: [vip, old]\ncompanies: [{company_id: '6'}, {company_id: '7'}]\n")
    route.converge(path)
    route.manifest(PRUNING + "tags: [vip]\ncompanies: [{company_id: '8'}]\n")
    # Company 7 was there before us.
    assert changes(route.document(path)) == ["create company/8", "delete tag/old", "delete company/6"]


def test_a_section_that_is_no_longer_written_is_not_ours_to_prune(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    path = route.manifest(PRUNING + "tags: [vip]\ncompanies: [{company_id: '6'}]\n")
    route.converge(path)
    route.manifest(PRUNING + "companies: [{company_id: '6'}]\n")
    plan = route.document(path)
    assert changes(plan) == []
    assert [note.partition(":")[0] for note in topics(plan, "orphaned")] == ["tag/vip"]


def test_the_same_files_under_another_name_take_nothing_away_and_say_whose_it_is(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    text = "policy: {prune: {tags: owned}, links: owned}\ntags: [vip, old]\ncontacts: [{external_id: '25', missing: create, tags: [vip]}]\n"
    route.converge(route.manifest("name: growth\n" + text))
    later = "name: growth-team\npolicy: {prune: {tags: owned}}\ntags: [vip]\ncontacts: [{external_id: '25', tags: []}]\n"
    plan = route.document(route.manifest(later))
    assert changes(plan) == []
    assert "2 of the declared things are recorded under `name: growth` and not under this one" in topics(plan, "foreign")[0]


ALL = 'policy: {prune: {tags: all}, scope: {tags: ["growth/*"]}}\n'


def test_prune_all_leaves_what_another_file_declares(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["growth/x"]}, ledger=True)
    route.converge(route.manifest("tags: [growth/x]\n", "b.yaml"))
    plan = route.document(route.manifest(ALL + "tags: [a]\n", "a.yaml"))
    assert changes(plan) == ["create tag/a"]
    assert topics(plan, "not read")[0].startswith("tag/growth/x: is declared in ")


def test_a_tag_that_two_files_declare_is_deleted_by_neither_alone(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "1"}, {"external_id": "2"}]}, ledger=True)
    a = route.manifest(PRUNING + "tags: [vip]\ncontacts: [{external_id: '1', tags: [vip]}]\n", "a.yaml")
    b = route.manifest(PRUNING + "tags: [vip, m]\ncontacts: [{external_id: '2', tags: [vip]}]\n", "b.yaml")
    route.converge(a)
    route.converge(b)
    route.manifest(PRUNING + "tags: [m]\ncontacts: [{external_id: '2', tags: []}]\n", "b.yaml")
    plan = route.document(b)
    assert [change for change in changes(plan) if change.startswith("delete")] == []
    assert " a.yaml, which was not given: left alone" in topics(plan, "not read")[0]
    route.manifest("tags: [m2]\ncontacts: [{external_id: '1', tags: []}]\n", "a.yaml")
    assert "delete tag/vip" in changes(route.document(a, b))


def test_links_that_two_files_write_are_detached_by_neither_alone(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "1"}]}, ledger=True)
    route.converge(route.manifest("tags: [n]\ncontacts: [{external_id: '1', tags: [n]}]\n", "c.yaml"))
    plan = route.document(route.manifest("tags: [n, m]\ncontacts: [{external_id: '1', tags: [m]}]\n", "d.yaml"))
    assert [change for change in changes(plan) if change.startswith("detach")] == []
    assert "c.yaml, which declares it too, was not given: it stays" in topics(plan, "not read")[0]


def test_what_a_lost_create_made_belongs_to_the_files_of_its_run(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    a = route.manifest(PRUNING + "tags: [one]\n", "a.yaml")
    b = route.manifest(PRUNING + "tags: [two]\n", "b.yaml")
    route.converge(a)
    route.converge(b)
    route.manifest(PRUNING + "tags: [one, new]\n", "a.yaml")
    route.box.faults.add("POST", "^/tags$", drop="after", times=None)
    route.converge(a)
    route.box.faults.clear()
    plan = route.document(b)
    assert changes(plan) == []
    assert any(" a.yaml, which was not given" in note for note in topics(plan, "not read"))
    route.manifest(PRUNING + "tags: [one]\n", "a.yaml")
    assert changes(route.document(a)) == ["delete tag/new"]


def test_an_apply_that_wrote_nothing_is_no_first_run(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["growth/a", "x"]}, ledger=True)
    text = 'policy: {prune: {tags: all}, scope: {tags: ["growth/*"]}}\ntags: [x, new]\n'
    path = route.manifest(text)
    assert route.ledger
    with route.session() as session:
        run = route.ledger.begin(head_of(session, read_manifest([str(path)]), "apply"))
    route.ledger.end(run, 3, {})
    assert changes(route.document(path)) == ["create tag/new"]
    route.converge(path)
    assert changes(route.document(path)) == ["delete tag/growth/a"]


def test_a_file_of_another_repository_speaks_for_itself_alone(make_route: MakeRoute, monkeypatch: pytest.MonkeyPatch) -> None:
    route = make_route(ledger=True)
    for name in ("one", "two"):
        (route.folder / name / ".git").mkdir(parents=True)
    monkeypatch.chdir(route.folder / "one")
    route.converge(route.manifest(PRUNING + "tags: [vip]\n", "one/intercom.yaml"))
    monkeypatch.chdir(route.folder / "two")
    plan = route.document(route.manifest(PRUNING + "tags: [zzzzzzzzz]\n", "two/intercom.yaml"))
    assert changes(plan) == ["create tag/zzzzzzzzz"]
    assert topics(plan, "not read")[0].endswith("declared in intercom.yaml of another repository, which was not given: left alone")


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

    texts = []
    for n, url in enumerate((one, other)):
        folder = tmp_path / str(n)
        subprocess.run(["git", "init", "--quiet", str(folder)], check=True, timeout=60)
        subprocess.run(["git", "-C", str(folder), "remote", "add", "origin", url], check=True, timeout=60)
        texts.append(origin(folder))
    assert texts[0] == texts[1] != ""
    assert "tok" not in texts[0]
