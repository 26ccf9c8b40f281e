"""The one gate. Every way to end a call, from key, screen, timer or HTTP, goes through `permit`.

It returns a `Permit`, or a `Refused` with the reason and the rule. An ending action cannot be built without a Permit,
and a Permit cannot be built outside this file. Missing evidence means refuse. Right before a Permit is carried out,
the leg's identity is read on the PBX, and the latch looked at, once more (`telephony.ports.Pbx.release`).
"""

from dataclasses import InitVar, dataclass
from datetime import datetime, timedelta

from policies.guards import CallState, Guard, Heard
from policies.model import AgentId, CallId, LegId, LiveCall
from policies.reasons import Reason
from policies.rules import KindRules

_SEAL = object()


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to end one call, once.

    Attributes:
        id: the permit; equal to the id of the press that asked.
        call: which call.
        caller: the leg that hears the closing message and is then disconnected.
        agent: who is let go.
        agent_leg: the leg that is let go; it must stand in a bridge with `caller` when the permit is carried out.
        heard: the evidence, one for each warning that was needed.
        rule: the rule that allows it.
        closing: name of the closing prompt, "" for none.
        language: of that prompt.
    """

    id: str
    call: CallId
    caller: LegId
    agent: AgentId
    agent_leg: LegId
    heard: tuple[Heard, ...]
    rule: str
    closing: str
    language: str
    seal: InitVar[object] = None

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("a Permit comes from policies.gate.permit alone")


@dataclass(frozen=True, slots=True)
class Refused:
    """No leave to end the call.

    Attributes:
        reason: why.
        rule: the rule that says so.
        wait_s: how long until it may be asked again, where time alone is missing.
    """

    reason: Reason
    rule: str
    wait_s: float = 0.0


def permit(guard: Guard, call: LiveCall | None, rules: KindRules, at: datetime, press_id: str) -> Permit | Refused:
    """Decide whether `guard`'s call may be ended now.

    Args:
        guard: what is known of the call.
        call: the call as the PBX shows it now; None when it shows none.
        rules: the kind's rules, the stricter of now and when the call began.
        at: now, aware UTC.
        press_id: the press that asks.
    """
    kind = f"kinds.{rules.kind}"
    if guard.state is CallState.ACUTE or rules.latched:
        return Refused(Reason.LATCHED, f"{kind}.latched")
    if not rules.may_end:
        return Refused(Reason.KIND_NOT_ENDED, f"{kind}.may_end")
    if guard.state in (CallState.ENDING, CallState.CLOSING, CallState.ENDED):
        return Refused(Reason.CALL_ENDING, f"{kind}.may_end")
    if guard.state is CallState.WARNING:
        return Refused(Reason.WARNING_PLAYING, f"{kind}.warnings")
    if call is None or call.bridge is None or call.agent_leg is None:
        return Refused(Reason.CALL_CHANGED, "gate.identity")
    if (call.id, call.caller, call.agent) != (guard.call, guard.caller, guard.agent):
        return Refused(Reason.CALL_CHANGED, "gate.identity")
    needed = (rules.warning, call.caller, call.agent)
    heard = tuple(h for h in guard.heard if (h.prompt, h.caller, h.agent) == needed)
    refused = _evidence(heard, rules, at)
    if refused:
        return refused
    return Permit(
        id=press_id,
        call=call.id,
        caller=call.caller,
        agent=guard.agent,
        agent_leg=call.agent_leg,
        heard=heard,
        rule=f"{kind}.may_end",
        closing=rules.closing,
        language=guard.language,
        seal=_SEAL,
    )


def _evidence(heard: tuple[Heard, ...], rules: KindRules, at: datetime) -> Refused | None:
    kind = f"kinds.{rules.kind}"
    if rules.warnings == 0:
        return None
    fresh = tuple(h for h in heard if at - h.at <= timedelta(seconds=rules.warning_lasts_s))
    if len(heard) < rules.warnings:
        return Refused(Reason.NO_WARNING_YET, f"{kind}.warnings")
    if not fresh:
        return Refused(Reason.WARNING_TOO_OLD, f"{kind}.warning_lasts_s")
    waited_s = (at - max(h.at for h in fresh)).total_seconds()
    if waited_s < rules.wait_s:
        return Refused(Reason.WAIT, f"{kind}.wait_s", rules.wait_s - waited_s)
    return None
