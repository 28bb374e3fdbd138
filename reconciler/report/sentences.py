"""What the reports that are pages, Markdown and HTML, say of a plan in the same words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from reconciler.core.plan.schema import ChangeDocument, NoteDocument, PlanDocument, RefusalDocument
from reconciler.kinds import KINDS
from reconciler.report.signs import duration
from reconciler.report.terminal import clean
from reconciler.report.text import LONG, TOPICS, headed

LONGEST = 300
# Nothing but Intercom's own pages is ever linked, whatever a plan file says.
_PAGE = re.compile(r"https://app(\.[a-z]{2})?\.intercom\.com/[A-Za-z0-9/._~%=&?-]*")


def cut(text: str, longest: int = LONGEST) -> str:
    """Foreign text, harmless and not endless."""
    return clean(text if len(text) <= longest else text[:longest] + "…")


def page(change: ChangeDocument) -> str | None:
    """Where the thing of a change is seen in Intercom."""
    found = change.get("page")
    return found if isinstance(found, str) and _PAGE.fullmatch(found) else None


def title(document: PlanDocument) -> str:
    workspace = document["workspace"]
    return f"{headed(document)} {cut(str(workspace['app_id']), 80)} ({cut(str(workspace['region']), 20)})"


def losing(document: PlanDocument) -> tuple[str, str]:
    """How many people lose something, as a number and as the rest of the sentence; both are empty where the plan does not say."""
    people = document.get("people")
    if not people:
        return "", ""
    number = people["losing"]
    unknown = any(n is None for change in document["changes"] for n in (change.get("uses") or {}).values())
    rest = f"{'person loses' if number == 1 else 'people lose'} {KINDS.words['lost']}"
    told = f"{'' if people['exact'] or not number else 'up to '}{number:,}"
    return told if number else "0" if unknown else "no", rest + (", and some that could not be counted" if unknown else "")


def cost(document: PlanDocument) -> str:
    """`20,000 calls, about 2 minutes`."""
    calls = document["cost"]["calls"]
    if not calls:
        return "no calls"
    most = document["cost"].get("slowest")
    told = f", most of it to {clean(most)}" if most and calls >= LONG else ""
    return f"{calls:,} {'call' if calls == 1 else 'calls'}, {duration(document['cost']['seconds'])}{told}"


def topic(name: str, notes: Sequence[NoteDocument]) -> str:
    return f"{cut(TOPICS.get(name, name), 80)} ({len(notes):,})"


def by_gate(document: PlanDocument) -> Mapping[str, Sequence[RefusalDocument]]:
    """The refusals, by the gate that refuses."""
    found: dict[str, list[RefusalDocument]] = {}
    for refusal in document["refused"]:
        found.setdefault(refusal["gate"], []).append(refusal)
    return found


def approvals(document: PlanDocument) -> Sequence[str]:
    """What a person may add to the command line to go on, each once."""
    return tuple(dict.fromkeys(word for refusal in document["refused"] if (word := refusal.get("approve"))))


def sum_of(changes: Mapping[str, Sequence[ChangeDocument]]) -> str:
    """`12 changes`, of all things together."""
    number = sum(map(len, changes.values()))
    return f"{number:,} change" + ("" if number == 1 else "s")
