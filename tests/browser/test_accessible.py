"""For everybody: axe-core finds nothing on any screen in any state, light or dark; it fits, and it stands still."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from adapters.accounts.model import Role
from tests.browser import pictures
from tests.browser.conftest import Look
from tests.browser.gallery import Gallery

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
STATES: dict[str, Callable[[], Any]] = {
    "agent": pictures.agent_states,
    "duty": pictures.duty_states,
    "wall": pictures.duty_states,
}


async def violations(page: Page) -> list[str]:
    """Return what axe-core has to say. Evaluated from outside, so the page's own CSP stays as it is."""
    await page.evaluate(AXE)
    found = await page.evaluate("tags => axe.run({ runOnly: tags })", RULES)
    return [
        f"{v['id']}: {v['help']}: {n['html'][:150]} {json.dumps([c['data'] for c in n['any']])[:300]}"
        for v in found["violations"]
        for n in v["nodes"]
    ]


async def opened(look: Look, shown: Gallery, screen: str, **context: Any) -> Page:
    """Return a screen that is on."""
    shown.roles = frozenset(Role)
    page = await look(f"{shown.url}/panel/{screen}", **{"reduced_motion": "reduce", **context})
    await expect(page.locator("#off-why")).to_have_text("")
    return page


async def show(shown: Gallery, page: Page, screen: str, state: str) -> None:
    """Let a state be seen, with all that can be unfolded."""
    picture: Any = STATES[screen]()[state]
    if screen == "agent":
        await shown.show(agent=picture)
        await expect(page.locator("#state")).to_have_attribute("data-mood", picture.mood)
    else:
        await shown.show(agent=pictures.agent(), duty=picture)
        await expect(page.locator("article.page, section.mood-acute")).to_have_count(_alarms(screen, picture))
    live = "on" if picture.protection.on else "off"
    await expect(page.locator("body")).to_have_attribute("data-live", live)
    await page.evaluate("document.querySelectorAll('details').forEach(part => (part.open = true))")


def _alarms(screen: str, picture: Any) -> int:
    open_ = [p for p in picture.pages if p.severity == "acute" and not p.answered_by]
    return len(open_ if screen == "wall" else picture.pages)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", list(STATES))
async def test_axe_finds_nothing(look: Look, shown: Gallery, screen: str, scheme: str) -> None:
    """Every state: contrast, names, roles, order, targets. And once more without contact, and in Finnish."""
    page = await opened(look, shown, screen, color_scheme=scheme)
    for state in STATES[screen]():
        await show(shown, page, screen, state)
        assert (state, await violations(page)) == (state, [])
    await shown.stop()
    await expect(page.locator("#stale")).to_be_visible(timeout=8000)
    assert await violations(page) == []
    await shown.start()


@pytest.mark.parametrize("language", ["da", "sv", "fi", "nb", "en"])
@pytest.mark.parametrize("screen", list(STATES))
async def test_nothing_sticks_out_at_360_pixels_or_at_320(
    look: Look, shown: Gallery, screen: str, language: str
) -> None:
    """No scrolling sideways in a small window, in any language; 320 is a 1280 px window at 400 % (WCAG 1.4.10)."""
    shown.language = language
    page = await opened(look, shown, screen)
    for width in (360, 320):
        await page.set_viewport_size({"width": width, "height": 600})
        for state in STATES[screen]():
            await show(shown, page, screen, state)
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert (state, wide) == (state, width)


async def test_every_key_is_large_enough_for_a_shaking_finger(look: Look, shown: Gallery) -> None:
    """44 px each way, on every button of the agent's screen and the duty desk's."""
    page = await opened(look, shown, "agent")
    await show(shown, page, "agent", "wait")
    desk = await opened(look, shown, "duty", viewport={"width": 390, "height": 800})
    await show(shown, desk, "duty", "busy")
    for button in [*await page.locator("main button").all(), *await desk.locator("main button:visible").all()]:
        box = await button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44


async def test_who_asks_for_no_motion_gets_none(look: Look, shown: Gallery) -> None:
    """An alarm breathes; not for those whom that makes ill."""
    still = await opened(look, shown, "duty")
    await show(shown, still, "duty", "busy")
    moving = await opened(look, shown, "duty", reduced_motion="no-preference")
    await show(shown, moving, "duty", "busy")
    count = "document.getAnimations().length"
    assert await still.evaluate(count) == 0
    assert await moving.evaluate(count) > 0


@pytest.mark.parametrize("language", ["da", "sv", "fi", "nb", "en"])
async def test_a_page_says_in_which_language_it_is(look: Look, shown: Gallery, language: str) -> None:
    """A screen reader needs to know."""
    shown.language = language
    page = await opened(look, shown, "agent")
    await expect(page.locator("html")).to_have_attribute("lang", language)


async def test_state_is_told_politely_and_acute_at_once(look: Look, shown: Gallery) -> None:
    """Live regions outlive the screen that is drawn anew; only what cannot wait interrupts."""
    shown.language = "en"
    page = await opened(look, shown, "agent")
    await show(shown, page, "agent", "warned")
    await expect(page.get_by_role("status")).to_have_text("Warned. The caller has heard the warning.")
    await expect(page.locator("#shouted")).to_have_text("")
    await show(shown, page, "agent", "acute")
    await expect(page.locator("#shouted")).to_contain_text("Acute.")
