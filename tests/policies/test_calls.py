"""Warnings and endings: what the gate permits, and what the PBX's answers make of it."""

from dataclasses import replace

import pytest

from policies import actions as act
from policies import events as ev
from policies.actions import Verdict
from policies.events import Played
from policies.gate import Permit
from policies.guards import CallState
from policies.model import CallId, LegId, Outcome
from policies.reasons import Reason
from tests.policies.story import ANNA, BO, END, SUICIDE, WARN, Story, call


def test_first_press_warns_second_press_ends() -> None:
    """The whole of the main job in the core: warn, wait, end, closing, break."""
    story = Story()
    assert story.press(WARN, call()).reason is Reason.WARNING_STARTED
    assert story.one(act.Announce).caller == "c1"
    assert story.one(act.Announce).language == "da"
    story.announced()
    assert story.guard().state is CallState.WARNED
    story.wait(6)
    assert story.press(WARN, call()).reason is Reason.ENDING
    release = story.one(act.Release)
    assert (release.permit.call, release.permit.agent_leg, release.permit.closing) == ("c1", "anna-1", "closing")
    story.released()
    assert story.guard().state is CallState.CLOSING
    assert story.one(act.Pause).agent == ANNA


@pytest.mark.parametrize(
    ("prepare", "reason", "verdict"),
    [
        ("playing", Reason.WARNING_PLAYING, Verdict.NOT_YET),
        ("waiting", Reason.WAIT, Verdict.NOT_YET),
        ("nothing", Reason.NO_WARNING_YET, Verdict.NOT_PERMITTED),
        ("not_heard", Reason.NO_WARNING_YET, Verdict.NOT_PERMITTED),
        ("failed", Reason.NO_WARNING_YET, Verdict.NOT_PERMITTED),
        ("unknown", Reason.NO_WARNING_YET, Verdict.NOT_PERMITTED),
        ("too_old", Reason.WARNING_TOO_OLD, Verdict.NOT_PERMITTED),
    ],
)
def test_the_end_key_is_refused_with_its_reason(prepare: str, reason: Reason, verdict: Verdict) -> None:
    """While playing, inside the wait, and without evidence, the call is not ended and the agent hears why."""
    story = Story()
    story.press(replace(WARN, does=SUICIDE.does), call())  # flag only
    if prepare != "nothing":
        story.wait(2)
        story.press(WARN, call())
    if prepare == "waiting":
        story.announced()
    elif prepare == "too_old":
        story.announced()
        story.wait(601)
    elif prepare in ("not_heard", "failed", "unknown"):
        story.announced(Played(prepare))
        if prepare == "not_heard":
            story.announced(Played.NOT_HEARD)
    story.wait(2)
    answer = story.press(END, call())
    assert (answer.reason, answer.verdict) == (reason, verdict)
    assert not story.all(act.Release)
    assert answer.rule


def test_the_wait_says_how_long() -> None:
    """Inside the wait, the answer names the seconds that are left."""
    story = Story()
    story.press(WARN, call())
    story.announced()
    story.wait(2)
    assert story.press(END, call()).wait_s == pytest.approx(3.0)


def test_a_kind_that_may_not_be_ended_is_warned_and_never_ended() -> None:
    """may_end = false stands, however often the caller was warned."""
    story = Story()
    mild = replace(WARN, kind="mild")
    story.press(mild, call())
    story.announced()
    story.wait(10)
    assert story.press(END, call()).reason is Reason.KIND_NOT_ENDED
    assert not story.all(act.Release)


def test_a_kind_that_needs_no_warning_is_ended_by_the_first_press() -> None:
    """Warnings = 0 is policy's own word that the caller need not have heard one."""
    story = Story()
    assert story.press(replace(WARN, kind="vile"), call()).reason is Reason.ENDING
    assert story.one(act.Release).permit.heard == ()


def test_two_warnings_are_two() -> None:
    """A kind that needs two warnings is not ended after one."""
    story = Story()
    twice = replace(WARN, kind="twice")
    story.press(twice, call())
    story.announced()
    story.wait(10)
    assert story.press(END, call()).reason is Reason.NO_WARNING_YET
    assert story.press(twice, call()).reason is Reason.WARNING_STARTED
    story.announced()
    story.wait(10)
    assert story.press(twice, call()).reason is Reason.ENDING


