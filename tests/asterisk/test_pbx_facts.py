"""What the product relies on in Asterisk 22, each fact as a test: should a new version change one, we hear of it here.

These tests speak to the PBX with the bare clients of `tests.lab.raw` and use nothing of the product.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import datetime

import numpy as np
import pytest
from aiohttp import web

from tests.conftest import MakeAsterisk
from tests.lab import listening
from tests.lab.asterisk import Asterisk
from tests.lab.audio import spoken, tone, write_wav
from tests.lab.confs import CALLERS_IP
from tests.lab.phone import Call
from tests.lab.raw import Ami, Ari
from tests.lab.waiting import until

pytestmark = pytest.mark.asterisk

WARNING, CLOSING = spoken(1, 1.5), spoken(2, 1.5)
CALLER_HZ, AGENT_HZ, COLLEAGUE_HZ, TONE_HZ = 1000.0, 600.0, 1500.0, 2000.0
PACKETS_PER_S = 50
DIALPLAN = """\
[bagvagt]
exten => join,1,Answer()
 same => n,BridgeAdd(${LEG})
 same => n,Hangup()
exten => closing,1,Playback(closing)
 same => n,Hangup()
"""
FEATURES = """\
[applicationmap]
bagvagt_end => *91,self/callee,UserEvent(BagvagtKey,Key: end)
"""


@pytest.fixture
async def lab(asterisk_lab: MakeAsterisk) -> Asterisk:
    """An Asterisk with an announcer's dialplan, an application map, and two prompts."""
    made = await asterisk_lab(
        extra={"extensions.d/bagvagt.conf": DIALPLAN, "features.d/bagvagt.conf": FEATURES},
        before_queue=("Set(__DYNAMIC_FEATURES=bagvagt_end)",),
    )
    _prompts(made)
    return made


def _prompts(lab: Asterisk) -> None:
    write_wav(lab.sounds / "warning.wav", WARNING)
    write_wav(lab.sounds / "closing.wav", CLOSING)


class Conversation:
    """A caller with agent1, both silent in packets until they are told otherwise.

    Attributes:
        at_caller: the caller's own end.
        at_agent: the agent's.
        caller: Asterisk's channel towards the caller, as ARI shows it.
        agent: and towards the agent.
    """

    at_caller: Call
    at_agent: Call

    def __init__(self, lab: Asterisk, ari: Ari) -> None:
        self.lab, self.ari = lab, ari
        self.caller: dict[str, str] = {}
        self.agent: dict[str, str] = {}

    async def begin(self) -> "Conversation":
        """The caller rings the queue, the agent answers, both hear each other."""
        agent = await self.lab.phone("agent1")
        caller = await self.lab.caller()
        self.at_caller = await caller.dial("1000")
        self.at_agent = await agent.takes()
        await self.at_caller.is_answered()
        await until(lambda: listening.packets(self.at_agent) > 10 and listening.packets(self.at_caller) > 10)
        for channel in await self.ari.call("GET", "channels"):
            if channel["name"].startswith("PJSIP/caller"):
                self.caller = channel
            elif channel["name"].startswith("PJSIP/agent1"):
                self.agent = channel
        return self

    async def announcer(self, leg: str) -> str:
        """A Local channel that stands in the bridge of this leg; its id once it takes media."""
        made = await self.ari.call(
            "POST",
            "channels",
            {"variables": {"LEG": leg}},
            endpoint="Local/join@bagvagt/n",
            app=self.ari.app,
        )
        channel: str = made["id"]
        await self.ari.event("StasisStart", lambda e: e["channel"]["id"] == channel)
        return channel

    async def play(self, channel: str, media: str) -> str:
        """Begins to play; the playback's id."""
        made = await self.ari.call("POST", f"channels/{channel}/play", media=media)
        playback: str = made["id"]
        return playback

    async def announce(self, media: str = "sound:warning") -> str:
        """Joins, plays, waits for the end, leaves; the playback's last state."""
        channel = await self.announcer(self.caller["id"])
        state = await self.ari.finished(await self.play(channel, media))
        await self.ari.call("DELETE", f"channels/{channel}")
        return state


