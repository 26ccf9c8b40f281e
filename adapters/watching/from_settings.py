"""What watches, as the policy file asks for it."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge

from adapters.watching.heartbeat import COUNTED, Addresses, Heartbeat, HeartbeatConfig
from adapters.watching.peers import Peer, Peers
from adapters.watching.pulse import Pulse
from telephony.engine import Engine
from telephony.ports import Clock
from telephony.settings import Settings

Task = Callable[[], Coroutine[Any, Any, None]]


def watches(
    settings: Settings,
    engine: Engine,
    clock: Clock,
    *,
    health: Callable[[], Mapping[str, Any]],
    pulse: Pulse,
    mqtt: Callable[[bool, float], Awaitable[object]] | None,
    registry: CollectorRegistry,
) -> Mapping[str, Task]:
    """Return what is to run, by the name of its task, once the engine has read its journal back.

    Args:
        settings: `[heartbeat]` and `[[watch]]`.
        engine: which pages.
        clock: time and ids.
        health: `telephony.watchdog.Health.read`.
        pulse: a listener of the engine.
        mqtt: `publish_heartbeat` of the broker's channel, None for no broker.
        registry: for what Prometheus is told of it.
    """
    tasks: dict[str, Task] = {}
    wanted = settings.heartbeat
    if wanted is not None:
        addresses = Addresses.read(settings.secret(wanted.url_file)) if wanted.url_file else None
        config = HeartbeatConfig(addresses, wanted.every_s)
        counter = Counter("bagvagt_heartbeats", "Signs of life by what has come of them", ["what"], registry=registry)
        for what in COUNTED:
            counter.labels(what)
        told = mqtt if wanted.mqtt else None
        tasks["heartbeat"] = Heartbeat(
            config, health, pulse.beat, mqtt=told, counted=lambda what: counter.labels(what).inc()
        ).run
    if settings.watch:
        peers = [
            Peer(
                name=watch.name,
                url=watch.url,
                plan=watch.plan,
                every_s=watch.every_s,
                silent_s=watch.silent_s,
                ca_file=settings.path(watch.ca_file) if watch.ca_file else None,
            )
            for watch in settings.watch
        ]
        gauge = Gauge("bagvagt_watched_up", "1 while protection is on at the other one", ["name"], registry=registry)
        watched = Peers(peers, clock, lambda: engine.state, looked=lambda name, on: gauge.labels(name).set(on))
        tasks["watch"] = partial(watched.run, engine.take)
    return tasks
