"""The plain pipeline from start to end: a plan on a branch, the merge, the apply of that plan, the nights, and the ledger."""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from reconciler.ledger.homes.git import GitHome
from reconciler.ledger.homes.home import Waiting
from tests.ci.conftest import FIRST, NEXT, Repository, Served
from tests.unit.report.test_markdown import assert_inert

Pipeline = tuple[Repository, Served]
pytestmark = pytest.mark.timeout(400)


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

    # The ledger is on the remote, and nothing of it where people work.
    assert repository.refs() == ["refs/reconciler/images", "refs/reconciler/ledger"]
    assert repository.git("status", "--porcelain") == ""
    assert repository.git("branch", "--format=%(refname:short)").split() == ["change", "main"]


def test_an_environment_has_a_plan_of_its_own(pipeline: Pipeline) -> None:
    repository, served = pipeline
    repository.write("intercom/all.prod.yaml", "tags: [gold]\n")
    branch(repository)
    assert repository.run("plan", ENVIRONMENT="prod").returncode == 0
    (name,) = (path.name for path in (repository.path / "out").glob("*.json"))
    assert name.startswith("plan-prod-")
    assert "tag/gold" in repository.read("out/plan.txt")
    merge(repository)
    applied = repository.run("apply", BEFORE="origin/main", ENVIRONMENT="prod")
    assert applied.returncode == 0, applied.stderr
    assert "POST /tags" in served.writes()


def test_a_night_tells_what_moved_from_what_was_not_applied_yet(pipeline: Pipeline) -> None:
    repository, served = pipeline
    repository.applied()
    repository.commit(m=FIRST.replace("[vip]", "[vip, trial]"))
    assert repository.run("nightly").returncode == 0
    assert "No drift. 1 change not applied yet." in repository.read("out/nightly.md")

    vip = next(tag["id"] for tag in served.control("GET", "/tags")["data"] if tag["name"] == "vip")
    served.control("DELETE", f"/tags/{vip}")
    assert served.writes() == [f"DELETE /tags/{vip}"]
    night = repository.run("nightly")
    assert night.returncode == 2
    report = repository.read("out/nightly.md")
    assert "tag/vip" in report
    assert "Drift: 1 difference. 1 change not applied yet." in report
    assert served.writes() == []


def test_a_night_in_another_workspace_says_nothing_of_drift(pipeline: Pipeline) -> None:
    repository, _ = pipeline
    repository.commit(m=FIRST.replace("sandbox1", "another1"))
    night = repository.run("nightly")
    assert night.returncode == 3
    assert "Nothing can be said" in night.stderr
    assert "another1" in repository.read("out/nightly.md")


def test_of_two_applies_at_once_one_waits_or_says_for_whom(pipeline: Pipeline) -> None:
    repository, served = pipeline
    branch(repository, m=NEXT)
    assert repository.run("plan").returncode == 0
    around = repository.env | {"GIT_DIR": str(repository.path / ".git")}
    lock = GitHome("origin", around).lock("sandbox1", "Zoe", Waiting(0, time.sleep, time.monotonic, time.time))
    applied = repository.run("apply", WAIT="0")
    assert applied.returncode == 6
    assert "Zoe" in applied.stderr
    assert "Nothing was written" in applied.stderr
    assert served.writes() == []
    lock.release()

    other = repository.checkout(repository.remote.as_uri())
    shutil.copytree(repository.path / "out", other.path / "out")
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda one: one.run("apply"), (repository, other)))
    assert [one.returncode for one in both] == [0, 0], [one.stderr for one in both]
    assert sorted("3 applied" in one.stdout for one in both) == [False, True]
    assert len(served.writes()) == 3


def test_a_memory_that_would_be_lost_has_to_be_asked_for(pipeline: Pipeline) -> None:
    repository, served = pipeline
    branch(repository, m=NEXT)
    assert repository.run("plan").returncode == 0
    for around, said in (
        ({"RECONCILER_LEDGER_KEY": ""}, "make a key with: openssl rand -hex 32"),
        ({"RECONCILER_LEDGER": ""}, "ledger.db is not there"),
    ):
        applied = repository.run("apply", **around)
        assert applied.returncode == 3
        assert said in applied.stderr
        assert served.writes() == []
    applied = repository.run("apply", RECONCILER_LEDGER="none")
    assert applied.returncode == 0
    assert "nothing is owned" in applied.stderr
    assert len(served.writes()) == 3
    assert repository.refs() == []


def test_a_plan_without_the_key_takes_the_ledger_for_lost_and_goes_on(pipeline: Pipeline) -> None:
    repository, _ = pipeline
    repository.applied()
    planned = repository.run("plan", RECONCILER_LEDGER_KEY="", BASE="HEAD")
    assert planned.returncode == 0, planned.stderr
    assert "it counts as lost" in planned.stderr


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
    # It was planned again, which says what nobody reviewed.
    assert "`contact/25`: update name is no longer what it was when this was planned" in repository.read("out/again.md")


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
    assert ("intercom/all.yaml:1:" in repository.read("out/plan.md")) is (code != 0)
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


HOSTILE = """tags: ["</pre><!-- reconciler:plan --> ", "@crew #12 [x](https://evil.example) `a` |! ", "::error::x "]\n"""


def test_a_red_change_request_shows_the_errors_themselves(pipeline: Pipeline) -> None:
    repository, _ = pipeline
    branch(repository, m=HOSTILE + "companies:\n" + "".join(f"  - {{company_id: c{n}, colour{n}: red}}\n" for n in range(500)))
    done = repository.run("plan", GITHUB_ACTIONS="true")
    report = repository.read("out/plan.md")
    assert (done.returncode, "exit code 65" in report, "intercom/all.yaml:1:" in report) == (65, True, True), report
    # In the log they stand as they are, beside the annotations for the runner.
    assert ("\n::error file=" in done.stderr, "\n::error file=" in report) == (True, False)
    assert len(report.encode()) < 30_000
    assert_inert(report)
    repository.commit(m=NEXT)
    assert repository.run("plan", INTERCOM_ACCESS_TOKEN="wrong").returncode == 1
    assert "INTERCOM_ACCESS_TOKEN" in repository.read("out/plan.md")
    assert "crew" not in repository.read("out/plan.md")


def test_a_base_that_was_not_fetched_is_never_taken_for_one_without_a_policy(pipeline: Pipeline) -> None:
    repository, served = pipeline
    branch(repository, m=TWO)
    done = repository.run("plan", BASE="origin/nowhere")
    assert done.returncode == 1
    assert "fetch it first" in done.stderr
    assert "fetch it first" in repository.read("out/plan.md")
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
