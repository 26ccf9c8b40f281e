"""What the service has seen of the simulated PBX: it may be late, or wrong, and is read anew after each connect."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from policies.model import AgentId, Candidate, LegId, LiveCall, Member, Target
from telephony.ports import Clock


class SeenCalls:
    """Calls and members as last seen.

    Attributes:
        calls: live calls by the caller's leg.
        members: by (agent, queue).
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.calls: dict[LegId, LiveCall] = {}
        self.members: dict[tuple[AgentId, str], Member] = {}
        self._last: dict[AgentId, tuple[LiveCall, datetime]] = {}
        self._free: dict[AgentId, datetime] = {}

    def read_anew(self, calls: tuple[LiveCall, ...], members: tuple[Member, ...], world_now: datetime) -> None:
        """Take a full reading in place of all that was seen."""
        gone = set(self.calls) - {call.caller for call in calls}
        for leg in sorted(gone):
            self.ended(leg)
        for call in calls:
            self.changed(call, world_now)
        self.members = {(m.agent, m.queue): m for m in members}

    def changed(self, call: LiveCall, world_now: datetime) -> LiveCall:
        """Take in a call; its `began_at` is when this agent came, in the PBX's time; the first such is the call's."""
        now = self._clock.now()
        before = self.calls.get(call.caller)
        if before is not None and before.agent_leg == call.agent_leg:
            joined = before.joined_at
        else:
            joined = now - max(world_now - call.began_at, timedelta(0))
        call = replace(call, began_at=before.began_at if before else joined or now, joined_at=joined)
        if before is not None and before.agent is not None and before.agent != call.agent:
            self._left(before, now)
        self.calls[call.caller] = call
        return call

    def ended(self, leg: LegId) -> None:
        """Take in that a caller's leg is gone."""
        before = self.calls.pop(leg, None)
        if before is not None and before.agent is not None:
            self._left(before, self._clock.now())

    def _left(self, call: LiveCall, at: datetime) -> None:
        if call.agent is not None:
            self._last[call.agent] = (call, at)
            self._free[call.agent] = at

    def calls_of(self, agent: AgentId, legs: Collection[LegId]) -> tuple[LiveCall, ...]:
        """Return the agent's calls with callers, also those that one of `legs` has joined as a colleague."""
        own = [call for call in self.calls.values() if call.agent == agent]
        joined = [
            replace(call, agent=agent, agent_leg=leg)
            for call in self.calls.values()
            if call.agent != agent
            for leg in call.others
            if leg in legs
        ]
        return (*own, *joined)

    def last_call_of(self, agent: AgentId) -> tuple[LiveCall, datetime] | None:
        """Return the call that the agent left last, and when; as it is now, where it goes on."""
        last = self._last.get(agent)
        now = self.calls.get(last[0].caller) if last is not None else None
        return (replace(now, goes_on=True), last[1]) if last is not None and now is not None else last

    def candidates(self, since: datetime) -> tuple[Candidate, ...]:
        """Return every member; `since` stands in for those who had no call yet."""
        busy = {call.agent for call in self.calls.values()}
        paused = {m.agent for m in self.members.values() if m.paused}
        agents = dict.fromkeys(agent for agent, _queue in self.members)
        return tuple(
            Candidate(
                Target(agent, f"PJSIP/{agent}", agent),
                "",
                None if agent in busy or agent in paused else self._free.get(agent, since),
            )
            for agent in agents
        )
