"""Verbs that look things up: get, and api for a raw call with the same token, version and limits."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import click

from reconciler import workflow
from reconciler.cli.connection import Intercom, check_pin, connected, intercom_options, pin_of_folder
from reconciler.core.resource import Live
from reconciler.errors import Usage
from reconciler.report.terminal import Terminal, clean

REGION = click.option("--region", type=click.Choice(["us", "eu", "au"]), help="Default: of the manifest in this folder, else us.")
APP_ID = click.option("--app-id", metavar="ID", help="Refuse any other workspace. Default: of the manifest in this folder.")


@click.command()
@click.argument("section", type=click.Choice(["tags", "companies", "contacts"]))
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@click.option("-o", "form", type=click.Choice(["table", "json", "yaml", "ids"]), default="table", show_default=True)
@REGION
@APP_ID
@intercom_options
def get(section: str, keys: tuple[str, ...], form: str, region: str | None, app_id: str | None, intercom: Intercom) -> int:
    """Look up tags, companies or contacts: all that a listing shows, or these keys.

    \b
    Example:
      reconciler get companies 6 -o json
    """
    pin = pin_of_folder(region, app_id)
    out = Terminal(sys.stdout)
    with connected(intercom, pin, writes=False, memory=False) as session:
        check_pin(pin, session)
        found = workflow.look_up(session, section, keys)
        out.lines(_FORMS[form](found))
        for text in workflow.blind_spots(session, section) if not keys else ():
            click.echo(text, err=True)
    out.check()
    return 0


def _table(found: Iterable[Live]) -> Iterator[str]:
    """Columns as wide as the first hundred rows need; a name, the id, and what is set."""
    found = iter(found)
    first = [thing for _, thing in zip(range(100), found, strict=False)]
    wide = max((len(clean(thing.key)) for thing in first), default=0)
    for thing in chain(first, found):
        fields = ", ".join(f"{name}: {value}" for name, value in thing.fields.items() if value not in (None, "", {}, thing.key))
        yield f"{clean(thing.key):<{wide}}  {thing.id}  {clean(fields)}".rstrip()


def _plain(thing: Live) -> dict[str, Any]:
    return {"id": thing.id, **thing.fields}


def _json(found: Iterable[Live]) -> Iterator[str]:
    """One array, an object a line."""
    yield "["
    before = None
    for thing in found:
        if before is not None:
            yield f"  {before},"
        before = json.dumps(_plain(thing), ensure_ascii=True, default=list)
    if before is not None:
        yield f"  {before}"
    yield "]"


def _yaml(found: Iterable[Live]) -> Iterator[str]:
    import yaml

    for thing in found:
        yield yaml.safe_dump([json.loads(json.dumps(_plain(thing), default=list))], allow_unicode=True, sort_keys=False).rstrip()


def _ids(found: Iterable[Live]) -> Iterator[str]:
    return (thing.id for thing in found)


_FORMS = {"table": _table, "json": _json, "yaml": _yaml, "ids": _ids}


@click.command()
@click.argument("method", metavar="METHOD")
@click.argument("path", metavar="PATH")
@click.option("-f", "fields", multiple=True, metavar="KEY=VALUE", help="A field: of the query for GET, else of the body.")
@click.option("--input", "source", type=click.File("rb"), metavar="FILE", help="The body, as JSON; - for standard input.")
@REGION
@APP_ID
@intercom_options
def api(
    method: str, path: str, fields: tuple[str, ...], source: Any, region: str | None, app_id: str | None, intercom: Intercom
) -> int:
    """A raw call with the same token, version and limits.

    \b
    Example:
      reconciler api GET /me
      reconciler api POST /tags -f name=vip
    """
    pin = pin_of_folder(region, app_id)
    asked = workflow.raw_request(method.upper(), path, _pairs(fields), _body(source))
    out = Terminal(sys.stdout)
    with connected(intercom, pin, writes=not asked.reads_only, memory=False) as session:
        check_pin(pin, session)
        out.write(json.dumps(session.client.send(asked).body, indent=2, ensure_ascii=True) + "\n")
    out.check()
    return 0


def _pairs(fields: Iterable[str]) -> list[tuple[str, str]]:
    pairs = []
    for field in fields:
        name, equals, value = field.partition("=")
        if not name or not equals:
            raise Usage(f"-f {field}: write KEY=VALUE")
        pairs.append((name, value))
    return pairs


def _body(source: Any) -> Any:
    if source is None:
        return None
    try:
        return json.loads(source.read())
    except (ValueError, RecursionError):
        raise Usage("--input is not JSON") from None


