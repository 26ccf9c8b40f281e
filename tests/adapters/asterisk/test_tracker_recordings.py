"""The tracker over what a real Asterisk 22 sent: `transcripts/record.py` says how each scene went."""

from dataclasses import dataclass, replace
from itertools import pairwise

import pytest

from adapters.asterisk.ami_codec import Message
from adapters.asterisk.queues import AgentRecord
from policies.model import LiveCall, Member, Source
from telephony.ports import CodePressed
from tests.adapters.asterisk.transcripts.world import World, agent_id, recorded, timeless, told

AGENT1, AGENT2 = agent_id("agent1"), agent_id("agent2")
SECOND = AgentRecord(AGENT2, "PJSIP/agent2")
COLLEAGUE = AgentRecord(agent_id("colleague"), "PJSIP/colleague")


@dataclass
class Checkpoint:
    """The lists of one checkpoint and what the tracker showed there."""

    channels: list[Message]
    members: list[Message]
    calls: tuple[LiveCall, ...]
    seated: tuple[Member, ...]


def replay(w: World, scene: str) -> list[Checkpoint]:
    """Replays a scene; what a list holds is kept apart. A static member's first news is the first list."""
    messages = recorded(scene)
    for line in [m for m in messages if m.name == "QueueMember"][:1]:
        w.tracker.load([], [line] if line.get("Membership") == "static" else [])
    found: list[Checkpoint] = []
    channels: list[Message] = []
    members: list[Message] = []
    for each in messages:
        if each.name == "CoreShowChannel":
            channels.append(each)
        elif each.name == "QueueMember":
            members.append(each)
        elif each.name == "QueueStatusComplete":
            calls, seated = w.tracker.snapshot()
            found.append(Checkpoint(channels, members, calls, seated))
            channels, members = [], []
        else:
            w.tell(each)
    return found


NONE: tuple[None, bool, int] = (None, False, 0)
ON: tuple[str, bool, int] = ("agent1", False, 0)
HELD: tuple[str, bool, int] = ("agent1", True, 0)
SCENES: dict[str, tuple[tuple[AgentRecord, ...], list[tuple[str | None, bool, int] | str]]] = {
    "hold": ((), [ON, HELD, ON, HELD, ON, "over"]),
    "blind": ((SECOND,), [ON, NONE, ("agent2", False, 0), "over"]),
    "attended": ((SECOND,), [ON, HELD, ("agent2", False, 0), "over"]),
    "attended_ringing": ((SECOND,), [ON, HELD, HELD, HELD, "over"]),
    "joined": ((COLLEAGUE,), [ON, ON, ON, ("agent1", False, 1), ("colleague", False, 0), "over"]),
    "mobile": ((), [ON, ("agent1", False, 1), (None, False, 1), "over"]),
    "released": ((), [ON, NONE, "over"]),
    "keys": ((), [ON, ON, HELD, "over"]),
    "outbound": ((AgentRecord(AGENT1, "PJSIP/agent1"),), [ON, "over"]),
    "internal": ((SECOND,), ["over", "over"]),
    "local_member": ((), [ON, HELD, "over"]),
    "local_member_kept": ((), [ON, HELD, "over"]),
}


@pytest.mark.parametrize("scene", SCENES)
def test_scene(scene: str) -> None:
    """The one call of the scene has the agent, the hold and the further legs that the scene gave it, and then ends."""
    records, expected = SCENES[scene]
    w = World(*records)
    shown = [[(c.agent, c.held, len(c.others)) for c in point.calls] or "over" for point in replay(w, scene)]
    assert shown == [[each] if isinstance(each, tuple) else each for each in expected]
    calls = [c for c in told(w.seen) if isinstance(c, LiveCall)]
    assert len({c.began_at for c in calls}) == len({c.id for c in calls}) == (scene != "internal")
    assert all(a != b for a, b in pairwise(calls))
    assert [e for e in told(w.seen) if isinstance(e, str)] == [f"{c} ended" for c in {c.id for c in calls}]


@pytest.mark.parametrize("scene", [*SCENES, "two_calls", "members"])
def test_lists_tell_what_events_told(scene: str) -> None:
    """At every checkpoint Asterisk's lists give the tracker the picture that the events gave it."""
    records = SCENES[scene][0] if scene in SCENES else ()
    behind = scene == "local_member_kept"  # the music plays behind the Local channel: the caller's leg does not tell
    for point in replay(World(*records), scene):
        w = World(*records)
        w.tracker.load(point.channels, point.members, held=[c.caller for c in point.calls if c.held and not behind])
        calls, members = w.tracker.snapshot()
        expected = [c for c in point.calls if c.agent is not None]
        if behind:
            expected = [replace(c, held=False) for c in expected]
        if scene == "blind":  # the caller's leg is in `Dial` now, not in `Queue`
            expected = [replace(c, queue=c.queue if c.agent == AGENT1 else "") for c in expected]
        assert timeless((calls, members)) == timeless((tuple(expected), point.seated))


def test_two_calls_joined() -> None:
    """A caller on hold and a citizen who was rung are two calls of the agent; joined, both go on without one."""
    w = World()
    _, both, joined, over = replay(w, "two_calls")
    assert [(c.agent, c.held) for c in both.calls] == [("agent1", True), ("agent1", False)]
    assert [(c.agent, c.bridge, len(c.others)) for c in joined.calls] == [(None, None, 1)] * 2
    assert over.calls == ()


def test_keys() -> None:
    """A feature code comes with the agent's leg in the call, a speed dial with the agent alone."""
    w = World()
    points = replay(w, "keys")
    code, speed_dial = (e for e in w.seen if isinstance(e, CodePressed))
    assert (code.key, code.agent, code.leg, code.source) == ("warn", AGENT1, points[0].calls[0].agent_leg, Source.CODE)
    assert (speed_dial.agent, speed_dial.leg, speed_dial.source) == (AGENT1, None, Source.SPEED_DIAL)


def test_members() -> None:
    """Pauses with their reasons, of a static and of a dynamic member."""
    w = World()
    points = replay(w, "members")
    assert told(w.seen) == [
        Member(AGENT1, "support", paused=True, reason="bagvagt:b1", static=True),
        Member(AGENT1, "support", paused=True, reason="lunch", static=True),
        Member(AGENT1, "support", paused=False, static=True),
        Member(AGENT2, "support", paused=False),
        Member(AGENT2, "support", paused=True),
    ]
    shown = [[(m.agent, m.paused) for m in p.seated] for p in points]
    assert shown == [
        [("agent1", False)],
        [("agent1", True)],
        [("agent1", False), ("agent2", True)],
        [("agent1", False)],
    ]


def test_agents_are_free_again() -> None:
    """After a scene nobody is left in a call, and who was in one is free since then."""
    for scene in ("hold", "blind", "attended", "joined"):
        w = World(SECOND)
        replay(w, scene)
        first = next(c for c in w.tracker.candidates() if c.target.agent == AGENT1)
        assert first.free_since is not None, scene
        assert w.tracker.last_call_of(AGENT1) is not None
