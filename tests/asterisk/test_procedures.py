"""The procedures on a real Asterisk, beyond what every PBX owes (`tests/contract`): Asterisk's own ways to fail."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from adapters.asterisk.pbx_check import check_access
from adapters.asterisk.snippets import Media, asterisk_snippets
from policies import actions as act
from policies import events as ev
from policies.events import Played
from policies.model import AgentId, LiveCall, Outcome, Source
from policies.reasons import Reason
from telephony.ports import CodePressed
from tests.conftest import _lab
from tests.contract.asking import AGENT, announce, pause, ring
from tests.contract.asterisk_world import (
    SIDE,
    AsteriskWorld,
    LabPerson,
    access,
    open_world,
    open_world_at,
    site,
)
from tests.contract.permits import permit_for
from tests.lab import listening
from tests.lab.asterisk import Asterisk
from tests.lab.raw import Ami
from tests.lab.waiting import until

pytestmark = pytest.mark.asterisk


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[AsteriskWorld]:
    """A lab Asterisk with the snippets in place and the adapter connected with their users."""
    async with open_world(tmp_path) as opened:
        yield opened


async def talking(world: AsteriskWorld) -> tuple[LabPerson, LabPerson, LiveCall]:
    """A caller and agent1 in conversation."""
    agent = await world.seat("agent1")
    caller, call = await world.queue_call(agent)
    return caller, agent, call


def codes(world: AsteriskWorld) -> list[CodePressed]:
    return [s for s in world.seen if isinstance(s, CodePressed)]


def tell(call: LiveCall, verdict: act.Verdict, reason: Reason) -> act.Tell:
    return act.Tell(
        id="tell.1", press="p", agent=AgentId("agent1"), agent_leg=call.agent_leg, verdict=verdict, reason=reason
    )


async def test_a_prompt_that_the_pbx_lacks_fails_with_its_word(world: AsteriskWorld) -> None:
    """The library has the prompt and Asterisk does not: FAILED, nobody is cut off, no leg of ours stays."""
    caller, agent, call = await talking(world)
    (world.lab.sounds / "bagvagt" / "da" / "warning.wav").unlink()
    done = await world.pbx.announce(announce(call))
    assert (done.played, done.packets) == (Played.FAILED, 0)
    assert "failed" in done.detail
    await world.until(lambda: set(world.pbx.tracker.legs_in(call.bridge or "")) == {call.caller, call.agent_leg})
    assert caller.is_in_call
    assert agent.is_in_call


async def test_prompts_are_fetched_over_http(tmp_path: Path) -> None:
    """With a media base of ours Asterisk fetches each prompt and plays it into the call."""

    async def prompt(request: web.Request) -> web.FileResponse:
        return web.FileResponse(tmp_path / "prompts" / request.match_info["path"])

    app = web.Application()
    app.router.add_get("/prompts/{path:.*}", prompt)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    media = Media(f"sound:http://127.0.0.1:{runner.addresses[0][1]}/prompts")
    root = _lab().path
    assert root is not None
    try:
        async with open_world_at(Asterisk(root, site(replace(SIDE, media=media))), tmp_path, media) as world:
            caller, agent, call = await talking(world)
            assert (await world.pbx.announce(announce(call))).played is Played.HEARD
            await world.until(lambda: caller.has_heard("warning"))
            colleague = await world.seat("colleague")
            assert isinstance(await world.pbx.ring(ring(call)), ev.ColleagueJoined)
            assert colleague.has_heard("brief-takeover")
            await colleague.hang_up()
            await world.until(lambda: world.calls("agent1") and not world.calls("agent1")[0].others)
            released = await world.pbx.release(act.Release(id="end.1", permit=permit_for(call)), lambda: True)
            assert released.outcome is Outcome.DONE
            await world.until(lambda: not caller.is_in_call and not agent.is_in_call, 10)
            assert caller.has_heard("closing")
    finally:
        await runner.cleanup()


async def test_release_without_the_include_does_nothing(world: AsteriskWorld) -> None:
    """Somebody took our dialplan away: Asterisk would hang the caller up; so nothing is sent, and the call goes on."""
    caller, agent, call = await talking(world)
    world.lab.write_config("extensions.d/bagvagt.conf", "")
    await world.lab.cli("dialplan reload")
    done = await world.pbx.release(act.Release(id="end.1", permit=permit_for(call)), lambda: True)
    assert done.outcome is Outcome.FAILED
    await world.pass_time(0.5)
    assert caller.is_in_call
    assert agent.is_in_call


async def test_release_with_a_colleague_in_the_call_frees_the_agent(world: AsteriskWorld) -> None:
    """Three in the bridge: the agent is let go all the same, the caller hears the closing message."""
    caller, agent, call = await talking(world)
    await world.seat("colleague")
    assert isinstance(await world.pbx.ring(ring(call)), ev.ColleagueJoined)
    done = await world.pbx.release(act.Release(id="end.1", permit=permit_for(call)), lambda: True)
    assert done.outcome is Outcome.DONE
    await world.until(lambda: not agent.is_in_call)
    await world.until(lambda: not caller.is_in_call, 10)
    assert caller.has_heard("closing")


async def test_release_whose_reply_is_lost(world: AsteriskWorld) -> None:
    """A PBX that freezes: it can't be read, so nothing was done, or nobody knows; DONE is never claimed."""
    caller, _, call = await talking(world)
    world.lab.freeze()
    try:
        done = await world.pbx.release(act.Release(id="end.1", permit=permit_for(call)), lambda: True)
    finally:
        world.lab.thaw()
    assert done.outcome in (Outcome.FAILED, Outcome.UNKNOWN)
    assert caller.is_in_call


