"""Looks up the names of machines outside, without keeping anybody else waiting."""

import asyncio
import socket
import threading
from contextlib import suppress

from aiohttp.abc import AbstractResolver, ResolveResult

_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
_HOST_AND_PORT = 2


class Resolver(AbstractResolver):
    """Looks a name up in a thread of its own.

    asyncio's threads are few and shared: with a name server that hangs, look-ups that come again and again would hold
    them all, and those would wait who need one to keep a call going. It is a daemon: stopping does not wait for it.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name.

        Raises:
            OSError: there are none.
        """
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[ResolveResult] | OSError] = loop.create_future()

        def settle(result: list[ResolveResult] | OSError) -> None:
            if not found.done():  # nobody waits any more
                found.set_result(result)

        def look() -> None:
            result = _look_up(host, port, family)
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(settle, result)

        try:
            threading.Thread(target=look, name="name look-up", daemon=True).start()
        except RuntimeError as error:
            raise OSError("no thread for a name look-up") from error
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
