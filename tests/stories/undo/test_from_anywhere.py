"""Undo from anywhere: what a run destroyed of people is encrypted to public keys, and a private one brings it back on another machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pyrage import x25519

from tests.desk.desk import Desk
from tests.desk.postgres import Cluster
from tests.desk.repositories import a_clone, git
from tests.desk.soak import only_in_soak
from tests.stories.undo.conftest import MAL, WASH

Identity = x25519.Identity
MANIFEST: dict[str, Any] = {
    "name": "growth",
    "tags": [{"name": "vip", "state": "absent"}, "new"],
    "contacts": [
        {"external_id": "25", "name": "Hoban", "phone": "+15550108", "email": "pilot@serenity.example", "tags": ["new"]},
        {"external_id": "27", "name": "Malcolm", "custom_attributes": {"score": 8}},
    ],
}
# A short name stands in quotes: without them it would be found in what is encrypted, by chance.
PLANTED = [
    *('"Wash"', "Hoban", '"Mal"', "Malcolm", "wash@serenity", "pilot@serenity", "serenity.example", "+15550107", "+15550108", "5550107"),
]
NEEDED = re.compile("encrypted: the private key of age1[a-z0-9]{58} is needed; give its file as RECONCILER_UNDO_KEY_FILE")


@pytest.fixture(params=["file", "git", pytest.param("postgresql", marks=only_in_soak)])
def home(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def key(tmp_path: Path) -> Identity:
    """A pair, the private half of it in key.txt."""
    identity, path = Identity.generate(), tmp_path / "key.txt"
    path.write_text(f"# public key: {identity.to_public()}\n{identity}\n")
    path.chmod(0o600)
    return identity


def move(desk: Desk, home: str) -> None:
    """Go to another machine: a folder, a home and a configuration of its own, from which the same ledger is reached."""
    before = desk.folder
    number = len(list(before.parent.glob("elsewhere*")))
    desk.folder = before.parent / f"elsewhere{number}"
    if home == "git":
        desk.folder = a_clone(before.parent / "remote.git", f"elsewhere{number}")
    else:
        desk.folder.mkdir()
    if home == "file":
        # As an archive of the folder is laid down there.
        shutil.copytree(before / ".reconciler", desk.folder / ".reconciler")
    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        (own := desk.folder.parent / f"{variable}{number}").mkdir()
        desk.patch.setenv(variable, str(own))
    desk.patch.chdir(desk.folder)
    desk.patch.delenv("RECONCILER_UNDO_KEY_FILE", raising=False)


def give(desk: Desk, path: Path) -> None:
    desk.patch.setenv("RECONCILER_UNDO_KEY_FILE", str(path))


def people(desk: Desk) -> dict[str, dict[str, Any]]:
    """What is to be taken back of people, by their ids."""
    fields = ("name", "email", "phone", "custom_attributes")
    docs = desk.box.ws.store.table("contact").docs
    tags = {i: tag["name"] for i, tag in desk.box.ws.store.table("tag").docs.items()}
    return {i: {**{f: docs[i].get(f) for f in fields}, "tags": sorted(tags[t] for t in docs[i]["tags"])} for i in (WASH, MAL)}


def lying_there(desk: Desk, home: str, request: pytest.FixtureRequest) -> bytes:
    """All that lies in the ledger's home, and in the folder: of files their bytes, of a repository its objects, of tables their rows."""
    content = b"".join(path.read_bytes() for path in (desk.folder / ".reconciler").rglob("*") if path.is_file())
    if home == "git":
        for repository in (desk.folder, desk.folder.parent / "remote.git"):
            every = git(repository, "cat-file", "--batch-check=%(objectname)", "--batch-all-objects").split()
            # The manifest's own commits name their author.
            others = {line.split(" ")[0] for line in git(repository, "rev-list", "--objects", "--branches", "--remotes").splitlines()}
            asked = "".join(f"{name}\n" for name in every if name not in others).encode()
            content += subprocess.run(
                ["git", "cat-file", "--batch"], cwd=repository, input=asked, capture_output=True, check=True, timeout=60
            ).stdout
    if home == "postgresql":
        postgres: Cluster = request.getfixturevalue("postgres")
        for (table,) in postgres.run("SELECT table_name FROM information_schema.tables WHERE table_schema = 'reconciler'", "ledger"):
            content += repr(postgres.run(f'SELECT * FROM reconciler."{table}"', "ledger")).encode()
    assert content
    return content


def test_a_run_of_one_machine_is_taken_back_on_another(
    desk: Desk, home: str, key: Identity, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    before = people(desk)
    manifest = {**MANIFEST, "policy": {"undo_keys": [str(key.to_public())]}}
    assert desk("apply", "intercom.yaml", "--auto-approve", intercom=manifest) == 0, desk.err
    after = people(desk)
    assert {field for i in before for field in before[i] if before[i][field] != after[i][field]} == set(before[WASH])
    content = lying_there(desk, home, request)
    assert b"AGE ENCRYPTED FILE" in content
    assert not [planted for planted in PLANTED if planted.encode() in content]
    assert not list((desk.folder / ".reconciler").rglob("*.private.json"))
    move(desk, home)
    # Without the key it says what is missing, and what can be read without it may come back without it.
    assert desk("undo", "last", "-o", "part.json") == 0, desk.err
    assert NEEDED.search(desk.out)
    assert str(key.to_public()) in desk.out
    assert "name: is encrypted" in desk.out
    changes = [change for change in desk.saved("part.json")["changes"] if change["address"].startswith("contact/")]
    assert {(change["action"], *(field["path"] for field in change["fields"])) for change in changes} == {("attach",)}
    give(desk, tmp_path / "key.txt")
    assert desk("undo", "last", "-o", "undo.json") == 0, desk.err
    assert "encrypted" not in desk.out
    assert not [planted for planted in PLANTED if planted in (desk.folder / "undo.json").read_text()], "a plan holds no values"
    # It is rehearsed first, on a copy of what the ledger has recorded there.
    desk.box.forget_requests()
    assert desk("rehearse", "undo.json") == 0, desk.out
    assert (desk.writes, people(desk)) == ([], after)
    assert desk("apply", "undo.json") == 0, desk.err
    assert people(desk) == before