async def test_a_feature_code_arrives_and_the_caller_hears_no_digit(world: AsteriskWorld) -> None:
    """`*91` in the call is the key `warn` from this agent's leg; the digits stay with the PBX."""
    caller, _, call = await talking(world)
    agent = world.pbx.tracker.agent_of(call.agent_leg) if call.agent_leg else None
    assert agent == AGENT
    person = next(p for p in world.lab._open_phones if p.user == "agent1")
    await person.calls[-1].press("*91")
    await world.until(lambda: codes(world))
    assert [(c.key, c.agent, c.leg, c.source) for c in codes(world)] == [("warn", AGENT, call.agent_leg, Source.CODE)]
    assert not caller.has_heard_keys()


@pytest.mark.parametrize(
    ("held", "dialled", "key", "verdict", "reason", "heard"),
    [
        (True, "*92", "acute", act.Verdict.NOT_PERMITTED, Reason.LATCHED, "tone-refused"),
        (True, "8591", "warn", act.Verdict.ACCEPTED, Reason.WARNING_STARTED, "tone-accepted"),
        (False, "8591", "warn", act.Verdict.NOT_YET, Reason.WAIT, "tone-not-yet"),
        (False, "8591", "warn", act.Verdict.NOT_PERMITTED, Reason.LATCHED, "tone-refused"),
    ],
)
async def test_a_speed_dial_arrives_and_is_answered_by_a_tone(
    world: AsteriskWorld,
    held: bool,  # noqa: FBT001 - a table
    dialled: str,
    key: str,
    verdict: act.Verdict,
    reason: Reason,
    heard: str,
) -> None:
    """With the caller on hold, or the call up, the agent's phone calls the key: it arrives, the verdict is heard."""
    caller, agent, call = await talking(world)
    if held:
        await agent.hold()
    agent.listen_anew()
    feature_call = await agent.phone.dial(dialled)
    await world.until(lambda: codes(world))
    assert [(c.key, c.agent, c.leg, c.source) for c in codes(world)] == [(key, AGENT, None, Source.SPEED_DIAL)]
    told = await world.pbx.signal(tell(call, verdict, reason))
    assert told.outcome is Outcome.DONE
    await feature_call.is_ended()
    assert listening.heard_whole(feature_call, world.prompts[heard])
    assert not caller.has_heard_any(heard)
    if held:
        await agent.resume()
    caller.listen_anew()
    await world.until(lambda: caller.has_heard("agent1"))


async def test_a_speed_dial_that_nobody_answers_is_hung_up(world: AsteriskWorld) -> None:
    """Bagvagt does not say anything: the feature call ends by itself, the other call goes on."""
    caller, agent, _ = await talking(world)
    feature_call = await agent.phone.dial("8591")
    await feature_call.is_ended(4)
    assert caller.is_in_call


