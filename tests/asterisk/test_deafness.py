"""Legs that are sent nothing: looked for, and cured, while people wait. See `adapters.asterisk.deafness`."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.asterisk import deafness
from policies import events as ev
from policies.events import Played
from tests.asterisk.test_announcer import gone_within
from tests.asterisk.test_procedures import talking
from tests.contract.asking import announce, ring
from tests.contract.asterisk_world import AsteriskWorld, LabPerson, open_world

pytestmark = pytest.mark.asterisk


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[AsteriskWorld]:
    """A lab Asterisk with the snippets in place and the adapter connected with their users."""
    async with open_world(tmp_path) as opened:
        yield opened


async def all_hear_each_other(world: AsteriskWorld, *people: LabPerson) -> None:
    """Wait until everybody hears everybody else, from now on."""
    for person in people:
        person.listen_anew()
    pairs = [(person, other) for person in people for other in people if other is not person]
    await world.until(lambda: all(person.has_heard(other.name) for person, other in pairs), 5, "all hear all")


@pytest.mark.parametrize("deaf", [1, 99])
async def test_a_deaf_leg_is_cured(world: AsteriskWorld, monkeypatch: pytest.MonkeyPatch, deaf: int) -> None:
    """The first looks see no packet: cured and played from the beginning, twice at most; then NOT_HEARD is said."""
    looks = 0
    real = deafness.is_deaf

    async def look(*args: object) -> bool:
        nonlocal looks
        looks += 1
        return looks <= deaf or await real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr("adapters.asterisk.procedures_announce.is_deaf", look)
    caller, agent, call = await talking(world)
    done = await world.pbx.announce(announce(call))
    assert looks == (2 if deaf == 1 else 3)
    if deaf == 1:
        assert done.played is Played.HEARD
        await world.until(lambda: caller.has_heard("warning") and agent.has_heard("warning"))
    else:
        assert done.played is Played.NOT_HEARD
        assert not caller.has_heard("warning")
        await gone_within(world, 2)
    assert caller.is_in_call
    assert agent.is_in_call


async def test_a_deaf_agent_is_cured_once(world: AsteriskWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent's leg is sent nothing: cured, and the warning begins anew; both hear it whole, and each other after."""
    caller, agent, call = await talking(world)
    looked: list[object] = []
    real = deafness.is_deaf

    async def look(*args: object) -> bool:
        looked.append(args[1])
        return args[1] == call.agent_leg or await real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr("adapters.asterisk.procedures_announce.is_deaf", look)
    done = await world.pbx.announce(replace(announce(call), agent_leg=call.agent_leg))
    assert done.played is Played.HEARD
    await world.until(lambda: caller.has_heard("warning") and agent.has_heard("warning"))
    assert looked.count(call.agent_leg) == 1, "what ails the agent's leg does not make the warning unheard"
    await all_hear_each_other(world, caller, agent)


async def test_an_agent_who_holds_the_caller_is_not_deaf(world: AsteriskWorld) -> None:
    """Who holds is sent nothing, and that is right: one playback, heard."""
    caller, agent, call = await talking(world)
    await agent.hold()
    await world.until(lambda: world.calls("agent1")[0].held)
    done = await world.pbx.announce(replace(announce(call), agent_leg=call.agent_leg))
    assert done.played is Played.HEARD
    await world.until(lambda: caller.has_heard("warning"))
    assert world.lab.log.count("Playing 'bagvagt/da/warning") == 1


@pytest.mark.parametrize(("who", "is_warned"), [("caller", False), ("caller", True), ("agent", True)])
async def test_the_cure_with_a_colleague_in_the_call_leaves_all_three_together(
    world: AsteriskWorld,
    monkeypatch: pytest.MonkeyPatch,
    who: str,
    is_warned: bool,  # noqa: FBT001 - a table
) -> None:
    """Caller or agent seems deaf after the colleague joined, with or without an announcer in the call.

    The colleague steps aside for a moment, during which agent and caller are together; afterwards all hear all.
    """
    caller, agent, call = await talking(world)
    if is_warned:
        assert (await world.pbx.announce(announce(call))).played is Played.HEARD
    deaf = call.caller if who == "caller" else call.agent_leg
    looked: list[object] = []
    real = deafness.is_deaf

    async def look(*args: object) -> bool:
        looked.append(args[1])
        return (args[1] == deaf and looked.count(deaf) == 1) or await real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(deafness, "is_deaf", look)
    colleague = await world.seat("colleague")
    assert isinstance(await world.pbx.ring(ring(call)), ev.ColleagueJoined)
    await world.until(lambda: looked.count(deaf) == 2, 10, "it was looked at again after the cure")
    assert world.lab.log.count("Executing [again@bagvagt-brief:1]") == 1
    await gone_within(world, 2)
    await all_hear_each_other(world, caller, agent, colleague)


async def test_a_colleague_does_not_step_aside_where_the_caller_would_be_alone(
    world: AsteriskWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent has left already: whatever the counters say, caller and colleague stay together."""
    caller, agent, call = await talking(world)
    colleague = await world.seat("colleague")
    joined = await world.pbx.ring(ring(call))
    assert isinstance(joined, ev.ColleagueJoined)
    await agent.hang_up()
    await world.until(lambda: world.pbx.tracker.people_in(call.bridge or "") == (call.caller, joined.leg))
    looks: list[object] = []

    async def look(*args: object) -> bool:
        looks.append(args[1])
        return True

    monkeypatch.setattr(deafness, "is_deaf", look)
    await deafness.cure_after_join(world.pbx._desk, world.pbx._announcers, call.caller, joined.leg)
    assert looks == [call.caller]
    assert "again@bagvagt-brief" not in world.lab.log
    await all_hear_each_other(world, caller, colleague)
