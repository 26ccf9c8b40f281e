"""What screens show and the core's state does not keep, and whose screens something concerns.

Fed with every decision and every glimpse of a call that nobody guards. It keeps a line for each agent and each live
call.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from policies import events as ev
from policies.actions import Action, Tell
from policies.breaks import Break
from policies.guards import Guard
from policies.handoffs import Handoff
from policies.model import AgentId, CallId, LiveCall
from policies.state import Entity, State


@dataclass(slots=True)
class Concerned:
    """Whose screens may have changed.

    Attributes:
        agents: theirs.
        everybody: all of them.
        duty: the duty desk's.
    """

    agents: set[AgentId] = field(default_factory=set)
    everybody: bool = False
    duty: bool = False


class Recent:
    """Remembers what was said lately, and who is in which call."""

    def __init__(self) -> None:
        self._told: dict[AgentId, tuple[Tell, datetime]] = {}
        self._in: dict[CallId, set[AgentId]] = {}

    def told(self, agent: AgentId) -> tuple[Tell, datetime] | None:
        """Return what the agent was told last, and when."""
        return self._told.get(agent)

    def decided(self, event: ev.Event, before: State, after: State, actions: Iterable[Action]) -> Concerned:
        """Take in one decision."""
        found = Concerned()
        match event:
            case ev.KeyPressed(agent=agent):
                found.agents.add(agent)
            case ev.CallChanged() | ev.CallEnded():
                found.agents |= self.glimpsed(event).agents
                found.duty = True  # on hold or not: the guard does not know it
            case ev.PbxConnected(calls=calls):
                self._in = {}
                for call in calls:
                    self._enters(call)
                found.everybody = found.duty = True
            case ev.PbxLost() | ev.PolicyLoaded():
                found.everybody = found.duty = True
            case _:
                pass
        for tell in actions:
            if isinstance(tell, Tell):
                self._told[tell.agent] = (tell, event.at)
                found.agents.add(tell.agent)
        self._compare(before, after, found)
        return found

    def glimpsed(self, seen: ev.CallChanged | ev.CallEnded) -> Concerned:
        """Take in what happened to a call."""
        if isinstance(seen, ev.CallEnded):
            return Concerned(self._in.pop(seen.call, set()))
        before = set(self._in.get(seen.call.id, ()))
        return Concerned(before | self._enters(seen.call))

    def _enters(self, call: LiveCall) -> set[AgentId]:
        """Return those who are, or were, in the call."""
        known = self._in.setdefault(call.id, set())
        if call.agent is not None:
            known.add(call.agent)
        return known

    def _compare(self, before: State, after: State, found: Concerned) -> None:
        for was, now in (
            (before.guards, after.guards),
            (before.handoffs, after.handoffs),
            (before.breaks, after.breaks),
            (before.pages, after.pages),
            (before.proofs, after.proofs),
        ):
            for entity in _changed(was, now):
                found.duty = True
                found.agents.update(self._agents_of(entity))

    def _agents_of(self, entity: Entity) -> set[AgentId]:
        match entity:
            case Guard(agent=agent, call=call):
                return {agent} | self._in.get(call, set())
            case Handoff(agent=agent, call=call, target=target):
                helper = {target.agent} if target.agent is not None else set()
                if call in self._in:  # it is not over
                    self._in[call] |= helper
                return {agent} | helper
            case Break(agent=agent):
                return {agent}
            case _:
                return set()


def _changed(was: Mapping[Any, Any], now: Mapping[Any, Any]) -> Iterator[Any]:
    """Yield what is new, has changed (as it is and as it was), or is gone. Unchanged entities are the same objects."""
    for key, entity in now.items():
        earlier = was.get(key)
        if earlier is not entity:
            yield entity
            if earlier is not None:
                yield earlier
    for key in was.keys() - now.keys():
        yield was[key]