async def until_rung(person: LabPerson, times: int) -> None:
    """Wait until this phone has had so many calls."""
    await until(lambda: len(person.phone.calls) >= times, 8, f"{person.name} rings")


async def test_retrieve_rings_again_and_at_last_asks_the_queue(tmp_path: Path) -> None:
    """The agent does not answer, three times: the caller hears music all the while, and the queue finds another."""
    shorter = asterisk_snippets(SIDE)["extensions.d/bagvagt.conf"].replace(
        "${BAGVAGT_AGENT},20,m", "${BAGVAGT_AGENT},2,m"
    )
    root = _lab().path
    assert root is not None
    made = site(members=("agent1", "agent2"))
    lab = Asterisk(root, replace(made, extra={**made.extra, "extensions.d/bagvagt.conf": shorter}))
    async with open_world_at(lab, tmp_path) as world:
        caller, agent, call = await talking(world)
        await world.pbx.release(act.Release(id="end.1", permit=permit_for(call)), lambda: True)
        await world.until(lambda: caller.has_heard_any("closing") and not agent.is_in_call)
        agent.phone.answer_after_s = None
        rung = len(agent.phone.calls)
        done = await world.pbx.retrieve(act.Retrieve(id="back.1", call=call.id, caller=call.caller, agent=AGENT))
        assert done.outcome is Outcome.DONE
        for tries in (1, 2, 3):
            caller.listen_anew()
            await until_rung(agent, rung + tries)
            await world.until(lambda: caller.has_heard("music"), 3, "music for the caller")
        other = await world.seat("agent2")
        await world.until(lambda: other.is_in_call, 45, "the queue finds another agent")
        await world.until(lambda: caller.has_heard("agent2") and other.has_heard("caller"))
        assert caller.is_in_call


async def test_release_without_that_extension_does_nothing(world: AsteriskWorld) -> None:
    """The context is there and the closing extension is not: a Redirect would hang the caller up; nothing is sent."""
    caller, agent, call = await talking(world)
    text = asterisk_snippets(SIDE)["extensions.d/bagvagt.conf"].replace("exten => _p_.,1,", "exten => _q_.,1,")
    world.lab.write_config("extensions.d/bagvagt.conf", text)
    await world.lab.cli("dialplan reload")
    done = await world.pbx.release(act.Release(id="end.1", permit=permit_for(call)), lambda: True)
    assert done.outcome is Outcome.FAILED
    await world.pass_time(0.5)
    assert caller.is_in_call
    assert agent.is_in_call


async def test_a_tone_is_for_the_agent_alone(world: AsteriskWorld) -> None:
    """The agent hears "not yet"; the caller does not."""
    caller, agent, call = await talking(world)
    await world.pbx.signal(tell(call, act.Verdict.NOT_YET, Reason.WAIT))
    await world.until(lambda: agent.has_heard_any("tone-not-yet"))
    assert not caller.has_heard_any("tone-not-yet")


async def test_no_tone_over_the_warning(world: AsteriskWorld) -> None:
    """The accepted tone is not played when a warning starts: it is the answer itself."""
    _, agent, call = await talking(world)
    told = await world.pbx.signal(tell(call, act.Verdict.ACCEPTED, Reason.WARNING_STARTED))
    assert told.outcome is Outcome.DONE
    await world.pass_time(0.5)
    assert not agent.has_heard_any("tone-accepted")


async def test_a_ring_whose_connection_is_cut_is_followed_to_its_end(world: AsteriskWorld) -> None:
    """AMI is cut while a colleague is rung: the dialplan goes on, and after the reconnect the join is seen."""
    caller, _, call = await talking(world)
    colleague = await world.seat("colleague", "never")
    ringing = asyncio.create_task(world.pbx.ring(ring(call, ring_s=10)))
    at_colleague = await colleague.phone.rings()
    await world.lose_connection()
    await world.until(lambda: isinstance(world.seen[-1], ev.PbxLost))
    at_colleague.answer()
    assert isinstance(await ringing, ev.ColleagueJoined)
    await world.until(lambda: caller.has_heard("colleague"))


