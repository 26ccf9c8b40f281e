from dataclasses import replace
from datetime import timedelta

import pytest

from policies import actions as act
from policies import events as ev
from policies.breaks import Break, BreakState
from policies.model import CallId, Member, Outcome, Timer
from policies.reasons import Reason
from policies.rules import BreakRules
from tests.policies.story import ANNA, BACK, RULES, WARN, Story, call


def on_break(story: Story, outcome: Outcome = Outcome.DONE, foreign: tuple[str, ...] = ()) -> Break:
    story.press(WARN, call())
    story.feed(ev.CallEnded(**story.stamp(), call=CallId("c1")))
    return paused(story, outcome, foreign)


def the_break(story: Story) -> Break:
    (only,) = story.state.breaks.values()
    return only


def paused(story: Story, outcome: Outcome = Outcome.DONE, foreign: tuple[str, ...] = ()) -> Break:
    b = the_break(story)
    event = ev.PauseFinished(**story.stamp(), action=b.asked, break_id=b.id, outcome=outcome, foreign=foreign)
    story.feed(event)
    return the_break(story)


def member(*, pause: bool, reason: str = "", queue: str = "support") -> Member:
    return Member(ANNA, queue, pause, reason)


def changed(story: Story, m: Member) -> None:
    story.feed(ev.MemberChanged(**story.stamp(), member=m))


def test_the_break_begins_when_the_call_ends_and_not_before() -> None:
    """Flagged, warned: no pause yet. The caller is gone: the pause is asked for, with its end as a durable timer."""
    story = Story()
    story.press(WARN, call())
    assert not story.all(act.Pause)
    story.feed(ev.CallEnded(**story.stamp(), call=CallId("c1")))
    assert story.one(act.Pause).reason == f"bagvagt:{the_break(story).id}"
    timers = [t for t in story.all(act.StartTimer) if t.timer.entity == "break"]
    assert [t.due_at for t in timers] == [story.now + timedelta(seconds=600)]


def test_an_unflagged_call_gives_no_break() -> None:
    """Handed over and not flagged: nobody is taken out of the queue."""
    story = Story()
    story.feed(ev.CallEnded(**story.stamp(), call=CallId("c1")))
    assert not story.state.breaks


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.FAILED, Outcome.UNKNOWN])
def test_a_pause_that_is_not_shown_by_the_pbx_is_reported_and_retried(outcome: Outcome) -> None:
    """A break is never reported as taken when the PBX did not take it."""
    story = Story()
    b = on_break(story, outcome)
    assert b.state is BreakState.REFUSED
    assert story.one(act.Tell).reason is Reason.BREAK_REFUSED
    story.feed(ev.TimerFired(**story.stamp(), timer=Timer("break", b.id, "again")))
    assert story.one(act.Pause)
    paused(story)
    assert the_break(story).state is BreakState.ON


def test_an_answer_to_an_older_pause_does_not_count() -> None:
    """The late refusal of a pause that was asked for again changes nothing."""
    story = Story()
    b = on_break(story)
    story.feed(ev.PauseFinished(**story.stamp(), action="old", break_id=b.id, outcome=Outcome.REFUSED))
    assert the_break(story).state is BreakState.ON


def test_a_pause_that_vanishes_is_painted_again() -> None:
    """Somebody lifted it, or a static member's pause died with the PBX: asked for again at once."""
    story = Story()
    on_break(story)
    changed(story, member(pause=False))
    assert story.one(act.Pause).agent == ANNA


def test_a_restart_of_the_pbx_paints_the_break_again() -> None:
    """The new epoch shows the agent unpaused."""
    story = Story()
    on_break(story)
    story.pbx_lost()
    story.pbx_connected(members=(member(pause=False),))
    assert story.one(act.Pause)


def test_somebody_elses_pause_is_noted_and_not_lifted() -> None:
    """Lunch over our pause: noted as foreign; the unpause at the end carries our reason, and only that is lifted."""
    story = Story()
    b = on_break(story)
    changed(story, member(pause=True, reason="lunch"))
    assert the_break(story).foreign == ("support",)
    assert not story.all(act.Pause)
    story.feed(ev.TimerFired(**story.stamp(), timer=Timer("break", b.id, "over")))
    assert story.one(act.Unpause).reason == b.reason


def test_when_the_foreign_pause_is_lifted_ours_takes_its_place() -> None:
    """Lunch ends before the break does."""
    story = Story()
    on_break(story, foreign=("support",))
    changed(story, member(pause=False))
    assert story.one(act.Pause)


def test_time_ends_the_break_and_it_is_over_only_when_lifted() -> None:
    """ENDING until the PBX shows it; a failed unpause is tried again."""
    story = Story()
    b = on_break(story)
    story.wait(600)
    story.feed(ev.TimerFired(**story.stamp(), timer=Timer("break", b.id, "over")))
    unpause = story.one(act.Unpause)
    failed = ev.UnpauseFinished(**story.stamp(), action=unpause.id, break_id=b.id, outcome=Outcome.FAILED)
    story.feed(failed)
    assert the_break(story).state is BreakState.ENDING
    story.feed(ev.TimerFired(**story.stamp(), timer=Timer("break", b.id, "again")))
    unpause = story.one(act.Unpause)
    story.feed(ev.UnpauseFinished(**story.stamp(), action=unpause.id, break_id=b.id, outcome=Outcome.DONE))
    assert not story.state.breaks


def test_the_agent_may_come_back_early_where_policy_says_so() -> None:
    """The back key; and without a break it says so."""
    story = Story()
    assert story.press(BACK).reason is Reason.NO_BREAK
    story.wait(5)
    on_break(story)
    story.wait(5)
    assert story.press(BACK).reason is Reason.BREAK_OVER
    assert story.one(act.Unpause)


def test_the_agent_may_not_where_policy_does_not() -> None:
    """agent_may_end = false."""
    story = Story(replace(RULES, breaks=BreakRules(agent_may_end=False)))
    on_break(story)
    answer = story.press(BACK)
    assert (answer.reason, answer.rule) == (Reason.BREAK_NOT_YOURS, "breaks.agent_may_end")
    assert not story.all(act.Unpause)


def test_one_incident_gives_one_break() -> None:
    """Flagged again after the call: the break that runs is the one."""
    story = Story()
    on_break(story)
    story.wait(3)
    story.press(WARN, last_call=(call(), story.now))
    assert not story.all(act.Pause)
    assert len(story.state.breaks) == 1


@pytest.mark.parametrize("how", ["read", "seen"])
def test_a_pause_in_our_name_without_a_break_is_lifted(how: str) -> None:
    """A crash took the break before it was written down: nobody would ever lift its pause."""
    story = Story()
    orphan = member(pause=True, reason="bagvagt:gone.anna")
    if how == "read":
        story.pbx_connected(members=(orphan,))
    else:
        changed(story, orphan)
    assert story.one(act.Unpause).reason == "bagvagt:gone.anna"


def test_a_mark_of_the_call_before_begins_its_break_also_in_the_next_call() -> None:
    """The agent is in a new call already: the one that was marked is over, so no end of it will begin the break."""
    story = Story()
    story.feed(ev.CallEnded(**story.stamp(), call=CallId("c1")))
    new = call(2, began_at=story.now)
    last = (call(), story.now)
    story.wait(1)
    assert story.press(WARN, new, late_s=2, last_call=last).reason is Reason.FLAGGED
    (pause,) = story.all(act.Pause)
    assert (pause.agent, the_break(story).incident) == (ANNA, story.state.guards[CallId("c1")].incident)
