"""What follows for handoffs: ring, next, joined, leave."""

from dataclasses import replace
from datetime import UTC, datetime

from policies import events as ev
from policies.actions import Leave, Ring, StopRinging, Verdict
from policies.decide import pages
from policies.guards import CallState, Guard
from policies.handoffs import Handoff, HandoffCause, HandoffState
from policies.model import AgentId, Candidate, Does, LiveCall, Outcome, Target
from policies.reasons import Reason
from policies.rules import HandoffRules, LeaveWhen, Severity
from policies.state import Draft

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def on_key(d: Draft, e: ev.KeyPressed, call: LiveCall) -> None:
    """The colleague or the chief key, in `call`."""
    role = "chief" if e.key.does is Does.CHIEF else "colleague"
    guard = d.guards.get(call.id)
    leg = call.agent_leg
    if guard is not None and guard.state in (CallState.ENDING, CallState.CLOSING):
        d.tell(e.agent, Verdict.NOT_YET, Reason.CALL_ENDING, leg=leg, answers=True)
        return
    kind_rules = d.rules_of(guard) if guard is not None else None
    if kind_rules is not None and not kind_rules.may_transfer:
        rule = f"kinds.{kind_rules.kind}.may_transfer"
        d.tell(e.agent, Verdict.NOT_PERMITTED, Reason.NOT_TRANSFERABLE, leg=leg, answers=True, rule=rule)
        return
    running = _running(d, call.id, role)
    if running is not None and running.state is not HandoffState.JOINED:
        d.tell(e.agent, Verdict.NOT_YET, _ringing(running.role), leg=leg, answers=True, who=running.target.name)
    elif running is not None:
        _leave_by_key(d, e, running, call, guard)
    elif not d.connected:
        d.tell(e.agent, Verdict.NOT_PERMITTED, Reason.PBX_AWAY, leg=leg, answers=True)
    else:
        start(d, e.agent, call, role, e.candidates, guard, answers=True)


def start(
    d: Draft,
    agent: AgentId,
    call: LiveCall,
    role: str,
    candidates: tuple[Candidate, ...],
    guard: Guard | None,
    *,
    answers: bool,
) -> None:
    """Begin to ring, or say that there is nobody."""
    rules = d.policy.now.handoffs.get(role, HandoffRules())
    targets = d.policy.now.chiefs if role == "chief" else _colleagues(d, agent, candidates, rules)
    if not targets:
        d.tell(
            agent,
            Verdict.NOT_PERMITTED,
            Reason.NOBODY_FREE,
            leg=call.agent_leg,
            answers=answers,
            rule=f"handoff.{role}",
        )
        return
    _begin(d, agent, call, role, targets, guard, rules)
    d.tell(
        agent,
        Verdict.ACCEPTED,
        _ringing(role),
        leg=call.agent_leg,
        answers=answers,
        rule=f"handoff.{role}",
        who=targets[0].name,
    )


def on_take_over(d: Draft, e: ev.TakeOverAsked) -> None:
    """Ring the one who asked, as the chief is rung. When they do not come, nobody else is rung or paged for it."""
    guard = d.guards.get(e.call)
    if guard is None or take_over_refused(d, guard) is not None:
        return
    rules = replace(d.policy.now.handoffs.get("chief", HandoffRules()), then="")
    _begin(d, guard.agent, _live(guard), "chief", (e.target,), guard, rules)
    d.tell(guard.agent, Verdict.ACCEPTED, Reason.TAKE_OVER, leg=guard.agent_leg, who=e.target.name)


