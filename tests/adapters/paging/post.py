"""A real SMTP server on loopback that does as it is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

FINE = "250 2.0.0 OK"
Says = Callable[["Post"], Awaitable[str]]


def says(line: str) -> Says:
    async def answer(_: "Post") -> str:
        return line

    return answer


async def breaks_off(post: "Post") -> str:
    """Has the message, and cuts the connection."""
    post.smtp.transport.abort()
    return FINE


async def never(post: "Post") -> str:
    """Has the message, and says nothing."""
    await post.stopped.wait()
    return FINE


class Post:
    """A server, and what it was sent.

    Attributes:
        mails: with envelope.
        on_rcpt: what is answered to an address; likewise `on_data`, to the message.
        smtp: the latest connection.
    """

    def __init__(self) -> None:
        self.mails: list[tuple[Envelope, EmailMessage]] = []
        self.on_rcpt: Says = says("250 2.1.5 OK")
        self.on_data: Says = says(FINE)
        self.smtp: Any = None
        self.encrypted: list[bool] = []
        self.has_read, self.stopped = asyncio.Event(), asyncio.Event()
        self.port = 0

    async def handle_RCPT(self, smtp: Any, _s: Session, envelope: Envelope, address: str, _o: Any) -> str:  # noqa: N802 -- aiosmtpd's name
        self.smtp = smtp
        answer = await self.on_rcpt(self)
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, smtp: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802 -- aiosmtpd's name
        self.smtp = smtp
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.mails.append((envelope, mail))
        self.encrypted.append(session.ssl is not None)
        self.has_read.set()
        return await self.on_data(self)

    def only(self) -> EmailMessage:
        """The only one."""
        [(_, mail)] = self.mails
        return mail


@asynccontextmanager
async def post(on_connect: ssl.SSLContext | None = None, **smtp: Any) -> AsyncIterator[Post]:
    """Run a server; the arguments are those of aiosmtpd's `SMTP`."""
    made, loop = Post(), asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(made, hostname="post.test", loop=loop, **smtp), "127.0.0.1", 0, ssl=on_connect
    )
    made.port = server.sockets[0].getsockname()[1]
    yield made
    made.stopped.set()
    server.close()
    if made.smtp is not None and made.smtp.transport is not None:
        made.smtp.transport.abort()
    await server.wait_closed()
