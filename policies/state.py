"""The core's state, and the draft in which one event changes it.

`State` is what the journal holds and what a restart reads back: guarded calls, handoffs, breaks, pages. Queue members
and recent presses are tracking, kept in memory only. A `Draft` is one decision in the making; nothing that it holds is
seen by anybody before `decide` returns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from policies.actions import Action, CancelTimer, StartTimer, Tell, Verdict
from policies.breaks import BREAKS, Break, BreakCause
from policies.events import Event
from policies.guards import CALLS, CallCause, Guard
from policies.handoffs import HANDOFFS, Handoff, HandoffCause
from policies.model import AgentId, CallId, LegId, Member, Timer
from policies.pages import PAGES, Page, PageCause
from policies.proofs import PROOFS, Proof, ProofCause
from policies.reasons import Reason
from policies.rules import KindRules, Policy, strictest

Entity = Guard | Handoff | Break | Page | Proof
A = TypeVar("A", bound=Action)


@dataclass(frozen=True, slots=True)
class Press:
    """The latest press of an agent, to tell a bounce from a second thought.

    Attributes:
        key: which key.
        at: when it was pressed.
        verdict: what was answered.
        calls: the agent's calls at that time; in a new call nothing is a bounce.
    """

    key: str
    at: datetime
    verdict: Verdict
    calls: frozenset[CallId] = frozenset()


@dataclass(frozen=True, slots=True)
class State:
    """All that the core knows.

    Attributes:
        connected: the PBX is there and has been read in full.
        epoch: counts PBX connections.
        guards: guarded calls.
        handoffs: by id.
        breaks: by id.
        pages: by id; an answered one for a while.
        proofs: that people can be reached, by id.
        members: queue members, by (agent, queue).
        presses: latest press of each agent.
    """

    connected: bool = False
    epoch: int = 0
    guards: Mapping[CallId, Guard] = field(default_factory=dict)
    handoffs: Mapping[str, Handoff] = field(default_factory=dict)
    breaks: Mapping[str, Break] = field(default_factory=dict)
    pages: Mapping[str, Page] = field(default_factory=dict)
    proofs: Mapping[str, Proof] = field(default_factory=dict)
    members: Mapping[tuple[AgentId, str], Member] = field(default_factory=dict)
    presses: Mapping[AgentId, Press] = field(default_factory=dict)


class Decision(NamedTuple):
    """What follows from one event.

    Attributes:
        state: the state after it.
        actions: what is to be done, in order.
        changed: entities that changed, for the journal.
        dropped: entities that are over and forgotten by the core; the journal keeps them.
    """

    state: State
    actions: tuple[Action, ...]
    changed: tuple[Entity, ...]
    dropped: tuple[Entity, ...]


class Draft:
    """One decision in the making.

    Attributes:
        event: what happened.
        policy: the policy in force.
        guards: as in `State`; likewise the others.
    """

    def __init__(self, state: State, event: Event, policy: Policy) -> None:
        self.event = event
        self.policy = policy
        self.connected = state.connected
        self.epoch = state.epoch
        self.guards = dict(state.guards)
        self.handoffs = dict(state.handoffs)
        self.breaks = dict(state.breaks)
        self.pages = dict(state.pages)
        self.proofs = dict(state.proofs)
        self.members = state.members
        self.presses = state.presses
        self.actions: list[Action] = []
        self._changed: dict[tuple[type, str], Entity] = {}
        self._dropped: list[Entity] = []

    @property
    def at(self) -> datetime:
        """When the event happened."""
        return self.event.at

    def next_id(self) -> str:
        """Return the id that the next action will get."""
        return f"{self.event.id}/{len(self.actions)}"

    def act(self, action: type[A], **fields: object) -> A:
        """Add an action; its id is derived from the event."""
        made = action(id=self.next_id(), **fields)
        self.actions.append(made)
        return made

    def tell(
        self,
        agent: AgentId,
        verdict: Verdict,
        reason: Reason,
        *,
        leg: LegId | None = None,
        answers: bool = False,
        rule: str = "",
        wait_s: float = 0.0,
        who: str = "",
    ) -> None:
        """Tell an agent; `answers` makes it the answer to the key press that is being decided."""
        press = self.event.id if answers else ""
        self.act(
            Tell,
            press=press,
            agent=agent,
            agent_leg=leg,
            verdict=verdict,
            reason=reason,
            rule=rule,
            wait_s=wait_s,
            who=who,
        )

    def timer(self, entity: str, entity_id: str, what: str, after_s: float) -> None:
        """Set a durable timer, `after_s` seconds from now."""
        self.act(StartTimer, timer=Timer(entity, entity_id, what), due_at=self.at + timedelta(seconds=after_s))

    def no_timer(self, entity: str, entity_id: str, what: str) -> None:
        """Drop a durable timer."""
        self.act(CancelTimer, timer=Timer(entity, entity_id, what))

    def guard(self, guard: Guard, cause: CallCause | None = None, **changes: object) -> Guard:
        """Store a guard, moved by `cause` if there is one."""
        if cause is not None:
            changes["state"] = CALLS.step(guard.state, cause)
        made = replace(guard, **changes)  # type: ignore[arg-type]
        self.guards[made.call] = made
        self._changed[Guard, made.call] = made
        return made

    def handoff(self, handoff: Handoff, cause: HandoffCause | None = None, **changes: object) -> Handoff:
        """Store a handoff, moved by `cause` if there is one."""
        if cause is not None:
            changes["state"] = HANDOFFS.step(handoff.state, cause)
        made = replace(handoff, **changes)  # type: ignore[arg-type]
        self.handoffs[made.id] = made
        self._changed[Handoff, made.id] = made
        return made

    def pause_break(self, break_: Break, cause: BreakCause | None = None, **changes: object) -> Break:
        """Store a break, moved by `cause` if there is one."""
        if cause is not None:
            changes["state"] = BREAKS.step(break_.state, cause)
        made = replace(break_, **changes)  # type: ignore[arg-type]
        self.breaks[made.id] = made
        self._changed[Break, made.id] = made
        return made

    def page(self, page: Page, cause: PageCause | None = None, **changes: object) -> Page:
        """Store a page, moved by `cause` if there is one."""
        if cause is not None:
            changes["state"] = PAGES.step(page.state, cause)
        made = replace(page, **changes)  # type: ignore[arg-type]
        self.pages[made.id] = made
        self._changed[Page, made.id] = made
        return made

    def proof(self, proof: Proof, cause: ProofCause | None = None, **changes: object) -> Proof:
        """Store a proof, moved by `cause` if there is one."""
        if cause is not None:
            changes["state"] = PROOFS.step(proof.state, cause)
        made = replace(proof, **changes)  # type: ignore[arg-type]
        self.proofs[made.id] = made
        self._changed[Proof, made.id] = made
        return made

    def drop(self, entity: Entity) -> None:
        """Forget an entity that is over."""
        match entity:
            case Guard():
                self.guards.pop(entity.call, None)
            case Handoff():
                self.handoffs.pop(entity.id, None)
            case Break():
                self.breaks.pop(entity.id, None)
            case Page():
                self.pages.pop(entity.id, None)
            case Proof():
                self.proofs.pop(entity.id, None)
        self._dropped.append(entity)

    def rules_of(self, guard: Guard) -> KindRules | None:
        """Return the rules for a guarded call: the stricter of now, of when it began, and of when it was flagged."""
        current = self.policy.for_kind(guard.kind, guard.began_at)
        if current is None:
            return replace(guard.rules, may_end=False) if guard.rules else None
        return strictest(current, guard.rules) if guard.rules else current

    def decided(self) -> Decision:
        """Close the draft."""
        state = State(
            connected=self.connected,
            epoch=self.epoch,
            guards=self.guards,
            handoffs=self.handoffs,
            breaks=self.breaks,
            pages=self.pages,
            proofs=self.proofs,
            members=self.members,
            presses=self.presses,
        )
        return Decision(state, tuple(self.actions), tuple(self._changed.values()), tuple(self._dropped))
