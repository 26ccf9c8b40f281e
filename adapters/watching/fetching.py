"""One HTTP request to somebody outside: an answer, or why there is none, in words that hold no address.

Each request has a connection of its own, so that what is proved is the whole way, and redirects are not followed: the
address is a secret, and another machine's yes is not this one's.
"""

import asyncio
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from telephony.errors import BagvagtError

_MOST_BYTES = 65_536
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
_HOST_AND_PORT = 2


@dataclass
class NoAnswerError(BagvagtError):
    """Nobody answered.

    Attributes:
        why: what was in the way; never an address, nor words of the other side.
    """

    why: str

    def __post_init__(self) -> None:
        super().__init__(self.why)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: of HTTP.
        body: its beginning.
    """

    status: int
    body: bytes


async def fetch(url: str, within_s: float, *, say: str | None = None, tls: ssl.SSLContext | None = None) -> Answer:
    """Send one request: GET, or POST where there is something to say.

    Args:
        url: where; proxies of the environment are not used.
        within_s: for all of it, from looking up the name to the last byte.
        say: plain text of a POST.
        tls: who may vouch for the other side; None for the system's authorities.

    Raises:
        NoAnswerError: there was none.
    """
    connector = aiohttp.TCPConnector(force_close=True, use_dns_cache=False, resolver=_Resolver(), ssl=tls or True)
    timeout = aiohttp.ClientTimeout(total=within_s)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session,
            session.request("GET" if say is None else "POST", url, data=say, allow_redirects=False) as response,
        ):
            body = bytearray()
            while len(body) < _MOST_BYTES and (some := await response.content.readany()):
                body += some
            return Answer(response.status, bytes(body[:_MOST_BYTES]))
    except TimeoutError:
        raise NoAnswerError(f"no answer within {within_s:g} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:  # their words hold the address
        raise NoAnswerError(type(error).__name__) from None


class _Resolver(AbstractResolver):
    """Looks a name up in a thread of its own.

    asyncio's threads are few and shared: with a name server that hangs, look-ups that come again and again would hold
    them all, and those would wait who need one to keep a call going. It is a daemon: stopping does not wait for it.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[ResolveResult] | OSError] = loop.create_future()

        def settle(result: list[ResolveResult] | OSError) -> None:
            if not found.done():  # nobody waits any more
                found.set_result(result)

        def look() -> None:
            result = _look_up(host, port, family)
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(settle, result)

        threading.Thread(target=look, name="name look-up", daemon=True).start()
        result = await found
        if isinstance(result, OSError):
            raise result
        return result

    async def close(self) -> None:
        """Nothing is kept."""


def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult] | OSError:
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG)
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that no name server could have
        return error if isinstance(error, OSError) else OSError(str(error))
    return [
        ResolveResult(
            hostname=host, host=str(address[0]), port=int(address[1]), family=kind, proto=proto, flags=_NUMERIC
        )
        for kind, _, proto, _, address in infos
        if len(address) >= _HOST_AND_PORT  # a Python without IPv6 gives something else for it
    ]
