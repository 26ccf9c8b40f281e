"""What every PBX adapter owes: who is rung comes into the call, or is missed; the caller is never dropped."""

import asyncio
from dataclasses import replace

import pytest

from policies import actions as act
from policies import events as ev
from policies.model import Outcome
from tests.contract.asking import COLLEAGUE, NOWHERE, current, ring, talking
from tests.contract.world import World


async def test_ring_brief_join_leave(world: World) -> None:
    """The colleague hears the brief alone, all three talk, the agent leaves, caller and colleague go on."""
    caller, agent, call = await talking(world)
    colleague = await world.seat("colleague")
    joined = await world.pbx.ring(ring(call))
    assert isinstance(joined, ev.ColleagueJoined)
    assert colleague.has_heard("brief-takeover")
    assert not caller.has_heard_any("brief-takeover")
    await world.until(lambda: caller.has_heard("colleague") and colleague.has_heard("caller"))
    await world.until(lambda: agent.has_heard("colleague") and colleague.has_heard("agent1"))
    assert current(world).others == (joined.leg,)
    assert call.agent_leg is not None
    left = await world.pbx.leave(
        act.Leave(
            id="leave.1",
            handoff="h1",
            call=call.id,
            caller=call.caller,
            agent_leg=call.agent_leg,
            colleague_leg=joined.leg,
        )
    )
    assert left.outcome is Outcome.DONE
    await world.until(lambda: not agent.is_in_call)
    caller.listen_anew()
    colleague.listen_anew()
    await world.until(lambda: caller.has_heard("colleague") and colleague.has_heard("caller"))


async def test_leave_without_the_colleague_is_refused(world: World) -> None:
    """No colleague in the bridge: the agent stays."""
    caller, agent, call = await talking(world)
    assert call.agent_leg is not None
    leave = act.Leave(
        id="leave.1",
        handoff="h1",
        call=call.id,
        caller=call.caller,
        agent_leg=call.agent_leg,
        colleague_leg=NOWHERE,
    )
    assert (await world.pbx.leave(leave)).outcome is Outcome.REFUSED
    await world.pass_time(0.3)
    assert caller.is_in_call
    assert agent.is_in_call


@pytest.mark.parametrize("answers", ["busy", "never"])
async def test_a_colleague_who_does_not_come(world: World, answers: str) -> None:
    """Busy, or no answer: missed, and the call goes on as it was."""
    caller, agent, call = await talking(world)
    await world.seat("colleague", "busy" if answers == "busy" else "never")
    missed = await world.pbx.ring(ring(call, ring_s=1.0))
    assert isinstance(missed, ev.ColleagueMissed)
    assert missed.detail
    await world.pass_time(0.3)
    caller.listen_anew()
    agent.listen_anew()
    await world.until(lambda: caller.has_heard("agent1") and agent.has_heard("caller"))
    assert current(world).others == ()


async def test_an_answer_that_nobody_confirms_is_none(world: World) -> None:
    """A voicemail answers and presses no key: it never joins."""
    caller, _, call = await talking(world)
    await world.seat("colleague")
    missed = await world.pbx.ring(ring(call, replace(COLLEAGUE, confirm=True), ring_s=2.0))
    assert isinstance(missed, ev.ColleagueMissed)
    assert not caller.has_heard("colleague")


async def test_key_1_confirms(world: World) -> None:
    """A person who presses 1 joins."""
    caller, _, call = await talking(world)
    colleague = await world.seat("colleague")
    ringing = asyncio.create_task(world.pbx.ring(ring(call, replace(COLLEAGUE, confirm=True))))
    await world.until(lambda: colleague.is_in_call and colleague.has_heard("brief-confirm"), 10)
    await colleague.press("1")
    assert isinstance(await ringing, ev.ColleagueJoined)
    await world.until(lambda: caller.has_heard("colleague"))


async def test_stop_ringing(world: World) -> None:
    """The phone stops ringing, and the ring is missed."""
    _, _, call = await talking(world)
    await world.seat("colleague", "never")
    ringing = asyncio.create_task(world.pbx.ring(ring(call, ring_s=20)))
    await world.pass_time(0.5)
    stopped = await world.pbx.stop_ringing(act.StopRinging(id="stop.1", handoff="h1", ring="ring.1"))
    assert stopped.outcome is Outcome.DONE
    assert isinstance(await ringing, ev.ColleagueMissed)


async def test_the_caller_hangs_up_while_somebody_is_rung(world: World) -> None:
    """Nobody is left ringing for a call that is over."""
    caller, _, call = await talking(world)
    colleague = await world.seat("colleague", "never")
    ringing = asyncio.create_task(world.pbx.ring(ring(call, ring_s=20)))
    await world.pass_time(0.5)
    await caller.hang_up()
    assert isinstance(await ringing, ev.ColleagueMissed)
    assert not colleague.is_in_call
