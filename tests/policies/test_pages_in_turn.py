from dataclasses import replace
from datetime import timedelta

import pytest

from policies import actions as act
from policies import events as ev
from policies.events import Delivery, Report
from policies.model import Timer
from policies.proofs import ProofState
from policies.rules import ProofRules
from tests.policies.paging import BAGVAGT, Night


def test_channels_go_in_turn_where_policy_says_so() -> None:
    """The first channel at once, the next when its time is over; then nothing more until the next rung."""
    night = Night(in_turn_s=30)
    page = night.open()
    assert night.sent() == [("Bagvagt", "mqtt")]
    due = {t.timer.what: t.due_at - night.now for t in night.all(act.StartTimer)}
    assert due == {"next": timedelta(seconds=120), "turn Bagvagt": timedelta(seconds=30)}
    night.fire(page, "turn Bagvagt")
    assert night.sent() == [("Bagvagt", "sms")]
    night.fire(page, "turn Bagvagt")
    assert night.sent() == [("Bagvagt", "voice")]
    assert not night.all(act.StartTimer)
    night.fire(page, "turn Bagvagt")
    assert night.last == ()


def test_the_time_line_has_what_waits_for_its_turn() -> None:
    """All messages of a rung stand there from the beginning; who has not been told is not told who has it."""
    night = Night(in_turn_s=30)
    page = night.open()
    assert [(t.channel, t.waits) for t in page.told] == [("mqtt", False), ("sms", True), ("voice", True)]
    night.feed(ev.PageAnswered(**night.stamp(), page=page.id, by="Bagvagt", means="mqtt"))
    assert [channel for channel, _, _ in night.one(act.StandDown).told] == ["mqtt"]
    assert Timer("page", page.id, "turn Bagvagt") in [t.timer for t in night.all(act.CancelTimer)]


@pytest.mark.parametrize("delivery", [Delivery.REFUSED, Delivery.DEFERRED])
def test_a_channel_that_does_not_take_the_message_is_not_waited_for(delivery: Delivery) -> None:
    """Refused, or away: the next channel at once; one that is away is tried on besides."""
    night = Night(in_turn_s=30)
    night.open()
    night.carried(night.one(act.Notify), delivery)
    assert night.sent() == [("Bagvagt", "sms")]
    retries = [t for t in night.all(act.StartTimer) if t.timer.what.startswith("retry")]
    assert len(retries) == (delivery is Delivery.DEFERRED)


def test_a_channel_that_nobody_can_vouch_for_is_left_after_its_second_try() -> None:
    """Unknown twice: two attempts under one id, then the next channel."""
    night = Night(in_turn_s=30)
    night.open()
    first = night.one(act.Notify)
    night.carried(first, Delivery.UNKNOWN)
    assert [n.message for n in night.all(act.Notify)] == [first.message]
    night.carried(night.one(act.Notify), Delivery.UNKNOWN)
    assert night.sent() == [("Bagvagt", "sms")]


def test_a_carrier_that_says_yes_and_delivers_nothing_is_left_at_the_deadline() -> None:
    """200 and nothing comes: the next channel when the turn is over, and the next rung when its time is."""
    night = Night(in_turn_s=30)
    page = night.open()
    night.carried(night.one(act.Notify), Delivery.SENT)
    assert not night.all(act.Notify)
    night.fire(page, "turn Bagvagt")
    night.fire(page, "turn Bagvagt")
    night.fire(page, "next")
    assert night.sent() == [("Deputy", "sms")]


def test_a_report_that_a_message_will_not_arrive_moves_to_the_next_channel() -> None:
    """A phone that does not answer need not be waited for; a report that comes twice moves on once."""
    night = Night(in_turn_s=30)
    page = night.open()
    first = night.one(act.Notify)
    night.carried(first, Delivery.SENT)
    night.reported(first, Report.FAILED)
    assert night.sent() == [("Bagvagt", "sms")]
    night.reported(first, Report.FAILED)
    assert night.last == ()
    assert night.page(page.id).told[0].failed_at == night.now


def test_reports_are_kept_in_any_order_and_end_nothing() -> None:
    """Read before delivered, delivered twice: the first time of each stands; the page goes on."""
    night = Night()
    page = night.open()
    sms = night.all(act.Notify)[1]
    night.reported(sms, Report.READ)
    night.wait(5)
    night.reported(sms, Report.DELIVERED)
    night.carried(sms, Delivery.SENT)
    told = night.page(page.id).told[1]
    assert told.read_at == told.delivered_at == night.now - timedelta(seconds=5)
    assert told.sent_at == night.now
    night.fire(page, "next")
    assert night.sent() == [("Deputy", "sms")]


def test_a_rung_on_which_everything_failed_is_left_at_once() -> None:
    """By reports as by refusals: together, and in turn."""
    night = Night()
    night.open()
    for notify in night.all(act.Notify):
        night.reported(notify, Report.FAILED)
    assert night.sent() == [("Deputy", "sms")]


