"""The measured call's two phones, in a process of their own at good priority, so that nothing else delays their ears.

Started by `benchmarks.rig`; takes JSON lines and answers each with one. Times are `time.monotonic()`, which all
processes of a machine share.
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from tests.lab import confs
from tests.lab.audio import from_alaw
from tests.lab.listening import LOUD_DBFS, dbfs
from tests.lab.phone import Call, Phone
from tests.lab.rtp import Packet
from tests.lab.waiting import until

WAIT_S = 3.0


class Ear:
    """A caller and an agent."""

    def __init__(self, pbx: tuple[str, int], agent_port: int) -> None:
        self._caller = Phone("+4520304050", pbx, ip=confs.CALLERS_IP)
        self._agent = Phone("agent1", pbx, port=agent_port)
        self._at_caller: Call | None = None
        self._at_agent: Call | None = None
        self._loud = asyncio.Event()
        self._loud_at: float | None = None

    async def open(self) -> None:
        """Take the phones' ports."""
        await self._caller.open()
        await self._agent.open()

    async def call(self, **_: Any) -> dict[str, Any]:
        """Bring a fresh call up: both hear the other's silence."""
        self._caller.calls.clear()
        self._loud.clear()
        self._loud_at = None
        caller = self._at_caller = await self._caller.dial(confs.QUEUE_EXTENSION)
        # The queue's music comes before the agent answers: it is loud, and not what is listened for.
        agent = self._at_agent = await self._agent.takes()
        await caller.is_answered()
        heard, spoke = len(caller.heard), len(agent.heard)
        await until(lambda: len(caller.heard) > heard + 10 and len(agent.heard) > spoke + 10, 5, "both hear packets")
        caller.rtp.on_packet = self._listen
        await asyncio.sleep(0.1)
        return {"up": self._loud_at is None}

    def _listen(self, packet: Packet) -> None:
        if self._loud_at is None and dbfs(from_alaw(packet.payload)) >= LOUD_DBFS:
            self._loud_at = packet.at
            self._loud.set()

    async def loud(self, within_s: float = WAIT_S, **_: Any) -> dict[str, Any]:
        """Wait for the first loud packet at the caller."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._loud.wait()
        return {"at": self._loud_at}

    async def bye(self, **_: Any) -> dict[str, Any]:
        """Wait until the agent's phone is free."""
        agent = _there(self._at_agent)
        with contextlib.suppress(TimeoutError):
            await agent.is_ended(WAIT_S)
        return {"at": agent.bye_at, "caller_up": not _there(self._at_caller).ended.is_set()}

    async def press(self, keys: str, **_: Any) -> dict[str, Any]:
        """Let the agent press keys in the call."""
        await _there(self._at_agent).press(keys)
        return {}

    async def end(self, **_: Any) -> dict[str, Any]:
        """Hang up; wait until the agent's phone is free for the next call."""
        await _there(self._at_caller).hang_up()
        with contextlib.suppress(TimeoutError):
            await _there(self._at_agent).is_ended(2)
        await _there(self._at_agent).hang_up()
        return {}


def _there(call: Call | None) -> Call:
    if call is None:
        raise RuntimeError("there is no call")
    return call


async def main(options: argparse.Namespace) -> None:
    """Do what comes in, until the input ends."""
    with contextlib.suppress(PermissionError):
        os.nice(-10)
    ear = Ear(("127.0.0.1", options.sip), options.agent)
    await ear.open()
    ways: dict[str, Callable[..., Awaitable[dict[str, Any]]]] = {
        "call": ear.call,
        "loud": ear.loud,
        "bye": ear.bye,
        "press": ear.press,
        "end": ear.end,
    }
    loop = asyncio.get_running_loop()
    print(json.dumps({"open": True}), flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        try:
            answer = await ways[asked.pop("do")](**asked)
        except TimeoutError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sip", type=int, required=True, help="port of the PBX")
    parser.add_argument("--agent", type=int, required=True, help="port of the agent's phone")
    asyncio.run(main(parser.parse_args()))
