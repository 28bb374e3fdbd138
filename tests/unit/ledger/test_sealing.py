"""Sealing: who opens it, what a bad key file is told, what its length says, and what somebody changed."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from pyrage import decrypt, x25519

from reconciler.errors import ReconcilerError, Usage
from reconciler.ledger.sealing import seal, unseal

Identity = x25519.Identity
TEXT = '{"name": "Wash"}'


@pytest.fixture
def key() -> Identity:
    return Identity.generate()


def name_of(key: Identity) -> str:
    return str(key.to_public())


def a_file(folder: Path, text: str | bytes, mode: int = 0o600) -> str:
    path = folder / "key.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return str(path)


def test_every_key_opens_it_and_no_other_one(tmp_path: Path, key: Identity) -> None:
    second, other = Identity.generate(), Identity.generate()
    keys = [name_of(key), name_of(second)]
    sealed = seal(TEXT, keys)
    for lines in (f"{key}\n", f"# mine\n\n{second}", f"{other}\n{key}\n"):
        assert unseal(sealed, keys, a_file(tmp_path, lines)).rstrip() == TEXT
    with pytest.raises(Usage) as wrong:
        unseal(sealed, keys, a_file(tmp_path, f"{other}\n"))
    assert f"is that of {name_of(other)}, and this was encrypted to {keys[0]} or {keys[1]}; give" in str(wrong.value)
    assert str(other) not in str(wrong.value)


def test_the_lines_of_another_system_are_read(tmp_path: Path, key: Identity) -> None:
    path = a_file(tmp_path, b"\xef\xbb\xbf# public key\r\n" + str(key).encode() + b"\r\n")
    assert unseal(seal(TEXT, [name_of(key)]), [name_of(key)], path).rstrip() == TEXT


@pytest.mark.parametrize(
    ("written", "mode", "said"),
    [
        ("", 0o600, "no key stands in"),
        ("# only a remark\n\n", 0o600, "no key stands in"),
        ("# a remark\nsecret words\n", 0o600, "line 2 of"),
        ("KEYsecret words\n", 0o600, "line 1 of"),
        ("AGE-SECRET-KEY-1QQQQ\n", 0o600, "is no private key of age, which begins with AGE-SECRET-KEY-1"),
        ("PUBLIC", 0o600, "is a public key, and the private one begins with"),
        ("age-encryption.org/v1\n-> scrypt\n", 0o600, "a file which is encrypted itself"),
        ("KEY", 0o640, "others than its owner may use"),
        ("KEY", 0o604, "run `chmod 600"),
        ("KEY", 0o622, "run `chmod 600"),
        ("\n" * 70_000, 0o600, "is too long"),
    ],
)
def test_a_bad_key_file_is_one_sentence(tmp_path: Path, key: Identity, written: str, mode: int, said: str) -> None:
    path = a_file(tmp_path, written.replace("KEY", str(key), 1).replace("PUBLIC", name_of(key)), mode)
    if "AGE-SECRET-KEY-1QQQQ" in written:
        path = a_file(tmp_path, written)
    with pytest.raises(Usage) as bad:
        unseal(seal(TEXT, [name_of(key)]), [name_of(key)], path)
    text = str(bad.value)
    assert text.startswith("RECONCILER_UNDO_KEY_FILE: ")
    assert said in text
    assert str(key) not in text
    assert "secret words" not in text
    assert "\n" not in text


def test_what_is_no_file_is_no_key_file(tmp_path: Path, key: Identity) -> None:
    for path, said in ((tmp_path, "Is a directory"), (tmp_path / "none", "No such file")):
        with pytest.raises(Usage, match=f"cannot be read \\({said}"):
            unseal(seal(TEXT, [name_of(key)]), [name_of(key)], str(path))


def test_a_key_may_come_through_a_pipe(tmp_path: Path, key: Identity) -> None:
    """As with `<(pass show undo)` in a shell."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o644)
    writing = threading.Thread(target=lambda: pipe.write_text(f"{key}\n"))
    writing.start()
    assert unseal(seal(TEXT, [name_of(key)]), [name_of(key)], str(pipe)).rstrip() == TEXT
    writing.join(60)


@pytest.mark.parametrize("how", ["cut", "a letter", "words", "nothing", "no text", "a head"])
def test_what_somebody_changed_is_one_sentence(tmp_path: Path, key: Identity, how: str) -> None:
    sealed, keys = seal(TEXT, [name_of(key)]), [name_of(key)]
    middle = len(sealed) // 2
    changed = {
        "cut": sealed[:middle],
        "a letter": sealed[:middle] + ("A" if sealed[middle] != "A" else "B") + sealed[middle + 1 :],
        "words": "nothing of the kind",
        "nothing": "",
        "no text": "\udc80",
        "a head": sealed[sealed.index("\n") + 1 :],
    }[how]
    with pytest.raises(ReconcilerError, match="what was encrypted is cut, or somebody changed it") as bad:
        unseal(changed, keys, a_file(tmp_path, str(key)))
    assert bad.value.exit_code == 1


def test_its_length_says_little(key: Identity) -> None:
    def length(value: str) -> int:
        return len(decrypt(seal(f'{{"name": "{value}"}}', [name_of(key)]).encode(), [key]))

    assert {length(value) for value in ("", "A", "Bartholomew", "C" * 3000)} == {4096}
    # Of a hundred lengths one after the other, few are told apart; none is more than an eighth longer than it has to be.
    long = {length("C" * n) for n in range(100_000, 110_000, 100)}
    assert len(long) < 10
    assert max(long) < 110_000 * 1.125