@pytest.fixture
async def talk(lab: Asterisk) -> AsyncIterator[Conversation]:
    """A conversation in a queue call."""
    async with Ari(lab) as ari:
        yield await Conversation(lab, ari).begin()


async def _hears_whole(call: Call, since: float) -> None:
    """Waits until the last packets of the warning are there."""
    await until(lambda: listening.heard_whole(call, WARNING, since), 2, "the warning was heard whole")


# Speaking into a live call


@pytest.mark.parametrize("state", ["silent", "muted", "held", "caller muted"])
async def test_joined_announcement_is_heard(talk: Conversation, state: str) -> None:
    """Local + BridgeAdd: both hear the whole prompt, also when a leg sends nothing or the caller is held."""
    if state == "muted":
        talk.at_agent.mute()
    elif state == "held":
        await talk.at_agent.hold()
    elif state == "caller muted":
        talk.at_caller.mute()
    since = time.monotonic()
    assert await talk.announce() == "done"
    await _hears_whole(talk.at_caller, since)
    if state != "held":
        assert listening.heard_whole(talk.at_agent, WARNING, since)
    assert not talk.at_caller.ended.is_set()
    assert not talk.at_agent.ended.is_set()


async def test_conversation_goes_on_after_it(talk: Conversation) -> None:
    """When the announcer has left, the two still hear each other."""
    await talk.announce()
    talk.at_agent.say(tone(AGENT_HZ))
    talk.at_caller.say(tone(CALLER_HZ))
    since = time.monotonic()
    await listening.hears(talk.at_caller, AGENT_HZ, since)
    await listening.hears(talk.at_agent, CALLER_HZ, since)


async def test_joined_by_name_or_uniqueid(talk: Conversation) -> None:
    """BridgeAdd, ARI and Redirect take a channel's unique id where the manual says name: ids are not reused."""
    for leg in (talk.caller["name"], talk.caller["id"]):
        since = time.monotonic()
        channel = await talk.announcer(leg)
        await talk.ari.finished(await talk.play(channel, "sound:warning"))
        await talk.ari.call("DELETE", f"channels/{channel}")
        await _hears_whole(talk.at_caller, since)


async def test_announcer_enters_with_its_first_sound(talk: Conversation) -> None:
    """The announcer joins when it begins to play; unplayed, only half a second later.

    Answering waits so long for media. So: await StasisStart and play; never wait for the bridge first.
    """
    await talk.ari.call("POST", f"applications/{talk.ari.app}/subscription", eventSource="bridge:")
    channel = await talk.announcer(talk.caller["id"])
    await talk.ari.event("ChannelEnteredBridge")
    answered = await _stamp(talk.ari, "StasisStart")
    assert await _stamp(talk.ari, "ChannelEnteredBridge") - answered > 0.4
    await talk.ari.call("DELETE", f"channels/{channel}")


