"""The world's queues: members with one reason slot each, callers who wait, and who is rung next."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from adapters.simulator.parts import Leg, QueueMember
from policies.model import AgentId


@dataclass(slots=True, eq=False)
class Queues:
    """Members and those who wait, of all queues.

    Attributes:
        members: by (agent, queue).
        waiting: callers, first come first.
        free_since: when each agent's last call ended.
        on_change: called with each member that changed.
    """

    on_change: Callable[[QueueMember], None]
    members: dict[tuple[AgentId, str], QueueMember] = field(default_factory=dict)
    waiting: list[Leg] = field(default_factory=list)
    free_since: dict[AgentId, datetime] = field(default_factory=dict)

    def add(self, agent: AgentId, queue: str, *, static: bool, now: datetime) -> None:
        """Make an agent a member; one who is a member already stays as is."""
        if (agent, queue) not in self.members:
            self.members[agent, queue] = QueueMember(agent, queue, static)
            self.free_since.setdefault(agent, now)
            self.on_change(self.members[agent, queue])

    def of(self, agent: AgentId) -> list[QueueMember]:
        """Return an agent's memberships."""
        return [m for m in self.members.values() if m.agent == agent]

    def put(self, agent: AgentId, queue: str, *, paused: bool, reason: str) -> bool:
        """Pause or unpause, as the PBX does: whatever stood in the reason slot is gone. False: no such member."""
        member = self.members.get((agent, queue))
        if member is None:
            return False
        member.paused, member.reason = paused, reason if paused else ""
        self.on_change(member)
        return True

    def forget_static_pauses(self) -> None:
        """Do what a restart of the PBX does: it saves the pauses of dynamic members only."""
        for member in self.members.values():
            if member.static:
                member.paused, member.reason = False, ""

    def next_agent(self, queue: str, busy: set[AgentId]) -> AgentId | None:
        """Return the member of `queue` who is free for longest; None when nobody is."""
        free = [m.agent for m in self.members.values() if m.queue == queue and not m.paused and m.agent not in busy]
        return min(free, key=lambda a: (self.free_since[a], a), default=None)
