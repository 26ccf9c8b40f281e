"""Somebody of the duty desk comes into a guarded call: when they are rung, when not, and that nothing ends by it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from policies import actions as act
from policies import events as ev
from policies.actions import Verdict
from policies.decide.handoffs import take_over_refused
from policies.guards import CallState
from policies.handoffs import Handoff, HandoffState
from policies.model import AgentId, CallId, Candidate, LegId, Outcome, Target
from policies.reasons import Reason
from policies.rules import HandoffRules, LeaveWhen
from policies.state import Draft
from tests.policies.story import ANNA, CHIEF, COLLEAGUE, RULES, SUICIDE, WARN, Story, call

KIM = Target("Kim", "PJSIP/4520@trunk", confirm=True)
BO = Candidate(Target("bo", "PJSIP/bo", AgentId("bo")), "", call().began_at)
C1 = CallId("c1")


def ask(story: Story) -> tuple[act.Action, ...]:
    return story.feed(ev.TakeOverAsked(**story.stamp(), call=C1, by="kim", target=KIM))


def handoffs(story: Story) -> list[Handoff]:
    return list(story.state.handoffs.values())


def joined(story: Story) -> None:
    h = handoffs(story)[-1]
    story.feed(ev.ColleagueJoined(**story.stamp(), action=h.ring, handoff=h.id, leg=LegId("kim-leg")))


def test_the_one_who_asks_is_rung_with_the_chiefs_brief_and_the_agent_is_told_by_tone() -> None:
    """One target, one ring, the agent's leg hears that help is coming, with the name."""
    story = Story()
    story.press(WARN, call())
    ask(story)
    ring = story.one(act.Ring)
    assert (ring.target, ring.call, ring.caller) == (KIM, "c1", "c1")
    tell = story.one(act.Tell)
    assert (tell.agent, tell.reason, tell.verdict, tell.who) == (ANNA, Reason.TAKE_OVER, Verdict.ACCEPTED, "Kim")
    assert tell.agent_leg == "anna-1"
    assert handoffs(story)[0].role == "chief"


def test_the_agent_leaves_by_the_chief_key_once_the_other_is_there() -> None:
    """Warm: the agent stays until the other stands in the bridge, and says when to go."""
    story = Story()
    story.press(WARN, call())
    ask(story)
    story.wait(2)
    assert story.press(CHIEF, call()).reason is Reason.CHIEF_RINGING
    joined(story)
    assert not story.all(act.Leave)
    story.wait(2)
    assert story.press(CHIEF, call()).reason is Reason.LEAVING
    assert story.one(act.Leave).colleague_leg == "kim-leg"


def test_an_acute_call_is_joined_and_nobody_is_taken_out_of_it() -> None:
    """Also where policy lets the agent leave at the join: the call is latched, the agent stays, nothing ends."""
    rules = replace(RULES, handoffs={"chief": HandoffRules(leave=LeaveWhen.ON_JOIN)})
    story = Story(rules)
    story.press(SUICIDE, call())
    ask(story)
    joined(story)
    assert story.guard().state is CallState.ACUTE
    assert handoffs(story)[0].state is HandoffState.JOINED
    assert not story.all(act.Leave)
    assert not story.all(act.Release)


def test_who_does_not_answer_their_own_phone_wakes_nobody_else() -> None:
    """Policy's `then` is for the agent's key: no page, no further ring; the call is as it was."""
    story = Story()
    story.press(WARN, call())
    ask(story)
    h = handoffs(story)[0]
    story.feed(ev.ColleagueMissed(**story.stamp(), action=h.ring, handoff=h.id))
    assert story.one(act.Tell).reason is Reason.NOBODY_ANSWERED
    assert not story.all(act.Ring)
    assert not story.all(act.Notify)
    assert not story.state.handoffs
    assert story.guard().state is CallState.WARNING


def _no_transfer(story: Story) -> None:
    kinds = {**RULES.kinds, "abuse": replace(RULES.kinds["abuse"], may_transfer=False)}
    story.policy = replace(story.policy, now=replace(RULES, kinds=kinds))


def _ending(story: Story) -> None:
    story.announced()
    story.wait(6)
    story.press(WARN, call())


def _closing(story: Story) -> None:
    _ending(story)
    story.released(Outcome.DONE)


def _ended(story: Story) -> None:
    story.feed(ev.CallEnded(**story.stamp(), call=C1))


def _between_agents(story: Story) -> None:
    story.feed(ev.CallChanged(**story.stamp(), call=call(agent=None)))


def _colleague_is_rung(story: Story) -> None:
    story.press(COLLEAGUE, call(), candidates=(BO,))


def _chief_is_there(story: Story) -> None:
    ask(story)
    joined(story)


REFUSED: list[tuple[Callable[[Story], object], Reason, str]] = [
    (_no_transfer, Reason.NOT_TRANSFERABLE, "kinds.abuse.may_transfer"),
    (_ending, Reason.CALL_ENDING, ""),
    (_closing, Reason.CALL_ENDING, ""),
    (_ended, Reason.ENDED, ""),
    (_between_agents, Reason.CALL_CHANGED, ""),
    (Story.pbx_lost, Reason.PBX_AWAY, ""),
    (_colleague_is_rung, Reason.RINGING, ""),
    (_chief_is_there, Reason.JOINED, ""),
]


@pytest.mark.parametrize(("first", "reason", "rule"), REFUSED)
def test_when_nobody_may_come_in_the_core_says_why_and_does_nothing(
    first: Callable[[Story], object], reason: Reason, rule: str
) -> None:
    """Each case: the reason that the duty desk is shown, and not one action."""
    story = Story()
    story.press(WARN, call())
    first(story)
    asked = ev.TakeOverAsked(**story.stamp(), call=C1, by="kim", target=KIM)
    assert take_over_refused(Draft(story.state, asked, story.policy), story.guard()) == (reason, rule)
    before = story.state.handoffs
    assert story.feed(asked) == ()
    assert story.state.handoffs == before


def test_a_call_that_nobody_guards_is_not_the_duty_desks() -> None:
    """Only what was flagged, or is being handed over, may be come into."""
    story = Story()
    assert ask(story) == ()
    assert not story.state.handoffs


def test_beside_a_colleague_who_has_joined_the_duty_desk_may_come_too() -> None:
    """Two helpers: each role has its own key for the agent to leave by."""
    rules = replace(RULES, handoffs={**RULES.handoffs, "colleague": HandoffRules(leave=LeaveWhen.BY_KEY)})
    story = Story(rules)
    story.press(COLLEAGUE, call(), candidates=(BO,))
    joined(story)
    ask(story)
    joined(story)
    assert {h.role: h.state for h in handoffs(story)} == dict.fromkeys(("colleague", "chief"), HandoffState.JOINED)
    story.wait(2)
    assert story.press(CHIEF, call()).reason is Reason.LEAVING