def take_over_refused(d: Draft, guard: Guard) -> tuple[Reason, str] | None:
    """Return why nobody may come into this call now, and the rule that says so; None when somebody may.

    An acute call may be joined: nobody is taken out of it, and nothing ends it. A kind that policy does not let be
    handed over may not, by the duty desk neither.
    """
    kind_rules = d.rules_of(guard)
    if guard.state is CallState.ENDED:
        return Reason.ENDED, ""
    if guard.state in (CallState.ENDING, CallState.CLOSING):
        return Reason.CALL_ENDING, ""
    if kind_rules is not None and not kind_rules.may_transfer:
        return Reason.NOT_TRANSFERABLE, f"kinds.{kind_rules.kind}.may_transfer"
    if not d.connected:
        return Reason.PBX_AWAY, ""
    if guard.agent_leg is None:
        return Reason.CALL_CHANGED, ""
    running = _running(d, guard.call, "chief")
    if running is not None:
        return Reason.JOINED if running.state is HandoffState.JOINED else _ringing(running.role), ""
    return None


def on_missed(d: Draft, e: ev.ColleagueMissed) -> None:
    """This one did not come: the next, or nobody. The call goes on as it was."""
    handoff = d.handoffs.get(e.handoff)
    if handoff is None or handoff.ring != e.action or handoff.state is not HandoffState.RINGING:
        return
    if handoff.at + 1 < len(handoff.targets):
        _ring(d, d.handoff(handoff, HandoffCause.MISSED, at=handoff.at + 1))
        return
    handoff = d.handoff(handoff, HandoffCause.NOBODY)
    d.tell(handoff.agent, Verdict.NOT_PERMITTED, Reason.NOBODY_ANSWERED, rule=f"handoff.{handoff.role}.then")
    d.drop(handoff)
    _then(d, handoff)


def on_joined(d: Draft, e: ev.ColleagueJoined) -> None:
    """The other one is in the call. The agent leaves now, or by key."""
    handoff = d.handoffs.get(e.handoff)
    if handoff is None or handoff.ring != e.action or handoff.state is not HandoffState.RINGING:
        return
    handoff = d.handoff(handoff, HandoffCause.JOINED, leg=e.leg)
    d.tell(handoff.agent, Verdict.ACCEPTED, Reason.JOINED, who=handoff.target.name)
    guard = d.guards.get(handoff.call)
    if handoff.leave is LeaveWhen.ON_JOIN and guard is not None and guard.agent_leg is not None:
        _leave(d, handoff, guard)


def on_leave(d: Draft, e: ev.LeaveFinished) -> None:
    """The agent has left, or stays."""
    handoff = d.handoffs.get(e.handoff)
    if handoff is None or handoff.state is not HandoffState.LEAVING:
        return
    if e.outcome is Outcome.DONE:
        d.drop(d.handoff(handoff, HandoffCause.LEFT))
    else:
        d.handoff(handoff, HandoffCause.STAYED)
        d.tell(handoff.agent, Verdict.NOT_PERMITTED, Reason.LEAVE_REFUSED)


def on_agent_gone(d: Draft, call: LiveCall) -> None:
    """The agent is in the call no more: a handoff that had joined is done."""
    for handoff in _of_call(d, call.id):
        if handoff.state in (HandoffState.JOINED, HandoffState.LEAVING):
            d.drop(d.handoff(handoff, HandoffCause.LEFT))


def on_caller_gone(d: Draft, call: str) -> None:
    """The call is over: whoever is still being rung is let go."""
    for handoff in _of_call(d, call):
        if handoff.state is HandoffState.RINGING:
            d.act(StopRinging, handoff=handoff.id, ring=handoff.ring)
        d.drop(d.handoff(handoff, HandoffCause.GONE))


def on_resync(d: Draft, call: LiveCall) -> None:
    """After the PBX was read anew: one who joined meanwhile has joined."""
    for handoff in _of_call(d, call.id):
        if handoff.state is HandoffState.RINGING and call.others:
            d.handoff(handoff, HandoffCause.JOINED, leg=call.others[-1])


