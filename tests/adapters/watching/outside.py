"""The world outside, on loopback: a server that behaves as told, and time that goes on when told."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.lab.service import free_port
from tests.lab.waiting import until

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Asked:
    """One request: method, path with query, body."""

    method: str
    path: str
    body: str


def says(status: int, body: str = "OK", **headers: str) -> Behaviour:
    """Answers with this."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=body, headers=headers)

    return answer


def healthy(*why: str) -> Behaviour:
    """Answers as a Bagvagt does that has these against it."""
    return says(503 if why else 200, json.dumps({"ok": not why, "why": why}))


async def hangs(_request: web.Request) -> web.StreamResponse:
    """Takes the request, and never answers."""
    await asyncio.Event().wait()
    raise AssertionError


async def drips(request: web.Request) -> web.StreamResponse:
    """Answers at once, and never comes to the end of its body."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"O")
    return await hangs(request)


async def drops(request: web.Request) -> web.StreamResponse:
    """Closes the connection instead of an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


class Outside:
    """Somebody on another machine.

    Attributes:
        behaves: what is done with a request.
        asked: the requests, oldest first.
        url: where.
    """

    def __init__(self, behaves: Behaviour | None = None) -> None:
        self.behaves = behaves or says(200)
        self.asked: list[Asked] = []
        self.port = free_port()
        self._ssl: Any = None

    @property
    def url(self) -> str:
        return f"{'https' if self._ssl else 'http'}://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        return [a.path for a in self.asked]

    async def _take(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(Asked(request.method, request.path_qs, await request.text()))
        return await self.behaves(request)

    @asynccontextmanager
    async def running(self, ssl: Any = None) -> AsyncIterator["Outside"]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        self._ssl = ssl
        await web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=ssl).start()
        try:
            yield self
        finally:
            await runner.cleanup()


class Time:
    """Time that stands still until a test lets it pass: an injected `sleep` and `now_s`.

    Attributes:
        at_s: the monotonic clock.
    """

    def __init__(self) -> None:
        self.at_s = 0.0
        self._sleeping: list[tuple[float, asyncio.Event]] = []

    def now_s(self) -> float:
        return self.at_s

    async def sleep(self, seconds: float) -> None:
        until_s, awake = self.at_s + seconds, asyncio.Event()
        self._sleeping.append((until_s, awake))
        try:
            await awake.wait()
        finally:
            self._sleeping.remove((until_s, awake))

    async def slept(self, sleepers: int = 1) -> float:
        """Wait until this many sleep; return how long the first of them still will."""
        await until(lambda: len(self._sleeping) >= sleepers, 20, "somebody sleeps")
        return min(u for u, _ in self._sleeping) - self.at_s

    async def goes_on(self, sleepers: int = 1) -> float:
        """Once this many sleep, wake the one whose time comes first; return how long it slept on."""
        seconds = await self.slept(sleepers)
        until_s, awake = min(self._sleeping, key=lambda s: s[0])
        self.at_s = until_s
        awake.set()
        await asyncio.sleep(0)
        return seconds


@asynccontextmanager
async def running(work: Awaitable[None]) -> AsyncIterator[None]:
    """Run it; on leaving it is cancelled, and must not have ended before."""
    task = asyncio.ensure_future(work)
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
