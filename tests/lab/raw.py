"""The barest AMI and ARI clients, for tests that ask the PBX itself, past all code of ours."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Self

import aiohttp

from tests.lab import confs
from tests.lab.asterisk import Asterisk
from tests.lab.waiting import until

Event = dict[str, str]
REPLY_LIMIT_S = 5.0


class Ami:
    """A logged-in AMI connection.

    Attributes:
        events: every event that came, oldest first.
    """

    def __init__(self, lab: Asterisk, user: str = confs.AMI_USER, secret: str = confs.AMI_SECRET) -> None:
        self.lab, self.user, self.secret = lab, user, secret
        self.events: list[Event] = []
        self._replies: dict[str, asyncio.Future[Event]] = {}
        self._number = 0
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        reader, self._writer = await asyncio.open_connection(*self.lab.ami)
        await reader.readline()  # the banner
        self._task = asyncio.create_task(self._read(reader))
        reply = await self.send("Login", Username=self.user, Secret=self.secret)
        if reply["Response"] != "Success":
            raise PermissionError(reply["Message"])
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()

    async def send(self, action: str, **fields: str) -> Event:
        """Sends an action and returns its response; a field named `Variable` may hold `a=1,b=2`.

        Raises:
            TimeoutError: no response.
        """
        if self._writer is None:
            raise RuntimeError("not connected")
        self._number += 1
        number = str(self._number)
        reply: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self._replies[number] = reply
        lines = [f"Action: {action}", f"ActionID: {number}", *(f"{k}: {v}" for k, v in fields.items())]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        return await asyncio.wait_for(reply, REPLY_LIMIT_S)

    async def event(
        self,
        name: str,
        matching: Callable[[Event], bool] = lambda _: True,
        *,
        start: int = 0,
        within_s: float = 5.0,
    ) -> Event:
        """Waits for the first event of this name, from the `start`th on, that matches.

        Raises:
            TimeoutError: none came.
        """

        def found() -> Event | None:
            return next((e for e in self.events[start:] if e.get("Event") == name and matching(e)), None)

        await until(found, within_s, f"AMI event {name}")
        event = found()
        assert event is not None
        return event

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                block = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            event: Event = {}
            for line in block.decode(errors="replace").split("\r\n"):
                key, colon, value = line.partition(":")
                if colon:
                    event[key] = value.strip()
            if "Response" in event and event.get("ActionID") in self._replies:
                self._replies.pop(event["ActionID"]).set_result(event)
            else:
                self.events.append(event)


class AriError(Exception):
    """ARI refused: `status` and the text of the answer."""

    def __init__(self, status: int, text: str) -> None:
        self.status, self.text = status, text
        super().__init__(f"{status} {text}")


class Ari:
    """An ARI client with its websocket open.

    Attributes:
        events: every event that came, oldest first.
        app: name of the Stasis application.
    """

    def __init__(self, lab: Asterisk, app: str = "bagvagt") -> None:
        self.lab, self.app = lab, app
        self.events: list[dict[str, Any]] = []
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        headers = {"Authorization": aiohttp.encode_basic_auth(confs.ARI_USER, confs.ARI_PASSWORD)}
        self._session = aiohttp.ClientSession(headers=headers)
        self._socket = await self._session.ws_connect(f"{self.lab.http}/ari/events?app={self.app}")
        self._task = asyncio.create_task(self._read(self._socket))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
        if self._socket is not None:
            await self._socket.close()
        if self._session is not None:
            await self._session.close()

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            self.events.append(message.json())

    async def call(self, method: str, path: str, json: dict[str, Any] | None = None, **query: str) -> Any:
        """One request below `/ari`; the decoded answer, or None where there is none.

        Raises:
            AriError: the status is not 2xx.
        """
        if self._session is None:
            raise RuntimeError("not connected")
        url = f"{self.lab.http}/ari/{path}"
        async with self._session.request(method, url, params=query, json=json) as answer:
            text = await answer.text()
            if answer.status >= 300:
                raise AriError(answer.status, text)
            return await answer.json() if text else None

    async def event(
        self, kind: str, matching: Callable[[dict[str, Any]], bool] = lambda _: True, within_s: float = 5.0
    ) -> dict[str, Any]:
        """Waits for the first event of this type that matches.

        Raises:
            TimeoutError: none came.
        """

        def found() -> dict[str, Any] | None:
            return next((e for e in self.events if e["type"] == kind and matching(e)), None)

        await until(found, within_s, f"ARI event {kind}")
        event = found()
        assert event is not None
        return event

    async def finished(self, playback: str, within_s: float = 15.0) -> str:
        """Waits for the end of a playback; returns its state: `done`, `failed` or `cancelled`."""
        event = await self.event("PlaybackFinished", lambda e: e["playback"]["id"] == playback, within_s)
        state: str = event["playback"]["state"]
        return state

    async def sent_packets(self, channel: str) -> int:
        """RTP packets that Asterisk has sent to this channel's phone."""
        count: int = (await self.call("GET", f"channels/{channel}/rtp_statistics"))["txcount"]
        return count
