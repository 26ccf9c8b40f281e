"""What watches the service: systemd's watchdog, and `Health` for people and monitors.

The watchdog is fed only while the loop runs on time and the journal answers. An error is an answer: restarting does
not free a full disk, and the alarms that go out without a journal would be lost with the process.
"""

import asyncio
import os
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import structlog

from policies import events as ev
from policies.actions import Action
from policies.state import State
from telephony.engine import Engine
from telephony.errors import BagvagtError
from telephony.ports import Clock

_log = structlog.get_logger()

LAG_MOST_S = 2.0
SILENT_MOST_S = 45.0  # a store that stalls for 30 s is ridden out, not restarted
_LOOK_S = 0.25
_LOOKS_KEPT = 40


def sd_notify(*lines: str) -> None:
    """Tell systemd; nothing happens where no systemd listens (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
        to.connect("\0" + address[1:] if address.startswith("@") else address)
        to.send("\n".join(lines).encode())


def ready(status: str) -> None:
    """The service takes keys; also the end of a reload."""
    sd_notify("READY=1", f"STATUS={status}")


def reloading() -> None:
    """A reload begins; `ready` ends it."""
    sd_notify("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def stopping() -> None:
    """The service ends on purpose."""
    sd_notify("STOPPING=1", "STATUS=stopping")


def watchdog_s() -> float | None:
    """Return how long systemd waits for a sign of life; None when it does not watch this process."""
    pid, usec = os.environ.get("WATCHDOG_PID", ""), os.environ.get("WATCHDOG_USEC", "")
    if not usec.isdigit() or int(usec) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 1e6


class LoopLag:
    """How late the event loop runs what is due."""

    def __init__(self) -> None:
        self._late: deque[float] = deque([0.0], maxlen=_LOOKS_KEPT)

    @property
    def worst_s(self) -> float:
        """The worst of the last ten seconds."""
        return max(self._late)

    @property
    def latest_s(self) -> float:
        """The latest reading."""
        return self._late[-1]

    async def run(self) -> None:
        """Measure, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LOOK_S
            await asyncio.sleep(_LOOK_S)
            self._late.append(max(0.0, loop.time() - due))


class Watchdog:
    """Feeds systemd's watchdog while all is well.

    Args:
        ask_store: asks the journal anything; returns or raises when it answers.
        lag: the loop's lag.
        status: one line for `systemctl status`.
        lag_most_s: the largest lag that is still fed.
        silent_most_s: for how long the journal may leave the question open.
        now_s: a monotonic clock, seconds.
    """

    def __init__(
        self,
        ask_store: Callable[[], Awaitable[object]],
        lag: LoopLag,
        status: Callable[[], str],
        *,
        lag_most_s: float = LAG_MOST_S,
        silent_most_s: float = SILENT_MOST_S,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask_store = ask_store
        self._lag = lag
        self._status = status
        self._lag_most_s = lag_most_s
        self._silent_most_s = silent_most_s
        self._now_s = now_s
        self._asking: asyncio.Task[None] | None = None
        self._asked_at = 0.0

    async def run(self, every_s: float) -> None:
        """Look, and feed, until cancelled.

        Args:
            every_s: a third of `watchdog_s()` leaves room for one late look.
        """
        try:
            while True:
                self.look()
                await asyncio.sleep(every_s)
        finally:
            if self._asking is not None:
                self._asking.cancel()

    def look(self) -> bool:
        """Feed the watchdog if all is well; tell whether it was fed."""
        why = self._why_not()
        if why:
            _log.error("watchdog_not_fed", why=why)
            sd_notify(f"STATUS=unwell: {why}")
            return False
        sd_notify("WATCHDOG=1", f"STATUS={self._status()}")
        return True

    def _why_not(self) -> str:
        silent_s = self._silent_s()
        if self._lag.latest_s > self._lag_most_s:
            return f"the loop is {self._lag.latest_s:.1f} s late"
        return f"the journal has been silent for {silent_s:.0f} s" if silent_s > self._silent_most_s else ""

    def _silent_s(self) -> float:
        """Look whether the journal has answered; ask anew when it has. One question at a time."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(), name="watchdog asks the journal")
            self._asked_at = self._now_s()
        return self._now_s() - self._asked_at

    async def _ask(self) -> None:
        with suppress(BagvagtError):
            await self._ask_store()


class Health:
    """Whether protection is on, and what stands in its way. A `Listener`.

    Args:
        clock: the time.
        lag: the loop's lag.
        channels: the pager's channels, and whether each is connected as far as it knows.
        audit_head: end of the audit chain, COUNT:HASH.

    Attributes:
        engine: whose health; set once the engine, which has this as a listener, was made.
    """

    def __init__(
        self,
        clock: Clock,
        lag: LoopLag,
        channels: Callable[[], Mapping[str, bool]],
        audit_head: Callable[[], str],
    ) -> None:
        self.engine: Engine | None = None
        self._clock = clock
        self._lag = lag
        self._channels = channels
        self._audit_head = audit_head
        self._since: datetime = clock.now()
        self._started = self._since

    def decided(self, event: ev.Event, state: State, actions: Iterable[Action]) -> None:  # noqa: ARG002
        """Note when the PBX came or went."""
        if isinstance(event, ev.PbxConnected | ev.PbxLost):
            self._since = event.at

    def read(self) -> dict[str, Any]:
        """Return it as `/healthz` shows it; `ok` only while a key would be obeyed, journaled, and heard by somebody."""
        engine = self.engine
        if engine is None or not engine.ready.is_set():
            return {"ok": False, "why": ["starting"]}
        state, saving, channels = engine.state, engine.saving, dict(self._channels())
        journal_ok = not saving.is_failing and saving.silent_s < LAG_MOST_S
        why = [
            what
            for what, wrong in (
                ("pbx", not state.connected),
                ("journal", not journal_ok),
                ("pager", bool(channels) and not any(channels.values())),
                ("loop", self._lag.worst_s > LAG_MOST_S),
            )
            if wrong
        ]
        past = engine.policy.earlier
        return {
            "ok": not why,
            "why": why,
            "pbx": {"connected": state.connected, "epoch": state.epoch, "since": self._since.isoformat()},
            "journal": {"ok": journal_ok, "unsaved": saving.unsaved, "unreadable": len(engine.unreadable)},
            "pager": {"channels": channels},
            "loop_lag_ms": round(self._lag.worst_s * 1000, 1),
            "policy": {
                "version": engine.policy.now.version,
                "loaded_at": (past[0][0] if past else self._started).isoformat(),
            },
            "audit_head": self._audit_head(),
        }

    def line(self) -> str:
        """Return it in one line, for `systemctl status`."""
        health = self.read()
        return "protection is on" if health["ok"] else f"PROTECTION IS OFF: {', '.join(health['why'])}"
