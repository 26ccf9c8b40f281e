"""`decide(state, event, policy)`: the whole of the core, as one function without side effects."""

from collections.abc import Callable
from typing import Any

from policies import events as ev
from policies.decide import breaks, calls, handoffs, keys, pages, pbx, proofs, replies
from policies.events import Event
from policies.rules import Policy
from policies.state import Decision, Draft, State

_TIMERS: dict[str, Callable[[Draft, ev.TimerFired], None]] = {
    "call": calls.on_timer,
    "break": breaks.on_timer,
    "page": pages.on_timer,
    "proof": proofs.on_timer,
}


def _on_timer(d: Draft, e: ev.TimerFired) -> None:
    if (on := _TIMERS.get(e.timer.entity)) is not None:  # else nothing of ours: a damaged row, say
        on(d, e)


_DECIDE: dict[type[Event], Callable[[Draft, Any], None]] = {
    ev.KeyPressed: keys.on_key,
    ev.CallChanged: calls.on_changed,
    ev.CallEnded: calls.on_ended,
    ev.AnnouncementFinished: calls.on_announcement,
    ev.ReleaseFinished: calls.on_release,
    ev.LatchAgreed: calls.on_latch_agreed,
    ev.ColleagueJoined: handoffs.on_joined,
    ev.ColleagueMissed: handoffs.on_missed,
    ev.LeaveFinished: handoffs.on_leave,
    ev.TakeOverAsked: handoffs.on_take_over,
    ev.PauseFinished: breaks.on_paused,
    ev.UnpauseFinished: breaks.on_unpaused,
    ev.BreakEnded: breaks.on_ended,
    ev.MemberChanged: breaks.on_member,
    ev.Notified: pages.on_notified,
    ev.PageOpened: pages.on_opened,
    ev.PageAnswered: pages.on_answered,
    ev.PagePassed: pages.on_passed,
    ev.PageReplied: replies.on_replied,
    ev.MessageReported: pages.on_reported,
    ev.ChannelConnected: pages.on_channel_connected,
    ev.TimerFired: _on_timer,
    ev.PbxConnected: pbx.on_connected,
    ev.PbxLost: pbx.on_lost,
    ev.PolicyLoaded: proofs.on_policy_loaded,
    ev.ProofAsked: proofs.on_asked,
    ev.AccessChanged: lambda _d, _e: None,
    ev.ActionFinished: lambda _d, _e: None,
}


def decide(state: State, event: Event, policy: Policy) -> Decision:
    """Return what follows from `event`.

    Raises:
        IllegalTransitionError: a bug of ours; nothing has changed.
    """
    draft = Draft(state, event, policy)
    _DECIDE[type(event)](draft, event)
    return draft.decided()
