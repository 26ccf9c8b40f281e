"""Talks to a running service over its HTTP interface; for the command line."""

from typing import Any

import aiohttp

from telephony.errors import BagvagtError

TIMEOUT_S = 15.0


class ServiceError(BagvagtError):
    """The service did not do it.

    Attributes:
        server: its address.
        detail: what it said, or why it could not be asked.
    """

    def __init__(self, server: str, detail: str) -> None:
        self.server = server
        self.detail = detail
        super().__init__(server, detail)

    def __str__(self) -> str:
        return f"{self.server}: {self.detail}"


async def post(server: str, path: str, token: str) -> dict[str, Any]:
    """POST to the service; return its answer.

    Raises:
        ServiceError: it refused, or could not be reached.
    """
    headers = {"Authorization": f"Bearer {token}"}
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(server.rstrip("/") + path, headers=headers) as response,
        ):
            body: dict[str, Any] = await response.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise ServiceError(server, str(error) or "no answer") from error
    if response.status >= 400:  # noqa: PLR2004 -- HTTP's own boundary
        raise ServiceError(server, str(body.get("detail") or body.get("title") or response.status))
    return body
