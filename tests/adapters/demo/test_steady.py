"""The demo's time."""

import asyncio
import time
from datetime import UTC, datetime

from adapters.demo.steady import TICK_S, SteadyTime

BEGIN = datetime(2027, 3, 14, 1, 30, tzinfo=UTC)


async def test_things_happen_in_their_order_and_at_their_time() -> None:
    """Proves that each callback sees its own time, in order, and that a cancelled one does not come."""
    steady = SteadyTime(BEGIN)
    steady.speed = 50.0
    seen: list[tuple[str, float]] = []

    def note(name: str) -> None:
        seen.append((name, (steady.now() - BEGIN).total_seconds()))

    steady.after(0.3, lambda: note("later"))
    steady.after(0.1, lambda: note("first"))
    steady.after(0.2, lambda: note("never")).cancel()
    passing = asyncio.create_task(steady.run())
    await steady.sleep(0.4)
    passing.cancel()
    assert seen == [("first", 0.1), ("later", 0.3)]


async def test_it_stands_still_while_the_machine_is_busy() -> None:
    """Proves that a stall of the process does not count, so that nobody comes too late because of it."""
    steady = SteadyTime(BEGIN)
    steady.speed = 10.0
    passing = asyncio.create_task(steady.run())
    await steady.sleep(0.1)
    before = steady.now()
    time.sleep(0.5)  # noqa: ASYNC251 -- this is the stall
    await steady.sleep(0.0)
    passing.cancel()
    assert (steady.now() - before).total_seconds() <= 2 * 2 * TICK_S * steady.speed
