"""An event loop whose time is virtual: when nothing is ready it does not wait, it is later."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

T = TypeVar("T")
_TIE_S = 1e-9


class _NoWaiting(selectors.SelectSelector):
    """Selects nothing, ever, and tells the loop how long it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everything waits for ever")
        self.passed_s += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Single-threaded and deterministic: two timers never fall on the same instant, so that their order is certain."""

    def __init__(self) -> None:
        self._waits = _NoWaiting()
        self._ties = 0
        super().__init__(self._waits)
        self._clock_resolution = 1e-10

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._waits.passed_s

    def call_at(  # type: ignore[override]  # simpler than the typeshed's
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Schedule; of two timers for one instant the one that was set first comes first."""
        self._ties += 1
        return super().call_at(when + self._ties * _TIE_S, callback, *args, context=context)


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on a virtual clock to its end."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
