"""A permit for tests, from the one gate: a guard with the evidence that the gate wants."""

from datetime import timedelta

from policies.gate import Permit, permit
from policies.guards import CallState, Guard, Heard
from policies.model import LiveCall
from policies.rules import KindRules


def permit_for(call: LiveCall, closing: str = "closing") -> Permit:
    """Return leave to end this call, as if its caller had heard the warning a minute after it began."""
    if call.agent is None:
        raise ValueError("nobody is in the call")
    rules = KindRules("abuse", may_end=True, closing=closing)
    at = call.began_at + timedelta(minutes=1)
    guard = Guard(
        call=call.id,
        incident="i-1",
        caller=call.caller,
        agent=call.agent,
        agent_leg=call.agent_leg,
        kind="abuse",
        rules=rules,
        state=CallState.WARNED,
        began_at=call.began_at,
        flagged_at=call.began_at,
        heard=(Heard("warning", call.caller, call.agent, at, 100, 2.0),),
        language="da",
    )
    given = permit(guard, call, rules, at + timedelta(seconds=30), "press-1")
    if not isinstance(given, Permit):
        raise TypeError(f"the gate refused: {given}")
    return given
