"""The screen behind a message's link in a real Chromium: it needs a press, no script, and no good light."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.adapters.panel.paged import CHIEF, DEPUTY, Paged, paged, speaks
from tests.browser.conftest import Look
from tests.browser.test_accessible import violations

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def p(tmp_path: Path) -> AsyncIterator[Paged]:
    """The service, with an acute page to the chief."""
    async with paged(tmp_path) as made:
        yield made


async def opened(look: Look, p: Paged, path: str = "", **context: object) -> Page:
    """Open the link in the chief's message, on a phone."""
    return await look(f"{p.g.base}{path or p.path()}", **{"reduced_motion": "reduce", **context})


@pytest.mark.parametrize("scripts", [True, False])
async def test_one_press_takes_it(look: Look, p: Paged, *, scripts: bool) -> None:
    """With and without JavaScript; the screen then says so, and after a reload it still does."""
    page = await opened(look, p, java_script_enabled=scripts)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Acute: a call")
    await page.get_by_role("button", name="I have it").click()
    await expect(page.get_by_role("status")).to_contain_text("You have it, since 12:00.")
    assert p.answers == [(CHIEF, "link")]
    await page.reload()
    await expect(page.get_by_role("status")).to_contain_text("You have it")
    await expect(page.get_by_role("button")).to_have_count(0)
    assert p.answers == [(CHIEF, "link")]


async def test_a_scanner_that_opens_every_link_takes_nothing(look: Look, p: Paged) -> None:
    """One with a whole browser, which runs scripts, looks for more links, and asks for the head."""
    page = await opened(look, p)
    await page.wait_for_load_state("networkidle")
    links = [await link.get_attribute("href") or "" for link in await page.locator("a[href]").all()]
    assert [link for link in links if not link.startswith("tel:")] == []  # there is nothing to follow
    for method in ("GET", "HEAD"):
        await page.evaluate("method => fetch(location.href, { method }).then(answer => answer.status)", method)
    await page.reload()
    assert p.answers == []
    assert p.page.is_open


async def test_another_site_takes_nothing(look: Look, p: Paged) -> None:
    """Not even one that knows the link and all that stands in the form: a browser says where a form comes from."""
    secret = p.g.links.form(p.page.told[0].message)
    fields = f'<input name="csrf" value="{secret}"><input name="does" value="take">'
    page = await look(
        f"data:text/html,<form method=post action='{p.g.base}{p.path()}'>{fields}<button>win</button></form>"
    )
    await page.get_by_role("button").click()
    await expect(page.get_by_role("alert")).to_contain_text("does not count")
    assert p.answers == []
    await page.get_by_role("button", name="I have it").click()  # now on our own screen
    await expect(page.get_by_role("status")).to_contain_text("You have it")


async def test_who_cannot_passes_it_on_and_reads_who_has_it(look: Look, p: Paged) -> None:
    """The next one is told at once; the same screen then says who took it."""
    page = await opened(look, p)
    await page.get_by_role("button", name="I cannot").click()
    await expect(page.get_by_role("status")).to_contain_text("You have said that you cannot.")
    other = await opened(look, p, p.path(DEPUTY))
    await expect(other.get_by_role("listitem")).to_contain_text(CHIEF)
    await other.get_by_role("button", name="I have it").click()
    await expect(other.get_by_role("status")).to_contain_text("You have it")
    await page.get_by_role("button", name="I have it").click()  # the screen is from before
    await expect(page.get_by_role("status")).to_contain_text(f"{DEPUTY} has it, since")
    assert p.page.answered_by == DEPUTY


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everybody_can_use_it(look: Look, p: Paged, scheme: str) -> None:
    """Nothing for axe in any state, nothing sticks out at 320 px, every button is large; in the message's language."""
    found: list[str] = []

    async def seen(page: Page) -> None:
        found.extend(await violations(page))
        await page.set_viewport_size({"width": 320, "height": 600})
        assert await page.evaluate("document.documentElement.scrollWidth") == 320
        for button in await page.locator("button").all():
            box = await button.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 44

    speaks(p, "fi")
    page = await opened(look, p, color_scheme=scheme)
    await expect(page.locator("html")).to_have_attribute("lang", "fi")
    await seen(page)
    await page.locator("button[value=pass]").click()
    await seen(page)
    await page.locator("button[value=take]").click()
    await expect(page.locator("form")).to_have_count(0)
    await seen(page)
    await seen(await opened(look, p, "/t/aaaaaaaaaaaaaaaa", color_scheme=scheme))
    test = await opened(look, p, p.test_of_path(), color_scheme=scheme)
    await seen(test)
    await test.locator("button").click()
    await expect(test.locator("form")).to_have_count(0)
    await seen(test)
    assert found == []
