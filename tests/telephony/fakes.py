"""Small hand-written fakes for tests of the engine: a PBX, a pager, a journal in memory with faults, a clock.

Each does what its port says, at once, unless a test tells it otherwise: `does[Announce] = …` replaces what the PBX
makes of an action, `journal.fails` and `journal.stalls` are the store's faults.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from policies import actions as act
from policies import events as ev
from policies.events import Delivery, Event, Played
from policies.model import AgentId, CallId, Candidate, LiveCall, Member, Outcome, Timer
from policies.rules import Policy, Rules
from policies.state import State
from telephony.engine import Engine
from telephony.errors import BagvagtError
from telephony.ports import Entry, LostRelease, Recovered, Seen
from tests.policies.story import NOON, RULES

Way = Callable[[Any], Awaitable[Any]]


class StoreDownError(BagvagtError):
    """The fake store fails."""


class FakeClock:
    """Time that moves when told."""

    def __init__(self, now: datetime = NOON) -> None:
        self.at = now
        self.ids = 0

    def now(self) -> datetime:
        return self.at

    def new_id(self) -> str:
        self.ids += 1
        return f"id{self.ids:06}"

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class FakeJournal:
    """A store in memory, with faults.

    Attributes:
        entries: what was committed, in order.
        fails: every commit raises this.
        refuses: tells of an entry that it can never be stored.
        open: cleared, commits hang.
        began: commits that were asked for.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.fails: Exception | None = None
        self.refuses: Callable[[Entry], bool] = lambda _entry: False
        self.open = asyncio.Event()
        self.open.set()
        self.began = 0
        self.timers: dict[Timer, datetime] = {}
        self.recovered = Recovered(State(), ())
        self.policies: tuple[tuple[datetime, Rules], ...] = ()

    def stall(self) -> None:
        self.open.clear()

    async def recover(self) -> Recovered:
        return replace(self.recovered, policies=self.policies)

    async def commit(self, entry: Entry) -> None:
        self.began += 1
        await self.open.wait()
        if self.fails is not None:
            raise self.fails
        if self.refuses(entry):
            raise StoreDownError("refused")
        self.entries.append(entry)
        for timer, due in entry.timers:
            self.timers.pop(timer, None)
            if due is not None:
                self.timers[timer] = due

    async def due_timers(self, now: datetime) -> tuple[Timer, ...]:
        return tuple(t for t, due in sorted(self.timers.items(), key=lambda i: i[1]) if due <= now)

    async def next_due(self) -> datetime | None:
        return min(self.timers.values(), default=None)

    def open_actions(self) -> list[act.Action]:
        """What a restart would find without an outcome."""
        done = {e.done for e in self.entries}
        return [a for e in self.entries for a in e.actions if a.id not in done]

    def told(self) -> list[act.Tell]:
        return [t for e in self.entries for t in e.told]


