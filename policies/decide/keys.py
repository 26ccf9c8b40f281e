"""What follows from a key: which call it means, and what is to be done in it.

A key from an agent without a call, with two calls, pressed twice within a second, or arriving late does the one thing
an agent would expect, and says what it did. An acute key always does its work: when in doubt, wake the backup.
"""

from datetime import timedelta

from policies import events as ev
from policies.actions import Tell, Verdict
from policies.decide import breaks, calls, handoffs
from policies.model import Does, LiveCall
from policies.reasons import Reason
from policies.state import Draft, Press


def on_key(d: Draft, e: ev.KeyPressed) -> None:
    """Answer one key press."""
    earlier = d.presses.get(e.agent)
    bounce = timedelta(seconds=d.policy.now.double_press_s)
    calls = frozenset(c.id for c in e.calls)
    is_same = earlier is not None and earlier.key == e.key.name and calls <= earlier.calls
    if earlier and is_same and timedelta(0) <= e.pressed_at - earlier.at < bounce:
        d.tell(e.agent, earlier.verdict, Reason.SAME_PRESS, answers=True)
        return
    _act(d, e)
    verdict = next((a.verdict for a in d.actions if isinstance(a, Tell) and a.press == e.id), Verdict.ACCEPTED)
    d.presses = {**d.presses, e.agent: Press(e.key.name, e.pressed_at, verdict, calls)}


def _act(d: Draft, e: ev.KeyPressed) -> None:
    if e.key.does is Does.BACK:
        breaks.on_key(d, e)
        return
    meant = _meant(e)
    if calls.is_acute(d, e.key.kind):
        calls.flag_acute(d, e, meant or _live(e))
    elif len(meant) > 1:
        d.tell(e.agent, Verdict.NOT_PERMITTED, Reason.SEVERAL_CALLS, answers=True)
    elif not meant:
        _without_call(d, e)
    elif e.key.does in (Does.COLLEAGUE, Does.CHIEF):
        handoffs.on_key(d, e, calls.guarded_for_handoff(d, e, meant[0]))
    else:
        calls.on_key(d, e, meant[0])


def _meant(e: ev.KeyPressed) -> tuple[LiveCall, ...]:
    """Return the call that the key means; several when nobody can tell."""
    live = _live(e)
    if e.leg is not None:  # pressed in a leg: that leg's call, or none; never another one
        return tuple(c for c in live if c.agent_leg == e.leg)
    if len(live) <= 1:
        return live
    up = tuple(c for c in live if not c.held)
    return up if len(up) == 1 else live


def _live(e: ev.KeyPressed) -> tuple[LiveCall, ...]:
    return tuple(c for c in e.calls if (c.joined_at or c.began_at) <= e.pressed_at)


def _without_call(d: Draft, e: ev.KeyPressed) -> None:
    """No call now: a flag counts for the call that was just over; for anything else there is nothing to do."""
    marks = e.key.does in (Does.WARN, Does.FLAG) and e.key.kind
    if marks and calls.flag_after(d, e):
        return
    reason = Reason.NO_CALL if d.connected else Reason.PBX_AWAY
    d.tell(e.agent, Verdict.NOT_PERMITTED, reason, answers=True)