async def test_a_dynamic_member_keeps_its_pause_over_a_restart(world: AsteriskWorld) -> None:
    """After a restart of Asterisk a dynamic member's pause stands, a static one's is gone; both are shown so."""
    async with Ami(world.lab) as ami:
        await ami.send("QueueAdd", Queue="support", Interface="PJSIP/agent2", MemberName="agent2")
    done = await world.pbx.pause(replace(pause(), agent=AgentId("agent2")))
    assert done.outcome is Outcome.DONE
    assert await world.pauses("agent2") == {"support": "bagvagt:b1", "second": "bagvagt:b1"}
    await world.lab.restart()
    await world.until(lambda: isinstance(world.seen[-1], ev.PbxConnected) and world.seen[-1].epoch > 1, 15)
    again = world.seen[-1]
    assert isinstance(again, ev.PbxConnected)
    assert {(m.queue, m.paused, m.reason, m.static) for m in again.members if m.agent == "agent2"} == {
        ("support", True, "bagvagt:b1", False),
        ("second", False, "", True),
    }


async def test_pbx_check_is_content_with_the_snippets(world: AsteriskWorld) -> None:
    """A PBX with the snippets in place has no error; and the running service keeps its connection."""
    findings = await check_access(access(world.lab), SIDE)
    assert [f for f in findings if f.severity == "error"] == []
    assert any("static queue members" in f.what for f in findings)
    assert not any("8591" in f.what for f in findings)
    assert not any(isinstance(s, ev.PbxLost) for s in world.seen)


async def test_pbx_check_takes_a_global_for_the_keys(tmp_path: Path) -> None:
    """No dialplan line sets the features: a warning; DYNAMIC_FEATURES in [globals] will do."""
    root = _lab().path
    assert root is not None
    warned = []
    for globals_ in ("", "[globals]\n__DYNAMIC_FEATURES=other#bagvagt\n"):
        made = site(before_queue=())
        text = globals_ + made.extra["extensions.d/bagvagt.conf"]
        lab = Asterisk(root, replace(made, extra={**made.extra, "extensions.d/bagvagt.conf": text}))
        async with open_world_at(lab, tmp_path) as world:
            findings = await check_access(access(world.lab), SIDE)
            warned.append(any("DYNAMIC_FEATURES" in f.what for f in findings))
            assert [f for f in findings if f.severity == "error"] == []
    assert warned == [True, False]


async def test_pbx_check_finds_a_speed_dial_that_goes_elsewhere(tmp_path: Path) -> None:
    """A pattern of the agents' own context wins over an include: the key's extension would be dialled out."""
    root = _lab().path
    assert root is not None
    made = site()
    plain = {name: text for name, text in made.extra.items() if name != "extensions.d/speed-dials.conf"}
    async with open_world_at(Asterisk(root, replace(made, extra=plain)), tmp_path) as world:
        findings = await check_access(access(world.lab), SIDE)
        assert any("8591" in f.what and "[from-agent]" in f.what for f in findings)
        assert not any("*92" in f.what for f in findings)


async def test_pbx_check_names_what_is_wrong(world: AsteriskWorld) -> None:
    """direct_media on, a changed include, rights taken away: each is named."""
    etc = world.lab.folder / "etc"
    pjsip = etc / "pjsip.conf"
    pjsip.write_text(pjsip.read_text().replace("direct_media=no", "direct_media=yes"))
    include = etc / "extensions.d" / "bagvagt.conf"
    include.write_text(include.read_text().replace("TIMEOUT(absolute)=", "NOTHING="))
    manager = etc / "manager.d" / "bagvagt.conf"
    manager.write_text(manager.read_text().replace("write=call,agent,reporting", "write=agent,reporting"))
    for command in ("module reload res_pjsip.so", "dialplan reload", "manager reload"):
        await world.lab.cli(command)
    errors = [f.what for f in await check_access(access(world.lab), SIDE) if f.severity == "error"]
    assert any("may not Redirect" in what for what in errors)
    assert any("[bagvagt] in the dialplan is not what" in what for what in errors)
    assert any("direct_media is on" in what for what in errors)


async def test_pbx_check_of_a_wrong_secret(world: AsteriskWorld) -> None:
    """Refused users are named; no secret is."""
    wrong = replace(access(world.lab), ami_secret="wrong-one", ari_password="wrong-two")
    findings = await check_access(wrong, SIDE)
    assert [f.severity for f in findings] == ["error", "error"]
    assert "wrong-" not in str(findings)
