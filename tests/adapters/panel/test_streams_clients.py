"""Clients that are slow, dead, too many or not welcome any more; and what many streams cost."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from adapters.panel.api import PANEL
from adapters.panel.routes import Route
from adapters.panel.stream import MOST_UNSENT
from adapters.panel.streams import MOST_OF_ONE, Look
from policies import events as ev
from policies.model import AgentId
from telephony.screens.model import AgentScreen, DutyScreen
from tests.adapters.http.site import Site
from tests.adapters.panel.panel import by, following, panel
from tests.policies.story import ANNA, call

AGENT, DUTY = "/v1/screens/agent/stream", "/v1/screens/duty/stream"
HUGE = "x" * 3_000_000

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _own(draw: Callable[[AgentScreen], str]) -> Route:
    """A stream of Anna's screen that is drawn otherwise."""

    async def stream(request: web.Request) -> web.StreamResponse:
        panel = request.app[PANEL]
        return await panel.hub.agent(request, panel.screens, ANNA, Look("own", draw))

    return Route("GET", "/own", stream, "")


def reload(s: Site) -> None:
    """Something that concerns every screen."""
    s.service.engine.reload(s.service.engine.policy.now)


async def test_a_client_that_does_not_read_is_dropped_and_delays_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its picture does not fit into what a connection may hold back; the screens of others go on meanwhile."""
    monkeypatch.setattr("adapters.panel.stream.WRITE_WITHIN_S", 0.5)
    async with panel(routes=[_own(lambda _picture: HUGE)]) as s, following(s, AGENT, "bo") as other:
        await other.until(mood="free")
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", s.server.port))
        slow.sendall(b"GET /own HTTP/1.1\r\nHost: x\r\nX-Who: anna\r\n\r\n")
        await s.service.until(lambda: len(s.hub) == 2)
        s.service.pbx.emit(ev.PbxLost(**s.service.engine.stamp(), epoch=s.service.engine.state.epoch))
        assert (await other.of("screen"))["keys"][0]["reason"] == "pbx_away"
        assert len(s.hub) == 2
        await s.service.until(lambda: len(s.hub) == 1)
        s.service.pbx.connect()
        assert (await other.of("screen"))["keys"][0]["reason"] == "no_call"
        slow.close()


async def test_a_slow_client_skips_pictures_and_little_is_held_back_for_it() -> None:
    """Three hundred changes that it does not read: what waits for it is one picture and a bit, not all that were."""
    drawn = 0

    def draw(_picture: AgentScreen) -> str:
        nonlocal drawn
        drawn += 1
        return f"{drawn} {'x' * 2_000}"

    async with panel(routes=[_own(draw)]) as s:
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", s.server.port))
        slow.sendall(b"GET /own HTTP/1.1\r\nHost: x\r\nX-Who: anna\r\n\r\n")
        await s.service.until(lambda: drawn == 1)
        for number in range(300):
            s.service.pbx.calls = (call(number),)
            s.service.pbx.emit(ev.CallChanged(**s.service.engine.stamp(), call=call(number)))
            await s.service.settled()
        assert drawn < 150
        (stream,) = s.hub._streams[ANNA]
        assert stream.request.transport is not None
        assert stream.request.transport.get_write_buffer_size() < 3_000 + MOST_UNSENT
        slow.close()


async def test_a_client_that_has_gone_is_forgotten_with_the_next_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tab that was closed: nothing of it is kept."""
    monkeypatch.setattr("adapters.panel.streams.BEAT_S", 0.02)
    async with panel() as s:
        async with following(s, AGENT, "anna") as stream:
            await stream.of("screen")
            assert len(s.hub) == 1
        await s.service.until(lambda: len(s.hub) == 0)
        assert (s.hub._streams, dict(s.hub._of)) == ({}, {})


async def test_who_has_logged_out_sees_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session was revoked: its streams end by themselves, and another one's do not."""
    monkeypatch.setattr("adapters.panel.streams.BEAT_S", 0.02)
    async with panel() as s, following(s, AGENT, "anna") as gone, following(s, DUTY, "kim") as other:
        await gone.of("screen")
        s.revoked.add("anna")
        await gone.ended()
        await other.of("alive")
        assert len(s.hub) == 1


async def test_streams_end_when_the_service_does() -> None:
    """At once, also one that waits for its beat; and none begins any more."""
    async with panel() as s, following(s, AGENT, "anna") as own, following(s, DUTY, "kim") as duty:
        await own.of("screen")
        await duty.of("screen")
        await s.hub.close()
        await own.ended()
        await duty.ended()
        async with following(s, AGENT, "bo") as late:
            await late.ended()
            assert "event: screen\n" not in late.lines
        assert s.server._runner.app.on_shutdown[-1] == s.hub.close


