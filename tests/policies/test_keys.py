"""Which call a key means, and when it means none."""

from datetime import timedelta

import pytest

from policies import actions as act
from policies import events as ev
from policies.actions import Verdict
from policies.model import CallId, LegId
from policies.reasons import Reason
from tests.policies.story import ANNA, BO, END, NOON, WARN, Story, call


def test_a_key_that_comes_late_does_not_end() -> None:
    """Pressed eight seconds ago: what the agent meant then may not hold now."""
    story = Story()
    live = story.warned()
    story.wait(10)
    assert story.press(WARN, live, late_s=8).reason is Reason.TOO_LATE
    assert not story.all(act.Release)


def test_a_key_for_the_call_before_does_not_touch_this_one() -> None:
    """Pressed before this call began: it counts for the one that was just over."""
    story = Story()
    old = call(1)
    story.feed(ev.CallEnded(**story.stamp(), call=CallId("c1")))
    new = call(2, began_at=story.now)
    story.wait(1)
    answer = story.press(WARN, new, late_s=2, last_call=(old, NOON))
    assert answer.reason is Reason.FLAGGED
    assert set(story.state.guards) == {"c1"}
    assert not story.all(act.Announce)


def test_a_bounce_is_one_press() -> None:
    """Twice within a second: the second answer is the first one's, and nothing more happens."""
    story = Story()
    story.press(WARN, call())
    story.wait(0.4)
    again = story.press(WARN, call())
    assert (again.reason, again.verdict) == (Reason.SAME_PRESS, Verdict.ACCEPTED)
    assert len(story.last) == 1


def test_in_a_new_call_nothing_is_a_bounce() -> None:
    """The last call ended and the next one came within the second: its first press warns."""
    story = Story()
    story.press(WARN, call(1))
    story.wait(0.5)
    story.press(WARN, call(2, joined_at=story.now - timedelta(seconds=0.1)))
    assert story.one(act.Announce).call == "c2"


def test_a_bounce_of_a_refused_key_is_still_refused() -> None:
    """The tone of the second press does not claim what the first was denied."""
    story = Story()
    story.press(END, agent=BO)
    story.wait(0.2)
    assert story.press(END, agent=BO).verdict is Verdict.NOT_PERMITTED


@pytest.mark.parametrize(("held", "meant"), [((True, False), "c2"), ((False, True), "c1")])
def test_with_two_calls_the_key_means_the_one_not_on_hold(held: tuple[bool, bool], meant: str) -> None:
    """One caller waits on hold; the key is about the one who is speaking."""
    story = Story()
    story.press(WARN, call(1, held=held[0]), call(2, held=held[1]))
    assert story.one(act.Announce).call == meant


def test_with_two_calls_the_leg_of_the_code_decides() -> None:
    """A feature code is pressed in one leg; that is the call."""
    story = Story()
    story.press(WARN, call(1), call(2, held=True), leg=LegId("anna-2"))
    assert story.one(act.Announce).call == "c2"


def test_with_two_calls_up_nothing_is_guessed() -> None:
    """Neither is on hold: no warning, and the answer says why."""
    story = Story()
    assert story.press(WARN, call(1), call(2)).reason is Reason.SEVERAL_CALLS
    assert not story.state.guards


def test_without_a_call_nothing_happens_and_it_is_said() -> None:
    """No call, and none just over."""
    story = Story()
    assert story.press(WARN, agent=BO).reason is Reason.NO_CALL


def test_a_flag_right_after_the_call_counts_for_it() -> None:
    """The caller hung up first; the break comes all the same."""
    story = Story()
    answer = story.press(WARN, last_call=(call(), story.now - timedelta(seconds=20)))
    assert answer.reason is Reason.FLAGGED
    assert story.one(act.Pause).agent == ANNA


def test_a_key_from_before_the_transfer_is_not_for_the_call_that_came() -> None:
    """Pressed before this agent came into the call, however long ago the call began."""
    story = Story()
    moved = call(agent=BO, joined_at=story.now)
    assert story.press(WARN, moved, agent=BO, late_s=2).reason is Reason.NO_CALL
