"""Verbs that look things up: get, and api for a raw call with the same token, version and limits."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from reconciler.cli.connection import check_pin, open_session, pin_of_folder
from reconciler.cli.fields import as_query, read_fields
from reconciler.cli.help import Verb, refuse_writes
from reconciler.cli.options import Intercom, WorkspaceOptions, gather, intercom_options, pin_options
from reconciler.cli.running import in_ci
from reconciler.core.model.jsons import parse_json
from reconciler.core.model.kinds import join_words
from reconciler.core.model.live import Live
from reconciler.core.model.privacy import hide
from reconciler.core.plan.plan import DOCUMENTED_WINDOW
from reconciler.errors import ReconcilerError, Usage
from reconciler.kinds import KINDS
from reconciler.report.terminal import Terminal, clean
from reconciler.workflow.export import Export, ExportScope, entries_of, export, list_text
from reconciler.workflow.lookup import (
    blind_spot,
    count_uses,
    list_all,
    list_paths,
    look_up,
    raw_answers,
    raw_request,
    read_where,
    search,
)
from reconciler.workflow.session import Session, watch

if TYPE_CHECKING:
    from reconciler.core.search.language import Expression
    from reconciler.intercom.http.request import Reply, Request


@dataclass(frozen=True)
class CallOptions:
    """What a raw call takes with it, and what is shown of its answer."""

    # Text fields, each as KEY=VALUE.
    raw: tuple[str, ...]
    # Typed fields, each as KEY=VALUE.
    typed: tuple[str, ...]
    # The body, as JSON.
    source: BinaryIO | None
    # Whether all pages of a list are read.
    paginate: bool
    # Whether status line and headers are shown.
    include: bool
    # Whether it may change things where CI is set.
    allow_write: bool


@dataclass(frozen=True)
class LookOptions:
    """What is looked up, and how it is shown."""

    # Only what this holds for.
    condition: str | None
    # The form.
    form: str
    # Whether it is counted how often each thing is used.
    counts: bool

    def check(self, section: str, keys: Sequence[str]) -> None:
        """Raises Usage for what cannot be asked together."""
        if keys and self.condition is not None:
            raise Usage("give keys or --where, not both")
        if self.counts and section not in _COUNTED:
            raise Usage(f"--counts: Intercom counts no uses of {section}, but of {join_words(_COUNTED, 'and')}")
        if self.counts and self.form in ("yaml", "ids"):
            raise Usage(f"--counts: {self.form} has no place for a count; use table, json or csv")


_SEARCHED = join_words((kind.section for kind in KINDS if kind.search), "or")
_COUNTED = [kind.section for kind in KINDS if kind.uses.counts]


@click.command(cls=Verb)
@click.argument("section", type=click.Choice([kind.section for kind in KINDS if kind.listing]))
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@click.option("--where", "condition", metavar="CONDITION", help=f"Only {_SEARCHED} for which this holds; see above.")
@click.option("-o", "--format", "form", type=click.Choice(["table", "json", "yaml", "csv", "ids"]), default="table", show_default=True)
@click.option("--counts", is_flag=True, help="Also how often each is used, and where; this costs a read for each place.")
@pin_options
@intercom_options
@gather(look=LookOptions, where=WorkspaceOptions)
def get(section: str, keys: tuple[str, ...], look: LookOptions, where: WorkspaceOptions, intercom: Intercom) -> int:
    """Look up what is live: all that Intercom lists, or these keys.

    A KEY is a tag's name in any case, an attribute's name, a company_id, or a contact's external_id, e-mail or id. What yaml prints can
    stand in a manifest, below the key of its section. What csv prints can be a list for `from:`, without its column id.

    A CONDITION compares fields of Intercom's contact search with values. It may have and, or, and two levels of parentheses:

    \b
      = !=  < > <= >=  in (a, b)  not-in (a, b)
      ~ !~ (contains)  ^ (starts with)  $ (ends with)
      email_domain = acme.com and (role = lead or custom_attributes.seats >= 5)
      name = 'Hoban Washburn'   phone = null   last_seen_at < 2026-01-31

    A date is a whole day in the workspace's time zone, and takes only = < >; `last_seen_at < 90d ago` counts back from today there.
    Custom attributes have the type that is live.

    \b
    Example:
      reconciler get companies 6 --format json
      reconciler get tags --counts
      reconciler get contacts --where 'email_domain = acme.com and role = user' --format ids
    """
    look.check(section, keys)
    expression = read_where(section, look.condition, intercom.api_version) if look.condition is not None else None
    pin, out = pin_of_folder(where.region, where.app_id), Terminal(sys.stdout)
    with open_session(intercom, pin, writes=False) as session:
        check_pin(pin, session)
        # What is there is shown before more is asked for.
        session = watch(session, lambda name, n=1, more=0: out.flush())
        if keys:
            _get_named(session, section, keys, look, out)
        else:
            _get_listed(session, section, expression, look, out)
    out.check()
    return 0


def _get_listed(session: Session, section: str, expression: Expression | None, look: LookOptions, out: Terminal) -> None:
    terminal = Terminal(sys.stderr)
    if look.form == "yaml":
        entries = export(session, ExportScope((section,), expression))
        terminal.lines(map(clean, entries.notes))
        _show_entries(session, section, entries, out)
    else:
        things, notes = (list_all(session, section), ()) if expression is None else search(session, section, expression)
        terminal.lines(map(clean, notes))
        _show(session, section, things, look, out)
    if unseen := blind_spot(session, section):
        terminal.say(unseen)


def _get_named(session: Session, section: str, keys: Sequence[str], look: LookOptions, out: Terminal) -> None:
    result = look_up(session, section, keys)
    if look.form == "yaml":
        _show_entries(session, section, entries_of(session, section, result.things), out)
    else:
        _show(session, section, result.things, look, out)
    for key, live_id in result.merged.items():
        Terminal(sys.stderr).say(f"{hide(key, False)} was merged into {live_id}, which is shown")
    if result.missing:
        out.check()
        kind = session.kinds.by_section[section]
        unseen = f"; archived {section} cannot be seen" if kind.archive and not kind.whole else ""
        raise ReconcilerError(f"not found: {', '.join(hide(key, False) for key in result.missing)}{unseen}")


def _show(session: Session, section: str, things: Iterable[Live], look: LookOptions, out: Terminal) -> None:
    from reconciler.report.things import FORMS, Shape

    kind = session.kinds.by_section[section]
    shape = Shape(kind.named_by or "key", list_paths(session, section) if look.form == "csv" else (), len(kind.fields) > 1)
    if look.counts:
        things = list(things)
        _say_cost(session, section, len(things))
        shape = replace(shape, places=[count.where for count in kind.uses.counts], uses=count_uses(session, section, things))
    out.lines(FORMS[look.form](things, shape))


def _say_cost(session: Session, section: str, number: int) -> None:
    """What counting is going to cost, on stderr."""
    from reconciler.report.exporting import count_sections
    from reconciler.report.signs import count, duration

    each = len(session.kinds.by_section[section].uses.counts)
    seconds = number * each * 10 / (session.window or DOCUMENTED_WINDOW)
    Terminal(sys.stderr).say(
        f"counting the uses of {count_sections({section: number}) or 'nothing'}: {count(number * each, 'read')}, {duration(seconds)}"
    )


def _show_entries(session: Session, section: str, export: Export, out: Terminal) -> None:
    """Entries for a manifest; on stderr what none can hold."""
    from reconciler.report.exporting import list_left_out

    out.write(list_text(section, export.entries[section]))
    Terminal(sys.stderr).lines(list_left_out(((omission.address, omission.why) for omission in export.omissions), session.here.app_id))


@click.command(cls=Verb)
@click.argument("method", metavar="METHOD")
@click.argument("path", metavar="PATH")
@click.option("-f", "raw", multiple=True, metavar="KEY=VALUE", help="A text field: in the query of a GET, else in the body.")
@click.option("-F", "typed", multiple=True, metavar="KEY=VALUE", help="A typed field: true, false, null, whole number, @FILE.")
@click.option("--input", "source", type=click.File("rb"), metavar="FILE", help="The body, as JSON; - for standard input.")
@click.option("--paginate", is_flag=True, help="All pages of a list: their JSON documents, one after the other.")
@click.option("-i", "include", is_flag=True, help="Print the status line and the headers before each body.")
@click.option("--allow-write", is_flag=True, help="Let it change things where CI is set.")
@pin_options
@intercom_options
@gather(options=CallOptions, where=WorkspaceOptions)
def api(method: str, path: str, options: CallOptions, where: WorkspaceOptions, intercom: Intercom) -> int:
    """Make a raw call to Intercom, with the same token, version and rate limit.

    Fields nest as KEY[SUB]=VALUE, KEY[]=VALUE and KEY[][SUB]=VALUE; with --input they go into the query. What Intercom
    answers is printed, its errors too (then the exit code is 1). --paginate follows pages.next, cursors and scrolls.

    \b
    Example:
      reconciler api GET /me
      reconciler api POST /tags -f name=vip
      reconciler api GET /contacts -F per_page=150 --paginate | jq '.data[].email'
    """
    request = _request(method.upper(), path, read_fields(options.raw, options.typed), options.source)
    _check_allowed(request, options.paginate, options.allow_write, os.environ)
    pin, out = pin_of_folder(where.region, where.app_id), Terminal(sys.stdout)
    with open_session(intercom, pin, writes=not request.reads_only) as session:
        check_pin(pin, session)
        for reply, error in raw_answers(session, request, all_pages=options.paginate):
            out.write(_answer(session, reply, options.include))
            out.flush()
            if error:
                raise error
            if out.gone:
                break
    out.check()
    return 0


def _request(method: str, path: str, fields: Mapping[str, Any], source: BinaryIO | None) -> Request:
    """Fields go where `gh api` puts them: into the query of a read, or beside a body from a file; else they are the body."""
    if method in ("GET", "HEAD") and source:
        raise Usage(f"--input: {method} has no body; use -f for its query")
    in_query = method in ("GET", "HEAD") or source is not None
    body = _body(source) if source else None if in_query else dict(fields) or None
    return raw_request(method, path, as_query(dict(fields)) if in_query else [], body)


def _body(source: BinaryIO) -> Any:
    try:
        return parse_json(source.read())
    except ValueError:
        raise Usage("--input is not JSON") from None


def _check_allowed(request: Request, paginate: bool, allow_write: bool, environ: Mapping[str, str]) -> None:
    if request.reads_only:
        return
    refuse_writes(f"{request.method} {request.path} may change something; nothing was sent")
    if paginate:
        raise Usage("--paginate: this call may change something, and is made once; only reads have pages")
    if in_ci(environ) and not allow_write:
        raise Usage(f"{request.method} may change something, and CI is set: give --allow-write if that is meant")


def _answer(session: Session, reply: Reply, include: bool) -> str:
    """An answer as it is printed; our own token is in none."""
    from reconciler.intercom.http.errors import phrase
    from reconciler.report.json import in_ascii

    head = ""
    if include:
        lines = [f"HTTP/1.1 {reply.status} {phrase(reply.status)}", *(f"{name}: {value}" for name, value in reply.headers.items())]
        head = "".join(clean(line) + "\n" for line in lines) + "\n"
    text = head + (in_ascii(reply.body, 2) + "\n" if reply.body else "")
    return session.client.token.hide(text) if session.client.token else text
