"""Who is an agent, and where: queue members as Asterisk shows them, refined by the policy's agents.

An agent is whoever is a member of a queue, or is listed in the policy. Members say how they are rung (`Interface`) and
whose state counts (`StateInterface`); a channel belongs to an agent when its name, without the running number that
Asterisk appends, is one of the two. An interface through a Local channel (`Local/101@from-queue/n`) belongs to the
agent of its StateInterface, and so does the Local channel's first half, which is what stands beside the caller.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar

from adapters.asterisk.ami_codec import Message
from policies.model import AgentId, Candidate, LiveCall, Member, Target

MEMBER_EVENTS: Final = frozenset({"QueueMemberStatus", "QueueMemberPause", "QueueMemberAdded"})
NOT_IN_USE: Final = "1"
"""`AST_DEVICE_NOT_INUSE`; whatever else a phone is, a caller in distress is not sent to it."""
NEVER: Final = datetime.fromtimestamp(0, UTC)
"""When an agent's last call ended who has had none: free for longest."""

L = TypeVar("L")


@dataclass(frozen=True, slots=True)
class AgentRecord:
    """An agent as the policy lists it.

    Attributes:
        id: who.
        interface: how it is rung, `PJSIP/agent7`.
        state_interface: whose device state counts, "" when it is the same.
        team: for choosing from the same team first.
        name: for people.
        language: in which prompts are played to the agent, "" for the phone's.
    """

    id: AgentId
    interface: str
    state_interface: str = ""
    team: str = ""
    name: str = ""
    language: str = ""


@dataclass(slots=True)
class Seat:
    """One membership of one queue.

    Attributes:
        member: what the core sees of it.
        is_free: the device is not in use, and the queue has not put a call through.
        last_call: when the PBX says that its last queue call ended; `NEVER` for none.
    """

    member: Member
    is_free: bool
    last_call: datetime


class Agent(Generic[L]):
    """An agent, its seats and its legs.

    Attributes:
        endpoint: how to ring it directly.
        seats: (queue, interface) -> seat.
        legs: its legs that exist now, ringing ones too, oldest first.
        last: the call that it left last, as it was, and when.
    """

    __slots__ = ("endpoint", "id", "last", "legs", "name", "seats", "team")

    def __init__(self, record: AgentRecord) -> None:
        direct = record.interface
        if direct.startswith("Local/") and "/" in record.state_interface:
            direct = record.state_interface
        self.id = record.id
        self.endpoint = direct
        self.team = record.team
        self.name = record.name or record.id
        self.seats: dict[tuple[str, str], Seat] = {}
        self.legs: list[L] = []
        self.last: tuple[LiveCall, datetime] | None = None

    def members(self) -> tuple[Member, ...]:
        """Return its place in every queue."""
        return tuple(seat.member for seat in self.seats.values())

    def candidate(self) -> Candidate:
        """Return it as somebody who might be rung; free only where every sign says so."""
        free_since = None
        if self.seats and not self.legs and all(s.is_free and not s.member.paused for s in self.seats.values()):
            free_since = max(seat.last_call for seat in self.seats.values())
            if self.last is not None:
                free_since = max(free_since, self.last[1])
        return Candidate(Target(self.name, self.endpoint, self.id), self.team, free_since)


class Roster(Generic[L]):
    """Every agent there is.

    Args:
        records: the policy's agents, may be none.

    Attributes:
        agents: id -> agent.
    """

    def __init__(self, records: Iterable[AgentRecord]) -> None:
        self.agents: dict[AgentId, Agent[L]] = {}
        self._by_interface: dict[str, Agent[L]] = {}
        for record in records:
            self._know(record)

    def forget(self) -> None:
        """Forget what the PBX showed. Who is an agent, and what call one had last, stays."""
        for agent in self.agents.values():
            agent.seats.clear()
            agent.legs.clear()

    def of_channel(self, name: str) -> Agent[L] | None:
        """Return whose leg a channel is, None for nobody's.

        The second half of a Local channel (`…;2`) stands beside the agent's phone, not beside the caller, and a name in
        angle brackets (`…<ZOMBIE>`) is a channel that has given its place to another.
        """
        if name.endswith((";2", ">")):
            return None
        return self._by_interface.get(name.rpartition("-")[0])

    def of_interface(self, interface: str) -> Agent[L] | None:
        """Return the agent who is rung by this interface."""
        return self._by_interface.get(_bare(interface))

    def take(self, message: Message) -> tuple[Member | None, bool]:
        """Take an event about a member, or a line of a list.

        Returns:
            The member if the core would see a difference, and whether an interface is now known that was not.
        """
        get = message.get
        interface = get("Interface") or get("Location")
        queue = sys.intern(get("Queue"))
        if not interface or not queue:
            return None, False
        known = len(self._by_interface)
        agent = self._by_interface.get(_bare(interface)) or self._discover(interface, get("StateInterface"))
        reason, static = get("PausedReason"), get("Membership") == "static"
        is_free = get("Status") == NOT_IN_USE and get("InCall", "0") == "0"
        member = Member(agent.id, queue, get("Paused") == "1", sys.intern(reason), static)
        last_call = _time(get("LastCall"))
        seat = agent.seats.get((queue, interface))
        if seat is None:
            agent.seats[queue, sys.intern(interface)] = Seat(member, is_free, last_call)
            return member, len(self._by_interface) > known
        seat.is_free, seat.last_call = is_free, last_call
        if seat.member == member:
            return None, False
        seat.member = member
        return member, False

    def remove(self, message: Message) -> None:
        """Take `QueueMemberRemoved`. The agent stays known: it may have a call yet."""
        interface = message.get("Interface")
        agent = self.of_interface(interface)
        if agent is not None:
            agent.seats.pop((message.get("Queue"), interface), None)

    def members(self) -> tuple[Member, ...]:
        """Return every member, by queue."""
        found = [member for agent in self.agents.values() for member in agent.members()]
        return tuple(sorted(found, key=lambda m: (m.queue, m.agent)))

    def candidates(self) -> tuple[Candidate, ...]:
        """Return every agent."""
        return tuple(agent.candidate() for agent in self.agents.values())

    def _discover(self, interface: str, state: str) -> Agent[L]:
        """Return the agent behind an interface that was not known: a known one by its phone, or a new one."""
        phone = state if interface.startswith("Local/") and "/" in state else interface
        agent = self._by_interface.get(_bare(phone))
        if agent is None:
            name = _bare(phone).partition("/")[2].partition("@")[0]
            agent = self.agents.get(AgentId(name))
        if agent is None:
            return self._know(AgentRecord(AgentId(sys.intern(name)), interface, state))
        self._by_interface[_bare(interface)] = agent
        return agent

    def _know(self, record: AgentRecord) -> Agent[L]:
        agent = self.agents[record.id] = Agent[L](record)
        for interface in (record.interface, record.state_interface):
            if "/" in interface:
                self._by_interface.setdefault(sys.intern(_bare(interface)), agent)
        return agent


def _bare(interface: str) -> str:
    """Return an interface without options, as its channels are named: `Local/101@from-queue/n` -> `Local/101@…`."""
    return "/".join(interface.split("/", 2)[:2])


def _time(seconds: str) -> datetime:
    """Return a time that the PBX gave as seconds since 1970; 0, nothing, or nonsense is `NEVER`."""
    if not seconds.isdecimal() or len(seconds) > 10:  # noqa: PLR2004  ten digits reach the year 2286
        return NEVER
    return datetime.fromtimestamp(int(seconds), UTC)
