"""The carrier that outlives the service, with the people behind it. It answers, stays silent, puts off, refuses, dies.

What it makes of a message follows from the seed, the message and the attempt alone: it is the same in every run.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

_REPEATS_S = 0.3  # who answered and hears nothing answers again
_HOWS = {
    "sent": 68,
    "silent": 9,  # it arrives, and nobody says so
    "swallowed": 8,  # taken, and nothing comes
    "gone": 2,  # neither
    "deferred": 8,
    "refused": 5,
}
_ARRIVES = {"sent", "silent"}
_ANSWERS = 0.45


@dataclass
class Seen:
    """What the oracle needs to know.

    Attributes:
        arrived: how often each message did.
        unknown: after how many attempts the service could not know whether it had.
        incidents: of each page.
        told: incidents of which somebody was told.
        answered: pages that a person has answered.
        open: message of each action that the service has not been seen to settle.
    """

    arrived: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    incidents: dict[str, str] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    answered: dict[str, str] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)

    def killed(self) -> None:
        """Take note of a kill: what is under way will be tried once more."""
        self.unknown.update(self.open.values())
        self.open.clear()


class Carrier:
    """Listens on a Unix socket.

    Attributes:
        seen: for the oracle.
        on_arrival: called with each message that arrives.

    Args:
        path: of the socket.
        seed: what happens follows from it.
    """

    def __init__(self, path: str, seed: int) -> None:
        self.seen = Seen()
        self.on_arrival: Callable[[], None] = lambda: None
        self._path = path
        self._seed = seed
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.StreamWriter] = set()
        self._insists: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._serve, self._path)

    async def die(self) -> None:
        """Cut every connection, and listen no more."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for line in self._lines:
            line.close()

    async def close(self) -> None:
        """Die for good."""
        await self.die()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def settled(self, action: str, delivery: str) -> None:
        """The service has noted the outcome of an attempt."""
        message = self.seen.open.pop(action, "")
        if delivery == "unknown":
            self.seen.unknown[message] += 1

    def heard(self, page: str) -> None:
        """The service has noted an answer: who gave it need not give it again."""
        self._insists.discard(page)

    def lost(self, page: str) -> None:
        """A page is known no more; another is opened in its place."""
        self._insists.discard(page)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines.add(writer)
        try:
            while line := await reader.readline():
                self._take(json.loads(line), writer)
        except (OSError, ValueError):
            pass  # cut in the middle
        finally:
            self._lines.discard(writer)
            writer.close()

    def _take(self, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        how = "sent"
        if "message" in asked:
            message, page = asked["message"], asked["page"]
            chance = Random(f"{self._seed}/{message.rpartition('.')[2]}/{asked['incident']}/{asked['attempt']}")
            how = chance.choices(list(_HOWS), list(_HOWS.values()))[0]
            self.seen.open[asked["action"]] = message
            self.seen.incidents[page] = asked["incident"]
            if how in _ARRIVES:
                self.seen.arrived[message] += 1
                self.seen.told.add(asked["incident"])
                self.on_arrival()
                if chance.random() < _ANSWERS:
                    self._later(self._answer(page, asked["person"], chance.random() / 2))
        if how not in {"silent", "gone"}:
            self._send(writer, number=asked["number"], how="sent" if how == "swallowed" else how)

    async def _answer(self, page: str, person: str, after_s: float) -> None:
        """Answer as a person does: once, and again for as long as nothing comes of it."""
        await asyncio.sleep(after_s)
        self.seen.answered.setdefault(page, person)
        self._insists.add(page)
        while page in self._insists:
            for line in self._lines:
                self._send(line, page=page, by=person)
            await asyncio.sleep(_REPEATS_S)

    def _later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _send(self, writer: asyncio.StreamWriter, **what: object) -> None:
        if not writer.is_closing():
            writer.write(json.dumps(what).encode() + b"\n")
