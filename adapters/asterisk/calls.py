"""What legs and bridges make of calls, as they change. Each method leaves the picture whole and tells what changed."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from adapters.asterisk.ami_codec import Message
from adapters.asterisk.legs import Bridge, Leg, LegNews, Picture, Role
from adapters.asterisk.queues import Agent, AgentRecord, Roster
from policies.events import CallChanged
from policies.model import CallId, LegId, LiveCall
from telephony.ports import Seen


class Calls(Picture):
    """The picture, with its changes.

    Args:
        agents: the policy's agents; others are discovered from queues.
        caller_tag: a caller's number -> what may be kept of it.
        language_of: (queue, the channel's language) -> the caller's language.
        emit: where what happened goes; must not block.
        new_id: makes an event's id.
        now: aware UTC.
    """

    def __init__(
        self,
        *,
        agents: Iterable[AgentRecord] = (),
        caller_tag: Callable[[str], str],
        language_of: Callable[[str, str], str],
        emit: Callable[[Seen], None],
        new_id: Callable[[], str],
        now: Callable[[], datetime],
    ) -> None:
        super().__init__(Roster(agents))
        self._caller_tag, self._language_of = caller_tag, language_of
        self._emit, self._new_id, self._now = emit, new_id, now
        self._local_halves: dict[str, Leg] = {}

    def _claim(self, leg: Leg, interface: str = "") -> bool:
        """Find whose leg it is; return whether that is news."""
        agent = self._roster.of_interface(interface) if interface else self._roster.of_channel(leg.name)
        if agent is leg.agent or leg.call is not None:
            return False
        if leg.agent is not None:
            leg.agent.legs.remove(leg)
        leg.agent = agent
        if agent is not None:
            agent.legs.append(leg)
        return True

    def _front(self, leg: Leg) -> Leg:
        """Return the leg that stands beside the caller for this one: itself, or the near half of a Local channel."""
        for other in leg.bridge.legs if leg.bridge is not None else ():
            if other.name.endswith(";2"):
                half = self._local_halves.get(f"{other.name[:-1]}1")
                if half is not None and half.agent is not None and half.agent is leg.agent:
                    return half
        return leg

    def _enter(self, leg: Leg, uid: str, message: Message) -> None:
        bridge = self._bridges.get(uid)
        if bridge is None:
            bridge = self._bridges[uid] = Bridge(uid)
        bridge.legs.append(leg)
        leg.bridge = bridge
        if leg.agent is None and leg.role is Role.PARTY:
            # The dialplan may have asked the caller meanwhile.
            leg.language = sys.intern(message.last("Language", leg.language))
            number = message.get("CallerIDNum")
            if not leg.tag and number and number != "<unknown>":
                leg.tag = self._caller_tag(number)

    def _stood(self, agent: Agent[Leg], at: datetime) -> None:
        """Take in that an agent's calls, as they are now, stood at `at` already.

        The PBX's events come in order, and may come late: a key that is told after a join was pressed after it,
        whenever the join was seen.
        """
        for leg in agent.legs:
            for other in leg.bridge.legs if leg.bridge is not None else ():
                if other.call is not None and (other.call.joined_at or other.call.began_at) > at:
                    other.call = replace(other.call, joined_at=at)

    def _leave(self, leg: Leg) -> None:
        bridge = leg.bridge
        if bridge is None:
            return
        bridge.legs.remove(leg)
        leg.bridge = None
        if not bridge.legs:
            self._bridges.pop(bridge.uid, None)
        if leg.call is not None:
            self._follow(leg, leg.call)
        self._settle(bridge)
        leg.is_held = False
        self._tell(leg, LegNews.LEFT, bridge.uid)

    def _changed(self, leg: Leg) -> None:
        self._settle(leg.bridge, may_begin=True)

    def _settle(self, bridge: Bridge | None, *, may_begin: bool = False, quiet: bool = False) -> None:
        """See what a bridge's legs make of its calls.

        A call begins only when somebody comes: an agent and a colleague who are left when the caller hangs up are none.
        """
        if bridge is None:
            return
        party = agent = None
        has_call = False
        for leg in bridge.legs:
            if leg.call is not None:
                has_call = True
                self._follow(leg, leg.call, quiet=quiet)
            elif leg.role is Role.OURS:
                continue
            elif leg.agent is not None:
                agent = agent or leg
            elif leg.role is Role.PARTY:
                party = party or leg
        if may_begin and not has_call and party is not None and agent is not None:
            call = LiveCall(CallId(party.uid), party.uid, None, None, None, self._now(), caller_tag=party.tag)
            self._follow(party, call, quiet=quiet)

    def _follow(self, leg: Leg, call: LiveCall, *, quiet: bool = False) -> None:
        """Make the call of this caller's leg what the legs beside it are; say so if that is a change."""
        agent_leg, others = _beside(leg, call.agent_leg)
        agent = agent_leg.agent.id if agent_leg is not None and agent_leg.agent is not None else None
        seen_leg = agent_leg.uid if agent_leg is not None else None
        joined_at = call.joined_at
        if seen_leg != call.agent_leg:
            joined_at = None if quiet or seen_leg is None else self._now()  # a list does not tell when
        seen = LiveCall(
            call.id,
            call.caller,
            agent,
            seen_leg,
            leg.bridge.uid if leg.bridge is not None and agent_leg is not None else None,
            call.began_at,
            agent_leg is not None and agent_leg.is_held,
            self._language_of(leg.queue, leg.language),
            call.caller_tag,
            leg.queue,
            others,
            joined_at,
        )
        if seen == leg.call:
            return
        leg.call = seen
        if call.agent is not None and call.agent != agent:
            self._roster.agents[call.agent].last = (call, self._now())
        if not quiet:
            self._emit(CallChanged(id=self._new_id(), at=self._now(), call=seen))


def _beside(leg: Leg, before: LegId | None) -> tuple[Leg | None, tuple[LegId, ...]]:
    """Return the agent's leg in a caller's bridge, the same as before where it still stands, and all further legs."""
    found: Leg | None = None
    counted = [o for o in leg.bridge.legs if o is not leg and o.role is not Role.OURS] if leg.bridge is not None else []
    for other in counted:
        if other.agent is not None and (found is None or other.uid == before):
            found = other
    return found, tuple(other.uid for other in counted if other is not found)
