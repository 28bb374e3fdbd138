"""What an apply says while and after it works."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from reconciler.report.outcomes import Outcome, list_left_out, outcome_line, summary

APPLIED = Outcome("attach", "contact/25", "tag/vip", "applied")
FAILED = Outcome("create", "company/6", None, "failed", "Company size must be a number", "req-1")
SKIPPED = Outcome("detach", "contact/25", "company/6", "skipped", "waits for company/6, which failed")
INEFFECTIVE = Outcome("update", "company/7", None, "ineffective", "the answer does not show: size", "req-2")


def test_a_line_says_what_became_of_what() -> None:
    assert outcome_line(APPLIED) == "applied      + attach    tag/vip to contact/25"
    assert outcome_line(FAILED) == "failed       + create    company/6: Company size must be a number (request id req-1)"


def test_a_line_is_one_line_whatever_intercom_says() -> None:
    line = outcome_line(Outcome("delete", "tag/a", None, "failed", "no\n::error::\x1b[0m", "r\n"))
    assert line == r"failed       - delete    tag/a: no\n::error::\x1b[0m (request id r\n)"


def test_the_summary_lists_what_needs_a_look_and_ends_with_the_counts() -> None:
    assert (
        summary([APPLIED, FAILED, SKIPPED, INEFFECTIVE, Outcome("delete", "tag/a", None, "unchanged")], 12.4)
        == """\
Intercom accepted these calls, but its answers do not show the change (1):
  ~ update    company/7: the answer does not show: size (request id req-2)

These were not tried (1):
  - detach    company/6 from contact/25: waits for company/6, which failed

These failed (1):
  + create    company/6: Company size must be a number (request id req-1)

What was done is recorded. Mend what the messages name, then run again to finish: nothing is done twice.
Apply: 1 applied, 1 ineffective, 1 failed, 1 skipped, 1 already as planned, in about 12 seconds.
"""
    )


def test_a_clean_apply_is_one_line() -> None:
    assert summary([APPLIED], 0.2) == "Apply: 1 applied, 0 ineffective, 0 failed, 0 skipped, in less than a second.\n"
    assert summary([], 0.0) == "Apply: nothing to do.\n"


def test_what_is_ineffective_is_not_sent_to_run_again() -> None:
    assert "Running again will not change" in summary([INEFFECTIVE], 1)


def test_a_long_list_is_cut_and_counted() -> None:
    causes = ["".join(pair) for pair in product("abcdefgh", repeat=2)]
    text = summary([replace(FAILED, reason=cause) for cause in causes], 90)
    assert text.count("req-1") == 50
    assert "  and 14 more\n" in text


def test_what_failed_for_one_reason_is_told_of_three_and_counted() -> None:
    text = summary([replace(FAILED, address=f"contact/{n}") for n in range(70)], 90)
    assert "These failed (70):\n" in text
    assert text.count("req-1") == 3
    assert "  and 67 more like these\n" in text
    left_out = list(list_left_out("Waiting for Intercom", [f"contact/{n}: not visible yet" for n in range(70)]))
    assert left_out[3:] == ["  ! contact/2: not visible yet", "  and 67 more like these", ""]


def test_color_marks_the_status() -> None:
    assert outcome_line(FAILED, color=True).startswith("\x1b[31mfailed     \x1b[0m  \x1b[32m+ create")
