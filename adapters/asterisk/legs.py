"""Legs and bridges of one PBX as they stand, and the questions about them. What changes them is in `tracker`."""

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Final

from adapters.asterisk.queues import Agent, Roster
from policies.model import AgentId, CallId, Candidate, LegId, LiveCall, Member

OUR_NAMES: Final = ("Snoop/", "Announcer/", "Recorder/", "CBAnn/", "CBRec/", "Message/")
OUR_CONTEXT: Final = "@bagvagt"


class LegNews(StrEnum):
    """What a watcher of a leg is told, with a detail."""

    ANSWERED = "answered"
    ENTERED = "entered"  # detail: the bridge
    LEFT = "left"  # detail: the bridge
    HELD = "held"
    RESUMED = "resumed"
    GONE = "gone"  # detail: the hang-up cause, "16" for an ordinary one
    LOST = "lost"  # the connection to the PBX: nobody knows


Watcher = Callable[[LegNews, str], None]


class Role(IntEnum):
    """What a leg may be, apart from an agent's."""

    PARTY = 0
    GUEST = 1
    OURS = 2


class Leg:
    """One channel.

    Attributes:
        uid: its Uniqueid.
        name: of the channel; Asterisk uses names again.
        language: the channel's.
        queue: the queue that it waited in last, "" for none.
        tag: what is kept of its number, once it may be a caller.
        role: see `Role`.
        agent: whose leg, None for nobody's.
        bridge: where it stands.
        call: set on a caller's leg from the first agent on.
        is_up: answered.
        is_held: it holds the other side.
    """

    __slots__ = ("agent", "bridge", "call", "is_held", "is_up", "language", "name", "queue", "role", "tag", "uid")

    def __init__(self, uid: LegId, name: str, language: str) -> None:
        self.uid, self.name, self.language = uid, name, sys.intern(language)
        self.queue = self.tag = ""
        self.role = role_of_name(name)
        self.agent: Agent[Leg] | None = None
        self.bridge: Bridge | None = None
        self.call: LiveCall | None = None
        self.is_up = self.is_held = False


class Bridge:
    """One bridge and who stands in it, in the order of coming."""

    __slots__ = ("legs", "uid")

    def __init__(self, uid: str) -> None:
        self.uid = uid
        self.legs: list[Leg] = []


def role_of_name(name: str) -> Role:
    """Return what a channel's name alone tells."""
    if name.startswith("Local/"):
        return Role.OURS if OUR_CONTEXT in name else Role.GUEST
    return Role.OURS if name.startswith(OUR_NAMES) else Role.PARTY


def age(uid: str) -> tuple[int, int, str]:
    """Return a key that sorts Uniqueids by age; those that were chosen by a client come last."""
    seconds, _, number = uid.partition(".")
    if seconds.isdecimal() and number.isdecimal():
        return int(seconds), int(number), ""
    return sys.maxsize, 0, uid


