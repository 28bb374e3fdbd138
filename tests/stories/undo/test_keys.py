"""The keys of undo: who opens what was encrypted, for how long, and what is said of what nobody here opens."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyrage import decrypt, encrypt, x25519

from reconciler.core.model.policy import Policy
from reconciler.core.plan.approvals import Approvals
from reconciler.core.plan.saved import write_saved
from reconciler.errors import ReconcilerError, Stale, Usage
from reconciler.ledger.errors import LedgerUnusable
from reconciler.ledger.homes.images import Images
from reconciler.ledger.ledger import Ledger
from reconciler.workflow.apply import carry_out, prepare
from reconciler.workflow.planfile import planned_manifest
from reconciler.workflow.rehearse import Script, rehearse
from reconciler.workflow.undo import prepare_undo, propose_undo
from tests.desk.postgres import Cluster
from tests.desk.repositories import KEY
from tests.desk.route import WIDE, Route, changes
from tests.stories.undo.conftest import WASH
from tests.stories.undo.taking_back import Patient, carry_out_plan, notes, plan_back, run, runs, take_back, undo_plan, workspace

Identity = x25519.Identity
HOBAN: dict[str, Any] = {"contacts": [{"external_id": "25", "name": "Hoban", "phone": "+15550108"}]}
NEEDED = "encrypted: the private key of age1[a-z0-9]{58} is needed; give its file as RECONCILER_UNDO_KEY_FILE"


@pytest.fixture
def key() -> Identity:
    return Identity.generate()


def sealing(*keys: Identity, **manifest: Any) -> dict[str, Any]:
    return {**HOBAN, "policy": {**WIDE, "undo_keys": [str(key.to_public()) for key in keys]}, **manifest}


def give(route: Route, *keys: Identity) -> None:
    """Give a file of these keys."""
    path = route.folder / "key.txt"
    path.write_text("".join(f"{key}\n" for key in keys))
    path.chmod(0o600)
    route.key_file = str(path)


def image(route: Route, run: str) -> Path:
    return route.folder / ".reconciler" / "images" / f"{run}.json"


def is_open(route: Route, run: str) -> bool:
    try:
        return "encrypted" not in json.dumps(plan_back(route, run)["notes"])
    except Usage:
        return False


def test_on_the_same_machine_the_key_is_needed_too(route: Route, key: Identity) -> None:
    before = workspace(route)
    name = run(route, **sealing(key))
    plan = plan_back(route)
    assert changes(plan) == []
    assert notes(plan, "cannot come back")[f"contact/id:{WASH}"] == ["name: is encrypted", "phone: is encrypted"]
    (said,) = notes(plan, "cannot come back")["None"]
    assert str(key.to_public()) in said
    give(route, key)
    assert is_open(route, name)
    take_back(route)
    assert workspace(route) == before


def test_without_keys_all_is_as_it_was(route: Route) -> None:
    name = run(route, **HOBAN)
    assert {path.name for path in image(route, name).parent.iterdir()} == {f"{name}.json", f"{name}.private.json"}
    assert {"sealed", "keys"}.isdisjoint(json.loads(image(route, name).read_text()))


def test_age_itself_opens_it(route: Route, key: Identity) -> None:
    name = run(route, **sealing(key))
    document = json.loads(image(route, name).read_text())
    assert document["keys"] == [str(key.to_public())]
    assert json.loads(decrypt(document["sealed"].encode(), [key]))["run"] == name
    assert stat.S_IMODE(image(route, name).stat().st_mode) == 0o600


def test_what_holds_nothing_of_people_needs_no_key(route: Route, key: Identity) -> None:
    name = run(route, **sealing(key, contacts=[], companies=[{"company_id": "7", "name": "Gold"}]))
    assert "sealed" not in json.loads(image(route, name).read_text())
    assert is_open(route, name)
    assert changes(plan_back(route)) == ["update company/7 name='Heart of Gold'"]


def test_each_of_several_keys_opens_it_and_those_of_another_time_do_not(route: Route, key: Identity) -> None:
    second, third = Identity.generate(), Identity.generate()
    first = run(route, **sealing(key, second))
    later = run(route, **sealing(third, contacts=[{"external_id": "25", "name": "Somebody"}]))
    opened = set()
    for number, one in enumerate((key, second, third)):
        give(route, one)
        opened |= {(name, number) for name in (first, later) if is_open(route, name)}
    assert opened == {(first, 0), (first, 1), (later, 2)}
    # A file may hold the keys of all times.
    give(route, key, third)
    assert is_open(route, first)
    assert is_open(route, later)


@pytest.mark.parametrize("how", ["another run", "all of another run", "no text", "taken out", "nothing in it", "no key"])
def test_what_somebody_changed_is_one_sentence(route: Route, key: Identity, how: str) -> None:
    other = run(route, **sealing(key))
    name = run(route, **sealing(key, contacts=[{"external_id": "25", "name": "Somebody"}]))
    instead = json.loads(image(route, other).read_text())
    changed: dict[str, dict[str, Any]] = {
        "another run": {"sealed": instead["sealed"]},
        "all of another run": instead,
        "no text": {"sealed": {"a": 1}},
        "taken out": {"sealed": ""},
        "nothing in it": {"sealed": encrypt(b"{}", [key.to_public()], armored=True).decode()},
        "no key": {"keys": ["somebody's\n::error::words"]},
    }
    image(route, name).write_text(json.dumps(json.loads(image(route, name).read_text()) | changed[how]))
    give(route, key)
    with pytest.raises(ReconcilerError, match=f"^the pre-images of the run {name} are damaged.*; undo it by hand$") as bad:
        plan_back(route)
    assert bad.value.exit_code == 1


def test_a_plan_that_was_made_with_the_key_is_not_applied_in_part_without_it(route: Route, key: Identity) -> None:
    run(route, **sealing(key))
    after = workspace(route)
    give(route, key)
    plan = undo_plan(route)
    route.key_file = ""
    route.box.forget_requests()
    with pytest.raises(Usage, match=NEEDED):
        carry_out_plan(route, plan)
    assert not route.box.writes
    assert workspace(route) == after
    # One that was made without it holds what could be read.
    assert carry_out_plan(route, undo_plan(route)) == []


@pytest.mark.parametrize("written", ['["nobody"]', "5", '[{"a": 1}]'])
def test_keys_that_are_none_in_the_ledger_are_damage(route: Route, key: Identity, written: str) -> None:
    run(route, **sealing(key))
    give(route, key)
    with sqlite3.connect(route.folder / ".reconciler" / "ledger.db") as database:
        database.execute("UPDATE runs SET policy = ?", (f'{{"undo_keys": {written}}}',))
    database.close()
    with pytest.raises(LedgerUnusable, match="damaged"):
        plan_back(route)


@pytest.mark.parametrize("opening", [0o644, None], ids=["open to others", "gone"])
def test_a_key_that_does_not_help_is_no_stale_plan(route: Route, key: Identity, opening: int | None) -> None:
    run(route, **sealing(key))
    give(route, key)
    plan = undo_plan(route)
    path = Path(route.key_file)
    path.chmod(opening) if opening else path.unlink()
    with pytest.raises(Usage, match="RECONCILER_UNDO_KEY_FILE"):
        carry_out_plan(route, plan)


def test_a_key_out_of_a_pipe_is_enough_for_a_rehearsal(route: Route, key: Identity) -> None:
    """`RECONCILER_UNDO_KEY_FILE=<(pass show undo)`: what came out of it once is gone."""
    run(route, **sealing(key))
    give(route, key)
    plan = undo_plan(route)
    out, into = os.pipe()
    os.write(into, f"{key}\n".encode())
    os.close(into)
    route.key_file = f"/dev/fd/{out}"
    with route.session() as session:
        rehearsal = rehearse(session, Script(plan, None))
    os.close(out)
    assert ([o.status for o in rehearsal.outcomes], rehearsal.again.is_empty) == (["applied"], True)


def test_nor_is_one_without_keys_on_another_machine(route: Route) -> None:
    name = run(route, **HOBAN)
    plan = undo_plan(route)
    (image(route, name).parent / f"{name}.private.json").unlink()
    with pytest.raises(Usage, match="lies on the machine of that run: apply it there"):
        carry_out_plan(route, plan)


def test_an_undo_is_encrypted_too_to_the_keys_of_today(route: Route, key: Identity) -> None:
    first = run(route, **sealing(key))
    today = Identity.generate()
    run(route, **sealing(today, contacts=[], tags=["new"]))
    give(route, key)
    take_back(route, first)
    taken_back = runs(route)[0]
    assert json.loads(image(route, taken_back).read_text())["keys"] == [str(today.to_public())]
    assert not list(image(route, first).parent.glob("*.private.json"))
    give(route, today)
    assert is_open(route, taken_back)


def test_where_the_ledger_cannot_be_used_it_is_encrypted_too(route: Route, key: Identity) -> None:
    plan = route.saved(route.manifest(sealing(key)))
    folder = route.folder / "spare"
    route.ledger = None
    with route.session() as session:
        alone = replace(session, images=Images.here(folder))
        list(carry_out(alone, prepare(alone, plan, planned_manifest(plan)), Patient(route.clock)))
        (lying,) = (folder / "images").iterdir()
        assert b"AGE ENCRYPTED FILE" in lying.read_bytes()
        assert b"Hoban" not in lying.read_bytes()
        give(route, key)
        route.clock.now += 60
        opened = replace(alone, key_file=route.key_file)
        undo = propose_undo(opened, lying.stem)
        assert [change.action for change in undo.plan.changes] == ["update"]
        work = prepare_undo(opened, write_saved(route.kinds, undo.plan, "salt"))
        assert work.whole.policy.undo_keys == (str(key.to_public()),)


def test_in_postgresql_it_lies_for_every_machine(route: Route, key: Identity, postgres: Cluster) -> None:
    address, environ = postgres.database(), {"RECONCILER_LEDGER_KEY": KEY}

    def move(name: str) -> Ledger:
        assert route.ledger
        route.ledger.close()
        ledger = Ledger.open(route.folder / name, create=True, address=address, now=route.clock, environ=environ)
        assert ledger
        return ledger

    before, route.ledger = workspace(route), move("here")
    run(route, name="growth", **sealing(key))
    ((image,),) = postgres.run("SELECT preimage FROM reconciler.images", address.rpartition("/")[2])
    assert "AGE ENCRYPTED FILE" in image
    assert not [planted for planted in ('"Wash"', "Hoban", "5550107", "5550108") if planted in image]
    route.ledger = move("elsewhere")
    assert changes(plan_back(route)) == []
    give(route, key)
    take_back(route)
    assert workspace(route) == before
    route.ledger.close()


def test_the_keys_of_the_policy_file_count_for_an_undo_too(route: Route, key: Identity) -> None:
    """As where a manifest never had any."""
    run(route, **HOBAN)
    policy = Policy.model_validate({"undo_keys": [str(key.to_public())]})
    carry_out_plan(route, undo_plan(route), Approvals(policy))
    assert json.loads(image(route, runs(route)[0]).read_text())["keys"] == [str(key.to_public())]


@pytest.mark.parametrize("manifest", [HOBAN, {"tags": ["new"]}], ids=["nothing to do", "something to do"])
def test_after_thirty_days_the_next_apply_removes_it(route: Route, key: Identity, manifest: dict[str, Any]) -> None:
    name = run(route, **sealing(key))
    give(route, key)
    plan = undo_plan(route)
    os.utime(image(route, name), (route.clock.now, route.clock.now))
    route.clock.now += 29 * 86400
    run(route, **sealing(key, **manifest))
    assert image(route, name).exists()
    route.clock.now += 2 * 86400
    run(route, **sealing(key, **manifest))
    assert not image(route, name).exists()
    with pytest.raises(Usage, match="kept for thirty days"):
        plan_back(route, name)
    with pytest.raises(Stale, match="kept for thirty days"):
        carry_out_plan(route, plan)


def test_what_is_too_old_is_not_opened_where_it_still_lies(route: Route, key: Identity) -> None:
    name = run(route, **sealing(key))
    give(route, key)
    route.clock.now += 31 * 86400
    with pytest.raises(Usage, match="kept for thirty days"):
        plan_back(route, name)
