"""The workflows for GitHub do what they say: their steps are run as written, against stand-ins that hold GitHub's caps."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ci.conftest import KEY, NEXT, Repository, Served
from tests.ci.hub import hub
from tests.ci.runner import GitHub

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
        "github.token": "github-token",
        "github.repository": "serenity/crew",
        "github.event.pull_request.number": "7",
        "github.event.before": repository.git("rev-parse", "HEAD"),
        SAME: "true",
    }
    with hub(tmp_path) as found:
        yield GitHub(state, found, repository, said)


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
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return found


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


def test_a_plan_of_twenty_thousand_changes_arrives_everywhere(github: GitHub, pipeline: Pipeline) -> None:
    """Emoji weigh four bytes a character, so both ways to count are near their ends."""
    repository, served = pipeline
    names = "".join(f"  - 🌱🌱🌱🌱{n:05} feature\n" for n in range(20_000))
    opened(repository, "policy: {limits: {creates: 20000}}\ntags:\n  - vip\n" + names)
    assert not github.workflow("intercom-plan")
    [comment] = stored(github, "comments")
    for text in (comment["body"], github.summary):
        assert "20,000" in text
        assert "limits.creates" in text
        assert "lines are left out" in text
    (kept,) = github.state.glob("artifacts/1/plan-*/plan-*.json")
    assert len(json.loads(kept.read_text(encoding="utf-8"))["changes"]) == 20_000
    assert served.writes() == []
