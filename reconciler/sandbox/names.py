"""How the server changes the names that callers write: not at all, unless the setting `rewrites` says so."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Callable, Mapping

from reconciler.sandbox.workspace import Workspace

CUT_AT = 60
# The words of the setting `rewrites`. `fold` keeps the name; a tag is then found by every name that folds to the same.
REWRITES: Mapping[str, Callable[[str], str]] = {
    "fold": lambda name: name,
    "lower": lambda name: fold(name),
    "cut": lambda name: name[:CUT_AT],
    "escape": lambda name: html.escape(name, quote=False),
    "trim": lambda name: name.strip(),
}


def fold(name: str) -> str:
    """The name without case and accents: `İ` becomes `i`."""
    return "".join(char for char in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(char))


def rewrite(ws: Workspace, name: str) -> str:
    """The name that the server stores. Raises KeyError for a word that is not in `REWRITES`."""
    for word in ws.settings.rewrites.split():
        name = name[: ws.settings.name_length or CUT_AT] if word == "cut" else REWRITES[word](name)
    return name
