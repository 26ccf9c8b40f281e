"""What providers send us: receipts, and what people wrote. How each of them names things, and what that means here.

A receipt's address is made for one message and signed, so that whoever sees it at the provider can report on that
message and on nothing else. Replies come to one address for all; there the whole secret is asked for.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from adapters.paging.sms_http import fit_to_keep
from adapters.paging.sms_number import sender_number
from adapters.paging.sms_replies import STALE, read_reply
from policies.events import Report, Says
from telephony.errors import BagvagtError

RECEIPTS_PATH = "/v1/sms/receipts"
REPLIES_PATH = "/v1/sms/replies"
MESSAGE, SIGNATURE, TOKEN = "message", "signature", "token"


class FieldError(BagvagtError):
    """A body lacks a field, or has something else there. Its text is the field's name, never what stood in it."""


@dataclass(frozen=True, slots=True)
class Fields:
    """How a provider names things; a dot leads into a table. "" where it has no such thing.

    Attributes:
        message: our id of the message, in a receipt.
        status: what became of it.
        delivered: the words for "on the phone".
        failed: the words for "will not arrive". All other words say nothing yet.
        detail: why not.
        number: who replied, with the country's code.
        text: what they wrote.
        sent: when, ISO 8601 in UTC or seconds since 1970.
    """

    message: str = "message"
    status: str = "status"
    delivered: frozenset[str] = frozenset({"delivered"})
    failed: frozenset[str] = frozenset({"failed"})
    detail: str = ""
    number: str = "from"
    text: str = "text"
    sent: str = ""


# https://46elks.com/docs/sms-delivery-reports and /receive-sms. Our id is in the address that we gave.
ELKS = Fields(message="", text="message", sent="created")
# https://gatewayapi.com/docs/webhooks. ACCEPTED is left out: a network took it on somebody's behalf, no phone did.
GATEWAYAPI = Fields(
    message="userref",
    delivered=frozenset({"DELIVERED"}),
    failed=frozenset({"EXPIRED", "DELETED", "UNDELIVERABLE", "REJECTED", "SKIPPED"}),
    detail="error",
    number="msisdn",
    text="message",
    sent="senttime",
)


@dataclass(frozen=True, slots=True)
class ReceiptUrls:
    """Makes the address at which a provider reports on one message, and knows it again.

    Attributes:
        secret: of the webhook.
        url: of this service, as the provider reaches it.
    """

    secret: str = field(repr=False)
    url: str = ""

    def __call__(self, message: str) -> str:
        """Return the address for this message."""
        query = urlencode({MESSAGE: message, SIGNATURE: self._signature(message)})
        return f"{self.url.rstrip('/')}{RECEIPTS_PATH}?{query}"

    def is_ours(self, message: str, signature: str) -> bool:
        """Tell whether we made an address with these two."""
        return hmac.compare_digest(self._signature(message).encode(), signature.encode(errors="replace"))

    def _signature(self, message: str) -> str:
        return hmac.new(self.secret.encode(), f"receipt {message}".encode(errors="replace"), hashlib.sha256).hexdigest()


def read_receipt(fields: Fields, body: Mapping[str, Any], message: str = "") -> tuple[str, Report | None, str]:
    """Return (message, what became of it, why). None for a status that says nothing yet; "" for a message not of ours.

    Args:
        fields: how the provider names things.
        body: what it sent.
        message: our id, where the address had it.

    Raises:
        FieldError: what is missing, or is no text.
    """
    status = _text(body, fields.status)
    if not message and not fields.message:
        raise FieldError(MESSAGE)
    message = message or _text(body, fields.message, optional=True)
    if status in fields.delivered:
        return message, Report.DELIVERED, fit_to_keep(status)
    if status not in fields.failed:
        return message, None, ""
    return message, Report.FAILED, fit_to_keep(f"{status} {_aside(body, fields.detail)}")


def read_sms(fields: Fields, body: Mapping[str, Any], now: datetime) -> tuple[str, Says, int]:
    """Return (number in E.164, what the reply says, the number in it).

    Raises:
        FieldError: what is missing, or is no text; or the number is none.
    """
    number = sender_number(_text(body, fields.number))
    if number is None:
        raise FieldError(fields.number)
    says, code = read_reply(_text(body, fields.text, optional=True))
    sent = _time(_aside(body, fields.sent))
    if sent is not None and now - sent > STALE:
        return number, Says.UNCLEAR, 0
    return number, says, code


def _value(body: Mapping[str, Any], name: str) -> Any:
    if name in body:
        return body[name]
    value: Any = body
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise FieldError(name)
        value = value[part]
    return value


def _text(body: Mapping[str, Any], name: str, *, optional: bool = False) -> str:
    value = _value(body, name)
    if optional and value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise FieldError(name)
    return str(value)


def _aside(body: Mapping[str, Any], name: str) -> str:
    """Return what is good to know and never a reason to refuse the rest; "" where it is not there."""
    try:
        return _text(body, name) if name else ""
    except FieldError:
        return ""


def _time(text: str) -> datetime | None:
    try:
        if text.replace(".", "", 1).isdecimal():
            return datetime.fromtimestamp(float(text), UTC)
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
