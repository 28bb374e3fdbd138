"""The page of a fleet in a real browser: it is searched and narrowed, by a link to workspaces that are alike too, and fits a phone."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from reconciler.fleet.report.formats import RENDERERS
from reconciler.fleet.view import View
from tests.desk.soak import times
from tests.unit.fleet.views import a_hostile_view, a_large_view
from tests.unit.report.browser import CHROMIUM, Browser

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed: the page is not tested in a browser")

TOLD = "document.getElementById('shown').textContent"
NAMES = "[...document.querySelectorAll('.listing tbody tr')].filter(e => e.checkVisibility()).map(e => e.firstElementChild.textContent)"


def read_aloud(browser: Browser) -> set[tuple[str, str]]:
    """The roles and the names that a screen reader says."""
    nodes = [node for node in browser.call("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]
    return {(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes}


def open_page(browser: Browser, view: View, folder: Path) -> Path:
    path = folder / "fleet.html"
    path.write_text(RENDERERS["html"](view, "2026-11-30T10:15:00Z"), encoding="utf-8")
    browser.requests.clear()
    browser.said.clear()
    browser.open(path)
    return path


def test_it_is_searched_narrowed_and_sorted(browser: Browser, tmp_path: Path) -> None:
    number = times(60)
    open_page(browser, a_large_view(number), tmp_path)
    total = f"{number:,} workspaces"
    # What failed stands first, until somebody sorts.
    assert browser.run(TOLD) == total
    assert browser.run(NAMES)[:8] == [f"ws{at:04}" for at in range(8)]
    browser.click("document.querySelector('a[href=\"#alike=1\"]')")
    browser.until(f"{TOLD} === '7 of {total}'")
    assert browser.run("document.getElementById('same').value") == "1"
    browser.click("document.querySelector('input[value=failed]')")
    browser.until(f"{TOLD} === 'Nothing matches'")
    # A link asks for these workspaces, whatever was asked for before: none of them failed.
    for same in ("2", "0"):
        browser.click(f"document.querySelector('a[href=\"#alike={same}\"]')")
        browser.until(f"document.getElementById('same').value === '{same}' && {TOLD} === '7 of {total}'")
    browser.click("document.getElementById('query')")
    browser.type("request ws0003")
    browser.until(f"{TOLD} === '1 of {total}'")
    browser.click("document.querySelector('[type=reset]')")
    browser.until(f"{TOLD} === '{total}'")
    browser.click("document.querySelector('[data-by=changes] button')")
    assert browser.run(NAMES)[0] == "ws0007"


def test_hostile_names_run_no_script_and_load_nothing(browser: Browser, tmp_path: Path) -> None:
    path = open_page(browser, a_hostile_view(), tmp_path)
    assert browser.run("typeof window.pwned") == "undefined"
    assert browser.run("document.querySelectorAll('img, svg, iframe, script:not(:last-of-type)').length") == 0
    assert browser.run("[...document.querySelectorAll('*')].some(e => [...e.attributes].some(a => a.name.startsWith('on')))") is False
    assert (browser.requests, browser.said) == ([path.as_uri()], [])


@pytest.mark.parametrize("width", [390, 800, 1200])
def test_it_fits_and_is_read_aloud(width: int, browser: Browser, tmp_path: Path) -> None:
    browser.look(width, 800)
    open_page(browser, a_hostile_view(), tmp_path)
    browser.until(f"document.documentElement.scrollWidth <= {width}")
    open_page(browser, a_large_view(40), tmp_path)
    browser.until(f"document.documentElement.scrollWidth <= {width}")
    parts = {("main", ""), ("search", "Workspaces"), ("searchbox", "Search"), ("region", "All workspaces"), ("combobox", "Wave")}
    parts |= {("rowheader", "ws0000"), ("columnheader", "Plan or reason"), ("button", "Calls")}
    # A row out of sight is not laid out, and has no cells for a reader until it is looked at.
    browser.run("document.querySelector('.listing tbody tr').scrollIntoView()")
    ends = time.monotonic() + 10
    while not parts <= (named := read_aloud(browser)) and time.monotonic() < ends:
        # It is laid out with the next frame.
        time.sleep(0.05)
    assert parts <= named
    assert [role for role, name in named if role in ("button", "radio", "searchbox", "combobox", "link") and not name] == []
