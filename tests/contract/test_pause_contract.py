"""What every PBX adapter owes: a break is painted as ours, and nobody else's pause is touched."""

from dataclasses import replace

from policies import events as ev
from policies.model import AgentId, Outcome
from tests.contract.asking import AGENT, REASON, pause, unpause
from tests.contract.world import World


async def test_pause_and_unpause(world: World) -> None:
    """Paused in every queue with our reason, shown by events, and lifted again."""
    done = await world.pbx.pause(pause())
    assert (done.outcome, done.foreign) == (Outcome.DONE, ())
    assert await world.pauses("agent1") == {"support": REASON, "second": REASON}
    paused = [s.member for s in world.seen if isinstance(s, ev.MemberChanged) and s.member.paused]
    assert {(m.agent, m.queue, m.reason) for m in paused} == {
        (AGENT, "support", REASON),
        (AGENT, "second", REASON),
    }
    assert (await world.pbx.unpause(unpause())).outcome is Outcome.DONE
    assert await world.pauses("agent1") == {"support": None, "second": None}


async def test_a_foreign_pause_is_left_alone(world: World) -> None:
    """Somebody else's pause keeps its reason, is reported, and is not lifted with ours."""
    await world.pause_by_hand("agent1", "second", "lunch")
    done = await world.pbx.pause(pause())
    assert (done.outcome, done.foreign) == (Outcome.DONE, ("second",))
    assert await world.pauses("agent1") == {"support": REASON, "second": "lunch"}
    assert (await world.pbx.unpause(unpause())).outcome is Outcome.DONE
    assert await world.pauses("agent1") == {"support": None, "second": "lunch"}


async def test_a_pause_of_nobody_is_refused(world: World) -> None:
    """An agent who is in no queue cannot be paused, and nobody says that it was."""
    done = await world.pbx.pause(replace(pause(), agent=AgentId("stranger")))
    assert done.outcome is Outcome.REFUSED


async def test_a_pause_of_a_static_member_is_gone_after_a_crash(world: World) -> None:
    """The new epoch says so, so that the core can ask for it again."""
    await world.pbx.pause(pause())
    await world.kill_pbx()
    await world.until(lambda: isinstance(world.seen[-1], ev.PbxLost), 10)
    assert (await world.pbx.pause(pause())).outcome is not Outcome.DONE
    await world.start_pbx()
    await world.until(lambda: isinstance(world.seen[-1], ev.PbxConnected), 15)
    again = world.seen[-1]
    assert isinstance(again, ev.PbxConnected)
    assert [m.paused for m in again.members if m.agent == AGENT] == [False, False]
    assert (await world.pbx.pause(pause())).outcome is Outcome.DONE
