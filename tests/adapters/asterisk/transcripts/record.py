"""Records what a real Asterisk sends in the scenes that the tracker must read: `python -m` this module, as root.

One file per scene: the bytes of an AMI session with the event mask of production, with line feeds for CR LF. At each
checkpoint the lists of a resync are asked for on the same session, so that they stand among the events.
"""

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path

from tests.lab import confs, rootfs
from tests.lab.asterisk import Asterisk
from tests.lab.phone import Call
from tests.lab.raw import Ari
from tests.lab.waiting import until

FOLDER = Path(__file__).parent
LISTS = ("CoreShowChannels", "QueueStatus")
BRIDGE_FIELD = 12  # of `core show channels concise`; the Uniqueid follows
STATES = {"1": "Not in use", "2": "In use", "5": "Unavailable", "6": "Ringing", "8": "On Hold"}
FEATURES = """\
[applicationmap]
bagvagt-warn => *91,self/callee,UserEvent(BagvagtKey,Key: warn,Channel: ${CHANNEL},Uniqueid: ${UNIQUEID})
"""
DIALPLAN = """\
[bagvagt]
exten => join,1,BridgeAdd(${LEG})
exten => closing,1,Answer()
 same => n,Wait(1)
 same => n,Hangup()
[bagvagt-keys]
exten => *91,1,UserEvent(BagvagtKey,Key: warn,Channel: ${CHANNEL},Uniqueid: ${UNIQUEID},Source: speed_dial)
 same => n,Answer()
 same => n,Wait(0.2)
 same => n,Hangup()
[members]
exten => 1,1,Dial(PJSIP/agent1)
exten => 2,1,Dial(PJSIP/agent2)
"""
SITE = confs.Site(
    before_queue=("Set(__DYNAMIC_FEATURES=bagvagt-warn)",),
    agent_includes=("bagvagt-keys",),
    extra={"features.d/bagvagt.conf": FEATURES, "extensions.d/bagvagt.conf": DIALPLAN},
)
WITHOUT_MEMBERS = replace(SITE, members=())
Scene = Callable[["Recording"], Awaitable[None]]


def _parties(legs: Iterable[tuple[str, str]]) -> list[str]:
    together: dict[str, list[str]] = {}
    for number, (channel, bridge) in enumerate(legs):
        kind, _, name = channel.partition("/")
        name = re.sub(r"-[0-9a-f]{8}", "", name)
        together.setdefault(bridge or str(number), []).append(name if kind == "PJSIP" else f"{kind}/{name}")
    return sorted("+".join(sorted(names)) for names in together.values())


