"""Promises for when something dies: calls go on without Bagvagt, and Bagvagt comes back by itself without its PBX."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.asterisk.ears import COLLEAGUE_HZ, VOICE_DBFS, begins_to_hear, hear_each_other, hears_prompt
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

    [keys.slow]
    does = "warn"
    kind = "slow"

    [keys.end]
    does = "end"

    [keys.colleague]
    does = "colleague"

    [kinds.abuse]
    may_end = true
    wait_s = 0.5

    [kinds.slow]
    warning = "long"
    may_end = true
    wait_s = 0.5

    [handoff.colleague]
    ring_s = 20
    leave = "on_join"
"""
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def centre(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A house with four agents."""
    async with open_house(tmp_path_factory.mktemp("calls"), POLICY, ("agent1", "agent2", "agent3", "agent4")) as opened:
        yield opened


async def test_calls_go_on_when_bagvagt_is_killed(centre: House) -> None:
    """Killed -9 with a warning playing, a closing playing, and a colleague ringing, in three calls at once.

    Caller 1 and agent1 still hear each other; caller 2 hears the closing to its end and is disconnected by the PBX;
    caller 3 and agent3 still hear each other, and the colleague who answers is briefed and joins. Then it starts again,
    ends nothing by itself, and agent1 must warn anew.
    """
    words, service = centre.words(), centre.service
    ringing = await centre.phone("agent4", answer_after_s=None)
    first, agent1 = await centre.talk_in_tones("agent1")
    second, agent2 = await centre.talk_in_tones("agent2")
    third, agent3 = await centre.talk_in_tones("agent3")
    await service.press("warn", "agent2")
    await words.until_moved("warned")
    assert (await service.press("colleague", "agent3"))["reason"] == "ringing"
    at_colleague = await ringing.rings()
    await asyncio.sleep(0.5)  # the policy's own wait_s
    assert (await service.press("slow", "agent1"))["reason"] == "warning_started"
    await begins_to_hear(first)
    since = time.monotonic()
    assert (await service.press("end", "agent2"))["reason"] == "ending"
    await begins_to_hear(second)

    await service.kill()

    await agent2.is_ended(2)
    await second.is_ended(8)
    await hears_prompt(second, "closing", since)
    assert second.bye_at is not None
    await hear_each_other(first, agent1)
    await hear_each_other(third, agent3)
    brief = time.monotonic()
    at_colleague.answer()
    at_colleague.say(tone(COLLEAGUE_HZ, level_dbfs=VOICE_DBFS))
    await until(lambda: listening.packets(at_colleague, brief) > 100, 8, "the brief's time")
    await hear_each_other(third, at_colleague, hz=COLLEAGUE_HZ)
    await hears_prompt(at_colleague, "brief-takeover", brief)
    await hear_each_other(third, agent3)

    words = centre.words()
    await service.start()
    assert not words.did("Release")
    await hear_each_other(first, agent1)
    answer = await service.press("end", "agent1")
    assert (answer["verdict"], answer["reason"]) == ("not_permitted", "no_warning_yet")
    since = time.monotonic()
    assert (await service.press("warn", "agent1"))["reason"] == "warning_started"
    await words.until_moved("warned")
    await hears_prompt(first, "warning", since)
    await hear_each_other(first, agent1)
    for call in (first, third):
        await call.hang_up()


async def test_bagvagt_comes_back_by_itself_when_asterisk_is_killed(centre: House) -> None:
    """Killed -9 in a guarded call and started again: protection off is said at once, then on, in a new epoch."""
    words, service = centre.words(), centre.service
    status, health = await centre.health()
    assert (status, health["pbx"]["connected"]) == (200, True)
    epoch = health["pbx"]["epoch"]
    first, agent1 = await centre.talk_in_tones("agent1")
    await service.press("warn", "agent1")
    await words.until_moved("warned")

    await centre.pbx.kill()
    await words.until_said("pbx_lost", epoch=epoch)
    status, health = await centre.health()
    assert (status, health["ok"], health["why"]) == (503, False, ["pbx"])
    answer = await service.press("end", "agent1")
    assert (answer["verdict"], answer["reason"]) == ("not_permitted", "pbx_away")
    for call in (first, agent1):
        await call.hang_up()  # nobody answers these phones any more

    await centre.pbx.start()
    await until(service.is_ready, 15, "protection is on again")
    status, health = await centre.health()
    assert health["pbx"]["epoch"] > epoch
    await words.until_moved("ended", kind="guard")
    assert not words.did("Release")
    second, agent2 = await centre.talk_in_tones("agent2")
    since = time.monotonic()
    await service.press("warn", "agent2")
    await words.until_moved("warned", count=2)
    await hears_prompt(second, "warning", since)
    await hear_each_other(second, agent2)
