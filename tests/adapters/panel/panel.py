"""The panel's API over a real engine and the engine's fakes, with somebody logged in, and a reader of streams.

Who sends a request stands in a header of the tests' own; what they may do is what `adapters.panel.access` says.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from adapters.accounts.model import IDENTITY, Identity, Role
from adapters.http.problems import Respond, problem, unknown_token
from adapters.panel.access import PUBLIC, TABLE, may
from tests.adapters.http.site import Site, site
from tests.policies.story import ANNA, BO


def _who(name: str, *roles: Role, **more: str) -> Identity:
    return Identity(name, frozenset(roles), session=f"session of {name}", **more)


PEOPLE = {
    one.name: one
    for one in (
        _who("anna", Role.AGENT, agent=ANNA),
        _who("bo", Role.AGENT, agent=BO),
        _who("newcomer", Role.AGENT),
        _who("kim", Role.CHIEF, person="kim"),
        _who("lis", Role.BACKUP, person="lis"),
        _who("olga", Role.ADMIN),
        _who("per", Role.AUDITOR),
        _who("eva", Role.CHIEF, Role.AGENT, agent="eva"),
    )
}


@web.middleware
async def logged_in(request: web.Request, handler: Respond) -> web.StreamResponse:
    """Stands in for `adapters.panel.identity`: the same table, and a header instead of a cookie."""
    if request.match_info.http_exception is not None:
        return await handler(request)
    resource = request.match_info.route.resource
    place = request.method, resource.canonical if resource else ""
    identity = PEOPLE.get(request.headers.get("X-Who", ""))
    if identity is not None:
        request[IDENTITY] = identity
    if TABLE.get(place, PUBLIC) is not PUBLIC:  # routes that a test has made for itself are open
        if identity is None:
            return unknown_token()
        if not may(identity, place):
            return problem(403, "role", "This is not among what you may do")
    return await handler(request)


def by(name: str) -> dict[str, str]:
    """Return the headers of a request of theirs."""
    return {"X-Who": name}


def panel(**more: Any) -> AbstractAsyncContextManager[Site]:
    """Run it all; a context manager."""
    return site(middlewares=[logged_in], **more)


class Following:
    """A stream, as a client reads it.

    Attributes:
        answer: the response.
        lines: as they came.
    """

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer
        self.lines: list[str] = []

    async def event(self) -> tuple[str, str]:
        """Return the next event: its name and data."""
        name, data = "", []
        while True:
            async with asyncio.timeout(10):
                line = (await self.answer.content.readline()).decode()
            if not line:
                raise EOFError
            self.lines.append(line)
            field, _, value = line.rstrip("\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif not field and name:
                return name, "\n".join(data)

    async def of(self, kind: str) -> Any:
        """Return the JSON of the next event of a kind."""
        while True:
            name, data = await self.event()
            if name == kind:
                return json.loads(data)

    async def until(self, **fields: Any) -> Any:
        """Return the next screen that shows these."""
        while True:
            shown = await self.of("screen")
            if all(shown[name] == value for name, value in fields.items()):
                return shown

    async def ended(self) -> None:
        """Read to the end."""
        try:
            while True:
                await self.event()
        except (EOFError, aiohttp.ClientPayloadError, ConnectionError):
            return


@asynccontextmanager
async def following(s: Site, path: str, who: str) -> AsyncIterator[Following]:
    """Open a stream."""
    async with s.client.get(path, headers=by(who), timeout=aiohttp.ClientTimeout(total=None)) as answer:
        assert answer.status == 200, await answer.text()
        yield Following(answer)
