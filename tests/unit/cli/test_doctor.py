"""`doctor`: one line for each thing that a run rests on, and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyrage import x25519

from reconciler import __version__
from tests.desk.desk import Desk
from tests.desk.repositories import KEY

Identity = x25519.Identity
NO_TOKEN_SHOWN = "dG9rOnBvb3I="


def states(desk: Desk, *more: str) -> dict[str, tuple[str, str]]:
    """topic → state, message and what to do."""
    desk("doctor", "--format", "json", *more)
    return {f["topic"]: (f["state"], f"{f['message']}; {f['now']}") for f in json.loads(desk.out)["findings"]}


def test_all_is_well(desk: Desk) -> None:
    pinned = {"workspace": {"app_id": "sandbox1", "region": "us"}, "tags": ["vip"]}
    assert desk("doctor", "m.yaml", m=pinned) == 0, desk.out
    by_topic = {line.split()[1]: line.split()[0] for line in desk.out.splitlines()}
    assert by_topic == dict.fromkeys(("token", "owner", "pin", "reads", "clock", "ledger", "key", "undo"), "ok") | {
        "writes": "note",
        "facts": "note",
        "pipeline": "note",
    }
    assert desk.writes == []
    assert not (desk.folder / ".reconciler").exists()


def test_whose_token_it_is(desk: Desk) -> None:
    assert states(desk)["owner"][1].startswith("a person's: Ciaran1 Lee")
    desk.box.faults.add("GET", "/me", body=b'{"type":"bot","name":"Nightly","app":{"id_code":"sandbox1","region":"US"}}', status=200)
    assert states(desk)["owner"][1].startswith("an app's: Nightly; Intercom calls it bot")


def test_no_token_and_one_that_is_not_accepted(desk: Desk) -> None:
    desk.patch.setenv("INTERCOM_ACCESS_TOKEN", NO_TOKEN_SHOWN)
    assert desk("doctor") == 1
    assert "mend  token" in desk.out
    assert NO_TOKEN_SHOWN not in desk.out + desk.err
    desk.patch.delenv("INTERCOM_ACCESS_TOKEN")
    assert desk("doctor") == 1
    assert "no access token: set INTERCOM_ACCESS_TOKEN" in desk.out


@pytest.mark.parametrize("workspace", [{"tokens": {"poor": ["read_tags"], "thin": ["read_content", "read_conversations"]}}])
def test_what_the_token_may_not_read(desk: Desk) -> None:
    desk.patch.setenv("INTERCOM_ACCESS_TOKEN", "poor")
    assert desk("doctor") == 1
    assert states(desk)["reads"] == ("mend", "refused: read_tags; give the token's app these permissions in Intercom's Developer Hub")
    desk.patch.setenv("INTERCOM_ACCESS_TOKEN", "thin")
    assert desk("doctor") == 0, "a count that cannot be read stops nothing"
    assert states(desk)["reads"][1].startswith("refused: read_conversations, read_content; what is deleted cannot be counted there")


def test_a_plan_without_conversations_is_told_and_no_error(desk: Desk) -> None:
    desk.box.settings.change({"plan_restricted": True})
    assert states(desk)["reads"][1].startswith("refused: POST /conversations/search (api_plan_restricted)")


@pytest.mark.parametrize(("region", "app_id"), [("eu", "sandbox1"), ("us", "other1")])
def test_a_pin_of_another_workspace(desk: Desk, region: str, app_id: str) -> None:
    assert desk("doctor", m={"workspace": {"app_id": app_id, "region": region}, "tags": []}) == 1
    assert states(desk)["pin"][1].startswith(f"the token is for sandbox1 in us, the pin for {app_id} in {region}")


@pytest.mark.parametrize(("offset", "words"), [(-90, "s ahead of Intercom"), (90, "s behind Intercom")])
def test_a_clock_that_is_wrong(desk: Desk, offset: int, words: str) -> None:
    desk.box.settings.change({"clock_offset": offset})
    state, text = states(desk)["clock"]
    assert (state, words in text) == ("mend", True)


def test_the_ledger_of_a_pipeline(desk: Desk) -> None:
    desk.patch.setenv("CI", "true")
    assert states(desk)["ledger"][0] == "mend"
    assert states(desk, "--ledger", "none")["ledger"][0] == "note"


def test_a_ledger_in_git_that_nobody_lets_us_push_to(desk: Desk, tmp_path: Path) -> None:
    assert states(desk, "--ledger", "git")["ledger"] == (
        "mend",
        "the ledger refs/reconciler/ledger of origin cannot be used: there is no git repository here; "
        "run it inside a clone of the repository that holds the manifest; ",
    )
    desk.commit(m="tags: []\n")
    over_there = tmp_path / "there.git"
    desk.git("init", "--quiet", "--bare", str(over_there))
    desk.git("remote", "add", "origin", str(over_there))
    by_topic = states(desk, "--ledger", "git")
    assert by_topic["ledger"] == ("ok", "refs/reconciler/ledger of origin: none yet, the first apply makes it; ")
    assert by_topic["key"][0] == "mend"
    desk.patch.setenv("RECONCILER_LEDGER_KEY", KEY)
    assert states(desk, "--ledger", "git")["key"] == ("ok", "from RECONCILER_LEDGER_KEY; ")
    assert not list(over_there.rglob("ledger")), "nothing was pushed"
    over_there.rename(tmp_path / "moved.git")
    assert "the remote origin cannot be reached" in states(desk, "--ledger", "git")["ledger"][1]


def test_a_ledger_whose_key_is_gone(desk: Desk) -> None:
    desk.ledger().close()
    (desk.folder / ".reconciler/key").unlink()
    assert states(desk)["key"][1].startswith("missing: without it .reconciler/ledger.db counts as lost")


def test_pipelines_that_install_another_version(desk: Desk) -> None:
    desk.git("init", "--quiet")
    desk.write(".github/workflows/plan.yml", f"steps:\n  - uses: OWNER/reconciler@v{__version__}\n")
    assert states(desk)["pipeline"] == ("ok", f".github/workflows/plan.yml: {__version__}, as this one; ")
    desk.write(".gitlab-ci.yml", "RECONCILER: git+https://gitlab.com/OWNER/reconciler@v0.0.9 # where\n")
    desk.write(".pre-commit-config.yaml", "- repo: https://example.com/reconciler\n  rev: v0.0.8\n")
    assert desk("doctor") == 1
    assert f".gitlab-ci.yml installs 0.0.9, this is {__version__}" in desk.out
    assert f".pre-commit-config.yaml installs 0.0.8, this is {__version__}" in desk.out


def test_facts_that_do_not_count(desk: Desk) -> None:
    head = {"format_version": "1.0", "app_id": "test1", "region": "us", "api_version": "2.16", "asked": "2026-11-30", "facts": {}}
    desk.write("intercom-facts.json", json.dumps(head))
    assert states(desk)["facts"] == ("ok", "intercom-facts.json, of 2026-11-30; ")
    assert states(desk, "--api-version", "2.15")["facts"][0] == "mend"
    desk.write("intercom-facts.json", "{}")
    assert states(desk)["facts"] == (
        "mend",
        "intercom-facts.json: app_id: Field required; make it anew with `reconciler doctor --probe`, or remove it; ",
    )


def test_the_pin_is_that_of_the_manifest_that_is_found_from_here(desk: Desk) -> None:
    (desk.folder / "intercom").mkdir()
    desk.write("intercom/workspace.yaml", "workspace: {app_id: zzzother, region: us}\n")
    desk.write("intercom/tags.yaml", "tags: [vip]\n")
    state, text = states(desk)["pin"]
    assert (state, "zzzother" in text) == ("mend", True)


def test_from_where_a_run_can_be_undone(desk: Desk, tmp_path: Path) -> None:
    key, other = Identity.generate(), Identity.generate()
    public = str(key.to_public())
    manifest = {"workspace": {"app_id": "sandbox1"}, "policy": {"undo_keys": [public]}, "tags": []}
    assert states(desk)["undo"] == ("ok", "local: on this machine; ")
    assert states(desk, "--ledger", "none")["undo"][1].startswith("none: ")
    shared = ("--ledger", "postgresql://127.0.0.1:1/none")
    assert states(desk, *shared)["undo"][1].startswith("local: only the machine that applied can bring back what people had; ")
    desk.write("m.yaml", manifest)
    needed = f"from anywhere, with the private key of {public}"
    for more in ((), shared, ("m.yaml",)):
        assert states(desk, *more)["undo"] == ("ok", f"{needed}; RECONCILER_UNDO_KEY_FILE is not set here; ")
    path = tmp_path / "key.txt"
    desk.patch.setenv("RECONCILER_UNDO_KEY_FILE", str(path))
    assert states(desk)["undo"][0] == "mend"
    path.write_text(f"{other}\n")
    path.chmod(0o600)
    assert states(desk)["undo"] == (
        "mend",
        f"{needed}, and {path} holds that of {other.to_public()}; give the file of one of these as RECONCILER_UNDO_KEY_FILE",
    )
    path.write_text(f"{key}\n{other}\n")
    assert states(desk)["undo"] == ("ok", f"{needed}; {path} has it; ")
    assert str(key) not in desk.out
    # The machine of a pipeline is gone when its job ends.
    desk.patch.setenv("CI", "true")
    assert states(desk, *shared)["undo"][1].startswith(needed)
    desk.write("m.yaml", {**manifest, "policy": {}})
    assert states(desk, *shared)["undo"][1].startswith("in part, links and what is not personal")


def test_auth_status_says_it_too(desk: Desk) -> None:
    public = str(Identity.generate().to_public())
    desk.write("m.yaml", {"policy": {"undo_keys": [public]}, "tags": []})
    assert desk("auth", "status") == 0
    assert f"undo        from anywhere, with the private key of {public}; RECONCILER_UNDO_KEY_FILE is not set here\n" in desk.out
    desk.write("m.yaml", {"policy": {"undo_keys": ["age1"]}, "tags": []})
    assert desk("auth", "status") == 0
    assert "undo        m.yaml:2:3: cannot be read; `reconciler validate` says why\n" in desk.out
