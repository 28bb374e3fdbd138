"""Taxonomies by hand, as small or as large as a test wants them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reconciler.core.compare.taxonomy import State, Taxonomy, Term
from reconciler.core.model.change import Use
from reconciler.errors import Mark
from reconciler.kinds import KINDS

OWNERS = ("growth", "support", "")


def a_term(name: str, number: int | None = None, **more: Any) -> Term:
    """A thing with so many contacts; with none given nobody looked."""
    return Term(name, more.pop("state", State.ACTIVE), uses=None if number is None else count_of(number), mark=Mark("tags.yaml", 3), **more)


def count_of(contacts: int, conversations: int | None = 0) -> Sequence[Use]:
    people = (Use("contacts", contacts, people=True), Use("companies", 0, least=True))
    return (*people, Use("conversations", conversations), Use("content items", 0))


def a_taxonomy(*terms: Term) -> Taxonomy:
    counted = any(term.uses is not None for term in terms)
    return Taxonomy(KINDS["tag"], "growth", "sandbox1", terms, counted)


def a_large_taxonomy(number: int) -> Taxonomy:
    """So many, of three owners, every tenth of which is deprecated for the first."""
    terms = [
        a_term(
            f"campaign-{n:05d}",
            n,
            owner=OWNERS[n % 3],
            meaning=f"Meant for the campaign of week {n % 52}",
            state=State.DEPRECATED if n % 10 == 9 else State.ACTIVE,
            successor="campaign-00000" if n % 10 == 9 else "",
            since=1_795_478_400.0 - n * 86_400,
        )
        for n in range(number)
    ]
    return a_taxonomy(*terms)
