"""The plain pipeline from start to end: a plan on a branch, the merge, the apply of that plan, and a night that finds an edit."""

from __future__ import annotations

import json

import pytest

from tests.ci.conftest import NEXT, Repository, Served

Pipeline = tuple[Repository, Served]


def branch(repository: Repository, **files: str) -> None:
    repository.git("switch", "--quiet", "--create", "change")
    repository.commit(**files)


def merge(repository: Repository, how: str = "merge") -> None:
    repository.git("switch", "--quiet", "main")
    if how == "squash":
        repository.git("merge", "--quiet", "--squash", "change")
        repository.git("commit", "--quiet", "--message", "squashed")
    elif how == "rebase":
        repository.git("merge", "--quiet", "--ff-only", "change")
    else:
        repository.git("merge", "--quiet", "--no-ff", "--message", "merged", "change")


def kinds_of(writes: list[str]) -> list[str]:
    return sorted(write.split("/")[0] + "/" + write.split("/")[1] for write in writes)


@pytest.mark.parametrize("how", ["merge", "squash"])
def test_from_the_branch_to_the_night(how: str, pipeline: Pipeline) -> None:
    repository, served = pipeline
    branch(repository, m=NEXT)
    planned = repository.run("plan")
    assert planned.returncode == 0, planned.stderr
    assert served.writes() == []
    name = repository.run("name").stdout.strip()
    assert json.loads(repository.read(f"out/{name}"))["applicable"] is True
    report = repository.read("out/plan.md")
    assert report.startswith("<!-- reconciler:plan -->\n")
    assert "explained" in report
    assert "<html" in repository.read("out/plan.html")
    assert "tag/old" in repository.read("out/plan.txt")

    # Something that is not the manifest moves on the main branch meanwhile: the plan is still the one.
    merge(repository, how)
    repository.write("README.md", "hello\n")
    repository.commit()
    applied = repository.run("apply", BEFORE="origin/main")
    assert applied.returncode == 0, applied.stderr
    assert "3 applied" in applied.stdout
    assert kinds_of(served.writes()) == ["DELETE /tags", "POST /contacts", "PUT /contacts"]
    assert [json.loads(line)["type"] for line in repository.read("out/events.ndjson").splitlines()][0] == "start"

    # The job is run again: nothing is left to do.
    assert repository.run("apply", BEFORE="origin/main").returncode == 0
    assert served.writes() == []

    assert repository.run("nightly").returncode == 0
    served.seed({"contacts": [{"external_id": "25", "name": "Somebody else"}]})
    night = repository.run("nightly")
    assert night.returncode == 2
    assert "contact/25" in repository.read("out/nightly.md")
    assert served.writes() == []


def test_a_merge_whose_manifest_nobody_planned_applies_nothing(pipeline: Pipeline) -> None:
    repository, served = pipeline
    branch(repository, m=NEXT)
    assert repository.run("plan").returncode == 0
    merge(repository)
    repository.commit(m=NEXT + "companies: []\n")
    applied = repository.run("apply")
    assert applied.returncode == 4
    assert "no plan was made for this manifest" in applied.stderr
    assert served.writes() == []


def test_a_workspace_that_moved_before_the_apply_gets_nothing(pipeline: Pipeline) -> None:
    repository, served = pipeline
    branch(repository, m=NEXT)
    assert repository.run("plan").returncode == 0
    merge(repository)
    served.seed({"contacts": [{"external_id": "25", "name": "Somebody else"}]})
    applied = repository.run("apply")
    assert applied.returncode == 4
    assert "Nothing was written" in applied.stderr
    assert served.writes() == []


LOOSER = "policy: {limits: {deletes: 9}}\n"
TWO = "tags: [{name: vip, state: absent}, {name: old, state: absent}]\n"


