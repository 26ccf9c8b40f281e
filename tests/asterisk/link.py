"""A TCP link between the service and its PBX that a test lets stand still."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Link:
    """Hands on everything, in order; while it is held, what comes from the PBX waits.

    Attributes:
        port: where the service connects.
    """

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        self._pbx = (host, port)
        self._flows = asyncio.Event()
        self._flows.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def hold(self) -> None:
        """Let nothing more through from the PBX."""
        self._flows.clear()

    def release(self) -> None:
        """Let all through that has waited."""
        self._flows.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join one connection with the PBX."""
        from_pbx, to_pbx = await asyncio.open_connection(*self._pbx)
        for source, sink, may_wait in ((reader, to_pbx, False), (from_pbx, writer, True)):
            task = asyncio.create_task(self._pump(source, sink, may_wait=may_wait))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, may_wait: bool) -> None:
        try:
            while data := await source.read(65536):
                if may_wait:
                    await self._flows.wait()
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.close()
            with contextlib.suppress(ConnectionError):
                await sink.wait_closed()

    async def close(self) -> None:
        """Cut all connections."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def link_to(host: str, port: int) -> AsyncIterator[Link]:
    """Open a link to a PBX."""
    link = Link(host, port)
    server = await asyncio.start_server(link.serve, "127.0.0.1", 0)
    link.port = server.sockets[0].getsockname()[1]
    try:
        yield link
    finally:
        server.close()
        await link.close()
        await server.wait_closed()
