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

from tests.asterisk.facts import (
    AGENT_HZ,
    CALLER_HZ,
    PACKETS_PER_S,
    TONE_HZ,
    WARNING,
    Conversation,
    hears_whole,
)
from tests.lab import listening
from tests.lab.asterisk import Asterisk
from tests.lab.audio import tone, write_wav
from tests.lab.confs import CALLERS_IP
from tests.lab.raw import Ari
from tests.lab.waiting import until

pytestmark = pytest.mark.asterisk


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
    await hears_whole(talk.at_caller, since)
    if state != "held":
        await hears_whole(talk.at_agent, since)
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
        await hears_whole(talk.at_caller, since)


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
            await hears_whole(talk.at_caller, since)
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