async def _stamp(ari: Ari, kind: str) -> float:
    """The PBX's own time of the first event of this type, seconds."""
    event = await ari.event(kind)
    return datetime.strptime(event["timestamp"], "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()


async def test_snoop_whisper_lies_when_the_agent_is_silent(talk: Conversation) -> None:
    """Whispering to the caller says "done" though the caller heard nothing, when the agent sends no RTP."""
    talk.at_agent.mute()
    before = await talk.ari.sent_packets(talk.caller["id"])
    since = time.monotonic()
    snoop = await talk.ari.call(
        "POST", f"channels/{talk.caller['id']}/snoop", app=talk.ari.app, whisper="out", spy="none"
    )
    await talk.ari.event("StasisStart", lambda e: e["channel"]["id"] == snoop["id"])
    assert await talk.ari.finished(await talk.play(snoop["id"], "sound:warning")) == "done"
    assert listening.heard_loud_at(talk.at_caller, since) is None
    assert await talk.ari.sent_packets(talk.caller["id"]) - before < PACKETS_PER_S / 2


async def test_sent_packets_are_the_evidence(talk: Conversation) -> None:
    """The caller's `txcount` grows by about 50/s of an announcement that came through, with a muted agent too."""
    talk.at_agent.mute()
    before = await talk.ari.sent_packets(talk.caller["id"])
    await talk.announce()
    grown = await talk.ari.sent_packets(talk.caller["id"]) - before
    seconds = len(WARNING) / 8000
    assert seconds * PACKETS_PER_S * 0.9 <= grown <= (seconds + 1) * PACKETS_PER_S


async def test_missing_prompt_fails(talk: Conversation) -> None:
    """A prompt that does not exist ends with "failed", never with "done"."""
    assert await talk.announce("sound:there-is-none") == "failed"
    assert await talk.announce(f"sound:{talk.lab.http}/static/none.wav") == "failed"


async def test_deleted_playback_is_silent(talk: Conversation) -> None:
    """DELETE /playbacks/{id} silences the announcement in the middle, and the PBX then calls it "done".

    So "done" is no proof even of having been played to the end: who stopped it must remember that.
    """
    write_wav(talk.lab.sounds / "long.wav", tone(TONE_HZ, 10.0))
    since = time.monotonic()
    channel = await talk.announcer(talk.caller["id"])
    playback = await talk.play(channel, "sound:long")
    await listening.hears(talk.at_caller, TONE_HZ, since)
    await talk.ari.call("DELETE", f"playbacks/{playback}")
    stopped = time.monotonic()
    await until(lambda: listening.packets(talk.at_caller, stopped) > 20)
    assert not listening.hears_tone(talk.at_caller, TONE_HZ, stopped)
    assert await talk.ari.finished(playback) == "done"


@contextlib.asynccontextmanager
async def _web_prompt() -> AsyncIterator[tuple[str, list[str]]]:
    """A web server with the warning; its URL, and the requests that came."""
    asked: list[str] = []

    async def serve(request: web.Request) -> web.Response:
        asked.append(request.method)
        return web.Response(body=body, content_type="audio/wav", headers={"Cache-Control": "max-age=3600"})

    body = await asyncio.to_thread(_wav_bytes)
    app = web.Application()
    app.router.add_get("/warning.wav", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, CALLERS_IP, 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}/warning.wav", asked
    finally:
        await runner.cleanup()


def _wav_bytes() -> bytes:
    samples = np.clip(np.rint(WARNING * 32768), -32768, 32767).astype("<i2").tobytes()
    size = len(samples)
    head = b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    form = b"\x01\0\x01\0" + (8000).to_bytes(4, "little") + (16000).to_bytes(4, "little") + b"\x02\0\x10\0"
    return head + form + b"data" + size.to_bytes(4, "little") + samples


async def test_prompt_from_the_web(talk: Conversation) -> None:
    """ARI plays `sound:http://…`, and asks for it once."""
    async with _web_prompt() as (url, asked):
        for _ in range(2):
            since = time.monotonic()
            assert await talk.announce(f"sound:{url}") == "done"
            await _hears_whole(talk.at_caller, since)
        assert asked == ["GET"]


async def test_dialplan_plays_from_the_web(lab: Asterisk) -> None:
    """The dialplan's Playback() takes an http URL too."""
    async with _web_prompt() as (url, _):
        lab.write_config("extensions.d/web.conf", f"[from-caller](+)\nexten => 7,1,Playback({url})\n")
        await lab.cli("dialplan reload")
        caller = await lab.caller()
        call = await caller.dial("7")
        await call.is_answered()
        await call.is_ended(8)
        assert listening.heard_whole(call, WARNING)


# To the agent alone


@pytest.mark.parametrize("state", ["caller speaks", "caller muted", "in softmix"])
async def test_whisper_to_the_agent_alone(talk: Conversation, state: str) -> None:
    """What a whisper to the agent reaches: the caller never hears it; with a muted caller the agent neither."""
    write_wav(talk.lab.sounds / "beep.wav", tone(TONE_HZ, 0.6))
    write_wav(talk.lab.sounds / "quiet.wav", np.zeros(8000 * 5))
    if state != "caller speaks":
        talk.at_caller.mute()
    if state == "in softmix":
        await talk.play(await talk.announcer(talk.caller["id"]), "sound:quiet")
        came = time.monotonic()
        await until(lambda: listening.packets(talk.at_agent, came) > 10)
    since = time.monotonic()
    snoop = await talk.ari.call(
        "POST", f"channels/{talk.agent['id']}/snoop", app=talk.ari.app, whisper="out", spy="none"
    )
    await talk.ari.event("StasisStart", lambda e: e["channel"]["id"] == snoop["id"])
    assert await talk.ari.finished(await talk.play(snoop["id"], "sound:beep")) == "done"
    heard = listening.heard_loud_at(talk.at_agent, since) is not None
    assert heard == (state != "caller muted")
    assert listening.heard_loud_at(talk.at_caller, since) is None


# Ending


@pytest.mark.parametrize("by", ["name", "id"])
async def test_redirect_frees_the_agent(talk: Conversation, by: str) -> None:
    """AMI Redirect of the caller: the agent's phone is free first, the caller hears the whole closing, then BYE."""
    talk.at_agent.say(tone(AGENT_HZ))
    async with Ami(talk.lab) as ami:
        since = time.monotonic()
        reply = await ami.send("Redirect", Channel=talk.caller[by], Context="bagvagt", Exten="closing", Priority="1")
    assert reply["Response"] == "Success"
    await talk.at_agent.is_ended()
    assert not talk.at_caller.ended.is_set()
    await talk.at_caller.is_ended()
    assert listening.heard_whole(talk.at_caller, CLOSING, since)
    assert talk.at_agent.bye_at is not None
    assert talk.at_caller.bye_at is not None
    assert talk.at_agent.bye_at < talk.at_caller.bye_at


async def test_deleted_channel_is_hung_up(talk: Conversation) -> None:
    """DELETE /channels/{id} gives the phone its BYE."""
    await talk.ari.call("DELETE", f"channels/{talk.agent['id']}")
    await talk.at_agent.is_ended()
    assert talk.at_agent.bye_at is not None


# A third person


@pytest.mark.parametrize("muted", [False, True])
async def test_third_person_stays_with_the_caller(talk: Conversation, muted: bool) -> None:  # noqa: FBT001
    """A colleague brought in by BridgeAdd hears both; when the agent hangs up, caller and colleague go on."""
    colleague = await talk.lab.phone("colleague", audio=tone(COLLEAGUE_HZ))
    talk.at_caller.say(tone(CALLER_HZ))
    talk.at_agent.mute(on=muted)
    async with Ami(talk.lab) as ami:
        await ami.send(
            "Originate",
            Channel="PJSIP/colleague",
            Application="BridgeAdd",
            Data=talk.caller["id"],
            Async="true",
        )
        at_colleague = await colleague.takes()
        since = time.monotonic()
        await listening.hears(at_colleague, CALLER_HZ, since)
        await listening.hears(talk.at_caller, COLLEAGUE_HZ, since)
        await talk.at_agent.hang_up()
    since = time.monotonic()
    await listening.hears(at_colleague, CALLER_HZ, since)
    await listening.hears(talk.at_caller, COLLEAGUE_HZ, since)


# Keys


async def test_key_by_applicationmap(talk: Conversation) -> None:
    """The agent's *91 arrives as a UserEvent; its digits do not reach the caller."""
    async with Ami(talk.lab) as ami:
        await talk.at_agent.press("*91")
        event = await ami.event("UserEvent", lambda e: e.get("UserEvent") == "BagvagtKey")
        assert event["Key"] == "end"
        await talk.at_agent.press("5")
        await until(lambda: "5" in talk.at_caller.rtp.keys, what="an ordinary key reaches the caller")
    assert talk.at_caller.rtp.keys == "5"


async def test_no_key_is_seen_in_a_plain_call(asterisk: Asterisk) -> None:
    """Without an application map AMI shows no DTMF event, though the caller's phone gets the digits."""
    async with Ari(asterisk) as ari, Ami(asterisk) as ami:
        plain = await Conversation(asterisk, ari).begin()
        await plain.at_agent.press("*91")
        await until(lambda: plain.at_caller.rtp.keys == "*91")
        await ami.send("UserEvent", UserEvent="Marker")
        await ami.event("UserEvent", lambda e: e.get("UserEvent") == "Marker")
        assert not [e for e in ami.events if e.get("Event", "").startswith("DTMF")]


async def test_features_by_a_global(asterisk_lab: MakeAsterisk) -> None:
    """DYNAMIC_FEATURES may be a global variable: no line of the site's own dialplan needs to change."""
    lab = await asterisk_lab(
        extra={
            "features.d/bagvagt.conf": FEATURES,
            "extensions.d/bagvagt.conf": "[globals]\nDYNAMIC_FEATURES=bagvagt_end\n",
        }
    )
    async with Ari(lab) as ari, Ami(lab) as ami:
        talk = await Conversation(lab, ari).begin()
        await talk.at_agent.press("*91")
        await ami.event("UserEvent", lambda e: e.get("UserEvent") == "BagvagtKey")


# Pauses


async def _member(ami: Ami, interface: str) -> dict[str, str]:
    start = len(ami.events)
    await ami.send("QueueStatus", Queue="support")
    await ami.event("QueueStatusComplete", start=start)
    return next(e for e in ami.events[start:] if e.get("Location") == interface)


async def test_one_reason_per_pause(lab: Asterisk) -> None:
    """A second pause overwrites the first one's reason, and one unpause lifts both: the PBX knows no owner."""
    async with Ami(lab) as ami:
        for reason in ("lunch", "bagvagt"):
            await ami.send("QueuePause", Interface="PJSIP/agent1", Paused="true", Reason=reason)
        assert (await _member(ami, "PJSIP/agent1"))["PausedReason"] == "bagvagt"
        await ami.send("QueuePause", Interface="PJSIP/agent1", Paused="false")
        assert (await _member(ami, "PJSIP/agent1"))["Paused"] == "0"


async def test_only_dynamic_members_stay_paused(lab: Asterisk) -> None:
    """After a restart a static member's pause is gone; a dynamic member and its pause are still there."""
    async with Ami(lab) as ami:
        await ami.send("QueueAdd", Queue="support", Interface="PJSIP/agent2", MemberName="agent2")
        for interface in ("PJSIP/agent1", "PJSIP/agent2"):
            await ami.send("QueuePause", Interface=interface, Paused="true", Reason="bagvagt")
    await lab.restart()
    async with Ami(lab) as ami:
        assert (await _member(ami, "PJSIP/agent1"))["Paused"] == "0"
        assert (await _member(ami, "PJSIP/agent2"))["Paused"] == "1"


# The dialplan


async def test_reload_wipes_added_extensions(lab: Asterisk) -> None:
    """DialplanExtensionAdd works until the next `dialplan reload`: hence the static include."""
    async with Ami(lab) as ami:
        reply = await ami.send(
            "DialplanExtensionAdd",
            Context="bagvagt",
            Extension="added",
            Priority="1",
            Application="NoOp",
        )
        assert reply["Response"] == "Success"
    assert "'added'" in await lab.cli("dialplan show bagvagt")
    await lab.cli("dialplan reload")
    shown = await lab.cli("dialplan show bagvagt")
    assert "'added'" not in shown
    assert "'join'" in shown