def test_who_passes_is_left_alone_and_the_next_rung_comes_at_once() -> None:
    """Press 3: what waits and what is tried again for that person stops; nobody waits for the rung's time."""
    night = Night(in_turn_s=30)
    page = night.open()
    first = night.one(act.Notify)
    night.carried(first, Delivery.DEFERRED)
    night.feed(ev.PagePassed(**night.stamp(), page=page.id, by="Bagvagt", means="voice"))
    assert night.sent() == [("Deputy", "sms")]
    cancelled = [t.timer.what for t in night.all(act.CancelTimer)]
    assert f"retry {first.message}" in cancelled
    assert "turn Bagvagt" in cancelled
    assert [t.passed_at for t in night.page(page.id).told[:3]] == [None, night.now, None]
    night.fire(page, f"retry {first.message}")
    night.fire(page, "turn Bagvagt")
    assert night.last == ()


def test_the_last_resort_cannot_pass_a_page_to_nobody() -> None:
    """It is told again all the same: a page ends with a person."""
    night = Night()
    page = night.open()
    night.fire(page, "next")
    night.fire(page, "next")
    assert night.sent() == [("Alarm centre", "sms")]
    night.feed(ev.PagePassed(**night.stamp(), page=page.id, by="Alarm centre", means="sms"))
    assert not night.all(act.Notify)
    night.fire(page, "next")
    assert night.sent() == [("Alarm centre", "sms")]


def test_over_mqtt_only_one_of_ours_passes_a_page_on() -> None:
    """Anybody may write there: a stranger's name changes nothing, one of ours counts as policy writes it."""
    night = Night()
    page = night.open()
    night.feed(ev.PagePassed(**night.stamp(), page=page.id, by="stranger", means="mqtt"))
    assert night.last == ()
    night.feed(ev.PagePassed(**night.stamp(), page=page.id, by="BAGVAGT", means="mqtt"))
    assert night.sent() == [("Deputy", "sms")]


@pytest.mark.parametrize(("delivery", "again"), [(Delivery.SENT, 1), (Delivery.UNKNOWN, 1), (Delivery.REFUSED, 0)])
def test_an_alarm_that_overtakes_its_own_end_is_taken_back(delivery: Delivery, again: int) -> None:
    """It was on its way when somebody took the page: that person is told once more who has it, and nobody else."""
    night = Night()
    page = night.open()
    _, sms, _ = night.all(act.Notify)
    night.feed(ev.PageAnswered(**night.stamp(), page=page.id, by="Bagvagt", means="mqtt"))
    night.carried(sms, delivery)
    downs = night.all(act.StandDown)
    assert [d.told for d in downs] == [(("sms", "+4520304050", "da"),)] * again
    assert not night.all(act.Notify)


def test_a_retry_of_an_earlier_channel_does_not_cut_the_next_one_s_turn() -> None:
    """The broker stays away: each of its retries fails, and the SMS has its half minute all the same."""
    night = Night(in_turn_s=30)
    page = night.open()
    first = night.one(act.Notify)
    night.carried(first, Delivery.DEFERRED)
    assert night.sent() == [("Bagvagt", "sms")]
    night.fire(page, f"retry {first.message}")
    night.carried(night.one(act.Notify), Delivery.DEFERRED)
    assert not night.all(act.Notify)
    night.fire(page, "turn Bagvagt")
    assert night.sent() == [("Bagvagt", "voice")]


def test_those_whom_nothing_has_reached_are_told_again_with_the_last_resort() -> None:
    """Every carrier refuses for a moment: all rungs are gone through at once, and the people are not given up."""
    night = Night()
    night.open()
    for _ in range(4):
        for notify in night.all(act.Notify):
            night.carried(notify, Delivery.REFUSED)
    ways = {("Bagvagt", "mqtt"), ("Bagvagt", "sms"), ("Bagvagt", "voice")}
    page = next(iter(night.state.pages.values()))
    night.fire(page, "next")
    assert set(night.sent()) == ways | {("Deputy", "sms"), ("Alarm centre", "sms")}
    for notify in night.all(act.Notify):
        night.carried(notify, Delivery.SENT)
    night.fire(page, "next")
    assert night.sent() == [("Alarm centre", "sms")]


def test_a_second_answer_is_told_who_has_it_where_it_came_from() -> None:
    """Deputy took it; the bagvagt presses 1 on the phone: told on the phone, and nowhere else."""
    night = Night()
    page = night.open()
    night.feed(ev.PageAnswered(**night.stamp(), page=page.id, by="Deputy", means="http"))
    night.feed(ev.PageAnswered(**night.stamp(), page=page.id, by="Bagvagt", means="voice"))
    down = night.one(act.StandDown)
    assert (down.by, down.told) == ("Deputy", (("voice", "PJSIP/bagvagt", "da"),))


def test_an_answer_by_a_link_proves_the_channel_that_brought_the_link() -> None:
    """The click comes over the web; what it proves is that the message with the link arrived."""
    night = Night()
    rules = replace(night.policy.now, people={BAGVAGT.name: BAGVAGT}, proofs=ProofRules())
    night.feed(ev.PolicyLoaded(**night.stamp(), rules=rules))
    night.policy = night.policy.replaced_by(rules, night.now)
    night.feed(ev.PolicyLoaded(**night.stamp(), rules=rules))
    page = night.open()
    sms = page.told[1]
    answer = ev.PageAnswered(**night.stamp(), page=page.id, by="Bagvagt", means="link", message=sms.message)
    night.feed(answer)
    assert night.state.proofs["Bagvagt/sms"].state is ProofState.PROVED
    assert night.state.proofs["Bagvagt/mqtt"].state is ProofState.UNPROVED
