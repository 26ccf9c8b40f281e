"""The demo's time: as fast as is wished, and it stands still while the machine is busy elsewhere.

So a slow or loaded machine makes the shift longer, and never another one: no key comes too late because a disk was.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from adapters.simulator.timing import LoopTime

TICK_S = 0.01
_SLACK_S = 10.0


class SteadyTime(LoopTime):
    """Time of the simulated world, in small steps; moves only while `run` runs.

    Args:
        start: the first moment, aware.

    Attributes:
        speed: seconds of the world for each of ours.
    """

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self.speed = 1.0
        self._now = start.astimezone(UTC)
        self._count = itertools.count()
        self._due: list[tuple[datetime, int, Callable[[], object], asyncio.TimerHandle]] = []

    def now(self) -> datetime:
        """Return the world's time, aware UTC."""
        return self._now

    def after(self, seconds: float, do: Callable[[], object]) -> asyncio.TimerHandle:
        """Call `do` in `seconds` of the world's time; the handle is for cancelling."""
        handle = asyncio.TimerHandle(0.0, do, (), asyncio.get_running_loop())
        heapq.heappush(self._due, (self._now + timedelta(seconds=seconds), next(self._count), do, handle))
        return handle

    async def sleep(self, seconds: float) -> None:
        """Sleep for `seconds` of the world's time."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not over.done():
                over.set_result(None)

        self.after(seconds, wake)
        await over

    def real_s(self, seconds: float) -> float:
        """Return how long `seconds` of the world's time may last at the most, before something must be wrong."""
        return seconds / self.speed + _SLACK_S

    async def run(self) -> None:
        """Let time pass, until cancelled."""
        loop = asyncio.get_running_loop()
        before = loop.time()
        while True:
            await asyncio.sleep(TICK_S)
            passed_s, before = loop.time() - before, loop.time()
            self._pass(min(passed_s, 2 * TICK_S) * self.speed)

    def _pass(self, seconds: float) -> None:
        until = self._now + timedelta(seconds=seconds)
        while self._due and self._due[0][0] <= until:
            at, _, do, handle = heapq.heappop(self._due)
            self._now = max(self._now, at)
            if not handle.cancelled():
                do()
        self._now = until


class SteadyClock:
    """Fits `telephony.ports.Clock`: the world's time, and ids that are short enough to be read."""

    def __init__(self, time: SteadyTime) -> None:
        self._time = time
        self._count = itertools.count(1)

    def now(self) -> datetime:
        """Return now, aware UTC."""
        return self._time.now()

    def new_id(self) -> str:
        """Return a count; four digits, so that ids sort by time."""
        return f"{next(self._count):04d}"
