"""`fleet.yaml` is read offline: every mistake is told with its file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import Invalid
from reconciler.fleet.file import add_rows, read_fleet

GOOD = """\
name: acme
manifests: [intercom]
token: {env: "TOKEN_{app_id}"}
groups:
  canary: {match: {labels: {ring: canary}}}
  europe: {match: {region: eu}, manifests: [europe.yaml]}
rollout:
  - {wave: canary, failures: 0}
  - {wave: 5%, failures: 1%, wait: 30m}
  - {wave: rest, failures: 2%, refused: 3, in_flight: 200, approve: true}
workspaces:
  - {app_id: aaa1, labels: {ring: canary}, region: eu}
  - {app_id: bbb2, region: eu, vars: {BRAND: Blue Sun}}
  - {app_id: ccc3, base_url: "http://127.0.0.1:8080/ccc3"}
"""


def read(folder: Path, text: str) -> Invalid:
    file = folder / "fleet.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(Invalid) as caught:
        read_fleet(str(file))
    return caught.value


def test_a_fleet_is_read_with_whole_paths_groups_and_waves(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text(GOOD, encoding="utf-8")
    fleet = read_fleet(str(tmp_path / "fleet.yaml"))
    assert fleet.manifests == (str(tmp_path / "intercom"),)
    assert {one.app_id: one.groups for one in fleet.workspaces} == {"aaa1": ("canary", "europe"), "bbb2": ("europe",), "ccc3": ()}
    assert fleet.groups["europe"].manifests == (str(tmp_path / "europe.yaml"),)
    assert fleet.workspaces[1].variables == {"RECONCILER_VAR_BRAND": "Blue Sun"}
    assert [(wave.name, wave.failures, wave.refused, wave.wait) for wave in fleet.waves] == [
        ("canary", 0, 0, 0),
        ("5%", "1%", "1%", 1800),
        ("rest", "2%", 3, 0),
    ]
    assert (fleet.waves[2].in_flight, fleet.waves[2].approve, fleet.engine) == (200, True, "local")
    assert fleet.workspaces[2].mark.line == 14


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("app_id: bbb2", "app_id: AAA1", 13, "AAA1 stands at"),
        ("app_id: bbb2", "app_id: ../x", 13, "app_id: "),
        ("app_id: bbb2, ", "", 13, "`app_id` is missing"),
        ("region: eu, vars", "region: mars, vars", 13, "region: 'mars' is not known"),
        ("vars: {BRAND", "vars: {BR-AND", 13, "is no name of a variable"),
        ("http://127", "http://198", 14, "the base URL must be https"),
        ("app_id: ccc3,", "app_id: ccc3, app: 1,", 14, "unknown key 'app'"),
        ("TOKEN_{app_id}", "TOKEN", 3, "all workspaces would have the same token"),
        ('"TOKEN_{app_id}"', '"$TOKEN_{app_id}"', 3, "env: '$TOKEN_{app_id}' is no name of a variable"),
        ('{env: "TOKEN_{app_id}"}', "{env: X, keyring: true}", 3, "has to name one source"),
        ("wave: canary", "wave: canari", 8, "'canari' is no group and no percentage"),
        ("wave: 5%", "wave: 101%", 9, "'101%' is no group and no percentage"),
        ("wave: 5%", "wave: rest", 9, "`rest` is not the last wave"),
        ("wave: rest", "wave: 50%", 10, "the last wave is not `rest`"),
        ("wait: 30m", "wait: soon", 9, "is no time to wait"),
        ("name: acme", "name: acme\nnightly: 3am", 2, "is no time of day"),
        ("name: acme", "name: acme\nnightly: 24:00", 2, "is no time of day"),
        ("name: acme", "name: acme\nnightly: 03:00", 2, "needs workers, which engine: local has none of"),
        ("in_flight: 200", "in_flight: 0", 10, "is no number of workspaces"),
        ("failures: 1%", "failures: some", 9, "is no limit"),
        ("manifests: [intercom]", "manifests: intercom", 2, "`manifests:` is not a list"),
        ("manifests: [intercom]", "manifests: []", 2, "there is no manifest"),
        ("name: acme\n", "name: acme\nstore: postgresql://me:secret@db/x\n", 2, "holds a password"),
        ("name: acme\n", "name: acme\nengine: postgresql\nstore: x.db\n", 3, "is a file"),
        ("name: acme\n", "name: acme\nstore: sqlite:///x.db\n", 2, "is no address that is known"),
        ("name: acme\n", "name: acme\nengine: celery\n", 2, "engine: 'celery' is not known"),
        ("  canary:", "  5%:", 5, 'groups: the text "5%" is no such name'),
        ("{wave: canary, failures: 0}", "canary", 8, "an entry of `rollout` is not a map"),
        ("vars: {BRAND", "vars: {BR-AND", 13, "vars: "),
        ("  canary:", "  rest:", 5, "a group is called 'rest'"),
    ],
)
def test_a_mistake_is_told_where_it_stands(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    assert GOOD.count(old) >= 1
    problems = read(tmp_path, GOOD.replace(old, new, 1)).problems
    assert [(problem.mark.file, problem.mark.line) for problem in problems if says in problem.what] in (
        [(str(tmp_path / "fleet.yaml"), line)],
        [(str(tmp_path / "fleet.yaml"), line), (str(tmp_path / "fleet.yaml"), line)],
    ), problems
    assert "secret" not in str(Invalid(problems))


def test_a_rollout_without_waves_is_refused(tmp_path: Path) -> None:
    head, _, rest = GOOD.partition("rollout:")
    (problem,) = read(tmp_path, f"{head}rollout: []\nworkspaces:{rest.partition('workspaces:')[2]}").problems
    assert (problem.mark.line, problem.what) == (7, "there is no wave")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("wait: 30m", "wait: x").replace("region: eu, vars", "region: x, vars").replace("ccc3,", "bbb2,", 1)
    assert {problem.mark.line for problem in read(tmp_path, text).problems} == {9, 13}


@pytest.mark.parametrize("written", ["[]", "", "no", "{}", "{csv: a.csv, command: [x]}", "{csv: nowhere.csv}"])
def test_a_fleet_without_workspaces_is_refused(tmp_path: Path, written: str) -> None:
    text = GOOD.partition("workspaces:")[0]
    assert {problem.mark.line for problem in read(tmp_path, f"{text}workspaces: {written}\n").problems} == {11}


def test_workspaces_stand_in_csv_too(tmp_path: Path) -> None:
    text = GOOD.partition("workspaces:")[0] + "workspaces: {csv: customers.csv}\n"
    rows = '\ufeffapp_id,region,labels.ring,vars.BRAND,base_url\naaa1,eu,canary,"Blue, Sun",\n\nbbb2,,,,http://127.0.0.1:1\n'
    (tmp_path / "customers.csv").write_text(rows, encoding="utf-8")
    (tmp_path / "fleet.yaml").write_text(text, encoding="utf-8")
    first, second = read_fleet(str(tmp_path / "fleet.yaml")).workspaces
    assert (first.groups, first.variables, first.base_url) == (("canary", "europe"), {"RECONCILER_VAR_BRAND": "Blue, Sun"}, None)
    assert (second.region, second.base_url, second.mark.line) == ("us", "http://127.0.0.1:1", 4)


@pytest.mark.parametrize(
    ("rows", "line", "says"),
    [
        ("app_id,colour\na1,red\n", 1, "unknown column 'colour'"),
        ("app_id,labels\na1,red\n", 1, "unknown column 'labels'"),
        ("app_id,vars.\na1,red\n", 1, "unknown column 'vars.'"),
        ("app_id,app_id\na1,a1\n", 1, "stands twice"),
        ("region\nus\n", 1, "there is no column app_id"),
        ("", 0, "is empty"),
        ("app_id\n", 0, "lists no workspace"),
        ("app_id,region\na1,us\na1,eu\n", 3, "a1 stands at"),
        ("app_id,region\na1,us,x\n", 2, "more cells"),
        ("app_id,region\na1,mars\n", 2, "is not known"),
        ('app_id,region\n"a1,us\n', 2, "is no CSV"),
    ],
)
def test_a_mistake_in_csv_is_told_with_its_line(tmp_path: Path, rows: str, line: int, says: str) -> None:
    (tmp_path / "customers.csv").write_text(rows, encoding="utf-8")
    problems = read(tmp_path, GOOD.partition("workspaces:")[0] + "workspaces: {csv: customers.csv}\n").problems
    assert [problem.what for problem in problems if says in problem.what], problems
    assert line in {problem.mark.line for problem in problems if problem.mark.file.endswith(".csv")} or line == 0


def test_a_command_is_not_run_where_the_file_is_read_and_what_it_printed_is_held_to_the_same_rules(tmp_path: Path) -> None:
    text = GOOD.partition("workspaces:")[0] + f"workspaces: {{command: [touch, {tmp_path}/was-run]}}\n"
    (tmp_path / "fleet.yaml").write_text(text, encoding="utf-8")
    fleet = read_fleet(str(tmp_path / "fleet.yaml"))
    assert (fleet.workspaces, fleet.command) == ((), ("touch", f"{tmp_path}/was-run"))
    assert not (tmp_path / "was-run").exists()
    assert [one.groups for one in add_rows(fleet, b"app_id,region\na1,eu\n").workspaces] == [("europe",)]
    for printed in (b"", b"app_id\n", b"app_id\na1\na1\n", b"\xff"):
        with pytest.raises(Invalid, match="the command of workspaces"):
            add_rows(fleet, printed)
