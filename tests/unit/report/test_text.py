"""The text report: what people read before they say yes."""

from __future__ import annotations

import re
import string

from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.model.change import Action
from reconciler.core.plan.schema import FieldDocument
from reconciler.report import Way, markdown, text
from reconciler.report.signs import SIGNS, cells
from tests.unit.report.plans import a_change, a_field, a_note, a_plan

EVERY_ACTION = a_plan(
    a_change("create", "tag/vip", a_field("name", None, "vip"), line=8),
    a_change("create", "contact/31", a_field("role", None, "user"), line=30, **{"or": "unarchive"}),
    a_change("unarchive", "contact/h***@serenity.example#1a2b3c4d", line=33, people=1),
    a_change("rename", "tag/beta-2026", a_field("name", "Beta", "beta-2026"), line=9, people=12),
    a_change("update", "company/6", a_field("size", 80, 85), a_field("plan", None, "7"), line=14),
    a_change("update", "contact/25", a_field("phone", "***", "***"), line=20, people=1),
    a_change("attach", "contact/25", target="tag/vip", line=21, people=1),
    a_change("attach", "contact/26", target="tag/vip", line=22, people=1),
    a_change("detach", "contact/25", target="company/6", line=23, people=1),
    a_change("archive", "contact/27", line=24, people=1),
    a_change("delete", "tag/old-promo", line=10),
    refused=[
        {"gate": "limits.deletes", "message": "12 tags deleted, the limit is 10", "approve": "1a2b3c4d5e6f:9"},
        {"gate": "protect", "message": "growth.yaml:10: this tag is protected", "approve": None},
    ],
    notes=[
        a_note("missing", "contact/99", "not found: skipped", 40),
        a_note("lookalike", "tag/vip", "looks like 'v\u200bip'"),
        a_note("missing", "contact/98", "not found: skipped", 41),
        a_note("something new", None, "said plainly"),
    ],
)

EXPECTED = """\
Plan for workspace ecahpwf5 (us), declared in growth.yaml

takes away (3 changes)
  - delete    tag/old-promo                                 growth.yaml:10
  v archive   contact/27 (1 person)                         growth.yaml:24
  - detach    company/6 from contact/25                     growth.yaml:23

alters (3 changes)
  > rename    tag/beta-2026 (12 people)                     growth.yaml:9
      name: "Beta" → "beta-2026"
  ~ update    company/6                                     growth.yaml:14
      size: 80 → 85
      plan: null → "7"
  ~ update    contact/25 (1 person)                         growth.yaml:20
      phone: changed (hidden)

adds (5 changes)
  ^ unarchive contact/h***@serenity.example#1a2b3c4d (1 person)  growth.yaml:33
  + create    tag/vip                                       growth.yaml:8
  + create (or bring back if archived) contact/31 (role: "user")  growth.yaml:30
  + attach    tag/vip to contact/25                         growth.yaml:21
  + attach    tag/vip to contact/26                         growth.yaml:22

note: not found, left out (2)
    contact/99: not found: skipped                          growth.yaml:40
    contact/98: not found: skipped                          growth.yaml:41

note: names that look alike (1)
    tag/vip: looks like 'v\\u200bip'

note: something new (1)
    said plainly

Cost: 11 calls, less than a second.
REFUSED: apply would write nothing, for 2 reasons
  ! limits.deletes: 12 tags deleted, the limit is 10
      if it is meant: --approve 1a2b3c4d5e6f:9
  ! protect: growth.yaml:10: this tag is protected

Plan: 2 to create, 1 to unarchive, 1 to rename, 2 to update, 2 to attach, 1 to detach, 1 to archive, 1 to delete.
"""

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def test_every_action_has_a_sign_and_its_place() -> None:
    assert text.render(EVERY_ACTION) == EXPECTED
    assert set(SIGNS) == set(Action)


def test_color_adds_nothing_but_color() -> None:
    colored = text.render(EVERY_ACTION, color=True)
    assert "\x1b[32m+ create   \x1b[0m tag/vip" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == EXPECTED


def test_a_known_width_puts_the_source_at_its_end() -> None:
    page = text.render(a_plan(a_change("create", "tag/\U0001f331"), a_change("delete", "tag/b", line=100)), width=50).splitlines()
    assert [cells(line) for line in page if "growth.yaml:" in line] == [50, 50]


def test_wide_names_leave_the_column_where_it_is() -> None:
    names = ("plain", "\U0001f331feature", "\u2692\ufe0fenhancement", "Cafe\u0301", "\ud55c\uae00")
    page = text.render(a_plan(*(a_change("create", f"tag/{name}") for name in names)))
    starts = {cells(line.partition("growth.yaml:")[0]) for line in page.splitlines() if "growth.yaml:" in line}
    assert starts == {60}


def test_nothing_to_do_says_so() -> None:
    assert text.render(a_plan()).endswith("\n\nNo changes. The workspace is as declared.\n")