class Recording:
    """One scene's AMI session."""

    def __init__(self, lab: Asterisk) -> None:
        self.lab = lab
        self.seen = ""
        self._asked = 0
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Logs in with the mask of production."""
        reader, self._writer = await asyncio.open_connection(*self.lab.ami)
        await reader.readline()
        self._task = asyncio.create_task(self._read(reader))
        await self.ask("Login", Username=confs.AMI_USER, Secret=confs.AMI_SECRET, Events="call,agent,user,dtmf")

    async def end(self) -> str:
        """Returns the session after the log-in."""
        if self._task is not None:
            self._task.cancel()
        if self._writer is not None:
            self._writer.close()
        return self.seen.partition("\n\n")[2]

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(65_536):
            self.seen += data.decode().replace("\r\n", "\n")

    async def ask(self, action: str, **fields: str) -> None:
        """Sends an action and waits for its response, or for its list's end."""
        self._asked += 1
        lines = [f"Action: {action}", f"ActionID: {self._asked}", *(f"{k}: {v}" for k, v in fields.items())]
        assert self._writer is not None
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        end = f"ActionID: {self._asked}\nEventList: Complete" if action in LISTS else f"ActionID: {self._asked}\n"
        await until(lambda: end in self.seen, 5, action)

    async def checkpoint(self, *together: str) -> None:
        """Waits until all has been told that was to happen, then asks for what a new connection would ask for.

        Args:
            together: who is in one bridge, as "agent1+caller"; who is in none stands alone.
        """
        await until(lambda: self._is_told(sorted(together)), 5, f"told: {together}")
        for action in LISTS:
            await self.ask(action)

    async def _is_told(self, together: list[str]) -> bool:
        """Whether Asterisk and its events agree, and show this."""
        channels = [line.split("!") for line in (await self.lab.cli("core show channels concise")).splitlines()]
        queues = re.sub(r"\[[\d;]*m", "", await self.lab.cli("queue show")).splitlines()  # it is coloured
        legs, states = self._told()
        if legs != {fields[-1]: (fields[0], fields[-2]) for fields in channels if len(fields) > BRIDGE_FIELD}:
            return False
        for name, state in states.items():
            if not any(f" {name} (" in line and f"({STATES[state]})" in line for line in queues):
                return False
        return _parties(legs.values()) == together

    def _told(self) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
        """What the events say: each leg's name and bridge, each member's state."""
        legs: dict[str, tuple[str, str]] = {}
        states: dict[str, str] = {}
        for frame in self.seen.split("\n\n"):
            event = dict(line.partition(": ")[::2] for line in frame.split("\n"))
            uid, name = event.get("Uniqueid", ""), event.get("Channel", "")
            match event.get("Event"):
                case "Newchannel" | "BridgeLeave":
                    legs[uid] = name, ""
                case "BridgeEnter":
                    legs[uid] = name, event["BridgeUniqueid"]
                case "Rename":
                    legs[uid] = event["Newname"], legs[uid][1]
                case "Hangup":
                    legs.pop(uid, None)
                case "QueueMemberStatus":
                    states[event["MemberName"]] = event["Status"]
                case "QueueMemberRemoved":
                    states.pop(event["MemberName"], None)
        return legs, states

    async def sees(self, text: str, times: int = 1) -> None:
        """Waits for this text in what was received."""
        await until(lambda: self.seen.count(text) >= times, 5, text)

    def uid(self, channel: str) -> str:
        """The Uniqueid of the newest channel whose name begins so."""
        frames = [f for f in self.seen.split("\n\n") if f"\nChannel: {channel}" in f]
        return frames[-1].partition("\nUniqueid: ")[2].partition("\n")[0]

    async def queue_call(self, *together: str) -> tuple[Call, Call]:
        """A caller talks with the agent of the queue; (caller's side, agent's side)."""
        phone = await self.lab.phone("agent1")
        caller = await self.lab.caller()
        at_caller = await caller.dial("1000")
        at_agent = await phone.takes()
        await at_caller.is_answered()
        await self.checkpoint(*(together or ("agent1+caller",)))
        return at_caller, at_agent


async def hold(r: Recording) -> None:
    """Queue call; on hold, back, again by `inactive`, back; the agent hangs up."""
    _, at_agent = await r.queue_call()
    for times, direction in enumerate(("sendonly", "inactive"), 1):
        await at_agent.hold(direction)
        await r.sees("Event: Hold", times)
        await r.checkpoint("agent1+caller")
        await at_agent.resume()
        await r.sees("Event: Unhold", times)
        await r.checkpoint("agent1+caller")
    await at_agent.hang_up()
    await r.checkpoint()


async def blind(r: Recording) -> None:
    """Queue call, blind transfer to agent2, who rings first; the caller hangs up."""
    at_caller, at_agent = await r.queue_call()
    second = await r.lab.phone("agent2", answer_after_s=None)
    await at_agent.transfer("202")
    ringing = await second.rings()
    await r.checkpoint("agent2", "caller")
    ringing.answer()
    await r.checkpoint("agent2+caller")
    await at_caller.hang_up()
    await r.checkpoint()


async def attended(r: Recording) -> None:
    """Queue call on hold, the agent rings agent2, they talk, the agent joins both and is out."""
    at_caller, at_agent = await r.queue_call()
    second = await r.lab.phone("agent2")
    await at_agent.hold()
    consult = await at_agent.phone.dial("202")
    await second.takes()
    await consult.is_answered()
    await r.checkpoint("agent1+agent2", "agent1+caller")
    await at_agent.transfer_to(consult)
    await r.checkpoint("agent2+caller")
    await at_caller.hang_up()
    await r.checkpoint()


