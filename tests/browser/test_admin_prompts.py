"""Prompts in a browser: heard, sent as a file, spoken into a microphone, and taken back."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from adapters.accounts.model import Role
from tests.adapters.accounts.house import PASSWORD
from tests.adapters.panel.admin.desk import POLICY, Desk, desk
from tests.adapters.panel.admin.test_prompts import wav
from tests.browser.conftest import _ARGS, CHROMIUM, Look
from tests.browser.test_admin import full, log_in

pytestmark = pytest.mark.asyncio(loop_scope="session")

WARNING = "#prompt-da-warning"


async def test_a_prompt_is_heard_in_the_browser(look: Look, tmp_path: Path) -> None:
    """The strict policy of the page lets it be played, and it is as long as the list says."""
    async with full(tmp_path) as d:
        page = await log_in(look, d, "prompts")
        await expect(page.locator(WARNING)).to_contain_text("A machine's voice")
        length = await page.locator("#audio-da-warning").evaluate(
            "a => new Promise((done, no) => { a.onloadedmetadata = () => done(a.duration); a.onerror = no; a.load(); })"
        )
        assert length == pytest.approx(5.5, abs=1)


async def test_a_file_takes_the_place_and_is_taken_back(look: Look, tmp_path: Path) -> None:
    """What was made of it is said; the list shows it; back is one click; what is no sound is refused in words."""
    async with full(tmp_path) as d:
        page = await log_in(look, d, "prompts")
        choose = page.locator("#file-da-warning")
        before = await page.locator("#audio-da-warning").get_attribute("src")
        await choose.set_input_files({"name": "voice.wav", "mimeType": "audio/wav", "buffer": wav(2.0)})
        await expect(page.locator("#said")).to_contain_text("In use from the next call on: 2")
        await expect(page.locator(WARNING)).to_contain_text("Own recording")
        assert await page.locator("#audio-da-warning").get_attribute("src") != before
        await page.locator("#undo-da-warning").click()
        await expect(page.locator(WARNING)).to_contain_text("A machine's voice")
        await choose.set_input_files({"name": "voice.wav", "mimeType": "audio/wav", "buffer": b"no sound"})
        await expect(page.locator("#said")).to_contain_text("The recording cannot be used: is not an audio file")


async def test_without_a_folder_nothing_can_be_sent(look: Look, tmp_path: Path) -> None:
    """It says what to write into the policy; listening goes on."""
    async with full(tmp_path, policy=POLICY.replace('folder = "prompts"\n', "")) as d:
        page = await log_in(look, d, "prompts")
        await expect(page.locator("pre")).to_contain_text('folder = "prompts"')
        await expect(page.locator("[data-record], [data-upload]")).to_have_count(0)
        await expect(page.locator("audio[src^='/prompts/']").first).to_be_visible()


@pytest_asyncio.fixture(loop_scope="session")
async def speaking(browser: Browser, tmp_path: Path) -> AsyncIterator[BrowserContext]:
    """A Chromium in front of which somebody speaks all the time."""
    del browser  # it has looked whether there is a Chromium
    voice = tmp_path / "voice.wav"
    voice.write_bytes(wav(5.0, rate_hz=48000))
    args = (*_ARGS, "--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={voice}")
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        yield await running.new_context(viewport={"width": 390, "height": 800})
        await running.close()


async def _at_the_recorder(context: BrowserContext, d: Desk) -> Page:
    page = await context.new_page()
    await page.goto(f"{d.base}/panel/login?next=/panel/admin/prompts")
    await page.locator("#name").fill("olga")
    await page.locator("#password").fill(PASSWORD)
    await page.locator("main button").first.click()
    await page.locator("#record-da-warning").click()
    await expect(page.locator("#recorder-title")).to_contain_text("warning, Dansk")
    return page


async def test_a_prompt_is_spoken_listened_to_and_used(speaking: BrowserContext, tmp_path: Path) -> None:
    """Nothing changes before somebody says that it is to be used."""
    async with desk(tmp_path) as d:
        await d.house.account("olga", Role.ADMIN)
        await d.house.login.accounts.change("test", "", "olga", language="en")
        await speaking.grant_permissions(["microphone"], origin=d.base)
        page = await _at_the_recorder(speaking, d)
        await page.locator("#recorder-start").click()
        await expect(page.locator("#recorder-said")).to_contain_text("Recording … 1 s")
        assert float(await page.locator("#recorder-level").get_attribute("value") or 0) > 0
        await page.locator("#recorder-stop").click()
        await expect(page.locator("#recorder-said")).to_contain_text("Nothing is changed yet.")
        length = await page.locator("#recorder-audio").evaluate("a => a.duration")
        assert length > 0.9
        assert not (tmp_path / "prompts" / "da").exists()
        await page.locator("#recorder-send").click()
        await expect(page.locator("#said")).to_contain_text("In use from the next call on")
        await expect(page.locator(WARNING)).to_contain_text("Own recording")
        assert (tmp_path / "prompts" / "da" / "warning.wav").is_file()


async def test_a_microphone_that_is_refused_is_said(speaking: BrowserContext, tmp_path: Path) -> None:
    """In words, and the way by a file stays open."""
    async with desk(tmp_path) as d:
        await d.house.account("olga", Role.ADMIN)
        await d.house.login.accounts.change("test", "", "olga", language="en")
        page = await _at_the_recorder(speaking, d)
        refuse = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))"
        await page.evaluate(f"void ({refuse})")
        await page.locator("#recorder-start").click()
        await expect(page.locator("#recorder-said")).to_contain_text("The microphone cannot be used")
        await page.locator("#recorder-close").click()
        await expect(page.locator("#recorder")).to_be_hidden()
        await expect(page.locator("#file-da-warning")).to_be_attached()
        assert re.search("/panel/admin/prompts$", page.url)
