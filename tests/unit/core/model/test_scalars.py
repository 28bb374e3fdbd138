"""Scalars as written become what the field's type says, or a sentence."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from reconciler.core.model import scalars as values
from reconciler.core.model.numbers import parse_number, parse_whole
from reconciler.core.model.privacy import hide, is_mask, mask, refuse_mask
from reconciler.core.model.scalars import Email, Flag, Name, Text, Time, Whole, same
from reconciler.core.model.spelling import fold, skeleton
from reconciler.core.model.texts import parse_live_name
from reconciler.core.model.times import parse_time
from reconciler.core.model.written import Plain, Scalar, as_yaml, quote_visibly, trim
from tests.desk.soak import times

LIKE_NUMBERS = ["007", "1.10", "no", "NO", "on", "yes", "+15551234567", "2014-03-11", "0x1F", "0o17", "1_000", "12:30:45", ".inf", ".nan"]
LIKE_NUMBERS += ["72225e2", "01443e5", "0e1234", "2026", "true", "=", "nullish", "-"]
NULLS = ["", "~", "null", "Null", "NULL"]


# What one or another reader of YAML takes for something else than a text, or for its end.
ODD = ["a: b", "a:", "- x", "*x", "&x", "!x", "%x", "@x", "?", "#x", "x #y", "a, b", "{a}", "[a", "a]", "it's", '"x"', "back\\slash", "`x`"]
ODD += ["|", ">", "N", "Off", "<<", " x", "x ", "x\u00a0y", "x\u200dy", "\u2692\ufe0f", "12:30", "1e3", "\t", "\U0001f600\u200d"]


class Entry(BaseModel):
    text: Text | None = None
    name: Name = "x"
    email: Email | None = None
    whole: Whole | None = None
    flag: Flag = False
    time: Time | None = None


def entry(**fields: Any) -> Entry:
    return Entry.model_validate(fields)


def refusal(field: str, written: Any) -> str:
    """The sentence that an entry is refused with."""
    with pytest.raises(ValidationError) as caught:
        entry(**{field: written})
    (error,) = caught.value.errors()
    assert error["loc"] == (field,)
    return str(error["ctx"]["error"])


@pytest.mark.parametrize("written", LIKE_NUMBERS)
@pytest.mark.parametrize("field", ["text", "name"])
def test_a_text_is_what_is_written(field: str, written: str) -> None:
    value = getattr(entry(**{field: Plain(written)}), field)
    assert value == written
    assert type(value) is str


@pytest.mark.parametrize("written", NULLS)
@pytest.mark.parametrize("field", ["text", "name", "whole", "flag", "time", "email"])
def test_null_without_quotes_is_no_value(field: str, written: str) -> None:
    assert refusal(field, Plain(written)).startswith("is empty; write ")


def test_null_is_taken_where_a_field_allows_it() -> None:
    assert entry(text=None, whole=None, time=None, email=None).model_dump(exclude_unset=True) == dict.fromkeys(
        ("text", "whole", "time", "email")
    )


@pytest.mark.parametrize("written", NULLS)
def test_null_in_quotes_is_a_text(written: str) -> None:
    assert entry(text=written).text == written


def test_an_empty_text_is_a_value_but_no_name() -> None:
    assert entry(text="").text == ""
    assert refusal("name", "") == '"" is empty; write a name'


@pytest.mark.parametrize(
    ("written", "part"),
    [
        ("vip ", '"vip␠" has blanks'),
        ("  trial", '"␠␠trial" has blanks'),
        ("vip\u00a0", '"vip<NBSP>" has blanks'),
        ("\u3000vip", '"<U+3000>vip" has blanks'),
        ("vip\u200b", '"vip<U+200B>" has blanks'),
        ("\ufeffvip", '"<U+FEFF>vip" has blanks'),
        ("\t", '"␉" has blanks'),
        ("vip\r\n", '"vip␤" ends with a line break; write |-'),
        ("a\x00b", "U+0000"),
        ("a\x1b[31mb", "U+001B"),
        ("a\x7fb", "U+007F"),
        ("a\x85b", "U+0085"),
        ("a\u2028b", "U+2028"),
        ("a\ud800b", "U+D800"),
        ("a\rb", "U+000D"),
        ("***", "is a mask"),
        ("***#1a2b3c4d", "is a mask"),
        ("h***@serenity.example", "is a mask"),
        ("h***@serenity.example#1a2b3c4d", "is a mask"),
        ("his-boss-is:m***@serenity.example", 'holds "m***@serenity.example'),
    ],
)
@pytest.mark.parametrize("field", ["text", "name", "email"])
def test_what_nobody_can_mean_is_refused_and_shown(field: str, written: str, part: str) -> None:
    sentence = refusal(field, written)
    assert part in sentence
    assert "; " in sentence
    assert sentence.isprintable()


@pytest.mark.parametrize("written", ["***", "h***@serenity.example", "the boss: h***@serenity.example"])
def test_a_mask_is_no_name_of_what_is_meant_by_its_id_either(written: str) -> None:
    with pytest.raises(ValueError, match="a mask that a report shows"):
        parse_live_name(written)


def test_lines_and_tabs_stand_in_texts_but_not_in_names() -> None:
    assert entry(text="one\r\ntwo\tthree").text == "one\ntwo\tthree"
    assert "U+000A" in refusal("name", "one\r\ntwo")
    assert "U+0009" in refusal("name", "one\ttwo")


UNUSUAL = ["two  blanks", "⚒️enhancement", "👨‍👩‍👧", "naïve", "a***b", "/", "..", "#1a2b3c4d", "**", "****"]
STARRED = ["*** VIP *** only", "VIP***@home", "mal*@x", "a ***@b"]


@pytest.mark.parametrize("written", UNUSUAL + STARRED)
def test_unusual_names_are_kept(written: str) -> None:
    assert entry(name=written).name == written


@pytest.mark.parametrize("written", [{}, [], True, 7, 1.5])
def test_only_scalars_of_the_reader_are_texts(written: Any) -> None:
    assert refusal("text", written).endswith("; write a text")


@pytest.mark.parametrize("written", ["hoban", "@serenity.example", "hoban@", "a@b@c", "a b@c", "a@b\u00a0c"])
def test_an_email_has_two_sides_and_no_blanks(written: str) -> None:
    assert "not an e-mail address" in refusal("email", Plain(written))


def test_an_email_is_kept_as_written() -> None:
    assert entry(email=Plain("Kaylee+x@Serenity.example")).email == "Kaylee+x@Serenity.example"


@settings(max_examples=times(30))
@given(st.emails() | st.text())
def test_every_mask_is_known_as_one(text: str) -> None:
    assert is_mask(mask(text))


@settings(max_examples=times(30))
@given(st.emails(), st.text("ab @.\"'(<:/,\n"), st.text("ab @.\"')>:/,\n"))
def test_no_text_that_a_report_masked_can_be_written_back(email: str, before: str, after: str) -> None:
    masked = hide(f"{before} {email} {after}", personal=False)
    with pytest.raises(ValueError, match="a mask that a report shows"):
        refuse_mask(masked)


@pytest.mark.parametrize(
    ("text", "masked"),
    [("hoban@serenity.example", "h***@serenity.example"), ("Hoban", "***"), ("", "***"), ("a@b@c", "***"), ("a b@c", "***")],
)
def test_a_mask_keeps_one_letter_and_the_domain(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    ("written", "meant"),
    [("85", 85), ("-0", 0), ("+7", 7), ("007", 7), ("0o17", 15), ("0x1F", 31), ("1.0", 1), ("1.", 1), ("1e3", 1000), ("12.5e1", 125)],
)
def test_whole_numbers(written: str, meant: int) -> None:
    assert entry(whole=Plain(written)).whole == meant


@given(st.integers(-(10**200), 10**200))
def test_whole_numbers_keep_every_digit(number: int) -> None:
    assert parse_whole(Plain(str(number))) == number
    assert parse_whole(Plain(f"{number}.0")) == number
    assert parse_number(Plain(str(number))) == number


@pytest.mark.parametrize(
    ("written", "part"),
    [
        (Plain("1.5"), "without a fraction"),
        (Plain("1e-3"), "without a fraction"),
        (Plain("true"), "true is not a whole number"),
        (True, "True is not a whole number"),
        (Plain("1_000"), "1_000 is not a whole number"),
        (Plain("１２"), "is not a whole number"),
        (Plain(".inf"), "is not a whole number"),
        (float("inf"), "is not a whole number"),
        (Plain("abc"), "is not a whole number"),
        ([], "a list is not a whole number"),
        ("85", '"85" is a text; remove the quotes'),
        ("abc", 'the text "abc" is not a whole number'),
        (Plain("1e999999999"), "more than 300 digits"),
        (Plain("1e" + "9" * 5000), "more than 300 digits"),
        (Plain("9" * 5000), "more than 300 digits"),
    ],
)
def test_what_is_no_whole_number(written: Any, part: str) -> None:
    assert part in refusal("whole", written)


@pytest.mark.parametrize("written", [Plain("true"), Plain("True"), Plain("TRUE"), True])
def test_true(written: Any) -> None:
    assert entry(flag=written).flag is True


@pytest.mark.parametrize("written", [Plain("false"), Plain("False"), Plain("FALSE"), False])
def test_false(written: Any) -> None:
    assert entry(flag=written).flag is False


@pytest.mark.parametrize("written", ["yes", "no", "on", "off", "Yes", "NO", "y", "n"])
def test_the_old_words_for_flags_are_refused(written: str) -> None:
    assert refusal("flag", Plain(written)) == f"{written} is a word, not a flag; write true or false"


@pytest.mark.parametrize("written", ["true", "yes", Plain("1"), 1, Plain("tRUE"), [], {}])
def test_what_is_no_flag(written: Any) -> None:
    assert refusal("flag", written)


NOON = 1394531358


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2014-03-11T09:49:18Z", NOON),
        ("2014-03-11t09:49:18z", NOON),
        ("2014-03-11 09:49:18", NOON),
        ("2014-03-11T09:49:18.999Z", NOON),
        ("2014-03-11T09:49:18,999999999999Z", NOON),
        ("2014-03-11T11:49:18+02:00", NOON),
        ("2014-03-11 04:49:18 -0500", NOON),
        ("2014-03-11T05:19:18-04:30", NOON),
        ("2014-03-11T09:49Z", NOON - 18),
        ("2014-03-11", 1394496000),
        (str(NOON), NOON),
        (f"{NOON}.999", NOON),
        ("0", 0),
        ("-0", 0),
        ("1969-12-31T23:59:59Z", -1),
        ("1969-12-31T23:59:59.5Z", -1),
        ("0001-01-01T00:00:00+14:00", -62135647200),
        ("9999-12-31T23:59:59-12:00", 253402343999),
    ],
)
@pytest.mark.parametrize("scalar", [Plain, str])
def test_times(scalar: type[str], written: str, meant: int) -> None:
    assert entry(time=scalar(written)).time == meant


@pytest.mark.parametrize(("written", "meant"), [(NOON, NOON), (NOON + 0.9, NOON)])
def test_numbers_are_unix_seconds(written: Any, meant: int) -> None:
    assert entry(time=written).time == meant


@pytest.mark.parametrize(
    ("written", "part"),
    [
        (Plain("1394531169000"), "looks like milliseconds"),
        (Plain("1394531169000.5"), "looks like milliseconds"),
        (Plain("-1394531169000"), "looks like milliseconds"),
        (Plain("100000000000"), "looks like milliseconds"),
        (1394531169000, "looks like milliseconds"),
        (Plain("-1"), "negative"),
        (Plain("-0.5"), "negative"),
        (Plain("20140311"), "write 2014-03-11 if the date is meant"),
        (Plain("2014-02-30"), "is no time"),
        (Plain("2014-13-01"), "is no time"),
        (Plain("2014-03-11T25:00:00Z"), "is no time"),
        (Plain("2014-03-11T09:49.5"), "is no time"),
        (Plain("2014-03-11T09:49:18+24:00"), "is no time"),
        (Plain("2014-03-11T09:49:18+02:60"), "is no time"),
        (Plain("0000-01-01"), "is no time"),
        (Plain("11.03.2014"), "is no time"),
        (Plain("２０１４-03-11"), "is no time"),
        (Plain("2014-03-11\n"), "is no time"),
        (Plain("1e9"), "is no time"),
        ("", "is no time"),
        (True, "write a time like"),
        ([], "is a list"),
        ({}, "is a mapping"),
    ],
)
def test_what_is_no_time(written: Any, part: str) -> None:
    assert part in refusal("time", written)


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), st.integers(-1439, 1439))
def test_a_time_is_the_same_moment_on_every_machine(moment: datetime, minutes: int) -> None:
    moment = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_time(Plain(moment.isoformat())) == (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)


def test_a_numbers_last_second_that_is_no_millisecond() -> None:
    assert parse_time(Plain("99999999999")) == 99999999999


@pytest.mark.parametrize(
    ("data_type", "written", "meant"),
    [
        ("string", Plain("007"), "007"),
        ("string", Plain("no"), "no"),
        ("string", "", ""),
        ("options", Plain("1.10"), "1.10"),
        ("list", Plain("Gold"), "Gold"),
        ("integer", Plain("0"), 0),
        ("integer", Plain("9007199254740993"), 9007199254740993),
        ("float", Plain("1.10"), 1.1),
        ("float", Plain("9007199254740993"), 9007199254740993),
        ("boolean", Plain("false"), False),
        ("date", Plain("2014-03-11"), 1394496000),
        ("datetime", Plain("2014-03-11T09:49:18Z"), NOON),
        ("integer", Plain("~"), None),
        ("string", Plain(""), None),
        ("made_up", None, None),
    ],
)
def test_a_custom_attribute_is_what_its_type_says(data_type: str, written: Any, meant: Scalar) -> None:
    assert same(values.parse_typed(written, data_type), meant)


@pytest.mark.parametrize(
    ("data_type", "written", "part"),
    [
        ("integer", Plain("1.5"), "without a fraction"),
        ("float", Plain("much"), "much is not a number"),
        ("float", Plain("1e999"), "more than 300 digits"),
        ("boolean", Plain("yes"), "write true or false"),
        ("date", Plain("1394531169000"), "milliseconds"),
        ("string", Plain("h***@x.example"), "mask"),
        ("string", ["a"], "is a list"),
        ("relationship", Plain("x"), '"relationship"'),
    ],
)
def test_a_custom_attribute_that_does_not_fit_its_type(data_type: str, written: Any, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        values.parse_typed(written, data_type)


DIFFERENT: list[tuple[Any, Any]] = [(1, True), (0, False), ("", None), ("", 0), ("1", 1), (None, False), ([], {}), ([1, 2], [2, 1])]


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_different_values(a: Any, b: Any) -> None:
    for left, right in ((a, b), (b, a)):
        assert not same(left, right)
        assert not same([left], [right])
        assert not same({"x": [left]}, {"x": [right]})


@pytest.mark.parametrize(("a", "b"), [({"x": 1}, {}), ({"x": None}, {}), ([1], [1, 1]), ({"x": 1}, {"y": 1})])
def test_different_containers(a: Any, b: Any) -> None:
    assert not same(a, b)
    assert not same(b, a)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_values)
def test_a_value_is_the_same_as_its_copy(value: Any) -> None:
    assert same(value, json.loads(json.dumps(value)))


def test_equal_values() -> None:
    assert same({"a": [1, Plain("x")]}, {"a": (1.0, "x")})
    assert not same(2**53 + 1, float(2**53))


@given(st.text())
def test_names_in_any_unicode_form_and_case_are_one(name: str) -> None:
    assert fold(name) == fold(unicodedata.normalize("NFD", name))
    assert fold(fold(name)) == fold(name)
    assert skeleton(name) == skeleton(unicodedata.normalize("NFD", name)) == skeleton(unicodedata.normalize("NFKC", name))
    assert skeleton(skeleton(name)) == skeleton(name) == skeleton(fold(name))


@pytest.mark.parametrize(
    "other",
    ["VIP two", "vip\u00a0two", "vip  two", " vip two\t", "v\u200dip two", "vip\u2003two", "vip t\u00adwo", "vip two\ufe0f", "ｖｉｐ two"]
    + ["vip\u2800two", "vip\u3164two", "vip\u2060 two", "\ufeffvip two", "v\u034fip two", "vip two\U000e0100"],
)
def test_names_that_differ_only_invisibly_coincide(other: str) -> None:
    assert skeleton(other) == skeleton("vip two") == "vip two"
    assert other == "VIP two" or fold(other) != fold("vip two")


def test_emoji_with_and_without_selector_are_near_but_not_one() -> None:
    assert fold("⚒️enhancement") != fold("⚒enhancement")
    assert skeleton("⚒️enhancement") == skeleton("⚒enhancement")
    assert skeleton("vip") != skeleton("v1p")


@given(st.text())
def test_what_is_shown_prints(text: str) -> None:
    assert quote_visibly(text).isprintable()
    assert len(quote_visibly(text)) <= 10 * 60


def test_a_long_text_is_cut_and_its_end_is_seen() -> None:
    assert quote_visibly("x" * 500 + " ").endswith('xx␠"')


def test_editors_are_told_what_can_be_written() -> None:
    schema = Entry.model_json_schema()["properties"]
    assert schema["name"]["type"] == ["string", "number", "boolean"]
    assert schema["flag"]["type"] == "boolean"
    assert schema["whole"]["anyOf"] == [{"type": "integer"}, {"type": "null"}]
    assert schema["time"]["anyOf"][0]["type"] == ["string", "number"]


def test_blanks_are_what_unicode_calls_so_and_what_has_no_width() -> None:
    signs = {char for char in map(chr, range(0x110000)) if trim(char)[0]}
    assert signs == {char for char in map(chr, range(0x110000)) if char.isspace()} | set("\u200b\u2060\ufeff")
    assert trim(" \u200b a  b\t") == (" \u200b ", "a  b", "\t")
    assert trim(" \n") == (" \n", "", "")


@pytest.mark.parametrize("text", [*LIKE_NUMBERS, *NULLS, *ODD])
def test_what_is_proposed_as_yaml_is_read_as_the_very_text(text: str) -> None:
    assert _read_back(text) == (text, text)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_is_proposed_as_yaml_is_read_as_the_very_text(text: str) -> None:
    assert as_yaml(text).isprintable()
    assert _read_back(text) == (text, text)


def _read_back(text: str) -> tuple[str, str]:
    """A proposed text as YAML 1.1, which PyYAML reads, has it: as a value of its own, and inside of a map in one line."""
    (entry,) = yaml.safe_load(f"- {{name: {as_yaml(text)}, state: absent}}")
    return yaml.safe_load(f"renamed_from: {as_yaml(text)}")["renamed_from"], entry["name"]


@pytest.mark.parametrize("text", ["vip", "early birds", "promo-2026", "früh", "a/b+c.d@e_f"])
def test_what_needs_no_quotes_has_none(text: str) -> None:
    assert as_yaml(text) == text


def test_line_breaks_are_written_as_people_write_them() -> None:
    assert as_yaml('a\n\t"b"\\') == r'"a\n\t\"b\"\\"'
