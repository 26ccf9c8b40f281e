"""The MQTT channel: one long-lived connection that comes back by itself. Topics and payloads are in `docs/mqtt.md`.

Where a probe does not come back to us (`mqtt_probes`), our messages are published all the same, and count as UNKNOWN,
never as sent.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import aiomqtt
import structlog

from adapters.paging.messages import TakenBy, alarm_text, purpose_of, stood_down_text
from adapters.paging.mqtt_codec import (
    PROBE,
    AnsweredPage,
    AuditHead,
    Heartbeat,
    Published,
    Said,
    encode,
    open_page,
    person_page,
    read_by,
    read_page,
    read_seen,
)
from adapters.paging.mqtt_link import CHANNEL, Link, MqttConfig, connected, retry_delay_s
from adapters.paging.mqtt_probes import Probes
from adapters.paging.mqtt_signing import Signer
from adapters.paging.mqtt_topics import Topics
from adapters.paging.pager import DeliveryUncertainError
from policies.actions import Notify, ReplyTo, StandDown
from policies.events import ChannelConnected, Event, MessageReported, PageAnswered, PagePassed, Report
from telephony.errors import DeliveryDeferredError, DeliveryRefusedError
from telephony.ports import Clock

__all__ = ["MqttChannel", "MqttConfig"]

_log = structlog.get_logger(__name__)

BEATS_MISSED = 3


class MqttChannel:
    """Fits `adapters.paging.pager.Channel`.

    Args:
        config: where the broker is.
        clock: time and ids.
        signer: signs what is published; None for nothing signed.
        link: message id -> where its page can be taken, "" for nowhere; `adapters.paging.links.Links`.
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
        signer: Signer | None = None,
        link: Callable[[str], str] = lambda _message: "",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._config = config
        self._clock = clock
        self._signer = signer
        self._page_link = link
        self._sleep = sleep
        self._jitter = jitter
        self._topics = Topics(config.prefix)
        self._probes = Probes(config, self._topics, clock)
        self._link: Link | None = None
        self._failures = 0
        self._head = ""
        # What the broker is to retain, b"" for what it is to forget; published again on each connection, since it may
        # have forgotten.
        self._retained: dict[str, bytes] = {}
        # Pages that are over, and when nobody needs to know any more. No late message opens one of them again.
        self._over: dict[str, datetime] = {}

    @property
    def is_connected(self) -> bool:
        """Tell whether messages can be published now."""
        return self._link is not None

    @property
    def problems(self) -> frozenset[str] | None:
        """Return the topics that do not come back to us."""
        return self._probes.problems

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
        if action.page not in self._over:
            await link.publish(*self._keep(self._topics.page(action.page), state), retain=True)
        text = alarm_text(
            action.language,
            action.incident,
            action.severity,
            purpose_of(action.reason),
            TakenBy.HERE,
            self._config.answer_at,
        )
        message = person_page(action, state, text, self._topics.means(action.page), self._page_link(action.message))
        topic = self._topics.person(action.address)
        await link.publish(topic, self._write(topic, message))
        return self._confirmed(self._topics.person(PROBE))

    async def tell_answered(self, action: StandDown, address: str, language: str) -> str:
        """Mark the page as answered, and tell the person. Without a connection the mark is made on the next one.

        A page that nobody has is taken back: the broker forgets it, and nobody is told.
        """
        at = self._clock.now()
        until = at + timedelta(seconds=self._config.expire_s)
        topic = self._topics.page(action.page)
        self._over[action.page] = until
        if not action.by:
            self._retained[topic] = b""
            await self._connected().publish(topic, b"", retain=True)
            return "taken back"
        text = stood_down_text(action, language)
        news = AnsweredPage(
            page=action.page, incident=action.incident, by=action.by, text=text, at=at, expires_at=until
        )
        kept = self._keep(topic, news)
        link, person = self._connected(), self._topics.person(address)
        await link.publish(*kept, retain=True)
        await link.publish(person, self._write(person, news))
        return self._confirmed(self._topics.person(PROBE))

    async def reply(self, action: ReplyTo) -> str:
        """Refuse: what is said by MQTT shows in the page's state."""
        del action
        raise DeliveryRefusedError(CHANNEL, "nobody replies by MQTT")

    async def publish_head(self, head: str) -> None:
        """Retain the audit trail's last hash; without a connection, on the next one."""
        self._head = head
        kept = self._keep(self._topics.audit_head, AuditHead(head=head, at=self._clock.now()))
        if self._link is not None and not await self._published(self._link, *kept):
            _log.warning("mqtt_audit_head_unconfirmed")

    async def publish_heartbeat(self, ok: bool, every_s: float) -> bool:  # noqa: FBT001 -- of two arguments it is the first
        """Retain a sign of life, which counts until three of them are missed.

        It goes out now or never: one that came late would say that we live when we do not.

        Args:
            ok: whether protection is on, too.
            every_s: how often this is called.

        Returns:
            Whether the broker has confirmed it.
        """
        if self._link is None:
            return False
        at = self._clock.now()
        until = at + timedelta(seconds=BEATS_MISSED * every_s)
        topic = self._topics.heartbeat
        beat = self._write(topic, Heartbeat(ok=ok, at=at, expires_at=until, head=self._head))
        return await self._published(self._link, topic, beat)

    async def _published(self, link: Link, topic: str, payload: bytes) -> bool:
        try:
            async with asyncio.timeout(self._config.connect_s):
                await link.publish(topic, payload, retain=True)
        except (DeliveryDeferredError, DeliveryUncertainError, TimeoutError):
            return False
        return True

    def _write(self, topic: str, payload: Published) -> bytes:
        return encode(payload if self._signer is None else self._signer.signed(payload, topic))

    def _keep(self, topic: str, payload: Published) -> tuple[str, bytes]:
        """Let the broker retain this, on each connection."""
        self._retained[topic] = self._write(topic, payload)
        return topic, self._retained[topic]

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
                    tasks.create_task(self._stay(link, emit), name="mqtt stay")
            except asyncio.CancelledError:
                await self._say_goodbye(link)
                raise
            finally:
                self._link = None
                self._probes.problems = None

    async def _read(self, link: Link, emit: Callable[[Event], None]) -> None:
        async for message in link.client.messages:  # raises when the connection is lost
            if not self._probes.takes(message):
                self._take(message, emit)

    async def _stay(self, link: Link, emit: Callable[[Event], None]) -> None:
        refused = await self._open(link)
        self._link = link
        self._failures = 0
        key = self._signer.thumbprint if self._signer is not None else ""
        _log.info("mqtt_connected", host=self._config.host, prefix=self._config.prefix, key=key)
        emit(ChannelConnected(id=self._clock.new_id(), at=self._clock.now(), channel=CHANNEL))
        await self._probes.look(link, refused)
        while True:
            await self._sweep(link)
            await asyncio.sleep(self._config.sweep_s)

    async def _open(self, link: Link) -> set[str]:
        """Subscribe, say that we are there, and publish again what is to be retained."""
        hello = {self._topics.status: b"online"}
        if self._signer is not None:
            hello[self._topics.key] = self._signer.public
        # Our own messages at QoS 0, so that the broker does not keep them for us while we are away.
        wanted = dict.fromkeys(self._topics.any_said, 1)
        wanted |= dict.fromkeys((self._topics.any_page, *self._topics.probes_elsewhere, *hello), 0)
        refused = {topic for topic, qos in wanted.items() if not await link.subscribe(topic, qos)}
        self._probes.expect(hello)
        async with asyncio.timeout(self._config.connect_s):
            for topic, payload in [*hello.items(), *self._retained.items()]:
                await link.publish(topic, payload, retain=True)
        return refused

    def _take(self, message: aiomqtt.Message, emit: Callable[[Event], None]) -> None:
        named = self._topics.page_of(message.topic.value)
        payload = message.payload if isinstance(message.payload, bytes) else b""
        if named is None or named[0] == PROBE or not payload:
            return
        page, said = named
        if said is not None:
            self._hear(page, said, payload, emit)
        elif message.retain and isinstance(state := read_page(payload), AnsweredPage):
            self._over.setdefault(page, state.expires_at)  # of a former life of ours: to be swept when it expires

    def _hear(self, page: str, said: Said, payload: bytes, emit: Callable[[Event], None]) -> None:
        id_, at = self._clock.new_id(), self._clock.now()
        try:
            if said is Said.READ:
                emit(MessageReported(id=id_, at=at, message=read_seen(payload, page), report=Report.READ))
            elif said is Said.PASS:
                emit(PagePassed(id=id_, at=at, page=page, by=read_by(payload), means=CHANNEL))
            else:
                emit(PageAnswered(id=id_, at=at, page=page, by=read_by(payload), means=CHANNEL))
        except ValueError as error:
            _log.warning("mqtt_answer_ignored", page=page, said=said.value, reason=str(error))

    async def _sweep(self, link: Link) -> None:
        """Take pages that are over off the broker when they have expired."""
        now = self._clock.now()
        for page in [page for page, until in self._over.items() if until <= now]:
            topic = self._topics.page(page)
            await link.publish(topic, b"", retain=True)
            self._retained.pop(topic, None)
            self._over.pop(page, None)

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
