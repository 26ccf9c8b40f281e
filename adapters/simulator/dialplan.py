"""What the PBX does when the service asks, and then goes on doing by itself: nothing here waits for the service."""

from functools import partial

from adapters.simulator.parts import SERVICE, Leg, Phone, Place, PlayEnded, Role, RungEnded
from adapters.simulator.world import RING_AGENT_S, SimWorld
from policies.model import AgentId, LegId

CLOSING_S = 4.0
CONFIRM = "brief-confirm"
_CONFIRM_MOST_S = 10.0


class Dialplan:
    """The PBX's few lines for Bagvagt, on one world."""

    def __init__(self, world: SimWorld) -> None:
        self.world = world

    def announce(self, play_id: str, caller: LegId, prompt: str, language: str) -> float | None:
        """Play into the bridge where `caller` stands; returns the prompt's length, None when that cannot be."""
        leg, length_s = self.world.legs.get(caller), self.world.length_s(prompt, language)
        if leg is None or leg.bridge is None:
            return None
        together = tuple(x.id for x in leg.bridge.legs)
        self.world.note(
            "announced" if length_s else "announce failed", caller, SERVICE, f"{prompt}:{language}", together
        )
        if length_s is None:
            return None
        self.world.settle()
        ended = partial(self._play_ended, play_id)
        self.world.media.play(play_id, f"prompt:{prompt}:{language}", length_s, bridge=leg.bridge, done=ended)
        return length_s

    def _play_ended(self, play_id: str, state: str) -> None:
        self.world.tell(PlayEnded(play_id, state))

    def close(self, caller: LegId, prompt: str, language: str, by: str = SERVICE) -> bool:
        """Redirect a caller to the closing dialplan, which plays and hangs up by itself."""
        leg = self.world.legs.get(caller)
        if leg is None:
            return False
        together = tuple(x.id for x in leg.bridge.legs) if leg.bridge else ()
        self.world.note("redirected", caller, by, f"closing:{prompt}", together)
        self.world.put(leg, Place.CLOSING)
        length_s = self.world.length_s(prompt, language) or (CLOSING_S if prompt else 0.0)
        self.world.settle()
        self.world.media.play(
            f"closing-{caller}", f"prompt:{prompt}:{language}", length_s, leg=leg, done=partial(self._closed, leg)
        )
        return True

    def _closed(self, leg: Leg, state: str) -> None:
        if state == "done" and leg.place is Place.CLOSING:
            self.world.end(leg, "closing")

    def bring_back(self, caller: LegId, agent: AgentId) -> bool:
        """Stop a caller's closing: music, and the agent is rung until there."""
        leg = self.world.legs.get(caller)
        if leg is None:
            return False
        if leg.place is Place.MUSIC or (leg.bridge is not None):
            return True
        self.world.note("brought back", caller, SERVICE)
        self.world.put(leg, Place.MUSIC)
        self.world.ring_agent(agent, leg, RING_AGENT_S)
        return True

    def set_pause(self, agent: AgentId, queue: str, *, paused: bool, reason: str, by: str) -> bool:
        """Pause or unpause a member; False when the PBX refuses."""
        member = self.world.queues.members.get((agent, queue))
        before = f"{member.paused}:{member.reason}" if member else ""
        if by == SERVICE and paused and self.world.refuses_pause(agent, queue):
            self.world.note("pause refused", agent, by, f"{queue}|{reason}")
            return False
        if not self.world.queues.put(agent, queue, paused=paused, reason=reason):
            return False
        self.world.note("paused" if paused else "unpaused", agent, by, f"{queue}|{reason}|{before}")
        return True

    def rung_in(
        self, leg_id: str, endpoint: str, caller: LegId, ring_s: float, brief: str, language: str, *, confirm: bool
    ) -> bool:
        """Ring an endpoint; on answer, brief it and put it into the caller's bridge. False: there is no such phone."""
        phone, for_leg = self.world.phones.get(endpoint), self.world.legs.get(caller)
        busy = phone is None or phone.is_busy or (phone.agent is not None and phone.agent in self.world.busy())
        if phone is None or busy or for_leg is None or for_leg.bridge is None:
            return False
        leg = self.world.make_leg(phone, Role.RUNG, Place.RINGING, leg_id)
        leg.for_leg = for_leg
        self.world.note("rung in", leg.id, SERVICE, caller)
        self.world.time.after(ring_s, partial(self._missed, leg))
        if phone.answers_after_s is not None:
            self.world.time.after(phone.answers_after_s, partial(self.takes, leg, brief, language, confirm=confirm))
        return True

    def takes(self, leg: Leg, brief: str = "", language: str = "en", *, confirm: bool = False) -> None:
        """Let one who is rung answer."""
        if leg.place is not Place.RINGING or leg.role is not Role.RUNG:
            return
        self.world.put(leg, Place.BRIEF)
        length_s = self.world.length_s(brief, language) or 0.0
        briefed = partial(self._briefed, leg, language if confirm else "")
        self.world.media.play(f"brief-{leg.id}", f"prompt:{brief}:{language}", length_s, leg=leg, done=briefed)

    def _briefed(self, leg: Leg, confirm_in: str, state: str) -> None:
        if state != "done" or leg.place is not Place.BRIEF:
            return
        if not confirm_in:
            self._joins(leg)
            return
        length_s = self.world.length_s(CONFIRM, confirm_in) or 0.0
        asked = partial(self._asked, leg)
        self.world.media.play(f"confirm-{leg.id}", f"prompt:{CONFIRM}:{confirm_in}", length_s, leg=leg, done=asked)

    def _asked(self, leg: Leg, state: str) -> None:
        if state != "done" or leg.place is not Place.BRIEF:
            return
        if leg.phone.confirms_after_s is None:
            self.world.time.after(_CONFIRM_MOST_S, partial(self._missed, leg))
        else:
            self.world.time.after(leg.phone.confirms_after_s, partial(self._joins, leg))

    def confirms(self, phone: Phone) -> None:
        """Let a person who was briefed press the confirming key."""
        for leg in [x for x in self.world.legs.values() if x.phone is phone and x.place is Place.BRIEF]:
            self.world.media.leave(leg)
            self._joins(leg)

    def _joins(self, leg: Leg) -> None:
        caller = leg.for_leg
        if leg.place is not Place.BRIEF:
            return
        if caller is None or caller.bridge is None:
            self._missed(leg)
            return
        self.world.note("joined", leg.id, SERVICE, caller.id, tuple(x.id for x in caller.bridge.legs))
        self.world.put(leg, Place.BRIDGE, caller.bridge)
        self.world.tell(RungEnded(leg.id, joined=True))

    def _missed(self, leg: Leg) -> None:
        if leg.place in (Place.RINGING, Place.BRIEF) and leg.is_up:
            self.world.end(leg, "no answer")

    # --- hang-ups, tones -----------------------------------------------------------------------------------

    def hang_up(self, leg_id: LegId) -> bool:
        """End a leg because the service asked; False when it is gone."""
        leg = self.world.legs.get(leg_id)
        if leg is None:
            return False
        self.world.end(leg, "service", SERVICE)
        return True

    def hang_up_rung(self, leg_id: LegId) -> bool:
        """End a leg that is being rung or briefed; False when it is gone, or stands in a bridge."""
        leg = self.world.legs.get(leg_id)
        if leg is None or leg.place not in (Place.RINGING, Place.BRIEF):
            return False
        self.world.end(leg, "service", SERVICE)
        return True

    def tone(self, leg_id: LegId, name: str) -> bool:
        """Play a short tone to one leg alone."""
        leg = self.world.legs.get(leg_id)
        if leg is None:
            return False
        self.world.settle()
        self.world.media.play(f"tone-{self.world.new_id()}", f"tone:{name}", 0.2, leg=leg)
        return True
