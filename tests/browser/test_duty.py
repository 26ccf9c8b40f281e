"""The duty desk's screen: alarms that are heard, and one click for each act."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Page, expect

from adapters.accounts.model import Role
from tests.browser import pictures
from tests.browser.conftest import Look
from tests.browser.gallery import Gallery

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHIEF = frozenset({Role.CHIEF})
BACKUP = frozenset({Role.BACKUP})


async def opened(look: Look, shown: Gallery, state: str, roles: frozenset[Role] = CHIEF, **context: Any) -> Page:
    """Return the duty desk's screen in a state, in English."""
    shown.language, shown.roles = "en", roles
    await shown.show(duty=pictures.duty_states()[state])
    page = await look(f"{shown.url}/panel/duty", **{"viewport": {"width": 1280, "height": 900}, **context})
    await expect(page.locator("#pages")).to_be_visible()
    return page


async def sounded(page: Page) -> int:
    """Return how often the screen has made a sound."""
    return int(await page.evaluate("document.body.dataset.sounded ?? 0"))


async def until_sounded(page: Page, more_than: int) -> None:
    """Wait until it has made another one."""
    await page.wait_for_function("n => Number(document.body.dataset.sounded ?? 0) > n", arg=more_than)


async def test_each_act_is_one_click(look: Look, shown: Gallery) -> None:
    """Take a page, take a call over, end a break, agree to open a latch: each goes to its place in the API."""
    page = await opened(look, shown, "busy")
    shown.answer = (202, {})
    await page.get_by_role("button", name="I have it").click()
    await page.locator("#over-c2").click()
    await page.locator("#end-b1").click()
    await page.get_by_text("Not acute any more?").click()
    await expect(page.locator("#latch-c1")).to_contain_text("Agreed so far: anna.")
    await page.get_by_role("button", name="I agree: not acute").click()
    await expect(page.locator("#open-c1")).to_contain_text("Accepted.")
    assert [path for path, _ in shown.posts] == [
        "/v1/pages/p-18f3a1-acute/acknowledge",
        "/v1/calls/c2/take-over",
        "/v1/breaks/b1/end",
        "/v1/calls/c1/open-latch",
    ]


async def test_the_first_press_moves_nothing_under_the_finger(look: Look, shown: Gallery) -> None:
    """It lets the page sound, and the note that says it is silent goes away: after the press, not in its midst."""
    page = await opened(look, shown, "busy")
    shown.answer = (202, {})
    note = page.locator("#sound-blocked")
    await expect(note).to_be_visible()
    take = page.get_by_role("button", name="I have it")
    box = await take.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 4)
    await page.mouse.down()
    sounded_at = await sounded(page)
    await until_sounded(page, sounded_at)  # the page may sound now, and has looked at its notes
    await expect(note).to_be_visible()
    await page.mouse.up()
    await expect(note).to_be_hidden()
    assert [path for path, _ in shown.posts] == ["/v1/pages/p-18f3a1-acute/acknowledge"]


async def test_a_refused_take_over_says_why(look: Look, shown: Gallery) -> None:
    """By the reason's code, in words, on the button that was pressed."""
    page = await opened(look, shown, "busy")
    shown.answer = (409, {"type": "urn:bagvagt:problem:no-phone"})
    await page.locator("#over-c2").click()
    await expect(page.locator("#over-c2")).to_contain_text("Policy knows no phone on which you could be rung.")


async def test_who_was_told_and_how_it_went(look: Look, shown: Gallery) -> None:
    """Every message of a page, with the time, the way, and what the carrier said: that is no answer."""
    page = await opened(look, shown, "busy")
    told = page.locator("#page-p-18f3a1-acute .told li")
    await expect(told).to_have_count(5)
    await expect(told.nth(1)).to_contain_text("Anna SMS arrived")
    await expect(told.nth(2)).to_contain_text("Bo SMS refused")
    await expect(page.locator("#page-p-18f3a1-acute")).to_contain_text("Nobody has answered yet.")
    await expect(page.locator("#page-p-2")).to_contain_text("Anna has it, since")


async def test_the_time_line_tells_what_happened_and_when(look: Look, shown: Gallery) -> None:
    """In order, with the time that has passed; who took it, by what, after how long; in the reader's language."""
    page = await opened(look, shown, "busy")
    line = page.locator("#line-p-18f3a1-acute")
    await line.get_by_text("Time line").click()
    said = [" ".join(text.split()) for text in await line.locator("li").all_inner_texts()]
    assert [text.partition(" ")[2] for text in said] == [
        "+0:00 begun",
        "+0:00 Vagtdesk the on-call phone: queued Step 1",
        "+0:00 Anna SMS: queued Step 1",
        "+0:01 Vagtdesk the on-call phone: sent",
        "+0:01 Anna SMS: sent",
        "+0:05 Anna SMS: arrived",
        "+1:00 Bo SMS: queued Step 2",
        "+1:00 Bo the on-call phone: queued Step 2",
        "+1:01 Bo SMS: refused HTTP 400 no route",
    ]
    await expect(page.locator("#page-p-18f3a1-acute .told li").nth(4)).to_contain_text("waiting for its turn")
    await expect(page.locator("#page-p-18f3a1-acute")).to_contain_text("Cannot take it: Carl.")
    await expect(page.locator("#page-p-2 .has")).to_contain_text("(SMS, after 1:15)")
    await expect(page.locator("#line-p-2 li").last).to_contain_text("Anna has taken it: SMS")
    shown.language = "da"
    await shown.show(duty=pictures.duty_states()["busy"])
    await expect(line).to_contain_text("Anna sms: modtaget")


