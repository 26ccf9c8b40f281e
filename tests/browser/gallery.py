"""The panel's pages on a server of their own, with pictures and answers that the test chooses."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

import adapters.panel
from adapters.accounts.model import Role
from adapters.panel.pages import Pages, Site, Viewer
from telephony.screens.model import AgentScreen, DutyScreen
from tests.browser import pictures

STATIC = Path(adapters.panel.__file__).with_name("static")
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; worker-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SITE = Site("Eksempel Kommune", ZoneInfo("Europe/Copenhagen"), pictures.ACUTE_KINDS, desk="+45 20 30 40 49")
ALIVE_EVERY_S = 0.5


class Gallery:
    """What the browser sees.

    Attributes:
        agent: the picture on the agent's screen; likewise `duty`, which the wallboard shows too.
        language: of the viewer.
        roles: of the viewer.
        posts: (path, body) of every act, in order.
        answer: what acts are answered with, (status, body).
        may_answer: acts wait for it.
        is_logged_in: streams are refused without.
        is_silent: streams stand, and nothing comes.
        url: where it is.
    """

    def __init__(self) -> None:
        self.agent: AgentScreen = pictures.agent()
        self.duty: DutyScreen = pictures.duty()
        self.language = "da"
        self.roles = frozenset({Role.AGENT})
        self.posts: list[tuple[str, Any]] = []
        self.answer: tuple[int, dict[str, Any]] = (200, {"verdict": "accepted", "reason": "flagged"})
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.is_logged_in = True
        self.is_silent = False
        self.url = ""
        self._pages = Pages(SITE, lambda _: Viewer("Anna", self.roles, self.language, "token-of-the-test"))
        self._runner: web.AppRunner
        self._port = 0
        self._changed = asyncio.Condition()
        self._version = 0

    async def show(self, *, agent: AgentScreen | None = None, duty: DutyScreen | None = None) -> None:
        """Change what is seen, on every open screen."""
        self.agent, self.duty = agent or self.agent, duty or self.duty
        self._version += 1
        async with self._changed:
            self._changed.notify_all()

    async def start(self) -> None:
        """Listen, on the same port as the time before."""
        app = web.Application()
        app.on_response_prepare.append(_add_headers)
        app.router.add_get("/panel/agent", self._pages.agent)
        app.router.add_get("/panel/duty", self._pages.duty)
        app.router.add_get("/panel/wall", self._pages.wall)
        app.router.add_get("/panel/{screen}/stream", self._stream)
        app.router.add_post("/v1/{path:.*}", self._take)
        app.router.add_static("/panel/static", STATIC)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """Be gone."""
        await self._runner.cleanup()

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if not self.is_logged_in:
            return web.json_response({"status": 401}, status=401)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        sent = -1
        with contextlib.suppress(ConnectionError):
            while True:
                if not self.is_silent:
                    if sent != self._version:
                        sent = self._version
                        await response.write(_event("screen", self._html(request.match_info["screen"])))
                    await response.write(_event("alive", self._alive()))
                await self._wait(self._version if self.is_silent else sent)
        return response

    async def _wait(self, sent: int) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ALIVE_EVERY_S), self._changed:
                await self._changed.wait_for(lambda: sent != self._version)

    def _html(self, screen: str) -> str:
        if screen == "agent":
            return self._pages.render_agent(self.agent, self.language)
        draw = self._pages.render_duty if screen == "duty" else self._pages.render_wall
        return draw(self.duty, self.language)

    def _alive(self) -> str:
        protection = self.agent.protection if not self.agent.protection.on else self.duty.protection
        return json.dumps({"now": datetime.now(UTC).isoformat(), "protection": protection.model_dump()})

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.posts.append((request.path, body))
        await self.may_answer.wait()
        status, answer = self.answer
        return web.json_response(answer, status=status)


def _event(name: str, data: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in data.splitlines())
    return f"event: {name}\n{lines}\n".encode()


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Content-Security-Policy"] = CSP


@contextlib.asynccontextmanager
async def gallery() -> AsyncIterator[Gallery]:
    """Run one."""
    made = Gallery()
    await made.start()
    try:
        yield made
    finally:
        await made.stop()
