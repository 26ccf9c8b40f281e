"""The SMS channel: a checked number, a short text, and one of two ways out.

An SMS cannot be answered here: the text says where the page can be taken.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from adapters.paging.messages import TakenBy, alarm_text, answered_text, purpose_of
from adapters.paging.sms_apprise import AppriseGateway, AppriseSender
from adapters.paging.sms_http import HttpGateway, HttpSender
from adapters.paging.sms_template import CHANNEL, Sms
from policies.actions import Notify, StandDown
from policies.events import Event
from telephony.errors import DeliveryRefusedError
from telephony.ports import Clock

__all__ = ["AppriseGateway", "HttpGateway", "SmsChannel", "SmsConfig"]

_E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)  # ITU-T E.164 §6: at most 15 digits
_DECORATION = str.maketrans("", "", " -()./\u00a0")


@dataclass(frozen=True, slots=True)
class SmsConfig:
    """How an SMS goes out.

    Attributes:
        gateway: a gateway's HTTP interface, or an Apprise URL.
        sender: what `{from}` stands for: a name of up to 11 characters, or a number.
        answer_at: a number to ring or an address to open where a page can be taken, for the text; "" for the duty desk.
    """

    gateway: HttpGateway | AppriseGateway
    sender: str = "Bagvagt"
    answer_at: str = ""


class _Sender(Protocol):
    async def send(self, sms: Sms) -> str: ...


class SmsChannel:
    """Fits `adapters.paging.pager.Channel`.

    Args:
        config: how it goes out.
        clock: for a gateway that says when to come again.

    Raises:
        ValueError: the gateway's description cannot work; the text says why.
    """

    def __init__(self, config: SmsConfig, clock: Clock) -> None:
        self._config = config
        self._sender: _Sender = (
            HttpSender(config.gateway, clock)
            if isinstance(config.gateway, HttpGateway)
            else AppriseSender(config.gateway)
        )

    async def run(self, emit: Callable[[Event], None]) -> None:  # noqa: ARG002 -- the protocol's
        """Get ready, and return: there is no connection to keep, and nothing comes in."""
        if isinstance(self._sender, AppriseSender):
            await self._sender.prepare()

    async def tell(self, action: Notify) -> str:
        """Send an alarm; the gateway gets the message's id, the same for every attempt."""
        text = alarm_text(
            action.language,
            action.incident,
            action.severity,
            purpose_of(action.reason),
            TakenBy.DESK,
            self._config.answer_at,
        )
        return await self._send(action.address, text, action.message)

    async def tell_answered(self, action: StandDown, address: str, language: str) -> str:
        """Send the news that somebody has taken the page."""
        # An id of its own for each: a gateway may take a second message of the same id for a repetition.
        message = f"{action.id}.{action.told.index((CHANNEL, address, language))}"
        return await self._send(address, answered_text(language, action.incident, action.by), message)

    async def _send(self, address: str, text: str, message: str) -> str:
        return await self._sender.send(Sms(to=e164(address), text=text, id=message, sender=self._config.sender))


def e164(address: str) -> str:
    """Return a number as `+4520304050`; spaces and the like are dropped.

    Raises:
        DeliveryRefusedError: it is not a number with its country's code. Its text does not repeat the number.
    """
    number = address.translate(_DECORATION)
    if not _E164.fullmatch(number):
        raise DeliveryRefusedError(CHANNEL, "the address is not a number in E.164, such as +4520304050")
    return number
