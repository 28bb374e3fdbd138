"""A stand-in for GitHub's `gh`, with GitHub's caps: bodies of 65,536 characters; and the system's, scaled down, for arguments.

State lies in the folder $GH_STATE: comments.json, issues.json, pulls.json, reviewers.json (of the environment), artifacts/RUN/NAME/.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

STATE = Path(os.environ["GH_STATE"])
MOST = 65_536
BOT = {"type": "Bot"}


def main(arguments: list[str]) -> None:
    for value in (*arguments, *os.environ.values()):
        if len(value.encode("utf-8", "surrogateescape")) > 4096:
            fail("an argument or a variable is so large that a system may refuse it")
    if os.environ.get("GH_TOKEN") not in ("github-token", "request-token", "teams-token"):
        fail("no GH_TOKEN")
    command = " ".join(arguments[:2]) if arguments[0] != "api" else "api"
    COMMANDS[command](arguments)


def fail(text: str) -> None:
    sys.exit(f"gh: {text}")


def option(arguments: list[str], name: str) -> str | None:
    return arguments[arguments.index(name) + 1] if name in arguments else None


def stored(name: str) -> list[dict[str, Any]]:
    path = STATE / f"{name}.json"
    document: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return document


def store(name: str, items: list[dict[str, Any]]) -> None:
    (STATE / f"{name}.json").write_text(json.dumps(items), encoding="utf-8")


def body(path: str | None) -> str:
    text = Path(path or "").read_text(encoding="utf-8")
    if len(text) > MOST:
        fail(f"HTTP 422: Body is too long (maximum is {MOST} characters)")
    return text


def jq(items: Any, arguments: list[str]) -> None:
    program = option(arguments, "--jq")
    assert program
    done = subprocess.run(["jq", "--raw-output", program], input=json.dumps(items), text=True, capture_output=True, timeout=60)
    if done.returncode:
        fail(done.stderr)
    sys.stdout.write(done.stdout)


def api(arguments: list[str]) -> None:
    path = next(one for one in arguments if one.startswith(("repos/", "orgs/"))).removeprefix("repos/serenity/crew/")
    if path.startswith("issues/7/comments?"):
        jq(stored("comments"), arguments)
    elif path.startswith("issues/comments/") and option(arguments, "--method") == "PATCH":
        name, _, file = (option(arguments, "--field") or "").partition("=@")
        assert name == "body"
        number = int(path.rpartition("/")[2])
        store("comments", [{**one, "body": body(file)} if one["id"] == number else one for one in stored("comments")])
    elif found := next((found for pattern, found in ANSWERS.items() if re.fullmatch(pattern, path)), None):
        jq(found(path), arguments)
    elif path == "environments/intercom":
        jq({"protection_rules": stored("reviewers")}, arguments)
    elif re.fullmatch(r"commits/[0-9a-f]{40}/pulls", path):
        jq([{"number": 7}], arguments)
    elif path.startswith("actions/artifacts?name="):
        jq({"artifacts": artifacts(path.partition("name=")[2].partition("&")[0])}, arguments)
    else:
        fail(f"HTTP 404: {path}")


def right(path: str) -> dict[str, str]:
    """People on staff may write; others may read, and have no account that may."""
    return {"permission": "write" if path.split("/")[1] in STAFF else "read"}


def pull(path: str) -> dict[str, Any]:
    return {
        "state": "open",
        "head": {"sha": HEAD, "repo": {"full_name": "serenity/crew"}},
        **{k: v for one in stored("pull") for k, v in one.items()},
    }


def runs(path: str) -> dict[str, Any]:
    assert f"head_sha={HEAD}&event=pull_request" in path
    return {"workflow_runs": [one for one in reversed(stored("runs")) if one["workflow"] == "intercom-plan"]}


def kept(path: str) -> dict[str, Any]:
    return {"artifacts": [{"name": folder.name} for folder in sorted((STATE / "artifacts" / path.split("/")[2]).iterdir())]}


def member(path: str) -> dict[str, str]:
    if os.environ.get("GH_TOKEN") != "teams-token":
        fail("HTTP 404: Not Found")
    return {"state": "active" if path.endswith(("/zoe", "/mal")) else "pending"}


STAFF = ("zoe", "mal", "wash")
HEAD = "a" * 40
ANSWERS = {
    r"collaborators/[^/]+/permission": right,
    r"pulls/7": pull,
    r"actions/workflows/intercom-plan\.yml/runs\?.*": runs,
    r"actions/runs/\d+/artifacts": kept,
    r"orgs/serenity/teams/crew/memberships/\w+": member,
}


def branch_of(run: int) -> str:
    return next(("change" for one in stored("runs") if one["id"] == run and one["workflow"] == "intercom-plan"), "main")


def again(arguments: list[str]) -> None:
    store("reruns", [*stored("reruns"), {"id": int(arguments[2])}])


def artifacts(name: str) -> list[dict[str, Any]]:
    """The newest first; runs above 900 are those of forks."""
    runs = sorted((int(run.name) for run in STATE.glob("artifacts/*") if (run / name).is_dir()), reverse=True)
    return [
        {
            "expired": False,
            "workflow_run": {"id": n, "repository_id": 1, "head_repository_id": 2 if n > 900 else 1, "head_branch": branch_of(n)},
        }
        for n in runs
    ]


def comment(arguments: list[str]) -> None:
    assert arguments[2] == "7"
    comments = stored("comments")
    store("comments", [*comments, {"id": len(comments) + 1, "user": BOT, "body": body(option(arguments, "--body-file"))}])


def download(arguments: list[str]) -> None:
    folder, name = Path(option(arguments, "--dir") or ""), option(arguments, "--name") or ""
    shutil.copytree(STATE / "artifacts" / arguments[2] / name, folder, dirs_exist_ok=True)


def pulls(arguments: list[str]) -> None:
    head = option(arguments, "--head")
    jq([{"number": one["number"]} for one in stored("pulls") if one["state"] == "open" and one["head"] == head], arguments)


def open_pull(arguments: list[str]) -> None:
    head = option(arguments, "--head")
    pulls = stored("pulls")
    assert not any(one["state"] == "open" and one["head"] == head for one in pulls), "gh refuses a second one for a branch"
    new = {"number": len(pulls) + 11, "state": "open", "head": head, "title": option(arguments, "--title")}
    store("pulls", [*pulls, new | {"body": body(option(arguments, "--body-file")), "by": os.environ["GH_TOKEN"]}])


def change_pull(arguments: list[str]) -> None:
    number = int(arguments[2])
    text = body(option(arguments, "--body-file"))
    store("pulls", [{**one, "body": text} if one["number"] == number else one for one in stored("pulls")])


def label(arguments: list[str]) -> None:
    store("labels", [{"name": arguments[2]}])


def issues(arguments: list[str]) -> None:
    jq([{"number": one["number"]} for one in stored("issues") if one["state"] == "open"], arguments)


def open_issue(arguments: list[str]) -> None:
    issues = stored("issues")
    assert {"name": option(arguments, "--label")} in stored("labels")
    new = {"number": len(issues) + 1, "state": "open", "body": body(option(arguments, "--body-file")), "comments": []}
    store("issues", [*issues, new])


def change_issue(arguments: list[str]) -> None:
    number = int(arguments[2])
    more = {"state": "closed"} if arguments[1] == "close" else {"body": body(option(arguments, "--body-file"))}
    store("issues", [{**one, **more} if one["number"] == number else one for one in stored("issues")])


def answer(arguments: list[str]) -> None:
    store("answers", [*stored("answers"), {"issue": int(arguments[2]), "body": body(option(arguments, "--body-file"))}])


COMMANDS = {
    "api": api,
    "pr comment": comment,
    "pr list": pulls,
    "pr create": open_pull,
    "pr edit": change_pull,
    "run download": download,
    "run rerun": again,
    "label create": label,
    "issue list": issues,
    "issue create": open_issue,
    "issue comment": answer,
    "issue edit": change_issue,
    "issue close": change_issue,
}

if __name__ == "__main__":
    main(sys.argv[1:])
