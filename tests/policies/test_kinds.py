"""A mark is put right until the incident is closed; out of an acute kind only two people lead."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from policies import actions as act
from policies import events as ev
from policies.actions import Verdict
from policies.breaks import BreakState
from policies.guards import CallState
from policies.model import AgentId, CallId, Does, KeyUse, LiveCall, Outcome, Timer
from policies.reasons import Reason
from policies.rules import KindRules, Severity
from tests.policies.story import ANNA, RULES, SUICIDE, WARN, Story, call

C1 = CallId("c1")
MORE = {
    **RULES.kinds,
    "sexual": KindRules("sexual", warning="warning-hard", may_end=True, break_s=900, page="backup"),
}


def mark(kind: str) -> KeyUse:
    return KeyUse(f"mark:{kind}", Does.FLAG, kind)


def over(story: Story) -> tuple[LiveCall, datetime]:
    """The caller has hung up ten seconds ago."""
    story.feed(ev.CallEnded(**story.stamp(), call=C1))
    story.wait(10)
    return call(), story.now - timedelta(seconds=10)


@pytest.fixture
def story() -> Story:
    return Story(replace(RULES, kinds=MORE))


def test_a_mark_is_changed_during_the_call_and_after_it(story: Story) -> None:
    """Abuse, no: sexual; and after the hang-up once more. The incident stays the same one."""
    story.press(mark("abuse"), call())
    incident = story.guard().incident
    assert story.press(mark("sexual"), call()).reason is Reason.FLAGGED
    assert story.guard().kind == "sexual"
    last = over(story)
    assert story.press(mark("mild"), last_call=last).reason is Reason.FLAGGED
    assert (story.guard().kind, story.guard().incident) == ("mild", incident)


def test_two_marks_within_a_second_are_two_when_they_are_of_two_kinds(story: Story) -> None:
    """The second thought is no bounce of the first, least of all an acute one."""
    story.press(mark("abuse"), call())
    story.wait(0.2)
    assert story.press(mark("suicide"), call()).reason is Reason.ACUTE
    story.wait(0.2)
    assert story.press(mark("suicide"), call()).reason is Reason.SAME_PRESS


def test_an_acute_mark_stands_in_the_call_and_after_it(story: Story) -> None:
    """Neither a live nor an ended acute call is marked as something milder; the answer says so."""
    story.press(SUICIDE, call())
    story.wait(2)
    assert story.press(mark("abuse"), call()).reason is Reason.LATCHED
    last = over(story)
    answer = story.press(mark("abuse"), last_call=last)
    assert (answer.verdict, answer.reason, answer.rule) == (
        Verdict.NOT_PERMITTED,
        Reason.LATCHED,
        "kinds.suicide.latched",
    )
    assert story.guard().kind == "suicide"


def test_two_people_lead_out_of_an_acute_mark(story: Story) -> None:
    """After the second one has agreed the agent marks it as what it was."""
    story.press(SUICIDE, call())
    for by in ("chief", "backup"):
        story.feed(ev.LatchAgreed(**story.stamp(), call=C1, by=by))
    story.wait(2)
    assert story.press(mark("abuse"), call()).reason is Reason.FLAGGED
    assert (story.guard().kind, story.guard().state) == ("abuse", CallState.OPEN)


def test_a_milder_mark_after_the_call_is_put_right_to_an_acute_one(story: Story) -> None:
    """What the caller meant dawns on the agent: the backup is woken."""
    story.press(mark("abuse"), call())
    last = over(story)
    assert story.press(mark("suicide"), last_call=last).reason is Reason.ACUTE
    assert story.all(act.Notify)
    assert story.guard().kind == "suicide"


def test_a_break_grows_with_the_mark_and_never_shrinks(story: Story) -> None:
    """Abuse gives ten minutes, sexual fifteen, mild none: the agent keeps the longest, and its timer."""
    story.press(mark("abuse"), call())
    last = over(story)
    (break_,) = story.state.breaks.values()
    story.press(mark("sexual"), last_call=last)
    (longer,) = story.state.breaks.values()
    assert longer.until == break_.starts_at + timedelta(seconds=900)
    over_at = {a.due_at for a in story.all(act.StartTimer) if a.timer.what == "over"}
    assert over_at == {longer.until}
    story.press(mark("mild"), last_call=last)
    assert list(story.state.breaks.values()) == [longer]


def test_a_break_that_is_ending_is_not_drawn_out(story: Story) -> None:
    """The agent is on the way back: what was ended stays so."""
    story.press(mark("abuse"), call())
    last = over(story)
    (break_,) = story.state.breaks.values()
    story.feed(ev.BreakEnded(**story.stamp(), break_id=break_.id, by="chief"))
    story.press(mark("sexual"), last_call=last)
    (same,) = story.state.breaks.values()
    assert same.until == break_.until


def test_a_page_that_runs_is_not_sent_again_for_a_change_of_mind(story: Story) -> None:
    """Sexual, abuse, sexual: one page. An acute mark is always an alarm of its own."""
    for kind in ("sexual", "abuse", "sexual"):
        story.press(mark(kind), call())
        story.wait(2)
    (page,) = story.state.pages.values()
    assert story.guard().page == page.id
    story.press(mark("suicide"), call())
    assert {p.severity for p in story.state.pages.values()} == {Severity.NORMAL, Severity.ACUTE}


def test_a_mark_during_the_warning_does_not_make_it_another_warning(story: Story) -> None:
    """What was played is the evidence: the milder prompt does not count for a kind that needs the harder one."""
    story.press(WARN, call())
    story.press(mark("sexual"), call())
    story.announced()
    assert [h.prompt for h in story.guard().heard] == ["warning"]
    story.wait(10)
    answer = story.press(KeyUse("end", Does.END), call())
    assert answer.reason is Reason.NO_WARNING_YET
    assert not story.all(act.Release)


def test_a_mark_while_the_closing_plays_counts_and_ends_nothing_else(story: Story) -> None:
    """The agent is free, the caller hears the closing: the mark is put right, the closing goes on."""
    live = story.warned()
    story.press(WARN, live)
    story.released(Outcome.DONE)
    story.wait(2)
    story.press(mark("sexual"), last_call=(live, story.now))
    assert (story.guard().kind, story.guard().state) == ("sexual", CallState.CLOSING)
    assert {type(a) for a in story.last} <= {act.Tell, act.Notify, act.StartTimer}


BO = AgentId("bo")


def with_bo(story: Story) -> LiveCall:
    """Anna has handed her caller to Bo by the phone's own transfer: the PBX shows the call with him."""
    return call(agent=BO, joined_at=story.now)


