"""The announcer that stays in a call, on a real Asterisk with phones that listen: see ADR 4."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.asterisk import announcers, snippets
from policies import actions as act
from policies import events as ev
from policies.events import Played
from policies.model import LegId, LiveCall, Outcome
from tests.asterisk.test_procedures import talking
from tests.conftest import _lab
from tests.contract.asking import announce, ring
from tests.contract.asterisk_world import AsteriskWorld, open_world, open_world_at, site
from tests.contract.permits import permit_for
from tests.lab.asterisk import Asterisk

pytestmark = pytest.mark.asterisk

ANNOUNCEMENTS = 15
SOON_S = 4


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[AsteriskWorld]:
    """A lab Asterisk with the snippets in place and the adapter connected with their users."""
    async with open_world(tmp_path) as opened:
        yield opened


@pytest.fixture
async def hasty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsteriskWorld]:
    """The same with a dead-man's switch of `SOON_S`, renewed every second."""
    monkeypatch.setattr(snippets, "ALIVE_S", SOON_S)
    monkeypatch.setattr(announcers, "ALIVE_S", SOON_S)
    root = _lab().path
    assert root is not None
    async with open_world_at(Asterisk(root, site()), tmp_path) as opened:
        opened.pbx._announcers._renew_s = 1.0
        yield opened


def voices(world: AsteriskWorld, call: LiveCall) -> set[LegId]:
    """Return our legs in the call's bridge."""
    tracker = world.pbx.tracker
    bridge = tracker.bridge_of(call.caller) or ""
    return set(tracker.legs_in(bridge)) - set(tracker.people_in(bridge))


async def announcer_channels(world: AsteriskWorld) -> list[str]:
    """Return the announcers' halves that stand in calls, as the PBX itself shows them."""
    shown = await world.lab.cli("core show channels concise")
    names = [line.partition("!")[0] for line in shown.splitlines()]
    return [name for name in names if name.startswith("Local/join@bagvagt-") and name.endswith(";2")]


async def gone_within(world: AsteriskWorld, within_s: float) -> None:
    """Wait until the PBX shows no announcer."""
    async with asyncio.timeout(within_s):
        while await announcer_channels(world):  # noqa: ASYNC110 - the PBX is asked, nobody tells
            await asyncio.sleep(0.05)


@pytest.mark.timeout(180)
async def test_fifteen_announcements_in_one_call(world: AsteriskWorld) -> None:
    """All of them are heard whole by both, by the same voice."""
    caller, agent, call = await talking(world)
    speaking = set()
    for number in range(ANNOUNCEMENTS):
        caller.listen_anew()
        agent.listen_anew()
        done = await world.pbx.announce(announce(call, name=f"say.{number}"))
        assert (number, done.played) == (number, Played.HEARD)
        await world.until(
            lambda: caller.has_heard("warning") and agent.has_heard("warning"), 3, f"both heard number {number}"
        )
        speaking |= voices(world, call)
    assert len(speaking) == 1
    assert len(await announcer_channels(world)) == 1


async def test_agent_hangs_up_during_a_warning(world: AsteriskWorld) -> None:
    """The caller's call ends as without Bagvagt, at once; the announcement was not heard."""
    caller, agent, call = await talking(world)
    playing = asyncio.create_task(world.pbx.announce(announce(call)))
    await world.until(lambda: caller.has_heard_any("warning"))
    await agent.hang_up()
    await world.until(lambda: not caller.is_in_call, 1, "the caller is disconnected")
    assert (await playing).played is not Played.HEARD
    await gone_within(world, 1)


async def test_a_caller_who_is_with_somebody_else_is_not_spoken_to(world: AsteriskWorld) -> None:
    """An announcement that was asked for in another conversation says nothing; one that fits is heard."""
    caller, _, call = await talking(world)
    done = await world.pbx.announce(replace(announce(call), agent_leg=LegId("no-such-leg")))
    assert done.played is Played.FAILED
    assert await announcer_channels(world) == []
    done = await world.pbx.announce(replace(announce(call, name="say.2"), agent_leg=call.agent_leg))
    assert done.played is Played.HEARD
    await world.until(lambda: caller.has_heard("warning"))


@pytest.mark.parametrize("who", ["agent", "caller"])
async def test_the_voice_leaves_with_either_party(world: AsteriskWorld, who: str) -> None:
    """After a warning, whoever hangs up by hand: the other is disconnected at once, and no leg of ours stays."""
    caller, agent, call = await talking(world)
    assert (await world.pbx.announce(announce(call))).played is Played.HEARD
    first, second = (agent, caller) if who == "agent" else (caller, agent)
    await first.hang_up()
    await world.until(lambda: not second.is_in_call, 1, "the other is disconnected")
    await gone_within(world, 1)


async def test_the_voice_stays_with_a_colleague(world: AsteriskWorld) -> None:
    """The agent leaves, a colleague stays with the caller: both go on, a warning is heard, then all end as usual."""
    caller, agent, call = await talking(world)
    assert (await world.pbx.announce(announce(call))).played is Played.HEARD
    colleague = await world.seat("colleague")
    assert isinstance(await world.pbx.ring(ring(call)), ev.ColleagueJoined)
    await agent.hang_up()
    await world.until(lambda: not agent.is_in_call)
    for person in (caller, colleague):
        person.listen_anew()
    await world.until(lambda: caller.has_heard("colleague") and colleague.has_heard("caller"))
    assert len(await announcer_channels(world)) == 1
    assert (await world.pbx.announce(announce(call, name="say.2"))).played is Played.HEARD
    await world.until(lambda: caller.has_heard("warning") and colleague.has_heard("warning"))
    await colleague.hang_up()
    await world.until(lambda: not caller.is_in_call, 1, "the caller is disconnected")
    await gone_within(world, 1)


