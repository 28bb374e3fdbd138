"""One browser for all pages, where there is one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.report.browser import Browser


@pytest.fixture(scope="package")
def one_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("chromium")) as program:
        yield program


@pytest.fixture
def browser(one_browser: Browser) -> Iterator[Browser]:
    """A browser on a desk, in the light, that remembers nothing of what others chose."""
    one_browser.look()
    yield one_browser
    one_browser.run("(() => { try { localStorage.clear() } catch { /* No page has one. */ } })()")
