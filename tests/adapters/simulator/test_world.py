"""The simulated world by itself: what phones hear, what a restart forgets, who is hung up when somebody leaves."""

import asyncio
from collections.abc import Callable, Coroutine

from adapters.simulator.dialplan import Dialplan
from adapters.simulator.parts import Leg, Place
from adapters.simulator.people import People, hears
from adapters.simulator.timing import LoopTime
from adapters.simulator.world import SimWorld
from policies.model import AgentId
from tests.simulation.loop import run_virtual
from tests.simulation.process import START

ANNA, BO = AgentId("anna"), AgentId("bo")
WARNING = "prompt:warning:da"


def _in_world(story: Callable[[SimWorld, People], Coroutine[None, None, None]]) -> None:
    async def play() -> None:
        world = SimWorld(LoopTime(START), {"warning:da": 4.0, "closing:da": 3.0})
        people = People(world)
        people.agent("anna", "support", static=True, answers_after_s=1.0)
        people.agent("bo", "tax", answers_after_s=1.0)
        await story(world, people)

    run_virtual(play())


async def _talking(world: SimWorld, people: People) -> tuple[Leg, Leg]:
    caller = people.calls("+4520304050", "support", "da")
    await asyncio.sleep(2.0)
    assert world.talks_with(ANNA) == [caller]
    return caller, world.legs_of(ANNA)[0]


def test_both_hear_an_announcement_and_the_caller_is_sent_its_packets() -> None:
    """A muted agent changes nothing: 50 packets a second go to the caller while the prompt runs."""

    async def story(world: SimWorld, people: People) -> None:
        caller, agent = await _talking(world, people)
        people.mutes(agent, muted=True)
        before = caller.packets
        Dialplan(world).announce("a1", caller.id, "warning", "da")
        await asyncio.sleep(5.0)
        world.settle()
        assert [s.is_whole for s in hears(caller.phone, WARNING)] == [True]
        assert [s.is_whole for s in hears(agent.phone, WARNING)] == [True]
        assert round(caller.packets - before) == 200

    _in_world(story)


def test_a_caller_who_is_sent_nothing_hears_nothing() -> None:
    """Overload: the agent hears it, the caller misses the second half, and the packets say so."""

    async def story(world: SimWorld, people: People) -> None:
        caller, agent = await _talking(world, people)
        people.mutes(agent, muted=True)
        before = caller.packets
        Dialplan(world).announce("a1", caller.id, "warning", "da")
        await asyncio.sleep(2.0)
        people.deafens(caller, deaf=True)
        await asyncio.sleep(3.0)
        world.settle()
        assert [s.is_whole for s in hears(caller.phone, WARNING)] == [False]
        assert [s.is_whole for s in hears(agent.phone, WARNING)] == [True]
        assert round(caller.packets - before) == 100

    _in_world(story)


def test_the_closing_dialplan_frees_the_agent_and_hangs_up_by_itself() -> None:
    """The agent's leg is gone at once; the caller hears the whole closing and is then disconnected."""

    async def story(world: SimWorld, people: People) -> None:
        caller, agent = await _talking(world, people)
        Dialplan(world).close(caller.id, "closing", "da")
        assert (agent.cause, caller.place) == ("alone", Place.CLOSING)
        await asyncio.sleep(3.5)
        assert [s.is_whole for s in hears(caller.phone, "prompt:closing:da")] == [True]
        assert caller.cause == "closing"

    _in_world(story)


def test_an_attended_transfer_keeps_the_callers_leg() -> None:
    """The other agent stands in the caller's bridge, the first one is gone, and the caller's leg is the same."""

    async def story(world: SimWorld, people: People) -> None:
        caller, _agent = await _talking(world, people)
        theirs = people.consults(ANNA, BO)
        assert theirs is not None
        assert caller.held
        assert people.hands_over(ANNA, theirs)
        assert world.talks_with(BO) == [caller]
        assert world.legs_of(ANNA) == []
        assert not caller.held

    _in_world(story)


def test_a_restart_forgets_calls_and_static_pauses() -> None:
    """All calls die; a static member's pause is gone, a dynamic one's stands; ids start anew with a new boot."""

    async def story(world: SimWorld, people: People) -> None:
        caller, _agent = await _talking(world, people)
        for agent, queue in ((ANNA, "support"), (BO, "tax")):
            world.queues.put(agent, queue, paused=True, reason="lunch")
        world.stop()
        world.start()
        assert (caller.cause, world.legs) == ("pbx died", {})
        assert [m.paused for m in (*world.queues.of(ANNA), *world.queues.of(BO))] == [False, True]
        assert people.calls("+4511", "support").id == "2.1"

    _in_world(story)


def test_two_who_were_joined_by_a_third_go_on_when_one_leaves() -> None:
    """A colleague rung into the call stays with the caller when the agent hangs up."""

    async def story(world: SimWorld, people: People) -> None:
        caller, agent = await _talking(world, people)
        people.phone("PJSIP/chief", answers_after_s=0.5)
        assert Dialplan(world).rung_in("ring-1", "PJSIP/chief", caller.id, 5.0, "", "da", confirm=False)
        await asyncio.sleep(1.0)
        people.hangs_up(agent)
        assert caller.bridge is not None
        assert [leg.id for leg in caller.bridge.legs] == [caller.id, "ring-1"]

    _in_world(story)
