"""The taxonomy as people read it: Markdown for the repository, which says nothing that moves by itself, and one page with all of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from reconciler.core.compare.taxonomy import State, Taxonomy, Term
from reconciler.core.model.change import Use
from reconciler.core.model.privacy import hide, show_name
from reconciler.core.model.times import DAY, format_time
from reconciler.core.model.written import show_blanks
from reconciler.report import html
from reconciler.report.signs import count
from reconciler.report.terminal import clean

if TYPE_CHECKING:
    import jinja2

# What both files have among their first bytes.
MARKER = "<!-- reconciler:docs -->"
MARKDOWN, PAGE = "TAXONOMY.md", "taxonomy.html"
# So many bars of the picture can be told apart.
BARS = 16
_UNOWNED = "Without an owner"


def mask(taxonomy: Taxonomy) -> Taxonomy:
    """The same, without e-mails, and with the blanks at the ends of names visible."""
    return replace(taxonomy, terms=[_mask(taxonomy, term) for term in taxonomy.terms])


def _mask(taxonomy: Taxonomy, term: Term) -> Term:
    def name(text: str) -> str:
        return show_blanks(show_name(taxonomy.kind.name, text, taxonomy.app_id)) if text else ""

    def text(value: str) -> str:
        return str(hide(" ".join(value.split()), False))

    return replace(
        term,
        name=name(term.name),
        successor=name(term.successor),
        former=[*map(name, term.former)],
        meaning=text(term.meaning),
        owner=text(term.owner),
        used_by=[*map(text, term.used_by)],
    )


def summarize(taxonomy: Taxonomy) -> str:
    """`6 tags: 5 active, 1 retired`."""
    numbers = {state: len(taxonomy.of(state)) for state in State}
    states = ", ".join(f"{number:,} {state}" for state, number in numbers.items() if number)
    return count(len(taxonomy.terms), taxonomy.kind.name) + (f": {states}" if states else "")


# ── Markdown ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
def as_markdown(taxonomy: Taxonomy) -> str:
    """What is declared and nothing else, a line a thing, so that a diff shows what somebody decided."""
    taxonomy = mask(taxonomy)
    kind, name = taxonomy.kind, taxonomy.name
    targets = _anchors(taxonomy)
    parts = [
        f"{MARKER}\n<!-- `reconciler docs` writes this file from the manifest: change that one. -->\n",
        f"# {kind.section.capitalize()}{f' of {_prose(name)}' if name else ''}\n",
    ]
    current, leaving = taxonomy.of(State.ACTIVE), taxonomy.of(State.DEPRECATED)
    for owner, terms in _by_owner(current).items():
        parts += [f"## {_prose(owner) or _UNOWNED}\n", _table(kind.name, terms, targets, leaving=False)]
    if leaving:
        parts += ["## Deprecated\n", "These go out of use.\n", _table(kind.name, leaving, targets, leaving=True)]
    if gone := taxonomy.of(State.MERGED, State.RETIRED):
        parts += ["## Retired\n", "These are gone, or go with the next apply.\n", _table(kind.name, gone, targets, leaving=True)]
    if not (current or leaving or gone):
        parts.append(f"No {kind.section} are declared.\n")
    return "\n".join(parts)


def _by_owner(terms: Iterable[Term]) -> Mapping[str, Sequence[Term]]:
    """The things of each owner, by name; last those that have none."""
    owners: dict[str, list[Term]] = {}
    for term in terms:
        owners.setdefault(term.owner, []).append(term)
    return dict(sorted(owners.items(), key=lambda item: (not item[0], item[0].casefold(), item[0])))


def _table(kind: str, terms: Sequence[Term], anchors: Mapping[str, str], *, leaving: bool) -> str:
    more = ("Owner", "Use instead") if leaving else ()
    head = [kind.capitalize(), "Meaning", *more, "Notes"]
    rows = (
        [
            (f'<a id="{anchors[term.name]}"></a>' if term.name in anchors else "") + _code(term.name),
            _prose(term.meaning),
            *((_prose(term.owner), _lead(term.successor, anchors)) if leaving else ()),
            "; ".join(_notes(term)),
        ]
        for term in terms
    )
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *rows))


def _lead(successor: str, anchors: Mapping[str, str]) -> str:
    return f"[{_code(successor)}](#{anchors[successor]})" if successor in anchors else ""


def _describe_quiet(term: Term) -> str:
    return f"due to go after {count((term.quiet or 0) // DAY, 'day')} without new use"


def _notes(term: Term) -> Iterator[str]:
    if term.quiet:
        yield _describe_quiet(term)
    if term.former:
        yield f"was {', '.join(map(_code, term.former))}"
    if term.used_by:
        yield f"used by {_prose(', '.join(term.used_by))}"


def _anchors(taxonomy: Taxonomy) -> Mapping[str, str]:
    """The anchors of what something leads to."""
    successors, anchors = {term.successor for term in taxonomy.terms}, _name_anchors(taxonomy)
    return {name: anchor for name, anchor in anchors.items() if name in successors}


def _name_anchors(taxonomy: Taxonomy) -> Mapping[str, str]:
    """`tag-vip` of the thing that is called so: what can be clicked, and pasted into a chat."""
    anchors: dict[str, str] = {}
    taken_names: set[str] = set()
    for name in dict.fromkeys(term.name for term in taxonomy.terms):
        plain = anchor = f"{taxonomy.kind.name}-{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-') or 'x'}"
        number = 1
        while anchor in taken_names:
            number += 1
            anchor = f"{plain}-{number}"
        taken_names.add(anchor)
        anchors[name] = anchor
    return anchors


_MARKUP = re.compile(r"[&<>|`*\[\]\\~@$#]|(?<![^\W_])_|_(?![^\W_])")


def _entity(text: str) -> str:
    return "".join(char if char.isalnum() or char in " -_.,:;/()+" or ord(char) > 0x7F else f"&#{ord(char)};" for char in text)


def _prose(text: str) -> str:
    """A sentence in which nothing is markup, whoever renders it."""
    return _MARKUP.sub(lambda match: f"&#{ord(match[0])};", clean(text))


def _code(name: str) -> str:
    """A name as code; one with signs that end a cell or a code span, as HTML."""
    name = clean(name)
    return f"<code>{_entity(name)}</code>" if re.search(r"[|`\\<]", name) else f"`{name}`"


# ── the page ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
def as_page(taxonomy: Taxonomy, head: str) -> str:
    """One self-contained page; `head` says when it was made, and of what."""
    taxonomy = mask(taxonomy)
    terms = sorted((term for term in taxonomy.terms if term.total), key=lambda term: (-term.total, term.name))
    files = list(dict.fromkeys(term.mark.file for term in taxonomy.terms if term.mark))
    owners = [owner for owner in _by_owner(taxonomy.terms) if owner]
    places = [each.where for each in taxonomy.kind.uses.counts]
    return _template().render(
        taxonomy=taxonomy,
        segments=partial(_segments, places),
        marker=MARKER,
        head=head,
        summary=summarize(taxonomy),
        states={state.value: number for state in State if (number := len(taxonomy.of(state)))},
        owners=owners,
        files=files,
        anchors=_name_anchors(taxonomy),
        dated=any(term.since is not None for term in taxonomy.terms),
        places=places,
        bars=terms[:BARS],
        rest=terms[BARS:],
        most=terms[0].total if terms else 0,
    )


@cache
def _template() -> jinja2.Template:
    words: Mapping[str, Any] = {"uses": _describe_uses, "count": count, "day": _day, "quiet": _describe_quiet}
    return html.page("taxonomy.html", "plan.css", "table.css", "taxonomy.css", "shared.js", "table.js", **words)


def _day(since: float | None) -> str:
    return "" if since is None else str(format_time(since))[:10]


def _number(use: Use) -> str:
    return f"{use.number:,}{'+' if use.least else ''}"


def _describe_uses(term: Term) -> str:
    """`1,200 contacts, 30+ companies`; what nobody could count last."""
    if not term.uses:
        return "not live"
    uses = [f"{_number(use)} {use.where}" for use in term.uses if use.number]
    unknown = [use.where for use in term.uses if use.number is None]
    return ", ".join([*(uses or ([] if unknown else ["nobody"])), *(f"{where} not known" for where in unknown)])


def _width(part: int, most: int) -> str:
    """A share of a bar, in percent; what is there is seen."""
    return f"{max(100 * part / most, 0.4):.2f}".rstrip("0").rstrip(".") if part else "0"


def _segments(places: Sequence[str], term: Term, most: int) -> Iterator[tuple[int, str, str]]:
    """The parts of a bar: which place, where it begins and how wide it is, in percent."""
    at = 0
    for use in term.uses or ():
        if use.number:
            yield places.index(use.where), f"{100 * at / most:.2f}", _width(use.number, most)
            at += use.number
