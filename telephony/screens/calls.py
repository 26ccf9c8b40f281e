"""A call as it is shown, to its agent and to the duty desk alike."""

from policies.guards import CallState, Guard
from policies.handoffs import Handoff
from policies.model import CallId, LiveCall
from policies.state import State
from telephony.screens.model import CallPicture, HelpPicture, Mood

_MOODS = {
    CallState.WARNING: Mood.WARNING,
    CallState.WARNED: Mood.WARNED,
    CallState.ENDING: Mood.ENDING,
    CallState.CLOSING: Mood.CLOSING,
    CallState.ACUTE: Mood.ACUTE,
}
_STRONGER_THAN_HELP = (CallState.WARNING, CallState.ENDING, CallState.CLOSING, CallState.ACUTE)


def call_picture(live: LiveCall | None, guard: Guard | None) -> CallPicture:
    """Return a call, from what the PBX shows of it and what the core knows; one of the two is enough.

    Raises:
        ValueError: neither is there.
    """
    call = live or guard
    if call is None:
        raise ValueError("a call is shown from what is known of it")
    return CallPicture(
        id=call.call if isinstance(call, Guard) else call.id,
        caller=last_digits(call.caller_tag),
        queue=call.queue,
        language=call.language,
        began_at=call.began_at,
        held=live is not None and live.held,
        kind=guard.kind if guard else "",
        state=guard.state.value if guard else "",
        warned=guard.warned if guard else 0,
        incident=guard.incident if guard else "",
    )


def last_digits(tag: str) -> str:
    """Return what is shown of a caller's number: "…47" of `<hash>:47`, and "" for a number that was withheld."""
    digits = tag.rpartition(":")[2] if ":" in tag else ""
    return f"…{digits}" if digits else ""


def mood_of(guard: Guard | None, handoff: Handoff | None) -> Mood:
    """Return a call's state in one word."""
    if guard is None:
        return Mood.HELP if handoff else Mood.CALL
    if handoff is not None and guard.state not in _STRONGER_THAN_HELP:
        return Mood.HELP
    return _MOODS.get(guard.state) or (Mood.FLAGGED if guard.kind else Mood.CALL)


def handoff_of(state: State, call: CallId) -> Handoff | None:
    """Return who is being brought into a call: the latest one."""
    return next((h for h in reversed(list(state.handoffs.values())) if h.call == call and h.is_open), None)


def help_picture(handoff: Handoff | None) -> HelpPicture | None:
    """Return who is being brought in."""
    if handoff is None:
        return None
    return HelpPicture(role=handoff.role, who=handoff.target.name, state=handoff.state.value)
