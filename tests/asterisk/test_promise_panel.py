"""Promises of the panel, on a real PBX: a key pressed in the browser is heard on the caller's phone."""

import json
import re
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.asterisk.ears import CHIEF_HZ, PROMPTS, VOICE_DBFS, hear_each_other, heard_nothing_of, hears_prompt
from tests.asterisk.house import SITE, House, mobile_at, open_house
from tests.browser import conftest as chromium
from tests.browser.conftest import Look
from tests.browser.real_service import PATIENCE_MS, PATIENCE_S, Shown, has, is_live, let_in, shows, watch
from tests.lab import listening
from tests.lab.audio import FRAME, tone
from tests.lab.phone import Call
from tests.lab.waiting import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]

browser, look = chromium.browser, chromium.look

DESK = {"viewport": {"width": 1280, "height": 800}}
POLICY = (
    SITE
    + """
    [panel.hotkeys]
    warn = "F8"
    lost = "F9"
    suicide = "F10"

    [keys.warn]
    does = "warn"
    kind = "abuse"

    [keys.lost]
    does = "warn"
    kind = "lost"

    [keys.suicide]
    does = "flag"
    kind = "suicide"

    [kinds.abuse]
    warning = "long"
    may_end = true
    wait_s = 2
    break_s = 600

    [kinds.lost]
    warning = "lost"
    may_end = true

    [kinds.suicide]
    latched = true
    page = "acute"
    break_s = 60

    [handoff.chief]
    ring_s = 60

    [[handoff.chief.chain]]
    name = "kim"
    endpoint = "PJSIP/chief"

    [people.kim]
    mqtt = "kim"
    sms = "+4520304053"

    [pages.acute]
    last_resort = "kim"

    [[pages.acute.steps]]
    people = ["kim"]
    wait_s = 600
"""
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def centre(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A house with an agent for each story, and a chief who is not in the queue."""
    agents = ("agent1", "agent2", "agent3", "agent4", "chief")
    async with open_house(tmp_path_factory.mktemp("panel"), POLICY, agents, members=agents[:4]) as opened:
        yield opened


async def agents_screen(look: Look, house: House, name: str, agent: str) -> Page:
    """Return the screen of somebody who has just been given an account."""
    screen = await let_in(look, house.service, name, "--role", "agent", "--agent", agent)
    await expect(screen).to_have_url(re.compile("/panel/agent$"))
    await shows(screen, "free")
    return screen


async def in_a_call(house: House, screen: Page, agent: str) -> tuple[Call, Call]:
    """Ring the agent; the screen shows it."""
    at_caller, at_agent = await house.talk_in_tones(agent)
    await shows(screen, "call")
    return at_caller, at_agent


def heard_share(call: Call, prompt: str, since: float, till: float) -> float:
    """Return how much of a prompt a call had heard at `till`, 0 … 1."""
    late = listening.packets(call, till)
    heard = listening.audio(call, since)
    return listening.hearing(heard[: len(heard) - late * FRAME], PROMPTS[prompt]).share


def in_order(seen: list[Shown]) -> list[str]:
    """Return the states shown, each once for as long as it lasted, without those that pass by quickly."""
    moods = [s.mood for s in seen if s.mood in ("call", "flagged", "warning", "warned", "acute", "break")]
    return [mood for number, mood in enumerate(moods) if mood not in moods[number - 1 : number]]


async def test_f8_warns_the_caller_and_then_ends_the_call(centre: House, look: Look) -> None:
    """By a one-time link to the screen; F8: asked, being warned, and warned only once the caller has heard it.

    After the policy's wait F8 again: the agent's phone is free, the caller hears the closing, the break shows.
    """
    screen = await agents_screen(look, centre, "anna", "agent1")
    at_caller, at_agent = await in_a_call(centre, screen, "agent1")
    seen = await watch(screen)

    since = time.monotonic()
    await screen.keyboard.press("F8")
    await shows(screen, "warned")
    assert [(s.mood, s.asked) for s in seen[:2]] == [("call", ""), ("call", "asked")], "asked is not happened"
    assert in_order(seen) == ["call", "warning", "warned"]
    warned = next(s for s in seen if s.mood == "warned")
    assert heard_share(at_caller, "long", since, warned.at) > 0.5, "it says so only when it has happened"
    await hears_prompt(at_caller, "long", since)

    key = screen.locator("#key-warn")
    await has(key, "data-permitted", "yes")
    await hear_each_other(at_caller, at_agent)
    since = time.monotonic()
    await screen.keyboard.press("F8")
    await at_agent.is_ended(PATIENCE_S)
    await at_caller.is_ended(PATIENCE_S)
    await hears_prompt(at_caller, "closing", since)
    assert at_caller.bye_at is not None, "disconnected, after the message"
    await shows(screen, "break")
    await expect(screen.locator(".left .big")).to_have_text(re.compile(r"^(10:00|9:\d\d)$"), timeout=PATIENCE_MS)
    assert (await centre.pause_of("agent1")).startswith("bagvagt:")
    assert in_order(seen) == ["call", "warning", "warned", "break"]


async def test_a_warning_that_nobody_heard_is_never_shown_as_heard(centre: House, look: Look) -> None:
    """The PBX is answered 404 for the recording: the screen says that it failed, and never that somebody is warned."""
    centre.media_missing.add("lost")
    screen = await agents_screen(look, centre, "bo", "agent2")
    at_caller, at_agent = await in_a_call(centre, screen, "agent2")
    seen = await watch(screen)
    await screen.keyboard.press("F9")
    await until(lambda: any(s.mood == "warning" for s in seen), PATIENCE_S, "it is tried")
    await expect(screen.locator("#last")).to_be_visible(timeout=PATIENCE_MS)
    await shows(screen, "flagged")
    assert "warned" not in {s.mood for s in seen}
    await hear_each_other(at_caller, at_agent)
    await at_caller.hang_up()


async def test_an_acute_key_reaches_the_duty_desk_and_the_chief_takes_over(centre: House, look: Look) -> None:
    """F10: acute on both screens. At the desk one click takes the alarm, another rings the chief's phone.

    The chief answers, is briefed alone, and all three are in the call: nobody is taken out of an acute one.
    """
    screen = await agents_screen(look, centre, "carl", "agent3")
    desk = await let_in(look, centre.service, "kim", "--role", "chief", "--person", "kim", **DESK)
    await expect(desk).to_have_url(re.compile("/panel/duty$"))
    chief = await centre.phone("chief", answer_after_s=None)
    words = centre.words()
    at_caller, at_agent = await in_a_call(centre, screen, "agent3")
    async with mobile_at(centre.broker.port) as mobile:
        await screen.keyboard.press("F10")
        await shows(screen, "acute")
        await has(screen.locator("#key-warn"), "data-permitted", "no")

        alarm = desk.locator("#pages .page-acute")
        await expect(alarm.locator(".has-not")).to_be_visible(timeout=PATIENCE_MS)
        assert not words.moved("answered")
        await alarm.locator("button.act.big").click()
        await expect(alarm.locator(".has")).to_contain_text("kim", timeout=PATIENCE_MS)
        await words.until_moved("answered", PATIENCE_S, kind="page")
        await until(lambda: {"kim"} == answered_by(mobile.told("kim")), PATIENCE_S, "the phone on call knows too")

    assert not chief.incoming
    shown = desk.locator("#calls .call", has_text="agent3")
    await shown.locator("button[id^=over-]").click()
    at_chief = await chief.rings(PATIENCE_S)
    await has(screen.locator("#help"), "class", "help help-ringing")
    since = time.monotonic()
    at_chief.answer()
    at_chief.say(tone(CHIEF_HZ, level_dbfs=VOICE_DBFS))
    await has(screen.locator("#help"), "class", "help help-joined")
    await listening.hears(at_caller, CHIEF_HZ, time.monotonic())
    await hears_prompt(at_chief, "brief-chief", since)
    assert heard_nothing_of(at_caller, "brief-chief", since)
    await hear_each_other(at_caller, at_agent)
    await expect(shown).to_contain_text("kim", timeout=PATIENCE_MS)
    await at_caller.hang_up()


def answered_by(told: list[str]) -> set[str]:
    """Return who has taken the page, as a phone on call was told."""
    return {page["by"] for page in map(json.loads, told) if page["state"] == "answered"}


async def test_killed_in_a_call_the_screen_says_so_and_comes_back_with_what_is_so_then(
    centre: House, look: Look
) -> None:
    """Kill -9 after a warning: the call goes on, the screen believes nothing. Both hang up meanwhile.

    Started again: the same page in the same session shows the break, and not for a moment the call that is over.
    """
    screen = await agents_screen(look, centre, "dora", "agent4")
    at_caller, at_agent = await in_a_call(centre, screen, "agent4")
    await screen.keyboard.press("F8")
    await shows(screen, "warned")
    await screen.evaluate("window.isTheSame = true")

    await centre.service.kill()
    await is_live(screen, "lost")
    await hear_each_other(at_caller, at_agent)
    seen = await watch(screen)
    for call in (at_caller, at_agent):
        await call.hang_up()
    await centre.service.start()
    await shows(screen, "break")
    await until(lambda: is_ours(centre, "agent4"), PATIENCE_S, "the break stands")
    assert await screen.evaluate("window.isTheSame")
    believed = {s.mood for s in seen if s.live == "on"}
    assert not believed & {"call", "flagged", "warning", "warned"}, seen


async def is_ours(house: House, agent: str) -> bool:
    """Tell whether the PBX shows our pause."""
    return (await house.pause_of(agent)).startswith("bagvagt:")