def test_a_warning_that_was_not_heard_is_played_again_then_said() -> None:
    """Judged by the caller's packets: repeated by itself once, then reported as not heard; never assumed."""
    story = Story()
    story.press(WARN, call())
    story.announced(Played.NOT_HEARD)
    assert story.one(act.Announce)
    story.announced(Played.NOT_HEARD)
    assert story.one(act.Tell).reason is Reason.WARNING_NOT_HEARD
    assert story.guard().state is CallState.OPEN


def test_evidence_of_another_leg_does_not_count() -> None:
    """A result that measured some other leg is no evidence."""
    story = Story()
    story.press(WARN, call())
    guard = story.guard()
    event = ev.AnnouncementFinished(
        **story.stamp(), action=guard.announcement, call=guard.call, caller=LegId("other"), played=Played.HEARD
    )
    story.feed(event)
    assert story.guard().state is CallState.OPEN


def test_an_old_announcement_does_not_count() -> None:
    """The late result of an announcement that was given up changes nothing."""
    story = Story()
    story.press(WARN, call())
    story.feed(
        ev.AnnouncementFinished(
            **story.stamp(), action="old", call=CallId("c1"), caller=LegId("c1"), played=Played.HEARD
        )
    )
    assert story.guard().state is CallState.WARNING


def test_a_transfer_takes_the_evidence_away() -> None:
    """Warned with Anna, now with Bo: Bo's press warns anew, and does not end."""
    story = Story()
    story.warned()
    moved = call(agent=BO)
    story.feed(ev.CallChanged(**story.stamp(), call=moved))
    answer = story.press(WARN, moved, agent=BO)
    assert answer.reason is Reason.WARNING_STARTED
    assert not story.all(act.Release)


def test_a_transfer_during_the_warning_stops_it() -> None:
    """The caller who was moved on does not hear the rest of a warning meant for another conversation."""
    story = Story()
    story.press(WARN, call())
    announcement = story.guard().announcement
    story.feed(ev.CallChanged(**story.stamp(), call=call(agent=BO)))
    assert story.one(act.StopAnnouncement).announcement == announcement
    assert story.guard().state is CallState.OPEN


def test_a_call_between_agents_is_not_ended() -> None:
    """Warned, but the PBX shows no agent in the bridge: identity is missing, so no ending."""
    story = Story()
    live = story.warned()
    story.feed(ev.CallChanged(**story.stamp(), call=replace(live, agent=None, agent_leg=None, bridge=None)))
    answer = story.press(WARN, replace(live, bridge=None))
    assert answer.reason is Reason.CALL_CHANGED


def test_a_refused_release_puts_the_call_back() -> None:
    """The PBX showed another call: not ended, the agent is told, and may press again."""
    story = Story()
    story.press(WARN, story.warned())
    story.released(Outcome.REFUSED)
    assert story.one(act.Tell).reason is Reason.END_REFUSED
    assert story.guard().state is CallState.WARNED


def test_an_unknown_release_is_never_tried_again_by_itself() -> None:
    """The reply was lost: the agent is told; the next reading of the PBX says what is true."""
    story = Story()
    live = story.warned()
    story.press(WARN, live)
    story.released(Outcome.UNKNOWN)
    assert story.one(act.Tell).reason is Reason.END_UNKNOWN
    story.pbx_lost()
    story.pbx_connected(live)
    assert not story.all(act.Release)
    assert story.guard().state is CallState.WARNED


def test_an_unknown_release_that_happened_is_seen() -> None:
    """After the reconnect the caller stands alone: the agent is free, so the break begins."""
    story = Story()
    live = story.warned()
    story.press(WARN, live)
    story.released(Outcome.UNKNOWN)
    story.pbx_connected(replace(live, agent=None, agent_leg=None, bridge=None))
    assert story.guard().state is CallState.CLOSING
    assert story.all(act.Pause)


def test_without_the_pbx_nothing_is_ended_and_the_agent_knows() -> None:
    """Protection off: said so; the mark itself is kept."""
    story = Story()
    live = story.warned()
    story.pbx_lost()
    assert story.press(WARN, live).reason is Reason.PBX_AWAY
    assert not story.all(act.Release)


def test_a_permit_cannot_be_built_by_hand() -> None:
    """The type itself holds the gate: no seal, no permit."""
    with pytest.raises(TypeError):
        Permit("p", CallId("c"), LegId("c"), ANNA, LegId("a"), (), "rule", "closing", "da")
