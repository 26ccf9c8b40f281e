"""An independent client of the broker, and what it looks at."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiomqtt

from tests.adapters.paging.conftest import PREFIX
from tests.adapters.paging.stage import LIMIT_S
from tests.lab.mosquitto import Mosquitto
from tests.lab.waiting import until

PAGE = f"{PREFIX}/page/p-1-backup"
ANNA = f"{PREFIX}/person/anna/page"
ACKNOWLEDGE = f"{PAGE}/acknowledge"
STATUS = f"{PREFIX}/status"


@dataclass
class Observer:
    """An independent client that subscribes to all."""

    client: aiomqtt.Client
    seen: list[tuple[str, bytes]] = field(default_factory=list)

    def at(self, topic: str) -> list[bytes]:
        return [payload for seen, payload in self.seen if seen == topic]

    async def read(self) -> None:
        with contextlib.suppress(aiomqtt.MqttError):
            async for message in self.client.messages:
                assert isinstance(message.payload, bytes)
                self.seen.append((message.topic.value, message.payload))

    async def publish(self, topic: str, payload: str | bytes, *, retain: bool = False) -> None:
        await self.client.publish(topic, payload, qos=1, retain=retain)


@contextlib.asynccontextmanager
async def observer(broker: Mosquitto, **log_in: Any) -> AsyncIterator[Observer]:
    """Subscribed to all when it begins; retained messages come first."""
    with contextlib.suppress(aiomqtt.MqttError):  # a broker that was killed cannot be left politely
        async with aiomqtt.Client(broker.host, broker.port, **log_in) as client:
            one = Observer(client)
            await client.subscribe("#", qos=1)
            reading = asyncio.create_task(one.read())
            try:
                yield one
            finally:
                reading.cancel()


async def retained(broker: Mosquitto, topic: str) -> bytes | None:
    """What a client that comes now is given; None for nothing."""
    async with observer(broker) as one:
        await one.publish("mark", "end")
        await until(lambda: one.at("mark"), LIMIT_S)
        return next(iter(one.at(topic)), None)
