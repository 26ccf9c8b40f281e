"""A real Chromium, and somebody who looks at its console."""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from tests.browser.gallery import Gallery, gallery

CHROMIUM = "/usr/bin/chromium"
_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_EXPECTED = ("Failed to load resource", "net::ERR_")  # tests that take the server away

Look = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium; without it these tests are left out, and with CI=true that is a failure."""
    if shutil.which(CHROMIUM) is None:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail("no Chromium; scripts/test installs it", pytrace=False)
        pytest.skip("no Chromium; scripts/test installs it")
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGS)
        yield running
        await running.close()


@pytest_asyncio.fixture(loop_scope="session")
async def look(browser: Browser) -> AsyncIterator[Look]:
    """Open a page in a browser profile of its own; the arguments are those of a context. Errors fail the test."""
    wrong: list[str] = []
    contexts = []

    async def opened(url: str, **context: Any) -> Page:
        made = await browser.new_context(**{"viewport": {"width": 360, "height": 640}, **context})
        contexts.append(made)
        page = await made.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.set_default_timeout(10_000)
        await page.goto(url)
        return page

    yield opened
    for context in contexts:
        await context.close()
    unexpected = [text for text in wrong if not any(known in text for known in _EXPECTED)]
    assert not unexpected


@pytest_asyncio.fixture(loop_scope="session")
async def shown() -> AsyncIterator[Gallery]:
    """Pages with pictures and answers that the test chooses."""
    async with gallery() as made:
        yield made
