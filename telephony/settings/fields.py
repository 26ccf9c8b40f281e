"""The kinds of values that a policy file holds, each with the words for when one is wrong.

Names from the file become parts of PBX configuration, dialplan variables, MQTT topics and paths. So they are held to a
few safe characters here, once, rather than escaped in each place.
"""

import ipaddress
import re
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import holidays
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

DAY_S = 86_400


class Strict(BaseModel):
    """A table of the policy file: unknown keys, and values of another type, are mistakes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def wrong(message: str, remedy: str) -> PydanticCustomError:
    """Return an error that says both what is wrong and what to do."""
    return PydanticCustomError("policy", "{message}", {"message": message, "remedy": remedy})


LOOPBACK = ("127.0.0.1", "localhost", "::1")


def in_clear(url: str) -> bool:
    """Tell whether what is said to a web address can be read on the way."""
    parts = urlsplit(url)
    return parts.scheme != "https" and parts.hostname not in LOOPBACK


def short(value: object) -> str:
    """Return a value as it can be shown on one line."""
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else f'"{value}"'
    return text if len(text) <= 60 else text[:57] + '…"'  # noqa: PLR2004 -- fits a terminal beside its sentence


def _fits(pattern: str, what: str, remedy: str) -> Callable[[str], str]:
    allowed = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if not allowed.fullmatch(value):
            raise wrong(f"{short(value)} is not {what}", remedy)
        return value

    return check


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise wrong(f"there is no time zone {short(value)}", 'use an IANA name such as "Europe/Copenhagen"') from None
    return value


def _country(value: str) -> str:
    if value and value not in holidays.list_supported_countries(include_aliases=False):
        raise wrong(
            f"no public holidays are known for country {short(value)}",
            'use two capital letters such as "DK", or "" and list the closed days yourself',
        )
    return value


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        raise wrong(
            f"{short(value)} is not a network: {error}", 'write it as "10.20.0.0/16" or "10.20.3.4/32"'
        ) from None
    return value


def is_web_address(value: str) -> bool:
    """Tell whether something can be fetched there."""
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False
    return good and value.isprintable() and " " not in value


def _url(value: str) -> str:
    if not is_web_address(value):
        raise wrong(f"{short(value)} is not a web address", 'begin with "http://" or "https://" and a host')
    return value


_SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)", re.ASCII)
_SPAN_REMEDY = 'write it as "08:00-16:00"; a span over midnight is written as two, the second on the next day'


def span(value: str) -> tuple[time, time]:
    """Return opening and closing time of "08:00-16:00"; "24:00" closes at the end of the day."""
    found = _SPAN.fullmatch(value)
    if not found:
        raise wrong(f"{short(value)} is not a time span", _SPAN_REMEDY)
    opens = time(int(found[1]), int(found[2]))
    closes = time(int(found[3]), int(found[4])) if found[3] else time.max
    if closes <= opens:
        raise wrong(f"{short(value)} ends before it begins", _SPAN_REMEDY)
    return opens, closes


def _span(value: str) -> str:
    span(value)
    return value


def _closed_day(value: Any) -> Any:
    if type(value) is date:
        return value
    if isinstance(value, str):
        try:
            datetime.strptime(f"2028-{value}", "%Y-%m-%d")  # noqa: DTZ007 -- 2028 is a leap year: 02-29 is a day
        except ValueError:
            pass
        else:
            return value
    raise wrong(
        f"{short(value)} is not a day",
        'write a date such as 2027-05-07, or "12-24" (month, day) for every year',
    )


def _plain(value: str) -> str:
    if not value.isprintable():
        raise wrong(f"{value!a} holds a control character", "write it on one line, without tabs or escapes")
    return value


_NAME_REMEDY = "use small letters a-z, digits, - and _, at most 32"

Name = Annotated[str, AfterValidator(_fits(r"[a-z0-9][a-z0-9_-]{0,31}", "a safe name", _NAME_REMEDY))]
OptionalName = Annotated[str, AfterValidator(_fits(r"|[a-z0-9][a-z0-9_-]{0,31}", "a safe name", _NAME_REMEDY))]
QueueName = Annotated[
    str, AfterValidator(_fits(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", "a safe name", "use letters a-z, digits, . - and _"))
]
Prompt = Annotated[
    str, AfterValidator(_fits(r"|[a-z0-9][a-z0-9-]{0,56}", "a prompt's name", "use small letters a-z, digits and -"))
]
Language = Annotated[str, AfterValidator(_fits(r"[a-z]{2}", "a language", 'use two small letters such as "da"'))]
Zone = Annotated[str, AfterValidator(_zone)]
OptionalZone = Annotated[str, AfterValidator(lambda v: _zone(v) if v else v)]
Country = Annotated[str, AfterValidator(_country)]
Network = Annotated[str, AfterValidator(_network)]
Url = Annotated[str, AfterValidator(_url)]
OptionalUrl = Annotated[str, AfterValidator(lambda v: _url(v) if v else v)]
Span = Annotated[str, AfterValidator(_span)]
ClosedDay = Annotated[date | str, BeforeValidator(_closed_day)]
Text = Annotated[str, Field(max_length=200), AfterValidator(_plain)]
FileName = Annotated[str, Field(max_length=1000), AfterValidator(_plain)]
Host = Annotated[
    str,
    Field(max_length=253),
    AfterValidator(
        _fits(r"[A-Za-z0-9][A-Za-z0-9.-]*|[0-9A-Fa-f:.]+", "a host", 'use a name or an address, as "127.0.0.1"')
    ),
]
OptionalHost = Annotated[
    str,
    Field(max_length=253),
    AfterValidator(
        _fits(r"|[A-Za-z0-9][A-Za-z0-9.-]*|[0-9A-Fa-f:.]+", "a host", 'use a name or an address, as "127.0.0.1"')
    ),
]
Port = Annotated[int, Field(ge=1, le=65535)]
Endpoint = Annotated[
    str,
    AfterValidator(
        _fits(
            r"[A-Za-z][A-Za-z0-9]{1,15}(/[A-Za-z0-9_.@+:-]{1,80}){1,3}",
            "an endpoint that is safe to dial",
            'write it as the PBX does, such as "PJSIP/agent7" or "PJSIP/+4520304050@trunk"',
        )
    ),
]
Code = Annotated[
    str,
    AfterValidator(_fits(r"|[*#][0-9*#]{1,7}", "a key code", 'begin with * or #, then digits, such as "*91"')),
]
SpeedDial = Annotated[
    str,
    AfterValidator(_fits(r"|[*#]?[0-9]{2,8}", "a speed dial", 'use 2 to 8 digits, such as "8591"')),
]
TopicPrefix = Annotated[
    str,
    AfterValidator(
        _fits(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+){0,5}", "a topic prefix", 'use letters, digits and /, such as "bagvagt"')
    ),
]
Account = Annotated[
    str, AfterValidator(_fits(r"|[A-Za-z0-9_.@-]{1,64}", "an account's name", "use letters, digits, _ . @ and -"))
]
# Short, and in the alphabet of SMS, so that an alarm stays one SMS.
AnswerAt = Annotated[
    str,
    AfterValidator(
        _fits(
            r"[A-Za-z0-9ÆØÅÄÖæøåäöé +()./:?=&_-]{0,60}",
            "a place where a page can be taken",
            "use at most 60 letters and digits: a web address, or the name of a place",
        )
    ),
]
Sender = Annotated[
    str,
    AfterValidator(
        _fits(
            r"[A-Za-z0-9 ]{1,11}|\+?[0-9]{3,15}",
            "a sender that phones show",
            "use at most 11 letters and digits, or a number",
        )
    ),
]
# One mailbox, without a name: what is sent may hold nothing that a mail's header would take for more.
_MAILBOX = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_DOMAIN = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_MAIL_REMEDY = 'write one address alone, as "anna@example.dk"'
Mail = Annotated[
    str, Field(max_length=254), AfterValidator(_fits(f"{_MAILBOX}@{_DOMAIN}", "an e-mail address", _MAIL_REMEDY))
]
OptionalMail = Annotated[
    str, Field(max_length=254), AfterValidator(_fits(f"|{_MAILBOX}@{_DOMAIN}", "an e-mail address", _MAIL_REMEDY))
]
CallerId = Annotated[
    str,
    AfterValidator(
        _fits(r"|\+?[0-9]{2,15}", "a number that phones show", 'use digits, such as "8500" or "+4520304050"')
    ),
]
Seconds = Annotated[float, Field(ge=0, le=DAY_S)]
WaitSeconds = Annotated[float, Field(ge=1, le=DAY_S)]
