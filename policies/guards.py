"""A guarded call: one that somebody has flagged, or brought somebody into. Its states, and the table between them.

A plain call has no guard and costs the core nothing. The first key makes one. The guard remembers what the caller has
heard (evidence), which agent that was with, and how far an ending has come. ACUTE is the latch: from it, no row leads
to ENDING, whatever comes; only two people open it again.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from policies.model import AgentId, CallId, LegId
from policies.rules import KindRules
from policies.tables import Table


class CallState(StrEnum):
    """States of a guarded call."""

    OPEN = "open"  # flagged; nothing is going on
    WARNING = "warning"  # a warning was asked for, or is playing
    WARNED = "warned"  # the caller heard a warning
    ENDING = "ending"  # permitted, journaled, asked of the PBX
    CLOSING = "closing"  # the agent is free, the caller hears the closing message
    ACUTE = "acute"  # latched
    ENDED = "ended"


class CallCause(StrEnum):
    """What moves a guarded call."""

    WARNED_ON = "warning_asked"
    HEARD = "warning_heard"
    NOT_HEARD = "warning_not_heard"
    PERMITTED = "ending_permitted"
    RELEASED = "agent_released"
    NOT_RELEASED = "ending_refused"
    AGENT_CHANGED = "agent_changed"
    LATCHED = "latched"
    UNLATCHED = "latch_opened_by_two"
    GONE = "caller_gone"


_S, _C = CallState, CallCause

CALLS: Table[CallState, CallCause] = Table(
    "call",
    {
        _S.OPEN: {
            _C.WARNED_ON: _S.WARNING,
            _C.PERMITTED: _S.ENDING,  # only for kinds that need no warning
            _C.AGENT_CHANGED: _S.OPEN,
            _C.LATCHED: _S.ACUTE,
            _C.GONE: _S.ENDED,
        },
        _S.WARNING: {
            _C.WARNED_ON: _S.WARNING,  # played again since it was not heard
            _C.HEARD: _S.WARNED,
            _C.NOT_HEARD: _S.OPEN,
            _C.AGENT_CHANGED: _S.OPEN,
            _C.LATCHED: _S.ACUTE,
            _C.GONE: _S.ENDED,
        },
        _S.WARNED: {
            _C.WARNED_ON: _S.WARNING,
            _C.PERMITTED: _S.ENDING,
            _C.AGENT_CHANGED: _S.OPEN,
            _C.LATCHED: _S.ACUTE,
            _C.GONE: _S.ENDED,
        },
        _S.ENDING: {
            _C.RELEASED: _S.CLOSING,
            _C.NOT_RELEASED: _S.WARNED,
            _C.LATCHED: _S.ACUTE,
            _C.GONE: _S.ENDED,
        },
        _S.CLOSING: {
            _C.LATCHED: _S.ACUTE,
            _C.GONE: _S.ENDED,
        },
        _S.ACUTE: {
            _C.AGENT_CHANGED: _S.ACUTE,
            _C.LATCHED: _S.ACUTE,
            _C.UNLATCHED: _S.OPEN,
            _C.GONE: _S.ENDED,
        },
        _S.ENDED: {
            _C.LATCHED: _S.ENDED,  # flagged acute after the call: the page goes out, there is nothing to end
            _C.GONE: _S.ENDED,
        },
    },
)


@dataclass(frozen=True, slots=True)
class Heard:
    """Evidence that the caller heard one whole warning.

    Attributes:
        prompt: which prompt.
        caller: the leg that was sent the media.
        agent: who was in the call.
        at: when it ended, aware UTC.
        packets: RTP packets sent to the caller's leg over the play time.
        play_s: the prompt's length.
    """

    prompt: str
    caller: LegId
    agent: AgentId
    at: datetime
    packets: int
    play_s: float


@dataclass(frozen=True, slots=True)
class Guard:
    """A guarded call and its incident.

    Attributes:
        call: which call.
        incident: the incident's id.
        caller: the caller's leg.
        agent: the agent in it now.
        agent_leg: that agent's leg, None between agents.
        kind: "" while the call is only handed over and nobody flagged it.
        rules: the kind's rules as they stood when the call was flagged.
        state: see `CALLS`.
        began_at: when the first agent answered.
        flagged_at: when the first key came.
        flagged_by: agents to whom a break is due, in order.
        heard: evidence for this agent's warnings.
        warned: how many warnings were heard in all, for the brief.
        announcement: id of the running announcement.
        prompt: what it plays; the kind, and with it the warning, may change meanwhile.
        tries: how often the running warning was tried.
        permit: id of the permit that is being carried out.
        page: id of the page that was opened for it.
        language: the caller's.
        queue: where it came through.
        caller_tag: see `LiveCall`.
        agreed: who has agreed to open the latch.
        ended_at: when the caller's leg was gone.
    """

    call: CallId
    incident: str
    caller: LegId
    agent: AgentId
    agent_leg: LegId | None
    kind: str
    rules: KindRules | None
    state: CallState
    began_at: datetime
    flagged_at: datetime
    flagged_by: tuple[AgentId, ...] = ()
    heard: tuple[Heard, ...] = ()
    warned: int = 0
    announcement: str = ""
    prompt: str = ""
    tries: int = 0
    permit: str = ""
    page: str = ""
    language: str = "en"
    queue: str = ""
    caller_tag: str = ""
    agreed: tuple[str, ...] = ()
    ended_at: datetime | None = None
