"""What follows for guarded calls: flag, warn, end, latch, and the call's own changes."""

from datetime import timedelta

from policies import events as ev
from policies.actions import Announce, Release, Retrieve, StopAnnouncement, Verdict
from policies.decide import breaks, handoffs, pages
from policies.events import Played
from policies.gate import Permit, Refused, permit
from policies.guards import CALLS, CallCause, CallState, Guard, Heard
from policies.model import Does, LiveCall, Outcome
from policies.reasons import Reason
from policies.rules import KindRules, Severity
from policies.state import Draft

TWO_PEOPLE = 2
"""Who must agree before an acute call is an ordinary one again."""

_WARN_INSTEAD = (Reason.NO_WARNING_YET, Reason.WARNING_TOO_OLD, Reason.KIND_NOT_ENDED)


# --- keys -----------------------------------------------------------------------------------------------------------


def on_key(d: Draft, e: ev.KeyPressed, call: LiveCall) -> None:
    """A warn, end or flag key in `call`, of a kind that is not acute."""
    guard = d.guards.get(call.id)
    kind = e.key.kind or (guard.kind if guard else "")
    rules = d.policy.for_kind(kind, call.began_at)
    if guard is not None and guard.state is CallState.ACUTE:
        rule = f"kinds.{guard.kind}.latched"
        d.tell(e.agent, Verdict.NOT_PERMITTED, Reason.LATCHED, leg=call.agent_leg, answers=True, rule=rule)
        return
    if rules is None:
        d.tell(e.agent, Verdict.NOT_PERMITTED, Reason.NO_SUCH_KIND, leg=call.agent_leg, answers=True)
        return
    guard = _flag(d, e, call, kind, rules)
    strict = d.rules_of(guard) or rules
    if e.key.does is Does.FLAG:
        d.tell(e.agent, Verdict.ACCEPTED, Reason.FLAGGED, leg=call.agent_leg, answers=True, rule=f"kinds.{kind}")
    else:
        _warn_or_end(d, e, guard, call, strict)


def is_acute(d: Draft, kind: str) -> bool:
    """Tell whether flagging `kind` starts the acute procedure under the rules in force."""
    rules = d.policy.now.kinds.get(kind)
    return rules is not None and rules.latched


def flag_acute(d: Draft, e: ev.KeyPressed, meant: tuple[LiveCall, ...]) -> None:
    """Latch every call that may be meant, stop what is on its way to an ending, and wake the backup."""
    rules = d.policy.now.kinds[e.key.kind]
    leg = meant[0].agent_leg if meant else None
    guards = [_flag(d, e, call, e.key.kind, rules) for call in meant]
    if not guards:
        late = _last_call(d, e)
        guards = [_flag(d, e, late, e.key.kind, rules)] if late else []
    for guard in guards:
        _latch(d, guard)
        _begin_if_left(d, e, guard)
    if not guards:  # an alarm without a call is an alarm
        _page(d, rules, f"i-{e.id}", "no_call")
    d.tell(e.agent, Verdict.ACCEPTED, Reason.ACUTE, leg=leg, answers=True, rule=f"kinds.{e.key.kind}.latched")


def flag_after(d: Draft, e: ev.KeyPressed) -> bool:
    """Flag the agent's latest call, which is over. Returns False when there is none, or it was too long ago."""
    call = _last_call(d, e)
    rules = d.policy.now.kinds.get(e.key.kind)
    if call is None or rules is None:
        return False
    before = d.guards.get(call.id)
    if before is not None and _is_latched(before):
        rule = f"kinds.{before.kind}.latched"
        d.tell(e.agent, Verdict.NOT_PERMITTED, Reason.LATCHED, answers=True, rule=rule)
        return True
    guard = _flag(d, e, call, e.key.kind, rules)
    _begin_if_left(d, e, guard)
    d.tell(e.agent, Verdict.ACCEPTED, Reason.FLAGGED, answers=True, rule="late_flag_s")
    return True


def guarded_for_handoff(d: Draft, e: ev.KeyPressed, call: LiveCall) -> LiveCall:
    """Guard a call that nobody flagged, so that its handoff is followed; a break does not come of it."""
    if call.id not in d.guards:
        d.guard(_new_guard(d, e, call))
    return call


