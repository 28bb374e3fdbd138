"""Counts what functions do: the lines that each runs, loops over again, in every thread. No clock."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import reconciler

HOUSE = str(Path(reconciler.__file__).parent)
# What stands for Intercom, and what only carries calls.
BESIDE = (f"{HOUSE}/sandbox/", f"{HOUSE}/intercom/http/")


class Lines(Counter[str]):
    """How many lines each function of the product runs while this is open."""

    def __enter__(self) -> Lines:
        self.before = sys.gettrace()
        threading.settrace(self._enter)
        sys.settrace(self._enter)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self.before)
        threading.settrace(self.before)

    def _enter(self, frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(HOUSE) or name.startswith(BESIDE):
            return None
        where = f"{name[len(HOUSE) + 1 :]} {frame.f_code.co_qualname}"

        def note(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "line":
                self[where] += 1
            return note

        return note


def find_faster(small: Lines, large: Lines) -> dict[str, tuple[int, int]]:
    """The functions that grow faster than their work, which doubled: a third more than twice, and what a page or a batch more takes."""
    return {where: (small[where], lines) for where, lines in large.items() if lines > small[where] * 7 / 3 + 60}
