"""`policy: {undo_keys: […]}`: what is no recipient of age, what an overlay may say, and what a policy file lets stand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from reconciler.core.model.policies import policy_model
from reconciler.core.model.policy import list_moved, tighten
from reconciler.errors import Invalid
from reconciler.kinds import KINDS
from reconciler.manifest.layers import BASE, Layers
from reconciler.manifest.read import read_manifest
from tests.desk.desk import Desk

ONE = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa"
TWO = "age1kqk3227644a7qgaef07aljq2lx7wmdnx7wvp0tamhvvzc43tn9lqw4e550"
# Points of low order: whatever is encrypted to them, everybody can read.
WEAK = (
    "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z",
    "age1qyqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqj7vrya",
    "age1ur4h5lpmgxu2u9jku0a0r87ydtdqnr0tnsetrlvxvgz3vh6fhzqqxqejhu",
)
PRIVATE = "AGE-SECRET-KEY-1QQPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQSTF7YJ"


def keys_of(files: Mapping[str, str], folder: Path, env: str = "") -> tuple[str, ...]:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return read_manifest([str(folder)], layers=Layers((env,)) if env else BASE).policy.undo_keys


def read_line(files: Mapping[str, str], folder: Path, env: str = "") -> str:
    with pytest.raises(Invalid) as refused:
        keys_of(files, folder, env)
    (line,) = str(refused.value).replace(f"{folder}/", "").splitlines()
    return line


def a_policy(*keys: str) -> str:
    return f"policy:\n  links: additive\n  undo_keys: [{', '.join(keys)}]\n"


def test_recipients_are_read_as_they_are_written(tmp_path: Path) -> None:
    assert keys_of({"m.yaml": a_policy(ONE, TWO)}, tmp_path) == (ONE, TWO)


@pytest.mark.parametrize("written", ["age1", "vip", "5", ONE[:-1] + "b", ONE.upper(), "ssh-ed25519 AAAAC3Nza", "{a: b}", *WEAK])
def test_what_is_none_is_told_with_its_line(tmp_path: Path, written: str) -> None:
    line = read_line({"m.yaml": a_policy(ONE, written)}, tmp_path)
    assert line.startswith("m.yaml:3:3: undo_keys: ")


def test_an_empty_one_says_what_to_write(tmp_path: Path) -> None:
    assert "write the public key that `age-keygen` prints, `age1…`" in read_line({"m.yaml": a_policy('""')}, tmp_path)
    assert read_line({"m.yaml": "policy: {undo_keys: age1}"}, tmp_path) == (
        "m.yaml:1:10: `undo_keys:` is not a list; write one, as in [a, b], or remove the line"
    )


@pytest.mark.parametrize("written", [PRIVATE, PRIVATE.lower(), f'" {PRIVATE}"', f"{PRIVATE}x"])
def test_a_private_key_is_shown_nowhere(desk: Desk, written: str) -> None:
    assert desk("validate", "m.yaml", m=a_policy(written)) == 65
    assert "m.yaml:3:3: undo_keys: is a private key" in desk.err
    assert "QQPQYQSZ" not in (desk.out + desk.err).upper()


def test_an_overlay_replaces_no_keys(tmp_path: Path) -> None:
    line = read_line({"m.yaml": a_policy(ONE), "m.prod.yaml": a_policy(TWO)}, tmp_path, "prod")
    assert line.startswith("m.prod.yaml:3:3: policy.undo_keys of an overlay would replace those at m.yaml:3:3; write the same, or ")
    assert read_line({"m.yaml": a_policy(ONE), "m.prod.yaml": a_policy()}, tmp_path, "prod").startswith("m.prod.yaml:3:3: ")
    assert keys_of({"m.yaml": a_policy(ONE), "m.prod.yaml": a_policy(ONE)}, tmp_path, "prod") == (ONE,)
    assert keys_of({"m.yaml": a_policy(ONE), "m.prod.yaml": "policy: {links: owned}"}, tmp_path, "prod") == (ONE,)


def test_keys_of_each_environment_stand_in_its_overlay(tmp_path: Path) -> None:
    files = {"m.yaml": "policy: {links: additive}", "m.prod.yaml": a_policy(ONE), "m.test.yaml": a_policy(TWO)}
    assert [keys_of(files, tmp_path, env) for env in ("prod", "test", "")] == [(ONE,), (TWO,), ()]


def test_a_policy_file_says_who_may_read_and_no_manifest_changes_that() -> None:
    policy = policy_model(KINDS)
    none, one, both = (policy.model_validate({"undo_keys": keys}) for keys in ([], [ONE], [ONE, TWO]))
    turned = policy.model_validate({"undo_keys": [TWO, ONE]})
    for base, here in ((none, one), (one, both), (both, one), (one, none)):
        merged, refused = tighten(base, here)
        assert merged.undo_keys == base.undo_keys
        assert len(refused) == 1
        assert refused[0].startswith("undo_keys: ")
    for base, here in ((one, policy()), (one, one), (both, turned)):
        merged, refused = tighten(base, here)
        assert set(merged.undo_keys) == set(base.undo_keys)
        assert not refused
    assert list_moved(none, one) == (f"undo_keys: none -> {ONE}",)


def test_an_apply_with_other_keys_than_the_policy_file_is_refused(desk: Desk) -> None:
    desk.write("p.yaml", "policy: {}")
    manifest = f"{a_policy(ONE)}tags: [new]\n"
    assert desk("apply", "m.yaml", "--auto-approve", "--policy", "p.yaml", m=manifest) == 3
    assert f"undo_keys: {ONE} (allowed: none)" in desk.err
    assert desk.writes == []


def test_other_keys_than_were_reviewed_make_a_plan_stale(tmp_path: Path) -> None:
    digests = set()
    for keys in ((ONE,), (TWO,), (ONE, TWO), ()):
        (tmp_path / "m.yaml").write_text(a_policy(*keys), encoding="utf-8")
        digests.add(read_manifest([str(tmp_path)]).digest)
    assert len(digests) == 4
