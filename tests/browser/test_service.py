"""The panel on the real service: what is pressed in the browser happens on the PBX, and what happens there shows."""

import asyncio
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import Look
from tests.browser.shift import PASSWORD, shift
from tests.lab.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def log_in(look: Look, url: str, name: str, screen: str, **context: object) -> Page:
    """Log in by the form, as a person does."""
    page = await look(f"{url}/panel/{screen}", **context)
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.locator("body")).to_have_attribute("data-live", "on")
    return page


def word(page: Page) -> Locator:
    """Return what says the state."""
    return page.locator("#word")


async def test_f8_warns_and_then_ends_the_call(look: Look, tmp_path: Path) -> None:
    """Warning, warned with a count-down, ended, the break by itself: each shown when it has happened on the PBX."""
    async with shift(tmp_path) as s:
        page = await log_in(look, s.url, "anna", "agent")
        await expect(word(page)).to_have_text("No call")
        caller = s.call()
        await expect(word(page)).to_have_text("In a call")
        await page.keyboard.press("F8")
        await expect(word(page)).to_have_text("Warning")
        await expect(word(page)).to_have_text("Warned")
        key = page.locator("#key-warn")
        await expect(key.locator(".key-in")).to_have_text(re.compile(r"in \d s"))
        await expect(key).to_have_attribute("data-permitted", "yes")
        await expect(key).to_contain_text("End the call")
        await page.keyboard.press("F8")
        await expect(word(page)).to_have_text("You are free")
        await expect(word(page)).to_have_text("Break")
        await expect(page.locator(".left .big")).to_have_text(re.compile(r"1:[12]\d"))
        assert not caller.is_up
        await page.keyboard.press("F2")
        await expect(word(page)).to_have_text("No call")


async def test_an_acute_mark_locks_the_call_and_reaches_the_duty_desk(look: Look, tmp_path: Path) -> None:
    """The card, no ending key, the alarm at the desk; taken there with one click, and everybody sees by whom."""
    async with shift(tmp_path) as s:
        s.call()
        agent = await log_in(look, s.url, "anna", "agent")
        desk = await log_in(look, s.url, "lis", "duty", viewport={"width": 390, "height": 800})
        await expect(word(agent)).to_have_text("In a call")
        await agent.keyboard.press("F7")
        await expect(word(agent)).to_have_text("Acute")
        await expect(agent.get_by_role("heading", name="Suicide")).to_be_visible()
        await expect(agent.locator("#key-warn")).to_have_attribute("data-permitted", "no")
        await expect(desk.get_by_text("Nobody has answered yet.")).to_be_visible()
        await expect(desk.locator(".told li").first).to_contain_text("lis the on-call phone sent")
        await desk.get_by_role("button", name="I have it").click()
        await expect(desk.get_by_text(re.compile("lis has it", re.IGNORECASE))).to_be_visible()
        await expect(desk.locator("#news")).to_have_attribute("data-alarm", "")


async def test_a_kind_is_marked_by_one_click_and_put_right_by_another(look: Look, tmp_path: Path) -> None:
    """A kind that has no key is marked through the API; the mark shows when the service has it."""
    async with shift(tmp_path) as s:
        s.call()
        page = await log_in(look, s.url, "anna", "agent")
        await page.get_by_role("button", name="Confused").click()
        await expect(word(page)).to_have_text("Marked")
        await expect(page.get_by_role("button", name="Confused")).to_have_attribute("aria-pressed", "true")
        await page.locator("#kind-abuse").click()
        await expect(page.locator("#kind-abuse")).to_have_attribute("aria-pressed", "true")
        await expect(page.locator("#kind-confused")).to_have_attribute("aria-pressed", "false")


async def test_the_chief_takes_a_call_over_from_the_duty_desk(look: Look, tmp_path: Path) -> None:
    """One click rings the chief's own phone; both screens show who comes, and then who is there."""
    async with shift(tmp_path) as s:
        s.call()
        agent = await log_in(look, s.url, "anna", "agent")
        await agent.get_by_role("button", name="Confused").click()
        desk = await log_in(look, s.url, "kim", "duty", viewport={"width": 1280, "height": 800})
        await desk.get_by_role("button", name="Take over").click()
        await expect(agent.locator("#help")).to_contain_text("kim (chief)")
        await expect(desk.locator("#calls")).to_contain_text("kim (chief) is in the call")


async def test_the_wallboard_tells_of_the_call_and_not_of_the_caller(look: Look, tmp_path: Path) -> None:
    """A TV that everybody sees: the agent's name and the state; neither number nor kind, and nothing to press."""
    async with shift(tmp_path) as s:
        s.call()
        agent = await log_in(look, s.url, "anna", "agent")

        async def is_flagged() -> bool:
            await agent.keyboard.press("F7")  # the keys work once the page's script does
            return bool(s.engine.state.guards)

        await until(is_flagged)
        wall = await log_in(look, s.url, "kim", "wall", viewport={"width": 1920, "height": 1080})
        await expect(wall.locator(".tile")).to_contain_text("Acute")
        text = await wall.locator("main").inner_text()
        assert "47" not in text
        assert "uicide" not in text
        assert await wall.locator("button, a:not(.skip)").filter(visible=True).count() == 0


async def test_protection_off_is_told_while_the_pbx_is_away(look: Look, tmp_path: Path) -> None:
    """The server says so; the banner says what to do by hand, and goes by itself."""
    async with shift(tmp_path) as s:
        page = await log_in(look, s.url, "anna", "agent")
        s.is_well = False
        await expect(page.get_by_role("heading", name="Protection is off")).to_be_visible()
        await expect(page.locator("#off-why")).to_have_text("The telephone system does not answer Bagvagt.")
        await expect(page.locator("#off")).to_contain_text("Then hang up, on the phone.")
        s.is_well = True
        await expect(page.locator("#off")).to_be_hidden()


async def test_a_killed_service_is_told_and_its_return_too_without_a_reload(look: Look, tmp_path: Path) -> None:
    """SIGKILL: the screen says within seconds that it knows nothing. Started anew: it shows what is so, logged in."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with process(tmp_path, port) as first:
        page = await log_in(look, f"http://127.0.0.1:{port}", "anna", "agent")
        await expect(word(page)).to_have_text("In a call")
        await page.evaluate("window.isTheSame = true")
        first.send_signal(signal.SIGKILL)
        await expect(page.get_by_role("heading", name="Protection is off")).to_be_visible(timeout=6000)
        await expect(page.locator("#stale")).to_be_visible()
        await page.keyboard.press("F8")
        await expect(page.locator("#key-warn")).to_contain_text("It did not get through. Do it by hand.")
    async with process(tmp_path, port):
        await expect(page.locator("body")).to_have_attribute("data-live", "on")
        await expect(page.locator("#off")).to_be_hidden()
        await expect(word(page)).to_have_text("In a call")
        assert await page.evaluate("window.isTheSame")
        await page.keyboard.press("F8")
        await expect(word(page)).to_have_text("Warning")


@asynccontextmanager
async def process(folder: Path, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the shift in a process of its own; it is killed at the end."""
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.browser.shift", str(folder), str(port), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert started.stdout is not None
        async with asyncio.timeout(30):
            assert await started.stdout.readline()
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()
