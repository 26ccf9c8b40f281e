"""What a real site has around the service, brought along: a broker, an SMS gateway, the phones of those on call."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiomqtt
import msgspec
from aiohttp import web

from adapters.demo.failing import DemoError
from adapters.paging.mqtt_codec import PROBE, AnsweredPage, PersonPage, PersonTopic

REMEDY = "the demo brings its own MQTT broker, which is not installed; do: pip install 'bagvagt[demo]'"


@contextlib.asynccontextmanager
async def broker() -> AsyncIterator[int]:
    """Run an MQTT broker on a free port of loopback; gives the port.

    Raises:
        DemoError: the broker's package is not installed.
    """
    try:
        from amqtt.broker import Broker  # noqa: PLC0415 -- comes with an extra
    except ImportError:
        raise DemoError(REMEDY) from None
    quiet = logging.getLogger("amqtt")
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False
    anonymous = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    made = Broker({"listeners": {"default": {"type": "external"}}, "plugins": anonymous})
    await made.start()
    connections: set[asyncio.Task[None]] = set()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            connections.add(task)
            task.add_done_callback(connections.discard)
        try:
            await made.stream_connected(reader, writer, listener_name="default")
        finally:
            writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)  # our own listener: amqtt cannot tell which port it got
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await made.shutdown()
        for task in tuple(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


@contextlib.asynccontextmanager
async def sms_gateway(arrived: Callable[[str, str], None]) -> AsyncIterator[int]:
    """Run a provider's HTTP interface on a free port of loopback; gives the port.

    Args:
        arrived: called with the number and the text of each SMS.
    """

    async def take(request: web.Request) -> web.Response:
        sms = await request.json()
        arrived(sms["to"], sms["text"])
        return web.json_response({"status": "queued"})

    app = web.Application()
    app.router.add_post("/sms", take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


class OnCallPhones:
    """The app on the phones of those on call: shows what comes to their topics, and takes a page when they press.

    Args:
        port: of the broker.
        prefix: of the topics.
        shows: called with the person and what the phone shows.
        says_status: called with what the broker says of the service: "online", "offline".
    """

    def __init__(
        self,
        port: int,
        prefix: str,
        shows: Callable[[str, PersonPage | AnsweredPage], None],
        says_status: Callable[[str], None],
    ) -> None:
        self._client = aiomqtt.Client("127.0.0.1", port, identifier="phones-on-call")
        self._prefix = prefix
        self._shows = shows
        self._says_status = says_status

    @contextlib.asynccontextmanager
    async def on(self) -> AsyncIterator[None]:
        """Keep the phones switched on."""
        async with self._client:
            await self._client.subscribe(f"{self._prefix}/person/+/page", qos=1)
            await self._client.subscribe(f"{self._prefix}/status", qos=1)
            reading = asyncio.create_task(self._read(), name="phones on call")
            try:
                yield
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def take(self, page: PersonPage, by: str) -> None:
        """Let a person press "I take it"; `by` is their name in the policy."""
        await self._client.publish(page.acknowledge, msgspec.json.encode({"by": by}), qos=1)

    async def _read(self) -> None:
        async for message in self._client.messages:
            payload: Any = message.payload
            *_, person, last = message.topic.value.split("/")
            if last == "status":
                self._says_status(payload.decode())
            elif person != PROBE:
                self._shows(person, msgspec.json.decode(payload, type=PersonTopic))
