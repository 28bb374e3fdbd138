"""The canonical form of a file: order, brackets, quotes, blank lines, and where comments go."""

from __future__ import annotations

import time

import pytest

from reconciler.manifest.canonical import canonical

UNTIDY = """\
# The taxonomy.
# yaml-language-server: $schema=x.json

# the tags
tags:
- vip     # important
-   {description: "x", name: beta,   owner: growth, protect: true, }
-  # a note
   owner: x
   # why
   name: trial


# before old
- {state: absent, name: old}
  # commented: out
contacts:
    - tags: [vip,
         beta]   # the tags
      external_id: "25"
      # the end of 25
    - {email: 'a@b.c', tags: [
          vip, # first
          # second
          beta
        ], name: X}  # behind
    - name: >
         folded
           deeper
      phone: "+1
        55"
      external_id: "it's"
      companies: [ ]
    - {external_id: "4", custom_attributes: {a_long_name: a long long value, another_long_name: another long value, z: 1, b: 2}, tags: [a]}
nosuch: {b: 1,a: 2}
policy:
  limits: {deletes: 3, creates: 1}
  links: owned
name: growth
# the end
"""
TIDY = """\
# The taxonomy.
# yaml-language-server: $schema=x.json

name: growth
policy:
  links: owned
  limits: {creates: 1, deletes: 3}

# the tags
tags:
  - vip     # important
  - {name: beta, owner: growth, description: 'x', protect: true}
  # a note
  # why
  - name: trial
    owner: x

  # before old
  - {name: old, state: absent}
  # commented: out
contacts:
  - external_id: '25'
    tags: [vip, beta]   # the tags
    # the end of 25
  - email: 'a@b.c'
    name: X  # behind
    tags:
      - vip # first
      # second
      - beta
  - external_id: 'it''s'
    name: >
      folded
        deeper
    phone: "+1
      55"
    companies: []
  - external_id: '4'
    custom_attributes: {a_long_name: a long long value, another_long_name: another long value, z: 1, b: 2}
    tags: [a]
nosuch: {b: 1, a: 2}
# the end
"""


def test_the_whole_of_it() -> None:
    assert canonical(UNTIDY) == TIDY
    assert canonical(TIDY) == TIDY


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("tags: [vip]", "tags: [vip]\n"),
        ("{tags: [vip], name: x}\n", "name: x\ntags: [vip]\n"),
        ("---\n# a\ntags: [ ]\n...\n", "---\n# a\ntags: []\n...\n"),
        ("tags: [{name: b}]\n# of the name\nname: x\n", "# of the name\nname: x\ntags: [{name: b}]\n"),
        ("# of tags\ntags: [a]\nname: x\n", "name: x\n# of tags\ntags: [a]\n"),
        ("# yaml-language-server: $schema=x\ntags: [a]\nname: x\n", "# yaml-language-server: $schema=x\nname: x\ntags: [a]\n"),
        # What is led to by an alias stands before it.
        (
            "contacts:\n- &a {tags: [x], external_id: 1}\n-   *a\nname: x\n",
            "contacts:\n  - &a {tags: [x], external_id: 1}\n  - *a\nname: x\n",
        ),
        ("tags: &t\n- a\n", "tags: &t\n  - a\n"),
        ("tags: []\n\nname: |+\n   x\n\n", "tags: []\n\nname: |+\n  x\n\n"),
        ('tags: ["a\\nb", "\\u00e9"]\n', "tags: [\"a\\nb\", 'é']\n"),
        ("tags:\n- vip\n# of the attributes\n\nattributes: []\n", "# of the attributes\n\nattributes: []\ntags:\n  - vip\n"),
        ("envs:\n    test:  {sections: [ tags ]}\n", "envs:\n  test: {sections: [tags]}\n"),
        ("contacts: [{from: x.csv, tags: [a], key: id}]\n", "contacts: [{from: x.csv, key: id, tags: [a]}]\n"),
        ("tags: [\n# none\n]\n", "# none\ntags: []\n"),
        ('{"tags":["vip"],"name":"x", "a b": {"<<": 1}}', "name: 'x'\ntags: ['vip']\na b: {'<<': 1}\n"),
        ("contacts:\n  - [\n    x,\n # in it\n    ]\n  - y\n", "contacts:\n  - - x\n    # in it\n  - y\n"),
        ("tags:\n- |+\n  x\n\n-\n\n  - y\n", "tags:\n  - |+\n    x\n\n  - - y\n"),
        ("? name\n: x\n", "name: x\n"),
    ],
)
def test_the_form(text: str, form: str) -> None:
    assert canonical(text) == form
    assert canonical(form) == form


def test_what_might_say_something_else_has_no_form() -> None:
    # A last line of blanks is one more line of the text.
    assert canonical("tags: []\nname: |\n  x\n   \n") is None


def test_thousands_of_entries_take_a_second() -> None:
    text = "contacts:\n" + "".join(f'- {{tags: [vip], external_id: "{n}"}} # {n}\n' for n in range(2_000))
    before = time.process_time()
    form = canonical(text)
    assert form is not None
    assert form.splitlines()[-1] == "  - {external_id: '1999', tags: [vip]} # 1999"
    assert time.process_time() - before < 2
