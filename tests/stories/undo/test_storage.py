"""Where pre-images are kept, what of them leaves the machine, and that nothing is destroyed without them."""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.undo.preimage import keep_changes
from reconciler.core.undo.stored import join_preimage, split_preimage
from reconciler.errors import ReconcilerError, Refused, Usage
from reconciler.kinds import KINDS
from reconciler.ledger.homes.images import Images
from reconciler.ledger.ledger import Ledger
from reconciler.workflow.apply import carry_out, prepare
from reconciler.workflow.planfile import planned_manifest
from reconciler.workflow.session import Session
from reconciler.workflow.undo import propose_undo
from tests.conftest import MakeRoute
from tests.desk.postgres import Cluster
from tests.desk.repositories import KEY, a_copy, around, git
from tests.desk.route import WIDE, Route, changes
from tests.stories.undo.conftest import MAL, SEED, WASH, ZOE
from tests.stories.undo.taking_back import Patient, notes, plan_back, propose_back, run, runs, workspace

EVERYTHING: dict[str, Any] = {
    "tags": [{"name": "vip", "state": "absent"}, {"name": "beta-2026", "renamed_from": "Beta"}, "new"],
    "companies": [{"company_id": "6", "state": "absent"}, {"company_id": "7", "name": "Gold"}],
    "contacts": [
        {"external_id": "25", "name": "Hoban", "phone": "+15550108", "email": "pilot@serenity.example", "tags": ["new"]},
        {"external_id": "27", "state": "archived"},
        {"email": "river@serenity.example", "missing": "create", "name": "River", "tags": ["new"]},
    ],
}
PERSONAL = re.compile("wash|zoe|mal@|pilot|hoban|river|@|555010", re.IGNORECASE)
PLAN = {"policy": WIDE, **EVERYTHING}


def image_path(route: Route, suffix: str = "") -> Path:
    return route.folder / ".reconciler" / "images" / f"{runs(route)[0]}{suffix}.json"


def test_nothing_personal_is_in_what_may_be_shared(route: Route) -> None:
    run(route, **EVERYTHING)
    shared, private = image_path(route).read_text(), image_path(route, ".private").read_text()
    assert PERSONAL.search(shared) is None
    assert not [c for c in json.loads(shared)["changes"] if c["source"]["kind"] == "contact" and "key" in c], "contacts go by their ids"
    assert {WASH, ZOE, MAL} <= set(re.findall("[0-9a-f]{24}", shared)), "ids for links and members"
    assert {"Blue Sun", "vip", "p1"} <= set(re.findall('"([^"]+)"', shared)), "values of what is not personal"
    assert {"wash@serenity.example", "Wash", "Hoban", "+15550107", "river@serenity.example"} <= set(re.findall('"([^"]+)"', private))


def test_no_value_of_a_person_is_in_what_may_be_shared(route: Route) -> None:
    run(route, contacts=[{"external_id": "27", "custom_attributes": {"score": 8}}])
    (shared,) = (change for change in json.loads(image_path(route).read_text())["changes"] if change["action"] == "update")
    assert shared["fields"] == {"custom_attributes.score": None}
    assert "8" in image_path(route, ".private").read_text()


def test_only_the_owner_may_read_any_of_it(route: Route) -> None:
    run(route, **EVERYTHING)
    assert {stat.S_IMODE(image_path(route, suffix).stat().st_mode) for suffix in ("", ".private")} == {0o600}
    assert stat.S_IMODE(image_path(route).parent.stat().st_mode) == 0o700


def test_what_looks_like_an_e_mail_stays_here_whatever_field_it_is_in(make_route: MakeRoute) -> None:
    route = make_route(
        {"tags": ["of ann@mail.example"], "companies": [{"company_id": "b@mail.example", "name": "c@mail.example"}]}, ledger=True
    )
    before = workspace(route)
    companies = [{"company_id": "b@mail.example", "state": "absent"}]
    run(route, tags=[{"name": "of ann@mail.example", "state": "absent"}], companies=companies)
    assert "@" not in image_path(route).read_text()
    assert [change["action"] for change in plan_back(route)["changes"]] == ["create", "create"]
    image_path(route, ".private").unlink()
    plan = plan_back(route)
    assert changes(plan) == []
    assert set(notes(plan, "cannot come back")) == {"tag/id:101", f"company/id:{_old_company(route)}"}
    assert before != workspace(route)


def _old_company(route: Route) -> str:
    image = json.loads(image_path(route).read_text())
    return str(next(change["source"]["id"] for change in image["changes"] if change["source"]["kind"] == "company"))


