"""The workflows for GitHub do what they say: their steps are run as written, against stand-ins that hold GitHub's caps."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ci.conftest import FIRST, KEY, NEXT, Repository, Served
from tests.ci.hub import hub
from tests.ci.runner import GitHub
from tests.desk.soak import SOAKS, only_in_soak

Pipeline = tuple[Repository, Served]
SAME = "github.event.pull_request.head.repo.full_name == github.repository"
NAMED = "tags: [vip]\ncontacts: [{external_id: '25', name: Hoban Washburn}]\n"
MARKER = "<!-- reconciler:plan -->"

pytestmark = [pytest.mark.skipif(not shutil.which("jq"), reason="the stand-in for gh needs jq"), pytest.mark.timeout(400)]


@pytest.fixture
def github(pipeline: Pipeline, tmp_path: Path) -> Iterator[GitHub]:
    repository, _ = pipeline
    state = tmp_path / "github"
    state.mkdir()
    said = {
        "secrets.INTERCOM_READ_TOKEN": "sandbox",
        "secrets.INTERCOM_ACCESS_TOKEN": "sandbox",
        "secrets.RECONCILER_LEDGER_KEY": KEY,
        "secrets.INTERCOM_REQUEST_TOKEN": "",
        "secrets.INTERCOM_TEAMS_TOKEN": "",
        "github.token": "github-token",
        "github.event.repository.default_branch": "main",
        "github.event.merge_group.base_sha": "",
        "github.repository": "serenity/crew",
        "github.event.pull_request.number": "7",
        "github.event.before": repository.git("rev-parse", "HEAD"),
        SAME: "true",
        "github.event.issue.pull_request": "true",
        "startsWith(github.event.comment.body, '/approve')": "true",
        "github.event.issue.number": "7",
        "github.event_name": "pull_request",
        "startsWith(github.event.issue.title, '[Intercom]')": "true",
        "contains('OWNER MEMBER COLLABORATOR', github.event.issue.author_association)": "true",
        "secrets.INTERCOM_TEST_READ_TOKEN": "sandbox",
        "secrets.INTERCOM_TEST_ACCESS_TOKEN": "sandbox",
    }
    with hub(tmp_path) as served:
        yield GitHub(state, served, repository, said)


def opened(repository: Repository, text: str) -> None:
    """A change request as GitHub checks it out: HEAD merges the branch into its base, which is HEAD^1."""
    repository.git("switch", "--quiet", "--force-create", "change", "main")
    repository.commit(m=text)
    repository.git("switch", "--quiet", "--detach", "main")
    repository.git("merge", "--quiet", "--no-ff", "--message", "merge of 7", "change")


def merged(repository: Repository) -> None:
    repository.git("switch", "--quiet", "main")
    repository.git("merge", "--quiet", "--squash", "change")
    repository.git("commit", "--quiet", "--message", "squashed")


def stored(github: GitHub, name: str) -> list[dict[str, Any]]:
    path = github.state / f"{name}.json"
    document: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return document


def test_one_comment_follows_the_change_request_and_its_plan_is_applied(github: GitHub, pipeline: Pipeline) -> None:
    repository, served = pipeline
    others = [{"id": 1, "user": {"type": "User"}, "body": f"{MARKER} quoted by somebody"}]
    (github.state / "comments.json").write_text(json.dumps(others), encoding="utf-8")
    opened(repository, "tags: [vip, trial]\ncontacts: [{external_id: '25'}]\n")
    assert github.workflow("intercom-plan"), github.log
    assert github.summary.startswith(MARKER)
    opened(repository, NEXT)
    assert github.workflow("intercom-plan"), github.log
    [_, comment] = stored(github, "comments")
    assert "tag/old" in comment["body"].replace("<!-- -->", "")
    assert "trial" not in comment["body"]
    assert served.writes() == []

    merged(repository)
    assert github.workflow("intercom-apply"), github.log
    assert "3 applied" in github.summary
    assert len(served.writes()) == 3
    assert repository.refs() == ["refs/reconciler/images", "refs/reconciler/ledger"]
    # Run again by hand, or after it was cut off: the same plan, nothing left to do.
    assert github.workflow("intercom-apply"), github.log
    assert served.writes() == []
    assert repository.refs() == ["refs/reconciler/images", "refs/reconciler/ledger"]


def test_a_refused_plan_fails_the_job_and_comments_all_the_same(github: GitHub, pipeline: Pipeline) -> None:
    repository, served = pipeline
    repository.applied()
    opened(repository, "policy: {limits: {deletes: 9}}\ntags: [{name: vip, state: absent}, {name: old, state: absent}]\n")
    assert not github.workflow("intercom-plan")
    assert "::error file=intercom/all.yaml,line=2::" in github.log
    assert "the ledger" not in github.log
    [comment] = stored(github, "comments")
    assert "Refused" in comment["body"]
    merged(repository)
    assert not github.workflow("intercom-apply")
    assert served.writes() == []


def test_a_plan_that_a_fork_kept_is_not_applied(github: GitHub, pipeline: Pipeline) -> None:
    repository, served = pipeline
    github.run = 900
    opened(repository, NEXT)
    assert github.workflow("intercom-plan")
    merged(repository)
    github.run = 10
    assert not github.workflow("intercom-apply")
    assert "no plan was made for this manifest" in github.log
    assert served.writes() == []


def test_a_fork_gets_a_check_and_a_sentence_in_the_summary(github: GitHub, pipeline: Pipeline) -> None:
    repository, _ = pipeline
    github.said |= {SAME: "false", "secrets.INTERCOM_READ_TOKEN": ""}
    opened(repository, NEXT)
    assert github.workflow("intercom-plan"), github.log
    assert "no access token here" in github.summary
    assert stored(github, "comments") == []


def test_no_comment_is_written_where_none_is_wanted(github: GitHub, pipeline: Pipeline) -> None:
    repository, _ = pipeline
    opened(repository, NEXT)
    assert github.workflow("intercom-plan", comment="false"), github.log
    assert "tag/old" in github.summary.replace("<!-- -->", "")
    assert stored(github, "comments") == []


def test_a_command_that_the_action_does_not_have_fails_the_job(github: GitHub, pipeline: Pipeline) -> None:
    """Whatever it holds: it never becomes a part of a script."""
    repository, served = pipeline
    opened(repository, NEXT)
    assert not github.workflow("intercom-apply", command='plan"; touch pasted; "')
    assert "usage:" in github.log
    assert not (github.tree.path / "pasted").exists()
    assert served.writes() == []


def test_one_issue_is_opened_kept_up_to_date_and_closed(github: GitHub, pipeline: Pipeline) -> None:
    repository, served = pipeline
    repository.commit(m=NAMED)
    repository.applied()
    repository.commit(m=NAMED + "companies: [{company_id: '6', name: Blue Sun}]\n")
    assert github.workflow("intercom-nightly"), github.log
    assert "1 change not applied yet" in github.summary
    assert stored(github, "issues") == []
    served.seed({"contacts": [{"external_id": "25", "name": "Somebody else"}]})
    for _ in range(2):
        assert github.workflow("intercom-nightly"), github.log
        [issue] = stored(github, "issues")
        assert "contact/25" in issue["body"]
    served.seed({"contacts": [{"external_id": "25", "name": "Hoban Washburn"}]})
    assert github.workflow("intercom-nightly"), github.log
    assert [one["state"] for one in stored(github, "issues")] == ["closed"]
    # Nobody can say is no "as applied": the issue is there for it too.
    repository.commit(m=NAMED + "workspace: {app_id: another1}\n")
    assert github.workflow("intercom-nightly"), github.log
    assert "nothing can be said of this workspace" in stored(github, "issues")[-1]["body"]
    assert [one["state"] for one in stored(github, "issues")] == ["closed", "open"]
    assert served.writes() == []


def test_a_night_that_fails_says_nothing_about_the_workspace(github: GitHub, pipeline: Pipeline) -> None:
    github.said["secrets.INTERCOM_READ_TOKEN"] = "dG9rOnJldm9rZWQ="
    assert not github.workflow("intercom-nightly")
    assert stored(github, "issues") == []


def gone(served: Served) -> None:
    """Somebody deletes the contact by hand."""
    [found] = served.control("GET", "/contacts")["data"]
    served.control("DELETE", f"/contacts/{found['id']}")
    served.writes()


def renamed(served: Served) -> None:
    """Somebody renames the contact by hand."""
    served.seed({"contacts": [{"external_id": "25", "name": "Somebody else"}]})


def waits_for_somebody(github: GitHub) -> None:
    (github.state / "reviewers.json").write_text(json.dumps([{"type": "wait_timer"}, {"type": "required_reviewers"}]), encoding="utf-8")


@only_in_soak
def test_a_part_of_what_was_reviewed_is_applied_though_the_workspace_moved(github: GitHub, pipeline: Pipeline) -> None:
    repository, served = pipeline
    opened(repository, NEXT)
    assert github.workflow("intercom-plan"), github.log
    merged(repository)
    gone(served)
    assert github.workflow("intercom-apply"), github.log
    assert "It is a part of what was reviewed" in github.log
    assert [write.split("/")[0] for write in served.writes()] == ["DELETE "]
    assert github.awaited == ["intercom"]


@only_in_soak
def test_what_nobody_reviewed_is_shown_and_waits_for_one_click(github: GitHub, pipeline: Pipeline) -> None:
    repository, served = pipeline
    waits_for_somebody(github)
    opened(repository, NEXT)
    assert github.workflow("intercom-plan"), github.log
    merged(repository)
    renamed(served)
    assert github.workflow("intercom-apply"), github.log
    assert github.awaited == ["intercom", "intercom"]
    [_, comment] = stored(github, "comments")
    assert "not in the plan that was reviewed" in comment["body"]
    assert "not in the plan that was reviewed" in github.summary
    assert len(served.writes()) == 3


@only_in_soak
def test_what_nobody_reviewed_is_not_applied_where_nobody_has_to_click(github: GitHub, pipeline: Pipeline) -> None:
    repository, served = pipeline
    opened(repository, NEXT)
    assert github.workflow("intercom-plan"), github.log
    merged(repository)
    renamed(served)
    assert not github.workflow("intercom-apply")
    assert "has no required reviewers" in github.log
    assert github.awaited == ["intercom"]
    assert "not in the plan that was reviewed" in stored(github, "comments")[-1]["body"]
    assert served.writes() == []


@only_in_soak
def test_a_merge_queue_plans_what_will_be_on_the_main_branch(github: GitHub, pipeline: Pipeline) -> None:
    """Rebased, so that HEAD^1 is the branch: the policy is that of the base all the same."""
    repository, served = pipeline
    base = repository.git("rev-parse", "HEAD")
    repository.git("switch", "--quiet", "--create", "queue")
    repository.commit(policy="policy: {limits: {deletes: 9}}\n")
    repository.commit(m="tags: [{name: vip, state: absent}, {name: old, state: absent}]\n")
    github.said |= {"github.event.merge_group.base_sha": base, "github.event.pull_request.number": "", SAME: "false"}
    assert not github.workflow("intercom-plan")
    assert "limits.deletes" in github.summary
    repository.commit(m=NEXT)
    assert github.workflow("intercom-plan"), github.log
    assert stored(github, "comments") == []
    repository.git("branch", "--force", "main")
    repository.git("switch", "--quiet", "main")
    assert github.workflow("intercom-apply"), github.log
    assert len(served.writes()) == 3


def pulls(github: GitHub) -> list[tuple[int, str, str]]:
    return [(one["number"], one["head"], one["state"]) for one in stored(github, "pulls")]


def of_branch(repository: Repository, branch: str, file: str) -> str:
    return repository.git("--git-dir", str(repository.remote), "show", f"{branch}:{file}")


def on_branch(repository: Repository, branch: str, old: str, new: str) -> None:
    """Somebody's commit on a branch of a change request."""
    repository.git("fetch", "--quiet", "origin")
    repository.git("switch", "--quiet", "--detach", f"origin/{branch}")
    repository.write("intercom/all.yaml", repository.read("intercom/all.yaml").replace(old, new))
    repository.git("commit", "--quiet", "--all", "--message", "a word of mine")
    repository.git("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
    repository.git("switch", "--quiet", "main")


def close(github: GitHub) -> None:
    """Somebody closes all change requests."""
    (github.state / "pulls.json").write_text(json.dumps([one | {"state": "closed"} for one in stored(github, "pulls")]), encoding="utf-8")


@only_in_soak
def test_what_is_undeclared_goes_into_one_change_request_that_is_kept_up_to_date(github: GitHub, pipeline: Pipeline) -> None:
    repository, served = pipeline
    assert github.workflow("intercom-adopt"), github.log
    assert pulls(github) == [(11, "reconciler/adopt", "open")]
    assert "tags: [vip, old]\n" in of_branch(repository, "reconciler/adopt", "intercom/all.yaml")
    # What somebody writes there stays, what came since is added, the main branch is merged in.
    on_branch(repository, "reconciler/adopt", ", old]", ", {name: old, owner: growth}]")
    repository.commit(m=FIRST + "companies: []\n")
    served.seed({"tags": ["gold"]})
    assert github.workflow("intercom-adopt"), github.log
    text = of_branch(repository, "reconciler/adopt", "intercom/all.yaml")
    assert [part in text for part in ("{name: old, owner: growth}", "gold", "companies: []")] == [True] * 3
    assert "intercom/all.yaml: 1 tag\n" in stored(github, "pulls")[0]["body"]
    before = repository.git("ls-remote", "origin")
    assert github.workflow("intercom-adopt"), github.log
    assert (pulls(github), repository.git("ls-remote", "origin")) == ([(11, "reconciler/adopt", "open")], before)
    # Whoever closes it is not asked the same again, and what is merged leaves nothing to ask.
    close(github)
    repository.git("fetch", "--quiet", "origin")
    repository.git("push", "--quiet", "--delete", "origin", "reconciler/adopt")
    assert github.workflow("intercom-adopt"), github.log
    close(github)
    assert github.workflow("intercom-adopt"), github.log
    assert [state for _, _, state in pulls(github)] == ["closed", "closed"]
    repository.git("fetch", "--quiet", "origin")
    repository.git("merge", "--quiet", "--squash", "origin/reconciler/adopt")
    repository.git("commit", "--quiet", "--message", "adopted")
    assert github.workflow("intercom-adopt"), github.log
    assert "There is nothing new" in github.log
    assert len(pulls(github)) == 2
    assert github.workflow("intercom-plan", base="HEAD"), github.log
    assert served.writes() == []


def test_a_branch_that_does_not_merge_any_more_is_left_to_people(github: GitHub, pipeline: Pipeline) -> None:
    repository, served = pipeline
    assert github.workflow("intercom-adopt"), github.log
    repository.commit(m="tags:\n  - something else\n")
    served.seed({"tags": ["gold"]})
    assert not github.workflow("intercom-adopt")
    assert "reconciler/adopt does not merge with the main branch" in github.log


@only_in_soak
def test_a_deprecated_tag_that_is_due_gets_its_tombstone_in_one_change_request(github: GitHub, pipeline: Pipeline) -> None:
    repository, served = pipeline
    served.seed({"contacts": [{"external_id": "26", "tags": [{"tag": "old", "applied_at": 1_500_000_000}]}]})
    served.writes()
    deprecated = "workspace: {app_id: sandbox1}\ntags: [vip, {name: old, state: deprecated, retire_after: {no_new_use_for: 90d}}]\n"
    repository.commit(m=deprecated.replace("90d", "9999d"))
    assert github.workflow("intercom-retire"), github.log
    assert pulls(github) == []
    repository.commit(m=deprecated)
    for _ in range(2):
        assert github.workflow("intercom-retire"), github.log
        assert pulls(github) == [(11, "reconciler/retire", "open")]
    assert "{name: old, state: absent" in of_branch(repository, "reconciler/retire", "intercom/all.yaml")
    assert served.writes() == []


@only_in_soak
def test_a_button_accepts_what_is_live(github: GitHub, pipeline: Pipeline) -> None:
    repository, served = pipeline
    github.said["secrets.INTERCOM_REQUEST_TOKEN"] = "request-token"
    repository.commit(m=NAMED)
    repository.applied()
    assert github.workflow("intercom-accept"), github.log
    assert pulls(github) == []
    renamed(served)
    assert github.workflow("intercom-accept"), github.log
    assert [(one["head"], one["by"]) for one in stored(github, "pulls")] == [("reconciler/accept", "request-token")]
    assert "name: Somebody else" in of_branch(repository, "reconciler/accept", "intercom/all.yaml")
    # Nobody's name is in what others see of it.
    assert "Somebody else" not in github.log + github.summary + stored(github, "pulls")[0]["body"]
    assert served.writes() == []


@only_in_soak
def test_a_button_puts_drift_right_once_somebody_lets_it_through(github: GitHub, pipeline: Pipeline) -> None:
    repository, served = pipeline
    repository.commit(m=NAMED)
    repository.applied()
    assert github.workflow("intercom-fix"), github.log
    assert github.awaited == []
    renamed(served)
    repository.commit(m=NAMED + "companies: [{company_id: '6', name: Blue Sun}]\n")
    assert github.workflow("intercom-fix"), github.log
    assert github.awaited == ["intercom"]
    assert "contact/25" in github.summary
    # What was merged and not applied yet waits for its own apply.
    assert [write.split("/")[0] for write in served.writes()] == ["PUT "]


OWNED = "* @serenity/crew\n/intercom/ @zoe @serenity/crew @inara\n"
DELETES = "policy: {limits: {deletes: 1}}\ntags: [{name: vip, state: absent}, {name: old, state: absent}]\n"


def asking(github: GitHub, repository: Repository) -> str:
    """A pull request whose plan is refused; the main branch says who owns what. The approval that it asks for."""
    repository.write("CODEOWNERS", OWNED)
    repository.commit()
    repository.git("push", "--quiet", "origin", "main")
    opened(repository, DELETES)
    assert not github.workflow("intercom-plan")
    (plan,) = (github.state / f"artifacts/{github.run}").glob("plan-*/*.json")
    repository.git("switch", "--quiet", "main")
    return str(json.loads(plan.read_text(encoding="utf-8"))["refused"][0]["approve"])


def comments(github: GitHub, text: str, who: str = "zoe") -> str:
    """Somebody comments; the answer."""
    github.said |= {"github.event.comment.body": text, "github.event.comment.user.login": who}
    assert github.workflow("intercom-approve"), github.log
    return str(stored(github, "comments")[-1]["body"])


@only_in_soak
def test_a_comment_of_a_code_owner_approves_the_plan_that_it_names_and_no_other(github: GitHub, pipeline: Pipeline) -> None:
    repository, served = pipeline
    word = asking(github, repository)
    planned = github.run
    assert "planned again" in comments(github, f"/approve {word}\r\n")
    assert stored(github, "reruns") == [{"id": planned}]
    repository.git("switch", "--quiet", "--detach", "change")
    repository.git("merge", "--quiet", "--no-edit", "main")
    opened(repository, DELETES)
    assert github.workflow("intercom-plan"), github.log
    merged(repository)
    assert github.workflow("intercom-apply"), github.log
    assert served.tags() == []


REFUSED = (
    ("another form", "/approve everything; touch pasted", "zoe", "and nothing else"),
    ("more than it", "/approve 0123456789ab:1\n$(touch pasted)", "zoe", "and nothing else"),
    ("another hash", "/approve 0123456789ab:1", "zoe", "It asks for `/approve "),
    ("who may not write", "/approve WORD", "inara", "may not write"),
    ("who owns nothing", "/approve WORD", "wash", "does not own all files"),
    ("a team that cannot be read", "/approve WORD", "mal", "INTERCOM_TEAMS_TOKEN"),
    ("no name of a person", "/approve WORD", "x/../../y", "Only a person"),
)


@only_in_soak
def test_a_comment_that_does_not_count_is_answered(github: GitHub, pipeline: Pipeline) -> None:
    repository, _ = pipeline
    word = asking(github, repository)
    for _, text, who, said in REFUSED:
        assert said in comments(github, text.replace("WORD", word), who)
        assert not (github.tree.path / "pasted").exists()
    for moved, said in (
        ({"state": "closed"}, "is closed"),
        ({"head": {"sha": "a" * 40, "repo": {"full_name": "mal/crew"}}}, "lies in a fork"),
    ):
        (github.state / "pull.json").write_text(json.dumps([moved]), encoding="utf-8")
        assert said in comments(github, f"/approve {word}")
    (github.state / "pull.json").unlink()
    assert stored(github, "reruns") == []
    github.said["secrets.INTERCOM_TEAMS_TOKEN"] = "teams-token"
    assert "planned again" in comments(github, f"/approve {word}", "mal")
    # Only a run on the main branch can have kept an approval.
    assert len(stored(github, "reruns")) == 1
    kept = next(github.state.glob("artifacts/*/approval-*"))
    shutil.move(kept, github.state / "artifacts/1" / kept.name)
    opened(repository, DELETES)
    assert not github.workflow("intercom-plan")


@only_in_soak
def test_two_environments_are_one_comment_and_test_goes_before_prod(github: GitHub, pipeline: Pipeline) -> None:
    repository, served = pipeline
    repository.write("intercom/all.test.yaml", "tags: [try]\n")
    repository.write("intercom/all.prod.yaml", "tags: [gold, silver]\n")
    repository.commit()
    opened(repository, NEXT)
    assert github.workflow("intercom-stages"), github.log
    [comment] = stored(github, "comments")
    assert comment["body"].startswith(f"{MARKER}\n| | test | prod |\n| --- | --- | --- |\n")
    assert "\n| create | 1 | 2 |\n" in comment["body"]
    assert "<details><summary>prod</summary>" in comment["body"]
    assert comment["body"].count(MARKER) == 1
    merged(repository)
    github.said["github.event_name"] = "push"
    assert github.workflow("intercom-stages"), github.log
    assert github.awaited == ["intercom-test", "intercom"]
    assert served.tags() == ["gold", "silver", "try", "vip"]


@only_in_soak
def test_prod_stays_as_it_is_where_test_does_not_stay_as_it_was_applied(github: GitHub, pipeline: Pipeline) -> None:
    repository, served = pipeline
    repository.write("intercom/all.test.yaml", "tags: [try]\n")
    repository.write("intercom/all.prod.yaml", "tags: [gold]\n")
    repository.commit(m=NAMED)
    repository.applied()
    opened(repository, "tags: [vip\n")
    assert not github.workflow("intercom-stages")
    assert "| calls | no plan | no plan |" in stored(github, "comments")[0]["body"]
    opened(repository, NAMED + "companies: []\n")
    assert github.workflow("intercom-stages"), github.log
    merged(repository)
    # The plan of test is about a tag alone, and is applied; then the contact is not as it was.
    renamed(served)
    github.said["github.event_name"] = "push"
    assert not github.workflow("intercom-stages")
    assert github.awaited == ["intercom-test"]
    assert served.tags() == ["old", "try", "vip"]


def filled(what: str, tag: str, other: str = "", people: str = "") -> str:
    """An issue as GitHub makes it of the form."""
    empty = "_No response_"
    people = f"```csv\n{people}\n```" if people else empty
    return f"### What is to be done\n\n{what}\n\n### Tag\n\n{tag}\n\n### The other name\n\n{other or empty}\n\n### People\n\n{people}\n"


def asks(github: GitHub, body: str) -> bool:
    """Whether an issue with this body becomes a change request."""
    github.said |= {"github.event.issue.number": "12", "issue.body": body.replace("\n", "\r\n")}
    return github.workflow("intercom-form")


@only_in_soak
def test_a_form_becomes_one_change_request(github: GitHub, pipeline: Pipeline) -> None:
    repository, served = pipeline
    branch, file = "reconciler/form-12", "intercom/all.yaml"
    assert asks(github, filled("New tag", "Gold; touch pasted")), github.log
    assert pulls(github) == [(11, branch, "open")]
    assert "Closes #12" in stored(github, "pulls")[0]["body"]
    assert "Gold; touch pasted" in of_branch(repository, branch, file)
    assert not (github.tree.path / "pasted").exists()
    close(github)
    assert asks(github, filled("Rename a tag", "vip", "very important")), github.log
    assert "renamed_from: vip" in of_branch(repository, branch, file)
    close(github)
    repository.commit(m=FIRST.replace("[vip]", "[vip, gold]"))
    assert asks(github, filled("Merge a tag into another", "gold", "vip")), github.log
    assert "merged_from: [gold]" in of_branch(repository, branch, file)
    close(github)
    people = "email, name\nkaylee@serenity.example, Kaylee Frye\ninara@serenity.example, Inara\n"
    assert asks(github, filled("Add people to a tag", "vip", people=people)), github.log
    assert of_branch(repository, branch, "intercom/form-12.csv") == "email\nkaylee@serenity.example\ninara@serenity.example"
    assert [pull["head"] for pull in stored(github, "pulls")] == [branch] * 4
    assert "serenity.example" not in github.log + github.summary + json.dumps(stored(github, "pulls"))
    assert served.writes() == []


def test_a_form_that_cannot_be_done_is_answered(github: GitHub, pipeline: Pipeline) -> None:
    for body, said in (
        (filled("New tag", "two\nlines"), "is no name"),
        (filled("New tag", "a ${RECONCILER_VAR_PLAN}"), "is no name"),
        (filled("Rename a tag", "nobody knows it", "x"), "This was not done"),
        (filled("Add people to a tag", "vip", people="kaylee@serenity.example"), "says what the first column is"),
        ("what I want", "no answer that is known"),
    ):
        assert not asks(github, body)
        assert said in stored(github, "answers")[-1]["body"]
    assert "kaylee" not in github.log + json.dumps(stored(github, "answers"))
    assert pulls(github) == []


def test_a_plan_of_thousands_of_changes_arrives_everywhere(github: GitHub, pipeline: Pipeline) -> None:
    """Emoji weigh four bytes a character, so both ways to count are near their ends. Three thousand are more than fit."""
    repository, served = pipeline
    number = 20_000 if SOAKS else 3_000
    names = "".join(f"  - 🌱🌱🌱🌱{n:05} feature\n" for n in range(number))
    opened(repository, f"policy: {{limits: {{creates: {number}}}}}\ntags:\n  - vip\n" + names)
    assert not github.workflow("intercom-plan")
    [comment] = stored(github, "comments")
    for text in (comment["body"], github.summary):
        assert f"{number:,}" in text
        assert "limits.creates" in text
        assert "lines are left out" in text
    (kept,) = github.state.glob("artifacts/1/plan-*/plan-*.json")
    assert len(json.loads(kept.read_text(encoding="utf-8"))["changes"]) == number
    assert served.writes() == []
