"""One connection to an MQTT broker, around what aiomqtt 2.5 leaves to its user.

- A publish that waits for its PUBACK goes on waiting when the connection is lost: here it ends.
- A connect that fails after the socket was opened leaves the socket open: here it is closed.
- A subscription that the broker refuses returns like one that it takes: here it says which.
"""

import asyncio
import contextlib
import math
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt

from adapters.paging.pager import DeliveryUncertainError
from telephony.errors import DeliveryDeferredError

CHANNEL = "mqtt"
_SUBACK_FAILURE = 0x80  # MQTT 3.1.1 §3.9.3


@dataclass(frozen=True, slots=True)
class MqttConfig:
    """Where the broker is, and how to reach it.

    Attributes:
        host: name or address.
        port: 1883, or usually 8883 with TLS.
        prefix: all topics are under it.
        client_id: one per running Bagvagt; the broker keeps answers for this name while we are away. "" for the prefix.
        username: "" to log in without.
        password_file: its first line; read at each connect, so that it may be changed.
        tls: encrypt, and check the broker's certificate and name.
        ca_file: PEM of the authority, None for the system's.
        answer_at: where else a page can be taken, for the text; "" for none.
        keepalive_s: a broker silent for up to twice that long counts as lost.
        connect_s: for the broker's answer to connect and subscribe.
        probe_s: how long our own probes may take to come back.
        stop_s: how long saying good-bye may take.
        expire_s: after that a message is not worth an alarm, and an answered page is taken off the broker.
        sweep_s: how often that is looked at.
        retry_first_s: wait before the first new try; doubled with each that fails, half of it by chance.
        retry_most_s: never longer than this between tries.
    """

    host: str
    port: int = 1883
    prefix: str = "bagvagt/site"
    client_id: str = ""
    username: str = ""
    password_file: Path | None = None
    tls: bool = False
    ca_file: Path | None = None
    answer_at: str = ""
    keepalive_s: int = 10
    connect_s: float = 10.0
    probe_s: float = 10.0
    stop_s: float = 2.0
    expire_s: float = 3600.0
    sweep_s: float = 60.0
    retry_first_s: float = 0.5
    retry_most_s: float = 30.0


def retry_delay_s(failures: int, config: MqttConfig, jitter: float) -> float:
    """Return the wait after so many failures in a row (1, 2 …); `jitter` is from 0 to 1."""
    longest = min(config.retry_most_s, config.retry_first_s * 2.0 ** min(failures - 1, 30))
    return longest * (0.5 + 0.5 * jitter)


@dataclass(eq=False)
class Link:
    """A connection that stands, or stood.

    Attributes:
        client: aiomqtt's.
        lost: set when it is gone; nothing is sent after.
    """

    client: aiomqtt.Client
    lost: asyncio.Event = field(default_factory=asyncio.Event)

    async def publish(self, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
        """Publish at QoS 1 and wait for the PUBACK, as long as the connection stands.

        Raises:
            DeliveryDeferredError: nothing was sent.
            DeliveryUncertainError: sent, and the connection was lost before the PUBACK.
        """
        if self.lost.is_set():
            raise DeliveryDeferredError(CHANNEL, "not connected")
        sending = asyncio.create_task(self.client.publish(topic, payload, qos=1, retain=retain, timeout=math.inf))
        lost = asyncio.create_task(self.lost.wait())
        try:
            await asyncio.wait({sending, lost}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                raise DeliveryUncertainError("connection lost before the broker confirmed")
            sending.result()
        except aiomqtt.MqttCodeError as error:
            raise DeliveryDeferredError(CHANNEL, str(error)) from error
        finally:
            sending.cancel()
            lost.cancel()

    async def subscribe(self, topic: str, qos: int) -> bool:
        """Subscribe; return whether the broker allows it (some say yes and then send nothing)."""
        codes = await self.client.subscribe(topic, qos)
        return all((code if isinstance(code, int) else code.value) < _SUBACK_FAILURE for code in codes)


@contextlib.asynccontextmanager
async def connected(config: MqttConfig, status_topic: str) -> AsyncIterator[Link]:
    """Connect; at the end disconnect.

    Raises:
        aiomqtt.MqttError: the broker is not there, or refuses us.
        OSError: a file of the configuration cannot be read.
        ValueError: a file holds something else.
    """
    client = aiomqtt.Client(
        config.host,
        config.port,
        identifier=config.client_id or config.prefix.replace("/", "-"),
        username=config.username or None,
        password=_password(config),
        tls_context=_tls(config),
        # The broker keeps answers while we are away. Ours are the only QoS 1 subscriptions to them.
        clean_session=False,
        will=aiomqtt.Will(status_topic, "offline", qos=1, retain=True),
        keepalive=config.keepalive_s,
        timeout=config.connect_s,
    )
    try:
        await client.__aenter__()
    except BaseException:
        _abandon(client)
        raise
    link = Link(client)
    try:
        yield link
    finally:
        link.lost.set()
        try:
            async with asyncio.timeout(config.stop_s):
                await client.__aexit__(None, None, None)
        except (aiomqtt.MqttError, TimeoutError):
            _abandon(client)


def _abandon(client: aiomqtt.Client) -> None:
    """Close the socket: aiomqtt does not when the broker took the connection and never answered (frozen)."""
    # paho closes as soon as DISCONNECT is written to the kernel; aiomqtt has no public way to it.
    client._client.disconnect()  # noqa: SLF001


def _password(config: MqttConfig) -> str | None:
    if config.password_file is None:
        return None
    return (config.password_file.read_text(encoding="utf-8").splitlines() or [""])[0]


def _tls(config: MqttConfig) -> ssl.SSLContext | None:
    return ssl.create_default_context(cafile=config.ca_file) if config.tls else None