async def test_who_can_be_reached_and_who_not(look: Look, shown: Gallery) -> None:
    """A word, and not a colour alone, for what is not proved; each way with its age; unfolded it stays so."""
    page = await opened(look, shown, "busy")
    proofs = page.locator("#proofs")
    await expect(proofs.locator("summary")).to_have_text("2 ways to people are not proved")
    await proofs.locator("summary").click()
    ways = proofs.locator("li")
    await expect(ways).to_have_count(4)
    await expect(ways.nth(0)).to_contain_text("Bo a phone call: never proved not proved 2 tests not answered in a row")
    await expect(ways.nth(1)).to_contain_text("40 days ago")
    await expect(ways.nth(2)).to_contain_text("test sent")
    await expect(ways.nth(2)).not_to_contain_text("not proved")
    await shown.show(duty=pictures.duty_states()["taken"])
    await expect(ways).to_have_count(1)
    await expect(ways).to_be_visible()
    await expect(proofs.locator("summary")).to_have_text("Every way that was tried works.")


async def test_what_somebody_has_unfolded_stays_so(look: Look, shown: Gallery) -> None:
    """A new picture does not fold it up under the mouse."""
    page = await opened(look, shown, "busy")
    await page.get_by_text("Not acute any more?").click()
    await page.get_by_text("Your part").click()
    await shown.show(duty=pictures.duty_states()["busy"].model_copy(update={"breaks": ()}))
    await expect(page.locator("#breaks")).to_contain_text("Nobody is on a break.")
    await expect(page.get_by_role("button", name="I agree: not acute")).to_be_visible()
    await expect(page.locator("#part-p-18f3a1-acute ol")).to_be_hidden()


async def test_only_a_chief_sees_how_to_end_a_break(look: Look, shown: Gallery) -> None:
    """The service would refuse it from the backup; the button is not there either."""
    page = await opened(look, shown, "busy", BACKUP)
    await expect(page.locator("#over-c2")).to_be_visible()
    await expect(page.locator("#end-b1")).to_be_hidden()


async def test_an_alarm_sounds_until_somebody_has_it(look: Look, shown: Gallery) -> None:
    """First the screen says that it is silent; after one touch it sounds, again and again, and stops with an answer."""
    page = await opened(look, shown, "busy")
    await expect(page.get_by_role("button", name="Sound is off in this browser.")).to_be_visible()
    assert await sounded(page) == 0
    await page.get_by_role("button", name="Sound is off in this browser.").click()
    await until_sounded(page, 0)
    await until_sounded(page, 1)
    await expect(page.locator("#sound-blocked")).to_be_hidden()
    await shown.show(duty=pictures.duty_states()["taken"])
    await expect(page.locator("#page-p-18f3a1-acute")).to_contain_text("Anna has it")
    at_the_answer = await sounded(page)
    await page.evaluate("() => new Promise(done => setTimeout(done, 3500))")  # longer than between two sounds
    assert await sounded(page) == at_the_answer


async def test_a_hidden_tab_sounds_and_shows_the_alarm_in_its_title(look: Look, shown: Gallery) -> None:
    """Nothing waits for the tab to be looked at: the stream goes on, the sound comes, the title says why."""
    page = await opened(look, shown, "quiet")
    await page.locator("#sound-test").click()
    before = await sounded(page)
    await page.evaluate(
        """() => {
          Object.defineProperty(document, "hidden", { get: () => true });
          Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
          document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    await shown.show(duty=pictures.duty_states()["busy"])
    await until_sounded(page, before)
    await expect(page).to_have_title("Alarm · Duty desk · Bagvagt")
    await expect(page.locator("#shouted")).to_have_text("Alarm: nobody has answered.")


async def test_a_muted_screen_is_silent_says_so_and_stays_so(look: Look, shown: Gallery) -> None:
    """Muting is this screen's own; after a reload it still stands there that nothing will be heard."""
    page = await opened(look, shown, "quiet")
    await page.locator("#sound-test").click()
    await until_sounded(page, 0)  # it could be heard
    await page.locator("#sound-mute").click()
    await expect(page.locator("#sound-mute")).to_have_attribute("aria-pressed", "true")
    await shown.show(duty=pictures.duty_states()["busy"])
    await expect(page.get_by_role("button", name="I have it")).to_be_visible()
    assert await sounded(page) == 1
    await page.reload()
    await expect(page.get_by_text("This screen is muted")).to_be_visible()
    await page.locator("#sound-mute").click()
    await until_sounded(page, 0)


async def test_two_desks_see_the_same_answer(look: Look, shown: Gallery) -> None:
    """Who has it stands on every screen, in each reader's own browser."""
    one = await opened(look, shown, "busy")
    other = await opened(look, shown, "busy", BACKUP, viewport={"width": 390, "height": 800})
    await shown.show(duty=pictures.duty_states()["taken"])
    await asyncio.gather(
        *(expect(p.locator("#page-p-18f3a1-acute")).to_contain_text("Anna has it") for p in (one, other))
    )
    await expect(other.get_by_role("button", name="I have it")).to_have_count(0)
