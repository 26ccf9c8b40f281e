"""Whose screens an event concerns, what is remembered for them, and that it does not pile up."""

from dataclasses import replace

from policies import events as ev
from policies.actions import Tell
from policies.events import Event
from policies.model import CallId, LegId, Outcome
from policies.pages import Page, PageState
from policies.proofs import Proof
from policies.reasons import Reason
from policies.rules import Severity
from policies.state import State
from telephony.screens.recent import Concerned, Recent
from tests.policies.story import ANNA, BACKUP_PLAN, BO, CHIEF, COLLEAGUE, SUICIDE, WARN, Story, call
from tests.telephony.screens.seeing import BO_IS_FREE


class Watched(Story):
    """A story whose decisions somebody remembers."""

    def __init__(self) -> None:
        self.recent = Recent()
        self.found = Concerned()
        super().__init__()

    def feed(self, event: Event) -> tuple[object, ...]:  # type: ignore[override]  # the same actions
        before = self.state
        actions = super().feed(event)
        self.found = self.recent.decided(event, before, self.state, actions)
        return actions

    def ended(self) -> None:
        self.feed(ev.CallEnded(**self.stamp(), call=CallId("c1")))


def test_a_press_concerns_its_agent_and_the_duty_desk_when_it_guards_a_call() -> None:
    """Bo's refused key is Bo's alone; Anna's warning is the desk's too."""
    story = Watched()
    story.press(WARN, agent=BO)
    assert story.found == Concerned({BO})
    story.press(WARN, call())
    assert story.found == Concerned({ANNA}, duty=True)


def test_what_goes_on_in_the_call_concerns_its_agent() -> None:
    """A warning that was heard, a call that ended: the event names no agent."""
    story = Watched()
    story.press(WARN, call())
    story.announced()
    assert story.found == Concerned({ANNA}, duty=True)
    story.ended()
    assert story.found == Concerned({ANNA}, duty=True)


def test_a_guarded_call_that_is_put_on_hold_is_shown_so_at_the_duty_desk() -> None:
    """The guard does not know of it; the desk's screen does."""
    story = Watched()
    story.press(WARN, call())
    story.feed(ev.CallChanged(**story.stamp(), call=call(held=True)))
    assert story.found == Concerned({ANNA}, duty=True)


def test_a_transferred_call_concerns_both_agents() -> None:
    """Of the guarded call and of one that nobody guards alike."""
    story = Watched()
    story.press(WARN, call())
    story.feed(ev.CallChanged(**story.stamp(), call=call(agent=BO)))
    assert story.found.agents == {ANNA, BO}
    other = ev.CallChanged(**story.stamp(), call=call(2, agent=BO))
    assert story.recent.glimpsed(other).agents == {BO}
    moved = ev.CallChanged(**story.stamp(), call=call(2, agent=ANNA))
    assert story.recent.glimpsed(moved).agents == {ANNA, BO}
    assert story.recent.glimpsed(ev.CallEnded(**story.stamp(), call=CallId("c2"))).agents == {ANNA, BO}


def test_a_colleague_who_was_rung_in_is_concerned_from_then_on() -> None:
    """Ringing, joined, and whatever happens to the call."""
    story = Watched()
    story.press(COLLEAGUE, call(), candidates=BO_IS_FREE)
    assert story.found.agents == {ANNA, BO}
    (h,) = story.state.handoffs.values()
    story.feed(ev.ColleagueJoined(**story.stamp(), action=h.ring, handoff=h.id, leg=LegId("bo-leg")))
    story.wait(2)
    story.press(SUICIDE, call(agent=BO, agent_leg=LegId("bo-leg")), agent=BO)
    assert story.found.agents == {ANNA, BO}


def test_everybody_is_concerned_when_the_pbx_or_the_policy_changes() -> None:
    """Nobody's screen stays as it was."""
    story = Watched()
    story.pbx_lost()
    assert (story.found.everybody, story.found.duty) == (True, True)
    story.pbx_connected(call())
    assert story.found.everybody
    story.feed(ev.PolicyLoaded(**story.stamp(), rules=story.policy.now))
    assert story.found.everybody


def test_what_leads_to_nothing_concerns_nobody() -> None:
    """A timer of something that is over, a queue member that was seen."""
    story = Watched()
    story.feed(ev.ActionFinished(**story.stamp(), action="x", outcome=Outcome.DONE))
    assert story.found == Concerned()


def test_the_last_word_to_each_agent_is_kept() -> None:
    """Answers and news; one for each."""
    story = Watched()
    assert story.recent.told(ANNA) is None
    story.press(WARN, call())
    story.wait(3)
    story.press(CHIEF, agent=BO)
    for agent, reason in ((ANNA, Reason.WARNING_STARTED), (BO, Reason.NO_CALL)):
        told = story.recent.told(agent)
        assert told is not None
        assert told[0].reason is reason
    told = story.recent.told(BO)
    assert told is not None
    assert told[1] == story.now
    assert isinstance(told[0], Tell)


def test_a_page_and_the_proof_of_a_path_concern_the_duty_desk() -> None:
    """Opened, answered, forgotten; tested, proved."""
    recent, story = Recent(), Story()
    page = Page("p-1", "i-1", "drill", BACKUP_PLAN, Severity.NORMAL, PageState.CALLING, 1, 0, story.now)
    event = ev.ChannelConnected(**story.stamp(), channel="sms")
    proof = Proof("kim/sms", "kim", "sms", "+45", "da")
    before = story.state
    recent.decided(event, State(), before, ())
    for after in (replace(before, pages={"p-1": page}), before, replace(before, proofs={proof.id: proof}), before):
        assert recent.decided(event, before, after, ()) == Concerned(duty=after is not before)
        assert recent.decided(event, after, before, ()) == Concerned(duty=after is not before)


def test_nothing_is_kept_of_calls_that_are_over() -> None:
    """Handed over, ended, dropped; and after a reading of the PBX only what it shows."""
    story = Watched()
    story.press(COLLEAGUE, call(), candidates=BO_IS_FREE)
    story.ended()
    assert story.recent._in == {}
    for number in range(50):
        story.recent.glimpsed(ev.CallChanged(**story.stamp(), call=call(number, agent=BO)))
    story.pbx_connected(call(7))
    assert set(story.recent._in) == {"c7"}


def test_the_first_decision_after_a_start_concerns_all_that_was_read_back() -> None:
    """What the journal gave back was never told as an event."""
    story = Story()
    story.press(WARN, call())
    event = ev.ActionFinished(**story.stamp(), action="x", outcome=Outcome.DONE)
    assert Recent().decided(event, State(), story.state, ()) == Concerned({ANNA}, duty=True)
