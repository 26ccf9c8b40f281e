"""What counts as heard: the same on every PBX."""

import asyncio

from policies.events import Played
from tests.contract.asking import announce, talking
from tests.contract.world import World


async def test_a_voice_that_is_thrown_out_was_not_heard(world: World) -> None:
    """While the agent talks on, packets flow: NOT_HEARD all the same; the call goes on, and the next try is heard."""
    caller, agent, call = await talking(world)
    playing = asyncio.create_task(world.pbx.announce(announce(call)))
    await world.until(lambda: caller.has_heard_any("warning"))
    await world.throw_voice_out(call)
    assert (await playing).played is Played.NOT_HEARD
    assert not caller.has_heard("warning")
    for person in (caller, agent):
        person.listen_anew()
    await world.until(lambda: caller.has_heard("agent1") and agent.has_heard("caller"))
    assert (await world.pbx.announce(announce(call, name="say.2"))).played is Played.HEARD
    await world.until(lambda: caller.has_heard("warning"))
