"""`--where`: what it compiles to, what it refuses, and that Intercom's search (the sandbox's) agrees with both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.model.ability import Searched
from reconciler.core.search import query as where
from reconciler.core.search.language import KNOWN, parse
from reconciler.errors import Usage
from reconciler.kinds.contact import CONTACT
from reconciler.sandbox.app import Sandbox
from tests.desk.calling import Caller
from tests.desk.soak import times

CUSTOM = {"seats": "integer", "score": "float", "paid": "boolean", "renewal": "date", "plan": "string", "größe": "string"}
assert CONTACT.search
FIELDS = {**CONTACT.search.fields, **{f"custom_attributes.{name}": Searched(kind) for name, kind in CUSTOM.items()}}


def compile_text(text: str, version: str = "2.16", fields: where.Fields = FIELDS) -> where.Query:
    return where.compile_query(parse(text), fields, version)


def refusal(text: str) -> str | None:
    try:
        compile_text(text)
    except Usage as refused:
        return str(refused)
    return None


def one(field: str, operator: str, value: Any) -> where.Query:
    return {"field": field, "operator": operator, "value": value}


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("role = user", one("role", "=", "user")),
        ("role=user", one("role", "=", "user")),
        ("name = null", one("name", "=", None)),
        ("name != 'null'", one("name", "!=", "null")),
        (r"name = 'O\'Brien'", one("name", "=", "O'Brien")),
        (r'name = "a\\b and \"c\""', one("name", "=", r'a\b and "c"')),
        ("external_id = 007", one("external_id", "=", "007")),
        ("phone ^ +1555", one("phone", "^", "+1555")),
        ("email !~ acme", one("email", "!~", "acme")),
        ("email $ .example", one("email", "$", ".example")),
        ("name ~ ''", one("name", "~", "")),
        ("email in (a@x.example, 'b@x.example')", one("email", "IN", ["a@x.example", "b@x.example"])),
        ("email IN (a, a)", one("email", "IN", ["a"])),
        ("email not-in (a)", one("email", "NIN", ["a"])),
        ("email Not In(a)", one("email", "NIN", ["a"])),
        ("tag_id != 105", one("tag_id", "!=", "105")),
        ("has_hard_bounced = true", one("has_hard_bounced", "=", True)),
        ("has_hard_bounced in (false)", one("has_hard_bounced", "=", False)),
        ("has_hard_bounced not-in (false, False)", one("has_hard_bounced", "!=", False)),
        ("custom_attributes.seats >= 9007199254740993", one("custom_attributes.seats", ">=", 9007199254740993)),
        ("custom_attributes.score < 1.5", one("custom_attributes.score", "<", 1.5)),
        ("custom_attributes.größe = XL", one("custom_attributes.größe", "=", "XL")),
        ('custom_attributes."plan" = pro', one("custom_attributes.plan", "=", "pro")),
        ("'custom_attributes.plan' = pro", one("custom_attributes.plan", "=", "pro")),
        ("created_at > 2020-01-01T09:00:00Z", one("created_at", ">", 1577869200)),
        ("created_at > 2020-01-01T09:00:00+02:00", one("created_at", ">", 1577862000)),
        ("created_at = 2020-01-01", one("created_at", "=", 1577880000)),
        ("created_at < 1577869200", one("created_at", "<", 1577869200)),
        ("(((role = user)))", one("role", "=", "user")),
    ],
)
def test_a_condition_compiles(text: str, query: where.Query) -> None:
    assert compile_text(text) == query


def test_and_binds_closer_than_or() -> None:
    query = compile_text("role = user and name = a OR role = lead")
    assert query == {
        "operator": "OR",
        "value": [{"operator": "AND", "value": [one("role", "=", "user"), one("name", "=", "a")]}, one("role", "=", "lead")],
    }


def test_parentheses_that_change_nothing_vanish() -> None:
    assert compile_text("role = user and (name = a and (phone = b))") == compile_text("role = user and name = a and phone = b")


def test_a_date_is_a_day_of_the_workspaces_calendar() -> None:
    """Midnight UTC would be the day before in New York, and noon UTC the day after in Auckland."""
    asked = parse("created_at = 2025-11-24")
    for name in ("America/New_York", "UTC", "Pacific/Auckland", "Pacific/Kiritimati"):
        value = where.compile_query(asked, FIELDS, calendar=where.Calendar.at(0, ZoneInfo(name)))["value"]
        assert datetime.fromtimestamp(value, ZoneInfo(name)).date().isoformat() == "2025-11-24"


@pytest.mark.parametrize(
    ("zone", "today"), [("America/New_York", "2026-03-08"), ("UTC", "2026-03-09"), ("Pacific/Kiritimati", "2026-03-09")]
)
def test_days_ago_count_from_today_in_the_workspaces_calendar(zone: str, today: str) -> None:
    """At 02:30 UTC it is still the day before in New York, where clocks moved that night."""
    calendar = where.Calendar.at(datetime(2026, 3, 9, 2, 30, tzinfo=UTC).timestamp(), ZoneInfo(zone))
    for days in (0, 1, 90, 9999):
        for text in (f"{days}d ago", f"{days}D  AGO"):
            value = where.compile_query(parse(f"last_seen_at < {text}"), FIELDS, calendar=calendar)["value"]
            assert datetime.fromtimestamp(value, ZoneInfo(zone)).date() == date.fromisoformat(today) - timedelta(days=days)


def test_days_ago_are_said() -> None:
    calendar = where.Calendar.at(1_764_000_000, UTC)
    said = where.explain_days(parse("last_seen_at < 90d ago and (created_at > 7d ago or created_at > 2020-01-01)"), calendar, "UTC")
    assert said.endswith("> begins with the day after; 7d ago is 2025-11-17; 90d ago is 2025-08-26")


def test_what_looks_like_days_is_a_text_elsewhere() -> None:
    assert compile_text("name = 90d") == one("name", "=", "90d")
    assert compile_text("name = '90d ago'") == one("name", "=", "90d ago")
    assert compile_text("name = 90d and name = b") == compile_text("name = '90d' and name = b")
    assert compile_text("custom_attributes.x < 9d ago", fields={"custom_attributes.x": Searched("")})


def test_a_chain_that_is_too_long_is_split() -> None:
    query = compile_text(" and ".join(f"name !~ x{n}" for n in range(31)))
    assert [len(part.get("value")) for part in query["value"][:2]] == [15, 15]
    assert query["value"][2] == one("name", "!~", "x30")
    assert len(compile_text(" or ".join(f"name = x{n}" for n in range(225)))["value"]) == 15


def test_groups_in_a_long_chain_stay_whole() -> None:
    text = " and ".join([*(f"name !~ x{n}" for n in range(20)), *(f"(role = user or name = y{n})" for n in range(13))])
    query = compile_text(text)
    assert sorted((part["operator"], len(part["value"])) for part in query["value"]) == [("AND", 5), ("AND", 15), *[("OR", 2)] * 13]
    assert sum(len(part["value"]) for part in query["value"]) == 20 + 26


OR_16 = " or ".join(f"name = x{n}" for n in range(16))


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "expected a field"),
        ("   ", 4, "found the end"),
        ("and", 1, "expected a field"),
        ("role", 5, "expected an operator"),
        ("role user", 6, "expected an operator"),
        ("role == user", 6, 'found "=="'),
        ("role <> user", 6, 'found "<>"'),
        ("role like user", 6, "write one of"),
        ("role =", 7, "expected a value"),
        ("role = and", 8, "expected a value"),
        ("role = user and", 16, "expected a field"),
        ("role = user name = a", 13, "expected `and`, `or` or the end"),
        ("name = Hoban Washburn", 14, "quotes"),
        ("name = it's", 10, "expected `and`"),
        ("name = 'it", 8, "not closed"),
        ("(role = user", 1, "not closed"),
        ("role = user)", 12, "expected `and`"),
        ("role = (user)", 8, "only after in"),
        ("role in user", 9, "a list like (a, b)"),
        ("role in ()", 10, "expected a value"),
        ("role in (user", 14, "expected `,` or `)`"),
        ("role in (user lead)", 15, "expected `,` or `)`"),
        ("not role = user", 5, "expected an operator"),
        ("(" * 60 + "role = user" + ")" * 60, 51, "parentheses"),
        ("emial = a", 1, 'did you mean "email"'),
        ("company_id = 6", 1, "no field"),
        ("custom_attributes.seat = 6", 1, 'did you mean "custom_attributes.seats"'),
        ("created_at >= 2020-01-01", 12, "only = < >; write > and the day before"),
        ("created_at != 2020-01-01", 12, "only = < >"),
        ("role = user and created_at in (2020-01-01)", 28, "write = once for each"),
        ("custom_attributes.renewal <= 2020-01-01", 27, "write < and the day after"),
        ("tag_id in (1)", 8, "only = !="),
        ("tag_id = vip", 10, "get tags"),
        ("email < a", 7, "is a string"),
        ("has_hard_bounced ~ true", 18, "is a boolean"),
        ("has_hard_bounced = yes", 20, "true or false"),
        ("has_hard_bounced in (true, false)", 22, "leave this condition out"),
        ("custom_attributes.seats = many", 27, "not a whole number"),
        ("custom_attributes.seats = 1.5", 27, "fraction"),
        ("custom_attributes.seats = '3'", 27, "remove the quotes"),
        ("created_at > yesterday", 14, "no time"),
        ("created_at > 2020-02-30", 14, "no time"),
        ("created_at > 1577869200000", 14, "milliseconds"),
        ("created_at > 90d", 14, "no time"),
        ("created_at > 90 d ago", 17, "expected `and`"),
        ("created_at > 10000d ago", 21, "expected `and`"),
        ("created_at > 90d agony", 18, "expected `and`"),
        ("created_at >= 90d ago", 12, "only = < >"),
        ("name = 90d ago", 8, "is a day, and this is no date; put quotes"),
        ("custom_attributes.seats < 9d ago", 27, "is a day"),
        ("created_at = null", 14, "null cannot"),
        ("email ~ null", 9, "only after = and !="),
        ("role = admin", 8, "user or lead"),
        ("role in (user, admin)", 16, "user or lead"),
        ("email = h***@serenity.example", 9, "mask"),
        ("name = '\ud800'", 8, "no text"),
        ("role = user and (name = a or (name = b and phone = c))", 31, "levels"),
        (f"role = user and ({OR_16})", 18, "write name in"),
        (" and ".join(f"name !~ x{n}" for n in range(226)), 1, "takes 225 here"),
        (" and ".join(f"(role = user or name = y{n})" for n in range(16)), 2, "takes 15 here"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence_with_the_column(text: str, column: int, words: str) -> None:
    with pytest.raises(Usage) as refused:
        compile_text(text)
    said = str(refused.value)
    assert said.startswith(f"--where, column {column}: ")
    assert words in said
    assert "\n" not in said
    assert refused.value.exit_code == 64


def test_a_field_of_a_later_version_is_refused_before() -> None:
    assert compile_text("formatted_phone ^ +1") == one("formatted_phone", "^", "+1")
    with pytest.raises(Usage, match=r"from version 2\.16 on"):
        compile_text("formatted_phone ^ +1", "2.15")


def test_a_type_that_nobody_knows_yet_admits_every_operator() -> None:
    unknown = {"custom_attributes.x": Searched("")}
    for operator in ("= 1", ">= 1", "~ 1", "in (1)"):
        assert compile_text(f"custom_attributes.x {operator}", fields=unknown)
    with pytest.raises(Usage, match="of the type"):
        compile_text("custom_attributes.x = 1", fields={"custom_attributes.x": Searched("relationship")})


def test_conditions_about_times_are_known() -> None:
    assert where.asks_for_dates(parse("role = user or (name = a and custom_attributes.renewal = 2020-01-01)"), FIELDS)
    assert not where.asks_for_dates(parse("role = user"), FIELDS)


# ── the sandbox as judge ───────────────────────────────────────────────────────────────────────────────────────────────────
DAYS = [1_577_836_800 + 43_200 * n for n in range(6)]
TEXTS = ["Wash", "wash", "zoe", "Zoë W", "o'neil", 'a "b"', r"back\slash", "and", "null", ""]
CREW: list[dict[str, Any]] = [
    {
        "id": f"c{n:02}",
        "external_id": f"{n:03}",
        "role": "lead" if n % 5 == 4 else "user",
        "email": f"{'Wash' if n % 2 else 'zoe'}{n}@{'acme.com' if n % 3 else 'serenity.example'}",
        "created_at": DAYS[n % 6],
        "has_hard_bounced": n % 4 == 0,
        **({"name": TEXTS[n % len(TEXTS)]} if n % 3 else {}),
        **({"last_seen_at": DAYS[-1 - n % 6]} if n % 2 else {}),
        "custom_attributes": {
            name: value
            for at, (name, value) in enumerate(
                {"seats": n, "score": n / 4, "paid": n % 2 == 0, "renewal": DAYS[n % 6], "plan": TEXTS[n % 3], "größe": "XL"}.items()
            )
            if (n + at) % 3
        },
    }
    for n in range(24)
]


@dataclass(frozen=True)
class Ask:
    """A condition, written without the code under test."""

    field: str
    operator: str
    values: tuple[Any, ...]

    def text(self) -> str:
        words = [_word(value) for value in self.values]
        name = self.field if self.field.isascii() else f"'{self.field}'"
        return f"{name} {self.operator} {'(' + ', '.join(words) + ')' if 'in' in self.operator else words[0]}"

    def query(self) -> dict[str, Any]:
        listed = {"in": "IN", "not-in": "NIN"}.get(self.operator)
        value = list(self.values) if listed else self.values[0]
        return {"field": self.field, "operator": listed or self.operator, "value": value}

    def holds(self, contact: dict[str, Any]) -> bool:
        return _HOLDS[FIELDS[self.field].type](_value(contact, self.field), self.operator, self.values)


@dataclass(frozen=True)
class All:
    """Several, joined by and, or by or."""

    joint: str
    parts: tuple[Ask | All, ...]

    def text(self) -> str:
        return f" {self.joint} ".join(f"({part.text()})" if isinstance(part, All) else part.text() for part in self.parts)

    def query(self) -> dict[str, Any]:
        return {"operator": self.joint.upper(), "value": [part.query() for part in self.parts]}

    def holds(self, contact: dict[str, Any]) -> bool:
        return (all if self.joint == "and" else any)(part.holds(contact) for part in self.parts)


def _word(value: Any) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return {None: "null", True: "true", False: "false"}.get(value, str(value)) if value is None or isinstance(value, bool) else str(value)


def _value(contact: dict[str, Any], field: str) -> Any:
    if field.startswith("custom_attributes."):
        return contact["custom_attributes"].get(field.partition(".")[2])
    if field == "email_domain":
        return contact["email"].partition("@")[2]
    return contact.get(field)


def _text_holds(value: str | None, operator: str, values: Sequence[Any]) -> bool:
    first, low = values[0], (value or "").lower()
    if first is None:
        return (value is None) == (operator == "=")
    tests: dict[str, Callable[[], bool]] = {
        "=": lambda: value == first,
        "in": lambda: value in values,
        "~": lambda: first.lower() in low,
        "^": lambda: low.startswith(first.lower()),
        "$": lambda: low.endswith(first.lower()),
    }
    positive = {"!=": "=", "not-in": "in", "!~": "~"}.get(operator)
    if positive:
        return value is None or not tests[positive]()
    return value is not None and tests[operator]()


def _count_holds(value: Any, operator: str, values: Sequence[Any]) -> bool:
    first = values[0]
    if operator in ("=", "in"):
        return value in values
    if operator in ("!=", "not-in"):
        return value not in values
    return value is not None and {"<": value < first, ">": value > first, "<=": value <= first, ">=": value >= first}[operator]


def _day(at: int) -> Any:
    return datetime.fromtimestamp(at, UTC).date()


def _time_holds(value: int | None, operator: str, values: Sequence[Any]) -> bool:
    if value is None:
        return False
    day = _day(values[0])
    return bool({"=": _day(value) == day, "<": _day(value) < day, ">": _day(value) > day}[operator])


_HOLDS: dict[str, Callable[[Any, str, Sequence[Any]], bool]] = {
    "string": _text_holds,
    "integer": _count_holds,
    "float": _count_holds,
    "boolean": _count_holds,
    "date": _time_holds,
}
NAMES = ["name", "email", "email_domain", "external_id", "id", "role", "created_at", "last_seen_at", "has_hard_bounced"]
NAMES += [f"custom_attributes.{name}" for name in CUSTOM]
POOLS: dict[str, st.SearchStrategy[Any]] = {
    "string": st.sampled_from([*TEXTS, "003", "c04", "acme.com", "ACME", "zoe0@serenity.example", "W", "XL"])
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=3),
    "integer": st.integers(-3, 30) | st.just(9007199254740993),
    "float": st.sampled_from([0, 0.25, 2, 3.5, 99.75]),
    "boolean": st.booleans(),
    "date": st.sampled_from([*DAYS, DAYS[0] - 86_400]),
}


@st.composite
def asks(draw: st.DrawFn) -> Ask:
    field = draw(st.sampled_from(NAMES))
    known = FIELDS[field]
    operator = draw(st.sampled_from(where.OPERATORS[known.type]))
    values = st.sampled_from(known.values) if known.values and operator in ("=", "!=", "in", "not-in") else POOLS[known.type]
    if operator in ("in", "not-in"):
        most = 1 if known.type == "boolean" else 4
        return Ask(field, operator, tuple(draw(st.lists(values, min_size=1, max_size=most))))
    if operator in ("=", "!=") and known.type in ("string", "integer", "float"):
        values = values | st.none()
    return Ask(field, operator, (draw(values),))


def _groups(joint: str, parts: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[All]:
    return st.lists(parts, min_size=2, max_size=most).map(lambda value: All(joint, tuple(value)))


LONG = st.lists(asks(), min_size=16, max_size=40).map(lambda value: All("and", tuple(value)))
ANY = st.lists(asks(), min_size=16, max_size=40).map(lambda value: All("or", tuple(value)))
TREES = (
    asks()
    | _groups("and", asks() | _groups("or", asks(), 4), 4)
    | _groups("or", asks() | _groups("and", asks(), 4), 4)
    | _groups("and", asks() | _groups("and", asks(), 3), 3)
    | LONG
    | ANY
)


@pytest.fixture(scope="module")
def search() -> Iterator[Callable[[dict[str, Any]], Any]]:
    attributes = [{"name": name, "model": "contact", "data_type": kind} for name, kind in CUSTOM.items()]
    with Sandbox(now=lambda: 1_764_000_000.0) as box:
        box.seed({"attributes": attributes, "contacts": CREW})
        call = Caller(box, version="2.15")
        yield lambda query: call("POST", "/contacts/search", {"query": query, "pagination": {"per_page": 150}})


@settings(max_examples=times(150))
@given(TREES)
def test_what_compiles_is_accepted_and_finds_what_a_plain_filter_finds(search: Callable[[dict[str, Any]], Any], asked: Ask | All) -> None:
    answered = search(compile_text(asked.text(), "2.15"))
    assert answered.status == 200, answered.raw
    assert {found["id"] for found in answered.json["data"]} == {contact["id"] for contact in CREW if asked.holds(contact)}


def _wrong_operators(field: str) -> list[str]:
    return [operator for operator in KNOWN if operator not in where.OPERATORS[FIELDS[field].type]]


WRONG_OPERATOR = st.sampled_from([n for n in [*NAMES, "tag_id"] if _wrong_operators(n)]).flatmap(
    lambda name: st.sampled_from(_wrong_operators(name)).map(lambda operator: Ask(name, operator, ("1",)))
)
WRONG_FIELD = st.sampled_from(["company_id", "emial", "custom_attributes.nope", "custom_attributes", "custom_attributes.", "tags"]).map(
    lambda name: Ask(name, "=", ("1",))
)
WRONG_LATER = st.just(Ask("formatted_phone", "=", ("1",)))
WRONG = WRONG_OPERATOR | WRONG_FIELD | WRONG_LATER
TOO_DEEP = _groups("or", asks(), 3).flatmap(
    lambda inner: asks().map(lambda ask: All("or", (ask, All("and", (ask, All("or", (ask, *inner.parts)))))))
)
TOO_WIDE = st.lists(asks(), min_size=16, max_size=20).flatmap(
    lambda value: asks().map(lambda ask: All("and", (ask, All("or", tuple(value)))))
)


@settings(max_examples=times(100))
@given(WRONG | _groups("and", asks(), 3).flatmap(lambda g: WRONG.map(lambda w: All("and", (*g.parts, w)))) | TOO_DEEP | TOO_WIDE)
def test_what_is_refused_would_be_refused_there_too(search: Callable[[dict[str, Any]], Any], asked: Ask | All) -> None:
    with pytest.raises(Usage, match=r"^--where, column [0-9]+: "):
        compile_text(asked.text(), "2.15")
    assert search(asked.query()).status == 400


@settings(max_examples=times(300))
@given(st.text(st.sampled_from("()'\"\\ ,=!<>~^$aorndi5-.é\n") | st.characters(), max_size=30))
def test_any_text_compiles_or_is_refused_in_one_sentence(text: str) -> None:
    said = refusal(text)
    assert said is None or (said.startswith("--where, column ") and "\n" not in said)
