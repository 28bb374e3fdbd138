"""A plan as one self-contained page: a list that any browser shows, and a script of ours, the only one allowed, that filters it."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.core.model.change import LOSING, Action
from reconciler.core.plan.schema import ChangeDocument, PlanDocument
from reconciler.report import PLAIN, Way, words
from reconciler.report.fields import show_inside, sides
from reconciler.report.signs import SIGNS, UNKNOWN, count
from reconciler.report.terminal import clean

if TYPE_CHECKING:
    import jinja2

# Longer values are cut: a page that people read is no place for a document.
LONGEST = 5_000
HERE = Path(__file__).parent / "page"


@dataclass(frozen=True, slots=True)
class _Thing:
    """One thing with all that happens to it."""

    address: str
    # The page of Intercom that shows it, if there is one.
    page: str | None
    # Where all of it was declared; empty if that is not one place.
    place: str
    changes: Sequence[ChangeDocument]


def render(document: PlanDocument, way: Way = PLAIN) -> str:
    """The whole page. All foreign text goes through `_harmless`, and then through the template's own escaping."""
    kinds, topics = words.group_by_thing(document["changes"]), dict(words.notes_by_topic(document))
    actions = Counter(change["action"] for change in document["changes"])
    return _template().render(
        document=document,
        title=words.describe_plan(document),
        summary=words.summarize(document),
        losing=words.count_losing(document),
        cost=words.describe_cost(document),
        kinds={kind: (words.count_changes(things), _things(things)) for kind, things in kinds.items()},
        actions={action: actions[action] for action in (*Action, *sorted(set(actions) - set(Action))) if actions[action]},
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


def _things(things: Mapping[str, Sequence[ChangeDocument]]) -> Iterator[_Thing]:
    for address, changes in things.items():
        places = {words.describe_place(change["source"]) for change in changes}
        yield _Thing(address, next(filter(None, map(words.page_of, changes)), None), places.pop() if len(places) == 1 else "", changes)


def _moves(change: ChangeDocument) -> Iterator[tuple[str, str | None, str | None, str, str]]:
    """Every field that a change moves: path, before, after, what changes inside, cause. A saved plan has no values, and a create
    nothing before."""
    for field in change["fields"]:
        cause = field["cause"] if field["cause"] != change["cause"] else None
        if "after" not in field:
            yield field["path"], None, None, "", cause or ""
            continue
        before, after = map(_cut, sides(field))
        created = change["action"] == Action.CREATE and field["before"] is None
        yield field["path"], None if created else before, after, "" if created else show_inside(field), cause or ""


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
    "used": words.describe_uses,
    "placed": words.describe_place,
    "topic": words.describe_topic,
    "count": count,
}


@cache
def _template() -> jinja2.Template:
    # Jinja takes longer to import than most plans take to print.
    import jinja2
    from markupsafe import Markup

    house = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style, script = (Markup((HERE / name).read_text(encoding="utf-8")) for name in ("plan.css", "plan.js"))
    parts = {"style": style, "script": script, "allowed": _policy(style, script)}
    return house.get_template("plan.html", globals={**_WORDS, **parts})


def _policy(style: str, script: str) -> str:
    """The page loads nothing, sends nothing, and runs this script and no other (https://www.w3.org/TR/CSP3/)."""
    hashes = (b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (style, script))
    return "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'".format(*hashes)
