"""What people do at their phones: ring, answer, hold, mute, transfer, hang up. The demo moves them."""

from adapters.simulator.parts import Leg, Phone, Place, Role, Sound
from adapters.simulator.world import SimWorld
from policies.model import AgentId


class People:
    """Callers, agents and colleagues of one world."""

    def __init__(self, world: SimWorld) -> None:
        self.world = world

    def agent(self, name: str, *queues: str, static: bool = False, answers_after_s: float | None = None) -> AgentId:
        """Give an agent a phone and places in queues."""
        agent = AgentId(name)
        self.world.phones[f"PJSIP/{name}"] = Phone(f"PJSIP/{name}", agent, answers_after_s)
        for queue in queues:
            self.world.queues.add(agent, queue, static=static, now=self.world.time.now())
        return agent

    def phone(
        self,
        endpoint: str,
        *,
        answers_after_s: float | None = None,
        confirms_after_s: float | None = 1.0,
        presses: str = "",
    ) -> Phone:
        """Give somebody else a phone: a chief, a mobile with a voicemail; `presses` are keys in calls about pages."""
        self.world.phones[endpoint] = Phone(endpoint, None, answers_after_s, confirms_after_s, presses=presses)
        return self.world.phones[endpoint]

    def calls(self, number: str, queue: str, language: str = "en") -> Leg:
        """Let a caller ring a queue."""
        leg = self.world.make_leg(Phone(number), Role.CALLER, Place.QUEUE)
        leg.queue, leg.language, leg.tag = queue, language, f"…{number[-2:]}"
        self.world.note("calls", leg.id, number, queue)
        self.world.queues.waiting.append(leg)
        self.world.serve_queues()
        return leg

    def calls_directly(self, number: str, agent: AgentId, language: str = "en") -> Leg:
        """Let a caller ring an agent, who may have a call already."""
        leg = self.world.make_leg(Phone(number), Role.CALLER, Place.MUSIC)
        leg.language, leg.tag = language, f"…{number[-2:]}"
        self.world.note("calls", leg.id, number, agent)
        self.world.ring_agent(agent, leg, 15.0)
        return leg

    def answers(self, agent: AgentId) -> Leg | None:
        """Let an agent answer the ringing phone; what they had goes on hold. Returns the caller's leg."""
        ringing = [x for x in self.world.legs_of(agent) if x.place is Place.RINGING and x.role is Role.AGENT]
        answered = next((leg for leg in ringing if self.world.answered(leg)), None)
        return answered.for_leg if answered else None

    def holds(self, caller: Leg, *, held: bool) -> None:
        """Put a caller on hold, or take them back."""
        self.world.hold(caller, held=held)

    def mutes(self, leg: Leg, *, muted: bool) -> None:
        """Let a phone send packets or not."""
        self.world.settle()
        leg.muted = muted

    def deafens(self, leg: Leg, *, deaf: bool) -> None:
        """Let the PBX send a leg nothing, as an overloaded one does."""
        self.world.settle()
        leg.deaf = deaf

    def hangs_up(self, leg: Leg) -> None:
        """Let somebody put the phone down."""
        self.world.end(leg, str(leg.role))

    def transfers(self, agent: AgentId, caller: Leg, to: AgentId) -> Leg | None:
        """Let an agent transfer blindly: the agent is gone at once, the other one rings."""
        if caller not in self.world.talks_with(agent) or to == agent:
            return None
        mine = next(x for x in self.world.legs_of(agent) if x.bridge is caller.bridge)
        self.world.note("transferred", caller.id, agent, to)
        self.world.put(caller, Place.MUSIC)
        self.world.end(mine, "transfer")
        return self.world.ring_agent(to, caller, 15.0)

    def consults(self, agent: AgentId, other: AgentId) -> Leg | None:
        """Let an agent with a call ask another one first: hold, and a second leg. Returns the other one's leg."""
        held = self.world.talks_with(agent)
        if len(held) != 1 or other in self.world.busy():
            return None
        self.holds(held[0], held=True)
        mine = self.world.make_leg(self.world.phones[f"PJSIP/{agent}"], Role.CONSULT, Place.BRIDGE)
        theirs = self.world.make_leg(self.world.phones[f"PJSIP/{other}"], Role.CONSULT, Place.BRIDGE)
        self.world.connect(mine, theirs)
        return theirs

    def hands_over(self, agent: AgentId, theirs: Leg) -> bool:
        """Complete an attended transfer: the other one takes the agent's place in the caller's bridge."""
        callers = self.world.talks_with(agent)
        if len(callers) != 1 or theirs.bridge is None or callers[0].bridge is None:
            return False
        caller, bridge = callers[0], callers[0].bridge
        mine = [x for x in self.world.legs_of(agent) if x.bridge in (bridge, theirs.bridge)]
        self.world.note("transferred", caller.id, agent, str(theirs.phone.agent))
        self.world.put(theirs, Place.BRIDGE, bridge)
        for leg in mine:
            self.world.end(leg, "transfer")
        self.holds(caller, held=False)
        return True


def hears(phone: Phone, what: str) -> list[Sound]:
    """Return what a phone heard of one kind: "prompt:warning:da", "tone:accepted"."""
    return [sound for sound in phone.heard if sound.what == what]
