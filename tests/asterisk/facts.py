"""What the facts about Asterisk are told by: a bare PBX with two prompts, and a conversation on it."""

import time

from tests.lab import listening
from tests.lab.asterisk import Asterisk
from tests.lab.audio import spoken, write_wav
from tests.lab.phone import Call
from tests.lab.raw import Ari
from tests.lab.waiting import until

WARNING, CLOSING = spoken(1, 1.5), spoken(2, 1.5)
CALLER_HZ, AGENT_HZ, COLLEAGUE_HZ, TONE_HZ = 1000.0, 600.0, 1500.0, 2000.0
PACKETS_PER_S = 50
DIALPLAN = """\
[bagvagt]
exten => join,1,Answer()
 same => n,BridgeAdd(${LEG})
 same => n,Hangup()
exten => closing,1,Playback(closing)
 same => n,Hangup()
"""
FEATURES = """\
[applicationmap]
bagvagt_end => *91,self/callee,UserEvent(BagvagtKey,Key: end)
"""


def write_prompts(lab: Asterisk) -> None:
    """Put the two prompts where Asterisk finds them."""
    write_wav(lab.sounds / "warning.wav", WARNING)
    write_wav(lab.sounds / "closing.wav", CLOSING)


class Conversation:
    """A caller with agent1, both silent in packets until they are told otherwise.

    Attributes:
        at_caller: the caller's own end.
        at_agent: the agent's.
        caller: Asterisk's channel towards the caller, as ARI shows it.
        agent: and towards the agent.
    """

    at_caller: Call
    at_agent: Call

    def __init__(self, lab: Asterisk, ari: Ari) -> None:
        self.lab, self.ari = lab, ari
        self.caller: dict[str, str] = {}
        self.agent: dict[str, str] = {}

    async def begin(self) -> "Conversation":
        """The caller rings the queue, the agent answers, both hear each other."""
        agent = await self.lab.phone("agent1")
        caller = await self.lab.caller()
        self.at_caller = await caller.dial("1000")
        self.at_agent = await agent.takes()
        await self.at_caller.is_answered()
        await until(lambda: listening.packets(self.at_agent) > 10 and listening.packets(self.at_caller) > 10)
        for channel in await self.ari.call("GET", "channels"):
            if channel["name"].startswith("PJSIP/caller"):
                self.caller = channel
            elif channel["name"].startswith("PJSIP/agent1"):
                self.agent = channel
        return self

    async def announcer(self, leg: str) -> str:
        """A Local channel that stands in the bridge of this leg; its id once it takes media."""
        made = await self.ari.call(
            "POST",
            "channels",
            {"variables": {"LEG": leg}},
            endpoint="Local/join@bagvagt/n",
            app=self.ari.app,
        )
        channel: str = made["id"]
        await self.ari.event("StasisStart", lambda e: e["channel"]["id"] == channel)
        return channel

    async def play(self, channel: str, media: str) -> str:
        """Begins to play; the playback's id."""
        made = await self.ari.call("POST", f"channels/{channel}/play", media=media)
        playback: str = made["id"]
        return playback

    async def announce(self, media: str = "sound:warning") -> str:
        """Joins, plays, waits for the end, leaves; the playback's last state."""
        channel = await self.announcer(self.caller["id"])
        state = await self.ari.finished(await self.play(channel, media))
        if state == "done":  # handed to the bridge: what is still in the mixer would be lost with the leg
            await self.settled()
        await self.ari.call("DELETE", f"channels/{channel}")
        return state

    async def settled(self) -> None:
        """Wait until nothing loud comes to the caller any more."""

        def is_quiet() -> bool:
            newest = listening.loudness(self.at_caller)[-5:]
            return time.monotonic() - self.at_caller.heard[-1].at > 0.2 or all(
                x < listening.LOUD_DBFS for _, x in newest
            )

        await until(is_quiet, 5, "the caller hears nothing more")


async def hears_whole(call: Call, since: float) -> None:
    """Waits until the last packets of the warning are there."""
    await until(lambda: listening.heard_whole(call, WARNING, since), 5, "the warning was heard whole")
