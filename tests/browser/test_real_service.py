"""The real `bagvagt run` is killed and started again under open screens: they say so, and come back with what is so."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.conftest import Look
from tests.browser.real_service import PATIENCE_MS, has, is_live, let_in, shows, watch
from tests.lab.service import Service, SmsGateway

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]

GONE = '[keys.confused]\ndoes = "flag"\nkind = "confused"\n'
POLICY = (
    """
    [site]
    name = "Eksempel Kommune"
    zone = "Europe/Copenhagen"
    language = "da"
    country = "DK"

    [pbx]
    kind = "simulator"

    [http]
    port = {http_port}

    [sms.gateway]
    url = "http://127.0.0.1:{sms_port}/sms"
    body = '{"to": "{to}", "text": "{text}", "id": "{id}"}'

    [panel.hotkeys]
    warn = "F8"
    suicide = "F10"

    [keys.warn]
    does = "warn"
    kind = "abuse"

    [keys.suicide]
    does = "flag"
    kind = "suicide"

    [kinds.abuse]
    may_end = true

    [kinds.confused]
    warnings = 0
    warning = ""

    [kinds.suicide]
    latched = true
    page = "acute"

    [people.kim]
    sms = "+4520304053"

    [pages.acute]
    last_resort = "kim"

    [[pages.acute.steps]]
    people = ["kim"]
    wait_s = 600
"""
    + GONE
)


@pytest_asyncio.fixture(loop_scope="session")
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """A running one, without a telephone system."""
    carrier = await SmsGateway().start()
    made = Service(tmp_path, POLICY)
    made.write(sms_port=carrier.port)
    try:
        yield await made.start()
    finally:
        await made.kill()
        await carrier.close()
        for line in made.lines:
            print(line)  # noqa: T201 -- shown when the test fails


async def believes_nothing(page: Page) -> None:
    """Wait until a screen says that it knows nothing; then no button on it looks as if it worked, and no time runs."""
    await is_live(page, "lost")
    await expect(page.locator("#off")).to_be_visible()
    await expect(page.locator("#stale")).to_be_visible()
    for button in await page.locator("#screen :is(.key, .act:not(.quiet), .state)").all():
        look = await button.evaluate("e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).borderStyle]")
        assert look == ["rgba(0, 0, 0, 0)", "dashed"]
    for time in await page.locator("[data-until]").all():
        await expect(time).to_have_text("–")  # noqa: RUF001 -- a dash, as on the screen


async def test_killed_and_started_again_under_open_screens(service: Service, look: Look) -> None:
    """Kill -9: both screens say that protection is off, and no press counts. Then it starts with another policy.

    Without a reload, in the same sessions, they show what is so now, and not for a moment as true what was so before;
    the alarm is still open, and the duty desk takes it with one click. The press that failed is not made up for.
    """
    agent = await let_in(look, service, "anna", "--role", "agent", "--agent", "agent1")
    desk = await let_in(look, service, "kim", "--role", "chief", "--person", "kim")
    await shows(agent, "free")
    await agent.keyboard.press("F10")
    await expect(desk.locator(".page-acute .has-not")).to_be_visible(timeout=PATIENCE_MS)
    seen = await watch(agent)
    assert seen[-1].keys == "confused suicide warn"
    for page in (agent, desk):
        await page.evaluate("window.isTheSame = true")

    await service.kill()
    await asyncio.gather(believes_nothing(agent), believes_nothing(desk))
    await agent.keyboard.press("F8")
    await has(agent.locator("#key-warn"), "data-phase", "failed")
    service.policy_file.write_text(service.policy_file.read_text().removesuffix(GONE))
    before, told = len(seen), len(service.lines)
    await service.start()

    for page in (agent, desk):
        await is_live(page)
        await expect(page.locator("#off")).to_be_hidden()
        assert await page.evaluate("window.isTheSame")
    assert {s.keys for s in seen[before:] if s.live == "on"} == {"suicide warn"}
    alarm = desk.locator(".page-acute")
    await expect(alarm.locator(".has-not")).to_be_visible()
    await alarm.locator("button.act.big").click()
    await expect(alarm.locator(".has")).to_contain_text("kim", timeout=PATIENCE_MS)
    assert "KeyPressed" not in json.dumps(service.lines[told:]), "a press that failed is not made up for"
    await agent.keyboard.press("F8")
    await has(agent.locator("#key-warn"), "data-phase", "refused")
