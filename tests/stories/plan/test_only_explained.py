"""`plan --only explained --base REF`: what the branch changed is planned, with what it needs; the rest is noted and left alone."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.desk.desk import Desk

PINNED = "workspace: {app_id: sandbox1}\n"
BASE = (
    PINNED
    + """\
tags: [vip, trial]
companies: [{company_id: '6', name: Blue Sun}]
contacts: [{external_id: '25', name: Wash, phone: '+15551234567', tags: [vip]}]
"""
)
ONLY = ("--base", "main", "--only", "explained")


@pytest.fixture
def repository(desk: Desk) -> Desk:
    """main holds BASE, of which neither trial nor the company is live, and somebody took the phone away; HEAD is a branch."""
    desk.seed(tags=["vip"], contacts=[{"external_id": "25", "name": "Wash", "phone": "+15550000000", "tags": ["vip"]}])
    desk.commit(m=BASE)
    desk.git("switch", "--quiet", "--create", "change")
    return desk


def changes(desk: Desk) -> list[str]:
    return [
        " ".join(filter(None, (c["action"], c["address"], c["target"], *(f["path"] for f in c["fields"])))) for c in desk.saved()["changes"]
    ]


def rest(desk: Desk) -> list[str]:
    return [f"{note['address']} {note['message']}" for note in desk.saved()["notes"] if note["topic"] == "not explained"]


def on_main(desk: Desk, text: str) -> None:
    desk.git("switch", "--quiet", "main")
    desk.commit(m=text)
    desk.git("switch", "--quiet", "--force-create", "change")


def test_what_the_branch_changed_is_planned_and_the_rest_is_noted_and_left_alone(repository: Desk) -> None:
    repository.commit(m=BASE.replace("Wash", "Hoban").replace("tags: [vip, trial]", "tags: [vip, trial, new]"))
    assert repository.plan(*ONLY) == 2
    assert changes(repository) == ["create tag/new name", "update contact/25 name"]
    assert rest(repository) == [
        "tag/trial create (earlier)",
        "company/6 create (earlier)",
        "contact/25 update phone (earlier)",
    ]
    assert "partial plan: --only explained; the rest is left as it is" in repository.out
    assert "note: not explained by this branch, left out (3)" in repository.out
    assert repository("apply", "plan.json") == 0
    assert sorted(repository.written()) == ["POST /tags", f"PUT /contacts/{repository.id('contact', external_id='25')}"]
    assert repository.plan(*ONLY) == 0
    assert "No changes in this part of the plan." in repository.out
    assert repository("apply", "plan.json") == 0
    assert repository.written() == []
    assert repository.plan() == 2
    assert changes(repository) == ["create tag/trial name", "create company/6 company_id name", "update contact/25 phone"]


def test_what_an_explained_change_needs_comes_along(repository: Desk) -> None:
    repository.commit(m=BASE.replace("tags: [vip]}", "tags: [vip, trial]}"))
    assert repository.plan(*ONLY) == 2
    assert changes(repository) == ["create tag/trial name", "attach contact/25 tag/trial"]
    assert rest(repository) == ["company/6 create (earlier)", "contact/25 update phone (earlier)"]
    assert repository("apply", "plan.json") == 0
    assert repository.written() == ["POST /tags", f"POST /contacts/{repository.id('contact', external_id='25')}/tags"]


def test_who_frees_a_value_comes_along_as_a_whole(repository: Desk) -> None:
    people = "contacts: [{external_id: a, email: %s, name: %s}, {external_id: b, email: %s}]\n"
    repository.seed(
        contacts=[{"external_id": "a", "email": "x@serenity.example", "name": "A"}, {"external_id": "b", "email": "b@serenity.example"}]
    )
    on_main(repository, PINNED + people % ("y@serenity.example", "B", "b@serenity.example"))
    repository.commit(m=PINNED + people % ("y@serenity.example", "B", "x@serenity.example"))
    assert repository.plan(*ONLY) == 2
    assert changes(repository) == ["update contact/a email name", "update contact/b email"]
    assert rest(repository) == []
    assert repository("apply", "plan.json") == 0


def test_of_one_thing_what_is_left_out_makes_no_plan_stale_and_what_is_new_does(repository: Desk) -> None:
    exact = BASE.replace("tags: [vip, trial]", "policy: {links: exact}\ntags: [vip, theirs]")
    repository.seed(tags=["theirs"], contacts=[{"external_id": "25", "tags": ["vip", "theirs"]}])
    on_main(repository, exact)
    repository.commit(m=exact.replace("Wash", "Hoban"))
    assert repository.plan(*ONLY) == 2
    assert rest(repository)[1:] == ["contact/25 update phone (earlier)", "contact/25 detach tag/theirs (unexplained)"]
    repository.seed(contacts=[{"external_id": "25", "phone": "+15559999999"}])
    repository.write("stale.json", (repository.folder / "plan.json").read_text())
    assert repository("apply", "plan.json") == 0
    assert len(repository.written()) == 1
    repository.seed(contacts=[{"external_id": "25", "name": "Wash"}])
    contact, tag = repository.id("contact", external_id="25"), repository.id("tag", name="vip")
    assert repository("api", "DELETE", f"/contacts/{contact}/tags/{tag}") == 0
    repository.box.forget_requests()
    assert repository("apply", "stale.json") == 4
    assert "attach contact/25 tag/vip: was not in the plan" in repository.err
    assert repository.written() == []


def test_what_is_refused_beside_the_branch_refuses_nothing_and_limits_count_what_is_planned(repository: Desk) -> None:
    text = BASE.replace("companies:", "policy: {limits: {creates: 1}}\ncompanies:").replace(
        "contacts: [", "contacts: [{external_id: z, custom_attributes: {nope: 1}}, "
    )
    repository.seed(contacts=[{"external_id": "z"}])
    on_main(repository, text)
    repository.commit(m=text.replace("trial]", "trial, new]"))
    assert repository.plan() == 3
    assert repository.plan(*ONLY) == 2
    assert changes(repository) == ["create tag/new name"]
    assert repository("apply", "plan.json") == 0
    repository.commit(m=text.replace("trial]", "trial, new, newer]").replace("nope: 1", "nope: 2"))
    assert repository.plan(*ONLY) == 3
    assert repository.gates() == ["attribute"]


def test_what_is_left_out_is_not_recorded_as_if_it_were_as_declared(repository: Desk) -> None:
    """A link that is to go and did not is no drift; a field that somebody changed stays one."""
    text = BASE.replace("tags: [vip]}", "tags: [vip, {tag: trial, state: absent}]}")
    repository.seed(tags=["trial"], contacts=[{"external_id": "25", "tags": ["vip", "trial"]}])
    assert repository("apply", "m.yaml", "--auto-approve", m=BASE.replace(", phone: '+15551234567'", "")) == 0
    on_main(repository, text)
    repository.commit(m=text.replace("Wash", "Hoban"))
    assert repository.plan(*ONLY) == 2
    assert changes(repository) == ["update contact/25 name"]
    assert repository("apply", "plan.json") == 0
    assert repository("drift", "m.yaml", "--format", "json") == 0, repository.out
    assert repository.plan() == 2
    causes = [(change["action"], change["cause"]) for change in repository.saved()["changes"]]
    assert causes == [
        ("update", "config"),
        ("detach", "foreign"),
    ]


@pytest.mark.parametrize(
    ("target", "noted"),
    [
        (("--target", "tag/*"), ["tag/trial create (earlier)"]),
        (("--exclude", "tag/*", "--exclude", "company/**"), ["contact/25 update phone (earlier)"]),
    ],
)
def test_with_a_target_only_what_it_names_is_noted(target: Iterable[str], noted: list[str], repository: Desk) -> None:
    repository.commit(m=BASE.replace("trial]", "trial, new]").replace("Wash", "Hoban"))
    assert repository.plan(*ONLY, *target) == 2
    assert rest(repository) == noted
    assert len(changes(repository)) == 1
    assert repository.saved()["scope"]["only"] == "explained"
    assert repository("apply", "plan.json") == 0


def test_of_what_nobody_declares_any_more_the_branch_takes_away_only_what_it_removed(repository: Desk) -> None:
    text = PINNED + "policy: {prune: {tags: owned}}\ntags: [%s]\ncontacts: [{external_id: '25', tags: [%s]}]\n"
    assert repository("apply", "m.yaml", "--auto-approve", m=text % ("vip, a, b", "a, b")) == 0
    on_main(repository, text % ("vip, b", "b"))
    repository.commit(m=text % ("vip", ""))
    repository.box.forget_requests()
    assert repository.plan(*ONLY) == 2
    assert changes(repository) == ["detach contact/25 tag/b", "delete tag/b"]
    assert rest(repository) == ["contact/25 detach tag/a (earlier)", "tag/a delete (earlier)"]
    assert repository("apply", "plan.json") == 0
    assert len(repository.written()) == 2
    assert repository.plan() == 2
    assert changes(repository) == ["detach contact/25 tag/a", "delete tag/a"]


def test_a_limit_counts_only_what_is_explained_and_its_approval_covers_that(repository: Desk) -> None:
    text = BASE.replace("companies:", "policy: {limits: {creates: %d}}\ncompanies:")
    on_main(repository, text % 1)
    repository.commit(m=(text % 1).replace("trial]", "trial, new, newer]"))
    assert repository.plan(*ONLY) == 3
    assert "2" in repository.saved()["refused"][0]["message"]
    assert repository("apply", "plan.json") == 3
    assert repository.plan(*ONLY, "--approve", repository.word()) == 2
    word = repository.saved()["approved"][0]
    assert repository("apply", "plan.json", "--approve", word) == 0
    assert repository.written() == ["POST /tags", "POST /tags"]


def test_show_tells_of_it_and_holds_nothing_to_apply(repository: Desk) -> None:
    repository.commit(m=BASE.replace("Wash", "Hoban"))
    repository.plan(*ONLY)
    assert repository.saved()["rest"] == [["update", "contact/25", None, ["phone"]]]
    assert repository("show", "plan.json") == 0
    assert "partial plan: --only explained" in repository.out
    assert "contact/25: update phone (earlier)" in repository.out
    assert '"rest"' not in repository.out
    repository("plan", "m.yaml", *ONLY, "--format", "json")
    assert '"rest"' not in repository.out


def test_fail_on_unexplained_is_about_what_is_planned(repository: Desk) -> None:
    exact = BASE.replace("tags: [vip, trial]", "policy: {links: exact}\ntags: [vip, theirs]")
    repository.seed(tags=["theirs"], contacts=[{"external_id": "25", "tags": ["vip", "theirs"]}])
    on_main(repository, exact)
    repository.commit(m=exact.replace("Wash", "Hoban"))
    assert repository("plan", "m.yaml", "--base", "main", "--fail-on", "unexplained") == 3
    assert repository("plan", "m.yaml", *ONLY, "--fail-on", "unexplained") == 0


def test_it_needs_a_base_and_knows_no_other_word(repository: Desk) -> None:
    for words in ("--only explained", "--only earlier --base main", "--only", "--only explained --base="):
        assert repository("plan", "m.yaml", *words.split()) == 64, words
    assert repository.box.requests == []
