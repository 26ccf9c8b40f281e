"""The simulated PBX's own truth: legs, bridges, queues, phones that hear; nothing of what the service believes.

What the service asks for has `by=SERVICE` in the record; what people, the dialplan and a restart do has their names.
The world goes on by itself: nothing in it waits for the service.
"""

from collections import deque
from collections.abc import Callable
from functools import partial

from adapters.simulator.media import Media
from adapters.simulator.parts import (
    Bridge,
    CallGone,
    CallShown,
    CodeShown,
    Leg,
    MemberShown,
    Notice,
    PagedShown,
    Phone,
    Place,
    QueueMember,
    Record,
    Role,
    RungEnded,
)
from adapters.simulator.queues import Queues
from adapters.simulator.timing import LoopTime
from policies.model import AgentId, CallId, LegId, LiveCall, Source

RING_AGENT_S = 15.0


class SimWorld:
    """A PBX and the people around it.

    Attributes:
        time: the world's time.
        legs: every leg that is up, by id.
        phones: agents' and colleagues' phones, by endpoint.
        queues: members and those who wait.
        media: what runs and what is heard.
        prompts: length in seconds of each prompt that the PBX has, by "name:language".
        history: what happened, oldest first.
        is_running: False while the PBX is restarting.
        refuses_pause: told for each pause whether the PBX refuses it.
        boot: counts restarts; ids start anew with each.
    """

    def __init__(self, time: LoopTime, prompts: dict[str, float] | None = None, keep: int | None = 100_000) -> None:
        self.time = time
        self.legs: dict[LegId, Leg] = {}
        self.phones: dict[str, Phone] = {}
        self.media = Media(time)
        self.queues = Queues(self._member_changed)
        self.prompts = prompts if prompts is not None else {}
        self.history: deque[Record] = deque(maxlen=keep)
        self.is_running = True
        self.refuses_pause: Callable[[AgentId, str], bool] = lambda _agent, _queue: False
        self.boot = 1
        self._made = 0
        self._listeners: list[Callable[[Notice], None]] = []

    # --- the PBX's events ----------------------------------------------------------------------------------

    def listen(self, take: Callable[[Notice], None]) -> Callable[[], None]:
        """Have `take` called for whatever happens; returns how to stop that."""
        self._listeners.append(take)
        return lambda: self._listeners.remove(take) if take in self._listeners else None

    def tell(self, notice: Notice) -> None:
        """Tell everybody who listens."""
        for take in tuple(self._listeners):
            take(notice)

    def note(self, what: str, leg: str, by: str = "", detail: str = "", legs: tuple[str, ...] = ()) -> None:
        """Write one line of history."""
        self.history.append(Record(self.time.now(), what, leg, by, detail, legs))

    def _member_changed(self, member: QueueMember) -> None:
        self.note("member", member.agent, detail=f"{member.queue}|{member.paused}|{member.reason}")
        self.tell(MemberShown(member.shown()))
        self.serve_queues()

    def _show(self, *legs: Leg) -> None:
        for caller in {leg.id: leg for leg in legs if leg.role is Role.CALLER and leg.is_up}.values():
            self.tell(CallShown(self.shown(caller)))

    # --- what stands ---------------------------------------------------------------------------------------

    def new_id(self) -> str:
        """Return a unique id: the boot, and a count that starts anew with it."""
        self._made += 1
        return f"{self.boot}.{self._made}"

    def shown(self, caller: Leg) -> LiveCall:
        """Return a caller's call as the PBX shows it; `began_at` is in the world's time."""
        others = [x for x in caller.bridge.legs if x is not caller] if caller.bridge else []
        agent = next((x for x in others if x.phone.agent is not None), None)
        began = max((x.joined_at for x in (caller, agent) if x and x.joined_at), default=self.time.now())
        return LiveCall(
            id=CallId(caller.id),
            caller=caller.id,
            agent=agent.phone.agent if agent else None,
            agent_leg=agent.id if agent else None,
            bridge=caller.bridge.id if caller.bridge and agent else None,
            began_at=began,
            held=caller.held,
            language=caller.language,
            caller_tag=caller.tag,
            queue=caller.queue,
            others=tuple(x.id for x in others if x is not agent),
        )

    def callers(self) -> list[Leg]:
        """Return every caller who is connected."""
        return [leg for leg in self.legs.values() if leg.role is Role.CALLER]

    def legs_of(self, agent: AgentId) -> list[Leg]:
        """Return an agent's legs."""
        return [leg for leg in self.legs.values() if leg.phone.agent == agent]

    def talks_with(self, agent: AgentId) -> list[Leg]:
        """Return the callers who stand in a bridge with a leg of this agent: the truth about the agent's calls."""
        bridges = [leg.bridge for leg in self.legs_of(agent) if leg.bridge is not None]
        return [leg for bridge in bridges for leg in bridge.legs if leg.role is Role.CALLER]

    def share_bridge(self, one: LegId, other: LegId) -> bool:
        """Tell whether two legs stand in one bridge."""
        a, b = self.legs.get(one), self.legs.get(other)
        return a is not None and b is not None and a.bridge is not None and a.bridge is b.bridge

    def length_s(self, prompt: str, language: str) -> float | None:
        """Return a prompt's length; None when the PBX has none of that name."""
        return self.prompts.get(f"{prompt}:{language}")

    def busy(self) -> set[AgentId]:
        """Return the agents who have a leg."""
        return {leg.phone.agent for leg in self.legs.values() if leg.phone.agent is not None}

    # --- legs and bridges ----------------------------------------------------------------------------------

    def make_leg(self, phone: Phone, role: Role, place: Place, leg_id: str = "") -> Leg:
        """Make a leg; `leg_id` is the id that whoever originates it wants it to have."""
        leg = Leg(LegId(leg_id or self.new_id()), phone, role, place, packets_at=self.time.now())
        self.legs[leg.id] = leg
        return leg

    def put(self, leg: Leg, place: Place, bridge: Bridge | None = None) -> None:
        """Take a leg out of where it stands and put it elsewhere; who is left alone by that is hung up."""
        self.settle()
        left = leg.bridge
        if left is bridge and bridge is not None:
            leg.place = place
            return
        self.media.leave(leg)
        if leg in self.queues.waiting and place is not Place.QUEUE:
            self.queues.waiting.remove(leg)
        leg.held = False
        if left is not None:
            left.legs.remove(leg)
        leg.place, leg.bridge = place, bridge
        if bridge is not None:
            bridge.legs.append(leg)
            leg.joined_at = self.time.now()
            self.note("bridged", leg.id, detail=bridge.id, legs=tuple(x.id for x in bridge.legs))
        if left is not None:
            self._thin_out(left)
        self._show(leg, *(bridge.legs if bridge else ()), *(left.legs if left else ()))

    def connect(self, *legs: Leg) -> Bridge:
        """Put legs into a bridge of their own."""
        bridge = Bridge(f"bridge-{self.new_id()}")
        self.settle()
        for leg in legs:
            self._move(leg, bridge)
        self._show(*legs)
        return bridge

    def _move(self, leg: Leg, bridge: Bridge) -> None:
        left = leg.bridge
        if leg in self.queues.waiting:
            self.queues.waiting.remove(leg)
        self.media.leave(leg)
        if left is not None:
            left.legs.remove(leg)
        leg.place, leg.bridge, leg.held, leg.joined_at = Place.BRIDGE, bridge, False, self.time.now()
        bridge.legs.append(leg)
        self.note("bridged", leg.id, detail=bridge.id, legs=tuple(x.id for x in bridge.legs))
        if left is not None:
            self._thin_out(left)

    def _thin_out(self, bridge: Bridge) -> None:
        """Dissolve a bridge in which one leg is left; whoever is left in it is hung up."""
        if len(bridge.legs) > 1:
            return
        self.media.dissolved(bridge)
        for leg in tuple(bridge.legs):
            self.end(leg, "alone")

    def end(self, leg: Leg, cause: str, by: str = "") -> None:
        """End a leg, for whatever reason; the record says which."""
        if not leg.is_up:
            return
        self.settle()
        together = tuple(x.id for x in leg.bridge.legs) if leg.bridge else ()
        was, bridge = leg.place, leg.bridge
        leg.place, leg.bridge, leg.cause = Place.GONE, None, cause
        self.legs.pop(leg.id, None)
        self.media.leave(leg)
        self.note("ended", leg.id, by or cause, f"{leg.role}:{was}:{cause}", together)
        if leg in self.queues.waiting:
            self.queues.waiting.remove(leg)
        if leg.phone.agent is not None:
            self.queues.free_since[leg.phone.agent] = self.time.now()
        if leg.role is Role.CALLER:
            self.tell(CallGone(leg.id))
            for rung in [x for x in self.legs.values() if x.for_leg is leg and x.place in (Place.RINGING, Place.BRIEF)]:
                self.end(rung, "caller gone")
        if leg.role is Role.RUNG and was in (Place.RINGING, Place.BRIEF):
            self.tell(RungEnded(leg.id, joined=False, detail=cause))
        if leg.role is Role.PAGED:
            self.tell(PagedShown(leg.id, "gone", cause))
        if bridge is not None:
            bridge.legs.remove(leg)
            self._thin_out(bridge)
            self._show(*bridge.legs)
        self.serve_queues()

    def settle(self) -> None:
        """Bring everything that was heard up to date."""
        self.media.settle(list(self.legs.values()))

    # --- queues --------------------------------------------------------------------------------------------

    def serve_queues(self) -> None:
        """Ring free agents for those who wait."""
        if not self.is_running:
            return
        being_rung = {leg.for_leg for leg in self.legs.values() if leg.place is Place.RINGING}
        for caller in tuple(self.queues.waiting):
            if caller in being_rung:
                continue
            agent = self.queues.next_agent(caller.queue, self.busy())
            if agent is not None:
                self.ring_agent(agent, caller, RING_AGENT_S)

    def ring_agent(self, agent: AgentId, caller: Leg, ring_s: float) -> Leg:
        """Ring an agent for a caller who waits or hears music."""
        phone = self.phones[f"PJSIP/{agent}"]
        leg = self.make_leg(phone, Role.AGENT, Place.RINGING)
        leg.for_leg = caller
        self.note("rings", leg.id, detail=caller.id)
        self.time.after(ring_s, partial(self._no_answer, leg))
        if phone.answers_after_s is not None:
            self.time.after(phone.answers_after_s, partial(self.answered, leg))
        return leg

    def answered(self, leg: Leg) -> bool:
        """Let an agent's ringing phone be answered; False when it rings no more."""
        caller = leg.for_leg
        if leg.place is not Place.RINGING or leg.role is not Role.AGENT or caller is None:
            return False
        if not caller.is_up or caller.place not in (Place.QUEUE, Place.MUSIC):
            self.end(leg, "too late")
            return False
        self.note("answered", leg.id, detail=caller.id)
        for other in self.talks_with(leg.phone.agent) if leg.phone.agent else ():
            self.hold(other, held=True)
        self.connect(caller, leg)
        return True

    def hold(self, caller: Leg, *, held: bool) -> None:
        """Put a caller on hold, or take them back."""
        if caller.bridge is not None and caller.held != held:
            self.settle()
            caller.held = held
            self._show(caller)

    def _no_answer(self, leg: Leg) -> None:
        if leg.place is not Place.RINGING:
            return
        caller = leg.for_leg
        agent = leg.phone.agent
        self.end(leg, "no answer")
        if caller is None or not caller.is_up:
            return
        if caller.place is Place.MUSIC and agent is not None:  # brought back: the dialplan rings again, and again
            self.ring_agent(agent, caller, RING_AGENT_S)

    # --- keys, restart -------------------------------------------------------------------------------------

    def code(self, agent: AgentId, key: str, leg: LegId | None) -> None:
        """Let an agent press a feature code in `leg`, or call a feature extension."""
        source = Source.CODE if leg is not None else Source.SPEED_DIAL
        self.tell(CodeShown(key, agent, leg, source, self.time.now()))

    def stop(self) -> None:
        """Let the PBX die: every call with it."""
        self.is_running = False
        for play in tuple(self.media.plays):
            self.media.stop(play)
        for leg in tuple(self.legs.values()):
            self.end(leg, "pbx died")

    def start(self) -> None:
        """Start the PBX anew: static members' pauses are forgotten, ids start anew."""
        self.boot += 1
        self._made = 0
        self.queues.forget_static_pauses()
        for m in self.queues.members.values():
            self.note("member", m.agent, "restart", f"{m.queue}|{m.paused}|{m.reason}")
        self.note("restarted", "")
        self.is_running = True
        self.serve_queues()
