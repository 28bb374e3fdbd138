"""However long a manifest is, and whatever is wrong with it: reading and reporting are linear, and nobody is told a million sentences."""

from __future__ import annotations

import itertools
import string
import sys
import unicodedata
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.core.model.spelling import fold, skeleton, spell
from reconciler.errors import Invalid
from reconciler.manifest.read import read_manifest
from reconciler.manifest.reader import Document, Events, read, read_far


def list_problems(folder: Path, text: str) -> list[str]:
    path = folder / "a.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Invalid) as refused:
        read_manifest([str(path)])
    return str(refused.value).replace(f"{folder}/", "").splitlines()


def steps(work: Callable[[], object]) -> int:
    """How many lines of Python are run, the turns of a loop on one line counted one by one."""
    count = 0

    def trace(frame: Any, event: str, arg: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


LONG: dict[str, Callable[[int], str]] = {
    "unknown keys of the limits": lambda n: "policy:\n  limits:\n" + "".join(f"    k{i}: 1\n" for i in range(n)),
    "unknown keys": lambda n: "".join(f"k{i}: 1\n" for i in range(n)),
    "unknown keys of one entry": lambda n: "tags:\n- name: vip\n" + "".join(f"  k{i}: 1\n" for i in range(n)),
    "one key again and again": lambda n: "name: x\n" * n,
    "every key twice": lambda n: "".join(f"k{i}: 1\n" for i in range(n)) * 2,
    "one entry again and again": lambda n: "tags:\n" + "- vip\n" * n,
    "one typo in every entry": lambda n: "contacts:\n" + "".join(f"- {{external_id: u{i}, emial: x}}\n" for i in range(n)),
    "nobody declared these": lambda n: "contacts:\n" + "".join(f"- {{external_id: u{i}, tags: [t{i}]}}\n" for i in range(n)),
}


@pytest.mark.parametrize("what", LONG)
def test_twice_as_long_is_no_more_than_twice_the_work(what: str, tmp_path: Path) -> None:
    some, twice = (steps(partial(list_problems, tmp_path, LONG[what](n))) for n in (100, 200))
    assert twice < 2.3 * some


def test_to_read_every_key_twice_is_no_more_than_twice_the_work_of_half_as_many() -> None:
    some, twice = (steps(partial(read_far, LONG["every key twice"](n).encode(), "a.yaml")) for n in (100, 200))
    assert twice < 2.3 * some


class Counted(str):
    """A key that counts how often one is compared with another."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


class Counting:
    """A parser whose scalars are counted."""

    def __init__(self, data: bytes) -> None:
        self.inner: Events = yaml.SafeLoader(data)

    def get_event(self) -> yaml.Event:
        event = self.inner.get_event()
        if isinstance(event, yaml.ScalarEvent):
            event.value = Counted(event.value)
        return event


def comparisons(n: int, then: Callable[[Document], object]) -> int:
    Counted.compared = 0
    parser: Callable[[bytes], Events] = Counting
    document, _ = read_far(("".join(f"k{i}: 1\n" for i in range(n)) * 2).encode(), "a.yaml", parser)
    assert document
    then(document)
    return Counted.compared


@pytest.mark.parametrize("then", [lambda document: None, lambda document: [document.marks.of((key,)) for key in document.value]])
def test_no_key_is_compared_with_all_others(then: Callable[[Document], object]) -> None:
    assert comparisons(200, then) < 2.5 * comparisons(100, then)


@pytest.mark.parametrize("form", [fold, skeleton, spell])
@pytest.mark.parametrize("marks", ["\u0301", "\u0316\u0301"])
def test_a_heap_of_combining_marks_is_never_brought_into_order_as_one(form: Callable[[str], str], marks: str) -> None:
    # To bring one run into its order takes the square of its length.
    heaps = "".join("m" if unicodedata.combining(char) else " " for char in form("x" + marks * 20_000)).split()
    assert max(map(len, heaps)) <= 30


def test_marks_that_a_language_writes_are_compared_as_ever() -> None:
    written = "Tiếng Việt, " * 5
    assert fold(unicodedata.normalize("NFD", written)) == unicodedata.normalize("NFC", written.casefold())


def test_the_same_mistake_in_many_places_is_one_sentence(tmp_path: Path) -> None:
    text = "tags: [{nmae: a}]\ncontacts:\n" + "".join(f"- {{external_id: u{n}, emial: x}}\n" for n in range(1200))
    assert list_problems(tmp_path, text) == [
        "a.yaml:1:8: `name` is missing; write it",
        "a.yaml:1:9: unknown key 'nmae'; did you mean name?",
        "a.yaml:3:21: unknown key 'emial'; did you mean email? (in 1,200 places, also at a.yaml:4:21, a.yaml:5:21)",
        "1,202 problems in all; `reconciler validate --full PATH` lists each",
    ]


def test_a_former_name_in_many_places_is_one_sentence_that_names_the_rename(tmp_path: Path) -> None:
    contacts = "".join(f"- {{external_id: u{n}, tags: [{'Beta' if n % 2 else 'beta'}]}}\n" for n in range(5000))
    assert list_problems(tmp_path, "tags: [{name: beta-2026, renamed_from: Beta}]\ncontacts:\n" + contacts) == [
        "a.yaml:3:28: tag 'Beta' was renamed to 'beta-2026' at a.yaml:1:8 (in 5,000 places, also at a.yaml:4:28, a.yaml:5:28); "
        "write 'beta-2026', or allow former names with `policy: {former_names: accept}`",
        "5,000 problems in all; `reconciler validate --full PATH` lists each",
    ]


# Each is one mistake, made often: what differs is a name, a value, a place.
ALIKE = {
    "a blank": ("tags:\n", "- 'promo{n} '\n", 'name: "promo0␠" has blanks at its ends; remove them'),
    "a value": ("companies:\n", "- {{company_id: c{n}, size: much{n}}}\n", "size: much0 is not a whole number"),
    "a double": ("companies:\n", "- {{company_id: '{n}'}}\n" * 2, "company/0 is already declared"),
    "a name": ("tags: [vip]\ncontacts:\n", "- {{external_id: c{n}, tags: [other{n}]}}\n", "tag 'other0' is not declared"),
    "a key twice": ("tags:\n", "- {{name: t{n}, owner: a, owner: b}}\n", 'the key "owner" is already on line 2'),
}


@pytest.mark.parametrize(("head", "entry", "what"), ALIKE.values(), ids=ALIKE)
def test_mistakes_that_are_alike_are_one_sentence(head: str, entry: str, what: str, tmp_path: Path) -> None:
    one, all_of_them = list_problems(tmp_path, head + "".join(entry.format(n=n) for n in range(40)))
    assert what in one
    assert "(and 39 more like it, also at a.yaml:" in one
    assert all_of_them.startswith("40 problems in all; ")


def test_names_with_blanks_that_are_declared_twice_are_one_sentence(tmp_path: Path) -> None:
    names = [f"in {one}{two} beta" for one in "abcdef" for two in "ghijkl"]
    one, all_of_them = list_problems(tmp_path, "tags:\n" + "".join(f"- {name}\n" for name in names * 2))
    assert "tag/in ag beta is already declared at a.yaml:2:3 (and 35 more like it, also at a.yaml:" in one
    assert all_of_them.startswith("36 problems in all; ")


def test_what_stands_in_the_most_places_is_told_beside_what_is_alike(tmp_path: Path) -> None:
    contacts = [f"- {{external_id: u{n}, tags: [{'' if n % 4 else 'vip, '}t{n}]}}\n" for n in range(40)]
    first, second, _ = list_problems(tmp_path, "tags: []\ncontacts:\n" + "".join(contacts))
    assert "tag 'vip' is not declared (in 10 places, also at" in first
    assert "tag 't0' is not declared (and 39 more like it, also at" in second


def test_ten_mistakes_that_are_alike_are_told_one_by_one(tmp_path: Path) -> None:
    assert len(list_problems(tmp_path, "tags:\n" + "".join(f"- 'promo{n} '\n" for n in range(10)))) == 10


def test_the_same_mistake_in_three_places_is_three_lines(tmp_path: Path) -> None:
    assert [line.partition(": ")[0] for line in list_problems(tmp_path, "tags: [a, a, a, a]\n")] == [
        "a.yaml:1:11",
        "a.yaml:1:14",
        "a.yaml:1:17",
    ]


def test_no_more_problems_are_told_than_anybody_reads(tmp_path: Path) -> None:
    names = ["".join(pair) for pair in itertools.product(string.ascii_lowercase[:13], repeat=2)]
    attributes = "".join(f"- {{name: {name}, model: contact, data_type: integer}}\n" for name in names)
    values = "".join(f"    {name}: x\n" for name in names)
    *first, last = list_problems(tmp_path, f"attributes:\n{attributes}contacts:\n- external_id: u\n  custom_attributes:\n{values}")
    assert len(first) == 100
    assert first[-1].startswith("a.yaml:273:5: hi: x is not a whole number")
    assert last == "169 problems in all; `reconciler validate --full PATH` lists each"


def test_what_is_wrong_may_be_long_and_its_sentence_is_not(tmp_path: Path) -> None:
    key, long = "k" * 1000, "x" * 50_000
    policy = f"policy: {{limits: {{creates: {long}, {key}: 1}}, links: {long}}}"
    text = f"{key}: 1\n{policy}\ncontacts: [{{external_id: '1', tags: [{long}]}}]\n"
    lines = list_problems(tmp_path, text)
    assert len(lines) == 5
    assert max(map(len, lines)) < 300


NESTED = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 30))
BOMBS = {
    "aliases of aliases": f"l0: &l0 [{', '.join('x' * 10)}]\n{NESTED}",
    "one long list in every entry": f"tags: &all [{', '.join(f't{n}' for n in range(2000))}]\ncontacts:\n"
    + "".join(f"- {{external_id: u{n}, tags: *all}}\n" for n in range(50)),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_aliases_stand_for_no_more_than_ten_times_the_file(bomb: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(BOMBS[bomb].encode(), "a.yaml")
    (problem,) = refused.value.problems
    assert problem.what.startswith("with its aliases written out")


def test_a_thousand_contacts_may_share_thirty_tags() -> None:
    tags = ", ".join(f"t{n}" for n in range(30))
    text = f"tags: &all [{tags}]\ncontacts:\n" + "".join(f"- {{external_id: u{n}, tags: *all}}\n" for n in range(1000))
    assert len(read(text.encode(), "a.yaml").value["contacts"][999]["tags"]) == 30


def test_a_key_that_stands_twice_spoils_nothing_else(tmp_path: Path) -> None:
    """Whatever stands behind it: a map, an alias, a merge; the lines of what follows are right and no marker of ours is shown."""
    text = (
        "tags: [&t vip]\ncompanies:\n- company_id: '6'\n"
        "  custom_attributes: {a: 1, a: {x: 1}, b: *t, b: *t, <<: *t, <<: 2, c: [1]}\n  size: big\n"
    )
    assert list_problems(tmp_path, text) == [
        "a.yaml:4:3: custom_attributes: c is a list; write one value",
        'a.yaml:4:29: the key "a" is already on line 4; keep one of them',
        'a.yaml:4:47: the key "b" is already on line 4; keep one of them',
        "a.yaml:4:54: merge keys (<<) are not read; write the keys out, or use an alias as the whole value, like tags: *base",
        "a.yaml:4:62: merge keys (<<) are not read; write the keys out, or use an alias as the whole value, like tags: *base",
        "a.yaml:5:3: size: big is not a whole number; write a whole number without quotes, like 85",
    ]
