"""One message to one address: how it is sent, and what follows from what its carrier says. For pages and tests alike.

A message whose fate nobody knows is sent once more, under the same id, so that at most one duplicate comes of it; then
the deadline decides. One that the carrier could not take now is tried until it is taken, or needed no more.
"""

from dataclasses import replace
from datetime import datetime

from policies import events as ev
from policies.actions import Notify
from policies.events import Delivery, Report
from policies.pages import Told
from policies.rules import Contact, Severity
from policies.state import Draft

RETRY_FIRST_S = 5.0
RETRY_MOST_S = 30.0  # an alarm is not put off for long because a carrier was away
DOUBTS_MOST = 2


def message(page: str, number: int, contact: Contact, way: tuple[str, str], at: datetime, code: int) -> Told:
    """Return a message that is not sent yet.

    Args:
        page: to which it belongs.
        number: among the page's messages, from 0.
        contact: to whom.
        way: channel and address.
        at: now.
        code: for the reply.
    """
    return Told(
        message=f"{page}.{number}",
        person=contact.name,
        channel=way[0],
        address=way[1],
        language=contact.language,
        step=0,
        round=0,
        attempt=0,
        action="",
        delivery=None,
        at=at,
        code=code,
        queued_at=at,
    )


def send(d: Draft, told: Told, *, page: str, incident: str, reason: str, severity: Severity) -> Told:
    """Send a message, for the first time or again."""
    notify = d.act(
        Notify,
        page=page,
        incident=incident,
        reason=reason,
        severity=severity,
        person=told.person,
        channel=told.channel,
        address=told.address,
        language=told.language,
        step=told.step,
        attempt=told.attempt + 1,
        message=told.message,
        code=told.code,
    )
    return replace(told, attempt=told.attempt + 1, action=notify.id, delivery=None, at=d.at)


def notified(told: Told, e: ev.Notified) -> Told:
    """Note what the carrier said at once."""
    sent_at = told.sent_at or e.at if e.delivery is Delivery.SENT else told.sent_at
    doubts = told.doubts + (e.delivery is Delivery.UNKNOWN)
    return replace(told, delivery=e.delivery, detail=e.detail, at=e.at, sent_at=sent_at, doubts=doubts)


def reported(told: Told, e: ev.MessageReported) -> Told:
    """Note what the carrier said later; of each report the first one counts, in whatever order they come."""
    arrived = told.delivered_at or (e.at if e.report in (Report.DELIVERED, Report.READ) else None)
    return replace(
        told,
        delivered_at=arrived,
        read_at=told.read_at or (e.at if e.report is Report.READ else None),
        failed_at=told.failed_at or (e.at if e.report is Report.FAILED else None),
        detail=e.detail or told.detail,
    )


def must_repeat(told: Told) -> bool:
    """Tell whether it is sent again at once: nobody knows whether it went out, and it was not repeated for that."""
    return told.delivery is Delivery.UNKNOWN and told.doubts < DOUBTS_MOST


def retry_s(told: Told, retry_after_s: float | None) -> float:
    """Return in how many seconds a message that could not be taken is tried again."""
    again_s: float = min(RETRY_FIRST_S * 2.0 ** (told.attempt - 1), RETRY_MOST_S)
    return max(again_s, retry_after_s or 0.0)


def retry(told: Told) -> str:
    """Return the name of the timer that tries it again."""
    return f"retry {told.message}"


def may_have_arrived(told: Told) -> bool:
    """Tell whether a person may have it: an attempt of it is under way, was taken, or nobody knows."""
    never = (Delivery.DEFERRED, Delivery.REFUSED)
    return bool(told.attempt) and (
        told.sent_at is not None or told.doubts > 0 or told.delivered_at is not None or told.delivery not in never
    )
