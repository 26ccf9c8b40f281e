"""The agent's screen: a pure function of what is so now."""

from collections.abc import Mapping
from datetime import datetime

from policies.actions import Tell
from policies.breaks import Break, BreakState
from policies.guards import CallState, Guard
from policies.model import AgentId
from telephony.screens.asking import Moment, Seat, kinds, may_end_break, next_press
from telephony.screens.calls import call_picture, handoff_of, help_picture, mood_of
from telephony.screens.hotkeys import hotkeys
from telephony.screens.model import AgentScreen, BreakPicture, CallPicture, Mood

_GRAVEST_FIRST = (
    Mood.ACUTE,
    Mood.ENDING,
    Mood.CLOSING,
    Mood.WARNING,
    Mood.WARNED,
    Mood.HELP,
    Mood.FLAGGED,
    Mood.CALL,
)


def agent_screen(
    moment: Moment, seat: Seat, *, own_hotkeys: Mapping[str, str], last: tuple[Tell, datetime] | None = None
) -> AgentScreen:
    """Return what one agent sees.

    Args:
        moment: what is so now.
        seat: the agent, as the PBX shows them.
        own_hotkeys: see `hotkeys`.
        last: what the agent was told last, and when.
    """
    state, keys = moment.state, moment.policy.now.keys
    only = seat.calls[0] if len(seat.calls) == 1 else None
    marks = kinds(moment, seat) if seat.calls or seat.last_call else ()
    at = hotkeys(keys, own_hotkeys)
    return AgentScreen(
        agent=seat.agent,
        mood=_mood(moment, seat),
        protection=moment.protection,
        call=call_picture(only, state.guards.get(only.id)) if only else None,
        calls=len(seat.calls),
        help=help_picture(handoff_of(state, only.id)) if only else None,
        **{"break": _own_break(moment, seat.agent)},
        keys=tuple(next_press(moment, seat, key, at[key.name]) for key in keys.values()),
        kinds=marks,
        last=last[0].reason.value if last else "",
        last_at=last[1] if last else None,
        last_who=last[0].who if last else "",
        over=_over(moment, seat) if marks and not seat.calls else None,
    )


def break_picture(moment: Moment, break_: Break) -> BreakPicture:
    """Return a break, for its agent and for the duty desk alike."""
    return BreakPicture(
        id=break_.id,
        agent=break_.agent,
        state=break_.state.value,
        until=break_.until,
        may_end=may_end_break(moment, break_.agent),
    )


def _mood(moment: Moment, seat: Seat) -> Mood:
    if not moment.protection.on:
        return Mood.OFF
    state = moment.state
    moods = {mood_of(state.guards.get(c.id), handoff_of(state, c.id)) for c in seat.calls}
    if moods:
        return next(m for m in _GRAVEST_FIRST if m in moods)
    if _closing(moment, seat.agent) is not None:
        return Mood.CLOSING
    return Mood.BREAK if _own_break(moment, seat.agent) is not None else Mood.FREE


def _closing(moment: Moment, agent: AgentId) -> Guard | None:
    """Return the call whose caller hears the closing message; the agent is in it no more."""
    guards = moment.state.guards.values()
    return next((g for g in guards if g.agent == agent and g.state is CallState.CLOSING), None)


def _own_break(moment: Moment, agent: AgentId) -> BreakPicture | None:
    """Return the break that lasts longest, when there are several."""
    mine = [b for b in moment.state.breaks.values() if b.agent == agent and b.state is not BreakState.OVER]
    return break_picture(moment, max(mine, key=lambda b: b.until)) if mine else None


def _over(moment: Moment, seat: Seat) -> CallPicture | None:
    """Return the call that has just ended, when the core would still mark it."""
    if seat.last_call is None:
        return None
    call, _ = seat.last_call
    return call_picture(call, moment.state.guards.get(call.id))
