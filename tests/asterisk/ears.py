"""What the people of a house hear: each other, and prompts."""

import asyncio
import time
from itertools import pairwise

from tests.lab import listening
from tests.lab.audio import Audio, from_alaw, spoken
from tests.lab.phone import Call
from tests.lab.rtp import Packet
from tests.lab.waiting import until

AGENT_HZ, CALLER_HZ, COLLEAGUE_HZ, CHIEF_HZ = 600, 440, 800, 1000
VOICE_DBFS = -30.0
# The house's own prompts: as unlike as voices are, and short, so that a story is.
PROMPTS: dict[str, Audio] = {
    "warning": spoken(1, 2.0, level_dbfs=-3),
    "long": spoken(6, 4.0, level_dbfs=-3),
    "closing": spoken(2, 3.0, level_dbfs=-3),
    "brief-takeover": spoken(3, 1.0, level_dbfs=-3),
    "brief-takeover-warned": spoken(4, 1.25, level_dbfs=-3),
    "brief-chief": spoken(5, 1.0, level_dbfs=-3),
    "lost": spoken(7, 1.0, level_dbfs=-3),
    "gone": spoken(8, 1.0, level_dbfs=-3),
}
PROMPT_DBFS = -30.0  # a packet above this is a prompt's, not a voice's


async def hear_each_other(at_caller: Call, other: Call, *, hz: float = AGENT_HZ) -> None:
    """Wait until each hears the other's tone, from now on."""
    assert not at_caller.ended.is_set()
    assert not other.ended.is_set()
    now = time.monotonic()
    await listening.hears(at_caller, hz, now)
    await listening.hears(other, CALLER_HZ, now)


async def begins_to_hear(call: Call, within_s: float = 5.0) -> float:
    """Wait for the next packet of a prompt; return when it came."""
    loud: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def look(packet: Packet) -> None:
        if not loud.done() and listening.dbfs(from_alaw(packet.payload)) > PROMPT_DBFS:
            loud.set_result(packet.at)

    call.rtp.on_packet = look
    try:
        async with asyncio.timeout(within_s):
            return await loud
    finally:
        call.rtp.on_packet = None


def longest_silence_s(call: Call, since: float, until_at: float) -> float:
    """Return the longest time in which this call heard nothing louder than the floor, in seconds."""
    loud = [at for at, level in listening.loudness(call, since) if level > listening.LOUD_DBFS and at <= until_at]
    edges = [since, *loud, until_at]
    return max(later - earlier for earlier, later in pairwise(edges))


def heard_nothing_of(call: Call, prompt: str, since: float) -> bool:
    """Tell that a prompt is not in what this call heard."""
    return listening.find(listening.audio(call, since), PROMPTS[prompt]).score < 0.3


def heard(call: Call, prompt: str, since: float) -> bool:
    """Tell that this call heard the whole prompt."""
    return listening.heard_whole(call, PROMPTS[prompt], since)


async def hears_prompt(call: Call, prompt: str, since: float, who: str = "") -> None:
    """Wait until this call has heard the whole prompt: its last packets are on their way when the PBX is done."""
    try:
        await until(lambda: heard(call, prompt, since), 3)
    except TimeoutError:
        found = listening.hearing(listening.audio(call, since), PROMPTS[prompt])
        raise AssertionError(f"{who or call.phone.user} hears all of {prompt}: {found}") from None