async def test_release_with_the_voice_in_the_call(world: AsteriskWorld) -> None:
    """The agent is free at once, the caller hears the closing message whole, no leg of ours stays."""
    caller, agent, call = await talking(world)
    assert (await world.pbx.announce(announce(call))).played is Played.HEARD
    done = await world.pbx.release(act.Release(id="end.1", permit=permit_for(call)), lambda: True)
    assert done.outcome is Outcome.DONE
    await world.until(lambda: not agent.is_in_call, 1)
    assert caller.is_in_call
    await gone_within(world, 1)
    await world.until(lambda: not caller.is_in_call, 10)
    assert caller.has_heard("closing")


@pytest.mark.parametrize("since", ["before", "after"])
async def test_music_on_hold_is_heard_with_the_voice_in_the_call(world: AsteriskWorld, since: str) -> None:
    """Held before or after the first warning: the caller hears music, a warning whole, music, and the agent at last."""
    caller, agent, call = await talking(world)
    if since == "after":
        assert (await world.pbx.announce(announce(call))).played is Played.HEARD
    await agent.hold()
    caller.listen_anew()
    await world.until(lambda: caller.has_heard("music"))
    assert (await world.pbx.announce(announce(call, name="say.2"))).played is Played.HEARD
    await world.until(lambda: caller.has_heard("warning"))
    caller.listen_anew()
    await world.until(lambda: caller.has_heard("music"))
    await agent.resume()
    caller.listen_anew()
    await world.until(lambda: caller.has_heard("agent1"))
    await world.pass_time(0.3)
    caller.listen_anew()
    await world.pass_time(0.5)
    assert not caller.has_heard("music")


async def test_renewed_for_as_long_as_we_live(hasty: AsteriskWorld) -> None:
    """Much longer than the dead-man's switch allows, the voice is still there, and heard."""
    caller, _, call = await talking(hasty)
    assert (await hasty.pbx.announce(announce(call))).played is Played.HEARD
    before = voices(hasty, call)
    await hasty.pass_time(SOON_S * 1.5)
    caller.listen_anew()
    assert (await hasty.pbx.announce(announce(call, name="say.2"))).played is Played.HEARD
    await hasty.until(lambda: caller.has_heard("warning"))
    assert voices(hasty, call) == before


async def test_dead_mans_switch(hasty: AsteriskWorld) -> None:
    """Bagvagt dies in a warned call, the agent hangs up by hand: the caller is disconnected within the time-out."""
    caller, agent, call = await talking(hasty)
    assert (await hasty.pbx.announce(announce(call))).played is Played.HEARD
    await hasty.die()
    await agent.hang_up()
    await hasty.pass_time(0.5)
    assert len(await announcer_channels(hasty)) == 1
    await hasty.until(lambda: not caller.is_in_call, SOON_S + 1, "the caller is disconnected")
    await gone_within(hasty, 1)


async def test_the_call_goes_on_when_the_voice_times_out(hasty: AsteriskWorld) -> None:
    """Bagvagt dies in a warned call: the voice leaves by itself, caller and agent go on."""
    caller, agent, call = await talking(hasty)
    assert (await hasty.pbx.announce(announce(call))).played is Played.HEARD
    await hasty.die()
    await gone_within(hasty, SOON_S + 1)
    await hasty.pass_time(0.3)
    caller.listen_anew()
    agent.listen_anew()
    await hasty.until(lambda: caller.has_heard("agent1") and agent.has_heard("caller"))


async def test_a_left_over_voice_is_hung_up(world: AsteriskWorld) -> None:
    """What an earlier life left in a call goes when the next one connects; the call goes on and can be warned."""
    caller, agent, call = await talking(world)
    assert (await world.pbx.announce(announce(call))).played is Played.HEARD
    await world.die()
    assert len(await announcer_channels(world)) == 1
    await world.live_again()
    await gone_within(world, 2)
    caller.listen_anew()
    agent.listen_anew()
    await world.until(lambda: caller.has_heard("agent1") and agent.has_heard("caller"))
    assert (await world.pbx.announce(announce(call, name="say.2"))).played is Played.HEARD
    await world.until(lambda: caller.has_heard("warning"))


async def test_the_connection_cut_in_the_middle(world: AsteriskWorld) -> None:
    """AMI is cut while a warning plays: nobody saw where the caller was, so UNKNOWN; the call goes on."""
    caller, agent, call = await talking(world)
    playing = asyncio.create_task(world.pbx.announce(announce(call)))
    await world.until(lambda: caller.has_heard_any("warning"))
    await world.lose_connection()
    assert (await playing).played is Played.UNKNOWN
    await world.until(lambda: isinstance(world.seen[-1], ev.PbxConnected) and world.seen[-1].epoch > 1, 10)
    await gone_within(world, 2)
    caller.listen_anew()
    agent.listen_anew()
    await world.until(lambda: caller.has_heard("agent1") and agent.has_heard("caller"))
