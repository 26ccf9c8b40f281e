"""A gateway's HTTP interface, described by values: one request for each SMS.

What the answer means: 2xx, taken. 408, 425, 429 and 5xx, and no connection: not taken now. Other 3xx and 4xx: never
will be. No answer after the request may have gone out: unknown. Redirects are not followed: they would carry the
number, the text and the key to somebody else.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime

import aiohttp

from adapters.lookup import Resolver
from adapters.paging.pager import DeliveryUncertainError
from adapters.paging.sms_template import CHANNEL, Body, Content, Sms, fill_url
from telephony.errors import DeliveryDeferredError, DeliveryRefusedError
from telephony.ports import Clock

RETRY_AFTER_MOST_S = 900.0  # an alarm is not put off for a day because a gateway says so
_NOT_NOW = frozenset({408, 425, 429})
_MOST_DETAIL_CHARS = 120
_BODY_MOST_BYTES = 2048
_DIGITS = re.compile(r"\+?\d[\d ().-]{4,}\d")


@dataclass(frozen=True, slots=True)
class HttpGateway:
    """A gateway.

    Attributes:
        url: where; may hold placeholders, which are percent-encoded.
        method: of the request.
        headers: with the key that the gateway gave; never shown or logged, nor are `url` and `body`.
        body: template with {to} {to_digits} {text} {id} {from}; "" for none.
        content: how the body is written.
        ok: statuses that mean that it was taken; empty for every 2xx.
        connect_s: for the connection; shorter than the pager's deadline, so that "nothing was sent" is known.
        detail_s: how long an error's text is waited for.
    """

    url: str = field(repr=False)
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: str = field(default="", repr=False)
    content: Content = Content.JSON
    ok: frozenset[int] = frozenset()
    connect_s: float = 4.0
    detail_s: float = 1.0


class HttpSender:
    """Sends through an `HttpGateway`.

    Raises:
        ValueError: the description cannot work.
    """

    def __init__(self, gateway: HttpGateway, clock: Clock) -> None:
        self._gateway = gateway
        self._clock = clock
        self._body = Body(gateway.body, Content(gateway.content))
        fill_url(gateway.url, Sms("+4520304050", "", "", ""))
        if not gateway.url.startswith(("https://", "http://")):
            raise ValueError("the gateway's url must begin with https:// or http://")
        if any(set(name + value) & set("\r\n\0") for name, value in gateway.headers.items()):
            raise ValueError("a header of the gateway holds a line break")

    async def send(self, sms: Sms) -> str:
        """Send one SMS; returns the status when it was taken."""
        gateway = self._gateway
        body = self._body.fill(sms)
        headers = dict(gateway.headers)
        if body is not None:
            headers.setdefault("Content-Type", body[1])
        timeout = aiohttp.ClientTimeout(total=None, connect=gateway.connect_s)
        # A connection of its own for each: one that was kept may be dead, which shows only after the request was sent.
        connector = aiohttp.TCPConnector(force_close=True, use_dns_cache=False, resolver=Resolver())
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.request(
                    gateway.method,
                    fill_url(gateway.url, sms),
                    data=None if body is None else body[0],
                    headers=headers,
                    allow_redirects=False,
                ) as response,
            ):
                return await self._judge(response, sms)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise DeliveryDeferredError(CHANNEL, f"no connection: {type(error).__name__}") from None
        except aiohttp.InvalidURL:
            raise DeliveryRefusedError(CHANNEL, "the gateway's url is not one") from None
        except aiohttp.ClientError as error:
            raise DeliveryUncertainError(f"no answer: {type(error).__name__}") from None

    async def _judge(self, response: aiohttp.ClientResponse, sms: Sms) -> str:
        status = response.status
        succeeded = 200 <= status < 300  # noqa: PLR2004 -- RFC 9110 §15.3
        if status in self._gateway.ok or (succeeded and not self._gateway.ok):
            return f"HTTP {status}"  # its body is not waited for: some gateways dawdle over it
        said = f"HTTP {status} {await self._detail(response, sms)}".rstrip()
        if succeeded:
            raise DeliveryUncertainError(f"{said} (not among the statuses that mean success)")
        if status in _NOT_NOW or status >= 500:  # noqa: PLR2004 -- RFC 9110 §15.6
            after_s = retry_after_s(response.headers.get("Retry-After", ""), self._clock.now())
            raise DeliveryDeferredError(CHANNEL, said, after_s)
        raise DeliveryRefusedError(CHANNEL, said)

    async def _detail(self, response: aiohttp.ClientResponse, sms: Sms) -> str:
        """Return the beginning of an error's text, without numbers and secrets: it is kept and logged."""
        try:
            raw = await _read_some(response, self._gateway.detail_s)
        except aiohttp.ClientError:
            return ""
        text = raw.decode(errors="replace")
        for secret in (*self._gateway.headers.values(), sms.receipts):
            for part in (secret, *secret.split()):
                text = text.replace(part, "…") if len(part) > 3 else text  # noqa: PLR2004 -- "Key" is no secret
        return fit_to_keep(text)


def fit_to_keep(said: str) -> str:
    """Return the beginning of what a gateway said, on one line and without anything that may be a number."""
    text = _DIGITS.sub("…", said)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_MOST_DETAIL_CHARS]


async def _read_some(response: aiohttp.ClientResponse, within_s: float) -> bytes:
    raw = bytearray()
    try:
        async with asyncio.timeout(within_s):
            while len(raw) < _BODY_MOST_BYTES and (chunk := await response.content.read(_BODY_MOST_BYTES)):
                raw += chunk
    except TimeoutError:
        pass
    return bytes(raw)


def retry_after_s(value: str, now: datetime) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110 §10.2.3: seconds, or a date), at most `RETRY_AFTER_MOST_S`.

    None when it says nothing that can be read.
    """
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value), RETRY_AFTER_MOST_S)
    try:
        seconds = (parsedate_to_datetime(value) - now).total_seconds()
    except (ValueError, TypeError):  # TypeError: a date without a zone
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_MOST_S)