def test_a_change_that_raises_the_limits_and_deletes_in_one_go_is_refused(pipeline: Pipeline) -> None:
    """In its own manifest as in the policy file: both count as the main branch has them, before the merge and after it."""
    repository, served = pipeline
    for number, files in enumerate(({"m": LOOSER + TWO}, {"m": TWO, "policy": LOOSER})):
        repository.git("switch", "--quiet", "--force-create", "change", "main")
        repository.commit(**files)
        planned = repository.run("plan")
        assert planned.returncode == 3, planned.stderr
        assert "Refused" in repository.read("out/plan.md")
        merge(repository)
        applied = repository.run("apply", BEFORE="origin/main")
        assert applied.returncode == 3, (number, applied.stderr)
        assert served.writes() == []
        repository.git("reset", "--quiet", "--hard", "origin/main")


def test_an_approval_counts_once_it_stands_in_the_policy_of_the_main_branch(pipeline: Pipeline) -> None:
    repository, served = pipeline
    branch(repository, m=TWO)
    assert repository.run("plan").returncode == 3
    name = repository.run("name").stdout.strip()
    word, people = json.loads(repository.read(f"out/{name}"))["refused"][0]["approve"].split(":")
    approval = f'{{hash: "{word}", people: {people}, reason: It ended, by: Inara Serra, expires: 2100-01-01}}'

    # In the change request itself it does not count, whichever file it stands in.
    repository.commit(policy=f"policy: {{limits: {{deletes: 1}}}}\napprovals:\n  - {approval}\n")
    assert repository.run("plan").returncode == 3
    repository.git("switch", "--quiet", "main")
    repository.commit(policy=f"policy: {{limits: {{deletes: 1}}}}\napprovals:\n  - {approval}\n")
    repository.git("push", "--quiet", "origin", "main")
    repository.git("switch", "--quiet", "change")
    repository.git("rebase", "--quiet", "main")
    assert repository.run("plan").returncode == 0
    merge(repository, "rebase")
    assert repository.run("apply", BEFORE="origin/main").returncode == 0
    assert served.tags() == []


@pytest.mark.parametrize(("text", "code", "said"), [(NEXT, 0, "no access token here"), ("tags:\n", 65, "The manifest is not valid")])
def test_a_fork_without_a_token_is_checked_and_told_so(text: str, code: int, said: str, pipeline: Pipeline) -> None:
    repository, served = pipeline
    branch(repository, m=text)
    done = repository.run("plan", INTERCOM_ACCESS_TOKEN="")
    assert done.returncode == code
    assert said in done.stderr
    assert said in repository.read("out/plan.md")
    assert repository.read("out/plan.md").startswith("<!-- reconciler:plan -->\n")
    assert served.control("GET", "/_sandbox/requests")["requests"] == []


def test_a_plan_that_fails_leaves_no_report_of_another_commit(pipeline: Pipeline) -> None:
    repository, _ = pipeline
    branch(repository, m=NEXT)
    assert repository.run("plan").returncode == 0
    repository.commit(m="tags: [vip\n")
    assert repository.run("plan").returncode == 65
    assert "tag/old" not in repository.read("out/plan.md")
    assert "exit code 65" in repository.read("out/plan.md")
    assert repository.run("plan", INTERCOM_ACCESS_TOKEN="wrong").returncode in (1, 65)


def test_a_base_that_was_not_fetched_is_never_taken_for_one_without_a_policy(pipeline: Pipeline) -> None:
    repository, served = pipeline
    branch(repository, m=TWO)
    done = repository.run("plan", BASE="origin/nowhere")
    assert done.returncode == 1
    assert "fetch it first" in done.stderr
    assert served.writes() == []


def test_annotations_stand_at_the_lines_that_a_refused_plan_is_about(pipeline: Pipeline) -> None:
    repository, _ = pipeline
    branch(repository, m=TWO)
    done = repository.run("plan", GITHUB_ACTIONS="true")
    assert done.returncode == 3
    assert "\n::error file=intercom/all.yaml,line=1::" in "\n" + done.stderr


def test_wrong_use_is_sixty_four(pipeline: Pipeline) -> None:
    repository, _ = pipeline
    assert repository.run("destroy").returncode == 64
    assert repository.run().returncode == 64
