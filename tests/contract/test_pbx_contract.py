"""What every PBX adapter owes the engine: the same tests over the simulator and over a real Asterisk.

Each test listens at the phones; a reply or an event that says "done" is never taken for what people heard.
"""

import asyncio
import importlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from policies import actions as act
from policies import events as ev
from policies.events import Played
from policies.model import AgentId, CallId, LegId, LiveCall, Outcome, Target
from tests.contract.permits import permit_for
from tests.contract.world import Person, World

AGENT = AgentId("agent1")
COLLEAGUE = Target("Colleague", "PJSIP/colleague")
NOWHERE = LegId("no-such-leg")
REASON = "bagvagt:b1"


@pytest.fixture(params=["simulator", pytest.param("asterisk", marks=pytest.mark.asterisk)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A small contact centre with the adapter under test connected to it."""
    module = importlib.import_module(f"tests.contract.{request.param}_world")
    async with module.open_world(tmp_path) as opened:
        yield opened


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


# --- following ------------------------------------------------------------------------------------------------


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
    assert last[0].id == call.id


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


# --- announce -------------------------------------------------------------------------------------------------


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


# --- release --------------------------------------------------------------------------------------------------


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


# --- handoff --------------------------------------------------------------------------------------------------


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


# --- pause ----------------------------------------------------------------------------------------------------


def pause() -> act.Pause:
    return act.Pause(id="pause.1", break_id="b1", agent=AGENT, reason=REASON)


def unpause() -> act.Unpause:
    return act.Unpause(id="unpause.1", break_id="b1", agent=AGENT, reason=REASON)


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
