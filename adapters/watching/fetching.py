"""One HTTP request to somebody outside: an answer, or why there is none, in words that hold no address.

Each request has a connection of its own, so that what is proved is the whole way, and redirects are not followed: the
address is a secret, and another machine's yes is not this one's.
"""

import ssl
from dataclasses import dataclass

import aiohttp

from adapters.lookup import Resolver
from telephony.errors import BagvagtError

_MOST_BYTES = 65_536


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
    connector = aiohttp.TCPConnector(force_close=True, use_dns_cache=False, resolver=Resolver(), ssl=tls or True)
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
