"""Annotations: GitHub shows these lines at their place in a change request."""

from __future__ import annotations

from reconciler.core.model.privacy import hide
from reconciler.errors import Mark
from reconciler.report.terminal import clean, reveal


def annotation(message: str, mark: Mark | None, level: str = "error") -> str:
    """`::error file=a.yaml,line=3::…`, escaped as GitHub's runner wants it (actions/toolkit, command.ts); e-mails masked."""
    text = "\n".join(reveal(line) for line in str(hide(message, False)).split("\n"))
    properties = f" file={_property(clean(mark.file))},line={mark.line or 1}" if mark else ""
    return f"::{level}{properties}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
