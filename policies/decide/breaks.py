"""What follows for breaks: begin, paint the pause again, end."""

from datetime import timedelta

from policies import events as ev
from policies.actions import Pause, Unpause, Verdict
from policies.breaks import OURS, Break, BreakCause, BreakState
from policies.guards import Guard
from policies.model import AgentId, Member, Outcome
from policies.reasons import Reason
from policies.state import Draft


def begin(d: Draft, guard: Guard, agent: AgentId) -> None:
    """Begin the break of one agent after a flagged call; once for each incident."""
    rules = d.rules_of(guard)
    if rules is None or rules.break_s <= 0:
        return
    break_id = f"{guard.incident}.{agent}"
    if break_id in d.breaks or agent not in guard.flagged_by:
        return
    until = d.at + timedelta(seconds=rules.break_s)
    made = Break(break_id, agent, guard.incident, d.at, until, BreakState.ASKED)
    d.pause_break(made)
    d.timer("break", break_id, "over", rules.break_s)
    _pause(d, made)


def lengthen(d: Draft, guard: Guard) -> None:
    """The call's kind was put right: a break that stands becomes as long as that kind's, and never shorter."""
    rules = d.rules_of(guard)
    for break_ in list(d.breaks.values()):
        if rules is None or break_.incident != guard.incident or break_.state in (BreakState.ENDING, BreakState.OVER):
            continue
        until = break_.starts_at + timedelta(seconds=rules.break_s)
        if until > break_.until:
            d.pause_break(break_, until=until)
            d.timer("break", break_.id, "over", (until - d.at).total_seconds())


def on_key(d: Draft, e: ev.KeyPressed) -> None:
    """The agent wants back."""
    mine = [b for b in d.breaks.values() if b.agent == e.agent and b.state is not BreakState.OVER]
    if not mine:
        d.tell(e.agent, Verdict.NOT_PERMITTED, Reason.NO_BREAK, answers=True)
        return
    if not d.policy.now.breaks.agent_may_end:
        rule = "breaks.agent_may_end"
        d.tell(e.agent, Verdict.NOT_PERMITTED, Reason.BREAK_NOT_YOURS, answers=True, rule=rule)
        return
    for break_ in mine:
        _end(d, break_, e.agent)
    d.tell(e.agent, Verdict.ACCEPTED, Reason.BREAK_OVER, answers=True, rule="breaks.agent_may_end")


def on_ended(d: Draft, e: ev.BreakEnded) -> None:
    """The chief ended it."""
    break_ = d.breaks.get(e.break_id)
    if break_ is not None:
        _end(d, break_, e.by)


def on_timer(d: Draft, e: ev.TimerFired) -> None:
    """The break is over, or a pause or unpause is to be tried again."""
    break_ = d.breaks.get(e.timer.entity_id)
    if break_ is None:
        return
    if e.timer.what == "over":
        _end(d, break_, "time")
    else:
        again(d, break_)


def on_paused(d: Draft, e: ev.PauseFinished) -> None:
    """Only what the PBX shows counts: anything but DONE is a refusal, said so, and tried again."""
    break_ = d.breaks.get(e.break_id)
    if break_ is None or break_.state is not BreakState.ASKED or break_.asked != e.action:
        return
    if e.outcome is Outcome.DONE:
        d.pause_break(break_, BreakCause.PAUSED, foreign=e.foreign)
        if break_.refused == 0:
            d.tell(break_.agent, Verdict.ACCEPTED, Reason.BREAK_ON)
        return
    if break_.refused == 0:
        d.tell(break_.agent, Verdict.NOT_PERMITTED, Reason.BREAK_REFUSED)
    d.pause_break(break_, BreakCause.REFUSED, refused=break_.refused + 1)
    d.timer("break", break_.id, "again", d.policy.now.breaks.retry_s)


def on_unpaused(d: Draft, e: ev.UnpauseFinished) -> None:
    """The agent is back, or the unpause is tried again: a break must end too."""
    break_ = d.breaks.get(e.break_id)
    if break_ is None or break_.state is not BreakState.ENDING:
        return
    if e.outcome is not Outcome.DONE:
        d.timer("break", break_.id, "again", d.policy.now.breaks.retry_s)
        return
    break_ = d.pause_break(break_, BreakCause.LIFTED)
    d.no_timer("break", break_.id, "again")
    d.tell(break_.agent, Verdict.ACCEPTED, Reason.BREAK_OVER)
    d.drop(break_)


def on_member(d: Draft, e: ev.MemberChanged) -> None:
    """A queue member changed: a pause of ours that vanished is painted again."""
    member = e.member
    d.members = {**d.members, (member.agent, member.queue): member}
    _lift_orphan(d, member)
    for break_ in list(d.breaks.values()):
        if break_.agent == member.agent and break_.state is BreakState.ON:
            _look(d, break_, (member,))


def reconcile(d: Draft) -> None:
    """After the PBX was read anew: paint every running break again, lift every one that is ending or that is none."""
    for member in d.members.values():
        _lift_orphan(d, member)
    for break_ in list(d.breaks.values()):
        if break_.state is BreakState.ON:
            _look(d, break_, tuple(m for m in d.members.values() if m.agent == break_.agent))
        elif break_.state is not BreakState.OVER:
            again(d, break_)


def again(d: Draft, break_: Break) -> None:
    """Ask the PBX once more for what the break's state wants."""
    if break_.state is BreakState.OVER:
        return
    if break_.state is BreakState.ENDING:
        d.act(Unpause, break_id=break_.id, agent=break_.agent, reason=break_.reason)
        return
    _pause(d, d.pause_break(break_, BreakCause.AGAIN))


def _look(d: Draft, break_: Break, members: tuple[Member, ...]) -> None:
    foreign = set(break_.foreign)
    for m in members:
        if m.paused and m.reason != break_.reason:
            foreign.add(m.queue)
        else:
            foreign.discard(m.queue)
    if foreign != set(break_.foreign):
        break_ = d.pause_break(break_, foreign=tuple(sorted(foreign)))
    if any(not m.paused for m in members):
        again(d, break_)


def _lift_orphan(d: Draft, member: Member) -> None:
    """Lift a pause in our name behind which no break stands: a crash took the break before it was written down."""
    break_id = member.reason.removeprefix(OURS)
    if member.paused and member.reason.startswith(OURS) and break_id not in d.breaks:
        d.act(Unpause, break_id=break_id, agent=member.agent, reason=member.reason)


def _pause(d: Draft, break_: Break) -> None:
    pause = d.act(Pause, break_id=break_.id, agent=break_.agent, reason=break_.reason)
    d.pause_break(break_, asked=pause.id)


def _end(d: Draft, break_: Break, by: str) -> None:
    if break_.state in (BreakState.ENDING, BreakState.OVER):
        return
    break_ = d.pause_break(break_, BreakCause.END, ended_by=by)
    d.no_timer("break", break_.id, "over")
    d.act(Unpause, break_id=break_.id, agent=break_.agent, reason=break_.reason)
