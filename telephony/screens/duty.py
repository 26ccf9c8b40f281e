"""The duty desk's screen: a pure function of what is so now."""

from collections.abc import Mapping

from policies import events as ev
from policies.decide.handoffs import take_over_refused
from policies.guards import CallState, Guard
from policies.model import CallId, LiveCall
from policies.rules import Severity
from policies.state import Draft
from telephony.screens.agent import break_picture
from telephony.screens.asking import Moment
from telephony.screens.calls import call_picture, handoff_of, help_picture, mood_of
from telephony.screens.model import DutyScreen, GuardedCall, OnCallPicture
from telephony.screens.page import page_picture
from telephony.screens.proofs import proof_pictures

_URGENT_FIRST = tuple(Severity)


def duty_screen(
    moment: Moment,
    *,
    live: Mapping[CallId, LiveCall],
    on_call: tuple[OnCallPicture, ...],
) -> DutyScreen:
    """Return what the duty desk sees.

    Args:
        moment: what is so now.
        live: guarded calls, as the PBX shows them.
        on_call: who would be told, see `telephony.screens.on_call`.
    """
    state = moment.state
    waiting = [p for p in state.pages.values() if p.is_open]
    waiting.sort(key=lambda p: (_URGENT_FIRST.index(p.severity), p.opened_at))
    taken = [p for p in state.pages.values() if not p.is_open]
    taken.sort(key=lambda p: p.answered_at or p.opened_at, reverse=True)
    guards = [g for g in state.guards.values() if g.state is not CallState.ENDED]
    guards.sort(key=lambda g: (g.state is not CallState.ACUTE, g.flagged_at))
    return DutyScreen(
        protection=moment.protection,
        pages=tuple(page_picture(p) for p in (*waiting, *taken)),
        calls=tuple(_guarded(moment, g, live.get(g.call)) for g in guards),
        breaks=tuple(break_picture(moment, b) for b in sorted(state.breaks.values(), key=lambda b: b.until)),
        on_call=on_call,
        proofs=proof_pictures(state.proofs, moment.policy.now, moment.at),
    )


def no_take_over(moment: Moment, guard: Guard) -> tuple[str, str]:
    """Return the code of why nobody may take the call over now, and the rule that says so; "" when somebody may."""
    asked = Draft(moment.state, ev.Event(id="screen", at=moment.at), moment.policy)
    refused = take_over_refused(asked, guard)
    return (refused[0].value, refused[1]) if refused else ("", "")


def _guarded(moment: Moment, guard: Guard, live: LiveCall | None) -> GuardedCall:
    handoff = handoff_of(moment.state, guard.call)
    page = moment.state.pages.get(guard.page)
    return GuardedCall(
        call=call_picture(live, guard),
        agent=guard.agent,
        team=moment.policy.now.teams.get(guard.agent, ""),
        mood=mood_of(guard, handoff),
        help=help_picture(handoff),
        page=page.id if page is not None and page.is_open else "",
        agreed=guard.agreed if guard.state is CallState.ACUTE else (),
        no_take_over=no_take_over(moment, guard)[0],
    )
