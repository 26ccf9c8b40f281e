"""Errors as problem details (RFC 9457), whatever goes wrong, and headers that every answer carries."""

import asyncio
import math
import traceback
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import web

from adapters.panel.security import headers

_log = structlog.get_logger()

MOST_BYTES = 64 * 1024
LARGER: Mapping[str, int] = {"PUT /v1/prompts/{language}/{name}": 20 * 1024 * 1024}
"""Routes that take more, and read it bit by bit."""
Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


def problem(status: int, code: str, title: str, headers: dict[str, str] | None = None, **more: Any) -> web.Response:
    """Return an error as problem details.

    Args:
        status: HTTP status.
        code: the problem's type, `urn:bagvagt:problem:<code>`; "" for one that the status says all of.
        title: the same for every problem of the type.
        headers: to be sent with it.
        more: further members of the body.
    """
    kind = f"urn:bagvagt:problem:{code}" if code else "about:blank"
    body = {"type": kind, "title": title, "status": status, **more}
    return web.json_response(body, status=status, content_type="application/problem+json", headers=headers)


def too_many(wait_s: float) -> web.Response:
    """Return 429 with the seconds after which it may be tried again."""
    return problem(429, "too-many", "Too many requests", {"Retry-After": str(math.ceil(wait_s))})


def unknown_token() -> web.Response:
    """Return 401."""
    return problem(401, "no-such-token", "No such token", {"WWW-Authenticate": 'Bearer realm="bagvagt"'})


@web.middleware
async def as_problems(request: web.Request, handler: Respond) -> web.StreamResponse:
    """Turn every error into problem details. The log names the route, never the path or query: a token may be there."""
    try:
        most = LARGER.get(route(request), MOST_BYTES)
        if (request.content_length or 0) > most:
            return problem(413, "", HTTPStatus(413).phrase, {"Connection": "close"}, most_bytes=most)
        return await handler(request)
    except web.HTTPException as error:
        kept = {k: v for k, v in error.headers.items() if k in ("Allow", "Location")}
        return problem(error.status, "", HTTPStatus(error.status).phrase, kept)
    except asyncio.CancelledError:
        raise
    except Exception as error:  # noqa: BLE001 -- as a problem, and in the log without its text, which may hold a token
        last = traceback.extract_tb(error.__traceback__)[-1]
        _log.error(
            "http_failed", route=route(request), error=type(error).__name__, where=f"{last.filename}:{last.lineno}"
        )
        return problem(500, "", HTTPStatus(500).phrase)


def route(request: web.Request) -> str:
    """Return the route's pattern, as `GET /v1/keys/{key}`; "none" when no route fits."""
    resource = request.match_info.route.resource
    return f"{request.method} {resource.canonical}" if resource is not None else "none"


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """What a browser may do with an answer; nothing but a prompt, and what says so itself, is to be kept."""
    response.headers["Server"] = "bagvagt"
    response.headers.update(headers(request, response.content_type))
    response.headers.setdefault("Cache-Control", "no-store")
