"""The manifest of each workspace: that of all, its groups', overlays and variables; all of them checked offline."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import Invalid
from reconciler.fleet.file import read_fleet
from reconciler.fleet.fleet import Fleet
from reconciler.fleet.manifests import Manifests, check_manifests

HEAD = (
    'name: acme\nmanifests: [intercom]\ntoken: {env: "T_{app_id}"}\ngroups: {big: {match: {labels: {size: big}}, manifests: [big.yaml]}}\n'
)
WORKSPACES = "workspaces: [{app_id: aaa1, labels: {size: big}}, {app_id: bbb2, vars: {BRAND: Sun}}, {app_id: ccc3, region: eu}]\n"


def fleet(folder: Path, **files: str) -> Fleet:
    (folder / "intercom").mkdir(exist_ok=True)
    texts = {"fleet.yaml": HEAD + WORKSPACES, "big.yaml": "companies: []\n", "intercom/tags.yaml": "tags: [vip]\n"} | files
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return read_fleet(str(folder / "fleet.yaml"))


def tags(fleet: Fleet) -> dict[str, set[str]]:
    manifests = Manifests(fleet)
    return {one.app_id: {str(address) for address in manifests.of(one).resources} for one in fleet.workspaces}


def test_overlays_are_those_of_its_groups_and_its_own(tmp_path: Path) -> None:
    files = {"intercom/tags.big.yaml": "tags: [enterprise]\n", "intercom/tags.ccc3.yaml": "tags: [europe]\n"}
    declared = tags(fleet(tmp_path, **files))
    assert declared == {"aaa1": {"tag/vip", "tag/enterprise"}, "bbb2": {"tag/vip"}, "ccc3": {"tag/vip", "tag/europe"}}
    assert check_manifests(fleet(tmp_path, **files)) == (3, [])
    assert check_manifests(fleet(tmp_path, **files, **{"intercom/tags.prod.yaml": "tags: [x]\n"})) == (3, ["prod"])


def test_an_overlay_lies_beside_a_manifest_that_is_named_as_a_file_too(tmp_path: Path) -> None:
    files = {"fleet.yaml": (HEAD + WORKSPACES).replace("[intercom]", "[intercom/tags.yaml]"), "intercom/tags.ccc3.yaml": "tags: [europe]\n"}
    assert tags(fleet(tmp_path, **files)) == {"aaa1": {"tag/vip"}, "bbb2": {"tag/vip"}, "ccc3": {"tag/vip", "tag/europe"}}


def test_an_environment_without_an_overlay_is_listed_in_the_manifest(tmp_path: Path) -> None:
    listed = "envs: {ccc3: {sections: []}}\ntags: [vip]\n"
    assert tags(fleet(tmp_path, **{"intercom/tags.yaml": listed})) == {"aaa1": {"tag/vip"}, "bbb2": {"tag/vip"}, "ccc3": set()}


def test_a_group_brings_manifests_and_a_workspace_variables(tmp_path: Path) -> None:
    declared = tags(
        fleet(tmp_path, **{"big.yaml": "tags: [key-account]\n", "intercom/tags.yaml": 'tags: ["${RECONCILER_VAR_BRAND:-none}"]\n'})
    )
    assert declared == {"aaa1": {"tag/none", "tag/key-account"}, "bbb2": {"tag/Sun"}, "ccc3": {"tag/none"}}


def test_the_same_files_and_variables_are_read_once(tmp_path: Path) -> None:
    read = fleet(tmp_path)
    manifests = Manifests(read)
    assert manifests.of(read.workspaces[2]) is manifests.of(read.workspaces[2])
    assert manifests.of(read.workspaces[1]) is not manifests.of(read.workspaces[2])


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("intercom/tags.ccc3.yaml", "tags: [vip, vip]\n", "tags.ccc3.yaml:1"),
        ("big.yaml", "tags: [vip]\n", "tags.yaml:1"),
        ("intercom/tags.yaml", 'tags: ["${RECONCILER_VAR_BRAND}"]\n', "RECONCILER_VAR_BRAND has no value"),
        ("intercom/tags.yaml", "workspace: {app_id: aaa1}\ntags: [vip]\n", "bbb2 in us would get a manifest that is pinned to aaa1"),
        ("fleet.yaml", HEAD.replace("[big.yaml]", "[small.yaml]") + WORKSPACES, "small.yaml: there is no such file"),
    ],
)
def test_every_overlay_and_manifest_is_checked(tmp_path: Path, file: str, text: str, says: str) -> None:
    read = fleet(tmp_path, **{file: text})
    with pytest.raises(Invalid) as caught:
        check_manifests(read)
    assert says in str(caught.value)


def test_manifests_without_a_name_are_refused_where_the_ledger_is_shared(tmp_path: Path) -> None:
    read = fleet(tmp_path, **{"fleet.yaml": HEAD + "store: postgresql://db/x\n" + WORKSPACES})
    with pytest.raises(Invalid, match="no `name:` is written"):
        check_manifests(read)


def test_a_mistake_that_not_all_workspaces_have_names_those_that_do(tmp_path: Path) -> None:
    rows = "  - {app_id: w0, vars: {DESK: d0}}\n" + "".join(f"  - {{app_id: w{number}}}\n" for number in range(1, 6))
    files = {"fleet.yaml": f"{HEAD}workspaces:\n{rows}", "intercom/tags.yaml": 'tags: ["${RECONCILER_VAR_DESK}"]\n'}
    with pytest.raises(Invalid) as caught:
        check_manifests(fleet(tmp_path, **files))
    assert "RECONCILER_VAR_DESK has no value (for w1, w2, w3 and 2 more); set it" in str(caught.value)
