"""A call that is flagged as acute: nothing ends it, and the backup is woken."""

from datetime import timedelta

from policies import actions as act
from policies import events as ev
from policies.actions import Verdict
from policies.guards import CallState
from policies.model import CallId, LegId, Outcome
from policies.reasons import Reason
from tests.policies.story import BO, END, SUICIDE, WARN, Story, call


def test_an_acute_flag_latches_and_pages() -> None:
    """No key ends an acute call, and the backup is paged in the same decision."""
    story = Story()
    story.warned()
    answer = story.press(SUICIDE, call())
    assert (answer.verdict, answer.reason) == (Verdict.ACCEPTED, Reason.ACUTE)
    assert {n.person for n in story.all(act.Notify)} == {"Chief"}
    story.wait(2)
    for key in (WARN, END):
        assert story.press(key, call()).reason is Reason.LATCHED
        assert not story.all(act.Release)


def test_an_acute_flag_stops_a_running_warning() -> None:
    """The warning falls silent in the decision that latches."""
    story = Story()
    story.press(WARN, call())
    announcement = story.guard().announcement
    story.press(SUICIDE, call())
    assert story.one(act.StopAnnouncement).announcement == announcement


def test_an_acute_flag_during_the_closing_brings_the_caller_back() -> None:
    """The agent, freed a moment ago, understands what the caller meant: the closing stops, the caller returns."""
    story = Story()
    live = story.warned()
    story.press(WARN, live)
    story.released()
    story.wait(2)
    story.press(SUICIDE, last_call=(live, story.now - timedelta(seconds=2)))
    assert story.one(act.Retrieve).caller == "c1"
    assert story.guard().state is CallState.ACUTE


def test_a_release_that_went_through_after_the_latch_is_undone() -> None:
    """The flag fell while the ending was on its way to the PBX: the caller is brought back."""
    story = Story()
    live = story.warned()
    story.press(WARN, live)
    permit = story.guard().permit
    story.press(SUICIDE, live)
    story.feed(ev.ReleaseFinished(**story.stamp(), action="a", call=CallId("c1"), permit=permit, outcome=Outcome.DONE))
    assert story.one(act.Retrieve).call == "c1"
    assert story.guard().state is CallState.ACUTE


def test_an_acute_key_without_a_call_still_wakes_the_backup() -> None:
    """When in doubt, wake the backup: no call known, PBX away, the page goes out all the same."""
    story = Story(connected=False)
    assert story.press(SUICIDE).reason is Reason.ACUTE
    assert story.all(act.Notify)


def test_an_acute_key_with_two_calls_latches_both() -> None:
    """Nobody can tell which call is meant, so neither can be ended."""
    story = Story()
    story.pbx_connected(call(1), call(2))
    story.press(SUICIDE, call(1), call(2))
    assert {g.state for g in story.state.guards.values()} == {CallState.ACUTE}
    assert len(story.state.guards) == 2


def test_the_latch_opens_for_two_people_only() -> None:
    """The same person twice is one person."""
    story = Story()
    story.press(SUICIDE, call())
    for by in ("chief", "chief"):
        story.feed(ev.LatchAgreed(**story.stamp(), call=CallId("c1"), by=by))
        assert story.guard().state is CallState.ACUTE
    story.feed(ev.LatchAgreed(**story.stamp(), call=CallId("c1"), by="backup"))
    assert story.guard().state is CallState.OPEN
    assert story.press(END, call()).reason is Reason.LATCHED  # the kind is still one that may not be ended


def test_a_colleague_who_joined_can_flag_the_call_as_acute_and_cannot_end_it() -> None:
    """Anna warned; Bo stands beside her. Bo's end key is refused, Bo's acute key latches the call that both are in."""
    story = Story()
    story.warned()
    shared = call(agent=BO, others=(LegId("anna-1"),))
    assert story.press(END, shared, agent=BO).reason is Reason.CALL_CHANGED
    story.wait(2)
    story.press(SUICIDE, shared, agent=BO)
    assert story.guard().state is CallState.ACUTE
