"""A broker, and a running pager with MQTT."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from adapters.paging.links import Links
from adapters.paging.mqtt import MqttChannel, MqttConfig
from adapters.paging.mqtt_signing import Signer
from adapters.paging.pager import Channel, ChannelPager
from policies.events import ChannelConnected, Event, PageAnswered
from tests.adapters.paging.stage import LIMIT_S, HandClock
from tests.lab import mosquitto
from tests.lab.mosquitto import Mosquitto
from tests.lab.waiting import until

PREFIX = "bagvagt/test"
SITE_KEY = b"of the tests, and of nobody else"
SIGNER = Signer(SITE_KEY)
LINKS = Links("https://vagt.example", SITE_KEY)


@pytest.fixture
async def make_broker() -> AsyncIterator[Callable[..., Mosquitto]]:
    """Makes brokers that are not started yet; the arguments are those of `Mosquitto`."""
    if mosquitto.program() is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    made: list[Mosquitto] = []

    def make(**arguments: Any) -> Mosquitto:
        made.append(Mosquitto(**arguments))
        return made[-1]

    yield make
    for broker in made:
        if broker.process is not None:
            await broker.close()
        shutil.rmtree(broker.folder, ignore_errors=True)


@pytest.fixture
async def broker(make_broker: Callable[..., Mosquitto]) -> Mosquitto:
    """A running broker that lets everybody in."""
    return await make_broker().start()


@dataclass
class Running:
    """A pager at work.

    Attributes:
        pager: as the engine sees it.
        mqtt: its channel.
        clock: its clock.
        emitted: what it took in.
        task: its `run`.
    """

    pager: ChannelPager
    mqtt: MqttChannel
    clock: HandClock
    emitted: list[Event]
    task: "asyncio.Task[None]"

    @property
    def answers(self) -> list[tuple[str, str, str]]:
        """Page, by whom, by what means."""
        return [(e.page, e.by, e.means) for e in self.emitted if isinstance(e, PageAnswered)]

    @property
    def connections(self) -> list[str]:
        """Each time that the channel has come, by its name."""
        return [e.channel for e in self.emitted if isinstance(e, ChannelConnected)]

    async def stop(self) -> None:
        """Stop it as the service does: cancel."""
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


Run = Callable[..., Awaitable[Running]]


@pytest.fixture
async def run() -> AsyncIterator[Run]:
    """Runs a pager; further arguments are those of `MqttConfig`. `wait` for its connection and probes."""
    running: list[Running] = []

    async def start(
        broker: Mosquitto,
        deadline_s: float = LIMIT_S,
        others: dict[str, Channel] | None = None,
        *,
        wait: bool = True,
        signer: Signer | None = SIGNER,
        **config: Any,
    ) -> Running:
        clock = HandClock()
        quick: dict[str, Any] = {"prefix": PREFIX, "retry_first_s": 0.05, "retry_most_s": 0.2, "sweep_s": 0.05}
        mqtt = MqttChannel(
            MqttConfig(broker.host, broker.port, **{**quick, **config}), clock, signer=signer, link=LINKS
        )
        channels = {"mqtt": mqtt, **(others or {})}
        pager = ChannelPager(channels, clock, deadline_s=deadline_s, sleep=lambda _: asyncio.sleep(0.05))
        emitted: list[Event] = []
        one = Running(pager, mqtt, clock, emitted, asyncio.create_task(pager.run(emitted.append)))
        running.append(one)
        if wait:
            await until(lambda: mqtt.problems is not None, LIMIT_S, "the channel has connected and probed")
        return one

    yield start
    for one in running:
        await one.stop()
