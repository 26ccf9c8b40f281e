"""A process with an MQTT channel and nothing else, to be killed: `python -m … PORT PREFIX`."""

import asyncio
import sys

from adapters.clock import SystemClock
from adapters.paging.mqtt import MqttChannel, MqttConfig

if __name__ == "__main__":
    _, port, prefix = sys.argv
    channel = MqttChannel(MqttConfig("127.0.0.1", int(port), prefix=prefix), SystemClock())
    asyncio.run(channel.run(lambda _: None))
