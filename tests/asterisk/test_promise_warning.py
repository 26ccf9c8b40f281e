"""Promises about warnings and endings: heard whoever is silent, and no ending without what policy wants."""

import asyncio
import itertools
import time

import pytest

from adapters.prompts.library import PromptLibrary
from tests.asterisk.ears import AGENT_HZ, CALLER_HZ, VOICE_DBFS, begins_to_hear, hear_each_other, heard, hears_prompt
from tests.asterisk.house import House
from tests.lab import listening
from tests.lab.audio import read_wav, tone
from tests.lab.phone import Call
from tests.lab.waiting import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

COMBINATIONS = tuple(itertools.product((False, True), repeat=3))


async def begin(house: House, agent: str, *, agent_mutes: bool, caller_mutes: bool, held: bool) -> tuple[Call, Call]:
    """Let two talk, then fall silent as told."""
    at_caller, at_agent = await house.talk(agent)
    at_agent.say(tone(AGENT_HZ, level_dbfs=VOICE_DBFS))
    at_caller.say(tone(CALLER_HZ, level_dbfs=VOICE_DBFS))
    at_agent.mute(on=agent_mutes)
    at_caller.mute(on=caller_mutes)
    if held:
        await at_agent.hold()
    return at_caller, at_agent


async def test_the_whole_warning_is_heard_whoever_is_silent_muted_or_held(house: House) -> None:
    """Agent sends or not x caller sends or not x held or not: each caller heard all of it, and the service says so."""
    words = house.words()
    calls = {}
    for number, (agent_mutes, caller_mutes, held) in enumerate(COMBINATIONS, 9):
        legs = await begin(house, f"agent{number}", agent_mutes=agent_mutes, caller_mutes=caller_mutes, held=held)
        calls[agent_mutes, caller_mutes, held] = legs
    since = time.monotonic()
    answers = await asyncio.gather(*(house.service.press("warn", f"agent{n}") for n in range(9, 17)))
    assert {answer["reason"] for answer in answers} == {"warning_started"}
    await until(lambda: len(words.moved("warned")) == len(calls), 10, "all are warned")
    for (agent_mutes, caller_mutes, held), (at_caller, at_agent) in calls.items():
        which = f"agent mutes: {agent_mutes}, caller mutes: {caller_mutes}, held: {held}"
        await hears_prompt(at_caller, "warning", since, f"the caller; {which}")
        if not held:  # who holds the other side is sent nothing
            await hears_prompt(at_agent, "warning", since, f"the agent; {which}")
    assert words.did("Announce") == len(calls), "the first try was enough"
    for at_caller, at_agent in calls.values():
        at_agent.mute(on=False)
        at_caller.mute(on=False)
        if at_agent.rtp.held:
            await at_agent.resume()
    for at_caller, at_agent in calls.values():
        await hear_each_other(at_caller, at_agent)
        await at_caller.hang_up()


async def test_the_end_key_is_refused_while_the_warning_plays_and_inside_the_wait(house: House) -> None:
    """Too early twice, and in time once: then the agent is free at once, and the caller hears the whole closing."""
    words = house.words()
    at_caller, at_agent = await house.talk_in_tones("agent17")
    answer = await house.service.press("end", "agent17")
    assert answer["verdict"] == "not_permitted"
    since = time.monotonic()
    await house.service.press("warn", "agent17")
    await begins_to_hear(at_caller)
    answer = await house.service.press("end", "agent17")
    assert (answer["verdict"], answer["reason"]) == ("not_yet", "warning_playing")
    await words.until_moved("warned")
    await hears_prompt(at_caller, "warning", since)
    answer = await house.service.press("warn", "agent17")
    assert (answer["verdict"], answer["reason"], answer["rule"]) == ("not_yet", "wait", "kinds.abuse.wait_s")
    assert 0 < answer["wait_s"] <= 1.5
    assert not words.did("Release")
    await hear_each_other(at_caller, at_agent)
    await asyncio.sleep(1.5)  # the policy's own wait_s
    since = time.monotonic()
    answer = await house.service.press("warn", "agent17")
    assert (answer["verdict"], answer["reason"]) == ("accepted", "ending")
    await at_agent.is_ended(2)
    await at_caller.is_ended(8)
    await hears_prompt(at_caller, "closing", since)
    assert at_caller.bye_at is not None


async def test_a_kind_that_may_not_be_ended_is_not_ended(house: House) -> None:
    """Warned, and warned again, and never ended: policy has may_end = false."""
    words = house.words()
    at_caller, at_agent = await house.talk_in_tones("agent18")
    await house.service.press("stern", "agent18")
    await words.until_moved("warned")
    answer = await house.service.press("end", "agent18")
    assert (answer["verdict"], answer["reason"], answer["rule"]) == (
        "not_permitted",
        "kind_not_ended",
        "kinds.stern.may_end",
    )
    assert (await house.service.press("stern", "agent18"))["reason"] == "warning_started"
    await until(lambda: words.did("Announce") == 2, 5, "warned again")
    assert not words.did("Release")
    await hear_each_other(at_caller, at_agent)
    await at_caller.hang_up()


