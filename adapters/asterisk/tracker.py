"""What the PBX shows now: legs, bridges, calls and queue members, followed event by event.

A leg is a channel by its Uniqueid. A call is a caller's leg that shares, or has shared, a bridge with an agent's leg;
it is named by the caller's leg, which stays while agents come and go. Which leg is whose:

- an agent's leg: its channel's name is the interface of an agent (see `queues`), or `AgentConnect` said so;
- ours: marked by `ours`, or by its name (an announcer, a snoop): neither caller nor agent, and not counted;
- a guest: marked by `colleague`, or half of a Local channel: counted, never taken for a caller;
- any other leg may be a caller.

Nothing here raises for what a PBX may send. AMI tells of races every day (a leg that is gone, an event that the lists
of the resync told already), so what is not known, or is known already, is no news.

A caller's number may hold line ends (ADR 5): a line of the caller's choice then stands among the true ones, where the
number stands. So what Asterisk writes before it (`Channel`, `ChannelState`, `BridgeUniqueid`) is taken by its first
line, and what it writes after it (`Uniqueid`, `Language`, `Cause`, `Queue`, `At`, `Token`) by its last.

The order of events was recorded on Asterisk 22.10 (`tests/adapters/asterisk/transcripts`). From there, too: `Hold` and
`Unhold` name the leg that holds, for `sendonly` and `inactive` alike; queue and device states do not show a hold.
"""

import hmac
import sys
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import Final

import structlog

from adapters.asterisk.ami_codec import Message
from adapters.asterisk.calls import Calls
from adapters.asterisk.legs import Leg, LegNews, age
from adapters.asterisk.queues import MEMBER_EVENTS, AgentRecord
from policies.events import CallEnded, MemberChanged
from policies.model import CallId, LegId, LiveCall, Source
from telephony.ports import CodePressed, Seen

log = structlog.get_logger(__name__)

KEY_EVENT: Final = "BagvagtKey"
_UP: Final = "6"
_IS_UP: Final = "\r\nChannelState: 6\r\n"
_GONE_REMEMBERED: Final = 1024


