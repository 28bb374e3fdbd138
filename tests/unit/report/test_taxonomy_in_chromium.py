"""The page of the taxonomy in a real browser: it is searched, sorted, sent to somebody, read on a phone and read aloud."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.core.compare.taxonomy import Taxonomy
from reconciler.report.taxonomy import as_page
from tests.desk.soak import times
from tests.unit.report.big import HOSTILE
from tests.unit.report.browser import CHROMIUM, Browser
from tests.unit.report.terms import a_large_taxonomy, a_taxonomy, a_term

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed: the page is not tested in a browser")

TOLD = "document.getElementById('shown').textContent"
NAMES = "[...document.querySelectorAll('.listing tbody tr')].filter(e => e.checkVisibility()).map(e => e.firstElementChild.textContent)"


def open_page(browser: Browser, taxonomy: Taxonomy, folder: Path) -> Path:
    path = folder / "taxonomy.html"
    path.write_text(as_page(taxonomy, "2026-11-25T03:02:13Z"), encoding="utf-8")
    browser.requests.clear()
    browser.said.clear()
    browser.open(path)
    return path


def test_it_is_searched_as_one_types_and_the_address_can_be_sent(browser: Browser, tmp_path: Path) -> None:
    path = open_page(browser, a_large_taxonomy(times(600)), tmp_path)
    total = f"{times(600):,} tags"
    assert browser.run(TOLD) == total
    browser.click("document.getElementById('query')")
    browser.type('00059 "week 7"')
    browser.until(f"{TOLD} === '1 of {total}'")
    assert browser.run(NAMES) == ["campaign-00059"]
    browser.until("location.hash === '#q=00059+%22week+7%22'")
    # Whoever opens that address sees the same; what it holds is no markup.
    browser.call("Page.navigate", url=f"{path.as_uri()}#q=0005&state=deprecated&sort=-members&owner=%3Cimg%20src%3Dx%3E")
    browser.until(f"{TOLD} === '1 of {total}' && location.hash.includes('deprecated')")
    browser.click("document.querySelector('[type=reset]')")
    browser.until(f"{TOLD} === '{total}'")
    assert browser.run("location.hash") == "#sort=-members"
    assert browser.run(NAMES)[0] == f"campaign-{times(600) - 1:05d}"


def test_columns_sort_both_ways_and_say_so(browser: Browser, tmp_path: Path) -> None:
    terms = [a_term("b", 2, owner="x"), a_term("a10", 10, owner="y"), a_term("a9", 0)]
    open_page(browser, a_taxonomy(*terms), tmp_path)
    head = "document.querySelector('[data-by={}]')"
    for column, first, then in (("members", ["a10", "b", "a9"], ["a9", "b", "a10"]), ("owner", ["b", "a10", "a9"], ["a10", "b", "a9"])):
        for wanted in (first, then):
            browser.click(f"{head.format(column)}.querySelector('button')")
            assert browser.run(NAMES) == wanted, column
    assert browser.run(f"{head.format('owner')}.getAttribute('aria-sort')") == "descending"
    assert browser.run("document.querySelectorAll('[aria-sort]').length") == 1
    # By name, numbers in it count as numbers.
    browser.click(f"{head.format('name')}.querySelector('button')")
    assert browser.run(NAMES) == ["a9", "a10", "b"]


def test_what_replaces_it_is_shown_though_the_search_hid_it(browser: Browser, tmp_path: Path) -> None:
    open_page(browser, a_large_taxonomy(30), tmp_path)
    browser.click("document.querySelector('input[value=deprecated]')")
    browser.until(f"{TOLD} === '3 of 30 tags'")
    browser.click("document.querySelector('tr:not([hidden]) .state a')")
    browser.until(f"{TOLD} === '30 tags'")
    assert browser.run("document.querySelector(':target').id") == "tag-campaign-00000"


def test_hostile_names_run_no_script_and_load_nothing(browser: Browser, tmp_path: Path) -> None:
    names = [text for text in HOSTILE if text.strip()]
    path = open_page(browser, a_taxonomy(*(a_term(n, 5, meaning=n, owner=n, former=[n], used_by=[n]) for n in names)), tmp_path)
    browser.click("document.getElementById('query')")
    browser.type("<img")
    browser.until(f"{TOLD}.includes(' of ')")
    assert browser.run("typeof window.pwned") == "undefined"
    assert browser.run("document.querySelectorAll('.listing tbody tr').length") == len(names)
    assert browser.run("document.querySelectorAll('img, iframe, script:not(:last-of-type)').length") == 0
    assert browser.requests == [path.as_uri()]
    assert browser.said == []


@pytest.mark.parametrize("width", [390, 700, 1200])
def test_it_fits_and_is_read_aloud(width: int, browser: Browser, tmp_path: Path) -> None:
    long = "a-very-long-name-without-any-blank-" * 5
    browser.look(width, 800)
    open_page(browser, a_taxonomy(a_term(long, 3, meaning=long, owner=long, used_by=[long]), a_term("vip", 7)), tmp_path)
    assert browser.run("document.documentElement.scrollWidth") <= width
    nodes = [node for node in browser.call("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]
    named = {(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes}
    parts = {("main", ""), ("search", "Tags"), ("searchbox", "Search"), ("region", "All tags"), ("heading", "Tags of growth")}
    table = {("rowheader", "vip"), ("columnheader", "Members now"), ("button", "Members now"), ("cell", "7 contacts")}
    assert parts | table <= named
    assert [role for role, name in named if role in ("button", "radio", "searchbox", "combobox", "link") and not name] == []
    pictures = [node for node in nodes if node["role"]["value"] == "image"]
    # On a phone the picture is folded, so that the search comes first.
    assert [node["description"]["value"] for node in pictures if "vip" in node["description"]["value"]] == (
        ["vip: 7 contacts."] if width > 640 else []
    )


def test_dark_and_print_are_cared_for(browser: Browser, tmp_path: Path) -> None:
    open_page(browser, a_large_taxonomy(30), tmp_path)
    paper, bar = ("getComputedStyle(document.body).backgroundColor", "getComputedStyle(document.querySelector('.s0')).fill")
    light = [browser.run(paper), browser.run(bar)]
    browser.look(dark=True)
    assert all(one != other for one, other in zip(light, [browser.run(paper), browser.run(bar)], strict=True))
    browser.call("Emulation.setEmulatedMedia", media="print", features=[])
    assert not browser.run("document.querySelector('form').checkVisibility()")
    assert browser.run("document.documentElement.scrollWidth") <= 1200


def test_without_scripts_it_is_a_plain_table(browser: Browser, tmp_path: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        open_page(browser, a_large_taxonomy(30), tmp_path)
        assert len(browser.run(NAMES)) == 30
        assert browser.run("document.querySelectorAll('button:not([hidden])').length") == 0
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