def _begin_if_left(d: Draft, e: ev.KeyPressed, guard: Guard) -> None:
    """Begin the break at once when the agent has left the flagged call, also for another: no end of it will come."""
    if guard.call not in {c.id for c in e.calls}:
        guard = d.guards[guard.call]  # as it is since: it may have been latched
        breaks.begin(d, guard, e.agent)
        if guard.state is not CallState.ENDED:  # it goes on with somebody else, and its end is none of this agent's
            d.guard(guard, flagged_by=tuple(a for a in guard.flagged_by if a != e.agent))


def _last_call(d: Draft, e: ev.KeyPressed) -> LiveCall | None:
    if e.last_call is None:
        return None
    call, ended_at = e.last_call
    return call if d.at - ended_at <= timedelta(seconds=d.policy.now.late_flag_s) else None


def _new_guard(d: Draft, e: ev.KeyPressed, call: LiveCall) -> Guard:
    gone = call not in e.calls and not call.goes_on
    return Guard(
        call=call.id,
        incident=f"i-{e.id}",
        caller=call.caller,
        agent=call.agent or e.agent if call.goes_on else e.agent,
        agent_leg=call.agent_leg,
        kind="",
        rules=None,
        state=CallState.ENDED if gone else CallState.OPEN,
        began_at=call.began_at,
        flagged_at=d.at,
        language=call.language,
        queue=call.queue,
        caller_tag=call.caller_tag,
        ended_at=d.at if gone else None,
    )


def _flag(d: Draft, e: ev.KeyPressed, call: LiveCall, kind: str, rules: KindRules) -> Guard:
    """Mark the call with `kind`, for this agent; opens the incident and its page at the first mark."""
    guard = d.guards.get(call.id) or _new_guard(d, e, call)
    if guard.state is CallState.ENDED:
        d.timer("call", guard.call, "forget", d.policy.now.late_flag_s)
    if _is_latched(guard):
        kind, rules = guard.kind, guard.rules or rules  # what is acute stays what it was flagged as
    flagged_by = guard.flagged_by if e.agent in guard.flagged_by else (*guard.flagged_by, e.agent)
    changed = guard.kind != kind
    guard = d.guard(guard, kind=kind, rules=rules if changed else guard.rules, flagged_by=flagged_by)
    if changed:
        breaks.lengthen(d, guard)
    if changed and rules.page and not _is_paged(d, guard, rules):
        page = _page(d, rules, guard.incident, "call")
        guard = d.guard(guard, page=page or guard.page)
    return guard


def _is_latched(guard: Guard) -> bool:
    """Tell whether the kind stands until two people agree, also when the call is over."""
    is_open = len(guard.agreed) >= TWO_PEOPLE
    return guard.state is CallState.ACUTE or (guard.rules is not None and guard.rules.latched and not is_open)


def _is_paged(d: Draft, guard: Guard, rules: KindRules) -> bool:
    """Tell whether a mark that was put right leads to a page that runs already. An acute one is always a new one."""
    return not rules.latched and any(
        p.is_open and p.incident == guard.incident and p.plan.name == rules.page for p in d.pages.values()
    )


def _page(d: Draft, rules: KindRules, incident: str, reason: str) -> str:
    plan = d.policy.now.pages.get(rules.page)
    if plan is None:
        return ""
    severity = Severity.ACUTE if rules.latched else rules.severity
    return pages.open_page(d, plan, incident, severity, reason).id


def _latch(d: Draft, guard: Guard) -> None:
    if guard.state is CallState.WARNING:
        d.act(StopAnnouncement, call=guard.call, announcement=guard.announcement)
    if guard.state is CallState.CLOSING:
        d.act(Retrieve, call=guard.call, caller=guard.caller, agent=guard.agent)
    d.guard(guard, CallCause.LATCHED, heard=(), announcement="", agreed=())


# --- warn, end ------------------------------------------------------------------------------------------------------