async def attended_ringing(r: Recording) -> None:
    """The same, but the agent tries to join them while agent2 still rings; nothing comes of it."""
    at_caller, at_agent = await r.queue_call()
    second = await r.lab.phone("agent2", answer_after_s=None)
    await at_agent.hold()
    consult = await at_agent.phone.dial("202")
    ringing = await second.rings()
    await r.checkpoint("agent1", "agent1+caller", "agent2")
    await at_agent.transfer_to(consult)
    await r.checkpoint("agent1", "agent1+caller", "agent2")
    ringing.answer()
    await r.checkpoint("agent1+agent2", "agent1+caller")
    await at_caller.hang_up()
    await r.checkpoint("agent1+agent2")


async def joined(r: Recording) -> None:
    """An announcer comes and goes; a colleague joins; the agent leaves; the caller hangs up."""
    at_caller, at_agent = await r.queue_call()
    caller = r.uid("PJSIP/caller-")
    colleague = await r.lab.phone("colleague")
    async with Ari(r.lab) as ari:
        body = {"variables": {"LEG": caller}}
        where = {"endpoint": "Local/join@bagvagt/n", "app": ari.app, "channelId": "announcer"}
        await ari.call("POST", "channels", body, **where)
        await r.checkpoint("Local/join@bagvagt;1", "Local/join@bagvagt;2+agent1+caller")
        await ari.call("DELETE", "channels/announcer")
        await r.checkpoint("agent1+caller")
    application = {"Application": "BridgeAdd", "Data": caller, "Async": "true"}
    await r.ask("Originate", Channel="PJSIP/colleague", **application)
    await colleague.takes()
    await r.checkpoint("agent1+caller+colleague")
    await at_agent.hang_up()
    await r.checkpoint("caller+colleague")
    await at_caller.hang_up()
    await r.checkpoint()


async def mobile(r: Recording) -> None:
    """A chief on a mobile phone joins by the trunk; the agent leaves; the caller hangs up."""
    at_caller, at_agent = await r.queue_call()
    chief = await r.lab.trunk()
    data = {"Application": "BridgeAdd", "Data": r.uid("PJSIP/caller-"), "Async": "true"}
    await r.ask("Originate", Channel="PJSIP/4712345678@caller", **data)
    await chief.takes()
    await r.checkpoint("agent1+caller+caller")
    await at_agent.hang_up()
    await r.checkpoint("caller+caller")
    await at_caller.hang_up()
    await r.checkpoint()


async def released(r: Recording) -> None:
    """Redirect of the caller's leg to a closing message that hangs up."""
    at_caller, _ = await r.queue_call()
    fields = {"Context": "bagvagt", "Exten": "closing", "Priority": "1"}
    channel = next(x for x in r.seen.split("\n") if x.startswith("Channel: PJSIP/caller-")).partition(": ")[2]
    await r.ask("Redirect", Channel=channel, **fields)
    await r.checkpoint("caller")
    await at_caller.is_ended()
    await r.checkpoint()


async def keys(r: Recording) -> None:
    """The feature code in the call, then the speed dial while the caller is on hold."""
    at_caller, at_agent = await r.queue_call()
    await at_agent.press("*91")
    await r.sees("UserEvent: BagvagtKey")
    await r.checkpoint("agent1+caller")
    await at_agent.hold()
    speed_dial = await at_agent.phone.dial("*91")
    await r.sees("UserEvent: BagvagtKey", 2)
    await speed_dial.is_ended()
    await r.checkpoint("agent1+caller")
    await at_caller.hang_up()
    await r.checkpoint()


async def outbound(r: Recording) -> None:
    """An agent rings a citizen by the trunk; the citizen hangs up."""
    agent = await r.lab.phone("agent1")
    citizen = await r.lab.trunk()
    await agent.dial("4712345678")
    at_citizen = await citizen.takes()
    await r.checkpoint("agent1+caller")
    await at_citizen.hang_up()
    await r.checkpoint()


