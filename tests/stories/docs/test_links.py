"""Links between the pages lead somewhere: the file exists, and so does the heading. The built site has the same addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests import ROOT
from tests.stories.docs.pages import DOCS, PATHS

ALL = [*PATHS, *(ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"))]


def prose(path: Path) -> str:
    """A page without its code."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", lambda code: code[0].replace("](", "] ("), text)


def links(path: Path) -> Iterator[str]:
    """The targets of its links and pictures, but for those to other hosts."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(path))
    yield from (target for target in targets if not re.match(r"[a-z]+:", target))


def slugs(path: Path) -> dict[str, str]:
    """The anchor of each heading on GitHub, and in the built site (GitHub keeps every blank, Python-Markdown makes one of several)."""
    headings = re.findall(r"^#{1,6} (.+)$", prose(path), re.MULTILINE)
    plain = [re.sub(r"[^\w\s-]", "", heading.replace("`", "")).strip().lower() for heading in headings]
    return {re.sub(r"\s", "-", heading): re.sub(r"[-\s]+", "-", heading) for heading in plain}


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_its_links_lead_somewhere(path: Path) -> None:
    lost = []
    for link in links(path):
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and slugs(target).get(anchor) != anchor):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize("path", [path for path in PATHS if DOCS in path.parents], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_page_links_to_no_file_outside_of_the_site(path: Path) -> None:
    assert [link for link in links(path) if not (path.parent / link.partition("#")[0]).resolve().is_relative_to(DOCS)] == []


def test_the_menu_of_the_site_has_every_page() -> None:
    def named(menu: object) -> Iterator[str]:
        if isinstance(menu, str):
            yield menu
        for inner in menu if isinstance(menu, list) else menu.values() if isinstance(menu, dict) else ():
            yield from named(inner)

    menu = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    # The decisions have an index of their own.
    pages = [path.name for path in DOCS.glob("*.md")] + ["decisions/index.md"]
    assert sorted(named(menu)) == sorted(pages)


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, new = set(), {ROOT / "README.md"}
    while new:
        reached |= new
        targets = {(path.parent / link.partition("#")[0]).resolve() for path in new if path.suffix == ".md" for link in links(path)}
        new = targets - reached
    assert [path for path in PATHS if path not in reached and path.name != "index.md"] == []