def _warn_or_end(d: Draft, e: ev.KeyPressed, guard: Guard, call: LiveCall, rules: KindRules) -> None:
    leg = call.agent_leg
    if not d.connected:
        d.tell(e.agent, Verdict.NOT_PERMITTED, Reason.PBX_AWAY, leg=leg, answers=True)
        return
    given = permit(guard, call, rules, d.at, e.id)
    if isinstance(given, Permit):
        if (e.at - e.pressed_at).total_seconds() > d.policy.now.late_key_s:
            d.tell(e.agent, Verdict.NOT_YET, Reason.TOO_LATE, leg=leg, answers=True, rule="late_key_s")
            return
        d.guard(guard, CallCause.PERMITTED, permit=given.id, agent_leg=call.agent_leg)
        d.act(Release, permit=given)
        d.tell(e.agent, Verdict.ACCEPTED, Reason.ENDING, leg=None, answers=True, rule=given.rule)
        return
    warnable = e.key.does is Does.WARN and rules.warning and CALLS.knows(guard.state, CallCause.WARNED_ON)
    if given.reason in _WARN_INSTEAD and warnable and guard.state is not CallState.WARNING:
        guard = d.guard(guard, CallCause.WARNED_ON, tries=0, agent_leg=call.agent_leg)
        _announce(d, guard, rules)
        rule = f"kinds.{rules.kind}.warning"
        d.tell(e.agent, Verdict.ACCEPTED, Reason.WARNING_STARTED, leg=leg, answers=True, rule=rule)
        return
    _say_refused(d, e, call, given)


def _say_refused(d: Draft, e: ev.KeyPressed, call: LiveCall, refused: Refused) -> None:
    waits = (Reason.WARNING_PLAYING, Reason.WAIT, Reason.CALL_ENDING)
    d.tell(
        e.agent,
        Verdict.NOT_YET if refused.reason in waits else Verdict.NOT_PERMITTED,
        refused.reason,
        leg=call.agent_leg,
        answers=True,
        rule=refused.rule,
        wait_s=refused.wait_s,
    )


def _announce(d: Draft, guard: Guard, rules: KindRules) -> None:
    made = d.act(
        Announce,
        call=guard.call,
        caller=guard.caller,
        prompt=rules.warning,
        language=guard.language,
        agent_leg=guard.agent_leg,
    )
    d.guard(guard, announcement=made.id, prompt=rules.warning, tries=guard.tries + 1)


def on_announcement(d: Draft, e: ev.AnnouncementFinished) -> None:
    """A warning is over. It counts only when the caller's leg was sent it, whole."""
    guard = d.guards.get(e.call)
    if guard is None or guard.state is not CallState.WARNING or guard.announcement != e.action:
        return
    rules = d.rules_of(guard)
    if e.played is Played.HEARD and e.caller == guard.caller and rules is not None:
        heard = Heard(guard.prompt, e.caller, guard.agent, d.at, e.packets, e.play_s)
        d.guard(guard, CallCause.HEARD, heard=(*guard.heard, heard), warned=guard.warned + 1, announcement="")
    elif e.played is Played.NOT_HEARD and rules is not None and guard.tries < rules.warning_tries and d.connected:
        _announce(d, d.guard(guard, CallCause.WARNED_ON), rules)
    else:
        guard = d.guard(guard, CallCause.NOT_HEARD, announcement="")
        if e.played is not Played.STOPPED:
            reason = Reason.WARNING_NOT_HEARD if e.played is Played.NOT_HEARD else Reason.WARNING_FAILED
            d.tell(guard.agent, Verdict.NOT_PERMITTED, reason, leg=guard.agent_leg)


def on_release(d: Draft, e: ev.ReleaseFinished) -> None:
    """A permit was carried out, or was not; an unknown ending is never tried again."""
    guard = d.guards.get(e.call)
    if guard is None or guard.permit != e.permit:
        return
    if guard.state is CallState.ACUTE and e.outcome is Outcome.DONE:
        d.act(Retrieve, call=guard.call, caller=guard.caller, agent=guard.agent)
    if guard.state is not CallState.ENDING:
        return
    if e.outcome is Outcome.DONE:
        _released(d, guard)
    elif e.outcome is Outcome.UNKNOWN:
        d.tell(guard.agent, Verdict.NOT_PERMITTED, Reason.END_UNKNOWN, leg=guard.agent_leg)
    else:
        d.guard(guard, CallCause.NOT_RELEASED, permit="")
        ours = (Reason.NOT_SAVED, Reason.TOO_LATE)  # why the engine itself did not ask the PBX
        reason = Reason(e.detail) if e.detail in ours else Reason.END_REFUSED
        d.tell(guard.agent, Verdict.NOT_PERMITTED, reason, leg=guard.agent_leg)


