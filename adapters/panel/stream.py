"""One client's end of an event stream (WHATWG HTML §9.2), of which little is kept when it does not read."""

import asyncio
import re
import socket
from typing import Final

from aiohttp import web

WRITE_WITHIN_S: Final = 4.0
GONE_AFTER_S: Final = 10.0
MOST_UNSENT: Final = 16 * 1024
RETRY_MS: Final = 1000
_LINE: Final = re.compile("\r\n|\r|\n")


class Stream:
    """One client's connection.

    Attributes:
        changed: what it shows may have changed.
        request: that opened it.
        response: what it is sent.
        is_writing: the client has not taken all of it yet.
    """

    __slots__ = ("_number", "changed", "is_writing", "request", "response")

    def __init__(self, request: web.Request) -> None:
        self.request = request
        self.changed = asyncio.Event()
        self.response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        self.response.force_close()
        self.is_writing = False
        self._number = 0

    async def begin(self) -> None:
        """Send the head. From here on, little is kept for a client that does not read."""
        transport = self.request.transport
        if transport is None:
            raise ConnectionResetError
        transport.set_write_buffer_limits(high=MOST_UNSENT)
        tcp = transport.get_extra_info("socket")
        if tcp is not None and tcp.family != socket.AF_UNIX:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST_UNSENT * 2)
            # What nobody has confirmed for so long is not waited for: the machine at the other end is gone.
            tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(GONE_AFTER_S * 1000))
        await self.response.prepare(self.request)
        await self._write(f"retry: {RETRY_MS}\n\n")

    async def send(self, event: str, data: str) -> None:
        """Send one event.

        Raises:
            TimeoutError: the client does not read.
            ConnectionError: it is gone.
        """
        self._number += 1
        lines = "".join(f"data: {line}\n" for line in _LINE.split(data))
        await self._write(f"event: {event}\nid: {self._number}\n{lines}\n")

    async def _write(self, text: str) -> None:
        self.is_writing = True
        async with asyncio.timeout(WRITE_WITHIN_S):
            await self.response.write(text.encode())
            await self.request.writer.drain()
        self.is_writing = False

    def end(self) -> None:
        """Wake its task, which then sees that it is over; who cannot even write is cut off."""
        self.changed.set()
        if self.is_writing:
            self.drop()

    def drop(self) -> None:
        """Cut the connection; what is unsent is lost."""
        if self.request.transport is not None:
            self.request.transport.abort()