def test_no_changes_does_not_promise_more_than_was_seen() -> None:
    def last(**more: object) -> str:
        return text.render(a_plan(**more)).splitlines()[-1]  # type: ignore[arg-type]  # any part of a document

    assert last(notes=[a_note("unproven", "contact/1", "not found")]).endswith("as declared, apart from what is noted above.")
    assert last(notes=[a_note("free", "contact/1", "left")]).endswith("as declared.")
    assert last(partial=True) == "No changes in this part of the plan."
    assert last(refused=[{"gate": "missing", "message": "contact/1", "approve": None}]) == "No changes are planned."


def test_a_look_for_drift_says_where_its_approval_goes() -> None:
    refused = [{"gate": "origin", "message": "another repository", "approve": "1a2b3c4d5e6f:0"}]
    drift = {"moved": 0, "pending": 0, "undeclared": 0, "recorded": True, "refused": 1, "blind": True}
    assert "      if it is meant: --approve 1a2b3c4d5e6f:0\n" in text.render(a_plan(refused=refused))
    assert "      if it is meant: plan and apply take --approve 1a2b3c4d5e6f:0\n" in text.render(a_plan(refused=refused, drift=drift))


def test_a_partial_plan_says_what_it_is_limited_to() -> None:
    page = text.render(a_plan(partial=True, scope={"target": ["tag/**"], "exclude": ["tag/x"]}))
    assert "partial plan: --target tag/** --exclude tag/x; the rest is left as it is\n" in page


def test_a_saved_plan_names_fields_without_values() -> None:
    fields = [{"path": path, "before_digest": "00", "cause": None} for path in ("size", "plan")]
    page = text.render({"applicable": True, **a_plan(a_change("update", "company/6", *fields))})
    assert "A saved plan" in page
    assert "      sets size, plan\n" in page


def test_a_cause_is_said_once_where_all_fields_share_it() -> None:
    fields = a_field("size", 1, 2, "config"), a_field("plan", "a", "b", "conflict")
    page = text.render(a_plan(a_change("update", "company/6", *fields, cause="conflict")))
    assert "company/6 (conflict)" in page
    assert "size: 1 → 2 (config)\n" in page
    assert 'plan: "a" → "b"\n' in page


def test_a_long_value_is_cut_where_it_differs() -> None:
    before, after = "x" * 500 + "old" + "y" * 500, "x" * 500 + "new" + "y" * 500
    page = text.render(a_plan(a_change("update", "tag/a", a_field("description", before, after))))
    line = next(line for line in page.splitlines() if "description" in line)
    assert "old" in line
    assert "new" in line
    assert len(line) < 500


def test_zero_false_and_empty_are_shown_as_values() -> None:
    moved = [a_field("a", 0, False), a_field("b", "", None), a_field("c", 2**70, "7")]
    page = text.render(a_plan(a_change("update", "company/6", *moved)))
    assert "a: 0 → false\n" in page
    assert 'b: "" → null\n' in page
    assert f'c: {2**70} → "7"\n' in page


def test_a_topic_shows_twenty_notes_and_counts_the_rest() -> None:
    plan = a_plan(notes=[a_note("missing", f"contact/{letter}", f"{letter} is not found") for letter in string.ascii_letters[:27]])
    page = text.render(plan)
    assert page.count("is not found\n") == 20
    assert "and 7 more (--full lists them)" in page
    assert text.render(plan, Way(full=True)).count("is not found\n") == 27


def test_notes_that_say_the_same_of_many_things_are_one_line_that_full_unfolds() -> None:
    some = [a_note("missing", f"contact/{n}", "not found", line=n) for n in range(1, 7)]
    plan = a_plan(notes=[a_note("missing", "contact/x", "asked for in vain"), *some])
    one, other = "    contact/x: asked for in vain\n", "    contact/1, contact/2, contact/3 and 3 more: not found"
    assert f"note: not found, left out (7) (--full lists them)\n{one}{other}" in text.render(plan)
    assert "- `contact/1, contact/2, contact/3 and 3 more`: not found" in markdown.render(plan)
    full = text.render(plan, Way(full=True))
    assert full.count("contact/") == 7
    assert "--full" not in full
    few = text.render(a_plan(notes=some[:3]))
    assert few.count("    contact/") == 3
    assert "--full" not in few


def test_notes_that_are_alike_are_one_line() -> None:
    page = text.render(a_plan(notes=[a_note("not read", f"tag/t{n}", f"is ours (id {100 + n})") for n in range(11)]))
    assert "    tag/t0: is ours (id 100) (and 10 more like it, as of tag/t1, tag/t2)\n" in page


