from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import actions as act
from policies import events as ev
from policies.events import Delivery, Report
from policies.model import Timer
from policies.pages import KEEP_ANSWERED, LAST_RESORT, Page, PageState, next_rung
from policies.rules import OfficeHours, Step, When
from tests.policies.story import BACKUP_PLAN, NOON, RULES, SUICIDE, Story, call, contact

SUNDAY_NIGHT = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # 01:30 in Copenhagen; the clocks change half an hour later


def paged(at: datetime = NOON) -> Story:
    story = Story(at=at)
    story.press(SUICIDE, call())
    return story


def page(story: Story) -> Page:
    (only,) = story.state.pages.values()
    return only


def told(story: Story) -> list[tuple[str, str]]:
    return [(n.person, n.channel) for n in story.all(act.Notify)]


def fire(story: Story, what: str = "next") -> None:
    story.feed(ev.TimerFired(**story.stamp(), timer=Timer("page", page(story).id, what)))


def delivered(story: Story, notify: act.Notify, delivery: Delivery, retry_after_s: float | None = None) -> None:
    more = {**story.stamp(), "retry_after_s": retry_after_s}
    story.feed(ev.Notified(**more, action=notify.id, page=notify.page, delivery=delivery))


def test_in_office_hours_the_chief_is_first() -> None:
    """The empty rung before is skipped at once."""
    assert told(paged()) == [("Chief", "sms")]


def test_at_night_the_bagvagt_is_first_on_every_channel_at_once() -> None:
    """Half past one on a Sunday."""
    assert told(paged(SUNDAY_NIGHT)) == [("Bagvagt", "mqtt"), ("Bagvagt", "sms")]


def test_unanswered_goes_up_the_rungs_round_again_and_to_the_last_resort_and_again() -> None:
    """Two rounds of (bagvagt, deputy), then the alarm centre every quarter of an hour, without an end."""
    story = paged(SUNDAY_NIGHT)
    seen = [told(story)[0][0]]
    for _ in range(6):
        fire(story)
        seen.append(told(story)[0][0])
    assert seen == ["Bagvagt", "Deputy", "Bagvagt", "Deputy", "Alarm centre", "Alarm centre", "Alarm centre"]
    assert page(story).state is PageState.LAST_RESORT
    assert [t.due_at - story.now for t in story.all(act.StartTimer)] == [timedelta(seconds=900)]


def test_sent_is_not_answered() -> None:
    """A carrier's success changes nothing in the escalation."""
    story = paged(SUNDAY_NIGHT)
    for notify in story.all(act.Notify):
        delivered(story, notify, Delivery.SENT)
    fire(story)
    assert told(story) == [("Deputy", "sms")]


def test_a_person_ends_it_and_the_others_are_told() -> None:
    """The first answer counts; a second one changes nothing."""
    story = paged(SUNDAY_NIGHT)
    the_page = page(story)
    answered: dict[str, Any] = {"page": the_page.id, "means": "mqtt"}
    story.feed(ev.PageAnswered(**story.stamp(), by="Deputy", **answered))
    down = story.one(act.StandDown)
    assert (down.by, len(down.told)) == ("Deputy", 2)
    assert story.feed(ev.PageAnswered(**story.stamp(), by="Chief", **answered)) == ()
    assert (page(story).state, page(story).answered_by) == (PageState.ANSWERED, "Deputy")


def test_an_answered_page_is_kept_for_an_hour_and_then_forgotten() -> None:
    """Late reports go into its time line meanwhile; it is not told any more."""
    story = paged(SUNDAY_NIGHT)
    first = story.all(act.Notify)[0]
    story.feed(ev.PageAnswered(**story.stamp(), page=page(story).id, by="Deputy", means="sms"))
    (forget,) = story.all(act.StartTimer)
    assert (forget.timer.what, forget.due_at - story.now) == ("forget", timedelta(hours=1))
    story.feed(ev.MessageReported(**story.stamp(), message=first.message, report=Report.DELIVERED))
    assert page(story).told[0].delivered_at == story.now
    fire(story, "next")
    assert (story.last, len(story.state.pages)) == ((), 1)
    fire(story, "forget")
    assert not story.state.pages


