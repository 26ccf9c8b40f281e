from dataclasses import replace
from datetime import timedelta

from policies import actions as act
from policies import events as ev
from policies.handoffs import Handoff, HandoffState
from policies.model import AgentId, CallId, Candidate, LegId, Outcome, Target
from policies.reasons import Reason
from policies.rules import LeaveWhen
from tests.policies.story import ANNA, BO, CHIEF, COLLEAGUE, NOON, RULES, SUICIDE, WARN, Story, call


def candidate(name: str, free_min: int | None, team: str = "") -> Candidate:
    since = None if free_min is None else NOON - timedelta(minutes=free_min)
    return Candidate(Target(name, f"PJSIP/{name}", AgentId(name)), team, since)


def handoff(story: Story) -> Handoff:
    (only,) = story.state.handoffs.values()
    return only


def joined(story: Story, leg: str = "bo-leg") -> None:
    h = handoff(story)
    story.feed(ev.ColleagueJoined(**story.stamp(), action=h.ring, handoff=h.id, leg=LegId(leg)))


def missed(story: Story) -> None:
    h = handoff(story)
    story.feed(ev.ColleagueMissed(**story.stamp(), action=h.ring, handoff=h.id))


def test_the_first_free_colleague_is_rung_longest_free_first() -> None:
    """Not the busy, not the paused, not the one on a break, not oneself; own team first, then longest free."""
    story = Story(replace(RULES, teams={ANNA: "north"}))
    story.press(
        COLLEAGUE,
        call(),
        candidates=(
            candidate("anna", 90, "north"),
            candidate("busy", None, "north"),
            candidate("south", 60, "south"),
            candidate("north1", 5, "north"),
            candidate("north2", 20, "north"),
        ),
    )
    assert [t.name for t in handoff(story).targets] == ["north2", "north1", "south"]
    assert story.one(act.Ring).target.name == "north2"


def test_nobody_free_is_said_and_the_call_goes_on() -> None:
    """No ringing, no state: the call is as it was."""
    story = Story()
    assert story.press(COLLEAGUE, call()).reason is Reason.NOBODY_FREE
    assert not story.state.handoffs


def test_who_does_not_answer_is_followed_by_the_next() -> None:
    """Rung in turn; each once."""
    story = Story()
    story.press(COLLEAGUE, call(), candidates=(candidate("bo", 9), candidate("eva", 5)))
    missed(story)
    assert story.one(act.Ring).target.name == "eva"


def test_when_no_colleague_answers_policy_goes_on_to_the_chief_then_to_a_page() -> None:
    """`then`: the agent is told, the chief's chain is rung, and at its end the backup is paged."""
    story = Story()
    story.press(COLLEAGUE, call(), candidates=(candidate("bo", 9),))
    missed(story)
    assert Reason.NOBODY_ANSWERED in {t.reason for t in story.all(act.Tell)}
    assert story.one(act.Ring).target.name == "Chief"
    missed(story)
    assert story.one(act.Ring).target.confirm
    missed(story)
    assert story.all(act.Notify)
    assert not story.state.handoffs


def test_the_agent_stays_until_the_other_stands_in_the_bridge() -> None:
    """Leave comes with the join, and not before."""
    story = Story()
    story.press(COLLEAGUE, call(), candidates=(candidate("bo", 9),))
    assert not story.all(act.Leave)
    joined(story)
    leave = story.one(act.Leave)
    assert (leave.agent_leg, leave.colleague_leg, leave.caller) == ("anna-1", "bo-leg", "c1")


def test_by_key_the_agent_leaves_with_a_second_press() -> None:
    """Leave = by_key: joined, three in the call; the same key lets the agent go."""
    story = Story()
    story.press(CHIEF, call())
    joined(story)
    assert not story.all(act.Leave)
    story.wait(5)
    assert story.press(CHIEF, call()).reason is Reason.LEAVING
    assert story.one(act.Leave).agent_leg == "anna-1"


def test_a_refused_leave_keeps_the_agent() -> None:
    """The colleague fell out again: the agent stays, and is told."""
    story = Story()
    story.press(COLLEAGUE, call(), candidates=(candidate("bo", 9),))
    joined(story)
    story.feed(ev.LeaveFinished(**story.stamp(), action="x", handoff=handoff(story).id, outcome=Outcome.REFUSED))
    assert handoff(story).state is HandoffState.JOINED
    assert story.one(act.Tell).reason is Reason.LEAVE_REFUSED


