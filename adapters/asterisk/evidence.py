"""The evidence that a caller heard a prompt: where the announcer stood, and what the caller's leg was sent.

Packets alone prove no voice: while the agent talks, they flow also without it. So caller and announcer must have stood
in one bridge that mixes, at the begin and at the end, as the PBX itself shows it, and the caller's leg must have been
sent the whole play time's packets. What is missing, or could not be read, means: not heard.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from adapters.asterisk.ari_codec import Bridge, Statistics
from adapters.asterisk.deafness import was_sent
from adapters.asterisk.legs import LegNews
from adapters.asterisk.procedures import Desk
from policies.events import Played
from policies.model import LegId
from telephony.errors import PbxError

LOOKS: Final = 5
LOOK_S: Final = 0.02
"""An announcer's other half joins with the first sound: it answers, and Asterisk then waits for media (22.10)."""

GONE: Final = "gone"
"""How a playback went whose announcer was hung up; Asterisk calls it "failed", as where there is nothing to play."""


@dataclass(frozen=True, slots=True)
class Went:
    """How one play went.

    Attributes:
        played: how, for the caller.
        detail: why not.
        packets: sent to the caller's leg.
    """

    played: Played
    detail: str = ""
    packets: int = 0


async def begins(desk: Desk, caller: LegId, voice: LegId) -> Bridge | PbxError:
    """Return the caller's bridge once the announcer stands in it, or as it is after a short while."""
    seen = await desk.bridge_of(caller)
    for _ in range(LOOKS):
        if isinstance(seen, PbxError) or seen.mixes(caller, voice):
            break
        await asyncio.sleep(LOOK_S)
        seen = await desk.bridge_of(caller)
    return seen


def speaks_against(
    caller: LegId, voice: LegId, how: str, seen: tuple[Bridge | PbxError, Bridge | PbxError], news: set[LegNews]
) -> Went | None:
    """Say what speaks against a prompt that is over; None when it ran to its end where the caller could hear it.

    Args:
        caller: who should hear it.
        voice: the announcer's half in the bridge.
        how: the playback's last state, or `GONE`.
        seen: the caller's bridge, at the begin and at the end.
        news: of the caller's leg, meanwhile.
    """
    if LegNews.LOST in news:
        return Went(Played.UNKNOWN, "the connection was lost meanwhile")
    if news & {LegNews.LEFT, LegNews.GONE} or not _is_in(caller, seen[-1]):
        return Went(Played.FAILED, "the caller stands elsewhere now")
    if how == GONE:
        return Went(Played.NOT_HEARD, "the announcer is gone")
    if how != "done":
        return Went(Played.FAILED, f"playback: {how}")
    for bridge in seen:
        if isinstance(bridge, PbxError):
            return Went(Played.NOT_HEARD, f"the caller's bridge could not be read: {bridge}")
        if not bridge.mixes(caller, voice):
            return Went(Played.NOT_HEARD, "the announcer did not stand with the caller")
    return None


def _is_in(leg: LegId, seen: Bridge | PbxError) -> bool:
    """Tell whether a leg stands in a bridge; what could not be read says nothing against it."""
    return isinstance(seen, PbxError) or leg in seen.channels


def judge(before: Statistics | PbxError, after: Statistics | PbxError, play_s: float) -> Went:
    """Decide what the caller heard of a prompt that ran to its end. Missing evidence means: not heard."""
    if isinstance(before, PbxError) or isinstance(after, PbxError):
        missing = before if isinstance(before, PbxError) else after
        return Went(Played.NOT_HEARD, f"the caller's leg could not be measured: {missing}")
    packets, whole = was_sent(before, after, play_s)
    return Went(Played.HEARD if whole else Played.NOT_HEARD, "", packets)
