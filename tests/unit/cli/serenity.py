"""A small workspace with tags, a company and two people, for the verbs that are about the ledger."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.desk.desk import Desk

APP = "sandbox1"
MAIL = "hoban@serenity.example"
NASTY = "\x1b[31mred\x1b[0m\n::error::no ##[group]x"
SEED: dict[str, Any] = {
    "tags": ["vip", "trial", "Other"],
    "companies": [{"company_id": "6", "name": "Blue Sun"}],
    "contacts": [
        {"external_id": "25", "email": "zoe@serenity.example", "name": "Zoe", "tags": ["vip"], "companies": ["6"]},
        {"email": MAIL, "name": "Hoban"},
    ],
}
ALL = """
tags: [vip, trial, nowhere, {name: Other, state: absent}]
companies: [{company_id: '6', name: Red Sun}]
contacts:
  - {external_id: '25', name: Zoe, tags: [vip, trial], companies: ['6']}
  - {email: hoban@serenity.example}
  - {external_id: nobody}
"""


@contextmanager
def seeded(desk: Desk) -> Iterator[Desk]:
    """A desk at a workspace with a few things."""
    desk.box.seed(SEED)
    yield desk
    # Whatever was adopted, forgotten or told: no e-mail lies in the ledger.
    held = b"".join(path.read_bytes() for path in desk.folder.rglob(".reconciler/*") if path.is_file())
    assert b"serenity.example" not in held


def lines(desk: Desk) -> list[str]:
    """What a verb printed, with one separator between columns."""
    return [re.sub(r" {2,}", " | ", line) for line in desk.out.splitlines()]


@dataclass
class Keyboard:
    """A terminal at which somebody answers, after doing something else."""

    answer: str
    meanwhile: Callable[[], object]

    def isatty(self) -> bool:
        return True

    def readline(self, _: int = -1) -> str:
        self.meanwhile()
        return self.answer


def answer(desk: Desk, text: str, meanwhile: Callable[[], object] = lambda: None) -> None:
    desk.patch.setattr(sys, "stdin", Keyboard(text, meanwhile))
