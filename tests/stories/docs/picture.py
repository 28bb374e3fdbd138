"""The picture in the README: the plan of the tour, as a terminal shows it."""

from __future__ import annotations

import io
import json
import re
from html import unescape

from rich.console import Console
from rich.text import Text

from reconciler.report.text import render
from tests.stories.docs.pages import DOCS, run_all

PICTURE = DOCS / "images/plan.svg"
COMMAND = "reconciler plan intercom/ --sandbox"
WIDTH = 110


def draw() -> str:
    """The report of a real run as SVG."""
    *_, document = run_all(["cd examples/quickstart", "reconciler sandbox seed live.yaml", f"{COMMAND} --format json 2> /dev/null"])
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="standard", legacy_windows=False)
    console.print(Text.from_ansi(render(json.loads(document), color=True, width=WIDTH)))
    svg = console.export_svg(title=COMMAND, unique_id="plan")
    # No font from elsewhere: a monospaced one of the reader will do.
    return "\n".join(line.rstrip() for line in re.sub(r"@font-face \{.*?\}\n", "", svg, flags=re.DOTALL).splitlines()) + "\n"


def words(svg: str) -> str:
    """What a picture says, line by line."""
    lines = re.findall(r'<text [^>]*?\by="([\d.]+)"[^>]*>(.*?)</text>', svg)
    return "\n".join("".join(unescape(text) for y, text in lines if y == row) for row in dict.fromkeys(y for y, _ in lines))