async def test_a_stuck_client_does_not_hold_the_end_up() -> None:
    """Nothing can be written to it: its connection is cut."""
    async with panel(routes=[_own(lambda _picture: HUGE)]) as s:
        _, writer = await asyncio.open_connection("127.0.0.1", s.server.port, limit=1)
        writer.write(b"GET /own HTTP/1.1\r\nHost: x\r\nX-Who: anna\r\n\r\n")
        await s.service.until(lambda: any(one.is_writing for one in s.hub._streams.get(AgentId("anna"), ())))
        await s.hub.close()
        await s.service.until(lambda: len(s.hub) == 0, within_s=3)
        writer.close()


async def test_one_who_opens_screens_without_end_is_stopped_and_nobody_else() -> None:
    """429 for the thirteenth; another one's first opens, and so does the own one once another is closed."""
    async with panel() as s, AsyncExitStack() as open_ones:
        for _ in range(MOST_OF_ONE):
            await open_ones.enter_async_context(following(s, AGENT, "anna"))
        await s.service.until(lambda: len(s.hub) == MOST_OF_ONE)
        status, body = await s.ask("GET", AGENT, headers=by("anna"))
        assert (status, body["type"]) == (429, "urn:bagvagt:problem:too-many-streams")
        async with following(s, AGENT, "bo") as other:
            await other.until(mood="free")


async def test_the_duty_desks_screen_is_drawn_once_for_all_who_look_in_one_language() -> None:
    """Three desks, one drawing for each picture; in another language its own."""
    drawn: list[str] = []

    def draw_in(language: str) -> Handler:
        def draw(picture: DutyScreen) -> str:
            drawn.append(language)
            return picture.model_dump_json(by_alias=True)

        async def stream(request: web.Request) -> web.StreamResponse:
            panel = request.app[PANEL]
            return await panel.hub.duty(request, panel.screens, Look(f"html:{language}", draw))

        return stream

    routes = [Route("GET", f"/duty-{language}", draw_in(language), "") for language in ("da", "fi")]
    async with panel(routes=routes) as s, AsyncExitStack() as desks:
        paths = ("/duty-da", "/duty-da", "/duty-da", "/duty-fi")
        streams = [await desks.enter_async_context(following(s, path, "kim")) for path in paths]
        for stream in streams:
            await stream.of("screen")
        assert sorted(drawn) == ["da", "fi"]
        await s.ask("POST", "/v1/keys/suicide", headers=by("anna"))
        for stream in streams:
            while not (await stream.of("screen"))["pages"]:
                pass
        assert drawn.count("da") == drawn.count("fi")


async def test_a_bug_in_drawing_ends_that_stream_alone_and_is_in_the_log() -> None:
    """The client comes back by itself; others see nothing of it."""

    def fail(_picture: AgentScreen) -> str:
        raise RuntimeError("a bug")

    with capture_logs() as logs:
        async with panel(routes=[_own(fail)]) as s, following(s, AGENT, "bo") as other:
            await other.until(mood="free")
            async with following(s, "/own", "anna") as broken:
                await broken.ended()
            await s.service.until(lambda: len(s.hub) == 1)
            reload(s)
            s.service.pbx.emit(ev.PbxLost(**s.service.engine.stamp(), epoch=s.service.engine.state.epoch))
            assert (await other.of("screen"))["keys"][0]["reason"] == "pbx_away"
    assert [entry["error"] for entry in logs if entry["event"] == "stream_failed"] == ["RuntimeError"]


async def test_text_of_many_lines_arrives_as_it_was() -> None:
    """HTML has line ends of three kinds; an event stream has one."""
    text = "<p>one\ntwo\r\nthree\rfour</p>\n\nevent: alive"
    async with panel(routes=[_own(lambda _picture: text)]) as s, following(s, "/own", "anna") as stream:
        assert (await stream.event())[0] == "alive"
        assert await stream.event() == ("screen", "<p>one\ntwo\nthree\nfour</p>\n\nevent: alive")


async def test_between_two_pictures_the_loop_gets_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """All screens change at once: a key that comes meanwhile waits for one picture, not for all of them."""
    turn = 0

    async def count() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    async with panel() as s, AsyncExitStack() as open_ones:
        for who in ("anna", "bo"):
            for _ in range(8):
                stream = await open_ones.enter_async_context(following(s, AGENT, who))
                await stream.of("screen")
        built_at: list[int] = []
        build = s.panel.screens.agent

        def noted(agent: AgentId) -> AgentScreen:
            built_at.append(turn)
            return build(agent)

        monkeypatch.setattr(s.panel.screens, "agent", noted)
        counting = asyncio.create_task(count())
        reload(s)
        await s.service.until(lambda: len(built_at) == 16)
        counting.cancel()
        assert len(set(built_at)) == 16
