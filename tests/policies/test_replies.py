from dataclasses import replace

import pytest

from policies import actions as act
from policies import events as ev
from policies.actions import Answer
from policies.events import Delivery, Says
from policies.model import Timer
from policies.pages import PageState
from policies.proofs import ProofState
from policies.rules import Contact, ProofRules, Step
from tests.policies.paging import BAGVAGT, Night, plan


@pytest.mark.parametrize("code", [0, 1])
def test_a_reply_takes_the_page_that_went_to_its_number(code: int) -> None:
    """Both "ok" and "1"; everybody who was told learns who has it."""
    night = Night()
    page = night.open()
    night.replied(Says.TAKE, code)
    taken = night.page(page.id)
    assert (taken.answered_by, taken.means) == ("Bagvagt", "sms")
    assert night.one(act.StandDown).by == "Bagvagt"


def test_a_number_that_was_told_nothing_takes_nothing_and_gets_no_answer() -> None:
    """A stranger, or somebody whose rung has not come."""
    night = Night()
    page = night.open()
    night.replied(Says.TAKE, address="+4520304051")
    assert night.last == ()
    assert night.page(page.id).is_open


def test_two_pages_to_one_person_have_codes_of_their_own() -> None:
    """A reply without a code takes neither and is asked back; each code takes its own page."""
    night = Night()
    first, second = night.open("i1"), night.open("i2", "other")
    assert {t.code for t in first.told} == {1}
    assert {t.code for t in second.told} == {2}
    night.replied(Says.TAKE)
    asked = night.one(act.ReplyTo)
    assert (asked.answer, asked.codes) == (Answer.WHICH, ((1, "i1"), (2, "i2")))
    night.replied(Says.TAKE, 2)
    assert [night.page(p.id).is_open for p in (first, second)] == [True, False]
    night.replied(Says.TAKE)
    assert not night.page(first.id).is_open


def test_a_reply_that_was_under_way_never_takes_another_page() -> None:
    """Somebody else took the first page; the late "1" says so, and the second page, which has another code, goes on."""
    night = Night()
    first = night.open("i1")
    night.feed(ev.PageAnswered(**night.stamp(), page=first.id, by="Deputy", means="http"))
    second = night.open("i2", "other")
    night.replied(Says.TAKE, 1)
    said = night.one(act.ReplyTo)
    assert (said.answer, said.by, said.incident) == (Answer.TAKEN, "Deputy", "i1")
    assert night.page(second.id).is_open
    assert {t.code for t in second.told} == {2}


def test_any_number_of_replies_come_to_one() -> None:
    """Carriers deliver twice, people press twice: taken once, and the second is told who has it."""
    night = Night()
    page = night.open()
    night.replied(Says.TAKE, 1)
    night.replied(Says.TAKE)
    assert (night.one(act.ReplyTo).answer, night.one(act.ReplyTo).by) == (Answer.TAKEN, "Bagvagt")
    assert not night.all(act.StandDown)
    assert night.page(page.id).state is PageState.ANSWERED


def test_a_code_that_no_page_has_takes_nothing() -> None:
    """It says 7, and there is only page 1."""
    night = Night()
    page = night.open()
    night.replied(Says.TAKE, 7)
    assert night.one(act.ReplyTo).answer is Answer.WHICH
    assert night.page(page.id).is_open


def test_words_that_nobody_understands_are_asked_back_three_times_at_most() -> None:
    """An automatic "I am on holiday" is no acknowledgement, and is not talked to for ever."""
    night = Night()
    page = night.open()
    answers = []
    for _ in range(5):
        night.replied(Says.UNCLEAR)
        answers.append(len(night.all(act.ReplyTo)))
    assert answers == [1, 1, 1, 0, 0]
    assert night.page(page.id).is_open


def test_no_by_sms_passes_the_page_on() -> None:
    """On "nej" the next rung is told at once, and the person learns it."""
    night = Night()
    night.open()
    night.replied(Says.PASS)
    assert night.sent() == [("Deputy", "sms")]
    assert night.one(act.ReplyTo).answer is Answer.PASSED


