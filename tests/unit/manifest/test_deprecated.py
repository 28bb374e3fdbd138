"""`state: deprecated`, `replaced_by` and `retire_after`, as the reader takes and refuses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.core.compare.origin import Origin, find_origins
from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, FieldChange, ThingChange
from reconciler.core.model.desired import Manifest
from reconciler.errors import Invalid, Mark
from reconciler.manifest.layers import Layers
from reconciler.manifest.read import read_manifest


def read(folder: Path, text: str, env: str = "", over: str = "") -> Manifest:
    (folder / "m.yaml").write_text(text)
    if env:
        (folder / f"m.{env}.yaml").write_text(over)
    return read_manifest([str(folder / "m.yaml")], layers=Layers.of(env, {}))


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ("{name: a, state: deprecated, replaced_by: a}", "m.yaml:1:42: replaced_by leads back to itself (a > a)"),
        ("{name: a, state: deprecated, replaced_by: b}, {name: b, state: deprecated, replaced_by: a}", "(a > b > a)"),
        ("{name: a, state: deprecated, replaced_by: vpi}", "tag 'vpi' is not declared; did you mean 'vip'?"),
        ("{name: a, state: deprecated, replaced_by: b}, {name: b, state: absent}", "tag 'b' is declared absent"),
        ("{name: a, state: deprecated, replaced_by: {id: 5}}", "tag id 5 is not declared"),
        ("{name: a, state: deprecated, replaced_by: {tag: vip}}", "replaced_by: is no tag; write its name, or {id: ID}"),
        ("{name: a, replaced_by: vip}", "m.yaml:1:23: replaced_by is written on a tag that is not deprecated; write `state: deprecated`"),
        ("{name: a, state: absent, retire_after: {no_new_use_for: 9d}}", "retire_after is written on a tag that is absent"),
        ("{name: a, state: deprecated, retire_after: {no_new_use_for: 90}}", "no_new_use_for: 90 is no period; write a number of days"),
        ("{name: a, state: deprecated, retire_after: {no_new_use_for: 0d}}", "no_new_use_for: 0d is no period"),
        ("{name: a, state: deprecated, retire_after: {}}", "`no_new_use_for` is missing"),
        ("{name: a, state: deprecated, retire_after: }", "retire_after: is empty"),
    ],
)
def test_what_cannot_be_is_told_with_its_place(tmp_path: Path, entries: str, told: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(tmp_path, f"tags: [vip, {entries}]\n")
    assert told in str(caught.value)
    assert caught.value.exit_code == 65


def test_a_successor_may_go_itself_and_is_named_in_any_case_or_by_its_id(tmp_path: Path) -> None:
    one = "{name: a, state: deprecated, replaced_by: B}"
    other = "{name: b, state: deprecated, replaced_by: {id: '5'}, retire_after: {no_new_use_for: 7d}}"
    found = read(tmp_path, f"tags: [{one}, {other}, {{id: '5'}}]\n").resources
    assert (found[Address("tag", "a")].successor, found[Address("tag", "b")].successor) == (Address("tag", "b"), Address("tag", "id:5"))
    assert found[Address("tag", "b")].quiet == 7 * 86_400
    assert not found[Address("tag", "a")].is_gone


def test_it_may_go_out_of_use_in_one_environment_and_be_gone_in_another(tmp_path: Path) -> None:
    base = "tags: [vip, {name: old, state: deprecated, replaced_by: vip, retire_after: {no_new_use_for: 9d}}]\n"
    stays = read(tmp_path, base, "prod", "tags: [{name: old, state: present}]\n").resources[Address("tag", "old")]
    assert (stays.is_deprecated, stays.successor, stays.quiet) == (False, None, None)
    gone = read(tmp_path, base, "test", "tags: [{name: old, state: absent}]\n").resources[Address("tag", "old")]
    assert gone.is_gone
    over = "tags: [{name: old, state: deprecated, replaced_by: vip}]\n"
    assert read(tmp_path, "tags: [vip, old]\n", "prod", over).resources[Address("tag", "old")].is_deprecated
    (tmp_path / "m.prod.yaml").unlink()
    assert not read(tmp_path, "tags: [vip, old]\n").resources[Address("tag", "old")].is_deprecated


def test_to_deprecate_a_tag_explains_no_change_of_it(tmp_path: Path) -> None:
    before, now = read(tmp_path, "tags: [{name: Old}]\n"), read(tmp_path, "tags: [{name: Old, state: deprecated}]\n")
    rename = ThingChange(Action.RENAME, Address("tag", "Old"), Mark(""), "5", (FieldChange("name", "old", "Old"),))
    assert find_origins(before, now, [rename]) == (Origin.EARLIER,)