def _released(d: Draft, guard: Guard) -> None:
    guard = d.guard(guard, CallCause.RELEASED, agent_leg=None)
    breaks.begin(d, guard, guard.agent)


# --- latch ----------------------------------------------------------------------------------------------------------


def on_latch_agreed(d: Draft, e: ev.LatchAgreed) -> None:
    """Two different people must agree before an acute call is an ordinary one again."""
    guard = d.guards.get(e.call)
    if guard is None or guard.state is not CallState.ACUTE:
        return
    agreed = guard.agreed if e.by in guard.agreed else (*guard.agreed, e.by)
    if len(agreed) < TWO_PEOPLE:
        d.guard(guard, agreed=agreed)
        d.tell(guard.agent, Verdict.NOT_YET, Reason.LATCH_NEEDS_SECOND, who=e.by)
        return
    d.guard(guard, CallCause.UNLATCHED, agreed=agreed, heard=())


# --- the call's own changes -----------------------------------------------------------------------------------------


def on_changed(d: Draft, e: ev.CallChanged) -> None:
    """Legs, bridge, agent or hold changed in a call that may be guarded."""
    guard = d.guards.get(e.call.id)
    if guard is not None and guard.state is not CallState.ENDED:
        _follow(d, guard, e.call)


def on_ended(d: Draft, e: ev.CallEnded) -> None:
    """The caller's leg is gone."""
    guard = d.guards.get(e.call)
    if guard is not None and guard.state is not CallState.ENDED:
        _gone(d, guard)


def on_resync(d: Draft, guard: Guard, call: LiveCall | None) -> None:
    """Hold one guard against a full reading of the PBX."""
    if guard.state is CallState.ENDED:
        return
    if call is None:
        _gone(d, guard)
        return
    if guard.state is CallState.ENDING and call.agent == guard.agent and call.bridge is not None:
        guard = d.guard(guard, CallCause.NOT_RELEASED, permit="")
    handoffs.on_resync(d, call)
    _follow(d, guard, call)


def on_timer(d: Draft, e: ev.TimerFired) -> None:
    """An ended call is forgotten; the journal keeps it."""
    guard = next((g for g in d.guards.values() if g.call == e.timer.entity_id), None)
    if guard is not None and guard.state is CallState.ENDED:
        d.drop(guard)


def _follow(d: Draft, guard: Guard, call: LiveCall) -> None:
    if guard.state is CallState.CLOSING:
        return
    if call.agent == guard.agent:
        if call.agent_leg != guard.agent_leg:
            d.guard(guard, agent_leg=call.agent_leg)
        return
    if call.agent is None and guard.state is CallState.ENDING:
        _released(d, guard)
        return
    if guard.agent_leg is not None:  # the agent is in this call no more
        breaks.begin(d, guard, guard.agent)
        handoffs.on_agent_gone(d, call)
    if call.agent is None:
        d.guard(guard, agent_leg=None)
        return
    if guard.state is CallState.WARNING:
        d.act(StopAnnouncement, call=guard.call, announcement=guard.announcement)
    if guard.state is CallState.ENDING:
        guard = d.guard(guard, CallCause.NOT_RELEASED, permit="")
    d.guard(
        guard,
        CallCause.AGENT_CHANGED,
        agent=call.agent,
        agent_leg=call.agent_leg,
        heard=(),
        announcement="",
    )


def _gone(d: Draft, guard: Guard) -> None:
    guard = d.guard(guard, CallCause.GONE, ended_at=d.at, announcement="", agent_leg=None)
    for agent in guard.flagged_by:
        breaks.begin(d, guard, agent)
    handoffs.on_caller_gone(d, guard.call)
    d.timer("call", guard.call, "forget", d.policy.now.late_flag_s)
