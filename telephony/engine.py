"""The engine: one task owns the state.

An event comes in, the pure core decides, the journal commits the decision, and only then is anything done. What is done
runs as tasks of its own, so that a hung gateway delays no warning; how it went comes back as an event. `take` never
blocks, and keeps what concerns guarded calls, no more.

Hang-ups fail closed, alarms fail open: without a committed journal nothing ends a call, and a page goes out all the
same. A store that hangs is waited for once, for the patience; from then on decisions go on without it, so that an acute
key behind it is heard: its alarm goes out, and everything else waits for the commit. What has waited too long is held
against the state again before it is done.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any

import structlog

from policies import actions as act
from policies import events as ev
from policies.decide import decide
from policies.guards import CallState
from policies.model import AgentId, KeyUse, LegId, Outcome, Source, Timer
from policies.reasons import Reason
from policies.rules import Policy, Rules, Severity
from policies.state import Decision, State
from policies.tables import IllegalTransitionError
from telephony.carry_out import ALARMS, CarryOut, can_not_wait, is_still_wanted
from telephony.inbox import Inbox
from telephony.ports import Clock, CodePressed, Entry, Journal, Listener, LostRelease, Pager, Pbx, Seen, Unreadable
from telephony.saving import Saving
from telephony.written import concerns_people, entry_of, log_decision

_log = structlog.get_logger()

LOOK_AT_TIMERS_S = 1.0
STORE_PATIENCE_S = 2.0
TIMERS_AT_ONCE = 32  # fired and not decided yet
PUT_BACK_S = 5.0
RUN_AGAIN_S = 1.0


class Engine:
    """Takes events in, keeps the state, has decisions carried out.

    Attributes:
        state: as of the last decision.
        policy: in force.
        unreadable: what the latest start could not read back.
        ready: set once the journal has been read back.
        saving: the way into the journal, and how it does.

    Args:
        listeners: told of each decision.
        measure: called with `decide` or `commit`, and seconds.
        glimpsed: called with what happens to a call that nobody guards, which the engine itself lets go.
        store_patience_s: how long an alarm waits for its commit.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        pbx: Pbx,
        pager: Pager,
        journal: Journal,
        clock: Clock,
        listeners: Sequence[Listener] = (),
        measure: Callable[[str, float], None] = lambda _what, _s: None,
        glimpsed: Callable[[ev.CallChanged | ev.CallEnded], None] = lambda _seen: None,
        store_patience_s: float = STORE_PATIENCE_S,
    ) -> None:
        self.state = State()
        self.policy = policy
        self.ready = asyncio.Event()
        self._pbx = pbx
        self._pager = pager
        self._journal = journal
        self._clock = clock
        self._listeners = listeners
        self._measure = measure
        self._glimpsed = glimpsed
        self._patience_s = store_patience_s
        self.saving = Saving(journal, measure)
        self._carry_out = CarryOut(pbx, pager, self._still_permitted, self.stamp)
        self._inbox = Inbox(lambda: self.state.pages)
        self._waiting: dict[str, ev.KeyPressed] = {}
        self._answers: dict[str, asyncio.Future[act.Tell]] = {}
        self._after_connect: list[ev.Event] = []
        self.unreadable: tuple[Unreadable, ...] = ()
        self._stalled = False
        self._fired: set[Timer] = set()
        self._alarms: set[asyncio.Task[None]] = set()
        self._timers_changed = asyncio.Event()
        self._tasks: asyncio.TaskGroup

    async def run(self) -> None:
        """Read the journal back, then follow events until cancelled."""
        recovered = await self._journal.recover()
        self.state, self.unreadable = recovered.state, recovered.unreadable
        now = self.policy.now
        self.policy = Policy.after_restart(now, recovered.policies, self._clock.now())
        if not recovered.policies or recovered.policies[-1][1].version != now.version:
            self._inbox.put_nowait(ev.PolicyLoaded(**self.stamp(), rules=now))
        async with asyncio.TaskGroup() as self._tasks:
            self._recover(recovered.open_actions)
            self._say_unreadable()
            self._tasks.create_task(self.saving.run(), name="journal")
            self._tasks.create_task(self._keep("pager", self._pager.run), name="pager")
            self._tasks.create_task(self._keep("pbx", self._pbx.run), name="pbx")
            self._tasks.create_task(self._watch_timers(), name="timers")
            self.ready.set()
            while True:
                await self._handle(await self._inbox.get())

    # What comes in.

    def take(self, seen: Seen) -> None:
        """Take something in; never blocks. A change in a call that nobody guards is let go here."""
        if isinstance(seen, CodePressed):
            key = self.policy.now.keys.get(seen.key)
            if key is None:
                _log.warning("key_unknown", key=seen.key, agent=seen.agent)
                return
            self._wait_for(self._key_pressed(seen.agent, key, seen.source, seen.pressed_at, seen.leg))
            return
        if isinstance(seen, ev.CallChanged | ev.CallEnded):
            call = seen.call.id if isinstance(seen, ev.CallChanged) else seen.call
            if call not in self.state.guards and not any(call in _calls_of(k) for k in self._waiting.values()):
                self._glimpsed(seen)
                return
        self._inbox.put_nowait(seen)

    async def press(
        self, agent: AgentId, key: KeyUse, source: Source, *, pressed_at: datetime | None = None
    ) -> act.Tell:
        """Press a key for an agent; return the answer."""
        event = self._key_pressed(agent, key, source, pressed_at or self._clock.now(), None)
        answer: asyncio.Future[act.Tell] = asyncio.get_running_loop().create_future()
        self._answers[event.id] = answer
        self._wait_for(event)
        try:
            return await answer
        finally:
            self._answers.pop(event.id, None)

    def reload(self, rules: Rules) -> None:
        """Put a new policy in force; calls under way keep what it would loosen."""
        self.policy = self.policy.replaced_by(rules, self._clock.now())
        self._inbox.put_nowait(ev.PolicyLoaded(**self.stamp(), rules=rules))

    def stamp(self) -> dict[str, Any]:
        """Return `id` and `at` for a new event."""
        return {"id": self._clock.new_id(), "at": self._clock.now()}

    def _wait_for(self, event: ev.KeyPressed) -> None:
        self._waiting[event.id] = event
        self._inbox.put_nowait(event)

    def _key_pressed(
        self, agent: AgentId, key: KeyUse, source: Source, pressed_at: datetime, leg: LegId | None
    ) -> ev.KeyPressed:
        return ev.KeyPressed(
            **self.stamp(),
            agent=agent,
            key=key,
            source=source,
            pressed_at=pressed_at,
            leg=leg,
            calls=self._pbx.calls_of(agent),
            last_call=self._pbx.last_call_of(agent),
            candidates=self._pbx.candidates(),
        )

    # Decide, commit, do.

    async def _handle(self, event: ev.Event) -> None:
        if isinstance(event, ev.TimerFired) and event.timer not in self._fired:
            return  # it was set anew, or dropped, while it waited for its decision
        started = perf_counter()
        before = self.state
        if isinstance(event, ev.KeyPressed):
            event = _as_of_now(event, self._clock.now())
        decision = self._decide(event)
        self._measure("decide", perf_counter() - started)
        entry = entry_of(event, decision)
        self.state = decision.state  # the latch holds from here, whatever the store does
        if concerns_people(entry):
            await self._save_and_act(entry, decision.actions)
        self._waiting.pop(event.id, None)
        if entry.timers:
            self._fired.difference_update(timer for timer, _ in entry.timers)
            self._timers_changed.set()
        self._show(event, decision.actions)
        self._after(event)
        log_decision(event, before, decision, (perf_counter() - started) * 1000)

    def _decide(self, event: ev.Event) -> Decision:
        try:
            return decide(self.state, event, self.policy)
        except IllegalTransitionError as error:
            _log.exception("illegal_transition", event_id=event.id, what=type(event).__name__, error=str(error))
        if isinstance(event, ev.KeyPressed) and self._is_acute(event):
            # Our bug must not silence an alarm: as a key without a call it touches no guard, and wakes the backup.
            return decide(self.state, replace(event, calls=(), last_call=None), self.policy)
        return Decision(self.state, (), (), ())

    async def _save_and_act(self, entry: Entry, actions: Sequence[act.Action]) -> None:
        """Commit, then act. When the commit takes long, do what cannot wait, and leave the rest to its return."""
        saved = self.saving.add(entry)
        await asyncio.wait({saved}, timeout=0 if self._stalled else self._patience_s)
        self._stalled = not saved.done()
        if saved.done():
            self._act(entry.event, actions, saved=saved.result())
            return
        _log.warning("store_stalled", event_id=entry.event.id, unsaved=self.saving.unsaved)
        for action in actions:
            if can_not_wait(action):
                self._do(action, entry.event)
        rest = [a for a in actions if not can_not_wait(a)]
        saved.add_done_callback(lambda done: self._act_late(entry.event, rest, done))

    def _act_late(self, event: ev.Event, actions: Iterable[act.Action], saved: "asyncio.Future[bool]") -> None:
        self._stalled = False
        if saved.cancelled():
            return
        for action in actions:
            if not is_still_wanted(action, self.state):
                self._inbox.put_nowait(self._carry_out.failed(action, Outcome.REFUSED, "overtaken"))
        wanted = [a for a in actions if is_still_wanted(a, self.state)]
        overtaken = any(isinstance(a, act.Release) and not self._still_permitted(a) for a in wanted)
        self._act(event, wanted, saved=saved.result(), overtaken=overtaken)

    def _act(self, event: ev.Event, actions: Sequence[act.Action], *, saved: bool, overtaken: bool = False) -> None:
        """Do it; but without a journal, or long after the key, nothing ends a call."""
        why = Reason.END_REFUSED if overtaken else Reason.NOT_SAVED if not saved else None
        if why is None and isinstance(event, ev.KeyPressed) and self._is_late(event):
            why = Reason.TOO_LATE
        for action in actions:
            if why is not None and isinstance(action, act.Release):
                how = Outcome.REFUSED if saved else Outcome.FAILED
                self._inbox.put_nowait(self._carry_out.failed(action, how, why.value))
            elif why is not None and isinstance(action, act.Tell) and action.reason is Reason.ENDING:
                # The tone comes with the outcome of the ending; a key by HTTP is answered here.
                self._answer(replace(action, verdict=act.Verdict.NOT_PERMITTED, reason=why))
            else:
                self._do(action, event)

    def _is_late(self, key: ev.KeyPressed) -> bool:
        return (self._clock.now() - key.pressed_at).total_seconds() > self.policy.now.late_key_s

    def _is_acute(self, key: ev.KeyPressed) -> bool:
        rules = self.policy.now.kinds.get(key.key.kind)
        return rules is not None and rules.latched

    def _answer(self, tell: act.Tell) -> None:
        answer = self._answers.get(tell.press)
        if answer is not None and not answer.done():
            answer.set_result(tell)

    def _show(self, event: ev.Event, actions: Sequence[act.Action]) -> None:
        for listener in self._listeners:
            try:
                listener.decided(event, self.state, actions)
            except Exception:  # noqa: BLE001 -- who watches must not stop the work
                _log.exception("listener_failed", listener=type(listener).__name__)

    def _do(self, action: act.Action, event: ev.Event) -> None:
        if isinstance(action, act.StartTimer | act.CancelTimer):
            return
        if isinstance(action, act.Tell):
            self._answer(action)
            if not _wants_tone(action, event):
                return
        task = self._tasks.create_task(self._do_and_report(action), name=f"{type(action).__name__} {action.id}")
        if isinstance(action, ALARMS):
            self._alarms.add(task)
            task.add_done_callback(self._alarms.discard)

    async def alarms_out(self, within_s: float) -> None:
        """Wait until the alarms that are under way have reached their carriers, or have not in this time."""
        if self._alarms:
            await asyncio.wait(self._alarms, timeout=within_s)

    async def _do_and_report(self, action: act.Action) -> None:
        outcome = await self._carry_out(action)
        if not isinstance(action, act.Tell):
            self._inbox.put_nowait(outcome)

    def _after(self, event: ev.Event) -> None:
        if isinstance(event, ev.PbxConnected) and self._after_connect:
            for lost in self._after_connect:
                self._inbox.put_nowait(lost)
            self._after_connect = []

    def _still_permitted(self, action: act.Release) -> bool:
        """Look at the latch once more, and at keys that wait to be decided."""
        permit = action.permit
        guard = self.state.guards.get(permit.call)
        if guard is None or guard.state is not CallState.ENDING or guard.permit != permit.id:
            return False
        return not any(self._is_acute(k) for k in self._waiting.values() if permit.call in _calls_of(k))

    # Timers.

    async def run_due(self) -> None:
        """Fire what is due now: a few at a time, the others as these are decided. So a flood stays in the store.

        Urgent ones find room as well where the others have filled theirs.
        """
        for timer in await self.saving.due(self._clock.now(), TIMERS_AT_ONCE, self._fired):
            event = ev.TimerFired(**self.stamp(), timer=timer)
            if len(self._fired) >= TIMERS_AT_ONCE * (1 + self._inbox.is_urgent(event)):
                break
            self._fired.add(timer)
            self._inbox.put_nowait(event)

    async def _watch_timers(self) -> None:
        beside_s = -math.inf  # the wall clock, beside one that nobody sets
        while True:
            self._timers_changed.clear()
            was_s, beside_s = beside_s, self._clock.now().timestamp() - asyncio.get_running_loop().time()
            if was_s - beside_s > PUT_BACK_S:
                _log.warning("clock_put_back", by_s=round(was_s - beside_s, 1))
                await self.saving.put_back(timedelta(seconds=was_s - beside_s))
            await self.run_due()
            due = await self.saving.next_due()
            wait_s = LOOK_AT_TIMERS_S  # never longer: the wall clock may jump
            if due is not None and not self._fired:
                wait_s = min(wait_s, max(0.0, (due - self._clock.now()).total_seconds()))
            try:
                async with asyncio.timeout(wait_s):  # `wait_for` of Python 3.11 may swallow a cancellation
                    await self._timers_changed.wait()
            except TimeoutError:
                continue

    # After a failure, or a restart.

    async def _keep(self, name: str, run: Callable[[Callable[[Any], None]], Awaitable[None]]) -> None:
        """Run an adapter, and run it again when it fails in a way that nobody foresaw: the others go on meanwhile."""
        while True:
            try:
                await run(self.take)
            except asyncio.CancelledError:
                if (task := asyncio.current_task()) is None or task.cancelling():
                    raise
                _log.error("adapter_cancelled", adapter=name)  # something inside it was, not we
            except Exception:  # noqa: BLE001 -- as in `CarryOut`: an adapter's bug is not the service's end
                _log.exception("adapter_failed", adapter=name)
            else:
                _log.error("adapter_ended", adapter=name)
            if name == "pbx":
                self.take(ev.PbxLost(**self.stamp(), epoch=self.state.epoch))
            await asyncio.sleep(RUN_AGAIN_S)

    def _recover(self, open_actions: Iterable[act.Action | LostRelease]) -> None:
        """An unknown alarm is sent again at once; of all else the outcome is unknown, said so once the PBX was read."""
        for action in open_actions:
            if isinstance(action, ALARMS):
                self._do(action, ev.Event(**self.stamp()))
            else:
                self._after_connect.append(self._carry_out.unknown(action))

    def _say_unreadable(self) -> None:
        """What could not be read back is said aloud; an alarm among it is opened anew, since nobody has answered it."""
        for row in self.unreadable:
            _log.critical("journal_row_unreadable", what=row.what, id=row.id, incident=row.incident, why=row.why)
            if row.what == "page":
                own = next((plan for plan in self.policy.now.pages if row.id.endswith(f"-{plan}")), "")
                again: dict[str, Any] = {"plan": own, "incident": row.incident, "severity": Severity.ACUTE}
                self._inbox.put_nowait(ev.PageOpened(**self.stamp(), **again, reason="call"))


def _calls_of(key: ev.KeyPressed) -> set[str]:
    last = (key.last_call[0].id,) if key.last_call else ()
    return {*(c.id for c in key.calls), *last}


def _as_of_now(event: ev.KeyPressed, now: datetime) -> ev.KeyPressed:
    """A key that waited behind a stalled store is decided with the time of its decision."""
    return replace(event, at=max(now, event.at))


def _wants_tone(tell: act.Tell, event: ev.Event) -> bool:
    """A phone-only agent hears a tone; one who hears the warning itself needs none."""
    if isinstance(event, ev.KeyPressed) and event.source in (Source.HTTP, Source.COMMAND):
        return False
    if isinstance(event, ev.KeyPressed) and event.source is Source.SPEED_DIAL:
        return True  # pressed in a call of its own, where no warning is heard
    return tell.reason is not Reason.WARNING_STARTED
