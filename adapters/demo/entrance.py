"""The way into the panel in the demo: two people to be, without a password; and the callers' line, to listen to.

It stands beside the panel, on a port of its own, and opens nothing that is not the demo's: the panel's own table of who
may what is the product's. A browser sends one cookie to all ports of a host name, and keeps those of 127.0.0.1 and of
localhost apart: so one browser is the agent at the one, and the chief at the other.
"""

import contextlib
import json
from asyncio import sleep
from collections.abc import AsyncIterator
from pathlib import Path
from string import Template
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from adapters.demo.stage import Stage
from adapters.demo.visitors import CHIEF, YOU
from adapters.from_settings import prompt_library
from adapters.http.problems import add_headers, problem
from adapters.http.server import HttpConfig, HttpServer
from adapters.panel.identity import COOKIE
from adapters.panel.login import see, set_cookie
from adapters.panel.pages import STATIC
from adapters.simulator.parts import Role

AGENTS_HOST: Final = "127.0.0.1"
DESKS_HOST: Final = "localhost"
_FILES = Path(__file__).with_name("start")
_LOOK_EVERY_S = 0.05
_LINES = 8
_INVITATION = """

In a browser on this machine:

  http://{agents}:{port}/       start here: what to press, what callers hear
  http://{agents}:{port}/agent  the agent's screen; callers ring you there
  http://{desks}:{port}/desk   the duty desk; you are Mette, the chief

Two names of one machine, so that one browser can be two people at once.
"""


class Entrance:
    """What a browser finds there.

    Args:
        stage: the demo.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._prompts = prompt_library(stage.settings)
        self._is_over = False
        app = web.Application(middlewares=[_on_this_machine])
        app.on_response_prepare.append(add_headers)
        app.on_shutdown.append(self._end)
        app.router.add_get("/", self._start)
        app.router.add_get("/agent", self._agent)
        app.router.add_get("/desk", self._desk)
        app.router.add_get("/stream", self._stream)
        app.router.add_get("/prompts/{name}.wav", self._prompt)
        app.router.add_static("/start", _FILES)
        app.router.add_static("/panel/static", STATIC)
        self.server = HttpServer(HttpConfig(port=0), app)

    async def _end(self, _app: web.Application) -> None:
        self._is_over = True

    async def _start(self, _request: web.Request) -> web.Response:
        html = Template((_FILES / "start.html").read_text(encoding="utf-8"))
        return web.Response(text=html.substitute(port=self.server.port), content_type="text/html")

    async def _agent(self, request: web.Request) -> web.Response:
        """Be the agent: from here on the callers are yours."""
        self._stage.turn.set()
        return await self._be(request, YOU, AGENTS_HOST, "/panel/agent")

    async def _desk(self, request: web.Request) -> web.Response:
        """Be the chief at the duty desk."""
        if not self._stage.is_desk_taken:
            self._stage.is_desk_taken = True
            self._stage.narrator.note("(You are at the duty desk, as Mette: in your turn nobody else answers alarms.)")
        return await self._be(request, CHIEF, DESKS_HOST, "/panel/duty")

    async def _be(self, request: web.Request, account: str, host: str, screen: str) -> web.Response:
        """Open a session of one of the demo's accounts, at the one host name where it is to be."""
        if request.url.host != host:
            return see(f"http://{host}:{self.server.port}{request.path}")
        await self._stage.alive.wait()  # it dies once in the shift, and comes back
        panel = self._stage.service.web
        browser = request.headers.get("User-Agent", "")
        token, _ = panel.login.sessions.start(account, "demo", request.remote or "", browser)
        answer = see(f"http://{host}:{panel.server.port}{screen}")
        set_cookie(answer, COOKIE, token)
        return answer

    async def _prompt(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in self._stage.words:
            return problem(404, "no-such-prompt", "No such prompt")
        file = self._prompts.find(name, self._stage.settings.site.language).path
        return web.FileResponse(file, headers={"Content-Type": "audio/wav"})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """Tell what happens, and what a caller hears, as long as somebody listens."""
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        answer.force_close()
        await answer.prepare(request)
        told = self._stage.narrator.told
        seen, heard = max(0, len(told) - _LINES), ("", "")
        with contextlib.suppress(ConnectionError):
            while not self._is_over:
                for at, who, what in told[seen:]:
                    await _send(answer, "told", at=at, who=who, what=what)
                seen = len(told)
                hears = self._hears()
                if hears != heard:
                    heard, (_, name) = hears, hears
                    await _send(answer, "hears", name=name, words=self._stage.words.get(name, ""))
                await sleep(_LOOK_EVERY_S)
        return answer

    def _hears(self) -> tuple[str, str]:
        """Return which prompt a caller hears now, and its name; the telephone system's truth, not a screen's."""
        for play in self._stage.world.media.plays.values():
            sort, _, name = play.what.partition(":")
            if sort == "prompt" and any(leg.role is Role.CALLER for leg in play.listeners()):
                return play.id, name.partition(":")[0]
        return "", ""


@contextlib.asynccontextmanager
async def entrance(stage: Stage) -> AsyncIterator[None]:
    """Open it, and say where it is."""
    server = Entrance(stage).server
    await server.start()
    stage.invitation = _INVITATION.format(agents=AGENTS_HOST, desks=DESKS_HOST, port=server.port)
    stage.narrator.note(stage.invitation)
    try:
        yield
    finally:
        await server.stop()


@web.middleware
async def _on_this_machine(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what another machine's name leads here, so that no other site's script can be one of these people."""
    if request.url.host not in (AGENTS_HOST, DESKS_HOST):
        return problem(403, "not-here", "The demo is for this machine alone")
    return await handler(request)


async def _send(answer: web.StreamResponse, event: str, **data: str) -> None:
    await answer.write(f"event: {event}\ndata: {json.dumps(data)}\n\n".encode())
