"""The AMI client on a real Asterisk, with the least rights that the documentation asks for."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from adapters.asterisk.ami import AmiClient, AmiTiming, Epoch
from adapters.asterisk.ami_codec import Message
from telephony.errors import PbxError, PbxRejectedError, PbxTimeoutError
from tests.conftest import MakeAsterisk
from tests.lab.asterisk import Asterisk
from tests.lab.waiting import until

pytestmark = pytest.mark.asterisk

USER, SECRET = "guard", "guard-secret"
MANAGER = f"[{USER}]\nsecret={SECRET}\nread=call,agent,dtmf,user\nwrite=call,agent,reporting\n"
NEEDED = ("QueuePause", "Redirect", "Hangup", "Setvar", "Getvar", "Status", "CoreShowChannels", "CoreStatus")


class Live:
    """A client on the lab, and what it told."""

    def __init__(self, lab: Asterisk, timing: AmiTiming) -> None:
        self.events: list[Message] = []
        self.epochs: list[Epoch] = []
        self.lost: list[PbxError] = []
        self.client = AmiClient(
            *lab.ami,
            USER,
            SECRET,
            on_event=self.events.append,
            on_connected=self.resync,
            on_lost=lambda _, error: self.lost.append(error),
            timing=timing,
        )

    async def resync(self, epoch: Epoch) -> None:
        """Refused while app_queue is not loaded yet: the manager answers before the PBX is fully booted."""
        await self.client.send_list("QueueStatus")
        self.epochs.append(epoch)

    def names(self) -> set[str]:
        return {event.name for event in self.events}


@contextlib.asynccontextmanager
async def live(lab: Asterisk, timing: AmiTiming | None = None) -> AsyncIterator[Live]:
    made = Live(lab, timing or AmiTiming())
    task = asyncio.create_task(made.client.run(), name="ami")
    try:
        await until(lambda: made.client.is_ready)
        yield made
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_least_rights_read_a_call_and_act_on_it_by_uniqueid(asterisk_lab: MakeAsterisk) -> None:
    """Lists, bridge, variables, pause, redirect and hang-up, each leg named by its Uniqueid; no originate."""
    lab = await asterisk_lab(extra={"manager.d/guard.conf": MANAGER})
    async with live(lab) as made:
        client, epoch = made.client, made.epochs[0]
        assert epoch.version
        assert all(epoch.may(action) for action in NEEDED)
        assert not epoch.may("Originate")
        with pytest.raises(PbxRejectedError, match="Permission denied"):
            await client.send("Originate", Channel="PJSIP/agent1", Application="Wait", Data="1")
        assert (await client.send("Ping"))["Ping"] == "Pong"
        assert (await client.send("CoreStatus"))["CoreStartupDate"]
        _, members = await client.send_list("QueueStatus")
        assert [m["Location"] for m in members if m.name == "QueueMember"] == ["PJSIP/agent1"]

        agent, caller = await lab.phone("agent1"), await lab.caller()
        at_caller = await caller.dial("1000")
        at_agent = await agent.takes()
        await at_caller.is_answered()
        await until(lambda: [event.name for event in made.events].count("BridgeEnter") == 2)
        _, legs = await client.send_list("CoreShowChannels")
        leg = {entry["Channel"].split("-")[0]: entry["Uniqueid"] for entry in legs}
        _, bridges = await client.send_list("BridgeList")
        _, inside = await client.send_list("BridgeInfo", BridgeUniqueid=bridges[0]["BridgeUniqueid"])
        assert {entry["Uniqueid"] for entry in inside} == set(leg.values())

        theirs = leg["PJSIP/caller"]
        await client.send("Setvar", Channel=theirs, Variable="BAGVAGT", Value="1,2")
        assert (await client.send("Getvar", Channel=theirs, Variable="BAGVAGT"))["Value"] == "1,2"
        _, status = await client.send_list("Status", Channel=theirs)
        assert [entry["Uniqueid"] for entry in status] == [theirs]
        await client.send("QueuePause", Interface="PJSIP/agent1", Paused="true", Reason="break")
        await client.send("Redirect", Channel=theirs, Context="from-caller", Exten="1000", Priority=1)
        await at_agent.is_ended()
        await client.send("Hangup", Channel=theirs)
        await at_caller.is_ended()
        await until(lambda: {"Hangup", "BridgeLeave", "QueueMemberPause"} <= made.names())
        for action in ("Hangup", "Setvar", "Status"):
            with pytest.raises(PbxRejectedError, match="No such channel"):
                await client.send(action, Channel=theirs, Variable="X", Value="1")
        with pytest.raises(PbxRejectedError, match="does not exist"):
            await client.send("Redirect", Channel=theirs, Context="from-caller", Exten="1000", Priority=1)


async def test_a_killed_pbx_comes_back_as_a_new_epoch(asterisk_lab: MakeAsterisk) -> None:
    """SIGKILL is noticed at once; the new epoch begins when the queues can be read again, not before."""
    lab = await asterisk_lab(extra={"manager.d/guard.conf": MANAGER})
    async with live(lab, AmiTiming(retry_first_s=0.05, retry_most_s=0.1)) as made:
        await lab.kill()
        await until(lambda: made.lost)
        await lab.start()
        await until(lambda: len(made.epochs) == 2 and made.client.is_ready)
        assert made.epochs[1].number > made.epochs[0].number
        _, members = await made.client.send_list("QueueStatus")
        assert any(member.name == "QueueMember" for member in members)


async def test_a_frozen_pbx_is_lost_and_found_again(asterisk_lab: MakeAsterisk) -> None:
    """A stopped process keeps its sockets open: only the unanswered Ping tells."""
    lab = await asterisk_lab(extra={"manager.d/guard.conf": MANAGER})
    timing = AmiTiming(ping_every_s=0.1, ping_reply_s=0.5, action_s=0.5, retry_first_s=0.05, retry_most_s=0.1)
    async with live(lab, timing) as made:
        lab.freeze()
        await until(lambda: made.lost)
        assert isinstance(made.lost[0], PbxTimeoutError)
        lab.thaw()
        await until(lambda: len(made.epochs) == 2 and made.client.is_ready)
