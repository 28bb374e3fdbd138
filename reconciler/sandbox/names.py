"""What a server makes of the names that it is sent: nothing, unless a knob says so."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Callable, Mapping

from reconciler.sandbox.workspace import Workspace

CUT_AT = 60
# The words of the setting `rewrites`. `fold` keeps a name as it is, and finds it under all that folds to the same.
REWRITES: Mapping[str, Callable[[str], str]] = {
    "fold": lambda name: name,
    "lower": lambda name: folded(name),
    "cut": lambda name: name[:CUT_AT],
    "escape": lambda name: html.escape(name, quote=False),
    "trim": lambda name: name.strip(),
}


def folded(name: str) -> str:
    """Letters without case and accents: `İ` is `i`."""
    return "".join(char for char in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(char))


def rewritten(ws: Workspace, name: str) -> str:
    """A name as it is kept. Raises KeyError for a word that is none of `REWRITES`."""
    for word in (*ws.settings.rewrites.split(), *(["trim"] if ws.settings.trim else [])):
        name = REWRITES[word](name)
    return name
