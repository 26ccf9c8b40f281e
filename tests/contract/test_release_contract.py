"""What every PBX adapter owes: a release ends the permit's call, and no other."""

from dataclasses import replace

from policies import actions as act
from policies.model import CallId, Outcome
from tests.contract.asking import AGENT, NOWHERE, current, talking
from tests.contract.permits import permit_for
from tests.contract.world import World


async def test_release(world: World) -> None:
    """The agent is free, the caller hears the whole closing message and is then disconnected."""
    caller, agent, call = await talking(world)
    done = await world.pbx.release(act.Release(id="end.1", permit=permit_for(call)), lambda: True)
    assert (done.outcome, done.call, done.permit) == (Outcome.DONE, call.id, "press-1")
    await world.until(lambda: not agent.is_in_call, 1)
    assert caller.is_in_call
    await world.until(lambda: not caller.is_in_call, 10)
    assert caller.has_heard("closing")
    assert not agent.has_heard_any("closing")


async def test_release_asks_again_right_before(world: World) -> None:
    """The latch closed meanwhile: REFUSED, and the call goes on."""
    caller, agent, call = await talking(world)
    done = await world.pbx.release(act.Release(id="end.1", permit=permit_for(call)), lambda: False)
    assert done.outcome is Outcome.REFUSED
    await world.pass_time(0.5)
    assert caller.is_in_call
    assert agent.is_in_call
    assert not caller.has_heard_any("closing")


async def test_release_of_a_transferred_call_is_refused(world: World) -> None:
    """The caller talks to somebody else now: the old permit ends nothing."""
    caller, agent, call = await talking(world)
    other = await world.seat("colleague")
    await agent.transfer("colleague")
    await world.until(lambda: caller.has_heard("colleague") and other.has_heard("caller"))
    done = await world.pbx.release(act.Release(id="end.1", permit=permit_for(call)), lambda: True)
    assert done.outcome is Outcome.REFUSED
    await world.pass_time(0.5)
    assert caller.is_in_call
    assert other.is_in_call


async def test_release_of_another_caller_is_refused(world: World) -> None:
    """The agent is in a call, and it is not the permit's: REFUSED by what the PBX shows, and that call goes on."""
    caller, agent, call = await talking(world)
    strange = permit_for(replace(call, id=CallId(NOWHERE), caller=NOWHERE))
    done = await world.pbx.release(act.Release(id="end.1", permit=strange), lambda: True)
    assert done.outcome is Outcome.REFUSED
    await world.pass_time(0.5)
    assert caller.is_in_call
    assert agent.is_in_call


async def test_retrieve_stops_the_closing_message(world: World) -> None:
    """The caller is back with the agent and has not heard the closing message to its end."""
    caller, agent, call = await talking(world)
    await world.pbx.release(act.Release(id="end.1", permit=permit_for(call)), lambda: True)
    await world.until(lambda: caller.has_heard_any("closing") and not agent.is_in_call)
    done = await world.pbx.retrieve(act.Retrieve(id="back.1", call=call.id, caller=call.caller, agent=AGENT))
    assert done.outcome is Outcome.DONE
    await world.until(lambda: agent.is_in_call, 10)
    agent.listen_anew()
    await world.until(lambda: agent.has_heard("caller"))
    assert caller.is_in_call
    assert not caller.has_heard("closing")
    assert current(world).caller == call.caller
