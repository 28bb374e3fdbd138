"""What a shell offers after TAB: quick, offline, and silent whatever is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import CompletionItem, ShellComplete

from reconciler.cli import VERBS, cli
from reconciler.cli.completion import LARGEST
from reconciler.cli.running import run

TAGS = "tags: [vip, trial]\n"
ALL = ["tag/trial", "tag/vip"]


def complete(*typed: str) -> list[CompletionItem]:
    """What is offered for the last word, after those before it."""
    return ShellComplete(cli, {}, "reconciler", "_RECONCILER_COMPLETE").get_completions(list(typed[:-1]), typed[-1])


def words(*typed: str) -> list[str]:
    return [item.value for item in complete(*typed)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with one manifest in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "intercom").mkdir()
    (tmp_path / "intercom/tags.yaml").write_text(TAGS, encoding="utf-8")
    return tmp_path


# ---- verbs and files


def test_verbs_are_offered_with_what_they_do() -> None:
    assert words("") == list(VERBS)
    assert [(item.value, item.help) for item in complete("dr")] == [("drift", VERBS["drift"][1])]
    assert words("auth", "l") == ["login", "logout"]


def test_a_verb_is_offered_before_any_module_of_a_verb_is_imported() -> None:
    script = (
        "import sys\nfrom click.shell_completion import ShellComplete\nfrom reconciler.cli import VERBS, cli\n"
        "found = ShellComplete(cli, {}, 'reconciler', 'X').get_completions([], '')\n"
        "assert [item.value for item in found] == list(VERBS)\n"
        "print([name for name in sys.modules if name.startswith('reconciler.cli.')])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    "typed", [("validate",), ("plan",), ("drift",), ("apply",), ("plan", "intercom", "--policy"), ("undo", "--policy")]
)
def test_paths_and_files_are_left_to_the_shell(typed: tuple[str, ...]) -> None:
    assert [(item.type, item.value) for item in complete(*typed, "in")] == [("file", "in")]


# ---- addresses


@pytest.mark.parametrize("option", ["--target", "--exclude"])
@pytest.mark.parametrize("verb", ["plan", "apply"])
def test_addresses_come_from_the_paths_typed_so_far(verb: str, option: str) -> None:
    assert words(verb, "intercom", option, "") == ALL
    assert words(verb, "intercom/tags.yaml", "--sandbox", option, "tag/v") == ["tag/vip"]
    assert words(verb, "intercom", option, "tag/vip", option, "tag/t") == ["tag/trial"]
    assert words(verb, "intercom", option, "company/") == []


def test_without_a_path_the_manifests_of_the_current_folder_count(folder: Path) -> None:
    assert words("plan", "--target", "tag/") == []
    (folder / "all.yaml").write_text(TAGS, encoding="utf-8")
    assert words("plan", "--target", "tag/") == ALL


def test_an_address_to_explain_comes_from_the_manifest_that_is_found_here() -> None:
    assert words("explain", "tag/") == ALL
    assert [(item.type, item.value) for item in complete("explain", "tag/vip", "in")] == [("file", "in")]


@pytest.mark.parametrize("text", ["tags: [vip\n", "tags:\n", "contacts: [{external_id: '1', tags: [unknown]}]\n", "\x00"])
def test_an_invalid_manifest_offers_nothing_and_says_nothing(text: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "intercom/tags.yaml").write_text(text, encoding="utf-8")
    assert words("plan", "intercom", "--target", "") == []
    assert words("plan", "nowhere", "--target", "") == []
    assert capfd.readouterr() == ("", "")


def test_a_large_manifest_is_not_read(folder: Path) -> None:
    (folder / "intercom/note.yaml").write_text("#" * LARGEST, encoding="utf-8")
    assert words("plan", "intercom", "--target", "") == []
    assert words("plan", "intercom/tags.yaml", "--target", "") == ALL


# ---- runs


def test_runs_are_offered_newest_first_with_what_they_did(folder: Path) -> None:
    for text in (TAGS, "tags: [vip, trial, beta]\n"):
        (folder / "intercom/tags.yaml").write_text(text, encoding="utf-8")
        assert run(cli, ["apply", "intercom", "--sandbox", "--auto-approve"]) == 0
    for verb in ("history", "undo"):
        last, *rest = complete(verb, "")
        assert last.value == "last"
        assert [item.value for item in rest] == sorted((item.value for item in rest), reverse=True)
        assert [str(item.help).partition(",")[0] for item in rest] == ["apply as default"] * 2
        assert words(verb, rest[1].value[:-1]) == [rest[1].value]
    assert words("undo", "--ledger", "none", "") == []


@pytest.mark.parametrize("ledger", ["", "postgresql://127.0.0.1:9/nowhere", "git", "none"])
def test_where_no_ledger_is_at_hand_nothing_is_offered_and_nothing_said(
    ledger: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RECONCILER_LEDGER", ledger)
    assert words("history", "") == []
    assert capfd.readouterr() == ("", "")


def test_a_damaged_ledger_offers_nothing_and_says_nothing(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / ".reconciler").mkdir()
    (folder / ".reconciler/ledger.db").write_bytes(b"no database")
    assert words("undo", "") == []
    assert capfd.readouterr() == ("", "")


# ---- a real shell


def test_the_shell_gets_what_it_asks_for(folder: Path) -> None:
    """Through the function that bash gets, with the words as bash hands them over."""
    around = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    script = (
        'eval "$(_RECONCILER_COMPLETE=bash_source reconciler)"\n'
        "COMP_WORDS=(reconciler plan intercom --target tag/v); COMP_CWORD=4\n_reconciler_completion reconciler\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", script], env=around, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("tag/vip\n", "")
