"""Whose a name is: on a ledger that several repositories can reach ownership rests on a written name and on where it was applied from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.core.plan.approvals import NO_APPROVALS, Approvals, parse_approval
from reconciler.core.plan.schema import PlanDocument
from reconciler.errors import Invalid, Refused
from reconciler.ledger.ledger import Ledger
from tests.conftest import MakeRoute
from tests.desk.postgres import Cluster
from tests.desk.repositories import KEY, a_clone, a_copy, a_remote, around, git
from tests.desk.route import Route, changes, lines
from tests.desk.soak import cases

ENVIRON = {"RECONCILER_LEDGER_KEY": KEY}
HEAD = "name: growth\npolicy: {links: owned, prune: {tags: owned}}\n"
BOTH = HEAD + "tags: [vip, promo]\ncontacts: [{external_id: '25', tags: [vip, promo]}]\n"
ONE = HEAD + "tags: [vip]\ncontacts: [{external_id: '25', tags: [vip]}]\n"
GOING = ["detach contact/25 tag/promo", "delete tag/promo"]
SEED = {"contacts": [{"external_id": "25"}]}


class Team:
    """Repositories that share one ledger, and the workspace they write to."""

    def __init__(self, route: Route, folder: Path, patch: pytest.MonkeyPatch, address: str) -> None:
        self.route, self.folder, self.patch, self.address = route, folder, patch, address

    def repository(self, name: str, url: str = "", commit: str = "") -> Path:
        """A repository with this remote and a first commit of its own, as far as they are given."""
        folder = self.folder / name
        folder.mkdir()
        git(folder, "init", "--quiet")
        if url:
            git(folder, "remote", "add", "origin", url)
        if commit:
            git(folder, "commit", "--quiet", "--allow-empty", "-m", commit)
        return folder

    @contextmanager
    def at(self, folder: Path) -> Iterator[Route]:
        """The route as somebody takes it who works in a folder."""
        self.patch.chdir(folder)
        ledger = Ledger.open(self.folder / "nobody", create=True, address=self.address, now=self.route.clock, environ=ENVIRON)
        assert ledger
        with ledger:
            self.route.ledger, self.route.folder = ledger, folder
            self.route.clock.now += 60
            yield self.route

    def apply(self, folder: Path, text: str, *approve: str) -> PlanDocument:
        """Plan and apply what a folder declares. Raises Refused."""
        with self.at(folder) as route:
            path, route.rules = route.manifest(text), Approvals(on_command_line=tuple(map(parse_approval, approve)))
            plan = route.saved(path)
            route.apply(plan)
            route.rules = NO_APPROVALS
        return plan

    def plan(self, folder: Path, text: str) -> PlanDocument:
        with self.at(folder) as route:
            return route.document(route.manifest(text))


@pytest.fixture
def team(make_route: MakeRoute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: Cluster) -> Team:
    for name, value in around(tmp_path).items():
        if name != "GIT_DIR":
            monkeypatch.setenv(name, value)
    return Team(make_route(SEED), tmp_path, monkeypatch, postgres.database())


def gates(plan: PlanDocument) -> list[str]:
    return [refusal["gate"] for refusal in plan["refused"]]


def test_without_a_name_a_shared_ledger_takes_no_manifest_and_says_why(team: Team) -> None:
    folder = team.repository("here", "https://git.example/acme/ops", "one")
    says = "intercom.yaml: no `name:` is written, and several repositories can reach the ledger postgresql:"
    with pytest.raises(Invalid, match=says) as caught:
        team.plan(folder, BOTH.replace("name: growth\n", ""))
    assert "write a `name:`" in str(caught.value)
    team.apply(folder, BOTH.replace("growth", "default"))


MOVES = {
    "its address, spelled otherwise": ("git@git.example:acme/ops.git", "one"),
    "its address, with another history": ("https://x:token@git.example/Acme/ops/", "two"),
    "its first commit, at another address": ("https://git.example/acme/moved", "one"),
}


@pytest.mark.parametrize(("url", "commit"), cases(MOVES, "its first commit, at another address"))
def test_a_repository_is_the_same_by(team: Team, url: str, commit: str) -> None:
    first = team.repository("first", "https://git.example/acme/ops", "one")
    team.apply(first, BOTH)
    second = team.repository("second", url, commit)
    assert changes(team.apply(second, ONE)) == GOING


def test_a_name_that_comes_from_elsewhere_is_refused_until_somebody_approves(team: Team) -> None:
    old = team.repository("old", "https://git.example/acme/old", "one")
    team.apply(old, BOTH)
    new = team.repository("new", "https://git.example/acme/new", "two")
    plan = team.plan(new, ONE)
    assert gates(plan) == ["origin"]
    (refusal,) = plan["refused"]
    assert "`name: growth` was last applied from git.example/acme/old, and is now used in git.example/acme/new" in refusal["message"]
    # Neither taken nor given up.
    assert changes(plan) == []
    with pytest.raises(Refused):
        team.apply(new, ONE)
    assert changes(team.plan(old, ONE)) == GOING
    assert changes(team.apply(new, ONE, str(refusal["approve"]))) == GOING
    assert gates(team.plan(new, ONE)) == []
    assert gates(team.plan(old, ONE)) == ["origin"]


def test_what_was_left_for_later_by_the_repository_that_moved_still_goes(team: Team) -> None:
    old, text = team.repository("old", "https://git.example/acme/old", "one"), BOTH.replace("tags: owned", "tags: never")
    team.apply(old, text)
    new = team.repository("new", "https://git.example/acme/new", "two")
    keep = "name: growth\npolicy: {links: additive}\ntags: [vip]\ncontacts: [{external_id: '25', tags: [vip]}]\n"
    team.apply(new, keep, str(team.plan(new, keep)["refused"][0]["approve"]))
    assert changes(team.plan(new, ONE)) == GOING


KNOWN, NOTHING = ("https://git.example/acme/ops", "one"), ("", "")


@pytest.mark.parametrize(("before", "now"), [(NOTHING, KNOWN), (KNOWN, NOTHING)])
def test_where_one_side_is_not_known_it_is_asked(team: Team, before: tuple[str, str], now: tuple[str, str]) -> None:
    team.apply(team.repository("first", *before), BOTH)
    plan = team.plan(team.repository("second", *now), ONE)
    assert gates(plan) == ["origin"]
    assert changes(plan) == []
    assert "a folder of which git says nothing" in plan["refused"][0]["message"]


def test_where_neither_side_is_known_name_and_path_decide(team: Team) -> None:
    for name in ("first", "second", "third"):
        (team.folder / name).mkdir()
    team.apply(team.folder / "first", BOTH)
    assert changes(team.plan(team.folder / "second", ONE)) == GOING
    assert changes(team.plan(team.folder / "third", ONE.replace("growth", "other"))) == []


def test_two_folders_of_one_place_with_names_of_their_own_take_nothing_from_each_other(team: Team) -> None:
    """In a container every checkout lies in the same folder, and git refuses to answer about it."""
    here = team.folder / "workspace"
    here.mkdir()
    team.apply(here, BOTH)
    assert changes(team.plan(here, "name: sales\npolicy: {prune: {tags: owned}}\ntags: [else]\n")) == ["create tag/else"]


def test_a_shallow_clone_is_known_by_its_address_alone(team: Team) -> None:
    (team.folder / "there").mkdir()
    remote = a_remote(team.folder / "there")
    team.apply(a_clone(remote, "whole"), BOTH)
    shallow = a_clone(remote, "shallow", "--depth=1")
    assert changes(team.plan(shallow, ONE)) == GOING
    git(shallow, "remote", "set-url", "origin", "https://git.example/elsewhere")
    assert gates(team.plan(shallow, ONE)) == ["origin"]


def test_a_ledger_in_another_repository_is_shared_and_one_in_our_own_is_not(team: Team) -> None:
    (team.folder / "there").mkdir()
    clone = a_copy(team.folder / "there")
    git(clone, "remote", "add", "state", str(a_remote(team.folder)))
    git(clone, "remote", "add", "same", git(clone, "remote", "get-url", "origin").strip())
    nameless = BOTH.replace("name: growth\n", "")
    for address in ("git", "git:same"):
        team.address = address
        team.plan(clone, nameless)
    team.address = "git:state"
    with pytest.raises(Invalid, match="of state"):
        team.plan(clone, nameless)


def test_the_ledger_of_a_folder_needs_neither_name_nor_git_and_knows_its_files_again(make_route: MakeRoute, team: Team) -> None:
    route = make_route(SEED, ledger=True)
    here = team.repository("here", "https://git.example/acme/old", "one")
    nameless = (text.replace("name: growth\n", "") for text in (BOTH, ONE))
    team.patch.chdir(here)
    route.converge(route.manifest(next(nameless)))
    git(here, "remote", "set-url", "origin", "https://git.example/acme/new")
    plan = route.document(route.manifest(next(nameless)))
    assert lines(plan) == [f"{change} (config)" for change in GOING]
