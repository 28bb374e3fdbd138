"""No e-mail and no value can be read in what lies on the disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.change import Action
from reconciler.core.resource import Address
from reconciler.ledger import Ledger, RunHead
from tests.ledger.changes import APP, HEAD, a_change, an_attach

EMAILS = st.from_regex(r"[a-z0-9.+'éß]{6,20}@[a-z0-9é-]{4,12}\.example", fullmatch=True)
SECRETS = st.from_regex(r"[a-zéß ]{8,30}", fullmatch=True)


def stored(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


def write_everything(ledger: Ledger, email: str, secret: str) -> None:
    contact = Address("contact", email)
    run = ledger.begin(replace(HEAD, name=f"of {email}"))
    changes = [a_change(address=contact, name=secret), a_change(Action.UPDATE, contact, "c-1", **{f"custom_attributes.{email}": secret})]
    writes = ledger.intend_many(run, [*changes, an_attach(contact, Address("tag", secret))])
    ledger.settle(writes[0], "applied", "c-1", 200)
    ledger.note_ineffective(APP, contact, email, secret)
    ledger.end(run, 0, {"applied": 1})


@settings(max_examples=30, deadline=None)
@given(email=EMAILS, secret=SECRETS)
def test_neither_while_it_is_open_nor_after(email: str, secret: str) -> None:
    with TemporaryDirectory() as name:
        opened = Ledger.open(Path(name), create=True, environ={})
        assert opened
        with opened as ledger:
            write_everything(ledger, email, secret)
            content = stored(Path(name))
        content += stored(Path(name))
    for planted in (email, secret, email.split("@")[0] + "@"):
        for form in (planted.encode(), planted.encode("utf-16-le"), planted.encode("unicode_escape")):
            assert form not in content
    assert b'["#' in content


def test_owners_whose_names_hold_different_emails_stay_different(ledger: Ledger) -> None:
    heads = [RunHead(APP, "us", name, "", "") for name in ("a@x.example", "b@x.example")]
    first, second = (ledger._digests.plain(head.name) for head in heads)
    assert first != second
    assert "@" not in first + second