def test_without_the_private_part_the_rest_comes_back(route: Route) -> None:
    """As on another machine: a pipeline that shares the ledger."""
    run(route, **EVERYTHING)
    image_path(route, ".private").unlink()
    plan = plan_back(route)
    text = "was kept only on the machine of that run"
    assert notes(plan, "cannot come back")[f"contact/id:{WASH}"] == [f"{path}: {text}" for path in ("email", "name", "phone")]
    assert {change["action"] for change in plan["changes"]} == {"create", "rename", "update", "unarchive", "attach", "delete", "archive"}
    assert not [c for c in plan["changes"] if c["address"] == f"contact/id:{WASH}" and c["action"] == "update"]


def test_an_image_reads_back_as_it_was(route: Route) -> None:
    planned = route.planned(route.manifest(PLAN))
    whole = keep_changes(planned.comparison, planned.plan.steps, {})
    with route.session() as session:
        work = prepare(session, route.saved(route.manifest(PLAN)), planned.manifest)
        list(carry_out(session, work, Patient(route.clock)))
    shared, private = (json.loads(image_path(route, suffix).read_text()) for suffix in ("", ".private"))
    image = join_preimage(shared["run"], shared, private, KINDS)
    assert join_preimage(shared["run"], *split_preimage(KINDS, image), KINDS) == image
    assert [deed.action for deed in image.kept_changes] == [deed.action for deed in whole]


BAD = ["", "[]", "{}", '{"format": 2, "changes": []}', '{"format": 1, "run": "x", "changes": [{}]}', "[" * 100_000]


@pytest.mark.parametrize("text", BAD, ids=lambda text: text[:20])
def test_a_damaged_image_is_one_sentence(route: Route, text: str) -> None:
    run(route, tags=["new"])
    image_path(route).write_text(text)
    with pytest.raises(ReconcilerError, match="damaged"):
        propose_back(route)


# ---- when it cannot be kept
def block_images(route: Route) -> None:
    """A file where the folder of the images belongs."""
    folder = route.folder / ".reconciler" / "images"
    folder.write_text("")


DESTRUCTIVE: dict[str, dict[str, Any]] = {
    "a detach": {"tags": ["vip"], "contacts": [{"external_id": "25", "tags": [{"tag": "vip", "state": "absent"}]}]},
    "a value": {"contacts": [{"external_id": "25", "name": "Hoban"}]},
    "a name": {"tags": [{"name": "beta-2026", "renamed_from": "Beta"}]},
    "a tag": {"tags": [{"name": "vip", "state": "absent"}]},
    "a company": {"companies": [{"company_id": "6", "state": "absent"}]},
    "an archive": {"contacts": [{"external_id": "25", "state": "archived"}]},
}


@pytest.mark.parametrize("what", DESTRUCTIVE.values(), ids=DESTRUCTIVE)
def test_nothing_is_destroyed_that_cannot_be_kept(route: Route, what: dict[str, Any]) -> None:
    block_images(route)
    before = workspace(route)
    with pytest.raises(Refused, match="pre-images: .* nothing was written; make room, or see to the permissions") as refused:
        run(route, **what)
    assert refused.value.exit_code == 3
    assert not route.box.writes
    assert workspace(route) == before
    assert route.ledger
    (past,) = route.ledger.runs()
    assert (past.exit_code, past.ended is None) == (3, False)
    assert {row.outcome for row in route.ledger.read_done(past.run)} == {"not started"}


def test_what_destroys_nothing_goes_on_without(route: Route) -> None:
    block_images(route)
    contacts = [{"external_id": "25", "tags": ["new"]}, {"external_id": "26", "custom_attributes": {"score": 1}}]
    name = run(route, tags=["new"], contacts=contacts)
    assert workspace(route)["contact"][WASH]["tags"] == ["new", "vip"]
    (route.folder / ".reconciler" / "images").unlink()
    with pytest.raises(Usage, match="nothing is kept"):
        propose_back(route, name)


def test_once_there_is_room_it_goes_through(route: Route) -> None:
    block_images(route)
    with pytest.raises(Refused):
        run(route, **DESTRUCTIVE["a tag"])
    (route.folder / ".reconciler" / "images").unlink()
    run(route, **DESTRUCTIVE["a tag"])
    assert changes(plan_back(route))[0] == "create tag/vip"


@pytest.mark.parametrize("status", [400, 403, 404])
def test_who_carries_it_must_be_readable(route: Route, status: int) -> None:
    plan = route.saved(route.manifest({"policy": WIDE, **DESTRUCTIVE["a company"]}))
    route.box.faults.add("GET", "/companies/[^/]+/contacts", status=status, times=None)
    with pytest.raises(Refused, match="who carries what would be deleted cannot be read"):
        route.apply(plan)
    assert not route.box.writes
    assert runs(route) == []


