"""Promises about keys: how they are pressed, who may press them, and that they say what they did."""

import asyncio
import time

import aiohttp
import pytest

from adapters.prompts.library import PromptLibrary
from tests.asterisk.ears import CALLER_HZ, PROMPTS, VOICE_DBFS, hear_each_other, heard_nothing_of, hears_prompt
from tests.asterisk.house import House
from tests.lab import listening
from tests.lab.audio import RATE_HZ, Audio, read_wav, tone
from tests.lab.waiting import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

DESK_PHONE, STRANGER = "127.0.0.5", "127.0.0.6"


def answer_tone(name: str) -> Audio:
    """Return a tone that agents hear."""
    return read_wav(PromptLibrary(None).find_tone(name).path)


async def get(url: str, source: str) -> tuple[int, dict[str, object]]:
    """GET from an address of its own."""
    connector = aiohttp.TCPConnector(local_addr=(source, 0))
    async with aiohttp.ClientSession(connector=connector) as session, session.get(url) as answer:
        return answer.status, await answer.json()


async def test_a_feature_code_warns_and_its_digits_do_not_reach_the_caller(house: House) -> None:
    """The caller hears no key, by RFC 4733 or as a tone, before the warning; other keys do reach the caller."""
    words = house.words()
    at_caller, at_agent = await house.talk("agent1")
    await asyncio.sleep(0.3)  # the media's first packets
    since = time.monotonic()
    await at_agent.press("*91")
    await words.until_moved("warned")
    sound = listening.audio(at_caller, since)
    warning = listening.hearing(sound, PROMPTS["warning"])
    assert warning.whole
    # While keys are sent a phone sends no sound, so that often no packet comes before the warning's first.
    assert listening.dbfs(sound[: max(0, round(warning.start_s * RATE_HZ) - 320)]) < -60
    assert at_caller.rtp.keys == ""
    # The ear is not deaf: a key that is no code is heard.
    await at_agent.press("7")
    await until(lambda: at_caller.rtp.keys == "7", 5, "the caller hears an ordinary key")
    await at_caller.hang_up()


async def test_a_speed_dial_warns_while_the_caller_is_held(house: House) -> None:
    """The agent's phone calls 8591 beside a held call: the held caller hears the warning, the agent hears a tone."""
    words = house.words()
    at_caller, at_agent = await house.talk_in_tones("agent2")
    await at_agent.hold()
    since = time.monotonic()
    speed_dial = await (await house.phone("agent2")).dial("8591")
    await words.until_moved("warned")
    await speed_dial.is_ended()
    await hears_prompt(at_caller, "warning", since)
    assert listening.heard_whole(speed_dial, answer_tone("tone-accepted"), since), "the agent's own tone"
    await at_agent.resume()
    await hear_each_other(at_caller, at_agent)
    await at_caller.hang_up()


async def test_a_key_is_pressed_over_http_by_action_url_and_on_the_command_line(house: House) -> None:
    """POST with the agent's token, GET from a desk phone's address, `bagvagt key warn`: three callers are warned.

    A token of the wrong kind, none at all, and an address that is not allowed are refused, and warn nobody.
    """
    words, service = house.words(), house.service
    calls = [(await house.talk_in_tones(f"agent{n}"))[0] for n in (3, 4, 5)]
    url = f"{service.url}/v1/keys/warn"
    since = time.monotonic()

    status, _ = await get(f"{url}?token={service.tokens['agent4-phone']}", STRANGER)
    assert status == 403
    status, _ = await get(f"{url}?token={service.tokens['agent4']}", DESK_PHONE)
    assert status == 401
    async with aiohttp.ClientSession() as session:
        async with session.post(url) as answer:
            assert answer.status == 401
        wrong = {"Authorization": f"Bearer {service.tokens['agent4-phone']}"}
        async with session.post(url, headers=wrong) as answer:
            assert answer.status == 401
    assert not words.did("Announce")

    assert (await service.press("warn", "agent3"))["reason"] == "warning_started"
    status, body = await get(f"{url}?token={service.tokens['agent4-phone']}", DESK_PHONE)
    assert (status, body["reason"]) == (200, "warning_started")
    service.secret_file("agent5.token", service.tokens["agent5"])
    token_file = str(service.folder / "agent5.token")
    printed = await service.command("key", "warn", "--server", service.url, "--token-file", token_file)
    assert printed.strip() == "accepted: The caller is being warned."
    await words.until_moved("warned", count=3)
    for call in calls:
        await hears_prompt(call, "warning", since)
        await call.hang_up()


async def test_a_key_without_a_call_or_pressed_twice_says_what_it_did(house: House) -> None:
    """No call: said so. Twice within a second: the warning plays once, and the second press says that it was done."""
    answer = await house.service.press("warn", "agent6")
    assert (answer["verdict"], answer["reason"]) == ("not_permitted", "no_call")
    words = house.words()
    at_caller, at_agent = await house.talk_in_tones("agent7")
    await house.service.press("warn", "agent7")
    answer = await house.service.press("warn", "agent7")
    assert (answer["verdict"], answer["reason"]) == ("accepted", "same_press")
    await words.until_moved("warned")
    assert words.did("Announce") == 1
    await hear_each_other(at_caller, at_agent)
    await at_caller.hang_up()


async def test_a_key_with_two_calls_means_the_one_that_is_up(house: House) -> None:
    """One held, one up: the one that is up is warned. Both held: nobody is, and the agent is told why."""
    words = house.words()
    first, at_agent = await house.talk_in_tones("agent8")
    await at_agent.hold()
    second, again = await house.talk("agent8", caller_says=tone(CALLER_HZ, level_dbfs=VOICE_DBFS))
    since = time.monotonic()
    assert (await house.service.press("warn", "agent8"))["reason"] == "warning_started"
    await words.until_moved("warned")
    await hears_prompt(second, "warning", since)
    assert heard_nothing_of(first, "warning", since)
    await again.hold()
    await asyncio.sleep(1.0)  # past presses.double_press_s
    answer = await house.service.press("warn", "agent8")
    assert (answer["verdict"], answer["reason"]) == ("not_permitted", "several_calls")
    assert not first.ended.is_set()
    assert not second.ended.is_set()
    for call in (first, second):
        await call.hang_up()
