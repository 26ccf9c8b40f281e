"""What the pager's tests stand on: a clock, messages, and a gateway that behaves as told."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self

from aiohttp import web

from policies.actions import Notify, StandDown
from policies.rules import Severity

NUMBER = "+4520304050"
LIMIT_S = 20.0


@dataclass
class HandClock:
    """A clock that a test turns by hand; fits `telephony.ports.Clock`."""

    at: datetime = datetime(2027, 3, 28, 2, 30, tzinfo=UTC)
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def now(self) -> datetime:
        return self.at

    def new_id(self) -> str:
        return f"e{next(self._ids)}"

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def alarm(channel: str, address: str, **changed: object) -> Notify:
    """One message of page `p-1-backup`, about incident `i-7`."""
    values: dict[str, object] = {
        "id": "a-1",
        "page": "p-1-backup",
        "incident": "i-7",
        "reason": "call",
        "severity": Severity.ACUTE,
        "person": "Anna",
        "channel": channel,
        "address": address,
        "language": "da",
        "step": 0,
        "attempt": 1,
        "message": "p-1-backup.0",
    }
    return Notify(**{**values, **changed})  # type: ignore[arg-type]  # the record checks nothing, its readers do


def taken(*told: tuple[str, str, str]) -> StandDown:
    """The same page, taken by Bo."""
    return StandDown(id="a-9", page="p-1-backup", incident="i-7", by="Bo", told=told)


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Seen:
    """A request as the gateway read it."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


class Gateway:
    """An HTTP server on loopback that notes what it gets and answers as told."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.seen: list[Seen] = []
        self.has_read = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/send"

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append(Seen(request.method, request.path, request.query_string, dict(request.headers), body))
        self.has_read.set()
        return await self.answer(request)


def says(status: int, text: str = "", **headers: str) -> Answer:
    """Answers with this, always."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return answer


async def never(_: web.Request) -> web.StreamResponse:
    """Has read the request, and says nothing."""
    await asyncio.Event().wait()
    raise AssertionError


async def resets(request: web.Request) -> web.StreamResponse:
    """Has read the request, and cuts the connection."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def dawdles(request: web.Request) -> web.StreamResponse:
    """Says 200, and never comes to the end of its body."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"{")
    await asyncio.Event().wait()
    return response