def marked_by_anna(story: Story, kind: str) -> act.Tell:
    live = replace(with_bo(story), goes_on=True)
    return story.press(mark(kind), last_call=(live, story.now))


def test_a_mark_for_a_call_that_goes_on_with_somebody_else_guards_it(story: Story) -> None:
    """Anna marks after the transfer: her break begins, and Bo warns in a call that is anything but over."""
    assert marked_by_anna(story, "abuse").reason is Reason.FLAGGED
    assert [p.agent for p in story.all(act.Pause)] == [ANNA]
    assert (story.guard().state, story.guard().agent) == (CallState.OPEN, BO)
    story.wait(2)
    assert story.press(WARN, with_bo(story), agent=BO).reason is Reason.WARNING_STARTED


def test_an_acute_mark_for_a_call_that_goes_on_latches_it(story: Story) -> None:
    """However long it goes on, and whoever has it: no key ends it."""
    assert marked_by_anna(story, "suicide").reason is Reason.ACUTE
    story.wait(3600)
    assert story.press(WARN, with_bo(story), agent=BO).reason is Reason.LATCHED
    assert story.guard().state is CallState.ACUTE


def test_the_end_of_a_call_that_went_on_gives_no_second_break(story: Story) -> None:
    """Anna had her break when she left; what Bo is due is Bo's."""
    marked_by_anna(story, "abuse")
    (first,) = story.state.breaks.values()
    story.wait(601)
    story.feed(ev.TimerFired(**story.stamp(), timer=Timer("break", first.id, "over")))
    story.feed(ev.UnpauseFinished(**story.stamp(), break_id=first.id, action="", outcome=Outcome.DONE))
    story.wait(2)
    story.press(WARN, with_bo(story), agent=BO)
    story.feed(ev.CallEnded(**story.stamp(), call=C1))
    assert [b.agent for b in story.state.breaks.values() if b.state is not BreakState.OVER] == [BO]