def test_from_an_acute_call_nobody_is_taken_out() -> None:
    """A colleague may join an acute call; the agent is not removed, neither on join nor by key."""
    story = Story()
    story.press(SUICIDE, call())
    story.wait(2)
    story.press(COLLEAGUE, call(), candidates=(candidate("bo", 9),))
    joined(story)
    assert not story.all(act.Leave)
    story.wait(2)
    assert story.press(COLLEAGUE, call()).reason is Reason.LATCHED
    assert not story.all(act.Leave)


def test_a_kind_that_is_not_handed_over_is_refused_with_its_rule() -> None:
    """may_transfer = false."""
    kinds = {**RULES.kinds, "abuse": replace(RULES.kinds["abuse"], may_transfer=False)}
    story = Story(replace(RULES, kinds=kinds))
    story.press(WARN, call())
    answer = story.press(COLLEAGUE, call(), candidates=(candidate("bo", 9),))
    assert (answer.reason, answer.rule) == (Reason.NOT_TRANSFERABLE, "kinds.abuse.may_transfer")


def test_a_second_key_while_ringing_rings_nobody_else() -> None:
    """One person at a time; the answer says who is being called."""
    story = Story()
    story.press(COLLEAGUE, call(), candidates=(candidate("bo", 9),))
    story.wait(3)
    answer = story.press(CHIEF, call())
    assert (answer.reason, answer.who) == (Reason.RINGING, "bo")
    assert not story.all(act.Ring)


def test_the_call_ends_while_ringing() -> None:
    """Nobody is connected to a caller who is gone."""
    story = Story()
    story.press(COLLEAGUE, call(), candidates=(candidate("bo", 9),))
    ring = handoff(story).ring
    story.feed(ev.CallEnded(**story.stamp(), call=CallId("c1")))
    assert story.one(act.StopRinging).ring == ring
    assert not story.state.handoffs


def test_the_brief_says_that_the_caller_was_warned() -> None:
    """The colleague hears it before the caller."""
    story = Story()
    story.warned()
    story.press(COLLEAGUE, call(), candidates=(candidate("bo", 9),))
    assert story.one(act.Ring).brief == "brief-takeover-warned"


def test_after_the_take_over_the_flagged_agent_gets_the_break() -> None:
    """Anna flagged, Bo took over, Anna is out: her break begins, though the call goes on."""
    story = Story()
    story.warned()
    story.press(COLLEAGUE, call(), candidates=(candidate("bo", 9),))
    joined(story)
    story.feed(ev.CallChanged(**story.stamp(), call=call(agent=BO)))
    assert story.one(act.Pause).agent == ANNA
    assert not story.state.handoffs
    assert story.guard().agent == BO


def test_a_colleague_who_joined_during_a_restart_has_joined() -> None:
    """Handoffs are reconciled with what the PBX shows."""
    rules = replace(RULES, handoffs={"colleague": replace(RULES.handoffs["colleague"], leave=LeaveWhen.BY_KEY)})
    story = Story(rules)
    story.press(COLLEAGUE, call(), candidates=(candidate("bo", 9),))
    story.pbx_lost()
    story.pbx_connected(call(others=(LegId("bo-leg"),)))
    assert handoff(story).state is HandoffState.JOINED


def test_the_chief_key_says_that_the_chief_is_called() -> None:
    """The agent reads who is on the way; pressed again, the same."""
    story = Story()
    assert story.press(CHIEF, call()).reason is Reason.CHIEF_RINGING
    story.wait(2)
    assert story.press(CHIEF, call()).reason is Reason.CHIEF_RINGING


def test_each_one_is_briefed_in_their_own_language() -> None:
    """The caller speaks English; Bo, for whom policy names Swedish, is briefed in it, the next in the site's Danish."""
    story = Story(replace(RULES, language="da", languages={BO: "sv"}))
    both = (candidate("bo", 20), candidate("cleo", 5))
    story.press(COLLEAGUE, call(language="en"), candidates=both)
    assert story.one(act.Ring).language == "sv"
    missed(story)
    assert (story.one(act.Ring).target.name, story.one(act.Ring).language) == ("cleo", "da")
    story = Story(replace(RULES, language="da"))
    story.press(CHIEF, call(language="en"))
    assert story.one(act.Ring).language == "da"