def test_of_answered_pages_only_the_latest_are_kept() -> None:
    """However many alarms a night brings, what is kept of those that are over is bounded; open ones all stay."""
    story = Story(at=SUNDAY_NIGHT)
    ids = []
    for number in range(KEEP_ANSWERED + 3):
        story.feed(ev.PageOpened(**story.stamp(), plan="backup", incident=f"i{number}", reason="drill"))
        ids.append(story.all(act.Notify)[0].page)
    for id_ in ids[1:]:
        story.feed(ev.PageAnswered(**story.stamp(), page=id_, by="Deputy", means="sms"))
    assert list(story.state.pages) == [ids[0], *ids[3:]]


def test_a_name_that_nobody_knows_does_not_end_a_page() -> None:
    """Over MQTT anybody may write any name; only those who can be paged count, and the alarm goes on."""
    story = paged(SUNDAY_NIGHT)
    story.feed(ev.PageAnswered(**story.stamp(), page=page(story).id, by="+4520304050", means="mqtt"))
    assert page(story).state is PageState.CALLING


def test_a_deferred_message_is_tried_again_when_the_carrier_says() -> None:
    """Retry-After is kept; the message keeps its id."""
    story = paged()
    first = story.one(act.Notify)
    delivered(story, first, Delivery.DEFERRED, retry_after_s=42.0)
    assert story.one(act.StartTimer).due_at == story.now + timedelta(seconds=42)
    fire(story, f"retry {first.message}")
    again = story.one(act.Notify)
    assert (again.message, again.attempt) == (first.message, 2)


def test_what_was_deferred_is_sent_when_its_channel_is_back() -> None:
    """The broker returns long before the next try: sent at once, in place of it; what went by SMS is left alone."""
    story = paged(SUNDAY_NIGHT)
    mqtt, sms = story.all(act.Notify)
    delivered(story, mqtt, Delivery.DEFERRED)
    delivered(story, sms, Delivery.DEFERRED)
    story.feed(ev.ChannelConnected(**story.stamp(), channel="mqtt"))
    again = story.one(act.Notify)
    assert (again.message, again.attempt, again.channel) == (mqtt.message, 2, "mqtt")
    assert [t.timer.what for t in story.all(act.CancelTimer)] == [f"retry {mqtt.message}"]
    delivered(story, again, Delivery.SENT)
    assert story.feed(ev.ChannelConnected(**story.stamp(), channel="mqtt")) == ()


def test_an_alarm_whose_fate_is_unknown_is_sent_again() -> None:
    """At once, under the same id: at most one duplicate comes of it; after that the time of the rung decides."""
    story = paged()
    first = story.one(act.Notify)
    delivered(story, first, Delivery.UNKNOWN)
    again = story.one(act.Notify)
    assert again.message == first.message
    delivered(story, again, Delivery.UNKNOWN)
    assert story.last == ()
    fire(story, f"retry {first.message}")
    fire(story)
    assert told(story) == [("Deputy", "sms")]


def test_a_message_that_was_put_off_may_still_be_doubted_once() -> None:
    """What was not taken went nowhere: it does not count as one of the two attempts that may have arrived."""
    story = paged()
    first = story.one(act.Notify)
    delivered(story, first, Delivery.DEFERRED)
    fire(story, f"retry {first.message}")
    delivered(story, story.one(act.Notify), Delivery.UNKNOWN)
    third = story.one(act.Notify)
    assert (third.message, third.attempt) == (first.message, 3)
    delivered(story, third, Delivery.UNKNOWN)
    assert not story.all(act.Notify)


