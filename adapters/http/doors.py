"""What the routes need, and how a request proves who it comes from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from aiohttp import web

from adapters.http.access import Access, Token, TokenKind
from adapters.http.problems import route, too_many, unknown_token
from adapters.metrics import Metrics
from adapters.prompts.library import PromptLibrary
from telephony.engine import Engine

_log = structlog.get_logger()

ANSWER_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Doors:
    """What the routes need.

    Attributes:
        engine: the service.
        access: who may.
        prompts: for the PBX.
        metrics: for `/metrics`.
        health: for `/healthz`; `ok` decides between 200 and 503.
        answer_within_s: how long a key's answer is waited for.
    """

    engine: Engine
    access: Access
    prompts: PromptLibrary
    metrics: Metrics
    health: Callable[[], dict[str, Any]]
    answer_within_s: float = ANSWER_WITHIN_S


DOORS: Final = web.AppKey("doors", Doors)


def bearer(request: web.Request) -> str:
    """Return the secret of the Authorization header, "" when there is none."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def check(request: web.Request, secret: str, kind: TokenKind, *, never_refused: bool = False) -> Token | web.Response:
    """Return the token, or the refusal.

    Args:
        request: the request.
        secret: what was given.
        kind: what kind of token it must be.
        never_refused: an acute key: a right token is let through whatever the limits say.
    """
    doors = request.app[DOORS]
    address = request.remote or ""
    token = doors.access.tokens.find(secret, kind)
    if token is None:
        wait_s = doors.access.wrong(address)
        doors.metrics.refused("guess_limit" if wait_s else "token")
        if wait_s:
            return too_many(wait_s)
        _log.warning("http_token_unknown", route=route(request), address=address)
        return unknown_token()
    if never_refused:
        doors.access.know(token, address)
        return token
    wait_s = doors.access.right(token, address)
    if wait_s:
        doors.metrics.refused("limit")
        _log.warning("http_limited", route=route(request), address=address, token=token.name)
        return too_many(wait_s)
    return token
