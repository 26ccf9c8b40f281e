"""What every PBX adapter owes the engine: the same tests over the simulator and over a real Asterisk.

Each test listens at the phones; a reply or an event that says "done" is never taken for what people heard. Here: what
the adapter shows by itself.
"""

from policies import events as ev
from tests.contract.asking import AGENT, current, talking
from tests.contract.world import World


async def test_first_comes_a_full_reading(world: World) -> None:
    """The first event of an epoch is `PbxConnected`, with every queue member as the PBX shows it."""
    first = world.seen[0]
    assert isinstance(first, ev.PbxConnected)
    assert first.epoch == 1
    assert first.calls == ()
    assert {(m.agent, m.queue, m.paused, m.static) for m in first.members} == {
        ("agent1", "support", False, True),
        ("agent1", "second", False, True),
        ("agent2", "second", False, True),
    }


async def test_a_call_is_shown_with_its_two_legs(world: World) -> None:
    """A queue call shows as one call with caller, agent, both legs and a bridge, and then as ended; in this order."""
    caller, agent, call = await talking(world)
    assert (str(call.id), call.agent, call.queue, call.language) == (str(call.caller), AGENT, "support", "da")
    assert not call.others
    assert call.agent_leg is not None
    assert call.bridge is not None
    await caller.hang_up()
    await world.until(lambda: any(isinstance(s, ev.CallEnded) for s in world.seen))
    await world.until(lambda: not agent.is_in_call)
    changed = [n for n, s in enumerate(world.seen) if isinstance(s, ev.CallChanged) and s.call.bridge == call.bridge]
    ended = [n for n, s in enumerate(world.seen) if isinstance(s, ev.CallEnded) and s.call == call.id]
    assert len(ended) == 1
    assert changed[0] < ended[0]
    assert world.pbx.calls_of(AGENT) == ()
    last = world.pbx.last_call_of(AGENT)
    assert last is not None
    assert (last[0].id, last[0].goes_on) == (call.id, False)


async def test_a_call_that_was_handed_on_is_the_last_one_and_goes_on(world: World) -> None:
    """A mark that its first agent makes now is for a living call, which another agent has."""
    caller, agent, call = await talking(world)
    other = await world.seat("colleague")
    await agent.transfer("colleague")
    await world.until(lambda: caller.has_heard("colleague") and other.has_heard("caller"))
    await world.until(lambda: world.pbx.last_call_of(AGENT) is not None)
    last = world.pbx.last_call_of(AGENT)
    assert last is not None
    assert (last[0].id, last[0].goes_on) == (call.id, True)


async def test_hold_shows(world: World) -> None:
    """Hold and resume show in the call."""
    _, agent, _ = await talking(world)
    await agent.hold()
    await world.until(lambda: current(world).held)
    await agent.resume()
    await world.until(lambda: not current(world).held)


async def test_candidates_are_free_when_not_in_a_call(world: World) -> None:
    """An agent in a call is no candidate who is free; after the call it is, free since then."""
    caller, _, _ = await talking(world)

    def free() -> set[str]:
        return {c.target.agent or "" for c in world.pbx.candidates() if c.free_since is not None}

    await world.until(lambda: "agent1" not in free())
    await caller.hang_up()
    await world.until(lambda: "agent1" in free())


async def test_reconnect_is_a_new_epoch_with_what_stands(world: World) -> None:
    """A cut connection gives one `PbxLost`, then `PbxConnected` with a higher epoch and the call that went on."""
    caller, _, call = await talking(world)
    await world.lose_connection()
    await world.until(lambda: isinstance(world.seen[-1], ev.PbxConnected) and world.seen[-1].epoch > 1, 10)
    lost = [s for s in world.seen if isinstance(s, ev.PbxLost)]
    again = world.seen[-1]
    assert isinstance(again, ev.PbxConnected)
    assert [s.epoch for s in lost] == [1]
    assert [(c.id, c.agent, c.agent_leg, c.bridge) for c in again.calls] == [
        (call.id, AGENT, call.agent_leg, call.bridge)
    ]
    caller.listen_anew()
    await world.until(lambda: caller.has_heard("agent1"))


async def test_a_dead_pbx_comes_back_empty(world: World) -> None:
    """After a crash of the PBX the new epoch shows no call."""
    await talking(world)
    await world.kill_pbx()
    await world.until(lambda: isinstance(world.seen[-1], ev.PbxLost), 10)
    await world.start_pbx()
    await world.until(lambda: isinstance(world.seen[-1], ev.PbxConnected), 15)
    again = world.seen[-1]
    assert isinstance(again, ev.PbxConnected)
    assert again.epoch > 1
    assert again.calls == ()
    assert {(m.agent, m.queue) for m in again.members} == {
        ("agent1", "support"),
        ("agent1", "second"),
        ("agent2", "second"),
    }
