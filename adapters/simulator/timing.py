"""The simulated world's time: an event loop's, from a chosen date on, and as fast as is wished."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class LoopTime:
    """Time of the world: the running loop's clock, counted from `start`, `speed` times as fast."""

    def __init__(self, start: datetime | None = None, speed: float = 1.0) -> None:
        self._start = start or datetime.now(UTC)
        self._speed = speed
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()

    def now(self) -> datetime:
        """Return the world's time, aware UTC."""
        return self._start + timedelta(seconds=(self._loop.time() - self._began) * self._speed)

    def after(self, seconds: float, do: Callable[[], object]) -> asyncio.TimerHandle:
        """Call `do` in `seconds` of the world's time."""
        return self._loop.call_later(seconds / self._speed, do)

    async def sleep(self, seconds: float) -> None:
        """Sleep for `seconds` of the world's time."""
        await asyncio.sleep(seconds / self._speed)

    def real_s(self, seconds: float) -> float:
        """Return how long `seconds` of the world's time last for the loop."""
        return seconds / self._speed
