"""The MQTT channel: one long-lived connection that comes back by itself. Topics and payloads are in `docs/mqtt.md`.

A broker's access list may drop what we publish and still confirm it; MQTT 3.1.1 §3.3.5 even asks for that. So on each
connection we publish probes to topics beside ours and look whether they come back. Where one does not, our messages are
published all the same, and count as UNKNOWN, never as sent.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

import aiomqtt
import structlog

from adapters.paging.messages import TakenBy, alarm_text, answered_text, purpose_of
from adapters.paging.mqtt_codec import (
    PROBE,
    AnsweredPage,
    AuditHead,
    Topics,
    encode,
    open_page,
    person_page,
    read_acknowledge,
    read_page,
)
from adapters.paging.mqtt_link import CHANNEL, Link, MqttConfig, connected, retry_delay_s
from adapters.paging.pager import DeliveryUncertainError
from policies.actions import Notify, StandDown
from policies.events import ChannelConnected, Event, PageAnswered
from telephony.errors import DeliveryDeferredError, DeliveryRefusedError
from telephony.ports import Clock

__all__ = ["MqttChannel", "MqttConfig"]

_log = structlog.get_logger(__name__)


class MqttChannel:
    """Fits `adapters.paging.pager.Channel`.

    Args:
        config: where the broker is.
        clock: time and ids.
        sleep: how to wait between tries.
        jitter: from 0 to 1, by chance.

    Attributes:
        is_connected: the broker took our connection and subscriptions.
        problems: topics that do not come back to us on this connection; None while that is being looked at.

    Raises:
        ValueError: the prefix cannot be one.
    """

    def __init__(
        self,
        config: MqttConfig,
        clock: Clock,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._config = config
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._topics = Topics(config.prefix)
        self._link: Link | None = None
        self._failures = 0
        self.problems: frozenset[str] | None = None
        self._awaited: dict[str, str] = {}
        self._all_back = asyncio.Event()
        # What the broker is to retain; published again on each connection, since it may have forgotten.
        self._retained: dict[str, bytes] = {}
        self._answered: dict[str, AnsweredPage] = {}

    @property
    def is_connected(self) -> bool:
        """Tell whether messages can be published now."""
        return self._link is not None

    async def run(self, emit: Callable[[Event], None]) -> None:
        """Connect, take in answers, reconnect, until cancelled."""
        while True:
            try:
                await self._follow(emit)
            except* (aiomqtt.MqttError, OSError, ValueError, DeliveryDeferredError, DeliveryUncertainError) as group:
                reason = _first(group)
            self._failures += 1
            delay_s = retry_delay_s(self._failures, self._config, self._jitter())
            _log.warning("mqtt_lost", host=self._config.host, reason=reason, retry_s=round(delay_s, 2))
            await self._sleep(delay_s)

    async def tell(self, action: Notify) -> str:
        """Publish the page's state and the person's message; returns when the broker has confirmed both."""
        if not action.address:
            raise DeliveryRefusedError(CHANNEL, "no address")
        link = self._connected()
        at = self._clock.now()
        state = open_page(action, at, at + timedelta(seconds=self._config.expire_s))
        topic = self._topics.page(action.page)
        if action.page not in self._answered:
            self._retained[topic] = encode(state)
            await link.publish(topic, self._retained[topic], retain=True)
        text = alarm_text(
            action.language,
            action.incident,
            action.severity,
            purpose_of(action.reason),
            TakenBy.HERE,
            self._config.answer_at,
        )
        message = person_page(action, state, text, self._topics.acknowledge(action.page))
        await link.publish(self._topics.person(action.address), encode(message))
        return self._confirmed(self._topics.person(PROBE))

    async def tell_answered(self, action: StandDown, address: str, language: str) -> str:
        """Mark the page as answered, and tell the person. Without a connection the mark is made on the next one."""
        at = self._clock.now()
        news = AnsweredPage(
            page=action.page,
            incident=action.incident,
            by=action.by,
            text=answered_text(language, action.incident, action.by),
            at=at,
            expires_at=at + timedelta(seconds=self._config.expire_s),
        )
        topic = self._topics.page(action.page)
        self._answered[action.page] = news
        self._retained[topic] = encode(news)
        link = self._connected()
        await link.publish(topic, self._retained[topic], retain=True)
        await link.publish(self._topics.person(address), encode(news))
        return self._confirmed(self._topics.person(PROBE))

    async def publish_head(self, head: str) -> None:
        """Retain the audit trail's last hash; without a connection, on the next one."""
        payload = encode(AuditHead(head=head, at=self._clock.now()))
        self._retained[self._topics.audit_head] = payload
        if self._link is None:
            return
        try:
            async with asyncio.timeout(self._config.connect_s):
                await self._link.publish(self._topics.audit_head, payload, retain=True)
        except (DeliveryDeferredError, DeliveryUncertainError, TimeoutError):
            _log.warning("mqtt_audit_head_unconfirmed")

    def _connected(self) -> Link:
        if self._link is None:
            raise DeliveryDeferredError(CHANNEL, "not connected")
        return self._link

    def _confirmed(self, probe: str) -> str:
        if self.problems and probe in self.problems:
            raise DeliveryUncertainError("confirmed by the broker, but its access list seems to drop our messages")
        return "confirmed by the broker"

    async def _follow(self, emit: Callable[[Event], None]) -> None:
        """One connection, from connect to loss."""
        async with connected(self._config, self._topics.status) as link:
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._read(link, emit), name="mqtt read")
                    tasks.create_task(self._keep(link, emit), name="mqtt keep")
            except asyncio.CancelledError:
                await self._say_goodbye(link)
                raise
            finally:
                self._link = None
                self.problems = None

    async def _read(self, link: Link, emit: Callable[[Event], None]) -> None:
        async for message in link.client.messages:  # raises when the connection is lost
            self._take(message, emit)

    async def _keep(self, link: Link, emit: Callable[[Event], None]) -> None:
        problems = await self._open(link)
        self._link = link
        self._failures = 0
        _log.info("mqtt_connected", host=self._config.host, prefix=self._config.prefix)
        emit(ChannelConnected(id=self._clock.new_id(), at=self._clock.now(), channel=CHANNEL))
        await self._probe(link, problems)
        while True:
            await self._sweep(link)
            await asyncio.sleep(self._config.sweep_s)

    async def _open(self, link: Link) -> set[str]:
        """Subscribe, say that we are there, and publish again what is to be retained."""
        wanted = {self._topics.any_acknowledge: 1, self._topics.any_page: 0, self._topics.status: 0}
        # At QoS 0, so that the broker does not keep our own messages for us while we are away.
        wanted |= dict.fromkeys(self._topics.probes[2:], 0)
        refused = {topic for topic, qos in wanted.items() if not await link.subscribe(topic, qos)}
        self._awaited = {**dict.fromkeys(self._topics.probes, self._clock.new_id()), self._topics.status: "online"}
        self._all_back.clear()
        async with asyncio.timeout(self._config.connect_s):
            await link.publish(self._topics.status, "online", retain=True)
            for topic, payload in list(self._retained.items()):
                await link.publish(topic, payload, retain=True)
        return refused

    async def _probe(self, link: Link, refused: set[str]) -> None:
        """Look whether our own messages come back; the result is in `problems`."""
        try:
            async with asyncio.timeout(self._config.probe_s):
                for topic in self._topics.probes:
                    await link.publish(topic, self._awaited.get(topic, ""))
                await self._all_back.wait()
        except TimeoutError:
            pass
        self.problems = frozenset(refused | set(self._awaited))
        if self.problems:
            _log.error(
                "mqtt_probe_failed",
                topics=sorted(self.problems),
                remedy=f"the broker's access list must let this user read and write {self._config.prefix}/#",
            )

    def _take(self, message: aiomqtt.Message, emit: Callable[[Event], None]) -> None:
        topic = message.topic.value
        payload = message.payload if isinstance(message.payload, bytes) else b""
        if topic in self._awaited:
            # A retained copy is what somebody said once, and no proof of our rights now.
            if not message.retain and payload == self._awaited[topic].encode():
                del self._awaited[topic]
                if not self._awaited:
                    self._all_back.set()
            return
        named = self._topics.page_of(topic)
        if named is None or named[0] == PROBE or not payload:
            return
        page, is_acknowledge = named
        if is_acknowledge:
            self._take_acknowledge(page, payload, emit)
        elif message.retain and isinstance(state := read_page(payload), AnsweredPage):
            self._answered.setdefault(page, state)  # of a former life of ours: to be swept when it expires

    def _take_acknowledge(self, page: str, payload: bytes, emit: Callable[[Event], None]) -> None:
        try:
            by = read_acknowledge(payload)
        except ValueError as error:
            _log.warning("mqtt_acknowledge_ignored", page=page, reason=str(error))
            return
        emit(PageAnswered(id=self._clock.new_id(), at=self._clock.now(), page=page, by=by, means=CHANNEL))

    async def _sweep(self, link: Link) -> None:
        """Take answered pages off the broker when they have expired."""
        now = self._clock.now()
        for page in [page for page, state in self._answered.items() if state.expires_at <= now]:
            topic = self._topics.page(page)
            await link.publish(topic, b"", retain=True)
            self._retained.pop(topic, None)
            self._answered.pop(page, None)

    async def _say_goodbye(self, link: Link) -> None:
        """The last will is for those who die; who leaves says so."""
        with contextlib.suppress(DeliveryDeferredError, DeliveryUncertainError, TimeoutError):
            async with asyncio.timeout(self._config.stop_s):
                await link.publish(self._topics.status, "offline", retain=True)


def _first(group: BaseExceptionGroup[BaseException]) -> str:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__