class FakePbx:
    """A PBX that does what it is asked, at once.

    Attributes:
        done: every action that it was asked for, in order.
        does: for a type of action, what is done instead.
        calls: what it shows.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.done: list[act.Action] = []
        self.does: dict[type[act.Action], Way] = {}
        self.calls: tuple[LiveCall, ...] = ()
        self.members: tuple[Member, ...] = ()
        self.emit: Callable[[Seen], None] = lambda _seen: None
        self.runs = 0
        self.broken = asyncio.Event()
        self.connects_itself = True

    def stamp(self) -> dict[str, Any]:
        return {"id": self.clock.new_id(), "at": self.clock.now()}

    async def run(self, emit: Callable[[Seen], None]) -> None:
        self.emit = emit
        self.runs += 1
        if self.connects_itself:
            self.connect()
        await self.broken.wait()
        self.broken.clear()
        raise RuntimeError("a bug in the adapter")

    def connect(self) -> None:
        self.emit(ev.PbxConnected(**self.stamp(), epoch=self.runs, calls=self.calls, members=self.members))

    def calls_of(self, agent: AgentId) -> tuple[LiveCall, ...]:
        return tuple(c for c in self.calls if c.agent == agent)

    def last_call_of(self, agent: AgentId) -> tuple[LiveCall, datetime] | None:  # noqa: ARG002 -- nobody has one
        return None

    def candidates(self) -> tuple[Candidate, ...]:
        return ()

    async def _do(self, action: act.Action, otherwise: Callable[[], Event]) -> Any:
        self.done.append(action)
        way = self.does.get(type(action))
        return await way(action) if way is not None else otherwise()

    async def _fine(self, action: act.Action) -> Any:
        return await self._do(action, lambda: self.finished(action))

    def finished(self, action: act.Action, outcome: Outcome = Outcome.DONE) -> ev.ActionFinished:
        return ev.ActionFinished(**self.stamp(), action=action.id, outcome=outcome)

    def heard(self, action: act.Announce) -> ev.AnnouncementFinished:
        return ev.AnnouncementFinished(
            **self.stamp(), action=action.id, call=action.call, caller=action.caller, played=Played.HEARD, packets=250
        )

    def released(self, action: act.Release, outcome: Outcome = Outcome.DONE) -> ev.ReleaseFinished:
        permit = action.permit
        return ev.ReleaseFinished(**self.stamp(), action=action.id, call=permit.call, permit=permit.id, outcome=outcome)

    async def announce(self, action: act.Announce) -> ev.AnnouncementFinished:
        return await self._do(action, lambda: self.heard(action))  # type: ignore[no-any-return]

    async def release(self, action: act.Release, still_permitted: Callable[[], bool]) -> ev.ReleaseFinished:
        async def look(_action: act.Release) -> ev.ReleaseFinished:
            if way is not None:
                await way(action)
            return self.released(action, Outcome.DONE if still_permitted() else Outcome.REFUSED)

        way = self.does.get(act.Release)
        self.done.append(action)
        return await look(action)

    async def ring(self, action: act.Ring) -> ev.ColleagueJoined | ev.ColleagueMissed:
        missed = ev.ColleagueMissed(**self.stamp(), action=action.id, handoff=action.handoff)
        return await self._do(action, lambda: missed)  # type: ignore[no-any-return]

    async def leave(self, action: act.Leave) -> ev.LeaveFinished:
        left = ev.LeaveFinished(**self.stamp(), action=action.id, handoff=action.handoff, outcome=Outcome.DONE)
        return await self._do(action, lambda: left)  # type: ignore[no-any-return]

    async def pause(self, action: act.Pause) -> ev.PauseFinished:
        paused = ev.PauseFinished(**self.stamp(), action=action.id, break_id=action.break_id, outcome=Outcome.DONE)
        return await self._do(action, lambda: paused)  # type: ignore[no-any-return]

    async def unpause(self, action: act.Unpause) -> ev.UnpauseFinished:
        lifted = ev.UnpauseFinished(**self.stamp(), action=action.id, break_id=action.break_id, outcome=Outcome.DONE)
        return await self._do(action, lambda: lifted)  # type: ignore[no-any-return]

    async def stop_announcement(self, action: act.StopAnnouncement) -> ev.ActionFinished:
        return await self._fine(action)  # type: ignore[no-any-return]

    async def retrieve(self, action: act.Retrieve) -> ev.ActionFinished:
        return await self._fine(action)  # type: ignore[no-any-return]

    async def stop_ringing(self, action: act.StopRinging) -> ev.ActionFinished:
        return await self._fine(action)  # type: ignore[no-any-return]

    async def signal(self, action: act.Tell) -> ev.ActionFinished:
        return await self._fine(action)  # type: ignore[no-any-return]

    def asked(self, kind: type[act.Action]) -> list[Any]:
        """Return the actions of one kind that it was asked for."""
        return [a for a in self.done if isinstance(a, kind)]


class FakePager:
    """Carriers that take every message at once, unless `does` says otherwise."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.sent: list[act.Notify] = []
        self.stood_down: list[act.StandDown] = []
        self.replied: list[act.ReplyTo] = []
        self.does: Way | None = None

    async def run(self, emit: Callable[[Event], None]) -> None:  # noqa: ARG002 -- nobody answers by itself
        await asyncio.Event().wait()

    async def notify(self, action: act.Notify) -> ev.Notified:
        self.sent.append(action)
        if self.does is not None:
            return await self.does(action)  # type: ignore[no-any-return]
        return ev.Notified(
            id=self.clock.new_id(), at=self.clock.now(), action=action.id, page=action.page, delivery=Delivery.SENT
        )

    async def reply(self, action: act.ReplyTo) -> ev.ActionFinished:
        self.replied.append(action)
        return ev.ActionFinished(id=self.clock.new_id(), at=self.clock.now(), action=action.id, outcome=Outcome.DONE)

    async def stand_down(self, action: act.StandDown) -> ev.ActionFinished:
        self.stood_down.append(action)
        return ev.ActionFinished(id=self.clock.new_id(), at=self.clock.now(), action=action.id, outcome=Outcome.DONE)


class Service:
    """An engine over the fakes, running.

    Attributes:
        decided: events in the order of their decisions.
    """

    def __init__(self, rules: Rules = RULES, **more: Any) -> None:
        self.clock = FakeClock()
        self.journal = FakeJournal()
        self.journal.policies = ((self.clock.now() - timedelta(days=9), rules),)
        self.pbx = FakePbx(self.clock)
        self.pager = FakePager(self.clock)
        self.decided_events: list[Event] = []
        self.engine = Engine(
            policy=Policy(rules),
            pbx=self.pbx,
            pager=self.pager,
            journal=self.journal,
            clock=self.clock,
            listeners=(self,),
            **{"store_patience_s": 0.02, **more},
        )

    def decided(self, event: Event, state: State, actions: Iterable[act.Action]) -> None:  # noqa: ARG002
        self.decided_events.append(event)

    def saw(self, kind: type[Event]) -> list[Any]:
        return [e for e in self.decided_events if isinstance(e, kind)]

    async def until(self, condition: Callable[[], object], within_s: float = 10.0) -> None:
        """Let the loop run until `condition` is true.

        Raises:
            TimeoutError: it was not.
        """
        async with asyncio.timeout(within_s):
            while not condition():  # noqa: ASYNC110 -- any condition, not one of ours to signal
                await asyncio.sleep(0.001)

    async def settled(self) -> None:
        """Let everything that is under way and needs no time come to its end."""
        for _ in range(50):
            await asyncio.sleep(0)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Service"]:
        """Run it; on leaving it is cancelled, and must not have died before."""
        task = asyncio.create_task(self.engine.run())
        try:
            await self.until(lambda: self.engine.ready.is_set() or task.done())
            if self.pbx.connects_itself:
                await self.until(lambda: self.saw(ev.PbxConnected) or task.done())
            yield self
            assert not task.done(), task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def lost_release(self, call: str = "c1", permit: str = "p1") -> LostRelease:
        return LostRelease("a1", CallId(call), permit)