def test_no_with_a_code_passes_that_page_alone() -> None:
    """Without one it passes all that wait; with one that no page has it passes none, and is asked back."""
    night = Night()
    first, second = night.open("i1"), night.open("i2", "other")
    night.replied(Says.PASS, 7)
    assert night.one(act.ReplyTo).answer is Answer.WHICH
    night.replied(Says.PASS, 2)
    assert [night.page(p.id).step for p in (first, second)] == [0, 1]
    night.replied(Says.PASS)
    assert [night.page(p.id).step for p in (first, second)] == [1, 1]


def test_no_to_what_is_over_says_so() -> None:
    """Nothing waits for the person any more."""
    night = Night()
    page = night.open()
    night.feed(ev.PageAnswered(**night.stamp(), page=page.id, by="Deputy", means="http"))
    night.replied(Says.PASS)
    assert night.one(act.ReplyTo).answer is Answer.NOTHING


def test_ok_does_not_take_a_page_that_never_went_out() -> None:
    """Somebody else took the first one; the second's SMS could not be sent; a late "ok" is not for the second."""
    night = Night()
    first = night.open("i1")
    night.feed(ev.PageAnswered(**night.stamp(), page=first.id, by="Deputy", means="http"))
    second = night.open("i2", "other")
    night.carried(night.all(act.Notify)[1], Delivery.DEFERRED)
    night.wait(3000)
    night.replied(Says.TAKE)
    assert night.page(second.id).is_open
    assert night.one(act.ReplyTo).answer is Answer.TAKEN


def test_ok_may_be_for_what_somebody_else_took_a_moment_ago() -> None:
    """Also when the second SMS was sent: the person is asked which; ten minutes later "ok" is clear again."""
    night = Night()
    first = night.open("i1")
    night.feed(ev.PageAnswered(**night.stamp(), page=first.id, by="Deputy", means="http"))
    second = night.open("i2", "other")
    night.carried(night.all(act.Notify)[1], Delivery.SENT)
    night.replied(Says.TAKE)
    assert night.page(second.id).is_open
    assert (night.one(act.ReplyTo).answer, night.one(act.ReplyTo).codes) == (Answer.WHICH, ((2, "i2"),))
    night.wait(601)
    night.replied(Says.TAKE)
    assert not night.page(second.id).is_open


def test_a_number_that_changed_hands_keeps_its_codes() -> None:
    """A reload gives the phone to Deputy; a late "1" of the one before takes nothing of Deputy's."""
    night = Night()
    first = night.open("i1")
    night.feed(ev.PageAnswered(**night.stamp(), page=first.id, by="Deputy", means="http"))
    heir = replace(plan(name="other"), steps=(Step((Contact("Heir", (("sms", "+4520304050"),)),), 60),))
    rules = replace(night.policy.now, pages={**night.policy.now.pages, "other": heir})
    night.policy = night.policy.replaced_by(rules, night.now)
    second = night.open("i2", "other")
    assert {t.code for t in second.told} == {2}
    night.replied(Says.TAKE, 1)
    assert night.page(second.id).is_open


def test_a_late_reply_to_an_alarm_is_no_answer_to_an_old_test() -> None:
    """The test lapsed days ago; the alarm was taken by somebody else; the late "1" is told so."""
    night = Night()
    people = {BAGVAGT.name: BAGVAGT}
    night.policy = night.policy.replaced_by(replace(night.policy.now, people=people, proofs=ProofRules()), night.now)
    night.feed(ev.ProofAsked(**night.stamp(), person="Bagvagt", channel="sms", by="admin"))
    night.feed(ev.TimerFired(**night.stamp(), timer=Timer("proof", "Bagvagt/sms", "lapse")))
    night.wait(7200)
    page = night.open()
    night.feed(ev.PageAnswered(**night.stamp(), page=page.id, by="Deputy", means="http"))
    night.replied(Says.TAKE, 1)
    assert night.one(act.ReplyTo).answer is Answer.TAKEN
    assert night.state.proofs["Bagvagt/sms"].state is ProofState.UNPROVED
