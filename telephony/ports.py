"""What the engine needs of the world. Adapters fit these; the engine knows nothing else of them.

Methods that act return the event that says how it went; they do not raise for what a PBX or a carrier does every day.
Every method may be cancelled.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from policies.actions import (
    Action,
    Announce,
    Leave,
    Notify,
    Pause,
    Release,
    ReplyTo,
    Retrieve,
    Ring,
    StandDown,
    StopAnnouncement,
    StopRinging,
    Tell,
    Unpause,
)
from policies.events import (
    ActionFinished,
    AnnouncementFinished,
    ColleagueJoined,
    ColleagueMissed,
    Event,
    LeaveFinished,
    Notified,
    PauseFinished,
    ReleaseFinished,
    UnpauseFinished,
)
from policies.model import AgentId, CallId, Candidate, LegId, LiveCall, Source, Timer
from policies.rules import Rules
from policies.state import Entity, State


class Clock(Protocol):
    """Time, as data."""

    def now(self) -> datetime:
        """Return now, aware UTC."""
        ...

    def new_id(self) -> str:
        """Return a new unique id, sortable by time."""
        ...


@dataclass(frozen=True, slots=True)
class CodePressed:
    """A key that came through the PBX; the engine turns it into a `KeyPressed`.

    Attributes:
        key: the key's name in the policy.
        agent: who pressed.
        leg: the leg it was pressed in (feature code), None for a speed dial.
        source: feature code or speed dial.
        pressed_at: when the PBX saw it.
    """

    key: str
    agent: AgentId
    leg: LegId | None
    source: Source
    pressed_at: datetime


Seen = Event | CodePressed


class Pbx(Protocol):
    """A PBX: what it shows, and the procedures that are carried out on it.

    `run` keeps the connection for ever and calls `emit` for what happens: `PbxConnected` (with a full reading, before
    anything else of that epoch), `CallChanged`, `CallEnded`, `MemberChanged`, `CodePressed`, `PbxLost`. `emit` never
    blocks.
    """

    async def run(self, emit: Callable[[Seen], None]) -> None:
        """Connect, follow, reconnect, until cancelled."""
        ...

    def calls_of(self, agent: AgentId) -> tuple[LiveCall, ...]:
        """Return the agent's live calls with callers, from what was seen; no I/O."""
        ...

    def last_call_of(self, agent: AgentId) -> tuple[LiveCall, datetime] | None:
        """Return the call that the agent left last, and when; as it is now, where it goes on with somebody else."""
        ...

    def candidates(self) -> tuple[Candidate, ...]:
        """Return every queue member with the time since which it is free."""
        ...

    async def announce(self, action: Announce) -> AnnouncementFinished:
        """Play into the live call, heard by both, and measure the caller's leg. Cancelled by `stop_announcement`."""
        ...

    async def stop_announcement(self, action: StopAnnouncement) -> ActionFinished:
        """Silence a running announcement at once; its `announce` then returns STOPPED."""
        ...

    async def release(self, action: Release, still_permitted: Callable[[], bool]) -> ReleaseFinished:
        """Carry out a permit.

        Right before: reads on the PBX that `permit.caller` and `permit.agent_leg` stand in one bridge, then asks
        `still_permitted`; if either says no, nothing is done and the outcome is REFUSED. After a lost reply it looks;
        it never sends twice.
        """
        ...

    async def retrieve(self, action: Retrieve) -> ActionFinished:
        """Stop a closing message and ring the agent back into the call, with music for the caller meanwhile."""
        ...

    async def ring(self, action: Ring) -> ColleagueJoined | ColleagueMissed:
        """Ring one person, brief them, join them to the caller's bridge."""
        ...

    async def stop_ringing(self, action: StopRinging) -> ActionFinished:
        """Hang up a leg that is being rung or briefed; never one that has joined."""
        ...

    async def leave(self, action: Leave) -> LeaveFinished:
        """Hang up the agent's leg, if the caller and the colleague share its bridge."""
        ...

    async def pause(self, action: Pause) -> PauseFinished:
        """Pause the agent in every queue where no pause stands; DONE only when the PBX shows it in all."""
        ...

    async def unpause(self, action: Unpause) -> UnpauseFinished:
        """Lift the pauses whose reason is ours; DONE when none of ours stands."""
        ...

    async def signal(self, action: Tell) -> ActionFinished:
        """Let the agent alone hear the verdict's short tone, where the agent has a leg."""
        ...


class Pager(Protocol):
    """Everything that reaches people."""

    async def run(self, emit: Callable[[Event], None]) -> None:
        """Keep connections, take in reports and answers (`PageAnswered`, `PageReplied` …), until cancelled."""
        ...

    async def notify(self, action: Notify) -> Notified:
        """Send one message."""
        ...

    async def stand_down(self, action: StandDown) -> ActionFinished:
        """Stop what still runs, and tell those who were paged who has it."""
        ...

    async def reply(self, action: ReplyTo) -> ActionFinished:
        """Answer somebody whose reply took no page."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One transaction of the journal: all of it, or none.

    Attributes:
        event: what happened; with it goes the audit line.
        changed: entities as they are now.
        dropped: entities that the core forgets; they stay in the store.
        actions: what is going to be done (timers are kept apart).
        done: id of the action whose outcome this event is, "" for none.
        outcome: that outcome.
        timers: (timer, due), due None to drop it.
        told: answers to keys, for the audit trail; they are no intents, nothing waits for their outcome.
    """

    event: Event
    changed: Sequence[Entity] = ()
    dropped: Sequence[Entity] = ()
    actions: Sequence[Action] = ()
    done: str = ""
    outcome: str = ""
    timers: Sequence[tuple[Timer, datetime | None]] = ()
    told: Sequence[Tell] = ()


@dataclass(frozen=True, slots=True)
class LostRelease:
    """A `Release` whose outcome was never journaled. It is data, not an action: an unknown ending is never retried.

    Attributes:
        id: the action's id.
        call: which call.
        permit: the permit's id.
    """

    id: str
    call: CallId
    permit: str


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a restart reads back.

    Attributes:
        state: entities that are not over.
        open_actions: actions without an outcome, oldest first.
        policies: (loaded at, version) of the policies that calls under way may have begun with, oldest first.
        unreadable: what stands in the store and could not be read.
    """

    state: State
    open_actions: tuple[Action | LostRelease, ...]
    policies: tuple[tuple[datetime, Rules], ...] = ()
    unreadable: tuple["Unreadable", ...] = ()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that could not be read back; it stays in the store.

    Attributes:
        what: "call", "handoff", "break", "page", "proof", "timer", or the action's or the policy's kind.
        id: its id, "" where it has none.
        incident: what it is about, "" when nobody knows.
        why: what is wrong with it.
    """

    what: str
    id: str
    incident: str
    why: str


class Journal(Protocol):
    """The store: committed before anything is done."""

    async def recover(self) -> Recovered:
        """Read back what stands."""
        ...

    async def commit(self, entry: Entry) -> None:
        """Commit one transaction durably. Commits are applied in the order of the calls."""
        ...

    async def due_timers(self, now: datetime) -> Iterable[Timer]:
        """Return timers due at `now`, the most urgent first; each stays until an entry drops or resets it.

        They may be found while they are taken: what is not taken before the next commit must be asked for anew.
        """
        ...

    async def next_due(self) -> datetime | None:
        """Return when the next timer is due, None when there is none."""
        ...


class Listener(Protocol):
    """Somebody who watches the engine: screens, metrics, the demo."""

    def decided(self, event: Event, state: State, actions: Iterable[Action]) -> None:
        """Called after each decision; must not block."""
        ...