def test_many_equal_links_are_one_line_that_full_unfolds() -> None:
    vip = [a_change("attach", f"contact/{n}", target="tag/vip", line=n) for n in range(1, 3_443)]
    by_hand = a_change("attach", "contact/9000", target="tag/vip", cause="drift", line=9)
    twin = a_change("attach", "contact/9001", target="tag/vip", remark="called VIP")
    # As many as are told one by one, and a company with the same tag.
    few = (a_change("detach", f"contact/{n}", target="tag/old") for n in range(3))
    plan = a_plan(*vip, by_hand, twin, *few, a_change("attach", "company/6", target="tag/vip"))
    folded, full = text.render(plan), text.render(plan, Way(full=True))
    assert folded.count("\n") < 25
    assert "  + attach    tag/vip to 3,442 contacts                     growth.yaml:1-3442\n" in folded
    assert "      contact/1, contact/2, contact/3 and 3,439 more (--full lists them)\n" in folded
    assert "  + attach    tag/vip to contact/9000 (drift)" in folded
    assert "  + attach    tag/vip to contact/9001 (called VIP)" in folded
    assert "  + attach    tag/vip to company/6" in folded
    assert folded.count("detach    tag/old from contact/") == 3
    assert full.count("+ attach    tag/vip to contact/") == 3_444
    assert "--full" not in full


def test_what_takes_away_stands_first_and_what_nobody_knows_before_it() -> None:
    plan = a_plan(*(a_change(action, f"tag/{action}") for action in (*Action, "obliterate")))
    words = re.findall(r"^  . (\w+) +tag/", text.render(plan), re.MULTILINE)
    assert words == ["obliterate", "delete", "archive", "detach", "rename", "update", "unarchive", "create", "attach"]
    assert text.render(plan).index("takes away (4 changes)") < text.render(plan).index("obliterate")


def test_what_nobody_declares_is_one_line_with_a_count() -> None:
    notes = [a_note("undeclared", f"tag/{n}", "live, but not declared") for n in range(312)]
    page = text.render(a_plan(notes=notes))
    assert "note: live, but not declared (312): tag/0, tag/1, tag/2 and 309 more (--full lists them)\n\n" in page
    assert page.count("tag/") == 3
    assert text.render(a_plan(notes=notes), Way(full=True)).count("tag/") == 312
    # Who put it on somebody last is told of each.
    notes[0] |= {"message": "live, but not declared; last put on somebody by Zoe"}
    assert "by Zoe" in text.render(a_plan(notes=notes))


def test_a_create_with_one_field_is_one_line() -> None:
    def line(*fields: FieldDocument) -> str:
        return text.render(a_plan(a_change("create", "tag/vip", *fields))).split("\n\n")[1].partition("\n")[2]

    assert line(a_field("name", None, "vip")) == "  + create    tag/vip" + " " * 39 + "growth.yaml:1"
    assert line(a_field("name", None, "VIP")) == '  + create    tag/vip (name: "VIP")' + " " * 25 + "growth.yaml:1"
    assert line(a_field("name", None, "vip"), a_field("x", None, 1)).splitlines()[1:] == ['      name: "vip"', "      x: 1"]


def test_only_what_reads_the_same_is_called_hidden() -> None:
    moved = [a_field("a", "***", "***"), a_field("b", True, 1), a_field("c", ["***"], ["***"]), a_field("d", "***", None)]
    page = text.render(a_plan(a_change("update", "contact/1", *moved)))
    assert [line.strip() for line in page.splitlines() if line.startswith("      ")] == [
        "a: changed (hidden)", "b: true → 1", "c: changed (hidden)", "d: *** → null",
    ]  # fmt: skip


def test_a_name_cannot_give_an_order_to_a_terminal_or_a_runner() -> None:
    hostile = "\x1b[2J\r\n::error::x\u202e##[group]y"
    page = text.render(a_plan(a_change("create", f"::set-output/{hostile}"), a_change("attach", f"::warning::/{hostile}", target=hostile)))
    assert r"\x1b[2J\r\n::error::x\u202e#\#[group]y" in page
    assert "##[" not in page
    assert not [line for line in page.splitlines() if line.lstrip().startswith("::")]


def test_twenty_thousand_changes_are_one_line_each_as_they_come() -> None:
    changes = [a_change("attach", f"contact/{n // 4}", target=f"tag/{n}", line=n) for n in range(20_000)]
    lines = text.lines(a_plan(*changes))
    assert next(lines).startswith("Plan for workspace")
    assert sum(1 for _ in lines) > 20_000


@given(st.lists(st.tuples(st.sampled_from(list(Action)), ANY_TEXT, ANY_TEXT), max_size=5), ANY_TEXT)
def test_no_text_breaks_a_line(named: list[tuple[Action, str, str]], other: str) -> None:
    changes = [a_change(action, f"tag/{name}", a_field(other, value, name)) for action, name, value in named]
    note, refusal = a_note("missing", other, other), {"gate": other, "message": other, "approve": other}
    page = text.render(a_plan(*changes, notes=[note], refused=[refusal]))
    assert not CONTROL.search(page)
    assert len(page.split("\n")) == len(list(text.lines(a_plan(*changes, notes=[note], refused=[refusal])))) + 1
    assert len(re.findall(r"growth\.yaml:1$", page, re.MULTILINE)) >= len(changes)