async def two_calls(r: Recording) -> None:
    """A call on hold and a second one beside it, both joined in a transfer: the callers talk to each other."""
    at_caller, at_agent = await r.queue_call()
    citizen = await r.lab.trunk()
    await at_agent.hold()
    second = await at_agent.phone.dial("4712345678")
    await citizen.takes()
    await second.is_answered()
    await r.checkpoint("agent1+caller", "agent1+caller")
    await at_agent.transfer_to(second)
    await r.checkpoint("caller+caller")
    await at_caller.hang_up()
    await r.checkpoint()


async def internal(r: Recording) -> None:
    """Two agents talk; nobody rang in."""
    await r.ask("QueueAdd", Queue="support", Interface="PJSIP/agent2")
    second = await r.lab.phone("agent2")
    first = await r.lab.phone("agent1")
    call = await first.dial("202")
    await second.takes()
    await r.checkpoint("agent1+agent2")
    await call.hang_up()
    await r.checkpoint()


async def members(r: Recording) -> None:
    """Pause and unpause of a static member; a dynamic one is added, paused and removed."""
    await r.checkpoint()
    one = {"Queue": "support", "Interface": "PJSIP/agent1"}
    await r.ask("QueuePause", **one, Paused="true", Reason="bagvagt:b1")
    await r.sees("Event: QueueMemberPause")
    await r.checkpoint()
    await r.ask("QueuePause", **one, Paused="true", Reason="lunch")
    await r.ask("QueuePause", **one, Paused="false")
    two = {"Queue": "support", "Interface": "PJSIP/agent2"}
    await r.ask("QueueAdd", **two, MemberName="Second", StateInterface="PJSIP/agent2")
    await r.ask("QueuePause", **two, Paused="true")
    await r.sees("Event: QueueMemberPause", 4)
    await r.checkpoint()
    await r.ask("QueueRemove", **two)
    await r.sees("Event: QueueMemberRemoved")
    await r.checkpoint()


async def _local_member(r: Recording, interface: str, *together: str) -> None:
    await r.ask("QueueAdd", Queue="support", Interface=interface, MemberName="First", StateInterface="PJSIP/agent1")
    at_caller, at_agent = await r.queue_call(*together)
    await at_agent.hold()
    await r.sees("Event: Hold")
    await r.checkpoint(*together)
    await at_agent.resume()
    await r.sees("Event: Unhold")
    await at_caller.hang_up()
    await r.checkpoint()


async def local_member(r: Recording) -> None:
    """A queue member behind a Local channel that Asterisk takes out."""
    await _local_member(r, "Local/1@members", "agent1+caller")


async def local_member_kept(r: Recording) -> None:
    """A queue member behind a Local channel that stays."""
    await _local_member(r, "Local/1@members/n", "Local/1@members;1+caller", "Local/1@members;2+agent1")


SCENES: tuple[Scene, ...] = (
    *(hold, blind, attended, attended_ringing, joined, mobile, released, keys, outbound, two_calls, internal),
    *(members, local_member, local_member_kept),
)


async def main(names: list[str]) -> None:
    """Records the named scenes, or all, each on an Asterisk of its own."""
    path = rootfs.find().path
    assert path is not None
    for scene in SCENES:
        name = scene.__name__
        if names and name not in names:
            continue
        lab = Asterisk(path, WITHOUT_MEMBERS if scene in {local_member, local_member_kept} else SITE)
        try:
            await lab.start()
            recording = Recording(lab)
            await recording.begin()
            try:
                await scene(recording)
            except Exception as error:  # noqa: BLE001 the other scenes are still worth having
                print(f"{name}: {error!r}", file=sys.stderr)  # noqa: T201
            else:
                (FOLDER / f"{name}.txt").write_text(await recording.end())
                print(name)  # noqa: T201
        finally:
            await lab.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
