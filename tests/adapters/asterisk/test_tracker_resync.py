"""The tracker after a reconnect: what the lists tell is what the events told."""

import lzma
from dataclasses import replace
from functools import cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.asterisk.ami_codec import AmiDecoder, Message
from policies.model import LiveCall, Member
from tests.adapters.asterisk.transcripts.world import World, agent_id, leg, member, message, timeless, told, world

AGENT7 = agent_id("agent7")
CAPTURE = Path(__file__).parents[3] / "benchmarks" / "data" / "ami_500.bin.xz"


def channel(uid: str, name: str, bridge: str = "", **fields: str) -> Message:
    """A line of `CoreShowChannels`."""
    return message(
        "CoreShowChannel", Channel=name, ChannelState=6, Language="en", Uniqueid=uid, BridgeId=bridge, **fields
    )


CALLER = channel("1.1", "PJSIP/trunk-1", "b1", CallerIDNum="+4520304050", Application="Queue", ApplicationData="q,t,,")
AGENT = channel("1.2", "PJSIP/agent7-2", "b1", CallerIDNum="201", Application="AppQueue")
MEMBER = member("agent7", "QueueMember", Status=2, InCall=1)


def test_load_of_a_running_call() -> None:
    """A tracker that was not there when a call began has it whole from the lists, whatever their order; silently."""
    for channels in ([CALLER, AGENT], [AGENT, CALLER]):
        w = World()
        w.tracker.begin_epoch()
        w.tracker.load(channels, [MEMBER])
        assert (w.call.id, w.call.agent, w.call.agent_leg, w.call.bridge) == ("1.1", AGENT7, "1.2", "b1")
        assert (w.call.queue, w.call.caller_tag, w.call.began_at, w.call.held) == ("q", "tag50", w.at, False)
        assert w.tracker.snapshot()[1] == (Member(AGENT7, "support", paused=False, static=True),)
        assert w.seen == []
        assert told(w.hang_up("1.1"))[-1] == "1.1 ended"


def test_load_takes_hold_from_the_caller_leg() -> None:
    """No list shows a hold, but a channel variable of the caller's leg does; Unhold ends it."""
    w = World()
    w.tracker.load([CALLER, AGENT], [MEMBER], held=["1.1"])
    assert w.call.held
    assert [c.held for c in told(w.tell(message("Unhold", Uniqueid="1.2"))) if isinstance(c, LiveCall)] == [False]


def test_reconnect_keeps_what_lists_cannot_tell() -> None:
    """When the call began is kept over a reconnect, and so is the agent's last call."""
    w = world()
    w.talk("0.1", "0.2")
    w.leave("b1", "0.2")
    w.hang_up("0.1", "0.2")
    w.talk()
    call, last = w.call, w.tracker.last_call_of(AGENT7)
    w.tracker.begin_epoch()
    assert w.tracker.snapshot() == ((), ())
    w.tell()
    w.tracker.load([CALLER, AGENT], [MEMBER])
    assert w.call == call
    assert w.tracker.last_call_of(AGENT7) == last


def test_reconnect_between_agents() -> None:
    """A caller who is without an agent at the reconnect, in transfer or in the closing message, is still this call."""
    w = world()
    w.talk()
    call = w.call
    w.tracker.begin_epoch()
    w.tracker.begin_epoch()  # a connection that was lost before its lists came
    w.tracker.load([channel("1.1", "PJSIP/trunk-1")], [MEMBER])
    assert (w.call.id, w.call.agent, w.call.bridge, w.call.began_at) == ("1.1", None, None, call.began_at)
    assert w.tracker.last_call_of(AGENT7) == (replace(w.call, goes_on=True), w.at)


def test_call_that_ended_meanwhile() -> None:
    """A call that ended while nobody looked is gone, and is the agent's last call; nothing is told of it by event."""
    w = world()
    w.talk()
    call = w.call
    w.tracker.begin_epoch()
    w.seen.clear()
    w.tracker.load([], [MEMBER])
    assert w.tracker.snapshot()[0] == ()
    assert w.tracker.last_call_of(AGENT7) == (call, w.at)
    assert w.seen == []


def test_marks_outlive_a_reconnect() -> None:
    """A leg that was marked ours or a colleague's is so after the reconnect; the mark goes with the leg."""
    w = world()
    w.talk()
    w.tracker.colleague(leg("3.1"))
    w.tracker.ours(leg("3.2"))
    guests = [channel("3.1", "PJSIP/trunk-3", "b1"), channel("3.2", "PJSIP/trunk-4", "b1")]
    w.tracker.begin_epoch()
    w.tracker.load([CALLER, AGENT, *guests], [MEMBER])
    assert w.call.others == ("3.1",)
    w.tracker.begin_epoch()
    w.tracker.load([AGENT, guests[0]], [MEMBER])
    assert w.tracker.snapshot()[0] == ()
    w.channel("3.2", "PJSIP/trunk-4")
    w.enter("b1", "3.2")
    assert w.call.caller == "3.2"


