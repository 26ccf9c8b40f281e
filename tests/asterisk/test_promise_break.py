"""Promises about breaks: they come by themselves, survive a kill of either side, and lift nobody else's pause."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.prompts.library import PromptLibrary
from tests.asterisk.house import SITE, House, open_house
from tests.lab import listening
from tests.lab.audio import read_wav
from tests.lab.confs import QUEUE
from tests.lab.raw import Ami
from tests.lab.waiting import until

pytestmark = pytest.mark.asterisk

POLICY = (
    SITE
    + """
    [keys.rambling]
    does = "flag"
    kind = "rambling"

    [keys.back]
    does = "back"
    speed_dial = "8590"

    [kinds.rambling]
    warnings = 0
    warning = ""
    break_s = 600

    [breaks]
    retry_s = 1

    [agents.agent3]
    interface = "PJSIP/agent3"
"""
)


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[House]:
    """A house with two static members of the queue, and one whom the policy alone knows."""
    agents = ("agent1", "agent2", "agent3")
    async with open_house(tmp_path, POLICY, agents, members=agents[:2]) as opened:
        yield opened


async def is_ours(house: House, agent: str) -> bool:
    """Tell whether the PBX shows our pause."""
    return (await house.pause_of(agent)).startswith("bagvagt:")


async def pause_by_somebody_else(house: House, agent: str, reason: str) -> None:
    """Pause an agent as a wallboard would."""
    async with Ami(house.pbx) as ami:
        await ami.send("QueuePause", Queue=QUEUE, Interface=f"PJSIP/{agent}", Paused="true", Reason=reason)


async def test_a_break_survives_a_kill_of_either_side_and_lifts_nobody_elses_pause(centre: House) -> None:
    """Two static members: agent1's break is back after a kill of Asterisk, and of Bagvagt, until 8590 is dialled.

    Agent2 is at lunch by somebody else's pause, which our break neither overwrites nor lifts.
    """
    words, pbx = centre.words(), centre.pbx
    for agent in ("agent1", "agent2"):
        at_caller, at_agent = await centre.talk(agent)
        assert (await centre.service.press("rambling", agent))["reason"] == "flagged"
        assert not await centre.pause_of(agent), "not before the call is over"
        if agent == "agent2":
            await pause_by_somebody_else(centre, agent, "lunch")
        await at_caller.hang_up()
        await at_agent.is_ended()
    await words.until_moved("on", count=2, kind="break")
    assert await is_ours(centre, "agent1")
    assert await centre.pause_of("agent2") == "lunch"

    # The member is static: a killed Asterisk forgets the pause. Bagvagt does not.
    await pbx.kill()
    await words.until_said("pbx_lost")
    await pbx.start()
    await until(lambda: is_ours(centre, "agent1"), 15, "the pause is there again")

    await centre.service.kill()
    assert await is_ours(centre, "agent1")
    await pause_by_somebody_else(centre, "agent2", "lunch")  # the killed Asterisk had forgotten this one too
    words = centre.words()
    await centre.service.start()
    assert await is_ours(centre, "agent1")

    # Ended by the agent, from the phone, which says so in words.
    since = time.monotonic()
    speed_dial = await (await centre.phone("agent1")).dial("8590")
    await until(lambda: _is_free(centre, "agent1"), 5, "agent1 is back")
    await speed_dial.is_ended()
    over = read_wav(PromptLibrary(None).find("break-over", "da").path)
    assert listening.heard_whole(speed_dial, over, since)
    assert (await centre.service.press("back", "agent2"))["reason"] == "break_over"
    await words.until_moved("over", count=2, kind="break")
    assert await centre.pause_of("agent2") == "lunch"


async def _is_free(house: House, agent: str) -> bool:
    return not await house.pause_of(agent)


async def test_a_refused_pause_is_shown_as_refused_and_tried_until_it_stands(centre: House) -> None:
    """The PBX has agent3 in no queue and refuses: the break is never shown as taken; told once, tried again and again.

    Then somebody adds agent3 to the queue, and the next try stands.
    """
    words = centre.words()
    at_caller, at_agent = await centre.talk("agent3")
    assert (await centre.service.press("rambling", "agent3"))["reason"] == "flagged"
    await at_caller.hang_up()
    await at_agent.is_ended()
    await words.until_told("break_refused")
    await until(lambda: words.did("Pause") >= 3, 10, "it is tried again")
    shown = await centre.metrics()
    assert shown['bagvagt_breaks{state="on"}'] == 0
    assert shown['bagvagt_breaks{state="refused"}'] + shown['bagvagt_breaks{state="asked"}'] == 1
    assert shown['bagvagt_outcomes_total{event="PauseFinished",outcome="refused"}'] >= 2
    assert 'bagvagt_outcomes_total{event="PauseFinished",outcome="done"}' not in shown
    assert words.moved("refused", kind="break")
    assert not words.moved("on", kind="break")
    assert words.told("break_refused") == 1
    assert not words.told("break_on")

    async with Ami(centre.pbx) as ami:
        await ami.send("QueueAdd", Queue=QUEUE, Interface="PJSIP/agent3", MemberName="agent3")
    await words.until_moved("on", kind="break")
    assert await is_ours(centre, "agent3")
    assert (await centre.metrics())['bagvagt_breaks{state="on"}'] == 1
    verified = await centre.service.command("audit", "verify", "-c", str(centre.service.policy_file))
    assert "unbroken" in verified
