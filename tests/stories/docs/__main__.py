"""`python -m tests.stories.docs [PAGE]…` writes what the commands print today, the reference and the picture. Read what it changed."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.stories.docs import picture, reference
from tests.stories.docs.pages import PAGES, rewrite

named = [Path(name).resolve() for name in sys.argv[1:]]
for page in PAGES:
    if page.path in named or not named:
        rewrite(page)
reference.PAGE.write_text(reference.Reference().page(), encoding="utf-8")
picture.PICTURE.write_text(picture.draw(), encoding="utf-8")
