"""The demo as a newcomer plays it: two people in one browser, and the real process in a terminal."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.adapters.demo.terminal import LIMIT_S, Terminal
from tests.browser.conftest import Look
from tests.browser.test_accessible import violations

pytestmark = pytest.mark.asyncio(loop_scope="session")

START = re.compile(r"http://127\.0\.0\.1:\d+/ ")
SOON_MS = 30_000  # the next call comes when the break is over, and a machine may be slow


@contextlib.asynccontextmanager
async def newcomer(*arguments: str) -> AsyncIterator[tuple[Terminal, str]]:
    """Start the demo; gives its terminal, which is read all the while, and the address that it says."""
    demo = Terminal(*arguments)
    try:
        await asyncio.to_thread(demo.until, lambda text: START.search(text) is not None)
        found = START.search(demo.text)
        assert found is not None
        reading = asyncio.create_task(asyncio.to_thread(demo.read_on))
        try:
            yield demo, found[0].strip()
            demo.press("q")
            await reading
            assert demo.process.returncode == 0
        finally:
            demo.kill()
            await reading
    finally:
        demo.close()


async def follow(start: Page, link: str) -> Page:
    """Press a link that opens a tab."""
    async with start.context.expect_page() as opened:
        await start.get_by_role("link", name=link).click()
    page = await opened.value
    await expect(page.locator("body")).to_have_attribute("data-live", "on")
    return page


def mood(page: Page) -> Any:
    """Return what says the state."""
    return expect(page.locator("#word"))


async def told(demo: Terminal, text: str) -> None:
    """Wait until the terminal has said something."""
    async with asyncio.timeout(LIMIT_S):
        while text not in demo.text:  # noqa: ASYNC110 -- a thread reads the terminal
            await asyncio.sleep(0.05)


async def cookies(context: BrowserContext) -> set[str]:
    """Return the host names for which somebody is logged in."""
    return {c["domain"] for c in await context.cookies() if c["name"] == "__Host-bagvagt"}


async def test_two_minutes_of_a_newcomer(look: Look) -> None:
    """Warn, hear the warning, end, break; hand over the next call; a page from the third, taken at the duty desk."""
    async with newcomer("--pace", "2") as (demo, address):
        start = await look(address, viewport={"width": 900, "height": 800})
        desk = await follow(start, "Sit at the duty desk")
        agent = await follow(start, "Answer the phone")  # the shift gives way, two seconds later the phone rings
        assert await violations(start) == []
        assert await cookies(start.context) == {"127.0.0.1", "localhost"}

        await mood(agent).to_have_text("In a call", timeout=SOON_MS)
        await agent.keyboard.press("F8")
        await mood(agent).to_have_text("Warning")
        await expect(start.locator("#hears")).to_contain_text("It is not all right to speak to our staff in this way.")
        await expect(agent.locator("#key-warn")).to_have_attribute("data-permitted", "yes", timeout=SOON_MS)
        await agent.keyboard.press("F8")
        await mood(agent).to_have_text("Break")
        await expect(desk.locator("#breaks")).to_contain_text("you")
        await expect(start.locator("body")).to_have_attribute("data-sounded", "warning closing")

        await mood(agent).to_have_text("In a call", timeout=SOON_MS)
        await agent.keyboard.press("F9")
        await expect(agent.locator("#help")).to_contain_text("(colleague)")
        await mood(agent).to_have_text("No call")

        await mood(agent).to_have_text("In a call", timeout=SOON_MS)
        await agent.keyboard.press("F7")
        await mood(agent).to_have_text("Acute")
        await desk.get_by_role("button", name="I have it").click()
        await expect(desk.get_by_text("mette has it")).to_be_visible()
    for line in (
        "You press “warn” on the screen.",
        "Evidence: ",
        "Your break begins by itself",
        "is in the call, with the",
    ):
        assert line in demo.text
    assert "Mette answers, at the duty desk." in demo.text


async def test_a_screen_outlives_the_death_of_the_service(look: Look) -> None:
    """The shift kills it; the same desk comes back by itself, logged in, and shows what is answered later."""
    async with newcomer("--pace", "10") as (demo, address):
        start = await look(address, viewport={"width": 900, "height": 800})
        desk = await follow(start, "Sit at the duty desk")
        await desk.evaluate("window.isTheSame = true")
        await told(demo, "Started again: reads its journal")
        await expect(desk.get_by_text("bo has it")).to_be_visible(timeout=SOON_MS)
        assert await desk.evaluate("window.isTheSame")
        await told(demo, "5 of 5 stories happened as promised.")


async def test_who_acts_at_the_desk_during_the_shift_gets_a_turn(look: Look) -> None:
    """Taking the scripted alarm is no failure of the demo: the shift gives way, and callers ring."""
    async with newcomer("--pace", "10") as (demo, address):
        start = await look(address, viewport={"width": 900, "height": 800})
        desk = await follow(start, "Sit at the duty desk")
        await desk.get_by_role("button", name="I have it").click(timeout=2 * SOON_MS)
        await expect(desk.get_by_text("mette has it")).to_be_visible()
        await told(demo, "Your turn: you are the agent")
    assert "The shift gives way to you." in demo.text