class Tracker(Calls):
    """The picture of one PBX. Synchronous, no I/O; fed from the AMI reader.

    Args:
        agents: the policy's agents; others are discovered from queues.
        caller_tag: a caller's number -> what may be kept of it.
        language_of: (queue, the channel's language) -> the caller's language.
        emit: where what happened goes; must not block.
        new_id: makes an event's id.
        now: aware UTC.
        when: the stamp of a key's event -> when the PBX saw it; None: it is taken to be new.
        key_token: what a key's event must carry, see `is_key`.
    """

    WANTED: Final = frozenset(
        {
            *MEMBER_EVENTS,
            *("QueueMemberRemoved", "QueueCallerJoin", "AgentConnect"),
            *("Newchannel", "Newstate", "Rename", "Hangup", "Hold", "Unhold", "UserEvent"),
            *("BridgeEnter", "BridgeLeave", "BridgeDestroy"),
        }
    )

    def __init__(
        self,
        *,
        agents: Iterable[AgentRecord] = (),
        caller_tag: Callable[[str], str],
        language_of: Callable[[str, str], str],
        emit: Callable[[Seen], None],
        new_id: Callable[[], str],
        now: Callable[[], datetime],
        when: Callable[[str], datetime] | None = None,
        key_token: str = "",
    ) -> None:
        super().__init__(
            agents=agents, caller_tag=caller_tag, language_of=language_of, emit=emit, new_id=new_id, now=now
        )
        self._when = when if when is not None else lambda _stamp: now()
        self._key_token = key_token.encode()
        self._before: dict[str, LiveCall] = {}
        self._gone: dict[str, None] = {}
        self._steps: dict[str, Callable[[Message], None]] = {
            **dict.fromkeys(MEMBER_EVENTS, self._on_member),
            "QueueMemberRemoved": self._roster.remove,
            "QueueCallerJoin": self._on_queued,
            "AgentConnect": self._on_agent_connect,
            "Newchannel": self._on_new,
            "Newstate": self._on_state,
            "Rename": self._on_rename,
            "Hangup": self._on_hangup,
            "Hold": lambda message: self._on_hold(message, held=True),
            "Unhold": lambda message: self._on_hold(message, held=False),
            "UserEvent": self._on_user_event,
            "BridgeEnter": self._on_enter,
            "BridgeLeave": self._on_leave,
            "BridgeDestroy": self._on_destroy,
        }

    # Epochs.

    def begin_epoch(self) -> None:
        """Forget what the PBX showed; watchers are told that their legs are lost.

        Only one thing is kept, until `load`: which legs were callers, and since when. A leg that is still there then is
        the same call, also while it is between agents.
        """
        self._before |= {leg.uid: leg.call for leg in self._legs.values() if leg.call is not None}
        watchers, self._watchers = self._watchers, {}
        for things in (self._legs, self._bridges, self._local_halves, self._gone):
            things.clear()
        self._roster.forget()
        for told in [w for each in watchers.values() for w in each]:
            told(LegNews.LOST, "")

    def load(self, channels: Iterable[Message], members: Iterable[Message], held: Collection[str] = ()) -> None:
        """Take the lists of a fresh connection; emits nothing.

        What no list tells, unless it was seen before: when a call began, that a caller between agents had one, the
        queue of a call that was transferred since, and whose leg it is where only `AgentConnect` says so.

        Args:
            channels: `CoreShowChannel` entries; they name the bridges, so no other list is needed.
            members: `QueueMember` entries; other entries of `QueueStatus` may be among them.
            held: callers' legs of which `CHANNEL(onhold)` is 1; no list shows it.
        """
        for message in members:
            if message.name == "QueueMember":
                self._roster.take(message)
        listed = [m for m in channels if m.last("Uniqueid")]
        for message in sorted(listed, key=lambda m: age(m.last("Uniqueid"))):
            self._load_leg(message)
        self._roles = {uid: role for uid, role in self._roles.items() if uid in self._legs}
        for bridge in self._bridges.values():
            self._settle(bridge, may_begin=True, quiet=True)
        for leg in self._legs.values():
            if leg.call is not None:
                for other in leg.bridge.legs if leg.bridge is not None else ():
                    other.is_held = other.is_held or (leg.uid in held and other.uid == leg.call.agent_leg)
                self._follow(leg, leg.call, quiet=True)
        for uid, call in self._before.items():
            if call.agent is not None and self.call(CallId(uid)) is None:
                self._roster.agents[call.agent].last = (call, self._now())
        self._before = {}

    def apply(self, message: Message) -> None:
        """Take one event."""
        step = self._steps.get(message.name)
        if step is not None:
            step(message)

    # Legs.

    def _on_new(self, message: Message) -> None:
        self._leg(message)

    def _leg(self, message: Message) -> Leg | None:
        """Return the leg that an event is about, made if it is new; None when it is gone already, or has no id."""
        uid = message.last("Uniqueid")
        leg = self._legs.get(uid)
        if leg is None and uid and uid not in self._gone:
            leg = Leg(LegId(uid), message.get("Channel"), message.last("Language"))
            leg.role = self._roles.get(uid, leg.role)
            leg.is_up = message.get("ChannelState") == _UP
            self._legs[leg.uid] = leg
            if leg.name.endswith(";1"):
                self._local_halves[leg.name] = leg
            self._claim(leg)
        return leg

    def _on_state(self, message: Message) -> None:
        if _IS_UP in message.text:
            leg = self._legs.get(message.last("Uniqueid"))
            if leg is not None and not leg.is_up:
                leg.is_up = True
                self._tell(leg, LegNews.ANSWERED)

    def _on_rename(self, message: Message) -> None:
        leg = self._legs.get(message.last("Uniqueid"))
        name = message.get("Newname")
        if leg is None or not name:
            return
        same_agent = self._roster.of_channel(leg.name) is self._roster.of_channel(name)
        self._local_halves.pop(leg.name, None)
        leg.name = name
        if not same_agent and self._claim(leg):
            self._changed(leg)

    def _on_agent_connect(self, message: Message) -> None:
        """Asterisk says which leg a queue rang for a member: the only sign for `hint:` and for numbers by a trunk."""
        leg = self._legs.get(message.last("DestUniqueid"))
        if leg is not None and leg.agent is None and self._claim(leg, message.last("Interface")):
            self._changed(leg)

    def _on_hangup(self, message: Message) -> None:
        uid = message.last("Uniqueid")
        leg = self._legs.pop(uid, None)
        self._roles.pop(uid, None)
        if leg is None:
            return
        self._gone[uid] = None
        if len(self._gone) > _GONE_REMEMBERED:
            del self._gone[next(iter(self._gone))]
        if leg.bridge is not None:
            self._leave(leg)
        if leg.agent is not None:
            leg.agent.legs.remove(leg)
        self._local_halves.pop(leg.name, None)
        self._tell(leg, LegNews.GONE, message.last("Cause"))
        if leg.call is not None:
            self._emit(CallEnded(id=self._new_id(), at=self._now(), call=leg.call.id))

    def _on_hold(self, message: Message, *, held: bool) -> None:
        leg = self._legs.get(message.last("Uniqueid"))
        if leg is not None:
            leg.is_held = held
            front = self._front(leg)
            front.is_held = held
            self._settle(front.bridge)
            self._tell(front, LegNews.HELD if held else LegNews.RESUMED)

    # Bridges.

    def _on_enter(self, message: Message) -> None:
        leg = self._leg(message)
        uid = message.get("BridgeUniqueid")
        if leg is None or not uid or (leg.bridge is not None and leg.bridge.uid == uid):
            return
        if leg.bridge is not None:
            self._leave(leg)
        if not leg.is_up:
            leg.is_up = True
            self._tell(leg, LegNews.ANSWERED)
        self._enter(leg, uid, message)
        self._settle(leg.bridge, may_begin=True)
        self._tell(leg, LegNews.ENTERED, uid)

    def _on_leave(self, message: Message) -> None:
        leg = self._legs.get(message.last("Uniqueid"))
        if leg is not None and leg.bridge is not None and leg.bridge.uid == message.get("BridgeUniqueid"):
            self._leave(leg)

    def _on_destroy(self, message: Message) -> None:
        bridge = self._bridges.get(message.get("BridgeUniqueid"))
        for leg in list(bridge.legs) if bridge is not None else ():
            self._leave(leg)

    # Queues and keys.

    def _on_queued(self, message: Message) -> None:
        leg = self._legs.get(message.last("Uniqueid"))
        if leg is not None:
            leg.queue = sys.intern(message.last("Queue"))
            if leg.call is not None:
                self._follow(leg, leg.call)

    def _on_member(self, message: Message) -> None:
        member, is_new = self._roster.take(message)
        if is_new:
            for leg in list(self._legs.values()):
                if leg.agent is None and self._claim(leg):
                    self._changed(leg)
        if member is not None:
            self._emit(MemberChanged(id=self._new_id(), at=self._now(), member=member))

    def is_key(self, message: Message) -> bool:
        """Tell whether this is a key that an agent pressed: our dialplan's event, with the token that it alone knows.

        A caller can bring whole events of his own (ADR 5), but not this token.
        """
        if message.name != "UserEvent" or message.last("UserEvent") != KEY_EVENT:
            return False
        if not hmac.compare_digest(message.last("Token").encode(), self._key_token):
            log.error("forged_key", channel=message.get("Channel"), leg=message.last("Uniqueid"))
            return False
        return True

    def _on_user_event(self, message: Message) -> None:
        """A key, from `UserEvent(BagvagtKey,Key: …)`; Asterisk puts the channel's own fields first."""
        if not self.is_key(message):
            return
        leg = self._legs.get(message.last("Uniqueid"))
        agent = leg.agent if leg is not None else self._roster.of_channel(message.get("Channel"))
        key = message.last("Key")
        if agent is None or not key:
            log.warning("key_without_agent", key=key, channel=message.get("Channel"))
            return
        source = Source.SPEED_DIAL if message.last("Source") == Source.SPEED_DIAL else Source.CODE
        if leg is not None and source is Source.SPEED_DIAL:
            self.ours(leg.uid)
        pressed_in = self._front(leg).uid if leg is not None and source is Source.CODE else None
        pressed_at = self._when(message.last("At"))
        self._stood(agent, pressed_at)
        self._emit(CodePressed(key, agent.id, pressed_in, source, pressed_at))

    def _load_leg(self, message: Message) -> None:
        """Take one entry of the resync's list."""
        leg = self._leg(message)
        if leg is None:
            return
        before = self._before.get(leg.uid)
        if before is not None and leg.agent is None:
            leg.call, leg.queue, leg.tag = before, before.queue, before.caller_tag
        elif message.last("Application") == "Queue":
            leg.queue = sys.intern(message.last("ApplicationData").partition(",")[0])
        if message.last("BridgeId") and leg.bridge is None:
            self._enter(leg, message.last("BridgeId"), message)
