"""What a leg was sent: the evidence that a prompt was heard, and what is done about a leg that is sent nothing.

Asterisk 22.10 sometimes sends one leg of a bridge no packet at all once announcers have joined and left it, while every
reply and event says success. So the leg's own counter is looked at early, and cures are tried while the caller waits.
"""

import asyncio
import contextlib
import secrets
from typing import Final

from adapters.asterisk.announcers import Announcers
from adapters.asterisk.ari_codec import AriEvent, Statistics
from adapters.asterisk.legs import LegNews
from adapters.asterisk.procedures import EVENT_S, Desk, announcer_leg, first_of, log
from adapters.asterisk.snippets import AGAIN, BRIEF
from policies.model import LegId
from telephony.errors import LegGoneError, PbxError

HEARD_SHARE: Final = 0.9
"""Of the packets that the prompt takes; the first and last 20 ms belong to nobody for sure."""
LOOK_S: Final = 0.35
"""How long after a prompt's begin the caller's counter is looked at: seventeen packets of 20 ms, or five of 60."""
DEAF_PACKETS: Final = 2
CURES: Final = 2
"""How often a leg is cured within one announcement, each time followed by the whole prompt from its beginning."""
_WHISPER_S: Final = 0.2
_APART_S: Final = 0.3
"""Until the bridge has gone back to two."""
# Bytes of one packet -> its length: G.711 and G.722, G.729, GSM, iLBC (RFC 3551 §4.5; RFC 3952).
_PACKET_S = {
    160: 0.02,
    240: 0.03,
    320: 0.04,
    480: 0.06,
    20: 0.02,
    30: 0.03,
    40: 0.04,
    33: 0.02,
    66: 0.04,
    38: 0.02,
    50: 0.03,
}


def packet_s(packets: int, octets: int) -> float:
    """Return the length of one packet in seconds, from what was sent; 0.02 where the codec does not show it."""
    return _PACKET_S.get(round(octets / packets), 0.02) if packets > 0 else 0.02


def was_sent(before: Statistics, after: Statistics, play_s: float) -> tuple[int, bool]:
    """Return how many packets the leg was sent between two readings, and whether that is the whole prompt."""
    anew = after.local_ssrc != before.local_ssrc or after.txcount < before.txcount
    packets = after.txcount if anew else after.txcount - before.txcount
    octets = after.txoctetcount if anew else after.txoctetcount - before.txoctetcount
    return packets, packets >= HEARD_SHARE * play_s / packet_s(packets, octets)


async def is_deaf(desk: Desk, leg: LegId, *ends: "asyncio.Future[AriEvent]") -> bool:
    """Look for `LOOK_S` whether a leg that should hear something is sent nothing.

    What can't be read is not called deaf: the evidence at the end decides.

    Args:
        desk: the connections.
        leg: whose.
        ends: once one of these came, there is nothing more to be seen.
    """
    before = await desk.statistics(leg)
    pending = [end for end in ends if not end.done()]
    if len(pending) < len(ends):
        return False
    if pending:
        done, _ = await asyncio.wait(pending, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
        if done:
            return False
    else:
        await asyncio.sleep(LOOK_S)
    after = await desk.statistics(leg)
    if isinstance(before, PbxError) or isinstance(after, PbxError):
        return False
    return was_sent(before, after, 0.0)[0] <= DEAF_PACKETS


async def cure(desk: Desk, announcers: Announcers, caller: LegId, leg: LegId) -> None:
    """Let the announcer go, whisper silence to the leg while the two are alone, and let the next prompt join anew.

    Seen on 22.10: to whisper while the bridge mixes changes nothing, nor does to join anew without it.

    Args:
        desk: the connections.
        announcers: the voices.
        caller: whose call it is.
        leg: the one that is sent nothing: the caller's, or the agent's.
    """
    log.warning("leg_deaf", leg=leg, is_caller=leg == caller)
    if announcers.drop(caller):
        await asyncio.sleep(_APART_S)
    await _whisper_silence(desk, leg)


async def _whisper_silence(desk: Desk, leg: LegId) -> None:
    snoop = LegId(f"{announcer_leg(leg)}-cure-{secrets.token_hex(2)}")
    desk.tracker.ours(snoop)
    with contextlib.suppress(PbxError):
        async with desk.ari.expecting("StasisStart", snoop) as begun:
            body = {"spy": "none", "whisper": "out", "app": desk.ari.app}
            await desk.ari.ask("POST", f"channels/{leg}/snoop/{snoop}", body)
            await first_of(begun, within_s=EVENT_S)
        await desk.ari.ask("POST", f"channels/{snoop}/silence")
        await asyncio.sleep(_WHISPER_S)
    with contextlib.suppress(LegGoneError):
        await desk.ari.ask("DELETE", f"channels/{snoop}")


async def cure_after_join(desk: Desk, announcers: Announcers, caller: LegId, colleague: LegId) -> None:
    """A colleague has come, and the bridge mixes now: see that caller and agent are sent something.

    What cures with two does not with three. A bridge that goes back to two, and mixes anew, does (all of the legs that
    were made deaf on purpose, 22.10): so the colleague, whom nobody but we have brought, steps aside for half a second.
    """
    for _ in range(CURES):
        deaf = await _deaf_beside(desk, caller, colleague)
        if deaf is None:
            return
        log.warning("leg_deaf", leg=deaf, is_caller=deaf == caller)
        announcers.drop(caller)
        if not await _steps_aside(desk, caller, colleague):
            return
    log.warning("deaf_after_cure", leg=await _deaf_beside(desk, caller, colleague))


async def _deaf_beside(desk: Desk, caller: LegId, colleague: LegId) -> LegId | None:
    """Return who in the call is sent nothing: the caller, or the agent unless it holds the others."""
    bridge = desk.tracker.bridge_of(caller) or ""
    agents = () if desk.tracker.is_held(bridge) else desk.tracker.people_in(bridge)
    legs = [caller, *(leg for leg in agents if leg not in (caller, colleague))]
    found = await asyncio.gather(*(is_deaf(desk, leg) for leg in legs))
    return next((leg for leg, deaf in zip(legs, found, strict=True) if deaf), None)


async def _steps_aside(desk: Desk, caller: LegId, colleague: LegId) -> bool:
    """Take the colleague out and in again; not where the caller would be left alone. Return whether it was done."""
    legs = await desk.legs_on_pbx(desk.tracker.bridge_of(caller) or "none")
    agents = {leg for leg in legs - {caller, colleague} if not leg.startswith("bagvagt-say-")}
    if not (agents and {caller, colleague} <= legs and await desk.has_extension(BRIEF, AGAIN)):
        return False
    with desk.news_of(colleague) as news:
        await desk.ami.send("Redirect", Channel=colleague, Context=BRIEF, Exten=AGAIN, Priority=1)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EVENT_S):
                while (await news.get())[1] not in (LegNews.ENTERED, LegNews.GONE, LegNews.LOST):
                    continue
    return True
