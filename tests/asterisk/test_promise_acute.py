"""Promises about the acute key: no key ends such a call, an ending on its way stops, the backup is called."""

import asyncio
import json
import time

import pytest

from tests.asterisk.ears import AGENT_HZ, PROMPTS, VOICE_DBFS, begins_to_hear, hear_each_other, heard_nothing_of
from tests.asterisk.house import House, mobile_at
from tests.lab import listening
from tests.lab.audio import tone
from tests.lab.waiting import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

ANNA = "+4520304051"


async def no_key_ends(house: House, agent: str) -> None:
    """Press all that could end the call; each is refused since the call is acute."""
    for key in ("end", "warn", "slow"):
        answer = await house.service.press(key, agent)
        assert (answer["verdict"], answer["reason"]) == ("not_permitted", "latched"), key


async def test_the_acute_key_stops_a_running_warning_and_no_key_ends_the_call(house: House) -> None:
    """In the middle of a warning: silence at once, the backup has MQTT and SMS, and every ending key is refused."""
    words = house.words()
    async with mobile_at(house.broker.port) as mobile:
        at_caller, at_agent = await house.talk_in_tones("agent23")
        at_agent.say(None)
        since = time.monotonic()
        await house.service.press("slow", "agent23")
        await begins_to_hear(at_caller)
        pressed = time.monotonic()
        answer = await house.service.press("suicide", "agent23")
        assert (answer["verdict"], answer["reason"]) == ("accepted", "acute")
        await words.until_moved("acute")
        await until(lambda: mobile.told("anna") and house.carrier.to(ANNA), 5, "the backup is told")
        page = json.loads(mobile.told("anna")[-1])
        assert page["severity"] == "acute"
        await asyncio.sleep(1.0)  # past the kind's wait_s; and to hear whether it is silent
        assert listening.hearing(listening.audio(at_caller, since), PROMPTS["long"]).share < 0.4
        assert listening.heard_loud_at(at_caller, pressed + 0.6) is None, "the warning went on"
        assert not words.moved("warned")
        await no_key_ends(house, "agent23")
        at_agent.say(tone(AGENT_HZ, level_dbfs=VOICE_DBFS))
        await hear_each_other(at_caller, at_agent)
        assert not words.did("Release")
        await mobile.acknowledge(page["page"], "anna")
        await words.until_moved("answered")
        await at_caller.hang_up()


async def test_the_acute_key_in_the_closing_message_brings_the_caller_back(house: House) -> None:
    """The closing stops, the agent's phone rings again, both hear each other, the backup is told, no key ends it."""
    words = house.words()
    before = len(house.carrier.to(ANNA))
    at_caller, at_agent = await house.talk_in_tones("agent24")
    await house.service.press("warn", "agent24")
    await words.until_moved("warned")
    await asyncio.sleep(1.5)  # the policy's own wait_s
    since = time.monotonic()
    assert (await house.service.press("end", "agent24"))["reason"] == "ending"
    await at_agent.is_ended(2)
    await words.until_moved("closing")
    await begins_to_hear(at_caller)
    answer = await house.service.press("suicide", "agent24")
    assert (answer["verdict"], answer["reason"]) == ("accepted", "acute")
    again = await (await house.phone("agent24")).takes()
    again.say(tone(AGENT_HZ, level_dbfs=VOICE_DBFS))
    await hear_each_other(at_caller, again)
    assert listening.hearing(listening.audio(at_caller, since), PROMPTS["closing"]).share < 0.6
    await until(lambda: len(house.carrier.to(ANNA)) > before, 5, "the backup is told")
    back = time.monotonic()
    await no_key_ends(house, "agent24")
    await asyncio.sleep(0.5)
    assert heard_nothing_of(at_caller, "warning", back)
    await hear_each_other(at_caller, again)
    await at_caller.hang_up()
