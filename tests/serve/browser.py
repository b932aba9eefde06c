"""Debian's Chromium, driven by Playwright; no browser is downloaded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.waiting import PATIENCE_S

WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
"""


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """The browser; the test is skipped where it is not installed."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium; apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", *arguments])
        yield browser
        browser.close()


@contextmanager
def tab(browser: Browser, **options: Any) -> Iterator[Page]:
    """A tab in a context of its own; what it does is noted."""
    context = browser.new_context(reduced_motion="reduce", **options)
    context.set_default_timeout(PATIENCE_S * 1000)
    page = context.new_page()
    page.add_init_script(WATCH)
    yield page
    context.close()


@contextmanager
def opened(page: Page, base: str) -> Iterator[Page]:
    """The page of a server in a tab, as if for the first time.

    At the end: no script failed, the policy was not violated, and no other address was asked.
    """
    asked: list[str] = []
    faults: list[str] = []
    heard = {
        "request": lambda request: asked.append(request.url),
        "pageerror": lambda error: faults.append(str(error)),
        "console": lambda line: faults.extend(_faults(line)),
    }
    for event, listener in heard.items():
        page.on(event, listener)
    page.goto(base)
    page.locator(".input").first.wait_for()
    yield page
    page.evaluate("sessionStorage.clear()")
    assert page.evaluate("window.violations") == []
    assert faults == []
    assert asked
    assert [url for url in asked if not url.startswith(base)] == []
    for event, listener in heard.items():
        page.remove_listener(event, listener)


def _faults(line: ConsoleMessage) -> list[str]:
    """What a line of the console tells of faults; that a request was refused is none of the page."""
    return [line.text] if line.type == "error" and not line.text.startswith("Failed to load resource") else []
