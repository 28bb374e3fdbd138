"""A plan as one self-contained page: a list that any browser shows, and a script of ours, the only one allowed, that filters it."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.core.model.change import LOSING, Action
from reconciler.core.plan.schema import ChangeDocument, PlanDocument
from reconciler.report import PLAIN, Way, risk, words
from reconciler.report.fields import HIDDEN, show_inside, sides
from reconciler.report.moved import describe_moved
from reconciler.report.outcomes import ENDS
from reconciler.report.signs import SIGNS, UNKNOWN, count
from reconciler.report.terminal import clean, reveal

if TYPE_CHECKING:
    import jinja2

# Longer values are cut: a page that people read is no place for a document.
LONGEST = 5_000
HERE = Path(__file__).parent / "page"


@dataclass(frozen=True, slots=True)
class _Thing:
    """What happens to one thing, or the links that many have to the same one."""

    # The thing; of many links, what they lead to.
    address: str
    # The page of Intercom that shows it, if there is one.
    page: str | None
    # Where all of it was declared; empty if that is not one place.
    place: str
    # Whose changes these are.
    kind: str
    # What happens.
    changes: Sequence[ChangeDocument]
    # `to 3,442 contacts`, if these are equal links.
    many: str


def render(document: PlanDocument, way: Way = PLAIN) -> str:
    """The whole page. All foreign text goes through `_harmless`, and then through the template's own escaping."""
    topics, actions = dict(words.notes_by_topic(document)), Counter(change["action"] for change in document["changes"])
    sections = {heading: (risk.count_changes(rows), _things(rows)) for heading, rows in risk.by_risk(document["changes"]).items()}
    return _template().render(
        document=document,
        head=way.head,
        title=words.describe_plan(document),
        summary=words.summarize(document),
        losing=words.count_losing(document),
        cost=words.describe_cost(document),
        sections=sections,
        kinds=[*dict.fromkeys(map(risk.kind_of, document["changes"]))],
        actions={action: actions[action] for action in (*risk.ORDER, *sorted(set(actions) - set(risk.ORDER))) if actions[action]},
        lost=sum(number for action, number in actions.items() if action in LOSING),
        verdict=words.describe_verdict(document),
        gates=words.refusals_by_gate(document),
        approvals=[words.describe_option(word) for word in words.list_approvals(document)],
        warned=topics.pop(words.POLICY, ()),
        topics=topics,
        scope=words.describe_scope(document),
        paths=words.declared_in(document),
        saved=words.SAVED,
    )


def _things(rows: Sequence[risk.Row]) -> Iterator[_Thing]:
    """The rows as the page shows them: those of one thing together, where they stand next to each other."""
    for _, group in groupby(rows, key=lambda row: row[0]["address"] if len(row) == 1 else id(row)):
        row, *others = group
        changes = [*row, *(change for other in others for change in other)]
        first, kind = row[0], risk.kind_of(row[0])
        if len(row) > 1:
            many = f"{'of' if 'moved' in first else ENDS.get(first['action'], 'and')} {risk.describe_source(row)}"
            yield _Thing(first["target"] or "", None, risk.describe_places(row), kind, row, many)
            continue
        places = {words.describe_place(change["source"]) for change in changes}
        page = next(filter(None, map(words.page_of, changes)), None)
        yield _Thing(first["address"], page, places.pop() if len(places) == 1 else "", kind, changes, "")


def _moves(change: ChangeDocument) -> Iterator[tuple[str, str | None, str | None, str, str]]:
    """Every field that a change moves: path, before, after, what changes inside, cause. A saved plan has no values, and a create
    nothing before."""
    for field in change["fields"]:
        cause = field["cause"] if field["cause"] != change["cause"] else None
        if "after" not in field:
            yield field["path"], None, None, "", cause or ""
            continue
        before, after = map(_cut, sides(field))
        if before == after:
            yield field["path"], None, None, HIDDEN, cause or ""
            continue
        is_new = change["action"] == Action.CREATE and field["before"] is None
        yield field["path"], None if is_new else before, after, "" if is_new else show_inside(field), cause or ""


def _cut(value: str) -> str:
    return value if len(value) <= LONGEST else f"{value[:LONGEST]}… and {len(value) - LONGEST:,} characters more"


def _harmless(value: Any) -> Any:
    """What goes into the page: foreign text is cleaned; only our own style and script are markup."""
    return clean(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


_WORDS: Mapping[str, Any] = {
    "sign": lambda action: SIGNS.get(action, UNKNOWN).symbol,
    "losses": sorted(LOSING),
    "doing": words.describe_action,
    "remarks": words.list_remarks,
    "moves": _moves,
    "moved": describe_moved,
    "reveal": reveal,
    "used": words.describe_uses,
    "short": words.is_short,
    "page_of": words.page_of,
    "placed": words.describe_place,
    "topic": words.describe_topic,
    "count": count,
}


@cache
def _template() -> jinja2.Template:
    return page("plan.html", "plan.css", "shared.js", "plan.js", **_WORDS)


def page(name: str, *parts: str, folder: Path = HERE, **words: Any) -> jinja2.Template:
    """A page of ours, with styles (*.css) and scripts (*.js), each put together in this order. `words` are what its template calls; what is
    not in the `folder` is shared with other pages."""
    # Jinja takes longer to import than most plans take to print.
    import jinja2
    from markupsafe import Markup

    house = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, HERE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    texts = {part: next(path for path in (folder / part, HERE / part) if path.exists()).read_text(encoding="utf-8") for part in parts}
    style, code = (Markup("".join(text for part, text in texts.items() if part.endswith(end))) for end in (".css", ".js"))
    return house.get_template(name, globals={**words, "style": style, "script": code, "allowed": _policy(style, code)})


def _policy(style: str, script: str) -> str:
    """The page loads nothing, sends nothing, and runs this script and no other (https://www.w3.org/TR/CSP3/)."""
    hashes = (b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (style, script))
    return "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'".format(*hashes)
