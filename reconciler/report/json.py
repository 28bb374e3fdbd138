"""A plan as JSON: the document itself, every digit and every key in its place, safe to show on a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from reconciler.core.document import Document
from reconciler.report.terminal import COMMAND, HARMFUL

# Outside of strings none of these occur in JSON; C0 is escaped by the encoder itself.
_UNSAFE = re.compile(f"[{HARMFUL}]|{COMMAND}")


def render(document: Document | Sequence[Document]) -> str:
    """The document, or several, as built, two spaces deep, in UTF-8's characters where those are harmless."""
    return _harmless(json.dumps(document, indent=2, ensure_ascii=False)) + "\n"


def one_line(value: Any) -> str:
    """A value on one line, in ASCII: for streams of unknown encoding."""
    return _harmless(json.dumps(value, ensure_ascii=True))


def _harmless(text: str) -> str:
    return _UNSAFE.sub(lambda found: _escaped(found[0]), text)


def _escaped(char: str) -> str:
    # "#" is plain to json.dumps.
    return "\\u0023" if char == "#" else json.dumps(char)[1:-1]
