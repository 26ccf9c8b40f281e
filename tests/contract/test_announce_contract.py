"""What every PBX adapter owes: an announcement is heard, or nobody says that it was."""

import asyncio
from dataclasses import replace

import pytest

from policies import actions as act
from policies import events as ev
from policies.events import Played
from policies.model import Outcome
from tests.contract.asking import announce, current, talking
from tests.contract.world import World


@pytest.mark.parametrize("case", ["both talk", "agent muted", "caller muted", "both muted", "caller on hold"])
async def test_an_announcement_is_heard(world: World, case: str) -> None:
    """The caller hears the whole warning, whoever is silent or on hold, and the evidence says so."""
    caller, agent, call = await talking(world)
    if case in ("agent muted", "both muted"):
        agent.mute()
    if case in ("caller muted", "both muted"):
        caller.mute()
    if case == "caller on hold":
        await agent.hold()
        await world.until(lambda: current(world).held)
    done = await world.pbx.announce(announce(call))
    assert done.played is Played.HEARD
    assert (done.action, done.call, done.caller) == ("say.1", call.id, call.caller)
    assert done.play_s > 0.9
    assert done.packets >= 0.9 * done.play_s * 50
    await world.until(lambda: caller.has_heard("warning"))
    if case != "caller on hold":
        await world.until(lambda: agent.has_heard("warning"))
    assert caller.is_in_call
    assert agent.is_in_call
    assert current(world).others == ()


async def test_the_call_goes_on_after_an_announcement(world: World) -> None:
    """Afterwards both hear each other, and nobody else is in the call."""
    caller, agent, call = await talking(world)
    await world.pbx.announce(announce(call))
    await world.pass_time(0.3)
    caller.listen_anew()
    agent.listen_anew()
    await world.until(lambda: caller.has_heard("agent1") and agent.has_heard("caller"))
    assert current(world) == replace(call, held=False)


async def test_a_missing_prompt_fails_and_does_nothing_else(world: World) -> None:
    """No such prompt: FAILED with a word why, and the call goes on."""
    caller, agent, call = await talking(world)
    done = await world.pbx.announce(announce(call, "nowhere"))
    assert done.played is Played.FAILED
    assert done.detail
    assert caller.is_in_call
    assert agent.is_in_call


async def test_an_announcement_into_a_call_that_is_over_fails(world: World) -> None:
    """The caller is gone: FAILED, never HEARD."""
    caller, _, call = await talking(world)
    await caller.hang_up()
    await world.until(lambda: any(isinstance(s, ev.CallEnded) for s in world.seen))
    done = await world.pbx.announce(announce(call))
    assert done.played is Played.FAILED


async def test_a_stopped_announcement(world: World) -> None:
    """Stop silences it at once; `announce` says STOPPED, and the caller has not heard the whole."""
    caller, _, call = await talking(world)
    playing = asyncio.create_task(world.pbx.announce(announce(call)))
    await world.until(lambda: caller.has_heard_any("warning"))
    stopped = await world.pbx.stop_announcement(act.StopAnnouncement(id="stop.1", call=call.id, announcement="say.1"))
    assert stopped.outcome is Outcome.DONE
    assert (await playing).played is Played.STOPPED
    await world.pass_time(2.0)
    assert not caller.has_heard("warning")
    assert caller.is_in_call


async def test_a_transfer_in_the_middle_of_a_warning(world: World) -> None:
    """HEARD only if the caller heard the whole of it, wherever the transfer took the caller."""
    caller, agent, call = await talking(world)
    other = await world.seat("colleague")
    playing = asyncio.create_task(world.pbx.announce(announce(call)))
    await world.until(lambda: caller.has_heard_any("warning"))
    await agent.transfer("colleague")
    played = (await playing).played
    await world.until(lambda: other.is_in_call)
    await world.pass_time(0.3)
    assert played in (Played.HEARD, Played.NOT_HEARD, Played.FAILED)
    assert played is not Played.HEARD or caller.has_heard("warning")


async def test_an_announcement_under_a_dying_pbx_is_unknown(world: World) -> None:
    """The PBX dies while the warning plays: UNKNOWN."""
    caller, _, call = await talking(world)
    playing = asyncio.create_task(world.pbx.announce(announce(call)))
    await world.until(lambda: caller.has_heard_any("warning"))
    await world.kill_pbx()
    assert (await playing).played is Played.UNKNOWN
