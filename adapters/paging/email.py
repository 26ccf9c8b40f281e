"""The e-mail channel: one connection and one message to one address, with the link to the screen where it is taken.

What the server's answers mean (RFC 5321 §4.2.1): 2xx to the message, taken. 4xx, and no connection: not taken now. 5xx:
never will be. A connection that is lost, or silent, once the message has been begun: unknown. What is encrypted is
encrypted to the server that the certificate names, or nothing is sent.
"""

import asyncio
import hashlib
import re
import ssl
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

import aiosmtplib

from adapters.paging.messages import TakenBy, alarm_text, purpose_of, stood_down_text
from adapters.paging.pager import DeliveryUncertainError
from policies.actions import Notify, ReplyTo, StandDown
from policies.events import Event
from policies.rules import Severity
from telephony.errors import BagvagtError, DeliveryDeferredError, DeliveryRefusedError
from telephony.ports import Clock

CHANNEL: Final = "email"
_ENHANCED: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?=\s|$)", re.ASCII)  # RFC 3463 §2
_PERMANENT: Final = 500
_QUIT_WITHIN_S: Final = 1.0


class Security(StrEnum):
    """How the connection is encrypted."""

    STARTTLS = "starttls"  # from the first moment that the protocol allows, or not sent
    TLS = "tls"  # from the beginning
    NONE = "none"  # to a server on the same machine


@dataclass(frozen=True, slots=True)
class EmailConfig:
    """The mail server.

    Attributes:
        host: name or address; with encryption its certificate must name it.
        sender: the address that mail comes from.
        port: usually 587, with TLS 465, on the same machine 25.
        security: see `Security`.
        user: account, "" to log in without.
        password_file: its first line; read at each connect, so that it may be changed.
        ca_file: PEM of the authority that signed the server's certificate, None for the system's.
        ready_s: how long the server may take until it wants the message; shorter than the pager's deadline, so that
            "nothing was sent" is known.
    """

    host: str
    sender: str
    port: int = 587
    security: Security = Security.STARTTLS
    user: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    ready_s: float = 7.0


