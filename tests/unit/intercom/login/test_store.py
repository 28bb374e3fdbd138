"""Stored tokens: in the keyring where it can give them back, else in a file of their owner's."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import keyring.backends.null
import pytest

from reconciler.intercom.http.token import Token
from reconciler.intercom.login.store import SERVICE, KeepError, StoredToken, TokenStore, Vault, config_folder
from reconciler.workflow.planfile import write_whole

TOKEN, OTHER = Token("dG9rOmFiY2RlZmdoaWprbG1u"), Token("dG9rOm90aGVyLW90aGVyLW90")
US, EU = StoredToken("w1", "us"), StoredToken("w2", "eu")


class Memory:
    """A keyring that works, until it is locked."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        self._check()
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._check()
        self.held[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._check()
        del self.held[service, username]

    def _check(self) -> None:
        if self.locked:
            raise RuntimeError("locked")


class Silent(Memory):
    """A keyring that waits for somebody who is not there."""

    def set_password(self, service: str, username: str, password: str) -> None:
        threading.Event().wait(5)


class Forgetful(Memory):
    def get_password(self, service: str, username: str) -> str | None:
        return None


def broken() -> Vault | None:
    raise OSError("no bus")


def locked() -> Vault:
    memory = Memory()
    memory.locked = True
    return memory


def a_keep(folder: Path, vault: Vault | None = None, ask: Callable[[], Vault | None] | None = None) -> TokenStore:
    return TokenStore(folder / "reconciler", write_whole, ask or (lambda: vault), patience=0.2)


def test_a_keyring_keeps_the_token_and_the_file_only_says_so(tmp_path: Path) -> None:
    memory = Memory()
    keep = a_keep(tmp_path, memory)
    kept = keep.put(US, TOKEN)
    assert (keep.place(kept), keep.token(keep.all()[0])) == ("keyring", TOKEN)
    assert memory.held == {(SERVICE, "w1"): TOKEN.value}
    assert TOKEN.value not in keep.path.read_text()


UNUSABLE: list[Callable[[], Vault | None]] = [
    lambda: None,
    broken,
    keyring.backends.null.Keyring,
    keyring.backends.fail.Keyring,
    locked,
    Silent,
    Forgetful,
]


@pytest.mark.parametrize("ask", UNUSABLE, ids=["none", "broken", "null", "fail", "locked", "silent", "forgetful"])
def test_without_a_usable_keyring_a_file_of_the_owner_keeps_it(tmp_path: Path, ask: Callable[[], Vault | None]) -> None:
    keep = a_keep(tmp_path, ask=ask)
    kept = keep.put(US, TOKEN)
    assert keep.place(kept) == f"file {keep.path}"
    assert [keep.token(one) for one in keep.all()] == [TOKEN]
    assert [stat.S_IMODE(path.stat().st_mode) for path in (keep.folder, keep.path)] == [0o700, 0o600]
    assert [path.name for path in keep.folder.iterdir()] == ["tokens.json"]


def test_a_folder_that_others_can_read_is_closed(tmp_path: Path) -> None:
    (tmp_path / "reconciler").mkdir(mode=0o755)
    keep = a_keep(tmp_path)
    keep.put(US, TOKEN)
    assert stat.S_IMODE(keep.folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("vault", [None, Memory()], ids=["file", "keyring"])
def test_each_workspace_has_one_token_and_goes_alone(tmp_path: Path, vault: Vault | None) -> None:
    keep = a_keep(tmp_path, vault)
    keep.put(EU, OTHER)
    keep.put(US, OTHER)
    keep.put(US, TOKEN)
    assert {kept.app_id: (kept.region, keep.token(kept)) for kept in keep.all()} == {"w1": ("us", TOKEN), "w2": ("eu", OTHER)}
    keep.drop(keep.all()[0])
    assert [kept.app_id for kept in keep.all()] == ["w2"]
    keep.drop(keep.all()[0])
    assert keep.all() == ()


def test_a_token_leaves_one_place_when_it_moves_to_the_other(tmp_path: Path) -> None:
    memory = Memory()
    a_keep(tmp_path).put(US, OTHER)
    keep = a_keep(tmp_path, memory)
    keep.put(US, TOKEN)
    assert OTHER.value not in keep.path.read_text()
    memory.set_password = lambda *a: (_ for _ in ()).throw(RuntimeError())  # type: ignore[method-assign]  # it takes nothing any more
    keep.put(US, OTHER)
    assert (memory.held, keep.token(keep.all()[0])) == ({}, OTHER)


def test_a_keyring_that_is_locked_later_is_one_sentence(tmp_path: Path) -> None:
    memory = Memory()
    keep = a_keep(tmp_path, memory)
    kept = keep.put(US, TOKEN)
    memory.locked = True
    with pytest.raises(KeepError, match="does not give the token of w1: unlock it, or run `reconciler auth login` again"):
        keep.token(kept)
    with pytest.raises(KeepError, match="does not let go of the token of w1: unlock it"):
        keep.drop(kept)
    assert keep.all() == (kept,)


def test_a_token_that_somebody_took_out_of_the_keyring_can_be_let_go(tmp_path: Path) -> None:
    memory = Memory()
    keep = a_keep(tmp_path, memory)
    kept = keep.put(US, TOKEN)
    memory.held.clear()
    keep.drop(kept)
    assert keep.all() == ()


def test_a_token_that_could_not_be_noted_stays_nowhere(tmp_path: Path) -> None:
    def full(path: Path, text: str, mode: int) -> None:
        raise OSError(28, "No space left on device")

    memory = Memory()
    with pytest.raises(OSError, match="No space"):
        TokenStore(tmp_path, full, lambda: memory).put(US, TOKEN)
    assert memory.held == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\xff",
        "[]",
        "[" * 100_000,
        '{"format": 2, "workspaces": {}}',
        '{"format": 1, "workspaces": []}',
        json.dumps({"format": 1, "workspaces": {"w1": {"token": TOKEN.value}}}),
        json.dumps({"format": 1, "workspaces": {"w1": {"region": "us", "token": [TOKEN.value]}}}),
        json.dumps({"format": 1, "workspaces": {"w1": {"region": "us", "token": f"{TOKEN.value} x"}}}),
    ],
    ids=lambda text: text[:40],
)
def test_a_damaged_file_is_one_sentence_that_shows_nothing_of_it(tmp_path: Path, text: str) -> None:
    keep = a_keep(tmp_path)
    keep.folder.mkdir()
    keep.path.write_text(text, encoding="latin-1")
    with pytest.raises(KeepError, match="is not a file of stored tokens: remove it") as refused:
        keep.all()
    assert TOKEN.value not in str(refused.value)
    assert refused.value.exit_code == 1


def test_what_is_kept_shows_no_token(tmp_path: Path) -> None:
    keep = a_keep(tmp_path)
    assert TOKEN.value not in f"{keep.put(US, TOKEN)!r} {keep.all()} {keep!r}"


def test_the_folder_is_where_the_user_keeps_settings(tmp_path: Path) -> None:
    assert config_folder({"XDG_CONFIG_HOME": str(tmp_path)}) == tmp_path / "reconciler"
    # "If an implementation encounters a relative path … it should consider the path invalid and ignore it" (XDG Base Directory).
    for environ in ({}, {"XDG_CONFIG_HOME": ""}, {"XDG_CONFIG_HOME": "relative"}):
        assert config_folder(environ) == Path.home() / ".config" / "reconciler"
