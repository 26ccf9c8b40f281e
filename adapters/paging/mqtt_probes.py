"""A broker's access list may drop what we publish and still confirm it; MQTT 3.1.1 §3.3.5 even asks for that.

So on each connection we publish probes to topics beside ours, and look whether they come back.
"""

import asyncio

import aiomqtt
import structlog

from adapters.paging.mqtt_link import Link, MqttConfig
from adapters.paging.mqtt_topics import Topics
from telephony.ports import Clock

_log = structlog.get_logger(__name__)


class Probes:
    """Looks whether our own messages come back.

    Args:
        config: how long that may take.
        topics: ours.
        clock: for what nobody else publishes.

    Attributes:
        problems: topics that do not come back to us on this connection; None while that is being looked at.
    """

    def __init__(self, config: MqttConfig, topics: Topics, clock: Clock) -> None:
        self.problems: frozenset[str] | None = None
        self._config = config
        self._topics = topics
        self._clock = clock
        self._awaited: dict[str, bytes] = {}
        self._all_back = asyncio.Event()

    def expect(self, published: dict[str, bytes]) -> None:
        """Begin anew: wait for the probes, and for what else is going to be published."""
        self._awaited = dict.fromkeys(self._topics.probes, self._clock.new_id().encode()) | published
        self._all_back.clear()

    def takes(self, message: aiomqtt.Message) -> bool:
        """Tell whether a message was one of those that are waited for, or another under its topic."""
        topic = message.topic.value
        if topic not in self._awaited:
            return False
        # A retained copy is what somebody said once, and no proof of our rights now.
        if not message.retain and message.payload == self._awaited[topic]:
            del self._awaited[topic]
            if not self._awaited:
                self._all_back.set()
        return True

    async def look(self, link: Link, refused: set[str]) -> None:
        """Publish the probes and wait for them; the result is in `problems`."""
        try:
            async with asyncio.timeout(self._config.probe_s):
                for topic in self._topics.probes:
                    await link.publish(topic, self._awaited.get(topic, b""))
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