class Picture:
    """What stands, and what may be asked about it."""

    def __init__(self, roster: Roster[Leg]) -> None:
        self._roster = roster
        self._legs: dict[str, Leg] = {}
        self._bridges: dict[str, Bridge] = {}
        self._roles: dict[str, Role] = {}
        self._watchers: dict[str, list[Watcher]] = {}

    def snapshot(self) -> tuple[tuple[LiveCall, ...], tuple[Member, ...]]:
        """Return every call and every queue member."""
        calls = sorted((leg.call for leg in self._legs.values() if leg.call is not None), key=lambda c: age(c.id))
        return tuple(calls), self._roster.members()

    def call(self, call_id: CallId) -> LiveCall | None:
        """Return a call, None when there is no such call (any more)."""
        leg = self._legs.get(call_id)
        return leg.call if leg is not None else None

    def calls_of(self, agent: AgentId) -> tuple[LiveCall, ...]:
        """Return the calls in which the agent stands now, oldest leg first; also one that a colleague has joined."""
        found = self._roster.agents.get(agent)
        return tuple(
            other.call if other.call.agent_leg == leg.uid else replace(other.call, agent=agent, agent_leg=leg.uid)
            for leg in (found.legs if found is not None else ())
            for other in (leg.bridge.legs if leg.bridge is not None else ())
            if other.call is not None and leg.uid in (other.call.agent_leg, *other.call.others)
        )

    def last_call_of(self, agent: AgentId) -> tuple[LiveCall, datetime] | None:
        """Return the call that the agent left last, and when; as it is now, where it goes on."""
        found = self._roster.agents.get(agent)
        last = found.last if found is not None else None
        now = self.call(last[0].id) if last is not None else None
        return (replace(now, goes_on=True), last[1]) if last is not None and now is not None else last

    def candidates(self) -> tuple[Candidate, ...]:
        """Return every agent, with the time since which it is free."""
        return self._roster.candidates()

    def members_of(self, agent: AgentId) -> tuple[Member, ...]:
        """Return the agent's place in every queue."""
        found = self._roster.agents.get(agent)
        return found.members() if found is not None else ()

    def leg_is_up(self, leg_id: LegId) -> bool:
        """Tell whether a leg is there and answered."""
        leg = self._legs.get(leg_id)
        return leg is not None and leg.is_up

    def bridge_of(self, leg_id: LegId) -> str | None:
        """Return the bridge that a leg stands in."""
        leg = self._legs.get(leg_id)
        return leg.bridge.uid if leg is not None and leg.bridge is not None else None

    def legs_in(self, bridge: str) -> tuple[LegId, ...]:
        """Return all legs in a bridge, ours too, in the order of coming."""
        found = self._bridges.get(bridge)
        return tuple(leg.uid for leg in found.legs) if found is not None else ()

    def people_in(self, bridge: str) -> tuple[LegId, ...]:
        """Return the legs in a bridge that are not Bagvagt's own."""
        found = self._bridges.get(bridge)
        return tuple(leg.uid for leg in found.legs if leg.role is not Role.OURS) if found is not None else ()

    def is_held(self, bridge: str) -> bool:
        """Tell whether somebody in a bridge holds the others."""
        found = self._bridges.get(bridge)
        return found is not None and any(leg.is_held for leg in found.legs)

    def channel_name(self, leg_id: LegId) -> str | None:
        """Return the name of a leg's channel, None when the leg is not there."""
        leg = self._legs.get(leg_id)
        return leg.name if leg is not None else None

    def language_of(self, leg_id: LegId) -> str:
        """Return the language of a leg's channel, "" when the leg is not there."""
        leg = self._legs.get(leg_id)
        return leg.language if leg is not None else ""

    def agent_of(self, leg_id: LegId) -> AgentId | None:
        """Return whose leg it is, None for nobody's."""
        leg = self._legs.get(leg_id)
        return leg.agent.id if leg is not None and leg.agent is not None else None

    # What is told by those who act on the PBX.

    def ours(self, leg_id: LegId) -> None:
        """Mark a leg as Bagvagt's own, before it exists or after: neither caller nor agent, and not counted."""
        self._mark(leg_id, Role.OURS)

    def colleague(self, leg_id: LegId) -> None:
        """Mark a leg that was rung into a call: counted, an agent's if it is one, never taken for a caller."""
        self._mark(leg_id, Role.GUEST)

    def watch(self, leg_id: LegId, told: Watcher) -> Callable[[], None]:
        """Tell `told` what happens to a leg from now on, until GONE or LOST; the leg need not exist yet.

        What is so already is not told: ask `leg_is_up` and `bridge_of` right after.

        Returns:
            A function that ends it.
        """
        self._watchers.setdefault(leg_id, []).append(told)

        def stop() -> None:
            watchers = self._watchers.get(leg_id, [])
            if told in watchers:
                watchers.remove(told)
                if not watchers:
                    del self._watchers[leg_id]

        return stop

    def _mark(self, leg_id: LegId, role: Role) -> None:
        self._roles[leg_id] = role
        leg = self._legs.get(leg_id)
        if leg is not None and leg.role is not role:
            leg.role = role
            self._changed(leg)

    def _changed(self, leg: Leg) -> None:
        """See what follows from another role of a leg."""

    def _tell(self, leg: Leg, news: LegNews, detail: str = "") -> None:
        watchers = self._watchers.get(leg.uid)
        if watchers is None:
            return
        if news is LegNews.GONE:
            del self._watchers[leg.uid]
        for told in tuple(watchers):
            told(news, detail)
