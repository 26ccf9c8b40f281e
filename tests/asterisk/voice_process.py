"""A voice channel in a process of its own, so that a test can kill it: `python -m tests.asterisk.voice_process JSON`.

Prints each event as one line of JSON, and a line when it is ready; what it is told of its standard input's first line
it tells as a message.
"""

import asyncio
import contextlib
import dataclasses
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from adapters.asterisk.pbx import AsteriskAccess, AsteriskPbx
from adapters.asterisk.snippets import Media
from adapters.paging.voice import VoiceChannel, VoiceConfig
from adapters.prompts.library import PromptLibrary
from policies.actions import Notify
from policies.events import Event
from policies.rules import Severity
from tests.contract.asterisk_world import FAST, RealClock
from tests.lab.waiting import until

ROOT = Path(__file__).parents[2]


def voice_beside(access: AsteriskAccess, **config: Any) -> tuple[AsteriskPbx, VoiceChannel]:
    """Return a PBX with the shipped prompts, and a voice channel over it."""
    prompts, clock = PromptLibrary(None), RealClock()
    pbx = AsteriskPbx(
        access,
        clock,
        prompts,
        Media(),
        caller_tag=lambda number: f"tag{number[-2:]}",
        language_of=lambda _queue, _language: "da",
        timing=FAST,
    )
    return pbx, VoiceChannel(VoiceConfig(**config), pbx.page_calls, prompts, clock)


def message(**changed: object) -> Notify:
    """Return an acute message of page `p-1` to Anna."""
    values: dict[str, object] = {
        "id": "a-1",
        "page": "p-1",
        "incident": "i-1",
        "reason": "call",
        "severity": Severity.ACUTE,
        "person": "anna",
        "channel": "voice",
        "address": "PJSIP/colleague",
        "language": "da",
        "step": 0,
        "attempt": 1,
        "message": "p-1.0",
    }
    return Notify(**{**values, **changed})  # type: ignore[arg-type]  # the record checks nothing


class Process:
    """Such a process.

    Attributes:
        lines: what it said.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.lines: list[dict[str, Any]] = []
        self._process = process
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            with contextlib.suppress(ValueError):
                self.lines.append(json.loads(line))

    def said(self, event: str) -> list[dict[str, Any]]:
        """Return the events of this name."""
        return [line for line in self.lines if line["event"] == event]

    async def kill(self) -> None:
        """End it as nothing can prepare for."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reading


@contextlib.asynccontextmanager
async def voice_process(access: AsteriskAccess, *, rings: bool = False) -> AsyncIterator[Process]:
    """Start one; it rings Anna if so asked."""
    asked = json.dumps({"access": dataclasses.asdict(access), "rings": rings})
    process = Process(
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.asterisk.voice_process", asked, stdout=asyncio.subprocess.PIPE, cwd=ROOT
        )
    )
    try:
        await until(lambda: process.said("ready"), 30, "the process is ready")
        yield process
    finally:
        await process.kill()


async def _main(asked: dict[str, Any]) -> None:
    pbx, channel = voice_beside(AsteriskAccess(**asked["access"]), repeat=3)

    def say(event: Event) -> None:
        fields = {name: str(value) for name, value in dataclasses.asdict(event).items()}
        print(json.dumps({"event": type(event).__name__, **fields}), flush=True)  # noqa: T201 -- how it talks

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(pbx.run(lambda _seen: None))
        tasks.create_task(channel.run(say))
        if asked["rings"]:
            await channel.tell(message())
        print(json.dumps({"event": "ready"}), flush=True)  # noqa: T201 -- as above


if __name__ == "__main__":
    asyncio.run(_main(json.loads(sys.argv[1])))
