"""The token is trimmed or refused in one sentence, and never shown."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import ReconcilerError
from reconciler.intercom.http.token import BadToken, Token, flaw_of, parse

WHOLE = "dG9rOmFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6MDE="


@pytest.mark.parametrize("text", [f"{WHOLE}\n", f"  {WHOLE}\r\n", f"\ufeff{WHOLE}\u00a0", f"\t{WHOLE}\n\n"])
def test_blanks_and_line_ends_around_a_token_do_not_count(text: str) -> None:
    assert parse(text, "a file").header() == f"Bearer {WHOLE}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        (" \r\n", "is empty"),
        (f"Bearer {WHOLE}", 'starts with "Bearer"'),
        (f"bearer\t{WHOLE}", 'starts with "Bearer"'),
        ("Bearer", 'starts with "Bearer"'),
        (f'"{WHOLE}"', "has quotes around it"),
        (f"'{WHOLE}'", "has quotes around it"),
        (f"“{WHOLE}”", "has quotes around it"),
        (f"{WHOLE[:9]} {WHOLE[9:]}", "has blanks"),
        (f"{WHOLE[:9]}\r\nX-Evil: 1{WHOLE[9:]}", "has blanks"),
        (f"{WHOLE[:9]}\0{WHOLE[9:]}", "has blanks"),
        (f"{WHOLE[:9]}é{WHOLE[9:]}", "has blanks"),
        (f"{WHOLE[:9]}\u200b{WHOLE[9:]}", "has blanks"),
    ],
)
def test_a_token_that_cannot_be_one_is_refused_in_one_sentence(text: str, why: str) -> None:
    with pytest.raises(BadToken) as refused:
        parse(text, "INTERCOM_ACCESS_TOKEN")
    assert str(refused.value).startswith(f"the token from INTERCOM_ACCESS_TOKEN {why}")
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 1
    assert WHOLE[:9] not in repr(refused.value)


def test_no_way_to_make_a_token_leads_round_the_check() -> None:
    with pytest.raises(BadToken, match="the token has blanks"):
        Token("abc\r\nX-Evil: 1")


REFUSALS = {f"the token from a file {flaw_of(text)}" for text in ("", "Bearer", '"', "a b")}


@given(st.text(st.characters(codec="utf-8"), min_size=4))
def test_neither_a_token_nor_its_refusal_shows_it(secret: str) -> None:
    assert what_shows(secret) <= REFUSALS | {"Token(***)"}


def what_shows(secret: str) -> set[str]:
    try:
        token = parse(secret, "a file")
    except ReconcilerError as refused:
        return {str(refused)}
    return {repr(token), str(token), f"{token}", repr(copy.copy(token))}


@pytest.mark.parametrize(("text", "cut"), [(WHOLE, False), (WHOLE[:-1], True), ("dG9rOmFiYw==", False), ("dG9rOmFiYw=", True)])
def test_a_missing_last_character_is_suspected(text: str, cut: bool) -> None:
    assert Token(text).looks_cut is cut


def test_foreign_text_that_echoes_the_token_is_blanked() -> None:
    assert Token(WHOLE).hide(f"no such token {WHOLE}!") == "no such token ***!"
    assert Token("sandbox").hide("the sandbox says") == "the sandbox says"


def test_a_token_travels_between_processes_as_itself() -> None:
    assert pickle.loads(pickle.dumps(Token(WHOLE))) == Token(WHOLE)
