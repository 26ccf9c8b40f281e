"""What a key would do now, asked of the policy core itself: the key is pressed in `decide`, and nothing is done.

`decide` is pure, so the state stays as it is.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil

from policies import actions as act
from policies import events as ev
from policies.actions import Tell, Verdict
from policies.decide import decide
from policies.guards import Guard
from policies.model import AgentId, Candidate, Does, KeyUse, LiveCall, Source
from policies.pages import Page
from policies.reasons import Reason
from policies.rules import Policy
from policies.state import Decision, State
from policies.tables import IllegalTransitionError
from telephony.screens.model import NextPress, Protection

_ID = "screen"
_JITTER_US = 2  # of a time that is worked out anew from seconds in floating point


@dataclass(frozen=True, slots=True)
class Moment:
    """What is so at one time, for all screens.

    Attributes:
        state: of the core, without the presses of a moment ago: one would make the next a bounce for a second, and the
            screen says what the next deliberate press does.
        policy: in force.
        at: now, aware UTC.
        protection: whether a press would be obeyed.
    """

    state: State
    policy: Policy
    at: datetime
    protection: Protection

    @classmethod
    def of(cls, state: State, policy: Policy, at: datetime, protection: Protection) -> "Moment":
        """Return the moment of a state."""
        return cls(replace(state, presses={}), policy, at, protection)


@dataclass(frozen=True, slots=True)
class Seat:
    """One agent, as the PBX shows them.

    Attributes:
        agent: who.
        calls: live calls.
        last_call: the latest call that is over, and when.
        candidates: who may be rung; for an agent in a call.
    """

    agent: AgentId
    calls: tuple[LiveCall, ...] = ()
    last_call: tuple[LiveCall, datetime] | None = None
    candidates: tuple[Candidate, ...] = ()


def press(moment: Moment, seat: Seat, key: KeyUse) -> Decision | None:
    """Return what would follow from the key; None for a bug of the core, which the engine says in the log."""
    event = ev.KeyPressed(
        id=_ID,
        at=moment.at,
        agent=seat.agent,
        key=key,
        source=Source.HTTP,
        pressed_at=moment.at,
        calls=seat.calls,
        last_call=seat.last_call,
        candidates=seat.candidates,
    )
    try:
        return decide(moment.state, event, moment.policy)
    except IllegalTransitionError:
        return None


def next_press(moment: Moment, seat: Seat, key: KeyUse, hotkey: str) -> NextPress:
    """Return one key of the agent's screen."""
    decision = press(moment, seat, key)
    tell = answer_of(decision)
    would = _would(decision, key) if decision and tell and tell.verdict is Verdict.ACCEPTED else ""
    reason = "" if would or tell is None else tell.reason.value
    if would == "end" and "journal" in moment.protection.why:  # without a journal the engine ends no call
        would, reason = "", Reason.NOT_SAVED.value
    return NextPress(
        key=key.name,
        hotkey=hotkey,
        does=key.does.value,
        kind=key.kind,
        permitted=bool(would),
        would=would,
        reason=reason,
        permitted_at=_after(moment.at, tell.wait_s) if tell and tell.wait_s else None,
        rule=tell.rule if tell else "",
    )


def kinds(moment: Moment, seat: Seat) -> tuple[str, ...]:
    """Return the kinds with which the call, or the one just over, would be marked if that were asked now."""
    return tuple(kind for kind in moment.policy.now.kinds if _marks(press(moment, seat, mark(kind)), kind))


def mark(kind: str) -> KeyUse:
    """Return the key that marks with `kind`. Its name holds the kind, so that a second thought is no bounce."""
    return KeyUse(f"mark:{kind}", Does.FLAG, kind)


def may_end_break(moment: Moment, agent: AgentId) -> bool:
    """Tell whether the agent may end the own break."""
    tell = answer_of(press(moment, Seat(agent), KeyUse("back", Does.BACK)))
    return tell is not None and tell.verdict is Verdict.ACCEPTED


def answer_of(decision: Decision | None) -> Tell | None:
    """Return the answer to the press, None without one."""
    actions = decision.actions if decision else ()
    return next((a for a in actions if isinstance(a, Tell) and a.press == _ID), None)


def _marks(decision: Decision | None, kind: str) -> bool:
    return decision is not None and any(isinstance(c, Guard) and c.kind == kind for c in decision.changed)


def _would(decision: Decision, key: KeyUse) -> str:
    for action in decision.actions:
        match action:
            case act.Announce():
                return "warn"
            case act.Release():
                return "end"
            case act.Ring():
                return f"ring_{key.does.value}"
            case act.Leave():
                return "leave"
            case act.Unpause():
                return "end_break"
            case _:
                continue
    marks = key.does in (Does.FLAG, Does.WARN) and any(isinstance(c, Guard | Page) for c in decision.changed)
    return "flag" if marks else ""


def _after(at: datetime, wait_s: float) -> datetime:
    """Return the time `wait_s` from now, to the millisecond, and never earlier than that."""
    exact = at + timedelta(seconds=wait_s)
    return exact.replace(microsecond=0) + timedelta(milliseconds=ceil((exact.microsecond - _JITTER_US) / 1000))
