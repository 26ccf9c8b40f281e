"""The lab itself: phones that hear, a PBX that is killed and comes back, a phone that we did not write."""

import time

import aiomqtt
import numpy as np
import pytest

from tests.conftest import MakeAsterisk
from tests.lab import listening
from tests.lab.asterisk import Asterisk
from tests.lab.audio import RATE_HZ, from_alaw, spoken, to_alaw, tone, write_wav
from tests.lab.baresip import Baresip, installed
from tests.lab.confs import MOH_HZ
from tests.lab.mosquitto import Mosquitto, program
from tests.lab.phone import Call
from tests.lab.raw import Ami
from tests.lab.waiting import until

pytestmark = pytest.mark.asterisk

CALLER_HZ, AGENT_HZ, COLLEAGUE_HZ = 1000.0, 600.0, 1500.0


async def _queue_call(lab: Asterisk, number: str = "+4520304050") -> tuple[Call, Call]:
    """A caller in conversation with agent1, each with a tone of their own; (caller's leg, agent's leg)."""
    agent = await lab.phone("agent1", audio=tone(AGENT_HZ))
    caller = await lab.caller(number, audio=tone(CALLER_HZ))
    at_caller = await caller.dial("1000")
    at_agent = await agent.takes()
    await at_caller.is_answered()
    since = time.monotonic()
    await listening.hears(at_caller, AGENT_HZ, since)
    await listening.hears(at_agent, CALLER_HZ, since)
    return at_caller, at_agent


def test_alaw_is_the_standards() -> None:
    """A-law here is G.711's: known code words, and every sample comes back within half a step."""
    assert to_alaw(np.zeros(1)) == b"\xd5"
    assert round(float(from_alaw(b"\xaa")[0]) * 32768) == 32256
    assert round(float(from_alaw(b"\x2a")[0]) * 32768) == -32256
    sound = tone(440)
    error = from_alaw(to_alaw(sound)) - sound
    assert listening.dbfs(error) < listening.dbfs(sound) - 35


