"""Protection off: a screen that knows nothing says so within five seconds, and comes back by itself."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser import pictures
from tests.browser.conftest import Look
from tests.browser.gallery import Gallery

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def opened(look: Look, shown: Gallery, path: str = "/panel/agent") -> Page:
    """Return a screen that is on."""
    shown.language = "en"
    page = await look(f"{shown.url}{path}")
    await expect(page.locator("body")).to_have_attribute("data-live", "on")
    return page


@pytest.mark.parametrize("path", ["/panel/agent", "/panel/duty", "/panel/wall"])
async def test_a_server_that_is_gone_is_told_within_five_seconds(look: Look, shown: Gallery, path: str) -> None:
    """Banner, title, a word to screen readers; nothing old looks true; and all of it goes without a reload."""
    await shown.show(agent=pictures.agent_states()["wait"], duty=pictures.duty_states()["busy"])
    page = await opened(look, shown, path)
    await page.evaluate("window.isTheSame = true")
    await shown.stop()
    await expect(page.get_by_role("heading", name="Protection is off").first).to_be_visible(timeout=6000)
    await expect(page.locator("#stale")).to_be_visible()
    await expect(page.locator("#shouted")).to_contain_text("Protection is off")
    await expect(page).to_have_title(re.compile("^Protection is off"))
    for band in await page.locator(".state, .badge, .tile, .wall-alarm").all():
        assert await band.evaluate("e => getComputedStyle(e).backgroundColor") == "rgba(0, 0, 0, 0)"
    for count in await page.locator("[data-until]").all():
        await expect(count).to_have_text("–")  # noqa: RUF001 -- a dash, as on the screen
    await shown.start()
    await expect(page.locator("body")).to_have_attribute("data-live", "on")
    await expect(page.locator("#off")).to_be_hidden()
    await expect(page.locator("#said")).not_to_be_empty()
    await expect(page).not_to_have_title(re.compile("^Protection is off"))
    assert await page.evaluate("window.isTheSame")


async def test_a_server_that_hangs_is_told_too(look: Look, shown: Gallery) -> None:
    """The connection stands and nothing comes: that is silence, not peace."""
    page = await opened(look, shown)
    shown.is_silent = True
    await expect(page.get_by_role("heading", name="Protection is off")).to_be_visible(timeout=8000)
    await expect(page.locator("#off-why")).to_have_text("This screen has no contact with Bagvagt.")
    shown.is_silent = False
    await expect(page.locator("#off")).to_be_hidden()


async def test_a_screen_whose_session_is_over_says_log_in_again(look: Look, shown: Gallery) -> None:
    """With a link back to this screen; after a login elsewhere it comes back by itself."""
    page = await opened(look, shown)
    shown.is_logged_in = False
    await shown.stop()
    await shown.start()
    await expect(page.locator("#off-why")).to_have_text("You are logged out.")
    link = page.get_by_role("link", name="Log in again")
    await expect(link).to_have_attribute("href", "/panel/login?next=/panel/agent")
    shown.is_logged_in = True
    await expect(page.locator("body")).to_have_attribute("data-live", "on")


async def test_a_machine_that_slept_believes_nothing_of_before(look: Look, shown: Gallery) -> None:
    """The clock has jumped between two ticks: what stands on the screen is from before the sleep."""
    page = await opened(look, shown)
    shown.is_silent = True
    await page.evaluate("() => { const now = Date.now; Date.now = () => now() + 3600000; }")
    await expect(page.locator("body")).to_have_attribute("data-live", "lost", timeout=2000)


async def test_the_server_says_that_protection_is_off(look: Look, shown: Gallery) -> None:
    """Its reason in words, and what to do by hand; the number of the duty desk is the policy's."""
    page = await opened(look, shown)
    await shown.show(agent=pictures.agent_states()["off"])
    await expect(page.locator("#off-why")).to_have_text("The telephone system does not answer Bagvagt.")
    await expect(page.locator("#off")).to_contain_text("+45 20 30 40 49")
    await expect(page.locator("#off")).to_contain_text("112")
    await expect(page.locator("#stale")).to_be_hidden()
    await shown.show(agent=pictures.agent_states()["call"])
    await expect(page.locator("#off")).to_be_hidden()


async def test_no_state_is_shown_before_the_stream_has_brought_one(look: Look, shown: Gallery) -> None:
    """The frame holds none, so that no cache and no back button can show an old one."""
    shown.is_silent = True
    page = await look(f"{shown.url}/panel/agent")
    await expect(page.locator("#state")).to_have_count(0)
    await expect(page.locator("#screen h1")).to_be_visible()
    await expect(page.locator("body")).to_have_attribute("data-live", "lost", timeout=8000)