def test_events_that_the_lists_told_already() -> None:
    """Events that were kept back during the resync, older than the lists, end in what the lists told."""
    w = World()
    w.tracker.load([CALLER, AGENT], [MEMBER])
    before = w.tracker.snapshot()
    w.channel("1.1", "PJSIP/trunk-1")
    w.channel("1.2", "PJSIP/agent7-2", 0)
    w.enter("b1", "1.2", "1.1")
    assert w.tracker.snapshot() == before
    assert w.seen == []
    w.channel("0.9", "PJSIP/agent7-0")
    w.enter("b0", "0.9")
    w.leave("b0", "0.9")
    w.hang_up("0.9")
    assert w.tracker.snapshot() == before


def test_forgets_on_a_new_epoch() -> None:
    """Between `begin_epoch` and `load` nothing is known, and a stray event harms nothing."""
    w = world()
    w.talk()
    w.tracker.begin_epoch()
    assert w.tracker.snapshot() == ((), ())
    assert w.tracker.calls_of(AGENT7) == ()
    assert w.tracker.members_of(AGENT7) == ()
    assert w.tracker.channel_name(leg("1.1")) is None
    w.leave("b1", "1.2")
    w.hang_up("1.1", "1.2")
    assert w.tracker.snapshot() == ((), ())


@cache
def capture() -> list[Message]:
    """Every message of the recorded 500 queue calls."""
    return AmiDecoder().feed(lzma.decompress(CAPTURE.read_bytes()))


class Lists:
    """What `CoreShowChannels` and `QueueStatus` would show, by a plain reading of every field: not the tracker's."""

    def __init__(self) -> None:
        self.channels: dict[str, dict[str, str]] = {}
        self.members: dict[tuple[str, str], dict[str, str]] = {}

    def take(self, event: Message) -> None:
        """Follow one event."""
        fields = event.fields()
        uid = fields.get("Uniqueid", "")
        if event.name == "Newchannel":
            self.channels[uid] = {"BridgeId": "", "Application": "AppQueue"}
        if uid in self.channels:
            self.channels[uid] |= {k: fields[k] for k in ("Channel", "CallerIDNum", "Language", "Uniqueid")}
        match event.name:
            case "Hangup":
                self.channels.pop(uid, None)
            case "QueueCallerJoin" if uid in self.channels:
                self.channels[uid] |= {"Application": "Queue", "ApplicationData": fields["Queue"] + ",,,"}
            case "BridgeEnter" if uid in self.channels:
                self.channels[uid]["BridgeId"] = fields["BridgeUniqueid"]
            case "BridgeLeave" if uid in self.channels:
                self.channels[uid]["BridgeId"] = ""
            case "QueueMemberStatus":
                self.members[fields["Queue"], fields["Interface"]] = fields | {"Location": fields["Interface"]}

    def load(self, w: World) -> None:
        """Give the lists to a tracker."""
        members = [
            message("QueueMember", **{k: v for k, v in m.items() if k != "Interface"}) for m in self.members.values()
        ]
        w.tracker.load([message("CoreShowChannel", **c) for c in self.channels.values()], members)


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 45_000), st.integers(0, 3_000))
def test_load_equals_events_at_any_point(end: int, kept_back: int) -> None:
    """At any point of the capture, whoever saw every event, or reads the lists there, shows the same.

    So does one who reads the lists and is then told the last events once more, and one who reconnects there. A call
    between agents is known only to those who saw the agent.
    """
    straight, lists = World(), Lists()
    for agent in range(60):  # in the capture the first calls come before the members' first event
        lists.members["support", f"PJSIP/agent{agent}"] = member(f"agent{agent}").fields() | {
            "Location": f"PJSIP/agent{agent}"
        }
        straight.member(f"agent{agent}")
    for event in capture()[:end]:
        straight.tracker.apply(event)
        lists.take(event)
    calls, members = straight.tracker.snapshot()
    expected = timeless((tuple(c for c in calls if c.agent is not None), members))

    fresh = World()
    lists.load(fresh)
    assert timeless(fresh.tracker.snapshot()) == expected

    again = World()
    lists.load(again)
    for event in capture()[max(0, end - kept_back) : end]:
        again.tracker.apply(event)
    calls, members = again.tracker.snapshot()
    assert timeless((tuple(c for c in calls if c.agent is not None), members)) == expected

    before = straight.tracker.snapshot()
    straight.tracker.begin_epoch()
    lists.load(straight)
    assert straight.tracker.snapshot() == before
