"""Promises about handing a call over: rung, briefed alone, joined; never dropped, never in silence."""

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.asterisk.ears import (
    AGENT_HZ,
    CHIEF_HZ,
    COLLEAGUE_HZ,
    VOICE_DBFS,
    hear_each_other,
    heard_nothing_of,
    hears_prompt,
    longest_silence_s,
)
from tests.asterisk.house import SITE, House, open_house
from tests.lab import listening
from tests.lab.audio import tone
from tests.lab.waiting import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

POLICY = (
    SITE
    + """
    [keys.warn]
    does = "warn"
    kind = "abuse"

    [keys.colleague]
    does = "colleague"

    [keys.chief]
    does = "chief"

    [kinds.abuse]
    may_end = true

    [handoff.colleague]
    ring_s = 3
    leave = "on_join"
    then = "chief"
    most = 2

    [handoff.chief]
    ring_s = 3
    leave = "by_key"

    [[handoff.chief.chain]]
    name = "Teamleder"
    endpoint = "PJSIP/chief"

    [[handoff.chief.chain]]
    name = "Chefvagt"
    endpoint = "PJSIP/chief2"
"""
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def calm(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A house with two agents in the queue beside the one who asks for help, and two chiefs."""
    agents = ("agent1", "colleague1", "colleague2", "chief", "chief2")
    folder = tmp_path_factory.mktemp("handover")
    async with open_house(folder, POLICY, agents, members=agents[:3]) as opened:
        yield opened


async def test_a_colleague_hears_the_brief_alone_joins_and_the_agent_leaves(calm: House) -> None:
    """Warned once; the first colleague does not answer, the second does. The caller hears a voice all the time."""
    words = calm.words()
    first = await calm.phone("colleague1", answer_after_s=None)
    second = await calm.phone("colleague2", audio=tone(COLLEAGUE_HZ, level_dbfs=VOICE_DBFS), answer_after_s=None)
    at_caller, at_agent = await calm.talk_in_tones("agent1")
    began = time.monotonic()
    await calm.service.press("warn", "agent1")
    await words.until_moved("warned")
    assert (await calm.service.press("colleague", "agent1"))["reason"] == "ringing"
    await until(lambda: first.incoming or second.incoming, 5, "somebody is rung")
    slow, quick = (first, second) if first.incoming else (second, first)
    rung = await slow.rings()
    at_colleague = await quick.rings(8)
    assert rung.ended.is_set(), "one after the other"
    since = time.monotonic()
    at_colleague.answer()
    at_colleague.say(tone(COLLEAGUE_HZ, level_dbfs=VOICE_DBFS))
    await words.until_told("joined")
    await at_agent.is_ended(5)
    await hear_each_other(at_caller, at_colleague, hz=COLLEAGUE_HZ)
    over = time.monotonic()
    await hears_prompt(at_colleague, "brief-takeover-warned", since)
    assert heard_nothing_of(at_caller, "brief-takeover-warned", since)
    assert longest_silence_s(at_caller, began, over) < 2
    await hear_each_other(at_caller, at_colleague, hz=COLLEAGUE_HZ)
    await at_caller.hang_up()
    await at_colleague.is_ended()


async def test_nobody_answers_the_agent_is_told_and_the_chief_chain_is_next(calm: House) -> None:
    """No colleague and not the first chief; the second chief joins. Until then the call is as it was."""
    words = calm.words()
    for name in ("colleague1", "colleague2"):
        phone = await calm.phone(name)
        phone.busy = True
    await calm.phone("chief", answer_after_s=None)
    chief2 = await calm.phone("chief2", answer_after_s=None)
    at_caller, at_agent = await calm.talk_in_tones("agent1")
    began = time.monotonic()
    assert (await calm.service.press("colleague", "agent1"))["reason"] == "ringing"
    await words.until_told("nobody_answered")
    await hear_each_other(at_caller, at_agent)
    await (await calm.phone("chief")).rings()
    at_chief = await chief2.rings(8)
    await hear_each_other(at_caller, at_agent)
    since = time.monotonic()
    at_chief.answer()
    at_chief.say(tone(CHIEF_HZ, level_dbfs=VOICE_DBFS))
    await words.until_told("joined")
    await hears_prompt(at_chief, "brief-chief", since)
    assert heard_nothing_of(at_caller, "brief-chief", since)
    # leave = "by_key": all three are in the call, until the agent presses again.
    await hear_each_other(at_caller, at_agent)
    await listening.hears(at_caller, CHIEF_HZ, time.monotonic())
    assert (await calm.service.press("chief", "agent1"))["reason"] == "leaving"
    await at_agent.is_ended(3)
    await hear_each_other(at_caller, at_chief, hz=CHIEF_HZ)
    assert longest_silence_s(at_caller, began, time.monotonic()) < 2
    await at_caller.hang_up()


async def test_nobody_at_all_answers_and_the_call_goes_on_as_it_was(calm: House) -> None:
    """Everybody is busy, the chiefs too: the agent is told each time, and both still hear each other."""
    words = calm.words()
    for name in ("colleague1", "colleague2", "chief", "chief2"):
        phone = await calm.phone(name)
        phone.busy = True
    at_caller, at_agent = await calm.talk_in_tones("agent1")
    await calm.service.press("colleague", "agent1")
    await until(lambda: words.told("nobody_answered") == 2, 8, "told of the colleagues, and of the chiefs")
    assert not at_agent.ended.is_set()
    await hear_each_other(at_caller, at_agent, hz=AGENT_HZ)
    await at_caller.hang_up()
