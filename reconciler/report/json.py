"""A plan as JSON: the document itself, every digit and every key in its place, safe to show on a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from reconciler.core.model.spelling import differs_invisibly
from reconciler.core.plan.schema import PlanDocument
from reconciler.report import PLAIN, Way
from reconciler.report.terminal import COMMAND, HARMFUL

# Outside of strings none of these occur in JSON; C0 is escaped by the encoder itself.
_UNSAFE = re.compile(f"[{HARMFUL}]|{COMMAND}")


def render(document: PlanDocument, way: Way = PLAIN) -> str:
    """The document as built, two spaces deep, in UTF-8's characters where those are harmless and can be told apart."""
    copy = deep(document)
    alike = "".join(sorted({char for text in _invisible(document) for char in text if not char.isascii()}))
    return re.sub(f"[{re.escape(alike)}]", lambda match: _escape(match[0]), copy) if alike else copy


def deep(value: Any) -> str:
    """A value two spaces deep, in UTF-8's characters where those are harmless."""
    return _harmless(json.dumps(value, indent=2, ensure_ascii=False)) + "\n"


def _invisible(document: PlanDocument) -> Iterator[str]:
    """The values whose two sides differ by nothing that anybody can see."""
    for field in (field for change in document["changes"] for field in change["fields"] if "after" in field):
        before, after = (json.dumps(side, ensure_ascii=False) for side in (field["before"], field["after"]))
        if not (before.isascii() and after.isascii()) and differs_invisibly(before, after):
            yield from (before, after)


def in_ascii(value: Any, indent: int | None = None) -> str:
    """A value in ASCII, for streams of unknown encoding; on one line, unless it is to be so many spaces deep."""
    return _harmless(json.dumps(value, indent=indent, default=list))


def _harmless(text: str) -> str:
    return _UNSAFE.sub(lambda match: _escape(match[0]), text)


def _escape(char: str) -> str:
    # "#" is plain to json.dumps.
    return "\\u0023" if char == "#" else json.dumps(char)[1:-1]
