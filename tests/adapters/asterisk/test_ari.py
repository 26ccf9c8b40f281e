"""The ARI client against a server that misbehaves as networks and PBXs do."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from adapters.asterisk.ami import AmiTiming
from adapters.asterisk.ari import AriClient
from adapters.asterisk.ari_codec import AriEvent
from telephony.errors import (
    LegGoneError,
    PbxError,
    PbxRejectedError,
    PbxTimeoutError,
    PbxUnreachableError,
)
from tests.lab.waiting import until

PASSWORD = "very-secret"
QUICK = AmiTiming(ping_every_s=0.1, ping_reply_s=0.2, retry_first_s=0.01, retry_most_s=0.02, refused_s=0.02)


class FakeAri:
    """An HTTP server that plays ARI.

    Attributes:
        asked: (method, path) of each request but pings.
        sockets: open websockets, oldest first.
        answers_pings: whether `/asterisk/ping` is answered.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.sockets: list[web.WebSocketResponse] = []
        self.connected = 0
        self.answers_pings = True
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/ari/events", self._events)
        app.router.add_get("/ari/asterisk/ping", self._ping)
        app.router.add_route("*", "/ari/{path:.*}", self._request)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        for socket in self.sockets:
            await socket.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if "Authorization" not in request.headers or request.query["app"] == "refused":
            return web.Response(status=401)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connected += 1
        self.sockets.append(socket)
        async for _ in socket:
            pass
        self.sockets.remove(socket)
        return socket

    async def _ping(self, _request: web.Request) -> web.Response:
        if not self.answers_pings:
            await asyncio.sleep(60)
        return web.json_response({"ping": "pong"})

    async def _request(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        self.asked.append((request.method, path))
        if path == "slow":
            await asyncio.sleep(60)
        if path == "cut":
            assert request.transport is not None
            request.transport.abort()
        if path == "gone":
            return web.json_response({"message": "Channel not found"}, status=404)
        if path == "no":
            return web.json_response({"message": "Channel not in Stasis application"}, status=409)
        return web.json_response({"id": "x"})


@pytest.fixture
async def server() -> AsyncIterator[FakeAri]:
    fake = FakeAri()
    await fake.start()
    yield fake
    await fake.stop()


@contextlib.asynccontextmanager
async def connected(server: FakeAri, app: str = "bagvagt") -> AsyncIterator[tuple[AriClient, list[PbxError]]]:
    lost: list[PbxError] = []
    client = AriClient(server.url, "user", PASSWORD, app=app, on_lost=lost.append, timing=QUICK)
    running = asyncio.create_task(client.run())
    try:
        await until(lambda: client.is_ready or client.last_error)
        yield client, lost
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_answers_and_errors(server: FakeAri) -> None:
    """An answer is its body; 404 is a leg that is gone; another error is the PBX's no, with its own words."""
    async with connected(server) as (client, _):
        assert await client.ask("GET", "channels/1") == b'{"id": "x"}'
        with pytest.raises(LegGoneError, match="Channel not found"):
            await client.ask("DELETE", "gone")
        with pytest.raises(PbxRejectedError, match="not in Stasis") as refused:
            await client.ask("POST", "no", {"media": "sound:x"})
        assert refused.value.fields == {"status": "409"}


@pytest.mark.parametrize("path", ["slow", "cut"])
async def test_a_lost_answer_is_unknown_and_never_sent_again(server: FakeAri, path: str) -> None:
    """No answer, or a connection that breaks: PbxTimeoutError, and the request went out once."""
    async with connected(server) as (client, _):
        with pytest.raises(PbxTimeoutError):
            await client.ask("POST", path, timeout_s=0.1)
        assert server.asked == [("POST", path)]


async def test_nothing_is_sent_while_away(server: FakeAri) -> None:
    """Before the websocket is up, and after it is lost: PbxUnreachableError, and nothing was sent."""
    client = AriClient(server.url, "user", PASSWORD)
    with pytest.raises(PbxUnreachableError):
        await client.ask("GET", "channels")
    async with connected(server) as (client, _):
        await server.stop()
        await until(lambda: not client.is_ready)
        with pytest.raises(PbxUnreachableError):
            await client.ask("GET", "channels")
    assert server.asked == []


async def test_a_lost_websocket_fails_who_waits_and_comes_back(server: FakeAri) -> None:
    """Whoever waits for an event gets PbxTimeoutError; the client connects anew and takes events again."""
    async with connected(server) as (client, lost):
        async with client.expecting("PlaybackFinished", "p1") as finished:
            await server.sockets[0].close()
            with pytest.raises(PbxTimeoutError):
                await finished
        await until(lambda: server.connected == 2 and client.is_ready)
        assert len(lost) == 1
        async with client.expecting("PlaybackFinished", "p1") as finished:
            await server.sockets[0].send_str('{"type":"PlaybackFinished","playback":{"id":"p2","state":"done"}}')
            await server.sockets[0].send_str('{"type":"PlaybackFinished","playback":{"id":"p1","state":"done"}}')
            event = await asyncio.wait_for(finished, 2)
        assert event.subject == "p1"


async def test_every_event_is_told(server: FakeAri) -> None:
    """Whoever takes all events gets each, in order, also those that nobody expects."""
    told: list[AriEvent] = []
    client = AriClient(server.url, "user", PASSWORD, on_event=told.append, timing=QUICK)
    running = asyncio.create_task(client.run())
    try:
        await until(lambda: client.is_ready)
        for digit in "13":
            text = f'{{"type":"ChannelDtmfReceived","digit":"{digit}","channel":{{"id":"c"}}}}'
            await server.sockets[0].send_str(text)
        await until(lambda: len(told) == 2)
        assert [(e.type, e.subject, e.digit) for e in told] == [
            ("ChannelDtmfReceived", "c", "1"),
            ("ChannelDtmfReceived", "c", "3"),
        ]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_frozen_pbx_is_noticed(server: FakeAri) -> None:
    """A PBX that takes connections and answers nothing is lost, without anybody asking it for anything."""
    async with connected(server) as (client, lost):
        server.answers_pings = False
        await until(lambda: lost)
        server.answers_pings = True
        await until(lambda: client.is_ready)


async def test_an_application_that_was_taken_is_lost(server: FakeAri) -> None:
    """Another client with the same application takes the events away: that is said, as a refusal."""
    async with connected(server) as (client, lost):
        await server.sockets[0].send_str('{"type":"ApplicationReplaced","application":"bagvagt"}')
        await until(lambda: lost)
        assert isinstance(lost[0], PbxRejectedError)
        assert client.last_error is lost[0]


async def test_a_refused_log_in_is_said_without_the_password(server: FakeAri) -> None:
    """Refused: a rejection with no secret in the log, the error or the repr."""
    with capture_logs() as logs:
        async with connected(server, app="refused") as (client, _):
            await until(lambda: client.last_error)
            assert isinstance(client.last_error, PbxRejectedError)
            assert PASSWORD not in f"{client!r} {client.last_error!r}"
    assert any(entry["event"] == "ari_refused" for entry in logs)
    assert PASSWORD not in str(logs)
