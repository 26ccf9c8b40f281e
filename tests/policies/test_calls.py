from dataclasses import replace
from datetime import timedelta

import pytest

from policies import actions as act
from policies import events as ev
from policies.actions import Verdict
from policies.events import Played
from policies.gate import Permit
from policies.guards import CallState
from policies.model import CallId, LegId, Outcome
from policies.reasons import Reason
from policies.rules import KindRules, Policy
from tests.policies.story import ANNA, BO, END, NOON, RULES, SUICIDE, WARN, Story, call


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


def test_a_reload_does_not_loosen_a_call_under_way() -> None:
    """The policy now permits ending the kind; the call that began before is still not ended."""
    story = Story()
    story.press(replace(WARN, kind="mild"), call())
    story.announced()
    looser = replace(RULES, kinds={**RULES.kinds, "mild": KindRules("mild", may_end=True)})
    story.policy = story.policy.replaced_by(looser, story.now)
    story.wait(10)
    assert story.press(END, call()).reason is Reason.KIND_NOT_ENDED


def test_a_reload_does_not_loosen_a_call_that_was_not_yet_flagged() -> None:
    """Rules count from when the call began, not from when it was flagged."""
    story = Story()
    looser = replace(RULES, kinds={**RULES.kinds, "mild": KindRules("mild", may_end=True, warnings=0)})
    story.policy = story.policy.replaced_by(looser, story.now)
    assert story.press(replace(WARN, kind="mild"), call()).reason is Reason.WARNING_STARTED
    later = call(2, began_at=story.now + timedelta(seconds=1))
    story.wait(5)
    assert story.press(replace(WARN, kind="mild"), later).reason is Reason.ENDING


def test_a_restart_does_not_loosen_a_call_under_way() -> None:
    """Loosened, then restarted: the versions that were in force while the call lasted come back from the journal."""
    story = Story()
    looser = replace(RULES, version="looser", kinds={"mild": KindRules("mild", may_end=True, warnings=0)})
    before = ((NOON - timedelta(days=3), RULES), (NOON - timedelta(minutes=1), looser))
    story.policy = Policy.after_restart(looser, before, NOON)
    assert story.press(replace(WARN, kind="mild"), call()).reason is Reason.WARNING_STARTED
    story.wait(5)
    later = call(2, began_at=NOON - timedelta(seconds=30))
    assert story.press(replace(WARN, kind="mild"), later).reason is Reason.ENDING


def test_a_policy_that_changed_while_the_service_was_down_counts_from_the_start() -> None:
    """The file was loosened between stop and start: calls that began before the start keep the old rules."""
    looser = replace(RULES, version="looser", kinds={"mild": KindRules("mild", may_end=True)})
    policy = Policy.after_restart(looser, ((NOON - timedelta(days=3), RULES),), NOON)
    assert policy.earlier == ((NOON, RULES),)


def test_a_restart_with_the_same_policy_forgets_nothing_and_adds_nothing() -> None:
    """The latest version is the one in force; one that ended longer ago than any call is dropped."""
    old = replace(RULES, version="old")
    loaded = ((NOON - timedelta(days=9), old), (NOON - timedelta(days=3), RULES))
    assert Policy.after_restart(RULES, loaded, NOON).earlier == ()


def test_a_reload_that_tightens_holds_at_once() -> None:
    """The kind became acute by a reload: the warned call is not ended."""
    story = Story()
    story.warned()
    tighter = replace(RULES, kinds={**RULES.kinds, "abuse": replace(RULES.kinds["abuse"], may_end=False)})
    story.policy = story.policy.replaced_by(tighter, story.now)
    assert story.press(END, call()).reason is Reason.KIND_NOT_ENDED


def test_a_permit_cannot_be_built_by_hand() -> None:
    """The type itself holds the gate: no seal, no permit."""
    with pytest.raises(TypeError):
        Permit("p", CallId("c"), LegId("c"), ANNA, LegId("a"), (), "rule", "closing", "da")


def test_after_a_transfer_the_policy_of_the_first_minute_still_counts() -> None:
    """The call began under rules that were loosened since; that another agent has it now changes nothing."""
    story = Story()
    looser = replace(RULES, kinds={**RULES.kinds, "mild": KindRules("mild", may_end=True, warnings=0)})
    story.policy = story.policy.replaced_by(looser, story.now)
    story.wait(60)
    moved = call(agent=BO, joined_at=story.now - timedelta(seconds=30))
    assert story.press(replace(WARN, kind="mild"), moved, agent=BO).reason is Reason.WARNING_STARTED


def test_a_key_from_before_the_transfer_is_not_for_the_call_that_came() -> None:
    """Pressed before this agent came into the call, however long ago the call began."""
    story = Story()
    moved = call(agent=BO, joined_at=story.now)
    assert story.press(WARN, moved, agent=BO, late_s=2).reason is Reason.NO_CALL


def test_a_colleague_who_joined_can_flag_the_call_as_acute_and_cannot_end_it() -> None:
    """Anna warned; Bo stands beside her. Bo's end key is refused, Bo's acute key latches the call that both are in."""
    story = Story()
    story.warned()
    shared = call(agent=BO, others=(LegId("anna-1"),))
    assert story.press(END, shared, agent=BO).reason is Reason.CALL_CHANGED
    story.wait(2)
    story.press(SUICIDE, shared, agent=BO)
    assert story.guard().state is CallState.ACUTE
