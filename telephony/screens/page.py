"""A page as it is shown: its messages, and its time line."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

from policies.pages import Page, Told
from telephony.screens.model import PagePicture, ToldPicture

_NUMBER: Final = re.compile(r"\+?\d(?:[ -]?\d){6,}")


class Happening(NamedTuple):
    """One line of a page's time line.

    Attributes:
        at: when.
        after_s: since the page began, in seconds.
        what: "opened", "queued", "sent", "delivered", "read", "failed", "answered".
        person: who was told, or who took it; "" for neither.
        channel: by what; of an answer by what means.
        step: rung of a message, None for what is no message.
        detail: the carrier's words.
    """

    at: datetime
    after_s: float
    what: str
    person: str = ""
    channel: str = ""
    step: int | None = None
    detail: str = ""


def page_picture(page: Page) -> PagePicture:
    """Return a page as it is shown. No address is in it."""
    answered = page.answered_at
    return PagePicture(
        id=page.id,
        incident=page.incident,
        reason=page.reason,
        plan=page.plan.name,
        severity=page.severity.value,
        state=page.state.value,
        step=page.step,
        opened_at=page.opened_at,
        told=tuple(_told(t, is_open=page.is_open) for t in page.told),
        passed=page.passed,
        answered_by=page.answered_by,
        answered_at=answered,
        means=page.means,
        answer_s=None if answered is None else (answered - page.opened_at).total_seconds(),
    )


def time_line(page: PagePicture) -> list[Happening]:
    """Return what has happened, in its order. A message that was never sent is not in it."""

    def happened(at: datetime, what: str, **more: Any) -> Happening:
        return Happening(at, (at - page.opened_at).total_seconds(), what, **more)

    found = [happened(page.opened_at, "opened")]
    for told in page.told:
        for at, what in _times(told):
            detail = told.detail if what in (told.delivery, "failed") else ""
            found.append(happened(at, what, person=told.person, channel=told.channel, step=told.step, detail=detail))
    if page.answered_at is not None:
        found.append(happened(page.answered_at, "answered", person=page.answered_by, channel=page.means))
    return sorted(found, key=lambda h: h.at)  # stable: what came in one moment stays in the order of the ladder


def _times(told: ToldPicture) -> Iterator[tuple[datetime, str]]:
    if not told.attempts:
        return
    known = (
        (told.queued_at, "queued"),
        (told.sent_at, "sent"),
        (told.delivered_at, "delivered"),
        (told.read_at, "read"),
        (told.failed_at, "failed"),
        (told.passed_at, "passed"),
    )
    yield from ((at, what) for at, what in known if at is not None)
    if told.delivery in ("refused", "deferred", "unknown"):
        yield told.at, told.delivery


def _told(told: Told, *, is_open: bool) -> ToldPicture:
    how, at = _how_far(told, is_open=is_open)
    return ToldPicture(
        person=told.person,
        channel=told.channel,
        delivery=how,
        at=at,
        step=told.step,
        round=told.round,
        attempts=told.attempt,
        detail=_NUMBER.sub("…", told.detail),  # carriers like to repeat whom they could not reach
        queued_at=told.queued_at,
        sent_at=told.sent_at,
        delivered_at=told.delivered_at,
        read_at=told.read_at,
        failed_at=told.failed_at,
        passed_at=told.passed_at,
    )


def _how_far(told: Told, *, is_open: bool) -> tuple[str, datetime]:
    """Return how far a message got, and when. What has arrived has arrived, whatever is said of a later attempt."""
    if not told.attempt:
        return "waiting" if is_open and told.waits else "unused", told.at
    for what, at in (("read", told.read_at), ("delivered", told.delivered_at), ("failed", told.failed_at)):
        if at is not None:
            return what, at
    return told.delivery.value if told.delivery else "", told.at