@pytest.mark.parametrize(("key", "agent"), [("lost", "agent19"), ("gone", "agent20")])
async def test_a_prompt_that_is_missing_ends_nothing_and_the_agent_is_told(house: House, key: str, agent: str) -> None:
    """The PBX is answered 404, or the recording has vanished: a tone says so, nothing ends, the call goes on."""
    if key == "lost":
        house.media_missing.add("lost")
    else:
        (house.service.folder / "prompts" / "da" / "gone.wav").unlink()
    words = house.words()
    at_caller, at_agent = await house.talk_in_tones(agent)
    at_agent.say(None)
    since = time.monotonic()
    await house.service.press(key, agent)
    await words.until_told("warning_failed")
    answer = await house.service.press("end", agent)
    assert (answer["verdict"], answer["reason"]) == ("not_permitted", "no_warning_yet")
    assert not words.moved("warned")
    assert not words.did("Release")
    refused = read_wav(PromptLibrary(None).find_tone("tone-refused").path)
    await begins_to_hear(at_agent)
    await asyncio.sleep(1.0)  # the tone's own length, and the whisper's way
    assert listening.heard_whole(at_agent, refused, since), "the agent's own tone"
    assert listening.heard_loud_at(at_caller, since) is None or not listening.heard_whole(at_caller, refused, since)
    at_agent.say(tone(AGENT_HZ, level_dbfs=VOICE_DBFS))
    await hear_each_other(at_caller, at_agent)
    await at_caller.hang_up()


async def throw_the_announcer_out(house: House) -> None:
    """Kick it out of the bridge, as somebody with a console could, once it stands in one."""

    async def kicked() -> bool:
        for line in (await house.pbx.cli("core show channels concise")).splitlines():
            name, *_, bridge, _unique = line.split("!")
            if name.startswith("Local/join@bagvagt-") and name.endswith(";2") and bridge:
                return "Kick" in await house.pbx.cli(f"bridge kick {bridge} {name}")
        return False

    await until(kicked, 8, "the announcer is thrown out")


async def test_a_warning_that_was_cut_short_is_not_heard_and_the_end_key_is_refused(house: House) -> None:
    """The announcer is thrown out of the call at each try while the agent talks: packets flow, and prove nothing."""
    words = house.words()
    at_caller, at_agent = await house.talk_in_tones("agent25")
    since = time.monotonic()
    await house.service.press("slow", "agent25")
    await throw_the_announcer_out(house)
    await until(lambda: words.did("Announce") == 2, 10, "it is tried once more, as policy's warning_tries says")
    await throw_the_announcer_out(house)
    await words.until_told("warning_not_heard")
    answer = await house.service.press("end", "agent25")
    assert (answer["verdict"], answer["reason"]) == ("not_permitted", "no_warning_yet")
    assert not words.moved("warned")
    assert not words.did("Release")
    assert not heard(at_caller, "long", since)
    await hear_each_other(at_caller, at_agent)
    await at_caller.hang_up()


async def test_a_caller_who_was_transferred_after_the_warning_is_not_ended(house: House) -> None:
    """Blind transfer to agent22: neither agent's key ends the call; the new agent's caller is warned anew."""
    words = house.words()
    at_caller, at_agent = await house.talk_in_tones("agent21")
    await house.service.press("warn", "agent21")
    await words.until_moved("warned")
    await asyncio.sleep(1.5)  # the policy's own wait_s: from here a press would end the call
    second = await house.phone("agent22")
    assert await at_agent.transfer(house.extension("agent22")) == 202
    at_second = await second.takes()
    at_second.say(tone(AGENT_HZ, level_dbfs=VOICE_DBFS))
    await at_agent.is_ended()
    await hear_each_other(at_caller, at_second)

    answer = await house.service.press("end", "agent21")
    assert (answer["verdict"], answer["reason"]) == ("not_permitted", "no_call")
    answer = await house.service.press("end", "agent22")
    assert (answer["verdict"], answer["reason"]) == ("not_permitted", "no_warning_yet")
    since = time.monotonic()
    assert (await house.service.press("warn", "agent22"))["reason"] == "warning_started"
    await until(lambda: words.did("Announce") == 2, 5, "warned anew")
    await begins_to_hear(at_second)
    await until(lambda: len([m for m in words.said("decided") if "warning→warned" in str(m["moved"])]) == 2, 8, "heard")
    await hears_prompt(at_caller, "warning", since)
    assert not words.did("Release")
    await hear_each_other(at_caller, at_second)
    await at_caller.hang_up()
