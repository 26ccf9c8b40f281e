"""Waiting for a condition, with a limit: what tests do instead of sleeping for luck."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

POLL_S = 0.005
# asyncio takes one packet of a phone in each round of its loop. A look that takes longer than a packet (20 ms), again
# and again, would starve the phones that it looks at: they would hear less and less of what the PBX sends.
ROUNDS = 4


async def until(condition: Callable[[], object | Awaitable[object]], within_s: float = 5.0, what: str = "") -> None:
    """Waits until `condition` holds; it may be a plain or an async function.

    Args:
        condition: asked again and again; anything truthy ends the wait.
        within_s: limit, seconds.
        what: what was waited for, for the error.

    Raises:
        TimeoutError: it did not hold within `within_s`; the text is `what` or the condition's source line.
    """
    deadline = time.monotonic() + within_s
    while True:
        asked_at = time.monotonic()
        answer = condition()
        took_s = time.monotonic() - asked_at
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within_s} s: {what or _source(condition)}")
        await asyncio.sleep(max(POLL_S, ROUNDS * took_s))


def _source(condition: Callable[[], object]) -> str:
    try:
        return inspect.getsource(condition).strip()
    except (OSError, TypeError):
        return repr(condition)