class EmailChannel:
    """Fits `adapters.paging.pager.Channel`.

    Args:
        config: the server.
        clock: for the date.
        link: message id -> where its page can be taken, "" for nowhere; `adapters.paging.links.Links`.

    Raises:
        ValueError: the sender is no address.
    """

    def __init__(self, config: EmailConfig, clock: Clock, link: Callable[[str], str]) -> None:
        self._config = config
        self._clock = clock
        self._link = link
        try:
            self._sender = Address("Bagvagt", addr_spec=config.sender)
        except (ValueError, MessageError):
            raise ValueError("the sender is no address, such as vagt@example.dk") from None
        self._tls: ssl.SSLContext | None = None

    async def run(self, emit: Callable[[Event], None]) -> None:
        """Return: there is no connection to keep, and nothing comes in."""

    async def tell(self, action: Notify) -> str:
        """Send an alarm; every attempt has the same Message-ID."""
        link, purpose = self._link(action.message), purpose_of(action.reason)
        place = TakenBy.HERE if link else TakenBy.DESK
        what = action.language, action.incident, action.severity, purpose
        mail = self._mail(action.address, action.page, alarm_text(*what, place), alarm_text(*what, place, at=link))
        mail["Message-ID"] = self._id(action.message)
        mail["Content-Language"] = action.language
        if action.severity is Severity.ACUTE:
            mail["Importance"] = "high"  # RFC 4021 §2.1.54
            mail["X-Priority"] = "1"
        return await self._send(mail, action.address)

    async def tell_answered(self, action: StandDown, address: str, language: str) -> str:
        """Send the news that somebody has taken the page, into the same thread; a test that lapsed is let lie."""
        if not action.by:
            return "nothing to take back"
        news = stood_down_text(action, language)
        mail = self._mail(address, action.page, news, news)
        mail["Message-ID"] = self._id(f"{action.id} {address}")
        mail["Content-Language"] = language
        return await self._send(mail, address)

    async def reply(self, action: ReplyTo) -> str:
        """Refuse: nobody reads what comes back by mail."""
        del action
        raise DeliveryRefusedError(CHANNEL, "nobody replies by e-mail")

    def _mail(self, address: str, page: str, subject: str, text: str) -> EmailMessage:
        """Return a message. All of a page refer to one that was never sent: mail programs make a thread of them."""
        mail = EmailMessage(policy=WIRE)
        mail["From"] = self._sender
        mail["To"] = _address(address)
        mail["Subject"] = subject
        mail["Date"] = format_datetime(self._clock.now())
        mail["References"] = self._id(f"page {page}")
        mail["In-Reply-To"] = self._id(f"page {page}")
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5: no "I am on holiday" comes back
        mail["X-Auto-Response-Suppress"] = "All"  # Exchange's word for the same
        mail.set_content(f"{text}\n", cte="quoted-printable")  # plain letters on the way, whatever the server can do
        return mail

    def _id(self, of: str) -> str:
        """Return an id in the sender's domain; a hash, since ids of ours may hold what a header may not."""
        return f"<{hashlib.sha256(of.encode()).hexdigest()[:32]}@{self._sender.domain}>"

    async def _send(self, mail: EmailMessage, address: str) -> str:
        with closing(self._server()) as server:
            try:
                async with asyncio.timeout(self._config.ready_s):
                    await self._ready(server, address)
            except (aiosmtplib.SMTPException, OSError) as error:  # a TimeoutError is one too
                raise _failed(error) from None
            try:
                response = await server.data(bytes(mail))
            except aiosmtplib.SMTPResponseException as error:
                raise _failed(error) from None
            except (aiosmtplib.SMTPException, OSError) as error:
                raise DeliveryUncertainError(f"no answer to the message: {type(error).__name__}") from None
            with suppress(aiosmtplib.SMTPException, OSError):
                async with asyncio.timeout(_QUIT_WITHIN_S):
                    await server.quit()
        return f"SMTP {response.code}"

    def _server(self) -> aiosmtplib.SMTP:
        config = self._config
        return aiosmtplib.SMTP(
            hostname=config.host,
            port=config.port,
            local_hostname=self._sender.domain,  # else the name of this machine is asked of the DNS
            timeout=None,  # deadlines are ours
            use_tls=config.security is Security.TLS,
            start_tls=config.security is Security.STARTTLS,
            tls_context=None if config.security is Security.NONE else self._context(),
        )

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            try:
                self._tls = ssl.create_default_context(cafile=self._config.ca_file)
            except OSError as error:  # no such file, or nothing that can be used in it
                raise DeliveryDeferredError(CHANNEL, f"ca_file: {type(error).__name__}") from None
        return self._tls

    def _password(self) -> str:
        file = self._config.password_file
        return "" if file is None else (file.read_text(encoding="utf-8").splitlines() or [""])[0]

    async def _ready(self, server: aiosmtplib.SMTP, address: str) -> None:
        """Come so far that the server wants the message."""
        await server.connect()
        if self._config.user:
            await server.login(self._config.user, self._password())
        await server.mail(self._config.sender)
        await server.rcpt(_address(address).addr_spec)


def _address(address: str) -> Address:
    """Return a checked address.

    Raises:
        DeliveryRefusedError: it is none, or not one that every server takes. Its text does not repeat the address.
    """
    try:
        found = Address(addr_spec=address)
    except (ValueError, MessageError, IndexError):
        found = None
    if found is None or not found.username or not found.domain or not address.isascii() or not address.isprintable():
        raise DeliveryRefusedError(CHANNEL, "the address is not one of e-mail, such as anna@example.dk")
    return found


def _failed(error: Exception) -> BagvagtError:
    """Return what an error means when nothing was taken. Servers repeat addresses, so only their codes are kept."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        enhanced = _ENHANCED.match(error.message)
        said = f"SMTP {error.code} {enhanced[0] if enhanced else ''}".rstrip()
        is_final = error.code >= _PERMANENT
        return DeliveryRefusedError(CHANNEL, said) if is_final else DeliveryDeferredError(CHANNEL, said)
    return DeliveryDeferredError(CHANNEL, f"nothing was sent: {type(error.__cause__ or error).__name__}")
