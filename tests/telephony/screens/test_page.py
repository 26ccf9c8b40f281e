"""A page's messages and its time line: how far each got, in which order, and how long it took."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from policies.events import Delivery
from policies.pages import LAST_RESORT, Page, PageState, Told
from policies.rules import Severity
from telephony.screens.page import page_picture, time_line
from tests.policies.story import BACKUP_PLAN, NOON


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def told(person: str = "kim", channel: str = "sms", attempt: int = 1, **more: Any) -> Told:
    first: dict[str, Any] = {
        "message": f"p-1.{person}.{channel}",
        "person": person,
        "channel": channel,
        "address": f"+4520304050 of {person}",
        "language": "da",
        "step": 0,
        "round": 0,
        "attempt": attempt,
        "action": "a",
        "delivery": None,
        "at": NOON,
        "queued_at": NOON,
    }
    return Told(**{**first, **more})


def page(*messages: Told, **more: Any) -> Page:
    first = Page("p-1", "i-1", "call", BACKUP_PLAN, Severity.ACUTE, PageState.CALLING, 0, 0, NOON, messages)
    return replace(first, **more)


SENT: dict[str, Any] = {"delivery": Delivery.SENT, "sent_at": after(1), "at": after(1)}


@pytest.mark.parametrize(
    ("message", "how", "at_s"),
    [
        (told(attempt=0), "waiting", 0),
        (told(attempt=0, given_up=True), "unused", 0),
        (told(), "", 0),
        (told(**SENT), "sent", 1),
        (told(**SENT, delivered_at=after(4)), "delivered", 4),
        (told(**SENT, delivered_at=after(4), read_at=after(9)), "read", 9),
        (told(**SENT, failed_at=after(6)), "failed", 6),
        (told(**SENT, failed_at=after(6), delivered_at=after(7)), "delivered", 7),  # the second attempt arrived
        (told(delivery=Delivery.REFUSED, at=after(2)), "refused", 2),
        (told(delivery=Delivery.DEFERRED, at=after(2), attempt=3), "deferred", 2),
        (told(delivery=Delivery.UNKNOWN, at=after(2)), "unknown", 2),
    ],
)
def test_how_far_a_message_got_and_when(message: Told, how: str, at_s: float) -> None:
    """The furthest that is known; a message whose turn has not come is waiting, and is not sent."""
    (seen,) = page_picture(page(message)).told
    assert (seen.delivery, seen.at) == (how, after(at_s))


def test_once_somebody_has_it_nothing_waits_for_its_turn() -> None:
    """The answer came first: the message was not needed."""
    over = page(told(attempt=0), state=PageState.ANSWERED, answered_by="kim", answered_at=after(5), means="voice")
    assert page_picture(over).told[0].delivery == "unused"


def test_who_has_it_by_which_means_and_how_long_it_took() -> None:
    """From the page's beginning, whatever rung it was answered on; nothing of that while nobody has."""
    over = page(state=PageState.ANSWERED, answered_by="kim", answered_at=after(95), means="sms")
    seen = page_picture(over)
    assert (seen.answered_by, seen.means, seen.answer_s) == ("kim", "sms", 95.0)
    still = page_picture(page(passed=("bo",)))
    assert (still.answered_by, still.means, still.answer_s, still.passed) == ("", "", None, ("bo",))


def test_the_time_line_has_every_step_of_every_message_in_the_order_of_time() -> None:
    """Messages of one moment stay in the ladder's order; who took it comes where it happened; late reports after it."""
    over = page(
        told("kim", "sms", **SENT, delivered_at=after(4), read_at=after(40)),
        told("kim", "voice", attempt=0),
        told("bo", "mqtt", step=LAST_RESORT, queued_at=after(20), delivery=Delivery.REFUSED, at=after(21), detail="no"),
        state=PageState.ANSWERED,
        answered_by="kim",
        answered_at=after(30),
        means="sms",
    )
    line = [(h.after_s, h.what, h.person, h.channel, h.step) for h in time_line(page_picture(over))]
    assert line == [
        (0, "opened", "", "", None),
        (0, "queued", "kim", "sms", 0),
        (1, "sent", "kim", "sms", 0),
        (4, "delivered", "kim", "sms", 0),
        (20, "queued", "bo", "mqtt", LAST_RESORT),
        (21, "refused", "bo", "mqtt", LAST_RESORT),
        (30, "answered", "kim", "sms", None),
        (40, "read", "kim", "sms", 0),
    ]


def test_a_carriers_words_stand_where_it_went_wrong_and_without_a_number() -> None:
    """Carriers like to repeat whom they could not reach; the address itself is in no picture."""
    failed = told(**SENT, failed_at=after(6), detail="unknown subscriber +45 20 30 40 50, code 27")
    picture = page_picture(page(failed))
    said = {h.what: h.detail for h in time_line(picture)}
    assert said == {"opened": "", "queued": "", "sent": "", "failed": "unknown subscriber …, code 27"}
    assert "20304050" not in picture.model_dump_json().replace(" ", "")