def test_without_any_ledger_nothing_is_kept_and_nobody_is_asked(make_route: MakeRoute) -> None:
    route = make_route(SEED)
    plan = route.saved(route.manifest({"policy": WIDE, **DESTRUCTIVE["a company"]}))
    route.box.forget_requests()
    route.apply(plan)
    assert [record.path for record in route.box.requests if "per_page=50" in record.path] == []
    assert not (route.folder / ".reconciler").exists()


def test_members_are_read_whole_before_the_first_write(make_route: MakeRoute) -> None:
    contacts = [{"external_id": f"c{n}", "companies": ["6"], "tags": ["vip"]} for n in range(160)]
    route = make_route({"tags": ["vip"], "companies": [{"company_id": "6"}], "contacts": contacts}, ledger=True)
    before = workspace(route)
    run(route, tags=[{"name": "vip", "state": "absent"}], companies=[{"company_id": "6", "state": "absent"}])
    image = json.loads(image_path(route).read_text())
    held = {tuple(h["link"]): len(h["ids"]) for change in image["changes"] for h in change.get("held", ())}
    assert held == {("contact", "tags"): 160, ("contact", "companies"): 160}
    first = next(i for i, record in enumerate(route.box.requests) if record.method == "DELETE")
    assert not [r for r in route.box.requests[first:] if r.path.startswith(("/contacts/search", "/companies?tag_id"))]
    with route.session() as session:
        plan = propose_undo(session, runs(route)[0])
        assert len(plan.plan.changes) == 322
    assert before.keys()


# ---- homes
def test_in_the_git_home_lies_the_shared_part_alone(route: Route, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = a_copy(tmp_path / "repositories")
    monkeypatch.chdir(clone)
    for name, value in around(clone).items():
        monkeypatch.setenv(name, value)
    assert route.ledger
    route.ledger.close()
    environ = {**os.environ, "RECONCILER_LEDGER_KEY": KEY}
    route.ledger = Ledger.open(clone / ".reconciler", create=True, address="git", now=route.clock, environ=environ)
    assert route.ledger
    name = run(route, **EVERYTHING)
    remote = clone.parent / "remote.git"
    shared = git(remote, "show", f"refs/reconciler/images:{name}.json")
    assert PERSONAL.search(shared) is None
    assert git(remote, "rev-list", "--parents", "refs/reconciler/images").split()[1:] == []
    private = clone / ".reconciler" / "images" / f"{name}.private.json"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert [path.name for path in private.parent.iterdir()] == [private.name]
    before = propose_back(route, name).plan.summary
    assert before["create"] == 2
    route.ledger.close()


def test_in_postgresql_lies_the_shared_part_alone(route: Route, tmp_path: Path, postgres: Cluster) -> None:
    assert route.ledger
    route.ledger.close()
    address, environ = postgres.database(), {"RECONCILER_LEDGER_KEY": KEY}
    route.ledger = Ledger.open(tmp_path / "shared", create=True, address=address, now=route.clock, environ=environ)
    assert route.ledger
    name = run(route, name="growth", **EVERYTHING)
    ((shared,),) = postgres.run("SELECT preimage FROM reconciler.images", address.rpartition("/")[2])
    assert PERSONAL.search(shared) is None
    assert [path.name for path in (tmp_path / "shared" / "images").iterdir()] == [f"{name}.private.json"]
    assert propose_back(route, name).plan.summary["create"] == 2
    route.ledger.close()


def test_where_the_ledger_cannot_be_used_they_go_to_the_folder(route: Route, tmp_path: Path) -> None:
    images = Images.here(tmp_path / "spare")
    plan = route.saved(route.manifest({"policy": WIDE, **DESTRUCTIVE["a company"]}))
    ledger, route.ledger = route.ledger, None
    before = workspace(route)
    with route.session() as session:
        alone = _with(session, images)
        list(carry_out(alone, prepare(alone, plan, planned_manifest(plan)), Patient(route.clock)))
        (name,) = {path.name.partition(".")[0] for path in (tmp_path / "spare" / "images").iterdir()}
        document = propose_undo(alone, name)
        assert [str(c.address) for c in document.plan.changes][0] == "company/6"
    assert workspace(route) != before
    assert ledger


def test_where_neither_can_be_used_nothing_is_destroyed(route: Route, tmp_path: Path) -> None:
    (tmp_path / "spare").write_text("")
    plan = route.saved(route.manifest({"policy": WIDE, **DESTRUCTIVE["a company"]}))
    route.ledger = None
    with route.session() as session:
        alone = _with(session, Images.here(tmp_path / "spare"))
        work = prepare(alone, plan, planned_manifest(plan))
        with pytest.raises(Refused, match="pre-images"):
            list(carry_out(alone, work, Patient(route.clock)))
    assert not route.box.writes


def _with(session: Session, images: Images) -> Session:
    return replace(session, images=images)
