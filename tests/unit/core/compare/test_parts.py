"""Parts of a kind that can be listed by what its things have: which are worth a look, before and after anybody knows how large they are."""

from __future__ import annotations

from reconciler.core.compare.reads import Head, How, KindView, Part, choose_parts
from reconciler.core.model.question import Way
from reconciler.core.model.route import Listing

LISTING = Listing("GET /companies?tag_id={id}", style="pages", per_page=60)


def part(*keys: int) -> Part:
    return Part("tags", "by tag", LISTING, {("company_id", str(n)) for n in keys})


def choose(view: KindView, number: int, most: int | None = None) -> tuple[list[str], Way | None]:
    ids, way = choose_parts("company_id", [str(n) for n in range(number)], view, number if most is None else most)
    return list(ids), way


def test_at_most_a_tenth_of_the_calls_is_spent_on_asking_how_many_have_something_the_largest_parts_first() -> None:
    view = KindView(parts={f"t{n:02}": part(*range(4 * n, 4 * n + (6 if n == 7 else 4))) for n in range(20)})
    ids, way = choose(view, 80)
    assert (ids[0], len(ids)) == ("t07", 8)
    assert way == Way("by tag", 8 + 80 - sum(len(view.parts[one].names) for one in ids), least=True)
    assert choose(view, 80, 9) == ([], None)


def test_who_is_in_two_parts_counts_for_the_larger_one() -> None:
    view = KindView(parts={"t1": part(*range(30)), "t2": part(*range(28, 32)), "t3": part(28, 29)})
    assert choose(view, 40) == (["t1", "t2"], Way("by tag", 2 + 8, least=True))


def test_a_part_whose_size_is_known_is_read_on_where_that_is_fewer_pages_than_it_may_show() -> None:
    view = KindView(parts={"t1": part(*range(10))}, heads={"t1": Head(200, ["a"] * 60)})
    assert choose(view, 20) == (["t1"], Way("by tag", 3 + 10))
    assert choose(view, 3) == ([], None)
    view.note_keys(How.PART, "tags", ["t1"])
    assert choose(view, 20) == ([], None)


def test_a_part_that_showed_all_it_has_is_not_read_again() -> None:
    assert choose(KindView(parts={"t1": part(*range(10))}, heads={"t1": Head(2, ["a", "b"])}), 20) == ([], None)
