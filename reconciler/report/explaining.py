"""One thing from three sides, as text for people; what the next plan would do with it comes last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from reconciler.core.compare.explain import Applied
from reconciler.core.compare.links import Authority
from reconciler.core.model.change import Action, Cause
from reconciler.report import words
from reconciler.report.explain import Document
from reconciler.report.fields import show_inside, show_values
from reconciler.report.moved import describe_history
from reconciler.report.signs import BOLD, RED, SIGNS, YELLOW, count, paint, sign
from reconciler.report.terminal import clean, guard, reveal

# Of the links on which nothing is to be said, and of the entries that link to a thing, so many are shown.
FEW = 20
# What decides about a link, in words.
DECIDES: Mapping[str | None, str] = {
    Authority.ENTRY: "the entry decides",
    Authority.FREE: "`members: free` on it: left as it is",
    Authority.RULE: "its rule decides",
    Authority.END: "it is declared absent, and its links go with it",
    Authority.ADDITIVE: "`policy: links: additive`: what is not written stays",
    Authority.OWNED: "`policy: links: owned`: what is not written goes if we made it",
    Authority.DECLARED: "`policy: links: declared`: what is not written goes if it is declared itself",
    Authority.EXACT: "`policy: links: exact`: what is not written goes",
    None: "the entry does not write the list, so nothing is done with it",
}
_ORIGINS = {
    "owned": "ours",
    "doubted": "ours in a ledger that lacks what came after",
    "found": "on record, not ours",
    "absent": "on record as absent",
}

# Whether a thing matches a rule, and whether the rule names it.
_MATCHES = {
    (True, False): "it matches",
    (False, False): "it does not match",
    (True, True): "`include` names it",
    (False, True): "`exclude` names it",
}


def lines(document: Document, *, full: bool = False, color: bool = False) -> Iterator[str]:
    """The whole report line by line; `full` lists every link and entry."""
    look = _Look(full, color)
    for part in (look.head, look.fields, look.links, look.linked_from, look.plan):
        yield from map(guard, part(document))


class _Look:
    """How the report is shown."""

    def __init__(self, full: bool, color: bool) -> None:
        self.full, self.color = full, color

    def title(self, text: str) -> str:
        return paint(text, BOLD, self.color)

    def head(self, document: Document) -> Iterator[str]:
        workspace = document["workspace"]
        yield self.title(f"{reveal(document['address'])} in workspace {clean(workspace['app_id'])} ({clean(workspace['region'])})")
        if "asked" in document:
            yield f"asked for as {reveal(document['asked'])}"
        yield f"  declared  {_say_entry(document['declared'])}"
        yield f"  applied   {_say_record(document)}"
        yield f"  live      {_say_live(document)}"
        if "rule" in document:
            yield f"  rule      {_say_rule(document['rule'])}"
        yield from (f"            {clean(guard_line)}" for guard_line in _list_guards(document))
        yield ""

    def fields(self, document: Document) -> Iterator[str]:
        if document["fields"]:
            yield self.title("fields")
            for field in document["fields"]:
                mark = " " if not field["claimed"] or _is_gone(document) else "=" if field["same"] else SIGNS[Action.UPDATE].symbol
                yield f"  {mark} {clean(field['path'])}: {_say_field(field, document)}"
            yield ""

    def links(self, document: Document) -> Iterator[str]:
        for name in dict.fromkeys(link["list"] for link in document["links"]):
            links = [link for link in document["links"] if link["list"] == name]
            yield self.title(f"{clean(name)} ({len(links):,})")
            plain = [link for link in links if not link["action"]]
            rows_shown = plain if self.full else plain[:FEW]
            yield from (_say_link(link, document) for link in chain((link for link in links if link["action"]), rows_shown))
            if len(rows_shown) < len(plain):
                yield f"    and {len(plain) - len(rows_shown):,} more that stay as they are (--full lists them)"
            yield ""

    def linked_from(self, document: Document) -> Iterator[str]:
        rows = document["linked_from"]
        entries = rows["entries"]
        if not entries and not rows["recorded_as_ours"]:
            return
        ours = rows["recorded_as_ours"]
        yield self.title(f"linked from {len(entries):,} {'entry' if len(entries) == 1 else 'entries'}; {count(ours, 'link')} to it ours")
        for entry in entries if self.full else entries[:FEW]:
            absent = "absent, " if entry["declared"] == "absent" else ""
            yield f"    {reveal(entry['address'])} ({absent}{words.describe_place(entry['source'])})"
        if not self.full and len(entries) > FEW:
            yield f"    and {len(entries) - FEW:,} more (--full lists them)"
        yield ""

    def plan(self, document: Document) -> Iterator[str]:
        plan = document["plan"]
        yield self.title("the next plan")
        for change in plan["changes"] if self.full else plan["changes"][:FEW]:
            target = f" {reveal(change['target'])}" if change["target"] else ""
            target = f" to {reveal(change['address'])}" if change["target"] == document["address"] else target
            about = "; ".join(words.list_remarks(change))
            yield f"  {sign(words.describe_action(change), self.color)}{target}{f' ({about})' if about else ''}".rstrip()
            yield from (f"      {line}" for line in (*describe_history((change,)), *words.describe_details(change)))
            if change["limits"]:
                limits = {name if name.startswith("rule.") else f"limits.{name}": limit for name, limit in change["limits"].items()}
                yield f"      counts against {', '.join(f'{name} ({limit})' for name, limit in limits.items())}"
        if not self.full and len(plan["changes"]) > FEW:
            yield f"  and {len(plan['changes']) - FEW:,} more (--full lists them)"
        if plan["needs"]:
            yield f"  and what that needs: {_name_changes(plan['needs'])}"
        for note in plan["notes"]:
            topic = words.TOPICS.get(note["topic"], note["topic"])
            more = f": {reveal(note['message'])}" if note["message"] != topic else ""
            yield f"  {paint(clean(topic), YELLOW, self.color)}{more}"
        for refusal in plan["refused"]:
            yield f"  ! {paint(clean(refusal['gate']), RED, self.color)}: {reveal(refusal['message'])}"
            if refusal["approve"]:
                yield f"      if it is meant: plan and apply take {words.describe_option(clean(refusal['approve']))}"
        yield self.title(_say_verdict(document))


def _say_entry(entry: Document | None) -> str:
    if entry is None:
        return "by nothing"
    state = f"; state: {clean(entry['state'])}" if entry["state"] else ""
    more = {"owner": "owner", "replaced_by": "replaced by", "goes_into": "goes into", "missing": "missing:"}
    texts = [f"{word} {reveal(str(entry[key]))}" for key, word in more.items() if key in entry]
    texts += [f"formerly {', '.join(map(reveal, entry['renamed_from']))}"] if "renamed_from" in entry else []
    texts += [f"with {', '.join(map(clean, entry['overlays']))}"] if "overlays" in entry else []
    return f"{words.describe_place(entry['source'])}{state}{''.join(f'; {text}' for text in texts)}"


def _say_record(document: Document) -> str:
    record, under = document["recorded"], document.get("recorded_under")
    beside = f"; `name: {clean(under)}` has it on record too" if under else ""
    if record is None:
        return f"never, as far as is on record{beside}"
    ownership = "ours" if record["owned"] else "not ours: neither made nor adopted by us"
    when = f"{clean(record['at'])}, " if record["at"] else ""
    run = f"by run {clean(record['run'])}, " if record["run"] else ""
    ending = "; it ended then, as declared" if record["ended"] else "; deleted since" if record["deleted"] else ""
    live = document["live"]
    another = f"; that was another one (id {clean(record['id'])})" if live and live["id"] != record["id"] else ""
    return f"{when}{run}{ownership}{ending}{another}{beside}"


def _say_live(document: Document) -> str:
    live = document["live"]
    if live is None:
        several = ", ".join(map(clean, document.get("several", ())))
        return f"several have its name, and nobody can say which is meant (ids {several})" if several else "no"
    page = f", {clean(live['page'])}" if live["page"] else ""
    uses = words.list_uses(live.get("uses", {}), live.get("at_least", ()), live.get("uncounted", ()))
    last = f"; applied last on {clean(live['last_applied'])}" if live.get("last_applied") else ""
    by = f" by {clean(live['last_applied_by'])}" if last and live["last_applied_by"] else ""
    return f"id {clean(live['id'])}{page}{f'; in use: {uses}' if uses else ''}{last}{by}"


def _say_rule(rule: Document) -> str:
    conditions = "; ".join(f"{key}: {clean(text)}" for key, text in rule.items() if key not in ("source", "matching", "having") and text)
    number = f"; {rule['matching']:,} match, {rule['having']:,} have it" if "matching" in rule else ""
    return f"{words.describe_place(rule['source'])}; {conditions or 'whom it includes'}{number}"


def _list_guards(document: Document) -> Iterator[str]:
    """What stands before a deletion, whatever the plan is."""
    entry, record = document["declared"], document["recorded"]
    if entry and entry["protect"]:
        yield "protect: true: the gate `protect` stops its deletion"
    elif record and record["protected"] and not record["deleted"]:
        yield "protected when it was applied last: the gate `protect` stops its deletion until it is applied without that"
    if entry and "used_by" in entry:
        yield f"used by {', '.join(entry['used_by'])}: the gate `used` stops its deletion and its rename"


def _say_field(field: Document, document: Document) -> str:
    value, live = show_values(field["declared"], field["live"])
    if not field["claimed"]:
        text = f"live {live}; not written, so not ours"
    elif field["same"]:
        text = f"declared {value}, and live"
    elif document["live"] is None:
        text = f"declared {value}; {'not known which is meant' if 'several' in document else 'not live'}"
    else:
        inside = show_inside({"path": "", "before": field["live"], "after": field["declared"], "cause": None})
        text = f"declared {value}, live {live}{f'; to it: {inside}' if inside else ''}"
    run = f", by run {clean(field['run'])} at {clean(field['at'])}" if field["run"] else ""
    never = field["applied"] == Applied.NEVER
    applied = f"applied: {field['applied']}{', of which only a digest is left' if field['applied'] == Applied.OTHER else ''}{run}"
    return f"{text}; {field['applied'] if never else applied}" if field["claimed"] or not never else text


def _is_gone(document: Document) -> bool:
    """Whether the entry says that it is not to be there."""
    return document["declared"] is not None and document["declared"]["state"] in ("absent", "archived")


def _say_link(link: Document, document: Document) -> str:
    symbol = SIGNS[link["action"]].symbol if link["action"] else "=" if link["declared"] == "present" and link["live"] else " "
    place = words.describe_place(link["source"])
    entry = f"{clean(link['declared'])} ({place})" if link["declared"] else "not written"
    since = f" since {clean(link['live_since'])}" if link["live_since"] else ""
    by = f" by {clean(link['by'])}" if link["by"] else ""
    live = f"live{since}{by}" if link["live"] else "not live"
    ours = _ORIGINS.get(link["recorded"], "nothing on record")
    ours += f" since {clean(link['ours_since'])}" if link["ours_since"] else ""
    ours += f" (run {clean(link['run'])})" if link["run"] else ""
    decides = _say_decision(link, document)
    when = "due, with `apply --only rules`" if link.get("due") else "next plan"
    then = f"; {when}: {clean(link['action'])}" if link["action"] else ""
    return f"  {symbol} {reveal(link['target'])}: {entry}; {live}; {ours}; {decides}{then}"


def _say_decision(link: Document, document: Document) -> str:
    if "rule" not in link:
        return DECIDES[link["decides"]] if document["declared"] else "nothing declares this"
    matches, by_name = link["rule"]["matches"], link["rule"]["by_name"]
    matching = "" if matches is None else f": {_MATCHES[matches, by_name]}"
    return f"{DECIDES[Authority.RULE]} ({words.describe_place(link['rule']['source'])}){matching}"


def _name_changes(changes: Sequence[Document]) -> str:
    some = [f"{clean(c['action'])} {reveal(c['address'])}{' ' + reveal(c['target']) if c['target'] else ''}" for c in changes[:3]]
    return ", ".join(some) + (f" and {len(changes) - 3:,} more" if len(changes) > 3 else "")


def _say_verdict(document: Document) -> str:
    """The last line: what becomes of it."""
    plan = document["plan"]
    numbers: dict[str, int] = {}
    for change in plan["changes"]:
        numbers[change["action"]] = numbers.get(change["action"], 0) + 1
    text = ", ".join(f"{number:,} to {clean(action)}" for action, number in numbers.items())
    gates = ", ".join(dict.fromkeys(clean(refusal["gate"]) for refusal in plan["refused"]))
    if gates:
        return f"Refused: {gates}. {f'Else: {text}.' if text else 'Nothing is planned.'}"
    if text and all(change["cause"] == Cause.DUE for change in plan["changes"]):
        return f"Due, and left to `apply --only rules`: {text}."
    if text:
        return f"Planned: {text}."
    has_open_note = any(note["topic"] in words.OPEN for note in plan["notes"])
    return (
        "Nothing is planned, for what is noted above."
        if has_open_note
        else "Nothing is planned: it is as declared."
        if document["declared"]
        else "Nothing is planned: it is as its rules say."
        if any("rule" in link for link in document["links"])
        else "Nothing is planned: nothing declares it."
    )