def _begin(
    d: Draft,
    agent: AgentId,
    call: LiveCall,
    role: str,
    targets: tuple[Target, ...],
    guard: Guard | None,
    rules: HandoffRules,
) -> None:
    warned = guard is not None and guard.warned > 0
    handoff = Handoff(
        id=f"h-{d.event.id}-{role}",
        call=call.id,
        caller=call.caller,
        agent=agent,
        role=role,
        targets=targets,
        at=0,
        ring="",
        leg=None,
        leave=rules.leave,
        ring_s=rules.ring_s,
        brief=f"{rules.brief}-warned" if warned and rules.brief == "brief-takeover" else rules.brief,
        then=rules.then,
        state=HandoffState.RINGING,
    )
    _ring(d, handoff)


def _running(d: Draft, call: str, role: str) -> Handoff | None:
    """Return what keeps a further handoff in this role from beginning: one on its way, or one who has joined in it."""
    return next((h for h in _of_call(d, call) if h.state is not HandoffState.JOINED or h.role == role), None)


def _live(guard: Guard) -> LiveCall:
    return LiveCall(
        id=guard.call,
        caller=guard.caller,
        agent=guard.agent,
        agent_leg=guard.agent_leg,
        bridge=None,
        began_at=guard.began_at,
        language=guard.language,
    )


def _of_call(d: Draft, call: str) -> list[Handoff]:
    return [h for h in d.handoffs.values() if h.call == call and h.is_open]


def _colleagues(d: Draft, agent: AgentId, candidates: tuple[Candidate, ...], rules: HandoffRules) -> tuple[Target, ...]:
    team = d.policy.now.teams.get(agent, "")
    on_break = {b.agent for b in d.breaks.values()}
    free = [
        c for c in candidates if c.free_since is not None and c.target.agent != agent and c.target.agent not in on_break
    ]
    free.sort(key=lambda c: (rules.same_team_first and c.team != team, c.free_since or _LONG_AGO))
    return tuple(c.target for c in free[: rules.most])


def _ring(d: Draft, handoff: Handoff) -> None:
    ring = d.act(
        Ring,
        handoff=handoff.id,
        call=handoff.call,
        caller=handoff.caller,
        target=handoff.target,
        ring_s=handoff.ring_s,
        brief=handoff.brief,
        language=d.policy.now.language_of(handoff.target.agent),
    )
    d.handoff(handoff, ring=ring.id)


def _ringing(role: str) -> Reason:
    return Reason.CHIEF_RINGING if role == "chief" else Reason.RINGING


def _leave_by_key(d: Draft, e: ev.KeyPressed, handoff: Handoff, call: LiveCall, guard: Guard | None) -> None:
    if guard is None or e.agent != handoff.agent or call.agent_leg is None:
        d.tell(e.agent, Verdict.ACCEPTED, Reason.JOINED, answers=True, who=handoff.target.name)
        return
    if guard.state is CallState.ACUTE:
        d.tell(e.agent, Verdict.NOT_PERMITTED, Reason.LATCHED, leg=call.agent_leg, answers=True)
        return
    _leave(d, handoff, guard)
    d.tell(e.agent, Verdict.ACCEPTED, Reason.LEAVING, leg=call.agent_leg, answers=True)


def _leave(d: Draft, handoff: Handoff, guard: Guard) -> None:
    """Take the agent out, unless the call is acute: from such a call nobody is taken out."""
    if guard.state is CallState.ACUTE or guard.agent_leg is None or handoff.leg is None:
        return
    d.handoff(handoff, HandoffCause.LEAVE)
    d.act(
        Leave,
        handoff=handoff.id,
        call=handoff.call,
        caller=handoff.caller,
        agent_leg=guard.agent_leg,
        colleague_leg=handoff.leg,
    )


def _then(d: Draft, handoff: Handoff) -> None:
    guard = d.guards.get(handoff.call)
    if handoff.then.startswith("page:"):
        plan = d.policy.now.pages.get(handoff.then.removeprefix("page:"))
        if plan is not None:
            incident = guard.incident if guard else f"i-{d.event.id}"
            pages.open_page(d, plan, incident, Severity.URGENT, "handoff")
    elif handoff.then == "chief" and handoff.role == "colleague" and guard is not None:
        start(d, handoff.agent, _live(guard), "chief", (), guard, answers=False)
