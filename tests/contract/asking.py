"""What the contract's tests ask of a PBX, and the call that they begin with."""

from policies import actions as act
from policies.model import AgentId, LegId, LiveCall, Target
from tests.contract.world import Person, World

AGENT = AgentId("agent1")
COLLEAGUE = Target("Colleague", "PJSIP/colleague")
NOWHERE = LegId("no-such-leg")
REASON = "bagvagt:b1"


def announce(call: LiveCall, prompt: str = "warning", name: str = "say.1") -> act.Announce:
    return act.Announce(id=name, call=call.id, caller=call.caller, prompt=prompt, language="da")


def ring(call: LiveCall, target: Target = COLLEAGUE, ring_s: float = 5.0, brief: str = "brief-takeover") -> act.Ring:
    return act.Ring(
        id="ring.1",
        handoff="h1",
        call=call.id,
        caller=call.caller,
        target=target,
        ring_s=ring_s,
        brief=brief,
        language="da",
    )


def current(world: World) -> LiveCall:
    return world.pbx.calls_of(AGENT)[-1]


async def talking(world: World) -> tuple[Person, Person, LiveCall]:
    """A caller and agent1 in conversation."""
    agent = await world.seat("agent1")
    caller, call = await world.queue_call(agent)
    return caller, agent, call


def pause() -> act.Pause:
    return act.Pause(id="pause.1", break_id="b1", agent=AGENT, reason=REASON)


def unpause() -> act.Unpause:
    return act.Unpause(id="unpause.1", break_id="b1", agent=AGENT, reason=REASON)