def test_listening_tells_prompts_apart() -> None:
    """A prompt is found where it is, also under a voice; another prompt, a tone, silence and a cut one are not."""
    warning, other = spoken(1), spoken(2)
    lead = np.zeros(RATE_HZ // 2)
    alone = np.concatenate((lead, warning, lead))
    under_voice = alone + tone(500, len(alone) / RATE_HZ, level_dbfs=-20)
    for heard in (alone, under_voice):
        match = listening.find(heard, warning)
        assert match.score > 0.5
        assert abs(match.offset_s - 0.5) < 0.001
        assert listening.hearing(heard, warning).whole
    for heard in (
        np.concatenate((lead, other, lead)),
        tone(1000, 3.0),
        np.zeros(3 * RATE_HZ),
        np.zeros(0),
    ):
        assert listening.find(heard, warning).score < 0.25
        assert not listening.hearing(heard, warning).whole
    cut = np.concatenate((lead, warning[: len(warning) * 3 // 4]))
    assert listening.hearing(cut, warning).missing_s == (1.5, 1.75)
    holed = alone.copy()
    holed[round(1.0 * RATE_HZ) : round(1.3 * RATE_HZ)] = 0
    assert not listening.hearing(holed, warning).whole


async def test_queue_call_both_hear(asterisk: Asterisk) -> None:
    """A caller reaches a queue's agent; each hears the other's tone and not their own; the number is shown."""
    at_caller, at_agent = await _queue_call(asterisk)
    assert at_agent.number == "+4520304050"
    assert listening.tone_dbfs(listening.audio(at_caller)[-1600:], CALLER_HZ) < listening.LOUD_DBFS
    await at_caller.hang_up()
    await at_agent.is_ended()
    assert at_agent.bye_at is not None


async def test_hold_and_resume(asterisk: Asterisk) -> None:
    """The caller hears music while held, in both ways in which phones hold, and the agent again afterwards."""
    at_caller, at_agent = await _queue_call(asterisk)
    for direction in ("sendonly", "inactive"):
        await at_agent.hold(direction)
        since = time.monotonic()
        await listening.hears(at_caller, MOH_HZ, since)
        await at_agent.resume()
        since = time.monotonic()
        await listening.hears(at_caller, AGENT_HZ, since)
        assert not at_caller.ended.is_set()


async def test_mute_sends_nothing(asterisk: Asterisk) -> None:
    """A muted phone sends no packet at all, and its call stays up."""
    at_caller, at_agent = await _queue_call(asterisk)
    at_agent.mute()
    sent = at_agent.rtp.sent
    came = len(at_agent.heard)
    await until(lambda: len(at_agent.heard) >= came + 25)
    assert at_agent.rtp.sent == sent
    at_agent.mute(on=False)
    await listening.hears(at_caller, AGENT_HZ, time.monotonic())


async def test_keys_arrive(asterisk: Asterisk) -> None:
    """Keys by RFC 4733 arrive in order, also from a muted phone."""
    at_caller, at_agent = await _queue_call(asterisk)
    at_agent.mute()
    await at_agent.press("*91#")
    await until(lambda: at_caller.rtp.keys == "*91#", what="the caller's phone got the keys")


async def test_blind_transfer(asterisk: Asterisk) -> None:
    """After REFER the caller talks to the other agent and the first one is free."""
    at_caller, at_agent = await _queue_call(asterisk)
    other = await asterisk.phone("agent2", audio=tone(COLLEAGUE_HZ))
    assert await at_agent.transfer("202") == 202
    at_other = await other.takes()
    await at_agent.is_ended()
    assert at_agent.transfer_news[-1].startswith("SIP/2.0 200")
    since = time.monotonic()
    await listening.hears(at_caller, COLLEAGUE_HZ, since)
    await listening.hears(at_other, CALLER_HZ, since)


async def test_attended_transfer(asterisk: Asterisk) -> None:
    """The agent holds, asks the other agent, and joins the two: REFER with Replaces."""
    at_caller, at_agent = await _queue_call(asterisk)
    other = await asterisk.phone("agent2", audio=tone(COLLEAGUE_HZ))
    await at_agent.hold()
    asking = await at_agent.phone.dial("202")
    at_other = await other.takes()
    await asking.is_answered()
    assert at_other.number == "201"
    assert await at_agent.transfer_to(asking) == 202
    since = time.monotonic()
    await listening.hears(at_caller, COLLEAGUE_HZ, since)
    await listening.hears(at_other, CALLER_HZ, since)
    await asking.is_ended()
    await at_agent.is_ended()


async def test_busy_and_unanswered(asterisk: Asterisk) -> None:
    """A busy phone gives the caller busy; one that rings for ever is cancelled when the caller gives up."""
    await asterisk.phone("agent1", busy=True)
    silent = await asterisk.phone("agent2", answer_after_s=None)
    caller = await asterisk.caller()
    refused = await caller.dial("201")
    await refused.is_ended()
    assert refused.status == 486
    ringing = await caller.dial("202")
    at_silent = await silent.rings()
    await ringing.hang_up()
    await at_silent.is_ended()
    assert not at_silent.answered.is_set()


async def test_out_by_the_trunk(asterisk: Asterisk) -> None:
    """An agent who dials a number reaches the phone behind the trunk."""
    mobile = await asterisk.trunk(audio=tone(COLLEAGUE_HZ))
    agent = await asterisk.phone("agent1")
    call = await agent.dial("20304050")
    await mobile.takes()
    await call.is_answered()
    await listening.hears(call, COLLEAGUE_HZ, time.monotonic())


async def test_prompt_is_recognised(asterisk: Asterisk) -> None:
    """What Asterisk plays is recognised as that prompt, whole, and not as another."""
    warning, other = spoken(1), spoken(2)
    write_wav(asterisk.sounds / "warning.wav", warning)
    caller = await asterisk.caller()
    asterisk.write_config("extensions.d/test.conf", "[from-caller](+)\nexten => 7,1,Playback(warning)\n")
    extensions = (asterisk.folder / "etc" / "extensions.conf").read_text()
    asterisk.write_config("extensions.conf", extensions + "#include extensions.d/*.conf\n")
    await asterisk.cli("dialplan reload")
    call = await caller.dial("7")
    await call.is_answered()
    await call.is_ended(within_s=8)
    assert listening.heard_whole(call, warning)
    assert listening.find(listening.audio(call), warning).score > 0.9
    assert not listening.heard_whole(call, other)


async def test_restart_and_kill(asterisk_lab: MakeAsterisk) -> None:
    """The same instance comes back on the same ports after an orderly stop and after SIGKILL, and takes calls."""
    lab = await asterisk_lab()
    ports = (lab.sip, lab.ami, lab.http)
    await lab.restart()
    await lab.kill()
    with pytest.raises(OSError, match=r"."):
        await lab.cli("core show version")
    await lab.start()
    assert (lab.sip, lab.ami, lab.http) == ports
    await _queue_call(lab)


async def test_two_side_by_side(asterisk_lab: MakeAsterisk) -> None:
    """Two instances run at once without sharing ports, calls or members."""
    one, two = await asterisk_lab(), await asterisk_lab(members=("agent2",))
    await _queue_call(one)
    assert "1 active call" in await one.cli("core show channels")
    assert "0 active calls" in await two.cli("core show channels")
    async with Ami(two) as ami:
        await ami.send("QueueStatus", Queue="support")
        member = await ami.event("QueueMember")
    assert member["Name"] == "agent2"


async def test_extra_files_are_included(asterisk_lab: MakeAsterisk) -> None:
    """Snippets given to the fixture are live: a manager user, a dialplan context."""
    lab = await asterisk_lab(
        extra={
            "manager.d/extra.conf": "[other]\nsecret=s3cret\nread=call\nwrite=call\n",
            "extensions.d/extra.conf": "[elsewhere]\nexten => 1,1,NoOp()\n",
        }
    )
    async with Ami(lab, "other", "s3cret"):
        pass
    assert "NoOp" in await lab.cli("dialplan show elsewhere")


@pytest.mark.skipif(not installed(), reason="baresip is not installed: apt-get install baresip-core")
async def test_baresip_is_heard(asterisk: Asterisk) -> None:
    """A phone that we did not write answers as the agent, and the caller hears what it says."""
    says = spoken(3, 3.0)
    phone = Baresip("agent1", asterisk.phones["agent1"], says)
    try:
        await phone.start()
        await until(lambda: "ready" in phone.log, what="baresip is ready")
        caller = await asterisk.caller(audio=tone(CALLER_HZ))
        call = await caller.dial("1000")
        await call.is_answered(10)
        await until(
            lambda: listening.find(listening.audio(call)[-6 * RATE_HZ :], says).score > 0.8,
            10,
            "the caller hears baresip",
        )
    finally:
        await phone.close()


@pytest.mark.skipif(program() is None, reason="mosquitto is not installed: apt-get install mosquitto")
async def test_broker_keeps_what_it_was_told() -> None:
    """The broker knows its users, and a retained message outlives an orderly restart; frozen, it answers nobody."""
    broker = Mosquitto(users={"duty": "s3cret"}, acl="user duty\ntopic readwrite bagvagt/#\n")

    def client(secret: str) -> aiomqtt.Client:
        return aiomqtt.Client(broker.host, broker.port, username="duty", password=secret, timeout=1)

    try:
        await broker.start()
        with pytest.raises(aiomqtt.MqttError):
            async with client("wrong"):
                pass
        async with client("s3cret") as writer:
            await writer.publish("bagvagt/head", "1", qos=1, retain=True)
        await broker.restart()
        async with client("s3cret") as reader:
            await reader.subscribe("bagvagt/#")
            assert (await anext(aiter(reader.messages))).payload == b"1"
        broker.freeze()
        with pytest.raises(aiomqtt.MqttError):
            async with client("s3cret"):
                pass
        broker.thaw()
        async with client("s3cret"):
            pass
    finally:
        await broker.close()
