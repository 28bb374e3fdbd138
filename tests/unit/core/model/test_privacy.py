"""Somebody else's message is shown without the people whom it names, and with the ids that say who is in the way."""

from __future__ import annotations

import pytest

from reconciler.core.model.privacy import Known

ID = "5ba682d23d7cf92bef87bfd4"
PEOPLE = ["Zoë Alleyne", "Al", "王小明", "+1 555 0107", "12345", "98-76-5", "zoe@serenity.example", "O'Hara & <Sons>", "Hoban"]


def mask_text(text: str) -> str:
    known = Known()
    known.learn(PEOPLE)
    return known.mask(text)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Zoë Alleyne exists", "*** exists"),
        ("ZOE\u0308 ALLEYNE exists", "*** exists"),
        ("name='Zoë Alleyne'", "name='***'"),
        ("name=Zo%C3%AB%20Alleyne&x", "name=***&x"),
        ("O&#x27;Hara &amp; &lt;Sons&gt;", "***"),
        ("also Al, not Alabama", "also ***, not Alabama"),
        ("联系人王小明不存在", "联系人***不存在"),
        ("tel. 15550107, 1-555-0107, (1) 555 0107", "tel. ***, ***, ***"),
        ("pin 12345 of 54321", "pin *** of 54321"),
        ("pin 98765 or 9 8765", "pin *** or ***"),
        ("call 555-0199, not 555-019", "call ***, not 555-019"),
        ("somebody at +49 (0)30 1234-567", "somebody at ***"),
        ("+15559999999", "***"),
        ("ann@mail.example and ann%40mail.example", "a***@mail.example and ***"),
        ("<ann@mail.example>", "<***@mail.example>"),
        (f"exists with id={ID}", f"exists with id={ID}"),
        ("exists with id=1234567890", "exists with id=1234567890"),
        (f"Hoban exists with id={ID}, Al", f"*** exists with id={ID}, ***"),
        ("account 1234567890123456 is taken", "account 1234567890123456 is taken"),
        ("id=5550107@mail.example", "i***@mail.example"),
        ("1234567890123456@mail.example", "1***@mail.example"),
        ("Exceeded rate limit of 167 in 10_seconds", "Exceeded rate limit of 167 in 10_seconds"),
        ("bad 'custom_attributes' parameter", "bad 'custom_attributes' parameter"),
        ("", ""),
    ],
)
def test_who_is_named_is_masked_and_who_is_in_the_way_is_not(said: str, shown: str) -> None:
    assert mask_text(said) == shown


def test_what_a_run_learns_later_is_masked_too() -> None:
    known, people = Known(), list[str]()
    known.learn(people)
    assert known.mask("Zoe exists") == "Zoe exists"
    for name in ("Zoe", "Inara"):
        people.append(name)
        assert known.mask(f"{name} exists") == "*** exists"


def test_a_long_message_takes_no_time() -> None:
    known = Known()
    known.learn([f"person {n}" for n in range(2000)] + ["x" * 500])
    assert known.mask("- " * 600) == "- " * 600
    assert known.mask("7 " * 600) == "7 " * 600


@pytest.mark.parametrize(
    "said",
    [
        "name=Malcolm+Reynolds&x=1",
        'a {"name": "Se\\u00e1n Reynolds"}',
        'a {"name": "\\ud83c\\udf31 Kaylee"}',
        "a Se&aacute;n Reynolds",
        "a Se&#225;n Reynolds",
        "a Se&#xE1;n Reynolds",
        "a Sea\u0301n Reynolds",
        "Malcolm%20Reynolds",
        "Se%C3%A1n+Reynolds",
        "ann&#64;mail.example",
    ],
)
def test_a_known_name_is_masked_however_it_is_encoded(said: str) -> None:
    known = Known()
    known.take(["Malcolm Reynolds", "Se\u00e1n Reynolds", "\U0001f331 Kaylee"])
    assert "***" in known.mask(said)


@pytest.mark.parametrize("said", ["a+b = 100%25", "R&amp;D \\u00e1 exists", f"a+b exists with id={ID}", "\\ud83c alone", "\\u12"])
def test_a_message_that_names_nobody_stays_as_it_is_encoded(said: str) -> None:
    assert mask_text(said) == said
