"""A tracker to be told events by hand, or from a recording."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from adapters.asterisk.ami_codec import AmiDecoder, Message
from adapters.asterisk.queues import AgentRecord
from adapters.asterisk.tracker import Tracker
from policies.events import CallChanged, CallEnded, MemberChanged
from policies.model import AgentId, LegId, LiveCall, Member
from telephony.ports import CodePressed, Seen

NIGHT = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
NUMBER = "+4520304050"
AGENT7, AGENT8 = AgentId("agent7"), AgentId("agent8")
Snapshot = tuple[tuple[LiveCall, ...], tuple[Member, ...]]


def message(name: str, **fields: str | int) -> Message:
    """One event, as the decoder makes it."""
    lines = [f"Event: {name}", "Privilege: call,all", *(f"{key}: {value}" for key, value in fields.items())]
    return Message(name, "\r\n".join(lines), is_event=True)


class World:
    """A tracker, a clock that goes on a second with each event, and what was emitted."""

    def __init__(self, *records: AgentRecord, key_token: str = "") -> None:
        self.seen: list[Seen] = []
        self.at = NIGHT
        numbers = count()
        self.tracker = Tracker(
            agents=records,
            caller_tag=lambda number: f"tag{number[-2:]}",
            language_of={"dansk": "da"}.get,  # the channel's own is the default
            emit=self.seen.append,
            new_id=lambda: f"e{next(numbers)}",
            now=lambda: self.at,
            key_token=key_token,
        )

    def tell(self, *messages: Message) -> list[Seen]:
        """Applies events; returns what they made it emit."""
        before = len(self.seen)
        for each in messages:
            self.at += timedelta(seconds=1)
            self.tracker.apply(each)
        return self.seen[before:]

    def channel(self, uid: str, name: str, state: int = 6, number: str = NUMBER, language: str = "en") -> list[Seen]:
        """A new channel."""
        fields = {"Channel": name, "CallerIDNum": number, "Language": language, "Uniqueid": uid}
        return self.tell(message("Newchannel", ChannelState=state, **fields))

    def enter(self, bridge: str, *uids: str, number: str = NUMBER, language: str = "en") -> list[Seen]:
        """Channels enter a bridge."""
        fields = {"CallerIDNum": number, "Language": language}
        return self.tell(*(message("BridgeEnter", BridgeUniqueid=bridge, **fields, Uniqueid=u) for u in uids))

    def leave(self, bridge: str, *uids: str) -> list[Seen]:
        """Channels leave a bridge."""
        return self.tell(*(message("BridgeLeave", BridgeUniqueid=bridge, Uniqueid=u) for u in uids))

    def hang_up(self, *uids: str) -> list[Seen]:
        """Channels hang up."""
        return self.tell(*(message("Hangup", Uniqueid=u, Cause=16) for u in uids))

    def member(self, agent: str, event: str = "QueueMemberStatus", **fields: str | int) -> list[Seen]:
        """News of a queue member."""
        return self.tell(member(agent, event, **fields))

    def talk(self, caller: str = "1.1", leg: str = "1.2", agent: str = "agent7", bridge: str = "b1") -> list[Seen]:
        """A queue call with the agent."""
        self.channel(caller, f"PJSIP/trunk-{caller}")
        self.tell(message("QueueCallerJoin", Queue="support", Uniqueid=caller))
        self.channel(leg, f"PJSIP/{agent}-{leg}", 0)
        return self.enter(bridge, leg, caller)

    @property
    def call(self) -> LiveCall:
        """The one call that there is."""
        (found,) = self.tracker.snapshot()[0]
        return found


def member(agent: str, event: str = "QueueMemberStatus", **fields: str | int) -> Message:
    """A member's event, or a line of `QueueStatus`."""
    where = "Location" if event == "QueueMember" else "Interface"
    usual: dict[str, str | int] = {
        "Queue": "support",
        where: f"PJSIP/{agent}",
        "StateInterface": f"PJSIP/{agent}",
        "Membership": "static",
        "LastCall": 0,
        "InCall": 0,
        "Status": 1,
        "Paused": 0,
        "PausedReason": "",
    }
    return message(event, **{**usual, **fields})


def world(*agents: str) -> World:
    """A world with these agents in the queue `support`."""
    made = World()
    for agent in agents or ("agent7",):
        made.member(agent, "QueueMemberAdded")
    made.seen.clear()
    return made


def told(seen: Iterable[Seen]) -> list[object]:
    """What was emitted, without ids and times: calls, ids of ended ones, members, keys."""
    found: list[object] = []
    for each in seen:
        match each:
            case CallChanged():
                found.append(each.call)
            case CallEnded():
                found.append(f"{each.call} ended")
            case MemberChanged():
                found.append(each.member)
            case CodePressed():
                found.append((each.key, each.agent, each.leg, each.source))
            case _:
                raise AssertionError(each)
    return found


def leg(uid: str) -> LegId:
    """A leg's id."""
    return LegId(uid)


def agent_id(name: str) -> AgentId:
    """An agent's id."""
    return AgentId(name)


def recorded(scene: str) -> list[Message]:
    """All messages of a recording: events, and the lists of its checkpoints in their place."""
    text = (Path(__file__).parent / f"{scene}.txt").read_text()
    decoder = AmiDecoder()
    return decoder.feed(text.replace("\n", "\r\n").encode())


def timeless(snapshot: Snapshot) -> Snapshot:
    """A snapshot without what no list can tell: when calls began, and agents came."""
    calls, members = snapshot
    return tuple(replace(call, began_at=NIGHT, joined_at=None) for call in calls), members
