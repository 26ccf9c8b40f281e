"""A handoff: somebody is brought into a call. Its states, and the table between them.

Warm, always: the agent stays until the other one has answered, heard the brief, and stands in the caller's bridge. What
goes wrong before that leaves the call as it was.
"""

from dataclasses import dataclass
from enum import StrEnum

from policies.model import AgentId, CallId, LegId, Target
from policies.rules import LeaveWhen
from policies.tables import Table


class HandoffState(StrEnum):
    """States of a handoff."""

    RINGING = "ringing"
    JOINED = "joined"
    LEAVING = "leaving"
    DONE = "done"  # the agent has left; caller and colleague go on
    FAILED = "failed"  # nobody came; the call goes on as it was
    OVER = "over"  # the call ended first


class HandoffCause(StrEnum):
    """What moves a handoff."""

    MISSED = "missed"
    JOINED = "joined"
    NOBODY = "nobody_left_to_ring"
    LEAVE = "leave_asked"
    LEFT = "agent_left"
    STAYED = "leave_refused"
    GONE = "caller_gone"


_S, _C = HandoffState, HandoffCause

HANDOFFS: Table[HandoffState, HandoffCause] = Table(
    "handoff",
    {
        _S.RINGING: {
            _C.MISSED: _S.RINGING,
            _C.JOINED: _S.JOINED,
            _C.NOBODY: _S.FAILED,
            _C.GONE: _S.OVER,
        },
        _S.JOINED: {_C.LEAVE: _S.LEAVING, _C.LEFT: _S.DONE, _C.GONE: _S.OVER},
        _S.LEAVING: {_C.LEFT: _S.DONE, _C.STAYED: _S.JOINED, _C.GONE: _S.OVER},
        _S.DONE: {},
        _S.FAILED: {},
        _S.OVER: {},
    },
)


@dataclass(frozen=True, slots=True)
class Handoff:
    """One handoff.

    Attributes:
        id: its id.
        call: which call.
        caller: the caller's leg.
        agent: who asked.
        role: "colleague" or "chief".
        targets: whom to ring, in order.
        at: index of the one being rung, or who joined.
        ring: id of the running `Ring` action.
        leg: the leg of the one who joined.
        leave: when the agent leaves.
        ring_s: how long each is rung.
        brief: prompt for the one who answers.
        then: what follows when nobody comes, see `HandoffRules.then`.
        state: see `HANDOFFS`.
    """

    id: str
    call: CallId
    caller: LegId
    agent: AgentId
    role: str
    targets: tuple[Target, ...]
    at: int
    ring: str
    leg: LegId | None
    leave: LeaveWhen
    ring_s: float
    brief: str
    then: str
    state: HandoffState

    @property
    def target(self) -> Target:
        """Who is being rung, or has joined."""
        return self.targets[self.at]

    @property
    def is_open(self) -> bool:
        """Tell whether something may still come of it."""
        return self.state in (HandoffState.RINGING, HandoffState.JOINED, HandoffState.LEAVING)
