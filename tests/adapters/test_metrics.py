"""What the metrics say of pages and of the ways to people; never whose."""

from dataclasses import replace
from datetime import timedelta

from prometheus_client import generate_latest

from adapters.metrics import Metrics
from policies import events as ev
from policies.events import Delivery, Event, Report
from policies.pages import Page
from policies.proofs import Proof, ProofState
from policies.rules import ProofRules
from tests.policies.story import NOON, RULES, SUICIDE, Story, call, contact


class Counted(Story):
    """A story whose decisions are counted."""

    def __init__(self) -> None:
        self.metrics = Metrics(lambda: self.now)
        people = {name: contact(name, "sms", "mqtt") for name in ("Chief", "Deputy")}
        super().__init__(replace(RULES, people=people, proofs=ProofRules()))

    def feed(self, event: Event) -> tuple[object, ...]:  # type: ignore[override]  # the same actions
        actions = super().feed(event)
        self.metrics.decided(event, self.state, actions)
        return actions

    @property
    def page(self) -> Page:
        (only,) = self.state.pages.values()
        return only

    def carrier(self, delivery: Delivery) -> None:
        told = self.page.told[-1]
        self.feed(ev.Notified(**self.stamp(), action=told.action, page=self.page.id, delivery=delivery))

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


def test_messages_are_counted_by_channel_and_by_what_their_carrier_said() -> None:
    """At once and later; also one that is sent again at once, and so has another action by then."""
    story = Counted()
    story.press(SUICIDE, call())
    story.carrier(Delivery.UNKNOWN)
    story.carrier(Delivery.SENT)
    message = story.page.told[-1].message
    for report in (Report.DELIVERED, Report.READ):
        story.feed(ev.MessageReported(**story.stamp(), message=message, report=report))
    for result in ("unknown", "sent", "delivered", "read"):
        assert story.value("bagvagt_page_messages_total", channel="sms", result=result) == 1


def test_time_until_somebody_has_it_is_counted_once_by_step() -> None:
    """From the beginning; an answered page that is kept for late reports is not counted again, and is not open."""
    story = Counted()
    story.press(SUICIDE, call())
    assert story.value("bagvagt_pages_open") == 1
    story.wait(40)
    for _ in range(2):
        story.feed(ev.PageAnswered(**story.stamp(), page=story.page.id, by="Chief", means="http"))
    story.feed(ev.ChannelConnected(**story.stamp(), channel="sms"))
    assert story.value("bagvagt_pages_open") == 0
    labels = {"step": "2", "reason": "call"}
    assert story.value("bagvagt_page_answer_seconds_count", **labels) == 1
    assert story.value("bagvagt_page_answer_seconds_sum", **labels) == 40
    assert story.value("bagvagt_page_answer_seconds_bucket", le="30.0", **labels) == 0


def test_proofs_grow_old_by_themselves() -> None:
    """The oldest of each channel, by the clock of whoever looks; what was never proved has no age."""
    story = Counted()
    kim = Proof("kim/sms", "kim", "sms", "+45", "da", ProofState.PROVED, proved_at=NOON - timedelta(days=2))
    lis = Proof("lis/sms", "lis", "sms", "+46", "da", ProofState.PROVED, proved_at=NOON - timedelta(days=5))
    bo = Proof("bo/voice", "bo", "voice", "PJSIP/bo", "da")
    story.state = replace(story.state, proofs={p.id: p for p in (kim, lis, bo)})
    story.feed(ev.ChannelConnected(**story.stamp(), channel="sms"))
    day_s = 86_400.0
    assert story.value("bagvagt_proof_age_seconds", channel="sms") == 5 * day_s
    assert story.value("bagvagt_proof_age_seconds", channel="voice") is None
    assert story.value("bagvagt_proofs_unproved", channel="sms") == 0
    assert story.value("bagvagt_proofs_unproved", channel="voice") == 1
    story.wait(day_s)
    assert story.value("bagvagt_proof_age_seconds", channel="sms") == 6 * day_s
    story.state = replace(story.state, proofs={kim.id: replace(kim, lapses=2)})
    story.feed(ev.ChannelConnected(**story.stamp(), channel="sms"))
    assert story.value("bagvagt_proof_age_seconds", channel="sms") == 3 * day_s
    assert story.value("bagvagt_proofs_unproved", channel="sms") == 1
    assert story.value("bagvagt_proofs_unproved", channel="voice") == 0


def test_nobody_is_named() -> None:
    """Labels are channels, steps and words of the code: no person, no address, no call."""
    story = Counted()
    story.press(SUICIDE, call())
    story.carrier(Delivery.SENT)
    story.feed(ev.ProofAsked(**story.stamp(), person="Chief", channel="sms", by="olga"))
    story.feed(ev.PageAnswered(**story.stamp(), page=story.page.id, by="Chief", means="sms"))
    text = generate_latest(story.metrics.registry).decode()
    assert 'bagvagt_page_messages_total{channel="sms",result="sent"} 1.0' in text
    for name in ("Chief", "Deputy", "olga", "sms:", "c1"):
        assert name not in text
