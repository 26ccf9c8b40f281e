"""The agent's screen under a frightened person's hands: what a press shows, and that one press is one act."""

import asyncio
import re
from collections.abc import Callable

import pytest
from playwright.async_api import Page, expect

from tests.browser import pictures
from tests.browser.conftest import Look
from tests.browser.gallery import Gallery

pytestmark = pytest.mark.asyncio(loop_scope="session")

SUICIDE = "/v1/keys/suicide"
WARN = "/v1/keys/warn"


async def opened(look: Look, shown: Gallery, state: str, **context: object) -> Page:
    """Return the agent's screen in a state, in English."""
    shown.language = "en"
    await shown.show(agent=pictures.agent_states()[state])
    page = await look(f"{shown.url}/panel/agent", **context)
    await expect(page.locator("#state")).to_be_visible()
    return page


async def until(condition: Callable[[], object]) -> None:
    """Wait until the server has seen something."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 -- of a list, which tells nobody
            await asyncio.sleep(0.01)


async def test_a_press_shows_at_once_that_it_was_asked_for(look: Look, shown: Gallery) -> None:
    """The screen has changed while the answer is still held back; accepted, and happened, are told apart from it."""
    page = await opened(look, shown, "call")
    shown.may_answer.clear()
    key = page.locator("#key-warn")
    await page.keyboard.press("F8")
    await expect(key).to_have_attribute("data-phase", "asked")
    await expect(key).to_contain_text("Asked for …")
    await until(lambda: shown.posts)
    assert shown.posts == [(WARN, None)]
    shown.may_answer.set()
    await expect(key).to_contain_text("Accepted. Under way …")
    await expect(page.locator("#word")).to_have_text("In a call")
    await shown.show(agent=pictures.agent_states()["warning"])
    await expect(page.locator("#word")).to_have_text("Warning")
    await expect(key).not_to_have_attribute("data-phase", re.compile("."))


async def test_the_mark_is_there_before_the_request_is_sent(look: Look, shown: Gallery) -> None:
    """Nothing is waited for between the press and the changed screen: the request finds it changed."""
    page = await opened(look, shown, "call")
    await page.evaluate(
        """() => {
          const send = window.fetch;
          window.fetch = (...all) => {
            window.phaseWhenSent = document.getElementById("key-warn").dataset.phase;
            return send(...all);
          };
        }"""
    )
    await page.keyboard.press("F8")
    assert await page.evaluate("window.phaseWhenSent") == "asked"


async def test_a_key_that_is_held_down_is_one_press(look: Look, shown: Gallery) -> None:
    """Keyboards repeat; a frightened hand holds on."""
    page = await opened(look, shown, "call")
    for _ in range(5):
        await page.keyboard.down("F8")  # all but the first are marked as repeated
    await page.keyboard.up("F8")
    await page.keyboard.press("F10")
    await until(lambda: (SUICIDE, None) in shown.posts)
    assert shown.posts.count((WARN, None)) == 1


async def test_a_press_while_the_same_is_under_way_is_nothing_and_another_key_gets_through(
    look: Look, shown: Gallery
) -> None:
    """The same key waits for its answer; an acute key waits for nobody."""
    page = await opened(look, shown, "call")
    shown.may_answer.clear()
    await page.keyboard.press("F8")
    await page.keyboard.press("F8")
    await page.locator("#key-warn").click()
    await page.keyboard.press("F10")
    await until(lambda: len(shown.posts) > 1)
    assert shown.posts == [(WARN, None), (SUICIDE, None)]
    shown.may_answer.set()


async def test_a_double_click_is_one_press(look: Look, shown: Gallery) -> None:
    """Also when the first answer has come before the second click."""
    page = await opened(look, shown, "call")
    await page.locator("#key-suicide").dblclick(delay=50)
    await page.locator("#key-colleague").click()
    await until(lambda: len(shown.posts) > 1)
    assert shown.posts == [(SUICIDE, None), ("/v1/keys/colleague", None)]


async def test_a_hotkey_works_with_the_focus_in_a_text_field(look: Look, shown: Gallery) -> None:
    """Wherever the focus is; and what the browser would do with the key does not happen."""
    page = await opened(look, shown, "call")
    await page.evaluate(
        """() => {
          const field = document.createElement("input");
          field.ariaLabel = "note";
          document.body.prepend(field);
          field.focus();
        }"""
    )
    await page.keyboard.type("abc")
    await page.keyboard.press("F8")
    await until(lambda: shown.posts)
    assert shown.posts == [(WARN, None)]
    assert await page.get_by_label("note").input_value() == "abc"


async def test_a_key_with_a_modifier_is_another_key(look: Look, shown: Gallery) -> None:
    """Shift+F8 is not F8."""
    page = await opened(look, shown, "call")
    await page.keyboard.press("Shift+F8")
    await page.keyboard.press("F10")
    await until(lambda: shown.posts)
    assert shown.posts == [(SUICIDE, None)]


@pytest.mark.parametrize(
    ("answer", "phase", "text"),
    [
        ((200, {"verdict": "not_yet", "reason": "wait"}), "refused", "Wait a moment before ending."),
        ((200, {"verdict": "not_permitted", "reason": "latched"}), "refused", "no key ends this call"),
        ((503, {"type": "urn:bagvagt:problem:not-decided", "taken": True}), "failed", "Do not count on it."),
        ((403, {"type": "urn:bagvagt:problem:csrf"}), "failed", "This screen is too old."),
        ((429, {"type": "urn:bagvagt:problem:too-many"}), "failed", "Wait a moment."),
    ],
)
async def test_the_answer_stands_on_the_key(
    look: Look, shown: Gallery, answer: tuple[int, dict[str, object]], phase: str, text: str
) -> None:
    """In the reader's language, by the reason's code; never as if it had been obeyed."""
    page = await opened(look, shown, "call")
    shown.answer = answer
    await page.keyboard.press("F8")
    await expect(page.locator("#key-warn")).to_have_attribute("data-phase", phase)
    await expect(page.locator("#key-warn")).to_contain_text(text)


async def test_marks_and_focus_stay_when_the_screen_is_drawn_anew(look: Look, shown: Gallery) -> None:
    """A picture may come at any moment, also between pressing a button down and letting it go."""
    page = await opened(look, shown, "call")
    key = page.locator("#key-warn")
    await key.hover()
    await page.mouse.down()
    await shown.show(agent=pictures.agent(call=pictures.call(held=True), calls=1))
    await expect(page.locator(".line")).to_have_text("The caller is on hold.")
    shown.may_answer.clear()
    await page.mouse.up()
    await expect(key).to_have_attribute("data-phase", "asked")
    await shown.show(agent=pictures.agent(call=pictures.call(), calls=1))
    await expect(page.locator(".line")).to_have_text("Bagvagt is with you.")
    await expect(key).to_have_attribute("data-phase", "asked")
    await expect(key).to_be_focused()
    shown.may_answer.set()


async def test_by_keyboard_alone(look: Look, shown: Gallery) -> None:
    """Tab reaches every key in order, Enter and the space bar press it, and the focus is seen."""
    page = await opened(look, shown, "call")
    order = []
    for _ in range(30):
        await page.keyboard.press("Tab")
        order.append(await page.evaluate("document.activeElement.id"))
        if order[-1] == "key-suicide":
            break
    assert [i for i in order if i.startswith("key-")][:3] == ["key-warn", "key-sexual", "key-colleague"]
    assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await page.keyboard.press("Enter")
    await until(lambda: shown.posts)
    assert shown.posts == [(SUICIDE, None)]


async def test_a_kind_without_a_key_is_marked_by_one_click(look: Look, shown: Gallery) -> None:
    """It goes to the API by its name."""
    page = await opened(look, shown, "call")
    await page.get_by_role("button", name="Wants a superior").click()
    await until(lambda: shown.posts)
    assert shown.posts == [("/v1/calls/current/kind", {"kind": "superior"})]


async def test_the_countdown_runs_by_the_servers_clock(look: Look, shown: Gallery) -> None:
    """The browser's own clock may be an hour wrong."""
    shown.language = "en"
    await shown.show(agent=pictures.agent_states()["break"])
    page = await look(f"{shown.url}/panel/agent")
    await page.clock.install(time="2020-01-01T00:00:00")
    await page.reload()
    await page.clock.run_for(1000)
    await expect(page.locator(".left .big")).to_have_text(re.compile(r"12:\d\d"))


async def test_what_was_said_of_the_last_press_fades(look: Look, shown: Gallery) -> None:
    """An answer of half a minute ago is not news."""
    page = await opened(look, shown, "not-heard")
    await expect(page.locator("#last")).to_have_text("The caller did not hear the warning. Press again.")
    old = pictures.agent_states()["not-heard"].model_copy(update={"last_at": pictures.ago(30)})
    await shown.show(agent=old)
    await expect(page.locator("#last")).to_be_hidden()
