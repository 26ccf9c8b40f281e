"""The PBX alone, told what to do by a script: the floor that the service is measured against."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Self

import aiohttp

from tests.lab import confs
from tests.lab.asterisk import Asterisk

LANGUAGE = "da"


class Bare:
    """The same PBX without the service: a script with its own Stasis application, that knows the caller's leg."""

    def __init__(self, pbx: Asterisk, media: str) -> None:
        self._pbx, self._media = pbx, media
        self._number = 0
        self._session: aiohttp.ClientSession
        self._begun: dict[str, asyncio.Future[None]] = {}
        self._ami: tuple[asyncio.StreamReader, asyncio.StreamWriter]

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Self]:
        """Connect ARI and AMI."""
        headers = {"Authorization": aiohttp.encode_basic_auth(confs.ARI_USER, confs.ARI_PASSWORD)}
        connector = aiohttp.TCPConnector(keepalive_timeout=10)
        async with aiohttp.ClientSession(headers=headers, connector=connector) as self._session:
            socket = await self._session.ws_connect(f"{self._pbx.http}/ari/events?app=bench")
            reading = asyncio.create_task(self._read(socket))
            self._ami = await asyncio.open_connection(*self._pbx.ami)
            await self._ami[0].readline()
            await self.action("Login", Username=confs.AMI_USER, Secret=confs.AMI_SECRET, Events="off")
            yield self
            reading.cancel()
            self._ami[1].close()
            await socket.close()

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            event = message.json()
            future = self._begun.get(event["channel"]["id"]) if event["type"] == "StasisStart" else None
            if future is not None and not future.done():
                future.set_result(None)

    async def action(self, name: str, **fields: str) -> None:
        """Send an AMI action, and wait for its reply."""
        reader, writer = self._ami
        writer.write("".join(f"{k}: {v}\r\n" for k, v in {"Action": name, **fields}.items()).encode() + b"\r\n")
        while not (await reader.readuntil(b"\r\n\r\n")).startswith(b"Response: Success"):
            pass

    async def leg(self) -> str:
        """Return the leg of the caller who rang last; the lab's dialplan keeps it."""
        async with self._session.get(
            f"{self._pbx.http}/ari/asterisk/variable", params={"variable": "BENCH_LEG"}
        ) as answer:
            leg: str = (await answer.json())["value"]
            return leg

    async def announce(self, leg: str) -> tuple[float, str]:
        """Play into the call; return when it was asked for, and the announcer."""
        self._number += 1
        announcer = f"bare-{self._number}"
        begun = self._begun[announcer] = asyncio.get_running_loop().create_future()
        body = {
            "endpoint": "Local/join@bagvagt/n",
            "app": "bench",
            "channelId": announcer,
            "otherChannelId": f"{announcer}-2",
            "variables": {"BAGVAGT_LEG": leg},
        }
        at = time.monotonic()
        async with self._session.post(f"{self._pbx.http}/ari/channels", json=body) as answer:
            await answer.read()
        await asyncio.wait_for(begun, 5)
        async with self._session.post(
            f"{self._pbx.http}/ari/channels/{announcer}/play", json={"media": self._media}
        ) as answer:
            await answer.read()
        return at, announcer

    async def hang_up(self, announcer: str) -> None:
        """Take the announcer out."""
        async with self._session.delete(f"{self._pbx.http}/ari/channels/{announcer}") as answer:
            await answer.read()

    async def redirect(self, leg: str) -> float:
        """Send the caller to the closing message; return when it was asked for."""
        at = time.monotonic()
        await self.action(
            "Redirect", Channel=leg, Context="bagvagt-closing", Exten=f"p_{LANGUAGE}_closing", Priority="1"
        )
        return at