def test_what_an_hour_of_silence_put_off_gives_way_to_the_next_telling_of_the_same_address() -> None:
    """The gateway returns: one SMS for each address and not one for each round."""
    story = paged(SUNDAY_NIGHT)
    mqtt, sms = story.all(act.Notify)
    delivered(story, mqtt, Delivery.SENT)
    delivered(story, sms, Delivery.DEFERRED)
    for _ in range(2):  # the deputy, then the bagvagt again
        fire(story)
    assert Timer("page", mqtt.page, f"retry {sms.message}") in [t.timer for t in story.all(act.CancelTimer)]
    second = next(n for n in story.all(act.Notify) if n.channel == "sms")
    delivered(story, second, Delivery.DEFERRED)
    story.feed(ev.ChannelConnected(**story.stamp(), channel="sms"))
    assert [n.message for n in story.all(act.Notify)] == [second.message]


def test_a_rung_that_nobody_can_reach_is_left_at_once() -> None:
    """All refused: the next rung without waiting out the time."""
    story = paged(SUNDAY_NIGHT)
    first, second = story.all(act.Notify)
    delivered(story, first, Delivery.REFUSED)
    assert not story.all(act.Notify)
    delivered(story, second, Delivery.REFUSED)
    assert told(story) == [("Deputy", "sms")]


def test_the_last_resort_is_not_given_up() -> None:
    """Even a last resort that refuses is told again when its time comes."""
    story = paged()
    for _ in range(6):
        fire(story)
    delivered(story, story.one(act.Notify), Delivery.REFUSED)
    fire(story)
    assert told(story) == [("Alarm centre", "sms")]


@given(
    hour=st.integers(0, 24 * 14),
    whens=st.lists(st.sampled_from(When), max_size=5),
    empty=st.lists(st.booleans(), max_size=5),
)
def test_there_is_always_somebody(hour: int, whens: list[When], empty: list[bool]) -> None:
    """Whatever the plan and the hour, the next rung has somebody to tell, and going on reaches the last resort."""
    pairs = zip(whens, empty, strict=False)
    steps = tuple(Step((contact("P") if e else contact("P", "sms"),), 60, w) for w, e in pairs)
    plan = replace(BACKUP_PLAN, steps=steps)
    at = NOON + timedelta(hours=hour)
    step, rounds = -1, 0
    for _ in range(2 * len(steps) + 1):
        rung = next_rung(plan, RULES.office, at, step, rounds)
        assert any(p.channels for p in rung.people)
        if rung.step == LAST_RESORT:
            return
        step, rounds = rung.step, rung.round
    pytest.fail("the last resort was never reached")


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-03-27T07:00+00:00", True),  # Friday 08:00 winter time: the first minute
        ("2026-03-27T06:59+00:00", False),
        ("2026-03-27T15:00+00:00", False),  # 16:00: closed
        ("2026-03-30T06:00+00:00", True),  # Monday 08:00 summer time, an hour earlier in UTC
        ("2026-03-30T05:59+00:00", False),
        ("2026-03-29T10:00+00:00", False),  # Sunday
        ("2026-04-02T10:00+00:00", False),  # Maundy Thursday
    ],
)
def test_office_hours_follow_the_local_clock(at: str, is_open: bool) -> None:  # noqa: FBT001
    """Opening time is a wall-clock time: it moves in UTC when the clocks change; holidays are closed."""
    office = OfficeHours(hours=dict.fromkeys(range(5), ((time(8), time(16)),)), holidays=frozenset({date(2026, 4, 2)}))
    assert office.is_open(datetime.fromisoformat(at)) is is_open


@pytest.mark.parametrize(("reason", "plan"), [("watch", "backup"), ("call", "backup"), ("drill", ""), ("test", "")])
def test_an_alarm_whose_plan_is_gone_goes_by_another(reason: str, plan: str) -> None:
    """A reload renamed it: an alarm follows the plan of an acute kind; a drill or a test of it is none."""
    story = Story(at=SUNDAY_NIGHT)
    story.feed(ev.PageOpened(**story.stamp(), plan="gone", incident="i", reason=reason))
    assert [p.plan.name for p in story.state.pages.values()] == ([plan] if plan else [])
