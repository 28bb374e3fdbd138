"""The line that pages begin with: when, of which commit and by whom, with which version; all else of a report is the same in every run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence

from reconciler import __version__
from reconciler.core.model.privacy import hide
from reconciler.core.model.times import format_time
from reconciler.errors import Usage

# Unix seconds to show instead of now (https://reproducible-builds.org/specs/source-date-epoch/).
EPOCH = "SOURCE_DATE_EPOCH"
# Reports that begin with that line.
PAGES = frozenset({"markdown", "html"})


def headline_for(forms: Iterable[str], paths: Sequence[str]) -> str:
    """The line on these paths, where a report of one of these forms begins with it; else empty. Raises Usage."""
    return headline(paths) if PAGES & {*forms} else ""


def headline(paths: Sequence[str], environ: Mapping[str, str] = os.environ) -> str:
    """`2026-11-25T03:02:13Z · commit 1a2b3c4d5e6f by Wash · reconciler 0.1.0`; without paths no commit. Raises Usage.

    The author's name stands in it, without an e-mail.
    """
    from reconciler.manifest.repository import commit_of

    seconds = environ.get(EPOCH, "")
    if seconds and not (seconds.isascii() and seconds.isdigit() and len(seconds) < 12):
        raise Usage(f"{EPOCH} is not a time; write whole Unix seconds, or leave it out")
    commit, author, more = commit_of(paths)
    line = f"commit {commit}{f' by {hide(author, False)}' if author else ''}{', and what is not committed' if more else ''}"
    parts = (format_time(int(seconds) if seconds else time.time()), line if commit else "", f"reconciler {__version__}")
    return " · ".join(filter(None, parts))
