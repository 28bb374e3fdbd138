"""The pipeline for GitLab does what it says: its scripts are run as written, with curl, against a stand-in for the API."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ci.conftest import KEY, NEXT, Repository, Served
from tests.ci.gitlab import GitLab, gitlab
from tests.ci.hub import hub
from tests.desk.soak import only_in_soak

Pipeline = tuple[Repository, Served]
READ = {"INTERCOM_READ_TOKEN": "sandbox", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "RECONCILER_LEDGER_KEY": KEY}
WRITE = {"INTERCOM_ACCESS_TOKEN": "sandbox", "RECONCILER_LEDGER_KEY": KEY, "LEDGER_TOKEN": "ledger"}

pytestmark = [pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl here"), pytest.mark.timeout(400)]


@pytest.fixture
def lab(pipeline: Pipeline, tmp_path: Path) -> Iterator[GitLab]:
    with hub(tmp_path) as repositories, gitlab(pipeline[0], repositories) as running:
        yield running


def branch(repository: Repository, text: str) -> None:
    repository.git("switch", "--quiet", "--force-create", "change", "main")
    repository.commit(m=text)


def test_one_note_follows_the_merge_request_and_its_plan_is_applied(lab: GitLab, pipeline: Pipeline) -> None:
    repository, served = pipeline
    before = repository.git("rev-parse", "HEAD")
    lab.notes.append({"id": 1, "state": "opened", "body": "a word before"})
    for text in ("tags: [vip, trial]\n", NEXT):
        branch(repository, text)
        assert lab.job("plan", **READ) == 0, lab.log
    [_, note] = lab.notes
    assert note["body"].startswith("<!-- reconciler:plan -->\n")
    assert "tag/old" in note["body"]
    assert "trial" not in note["body"]
    repository.git("switch", "--quiet", "main")
    repository.git("merge", "--quiet", "--ff-only", "change")
    assert lab.job("apply", CI_COMMIT_BEFORE_SHA=before, **WRITE) == 0, lab.log
    assert "3 applied" in lab.log
    assert len(served.writes()) == 3
    assert repository.refs() == ["refs/reconciler/images", "refs/reconciler/ledger"]
    assert lab.refused == []


def test_an_apply_writes_nothing_until_a_token_may_push_the_ledger(lab: GitLab, pipeline: Pipeline) -> None:
    repository, served = pipeline
    lab.helps = True
    before = repository.git("rev-parse", "HEAD")
    branch(repository, NEXT)
    assert lab.job("plan", **READ) == 0, lab.log
    assert lab.job("apply", CI_COMMIT_BEFORE_SHA=before, **WRITE | {"LEDGER_TOKEN": ""}) == 1
    assert "does not let this user push to refs/reconciler" in lab.log
    assert served.writes() == []
    assert lab.job("apply", CI_COMMIT_BEFORE_SHA=before, **WRITE) == 0, lab.log
    assert len(served.writes()) == 3
    # Where a job's own token may push, it is enough.
    lab.hub.rights["job"] = "write"
    assert lab.job("apply", CI_COMMIT_BEFORE_SHA=before, **WRITE | {"LEDGER_TOKEN": ""}) == 0, lab.log


def test_a_refused_plan_fails_the_job_after_its_note_and_is_not_applied(lab: GitLab, pipeline: Pipeline) -> None:
    repository, served = pipeline
    before = repository.git("rev-parse", "HEAD")
    branch(repository, "tags: [{name: vip, state: absent}, {name: old, state: absent}]\n")
    assert lab.job("plan", **READ) == 3
    assert "Refused" in lab.notes[0]["body"]
    repository.git("switch", "--quiet", "main")
    repository.git("merge", "--quiet", "--ff-only", "change")
    assert lab.job("apply", CI_COMMIT_BEFORE_SHA=before, **WRITE) == 3
    assert served.writes() == []


def test_without_a_plan_nothing_is_applied(lab: GitLab, pipeline: Pipeline) -> None:
    repository, served = pipeline
    before = repository.git("rev-parse", "HEAD")
    repository.commit(m=NEXT)
    assert lab.job("apply", CI_COMMIT_BEFORE_SHA=before, **WRITE) == 4
    assert served.writes() == []


def test_a_fork_without_tokens_gets_a_check_and_a_sentence(lab: GitLab, pipeline: Pipeline) -> None:
    branch(pipeline[0], NEXT)
    assert lab.job("plan", NOTES_TOKEN="", CI_MERGE_REQUEST_TARGET_BRANCH_NAME="main") == 0
    assert "no access token here" in lab.log
    assert lab.notes == []
    assert lab.packages == {}


def test_one_issue_is_opened_kept_up_to_date_and_closed(lab: GitLab, pipeline: Pipeline) -> None:
    repository, served = pipeline
    repository.commit(m="tags: [vip]\ncontacts: [{external_id: '25', name: Hoban Washburn}]\n")
    repository.applied()
    served.seed({"contacts": [{"external_id": "25", "name": "Somebody else"}]})
    for _ in range(2):
        assert lab.job("nightly", **READ) == 0, lab.log
    [issue] = lab.issues
    assert "contact/25" in issue["description"]
    served.seed({"contacts": [{"external_id": "25", "name": "Hoban Washburn"}]})
    assert lab.job("nightly", **READ) == 0, lab.log
    assert [one["state"] for one in lab.issues] == ["closed"]
    assert lab.job("nightly", **READ | {"INTERCOM_READ_TOKEN": "dG9rOnJldm9rZWQ="}) == 1
    assert len(lab.issues) == 1
    repository.commit(m="workspace: {app_id: another1}\ntags: [vip]\n")
    assert lab.job("nightly", **READ) == 0, lab.log
    assert "nothing can be said of this workspace" in lab.issues[-1]["description"]


def reviewed(repository: Repository, served: Served, lab: GitLab) -> dict[str, str]:
    """A plan that was reviewed and merged; somebody else renamed the contact since. What the apply is given."""
    before = repository.git("rev-parse", "HEAD")
    branch(repository, NEXT)
    assert lab.job("plan", **READ) == 0, lab.log
    repository.git("switch", "--quiet", "main")
    repository.git("merge", "--quiet", "--ff-only", "change")
    served.seed({"contacts": [{"external_id": "25", "name": "Somebody else"}]})
    return {"CI_COMMIT_BEFORE_SHA": before, **WRITE}


@only_in_soak
def test_what_nobody_reviewed_is_a_note_and_waits_for_a_click(lab: GitLab, pipeline: Pipeline) -> None:
    repository, served = pipeline
    given = reviewed(repository, served, lab)
    assert lab.job("apply", **given) == 7, lab.log
    assert "not in the plan that was reviewed" in lab.notes[-1]["body"]
    assert served.writes() == []
    assert lab.job("again", **given) == 0, lab.log
    assert len(served.writes()) == 3
    # Where nothing waits, the button does nothing.
    assert lab.job("again", **given) == 0, lab.log
    assert "There is nothing to do" in lab.log


@only_in_soak
def test_buttons_put_drift_right_or_accept_it(lab: GitLab, pipeline: Pipeline) -> None:
    repository, served = pipeline
    asked = READ | {"REQUEST_TOKEN": "request"}
    repository.commit(m="tags: [vip]\ncontacts: [{external_id: '25', name: Hoban Washburn}]\n")
    repository.applied()
    for times in (1, 1):
        assert lab.job("adopt", **asked) == 0, lab.log
        assert [(one["source_branch"], one["target_branch"]) for one in lab.requests] == [("reconciler/adopt", "main")] * times
    served.seed({"tags": ["gold"], "contacts": [{"external_id": "25", "name": "Somebody else"}]})
    assert lab.job("adopt", **asked) == 0, lab.log
    assert "gold" in repository.git("--git-dir", str(repository.remote), "show", "reconciler/adopt:intercom/all.yaml")
    assert lab.job("accept", **asked) == 0, lab.log
    assert [one["source_branch"] for one in lab.requests] == ["reconciler/adopt", "reconciler/accept"]
    assert "Somebody else" in repository.git("--git-dir", str(repository.remote), "show", "reconciler/accept:intercom/all.yaml")
    assert served.writes() == []
    assert lab.job("look", **READ) == 0, lab.log
    assert "contact/25" in lab.log
    assert lab.job("fix", **WRITE) == 0, lab.log
    assert [write.split("/")[0] for write in served.writes()] == ["PUT "]
    assert lab.job("look", **READ) == 0, lab.log
    assert lab.job("fix", **WRITE) == 0, lab.log
    assert served.writes() == []


def test_a_large_plan_is_kept_whole_and_its_note_is_cut(lab: GitLab, pipeline: Pipeline) -> None:
    branch(pipeline[0], "tags:\n  - vip\n" + "".join(f"  - 🌱{n:05} feature\n" for n in range(5_000)))
    assert lab.job("plan", **READ) == 3
    assert "lines are left out" in lab.notes[0]["body"]
    (kept,) = lab.packages.values()
    assert len(json.loads(kept)["changes"]) == 5_000
