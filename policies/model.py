"""What the core knows of the world: identities and snapshots, as the PBX adapter saw them.

A call is named by its caller's leg: agents come and go (transfer, take-over), the caller's leg stays. A leg is named by
the PBX's own unique id, never by a channel name, which a PBX uses again.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

AgentId = NewType("AgentId", str)
CallId = NewType("CallId", str)
LegId = NewType("LegId", str)


@dataclass(frozen=True, slots=True)
class LiveCall:
    """One conversation between a caller and an agent, as last seen.

    Attributes:
        id: the call; equal to the caller's leg.
        caller: the caller's leg.
        agent: the agent in it, or None between agents.
        agent_leg: that agent's leg.
        bridge: the PBX's name for the bridge that both stand in, or None when they are not in one bridge.
        began_at: when the first agent answered, aware UTC; it stays through transfers. The policy of that time counts.
        held: the agent has the caller on hold.
        language: the caller's language, two letters.
        caller_tag: HMAC of the caller's number plus its last two digits; never the number.
        queue: the queue it came through, "" if none.
        others: further legs in the bridge (a colleague who joined).
        goes_on: of a call that an agent has left: the caller is still there, with somebody else or waiting for one.
        joined_at: when this agent came into it, as far as known; a key that was pressed before is for another call.
    """

    id: CallId
    caller: LegId
    agent: AgentId | None
    agent_leg: LegId | None
    bridge: str | None
    began_at: datetime
    held: bool = False
    language: str = "en"
    caller_tag: str = ""
    queue: str = ""
    others: tuple[LegId, ...] = ()
    joined_at: datetime | None = None
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """An agent's place in one queue.

    Attributes:
        agent: who.
        queue: where.
        paused: the PBX holds calls back.
        reason: the PBX's one reason slot; ours start with `bagvagt:`.
        static: the PBX forgets this member's pause when it restarts.
    """

    agent: AgentId
    queue: str
    paused: bool
    reason: str = ""
    static: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """Somebody who can be rung into a call.

    Attributes:
        name: who, for people ("agent7", "Chief on duty").
        endpoint: where, in the PBX's words ("PJSIP/agent7").
        agent: the agent id when it is one.
        confirm: the answer must be a key press, since a voicemail may answer (mobile phones).
    """

    name: str
    endpoint: str
    agent: AgentId | None = None
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """An agent who might be free to help.

    Attributes:
        target: how to ring.
        team: for choosing from the same team first.
        free_since: end of the last call, or None when busy or paused.
    """

    target: Target
    team: str
    free_since: datetime | None


class Does(StrEnum):
    """What a key does."""

    WARN = "warn"  # plays the warning; pressed again after the wait, ends the call
    END = "end"  # ends only; never plays a warning
    FLAG = "flag"  # marks the kind; a latched kind starts the acute procedure
    COLLEAGUE = "colleague"  # a colleague takes over; pressed again when joined, the agent leaves
    CHIEF = "chief"  # the chief is brought in; likewise
    BACK = "back"  # ends the agent's own break, where policy lets the agent


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A key of the policy.

    Attributes:
        name: its name in the policy.
        does: what it does.
        kind: the kind that it flags; "" for the kind that the call already has.
    """

    name: str
    does: Does
    kind: str = ""


class Source(StrEnum):
    """Where a key came from."""

    CODE = "code"  # feature code in the call
    SPEED_DIAL = "speed_dial"
    HTTP = "http"
    ACTION_URL = "action_url"
    COMMAND = "command"


class Outcome(StrEnum):
    """How an action went, as far as known. UNKNOWN: sent, and nobody can say."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Timer:
    """Names one durable timer.

    Attributes:
        entity: "page", "proof", "break", "call" or "handoff".
        entity_id: which.
        what: which of its timers.
    """

    entity: str
    entity_id: str
    what: str
