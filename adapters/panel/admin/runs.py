"""What takes long and is asked for in the browser: it runs in the background, one at a time, within a time limit."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

import structlog

from telephony.ports import Clock

_log = structlog.get_logger()

T = TypeVar("T")


class RunState(StrEnum):
    """How far it got."""

    NEVER = "never"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    LATE = "late"  # stopped at the time limit


@dataclass(frozen=True, slots=True)
class Run(Generic[T]):
    """One run.

    Attributes:
        state: see there.
        by: who asked for it.
        began_at: when.
        ended_at: when; None while it runs.
        result: what came of it, None when nothing did.
        why: what went wrong, in words.
    """

    state: RunState = RunState.NEVER
    by: str = ""
    began_at: datetime | None = None
    ended_at: datetime | None = None
    result: T | None = None
    why: str = ""


class Runs(Generic[T]):
    """Runs it, and keeps what the latest one found.

    Attributes:
        latest: the latest run.

    Args:
        name: of the task, for the log.
        clock: the time.
        limit_s: after this it is stopped.
    """

    def __init__(self, name: str, clock: Clock, limit_s: float) -> None:
        self.latest: Run[T] = Run()
        self.limit_s = limit_s
        self._name = name
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self, by: str, do: Callable[[], Awaitable[T]]) -> bool:
        """Begin; False when one is running already, which goes on."""
        if self._task is not None and not self._task.done():
            return False
        self.latest = Run(RunState.RUNNING, by, self._clock.now())
        self._task = asyncio.create_task(self._run(do), name=self._name)
        return True

    async def close(self) -> None:
        """Stop what is running."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, do: Callable[[], Awaitable[T]]) -> None:
        state, result, why = RunState.DONE, None, ""
        try:
            async with asyncio.timeout(self.limit_s):
                result = await do()
        except TimeoutError:
            state, why = RunState.LATE, f"stopped after {self.limit_s:g} s"
        except Exception as error:  # noqa: BLE001 -- whatever a check trips over is its result, shown to who asked
            _log.warning("admin_run_failed", what=self._name, error=type(error).__name__)
            state, why = RunState.FAILED, str(error) or type(error).__name__
        self.latest = replace(self.latest, state=state, ended_at=self._clock.now(), result=result, why=why)
