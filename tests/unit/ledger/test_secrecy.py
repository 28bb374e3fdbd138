"""No e-mail and no value can be read in what lies on the disk, whatever is planned, recorded, settled, named or noted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, Change
from reconciler.core.model.record import LinkOrigin, with_link
from reconciler.ledger.digests import Digests
from reconciler.ledger.ledger import Ledger
from reconciler.ledger.run import PlannedWrite, RunHead, Settlement
from tests.desk.clock import Clock
from tests.desk.soak import times
from tests.unit.ledger.changes import APP, HEAD, a_change, a_record, an_attach

EMAILS = st.from_regex(r"[a-z0-9.+'éß]{6,20}(@[a-z0-9é-]{4,12}){1,2}\.example", fullmatch=True)
SECRETS = st.from_regex(r"[a-zéß ]{8,30}", fullmatch=True)


def bytes_in(folder: Path) -> bytes:
    """All that lies in the folder, but for the images."""
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())


def write_everything(ledger: Ledger, email: str, secret: str) -> Iterator[None]:
    """Everything that a run writes; stops where somebody may look."""
    contact, path, name = Address("contact", email), f"custom_attributes.{email}", f"of {email}"
    head = replace(HEAD, name=name, who=f"{email} on serenity", revision=f"v1 by {email}", files=[f"crew/{email}.yaml"])
    with ledger.lock(APP, f"{email} on serenity", Clock(1_767_225_600.0).waiting()):
        run = ledger.begin(replace(head, policy={"protect": [f"contact/{email}"], email: {email: (email,)}}))
        changes: list[Change] = [a_change(address=contact, name=secret), a_change(Action.UPDATE, contact, "c-1", **{path: secret})]
        changes += [a_change(address=contact, note={secret: [secret, email]}), an_attach(contact, Address("tag", email))]
        numbers = ledger.plan(run, [PlannedWrite(change, proof=True) for change in changes])
        ledger.intend(dict(zip(numbers, changes, strict=True)))
        values = {"name": secret, path: email, "phone": [secret, {secret: email}]}
        record = replace(
            with_link(a_record(ledger.digests, contact, values=values), "tags", "t-1", LinkOrigin.OWNED), files=(f"{email}.yaml",)
        )
        ledger.settle(run, [Settlement(numbers[0], "applied", "c-1", 200), Settlement(numbers[1], "failed", None, 422)], [record])
        yield
        ledger.record(APP, name, [replace(record, id="c-2")], names_gone=[record.name])
        ledger.note_ineffective(APP, contact, path, secret)
        ledger.home.put_preimage(run, f'{{"{email}": "{secret}"}}', 0.0)
        ledger.end(run, 0, {"applied": 1})
        yield


@settings(max_examples=times(30))
@given(email=EMAILS, secret=SECRETS)
@example(email="hoban@serenity@firefly.example", secret="leaf on the wind")
def test_neither_while_it_is_open_nor_after(email: str, secret: str) -> None:
    with TemporaryDirectory() as name:
        opened = Ledger.open(Path(name), create=True, environ={})
        assert opened
        with opened as ledger:
            content = b"".join(bytes_in(Path(name)) for _ in write_everything(ledger, email, secret))
            assert b" on serenity" in content
            assert len(ledger.read_recorded(APP, f"of {email}").records) == 1
        content += bytes_in(Path(name))
    for planted in (email, secret, email.split("@")[0] + "@", "@" + email.split("@")[-1]):
        for form in (planted.encode(), planted.encode("utf-16-le"), planted.encode("unicode_escape")):
            assert form not in content
    assert b'"#' in content


def test_only_the_image_of_a_run_may_hold_a_value_and_nobody_else_may_read_it(ledger: Ledger, folder: Path) -> None:
    list(write_everything(ledger, "hoban@serenity.example", "leaf on the wind"))
    [image] = [path for path in folder.rglob("*") if path.is_file() and b"leaf on the wind" in path.read_bytes()]
    assert image.parent.name == "images"
    assert image.stat().st_mode & 0o777 == 0o600


def test_owners_whose_names_hold_different_emails_stay_different(ledger: Ledger) -> None:
    names = ("a@x.example", "b@x.example")
    for name in names:
        ledger.end(ledger.begin(RunHead(APP, "us", name, "", "")), 0, {})
        ledger.record(APP, name, [a_record(ledger.digests, id=name[0])])
    assert [list(ledger.read_recorded(APP, name).records) for name in names] == [[("contact", "a")], [("contact", "b")]]
    assert [ledger.read_recorded(APP, name).runs for name in names] == [1, 1]
    first, second = ledger.read_recorded(APP).others.values()
    assert first != second
    assert "@" not in first + second


def test_what_is_recorded_of_a_field_is_found_under_the_path_as_a_ledger_shows_it(ledger: Ledger) -> None:
    path = "custom_attributes.hoban@serenity.example"
    record = replace(a_record(ledger.digests, values={path: "pilot"}), files=("crew/hoban@serenity.example.yaml",))
    ledger.record(APP, "default", [record])
    [recorded] = ledger.read_recorded(APP).records.values()
    assert recorded.fields == {ledger.digests.plain(path): ledger.digests.claim(record.salt, path, "pilot")}
    assert recorded.files == tuple(map(ledger.digests.plain, record.files))


@given(st.text(st.sampled_from("ab@. #\n\ud800é"), max_size=12))
@example("a@b@@c@d@")
def test_a_text_as_a_ledger_shows_it_stays_so(text: str) -> None:
    digests = Digests(b"k" * 32)
    shown = digests.plain(text)
    assert digests.plain(shown) == shown
    assert shown.encode("utf-8").decode("utf-8") == shown


@pytest.mark.parametrize("text", ["", "tag/vip", "5 @ noon", "@mention", "é", "a@"])
def test_what_is_no_email_is_shown_as_it_is(text: str) -> None:
    assert Digests(b"k" * 32).plain(text) == text


def test_names_that_are_no_unicode_are_kept(ledger: Ledger) -> None:
    broken = Address("tag", "vip \ud800")
    record = replace(a_record(ledger.digests, broken, "t-1"), address=f"{broken}", files=("crew\udcff.yaml",))
    ledger.record(APP, "default", [record])
    run = ledger.begin(replace(HEAD, who="wash \ud800", files=["crew\udcff.yaml"]))
    ledger.plan(run, [PlannedWrite(a_change(address=broken))])
    memory = ledger.read_recorded(APP)
    at_name = memory.at(broken)
    assert at_name
    assert (at_name.address, at_name.files) == ("tag/vip \\ud800", ("crew\\udcff.yaml",))
    assert memory.attempt(broken)
