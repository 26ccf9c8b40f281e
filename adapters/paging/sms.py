"""The SMS channel: a checked number, a short text, and one of several ways out.

Where replies come in, the text asks for one; else it says where the page can be taken.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from adapters.paging.messages import TakenBy, alarm_text, purpose_of, reply_text, stood_down_text
from adapters.paging.sms_apprise import AppriseGateway, AppriseSender
from adapters.paging.sms_gammu import GammuSender, GammuSpool
from adapters.paging.sms_http import HttpGateway, HttpSender
from adapters.paging.sms_number import e164
from adapters.paging.sms_template import CHANNEL, Sms
from policies.actions import Notify, ReplyTo, StandDown
from policies.events import Event
from policies.rules import Severity
from telephony.ports import Clock

__all__ = ["AppriseGateway", "GammuSpool", "HttpGateway", "SmsChannel", "SmsConfig"]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SmsConfig:
    """How an SMS goes out.

    Attributes:
        gateway: a gateway's HTTP interface, an Apprise URL, or a modem's folders.
        sender: what `{from}` stands for: a name of up to 11 characters, or a number.
        answer_at: a number to ring or an address to open where a page can be taken, for the text; "" for the duty desk.
        can_reply: replies are taken in. They can come only to a number, so with a name as `sender` none is asked for.
        link: makes the address at which the page of one message is taken, instead of `answer_at`; "" for none.
        receipt_url: makes the address at which the gateway says what became of one message.
    """

    gateway: HttpGateway | AppriseGateway | GammuSpool
    sender: str = "Bagvagt"
    answer_at: str = ""
    can_reply: bool = False
    link: Callable[[str], str] | None = None
    receipt_url: Callable[[str], str] | None = None

    @property
    def asks_for_reply(self) -> bool:
        """Tell whether the text asks for a reply."""
        return self.can_reply and (isinstance(self.gateway, GammuSpool) or self.sender.lstrip("+").isdecimal())


class _Sender(Protocol):
    async def send(self, sms: Sms) -> str: ...


class SmsChannel:
    """Fits `adapters.paging.pager.Channel`.

    Args:
        config: how it goes out.
        clock: for a gateway that says when to come again, and for what comes in.

    Raises:
        ValueError: the gateway's description cannot work; the text says why.
    """

    def __init__(self, config: SmsConfig, clock: Clock) -> None:
        self._config = config
        self._sender = _sender(config.gateway, clock)

    async def run(self, emit: Callable[[Event], None]) -> None:
        """Take in what a modem received. With any other carrier get ready, and return: there is nothing to keep."""
        if self._config.can_reply and not self._config.asks_for_reply:
            _log.error("sms_sender_is_a_name", remedy="give [sms] sender the number that replies are to come to")
        if isinstance(self._sender, AppriseSender):
            await self._sender.prepare()
        elif isinstance(self._sender, GammuSender):
            await self._sender.run(emit)

    async def tell(self, action: Notify) -> str:
        """Send an alarm; the gateway gets the message's id, the same for every attempt."""
        text = alarm_text(
            action.language,
            action.incident,
            action.severity,
            purpose_of(action.reason),
            TakenBy.REPLY if self._config.asks_for_reply else TakenBy.DESK,
            self._at(action.message),
            action.code,
        )
        return await self._send(action.address, text, action.message, action.severity)

    async def tell_answered(self, action: StandDown, address: str, language: str) -> str:
        """Send the news that somebody has taken the page; what a modem has not sent yet is taken back."""
        if isinstance(self._sender, GammuSender):
            await self._sender.withdraw(action.page, e164(address))
        if not action.by:
            return "nothing to say"
        # An id of its own for each: a gateway may take a second message of the same id for a repetition.
        message = f"{action.id}.{action.told.index((CHANNEL, address, language))}"
        return await self._send(address, stood_down_text(action, language), message)

    async def reply(self, action: ReplyTo) -> str:
        """Answer a reply that took no page."""
        return await self._send(action.address, reply_text(action), action.id)

    def _at(self, message: str) -> str:
        if self._config.asks_for_reply:
            return ""
        link = "" if self._config.link is None else self._config.link(message)
        return link or self._config.answer_at

    async def _send(self, address: str, text: str, message: str, severity: Severity = Severity.NORMAL) -> str:
        receipts = "" if self._config.receipt_url is None else self._config.receipt_url(message)
        return await self._sender.send(
            Sms(e164(address), text, message, self._config.sender, receipts=receipts, severity=severity)
        )


def _sender(gateway: HttpGateway | AppriseGateway | GammuSpool, clock: Clock) -> _Sender:
    match gateway:
        case HttpGateway():
            return HttpSender(gateway, clock)
        case AppriseGateway():
            return AppriseSender(gateway)
        case GammuSpool():
            return GammuSender(gateway, clock)
