"""The service as a process that can be killed at any step, and the disk that survives it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from policies.actions import Action, Release
from policies.breaks import Break
from policies.events import PolicyLoaded
from policies.guards import Guard
from policies.handoffs import Handoff
from policies.model import Timer
from policies.pages import Page
from policies.proofs import Proof
from policies.rules import Rules
from policies.state import Entity, State
from telephony.errors import BagvagtError
from telephony.ports import Entry, LostRelease, Recovered

START = datetime(2026, 3, 28, 21, 0, tzinfo=UTC)


class WallClock:
    """The service's clock: it may jump, and it may differ from the PBX's. Its ids never repeat."""

    def __init__(self) -> None:
        self.jumped = timedelta(0)
        self._ids = 0

    def now(self) -> datetime:
        """Return now, as the service's machine believes."""
        return START + timedelta(seconds=asyncio.get_running_loop().time()) + self.jumped

    def new_id(self) -> str:
        """Return the next id."""
        self._ids += 1
        return f"{self._ids:06d}"


class Process:
    """One life of the service. Its ports call `step` at each point where a kill may strike."""

    def __init__(self, kill_at: int, on_kill: Callable[["Process"], None]) -> None:
        self.is_alive = True
        self.task: asyncio.Task[None] | None = None
        self.steps = 0
        self._kill_at = kill_at
        self._on_kill = on_kill

    def kill(self) -> None:
        """Kill -9: from here on nothing that the process does has any effect."""
        if self.is_alive:
            self.is_alive = False
            self._on_kill(self)
            if self.task is not None:
                self.task.cancel()

    async def step(self) -> None:
        """Come to a point where a kill may strike."""
        if not self.is_alive:
            raise asyncio.CancelledError
        self.steps += 1
        if self.steps == self._kill_at:
            asyncio.get_running_loop().call_soon(self.kill)
            await asyncio.get_running_loop().create_future()


class StoreError(BagvagtError):
    """The store did not take it."""


@dataclass
class Disk:
    """What a kill does not erase.

    Attributes:
        entities: what was stored last of each that is not dropped.
        open: actions without an outcome, oldest first.
        timers: when each is due.
        policies: versions of the policy, and when each was loaded.
        log: every entry, with the loop's time when it was committed: the decisions that stand.
        works: cleared while the store stalls.
        fails: raise instead of stalling.
    """

    entities: dict[tuple[str, str], Entity] = field(default_factory=dict)
    open: dict[str, Action] = field(default_factory=dict)
    timers: dict[Timer, datetime] = field(default_factory=dict)
    policies: list[tuple[datetime, Rules]] = field(default_factory=list)
    log: list[tuple[float, Entry]] = field(default_factory=list)
    works: asyncio.Event = field(default_factory=asyncio.Event)
    fails: bool = False


def _key(entity: Entity) -> tuple[str, str]:
    return type(entity).__name__, entity.call if isinstance(entity, Guard) else entity.id


class FakeJournal:
    """Fits `telephony.ports.Journal` over a `Disk`, for one process."""

    def __init__(self, disk: Disk, process: Process) -> None:
        self._disk = disk
        self._process = process
        self._order = asyncio.Lock()

    async def recover(self) -> Recovered:
        """Read back what stands."""
        await self._process.step()
        stored = self._disk.entities.values()
        state = State(
            guards={e.call: e for e in stored if isinstance(e, Guard)},
            handoffs={e.id: e for e in stored if isinstance(e, Handoff)},
            breaks={e.id: e for e in stored if isinstance(e, Break)},
            pages={e.id: e for e in stored if isinstance(e, Page)},
            proofs={e.id: e for e in stored if isinstance(e, Proof)},
        )
        left = tuple(
            LostRelease(a.id, a.permit.call, a.permit.id) if isinstance(a, Release) else a
            for a in self._disk.open.values()
        )
        return Recovered(state, left, tuple(self._disk.policies))

    async def commit(self, entry: Entry) -> None:
        """Commit one transaction durably; a kill strikes before it or after it, never within."""
        async with self._order:
            await self._process.step()
            if not self._disk.works.is_set() and self._disk.fails:
                raise StoreError("disk full")
            await self._disk.works.wait()
            await asyncio.sleep(0.0002)
            await self._process.step()
            self._apply(entry)
            await self._process.step()

    def _apply(self, entry: Entry) -> None:
        disk = self._disk
        for entity in entry.changed:
            disk.entities[_key(entity)] = entity
        for entity in entry.dropped:
            disk.entities.pop(_key(entity), None)
        for action in entry.actions:
            disk.open[action.id] = action
        disk.open.pop(entry.done, None)
        if isinstance(entry.event, PolicyLoaded):
            disk.policies.append((entry.event.at, entry.event.rules))
        for timer, due in entry.timers:
            if due is None:
                disk.timers.pop(timer, None)
            else:
                disk.timers[timer] = due
        disk.log.append((asyncio.get_running_loop().time(), entry))

    async def due_timers(self, now: datetime) -> tuple[Timer, ...]:
        """Return timers due at `now`, oldest first."""
        await self._process.step()
        due = [(at, timer) for timer, at in self._disk.timers.items() if at <= now]
        return tuple(timer for _at, timer in sorted(due, key=lambda x: x[0]))

    async def next_due(self) -> datetime | None:
        """Return when the next timer is due."""
        await self._process.step()
        return min(self._disk.timers.values(), default=None)
