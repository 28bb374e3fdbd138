"""CODEOWNERS as GitHub reads it, and what of it is ours."""

from __future__ import annotations

import pytest

from reconciler.manifest.codeowners import BEGIN, END, find_owners, read_teams, write_owners

FILES = {"intercom/tags.yaml": {"support", "growth"}, "intercom/more tags.yaml": {"@zoe"}}
TEAMS = {"growth": "@acme/growth", "support": "@acme/support", "nobody": "@acme/none"}


def test_the_lines_stand_between_marks_and_all_else_stays() -> None:
    text = "* @acme/all\n"
    written = write_owners(text, FILES, TEAMS)
    assert written == (
        f"* @acme/all\n\n{BEGIN}\n#   growth = @acme/growth\n#   support = @acme/support\n"
        f"/intercom/more\\ tags.yaml @zoe\n/intercom/tags.yaml @acme/growth @acme/support\n{END}\n"
    )
    assert read_teams(written) == {"growth": "@acme/growth", "support": "@acme/support"}
    later = written + "/docs @acme/writers\n"
    assert write_owners(later, FILES, read_teams(later)) == later
    assert write_owners(later, {}, {}) == "* @acme/all\n\n/docs @acme/writers\n"
    assert find_owners(later, "intercom/more tags.yaml") == ("@zoe",)


RULES = (
    ("*", "a/b.yaml", True),
    ("*.yaml", "a/b.yaml", True),
    ("*.yaml", "a/b.csv", False),
    ("/a", "a/b.yaml", True),
    ("/a/", "a/b/c.yaml", True),
    ("a/", "x/a/c.yaml", True),
    ("/b", "a/b", False),
    ("b.yaml", "a/b.yaml", True),
    ("a/b.yaml", "x/a/b.yaml", False),
    ("/a/*", "a/b.yaml", True),
    ("/a/*", "a/b/c.yaml", False),
    ("/a/**", "a/b/c.yaml", True),
    ("**/c.yaml", "a/b/c.yaml", True),
    ("/a/**/c.yaml", "a/c.yaml", True),
    ("/a?.yaml", "ab.yaml", True),
    ("/a.yaml", "abyaml", False),
    ("[Section]", "Section", False),
)


@pytest.mark.parametrize(("pattern", "file", "owned"), RULES)
def test_a_pattern_is_about_a_file(pattern: str, file: str, owned: bool) -> None:
    assert find_owners(f"{pattern} @a b@c.example # why\n", file) == (("@a", "b@c.example") if owned else ())


def test_the_last_line_that_matches_counts_also_where_it_names_nobody() -> None:
    assert find_owners("* @a\n/x/ @b\n", "x/y") == ("@b",)
    assert find_owners("* @a\n/x/\n", "x/y") == ()
    assert find_owners("# * @a\n\n", "x/y") == ()
