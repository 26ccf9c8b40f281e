"""Phone numbers, as policy writes them."""

import re

from adapters.paging.sms_template import CHANNEL
from telephony.errors import DeliveryRefusedError

_E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)  # ITU-T E.164 §6: at most 15 digits
_DECORATION = str.maketrans("", "", " -()./\u00a0")


def e164(address: str) -> str:
    """Return a number as `+4520304050`; spaces and the like are dropped.

    Raises:
        DeliveryRefusedError: it is not a number with its country's code. Its text does not repeat the number.
    """
    number = address.translate(_DECORATION)
    if not _E164.fullmatch(number):
        raise DeliveryRefusedError(CHANNEL, "the address is not a number in E.164, such as +4520304050")
    return number


def sender_number(given: str) -> str | None:
    """Return the number from which an SMS came; networks leave the plus out, or write 00. None for a name."""
    try:
        return e164(f"+{given.strip().removeprefix('+').removeprefix('00')}")
    except DeliveryRefusedError:
        return None
